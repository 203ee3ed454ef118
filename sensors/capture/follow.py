"""Compiled: packets to flows, and the beginnings of what is said in them kept aside, in one pass.

A flow is what Zeek's conn.log calls a connection: both directions of one pair of endpoints until it has been
idle for as long as Zeek waits (five minutes for TCP, one for the others), or until TCP begins anew. The
originator is who sent the first packet, or, where that is no SYN, whoever does not have a server's port.

Payload is not looked at here: where the first pieces of it lie is chained up, a row of `pieces` each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture import cells, fragments, tcp
from sensors.capture.cells import (
    BYTES,
    CHAIN,
    CHAIN_END,
    CLOSED,
    FIRST,
    FIRST_FRAME,
    FLIPPED,
    FLOW_CELLS,
    HISTORY,
    KIND,
    LARGE,
    LAST,
    LAST_FRAME,
    LETTERS,
    ONE_HIGH,
    ONE_LOW,
    OVER,
    PACKETS,
    PAYLOAD,
    PIECES,
    PORTS,
    SECOND,
    SECONDS,
    SEEN,
    SERIAL,
    SIDE,
    SMALL,
    START,
    STATE,
    TOLD,
    TWO_HIGH,
    TWO_LOW,
)
from sensors.capture.container import CAPTURED, LINK, OFFSET, TIME, WIRE
from sensors.capture.conversations import HEAD
from sensors.capture.dissect import (
    BROKEN,
    FLAGS,
    ICMP,
    ICMP6,
    ICMP_CODE,
    ICMP_TYPE,
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
    VLAN,
    be16,
    be32,
)
from sensors.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cells of the counters that a pass keeps.
FLOWS, SERIALS, FRAME, FREE, BROKEN_PACKETS, FIRST_BROKEN, UNKNOWN, FIRST_UNKNOWN, COUNTERS = range(9)
# Columns of the table of pieces; PLACE is bytes behind the first of a TCP stream, and the side of a datagram.
NEXT, PLACE, AT, SIZE, PIECE_FRAME, PIECE_TIME, PIECE_CELLS = range(7)

MOST_PIECES: Final = 96  # of each side of a TCP stream
MOST_DATAGRAMS: Final = 16
_SMALL, _LARGE = 300, 1000  # bytes of payload
_TCP_IDLE, _OTHER_IDLE = 300_000_000, 60_000_000
_GONE: Final = 5_000_000  # after which Zeek forgets what is closed, or what nobody answered
_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)


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
        if packet[TUNNEL] and packet[OUTER_PROTOCOL] == UDP:
            _carried(packet, outer)
            number, side = _flow(outer, moment, 0, flows, slots, counters)
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
        number, side = _flow(packet, moment, base, flows, slots, counters)
        flow = flows[number]
        _add(packet, moment, flow, side, counters[FRAME])
        flow[cells.WIRE + side] += row[WIRE]
        place = side
        if packet[PROTOCOL] == TCP:
            if packet[PAYLOAD_AT] < at + 20:  # the header was cut off
                continue
            place = tcp.step(flow, side, packet[FLAGS], base, ack, window, packet[PAYLOAD_WIRE], moment)
        else:
            flow[LAST] = max(flow[LAST], moment)
        if packet[PAYLOAD_BYTES] > 0 and _is_kept(packet, flow, side, place, every):
            _chain(packet, flow, side, place, pieces, free, moment, counters)
    return count


@kernel
def _hash(one_high: int, one_low: int, two_high: int, two_low: int, ports: int, kind: int) -> np.int64:
    value = np.uint64(one_high)
    for part in (one_low, two_high, two_low, ports, kind):
        value = (value ^ (value >> np.uint64(29))) * _MULTIPLY + np.uint64(part)
    value = (value ^ (value >> np.uint64(32))) * _MULTIPLY
    return np.int64((value ^ (value >> np.uint64(29))) & np.uint64(0x7FFFFFFFFFFFFFFF))


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
def _flow(
    packet: NDArray[np.int64],
    moment: int,
    base: int,
    flows: NDArray[np.int64],
    slots: NDArray[np.int64],
    counters: NDArray[np.int64],
) -> tuple[int, int]:
    """The packet's row in the flow table, a new one where it begins a flow, and which side sent it."""
    s_high, s_low, s_port = packet[SOURCE_HIGH], packet[SOURCE_LOW], packet[SOURCE_PORT]
    t_high, t_low, t_port = packet[TARGET_HIGH], packet[TARGET_LOW], packet[TARGET_PORT]
    kind = packet[PROTOCOL] << 4 | packet[VERSION]
    if packet[PROTOCOL] in (ICMP, ICMP6):
        s_port = t_port = _conversation(packet)
    side = 0
    if s_high > t_high or (s_high == t_high and (s_low > t_low or (s_low == t_low and s_port > t_port))):
        s_high, t_high, s_low, t_low, s_port, t_port = t_high, s_high, t_low, s_low, t_port, s_port
        side = 1
    ports = s_port << 16 | t_port
    slot = _hash(s_high, s_low, t_high, t_low, ports, kind) & (slots.size - 1)
    while slots[slot]:
        row = slots[slot] - 1
        flow = flows[row]
        if (
            flow[ONE_LOW] == s_low
            and flow[TWO_LOW] == t_low
            and flow[PORTS] == ports
            and flow[KIND] == kind
            and flow[ONE_HIGH] == s_high
            and flow[TWO_HIGH] == t_high
        ):
            if not _is_over(flow, packet, moment, base):
                return row, side
            break
        slot = (slot + 1) & (slots.size - 1)
    row = counters[FLOWS]
    counters[FLOWS] += 1
    counters[SERIALS] += 1
    slots[slot] = row + 1
    flow = flows[row]
    flow[:] = 0
    flow[ONE_HIGH], flow[ONE_LOW], flow[TWO_HIGH], flow[TWO_LOW] = s_high, s_low, t_high, t_low
    flow[PORTS], flow[KIND], flow[SERIAL] = ports, kind, counters[SERIALS]
    flow[FIRST], flow[LAST], flow[FIRST_FRAME] = moment, moment, counters[FRAME]
    flow[cells.TUNNEL], flow[cells.VLAN] = packet[TUNNEL], packet[VLAN]
    flow[cells.MAC + side], flow[cells.MAC + 1 - side] = packet[SOURCE_MAC], packet[TARGET_MAC]
    turned = _answers(packet)
    flow[SIDE] = 1 - side if turned else side
    if turned:
        flow[FLIPPED], flow[HISTORY], flow[LETTERS] = 1, 0x5E, 1  # ^
    return row, side


@kernel
def _conversation(packet: NDArray[np.int64]) -> int:
    """What tells ICMP conversations of two hosts apart: the type of the question, or type and code."""
    kind, code = packet[ICMP_TYPE], packet[ICMP_CODE]
    if kind < 0:
        return 0
    if packet[PROTOCOL] == ICMP:
        if kind in (0, 8):
            return 8 << 8
        if kind in (13, 14, 15, 16, 17, 18):
            return int((kind - 1 + kind % 2) << 8)
    elif kind in (128, 129, 133, 134, 135, 136):
        return int((kind if kind in (128, 133, 135) else kind - 1) << 8)
    return int(kind << 8 | code)


@kernel
def _is_over(flow: NDArray[np.int64], packet: NDArray[np.int64], moment: int, base: int) -> bool:
    """Whether the packet begins a new flow of the same endpoints."""
    if packet[PROTOCOL] != TCP:
        return bool(moment - flow[LAST] > _OTHER_IDLE)
    if moment - flow[LAST] > _TCP_IDLE or (flow[OVER] and moment - flow[OVER] > _GONE):
        return True
    client = flow[SIDE]
    state, other = flow[STATE + client], flow[STATE + 1 - client]
    if state in (tcp.SYN_SENT, tcp.SYN_ACK_SENT) and other == tcp.INACTIVE and moment - flow[FIRST] > _GONE:
        return True
    if not packet[FLAGS] & tcp.SYN:
        return False
    if packet[FLAGS] & tcp.ACK:
        if state != tcp.INACTIVE:
            return False
        client = 1 - client
    if flow[CLOSED] and flow[CLOSED + 1]:
        return True
    if base == flow[START + client]:
        return False
    turned = state == tcp.SYN_ACK_SENT and other == tcp.INACTIVE and base == flow[START + 1 - client]
    return not turned


@kernel
def _answers(packet: NDArray[np.int64]) -> bool:
    """Whether a flow's first packet is an answer, because the capture began in its middle."""
    source, target = packet[SOURCE_PORT], packet[TARGET_PORT]
    if packet[PROTOCOL] == TCP:
        if packet[FLAGS] & tcp.SYN and not packet[FLAGS] & tcp.ACK:
            return False
        if _serves(source) and _serves(target):
            return bool(not packet[FLAGS] & tcp.SYN and source < target)
    elif packet[PROTOCOL] != UDP:
        return False
    return _serves(source) and not _serves(target)


@kernel
def _serves(port: int) -> bool:
    """Whether a port is listened on: the system's, and those of desktops, proxies and tunnels."""
    return (0 < port < 1024 and port not in (68, 546)) or port in (
        1080, 1194, 1433, 1521, 1701, 1723, 1812, 1813, 1883, 3128, 3306, 3389, 3478, 3544, 4789, 4899, 5060,
        5072, 5222, 5353, 5355, 5432, 5900, 5938, 6081, 6379, 6568, 6667, 7070, 8000, 8080, 8443, 8883, 9418,
        20000, 51820,
    )  # fmt: skip


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
    piece[AT], piece[SIZE] = packet[PAYLOAD_AT], packet[PAYLOAD_BYTES]
    piece[PIECE_FRAME], piece[PIECE_TIME] = counters[FRAME], moment
    chain = side if packet[PROTOCOL] == TCP else 0
    if flow[CHAIN + chain] == 0:
        flow[CHAIN + chain] = mine + 1
    else:
        pieces[flow[CHAIN_END + chain] - 1, NEXT] = mine + 1
    flow[CHAIN_END + chain] = mine + 1
    flow[PIECES + side] += 1


@kernel
def forget(flows: NDArray[np.int64], slots: NDArray[np.int64], count: int, stays: NDArray[np.bool_]) -> int:
    """Keep some flows, in their order, at the front of the table; how many they are.

    The rows of the others stand behind them until they are overwritten; `slots` is made anew.
    """
    slots[:] = 0
    kept = 0
    for row in range(count):
        if stays[row]:
            if kept != row:
                for column in range(FLOW_CELLS):
                    held = flows[kept, column]
                    flows[kept, column] = flows[row, column]
                    flows[row, column] = held
            kept += 1
    for row in range(kept):
        flow = flows[row]
        slot = _hash(
            flow[ONE_HIGH], flow[ONE_LOW], flow[TWO_HIGH], flow[TWO_LOW], flow[PORTS], flow[KIND]
        ) & (slots.size - 1)
        while slots[slot]:
            other = flows[slots[slot] - 1]
            same = True
            for column in range(6):
                same = same and other[column] == flow[column]
            if same:
                break  # an earlier flow of the same endpoints: the later one is the one to find
            slot = (slot + 1) & (slots.size - 1)
        slots[slot] = row + 1
    return kept
