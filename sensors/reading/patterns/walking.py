"""Kernels that walk an automaton over the values of a text column, and lay columns of what they found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import carray  # type: ignore[attr-defined]

from sensors.compiled import kernel
from sensors.reading import text_views
from sensors.reading.machine_words import WIDE, byte, line_marks, pointer
from sensors.reading.patterns.automaton import NEW, NOW, SLOTS, UNSET

if TYPE_CHECKING:
    from sensors.reading.json_scan import Array

MISSED, MATCHED, LEFT = 0, 1, 2  # what became of a row; LEFT: it is not ASCII, or too long
_NEW: Final = 2 * NEW
_ASCII = np.uint8(0x80)
_BREAK = np.uint8(0x0A)
_LONGEST: Final = 1 << 20  # a value is walked over anew for each state that it is the first to need
_HEAD = np.uint64(0xFFFF_FFFF)
_SHIFT = np.uint64(32)
_SIZE: Final = 4  # bytes of a view that say how long the value is
_INLINE = text_views.INLINE


@kernel
def place(views: Array, buffers: Array, row: int) -> tuple[int, int]:
    """The address of a value, and its size."""
    size = int(views[row, 0] & _HEAD)
    if size <= _INLINE:
        return int(views.ctypes.data) + row * 16 + _SIZE, size
    high = views[row, 1]
    return int(buffers[high & _HEAD]) + int(high >> _SHIFT), size


@kernel
def _break_between(at: int, end: int) -> bool:
    """Whether there is a line break between two addresses."""
    while at + WIDE <= end:
        if line_marks(at):
            return True
        at += WIDE
    while at < end:
        if byte(at) == _BREAK:
            return True
        at += 1
    return False


@kernel
def walk(  # noqa: C901, PLR0912, PLR0913, PLR0917 - a kernel has no objects, and a call a row costs
    views: Array,
    there: Array,
    buffers: Array,
    rows: Array,
    begin: int,
    width: int,
    cells: int,
    kinds: Array,
    table: Array,
    moves: Array,
    ends: Array,
    orders: Array,
    through: Array,
    found: Array,
    became: Array,
) -> tuple[int, int, int]:
    """Walk over the values of `rows` from the one numbered `begin` on.

    Args:
        views: of the column, and so on (`text_views.laid`).
        there: which values are not null.
        buffers: their addresses.
        rows: of the column.
        begin: where in `rows` to begin.
        width: of an automaton, as are the next seven.
        cells: of memory.
        kinds: of characters.
        table: what is next.
        moves: on the way.
        ends: at the end of the text.
        orders: what moves are.
        through: states that are not left.
        found: for each of `rows` the slots: where groups begin and end, counted from the value's beginning.
        became: for each of `rows` whether there was a match.

    Returns:
        Where in `rows` it stopped, and the state and kind that the automaton has yet to be asked for.
    """
    memory = np.full(cells, UNSET, np.int32)
    memory[UNSET] = -1
    slots = found.shape[1]
    matched = SLOTS + slots
    for number in range(begin, len(rows)):
        row = rows[number]
        became[number] = MISSED
        if not there[row]:
            continue
        first, size = place(views, buffers, row)
        if size > _LONGEST:
            became[number] = LEFT
            continue
        at, end = first, first + size
        base, stay = 0, 0
        memory[matched] = -1
        while at < end:
            c = byte(at)
            if c >= _ASCII:
                became[number] = LEFT
                break
            after = table[np.uint64(base) + np.uint64(kinds[c])]
            if after == stay:
                at += 1
                continue
            if after == _NEW:
                return number, base >> width, int(kinds[c])
            if after & 1:
                memory[NOW] = at - first
                where = moves[base + kinds[c]]
                for k in range(where + 1, where + 1 + 2 * orders[where], 2):
                    memory[orders[k]] = memory[orders[k + 1]]
            if after < 0:
                break
            at += 1
            if after >> 1 != base:
                base = after >> 1
                stay = 2 * base
                passing = through[base >> width]
                if passing and (passing > 1 or not _break_between(at, end)):
                    at = end
        where = ends[base >> width] if at >= end else 0
        if where:
            memory[NOW] = size
            for k in range(where + 1, where + 1 + 2 * orders[where], 2):
                memory[orders[k]] = memory[orders[k + 1]]
        if memory[matched] >= 0 and became[number] != LEFT:
            became[number] = MATCHED
            for slot in range(slots):
                found[number, slot] = memory[SLOTS + slot]
    return len(rows), 0, 0


@kernel
def room(found: Array) -> int:
    """How many bytes the groups hold that do not fit into views."""
    size = 0
    for number in range(len(found)):
        for group in range(found.shape[1] // 2):
            at, end = found[number, 2 * group], found[number, 2 * group + 1]
            if at >= 0 and end - at > _INLINE:
                size += end - at
    return size


@kernel
def lay(  # noqa: PLR0913, PLR0917 - a kernel has no objects
    views: Array,
    buffers: Array,
    rows: Array,
    found: Array,
    columns: Array,
    cells: Array,
    valid: Array,
    text: Array,
    to: int,
) -> int:
    """Write the groups of `rows` into the cells of columns; where in `text` the next ones may be written.

    Args:
        views: of the column that was walked over.
        buffers: the same.
        rows: the same.
        found: the same.
        columns: the number of each group's column.
        cells: of the columns (`text_views.Columns`).
        valid: of the columns.
        text: of the columns, with room for what `room` says from `to` on and `INLINE` bytes more.
        to: where to write.
    """
    for number in range(len(rows)):
        row = rows[number]
        first, _ = place(views, buffers, row)
        for group in range(found.shape[1] // 2):
            at, end = found[number, 2 * group], found[number, 2 * group + 1]
            if at < 0:
                continue
            size = end - at
            if size > _INLINE:
                text[to : to + size] = carray(pointer(np.uintp(first + at)), size, np.uint8)
            else:
                for k in range(size):
                    text[to + k] = byte(first + at + k)
            text_views.put(cells, valid, columns[group], row, text, to, to + size)
            if size > _INLINE:
                to += size
    return to
