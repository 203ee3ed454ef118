"""Dates of a column, whatever order of day and month its writers used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_YEAR_FIRST: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[t ].*)?")
_DIGITS: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")
_YEAR_LAST: Final = re.compile(r"(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d{2})(?:,?\s.*)?")
_NAMED: Final = re.compile(
    r"(?:[a-z]+,\s+)?(\d{1,2})(?:st|nd|rd|th)?[-\s/.]*([a-z]{3,9})\.?[-\s/,.]*(\d{4}|\d{2})(?:\s.*)?"
)
_NAME_FIRST: Final = re.compile(
    r"(?:[a-z]+,\s+)?([a-z]{3,9})\.?[-\s/]*(\d{1,2})(?:st|nd|rd|th)?,?[-\s/]+(\d{4}|\d{2})(?:,?\s.*)?"
)
_SERIAL: Final = re.compile(r"(\d{5})(?:\.\d+)?")
_EXCEL_EPOCH: Final = date(1899, 12, 30)  # serial 1 is 1900-01-01 and Excel counts a 29 February 1900
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_OPEN_END: Final = 2200  # "9999-12-31" and Oracle's "4712-12-31" say that there is no end
_CENTURY_TURN: Final = 70
_MONTHS_IN_YEAR: Final = 12
BLANK: Final = frozenset(
    {"", "-", "--", "n/a", "na", "none", "null", "nan", "nat", "tbd", "present", "current"}
)


@dataclass(frozen=True, slots=True)
class Order:
    """Whether dates such as 03/04/2024 begin with the day, and how that was known.

    Attributes:
        day_first: 03/04/2024 is 3 April.
        known: a date with a number above 12 says so; otherwise it is a guess.
        mixed: other dates of the column say the opposite.
        undecided: how many dates could be read either way.
    """

    day_first: bool
    known: bool
    mixed: bool
    undecided: int


def order(values: Iterable[str], *, default: bool, header: str = "") -> Order:
    """How a column orders day and month.

    Args:
        values: the column's texts.
        default: day first, where nothing says otherwise.
        header: the column's name, which may say it: "Hire Date (MM/DD/YYYY)".
    """
    day = month = undecided = dots = 0
    for value in values:
        found = _YEAR_LAST.fullmatch(value.strip())
        if found is None:
            continue
        first, second = int(found[1]), int(found[3])
        day += first > _MONTHS_IN_YEAR >= second
        month += second > _MONTHS_IN_YEAR >= first
        undecided += first <= _MONTHS_IN_YEAR and second <= _MONTHS_IN_YEAR and first != second
        dots += found[2] == "."
    told = re.search(r"(?i)\b(d{1,2})[-/.]m{1,3}|\bm{1,3}[-/.]d{1,2}", header)
    if day != month:
        return Order(day > month, known=True, mixed=min(day, month) > 0, undecided=undecided)
    if told:
        return Order(told[1] is not None, known=True, mixed=day > 0, undecided=undecided)
    return Order(dots > 0 or default, known=dots > 0, mixed=day > 0, undecided=undecided)


def parse(text: str, *, day_first: bool) -> date | None:
    """The date a text says.

    Args:
        text: ISO 8601, year first, day or month first, with month names, or Excel's serial number.
        day_first: what 03/04/2024 means; a number above 12 overrules it.

    Returns:
        The date; None for an open end ("9999-12-31").

    Raises:
        ValueError: the text is no date.
    """
    text = text.strip().casefold()
    if found := _YEAR_FIRST.fullmatch(text) or _DIGITS.fullmatch(text):
        return _date(int(found[1]), int(found[2]), int(found[3]))
    if found := _YEAR_LAST.fullmatch(text):
        first, second = int(found[1]), int(found[3])
        if first > _MONTHS_IN_YEAR or (day_first and second <= _MONTHS_IN_YEAR):
            first, second = second, first
        return _date(_year(found[4]), first, second)
    if found := _NAMED.fullmatch(text):
        return _date(_year(found[3]), _month(found[2]), int(found[1]))
    if found := _NAME_FIRST.fullmatch(text):
        return _date(_year(found[3]), _month(found[1]), int(found[2]))
    if found := _SERIAL.fullmatch(text):
        return _EXCEL_EPOCH + timedelta(days=int(found[1]))
    raise ValueError(f"{text!r} is no date")


def _date(year: int, month: int, day: int) -> date | None:
    return date(year, month, day) if year < _OPEN_END else None


def _year(text: str) -> int:
    year = int(text)
    if len(text) > 2:  # noqa: PLR2004 - a year in full
        return year
    return year + (2000 if year < _CENTURY_TURN else 1900)


def _month(name: str) -> int:
    number = _MONTHS.get(name[:3])
    if number is None:
        raise ValueError(f"{name!r} is no month")
    return number
