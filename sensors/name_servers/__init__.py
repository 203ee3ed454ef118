"""Name servers and DHCP servers in lines: BIND, Unbound, dnsmasq, CoreDNS; ISC dhcpd, Kea, dnsmasq's DHCP.

Their messages and the manuals they are after stand in `forms.toml`; the header is syslog's, BIND's own
(`05-Oct-2026 09:00:00.123 queries: info: `), Unbound's (`[1791190800] unbound[7:0] info: `), Kea's or none,
and CoreDNS' lines may come as JSON of a container's log. Who asked is the source; a lease's address is
`source.ip` and `host.ip`.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.infoblox_nios import is_nios
from sensors.name_servers.columns import events
from sensors.reading import framing, json_table
from sensors.reading.losses import name_lost
from sensors.reading.syslog import moments
from sensors.schema import TIME
from sensors.values.wording import expanded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_SYSLOG: Final = (
    r"^(?:<(?P<priority>[0-9]{1,3})>)?(?:1 )?(?P<stamp>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}(?:\.[0-9]+)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?) "
    r"(?:(?P<host>[^\s:\[\]]+) )?(?P<app>"
    r"(?:named|unbound|dnsmasq|dnsmasq-dhcp|dhcpd|kea-dhcp[46]|coredns)(?:-\w+)?)"
    r"(?:\[[0-9:]+\])?:? (?P<rest>.*)$"
)
_BIND: Final = (
    r"^(?P<stamp>[0-9]{2}-[A-Z][a-z]{2}-[0-9]{4} [0-9:]{8}(?:\.[0-9]+)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]+)?Z?) (?P<rest>.*)$"
)
_UNBOUND: Final = r"^\[(?P<epoch>[0-9]{9,11})(?:\.[0-9]+)?\] (?P<app>unbound)(?:\[[0-9:]+\])? (?P<rest>.*)$"
_KEA: Final = (
    r"^(?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]+) (?P<rest>(?:INFO|DEBUG|WARN|ERROR|FATAL) .*)$"
)
_OWN_TIME: Final = r"^(?P<own>[0-9]{4}-[0-9-]{5}T[0-9:]{8}(?:\.[0-9]+)?Z) (?P<after>.*)$"
HEADS: Final = (_SYSLOG, _KEA, _BIND, _UNBOUND)


@cache
def forms() -> dict[str, str]:
    """The expressions by name, with dots of column names written as `__`."""
    raw: dict[str, Any] = tomllib.loads((files("sensors.name_servers") / "forms.toml").read_text("utf-8"))
    return dict(zip(raw["forms"], expanded(raw["parts"], raw["forms"].values()), strict=True))


@cache
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, re.compile(form)) for name, form in forms().items())


class NameServers:
    """The sensor."""

    name = "name_servers"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether at least half of the lines are messages of these servers."""
        if head.lstrip()[:1] == b"{" and json_table.peek(head):
            return json_table.mostly(head, _holds_coredns)
        text = framing.text_head(head)
        if is_nios(text):
            return False
        lines = [line for line in text.split("\n")[:60] if line.strip()]
        told = sum(_fits(line.rstrip("\r")) for line in lines)
        return told > 0 and 2 * told >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a line of another form is named as unread."""
        wrapped = source.head.lstrip()[:1] == b"{"
        for lines in _opened(source) if wrapped else framing.lines(source):
            parts = _headed(lines, source)
            found = _matched(parts)
            lost = found["form"].is_null()
            if lost.any():
                name_lost(found.filter(lost), "no message of a name server or DHCP server", source)
            if not lost.all():
                yield events(found.filter(~lost))


SENSOR: Final = NameServers()


def _fits(line: str, product: str = "") -> bool:
    rest = line
    for head in HEADS:
        found = re.match(head, line)
        if found:
            rest = found["rest"]
            break
    else:
        if not re.match(r"^(?:\[[A-Z]+\] |(?:\w[\w-]*: )?(?:\w+: )?client )", line):
            return False
    return any(name.startswith(product) and form.match(rest) for name, form in _compiled())


def _holds_coredns(record: dict[str, Any]) -> bool:
    """Whether a record of a container's log holds a line of CoreDNS."""
    text = record.get("message", record.get("log"))
    return isinstance(text, str) and _fits(text.strip(), "coredns")


def _opened(source: Source) -> Iterator[pl.DataFrame]:
    """Lines in the JSON of a container's log, with the time that it says."""
    for table in json_table.tables(source):
        said = json_table.text(table, "message", "log")
        kept = json_table.kept(table, said.is_not_null(), source, "no line of a log in the record")
        if kept.height:
            yield kept.select(
                json_table.text(kept, "message", "log").str.strip_chars_end("\r\n").alias("text"),
                "log.offset",
                "log.file.line",
                json_table.time(kept, "time", "@timestamp", "timestamp").alias("~said"),
            )


def _headed(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds `host`, `app`, `rest`, `@timestamp` and `molehunt.guess`."""
    names = ("priority", "stamp", "host", "app", "rest", "epoch")
    done: list[pl.DataFrame] = []
    left = lines
    for head in HEADS:
        parts = left["text"].str.extract_groups(head).struct.unnest()
        fits = parts["rest"].is_not_null()
        done.append(left.filter(fits).hstack(parts.filter(fits)))
        left = left.filter(~fits)
    whole = pl.concat([*done, left], how="diagonal")
    whole = whole.with_columns(
        pl.lit(None, pl.String).alias(name) for name in names if name not in whole.columns
    )
    whole = whole.with_columns(pl.coalesce("rest", "text").alias("rest")).sort("log.offset")
    # named may stamp a line that syslog stamps too; its own time says its zone or its fraction.
    inner = whole["rest"].str.extract_groups(_OWN_TIME).struct.unnest()
    stamp = pl.coalesce("own", whole["stamp"])
    dashed = inner.select(stamp.str.replace(r"^([0-9]{2})-([A-Z][a-z]{2})-([0-9]{4})", "$2 $1 $3"))
    whole = whole.with_columns(
        inner.select(pl.coalesce("after", whole["rest"]))["after"].alias("rest"),
        dashed.to_series().alias("stamp"),
        pl.lit(None, pl.String).alias("zone"),
    )
    distinct = whole.select("stamp", "zone").unique().filter(pl.col("stamp").is_not_null())
    placed = moments(distinct, source)
    timed = whole.join(placed, on=["stamp", "zone"], how="left", nulls_equal=True, maintain_order="left")
    epoch = (pl.col("epoch").cast(pl.Int64, strict=False) * 1_000_000).cast(TIME)
    said = pl.col("~said") if "~said" in timed.columns else pl.lit(None, TIME)
    last = pl.lit(source.modified.astimezone(UTC), TIME)
    known = pl.coalesce("@timestamp", epoch, said)
    return timed.with_columns(
        pl.coalesce(known, known.forward_fill(), last).alias("@timestamp"),
        pl.when(known.is_null())
        .then(pl.lit(["time"], pl.List(pl.String)))
        .otherwise("molehunt.guess")
        .alias("molehunt.guess"),
    )


def _matched(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with the parts of the first form that fits, and its name as `form`."""
    done: list[pl.DataFrame] = []
    left = lines
    for name, form in forms().items():
        if not left.height:
            break
        parts = left["rest"].str.extract_groups(form).struct.unnest()
        fits = parts.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        named = parts.rename({group: group.replace("__", ".") for group in parts.columns})
        done.append(left.filter(fits).hstack(named.filter(fits)).with_columns(pl.lit(name).alias("form")))
        left = left.filter(~fits)
    whole = pl.concat([*done, left], how="diagonal").sort("log.offset")
    return whole if "form" in whole.columns else whole.with_columns(pl.lit(None, pl.String).alias("form"))
