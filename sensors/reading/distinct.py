"""An expression on each distinct value of a text column, once.

Logs say the same few things again and again: a regular expression that decides what an action is runs on
fifty actions, not on fifty thousand rows. Columns whose values hardly ever recur are computed as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.compiled import kernel
from sensors.reading import text_views
from sensors.reading.machine_words import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensors.reading.json_scan import Array

_FEW: Final = 64  # rows for which it is not worth it
_TRIED: Final = 1_024  # rows after which most must have been seen before
_HEAD = np.uint64(0xFFFF_FFFF)
_SHIFT = np.uint64(32)
_PRIME = np.uint64(0x9E37_79B9_7F4A_7C15)


def by_value(
    value: pl.Expr, answer: Callable[[pl.Expr], pl.Expr], dtype: pl.DataType | type[pl.DataType] = pl.String
) -> pl.Expr:
    """`answer(value)`, which says the same of the same text in any row, computed once a distinct text.

    Args:
        value: text.
        answer: of an expression the expression wanted, of type `dtype`.
        dtype: its type.
    """
    if not value.meta.root_names():
        return answer(value)
    return value.map_batches(lambda column: _answers(column, answer), return_dtype=dtype, is_elementwise=True)


def _answers(column: pl.Series, answer: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    column = column.alias("value")
    found = numbered(column) if len(column) > _FEW and column.dtype == pl.String else None
    if found is None:
        return column.to_frame().select(answer(pl.col("value"))).to_series()
    rows, numbers = found
    answers = column.gather(rows).to_frame().select(answer(pl.col("value"))).to_series()
    return answers.gather(numbers) if len(answers) == len(rows) else answers


def numbered(column: pl.Series) -> tuple[Array, Array] | None:
    """The first row of each distinct value (null is one), and the number of each row's value.

    None if most values differ.
    """
    with text_views.laid(column) as (views, there, buffers):
        rows, numbers = _numbered(views, there, buffers)
    return (rows, numbers) if len(numbers) else None


@kernel
def _mark(low: int, high: int, buffers: Array) -> int:
    """A hash of the value whose view is these words."""
    size = np.int64(low & _HEAD)
    mixed = low * _PRIME
    if size <= text_views.INLINE:
        mixed = (mixed ^ (mixed >> _SHIFT) ^ high) * _PRIME
        return int(mixed ^ (mixed >> _SHIFT))
    at = buffers[high & _HEAD] + (high >> _SHIFT)
    for k in range(0, size - 7, 8):
        mixed = (mixed ^ (mixed >> _SHIFT) ^ load(at + np.uint64(k))) * _PRIME
    mixed = (mixed ^ (mixed >> _SHIFT) ^ load(at + np.uint64(size - 8))) * _PRIME
    return int(mixed ^ (mixed >> _SHIFT))


@kernel
def equal(low: int, high: int, other_low: int, other_high: int, buffers: Array) -> bool:
    """Whether the values of two views are the same."""
    if low != other_low:
        return False
    size = np.int64(low & _HEAD)
    if high == other_high or size <= text_views.INLINE:
        return bool(high == other_high)
    one = buffers[high & _HEAD] + (high >> _SHIFT)
    other = buffers[other_high & _HEAD] + (other_high >> _SHIFT)
    for k in range(0, size - 7, 8):
        if load(one + np.uint64(k)) != load(other + np.uint64(k)):
            return False
    return bool(load(one + np.uint64(size - 8)) == load(other + np.uint64(size - 8)))


@kernel
def _numbered(views: Array, there: Array, buffers: Array) -> tuple[Array, Array]:
    """The first row of each distinct value, and for each row the number of its value; none if most differ."""
    size = 1_024
    slots = np.zeros(size, np.int64)  # number of a value, from 1 on; 0 is free
    marks = np.empty(size, np.uint64)
    rows = np.empty(len(views), np.int64)
    numbers = np.empty(len(views), np.uint32)
    count = 0
    null = -1
    for row in range(len(views)):
        if not there[row]:
            if null < 0:
                null = count
                rows[count] = row
                count += 1
            numbers[row] = null
            continue
        low, high = views[row, 0], views[row, 1]
        mark = np.uint64(_mark(low, high, buffers))
        slot = np.int64(mark & np.uint64(size - 1))
        while slots[slot]:
            known = rows[slots[slot] - 1]
            if marks[slot] == mark and equal(low, high, views[known, 0], views[known, 1], buffers):
                break
            slot = (slot + 1) & (size - 1)
        if not slots[slot]:
            rows[count] = row
            count += 1
            slots[slot] = count
            marks[slot] = mark
            if 2 * count > size:
                if 2 * count > row > _TRIED:
                    return rows[:0], numbers[:0]
                slots, marks = _grown(slots, marks)
                size = len(slots)
                slot = np.int64(mark & np.uint64(size - 1))
                while slots[slot] != count:
                    slot = (slot + 1) & (size - 1)
        numbers[row] = slots[slot] - 1
    return rows[:count], numbers


@kernel
def _grown(slots: Array, marks: Array) -> tuple[Array, Array]:
    """The same table with twice the room."""
    size = 2 * len(slots)
    new_slots = np.zeros(size, np.int64)
    new_marks = np.empty(size, np.uint64)
    for old in range(len(slots)):
        if slots[old]:
            slot = np.int64(marks[old] & np.uint64(size - 1))
            while new_slots[slot]:
                slot = (slot + 1) & (size - 1)
            new_slots[slot] = slots[old]
            new_marks[slot] = marks[old]
    return new_slots, new_marks
