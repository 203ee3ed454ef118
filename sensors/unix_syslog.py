"""Syslog of Linux, macOS and BSD in general: what `messages`, `syslog` and `system.log` have of any program.

Mapping after Elastic's integration `system` (data sets `system.syslog` and, for the lines of login programs,
`system.auth`). A program's name is the tag as its sender wrote it: macOS' launchd writes the service into it.
This sensor takes what no other does; a product with a sensor of its own is that sensor's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import linux_auth, netfilter
from sensors.application_logins import programs
from sensors.reading import framing, syslog
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

# A host may be missing where the C library wrote the line; a tag may hold blanks (`Google Chrome`).
_TAGGED: Final = (
    r"(?s)^(?:(?P<host>[^\s\[\]]*[^\s\[\]:]) +)?"
    r"(?P<app>[^\s:\[\]%(][^:\[\]]*?(?:\[[0-9]+\] \([^()]*\))?)(?:\[(?P<pid>[0-9]+)\])?: ?(?P<body>.*)$"
)
# A clock that was never set starts in 1970 or 1980; the framing that all share knows dates of this age only.
_OLD: Final = (
    r"^(?P<stamp>1[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?) "
)
_BARE: Final = (
    r"(?s)^(?:(?P<host>\S+) +)?(?P<app>[A-Za-z][\w./-]*)\[(?P<pid>[0-9]+)\] (?P<body>[^(].*)$"  # no colon
)
_LEVELS: Final = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|SEVERE"
_LINE = re.compile(
    r"^(?:<\d{1,3}>)?(?:"
    r"[A-Z][a-z]{2} [ \d]?\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)? |"
    r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)? "
    rf")(?!(?:{_LEVELS})\b)(?:[\w.:%-]*[\w.%-] +)?(?:[A-Za-z_/(][^:\[\]=\"|,{{}}]{{0,80}}"
    r"(?:(?:\[\d+\](?: \([^()]*\))?)?: |\[\d+\] \S+ \()|(?:--- )?last message repeated )|"
    r"^<\d{1,3}>1 2\d{3}-\d\d-\d\dT\S+ \S+ \S+ \S+ \S+ (?:-|\[)"
)
_MARK = re.compile(r"^-- (?:Boot|Reboot|Logs begin|Journal begins|No entries)")  # journalctl's own lines


class UnixSyslog:
    """The sensor."""

    name = "unix_syslog"
    last_resort = True

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - syslog is kept under any name
        """Whether three in four of the lines that begin a record are a program's syslog lines."""
        lines = framing.text_head(head).splitlines()
        first = [line for line in lines if line.strip() and line[0] not in " \t" and not _MARK.match(line)]
        return bool(first) and 4 * sum(bool(_LINE.match(line)) for line in first) >= 3 * len(first)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record; lines that begin with white space belong to the record before them."""
        held: programs.Held = {}
        yield from syslog.events(
            source,
            lambda lines: parted(_aged(lines, source)),
            lambda frame: events(frame, held),
            "no time of syslog",
        )


def _aged(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The same with the times before 2000 taken off `rest`."""
    if not lines["@timestamp"].null_count():
        return lines
    stamp = lines["rest"].str.extract(_OLD, 1)
    old = lines["@timestamp"].is_null() & stamp.is_not_null()
    if not old.any():
        return lines
    keyed = lines.select(stamp.alias("stamp"), zone=pl.lit(None, pl.String))
    known = syslog.moments(keyed.unique().drop_nulls("stamp"), source).drop("zone")
    told = keyed.join(known, on="stamp", how="left", maintain_order="left")
    return lines.with_columns(
        *(
            pl.when(old).then(told[name]).otherwise(name).alias(name)
            for name in ("@timestamp", "molehunt.guess")
        ),
        pl.when(old).then(lines["rest"].str.replace(_OLD, "")).otherwise("rest").alias("rest"),
    )


def parted(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `host`, `app`, `pid`, `msgid`, `body`."""
    frame = syslog.fields(lines)
    if not (frame["app"].is_null() & ~lines["versioned"]).any():
        return frame
    tagged = lines["rest"].str.extract_groups(_TAGGED).struct.unnest()
    bare = lines["rest"].str.extract_groups(_BARE).struct.unnest()
    tagged = bare.select(
        pl.when(bare["app"].is_null()).then(tagged[name]).otherwise(name).alias(name) for name in bare.columns
    )
    old = ~lines["versioned"] & frame["app"].is_null() & tagged["app"].is_not_null()
    return frame.with_columns(
        pl.when(old).then(tagged[name]).otherwise(name).alias(name) for name in ("host", "app", "pid", "body")
    )


def events(frame: pl.DataFrame, held: programs.Held) -> pl.DataFrame:
    """Records as ECS: as their sensors have them, of programs that have none the header.

    Args:
        frame: a batch of records.
        held: what the batches before it said of applications' sessions.
    """
    return netfilter.split(frame, lambda rest: programs.split(rest, linux_auth.known(rest), _unmixed, held))


def _unmixed(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of no application that has messages of its own."""
    logins = linux_auth.known(frame)
    if not logins.any():
        return _general(frame)
    parts = [linux_auth.events(frame.filter(logins))]
    if not logins.all():
        parts.append(_general(frame.filter(~logins)))
    return pl.concat(parts, how="diagonal_relaxed").sort("log.offset")


def _general(frame: pl.DataFrame) -> pl.DataFrame:
    modern = (
        pl.when("versioned").then(name).alias(f"log.syslog.{ecs_name}")
        for name, ecs_name in (
            ("host", "hostname"),
            ("app", "appname"),
            ("pid", "procid"),
            ("msgid", "msgid"),
        )
    )
    frame = frame.with_columns(
        *syslog.common(frame),
        *modern,
        pl.lit("system.syslog").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.col("host").alias("host.hostname"),
        pl.col("host").alias("host.name"),
        pl.col("app").alias("process.name"),
        pl.col("pid").cast(pl.Int64, strict=False).alias("process.pid"),
        pl.col("body").str.strip_chars(" ").alias("message"),
    )
    return ecs.only(ecs.relations(frame, hosts=("host.name",)), "system")


SENSOR: Final = UnixSyslog()
