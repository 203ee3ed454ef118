"""Wall-clock time in the zone that HR has on file, with daylight saving time as it was on that day."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

import polars as pl


def with_local_time(frame: pl.DataFrame, moment: str, zone: str) -> pl.DataFrame:
    """`frame` with `local_time` (no zone) and `offset` (hours east of UTC); order of rows may change.

    Args:
        frame: with a UTC time and the name of an IANA zone; rows whose zone is null or unknown are left out.
        moment: name of the time column.
        zone: name of the zone column.
    """
    known = _zones()
    parts = [
        part.with_columns(
            pl.col(moment).dt.convert_time_zone(name).dt.replace_time_zone(None).alias("local_time")
        )
        for (name,), part in frame.partition_by(zone, as_dict=True).items()
        if name in known
    ]
    if not parts:
        parts = [frame.clear().with_columns(pl.col(moment).dt.replace_time_zone(None).alias("local_time"))]
    offset = (pl.col("local_time") - pl.col(moment).dt.replace_time_zone(None)).dt.total_minutes() / 60
    return pl.concat(parts).with_columns(offset.alias("offset"))


@cache
def _zones() -> frozenset[str]:
    # It walks a folder each time. Two names are of the machine, not of a place; Polars does not know them.
    return frozenset(available_timezones() - {"Factory", "localtime"})
