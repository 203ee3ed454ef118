"""Members of JSON objects as they stand in the text: what `json_table` takes apart, whole.

Polars' `json_path_match` parses every record for each path. Here the members of a record are passed over
until the one wanted; it is taken as it is if that is what a serialiser would write (no blanks, no escapes,
plain whole numbers). Only what is not so is left to `json_path_match`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.compiled import kernel
from sensors.reading import json_columns, json_shred
from sensors.reading.json_scan import (
    CLOSE,
    COLON,
    COMMA,
    MAX_DEPTH,
    OPEN,
    OPEN_LIST,
    PLAIN,
    QUOTE,
    nested_end,
    scalar_end,
    space,
    string_end,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from sensors.reading.json_scan import Array

_ABSENT, _THERE, _ODD = 0, 1, 2
_DIGITS: Final = 18  # that a whole number may have and still be written as it is read
_ZERO, _NINE, _MINUS, _BLANK, _EXPONENT = ord("0"), ord("9"), ord("-"), ord(" "), ord("e")
_LETTERS: Final = np.zeros(256, np.bool_)  # outside strings: brackets, commas, colons, true, false, null
_LETTERS[list(b"{}[],:truefalsn")] = True


def objects(column: pl.Series, steps: Sequence[str]) -> pl.Series:
    """The object at a path of each record as JSON text, null where there is none; `""` stays."""
    data, starts, ends = json_columns.spans(column)
    states = np.where(ends > starts, np.uint8(_THERE), np.uint8(_ABSENT))
    starts, ends = starts.copy(), ends.copy()
    for step in steps:
        _enter(data, starts, ends, states, np.frombuffer(step.encode(), np.uint8))
    _check(data, starts, ends, states)
    rows = np.flatnonzero(states == _THERE)
    leaves = np.zeros((len(rows), 5), np.int64)
    leaves[:, json_shred.ROW] = rows
    leaves[:, json_shred.FROM], leaves[:, json_shred.TO] = starts[rows], ends[rows]
    found = json_columns.filled(data, leaves, np.zeros(len(rows), np.int64), [column.name], len(column))[0]
    odd = np.flatnonzero(states == _ODD)
    if len(odd):
        path = "$" + "".join(f"['{step}']" for step in steps)
        parsed = column.gather(odd).str.json_path_match(path)
        found = found.scatter(odd, parsed.set(~(parsed.str.starts_with("{") | (parsed == "")), None))
    return found


@kernel
def _enter(data: Array, starts: Array, ends: Array, states: Array, key: Array) -> None:
    """From objects to their members `key`, of several the last."""
    closers = np.empty(MAX_DEPTH, np.uint8)
    for row in range(len(starts)):
        if states[row] == _THERE:
            starts[row], ends[row], states[row] = _member(data, starts[row], ends[row], key, closers)


@kernel
def _member(data: Array, at: int, end: int, key: Array, closers: Array) -> tuple[int, int, int]:  # noqa: PLR0911
    """Where the value of `key` starts and ends in the object at `at`, and whether it is there."""
    found, stop, state = 0, 0, _ABSENT
    at = space(data, at, end)
    if at >= end or data[at] != OPEN:
        return 0, 0, _ABSENT if at < end and data[at] == QUOTE else _ODD
    at = space(data, at + 1, end)
    while at < end and data[at] != CLOSE:
        if data[at] != QUOTE:
            return 0, 0, _ODD
        after, kind = string_end(data, at, end)
        if after < 0 or kind != PLAIN:
            return 0, 0, _ODD
        same = _is(data, at + 1, after - 1, key)
        at = space(data, after, end)
        if at >= end or data[at] != COLON:
            return 0, 0, _ODD
        at = space(data, at + 1, end)
        if at >= end:
            return 0, 0, _ODD
        nested = data[at] == OPEN or data[at] == OPEN_LIST
        after = nested_end(data, at, end, closers) if nested else scalar_end(data, at, end)
        if after < 0:
            return 0, 0, _ODD
        if same:
            found, stop, state = at, after, _THERE
        at = space(data, after, end)
        if at < end and data[at] == COMMA:
            at = space(data, at + 1, end)
    return found, stop, state


@kernel
def _is(data: Array, at: int, end: int, key: Array) -> bool:
    if end - at != len(key):
        return False
    for k in range(len(key)):  # noqa: SIM110 - a kernel
        if data[at + k] != key[k]:
            return False
    return True


@kernel
def _check(data: Array, starts: Array, ends: Array, states: Array) -> None:
    """Which values are objects that stand as they would be written; `""` is left as no bytes."""
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        if states[row] != _THERE:
            continue
        if data[at] == QUOTE and end == at + 2:
            starts[row] = ends[row] = at + 1
        elif data[at] != OPEN:
            states[row] = _ABSENT
        elif not _is_compact(data, at, end):
            states[row] = _ODD


@kernel
def _is_compact(data: Array, at: int, end: int) -> bool:
    while at < end:
        c = data[at]
        if c == QUOTE:
            stop, kind = string_end(data, at, end)
            if stop < 0 or kind != PLAIN:
                return False
            for k in range(at, stop):
                if data[k] < _BLANK:
                    return False
            at = stop
        elif _LETTERS[c]:
            at += 1
        else:
            stop = at + (c == _MINUS)
            first = stop
            while stop < end and _ZERO <= data[stop] <= _NINE:
                stop += 1
            if stop == first or stop - first > _DIGITS or (c == _MINUS and data[first] == _ZERO):
                return False
            if stop < end and data[stop] == _EXPONENT:
                return False
            at = stop
    return True
