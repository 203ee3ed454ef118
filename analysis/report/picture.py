"""The page's pictures, as numbers: where each bar and mark stands, for the template to draw as SVG.

Units are those of the picture's view box; text and colour are the template's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Final

from analysis.finding import CATEGORIES, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from analysis.finding import Finding
    from analysis.report.document import Account, Outbound

_WIDTH: Final = 720
_LEFT: Final = 110
_LANE: Final = 24
_BARS: Final = 56
_DATE: Final = 36  # how wide a date is written, for the last one to stay inside
_DAYS_AT_MOST: Final = 400  # of a longer history the page shows the end


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    title: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A few words at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A finding on the timeline: a thin span from first to last day, a block on each day that it shows."""

    x: float
    y: float
    width: float
    height: float
    level: str
    title: str
    span: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything of one picture."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    labels: tuple[Label, ...]
    marks: tuple[Mark, ...] = ()
    shade: Bar | None = None
    base: float = 0


def timeline(account: Account, findings: Iterable[Finding]) -> Picture | None:
    """Days from left to right: one lane of findings a category, and below them how active the account was."""
    found = [finding for finding in findings if finding.category in CATEGORIES]
    lanes = [category for category in CATEGORIES if any(each.category == category for each in found)]
    stops = [each for each, _ in account.days]
    stops += [moment.astimezone(UTC).date() for each in found for moment in (each.first_seen, each.last_seen)]
    if not stops:
        return None
    last = max(stops)
    first = max(min(stops), last - timedelta(days=_DAYS_AT_MOST))
    step = (_WIDTH - _LEFT) / ((last - first).days + 1)

    def x(on: date) -> float:
        return _LEFT + max(0, (on - first).days) * step

    # The gravest are drawn last, so that none of them is hidden; all spans lie under all blocks.
    drawn = [mark for each in found for mark in _marks(each, lanes.index(each.category) * _LANE, x, step)]
    marks = tuple(sorted(drawn, key=lambda mark: (not mark.span, Level[mark.level.upper()], -mark.width)))
    top = len(lanes) * _LANE + 8
    most = max((count for _, count in account.days), default=1)
    bars = tuple(
        Bar(
            x(on),
            top + _BARS * (1 - count / most),
            max(1, step - 1),
            _BARS * count / most,
            f"{on}: {count:,} events",
        )
        for on, count in account.days
        if on >= first
    )
    labels = [Label(0, index * _LANE + 16, name) for index, name in enumerate(lanes)]
    labels += [Label(0, top + _BARS - 4, "activity")]
    every = max(1, round(((last - first).days + 1) / 8))
    labels += [
        Label(min(x(on), _WIDTH - _DATE), top + _BARS + 16, f"{on.day} {on:%b}")
        for on in (first + timedelta(days=number) for number in range(0, (last - first).days + 1, every))
    ]
    return Picture(_WIDTH, top + _BARS + 22, bars, tuple(labels), marks, base=top + _BARS)


def _marks(finding: Finding, top: float, x: Callable[[date], float], step: float) -> Iterator[Mark]:
    first, last = (moment.astimezone(UTC).date() for moment in (finding.first_seen, finding.last_seen))
    level = finding.level.name.lower()
    when = f"{first}" if first == last else f"{first} to {last}"
    title = f"{finding.title}: {when}, {finding.count:,} event{'s' if finding.count != 1 else ''}"
    if first != last:
        yield Mark(x(first), top + 9, max(6, x(last) + step - x(first) - 1), 5, level, title, span=True)
    shown = {first, last, *(each.at.astimezone(UTC).date() for each in finding.evidence)}
    for on in sorted(shown):
        yield Mark(x(on), top + 4, max(6, step - 1), 15, level, title)


def clock(account: Account) -> Picture | None:
    """Activity by hour of the day in the claimed time zone, the claimed working day shaded behind it."""
    hours = account.local_hours or account.hours
    if not any(hours):
        return None
    step, top, high = 15, 6, 90
    most, whole = max(hours), sum(hours)
    start, end = account.workday
    bars = tuple(
        Bar(
            hour * step + 1,
            top + high * (1 - count / most),
            step - 2,
            high * count / most,
            f"{hour:02d}:00 to {hour:02d}:59: {count:,} events, {100 * count / whole:.0f} %",
            marked=not start <= hour < end,
        )
        for hour, count in enumerate(hours)
    )
    labels = tuple(Label(hour * step, top + high + 14, f"{hour:02d}") for hour in range(0, 24, 3))
    shade = (
        Bar(start * step, top, (end - start) * step, high, "the claimed working day")
        if account.timezone
        else None
    )
    return Picture(24 * step, top + high + 20, bars, labels, shade=shade, base=top + high)


def outbound(days: tuple[Outbound, ...]) -> Picture | None:
    """Bytes that left, a bar a day."""
    shown = [each for each in sorted(days, key=lambda each: each.day) if each.bytes > 0]
    if not shown:
        return None
    first, last = shown[0].day, shown[-1].day
    count = (last - first).days + 1
    step, top, high = 360 / count, 6, 90
    most = max(each.bytes for each in shown)
    bars = tuple(
        Bar(
            (each.day - first).days * step,
            top + high * (1 - each.bytes / most),
            max(1, min(24, step - 1)),
            high * each.bytes / most,
            f"{each.day}: {each.bytes:,} bytes, most to {', '.join(each.destinations) or 'unnamed places'}",
            marked=each.bytes == most,
        )
        for each in shown
    )
    every = max(1, round(count / 6))
    labels = tuple(
        Label(min(number * step, 360 - _DATE), top + high + 14, f"{on.day} {on:%b}")
        for number in range(0, count, every)
        for on in (first + timedelta(days=number),)
    )
    return Picture(360, top + high + 20, bars, labels, base=top + high)
