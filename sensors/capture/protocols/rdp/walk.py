"""Compiled: where the parts of an RDP handshake lie (MS-RDPBCGR, 2.2.1.1 to 2.2.1.4; X.224; T.124's PER)."""
# ruff: noqa: PLR2004 - the numbers are the protocol's own

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

# Columns of what is found, -1 where there is none; spans are two columns.
REQUEST: Final = 0  # whether the client asked
COOKIE: Final = 1
TOKEN: Final = 3
ASKED: Final = 5
CONFIRM: Final = 6  # whether the server answered
CHOSEN: Final = 7
FAILED: Final = 8
RESULT: Final = 9  # of the conference
CLIENT_BLOCKS: Final = 10  # core, security, network, cluster, monitor, …: spans
SERVER_BLOCKS: Final = 30  # core, security, network, …
WIDTH: Final = 46

_TPKTS: Final = 4
_COOKIE: Final = np.frombuffer(b"Cookie: mstshash=", np.uint8)
_CLIENT_KEY: Final = np.frombuffer(b"Duca", np.uint8)
_SERVER_KEY: Final = np.frombuffer(b"McDn", np.uint8)


@kernel
def read(data: Array, starts: Array, ends: Array, found: Array) -> None:
    """Find the parts of both sides.

    Args:
        data: bytes, UInt8.
        starts: where what each side said begins, Int64, rows by client and server.
        ends: the place behind it.
        found: Int64, rows by `WIDTH`, -1 everywhere; filled.
    """
    for row in range(len(starts)):
        for side in range(2):
            at, end = starts[row, side], ends[row, side]
            for _ in range(_TPKTS):
                if at + 7 > end or data[at] != 3:
                    break
                size = np.int64(data[at + 2]) << 8 | np.int64(data[at + 3])
                if size < 7:
                    break
                kind = data[at + 5]
                if kind & 0xF0 in (0xD0, 0xE0):  # some clients give a wrong length outside
                    size = max(size, 5 + np.int64(data[at + 4]))
                stop = min(end, at + size)
                if kind & 0xF0 == 0xE0 and side == 0:
                    _request(data, at + 11, stop, found[row])
                elif kind & 0xF0 == 0xD0 and side == 1:
                    _confirm(data, at + 11, stop, found[row])
                elif kind == 0xF0:
                    _conference(data, at + 7, stop, side, found[row])
                at += size


@kernel
def _is(data: Array, at: int, stop: int, text: Array) -> bool:
    if at + len(text) > stop:
        return False
    for k in range(len(text)):  # noqa: SIM110 - a generator is no word of Numba's
        if data[at + k] != text[k]:
            return False
    return True


@kernel
def _number(data: Array, at: int) -> int:
    high = np.int64(data[at + 3]) << 24 | np.int64(data[at + 2]) << 16
    return int(high | np.int64(data[at + 1]) << 8 | np.int64(data[at]))


@kernel
def _request(data: Array, at: int, stop: int, found: Array) -> None:
    """Whom the client is, or which server it was sent to before; then what security it can."""
    if at > stop:
        return
    found[REQUEST] = 1
    behind = at
    while behind + 1 < stop and (data[behind] != 0x0D or data[behind + 1] != 0x0A):
        behind += 1
    if behind + 1 < stop and data[at] >= 0x20:
        if _is(data, at, behind, _COOKIE):
            found[COOKIE], found[COOKIE + 1] = at + len(_COOKIE), behind
        else:
            found[TOKEN], found[TOKEN + 1] = at, behind
        at = behind + 2
    if at + 8 <= stop and data[at] == 1 and data[at + 2] == 8 and data[at + 3] == 0:
        found[ASKED] = _number(data, at + 4)


@kernel
def _confirm(data: Array, at: int, stop: int, found: Array) -> None:
    """What security the server chose, or why it refused."""
    if at > stop:
        return
    found[CONFIRM] = 1
    if at + 8 <= stop and data[at + 2] == 8 and data[at + 3] == 0:
        if data[at] == 2:
            found[CHOSEN] = _number(data, at + 4)
        elif data[at] == 3:
            found[FAILED] = _number(data, at + 4)


@kernel
def _conference(data: Array, at: int, stop: int, side: int, found: Array) -> None:
    """The blocks of a conference's creation, which begin behind a key of four letters and their length."""
    if at + 2 > stop or data[at] != 0x7F or data[at + 1] != 0x65 + side:
        return
    place = at
    while place + 4 <= stop and not _is(data, place, stop, _SERVER_KEY if side else _CLIENT_KEY):
        place += 1
    if place + 6 > stop:
        return
    if side and place - 4 >= at:
        found[RESULT] = data[place - 4]
    place += 6 if data[place + 4] & 0x80 else 5
    while place + 4 <= stop:
        kind = int(data[place]) - 1
        size = int(np.int64(data[place + 2]) | np.int64(data[place + 3]) << 8)
        if size < 4:
            return
        cell = -1
        if side == 0 and data[place + 1] == 0xC0 and 0 <= kind < 10:
            cell = CLIENT_BLOCKS + 2 * kind
        elif side == 1 and data[place + 1] == 0x0C and 0 <= kind < 8:
            cell = SERVER_BLOCKS + 2 * kind
        if cell >= 0 and found[cell] < 0:
            found[cell], found[cell + 1] = place, min(place + size, stop)
        place += size
