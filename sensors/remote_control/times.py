"""The times that heads of lines have, in the forms that the data name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from sensors.reading import syslog, zones
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensors.sensor import Source


def timed(frame: pl.DataFrame, head: Mapping[str, Any], source: Source) -> pl.DataFrame:
    """The lines with `@timestamp`, `event.start` and `event.end` of the texts `stamp`, `begin` and `finish`.

    A clock without a date is of the day on which the source was written; the guess is marked.
    """
    if head["clock"] == "syslog":
        return _syslog(frame, source)
    if head["clock"] == "":
        return frame.with_columns(pl.lit(None, TIME).alias("@timestamp"))
    zone = zones.zone(head["zone"]) if head.get("zone") else source.zone
    offset = pl.col("offset") if "offset" in frame.columns else pl.lit(None, pl.String)
    minutes = offset.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + offset.str.slice(-2).cast(
        pl.Int64, strict=False
    )
    minutes = (
        pl.when(offset == "Z").then(0).when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes)
    )

    clocks = [head["clock"]] if isinstance(head["clock"], str) else head["clock"]
    dateless = clocks[0].startswith("%H")
    day = f"{source.modified:%Y-%m-%d} "

    def moment(name: str) -> pl.Expr:
        text = pl.col(name).str.replace(",", ".", literal=True) if head.get("comma") else pl.col(name)
        local = pl.coalesce(
            (pl.lit(day) + text if dateless else text).str.to_datetime(
                f"%Y-%m-%d {clock}" if dateless else clock, strict=False, time_unit="us"
            )
            for clock in clocks
        )
        stated = (local - pl.duration(minutes=minutes)).dt.replace_time_zone("UTC")
        return pl.when(minutes.is_not_null()).then(stated).otherwise(zones.utc(local, zone)).cast(TIME)

    guessed = not (head.get("zone") or source.zone_given)
    names = {"stamp": "@timestamp", "begin": "event.start", "finish": "event.end"}
    frame = frame.with_columns(
        moment(text).alias(name) for text, name in names.items() if text in frame.columns
    )
    words = pl.lit(["time"] if dateless else ["zone"], pl.List(pl.String))
    return frame.with_columns(
        pl.when(pl.lit(guessed or dateless) & minutes.is_null()).then(words).alias("molehunt.guess")
    )


def _syslog(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The times of syslog headers: RFC 3164 without a year (`May 3`, `May03`), and ISO 8601."""
    frame = frame.with_columns(pl.col("stamp").str.replace(r"^([A-Z][a-z]{2})(\d)", "$1 $2"))
    distinct = frame.select("stamp", zone=pl.lit(None, pl.String)).unique()
    known = syslog.moments(distinct, source).drop("zone")
    return frame.join(known, on="stamp", how="left", maintain_order="left")
