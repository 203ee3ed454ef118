"""macOS unified log, as `log show` exports it: JSON, NDJSON and its default style.

Formats after log(1) of macOS. Logins, sudo, sshd and screen sharing are read by the sensors of syslog, which
share their words; `messages.toml` has what macOS alone says. The `syslog` style is syslog, and read as such.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import unix_syslog
from sensors.macos_unified_log.meaning import meanings
from sensors.reading import framing, json_table
from sensors.reading.json_table import text
from sensors.reading.losses import name_lost
from sensors.values import command_line, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.application_logins import programs
    from sensors.sensor import Source

_LINE: Final = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}[+-]\d{4} 0x[0-9a-f]+ +\w+ +0x[0-9a-f]+ +\d+ +\d+ +\S"
)
_PARTS: Final = (
    r"(?s)^(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}[+-]\d{4}) (?P<thread>0x[0-9a-f]+) +(?P<kind>\w+) +"
    r"(?P<activity>0x[0-9a-f]+) +(?P<pid>\d+) +(?P<ttl>\d+) +(?P<app>[^:]+?): "
    r"(?:\((?P<sender>[^)]*)\) )?(?:\[(?P<subsystem>[^\]:\s]+):(?P<category>[^\]]*)\] )?(?P<body>.*)$"
)
_HEADER: Final = r"^Timestamp +Thread +Type +Activity|^Filtering the log data|^Log +- Default:|^-{20,}$"
_KEYS: Final = ("eventMessage", "processImagePath", "timestamp")


class MacosUnifiedLog:
    """The sensor."""

    name = "macos_unified_log"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records, or at least half of the first lines, are of the unified log."""
        if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"{", b"["}:
            return json_table.mostly(head, _is_entry)
        lines = [line for line in framing.text_head(head).splitlines()[:200] if line.strip()]
        told = [line for line in lines if line[0] not in " \t" and not re.search(_HEADER, line)]
        return bool(told) and 2 * sum(bool(_LINE.match(line)) for line in told) >= len(told)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """An event per entry; one of several lines is one."""
        if source.head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"{", b"["}:
            frames = _json(source)
        else:
            frames = _text(source)
        held: programs.Held = {}
        for frame in frames:
            if frame.height:
                yield _events(frame, held)


SENSOR: Final = MacosUnifiedLog()


def _is_entry(record: Mapping[str, Any]) -> bool:
    keys = record.keys()
    return {"eventMessage", "processImagePath"} <= keys and bool(
        {"machTimestamp", "traceID", "processID", "messageType"} & keys
    )


def _json(source: Source) -> Iterator[pl.DataFrame]:
    """Entries of JSON; the line of NDJSON that counts them is none, and no loss."""
    for whole in json_table.tables(source):
        counted = text(whole, "finished").is_not_null() & text(whole, "count").is_not_null()
        table = whole.filter(~counted)
        kept = json_table.kept(
            table, text(table, *_KEYS).is_not_null(), source, "no entry of the unified log"
        )
        path = text(kept, "processImagePath")
        timed = kept.with_columns(json_table.time(kept, "timestamp").alias("@timestamp"))
        dated = json_table.kept(timed, pl.col("@timestamp").is_not_null(), source, "the entry has no time")
        yield dated.select(
            "log.offset",
            "log.file.line",
            "text",
            "@timestamp",
            text(dated, "eventMessage").fill_null("").alias("body"),
            command_line.base_name(path).fill_null("kernel").alias("app"),
            text(dated, "processID").alias("pid"),
            path.alias("process.executable"),
            text(dated, "userID").alias("user.effective.id"),
            text(dated, "threadID").alias("process.thread.id"),
            text(dated, "messageType", "eventType").alias("macos.message_type"),
            text(dated, "subsystem").alias("macos.subsystem"),
            text(dated, "category").alias("macos.category"),
        )


def _text(source: Source) -> Iterator[pl.DataFrame]:
    """Entries of the default style; lines without a time continue the entry before them."""
    held: pl.DataFrame | None = None
    for lines in framing.lines(source):
        frame = lines if held is None else pl.concat([held, lines])
        begins = frame["text"].str.contains(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}[+-]\d{4} ")
        begins |= frame["text"].str.contains(_HEADER)
        joined = (
            frame.group_by(begins.cum_sum().alias("entry"), maintain_order=True)
            .agg(pl.col("text").str.join("\n"), pl.col("log.offset", "log.file.line").first())
            .drop("entry")
            .select(lines.columns)
        )
        held = joined.tail(1)
        yield _parted(joined.head(-1), source)
    if held is not None:
        yield _parted(held, source)


def _parted(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    parts = lines["text"].str.extract_groups(_PARTS).struct.unnest()
    frame = lines.hstack(parts)
    frame = frame.with_columns(json_table.time(frame, "time").alias("@timestamp"))
    strange = frame["@timestamp"].is_null()
    header = strange & frame["text"].str.contains(_HEADER)
    if (strange & ~header).any():
        name_lost(frame.filter(strange & ~header), "no entry of the unified log", source)
    return frame.filter(~strange).select(
        "log.offset",
        "log.file.line",
        "text",
        "@timestamp",
        "body",
        "app",
        "pid",
        pl.col("kind").alias("macos.message_type"),
        pl.col("subsystem").alias("macos.subsystem"),
        pl.col("category").alias("macos.category"),
    )


def _events(frame: pl.DataFrame, held: programs.Held) -> pl.DataFrame:
    """Entries as the sensors of syslog have them, and what macOS alone says."""
    none = {"host": pl.String, "msgid": pl.String, "relay": pl.String, "priority": pl.Int64}
    entries = frame.with_columns(
        *(pl.lit(None, kind).alias(name) for name, kind in none.items()),
        pl.col("body").str.strip_chars_start(" "),
        pl.col("body").str.strip_chars_start(" ").alias("rest"),
        pl.lit(value=False).alias("versioned"),
        pl.lit(None, pl.List(pl.String)).alias("molehunt.guess"),
    ).sort("log.offset")
    events = unix_syslog.events(entries, held)
    said = meanings(entries)
    if "event.category" in events.columns:
        known = events["event.category"].is_not_null()
        said = said.select(column.set(known, None) for column in said.iter_columns())
    own = entries.select(
        name
        for name in entries.columns
        if name.startswith("macos.")
        or name in {"process.executable", "process.thread.id", "user.effective.id"}
    )
    general = events["event.dataset"] == "system.syslog"
    events = _filled(_filled(events, said), own).with_columns(
        events["event.dataset"].set(general, "macos.unified_log"),
        pl.lit("macos").alias("host.os.type"),
        pl.lit("Apple").alias("observer.vendor"),
    )
    if "related.user" not in events.columns:
        events = ecs.relations(events, user=("user.name", "user.effective.name"))
    return events.select(column for column in events.iter_columns() if column.null_count() < events.height)


def _filled(events: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """The same rows with the columns of `more`, where they have nothing yet."""
    return events.with_columns(
        events[column.name].fill_null(column.cast(events[column.name].dtype, strict=False))
        if column.name in events.columns
        else column
        for column in more.iter_columns()
    )
