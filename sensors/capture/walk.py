"""Compiled: the walk over a capture's blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.capture.blocks import SECTION, believed, block, next_block, other, packet, section, u32
from sensors.capture.container import (
    BACKWARDS,
    CAPTURED,
    CORRUPT,
    CUT,
    EARLIEST,
    ENDED,
    EXTRA,
    FIRST_HOLE,
    FIRST_HOLE_FRAME,
    GOING,
    HOLES,
    LARGEST_PACKET,
    LATEST,
    LINK,
    LINK_TYPE,
    NEXT_GEN,
    OFFSET,
    PACKETS,
    POSITION,
    PREVIOUS,
    RESUME,
    SHORTENED,
    SKIPPED,
    SNAP,
    STATUS,
    SWAPPED,
    TICKS,
    TIME,
    WIRE,
)
from sensors.compiled import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HEADER = 16
_LARGEST = 1 << 26
_MICRO = 1_000_000
_DAY = 86_400
_CHAIN, _LONG_CHAIN = 2, 4  # records in a row that make a place believed


@kernel
def packets(
    data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64], out: NDArray[np.int64]
) -> int:
    """Fill `out` with the next packets; how many there were.

    Args:
        data: the file's bytes.
        state: see `container`; STATUS says why the walk stopped before `out` was full.
        table: interfaces and notes, of which `container` says more; `facts` reads them.
        out: rows of TIME (microseconds since 1970; 0: it says none), OFFSET and CAPTURED (bytes in `data`),
            WIRE (bytes that the packet had), LINK (link type).
    """
    count = _next_gen(data, state, table, out) if state[NEXT_GEN] else _classic(data, state, out)
    earliest, latest, previous = state[EARLIEST], state[LATEST], state[PREVIOUS]
    for row in range(count):
        moment = out[row, TIME]
        state[SHORTENED] += out[row, CAPTURED] < out[row, WIRE]
        if moment:
            state[BACKWARDS] += moment < previous
            earliest, latest, previous = min(earliest, moment), max(latest, moment), moment
    state[EARLIEST], state[LATEST], state[PREVIOUS] = earliest, latest, previous
    return count


@kernel
def _hole(state: NDArray[np.int64], at: int, behind: int) -> None:
    """Note that bytes `at` to `behind` cannot be read."""
    state[HOLES] += 1
    state[SKIPPED] += behind - at
    if state[HOLES] == 1:
        state[FIRST_HOLE], state[FIRST_HOLE_FRAME] = at, state[PACKETS] + 1


@kernel
def _classic(data: NDArray[np.uint8], state: NDArray[np.int64], out: NDArray[np.int64]) -> int:
    at, swapped, header = state[POSITION], state[SWAPPED], _HEADER + state[EXTRA]
    divided = 1 if state[TICKS] == _MICRO else state[TICKS] // _MICRO
    most = max(LARGEST_PACKET, min(state[SNAP], _LARGEST))
    size, count, last = data.size, 0, state[PREVIOUS]
    while count < out.shape[0] and state[STATUS] == GOING:
        if at == size:
            state[STATUS] = ENDED
            break
        if at + header > size:
            state[STATUS] = CUT
            break
        seconds, fraction = u32(data, at, swapped), u32(data, at + 4, swapped)
        captured, wire = u32(data, at + 8, swapped), u32(data, at + 12, swapped)
        lies = captured > most or (seconds | fraction | captured | wire) == 0
        if lies or at + header + captured > size:
            state[STATUS] = CORRUPT if lies else CUT
            behind = -1
            if state[RESUME]:
                chain = _CHAIN if lies else _LONG_CHAIN
                behind = _next_record(data, at + 1, state, last // _MICRO, most, chain)
                state[PACKETS] += count
                if lies or behind >= 0:
                    _hole(state, at, behind if behind >= 0 else size)
                state[PACKETS] -= count
            if behind < 0:
                break
            state[STATUS], at = GOING, behind
            continue
        row = out[count]
        row[TIME] = seconds * _MICRO + fraction // divided
        row[OFFSET], row[CAPTURED], row[WIRE], row[LINK] = at + header, captured, wire, state[LINK_TYPE]
        last = row[TIME]
        count += 1
        at += header + captured
    state[POSITION] = at
    state[PACKETS] += count
    return count


@kernel
def _next_record(
    data: NDArray[np.uint8], at: int, state: NDArray[np.int64], near: int, most: int, chain: int
) -> int:
    """Where the next `chain` records in a row begin, within a day of the second `near`; -1: nowhere."""
    size, header = data.size, _HEADER + state[EXTRA]
    for place in range(at, size - header + 1):
        behind = place
        for _ in range(chain):
            behind = _record(data, behind, state, near, most)
            if behind < 0 or behind == size:
                break
        if behind >= 0:
            return place
    return -1


@kernel
def _record(data: NDArray[np.uint8], at: int, state: NDArray[np.int64], near: int, most: int) -> int:
    """The place behind a record that can be one; -1: it cannot."""
    swapped, header = state[SWAPPED], _HEADER + state[EXTRA]
    if at + header > data.size:
        return -1
    seconds = u32(data, at, swapped)
    if seconds == 0 or (near and abs(seconds - near) > _DAY):
        return -1
    captured, wire = u32(data, at + 8, swapped), u32(data, at + 12, swapped)
    behind = at + header + captured
    if not 0 < captured <= wire <= most or behind > data.size:
        return -1
    return behind if u32(data, at + 4, swapped) < state[TICKS] else -1


@kernel
def _next_gen(
    data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64], out: NDArray[np.int64]
) -> int:
    at, size, count, before = state[POSITION], data.size, 0, state[PACKETS]
    while count < out.shape[0] and state[STATUS] == GOING:
        state[PACKETS] = before + count
        if at >= size:
            state[STATUS] = ENDED
            break
        if at + 12 > size:
            state[STATUS] = CUT
            break
        kind, length, swapped = block(data, at, state[SWAPPED])
        whole = 12 <= length <= _LARGEST and length % 4 == 0
        said = GOING
        if not whole:
            said = CORRUPT
        elif at + length > size:
            said = CUT
        elif _unlike(data, at, length, swapped):
            said = CORRUPT
        elif kind in (2, 3, 6):
            if packet(data, at, length, kind, state, table, out[count]):
                count += 1
            elif state[RESUME]:
                _hole(state, at, at + length)
            else:
                said = CORRUPT
        elif kind == SECTION and length >= 28:
            section(at, length, swapped, state, table)
        elif kind in (1, 4, 5, 10):
            other(data, at, length, kind, state, table)
        if said != GOING:
            behind = -1
            if state[RESUME] and (said == CORRUPT or length > 4 * LARGEST_PACKET):
                behind = next_block(data, at + 4, state[SWAPPED])
                _hole(state, at, behind if behind >= 0 else size)
            if behind < 0:
                state[STATUS] = said
                break
            at = behind
            continue
        at += length
    state[POSITION], state[PACKETS] = at, before + count
    return count


@kernel
def _unlike(data: NDArray[np.uint8], at: int, length: int, swapped: int) -> bool:
    """Whether a block says two lengths, and nothing sound stands where the first of them leads."""
    following = at + length
    if u32(data, following - 4, swapped) == length or following == data.size:
        return False
    return not believed(data, following, swapped)
