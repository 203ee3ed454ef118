"""When an event happened, told from fields of any name and form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Iterable

CANDIDATES: Final = (
    "@timestamp", "timestamp", "Timestamp", "TimeCreated", "SystemTime", "UtcTime", "EventTime", "eventTime",
    "event_time", "event.created", "winlog.time_created", "Event.System.TimeCreated.#attributes.SystemTime",
    "Event.System.TimeCreated.SystemTime", "System.TimeCreated.SystemTime", "time", "Time", "ts", "_time",
    "datetime", "date", "published", "createdDateTime", "CreationTime", "created_at", "id.time",
)  # fmt: skip
_ISO: Final = (
    r"^\s*(?<day>\d{4}[-/]\d\d[-/]\d\d)"
    r"(?:[T ]+(?<clock>\d\d:\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d+))?)?"
    r"\s*(?<zone>[Zz]|UTC|GMT|[-+]\d\d(?::?\d\d)?)?)?\s*$"
)
_COUNT: Final = r"^\s*(?<whole>[-+]?\d{1,19})(?:\.(?<fraction>\d+))?\s*$"
# Since 1970 (or before), in the unit that makes it a date of our time: below 1e11 are seconds.
_MILLIS, _MICROS, _NANOS = 10**11, 10**14, 10**17


def moments(texts: Iterable[pl.Series], height: int) -> pl.Series:
    """For each event the first of its texts that is a time, in UTC; null where none is.

    Times are ISO 8601, date and time, in UTC where no zone is said; or numbers since 1970, in seconds,
    milliseconds, microseconds or nanoseconds by their size.
    """
    found = pl.repeat(None, height, dtype=TIME, eager=True)
    for series in texts:
        if found.null_count() == 0:
            break
        one = series.list.first() if isinstance(series.dtype, pl.List) else series
        read = (
            one.alias("text").to_frame().select(pl.coalesce(_iso(pl.col("text")), _counted(pl.col("text"))))
        )
        found = found.zip_with(found.is_not_null(), read.to_series())
    return found.alias("@timestamp")


def _iso(text: pl.Expr) -> pl.Expr:
    part = text.str.extract_groups(_ISO).struct
    clock = part.field("clock").fill_null("00:00") + ":" + part.field("second").fill_null("00")
    local = (part.field("day").str.replace_all("/", "-") + " " + clock).str.to_datetime(
        "%Y-%m-%d %H:%M:%S", time_unit="us", strict=False
    )
    fraction = part.field("fraction").fill_null("").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    digits = part.field("zone").str.replace_all(r"[^\d]", "").str.pad_end(4, "0")
    ahead = digits.str.slice(0, 2).cast(pl.Int64, strict=False) * 60 + digits.str.slice(2, 2).cast(
        pl.Int64, strict=False
    )
    ahead = pl.when(part.field("zone").str.starts_with("-")).then(-ahead).otherwise(ahead).fill_null(0)
    return (local + pl.duration(microseconds=fraction) - pl.duration(minutes=ahead)).dt.replace_time_zone(
        "UTC"
    )


def _counted(text: pl.Expr) -> pl.Expr:
    part = text.str.extract_groups(_COUNT).struct
    whole = part.field("whole").cast(pl.Int64, strict=False)
    fraction = ("0." + part.field("fraction").fill_null("0")).cast(pl.Float64)
    size = whole.abs()
    sign = pl.when(part.field("whole").str.starts_with("-")).then(-1).otherwise(1)

    def of(micros: int) -> pl.Expr:
        return whole * micros + (fraction * micros).round().cast(pl.Int64) * sign

    return (
        pl.when(size < _MILLIS)
        .then(of(1_000_000))
        .when(size < _MICROS)
        .then(of(1_000))
        .when(size < _NANOS)
        .then(whole)
        .otherwise(whole // 1_000)
        .cast(TIME)
    )
