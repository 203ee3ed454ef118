"""systemd's journal as `journalctl -o export`, `-o json` and `-o json-pretty` write it, of any program.

The formats: https://systemd.io/JOURNAL_EXPORT_FORMATS/, the fields: systemd.journal-fields(7). Messages of
login programs are understood as in `auth.log`; of the others the event has the fields of the entry.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors import unix_syslog
from sensors.reading import framing, json_table, syslog
from sensors.reading.json_table import integer, text, time
from sensors.reading.losses import name_lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.application_logins import programs
    from sensors.sensor import Source

_FIELDS: Final = (
    "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM",
    "SYSLOG_PID", "_PID", "PRIORITY", "SYSLOG_FACILITY", "MESSAGE", "_EXE", "_CMDLINE", "_MACHINE_ID",
    "_BOOT_ID", "_UID", "_SYSTEMD_UNIT", "_TRANSPORT", "__CURSOR",
)  # fmt: skip
_BINARY: Final = re.compile(rb"^[A-Z_][A-Z0-9_]*\n", re.MULTILINE)
_LENGTH_BYTES: Final = 8
_FILLER: Final = "\x1f"  # stands where the length of a binary field stood
_BREAK: Final = "\x1e"  # stands for a line break in a binary field
_CURSOR: Final = re.compile(rb"^\s*__CURSOR=")


class Journald:
    """The sensor."""

    name = "journald"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the content begins with a journal entry: those of all formats have a cursor and a time."""
        if _CURSOR.match(head):
            return b"\n__REALTIME_TIMESTAMP=" in head
        return json_table.mostly(head, lambda one: {"__CURSOR", "__REALTIME_TIMESTAMP"} <= one.keys())

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The entries in their order."""
        clock = syslog.Clock(source)
        held: programs.Held = {}
        for table in _exported(source) if _CURSOR.match(source.head) else _json(source):
            kept = json_table.kept(
                table, text(table, "__CURSOR", "MESSAGE").is_not_null(), source, "no journal entry"
            )
            if kept.height:
                frame = clock.fill(_parted(kept))
                severity = frame["severity"].alias(
                    "log.syslog.severity.code"
                )  # known without a facility, too
                yield unix_syslog.events(frame, held).with_columns(severity)


def _json(source: Source) -> Iterator[pl.DataFrame]:
    return json_table.tables(source)


def _exported(source: Source) -> Iterator[pl.DataFrame]:
    """The entries of an export, a column of text for each field that is read."""
    offset, line = 0, 1
    held = b""
    for chunk in framing.chunks(source):
        block = held + chunk
        flat, sure = _flat(block)
        cut = flat.rfind(b"\n\n", 0, sure) + 2
        if cut > 1:
            yield _entries(block[:cut], flat[:cut], offset, line, source)
            offset, line = offset + cut, line + block.count(b"\n", 0, cut)
            block = block[cut:]
        held = block
        if len(held) > framing.LINE_BYTES:
            source.lost("an entry too long for a journal's; skipped", line=line, offset=offset)
            offset, line, held = offset + len(held), line + held.count(b"\n"), b""
    if held.strip():
        yield _entries(held, _flat(held)[0], offset, line, source)


def _flat(block: bytes) -> tuple[bytes, int]:
    """The block with binary fields as lines of the same length, and up to where its fields are whole.

    A binary field is its name, a line end, eight bytes with the length, and that many bytes.
    """
    parts: list[bytes] = []
    done = at = 0
    while found := _BINARY.search(block, at):
        begin = found.end() + _LENGTH_BYTES
        if begin > len(block):
            return b"".join([*parts, block[done:]]), found.start()
        (length,) = struct.unpack("<Q", block[found.end() : begin])
        end = begin + length
        if end >= len(block) and length < framing.LINE_BYTES:
            return b"".join([*parts, block[done:]]), found.start()
        if block[end : end + 1] != b"\n":  # no binary field after all
            at = found.end()
            continue
        value = block[begin:end].replace(b"\n", _BREAK.encode())
        parts += [block[done : found.end() - 1], b"=", value, _FILLER.encode() * _LENGTH_BYTES]
        done = at = end
    return b"".join([*parts, block[done:]]), len(block)


def _entries(block: bytes, flat: bytes, offset: int, line: int, source: Source) -> pl.DataFrame:
    texts = flat.split(b"\n\n")
    starts = np.cumsum([0] + [len(entry) + 2 for entry in texts[:-1]])
    lines = np.searchsorted(np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")), starts)
    try:
        decoded = flat.decode().split("\n\n")
    except UnicodeDecodeError:
        source.lost(
            "not UTF-8 in places; unreadable bytes stand as \N{REPLACEMENT CHARACTER}",
            line=line,
            offset=offset,
        )
        decoded = [entry.decode("utf-8", "replace") for entry in texts]
    frame = pl.DataFrame(
        {"text": decoded, "log.offset": offset + starts, "log.file.line": line + lines},
        schema={"text": pl.String, "log.offset": pl.Int64, "log.file.line": pl.Int64},
    )
    frame = frame.filter(pl.col("text").str.contains(r"[^\s]"))
    strange = ~frame["text"].str.contains(r"(?m)^__CURSOR=")
    if strange.any():
        name_lost(frame.filter(strange), "no journal entry", source)
        frame = frame.filter(~strange)
    column = pl.col("text")
    return frame.with_columns(
        column.str.extract(rf"(?m)^{name}=(.*)$", 1)
        .str.strip_suffix(_FILLER * _LENGTH_BYTES)
        .str.replace_all(_BREAK, "\n", literal=True)
        .alias(name)
        for name in _FIELDS
    )


def _said(frame: pl.DataFrame) -> pl.Expr:
    """The message; one that is not plain text stands in JSON as an array of its bytes."""
    message = text(frame, "MESSAGE")
    as_bytes = message.str.contains(r"^\[[0-9]{1,3}(?:, ?[0-9]{1,3})*\]$")

    def decoded(column: pl.Series) -> pl.Series:
        values = [
            bytes(min(int(byte), 255) for byte in one[1:-1].split(",")).decode("utf-8", "replace")
            if one
            else None
            for one in column
        ]
        return pl.Series(values, dtype=pl.String)

    if not frame.select(as_bytes.any()).item():
        return message
    told = pl.when(as_bytes).then(message).map_batches(decoded, return_dtype=pl.String)
    return pl.coalesce(told, message)


def _parted(frame: pl.DataFrame) -> pl.DataFrame:
    """What the framing of syslog gives, of journal entries."""
    severity, facility = integer(frame, "PRIORITY"), integer(frame, "SYSLOG_FACILITY")
    nothing = pl.lit(None, pl.String)
    return frame.select(
        "text", "log.offset", "log.file.line",
        time(frame, "_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP").alias("@timestamp"),
        pl.lit(None, pl.List(pl.String)).alias("molehunt.guess"),
        (facility * 8 + severity).alias("priority"),
        pl.lit(value=False).alias("versioned"),
        text(frame, "_HOSTNAME").alias("host"),
        text(frame, "SYSLOG_IDENTIFIER", "_COMM").alias("app"),
        text(frame, "_PID", "SYSLOG_PID").alias("pid"),
        nothing.alias("msgid"),
        _said(frame).fill_null("").alias("body"),
        severity.alias("severity"),
        text(frame, "_EXE").alias("process.executable"),
        text(frame, "_MACHINE_ID").alias("host.id"),
        text(frame, "_CMDLINE").alias("system.journald.command_line"),
        text(frame, "_SYSTEMD_UNIT").alias("system.journald.unit"),
        text(frame, "_TRANSPORT").alias("system.journald.transport"),
        text(frame, "_UID").alias("system.journald.uid"),
        text(frame, "_BOOT_ID").alias("system.journald.boot_id"),
        text(frame, "__CURSOR").alias("system.journald.cursor"),
    )  # fmt: skip


SENSOR: Final = Journald()
