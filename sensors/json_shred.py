"""The byte loops under `json_table`: JSON objects to leaves, and leaves to the text of columns.

A leaf is a row of an int64 array: number of the record, number of its path, start and end in the data, kind
(`json_scan.PLAIN` and so on). Paths are numbered as they are met; path 0 is the record itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.json_scan import (
    BACKSLASH,
    CLOSE,
    COLON,
    COMMA,
    ESCAPED,
    INCOMPLETE,
    LETTER_N,
    LETTER_U,
    MALFORMED,
    NULL,
    OPEN,
    QUOTE,
    RAW,
    kernel,
    key_end,
    space,
    string_end,
    value_end,
)

if TYPE_CHECKING:
    from sensors.json_scan import Array

ROW: Final = 0
PATH: Final = 1
FROM: Final = 2
TO: Final = 3
KIND: Final = 4

MAX_OBJECT_DEPTH: Final = 32  # objects below it stay JSON text
_REPLACEMENT: Final = 0xFFFD
_HIGH, _LOW, _PAST = 0xD800, 0xDC00, 0xE000  # UTF-16 surrogates (RFC 8259, section 7)
_TWO, _THREE, _FOUR = 0x80, 0x800, 0x10000  # first code points of two, three and four bytes in UTF-8
_MASK_63 = np.uint64(0x7FFF_FFFF_FFFF_FFFF)
_FNV_BASIS = np.uint64(14695981039346656037)
_FNV_PRIME = np.uint64(1099511628211)


def _values(pairs: dict[bytes, bytes]) -> Array:
    """A table of 256 numbers: what a byte stands for; itself, unless `pairs` says otherwise."""
    table = np.arange(256, dtype=np.int64)
    for keys, values in pairs.items():
        table[list(keys)] = list(values)
    return table


_UNESCAPED: Final = _values({b"nrtbf": b"\n\r\t\b\f"})
_HEX: Final = _values({b"0123456789abcdef": bytes(range(16)), b"ABCDEF": bytes(range(10, 16))})


@kernel
def _path(data: Array, parent: int, at: int, end: int, slots: Array, paths: Array) -> int:
    """Number of the path `parent` + the key between `at` and `end`; -1 if there is no room for a new one.

    `slots` is an open-addressing hash table of path numbers (0: free). `paths` has a row for each path:
    parent, start and end of its key in `data`, hash; how many there are stands in the root's row.
    """
    if parent < 0:
        return -1
    mixed = _FNV_BASIS ^ np.uint64(parent)
    for k in range(at, end):
        mixed = (mixed ^ np.uint64(data[k])) * _FNV_PRIME
    mark = np.int64(mixed & _MASK_63)
    mask = len(slots) - 1
    slot = (mark ^ (mark >> 29)) & mask
    while slots[slot]:
        known = slots[slot]
        if (
            paths[known, 3] == mark
            and paths[known, 0] == parent
            and np.array_equal(data[paths[known, 1] : paths[known, 2]], data[at:end])
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
def _leaf_end(data: Array, at: int, end: int) -> tuple[int, int]:
    """After the value at `at` (or an error), and its kind."""
    if at >= end:
        return INCOMPLETE, NULL
    if data[at] == QUOTE:
        return string_end(data, at, end)
    kind = NULL if data[at] == LETTER_N else RAW
    return value_end(data, at, end), kind


@kernel
def _record(  # noqa: C901 - a grammar's state machine is plainer in one piece
    data: Array, at: int, end: int, slots: Array, paths: Array, leaves: Array, count: int
) -> tuple[int, int]:
    """Write the leaves of the object that fills the span, from number `count` on.

    Returns:
        How many leaves there are then, or MALFORMED if it is no object; for how many of its leaves
        `paths` had no room.
    """
    node = np.zeros(MAX_OBJECT_DEPTH, np.int64)  # path of each open object
    crowded = 0
    depth = 0
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
            depth -= 1
            if depth < 0:
                return (count if space(data, at, end) == end else MALFORMED), crowded
            continue
        if not opened:
            if at >= end or data[at] != COMMA:
                return MALFORMED, crowded
            at = space(data, at + 1, end)
        stop = key_end(data, at, end)
        if stop < 0:
            return MALFORMED, crowded
        path = _path(data, node[depth], at + 1, string_end(data, at, end)[0] - 1, slots, paths)
        at = space(data, stop, end)
        opened = at < end and data[at] == OPEN and depth + 1 < MAX_OBJECT_DEPTH
        if opened:
            depth += 1
            node[depth] = path
            at += 1
            continue
        stop, kind = _leaf_end(data, at, end)
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
    colons = 0
    for row in range(len(starts)):
        for at in range(starts[row], ends[row]):
            colons += data[at] == COLON
    leaves = np.empty((colons, 5), np.int64)
    proper = np.zeros(len(starts), np.bool_)
    size = 64
    while size < 2 * room:
        size *= 2
    slots = np.zeros(size, np.int64)
    paths = np.zeros((room, 4), np.int64)
    paths[0, 0] = -1
    paths[0, 3] = 1
    count = 0
    left_out = 0
    for row in range(len(starts)):
        after, crowded = _record(data, starts[row], ends[row], slots, paths, leaves, count)
        if after < 0:
            continue
        leaves[count:after, ROW] = row
        proper[row] = True
        left_out += crowded
        count = after
    return leaves[:count], proper, paths[: paths[0, 3], :3], left_out


@kernel
def by_column(rows: Array, columns: Array, width: int) -> tuple[Array, Array]:
    """Numbers of the leaves in order of column, then row, and where each of the `width` columns begins.

    Of several leaves of one column in one row the last counts. Leaves of column -1 are left out.
    """
    begin = np.zeros(width + 1, np.int64)
    for leaf in range(len(columns)):
        if columns[leaf] >= 0:
            begin[columns[leaf] + 1] += 1
    begin = np.cumsum(begin)
    order = np.empty(begin[width], np.int64)
    fill = begin[:width].copy()
    for leaf in range(len(columns)):
        column = columns[leaf]
        if column < 0:
            continue
        at = fill[column]
        if at > begin[column] and rows[order[at - 1]] == rows[leaf]:
            order[at - 1] = leaf
        else:
            order[at] = leaf
            fill[column] = at + 1
    packed = np.zeros(width + 1, np.int64)
    count = 0
    for column in range(width):
        size = fill[column] - begin[column]
        order[count : count + size] = order[begin[column] : fill[column]].copy()
        count += size
        packed[column + 1] = count
    return order[:count], packed


@kernel
def _put(out: Array, at: int, code: int) -> int:
    """Write a code point as UTF-8 (RFC 3629); where to go on."""
    if code < _TWO:
        out[at] = code
        return at + 1
    if code < _THREE:
        out[at] = 0xC0 | (code >> 6)
    elif code < _FOUR:
        out[at] = 0xE0 | (code >> 12)
    else:
        out[at] = 0xF0 | (code >> 18)
        at += 1
        out[at] = 0x80 | ((code >> 12) & 0x3F)
    if code >= _THREE:
        at += 1
        out[at] = 0x80 | ((code >> 6) & 0x3F)
    out[at + 1] = 0x80 | (code & 0x3F)
    return at + 2


@kernel
def _unit(data: Array, at: int) -> int:
    """Value of the four hexadecimal digits at `at`."""
    return int(_HEX[data[at]] << 12 | _HEX[data[at + 1]] << 8 | _HEX[data[at + 2]] << 4 | _HEX[data[at + 3]])


@kernel
def _unescape(data: Array, at: int, end: int, out: Array, to: int) -> tuple[int, int]:
    """Read the escape whose backslash is at `at` into `out`; where to go on in both.

    Half a surrogate pair, and the NUL that separates values in `out`, become U+FFFD.
    """
    if data[at + 1] != LETTER_U:
        return at + 2, _put(out, to, _UNESCAPED[data[at + 1]])
    code = _unit(data, at + 2)
    at += 6
    if _HIGH <= code < _PAST:
        low = 0
        if code < _LOW and at + 6 <= end and data[at] == BACKSLASH and data[at + 1] == LETTER_U:
            low = _unit(data, at + 2)
        if _LOW <= low < _PAST:
            code = _FOUR + ((code - _HIGH) << 10) + (low - _LOW)
            at += 6
        else:
            code = 0
    return at, _put(out, to, code or _REPLACEMENT)


@kernel
def gather(data: Array, leaves: Array, order: Array) -> Array:
    """The values of the leaves in `order` as UTF-8, with NUL between them."""
    size = 0
    for leaf in order:
        size += leaves[leaf, TO] - leaves[leaf, FROM] + 1
    out = np.zeros(size, np.uint8)
    to = 0
    for leaf in order:
        at = leaves[leaf, FROM]
        end = leaves[leaf, TO]
        escaped = leaves[leaf, KIND] == ESCAPED
        while at < end:
            c = data[at]
            if escaped and c == BACKSLASH:
                at, to = _unescape(data, at, end, out, to)
            else:
                out[to] = c or 0x20  # NUL between the tokens of an array is white space
                to += 1
                at += 1
        to += 1
    return out[: max(to - 1, 0)]
