"""Times written as ISO 8601 or counted since 1970, in the forms that nearly every log has, to microseconds.

A kernel reads what is written without any oddity; what it leaves is for slower and more patient readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.compiled import kernel
from sensors.reading import text_views
from sensors.reading.machine_words import byte, load

if TYPE_CHECKING:
    from sensors.reading.json_scan import Array

_HEAD = np.uint64(0xFFFF_FFFF)
_SHIFT = np.uint64(32)
_NIBBLE = np.uint64(0xF)
_SIX = np.uint64(0x0606_0606_0606_0606)
_ABOVE = np.uint64(0xF0F0_F0F0_F0F0_F0F0)
_DATE = np.uint64(int.from_bytes(b"0000-00-", "little"))
_DATE_MARKS = np.uint64(0xFF00_00FF_0000_0000)
_TIME = np.uint64(int.from_bytes(b"00:00:00", "little"))
_TIME_MARKS = np.uint64(0x0000_FF00_00FF_0000)
_DIGIT = np.uint8(0x30)
_T, _BLANK = ord("T"), ord(" ")
_SECOND: Final = 1_000_000
_DAYS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
_BEFORE: Final = np.concatenate(([0], np.cumsum(_DAYS)))[:13]
_SHORTEST: Final = len("2026-01-01T00:00:00")
_FEWEST, _MOST = 9, 16  # digits of a count since 1970 that is read here: seconds to microseconds
_MILLIS, _MICROS = 100_000_000_000, 100_000_000_000_000  # counts from here on are of that unit
_DIGITS_OF_FRACTION: Final = 9


def read(column: pl.Series, *, zoneless: bool) -> tuple[pl.Series, pl.Series]:
    """Microseconds since 1970 of a text column, and which of its values were not read.

    Args:
        column: text.
        zoneless: whether a time that names no zone is one in UTC; otherwise it is not read.
    """
    with text_views.laid(column) as (views, there, buffers):
        moments, left = _read(views, there, buffers, zoneless)
    found = pl.Series(column.name, moments)
    return (found.set(pl.Series(~there), None) if column.null_count() else found), pl.Series(left)


@kernel
def _digits(at: int, count: int) -> int:
    """The number of `count` digits at an address; -1 if one is none."""
    number = 0
    for k in range(count):
        digit = int(byte(at + k)) - 0x30
        if digit < 0 or digit > 9:  # noqa: PLR2004 - a digit
            return -1
        number = number * 10 + digit
    return number


@kernel
def _at(word: int, place: int) -> int:
    """The digit of that place in a word of digits."""
    return int((word >> np.uint64(8 * place)) & _NIBBLE)


@kernel
def _clock(at: int, size: int, zoneless: bool) -> tuple[int, bool]:  # noqa: FBT001, PLR0911 - a grammar
    """Microseconds since 1970 of the date and time of day at an address, and whether that is what it is."""
    # What digits are xor "0" is 0 to 9, and what a separator is xor itself is 0: eight bytes in one step.
    date, clock = load(at) ^ _DATE, load(at + 11) ^ _TIME
    tens, ones, between = byte(at + 8) ^ _DIGIT, byte(at + 9) ^ _DIGIT, byte(at + 10)
    if (
        ((date | (date + _SIX) | clock | (clock + _SIX)) & _ABOVE)
        or (date & _DATE_MARKS)
        or (clock & _TIME_MARKS)
        or tens > 9  # noqa: PLR2004 - a digit
        or ones > 9  # noqa: PLR2004
        or between not in (_T, _BLANK)
    ):
        return 0, False
    year = _at(date, 0) * 1000 + _at(date, 1) * 100 + _at(date, 2) * 10 + _at(date, 3)
    month, day = _at(date, 5) * 10 + _at(date, 6), int(tens) * 10 + int(ones)
    hour, minute = _at(clock, 0) * 10 + _at(clock, 1), _at(clock, 3) * 10 + _at(clock, 4)
    second = _at(clock, 6) * 10 + _at(clock, 7)
    if year < 1 or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004
        return 0, False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS[month] + (leap and month == 2):  # noqa: PLR2004
        return 0, False
    past = year - 1
    days = 365 * past + past // 4 - past // 100 + past // 400 - 719_162 + _BEFORE[month] + day - 1
    days += leap and month > 2  # noqa: PLR2004
    moment = (days * 86_400 + hour * 3_600 + minute * 60 + second) * _SECOND
    place = _SHORTEST
    if place < size and byte(at + place) == ord("."):
        place += 1
        worth = _SECOND // 10
        first = place
        while place < size and ord("0") <= byte(at + place) <= ord("9"):
            moment += (int(byte(at + place)) - 0x30) * worth
            worth //= 10
            place += 1
        if not 0 < place - first <= _DIGITS_OF_FRACTION:
            return 0, False
    if place == size:
        return moment, zoneless
    sign = byte(at + place)
    if sign == ord("Z"):
        return moment, place + 1 == size
    colon = size - place == 6 and byte(at + place + 3) == ord(":")  # noqa: PLR2004 - +00:00
    if (sign != ord("+") and sign != ord("-")) or not (colon or size - place == 5):  # noqa: PLR2004 - +0000
        return 0, False
    hours, minutes = _digits(at + place + 1, 2), _digits(at + size - 2, 2)
    away = (hours * 60 + minutes) * 60 * _SECOND
    return (moment - away if sign == ord("+") else moment + away), hours >= 0 and minutes >= 0


@kernel
def _read(views: Array, there: Array, buffers: Array, zoneless: bool) -> tuple[Array, Array]:  # noqa: FBT001
    moments = np.zeros(len(views), np.int64)
    left = np.zeros(len(views), np.bool_)
    for row in range(len(views)):
        if not there[row]:
            continue
        size = int(views[row, 0] & _HEAD)
        if size <= text_views.INLINE:
            at = int(views.ctypes.data) + row * 16 + 4
        else:
            high = views[row, 1]
            at = int(buffers[high & _HEAD]) + int(high >> _SHIFT)
        read = False
        if size >= _SHORTEST:
            moments[row], read = _clock(at, size, zoneless)
        elif _FEWEST <= size <= _MOST:
            number = _digits(at, size)
            scale = 1e6 if number < _MILLIS else 1e3 if number < _MICROS else 1.0
            moments[row], read = np.int64(np.round(number * scale)), number >= 0
        left[row] = not read
    return moments, left
