"""The byte loops under `json_table`: where JSON values begin and end.

Grammar: RFC 8259, with two indulgences: NUL counts as white space (a crash leaves runs of it in a log), and
control characters may stand in strings. A line end inside a string is an error all the same: that is how a
torn record shows. Numba compiles these functions on first use and keeps the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sensors.compiled import kernel
from sensors.reading.machine_words import WIDE, first, members, string_marks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]  # kernels see concrete types; for the checker an element is anything

__all__ = ["kernel"]

INCOMPLETE: Final = -1  # the data ends before the value does
MALFORMED: Final = -2
GARBAGE: Final = -3
FULL: Final = -4
DONE: Final = 0

PLAIN: Final = 0  # a string without escapes
ESCAPED: Final = 1  # a string with escapes
RAW: Final = 2  # a number, true, false, an array, or an object too deep to be taken apart
NULL: Final = 3

MAX_DEPTH: Final = 1024  # orjson's limit as well

QUOTE: Final = ord('"')
BACKSLASH: Final = ord("\\")
OPEN: Final = ord("{")
CLOSE: Final = ord("}")
OPEN_LIST: Final = ord("[")
CLOSE_LIST: Final = ord("]")
COMMA: Final = ord(",")
COLON: Final = ord(":")
LETTER_N: Final = ord("n")
LETTER_U: Final = ord("u")
_MINUS: Final = ord("-")
_POINT: Final = ord(".")
_ZERO: Final = ord("0")
_NINE: Final = ord("9")

_TRUE: Final = np.frombuffer(b"true", np.uint8)
_FALSE: Final = np.frombuffer(b"false", np.uint8)
_NULL: Final = np.frombuffer(b"null", np.uint8)


_SPACE: Final = members(b" \t\r\n\0")
# Between records: brackets and commas of arrays, byte order marks, RFC 7464's record separator.
_SEPARATOR: Final = members(b" \t\r\n\0,[]}\x1e\xef\xbb\xbf")
_ESCAPE: Final = members(b'"\\/bfnrt')
_HEX: Final = members(b"0123456789abcdefABCDEF")
_EXPONENT: Final = members(b"eE")
_SIGN: Final = members(b"+-")
_BREAK: Final = members(b"\n\0")


@kernel
def space(data: Array, at: int, end: int) -> int:
    """The first byte from `at` on that is not white space."""
    while at < end and _SPACE[data[at]]:
        at += 1
    return at


@kernel
def _escape_end(data: Array, at: int, end: int) -> int:
    """After the escape whose backslash is at `at`, or an error."""
    if at + 1 >= end:
        return INCOMPLETE
    if data[at + 1] != LETTER_U:
        return at + 2 if _ESCAPE[data[at + 1]] else MALFORMED
    for digit in range(at + 2, at + 6):
        if digit >= end:
            return INCOMPLETE
        if not _HEX[data[digit]]:
            return MALFORMED
    return at + 6


@kernel
def string_end(data: Array, at: int, end: int) -> tuple[int, int]:
    """After the closing quote of the string that opens at `at` (or an error), and PLAIN or ESCAPED."""
    kind = PLAIN
    at += 1
    while at < end:
        if at + WIDE <= len(data):
            marks = string_marks(data.ctypes.data + at)
            if not marks:
                at += WIDE
                continue
            at += first(marks)
            if at >= end:
                break
        c = data[at]
        if c == QUOTE:
            return at + 1, kind
        if _BREAK[c]:
            return MALFORMED, kind
        if c == BACKSLASH:
            kind = ESCAPED
            at = _escape_end(data, at, end)
            if at < 0:
                return at, kind
        else:
            at += 1
    return INCOMPLETE, kind


@kernel
def _word_end(data: Array, at: int, end: int, word: Array) -> int:
    """After `word` at `at`, or an error."""
    for k in range(len(word)):
        if at + k >= end:
            return INCOMPLETE
        if data[at + k] != word[k]:
            return MALFORMED
    return at + len(word)


@kernel
def _digits_end(data: Array, at: int, end: int) -> int:
    """After one or more digits at `at`, or an error."""
    stop = at
    while stop < end and _ZERO <= data[stop] <= _NINE:
        stop += 1
    if stop > at:
        return stop
    return INCOMPLETE if stop >= end else MALFORMED


@kernel
def _number_end(data: Array, at: int, end: int) -> int:
    """After the number at `at`, or an error."""
    if data[at] == _MINUS:
        at += 1
    stop = _digits_end(data, at, end)
    if stop > at + 1 and data[at] == _ZERO:
        return MALFORMED
    if 0 <= stop < end and data[stop] == _POINT:
        stop = _digits_end(data, stop + 1, end)
    if 0 <= stop < end and _EXPONENT[data[stop]]:
        stop += 1
        if stop < end and _SIGN[data[stop]]:
            stop += 1
        stop = _digits_end(data, stop, end)
    return stop


@kernel
def scalar_end(data: Array, at: int, end: int) -> int:
    """After the string, number or literal at `at`, or an error."""
    c = data[at]
    if c == QUOTE:
        return string_end(data, at, end)[0]
    if c == _TRUE[0]:
        return _word_end(data, at, end, _TRUE)
    if c == _FALSE[0]:
        return _word_end(data, at, end, _FALSE)
    if c == _NULL[0]:
        return _word_end(data, at, end, _NULL)
    return _number_end(data, at, end)


@kernel
def key_end(data: Array, at: int, end: int) -> int:
    """After the key and the colon expected at `at`, or an error."""
    at = space(data, at, end)
    if at >= end:
        return INCOMPLETE
    if data[at] != QUOTE:
        return MALFORMED
    at = string_end(data, at, end)[0]
    if at < 0:
        return at
    at = space(data, at, end)
    if at >= end:
        return INCOMPLETE
    return at + 1 if data[at] == COLON else MALFORMED


@kernel
def _close(data: Array, at: int, end: int, closers: Array, depth: int) -> tuple[int, int]:
    """From after a value to where the next one is due: passes brackets that close, a comma, a key.

    Returns:
        Where to go on (or an error), and how many brackets are open; none: the outermost value ends there.
    """
    while depth:
        at = space(data, at, end)
        if at >= end:
            return INCOMPLETE, depth
        if data[at] == closers[depth - 1]:
            depth -= 1
            at += 1
            continue
        if data[at] != COMMA:
            return MALFORMED, depth
        if closers[depth - 1] == CLOSE:
            return key_end(data, at + 1, end), depth
        return at + 1, depth
    return at, depth


@kernel
def value_end(data: Array, at: int, end: int) -> int:
    """After the JSON value at `at`, or INCOMPLETE or MALFORMED (also: nested deeper than `MAX_DEPTH`)."""
    return nested_end(data, at, end, np.empty(MAX_DEPTH, np.uint8))


@kernel
def nested_end(data: Array, at: int, end: int, closers: Array) -> int:
    """The same, with room for `MAX_DEPTH` brackets: many values need it only once."""
    depth = 0
    while True:
        at = space(data, at, end)
        if at >= end:
            return INCOMPLETE
        c = data[at]
        if c in (OPEN, OPEN_LIST):
            if depth == MAX_DEPTH:
                return MALFORMED
            closers[depth] = c + 2  # in ASCII each of the two closing brackets is its opening one plus two
            depth += 1
            at = space(data, at + 1, end)
            if at < end and data[at] != c + 2:
                if c == OPEN:
                    at = key_end(data, at, end)
                    if at < 0:
                        return at
                continue
        else:
            at = scalar_end(data, at, end)
            if at < 0:
                return at
        at, depth = _close(data, at, end, closers, depth)
        if at < 0 or depth == 0:
            return at


@kernel
def value_ends(data: Array, starts: Array, ends: Array) -> Array:
    """`value_end` for each span."""
    out = np.empty(len(starts), np.int64)
    closers = np.empty(MAX_DEPTH, np.uint8)
    for k in range(len(starts)):
        out[k] = nested_end(data, starts[k], ends[k], closers)
    return out


@kernel
def cut(data: Array, at: int, spans: Array) -> tuple[int, int, int]:
    """Find objects from `at` on, whatever separates them, and write their starts and ends into `spans`.

    Brackets, commas, byte order marks and record separators between objects are passed over, so that arrays
    and concatenations of arrays come apart the same way.

    Returns:
        How many were found; where it stopped; why: DONE, FULL (`spans` is), GARBAGE (something else than an
        object is there), INCOMPLETE or MALFORMED (an object begins there).
    """
    end = len(data)
    closers = np.empty(MAX_DEPTH, np.uint8)
    for count in range(len(spans)):
        while at < end and _SEPARATOR[data[at]]:
            at += 1
        if at >= end:
            return count, at, DONE
        if data[at] != OPEN:
            return count, at, GARBAGE
        stop = nested_end(data, at, end, closers)
        if stop < 0:
            return count, at, stop
        spans[count, 0] = at
        spans[count, 1] = stop
        at = stop
    return len(spans), at, FULL


@kernel
def _is_array(data: Array, at: int, end: int, closers: Array) -> bool:
    """Whether the span from `at` to `end` is one JSON array."""
    at = space(data, at, end)
    if at >= end or data[at] != OPEN_LIST:
        return False
    stop = nested_end(data, at, end, closers)
    return stop > 0 and space(data, stop, end) == end


@kernel
def _note(leaves: Array, count: int, row: int, at: int, stop: int, kind: int) -> int:
    """Write down one leaf; how many there are now. A string is noted without its quotes."""
    quote = 1 if kind in (PLAIN, ESCAPED) else 0
    leaves[count, 0] = row
    leaves[count, 2] = at + quote
    leaves[count, 3] = stop - quote
    leaves[count, 4] = kind
    return count + 1


@kernel
def elements(data: Array, starts: Array, ends: Array) -> Array:
    """The elements of the JSON arrays that fill the spans, nulls left out.

    A span that is no array has one element, itself.

    Returns:
        A row for each element: number of the span, 0, start, end (strings without quotes), kind.
    """
    room = len(starts)
    for row in range(len(starts)):
        for at in range(starts[row], ends[row]):
            room += data[at] == COMMA
    leaves = np.zeros((room, 5), np.int64)
    closers = np.empty(MAX_DEPTH, np.uint8)
    count = 0
    for row in range(len(starts)):
        end = ends[row]
        if not _is_array(data, starts[row], end, closers):
            count = _note(leaves, count, row, starts[row], end, RAW)
            continue
        at = space(data, space(data, starts[row], end) + 1, end)
        while data[at] != CLOSE_LIST:
            stop = nested_end(data, at, end, closers)
            if data[at] == QUOTE:
                count = _note(leaves, count, row, at, stop, string_end(data, at, end)[1])
            elif data[at] != LETTER_N:
                count = _note(leaves, count, row, at, stop, RAW)
            at = space(data, stop, end)
            if data[at] == COMMA:
                at = space(data, at + 1, end)
    return leaves[:count]
