"""Quantiles of sliding windows, exact: the loops under `windows` for `value_median` and `value_percentile`.

Most windows hold few numbers, and those are kept in order: one that comes or goes moves the larger ones by a
place. Groups with a larger window are left to a Fenwick tree (P. M. Fenwick, 1994) over the ranks of their
numbers, where one that comes or goes costs the logarithm of how many the group has.

What `sliding` says of its loops holds of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.sigma.correlations import sliding

if TYPE_CHECKING:
    from analysis.sigma.correlations.sliding import Array

# Events of the largest window of a group whose numbers are kept in order; from there on the tree is faster.
NARROW: Final = 96
NARROW_PLAIN: Final = 16  # the same for plain Python, which moves numbers one by one


def quantiles(oldest: Array, behind: Array, starts: Array, value: Array, part: float) -> Array:
    """The quantile of the numbers that each window holds, interpolated; NaN if it holds none.

    Args:
        oldest: first row of each window.
        behind: row behind its last.
        starts: where each group begins, and the number of events.
        value: NaN where an event has none.
        part: which quantile, 0 to 1.
    """
    events = len(value)
    measured = np.empty(events, np.float64)
    wide = np.zeros(len(starts) - 1, np.bool_)
    narrow = NARROW if events >= sliding.FEW else NARROW_PLAIN
    sliding.loop(ordered, events)(oldest, behind, starts, value, part, narrow, wide, measured)
    if wide.any():
        sliding.loop(ranked, events)(oldest, behind, starts, value, part, wide, measured)
    return measured


def ordered(  # noqa: C901 - a compiled loop cannot call its parts, unless they stand inside it
    oldest: Array,
    behind: Array,
    starts: Array,
    value: Array,
    part: float,
    narrow: int,
    wide: Array,
    measured: Array,
) -> None:
    """The quantiles of groups whose windows are all narrow.

    Args:
        oldest: first row of each window.
        behind: row behind its last.
        starts: where each group begins, and the number of events.
        value: NaN where an event has none.
        part: which quantile, 0 to 1.
        narrow: the most events of a window.
        wide: filled, for each group, with whether it has a larger one and is left alone.
        measured: filled.
    """

    def place(numbers: Array, held: int, number: float) -> int:
        """How many of the first `held` numbers are smaller."""
        low = 0
        while low < held:
            middle = (low + held) >> 1
            if numbers[middle] < number:
                low = middle + 1
            else:
                held = middle
        return low

    numbers = np.empty(narrow + 1, np.float64)
    for group in range(len(starts) - 1):
        begin, end = starts[group], starts[group + 1]
        wide[group] = end - begin > narrow and np.max(behind[begin:end] - oldest[begin:end]) > narrow
        if wide[group]:
            continue
        low = high = begin
        held = 0
        for row in range(begin, end):
            for old in range(low, oldest[row]):
                if value[old] == value[old]:
                    held -= 1
                    for one in range(place(numbers, held, value[old]), held):
                        numbers[one] = numbers[one + 1]
            low = oldest[row]
            for new in range(high, behind[row]):
                if value[new] == value[new]:
                    first = place(numbers, held, value[new])
                    for one in range(held, first, -1):
                        numbers[one] = numbers[one - 1]
                    numbers[first] = value[new]
                    held += 1
            high = behind[row]
            if held == 0:
                measured[row] = np.nan
                continue
            at = (held - 1) * part
            below = int(at)
            smaller, larger = numbers[below], numbers[min(below + 1, held - 1)]
            measured[row] = smaller + (larger - smaller) * (at - below)


def ranked(  # noqa: C901 - likewise
    oldest: Array, behind: Array, starts: Array, value: Array, part: float, wide: Array, measured: Array
) -> None:
    """The quantiles of groups that have wide windows.

    Args:
        oldest: first row of each window.
        behind: row behind its last.
        starts: where each group begins, and the number of events.
        value: NaN where an event has none.
        part: which quantile, 0 to 1.
        wide: of each group, whether it has any.
        measured: filled for these groups.
    """

    def change(tree: Array, slot: int, by: int) -> int:
        if slot == 0:
            return 0
        while slot < len(tree):
            tree[slot] += by
            slot += slot & -slot
        return by

    def below_it(tree: Array, wanted: int) -> int:
        """How many ranks are below that of the `wanted`-th number held."""
        slot = 0
        step = 1
        while step * 2 < len(tree):
            step *= 2
        while step > 0:
            if slot + step < len(tree) and tree[slot + step] < wanted:
                slot += step
                wanted -= tree[slot]
            step >>= 1
        return slot

    for group in np.flatnonzero(wide):
        begin, end = starts[group], starts[group + 1]
        mine = value[begin:end]
        there = np.flatnonzero(~np.isnan(mine))
        by_size = there[np.argsort(mine[there], kind="mergesort")]
        ascending = mine[by_size]
        rank = np.zeros(len(mine), np.int64)  # from 1; 0 where there is no number
        rank[by_size] = np.arange(1, len(by_size) + 1)
        tree = np.zeros(len(by_size) + 1, np.int64)
        low = high = begin
        held = 0
        for row in range(begin, end):
            for old in range(low, oldest[row]):
                held += change(tree, rank[old - begin], -1)
            low = oldest[row]
            for new in range(high, behind[row]):
                held += change(tree, rank[new - begin], 1)
            high = behind[row]
            if held == 0:
                measured[row] = np.nan
                continue
            at = (held - 1) * part
            below = int(at)
            smaller = larger = ascending[below_it(tree, below + 1)]
            if at > below:
                larger = ascending[below_it(tree, below + 2)]
            measured[row] = smaller + (larger - smaller) * (at - below)
