"""Compiled: a handshake of RFB taken apart (RFC 6143, 7.1 to 7.3), with what others made of it.

https://github.com/rfbproto/rfbproto/blob/master/rfbproto.rst describes Tight, VeNCrypt and the security types
of others; the length of Apple's answers is known from what its clients send.
"""
# ruff: noqa: PLR2004, C901, PLR0911, PLR0912 - the protocol's numbers, and its steps in their order

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

# Columns of what is found, -1 where there is none; spans are two columns.
SERVER: Final = 0  # where the server's version begins
CLIENT: Final = 1
OFFERED: Final = 2  # security types, a byte each
METHOD: Final = 4
SUBTYPE: Final = 5
RESULT: Final = 6
REASON: Final = 7
SHARED: Final = 9
WIDE: Final = 10
HIGH: Final = 11
DEPTH: Final = 12
NAME: Final = 13
USER: Final = 15
TARGET: Final = 17  # that a repeater is asked for
REVERSED: Final = 19  # the server has called the viewer
WIDTH: Final = 20

NONE, VNC, TIGHT, VENCRYPT, APPLE, MS_LOGON = 1, 2, 16, 19, 30, 113
PLAIN: Final = 256  # of VeNCrypt
UNIX: Final = 129  # of Tight: name and password
_CALLED: Final = 250  # bytes in which a repeater is told whom to call
_MOST: Final = 64  # of what comes in lists
_LONGEST: Final = 1 << 12  # of names and reasons


@kernel
def read(data: Array, starts: Array, ends: Array, found: Array) -> None:
    """Take both sides apart; that the server has called the viewer is seen by what fits.

    Args:
        data: bytes, UInt8.
        starts: where what each side said begins, Int64, rows by client and server.
        ends: the place behind it.
        found: Int64, rows by `WIDTH`, -1 everywhere; filled.
    """
    at, stop = np.empty(2, np.int64), np.empty(2, np.int64)
    for row in range(len(starts)):
        at[:], stop[:] = starts[row], ends[row]
        if _talk(data, at, stop, found[row]):
            continue
        found[row] = -1
        at[0], at[1], stop[0], stop[1] = starts[row, 1], starts[row, 0], ends[row, 1], ends[row, 0]
        if _talk(data, at, stop, found[row]):
            found[row, REVERSED] = 1
            continue
        found[row] = -1
        at[:], stop[:] = starts[row], ends[row]
        _talk(data, at, stop, found[row])


@kernel
def _is_version(data: Array, at: int, end: int) -> bool:
    """Whether `RFB 003.008` and a line end stand here, or other digits."""
    if (
        at + 12 > end
        or data[at] != 0x52
        or data[at + 1] != 0x46
        or data[at + 2] != 0x42
        or data[at + 3] != 0x20
    ):
        return False
    for k in range(4, 11):
        if k != 7 and not 0x30 <= data[at + k] <= 0x39:
            return False
    return bool(data[at + 7] == 0x2E and data[at + 11] == 0x0A)


@kernel
def _number(data: Array, at: int) -> int:
    high = np.int64(data[at]) << 24 | np.int64(data[at + 1]) << 16
    return int(high | np.int64(data[at + 2]) << 8 | np.int64(data[at + 3]))


@kernel
def _decimal(data: Array, at: int) -> int:
    return (int(data[at]) - 48) * 100 + (int(data[at + 1]) - 48) * 10 + int(data[at + 2]) - 48


@kernel
def _text(data: Array, at: int, end: int, found: Array, cell: int) -> None:
    """A text behind its length, if it is there whole."""
    if at + 4 <= end and _number(data, at) <= min(_LONGEST, end - at - 4):
        found[cell], found[cell + 1] = at + 4, at + 4 + _number(data, at)


@kernel
def _talk(data: Array, at: Array, stop: Array, found: Array) -> bool:
    """One handshake; false if it cannot be one. `at` and `stop` are the viewer's and the server's."""
    if _is_version(data, at[1], stop[1]):
        found[SERVER] = at[1]
        if _decimal(data, at[1] + 4) == 0 and at[0] + _CALLED <= stop[0]:
            behind = at[0]
            while behind < at[0] + _CALLED and data[behind] != 0:
                behind += 1
            found[TARGET], found[TARGET + 1] = at[0], behind
            at[0], at[1] = at[0] + _CALLED, at[1] + 12
            if _is_version(data, at[1], stop[1]):
                found[SERVER] = at[1]
    if _is_version(data, at[0], stop[0]):
        found[CLIENT] = at[0]
    if found[SERVER] < 0 or found[CLIENT] < 0:
        return bool(found[SERVER] >= 0 or found[CLIENT] >= 0)
    major, minor = _decimal(data, at[0] + 4), _decimal(data, at[0] + 8)
    at[0], at[1] = at[0] + 12, at[1] + 12
    method = _method(data, at, stop, found, major == 3 and minor < 7)
    if method <= 0:
        return method == 0
    found[METHOD] = method
    if major != 3:  # RealVNC's own from here on
        return True
    agreed = _proof(data, at, stop, found, method)
    if agreed == 0:
        return True
    if agreed > 1 or minor >= 8:
        if at[1] + 4 > stop[1]:
            return True
        result = _number(data, at[1])
        at[1] += 4
        if result > 2:
            return False
        found[RESULT] = result
        if result:
            if minor >= 8:
                _text(data, at[1], stop[1], found, REASON)
            return True
    _begin(data, at, stop, found)
    return True


@kernel
def _method(data: Array, at: Array, stop: Array, found: Array, old: bool) -> int:  # noqa: FBT001 - a kernel's
    """The security type; 0 if there is none (yet), -1 if what stands here is no handshake."""
    if old:
        if at[1] + 4 > stop[1]:
            return 0
        method = _number(data, at[1])
        at[1] += 4
        if method > 255:
            return -1
        if method == 0:
            found[RESULT] = 1
            _text(data, at[1], stop[1], found, REASON)
        return method
    if at[1] >= stop[1]:
        return 0
    number = int(data[at[1]])
    at[1] += 1
    if number == 0:
        found[RESULT] = 1
        _text(data, at[1], stop[1], found, REASON)
        return 0
    if number > _MOST:
        return -1
    if at[1] + number > stop[1]:
        return 0
    first = at[1]
    at[1] += number
    method = 0
    if at[0] < stop[0]:
        method = -1
        for k in range(first, first + number):
            if data[k] == data[at[0]]:
                method = int(data[k])
        at[0] += 1
    if method >= 0:
        found[OFFERED], found[OFFERED + 1] = first, first + number
    return method


@kernel
def _proof(data: Array, at: Array, stop: Array, found: Array, method: int) -> int:
    """Past what is said to prove who one is: 0 no more can be read, 1 nothing said, 2 something."""
    if method == TIGHT:
        for step in range(2):  # tunnels, then methods
            if at[1] + 4 > stop[1]:
                return 0
            number = _number(data, at[1])
            at[1] += 4 + 16 * number
            if number > _MOST or at[1] > stop[1]:
                return 0
            if number:
                if at[0] + 4 > stop[0]:
                    return 0
                method = _number(data, at[0])
                at[0] += 4
            elif step:
                method = NONE
        found[SUBTYPE] = method
        if method == UNIX:
            return _plain(data, at, stop, found)
    elif method == VENCRYPT:
        if at[1] + 4 > stop[1] or at[0] + 2 > stop[0] or data[at[1] + 2] != 0:
            return 0
        number = int(data[at[1] + 3])
        at[0], at[1] = at[0] + 2, at[1] + 4 + 4 * number
        if number > _MOST or at[1] > stop[1] or at[0] + 4 > stop[0]:
            return 0
        found[SUBTYPE] = _number(data, at[0])
        at[0] += 4
        return _plain(data, at, stop, found) if found[SUBTYPE] == PLAIN else 0
    if method == NONE:
        return 1
    if method == VNC:
        at[0], at[1] = at[0] + 16, at[1] + 16
    elif method == APPLE:
        if at[1] + 4 > stop[1]:
            return 0
        size = np.int64(data[at[1] + 2]) << 8 | np.int64(data[at[1] + 3])
        at[0], at[1] = at[0] + 128 + size, at[1] + 4 + 2 * size
    elif method == MS_LOGON:
        at[0], at[1] = at[0] + 8 + 256 + 64, at[1] + 24
    else:
        return 0
    return 2 if at[0] <= stop[0] and at[1] <= stop[1] else 0


@kernel
def _plain(data: Array, at: Array, stop: Array, found: Array) -> int:
    """A name and a password in the clear: the name is kept, the password passed over."""
    if at[0] + 8 > stop[0]:
        return 0
    name, password = _number(data, at[0]), _number(data, at[0] + 4)
    at[0] += 8
    if name > 255 or password > _LONGEST or at[0] + name > stop[0]:
        return 0
    found[USER], found[USER + 1] = at[0], at[0] + name
    at[0] += name + password
    return 2 if at[0] <= stop[0] else 0


@kernel
def _begin(data: Array, at: Array, stop: Array, found: Array) -> None:
    """Whether others may look too; then the desktop's size and name."""
    if at[0] >= stop[0]:
        return
    found[SHARED] = data[at[0]] != 0
    place = at[1]
    if place + 24 > stop[1]:
        return
    found[WIDE] = int(data[place]) << 8 | int(data[place + 1])
    found[HIGH] = int(data[place + 2]) << 8 | int(data[place + 3])
    found[DEPTH] = data[place + 5]
    _text(data, place + 20, stop[1], found, NAME)
    if found[NAME] >= 0:  # Apple has other things before the name
        while found[NAME + 1] > found[NAME] and data[found[NAME + 1] - 1] == 0:
            found[NAME + 1] -= 1
        for k in range(found[NAME], found[NAME + 1]):
            if data[k] == 0:
                found[NAME] = k + 1
