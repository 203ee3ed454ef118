"""Time zones as people give them, and the times of their clocks in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

_OFFSET: Final = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?([0-5]\d))?", re.IGNORECASE)
_FARTHEST: Final = timedelta(hours=14)  # no clock on Earth is farther from UTC


def zone(text: str) -> tzinfo:
    """The zone that `text` names: `America/Chicago`, `UTC`, `+05:45`, `UTC-3`.

    Raises:
        ValueError: there is no such zone.
    """
    offset = _OFFSET.fullmatch(text.strip())
    try:
        if offset is None:
            return ZoneInfo(text.strip())
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        if shift <= _FARTHEST:
            return timezone(-shift if offset[1] == "-" else shift)
    except (KeyError, ValueError, OSError):
        pass
    raise ValueError(
        f"{text!r} is no time zone; give a name such as America/Chicago, or an offset such as +01:00"
    )


def utc(local: pl.Expr, zone: tzinfo) -> pl.Expr:
    """Times of a zone's clocks (Datetime without zone) in UTC.

    An hour that comes twice in autumn is taken for its first coming; a time that spring leaps over is read by
    the clock that was not yet put forward.
    """
    key = getattr(zone, "key", None)
    if key is None:
        offset = zone.utcoffset(datetime(2000, 1, 1, tzinfo=UTC)) or timedelta()
        return (local - offset).dt.replace_time_zone("UTC")
    hour = timedelta(hours=1)

    def placed(clock: pl.Expr) -> pl.Expr:
        return clock.dt.replace_time_zone(
            key, ambiguous="earliest", non_existent="null"
        ).dt.convert_time_zone("UTC")

    return pl.coalesce(placed(local), placed(local - hour) + hour)
