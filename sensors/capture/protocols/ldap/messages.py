"""LDAP messages in what both sides said, and elements of BER within them (RFC 4511, 4.1.1, 5.1; X.690)."""

# ruff: noqa: PLR2004 - numbers are tags and lengths of BER

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.addresses import octets
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

COLUMNS: Final = ("row", "side", "at", "id", "operation", "start", "end")
ROW, SIDE, AT, ID, OPERATION, START, END = range(7)


def found(streams: Streams) -> Array:
    """Every message at the beginnings of both sides, a row each, columns by `COLUMNS`.

    `operation` is its tag, `start` and `end` where in the data its contents are.
    """
    count = walk(streams.data, streams.starts, streams.ends, np.empty((0, len(COLUMNS)), np.int64))
    messages = np.empty((count, len(COLUMNS)), np.int64)
    walk(streams.data, streams.starts, streams.ends, messages)
    return messages


@kernel
def walk(data: Array, starts: Array, ends: Array, messages: Array) -> int:
    """Find messages, until something is none or is not all at hand.

    Args:
        data: bytes, UInt8.
        starts: of both sides, rows by sides.
        ends: the places behind them.
        messages: gets a row each; may be of no length, to count.

    Returns:
        How many there are.
    """
    count = 0
    for row in range(len(starts)):
        for side in range(2):
            at = starts[row, side]
            end = ends[row, side]
            while at < end:
                inner, behind, following = _wrapped(data, at, end)
                if inner < 0:
                    break
                start = inner
                while start < behind:
                    after = _message(
                        data, row, side, start - starts[row, side], start, behind, count, messages
                    )
                    if after < 0:
                        break
                    count += 1
                    start = after
                if start == inner:
                    break
                at = following if inner > at else start
    return count


@kernel
def _message(
    data: Array, row: int, side: int, place: int, at: int, end: int, count: int, messages: Array
) -> int:
    """Write one message, unless `messages` is too short; the place behind it, or -1 if this is none."""
    tag, start, behind = element(data, at, end)
    if tag != 0x30:
        return -1
    kind, number, after = element(data, start, behind)
    if kind != 0x02 or not 1 <= after - number <= 4:
        return -1
    value = 0
    for k in range(number, after):
        value = value * 256 + int(data[k])
    operation, inner, stop = element(data, after, behind)
    if operation < 0:
        return -1
    if count < len(messages):
        messages[count] = (row, side, place, value, operation, inner, stop)
    return behind


@kernel
def _wrapped(data: Array, at: int, end: int) -> tuple[int, int, int]:
    """Where messages begin and end that are signed, not sealed, and what follows (RFC 4121, 4.2.6.2).

    As they are where nothing wraps them; -1 where they cannot be read.
    """
    if data[at] == 0x30:
        return at, end, end
    if at + 24 > end or data[at] != 0:
        return -1, end, end
    size = (int(data[at + 1]) * 256 + int(data[at + 2])) * 256 + int(data[at + 3])
    behind = at + 4 + size
    token = at + 4
    if size < 20 or behind > end:
        return -1, end, end
    if data[token] == 0x05 and data[token + 1] == 0x04 and data[token + 2] & 2 == 0:
        check = int(data[token + 4]) * 256 + int(data[token + 5])
        turned = int(data[token + 6]) * 256 + int(data[token + 7])
        start = token + 16 + turned
        stop = behind if turned == check else behind - check
        return (start, stop, behind) if start < stop and turned in (0, check) else (-1, end, end)
    if data[token] == 0x01 and data[token + 1] == 0 and data[token + 16] == 0x30:
        return token + 16, behind, behind
    return -1, end, end


@kernel
def element(data: Array, at: int, end: int) -> tuple[int, int, int]:
    """Tag, contents and the place behind an element that ends before `end`; a tag of -1 if none does."""
    if at + 2 > end:
        return -1, at, at
    tag = int(data[at])
    size = int(data[at + 1])
    start = at + 2
    if size >= 0x80:
        width = size - 0x80
        if width == 0 or width > 4 or start + width > end or tag & 0x1F == 0x1F:
            return -1, at, at
        size = 0
        for k in range(width):
            size = size * 256 + int(data[start + k])
        start += width
    if start + size > end:
        return -1, at, at
    return tag, start, start + size


def elements(data: Array, at: Array, ends: Array) -> tuple[Array, Array, Array]:
    """The same for arrays of places: tags (-1 where there is none), starts and ends."""
    tag, size = octets(data, at, ends), octets(data, at + 1, ends)
    width = np.where(size > 0x80, size - 0x80, 0)
    long = np.zeros(len(at), np.int64)
    for k in range(4):
        octet = octets(data, at + 2 + k, ends)
        long = np.where(k < width, long * 256 + octet, long)
    size = np.where(size >= 0x80, np.where((width > 0) & (width <= 4), long, -1), size)
    start = at + 2 + width
    fits = (tag >= 0) & (size >= 0) & (start + size <= ends)
    return np.where(fits, tag, -1), np.where(fits, start, at), np.where(fits, start + size, at)
