"""PAN-OS logs: GlobalProtect, traffic, threat, decryption, User-ID, system, configuration, authentication.

They come as comma-separated values in syslog, or exported with a header row. Fields after "Syslog Field
Descriptions" of the PAN-OS Administrator's Guide (Palo Alto Networks); mapping after Elastic's integration
`panw`, but that of a GlobalProtect session `source.ip` is the person's public address and `source.nat.ip` the
address that the gateway gave them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.panos import layout
from sensors.panos.columns import mapped
from sensors.panos.times import moment
from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_TIME = r"2[0-9]{3}(?:/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}|-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?)"
_TYPES = (
    "TRAFFIC|THREAT|GLOBALPROTECT|USERID|USER-ID|HIPMATCH|HIP-MATCH|SYSTEM|CONFIG|AUTHENTICATION|DECRYPTION|"
    "CORRELATION|IPTAG|IP-TAG|GTP|SCTP|START|END|TUNNEL|URL|DATA|WILDFIRE"
)
# (no > in the first value: from each of many it would be looked for again)
_ROW = re.compile(rf'(?:^|[\s>])[^,\s>]*,"?{_TIME}"?,[^,]*,(?:"?(?:{_TYPES})"?,|audit,)|,{_TIME},audit,')
_ANYWHERE = rf'[^,\s]*,"?{_TIME}"?,[^,]*,"?(?P<type>[A-Za-z-]+)"?,'
_STARTS = (rf"^(?P<before>){_ANYWHERE}", rf"^(?P<before>[^, ]+ ){_ANYWHERE}", rf"^(?P<before>.*?){_ANYWHERE}")
_AUDIT = rf"([^,\s]*,{_TIME},audit,.*)$"
_HEADER = re.compile(r'^"?(?:domain"?,"?)?(?:receive time|receive_time)"?,.*\btype\b', re.IGNORECASE)


class Panos:
    """The sensor."""

    name = "panos"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing
        """Whether it is an export with PAN-OS' header row, or at least half of the lines are PAN-OS rows."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        rows = sum(bool(_ROW.search(line)) for line in lines)
        return bool(lines) and (bool(_HEADER.match(lines[0])) or 2 * rows >= len(lines))

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per row; a line that is no row but has a syslog time is an event with its text."""
        clock = syslog.Clock(source)
        first = framing.text_head(source.head).lstrip().split("\n", 1)[0]
        frames = _exported(source, first) if _HEADER.match(first) else _syslog(source)
        for frame in frames:
            if frame.height:
                yield ecs.only(mapped(clock.fill(frame), source), "panw")


def _exported(source: Source, header: str) -> Iterator[pl.DataFrame]:
    """Rows of an export; the columns are those that its header names."""
    names = layout.export_names(header.rstrip("\r"))
    for number, lines in enumerate(framing.lines(source)):
        rows = lines.slice(0 if number else 1)
        frame = rows.hstack(layout.columns(layout.values(rows["text"]), names))
        for name in ("type", "receive_time"):
            if name not in frame.columns:
                frame = frame.with_columns(pl.lit(None, pl.String).alias(name))
        kind = pl.coalesce(pl.col("type"), pl.lit(_kind_of(names)))
        known = frame.with_columns(
            kind.str.to_uppercase().replace(layout.aliases()).alias("type"),
            pl.lit(None, pl.Int64).alias("priority"),
            pl.lit(None, pl.String).alias("told_by"),
        )
        timed = moment(known, source)
        lost = timed["@timestamp"].is_null()
        if lost.any():
            name_lost(timed.filter(lost), "a row without a time that can be read", source)
        yield timed.filter(~lost).drop("text")


def _kind_of(names: list[str]) -> str:
    """The type of log an export without a type column is, by a field that only that type has."""
    for field, kind in (("public_ip", "GLOBALPROTECT"), ("threatid", "THREAT"), ("bytes_sent", "TRAFFIC")):
        if field in names:
            return kind
    return "SYSTEM"


def _syslog(source: Source) -> Iterator[pl.DataFrame]:
    for lines in syslog.records(source, joint=" "):
        rest = lines["rest"]
        parts = _parted(rest)
        audit = rest.set(parts["type"].is_not_null(), None).str.extract(_AUDIT, 1)
        strange = parts["type"].is_null() & audit.is_null() & lines["@timestamp"].is_null()
        if strange.any():
            name_lost(lines.filter(strange), "neither a PAN-OS row nor a line with a syslog time", source)
        told_by = parts["before"].fill_null(rest).str.extract(r"^([^\s,]+)(?: |$)", 1)
        frame = lines.with_columns(
            told_by.fill_null(lines["relay"]).alias("told_by"),
            parts["type"].set(audit.is_not_null(), "audit"),
            rest.str.strip_prefix(parts["before"]).fill_null(audit).alias("row"),
        ).filter(~strange)
        if frame.height:
            yield _fields(frame, source)


def _parted(rest: pl.Series) -> pl.DataFrame:
    """What stands `before` a row, and the row's `type`; the commonest placings are tried first."""
    parts = rest.str.extract_groups(_STARTS[0]).struct.unnest()
    for start in _STARTS[1:]:
        left = parts["type"].is_null()
        if not left.any():
            break
        more = rest.set(~left, None).str.extract_groups(start).struct.unnest()
        parts = parts.select(parts[name].zip_with(~left, more[name]) for name in parts.columns)
    return parts


def _fields(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Rows of every type with its fields as columns, in input order."""
    kinds = frame.with_columns(pl.col("type").replace(layout.aliases()).fill_null("")).partition_by(
        "type", as_dict=True
    )
    parts = []
    for (kind,), part in kinds.items():
        if kind == "audit":
            named = layout.columns(layout.values(part["row"]), layout.AUDIT)
        elif names := layout.layout(kind):
            named = layout.columns(layout.values(part["row"]), (*layout.head(), *names))
        else:
            parts.append(part.with_columns(pl.col("row").fill_null(pl.col("rest")).alias("message")))
            continue
        parts.append(
            part.drop("type").hstack(named.drop("type", strict=False)).with_columns(type=pl.lit(kind))
        )
    whole = pl.concat(parts, how="diagonal_relaxed").sort("log.offset")
    return moment(whole, source).drop("text", "rest", "row", "relay", "versioned")


SENSOR: Final = Panos()
