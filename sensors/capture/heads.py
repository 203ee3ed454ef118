"""Compiled: chained pieces of payload to the beginnings of streams, and to datagrams.

Pieces that came out of order, twice or overlapping are put in order; of what was sent twice the first copy
counts. A stream ends at its first gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensors.capture.cells import CHAIN, PIECES, SIDE, TOLD
from sensors.capture.conversations import HEAD
from sensors.capture.follow import AT, MOST_PIECES, NEXT, PIECE_FRAME, PIECE_TIME, PLACE, SIZE
from sensors.capture.lookup import FREE
from sensors.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns of the marks: where in the room a piece begins, its packet's number, and its moment.
MARK_AT, MARK_FRAME, MARK_TIME, MARK_CELLS = range(4)
# Columns of the table of datagrams; ROW is the place in `rows`.
ROW, SENDER, BEGIN, END, DATAGRAM_FRAME, DATAGRAM_TIME, DATAGRAM_CELLS = range(7)


@kernel
def streams(
    data: NDArray[np.uint8],
    pool: NDArray[np.uint8],
    flows: NDArray[np.int64],
    pieces: NDArray[np.int64],
    rows: NDArray[np.int64],
    begin: int,
    room: NDArray[np.uint8],
    spans: NDArray[np.int64],
    marks: NDArray[np.int64],
) -> tuple[int, int]:
    """Put together the streams of flows `rows[begin:]`, as many as there is room for.

    Args:
        data: the file's bytes.
        pool: those of fragments that were put together; their places are behind `data`'s.
        flows: the table of flows.
        pieces: the table of pieces.
        rows: the flows that are wanted.
        begin: the first of them.
        room: filled with bytes; `HEAD` times four at least.
        spans: filled with start and end in `room` of what the client said, and of what the server said, a row
            a flow, from row 0 on.
        marks: filled, a row a piece, ascending; as many as `MOST_PIECES` times four at least.

    Returns:
        The place in `rows` of the first that was not put together, and how many marks there are.
    """
    order = np.empty(MOST_PIECES, np.int64)
    used = marked = 0
    for index in range(begin, len(rows)):
        if used + 2 * HEAD > room.size or marked + 2 * MOST_PIECES > len(marks):
            return index, marked
        flow = flows[rows[index]]
        for side in range(2):
            chain = flow[SIDE] if side == 0 else 1 - flow[SIDE]
            count = _sorted(pieces, flow[CHAIN + chain], order)
            start, whole = used, 0
            for number in range(count):
                piece = pieces[order[number]]
                skip = whole - piece[PLACE]
                size = min(piece[SIZE], HEAD - piece[PLACE]) - skip
                if skip < 0:
                    break
                if size <= 0:
                    continue
                marks[marked, MARK_AT] = used
                marks[marked, MARK_FRAME], marks[marked, MARK_TIME] = piece[PIECE_FRAME], piece[PIECE_TIME]
                marked += 1
                _copy(data, pool, piece[AT] + skip, size, room, used)
                used += size
                whole += size
            spans[index - begin, 2 * side], spans[index - begin, 2 * side + 1] = start, used
    return len(rows), marked


@kernel
def _copy(
    data: NDArray[np.uint8],
    pool: NDArray[np.uint8],
    at: int,
    size: int,
    room: NDArray[np.uint8],
    used: int,
) -> None:
    if at >= data.size:
        room[used : used + size] = pool[at - data.size : at - data.size + size]
    else:
        room[used : used + size] = data[at : at + size]


@kernel
def _sorted(pieces: NDArray[np.int64], first: int, order: NDArray[np.int64]) -> int:
    """The pieces of a chain by their places, those of one place as they came; how many there are."""
    count = 0
    while first and count < len(order):
        mine = first - 1
        at = count
        while at and pieces[order[at - 1], PLACE] > pieces[mine, PLACE]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = mine
        count += 1
        first = pieces[mine, NEXT]
    return count


@kernel
def datagrams(
    data: NDArray[np.uint8],
    pool: NDArray[np.uint8],
    flows: NDArray[np.int64],
    pieces: NDArray[np.int64],
    rows: NDArray[np.int64],
    begin: int,
    room: NDArray[np.uint8],
    table: NDArray[np.int64],
    free: NDArray[np.int64],
    counters: NDArray[np.int64],
) -> tuple[int, int]:
    """Take together the datagrams of flows `rows[begin:]`, as many as there is room for, out of their chains.

    Args:
        data: as for `streams`, as are the next five.
        pool: see there.
        flows: see there.
        pieces: see there.
        rows: see there.
        begin: see there.
        room: filled with bytes; 64 KiB at least.
        table: filled, a row a datagram.
        free: as for `release`.
        counters: see there.

    Returns:
        The place in `rows` of the first that was not done, and how many rows of `table` are filled.
    """
    used = count = 0
    for index in range(begin, len(rows)):
        flow = flows[rows[index]]
        while flow[CHAIN]:
            piece = pieces[flow[CHAIN] - 1]
            size = piece[SIZE]
            if used + size > room.size or count == len(table):
                return index, count
            _copy(data, pool, piece[AT], size, room, used)
            row = table[count]
            row[ROW], row[SENDER] = index, 0 if piece[PLACE] == flow[SIDE] else 1
            row[BEGIN], row[END] = used, used + size
            row[DATAGRAM_FRAME], row[DATAGRAM_TIME] = piece[PIECE_FRAME], piece[PIECE_TIME]
            used += size
            count += 1
            free[counters[FREE]] = flow[CHAIN] - 1
            counters[FREE] += 1
            flow[CHAIN] = piece[NEXT]
    return len(rows), count


@kernel
def release(
    flows: NDArray[np.int64],
    pieces: NDArray[np.int64],
    rows: NDArray[np.int64],
    free: NDArray[np.int64],
    counters: NDArray[np.int64],
) -> None:
    """Give back the pieces of flows; no more are kept of them, but of UDP ports of which all is.

    Args:
        flows: the table of flows.
        pieces: the table of pieces.
        rows: which flows.
        free: the stack of rows of `pieces` that are not in use, as high as `pieces`.
        counters: those of the pass; `FREE` says how high the stack is.
    """
    for row in rows:
        flow = flows[row]
        for chain in range(2):
            first = flow[CHAIN + chain]
            while first:
                free[counters[FREE]] = first - 1
                counters[FREE] += 1
                first = pieces[first - 1, NEXT]
            flow[CHAIN + chain] = 0
            flow[PIECES + chain] = 0
        flow[TOLD] = 1
