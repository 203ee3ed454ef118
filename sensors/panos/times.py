"""When what a PAN-OS row tells of happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from sensors.panos.layout import text
from sensors.reading import zones
from sensors.schema import TIME

if TYPE_CHECKING:
    from sensors.sensor import Source

_NO_GUESS = pl.lit(None, pl.List(pl.String))
_EPOCH_YEAR = 1970  # what stands for a time where there is none


def moment(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Sets `@timestamp`: the exact time with its zone, or when the log was taken down, or syslog's time."""
    if "@timestamp" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, TIME).alias("@timestamp"), _NO_GUESS.alias("molehunt.guess"))
    written = text(frame, "receive_time", "time_generated")
    exact = text(frame, "high_res").str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    zone = _NO_GUESS if source.zone_given else pl.lit(["zone"], pl.List(pl.String))
    timed = frame.with_columns(
        exact=pl.when(exact.dt.year() > _EPOCH_YEAR).then(exact),
        taken=clock_time(written, source),
        local=written.str.contains("/", literal=True),
    )
    return timed.with_columns(
        pl.coalesce("exact", "taken", "@timestamp").cast(TIME).alias("@timestamp"),
        pl.when(pl.col("exact").is_not_null())
        .then(_NO_GUESS)
        .when(pl.col("taken").is_not_null())
        .then(pl.when("local").then(zone))
        .otherwise("molehunt.guess")
        .alias("molehunt.guess"),
    ).drop("exact", "taken", "local")


def clock_time(written: pl.Expr, source: Source) -> pl.Expr:
    """`2026/01/31 08:00:00` by the firewall's clock, or ISO 8601 with a zone, in UTC."""
    local = written.str.to_datetime("%Y/%m/%d %H:%M:%S", strict=False, time_unit="us")
    zoned = written.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    return pl.coalesce(zones.utc(local, source.zone), zoned)


def started(frame: pl.DataFrame, source: Source) -> pl.Expr:
    """When the session began, in UTC.

    Where nobody said what zone the firewall's clock is set to, the row's own exact time does.
    """
    start = text(frame, "start")
    by_clock = clock_time(start, source)
    if source.zone_given:
        return by_clock
    offset = text(frame, "high_res").str.extract(r"([+-][0-9]{2}:[0-9]{2})$", 1)
    exact = pl.concat_str(start, offset).str.to_datetime(
        "%Y/%m/%d %H:%M:%S%:z", strict=False, time_unit="us", time_zone="UTC"
    )
    return pl.coalesce(exact, by_clock)
