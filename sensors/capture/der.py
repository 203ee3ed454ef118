"""The distinguished encoding of ASN.1 (ITU-T X.690), as Kerberos and its kin use it: values by their path.

A path is the tags that lead to a value, a byte each, the outermost first, without those of sequences (0x30):
they only hold together what has tags of its own. `0x6A_A4_A1_A1_1B` is in a message of application tag 10
(0x6A) the field 4, of it field 1, of it field 1, and there each GeneralString (0x1B).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

MESSAGE, PATH, START, END, COLUMNS = range(5)
_DEEPEST: Final = 16
_PATH_DEPTH: Final = 7  # tags that a path of 63 bits has room for
_MOST: Final = 512  # elements looked at in a message
_SEQUENCE: Final = 0x30
_CONSTRUCTED: Final = 0x20
_LONG_TAG: Final = 0x1F
_LONG: Final = 0x80
_LONGEST: Final = 4  # bytes of a length


def values(data: Array, starts: Array, ends: Array, paths: Array) -> Array:
    """The wanted values of messages.

    Args:
        data: bytes, UInt8.
        starts: where each message begins.
        ends: the place behind it; a message may be cut short, what is whole before the cut is given.
        paths: those that are wanted, Int64.

    Returns:
        Int64, a row a value in the order they stand: the message's number, the path's number in `paths`, and
        where the contents begin and end in `data`.
    """
    starts, ends = np.asarray(starts, np.int64), np.asarray(ends, np.int64)
    found = np.empty((0, COLUMNS), np.int64)
    number = walk(data, starts, ends, paths, found)
    found = np.empty((number, COLUMNS), np.int64)
    walk(data, starts, ends, paths, found)
    return found


@kernel
def header(data: Array, at: int, end: int) -> tuple[int, int]:
    """Where the contents of the element at `at` begin, -1 if that is unclear, and how long they are."""
    if at + 2 > end or data[at] & 0x1F == _LONG_TAG:
        return -1, 0
    size = int(data[at + 1])
    if size < _LONG:
        return at + 2, size
    more = size & 0x7F
    if more == 0 or more > _LONGEST or at + 2 + more > end:
        return -1, 0
    size = 0
    for k in range(more):
        size = size << 8 | int(data[at + 2 + k])
    return at + 2 + more, size


@kernel
def walk(  # noqa: C901 - one loop: a call for each element costs
    data: Array, starts: Array, ends: Array, paths: Array, found: Array
) -> int:
    """Fills `found` as far as it has rows; how many it would need."""
    number = 0
    behind = np.zeros(_DEEPEST, np.int64)  # of the elements around: where they end, and their paths
    around = np.zeros(_DEEPEST, np.int64)
    for message in range(len(starts)):
        depth, at = 0, starts[message]
        behind[0], around[0] = ends[message], 0
        for _ in range(_MOST):
            while depth > 0 and at >= behind[depth]:
                depth -= 1
            if at >= behind[depth]:
                break
            tag = int(data[at])
            inside, size = header(data, at, behind[depth])
            if inside < 0:
                break
            path = around[depth] if tag == _SEQUENCE else around[depth] << 8 | tag
            if tag & _CONSTRUCTED and depth + 1 < _DEEPEST and path >> 8 * _PATH_DEPTH == 0:
                after = min(inside + size, behind[depth])  # an element cut short, or one that lies
                depth += 1
                behind[depth], around[depth], at = after, path, inside
                continue
            if inside + size > behind[depth]:
                break
            for k in range(len(paths)):
                if paths[k] == path:
                    if number < len(found):
                        found[number, 0], found[number, 1] = message, k
                        found[number, 2], found[number, 3] = inside, inside + size
                    number += 1
            at = inside + size
    return number


def integers(data: Array, starts: Array, ends: Array) -> Array:
    """The integers that stand in spans, Int64, with their sign; 0 where there are no bytes or more than 8."""
    sizes = ends - starts
    fits = (sizes > 0) & (sizes <= 8)  # noqa: PLR2004 - bytes of Int64
    found = np.zeros(len(starts), np.int64)
    found[fits] = np.where(data[starts[fits]] & 0x80, -1, 0)
    for k in range(8):
        rows = np.flatnonzero(fits & (k < sizes))
        found[rows] = found[rows] << 8 | data[starts[rows] + k]
    return found
