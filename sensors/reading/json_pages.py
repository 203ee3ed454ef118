"""Which rows of JSON text may hold several records: arrays, pages, objects without line ends between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.compiled import kernel
from sensors.reading import text_views
from sensors.reading.json_cut import PAGE
from sensors.reading.json_scan import CLOSE, CLOSE_LIST, COLON, COMMA, OPEN, OPEN_LIST
from sensors.reading.machine_words import WIDE, byte, first, page_marks

if TYPE_CHECKING:
    from sensors.reading.json_scan import Array

_HEAD: Final = np.uint64(0xFFFF_FFFF)
_SHIFT: Final = np.uint64(32)
_ONE: Final = np.uint64(1)
_BLANK, _ASCII = 0x20, 0x7F
_SURELY, _PERHAPS = 1, 2


def several(column: pl.Series) -> pl.Series:
    """Whether each text may be more than one record."""
    with text_views.laid(column) as (views, there, buffers):
        told = _told(views, there, buffers)
    found = pl.Series(told == _SURELY)
    rows = np.flatnonzero(told == _PERHAPS)
    return found.scatter(rows, column.gather(rows).str.contains(PAGE)) if len(rows) else found


@kernel
def _told(views: Array, there: Array, buffers: Array) -> Array:
    told = np.zeros(len(views), np.uint8)
    for row in range(len(views)):
        size = int(views[row, 0] & _HEAD)
        if there[row] and size:
            at = int(views.ctypes.data) + row * 16 + 4
            if size > text_views.INLINE:
                high = views[row, 1]
                at = int(buffers[high & _HEAD]) + int(high >> _SHIFT)
            told[row] = _look(at, at + size)
    return told


@kernel
def _look(at: int, end: int) -> int:
    """Whether the text at an address is surely several records; perhaps, if an array of objects is in it."""
    if byte(at) == OPEN_LIST or byte(end - 1) == COMMA:
        return _SURELY
    begin = at
    found = 0
    while at < end:
        if at + WIDE <= end:
            marks = page_marks(at)
        else:
            marks = np.uint64(0)
            for k in range(end - at):
                letter = byte(at + k)
                marks |= np.uint64(letter in (CLOSE, OPEN_LIST)) << np.uint64(k)
        while marks:
            place = at + first(marks)
            marks &= marks - _ONE
            if byte(place) == CLOSE:
                if place + 1 < end and byte(place + 1) == OPEN:
                    return _SURELY
            elif not found and _is_array_of_objects(begin, place, end):
                found = _PERHAPS
        at += WIDE
    return found


@kernel
def _is_array_of_objects(begin: int, at: int, end: int) -> bool:
    """Whether the bracket at an address may open a member's array, of objects or of nothing.

    What is not ASCII may be a blank to a regular expression.
    """
    before, after = at - 1, at + 1
    while before > begin and (byte(before) <= _BLANK or byte(before) > _ASCII):
        before -= 1
    while after < end and (byte(after) <= _BLANK or byte(after) > _ASCII):
        after += 1
    return byte(before) == COLON and after < end and (byte(after) == OPEN or byte(after) == CLOSE_LIST)
