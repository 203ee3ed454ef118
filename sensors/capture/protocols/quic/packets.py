"""Packets with long headers in datagrams: where their parts are (RFC 9000, section 17.2; RFC 9369)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.quic.versions import TURNED
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

INITIAL: Final = 0
RETRY: Final = 3
MOST: Final = 6  # packets looked at in one datagram
# Columns of what `walk` writes: the datagram, the version, the kind of packet; where it, both connection ids,
# its number and its end are; how much of it is missing.
ROW: Final = 0
VERSION: Final = 1
KIND: Final = 2
START: Final = 3
TO: Final = 4  # and 5
OURS: Final = 6  # and 7
NUMBER: Final = 8
END: Final = 9
MISSING: Final = 10  # bytes that the capture did not keep
WIDTH: Final = 11

_LONG: Final = 0xC0  # a long header, and the bit that is always set
_LONGEST_ID: Final = 20
_SHORTEST: Final = 7  # bytes of a long header without ids


def packets(data: Array, starts: Array, ends: Array) -> Array:
    """Packets of datagrams that begin with a long header, Int64, a row each, in their order."""
    found = np.empty((len(starts) * MOST, WIDTH), np.int64)
    kept: Array = found[: walk(data, starts, ends, found)].copy()
    return kept


@kernel
def number(data: Array, at: int, end: int) -> tuple[int, int]:
    """A number of variable length (RFC 9000, section 16) and the place behind it; -1 where it is cut."""
    if at >= end:
        return -1, end
    size = 1 << (data[at] >> 6)
    if at + size > end:
        return -1, end
    value = int(data[at] & 0x3F)
    for place in range(at + 1, at + size):
        value = (value << 8) | int(data[place])
    return value, at + size


@kernel
def walk(data: Array, starts: Array, ends: Array, found: Array) -> int:
    """Write a row for every packet; how many. `found` has room for `MOST` rows a datagram."""
    count = 0
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        for _ in range(MOST):
            if not _header(data, at, end, found[count]):
                break
            behind = found[count, END]
            found[count, ROW], found[count, END] = row, min(behind, end)
            found[count, MISSING] = max(behind - end, 0)
            count += 1
            if behind >= end:
                break
            at = behind
    return count


@kernel
def _header(data: Array, at: int, end: int, found: Array) -> bool:
    """Write the parts of one packet; its end may lie behind the datagram's."""
    if at + _SHORTEST > end or (data[at] & _LONG) != _LONG:
        return False
    version = 0
    for place in range(at + 1, at + 5):
        version = (version << 8) | int(data[place])
    to_end = at + 6 + int(data[at + 5])
    if to_end + 1 > end:
        return False
    ours_end = to_end + 1 + int(data[to_end])
    if ours_end > end or to_end - at - 6 > _LONGEST_ID or ours_end - to_end - 1 > _LONGEST_ID:
        return False
    kind = (int(data[at]) >> 4) & 3
    if version in TURNED:
        kind = (kind + 3) & 3
    found[VERSION], found[KIND], found[START] = version, kind, at
    found[TO], found[TO + 1], found[OURS], found[OURS + 1] = at + 6, to_end, to_end + 1, ours_end
    return _rest(data, ours_end, end, kind, found)


@kernel
def _rest(data: Array, at: int, end: int, kind: int, found: Array) -> bool:
    """Write where the packet's number and end are."""
    found[NUMBER], found[END] = at, end
    if kind == RETRY:
        return True
    if kind == INITIAL:
        token, at = number(data, at, end)
        if token < 0 or token > end - at:
            return False
        at += token
    length, at = number(data, at, end)
    found[NUMBER], found[END] = at, at + length
    return length >= 0
