"""The distinct values of several text columns as one list a row, without a table of all pairs of columns."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numba import carray  # type: ignore[attr-defined]

from sensors.compiled import kernel
from sensors.reading import text_views
from sensors.reading.distinct import equal
from sensors.reading.machine_words import pointer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensors.reading.json_scan import Array

SEVERAL: Final = "\x1f"  # between values in one text
_HEAD = np.uint64(0xFFFF_FFFF)
_SHIFT = np.uint64(32)
_SIZE = 4  # bytes of a view that say how long the value is


def union(columns: Sequence[pl.Series]) -> pl.Series:
    """For each row the distinct values of the columns in their order; null where there is none but "".

    A column that is one value high stands for all rows. A value may hold several, with `SEVERAL` between.
    """
    height = max(len(column) for column in columns)
    texts = [column.cast(pl.String) for column in columns]
    texts = [column.new_from_index(0, height) if len(column) < height else column for column in texts]
    views = np.empty((len(texts), height, 2), np.uint64)
    there = np.empty((len(texts), height), np.bool_)
    buffers: list[Array] = []
    first = np.empty(len(texts), np.int64)
    with ExitStack() as open_columns:
        for number, column in enumerate(texts):
            views[number], there[number], addresses = open_columns.enter_context(text_views.laid(column))
            first[number] = sum(map(len, buffers))
            buffers.append(addresses)
        found = _listed(views, there, np.concatenate(buffers), first)
    return (_joined_and_split(texts) if found is None else found).alias(columns[0].name)


def _joined_and_split(texts: Sequence[pl.Series]) -> pl.Series:
    """The same where values hold several, with U+001F between them, as sensors put them together."""
    columns = [column.alias(str(number)) for number, column in enumerate(texts)]
    names = [column.name for column in columns]
    distinct = [
        pl.when(pl.all_horizontal([pl.col(name).ne_missing(pl.col(other)) for other in names[:at]])).then(
            pl.col(name)
        )
        if at
        else pl.col(name)
        for at, name in enumerate(names)
    ]
    joined = pl.concat_str(distinct, separator=SEVERAL, ignore_nulls=True)
    return pl.DataFrame(columns).select(pl.when(joined != "").then(joined.str.split(SEVERAL))).to_series()


def _listed(views: Array, there: Array, buffers: Array, first: Array) -> pl.Series | None:
    height = views.shape[1]
    offsets, filled, size = _pick(views, there, buffers, first)
    made = text_views.Columns(["item"], int(offsets[-1]), size, height)
    made.offsets[:] = offsets
    made.there[:] = np.packbits(filled, bitorder="little")
    _put(views, there, buffers, made.views, made.valid, made.text)
    return None if (made.text == ord(SEVERAL)).any() else made.lists(bare=True)


@kernel
def _pick(views: Array, there: Array, buffers: Array, first: Array) -> tuple[Array, Array, int]:
    """Keep in `there` only what is listed; where lists end, which there are, and how many bytes are in them.

    The numbers of buffers in `views` become those in all of `buffers`.
    """
    width, height = there.shape
    offsets = np.zeros(height + 1, np.int64)
    filled = np.zeros(height, np.bool_)
    size = 0
    for row in range(height):
        count = 0
        for column in range(width):
            if not there[column, row]:
                continue
            if (views[column, row, 0] & _HEAD) > text_views.INLINE:
                views[column, row, 1] += np.uint64(first[column])
            low, high = views[column, row]
            for other in range(column):
                if there[other, row] and equal(
                    low, high, views[other, row, 0], views[other, row, 1], buffers
                ):
                    there[column, row] = False
                    break
            if there[column, row]:
                count += 1
                filled[row] |= (low & _HEAD) != 0
                size += int(low & _HEAD)
        if not filled[row]:
            there[:, row] = False
            count = 0
        offsets[row + 1] = offsets[row] + count
    return offsets, filled, size


@kernel
def _put(views: Array, there: Array, buffers: Array, cells: Array, valid: Array, text: Array) -> None:
    """Write the values that are `there`, row by row."""
    width, height = there.shape
    item = 0
    to = 0
    for row in range(height):
        for column in range(width):
            if not there[column, row]:
                continue
            size = int(views[column, row, 0] & _HEAD)
            if size <= text_views.INLINE:
                at = int(views.ctypes.data) + (column * height + row) * 16 + _SIZE
            else:
                high = views[column, row, 1]
                at = int(buffers[high & _HEAD]) + int(high >> _SHIFT)
            text[to : to + size] = carray(pointer(np.uintp(at)), size, np.uint8)
            text_views.put(cells, valid, 0, item, text, to, to + size)
            item += 1
            to += size
