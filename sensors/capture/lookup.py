"""Compiled: which flow a packet belongs to.

A flow is what Zeek's conn.log calls a connection: both directions of one pair of endpoints until it has been
idle for as long as Zeek waits (five minutes for TCP, one for the others), or until TCP begins anew. The
originator is who sent the first packet, or, where that is no SYN, whoever does not have a server's port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture import cells, tcp
from sensors.capture.cells import (
    CLOSED,
    FIRST,
    FIRST_FRAME,
    FLOW_CELLS,
    HISTORY,
    KIND,
    LAST,
    LETTERS,
    ONE_HIGH,
    ONE_LOW,
    OVER,
    PORTS,
    SERIAL,
    SIDE,
    START,
    STATE,
    TWO_HIGH,
    TWO_LOW,
)
from sensors.capture.packet import (
    FLAGS,
    ICMP,
    ICMP6,
    ICMP_CODE,
    ICMP_TYPE,
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
    TUNNEL,
    UDP,
    VERSION,
    VLAN,
)
from sensors.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cells of the counters that a pass keeps; SEED is drawn for each, so that no capture can be made to have all
# its flows in one place of the table.
FLOWS, SERIALS, FRAME, FREE, BROKEN_PACKETS, FIRST_BROKEN, UNKNOWN, FIRST_UNKNOWN, SEED, COUNTERS = range(10)

IDLE: Final = (300_000_000, 60_000_000)  # microseconds: TCP, all else
GONE: Final = 5_000_000  # microseconds after which Zeek forgets what is closed, or what nobody answered
_TCP_IDLE, _OTHER_IDLE = IDLE
_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)


@kernel
def flow_of(
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
    slot = _hash(s_high, s_low, t_high, t_low, ports, kind, counters[SEED]) & (slots.size - 1)
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
        flow[HISTORY], flow[LETTERS] = 0x5E, 1  # ^
    return row, side


@kernel
def _hash(
    one_high: int, one_low: int, two_high: int, two_low: int, ports: int, kind: int, seed: int
) -> np.int64:
    secret = np.uint64(seed)
    value = np.uint64(one_high)
    for part in (one_low, two_high, two_low, ports, kind):
        value ^= secret
        value = (value ^ (value >> np.uint64(29))) * _MULTIPLY + np.uint64(part)
    value ^= secret
    value = (value ^ (value >> np.uint64(32))) * _MULTIPLY
    return np.int64((value ^ (value >> np.uint64(29))) & np.uint64(0x7FFFFFFFFFFFFFFF))


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
    if moment - flow[LAST] > _TCP_IDLE or (flow[OVER] and moment - flow[OVER] > GONE):
        return True
    client = flow[SIDE]
    state, other = flow[STATE + client], flow[STATE + 1 - client]
    if state in (tcp.SYN_SENT, tcp.SYN_ACK_SENT) and other == tcp.INACTIVE and moment - flow[FIRST] > GONE:
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
def forget(
    flows: NDArray[np.int64], slots: NDArray[np.int64], count: int, stays: NDArray[np.bool_], seed: int
) -> int:
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
            flow[ONE_HIGH], flow[ONE_LOW], flow[TWO_HIGH], flow[TWO_LOW], flow[PORTS], flow[KIND], seed
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
