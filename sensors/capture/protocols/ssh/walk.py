"""Compiled: what SSH says before it is encrypted (RFC 4253, 4.2, 6, 7.1 and 8; the first packet of SSH 1.5).

The host key stands in the answers of RFC 4253 (8), RFC 4419 (5), RFC 4432 (4), RFC 4462 (2.1) and RFC 5656
(4), whose numbers mean one thing here and another there: it is known by how it begins, with the name of its
algorithm.
"""
# ruff: noqa: PLR2004 - the numbers are the protocol's own

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

# Columns of what is found of each side; spans are two columns, -1 where there is none.
BANNER: Final = 0
LISTS: Final = 2  # ten name-lists, in the order of RFC 4253, 7.1
NAME_LISTS: Final = 10
KEY: Final = 22  # SSH-2: the host key as it is hashed
EXPONENT: Final = 24  # SSH-1: of the host key
MODULUS: Final = 26
SECOND: Final = 28  # whether the packets were read as those of SSH-2
WIDTH: Final = 29

_KEXINIT, _NEWKEYS = 20, 21
_KEY_REPLIES: Final = (30, 31, 33)
_LINES: Final = 64  # a server may say before its version
_BANNER: Final = 255
_PACKETS: Final = 64
_LONGEST: Final = 1 << 18  # packet that OpenSSH takes


@kernel
def read(data: Array, starts: Array, ends: Array, found: Array) -> None:
    """Take both sides apart.

    Args:
        data: bytes, UInt8.
        starts: where what each side said begins, Int64, rows by client and server.
        ends: the place behind it.
        found: Int64, rows by side by `WIDTH`, -1 everywhere; filled.
    """
    for row in range(len(starts)):
        client = _banner(data, starts[row, 0], ends[row, 0], found[row, 0])
        server = _banner(data, starts[row, 1], ends[row, 1], found[row, 1])
        if _is_first(data, found[row, 0, 0]) or _is_first(data, found[row, 1, 0]):
            if server >= 0:
                _first_key(data, server, ends[row, 1], found[row, 1])
            continue
        if client >= 0:
            _packets(data, client, ends[row, 0], found[row, 0])
        if server >= 0:
            _packets(data, server, ends[row, 1], found[row, 1])


@kernel
def _banner(data: Array, start: int, end: int, found: Array) -> int:
    """Find the line that says the version; where the packets begin, or -1."""
    at = start
    for _ in range(_LINES):
        stop = at
        while stop < end and data[stop] != 0x0A:
            stop += 1
        if stop >= end:
            return -1
        if (
            8 <= stop - at <= _BANNER + 2
            and data[at] == 0x53
            and data[at + 1] == 0x53
            and data[at + 2] == 0x48
            and data[at + 3] == 0x2D
            and 0x31 <= data[at + 4] <= 0x32
            and data[at + 5] == 0x2E
        ):
            found[0], found[1] = at, stop - (data[stop - 1] == 0x0D)
            return stop + 1
        at = stop + 1
    return -1


@kernel
def _is_first(data: Array, at: int) -> bool:
    """Whether the version is 1 and not 1.99, which is a server of version 2 that also speaks 1."""
    return at >= 0 and data[at + 4] == 0x31 and not (data[at + 6] == 0x39 and data[at + 7] == 0x39)


@kernel
def _number(data: Array, at: int) -> int:
    high = np.int64(data[at]) << 24 | np.int64(data[at + 1]) << 16
    return int(high | np.int64(data[at + 2]) << 8 | np.int64(data[at + 3]))


@kernel
def _packets(data: Array, at: int, end: int, found: Array) -> None:
    """Read packets until keys are taken into use."""
    found[SECOND] = 1
    for _ in range(_PACKETS):
        if at + 6 > end:
            return
        length, kind, body = _number(data, at), data[at + 5], at + 6
        behind = at + 4 + length
        stop = min(end, behind - int(data[at + 4]))
        if not 2 <= length <= _LONGEST or stop < body or kind == _NEWKEYS:
            return
        if kind == _KEXINIT and found[LISTS] < 0:
            place = body + 16
            for k in range(NAME_LISTS):
                if place + 4 > stop or place + 4 + _number(data, place) > stop:
                    break
                found[LISTS + 2 * k] = place + 4
                place += 4 + _number(data, place)
                found[LISTS + 2 * k + 1] = place
        elif kind in _KEY_REPLIES and found[KEY] < 0 and _is_key(data, body, stop):
            found[KEY], found[KEY + 1] = body + 4, body + 4 + _number(data, body)
        at = behind


@kernel
def _is_key(data: Array, at: int, stop: int) -> bool:
    """Whether a string stands here that begins with the printable name of an algorithm."""
    if at + 8 > stop:
        return False
    size, name = _number(data, at), _number(data, at + 4)
    if at + 4 + size > stop or not 3 <= name <= 64 or 4 + name > size:
        return False
    for k in range(at + 8, at + 8 + name):  # noqa: SIM110 - a generator is no word of Numba's
        if not 0x21 <= data[k] <= 0x7E:
            return False
    return True


@kernel
def _first_key(data: Array, at: int, end: int, found: Array) -> None:
    """SSH_SMSG_PUBLIC_KEY of version 1: padding, type, cookie, server's key, host's key."""
    if at + 4 > end:
        return
    length = _number(data, at)
    place = at + 4 + 8 - length % 8
    stop = min(end, at + 4 + 8 - length % 8 + length)
    if length > _LONGEST or place + 9 > stop or data[place] != 2:
        return
    place += 9
    for k in range(4):  # of the server's key, then of the host's
        if k % 2 == 0:
            place += 4  # bits of the key
        if place + 2 > stop:
            break
        bits = np.int64(data[place]) << 8 | np.int64(data[place + 1])
        behind = place + 2 + (int(bits) + 7) // 8
        if behind > stop:
            break
        cell = EXPONENT if k == 2 else MODULUS
        if k >= 2:
            found[cell], found[cell + 1] = place + 2, behind
        place = behind
