"""Syslog lines to columns: priority, time, sender, and what is left to say; shared by every sensor of syslog.

Understood are RFC 3164 and RFC 5424, with and without priority, year, fraction, zone and host; ISO 8601
times; Cisco's forms (`Jan 01 2026 00:00:00 host : %ASA-…`, EMBLEM's `<166>:Jan 01 … UTC: …`); and lines that
a relay stamped a second time. This module defines no sensor.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.reading import framing, patterns, zones
from sensors.reading.ahead import ahead
from sensors.reading.losses import name_lost
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sensors.sensor import Source

# Written so that Rust's one-pass matcher can run them (at every byte at most one way on): six times as fast.
# A year may precede the hour or, after a weekday, follow it.
_DATE = r" ?[0-9]{1,2} [0-9]{1,2}(?:[0-9]{2} [0-9]{1,2})?:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?"
_BSD = rf"[*.]?[A-Z][a-z]{{2}},? (?:{_DATE}|[A-Z][a-z]{{2}} {_DATE}(?: [0-9]{{4}})?)"
_ISO = (
    r"2[0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
HEAD: Final = (
    r"^(?P<head>(?:<(?P<priority>[0-9]{1,3})>)?[: ]*(?P<version>1 )?"
    rf"(?:(?P<stamp>{_BSD}|{_ISO})(?: (?P<zone>[A-Z]{{2,5}}):)?)?)"
)
# What follows a relay's time stamp if the line it passed on had one of its own.
RELAYED: Final = (
    r"^(?P<relay>[^\s,<]+) *:? *(?:<[0-9]+>)?:? *"
    r"(?:[A-Z][a-z]{2} +[0-9]{1,2} [0-9]{1,4}[: ]|2[0-9]{3}-[0-9]{2}-)"
)
_STAMP = (
    r"^[*.]?(?:[A-Z][a-z]{2},? +)?(?P<month>[A-Z][a-z]{2}) +(?P<day>[0-9]{1,2}) (?:(?P<year>[0-9]{4}) )?"
    r"(?P<clock>[0-9]{1,2}:[0-9]{2}:[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?(?: (?P<late_year>[0-9]{4}))?$"
)
_5424 = (
    r"(?s)^(?:- )?(?P<host>\S+) (?P<app>\S+) (?P<pid>\S+) (?P<msgid>\S+) "
    r'(?:-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*")*\])+)(?: \x{FEFF}?(?P<body>.*))?$'
)
_3164 = (
    r"(?s)^(?:(?P<host>[^\s\[\]]*[^\s\[\]:]) +)?"
    r"(?P<app>[^\s:\[\]%][^\s:\[\]]*)(?:\[(?P<pid>[0-9]+)\])?: ?(?P<body>.*)$"
)

# Hours east of Greenwich. RFC 822 fixes the American names; the others are of one zone only in practice.
_HOURS: Final = {
    0: "UTC GMT UT WET", 1: "WEST CET", 2: "CEST EET", 3: "EEST MSK", 9: "JST KST", -3: "ADT", -4: "AST EDT",
    -5: "EST CDT", -6: "CST MDT", -7: "MST PDT", -8: "PST AKDT", -9: "AKST", -10: "HST",
}  # fmt: skip
_ZONES: Final = {name: hours * 60 for hours, names in _HOURS.items() for name in names.split()}
_LONG_RECORD = 1 << 16


def records(source: Source, joint: str = "\n") -> Iterator[pl.DataFrame]:
    """The lines of a source with their syslog header taken off, in input order.

    A line that begins with white space continues the line before it, and is joined to it by `joint`.

    Yields:
        Frames with `log.offset`, `log.file.line`, `text` (the whole line), `rest` (what follows the time),
        `priority` (Int64), `versioned` (Boolean: an RFC 5424 header), `relay` (who passed the line on),
        `@timestamp` (null where the line has none that is a time) and `molehunt.guess`.
    """
    return ahead(_timed(_headed(frame), source) for frame in _joined(source, joint))


def fields(frame: pl.DataFrame) -> pl.DataFrame:
    """`host`, `app`, `pid`, `msgid` and `body` of `rest`, by RFC 5424 where it says so, or else by RFC 3164.

    All are text; null where the line does not have them. A line without an application name is all `body`.
    """
    found = patterns.Extraction(frame["rest"])
    new, old = np.zeros(frame.height, np.bool_), np.zeros(frame.height, np.bool_)
    versioned = frame["versioned"].arg_true().to_numpy()
    if len(versioned):
        new[versioned] = found.fit(_5424, versioned)
    left = np.flatnonzero(~new)
    old[left] = found.fit(_3164, left)
    parts = found.columns(every=True)
    if new.any():
        said = ~pl.lit(pl.Series(new)) | (pl.all() != "-")
        parts = parts.select(pl.when(said).then(pl.all()))
    return frame.hstack(
        parts.hstack(frame.select("rest", "relay")).select(
            pl.coalesce("host", "relay").alias("host"),
            "app",
            "pid",
            pl.col("msgid") if "msgid" in parts.columns else pl.lit(None, pl.String).alias("msgid"),
            pl.col("body")
            if (new | old).all()
            else pl.when(pl.lit(pl.Series(new | old))).then("body").otherwise("rest").alias("body"),
        )
    )


def common(frame: pl.DataFrame) -> list[pl.Expr]:
    """ECS columns of the header itself; `priority` becomes `log.syslog.*`."""
    priority = pl.when(pl.col("priority") < 192).then("priority")  # noqa: PLR2004 - 24 facilities of 8 levels
    return (
        [
            priority.alias("log.syslog.priority"),
            (priority // 8).alias("log.syslog.facility.code"),
            (priority % 8).alias("log.syslog.severity.code"),
        ]
        if frame["priority"].null_count() < frame.height
        else []
    )


def events(
    source: Source,
    parted: Callable[[pl.DataFrame], pl.DataFrame],
    mapped: Callable[[pl.DataFrame], pl.DataFrame],
    reason: str,
    proof: str | None = None,
) -> Iterator[pl.DataFrame]:
    """An event per record of a source; a record without a time is still one if it has the product's `proof`.

    Args:
        source: what is read.
        parted: takes frames of `records` apart; rows and their order stay.
        mapped: makes events of what `parted` gave.
        reason: said of records with neither a time nor a proof, which are named as unread.
        proof: a column that only the product's own records have a value in.
    """
    clock = Clock(source)
    for lines in records(source):
        frame = parted(lines)
        strange = frame["@timestamp"].is_null()
        if proof is not None:
            strange &= frame[proof].is_null()
        if strange.any():
            name_lost(frame.filter(strange), reason, source)
            frame = frame.filter(~strange)
        if frame.height:
            yield mapped(clock.fill(frame))


class Clock:
    """Gives events without a time that of the event before them, over the batches of one source."""

    def __init__(self, source: Source) -> None:
        self._last = source.modified.astimezone(UTC)

    def fill(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The same rows with no `@timestamp` null; those filled have `time` in `molehunt.guess`."""
        times = frame["@timestamp"]
        if times.null_count():
            carried = pl.col("@timestamp").forward_fill().fill_null(pl.lit(self._last, TIME))
            frame = frame.with_columns(
                carried,
                pl.when(pl.col("@timestamp").is_null())
                .then(pl.lit(["time"], pl.List(pl.String)))
                .otherwise("molehunt.guess")
                .alias("molehunt.guess"),
            )
        if frame.height:
            self._last = frame["@timestamp"][-1]
        return frame


def guessed(frame: pl.DataFrame, rows: pl.Series, what: str) -> pl.DataFrame:
    """The same with `what` put into `molehunt.guess` of the rows where the Boolean `rows` is true."""
    said = pl.col("molehunt.guess").list.join(" ").fill_null("").alias("said")
    keyed = frame.select("molehunt.guess", said, rows.alias("more"))
    table = keyed.unique(["said", "more"])  # few: lists are costly, so each distinct one is made once
    lists = pl.concat_list(
        pl.col("molehunt.guess").fill_null(pl.lit([], pl.List(pl.String))),
        pl.when("more").then(pl.lit([what], pl.List(pl.String))).otherwise(pl.lit([], pl.List(pl.String))),
    )
    table = table.select("said", "more", pl.when(lists.list.len() > 0).then(lists).alias("molehunt.guess"))
    told = keyed.drop("molehunt.guess").join(table, on=["said", "more"], how="left", maintain_order="left")
    return frame.with_columns(told["molehunt.guess"])


def moments(stamps: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The times that distinct `stamp`s (with `zone`, a name or null) say: `@timestamp` and `molehunt.guess`.

    A date without year is in the last year that does not put it more than a day after the source was written.
    """
    parts = stamps.hstack(stamps["stamp"].str.extract_groups(_STAMP).struct.unnest()).with_columns(
        pl.coalesce("year", "late_year"),
        minutes=pl.col("zone").replace_strict(_ZONES, default=None, return_dtype=pl.Int64),
    )
    dated = parts["month"].is_not_null()
    yearless = dated & parts["year"].is_null()
    moment = pl.Series([None] * parts.height, dtype=TIME)
    if (dated & ~yearless).any():
        moment = _placed(parts, source)
    if yearless.any():
        latest = source.modified.astimezone(UTC) + timedelta(days=1)
        for back in range(9):  # nine: a 29 February may be that far back
            left = yearless & moment.is_null()
            if not left.any():
                break
            supposed = _placed(parts.with_columns(pl.lit(str(latest.year - back)).alias("year")), source)
            moment = moment.zip_with(~(left & (supposed <= latest).fill_null(value=False)), supposed)
    zoned = parts["minutes"].is_not_null()
    if not dated.all():
        exact, moment = _iso(parts, moment, source)
        zoned |= exact
    guesses = pl.concat_list(
        pl.when(pl.lit(not source.zone_given) & ~zoned).then(pl.lit("zone")),
        pl.when(yearless).then(pl.lit("year")),
    ).list.drop_nulls()
    return parts.select(
        "stamp",
        "zone",
        moment.cast(TIME).alias("@timestamp"),
        pl.when(guesses.list.len() > 0).then(guesses).alias("molehunt.guess"),
    )


def _placed(parts: pl.DataFrame, source: Source) -> pl.Series:
    """The moments of dates in words; null where there is no such date."""
    fraction = pl.duration(microseconds=pl.col("fraction").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64))
    text = pl.concat_str("year", "month", "day", pl.col("clock").str.zfill(8), separator=" ")
    clocks = parts.select(
        "minutes",
        clock=text.str.to_datetime("%Y %b %d %H:%M:%S", strict=False, time_unit="us")
        + pl.coalesce(fraction, pl.duration(microseconds=0)),
    )
    local = clocks.select(zones.utc(pl.col("clock"), source.zone)).to_series()
    if clocks["minutes"].null_count() == clocks.height:
        return local
    stated = (pl.col("clock") - pl.duration(minutes="minutes")).dt.replace_time_zone("UTC")
    return clocks.select(pl.when(pl.col("minutes").is_null()).then(local).otherwise(stated)).to_series()


def _iso(parts: pl.DataFrame, moment: pl.Series, source: Source) -> tuple[pl.Series, pl.Series]:
    """Which stamps are ISO 8601 with their zone, and `moment` with those of ISO 8601 put in."""
    text = (
        parts["stamp"].str.replace(" ", "T", literal=True).str.replace(",", ".", literal=True).to_frame("iso")
    )
    zoned = text.select(pl.col("iso").str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC"))[
        "iso"
    ]
    local = text.select(
        zones.utc(
            pl.col("iso").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us"), source.zone
        )
    )["iso"]
    return zoned.is_not_null(), moment.zip_with(moment.is_not_null(), zoned.fill_null(local))


def _joined(source: Source, joint: str) -> Iterator[pl.DataFrame]:
    """Lines with those that continue them; the last line is held back until it is known that none does."""
    held: pl.DataFrame | None = None
    for lines in framing.lines(source):
        frame = lines if held is None else pl.concat([held, lines])
        follows = frame["text"].str.contains(r"^[ \t]")
        if follows.any():
            frame = _whole(frame, ~follows | (frame["text"].str.len_bytes() > _LONG_RECORD), joint)
        short = frame["text"].str.len_bytes()[-1] < _LONG_RECORD
        held = frame.tail(1) if short else None
        if frame.height > 1 or not short:
            yield frame.head(-1) if short else frame
    if held is not None:
        yield held


def _whole(frame: pl.DataFrame, begins: pl.Series, joint: str) -> pl.DataFrame:
    """Records of lines, of which those that `begins` tells begin one: only records of several are joined."""
    first = begins.to_numpy().copy()
    first[0] = True
    record = np.cumsum(first) - 1
    several = np.bincount(record) > 1
    joined = (
        frame.select("text", record=pl.Series(record))
        .filter(pl.Series(several[record]))
        .group_by("record", maintain_order=True)
        .agg(pl.col("text").str.join(joint))
    )
    heads = frame.filter(pl.Series(first))
    return heads.with_columns(heads["text"].scatter(joined["record"], joined["text"]))


def _headed(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `priority`, `versioned`, `stamp`, `zone`, `rest`, `relay`; a relayed line has its inner header."""
    headed = _taken(frame, "text").with_columns(relay=pl.lit(None, pl.String))
    for _ in range(3):
        relayed = headed["stamp"].is_not_null() & headed["rest"].str.contains(RELAYED)
        if not relayed.any():
            break
        outer = headed.filter(relayed)
        relay = outer["rest"].str.extract(RELAYED, 1)
        inside = outer["rest"].str.strip_prefix(relay).str.strip_chars_start(" :").alias("rest")
        inner = _taken(outer.select("text", "log.offset", "log.file.line", inside), "rest").with_columns(
            relay=relay.str.strip_chars_end(":")
        )
        sure = outer["stamp"].str.contains(r"(?:Z|[+-]\d\d:?\d\d)$") & ~inner["stamp"].str.contains(
            r"(?:Z|[+-]\d\d:?\d\d)$"
        )
        inner = inner.with_columns(  # a relay that says its zone beats a device that does not
            priority=pl.coalesce(inner["priority"], outer["priority"]),
            stamp=pl.when(sure.fill_null(value=False) & inner["zone"].is_null())
            .then(outer["stamp"])
            .otherwise(pl.coalesce(inner["stamp"], outer["stamp"])),
        )
        headed = pl.concat([headed.filter(~relayed), inner.select(headed.columns)]).sort("log.offset")
    return headed


def _taken(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """One header off the column `name`."""
    parts = frame.select(pl.col(name).str.extract_groups(HEAD)).unnest(name)
    rest = frame[name].str.strip_prefix(parts["head"]).str.strip_chars_start(" :")
    zone = parts["zone"]
    host = zone.set(zone.is_in(list(_ZONES)), None)
    if host.null_count() < frame.height:  # a host in capitals, which is no zone
        both = pl.concat_str(pl.lit(host) + ": ", pl.lit(rest), ignore_nulls=True)
        rest = frame.select(both.alias("rest"))["rest"]
        zone = zone.set(host.is_not_null(), None)
    return frame.with_columns(
        parts["priority"].cast(pl.Int64),
        parts["version"].is_not_null().alias("versioned"),
        parts["stamp"],
        zone,
        rest.alias("rest"),
    )


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    distinct = frame.select("stamp", "zone").unique().filter(pl.col("stamp").is_not_null())
    known = moments(distinct, source)
    return frame.join(known, on=["stamp", "zone"], how="left", nulls_equal=True, maintain_order="left").drop(
        "stamp", "zone"
    )
