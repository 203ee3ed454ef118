"""When what a PAN-OS row tells of happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from sensors import syslog
from sensors.panos.layout import text
from sensors.schema import TIME

if TYPE_CHECKING:
    from sensors.sensor import Source

_NO_GUESS = pl.lit(None, pl.List(pl.String))
_EPOCH_YEAR = 1970  # what stands for a time where there is none


def moment(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Sets `@timestamp`: the exact time with its zone, or when the log was taken down, or syslog's time.

    Adds `exact`, the exact time where a row has one.
    """
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
    ).drop("taken", "local")


def clock_time(written: pl.Expr, source: Source) -> pl.Expr:
    """`2026/01/31 08:00:00` by the firewall's clock, or ISO 8601 with a zone, in UTC."""
    zoned = written.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    return pl.coalesce(syslog.utc(_local(written), source.zone), zoned)


def started(frame: pl.DataFrame, source: Source) -> pl.Expr:
    """When the session began, in UTC.

    Where nobody said what zone the firewall's clock is set to, the row itself may: its exact time has a zone, and
    the time of its receipt is the same moment by that clock.
    """
    guessed = clock_time(text(frame, "start"), source)
    if source.zone_given:
        return guessed
    ahead = (_local(text(frame, "receive_time")).dt.replace_time_zone("UTC") - pl.col("exact")).dt.round(
        "15m"
    )
    return pl.coalesce((_local(text(frame, "start")) - ahead).dt.replace_time_zone("UTC"), guessed)


def _local(written: pl.Expr) -> pl.Expr:
    return written.str.to_datetime("%Y/%m/%d %H:%M:%S", strict=False, time_unit="us")
