"""Sliding windows over events, exact: does a correlation's condition hold when this event arrives?

Each event ends a window `[t - T, t]`, both ends included. Events of the same moment are all in it, in either
order: logs of one second's resolution cannot say which came first. What a condition denies is denied of every
window that the event is in, those that end later too: a rule under `not` must be absent from all of them, and
of what grows as events arrive (counts, sums, rules seen) `lt`, `lte`, `eq` and `neq` must be true of the
largest number as well. Else each burst would pass every smaller number on its way, and the first event of a
log would be below any.

The loops of `sliding` make 6 to 11 million events a CPU second from gathered events to here (ten million of a
thousand groups and of a million, taken some hundred thousand at a time), Polars'
`rolling().over()` 1.0 to 1.5 for counts, with no way to say "in order" or the fullest window: hence
the loops.
With all that comes before and after, to the disk and back, it is 2.1 to 3.5 million; quantiles of narrow
windows cost what averages do (`quantile`).
tests/bench/correlate.py prints the figures anew.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.sigma.correlations import sliding
from analysis.sigma.correlations.correlation import COMPARED, TEMPORAL, Correlation
from analysis.sigma.correlations.expression import Absent, Either, Every, Seen, alternatives
from analysis.sigma.correlations.quantile import quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from analysis.sigma.correlations.expression import Expression
    from analysis.sigma.correlations.sliding import Array

_UPPER: Final = ("lt", "lte", "eq", "neq")
_GROWS: Final = ("event_count", "value_count", "value_sum", *TEMPORAL)
_LONGEST: Final = 1 << 61  # microseconds; no time minus this leaves Int64


@dataclass(frozen=True, slots=True)
class Counted:
    """What a correlation counts: an item an event and group.

    Attributes:
        high: one half of the group's key of 128 bits, Int64; `low` the other.
        at: microseconds since 1970, Int64.
        rule: index in the correlation's rules, Int64.
        value: what is measured, Float64, NaN where there is none (`value_sum` and its like).
        of: the value to tell apart (`value_count`, the share of a value): both halves of its key, 0 where
            there is none.
    """

    high: Array
    low: Array
    at: Array
    rule: Array | None = None
    value: Array | None = None
    of: tuple[Array, Array] | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """Where a condition holds; every array is in the order of groups and times.

    Attributes:
        order: the item (of `Counted`) that stands here.
        holds: the condition holds when it arrives.
        measured: the number compared; NaN where there was nothing to measure.
        inside: it is in a window in which the condition holds.
        when: the first moment at which the condition holds with it in the window, where `inside`.
        run: number of the run that this moment belongs to: moments of one group, one after the other.
    """

    order: Array
    holds: Array
    measured: Array
    inside: Array
    when: Array
    run: Array


def judged(items: Counted, correlation: Correlation) -> Judged:
    """Where the condition of a correlation holds.

    Args:
        items: in order of arrival.
        correlation: what is asked of them.
    """
    order, starts = _sorted(items)
    rows = _Rows(items.at[order], starts, correlation.timespan)
    if correlation.kind in TEMPORAL:
        assert items.rule is not None  # noqa: S101 - whoever gathers events of several rules says which
        measured, holds = _temporal(rows, items.rule[order], correlation)
    else:
        measured = _measured(rows, items, order, correlation)
        holds = _within(rows, measured, correlation)
    return Judged(order, holds, measured, *rows.fires(holds))


class _Rows:
    """Events in order, and the rows of the window that ends with each."""

    def __init__(self, at: Array, starts: Array, span: timedelta) -> None:
        self.at = at
        self.starts = starts
        self._span = span
        self.oldest = np.empty(len(at), np.int64)
        self.behind = np.empty(len(at), np.int64)
        longest = min(int(span.total_seconds()) * 1_000_000, _LONGEST)
        sliding.loop(sliding.windows, len(at))(at, starts, longest, self.oldest, self.behind)
        self._turned: _Rows | None = None

    def __len__(self) -> int:
        return len(self.at)

    def turned(self) -> _Rows:
        """The same events in the other direction: their windows begin with each."""
        if self._turned is None:
            starts = np.ascontiguousarray(len(self) - self.starts[::-1])
            self._turned = _Rows(np.ascontiguousarray(-self.at[::-1]), starts, self._span)
        return self._turned

    def number(self) -> Array:
        """Room for a number of each event."""
        return np.empty(len(self), np.float64)

    def seen(self, rule: Array, rules: int, *, which: bool) -> tuple[Array, Array]:
        """How many rules each window has, and which."""
        number = self.number()
        bits = np.zeros((len(self), (rules + 7) // 8 if which else 0), np.uint8)
        sliding.loop(sliding.seen, len(self))(self.oldest, self.behind, rule, rules, number, bits)
        return number, bits

    def largest(self, number: Array) -> Array:
        """The largest number of each window."""
        most = self.number()
        queue = np.empty(len(self), np.int64)
        sliding.loop(sliding.largest, len(self))(self.oldest, self.behind, number, queue, most)
        return most

    def fires(self, holds: Array) -> tuple[Array, Array, Array]:
        """`inside`, `when` and `run` of `Judged`."""
        if not holds.any():
            return np.zeros(len(self), bool), self.at, np.zeros(len(self), np.int64)
        begins = np.flatnonzero(np.r_[True, self.behind[1:] != self.behind[:-1]])
        moment = np.repeat(np.arange(len(begins)), np.diff(np.r_[begins, len(self)]))
        fired = np.logical_or.reduceat(holds, begins)
        first = np.zeros(len(self) + 1, bool)
        first[self.starts] = True
        runs = np.cumsum(fired & (first[begins] | ~np.r_[False, fired[:-1]]))
        back = self.turned()
        last = np.maximum.accumulate(np.where(fired[moment][::-1], np.arange(len(self)), -1))
        last = last[back.behind - 1]
        inside = (last >= back.oldest)[::-1]
        at = np.where(inside, len(self) - 1 - last[::-1], 0)
        return inside, self.at[at], runs[moment[at]]


def _sorted(items: Counted) -> tuple[Array, Array]:
    """The order of groups and times, and where each group begins."""
    events = len(items.at)
    groups, count = _numbered(items.high, items.low)
    order = np.empty(events, np.int64)
    starts = np.empty(count + 1, np.int64)
    sliding.loop(sliding.arranged, events)(groups, items.at, order, starts)
    return order, starts


def _numbered(high: Array, low: Array) -> tuple[Array, int]:
    numbers = np.empty(len(high), np.int64)
    first = np.empty(len(high), np.int64)
    return numbers, sliding.loop(sliding.numbered, len(high))(high, low, numbers, first)


def _measured(rows: _Rows, items: Counted, order: Array, correlation: Correlation) -> Array:
    kind = correlation.kind
    if kind == "event_count":
        return (rows.behind - rows.oldest).astype(np.float64)
    if items.of is not None:
        high, low = items.of
        numbers, count = _numbered(high, low)
        values = np.where((high | low) != 0, numbers, -1)[order]
        asked = sliding.distinct if kind == "value_count" else sliding.shared
        measured = rows.number()
        sliding.loop(asked, len(rows))(rows.oldest, rows.behind, values, np.zeros(count, np.int64), measured)
        return measured
    assert items.value is not None  # noqa: S101 - whoever gathers for these kinds gathers numbers
    value = items.value[order]
    if kind in ("value_median", "value_percentile"):
        half = 50.0
        part = (half if correlation.percentile is None else correlation.percentile) / 100
        return quantiles(rows.oldest, rows.behind, rows.starts, value, part)
    total, number = rows.number(), np.empty(len(rows), np.int64)
    stack = np.empty((len(rows), 2), np.float64)
    sliding.loop(sliding.summed, len(rows))(rows.oldest, rows.behind, value, stack, total, number)
    divided = number if kind == "value_avg" else np.ones_like(number)
    return np.where(number > 0, total / np.maximum(divided, 1), np.nan)


def _within(rows: _Rows, measured: Array, correlation: Correlation) -> Array:
    """Where all bounds hold; upper ones of what grows in the fullest window, too, that the event is in."""
    holds = ~np.isnan(measured)
    for how, bound in correlation.bounds:
        holds &= COMPARED[how](measured, bound)
    upper = [(how, bound) for how, bound in correlation.bounds if how in _UPPER]
    if upper and correlation.kind in _GROWS:
        most = rows.turned().largest(np.ascontiguousarray(measured[::-1]))[::-1]
        for how, bound in upper:
            holds &= COMPARED[how](most, bound)
    return holds


def _temporal(rows: _Rows, rule: Array, correlation: Correlation) -> tuple[Array, Array]:
    """The number of rules seen, and where the condition holds."""
    rules = len(correlation.rules)
    ordered = correlation.kind == "temporal_ordered"
    if correlation.expression is None:
        if ordered:
            every = correlation.bounds == (("gte", float(rules)),)
            measured = _followed(rows, rule, range(rules), rules, every=every)
        else:
            measured, _ = rows.seen(rule, rules, which=False)
        return measured, _within(rows, measured, correlation)
    measured, before = rows.seen(rule, rules, which=True)
    back = rows.turned()
    after = back.seen(np.ascontiguousarray(rule[::-1]), rules, which=True)[1][::-1]
    if not ordered:
        return measured, _said(correlation.expression, before, before | after, absent=False)
    holds = np.zeros(len(rows), bool)
    for way in alternatives(correlation.expression):
        follows = np.ones(len(rows), bool)
        if way.wanted:
            follows = _followed(rows, rule, way.wanted, rules, every=True) > 0
        for index in way.denied:
            follows &= ~_bit(before | after, index)
        holds |= follows
    return measured, holds


def _followed(rows: _Rows, rule: Array, sequence: Sequence[int], rules: int, *, every: bool) -> Array:
    """How many rules of the sequence each window has in order; only all of them or 0 if `every`."""
    places = np.full(rules, -1, np.int64)
    places[list(sequence)] = np.arange(len(sequence))
    number = rows.number()
    asked = sliding.followed if every else sliding.in_order
    sliding.loop(asked, len(rows))(rows.oldest, rows.behind, places[rule], len(sequence), number)
    return number


def _said(expression: Expression, before: Array, around: Array, *, absent: bool) -> Array:
    """A boolean condition. What is denied must be absent on both sides of the event."""
    match expression:
        case Seen(index):
            return _bit(around if absent else before, index)
        case Absent(part):
            return ~_said(part, before, around, absent=not absent)
        case Every(parts):
            return reduce(operator.and_, [_said(part, before, around, absent=absent) for part in parts])
        case Either(parts):
            return reduce(operator.or_, [_said(part, before, around, absent=absent) for part in parts])


def _bit(bits: Array, index: int) -> Array:
    mine: Array = bits[:, index >> 3] & (1 << (index & 7)) != 0
    return mine
