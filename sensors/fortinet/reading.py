"""Fortinet's lines to tables of keys, with the moment of each."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import key_value, syslog, zones
from sensors.reading.losses import name_lost
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

# What Fortinet writes where there is nothing.
_NOTHING: Final = ("", "N/A", "n/a", "(null)", "(none)", "null")
# A line without any of these is none of Fortinet's.
_TELLING: Final = ("logid", "log_id", "type", "subtype", "devid", "device_id", "desc", "logdesc")
_FARTHEST: Final = timedelta(hours=14, minutes=5)  # a zone from Greenwich, and a log from its clock
_LATEST_SECOND: Final = 11  # digits
_LATEST_MILLI: Final = 14
_LATEST_MICRO: Final = 17


@cache
def data() -> dict[str, Any]:
    """The tables of `fields.toml`."""
    return tomllib.loads((files("sensors.fortinet") / "fields.toml").read_text("utf-8"))


@cache
def wanted() -> tuple[str, ...]:
    """Every key that is read."""
    tables = data()
    listed = [key for part in ("columns", "numbers") for keys in tables[part].values() for key in keys]
    return tuple(dict.fromkeys([*listed, *tables["vendor"]["keys"], *tables["read"]["keys"]]))


def value(frame: pl.DataFrame, *keys: str) -> pl.Expr:
    """The first of these keys that a line has, as text."""
    return key_value.first(frame, *(f"kv.{key}" for key in keys))


def records(source: Source) -> Iterator[pl.DataFrame]:
    """The lines with their keys as columns `kv.<key>`, null where they are missing or say nothing."""
    clock = syslog.Clock(source)
    for lines in syslog.records(source):
        text = _unwrapped(lines["rest"])
        pairs = key_value.table(text, wanted(), divided_by=",", nothing=_NOTHING)
        frame = lines.hstack(pairs.rename(lambda name: f"kv.{name}"))
        strange = frame.with_columns(value(frame, *_TELLING).is_null().alias("strange"))["strange"]
        if strange.any():
            name_lost(frame.filter(strange), "not a line of Fortinet's key=value logs", source)
            frame = frame.filter(~strange)
        if frame.height:
            yield clock.fill(_timed(frame, source))


def _unwrapped(text: pl.Series) -> pl.Series:
    """The same with the quotes bare in lines that a shipper put into JSON."""
    wrapped = text.str.contains('=\\"', literal=True) & ~text.str.contains('="', literal=True)
    if not wrapped.any():
        return text
    bare = text.str.replace_all('\\"', '"', literal=True)
    inside = bare.str.extract(r'"message": ?"(.*?)"?\}?$', 1).fill_null(bare)
    return text.zip_with(~wrapped, inside)


def epoch(text: pl.Expr) -> pl.Expr:
    """The moment of seconds, milliseconds, microseconds or nanoseconds since 1970, told by their digits."""
    number = pl.when(text.str.contains(r"^[0-9]{9,19}$")).then(text).cast(pl.Int64, strict=False)
    digits = text.str.len_bytes()
    return (
        pl.when(digits <= _LATEST_SECOND)
        .then(number * 1_000_000)
        .when(digits <= _LATEST_MILLI)
        .then(number * 1_000)
        .when(digits <= _LATEST_MICRO)
        .then(number)
        .otherwise(number // 1_000)
        .cast(TIME)
    )


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds `logged` (of `eventtime`) and settles `@timestamp` and `molehunt.guess`.

    A line's date and time count, by the zone it names; without one `eventtime` does, which needs none.
    """
    shift = value(frame, "tz").str.extract_groups(r"([+-])([0-9]{1,2}):?([0-9]{2})?$")
    minutes = shift.struct.field("2").cast(pl.Int64) * 60 + shift.struct.field("3").fill_null("0").cast(
        pl.Int64
    )
    east = pl.when(shift.struct.field("1") == "-").then(-minutes).otherwise(minutes)
    clock = pl.concat_str(
        value(frame, "date"), pl.lit("T"), value(frame, "time").str.extract(r"^(\d\d:\d\d:\d\d)", 1)
    ).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
    times = frame.with_columns(
        clock=clock,
        zoned=(clock - pl.duration(minutes=east)).dt.replace_time_zone("UTC"),
        logged=epoch(value(frame, "eventtime", "itime")),
        header="@timestamp",
    )
    # (an epoch that no zone's distance from the clock explains is a slip)
    near = (pl.col("clock").dt.replace_time_zone("UTC") - pl.col("logged")).abs() <= _FARTHEST
    placed = times.select(zones.utc(pl.col("clock"), source.zone)).to_series()
    exact = times.select(pl.coalesce("zoned", pl.when(near.fill_null(value=True)).then("logged"))).to_series()
    local = exact.is_null() & placed.is_not_null()
    frame = frame.with_columns(
        exact.fill_null(placed).fill_null(times["header"]).cast(TIME).alias("@timestamp"), times["logged"]
    )
    unsaid = exact.is_null() & ~local
    frame = frame.with_columns(pl.when(pl.lit(unsaid)).then("molehunt.guess").alias("molehunt.guess"))
    return frame if source.zone_given or not local.any() else syslog.guessed(frame, local, "zone")
