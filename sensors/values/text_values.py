"""Values written as text, to the types of the schema. What a type cannot hold is null.

Times are seconds, milliseconds or microseconds since 1970, or ISO 8601; booleans are `true` and `false`, or
`T` and `F` (Zeek has all of these: https://docs.zeek.org/en/current/log-formats.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import zones
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

# Seconds until the year 5138, milliseconds until then, microseconds: the size of a number tells its unit.
_SECONDS_BELOW: Final = 1e11
_MILLISECONDS_BELOW: Final = 1e14
_MICROSECONDS_BELOW: Final = 1e17
_EXACT: Final = 2.0**53


def whole(column: pl.Series) -> pl.Series:
    """Int64: `7`, and `7.0` as some exporters write it."""
    number = column.cast(pl.Int64, strict=False)
    if number.null_count() == column.null_count():
        return number
    rest = column.cast(pl.Float64, strict=False)
    if rest.null_count() == number.null_count():
        return number
    rest = rest.set(rest.abs() > _EXACT, None) if rest.is_not_nan().any() else rest
    return number.fill_null(rest.cast(pl.Int64, strict=False))


def real(column: pl.Series) -> pl.Series:
    """Float64, and no infinity."""
    number = column.cast(pl.Float64, strict=False)
    return number.to_frame("n").select(pl.when(pl.col("n").is_finite()).then("n")).to_series()


def flag(column: pl.Series) -> pl.Series:
    """Boolean."""
    value = pl.col("v")
    return (
        column.to_frame("v")
        .select(
            pl.when((value == "T") | (value == "true"))
            .then(statement=True)
            .when((value == "F") | (value == "false"))
            .then(statement=False)
        )
        .to_series()
    )


def nanoseconds(column: pl.Series) -> pl.Series:
    """Int64 from seconds."""
    return (real(column) * 1e9).round().cast(pl.Int64, strict=False)


def moment(column: pl.Series, zone: tzinfo) -> pl.Series:
    """Datetime, UTC. A time as text that names no zone is of `zone`."""
    number = pl.col("n")
    epoch = (
        pl.DataFrame({"n": real(column)})
        .select(
            pl.when(number < 0)
            .then(None)
            .when(number < _SECONDS_BELOW)
            .then(number * 1e6)
            .when(number < _MILLISECONDS_BELOW)
            .then(number * 1e3)
            .when(number < _MICROSECONDS_BELOW)
            .then(number)
            .round()
            .cast(pl.Int64, strict=False)
            .cast(TIME)
        )
        .to_series()
    )
    if epoch.null_count() == column.null_count() or not is_text_time(column).any():
        return epoch
    spaced = column.str.replace(" ", "T", literal=True)
    zoned = spaced.str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC", exact=True
    )
    local = spaced.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us", exact=True)
    placed = local.alias("clock").to_frame().select(zones.utc(pl.col("clock"), zone)).to_series()
    return epoch.fill_null(zoned).fill_null(placed)


def is_text_time(column: pl.Series) -> pl.Series:
    """Which values begin like an ISO 8601 date."""
    return column.str.contains(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d").fill_null(value=False)


def names_no_zone(column: pl.Series) -> bool:
    """Whether any of these times is text that does not say its zone."""
    written = column.filter(is_text_time(column))
    return bool(written.len()) and not written.str.contains(r"(?:Z|[+-]\d\d:?(?:\d\d)?)$").all()


_PARSED: Final[Mapping[pl.DataType, Callable[[pl.Series], pl.Series]]] = {
    pl.Int64(): whole,
    pl.Float64(): real,
    pl.Boolean(): flag,
}


def typed(column: pl.Series, want: pl.DataType, zone: tzinfo) -> pl.Series:
    """A text column in a type of the schema that is no list; a time that names no zone is of `zone`."""
    if want == TIME:
        return moment(column, zone)
    return _PARSED[want](column) if want in _PARSED else column
