"""Compiled: packets to flows, and the beginnings of what is said in them kept aside, in one pass.

Payload is not looked at here: where the first pieces of it lie is chained up, a row of `pieces` each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture import cells, fragments, lookup, tcp
from sensors.capture.cells import (
    BYTES,
    CHAIN,
    CHAIN_END,
    HISTORY,
    LARGE,
    LAST,
    LAST_FRAME,
    LETTERS,
    PACKETS,
    PAYLOAD,
    PIECES,
    SECOND,
    SECONDS,
    SEEN,
    SIDE,
    SMALL,
    TOLD,
)
from sensors.capture.container import CAPTURED, LINK, OFFSET, TIME, WIRE
from sensors.capture.conversations import HEAD
from sensors.capture.lookup import BROKEN_PACKETS, FIRST_BROKEN, FIRST_UNKNOWN, FLOWS, FRAME, FREE, UNKNOWN
from sensors.capture.packet import (
    BROKEN,
    FLAGS,
    IP_BYTES,
    IS_IP,
    OUTER_IP_BYTES,
    OUTER_PAYLOAD_WIRE,
    OUTER_PROTOCOL,
    OUTER_SOURCE_HIGH,
    OUTER_SOURCE_LOW,
    OUTER_SOURCE_PORT,
    OUTER_TARGET_HIGH,
    OUTER_TARGET_LOW,
    OUTER_TARGET_PORT,
    OUTER_VERSION,
    PACKET_CELLS,
    PAYLOAD_AT,
    PAYLOAD_BYTES,
    PAYLOAD_WIRE,
    PROTOCOL,
    SOURCE_HIGH,
    SOURCE_LOW,
    SOURCE_MAC,
    SOURCE_PORT,
    TARGET_HIGH,
    TARGET_LOW,
    TARGET_MAC,
    TARGET_PORT,
    TCP,
    TRANSPORT_AT,
    TUNNEL,
    UDP,
    UNKNOWN_LINK,
    VERSION,
    be16,
    be32,
)
from sensors.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns of the table of pieces; PLACE is bytes behind the first of a TCP stream, and the side of a datagram.
NEXT, PLACE, AT, SIZE, PIECE_FRAME, PIECE_TIME, PIECE_CELLS = range(7)

MOST_PIECES: Final = 96  # of each side of a TCP stream
MOST_DATAGRAMS: Final = 16
_SMALL, _LARGE = 300, 1000  # bytes of payload
_LONGEST: Final = 0xFFFF


@kernel
def follow(
    data: NDArray[np.uint8],
    table: NDArray[np.int64],
    begin: int,
    count: int,
    flows: NDArray[np.int64],
    slots: NDArray[np.int64],
    pieces: NDArray[np.int64],
    free: NDArray[np.int64],
    every: NDArray[np.bool_],
    torn: NDArray[np.int64],
    pool: NDArray[np.uint8],
    counters: NDArray[np.int64],
) -> int:
    """Follow packets `begin` to `count` of `table`; the number of the first that was not followed.

    It stops early where a table might overflow: the caller takes what is there and calls again.

    Args:
        data: the file's bytes.
        table: packets, as `walk.packets` has them.
        begin: the first to be followed.
        count: how many there are.
        flows: the table of flows.
        slots: where each flow stands by its hash, as many as a power of two.
        pieces: the table of pieces.
        free: rows of `pieces` that are not in use, a stack of `counters[FREE]`.
        every: the UDP ports of which every datagram is kept.
        torn: the table of open fragments, as `fragments.begin` makes it.
        pool: their bytes.
        counters: see above.
    """
    packet, outer = np.zeros(PACKET_CELLS, np.int64), np.zeros(PACKET_CELLS, np.int64)
    for index in range(begin, count):
        if counters[FLOWS] + 2 >= flows.shape[0] or counters[FREE] < 1 or fragments.full(torn):
            return index
        row = table[index]
        counters[FRAME] += 1
        before = fragments.used(torn)
        verdict = fragments.take(data, row[OFFSET], row[CAPTURED], row[LINK], row[TIME], packet, torn, pool)
        if verdict != IS_IP:
            if verdict == BROKEN:
                counters[FIRST_BROKEN] = counters[FIRST_BROKEN] or counters[FRAME]
                counters[BROKEN_PACKETS] += 1
            elif verdict == UNKNOWN_LINK:
                counters[FIRST_UNKNOWN] = counters[FIRST_UNKNOWN] or counters[FRAME]
                counters[UNKNOWN] += 1
            continue
        moment = row[TIME]
        if packet[TUNNEL]:
            _carried(packet, outer)
            number, side = lookup.flow_of(outer, moment, 0, flows, slots, counters)
            _add(outer, moment, flows[number], side, counters[FRAME])
            flows[number, cells.CARRIES] = packet[TUNNEL]
            flows[number, cells.WIRE + side] += row[WIRE]
            flows[number, LAST] = max(flows[number, LAST], moment)
        base = ack = window = 0
        at = packet[TRANSPORT_AT]
        if packet[PROTOCOL] == TCP:
            if at >= data.size:
                base, ack, window = _numbers(pool, at - data.size)
            else:
                base, ack, window = _numbers(data, at)
        number, side = lookup.flow_of(packet, moment, base, flows, slots, counters)
        flow = flows[number]
        _add(packet, moment, flow, side, counters[FRAME])
        flow[cells.WIRE + side] += row[WIRE]
        place = side
        if packet[PROTOCOL] == TCP:
            if packet[PAYLOAD_AT] < at + 20:  # the header was cut off
                counters[FIRST_BROKEN] = counters[FIRST_BROKEN] or counters[FRAME]
                counters[BROKEN_PACKETS] += 1
                continue
            place = tcp.step(flow, side, packet[FLAGS], base, ack, window, packet[PAYLOAD_WIRE], moment)
        else:
            flow[LAST] = max(flow[LAST], moment)
        if packet[PAYLOAD_BYTES] > 0 and _is_kept(packet, flow, side, place, every):
            _chain(packet, flow, side, place, pieces, free, moment, counters)
            if packet[PAYLOAD_AT] >= data.size:
                flow[cells.TORN] = 1
        else:
            fragments.rewind(torn, before)
    return count


@kernel
def _numbers(data: NDArray[np.uint8], at: int) -> tuple[int, int, int]:
    """Sequence number, acknowledged number and window of the TCP header at `at`."""
    if at + 16 > data.size:
        return 0, 0, 0
    return be32(data, at + 4), be32(data, at + 8), be16(data, at + 14)


@kernel
def _carried(packet: NDArray[np.int64], outer: NDArray[np.int64]) -> None:
    """The packet around a tunnel's, as one of its own."""
    outer[VERSION], outer[PROTOCOL] = packet[OUTER_VERSION], packet[OUTER_PROTOCOL]
    outer[SOURCE_HIGH], outer[SOURCE_LOW] = packet[OUTER_SOURCE_HIGH], packet[OUTER_SOURCE_LOW]
    outer[TARGET_HIGH], outer[TARGET_LOW] = packet[OUTER_TARGET_HIGH], packet[OUTER_TARGET_LOW]
    outer[SOURCE_PORT], outer[TARGET_PORT] = packet[OUTER_SOURCE_PORT], packet[OUTER_TARGET_PORT]
    outer[IP_BYTES], outer[PAYLOAD_WIRE] = packet[OUTER_IP_BYTES], packet[OUTER_PAYLOAD_WIRE]
    outer[SOURCE_MAC], outer[TARGET_MAC] = -1, -1


@kernel
def _add(packet: NDArray[np.int64], moment: int, flow: NDArray[np.int64], side: int, frame: int) -> None:
    """Count a packet."""
    size = packet[PAYLOAD_WIRE]
    flow[LAST_FRAME] = frame
    flow[PACKETS + side] += 1
    flow[BYTES + side] += packet[IP_BYTES]
    flow[PAYLOAD + side] += size
    if size > 0:
        if size <= _SMALL:
            flow[SMALL + side] += 1
        elif size >= _LARGE:
            flow[LARGE + side] += 1
        second = moment // 1_000_000
        if second != flow[SECOND + side]:
            flow[SECOND + side] = second
            flow[SECONDS + side] += 1
        if packet[PROTOCOL] == UDP and not flow[SEEN] >> side & 1:  # Zeek's history of UDP
            flow[SEEN] |= 1 << side
            flow[HISTORY] |= (0x44 if side == flow[SIDE] else 0x64) << (8 * flow[LETTERS])
            flow[LETTERS] += 1


@kernel
def _is_kept(
    packet: NDArray[np.int64], flow: NDArray[np.int64], side: int, place: int, every: NDArray[np.bool_]
) -> bool:
    """Whether a packet's payload belongs to the beginning of what is said."""
    if packet[PROTOCOL] == TCP:
        return bool(0 <= place < HEAD and flow[PIECES + side] < MOST_PIECES and not flow[TOLD])
    if packet[PROTOCOL] != UDP:
        return False
    if every[packet[SOURCE_PORT]] or every[packet[TARGET_PORT]]:
        return True
    return bool(flow[PIECES + side] < MOST_DATAGRAMS and not flow[TOLD])


@kernel
def _chain(
    packet: NDArray[np.int64],
    flow: NDArray[np.int64],
    side: int,
    place: int,
    pieces: NDArray[np.int64],
    free: NDArray[np.int64],
    moment: int,
    counters: NDArray[np.int64],
) -> None:
    """Keep where a piece of payload lies; datagrams of both sides are in one chain, streams in two."""
    counters[FREE] -= 1
    mine = free[counters[FREE]]
    piece = pieces[mine]
    piece[NEXT], piece[PLACE] = 0, place
    # No datagram of IP is longer; what says it is must not fill the room for all of them.
    piece[AT], piece[SIZE] = packet[PAYLOAD_AT], min(packet[PAYLOAD_BYTES], _LONGEST)
    piece[PIECE_FRAME], piece[PIECE_TIME] = counters[FRAME], moment
    chain = side if packet[PROTOCOL] == TCP else 0
    if flow[CHAIN + chain] == 0:
        flow[CHAIN + chain] = mine + 1
    else:
        pieces[flow[CHAIN_END + chain] - 1, NEXT] = mine + 1
    flow[CHAIN_END + chain] = mine + 1
    flow[PIECES + side] += 1
