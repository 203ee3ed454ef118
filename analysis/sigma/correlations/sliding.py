"""The loops under `windows`, over events sorted by group and time; each looks at an event a few times only.

A window is a range of rows, `oldest` to `behind` (the first that is no longer in it). Both only ever grow
from row to row, from one group to the next too, so that hardly a loop need know of times or groups; the
windows that begin with an event are those that end with it in the same rows turned round.

They are plain Python over arrays. Where there are enough events to be worth it, `loop` has Numba compile them
and keep the compiled form on disk; a small hunt pays for no compiler.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]  # the loops see concrete types; for the checker an element is anything

Function = TypeVar("Function", bound="Callable[..., Any]")

FEW: Final = 20_000  # events; about what plain Python manages while Numba is imported


def loop(function: Function, events: int) -> Function:
    """The function, compiled if it is to look at many events."""
    return _compiled(function) if events >= FEW else function


@cache
def _compiled(function: Function) -> Function:
    from sensors.compiled import kernel  # noqa: PLC0415 - half a second, which few events are not worth

    return kernel(function)


def numbered(high: Array, low: Array, numbers: Array, first: Array) -> int:
    """Number the distinct pairs in order of appearance; how many there are.

    Args:
        high: one half of a key of 128 random bits, Int64.
        low: the other half.
        numbers: filled with the number of each pair, Int64.
        first: filled with where each number appeared first, Int64; as long as the others.
    """
    size = 1024
    table = np.full(size, -1, np.int64)
    count = 0
    for row in range(len(high)):
        slot = low[row] & (size - 1)
        number = table[slot]
        while number >= 0 and (high[first[number]] != high[row] or low[first[number]] != low[row]):
            slot = (slot + 1) & (size - 1)
            number = table[slot]
        if number < 0:
            number = count
            first[count] = row
            table[slot] = count
            count += 1
            if count * 2 > size:
                size *= 4
                table = np.full(size, -1, np.int64)
                for one in range(count):
                    slot = low[first[one]] & (size - 1)
                    while table[slot] >= 0:
                        slot = (slot + 1) & (size - 1)
                    table[slot] = one
        numbers[row] = number
    return count


def arranged(groups: Array, at: Array, order: Array, starts: Array) -> None:
    """Sort by group and time; what is equal stays in the order of arrival.

    Args:
        groups: the number of each event's group.
        at: its time.
        order: filled with the rows in their new order.
        starts: filled with where each group begins; one longer than there are groups.
    """
    starts[:] = 0
    for row in range(len(groups)):
        starts[groups[row] + 1] += 1
    for group in range(1, len(starts)):
        starts[group] += starts[group - 1]
    place = starts.copy()
    for row in range(len(groups)):
        order[place[groups[row]]] = row
        place[groups[row]] += 1
    for group in range(len(starts) - 1):
        begin, end = starts[group], starts[group + 1]
        for row in range(begin + 1, end):
            if at[order[row]] < at[order[row - 1]]:
                mine = order[begin:end].copy()
                order[begin:end] = mine[np.argsort(at[mine], kind="mergesort")]
                break


def windows(at: Array, starts: Array, span: int, oldest: Array, behind: Array) -> None:
    """The rows of the window that ends with each event: both ends belong to it, and all of the same moment.

    Args:
        at: times, sorted in each group.
        starts: where each group begins, and the number of events.
        span: of the same unit as the times.
        oldest: filled with the first row of each window.
        behind: filled with the row behind the last.
    """
    for group in range(len(starts) - 1):
        first = row = starts[group]
        while row < starts[group + 1]:
            begin = row
            while row < starts[group + 1] and at[row] == at[begin]:
                row += 1
            while at[first] < at[begin] - span:
                first += 1
            oldest[begin:row] = first
            behind[begin:row] = row


def distinct(oldest: Array, behind: Array, value: Array, times: Array, measured: Array) -> None:
    """How many different values each window holds.

    Args:
        oldest: first row of each window.
        behind: row behind its last.
        value: the number of each event's value, -1 where it has none.
        times: zeros, one for each different value.
        measured: filled.
    """
    low = high = different = 0
    for row in range(len(oldest)):
        for new in range(high, behind[row]):
            if value[new] >= 0:
                different += times[value[new]] == 0
                times[value[new]] += 1
        high = behind[row]
        for old in range(low, oldest[row]):
            if value[old] >= 0:
                times[value[old]] -= 1
                different -= times[value[old]] == 0
        low = oldest[row]
        measured[row] = different


def shared(oldest: Array, behind: Array, value: Array, times: Array, measured: Array) -> None:
    """Of the values that each window holds, how many in a hundred are the event's own; NaN if it has none.

    The arguments are those of `distinct`.
    """
    low = high = held = 0
    for row in range(len(oldest)):
        for new in range(high, behind[row]):
            if value[new] >= 0:
                held += 1
                times[value[new]] += 1
        high = behind[row]
        for old in range(low, oldest[row]):
            if value[old] >= 0:
                held -= 1
                times[value[old]] -= 1
        low = oldest[row]
        measured[row] = 100.0 * times[value[row]] / held if value[row] >= 0 else np.nan


def summed(oldest: Array, behind: Array, value: Array, stack: Array, total: Array, number: Array) -> None:
    """The sum of the numbers that each window holds, and how many there are.

    Nothing is ever subtracted, or what a large number swallowed would stay lost after it has left: the
    window is two stacks, sums from its middle back to each event, and a running sum from its middle on. Sums
    are pairs of doubles (T. J. Dekker, 1971), exact to 106 bits.

    Args:
        oldest: first row of each window.
        behind: row behind its last.
        value: NaN where an event has none.
        stack: room for two numbers an event.
        total: filled with the sum.
        number: filled with how many numbers it has.
    """

    def plus(high: float, low: float, more: float) -> tuple[float, float]:
        if more != more:  # noqa: PLR0124 - it is NaN
            return high, low
        both = high + more
        part = both - high
        return both, low + ((high - (both - part)) + (more - part))

    first = middle = end = held = 0
    high = low = 0.0
    for row in range(len(oldest)):
        for new in range(end, behind[row]):
            high, low = plus(high, low, value[new])
            held += value[new] == value[new]
        end = behind[row]
        while first < oldest[row]:
            if first == middle:
                high = low = 0.0
                for one in range(end - 1, first - 1, -1):
                    high, low = plus(high, low, value[one])
                    stack[one, 0], stack[one, 1] = high, low
                middle = end
                high = low = 0.0
            held -= value[first] == value[first]
            first += 1
        if first < middle:
            whole, rest = plus(high, low + stack[first, 1], stack[first, 0])
            total[row] = whole + rest
        else:
            total[row] = high + low
        number[row] = held


def seen(oldest: Array, behind: Array, rule: Array, rules: int, number: Array, which: Array) -> None:
    """Which rules each window has events of.

    Args:
        oldest: first row of each window.
        behind: row behind its last.
        rule: of each event.
        rules: how many there are.
        number: filled with how many of them the window has.
        which: bits, a row an event, eight rules a byte; set where a rule is in the window. Without columns if
            nobody asks.
    """
    last = np.full(rules, -1, np.int64)
    high = 0
    for row in range(len(oldest)):
        for new in range(high, behind[row]):
            last[rule[new]] = new
        high = behind[row]
        there = 0
        for one in range(rules):
            if last[one] >= oldest[row]:
                there += 1
                if which.shape[1] > 0:
                    which[row, one >> 3] |= 1 << (one & 7)
        number[row] = there


def followed(oldest: Array, behind: Array, place: Array, places: int, number: Array) -> None:
    """Whether each window has events of all rules in their order: `places` or 0.

    What is kept for each place is where the latest sequence begins that goes through all places before and
    ends with it. Events of one moment are in whichever order helps.

    Args:
        oldest: first row of each window.
        behind: row behind its last.
        place: of the event's rule in the order, -1 if it has none.
        places: how many there are.
        number: filled.
    """
    begins = np.full(places, -1, np.int64)
    now = np.zeros(places, np.int64)
    high = 0
    for row in range(len(oldest)):
        if high < behind[row]:
            now[:] = 0
            for new in range(high, behind[row]):
                if place[new] >= 0:
                    now[place[new]] = 1
            high = behind[row]
            for one in range(places):
                if now[one]:
                    begins[one] = row if one == 0 else max(begins[one], begins[one - 1])
        number[row] = places if begins[places - 1] >= oldest[row] else 0


def in_order(oldest: Array, behind: Array, place: Array, places: int, number: Array) -> None:
    """How many different rules, at most, each window has events of in their order.

    What is kept for each place and number is where the latest sequence of so many rules begins that ends
    there or at an earlier place. The arguments are those of `followed`.
    """
    begins = np.full((places, places + 1), -1, np.int64)
    now = np.zeros(places, np.int64)
    high = 0
    for row in range(len(oldest)):
        if high < behind[row]:
            now[:] = 0
            for new in range(high, behind[row]):
                now[place[new]] = 1
            high = behind[row]
            for one in range(places):
                for many in range(1, one + 2):
                    latest = begins[one, many]
                    if one > 0:
                        latest = max(latest, begins[one - 1, many])
                        if now[one]:
                            latest = max(latest, begins[one - 1, many - 1])
                    if now[one] and many == 1:
                        latest = row
                    begins[one, many] = latest
        most = places
        while most > 0 and begins[places - 1, most] < oldest[row]:
            most -= 1
        number[row] = most


def largest(oldest: Array, behind: Array, number: Array, queue: Array, most: Array) -> None:
    """The largest number of each window; NaN where it holds none.

    Args:
        oldest: first row of each window.
        behind: row behind its last.
        number: of each event, NaN where it has none.
        queue: room for a row each: rows with ever smaller numbers, of which the first is the largest.
        most: filled.
    """
    head = tail = high = 0
    for row in range(len(oldest)):
        for new in range(high, behind[row]):
            if number[new] == number[new]:
                while head < tail and number[queue[tail - 1]] <= number[new]:
                    tail -= 1
                queue[tail] = new
                tail += 1
        high = behind[row]
        while head < tail and queue[head] < oldest[row]:
            head += 1
        most[row] = number[queue[head]] if head < tail else np.nan
