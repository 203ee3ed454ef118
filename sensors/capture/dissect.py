"""Compiled: one packet's headers, from the link to the transport.

Link types are those of https://www.tcpdump.org/linktypes.html; IPv4 is RFC 791, IPv6 with its extension
headers RFC 8200, TCP RFC 9293, UDP RFC 768, VLAN tags IEEE 802.1Q, PPPoE RFC 2516, MPLS RFC 3032.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Cells of a dissected packet.
VERSION, PROTOCOL, SOURCE_HIGH, SOURCE_LOW, TARGET_HIGH, TARGET_LOW = range(6)
SOURCE_PORT, TARGET_PORT, FLAGS, PAYLOAD_AT, PAYLOAD_BYTES, IP_BYTES = range(6, 12)
# Where the transport's header begins, and the payload that the packet had, captured or not.
TRANSPORT_AT, PAYLOAD_WIRE = 12, 13
PACKET_CELLS = 14
# What `dissect` says.
IS_IP, NOT_IP, BROKEN, UNKNOWN_LINK = range(4)

ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
_IPV4, _IPV6 = 0x0800, 0x86DD
_RAW_LINKS = (12, 14, 101, 228, 229)


@njit(cache=True, nogil=True)
def be16(data: NDArray[np.uint8], at: int) -> int:
    """Two bytes at `at`, most significant first."""
    return (int(data[at]) << 8) | int(data[at + 1])


@njit(cache=True, nogil=True)
def be64(data: NDArray[np.uint8], at: int) -> int:
    """Eight bytes at `at`, most significant first, as a signed number of the same bits."""
    value = 0
    for index in range(8):
        value = (value << 8) | int(data[at + index])
    return value


@njit(cache=True, nogil=True)
def dissect(data: NDArray[np.uint8], at: int, captured: int, link: int, packet: NDArray[np.int64]) -> int:
    """Fill `packet` from the `captured` bytes at `at`; returns one of IS_IP, NOT_IP, BROKEN, UNKNOWN_LINK."""
    end = at + captured
    kind = 0
    if link == 1:
        if captured < 14:
            return BROKEN
        kind, at = be16(data, at + 12), at + 14
    elif link == 113:
        if captured < 16:
            return BROKEN
        kind, at = be16(data, at + 14), at + 16
    elif link == 276:
        if captured < 20:
            return BROKEN
        kind, at = be16(data, at), at + 20
    elif link == 9:  # PPP, with or without its framing bytes (RFC 1662)
        at += 2 if captured > 4 and be16(data, at) == 0xFF03 else 0
        if captured < 8:
            return BROKEN
        protocol = be16(data, at)
        kind, at = _IPV4 if protocol == 0x0021 else _IPV6 if protocol == 0x0057 else 1, at + 2
    elif link in (0, 108):
        if captured < 4:
            return BROKEN
        at += 4
    elif link not in _RAW_LINKS:
        return UNKNOWN_LINK
    kind, at = _inner(data, at, end, kind)
    if kind == 0 and at < end:
        kind = _IPV4 if data[at] >> 4 == 4 else _IPV6 if data[at] >> 4 == 6 else 1
    if kind == _IPV4:
        return _ip4(data, at, end, packet)
    if kind == _IPV6:
        return _ip6(data, at, end, packet)
    return NOT_IP if kind else BROKEN


@njit(cache=True, nogil=True)
def _inner(data: NDArray[np.uint8], at: int, end: int, kind: int) -> tuple[int, int]:
    """Past VLAN tags, MPLS labels and PPPoE: the type of what is inside (0: see its first byte) and where."""
    while kind in (0x8100, 0x88A8, 0x9100) and at + 4 <= end:
        kind, at = be16(data, at + 2), at + 4
    if kind in (0x8847, 0x8848):
        while at + 4 <= end:
            last = data[at + 2] & 1
            at += 4
            if last:
                break
        kind = 0
    elif kind == 0x8864 and at + 8 <= end:
        protocol = be16(data, at + 6)
        at += 8
        kind = _IPV4 if protocol == 0x0021 else _IPV6 if protocol == 0x0057 else 1
    return kind, at


@njit(cache=True, nogil=True)
def _ip4(data: NDArray[np.uint8], at: int, end: int, packet: NDArray[np.int64]) -> int:
    if at + 20 > end or data[at] >> 4 != 4:
        return BROKEN
    header = (data[at] & 15) * 4
    total = be16(data, at + 2)
    if header < 20 or at + header > end:
        return BROKEN
    if total == 0:  # left to the network card (segmentation offload)
        total = end - at
    packet[VERSION], packet[PROTOCOL] = 4, data[at + 9]
    packet[SOURCE_HIGH], packet[TARGET_HIGH] = 0, 0
    packet[SOURCE_LOW] = (be16(data, at + 12) << 16) | be16(data, at + 14)
    packet[TARGET_LOW] = (be16(data, at + 16) << 16) | be16(data, at + 18)
    packet[IP_BYTES] = total
    fragment = be16(data, at + 6) & 0x1FFF
    _transport(data, at + header, min(end, at + total), at + total, fragment != 0, packet)
    return IS_IP


@njit(cache=True, nogil=True)
def _ip6(data: NDArray[np.uint8], at: int, end: int, packet: NDArray[np.int64]) -> int:
    if at + 40 > end or data[at] >> 4 != 6:
        return BROKEN
    length = be16(data, at + 4)
    whole = at + 40 + length if length else end
    stop = min(end, whole)
    protocol, place, fragment = int(data[at + 6]), at + 40, False
    while protocol in (0, 43, 44, 60, 51) and place + 8 <= stop:
        if protocol == 44:
            fragment = fragment or (be16(data, place + 2) & 0xFFF8) != 0
            step = 8
        elif protocol == 51:
            step = (int(data[place + 1]) + 2) * 4
        else:
            step = (int(data[place + 1]) + 1) * 8
        protocol, place = int(data[place]), place + step
    packet[VERSION], packet[PROTOCOL] = 6, protocol
    packet[SOURCE_HIGH], packet[SOURCE_LOW] = be64(data, at + 8), be64(data, at + 16)
    packet[TARGET_HIGH], packet[TARGET_LOW] = be64(data, at + 24), be64(data, at + 32)
    packet[IP_BYTES] = 40 + length if length else end - at
    _transport(data, place, stop, whole, fragment, packet)
    return IS_IP


@njit(cache=True, nogil=True)
def _transport(
    data: NDArray[np.uint8], at: int, end: int, whole: int, fragment: bool, packet: NDArray[np.int64]
) -> None:
    """Ports, flags and payload; a fragment that is not the first has none of them."""
    packet[SOURCE_PORT], packet[TARGET_PORT], packet[FLAGS] = 0, 0, 0
    packet[PAYLOAD_AT], packet[PAYLOAD_BYTES], packet[PAYLOAD_WIRE] = at, 0, 0
    packet[TRANSPORT_AT] = at
    protocol = packet[PROTOCOL]
    if fragment:
        return
    if protocol == TCP and at + 20 <= end:
        packet[SOURCE_PORT], packet[TARGET_PORT] = be16(data, at), be16(data, at + 2)
        packet[FLAGS] = data[at + 13]
        at += max(20, (data[at + 12] >> 4) * 4)
    elif protocol == UDP and at + 8 <= end:
        packet[SOURCE_PORT], packet[TARGET_PORT] = be16(data, at), be16(data, at + 2)
        at += 8
    elif protocol in (ICMP, ICMP6) and at + 4 <= end:
        at += 4
    packet[PAYLOAD_AT], packet[PAYLOAD_BYTES] = at, max(0, end - at)
    packet[PAYLOAD_WIRE] = max(0, whole - at)
