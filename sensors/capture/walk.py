"""Compiled: the walk over a capture's blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

from sensors.capture.container import (
    CAPTURED,
    CORRUPT,
    CUT,
    ENDED,
    GOING,
    INTERFACES,
    LINK,
    LINK_TYPE,
    NEXT_GEN,
    OFFSET,
    POSITION,
    STATUS,
    SWAPPED,
    TICKS,
    TIME,
    WIRE,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HEADER = 16
_LARGEST = 1 << 26
_MICRO = 1_000_000


@njit(cache=True, nogil=True)
def u16(data: NDArray[np.uint8], at: int, swapped: int) -> int:
    """Two bytes at `at`, little-endian unless `swapped`."""
    if swapped:
        return (int(data[at]) << 8) | int(data[at + 1])
    return int(data[at]) | (int(data[at + 1]) << 8)


@njit(cache=True, nogil=True)
def u32(data: NDArray[np.uint8], at: int, swapped: int) -> int:
    """Four bytes at `at`, little-endian unless `swapped`."""
    if swapped:
        return (u16(data, at, 1) << 16) | u16(data, at + 2, 1)
    return u16(data, at, 0) | (u16(data, at + 2, 0) << 16)


@njit(cache=True, nogil=True)
def packets(
    data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64], out: NDArray[np.int64]
) -> int:
    """Fill `out` with the next packets; how many there were.

    Args:
        data: the file's bytes.
        state: see `container`; STATUS says why the walk stopped before `out` was full.
        table: interfaces of the pcapng section.
        out: rows of TIME (microseconds since 1970), OFFSET and CAPTURED (bytes in `data`), WIRE (bytes that
            the packet had), LINK (link type).
    """
    if state[NEXT_GEN]:
        return _next_gen(data, state, table, out)
    return _classic(data, state, out)


@njit(cache=True, nogil=True)
def _classic(data: NDArray[np.uint8], state: NDArray[np.int64], out: NDArray[np.int64]) -> int:
    at, swapped, ticks = state[POSITION], state[SWAPPED], state[TICKS]
    size, count = data.size, 0
    while count < out.shape[0] and state[STATUS] == GOING:
        if at == size:
            state[STATUS] = ENDED
            break
        if at + _HEADER > size:
            state[STATUS] = CUT
            break
        captured, wire = u32(data, at + 8, swapped), u32(data, at + 12, swapped)
        if captured > _LARGEST:
            state[STATUS] = CORRUPT
            break
        if at + _HEADER + captured > size:
            state[STATUS] = CUT
            break
        fraction = u32(data, at + 4, swapped)
        if ticks != _MICRO:
            fraction //= 1000
        out[count, TIME] = u32(data, at, swapped) * _MICRO + fraction
        out[count, OFFSET] = at + _HEADER
        out[count, CAPTURED] = captured
        out[count, WIRE] = wire
        out[count, LINK] = state[LINK_TYPE]
        count += 1
        at += _HEADER + captured
    state[POSITION] = at
    return count


@njit(cache=True, nogil=True)
def _next_gen(
    data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64], out: NDArray[np.int64]
) -> int:
    at, size, count = state[POSITION], data.size, 0
    while count < out.shape[0] and state[STATUS] == GOING:
        if at >= size:
            state[STATUS] = ENDED
            break
        if at + 12 > size:
            state[STATUS] = CUT
            break
        kind = u32(data, at, state[SWAPPED])
        if data[at] == 0x0A and data[at + 1] == 0x0D and data[at + 2] == 0x0D and data[at + 3] == 0x0A:
            if at + 16 > size:
                state[STATUS] = CUT
                break
            # The byte order of a section stands in its header: 0x1A2B3C4D.
            state[SWAPPED] = 1 if data[at + 8] == 0x1A else 0
            state[INTERFACES] = 0
            kind = 0x0A0D0D0A
        length = u32(data, at + 4, state[SWAPPED])
        if length < 12 or length % 4 or length > _LARGEST:
            state[STATUS] = CORRUPT
            break
        if at + length > size:
            state[STATUS] = CUT
            break
        if kind == 1 and length >= 20:
            _interface(data, at, length, state, table)
        elif kind in (2, 3, 6):
            if not _packet(data, at, length, kind, state, table, out[count]):
                state[STATUS] = CORRUPT
                break
            count += 1
        at += length
    state[POSITION] = at
    return count


@njit(cache=True, nogil=True)
def _interface(
    data: NDArray[np.uint8], at: int, length: int, state: NDArray[np.int64], table: NDArray[np.int64]
) -> None:
    """An Interface Description Block: link type, and the options if_tsresol (9) and if_tsoffset (14)."""
    number = state[INTERFACES]
    if number >= table.shape[0]:
        return
    swapped = state[SWAPPED]
    table[number, 0] = u16(data, at + 8, swapped)
    table[number, 1] = _MICRO
    table[number, 2] = 0
    option, end = at + 16, at + length - 4
    while option + 4 <= end:
        code, size = u16(data, option, swapped), u16(data, option + 2, swapped)
        if code == 0 or option + 4 + size > end:
            break
        if code == 9 and size >= 1:
            power = int(data[option + 4])
            ticks = 1
            if power & 0x80:
                ticks = 1 << min(power & 0x7F, 40)
            else:
                for _ in range(min(power, 12)):
                    ticks *= 10
            table[number, 1] = ticks
        elif code == 14 and size >= 8:
            low, high = u32(data, option + 4, swapped), u32(data, option + 8, swapped)
            table[number, 2] = (low << 32 | high) if swapped else (high << 32 | low)
        option += 4 + (size + 3) // 4 * 4
    state[INTERFACES] = number + 1


@njit(cache=True, nogil=True)
def _packet(
    data: NDArray[np.uint8],
    at: int,
    length: int,
    kind: int,
    state: NDArray[np.int64],
    table: NDArray[np.int64],
    row: NDArray[np.int64],
) -> bool:
    """A Simple (3), Enhanced (6) or obsolete (2) Packet Block; false if its lengths contradict each other."""
    swapped = state[SWAPPED]
    if kind == 3:
        if length < 16 or state[INTERFACES] < 1:
            return False
        wire = u32(data, at + 8, swapped)
        row[TIME], row[OFFSET], row[CAPTURED] = 0, at + 12, min(wire, length - 16)
        row[WIRE], row[LINK] = wire, table[0, 0]
        return True
    if length < 32:
        return False
    interface = u32(data, at + 8, swapped) if kind == 6 else u16(data, at + 8, swapped)
    captured = u32(data, at + 20, swapped)
    if interface >= state[INTERFACES] or captured > length - 32:
        return False
    ticks = table[interface, 1]
    moment = (u32(data, at + 12, swapped) << 32) | u32(data, at + 16, swapped)
    seconds, rest = moment // ticks, moment % ticks
    row[TIME] = (seconds + table[interface, 2]) * _MICRO + rest * _MICRO // ticks
    row[OFFSET], row[CAPTURED] = at + 28, captured
    row[WIRE], row[LINK] = u32(data, at + 24, swapped), table[interface, 0]
    return True
