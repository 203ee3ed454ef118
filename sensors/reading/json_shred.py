"""The byte loops under `json_table`: JSON objects to leaves, and leaves to the text of columns.

A leaf is a row of an int64 array: number of the record, number of its path, start and end in the data, kind
(`json_scan.PLAIN` and so on). Paths are numbered as they are met; path 0 is the record itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sensors.compiled import kernel
from sensors.reading.json_scan import (
    CLOSE,
    COLON,
    COMMA,
    INCOMPLETE,
    LETTER_N,
    MALFORMED,
    MAX_DEPTH,
    NULL,
    OPEN,
    OPEN_LIST,
    QUOTE,
    RAW,
    key_end,
    nested_end,
    scalar_end,
    space,
    string_end,
)
from sensors.reading.machine_words import WIDE, colon_marks, count, load

if TYPE_CHECKING:
    from sensors.reading.json_scan import Array

ROW: Final = 0
PATH: Final = 1
FROM: Final = 2
TO: Final = 3
KIND: Final = 4

MAX_OBJECT_DEPTH: Final = 32  # objects below it stay JSON text
_MASK_63 = np.uint64(0x7FFF_FFFF_FFFF_FFFF)
_FNV_BASIS = np.uint64(14695981039346656037)
_FNV_PRIME = np.uint64(1099511628211)
_FOLD = np.uint64(32)
_MASKS: Final = np.array([(1 << 8 * k) - 1 for k in range(8)] + [2**64 - 1], np.uint64)


@kernel
def _word(data: Array, at: int, end: int) -> Any:  # noqa: ANN401 - a number without a sign
    """The bytes from `at` to `end` as a number, the first eight of them."""
    if at + 8 <= len(data):
        return load(data.ctypes.data + at) & _MASKS[min(end - at, 8)]
    word = np.uint64(0)
    for k in range(min(end - at, 8)):
        word |= np.uint64(data[at + k]) << np.uint64(8 * k)
    return word


@kernel
def _same(data: Array, one: int, other: int, size: int) -> bool:
    """Whether `size` bytes at two places are equal."""
    for k in range(0, size, 8):
        if _word(data, one + k, one + size) != _word(data, other + k, other + size):
            return False
    return True


@kernel
def _path(data: Array, parent: int, at: int, end: int, slots: Array, paths: Array) -> int:
    """Number of the path `parent` + the key between `at` and `end`; -1 if there is no room for a new one.

    `slots` is an open-addressing hash table of path numbers (0: free). `paths` has a row for each path:
    parent, start and end of its key in `data`, hash; how many there are stands in the root's row.
    """
    if parent < 0:
        return -1
    mixed = _FNV_BASIS ^ np.uint64(parent)
    for k in range(at, end, 8):
        mixed = (mixed ^ _word(data, k, end)) * _FNV_PRIME
        mixed ^= mixed >> _FOLD
    mark = np.int64(mixed & _MASK_63)
    mask = len(slots) - 1
    slot = (mark ^ (mark >> 29)) & mask
    while slots[slot]:
        known = slots[slot]
        if (
            paths[known, 3] == mark
            and paths[known, 0] == parent
            and paths[known, 2] - paths[known, 1] == end - at
            and _same(data, paths[known, 1], at, end - at)
        ):
            return int(known)
        slot = (slot + 1) & mask
    fresh = paths[0, 3]
    if fresh >= len(paths):
        return -1
    slots[slot] = fresh
    paths[fresh] = parent, at, end, mark
    paths[0, 3] = fresh + 1
    return int(fresh)


@kernel
def _foreseen(data: Array, at: int, end: int, paths: Array, guess: int, parent: int) -> int:
    """After the key and the colon at `at` if they are those of the path `guess`, else 0.

    Records of one log have the same keys in the same order: the key that followed last time is compared
    before any is looked up.
    """
    size = paths[guess, 2] - paths[guess, 1]
    colon = at + size + 2
    if (
        guess > 0
        and colon < end
        and paths[guess, 0] == parent
        and data[at] == QUOTE
        and data[colon - 1] == QUOTE
        and data[colon] == COLON
        and _same(data, paths[guess, 1], at + 1, size)
    ):
        return int(colon + 1)
    return 0


@kernel
def _leaf_end(data: Array, at: int, end: int, closers: Array) -> tuple[int, int]:
    """After the value at `at` (or an error), and its kind."""
    if at >= end:
        return INCOMPLETE, NULL
    c = data[at]
    if c == QUOTE:
        return string_end(data, at, end)
    kind = NULL if c == LETTER_N else RAW
    if c in (OPEN, OPEN_LIST):
        return nested_end(data, at, end, closers), kind
    return scalar_end(data, at, end), kind


@kernel
def _record(  # noqa: C901, PLR0913, PLR0917 - a grammar's state machine is plainer in one piece
    data: Array,
    at: int,
    end: int,
    slots: Array,
    paths: Array,
    leaves: Array,
    count: int,
    node: Array,
    follow: Array,
    closers: Array,
) -> tuple[int, int]:
    """Write the leaves of the object that fills the span, from number `count` on.

    `node` is room for the path of each open object, `closers` for the brackets of a value. `follow` has for
    each path which one came next the last time: after a value, or, in the second column, after the object
    that it is was closed.

    Returns:
        How many leaves there are then, or MALFORMED if it is no object; for how many of its leaves
        `paths` had no room.
    """
    crowded = 0
    depth = 0
    node[0] = 0
    before, closed = 0, 0
    opened = True  # an object has just opened: a key may follow without a comma
    at = space(data, at, end)
    if at >= end or data[at] != OPEN:
        return MALFORMED, 0
    at += 1
    while True:
        at = space(data, at, end)
        if at < end and data[at] == CLOSE:
            at += 1
            opened = False
            before, closed = max(node[depth], 0), 1
            depth -= 1
            if depth < 0:
                return (count if space(data, at, end) == end else MALFORMED), crowded
            continue
        if not opened:
            if at >= end or data[at] != COMMA:
                return MALFORMED, crowded
            at = space(data, at + 1, end)
        path = follow[before, closed]
        stop = _foreseen(data, at, end, paths, path, node[depth])
        if not stop:
            stop = key_end(data, at, end)
            if stop < 0:
                return MALFORMED, crowded
            path = _path(data, node[depth], at + 1, string_end(data, at, end)[0] - 1, slots, paths)
            follow[before, closed] = max(path, 0)
        before, closed = max(path, 0), 0
        at = space(data, stop, end)
        opened = at < end and data[at] == OPEN and depth + 1 < MAX_OBJECT_DEPTH
        if opened:
            depth += 1
            node[depth] = path
            at += 1
            continue
        stop, kind = _leaf_end(data, at, end, closers)
        if stop < 0:
            return MALFORMED, crowded
        if path < 0:
            crowded += 1
        elif kind != NULL:
            quote = 0 if kind == RAW else 1
            leaves[count, PATH] = path
            leaves[count, FROM] = at + quote
            leaves[count, TO] = stop - quote
            leaves[count, KIND] = kind
            count += 1
        at = stop


@kernel
def _colons(data: Array, starts: Array, ends: Array) -> int:
    """How many colons there are in the spans."""
    colons = 0
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        while at + WIDE <= end:
            colons += count(colon_marks(data.ctypes.data + at))
            at += WIDE
        while at < end:
            colons += data[at] == COLON
            at += 1
    return colons


@kernel
def shred(data: Array, starts: Array, ends: Array, room: int) -> tuple[Array, Array, Array, int]:
    """The leaves of the objects that fill the spans; nulls and empty objects have none.

    Args:
        data: UTF-8 bytes.
        starts: first byte of each record.
        ends: byte after each record.
        room: how many paths are told apart at most.

    Returns:
        The leaves in order; whether each record is an object at all; the paths (parent, start and end of the
        key in `data`); how many leaves were left out because there were more paths than `room`.
    """
    colons = _colons(data, starts, ends)
    leaves = np.empty((colons, 5), np.int64)
    proper = np.zeros(len(starts), np.bool_)
    room = min(room, colons + 1)
    size = 64
    while size < 2 * room:
        size *= 2
    slots = np.zeros(size, np.int64)
    paths = np.zeros((room, 4), np.int64)
    paths[0, 0] = -1
    paths[0, 3] = 1
    node = np.zeros(MAX_OBJECT_DEPTH, np.int64)
    follow = np.zeros((room, 2), np.int64)
    closers = np.empty(MAX_DEPTH, np.uint8)
    total = 0
    left_out = 0
    for row in range(len(starts)):
        after, crowded = _record(
            data, starts[row], ends[row], slots, paths, leaves, total, node, follow, closers
        )
        if after < 0:
            continue
        leaves[total:after, ROW] = row
        proper[row] = True
        left_out += crowded
        total = after
    return leaves[:total], proper, paths[: paths[0, 3], :3], left_out


@kernel
def counted(leaves: Array, numbers: Array, width: int) -> Array:
    """How many leaves there are of each number that `numbers` gives their paths."""
    counts = np.zeros(width, np.int64)
    for leaf in range(len(leaves)):
        counts[numbers[leaves[leaf, PATH]]] += 1
    return counts


@kernel
def placed(leaves: Array, places: Array) -> Array:
    """What `places` says of each leaf's path."""
    columns = np.empty(len(leaves), np.int64)
    for leaf in range(len(leaves)):
        columns[leaf] = places[leaves[leaf, PATH]]
    return columns
