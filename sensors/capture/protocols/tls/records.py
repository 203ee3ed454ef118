"""Records of TLS put together to messages of the handshake (RFC 5246, section 6.2; RFC 8446, section 5.1)."""
# ruff: noqa: PLR2004, C901 - numbers are those of the RFCs; kernels have no objects

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.tls.beginnings import CLIENT_AT, SERVER_AT, TURNED
from sensors.capture.protocols.tls.texts import one, two
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

# Columns of what is found, for each row and role.
HELLO: Final = 0  # and 1: the message, among those put together
HELLO_END: Final = 1
TYPES: Final = 2  # of messages in plain, a bit each
CHANGED: Final = 3  # cipher specification
APPLICATION: Final = 4  # records
FIRST_SIZE: Final = 5  # of the first of them
ALERT: Final = 6  # 1 + 256 * level + description, of one in plain
CUT: Final = 7  # there was more than is at hand
CURVE: Final = 8  # the server's, -1 where there is none
WIDTH: Final = 9

_MOST: Final = 16  # certificates of a side
_NAMED_CURVE: Final = 3


def messages(streams: Streams, places: Array) -> tuple[Array, Array, Array]:
    """The handshake in plain, each side's messages one after the other.

    Args:
        streams: rows that have TLS.
        places: where it begins in them, see `beginnings`.

    Returns:
        The bytes, UInt8; numbers found, by row, role (0 the client) and column; certificates, a row each:
        row, role, start and end among the bytes.
    """
    room = int((streams.ends - streams.starts).sum())
    out = np.empty(room, np.uint8)
    found = np.zeros((len(streams), 2, WIDTH), np.int64)
    certificates = np.empty((min(len(streams) * 2 * _MOST, room // 4 + 1), 4), np.int64)
    used, count = _walk(streams.data, streams.starts, streams.ends, places, out, found, certificates)
    return out[:used], found, certificates[:count]


@kernel
def _walk(
    data: Array, starts: Array, ends: Array, places: Array, out: Array, found: Array, certificates: Array
) -> tuple[int, int]:
    used = 0
    count = 0
    for row in range(len(starts)):
        for role in range(2):
            found[row, role, CURVE] = -1
            offset = places[row, SERVER_AT if role else CLIENT_AT]
            side = 1 - role if places[row, TURNED] else role
            if offset < 0:
                continue
            at, end = starts[row, side] + offset, ends[row, side]
            first = used
            if data[at] & 0x80:
                size = min(2 + (two(data, at) & 0x7FFF), end - at)
                if role and size > 13:  # the certificate of SSL 2.0
                    used = _copy(data, at + 13, min(at + 13 + two(data, at + 7), at + size), out, used)
                    if used > first:
                        count = _keep(certificates, count, row, role, first, used)
                    continue
                at += size
            used = _records(data, at, end, role, out, used, found[row, role])
            count = _messages(out, first, used, row, role, found[row, role], certificates, count)
    return used, count


@kernel
def _records(data: Array, at: int, end: int, role: int, out: Array, used: int, found: Array) -> int:
    """Copy what is handshake in plain; gives how much is written."""
    needed = used  # behind a change of ciphers only hellos are in plain, which may need several records
    while at + 5 <= end:
        kind = one(data, at)
        size = two(data, at + 3)
        major = data[at + 1]
        if kind < 20 or kind > 24 or (major != 3 and major != 1) or size > 0x4900:  # noqa: PLR1714
            return used
        body = at + 5
        stop = min(body + size, end)
        if kind == 20:
            if size != 1:
                return used
            found[CHANGED] = 1
            needed = used
        elif kind == 21:
            if size == 2 and stop - body == 2 and not found[CHANGED] and not found[APPLICATION]:
                _alert(one(data, body), one(data, body + 1), found)
        elif kind == 22:
            if found[CHANGED] and used >= needed and _is_hello(data, body, stop, role + 1):
                needed = used + 4 + two(data, body + 2)
            if not found[CHANGED] or used < needed:
                used = _copy(data, body, stop, out, used)
        elif kind == 23:
            found[APPLICATION] += 1
            if found[APPLICATION] == 1:
                found[FIRST_SIZE] = size
        at = body + size
    found[CUT] = at != end
    return used


@kernel
def _is_hello(data: Array, at: int, end: int, kind: int) -> bool:
    return at + 6 <= end and data[at] == kind and data[at + 1] == 0 and data[at + 4] == 3


@kernel
def _alert(level: int, description: int, found: Array) -> None:
    """Keep the first one; a fatal one rather than a warning."""
    if not found[ALERT] or (found[ALERT] < 512 and level == 2):
        found[ALERT] = 1 + (level << 8) + description


@kernel
def _copy(data: Array, at: int, end: int, out: Array, used: int) -> int:
    for k in range(at, end):
        out[used + k - at] = data[k]
    return used + max(end - at, 0)


@kernel
def _messages(
    out: Array, at: int, end: int, row: int, role: int, found: Array, certificates: Array, count: int
) -> int:
    """What the messages are; gives how many certificates there are by now."""
    while at + 4 <= end:
        kind = one(out, at)
        behind = at + 4 + (one(out, at + 1) << 16) + two(out, at + 2)
        stop = min(behind, end)
        fresh = kind < 32 and not (found[TYPES] >> kind) & 1
        if kind < 32:
            found[TYPES] |= 1 << kind
        # Of a client the first hello counts, of a server the last: before it, it may have asked again.
        if kind == role + 1 and (fresh or role):
            found[HELLO] = at
            found[HELLO_END] = stop
        elif kind == 11 and fresh:
            count = _certificates(out, at + 4, stop, row, role, certificates, count)
        elif kind == 12 and role and at + 7 <= stop and out[at + 4] == _NAMED_CURVE:
            found[CURVE] = two(out, at + 5)
        at = behind
    if at != end:
        found[CUT] = 1
    return count


@kernel
def _certificates(
    out: Array, at: int, stop: int, row: int, role: int, certificates: Array, count: int
) -> int:
    if at + 3 > stop:
        return count
    stop = min(stop, at + 3 + (one(out, at) << 16) + two(out, at + 1))
    at += 3
    most = count + _MOST
    while at + 3 <= stop and count < most:
        behind = at + 3 + (one(out, at) << 16) + two(out, at + 1)
        if behind > stop:
            break
        if behind > at + 3:
            count = _keep(certificates, count, row, role, at + 3, behind)
        at = behind
    return count


@kernel
def _keep(certificates: Array, count: int, row: int, role: int, start: int, end: int) -> int:
    if count >= len(certificates):
        return count
    certificates[count, 0] = row
    certificates[count, 1] = role
    certificates[count, 2] = start
    certificates[count, 3] = end
    return count + 1
