"""Time zones as people give them: an IANA name, or an offset from UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

_OFFSET: Final = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
_FROM, _TO = 2000, 2035  # years in which a zone must keep to an offset to stand for it
_WHOLE_HOURS_WEST, _WHOLE_HOURS_EAST = -12, 14  # what the Etc/GMT zones reach


def zone(text: str) -> ZoneInfo:
    """The zone that `text` names: `America/Chicago`, `UTC`, `+05:45`, `UTC-3`.

    An offset becomes a zone that keeps to it all year, since Polars knows zones by their IANA names alone.

    Raises:
        ValueError: there is no such zone, or no place keeps to that offset.
    """
    offset = _OFFSET.fullmatch(text.strip())
    if offset is None:
        try:
            return ZoneInfo(text.strip())
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"{text!r} is no time zone; give a name such as America/Chicago, or an offset such as +01:00"
            ) from error
    sign = -1 if offset[1] == "-" else 1
    return _at(sign * (int(offset[2]) * 60 + int(offset[3] or 0)), text)


@cache
def _at(minutes: int, text: str) -> ZoneInfo:
    hours, rest = divmod(minutes, 60)
    if minutes == 0:
        return ZoneInfo("UTC")
    if not rest and _WHOLE_HOURS_WEST <= hours <= _WHOLE_HOURS_EAST:
        return ZoneInfo(f"Etc/GMT{-hours:+d}")  # POSIX counts westward
    wanted = timedelta(minutes=minutes)
    days = [datetime(year, month, 1, tzinfo=UTC) for year in range(_FROM, _TO) for month in (1, 4, 7, 10)]
    for name in sorted(available_timezones()):
        found = ZoneInfo(name)
        if all(day.astimezone(found).utcoffset() == wanted for day in reversed(days)):
            return found
    raise ValueError(
        f"no place keeps to {text} all year; give the time zone's name, such as America/St_Johns"
    )
