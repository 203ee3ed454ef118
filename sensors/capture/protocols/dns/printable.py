r"""Compiled: bytes of a capture as text that can be shown and compared.

UTF-8 stays as it is. What is no text, control characters among it, stands as `\ddd` (RFC 1035, 5.1), a
backslash as two; so every text can be told from every other, and none can move a terminal's cursor.
"""

# ruff: noqa: PLR2004, FBT001, FBT003, C901 - compiled: numbers are the format's own, tables come as arguments

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from sensors.compiled import kernel
from sensors.reading import text_views

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

LONGEST = 4  # bytes of text that one byte can need
TEXT, HEX, NAME, STRINGS, LINES, BYTES, WORDS, LONGS, IPV4, IPV6 = range(10)  # forms
_SIZES = (0, 0, 0, 0, 0, 1, 2, 4, 4, 16)  # bytes of an item of each
_BACKSLASH, _DOT, _COMMA, _LINE = 0x5C, 0x2E, 0x2C, 0x0A
_FULL = 255  # a string of this length goes on in the next one


@kernel
def _character(data: Array, at: int, end: int) -> int:
    """How many bytes the character at `at` has (RFC 3629); 0 if it is none, or one that controls."""
    lead = int(data[at])
    if lead < 0x80:
        return 1 if 0x20 <= lead != 0x7F else 0
    size = 2 if 0xC2 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4 if 0xF0 <= lead <= 0xF4 else 0
    if size == 0 or at + size > end:
        return 0
    for index in range(1, size):
        if data[at + index] & 0xC0 != 0x80:
            return 0
    second = int(data[at + 1])
    too_low = (lead == 0xC2 and second < 0xA0) or (lead == 0xE0 and second < 0xA0)
    if too_low or (lead == 0xF0 and second < 0x90):
        return 0
    if (lead == 0xED and second > 0x9F) or (lead == 0xF4 and second > 0x8F):
        return 0
    return size


@kernel
def put(text: Array, used: int, data: Array, at: int, end: int, is_label: bool) -> int:
    """Append bytes; the new length. In a label of a domain name a dot stands behind a backslash."""
    while at < end:
        byte, size = int(data[at]), _character(data, at, end)
        if size == 0:
            text[used] = _BACKSLASH
            text[used + 1], text[used + 2] = 48 + byte // 100, 48 + byte // 10 % 10
            text[used + 3] = 48 + byte % 10
            used, at = used + 4, at + 1
            continue
        if byte == _BACKSLASH or (is_label and byte == _DOT):
            text[used] = _BACKSLASH
            used += 1
        for index in range(size):
            text[used + index] = data[at + index]
        used, at = used + size, at + size
    return used


@kernel
def put_number(text: Array, used: int, number: int) -> int:
    """Append a number that is not negative, decimal."""
    size, rest = 1, number // 10
    while rest:
        size, rest = size + 1, rest // 10
    for index in range(size):
        text[used + size - 1 - index] = 48 + number % 10
        number //= 10
    return used + size


@kernel
def put_hex(text: Array, used: int, data: Array, at: int, end: int) -> int:
    """Append bytes, two digits each."""
    for place in range(at, end):
        for shift in (4, 0):
            digit = (int(data[place]) >> shift) & 15
            text[used] = 48 + digit if digit < 10 else 87 + digit
            used += 1
    return used


@kernel
def put_ipv4(text: Array, used: int, data: Array, at: int) -> int:
    """Append the address at `at`."""
    for index in range(4):
        if index:
            text[used] = _DOT
            used += 1
        used = put_number(text, used, int(data[at + index]))
    return used


@kernel
def put_ipv6(text: Array, used: int, data: Array, at: int) -> int:
    """Append the address at `at`, as RFC 5952 wants it."""
    best, longest, run = -1, 1, 0  # one group of zeros alone is written
    for group in range(8):
        zero = data[at + 2 * group] == 0 and data[at + 2 * group + 1] == 0
        run = run + 1 if zero else 0
        if run > longest:
            best, longest = group - run + 1, run
    group = 0
    while group < 8:
        if group == best:
            text[used], text[used + 1] = 0x3A, 0x3A
            used, group = used + 2, group + longest
            continue
        if group and (best < 0 or group != best + longest):
            text[used] = 0x3A
            used += 1
        value = (int(data[at + 2 * group]) << 8) | int(data[at + 2 * group + 1])
        begun = False
        for shift in (12, 8, 4, 0):
            digit = (value >> shift) & 15
            if digit or begun or shift == 0:
                text[used] = 48 + digit if digit < 10 else 87 + digit
                used, begun = used + 1, True
        group += 1
    return used


@kernel
def put_as(text: Array, used: int, data: Array, at: int, end: int, form: int) -> int:
    """Append bytes in one of the forms below; the new length."""
    if form == TEXT:
        return put(text, used, data, at, end, False)
    if form == HEX:
        return put_hex(text, used, data, at, end)
    first, size, before = used, _SIZES[form], 0
    while at < end:
        if form <= LINES:
            size = 1 + int(data[at])
        if at + size > end or (form == NAME and size == 1):
            break
        goes_on = form == LINES and (before > _FULL or size == 1)
        if used > first and not goes_on:
            text[used] = _DOT if form == NAME else _LINE if form == LINES else _COMMA
            used += 1
        if form <= LINES:
            used = put(text, used, data, at + 1, at + size, form == NAME)
        elif form == IPV4:
            used = put_ipv4(text, used, data, at)
        elif form == IPV6:
            used = put_ipv6(text, used, data, at)
        else:
            value = 0
            for index in range(size):
                value = (value << 8) | int(data[at + index])
            used = put_number(text, used, value)
        at, before = at + size, size if size > 1 else before
    return used


@kernel
def _put_all(data: Array, starts: Array, ends: Array, form: int, text: Array, places: Array) -> None:
    used = 0
    for row in range(len(starts)):
        places[row, 0] = used
        used = put_as(text, used, data, starts[row], ends[row], form)
        places[row, 1] = used


def shown(data: Array, starts: Array, ends: Array, form: int = TEXT) -> pl.Series:
    """Spans of `data`, of whatever bytes, as a column of text.

    Args:
        data: bytes, UInt8.
        starts: where each begins; below 0 where there is none.
        ends: the place behind it.
        form: `TEXT`; `HEX`; `NAME`, labels with their lengths; `STRINGS`, the same with commas; `LINES`, with
            ends of lines, but none where a string had to be cut for its length alone; `BYTES`, `WORDS`,
            `LONGS`, `IPV4`, `IPV6`, as many numbers (of one, two, four bytes) or addresses as there are, with
            commas.

    Returns:
        Null for what is not there, or empty.
    """
    starts, ends = np.where(starts < 0, 0, starts), np.where(starts < 0, 0, ends)
    text = np.empty(LONGEST * int((ends - starts).sum()), np.uint8)
    places = np.zeros((len(starts), 2), np.int64)
    _put_all(data, starts, ends, form, text, places)
    used = int(places[-1, 1]) if len(places) else 0
    whole = text_views.over(text[:used], places[:, 0].copy(), places[:, 1].copy())
    return pl.select(pl.when(whole != "").then(whole)).to_series()
