"""Compiled: one packet's headers, from the link to the transport, through whatever tunnels there are.

IPv4 is RFC 791, IPv6 with its extension headers RFC 8200, TCP RFC 9293, UDP RFC 768; links stand in `links`,
tunnels in `tunnels`. Checksums are not judged: a capture taken where packets are sent sees them unfinished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.capture.links import enter, peel
from sensors.capture.packet import (
    BROKEN,
    FLAGS,
    FRAGMENT,
    FRAGMENT_AT,
    FRAGMENT_END,
    FRAGMENT_FROM,
    FRAGMENT_ID,
    FRAGMENT_MORE,
    FRAGMENT_WIRE,
    FRAGMENTS,
    HELD,
    HOP_LIMIT,
    ICMP,
    ICMP6,
    ICMP_CODE,
    ICMP_TYPE,
    INNER_VLAN,
    IP_BYTES,
    IPV4,
    IPV6,
    IS_IP,
    NOT_IP,
    OTHER,
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
    STRANGE,
    TARGET_HIGH,
    TARGET_LOW,
    TARGET_MAC,
    TARGET_PORT,
    TCP,
    TRANSPORT_AT,
    TUNNEL,
    TUNNEL_ID,
    TUNNEL_NAMES,
    TUNNELS,
    UDP,
    UNKNOWN_LINK,
    VERSION,
    VLAN,
    be16,
    be32,
    be64,
    byte,
)
from sensors.capture.tunnels import inside
from sensors.compiled import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The cells of a packet are part of what this module offers; `packet` says what is in them.
__all__ = [
    "BROKEN", "FLAGS", "FRAGMENT", "FRAGMENTS", "HELD", "HOP_LIMIT", "ICMP", "ICMP6", "ICMP_CODE",
    "ICMP_TYPE", "INNER_VLAN", "IP_BYTES", "IS_IP", "NOT_IP", "OUTER_IP_BYTES", "OUTER_PAYLOAD_WIRE",
    "OUTER_PROTOCOL", "OUTER_SOURCE_HIGH", "OUTER_SOURCE_LOW", "OUTER_SOURCE_PORT", "OUTER_TARGET_HIGH",
    "OUTER_TARGET_LOW", "OUTER_TARGET_PORT", "OUTER_VERSION", "PACKET_CELLS", "PAYLOAD_AT",
    "PAYLOAD_BYTES", "PAYLOAD_WIRE", "PROTOCOL", "SOURCE_HIGH", "SOURCE_LOW", "SOURCE_MAC", "SOURCE_PORT",
    "TARGET_HIGH", "TARGET_LOW", "TARGET_MAC", "TARGET_PORT", "TCP", "TRANSPORT_AT", "TUNNEL", "TUNNELS",
    "TUNNEL_ID", "TUNNEL_NAMES", "UDP", "UNKNOWN_LINK", "VERSION", "VLAN", "be16", "be32", "be64",
    "dissect", "extensions", "upper",
]  # fmt: skip

_DEPTH = 8  # tunnels in one another


@kernel
def dissect(data: NDArray[np.uint8], at: int, captured: int, link: int, packet: NDArray[np.int64]) -> int:
    """Fill `packet` (its cells stand in `packet.py`) from the `captured` bytes at `at`.

    Returns one of IS_IP, NOT_IP, BROKEN, UNKNOWN_LINK. What came through a tunnel is told of
    the packet inside. A fragment is IS_IP, with FRAGMENT 1 and, if it is not the first, without
    ports and payload; `fragments.take` calls this, and puts fragments together.
    """
    packet[SOURCE_MAC], packet[TARGET_MAC], packet[VLAN], packet[INNER_VLAN] = -1, -1, 0, 0
    packet[TUNNEL], packet[TUNNELS], packet[FRAGMENT], packet[FRAGMENTS] = 0, 0, 0, 0
    end = at + captured
    kind, at = enter(data, at, end, link, packet)
    if kind == STRANGE:
        return UNKNOWN_LINK
    kind, at = peel(data, at, end, kind, packet)
    if kind == IPV4:
        at, end, wire = _ip4(data, at, end, packet)
    elif kind == IPV6:
        at, end, wire = _ip6(data, at, end, packet)
    else:
        return NOT_IP if kind == OTHER else BROKEN
    return BROKEN if at < 0 else upper(data, at, end, wire, packet)


@kernel
def upper(data: NDArray[np.uint8], at: int, end: int, wire: int, packet: NDArray[np.int64]) -> int:
    """Go on behind the header of IP, which `packet` tells: IS_IP.

    Args:
        data: bytes.
        at: where IP's payload begins.
        end: the place behind it, of what was captured.
        wire: the place behind it, of what was sent.
        packet: cells.
    """
    for _ in range(_DEPTH):
        if packet[PROTOCOL] == TCP or packet[FRAGMENT]:
            break
        kind, place, tunnel, number = inside(data, at, end, wire, packet[PROTOCOL])
        if kind == OTHER or place >= end:
            break
        macs = packet[SOURCE_MAC], packet[TARGET_MAC]
        vlans = packet[VLAN], packet[INNER_VLAN]
        packet[SOURCE_MAC], packet[TARGET_MAC], packet[VLAN], packet[INNER_VLAN] = -1, -1, 0, 0
        kind, place = peel(data, place, end, kind, packet)
        if not _sound(data, place, end, wire, kind):
            packet[SOURCE_MAC], packet[TARGET_MAC] = macs
            packet[VLAN], packet[INNER_VLAN] = vlans
            break
        _outer(data, at, wire, packet)
        packet[TUNNEL], packet[TUNNEL_ID] = tunnel, number
        packet[TUNNELS] += 1
        at, end, wire = _ip4(data, place, end, packet) if kind == IPV4 else _ip6(data, place, end, packet)
    _transport(data, at, end, wire, packet)
    return IS_IP


@kernel
def _sound(data: NDArray[np.uint8], at: int, end: int, wire: int, kind: int) -> bool:
    """Whether a header of IP inside a tunnel is one: version, lengths that fit into what holds it."""
    if kind == IPV4:
        if at + 20 > end or byte(data, at) >> 4 != 4:
            return False
        header, total = (byte(data, at) & 15) * 4, be16(data, at + 2)
        return header >= 20 and at + header <= end and header <= total <= wire - at
    if kind == IPV6:
        return at + 40 <= end and byte(data, at) >> 4 == 6 and 40 + be16(data, at + 4) <= wire - at
    return False


@kernel
def _outer(data: NDArray[np.uint8], at: int, wire: int, packet: NDArray[np.int64]) -> None:
    """The packet told so far is the one around the next."""
    packet[OUTER_VERSION], packet[OUTER_PROTOCOL] = packet[VERSION], packet[PROTOCOL]
    packet[OUTER_SOURCE_HIGH], packet[OUTER_SOURCE_LOW] = packet[SOURCE_HIGH], packet[SOURCE_LOW]
    packet[OUTER_TARGET_HIGH], packet[OUTER_TARGET_LOW] = packet[TARGET_HIGH], packet[TARGET_LOW]
    packet[OUTER_SOURCE_PORT], packet[OUTER_TARGET_PORT] = 0, 0
    packet[OUTER_IP_BYTES], packet[OUTER_PAYLOAD_WIRE] = packet[IP_BYTES], 0
    if packet[PROTOCOL] == UDP:
        packet[OUTER_SOURCE_PORT], packet[OUTER_TARGET_PORT] = be16(data, at), be16(data, at + 2)
        length = be16(data, at + 4)
        packet[OUTER_PAYLOAD_WIRE] = max(0, min(wire, at + length if length else wire) - at - 8)


@kernel
def _ip4(data: NDArray[np.uint8], at: int, end: int, packet: NDArray[np.int64]) -> tuple[int, int, int]:
    """Where the payload begins (-1: the header is broken), and ends, captured and sent."""
    if at + 20 > end or byte(data, at) >> 4 != 4:
        return -1, 0, 0
    header = (byte(data, at) & 15) * 4
    total = be16(data, at + 2)
    if header < 20 or at + header > end:
        return -1, 0, 0
    if total == 0:  # left to the network card (segmentation offload)
        total = end - at
    if total < header:
        return -1, 0, 0
    packet[VERSION], packet[PROTOCOL], packet[HOP_LIMIT] = 4, byte(data, at + 9), byte(data, at + 8)
    packet[SOURCE_HIGH], packet[TARGET_HIGH] = 0, 0
    packet[SOURCE_LOW], packet[TARGET_LOW] = be32(data, at + 12), be32(data, at + 16)
    packet[IP_BYTES] = total
    wire = at + total
    stop = min(end, wire)
    fragment = be16(data, at + 6) & 0x3FFF
    if fragment:
        _fragment(packet, at + header, stop, wire, fragment << 3 & 0xFFFF, fragment >> 13)
        packet[FRAGMENT_ID] = be16(data, at + 4)
    return at + header, stop, wire


@kernel
def _ip6(data: NDArray[np.uint8], at: int, end: int, packet: NDArray[np.int64]) -> tuple[int, int, int]:
    """Where the payload begins (-1: the header is broken), and ends, captured and sent."""
    if at + 40 > end or byte(data, at) >> 4 != 6:
        return -1, 0, 0
    length = be16(data, at + 4)
    wire = at + 40 + length if length else end  # a jumbogram's, or the network card's
    packet[VERSION], packet[PROTOCOL], packet[HOP_LIMIT] = 6, byte(data, at + 6), byte(data, at + 7)
    packet[SOURCE_HIGH], packet[SOURCE_LOW] = be64(data, at + 8), be64(data, at + 16)
    packet[TARGET_HIGH], packet[TARGET_LOW] = be64(data, at + 24), be64(data, at + 32)
    packet[IP_BYTES] = wire - at
    return extensions(data, at + 40, min(end, wire), wire, packet)


@kernel
def extensions(
    data: NDArray[np.uint8], at: int, end: int, wire: int, packet: NDArray[np.int64]
) -> tuple[int, int, int]:
    """Past the extension headers of IPv6, up to a fragment's; as `_ip6`."""
    protocol = packet[PROTOCOL]
    while protocol in (0, 43, 44, 60, 51, 135) and at + 8 <= end and not packet[FRAGMENT]:
        step = (
            8
            if protocol == 44
            else (byte(data, at + 1) + (2 if protocol == 51 else 1)) * (4 if protocol == 51 else 8)
        )
        if protocol == 44:
            offset = be16(data, at + 2)
            if offset & 0xFFF9:  # else it is whole (RFC 6946)
                _fragment(packet, at + 8, end, wire, offset & 0xFFF8, offset & 1)
                packet[FRAGMENT_ID] = be32(data, at + 4)
        if at + step > end:
            break
        protocol, at = byte(data, at), at + step
    packet[PROTOCOL] = protocol
    return at, end, wire


@kernel
def _fragment(packet: NDArray[np.int64], at: int, end: int, wire: int, begins: int, more: int) -> None:
    packet[FRAGMENT], packet[FRAGMENT_FROM], packet[FRAGMENT_MORE] = 1, begins, more
    packet[FRAGMENT_AT], packet[FRAGMENT_END], packet[FRAGMENT_WIRE] = at, end, wire


@kernel
def _transport(data: NDArray[np.uint8], at: int, end: int, wire: int, packet: NDArray[np.int64]) -> None:
    """Ports, flags and payload; a fragment that is not the first has none of them."""
    packet[SOURCE_PORT], packet[TARGET_PORT], packet[FLAGS] = 0, 0, 0
    packet[PAYLOAD_BYTES], packet[PAYLOAD_WIRE] = 0, 0
    packet[PAYLOAD_AT], packet[TRANSPORT_AT] = at, at
    packet[ICMP_TYPE], packet[ICMP_CODE] = -1, -1
    protocol = packet[PROTOCOL]
    if packet[FRAGMENT] and packet[FRAGMENT_FROM]:
        return
    header = 0
    if protocol in (TCP, UDP, 33, 132, 136) and at + 4 <= end:
        packet[SOURCE_PORT], packet[TARGET_PORT] = be16(data, at), be16(data, at + 2)
    if protocol == TCP:
        header = 20
        if at + 14 <= end:
            packet[FLAGS] = byte(data, at + 13)
            header = (byte(data, at + 12) >> 4) * 4
            if header < 20:  # such a segment says nothing
                return
    elif protocol == UDP:
        header = 8
        if at + 8 <= end:
            length = be16(data, at + 4)
            if length:  # none: a jumbogram's
                wire = min(wire, at + max(8, length))
    elif protocol in (ICMP, ICMP6):
        header = 4
        if at + 4 <= end:
            packet[ICMP_TYPE], packet[ICMP_CODE] = byte(data, at), byte(data, at + 1)
    at += header
    packet[PAYLOAD_AT] = min(at, end)
    packet[PAYLOAD_BYTES], packet[PAYLOAD_WIRE] = max(0, min(end, wire) - at), max(0, wire - at)
