"""Compiled: where the sets of exports lie, in a file of payloads one after another or in one payload.

No length frames a NetFlow packet, but none is needed: a version where the next set's number would stand (9
is reserved, as are 2 to 255) begins the next packet. What contradicts itself is named, and the walk goes on
at the next header that could be one.
"""

# Compiled: offsets are the formats' own numbers, and the branches of one packet stand together.
# ruff: noqa: PLR2004, PLR0911, FBT001, FBT003

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.compiled import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Columns of the table of sets. For the versions without sets, all records of a packet are one.
BODY, LENGTH, ID, VERSION, SOURCE, TIME, UPTIME, PACKET, EXPORTER, FRAME, SET_COLUMNS = range(11)
# Cells of the walk's state, kept between calls.
AT, ROWS, FAULTS, STATE_CELLS = range(4)
# What a fault is.
CUT, CONTRADICTION = 1, 2
MOST_SETS = (
    4096  # in one packet; a set has at least four bytes, and a packet less than 65,536, but none does this
)

V5, V6, V7, V9, IPFIX = 5, 6, 7, 9, 10
_SENSIBLE = 900_000_000  # seconds: July 1998, before the oldest of these formats


@kernel
def number(data: NDArray[np.uint8], at: int, size: int) -> int:
    """`size` bytes at `at`, most significant first."""
    value = 0
    for index in range(size):
        value = (value << 8) | int(data[at + index])
    return value


@kernel
def _record_bytes(version: int) -> int:
    return 48 if version == V5 else 52


@kernel
def plausible(data: NDArray[np.uint8], at: int, limit: int, strict: bool) -> bool:
    """Whether an export could begin at `at`; `strict` wants a sensible time as well."""
    if at + 16 > limit:
        return False
    version = number(data, at, 2)
    count = number(data, at + 2, 2)
    if version == IPFIX:
        if count < 20 or (strict and (number(data, at + 4, 4) < _SENSIBLE or at + count > limit)):
            return count == 16 and not strict
        return at + 20 > limit or _set_fits(data, at + 16, 2, at + count - at - 16)
    if at + 24 > limit or (strict and number(data, at + 8, 4) < _SENSIBLE):
        return False
    if version == V9:
        return 1 <= count <= MOST_SETS and _set_fits(data, at + 20, 0, 65_516)
    if version in (V5, V6, V7):
        room = limit - at - 24
        return (
            1 <= count <= 30
            and number(data, at + 12, 4) < 1_000_000_000
            and (not strict or room >= count * _record_bytes(version))
        )
    return False


@kernel
def _set_fits(data: NDArray[np.uint8], at: int, templates: int, most: int) -> bool:
    kind = number(data, at, 2)
    known = kind >= 256 or kind in (templates, templates + 1)
    return known and 4 < number(data, at + 2, 2) <= most


@kernel
def stream(
    data: NDArray[np.uint8], limit: int, state: NDArray[np.int64], table: NDArray[np.int64],
    faults: NDArray[np.int64],
) -> bool:  # fmt: skip
    """Walk on from where `state` says until the table is full; whether there may be more."""
    while state[AT] < limit:
        if state[ROWS] + MOST_SETS > table.shape[0] or state[FAULTS] + 2 > faults.shape[0]:
            return True
        if not plausible(data, state[AT], limit, False):
            start = state[AT]
            at = start
            while at < limit and data[at] == 0 and at - start < 64:  # padding behind the last set
                at += 1
            if at < limit and at - start >= 1 and data[at] in (V5, V6, V7, V9, IPFIX):
                if at - 1 > start and plausible(data, at - 1, limit, False):
                    state[AT] = at - 1
                    continue
            elif at == limit:
                state[AT] = limit
                return False
            _fault(start, CONTRADICTION if limit - start >= 24 else CUT, state, faults)
            at = start + 1
            while at < limit and not plausible(data, at, limit, True):
                at += 1
            state[AT] = at
            continue
        state[AT] = packet(data, state[AT], limit, False, state, table, faults)
    return False


@kernel
def _fault(at: int, what: int, state: NDArray[np.int64], faults: NDArray[np.int64]) -> None:
    if state[FAULTS] < faults.shape[0]:
        faults[state[FAULTS], 0], faults[state[FAULTS], 1] = at, what
        state[FAULTS] += 1


@kernel
def packet(
    data: NDArray[np.uint8], at: int, limit: int, framed: bool, state: NDArray[np.int64],
    table: NDArray[np.int64], faults: NDArray[np.int64],
) -> int:  # fmt: skip
    """Add the sets of the packet at `at`; where it ends. `framed`: nothing but it is before `limit`."""
    version = number(data, at, 2)
    row = table[min(state[ROWS], table.shape[0] - 1)]
    row[VERSION], row[PACKET] = version, at
    if version == IPFIX:
        row[TIME], row[UPTIME] = number(data, at + 4, 4) * 1_000_000, 0
        row[SOURCE] = number(data, at + 12, 4)
        stop = at + number(data, at + 2, 2)
        if stop > limit:
            _fault(at, CUT, state, faults)
        _sets(data, at + 16, min(stop, limit), True, 2, state, table, faults)
        return min(stop, limit)
    row[UPTIME] = number(data, at + 4, 4)
    row[TIME] = number(data, at + 8, 4) * 1_000_000
    if version == V9:
        row[SOURCE] = number(data, at + 16, 4)
        return _sets(data, at + 20, limit, framed, 0, state, table, faults)
    row[TIME] += number(data, at + 12, 4) // 1000
    row[SOURCE] = number(data, at + 20, 2) if version == V5 else 0
    size = _record_bytes(version)
    count = number(data, at + 2, 2)
    there = min(count, max(0, limit - at - 24) // size)
    row[BODY], row[LENGTH], row[ID] = at + 24, there * size, version
    state[ROWS] += 1
    if there < count:
        _fault(at + 24 + there * size, CUT, state, faults)
        return limit
    return at + 24 + count * size


@kernel
def _sets(
    data: NDArray[np.uint8], at: int, stop: int, framed: bool, templates: int,
    state: NDArray[np.int64], table: NDArray[np.int64], faults: NDArray[np.int64],
) -> int:  # fmt: skip
    """Add the sets from `at` on: the first one's row has what the packet's header says; where they end."""
    first = state[ROWS]
    while at + 4 <= stop and state[ROWS] - first < MOST_SETS - 1 and state[ROWS] + 1 < table.shape[0]:
        kind, length = number(data, at, 2), number(data, at + 2, 2)
        if kind == 0 and length == 0:  # padding
            if not framed:
                return at
            at += 4
            continue
        if not (kind >= 256 or kind in (templates, templates + 1)):
            if not framed and kind in (V5, V6, V7, V9, IPFIX):
                return at
            _fault(at, CONTRADICTION, state, faults)
            return stop if framed else at
        if length < 4:
            _fault(at, CONTRADICTION, state, faults)
            return stop if framed else at + 4
        row = table[state[ROWS]]
        if state[ROWS] > first:
            row[:] = table[first]
        row[ID], row[BODY] = kind, at + 4
        row[LENGTH] = min(length, stop - at) - 4
        state[ROWS] += 1
        if at + length > stop:
            _fault(at, CUT, state, faults)
            return stop
        at += length
    if 0 < stop - at < 4 and not framed:
        return stop if data[at] == 0 and data[stop - 1] == 0 else at
    return stop if framed else at
