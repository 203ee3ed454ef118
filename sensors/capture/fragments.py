"""Compiled: packets taken apart as by `dissect`, the fragments of IP put together first (RFC 791, RFC 8200).

Of bytes that came twice the first are kept (what hosts do differs; RFC 5722 says to drop the packet). Open
datagrams stand in a table of fixed size: one that has waited for a minute is given up, and the oldest of
eight is where there is no room. Bytes are copied, so that the file may be let go.

    slots, pool = begin()
    if full(slots): empty(slots)        # once nobody looks at payloads taken before
    said = take(data, at, captured, link, moment, packet, slots, pool)

Where FRAGMENTS is not 0, places in the packet (TRANSPORT_AT, PAYLOAD_AT) are from `data.size` on, and mean
`pool[place - data.size]`.
"""

# ruff: noqa: PLR2004 - versions of IP, bits
from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.dissect import dissect, extensions, upper
from sensors.capture.packet import (
    FRAGMENT,
    FRAGMENT_AT,
    FRAGMENT_END,
    FRAGMENT_FROM,
    FRAGMENT_ID,
    FRAGMENT_MORE,
    FRAGMENT_WIRE,
    FRAGMENTS,
    HELD,
    IP_BYTES,
    IS_IP,
    PAYLOAD_AT,
    PROTOCOL,
    SOURCE_HIGH,
    SOURCE_LOW,
    TARGET_HIGH,
    TARGET_LOW,
    TRANSPORT_AT,
    VERSION,
)
from sensors.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WAYS = 8  # slots that a datagram may stand in
_SLOTS = 64 * _WAYS
_ROOM = 1 << 16
_WORDS = _ROOM // 8 // 32  # a bit for each eight bytes: fragments begin at multiples of them
_NESTED = 4  # fragments of fragments
_WAIT = 60_000_000  # microseconds
# Columns of the table of slots: a key, then what is known of the datagram, then bits of what is there.
_KIND, _ID, _S_HIGH, _S_LOW, _T_HIGH, _T_LOW, _SINCE, _WHOLE, _TOP, _UNITS, _SHORT, _COUNT, _NEXT = range(13)
_BITS = 13
_COLUMNS = _BITS + _WORDS
# Cells of the row behind the slots.
_USED, LOST_DATAGRAMS, LOST_FRAGMENTS, REFUSED = range(4)
_WHOLE_PACKETS: Final = 8 << 20  # bytes of datagrams that were put together
_FIRST = _SLOTS * _ROOM


def begin() -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The table of open datagrams, and the bytes: of each of them, and behind them of those put together.

    Memory that is never written to costs nothing.
    """
    slots = np.zeros((_SLOTS + 1, _COLUMNS), np.int64)
    slots[_SLOTS, _USED] = _FIRST
    return slots, np.empty(_FIRST + _WHOLE_PACKETS, np.uint8)


def lost(slots: NDArray[np.int64]) -> tuple[int, int, int]:
    """Datagrams given up or still open, fragments of them, and fragments whose place cannot be."""
    told = slots[_SLOTS]
    still = slots[:_SLOTS, _COUNT]
    datagrams = int(told[LOST_DATAGRAMS]) + int(np.count_nonzero(still))
    return datagrams, int(told[LOST_FRAGMENTS]) + int(still.sum()), int(told[REFUSED])


@kernel
def full(slots: NDArray[np.int64]) -> bool:
    """Whether the next packet might find no room for what was put together."""
    return bool(slots[_SLOTS, _USED] + _NESTED * _ROOM > _FIRST + _WHOLE_PACKETS)


@kernel
def empty(slots: NDArray[np.int64]) -> None:
    """Make room: the payloads of packets taken so far are looked at no more."""
    slots[_SLOTS, _USED] = _FIRST


@kernel
def used(slots: NDArray[np.int64]) -> int:
    """How much room those put together have taken so far."""
    return int(slots[_SLOTS, _USED])


@kernel
def rewind(slots: NDArray[np.int64], before: int) -> None:
    """Give back what was put together since `used` said `before`; nobody looks at its payload."""
    slots[_SLOTS, _USED] = before


@kernel
def take(
    data: NDArray[np.uint8],
    at: int,
    captured: int,
    link: int,
    moment: int,
    packet: NDArray[np.int64],
    slots: NDArray[np.int64],
    pool: NDArray[np.uint8],
) -> int:
    """`dissect`, with fragments put together: HELD until a datagram is whole, then IS_IP for all of it."""
    said = dissect(data, at, captured, link, packet)
    if said != IS_IP or not packet[FRAGMENT]:
        return said
    base, source = data.size, data
    for _ in range(_NESTED):
        where, size, whole = _gathered(source, moment, packet, slots, pool)
        if where < 0:
            return HELD
        source = pool
        at, end, wire = where, where + size, where + whole
        packet[FRAGMENT] = 0
        if packet[VERSION] == 6:
            at, end, wire = extensions(source, at, end, wire, packet)
        upper(source, at, end, wire, packet)
        if not packet[FRAGMENT]:
            packet[PAYLOAD_AT] += base
            packet[TRANSPORT_AT] += base
            return IS_IP
    return HELD


@kernel
def _gathered(
    data: NDArray[np.uint8],
    moment: int,
    packet: NDArray[np.int64],
    slots: NDArray[np.int64],
    pool: NDArray[np.uint8],
) -> tuple[int, int, int]:
    """Where in `pool` the datagram lies that the fragment makes whole (-1: none), bytes there, and sent."""
    told = slots[_SLOTS]
    begins, size = packet[FRAGMENT_FROM], packet[FRAGMENT_WIRE] - packet[FRAGMENT_AT]
    if packet[FRAGMENT_MORE]:
        size = size // 8 * 8
    if size <= 0 or begins + size > _ROOM - 1:
        told[REFUSED] += 1
        return -1, 0, 0
    number = _slot(packet, moment, slots)
    slot = slots[number]
    slot[_COUNT] += 1
    if not packet[FRAGMENT_MORE] and slot[_WHOLE] == 0 and begins + size >= slot[_TOP]:
        slot[_WHOLE] = begins + size
    if slot[_WHOLE] and begins + size > slot[_WHOLE]:
        told[REFUSED] += 1
        return -1, 0, 0
    slot[_TOP] = max(slot[_TOP], begins + size)
    if begins == 0 and slot[_NEXT] < 0:
        slot[_NEXT] = packet[PROTOCOL]
    there = max(0, min(size, packet[FRAGMENT_END] - packet[FRAGMENT_AT]))
    if there < size:
        slot[_SHORT] = min(slot[_SHORT], begins + there)
    _fill(data, packet[FRAGMENT_AT], begins, size, there, slot, pool, number * _ROOM)
    whole = slot[_WHOLE]
    if whole == 0 or slot[_UNITS] < (whole + 7) // 8:
        return -1, 0, 0
    packet[FRAGMENTS], packet[PROTOCOL] = slot[_COUNT], slot[_NEXT]
    packet[IP_BYTES] += whole - (packet[FRAGMENT_WIRE] - packet[FRAGMENT_AT])
    slot[_COUNT] = 0
    where, size = told[_USED], min(whole, slot[_SHORT])
    if where + size > pool.size:
        return -1, 0, 0
    pool[where : where + size] = pool[number * _ROOM : number * _ROOM + size]
    told[_USED] = where + size
    return where, size, whole


@kernel
def _slot(packet: NDArray[np.int64], moment: int, slots: NDArray[np.int64]) -> int:
    """The slot of the fragment's datagram; where there is none yet, a free one or the oldest."""
    version = int(packet[VERSION])
    kind = version << 8 | (packet[PROTOCOL] if version == 4 else 0)
    mixed = packet[FRAGMENT_ID] ^ packet[SOURCE_LOW] << 3 ^ packet[TARGET_LOW]
    mixed = ((mixed ^ mixed >> 32) & 0x7FFFFFFF) * 0x1E3779B1
    first = int((mixed >> 40) & (_SLOTS // _WAYS - 1)) * _WAYS
    chosen = first
    for number in range(first, first + _WAYS):
        slot = slots[number]
        if slot[_COUNT] and abs(moment - slot[_SINCE]) > _WAIT:
            _give_up(slot, slots[_SLOTS])
        if slot[_COUNT] and _is(slot, kind, packet):
            return number
        held = slots[chosen]
        if held[_COUNT] and (not slot[_COUNT] or slot[_SINCE] < held[_SINCE]):
            chosen = number
    slot = slots[chosen]
    if slot[_COUNT]:
        _give_up(slot, slots[_SLOTS])
    slot[:] = 0
    slot[_KIND], slot[_ID], slot[_SINCE] = kind, packet[FRAGMENT_ID], moment
    slot[_S_HIGH], slot[_S_LOW] = packet[SOURCE_HIGH], packet[SOURCE_LOW]
    slot[_T_HIGH], slot[_T_LOW] = packet[TARGET_HIGH], packet[TARGET_LOW]
    slot[_SHORT], slot[_NEXT] = _ROOM, -1
    return chosen


@kernel
def _is(slot: NDArray[np.int64], kind: int, packet: NDArray[np.int64]) -> bool:
    return bool(
        slot[_KIND] == kind
        and slot[_ID] == packet[FRAGMENT_ID]
        and slot[_S_LOW] == packet[SOURCE_LOW]
        and slot[_T_LOW] == packet[TARGET_LOW]
        and slot[_S_HIGH] == packet[SOURCE_HIGH]
        and slot[_T_HIGH] == packet[TARGET_HIGH]
    )


@kernel
def _give_up(slot: NDArray[np.int64], told: NDArray[np.int64]) -> None:
    told[LOST_DATAGRAMS] += 1
    told[LOST_FRAGMENTS] += slot[_COUNT]
    slot[_COUNT] = 0


@kernel
def _fill(
    data: NDArray[np.uint8],
    at: int,
    begins: int,
    size: int,
    there: int,
    slot: NDArray[np.int64],
    pool: NDArray[np.uint8],
    base: int,
) -> None:
    """Note that bytes `begins` on came, and keep those that are `there` and had not come before."""
    unit, last = begins // 8, (begins + size + 7) // 8
    while unit < last:
        word, behind = unit // 32, min(last, (unit // 32 + 1) * 32)
        mask = ((1 << (behind - unit)) - 1) << (unit % 32)
        new = mask & ~slot[_BITS + word]
        slot[_BITS + word] |= mask
        if new == mask:
            slot[_UNITS] += behind - unit
            _copy(data, at, begins, there, unit * 8, behind * 8, pool, base)
        elif new:
            for each in range(unit, behind):
                if new >> (each % 32) & 1:
                    slot[_UNITS] += 1
                    _copy(data, at, begins, there, each * 8, each * 8 + 8, pool, base)
        unit = behind


@kernel
def _copy(
    data: NDArray[np.uint8],
    at: int,
    begins: int,
    there: int,
    one: int,
    two: int,
    pool: NDArray[np.uint8],
    base: int,
) -> None:
    """Bytes `one` to `two` of the datagram, as far as the fragment has them."""
    behind = min(two, begins + there)
    if one < behind:
        pool[base + one : base + behind] = data[at + one - begins : at + behind - begins]
