r"""Lines of `key=value` to columns, many thousands at a time; shared by every sensor of such a format.

A value stands in quotes, or ends at white space (or at a comma or semicolon that a key follows, where
the caller says that these divide). In quotes `\"` is a quote, and so is one that neither another pair nor the
line's end follows: devices forget to escape what a user typed. Words without a `=` are passed over, and so is
whatever stands before the first key. Of several values of one key in a line the last counts.

This module defines no sensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.reading import json_columns
from sensors.reading.json_scan import BACKSLASH, ESCAPED, PLAIN, QUOTE, kernel
from sensors.reading.json_shred import FROM, KIND, PATH, ROW, TO
from sensors.reading.machine_words import members

if TYPE_CHECKING:
    from collections.abc import Collection

    from sensors.reading.json_scan import Array

KEYS: Final = 4096  # told apart at most by `keys`
_EQUALS: Final = ord("=")
_APOSTROPHE: Final = ord("'")
_MASK_63 = np.uint64(0x7FFF_FFFF_FFFF_FFFF)
_FNV_BASIS = np.uint64(14695981039346656037)
_FNV_PRIME = np.uint64(1099511628211)


_BLANK: Final = members(b" \t\r\n\0")
_KEY: Final = members(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


def table(
    text: pl.Series, names: Collection[str], divided_by: str = "", nothing: Collection[str] = ()
) -> pl.DataFrame:
    """The values of the keys `names` in each text, a column of text each; null where a line has no such key.

    Keys that no line has have no column; `first` minds that.

    Args:
        text: a line each; null has no values.
        names: the keys wanted, as they are written.
        divided_by: what may divide pairs besides white space, `,` or `;`.
        nothing: values that say that there is none; they are null.
    """
    wanted = list(dict.fromkeys(names))
    data, starts, ends = json_columns.spans(text)
    known = "\n".join(wanted).encode()
    sizes = np.array([len(name.encode()) for name in wanted], np.int64)
    data = np.concatenate((data, np.frombuffer(known, np.uint8)))
    key_ends = len(data) - len(known) + np.cumsum(sizes + 1) - 1
    leaves, _ = _pairs(data, starts, ends, key_ends - sizes, key_ends, len(wanted), _dividers(divided_by))
    if nothing:
        leaves = leaves[~_are(data, leaves, nothing)]
    present = np.flatnonzero(np.bincount(leaves[:, PATH], minlength=len(wanted)))
    place = np.full(len(wanted), -1)
    place[present] = np.arange(len(present))
    there = [wanted[number] for number in present]
    columns = json_columns.filled(data, leaves, place[leaves[:, PATH]], there, len(starts))
    for number in place[np.unique(leaves[leaves[:, KIND] == ESCAPED, PATH])]:
        columns[number] = columns[number].str.replace_all('\\"', '"', literal=True)
    return pl.DataFrame(columns)


def _are(data: Array, leaves: Array, words: Collection[str]) -> Array:
    """Which leaves are one of the words."""
    starts, sizes = leaves[:, FROM], leaves[:, TO] - leaves[:, FROM]
    found = np.zeros(len(leaves), np.bool_)
    for word in words:
        letters = word.encode()
        rows = np.flatnonzero(sizes == len(letters))
        for place, letter in enumerate(letters):
            rows = rows[data[starts[rows] + place] == letter]
        found[rows] = True
    return found


def first(frame: pl.DataFrame, *names: str) -> pl.Expr:
    """For each row the value of the first of the columns `names` that has one; null if there is none."""
    there = [pl.col(name) for name in names if name in frame.columns]
    return pl.coalesce(there) if there else pl.lit(None, pl.String)


def keys(text: pl.Series, divided_by: str = "") -> list[str]:
    """The distinct keys of all texts in the order of their first appearance, the first `KEYS` of them."""
    data, starts, ends = json_columns.spans(text)
    none = np.empty(0, np.int64)
    _, found = _pairs(data, starts, ends, none, none, KEYS, _dividers(divided_by))
    return [data[at:end].tobytes().decode("utf-8", "replace") for at, end in found.tolist()]


def _dividers(divided_by: str) -> Array:
    return members(divided_by.encode())


@kernel
def _number(data: Array, at: int, end: int, slots: Array, known: Array, count: int) -> tuple[int, int]:
    """Number of the key between `at` and `end`, and how many keys are known then; -1 if there is no room.

    `slots` is an open-addressing hash table of key numbers from 1 on (0: free). `known` has a row for each
    key: start and end in `data`, hash.
    """
    mixed = _FNV_BASIS
    for k in range(at, end):
        mixed = (mixed ^ np.uint64(data[k])) * _FNV_PRIME
    mark = np.int64(mixed & _MASK_63)
    mask = len(slots) - 1
    slot = (mark ^ (mark >> 29)) & mask
    while slots[slot]:
        number = slots[slot] - 1
        if known[number, 2] == mark and np.array_equal(
            data[known[number, 0] : known[number, 1]], data[at:end]
        ):
            return number, count
        slot = (slot + 1) & mask
    if count >= len(known):
        return -1, count
    slots[slot] = count + 1
    known[count] = at, end, mark
    return count, count + 1


@kernel
def _begins_key(data: Array, at: int, end: int) -> bool:
    """Whether a key and its `=` stand at `at`."""
    first = at
    while at < end and _KEY[data[at]]:
        at += 1
    return first < at < end and data[at] == _EQUALS


@kernel
def _pair_follows(data: Array, at: int, end: int, dividers: Array) -> bool:
    """Whether the line is over at `at`, or a pair follows, after a division or without one."""
    while at < end and (_BLANK[data[at]] or dividers[data[at]]):
        at += 1
    return at >= end or _begins_key(data, at, end)


@kernel
def _quoted_end(data: Array, at: int, end: int, quote: int, dividers: Array) -> tuple[int, int]:
    """Where the `quote` stands that ends the value that begins at `at`, or the line's end; and its kind."""
    kind = PLAIN
    maybe, maybe_kind = end, PLAIN  # the first quote before a word that is no pair
    while at < end:
        if data[at] == BACKSLASH and at + 1 < end:
            if data[at + 1] == quote:
                apart = at + 2 >= end or _BLANK[data[at + 2]] or dividers[data[at + 2]]
                if apart and _pair_follows(data, at + 2, end, dividers):
                    return at + 1, kind  # a path that ends with a backslash, and the value with it
                kind = ESCAPED if quote == QUOTE else PLAIN
            at += 2
            continue
        if data[at] == quote:
            if _pair_follows(data, at + 1, end, dividers):
                return at, kind
            if maybe == end and at + 1 < end and (_BLANK[data[at + 1]] or dividers[data[at + 1]]):
                maybe, maybe_kind = at, kind
        elif maybe < end and _BLANK[data[at]] and _begins_key(data, at + 1, end):
            break
        at += 1
    return (maybe, maybe_kind) if maybe < end else (end, kind)


@kernel
def _bare_end(data: Array, at: int, end: int, dividers: Array) -> int:
    """Where the value without quotes ends that begins at `at`."""
    while at < end and not _BLANK[data[at]]:
        if dividers[data[at]]:
            if _pair_follows(data, at, end, dividers):
                return at
            while at + 1 < end and dividers[data[at + 1]]:  # each of many would look as far
                at += 1
        at += 1
    return at


@kernel
def _value(data: Array, at: int, end: int, dividers: Array) -> tuple[int, int, int, int]:
    """Start and end of the value at `at`, where to go on, and its kind."""
    if at < end and (data[at] == QUOTE or data[at] == _APOSTROPHE):
        stop, kind = _quoted_end(data, at + 1, end, data[at], dividers)
        if data[at] == QUOTE or stop < end:
            return at + 1, stop, stop + 1, kind
    stop = _bare_end(data, at, end, dividers)
    return at, stop, stop, PLAIN


@kernel
def _pairs(
    data: Array, starts: Array, ends: Array, key_starts: Array, key_ends: Array, room: int, dividers: Array
) -> tuple[Array, Array]:
    """The leaves of all lines (as `json_shred` has them), and the keys' starts and ends.

    Args:
        data: the bytes of lines, and of the keys known beforehand.
        starts: of each line.
        ends: of each line.
        key_starts: of the keys known beforehand.
        key_ends: of the same.
        room: how many keys are told apart; pairs of others are left out.
        dividers: by byte, whether it may divide pairs besides white space.
    """
    size = 64
    while size < 2 * room:
        size *= 2
    slots = np.zeros(size, np.int64)
    known = np.zeros((room, 3), np.int64)
    count = 0
    for k in range(len(key_starts)):
        _, count = _number(data, key_starts[k], key_ends[k], slots, known, count)
    equals = 0
    for row in range(len(starts)):
        for at in range(starts[row], ends[row]):
            equals += data[at] == _EQUALS
    leaves = np.empty((equals, 5), np.int64)
    filled = 0
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        while at < end:
            word = at
            while at < end and _KEY[data[at]]:
                at += 1
            if at == word or at >= end or data[at] != _EQUALS:
                at += at == word
                continue
            key_end = at
            begin, stop, at, kind = _value(data, at + 1, end, dividers)
            number, count = _number(data, word, key_end, slots, known, count)
            if number >= 0:
                leaves[filled, ROW] = row
                leaves[filled, PATH] = number
                leaves[filled, FROM] = begin
                leaves[filled, TO] = stop
                leaves[filled, KIND] = kind
                filled += 1
    return leaves[:filled], known[:count, :2]
