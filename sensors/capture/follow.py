"""Compiled: packets to flows, and to the names spoken in them, in one pass.

A flow is what Zeek's conn.log calls a connection: both directions of one pair of endpoints until it has been
idle for as long as Zeek waits (five minutes for TCP, one for the others), or until TCP begins anew after it
was closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from sensors.capture import names
from sensors.capture.container import CAPTURED, LINK, OFFSET, TIME
from sensors.capture.dissect import (
    BROKEN,
    FLAGS,
    IP_BYTES,
    IS_IP,
    PACKET_CELLS,
    PAYLOAD_AT,
    PAYLOAD_BYTES,
    PROTOCOL,
    SOURCE_HIGH,
    SOURCE_LOW,
    SOURCE_PORT,
    TARGET_HIGH,
    TARGET_LOW,
    TARGET_PORT,
    TCP,
    UDP,
    UNKNOWN_LINK,
    VERSION,
    dissect,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns of the flow table. One and Two are the endpoints in the order of addresses; SIDE says who began.
ONE_HIGH, ONE_LOW, TWO_HIGH, TWO_LOW, PORTS, KIND = range(6)
FIRST, LAST, FIRST_FRAME, LAST_FRAME = range(6, 10)
PACKETS, BYTES, PAYLOAD, SEEN_FLAGS = 10, 12, 14, 16  # each of two columns: sent by One, sent by Two
SIDE, HELLO, PART_AT, PART_BYTES = 18, 19, 20, 21
FLOW_COLUMNS = 22
# Cells of the counters that a pass keeps.
FLOWS, DNS, ANSWERS, TEXT, HELLOS, HELLO_TEXT, BROKEN_PACKETS, FIRST_BROKEN, UNKNOWN, FIRST_UNKNOWN = range(
    10
)
FRAME = 10
COUNTERS = 11

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_TCP_IDLE, _OTHER_IDLE = 300_000_000, 60_000_000
_HELLO_ROOM = 16_384 + 5  # a TLS record's largest plain text, RFC 8446 section 5.1
_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def follow(
    data: NDArray[np.uint8],
    table: NDArray[np.int64],
    begin: int,
    count: int,
    flows: NDArray[np.int64],
    slots: NDArray[np.int64],
    dns: NDArray[np.int64],
    answers: NDArray[np.int64],
    text: NDArray[np.uint8],
    hellos: NDArray[np.int64],
    hello_text: NDArray[np.uint8],
    counters: NDArray[np.int64],
) -> int:
    """Follow packets `begin` to `count` of `table`; the number of the first that was not followed.

    It stops early where an output table might overflow: the caller takes what is there and calls again.
    """
    packet = np.zeros(PACKET_CELLS, np.int64)
    scratch = np.zeros(_HELLO_ROOM, np.uint8)
    for index in range(begin, count):
        if (
            counters[FLOWS] + 1 >= flows.shape[0]
            or counters[DNS] + 1 >= dns.shape[0]
            or counters[ANSWERS] + names.MOST_ANSWERS >= answers.shape[0]
            or counters[TEXT] + names.TEXT_A_MESSAGE >= text.size
            or counters[HELLOS] + 1 >= hellos.shape[0]
            or counters[HELLO_TEXT] + 4096 >= hello_text.size
        ):
            return index
        counters[FRAME] += 1
        said = dissect(data, table[index, OFFSET], table[index, CAPTURED], table[index, LINK], packet)
        if said != IS_IP:
            _count_unread(said, counters)
            continue
        moment = table[index, TIME]
        row, side = _flow(packet, moment, flows, slots, counters)
        _add(packet, moment, flows[row], side, counters[FRAME])
        if packet[PAYLOAD_BYTES] == 0:
            continue
        if packet[PROTOCOL] == UDP:
            if 53 in (packet[SOURCE_PORT], packet[TARGET_PORT]) or packet[TARGET_PORT] in (5353, 5355):
                _dns(
                    data,
                    packet[PAYLOAD_AT],
                    packet[PAYLOAD_BYTES],
                    row,
                    side,
                    moment,
                    dns,
                    answers,
                    text,
                    counters,
                )
        elif packet[PROTOCOL] == TCP:
            if 53 in (packet[SOURCE_PORT], packet[TARGET_PORT]):
                _dns(
                    data, packet[PAYLOAD_AT] + 2, packet[PAYLOAD_BYTES] - 2, row, side, moment, dns, answers,
                    text, counters,
                )  # fmt: skip
            elif flows[row, HELLO] >= 0:
                _tls(data, packet, row, side, moment, flows[row], hellos, hello_text, scratch, counters)
    return count


@njit(cache=True, nogil=True)
def _count_unread(said: int, counters: NDArray[np.int64]) -> None:
    if said == BROKEN:
        counters[BROKEN_PACKETS] += 1
        if counters[BROKEN_PACKETS] == 1:
            counters[FIRST_BROKEN] = counters[FRAME]
    elif said == UNKNOWN_LINK:
        counters[UNKNOWN] += 1
        if counters[UNKNOWN] == 1:
            counters[FIRST_UNKNOWN] = counters[FRAME]


@njit(cache=True, nogil=True)
def _hash(one_high: int, one_low: int, two_high: int, two_low: int, ports: int, kind: int) -> np.int64:
    value = np.uint64(one_high)
    for part in (one_low, two_high, two_low, ports, kind):
        value = (value ^ (value >> np.uint64(29))) * _MULTIPLY + np.uint64(part)
    value = (value ^ (value >> np.uint64(32))) * _MULTIPLY
    return np.int64((value ^ (value >> np.uint64(29))) & np.uint64(0x7FFFFFFFFFFFFFFF))


@njit(cache=True, nogil=True)
def _flow(
    packet: NDArray[np.int64],
    moment: int,
    flows: NDArray[np.int64],
    slots: NDArray[np.int64],
    counters: NDArray[np.int64],
) -> tuple[int, int]:
    """The packet's row in the flow table, a new one where it begins a flow, and which side sent it."""
    s_high, s_low, s_port = packet[SOURCE_HIGH], packet[SOURCE_LOW], packet[SOURCE_PORT]
    t_high, t_low, t_port = packet[TARGET_HIGH], packet[TARGET_LOW], packet[TARGET_PORT]
    kind = packet[PROTOCOL] << 4 | packet[VERSION]
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
            if not _is_over(flow, packet, moment):
                return row, side
            break
        slot = (slot + 1) & (slots.size - 1)
    row = counters[FLOWS]
    counters[FLOWS] += 1
    slots[slot] = row + 1
    flow = flows[row]
    flow[:] = 0
    flow[ONE_HIGH], flow[ONE_LOW], flow[TWO_HIGH], flow[TWO_LOW] = s_high, s_low, t_high, t_low
    flow[PORTS], flow[KIND] = ports, kind
    flow[FIRST], flow[LAST], flow[FIRST_FRAME] = moment, moment, counters[FRAME]
    flow[SIDE] = 1 - side if _answers(packet) else side
    return row, side


@njit(cache=True, nogil=True)
def _is_over(flow: NDArray[np.int64], packet: NDArray[np.int64], moment: int) -> bool:
    """Whether the packet begins a new flow of the same endpoints."""
    tcp = packet[PROTOCOL] == TCP
    if moment - flow[LAST] > (_TCP_IDLE if tcp else _OTHER_IDLE):
        return True
    closed = (flow[SEEN_FLAGS] | flow[SEEN_FLAGS + 1]) & (_FIN | _RST)
    return bool(tcp and closed != 0 and (packet[FLAGS] & (_SYN | _ACK)) == _SYN)


@njit(cache=True, nogil=True)
def _answers(packet: NDArray[np.int64]) -> bool:
    """Whether a flow's first packet is an answer, because the capture began in its middle."""
    source, target = packet[SOURCE_PORT], packet[TARGET_PORT]
    if packet[PROTOCOL] == TCP:
        flags = packet[FLAGS]
        if flags & _SYN:
            return bool(flags & _ACK)
    return _serves(source) and not _serves(target)


@njit(cache=True, nogil=True)
def _serves(port: int) -> bool:
    """Whether a port is listened on: the system's, and those of desktops, proxies and tunnels."""
    return port < 1024 or port in (1080, 1194, 3128, 3389, 3478, 4899, 5900, 5938, 6568, 7070, 8080, 8443)


@njit(cache=True, nogil=True)
def _add(packet: NDArray[np.int64], moment: int, flow: NDArray[np.int64], side: int, frame: int) -> None:
    flow[LAST] = max(flow[LAST], moment)
    flow[LAST_FRAME] = frame
    flow[PACKETS + side] += 1
    flow[BYTES + side] += packet[IP_BYTES]
    flow[PAYLOAD + side] += packet[PAYLOAD_BYTES]
    flow[SEEN_FLAGS + side] |= packet[FLAGS]


@njit(cache=True, nogil=True)
def _dns(
    data: NDArray[np.uint8],
    at: int,
    size: int,
    flow: int,
    side: int,
    moment: int,
    messages: NDArray[np.int64],
    answers: NDArray[np.int64],
    text: NDArray[np.uint8],
    counters: NDArray[np.int64],
) -> None:
    number = counters[DNS]
    row = messages[number]
    count, used = names.dns(data, at, size, row, number, answers, counters[ANSWERS], text, counters[TEXT])
    if count < 0:
        return
    row[names.DNS_FLOW], row[names.DNS_SIDE] = flow, side
    row[names.DNS_TIME], row[names.DNS_FRAME] = moment, counters[FRAME]
    counters[DNS], counters[ANSWERS], counters[TEXT] = number + 1, count, used


@njit(cache=True, nogil=True)
def _tls(
    data: NDArray[np.uint8],
    packet: NDArray[np.int64],
    row: int,
    side: int,
    moment: int,
    flow: NDArray[np.int64],
    hellos: NDArray[np.int64],
    text: NDArray[np.uint8],
    scratch: NDArray[np.uint8],
    counters: NDArray[np.int64],
) -> None:
    """A client hello in a flow's first payload, or in the first two: many no longer fit one segment."""
    at, size = packet[PAYLOAD_AT], packet[PAYLOAD_BYTES]
    if flow[HELLO] == 0:
        is_hello = size >= 44 and data[at] == 0x16 and data[at + 1] == 3 and data[at + 5] == 1
        if not is_hello:
            flow[HELLO] = -1
            return
        version, used, whole = names.hello(data, at, at + size, text, counters[HELLO_TEXT])
        if not whole:
            flow[HELLO], flow[PART_AT], flow[PART_BYTES] = 1 + side, at, size
            return
    else:
        if flow[HELLO] != 1 + side:
            return
        first = min(flow[PART_BYTES], scratch.size)
        second = min(size, scratch.size - first)
        scratch[:first] = data[flow[PART_AT] : flow[PART_AT] + first]
        scratch[first : first + second] = data[at : at + second]
        version, used, _ = names.hello(scratch, 0, first + second, text, counters[HELLO_TEXT])
    flow[HELLO] = -1
    if version == 0 or used == counters[HELLO_TEXT]:
        return
    hello = hellos[counters[HELLOS]]
    hello[names.TLS_FLOW], hello[names.TLS_TIME], hello[names.TLS_FRAME] = row, moment, counters[FRAME]
    hello[names.TLS_VERSION], hello[names.TLS_SIDE] = version, side
    counters[HELLOS] += 1
    counters[HELLO_TEXT] = used


@njit(cache=True, nogil=True)
def forget(flows: NDArray[np.int64], slots: NDArray[np.int64], count: int, before: int) -> int:
    """Keep the flows that were active after `before` (microseconds), in their order; how many they are.

    The rows of the others stand behind them until they are overwritten; `slots` is made anew.
    """
    slots[:] = 0
    kept = 0
    for row in range(count):
        if flows[row, LAST] >= before:
            for column in range(FLOW_COLUMNS):
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
