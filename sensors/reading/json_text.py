"""The byte loops under `json_columns`: leaves of JSON to the cells of text columns, escapes read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.compiled import kernel
from sensors.reading.json_scan import BACKSLASH, ESCAPED, LETTER_U, PLAIN, RAW
from sensors.reading.json_shred import FROM, KIND, ROW, TO
from sensors.reading.machine_words import WIDE, nul_marks
from sensors.reading.text_views import put

if TYPE_CHECKING:
    from sensors.reading.json_scan import Array

_REPLACEMENT: Final = 0xFFFD
_HIGH, _LOW, _PAST = 0xD800, 0xDC00, 0xE000  # UTF-16 surrogates (RFC 8259, section 7)
_TWO, _THREE, _FOUR = 0x80, 0x800, 0x10000  # first code points of two, three and four bytes in UTF-8


def _values(pairs: dict[bytes, bytes]) -> Array:
    """A table of 256 numbers: what a byte stands for; itself, unless `pairs` says otherwise."""
    table = np.arange(256, dtype=np.int64)
    for keys, values in pairs.items():
        table[list(keys)] = list(values)
    return table


_UNESCAPED: Final = _values({b"nrtbf": b"\n\r\t\b\f"})
_HEX: Final = _values({b"0123456789abcdef": bytes(range(16)), b"ABCDEF": bytes(range(10, 16))})


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
    if data[at + 1] >= _TWO:  # no escape of JSON's; a letter beyond ASCII stays whole
        return at + 1, to
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
def gathered(data: Array, leaves: Array) -> Array:
    """The bytes of the leaves alone, and the leaves moved to where theirs are now."""
    size = 0
    for leaf in range(len(leaves)):
        size += leaves[leaf, TO] - leaves[leaf, FROM]
    out = np.empty(size, np.uint8)
    to = 0
    for leaf in range(len(leaves)):
        at, end = leaves[leaf, FROM], leaves[leaf, TO]
        out[to : to + end - at] = data[at:end]
        leaves[leaf, FROM] = to
        to += end - at
        leaves[leaf, TO] = to
    return out


@kernel
def room_for(data: Array, leaves: Array, columns: Array) -> int:
    """How many bytes at most `fill` writes beside those of `data`."""
    size = 0
    for leaf in range(len(leaves)):
        if columns[leaf] >= 0 and leaves[leaf, KIND] != PLAIN and _is_changed(data, leaves, leaf):
            size += leaves[leaf, TO] - leaves[leaf, FROM]
    return size


@kernel
def _is_changed(data: Array, leaves: Array, leaf: int) -> bool:
    """Whether a leaf's text is not what stands in `data`: escapes, or NUL between an array's tokens."""
    if leaves[leaf, KIND] != RAW:
        return bool(leaves[leaf, KIND] == ESCAPED)
    at, end = leaves[leaf, FROM], leaves[leaf, TO]
    while at + WIDE <= end:
        if nul_marks(data.ctypes.data + at):
            return True
        at += WIDE
    while at < end:
        if not data[at]:
            return True
        at += 1
    return False


@kernel
def fill(data: Array, leaves: Array, columns: Array, views: Array, valid: Array, text: Array) -> None:
    """Write the leaves into the cells of text columns; of several of one cell the last counts.

    Args:
        data: the bytes.
        leaves: in order of their rows.
        columns: the number of each leaf's column; -1: of none.
        views: the cells (`text_views.Columns`).
        valid: a bit for each.
        text: begins with the bytes of `data`, and has room for what `room_for` says.
    """
    to = len(data)
    for leaf in range(len(leaves)):
        if columns[leaf] < 0:
            continue
        at, end = leaves[leaf, FROM], leaves[leaf, TO]
        if leaves[leaf, KIND] != PLAIN and _is_changed(data, leaves, leaf):
            begin = to
            escaped = leaves[leaf, KIND] == ESCAPED
            while at < end:
                c = data[at]
                if escaped and c == BACKSLASH:
                    at, to = _unescape(data, at, end, text, to)
                else:
                    text[to] = c or 0x20  # NUL between the tokens of an array is white space
                    to += 1
                    at += 1
            at, end = begin, to
        put(views, valid, columns[leaf], leaves[leaf, ROW], text, at, end)
