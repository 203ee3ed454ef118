"""What CRYPTO frames carry, put in order (RFC 9000, sections 12.4 and 19).

Google's last versions (Q050, T050, T051) have numbers of their own for the same frames, which no standard
Initial packet may hold, and acknowledgements as "QUIC Wire Layout Specification" of 2016 has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.quic.packets import number
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

LONGEST: Final = 1 << 14  # bytes of a stream that are put together
_PING: Final = 1
_ACK: Final = 2
_ACK_COUNTS: Final = 3
_CRYPTO: Final = 6
_GOOGLE_CRYPTO: Final = 8
_GOOGLE_ACK: Final = 1  # in the two highest bits
_HEADER: Final = 4  # bytes of a handshake message before its body
_HELLOS: Final = (1, 2)


def whole(frames: bytes) -> bool:
    """Whether a packet's first CRYPTO frame holds a hello from its beginning to its end."""
    offset, start, end = following(np.frombuffer(frames, np.uint8), 0, len(frames))
    size = int.from_bytes(frames[start + 1 : start + _HEADER], "big")
    return offset == 0 and start + _HEADER + size <= end and frames[start : start + 1] in (b"\1", b"\2")


@kernel
def together(
    data: Array, starts: Array, ends: Array, streams: Array, count: int
) -> tuple[Array, Array, Array]:
    """The first message of each of `count` streams, from the frames of packets; nothing behind a gap.

    Args:
        data: frames, UInt8.
        starts: where each packet's begin, Int64.
        ends: the place behind them.
        streams: which stream a packet belongs to.
        count: of streams.

    Returns:
        Bytes; where each stream's begin in them, and the place behind.
    """
    sizes = np.zeros(count, np.int64)
    for row in range(len(starts)):
        offset, start, end = following(data, starts[row], ends[row])
        while offset >= 0:
            sizes[streams[row]] += end - start
            offset, start, end = following(data, end, ends[row])
    sizes = np.minimum(sizes, LONGEST)
    behind = np.cumsum(sizes)
    begins = behind - sizes
    made = np.zeros(sizes.sum(), np.uint8)
    there = np.zeros(len(made), np.bool_)
    for row in range(len(starts)):
        stream = streams[row]
        offset, start, end = following(data, starts[row], ends[row])
        while offset >= 0:
            for place in range(start, min(end, start + sizes[stream] - offset)):
                to = begins[stream] + offset + place - start
                if not there[to]:
                    made[to], there[to] = data[place], True
            offset, start, end = following(data, end, ends[row])
    for stream in range(count):
        behind[stream] = _message(made, there, begins[stream], behind[stream])
    return made, begins, behind


@kernel
def following(data: Array, at: int, end: int) -> tuple[int, int, int]:
    """The next CRYPTO frame: its offset (-1 if there is none left), and where its bytes begin and end."""
    while at < end:
        kind = int(data[at])
        at += 1
        if kind in (_CRYPTO, _GOOGLE_CRYPTO):
            offset, at = number(data, at, end)
            length, at = number(data, at, end)
            if offset < 0 or length < 0 or offset > LONGEST:
                break
            return offset, at, min(at + length, end)
        if kind >> 6 == _GOOGLE_ACK:
            at = _google_acknowledged(data, at, end, kind)
        elif kind in (_ACK, _ACK_COUNTS):
            at = _acknowledged(data, at, end, kind)
        elif kind > _PING:
            break
    return -1, end, end


@kernel
def _acknowledged(data: Array, at: int, end: int, kind: int) -> int:
    """The place behind an ACK frame."""
    ranges = 0
    for _ in range(3):  # largest, delay, ranges
        ranges, at = number(data, at, end)
    left = 1 + 2 * min(ranges, end - at) + (3 if kind == _ACK_COUNTS else 0)
    while left > 0 and at < end:
        _, at = number(data, at, end)
        left -= 1
    return at


@kernel
def _google_acknowledged(data: Array, at: int, end: int, kind: int) -> int:
    """The place behind an acknowledgement without times of packets; `end` where there are any."""
    wide, block = max(1, 2 * ((kind >> 2) & 3)), max(1, 2 * (kind & 3))
    at += wide + 2
    if kind & 0x20 and at < end:
        at += 1 + int(data[at]) * (1 + block)
    at += block
    return at + 1 if at < end and data[at] == 0 else end


@kernel
def _message(made: Array, there: Array, begin: int, end: int) -> int:
    """The place behind the first message, or behind what is there of it."""
    at = begin
    while at < end and there[at]:
        at += 1
        if at == begin + _HEADER and int(made[begin]) in _HELLOS:
            length = int(made[at - 3]) << 16 | int(made[at - 2]) << 8 | int(made[at - 1])
            end = min(end, at + length)
    return at
