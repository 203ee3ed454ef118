"""Compiled: the blocks of pcapng (draft-ietf-opsawg-pcapng)."""

# ruff: noqa: PLR2004 - block types, options and offsets are the format's own numbers
from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.capture.container import (
    BASE,
    CAPTURED,
    COMMENTS,
    I_BLOCK,
    I_LINK,
    I_PACKETS,
    I_SHIFT,
    I_SNAP,
    I_STATISTICS,
    I_SWAPPED,
    I_TICKS,
    INTERFACES,
    LINK,
    MAX_INTERFACES,
    MAX_NOTES,
    N_AT,
    N_BYTES,
    N_FRAME,
    N_KIND,
    N_SWAPPED,
    NOTE_COMMENT,
    NOTES,
    OFFSET,
    PACKETS,
    SECTIONS,
    SWAPPED,
    TIME,
    WIRE,
)
from sensors.capture.packet import be16, be32
from sensors.compiled import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SECTION = 0x0A0D0D0A
_MICRO = 1_000_000
_LAST_SECOND = 253_402_300_799  # of the year 9999


@kernel
def u16(data: NDArray[np.uint8], at: int, swapped: int) -> int:
    """Two bytes at `at`, little-endian unless `swapped`."""
    found = be16(data, at)
    return found if swapped else (found >> 8) | (found & 0xFF) << 8


@kernel
def u32(data: NDArray[np.uint8], at: int, swapped: int) -> int:
    """Four bytes at `at`, little-endian unless `swapped`."""
    if swapped:
        return be32(data, at)
    return u16(data, at, 0) | (u16(data, at + 2, 0) << 16)


@kernel
def block(data: NDArray[np.uint8], at: int, swapped: int) -> tuple[int, int, int]:
    """A block's type and length, and its byte order: a section's stands in its header as 0x1A2B3C4D."""
    kind = be32(data, at)
    if kind == SECTION:
        swapped = 1 if be16(data, at + 8) == 0x1A2B else 0
        return kind, u32(data, at + 4, swapped), swapped
    return u32(data, at, swapped), u32(data, at + 4, swapped), swapped


@kernel
def believed(data: NDArray[np.uint8], at: int, swapped: int) -> bool:
    """Whether a block of a known type begins here, its length said twice alike."""
    if at + 12 > data.size:
        return False
    kind, length, swapped = block(data, at, swapped)
    if kind not in (1, 2, 3, 4, 5, 6, 10, 0xBAD, 0x40000BAD, SECTION) or length % 4 or length < 12:
        return False
    return at + length <= data.size and u32(data, at + length - 4, swapped) == length


@kernel
def next_block(data: NDArray[np.uint8], at: int, swapped: int) -> int:
    """Where the next block begins that can be one; -1: nowhere."""
    for place in range(at, data.size - 11):
        if believed(data, place, swapped):
            return place
    return -1


@kernel
def _note(
    state: NDArray[np.int64], table: NDArray[np.int64], kind: int, at: int, size: int, frame: int
) -> None:
    if state[NOTES] < MAX_NOTES:
        row = table[MAX_INTERFACES + state[NOTES]]
        row[N_KIND], row[N_AT], row[N_BYTES] = kind, at, size
        row[N_FRAME], row[N_SWAPPED] = frame, state[SWAPPED]
        state[NOTES] += 1


@kernel
def section(at: int, length: int, swapped: int, state: NDArray[np.int64], table: NDArray[np.int64]) -> None:
    """A section begins: its interfaces are numbered from 0, in rows of their own."""
    state[SWAPPED] = swapped
    state[SECTIONS] += 1
    state[BASE] += state[INTERFACES]
    state[INTERFACES] = 0
    if state[BASE] + 64 > MAX_INTERFACES:  # thousands of sections: the table is used again
        state[BASE] = 0
    _note(state, table, SECTION, at, length, state[PACKETS])


@kernel
def other(
    data: NDArray[np.uint8],
    at: int,
    length: int,
    kind: int,
    state: NDArray[np.int64],
    table: NDArray[np.int64],
) -> None:
    """Interfaces (1), their statistics (5), names (4) and secrets (10)."""
    if kind == 1 and length >= 20:
        _interface(data, at, length, state, table)
    elif kind == 5 and length >= 24:
        number = u32(data, at + 8, state[SWAPPED])
        if number < state[INTERFACES]:
            table[state[BASE] + number, I_STATISTICS] = at
    elif kind in (4, 10):
        _note(state, table, kind, at, length, state[PACKETS])


@kernel
def _interface(
    data: NDArray[np.uint8], at: int, length: int, state: NDArray[np.int64], table: NDArray[np.int64]
) -> None:
    """An Interface Description Block: link type, and the options if_tsresol (9) and if_tsoffset (14)."""
    number = state[BASE] + state[INTERFACES]
    if number >= MAX_INTERFACES:
        return
    swapped = state[SWAPPED]
    row = table[number]
    row[:] = 0
    row[I_LINK], row[I_SNAP] = u16(data, at + 8, swapped), u32(data, at + 12, swapped)
    row[I_TICKS], row[I_BLOCK], row[I_SWAPPED] = _MICRO, at, swapped
    option, end = at + 16, at + length - 4
    while option + 4 <= end:
        code, size = u16(data, option, swapped), u16(data, option + 2, swapped)
        if code == 0 or option + 4 + size > end:
            break
        if code == 9 and size >= 1:
            row[I_TICKS] = _ticks(int(data[option + 4]))
        elif code == 14 and size >= 8:
            one, two = u32(data, option + 4, swapped), u32(data, option + 8, swapped)
            high, low = (one, two) if swapped else (two, one)
            row[I_SHIFT] = ((high - (1 << 32) if high >> 31 else high) << 32) | low
        option += 4 + (size + 3) // 4 * 4
    state[INTERFACES] += 1


@kernel
def _ticks(power: int) -> int:
    """Ticks a second, of if_tsresol: a power of ten, or of two."""
    if power & 0x80:
        return 1 << min(power & 0x7F, 40)
    ticks = 1
    for _ in range(min(power, 12)):
        ticks *= 10
    return ticks


@kernel
def packet(
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
        wire, place = u32(data, at + 8, swapped), table[state[BASE]]
        captured = min(wire, length - 16)
        row[CAPTURED] = min(captured, place[I_SNAP]) if place[I_SNAP] else captured
        row[TIME], row[OFFSET], row[WIRE], row[LINK] = 0, at + 12, wire, place[I_LINK]
        place[I_PACKETS] += 1
        return True
    if length < 32:
        return False
    number = u32(data, at + 8, swapped) if kind == 6 else u16(data, at + 8, swapped)
    captured = u32(data, at + 20, swapped)
    if number >= state[INTERFACES] or captured > length - 32:
        return False
    place = table[state[BASE] + number]
    place[I_PACKETS] += 1
    row[TIME] = _moment(u32(data, at + 12, swapped), u32(data, at + 16, swapped), place)
    row[OFFSET], row[CAPTURED] = at + 28, captured
    row[WIRE], row[LINK] = u32(data, at + 24, swapped), place[I_LINK]
    options = at + 28 + (captured + 3) // 4 * 4
    if options + 8 <= at + length:
        _comments(data, options, at + length - 4, state, table)
    return True


@kernel
def _moment(high: int, low: int, place: NDArray[np.int64]) -> int:
    """Microseconds since 1970; 0 for times that no calendar has."""
    if high >> 31:
        return 0
    ticks = place[I_TICKS]
    moment = (high << 32) | low
    shift = place[I_SHIFT]
    if abs(shift) > _LAST_SECOND:
        return 0
    seconds, rest = moment // ticks + shift, moment % ticks
    if seconds < 0 or seconds > _LAST_SECOND:
        return 0
    return int(seconds * _MICRO + rest * _MICRO // ticks)


@kernel
def _comments(
    data: NDArray[np.uint8], option: int, end: int, state: NDArray[np.int64], table: NDArray[np.int64]
) -> None:
    """The options opt_comment (1) of a packet."""
    swapped = state[SWAPPED]
    while option + 4 <= end:
        code, size = u16(data, option, swapped), u16(data, option + 2, swapped)
        if code == 0 or option + 4 + size > end:
            break
        if code == 1:
            state[COMMENTS] += 1
            _note(state, table, NOTE_COMMENT, option + 4, size, state[PACKETS] + 1)
        option += 4 + (size + 3) // 4 * 4
