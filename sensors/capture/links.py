"""Compiled: from the link's first byte to that of IP.

Link types are those of https://www.tcpdump.org/linktypes.html; VLAN tags IEEE 802.1Q and 802.1ad, MPLS RFC
3032 and 4385, PPPoE RFC 2516, PPP RFC 1661 and 1662, LLC and SNAP IEEE 802.2 and RFC 1042, Frame Relay RFC
2427, 802.11 IEEE 802.11-2020 section 9, radiotap https://www.radiotap.org, Juniper's own tcpdump's reading.
"""

# Offsets are the formats' own numbers, and the branches of a packet stand together: a call for each costs.
# ruff: noqa: PLR2004, PLR0911, PLR0912, C901
from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.packet import (
    CUT_OFF,
    ETHERNET,
    FRAME_RELAY,
    HDLC,
    INNER_VLAN,
    IPV4,
    IPV6,
    LLC,
    LOOK,
    MPLS,
    OTHER,
    PPP,
    PPPOE,
    SOURCE_MAC,
    STRANGE,
    TARGET_MAC,
    VLAN,
    WIRELESS,
    be16,
    be32,
    be48,
    byte,
)
from sensors.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Links whose header tells more than a number of bytes to pass over.
_SLL, _SLL2, _PFLOG, _NFLOG, _RADIOTAP, _PRISM, _PPI, _PPP_MAYBE, _FIBRE = range(0x20000, 0x20009)
# By link type: bytes to pass over, and what follows.
_LINKS: Final = {
    0: (4, LOOK), 1: (0, ETHERNET), 8: (16, LOOK), 9: (0, _PPP_MAYBE), 10: (1, _FIBRE), 12: (0, LOOK),
    14: (0, LOOK), 50: (0, _PPP_MAYBE), 51: (0, PPPOE), 100: (0, LLC), 101: (0, LOOK), 104: (0, HDLC),
    105: (0, WIRELESS), 107: (0, FRAME_RELAY), 108: (4, LOOK), 109: (12, LOOK), 113: (0, _SLL),
    117: (0, _PFLOG), 119: (0, _PRISM), 122: (16, LLC), 127: (0, _RADIOTAP), 163: (0, _PRISM), 166: (2, PPP),
    192: (0, _PPI), 204: (1, _PPP_MAYBE), 205: (1, HDLC), 206: (1, FRAME_RELAY), 226: (24, LOOK),
    228: (0, IPV4), 229: (0, IPV6), 239: (0, _NFLOG), 240: (4, ETHERNET), 241: (12, ETHERNET),
    259: (8, ETHERNET), 274: (8, ETHERNET), 276: (0, _SLL2),
}  # fmt: skip
_JUNIPER: Final = {178: ETHERNET, 179: _PPP_MAYBE, 180: FRAME_RELAY, 181: HDLC}
_PASSED = np.array([_LINKS.get(link, (0, 0))[0] for link in range(288)], np.int64)
_FOLLOWS = np.array([_LINKS.get(link, (0, STRANGE))[1] for link in range(288)], np.int64)
_OF_JUNIPER = np.array([_JUNIPER.get(link, STRANGE) for link in range(288)], np.int64)
_MOST_LAYERS = 32


@kernel
def enter(
    data: NDArray[np.uint8], at: int, end: int, link: int, packet: NDArray[np.int64]
) -> tuple[int, int]:
    """What follows the header of a link type, and where; writes to `packet` what the link says."""
    if link < 0 or link >= _FOLLOWS.size:
        return STRANGE, at
    if _OF_JUNIPER[link] != STRANGE:
        return _juniper(data, at, end, _OF_JUNIPER[link])
    kind = _FOLLOWS[link]
    at += _PASSED[link]
    if at > end:
        return CUT_OFF, at
    if kind >= _SLL:
        return _told(data, at, end, kind, packet)
    return kind, at


@kernel
def peel(data: NDArray[np.uint8], at: int, end: int, kind: int, packet: NDArray[np.int64]) -> tuple[int, int]:
    """Past links inside links, tags and labels: IPV4, IPV6, OTHER or CUT_OFF, and where it begins."""
    for _ in range(_MOST_LAYERS):
        if kind in (IPV4, IPV6) or kind < LOOK or kind == OTHER:
            return kind, at
        if kind == ETHERNET:
            if at + 14 > end:
                return CUT_OFF, at
            packet[TARGET_MAC], packet[SOURCE_MAC] = be48(data, at), be48(data, at + 6)
            kind, at = _ethertype(be16(data, at + 12)), at + 14
        elif kind in (0x8100, 0x88A8, 0x9100, 0x9200):
            if at + 4 > end:
                return CUT_OFF, at
            cell = INNER_VLAN if packet[VLAN] else VLAN
            packet[cell] = be16(data, at) & 0xFFF
            kind, at = _ethertype(be16(data, at + 2)), at + 4
        elif kind == LOOK:
            if at >= end:
                return CUT_OFF, at
            first = byte(data, at) >> 4
            kind = IPV4 if first == 4 else IPV6 if first == 6 else OTHER
        else:
            kind, at = _further(data, at, end, kind, packet)
    return OTHER, at


@kernel
def _ethertype(found: int) -> int:
    """An EtherType; up to 1500 it is a length, and LLC follows (IEEE 802.3, 3.2.6)."""
    return found if found > 1500 else LLC


@kernel
def _further(
    data: NDArray[np.uint8], at: int, end: int, kind: int, packet: NDArray[np.int64]
) -> tuple[int, int]:
    """One layer of the rarer ones."""
    if kind in (PPPOE, 0x8864):
        if at + 7 > end:
            return CUT_OFF, at
        return (PPP, at + 6) if be16(data, at) == 0x1100 else (OTHER, at)
    if kind == PPP:
        return _ppp(data, at, end)
    if kind in (MPLS, 0x8848):
        return _mpls(data, at, end)
    if kind == LLC:
        return _llc(data, at, end)
    if kind == HDLC:
        return (_ethertype(be16(data, at + 2)), at + 4) if at + 4 <= end else (CUT_OFF, at)
    if kind == WIRELESS:
        return _wireless(data, at, end, 0, packet)
    if kind == FRAME_RELAY:
        return _frame_relay(data, at, end)
    # Bridges' own headers: 802.1ah service tags, VN-Tag, FabricPath, Ethernet itself.
    if kind in (0x88E7, 0x8926, 0x8903, 0x6558):
        passed = 2 if kind == 0x8903 else 0 if kind == 0x6558 else 4
        if at + passed + 2 > end:
            return CUT_OFF, at
        if kind == 0x8926:
            return _ethertype(be16(data, at + 4)) if at + 6 <= end else CUT_OFF, at + 6
        return ETHERNET, at + passed
    if kind == 0x880B:
        return PPP, at
    return OTHER, at


@kernel
def _ppp(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """PPP, its address and control bytes and the first of its protocol's there or left out."""
    if at + 4 <= end and be16(data, at) == 0xFF03:
        at += 2
    if at + 2 > end:
        return CUT_OFF, at
    if byte(data, at) & 1:
        protocol, at = byte(data, at), at + 1
    else:
        protocol, at = be16(data, at), at + 2
    if protocol == 0x21:
        return IPV4, at
    if protocol == 0x57:
        return IPV6, at
    return MPLS if protocol in (0x281, 0x283) else OTHER, at


@kernel
def _mpls(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Labels up to the bottom of the stack; what is below they do not say."""
    while at + 4 <= end:
        last = byte(data, at + 2) & 1
        at += 4
        if last:
            if at >= end:
                return CUT_OFF, at
            first = byte(data, at) >> 4
            if first in (4, 6):
                return LOOK, at
            # A pseudowire's control word begins with zero (RFC 4385); without one it is a MAC address.
            if first == 0 and at + 18 <= end and be16(data, at) == 0:
                return ETHERNET, at + 4
            return ETHERNET, at
    return CUT_OFF, at


@kernel
def _llc(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    if at + 3 > end:
        return CUT_OFF, at
    saps, control = be16(data, at), byte(data, at + 2)
    if control != 3:
        return OTHER, at
    if saps == 0x0606:
        return IPV4, at + 3
    if saps == 0xFEFE and at + 4 <= end:
        return _nlpid(byte(data, at + 3)), at + 4
    if saps != 0xAAAA or at + 8 > end:
        return OTHER, at
    return _snap(data, at + 3)


@kernel
def _snap(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """Organisation and type: five bytes that are there."""
    owner, kind = be16(data, at) << 8 | byte(data, at + 2), be16(data, at + 3)
    if owner in (0, 0x0000F8):
        return kind if kind > 1500 else OTHER, at + 5
    if owner == 0x0080C2 and kind in (1, 7):  # bridged Ethernet (RFC 2684)
        return ETHERNET, at + 7
    return OTHER, at


@kernel
def _nlpid(found: int) -> int:
    return IPV4 if found == 0xCC else IPV6 if found == 0x8E else OTHER


@kernel
def _frame_relay(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    while at < end and not byte(data, at) & 1:  # the address goes on while the lowest bit is 0
        at += 1
    at += 1
    if at + 2 > end:
        return CUT_OFF, at
    if byte(data, at) != 3:
        return _ethertype(be16(data, at)), at + 2  # as Cisco has it
    at += 2 if byte(data, at + 1) == 0 else 1
    if at + 6 > end:
        return CUT_OFF, at
    if byte(data, at) == 0x80:
        return _snap(data, at + 1)
    return _nlpid(byte(data, at)), at + 1


@kernel
def _wireless(
    data: NDArray[np.uint8], at: int, end: int, padded: int, packet: NDArray[np.int64]
) -> tuple[int, int]:
    """A data frame that is neither encrypted nor a fragment; of several packets in one the first."""
    if at + 24 > end:
        return CUT_OFF if end > at else OTHER, at
    control, flags = byte(data, at), byte(data, at + 1)
    if control & 0x4C != 0x08 or flags & 0x44 or byte(data, at + 22) & 15:
        return OTHER, at
    size = 30 if flags & 3 == 3 else 24
    several = False
    if control & 0x80:
        size += 2
        if at + size > end:
            return CUT_OFF, at
        several = bool(byte(data, at + size - 2) & 0x80)
        size += 4 if flags & 0x80 else 0
    if at + size > end:
        return CUT_OFF, at
    packet[TARGET_MAC] = be48(data, at + (16 if flags & 1 else 4))
    packet[SOURCE_MAC] = be48(data, at + (10, 10, 16, 24)[flags & 3])
    if padded:
        size = (size + 3) // 4 * 4
    if several:
        if at + size + 14 > end:
            return CUT_OFF, at
        packet[TARGET_MAC], packet[SOURCE_MAC] = be48(data, at + size), be48(data, at + size + 6)
        size += 14
    return LLC, at + size


@kernel
def _juniper(data: NDArray[np.uint8], at: int, end: int, kind: int) -> tuple[int, int]:
    if at + 6 > end or be16(data, at) != 0x4D47 or byte(data, at + 2) != 0x43:
        return CUT_OFF, at
    flags = byte(data, at + 3)
    at += 6 + be16(data, at + 4) if flags & 0x80 else 4
    if flags & 2:
        kind, at = LOOK, at + 4
    return (kind, at) if at <= end else (CUT_OFF, at)


@kernel
def _told(
    data: NDArray[np.uint8], at: int, end: int, kind: int, packet: NDArray[np.int64]
) -> tuple[int, int]:
    """Headers that say themselves what follows, or how long they are."""
    if kind == _PPP_MAYBE:
        return HDLC if at < end and byte(data, at) in (0x0F, 0x8F) else PPP, at
    if at + 16 > end:
        return CUT_OFF, at
    if kind == _SLL:
        if be16(data, at + 4) == 6:
            packet[SOURCE_MAC] = be48(data, at + 6)
        return _cooked(be16(data, at + 2), be16(data, at + 14)), at + 16
    if kind == _SLL2:
        if at + 20 > end:
            return CUT_OFF, at
        if byte(data, at + 11) == 6:
            packet[SOURCE_MAC] = be48(data, at + 12)
        return _cooked(be16(data, at + 8), be16(data, at)), at + 20
    if kind == _PFLOG:
        at += (byte(data, at) + 3) // 4 * 4
        return (LOOK, at) if at < end else (CUT_OFF, at)
    if kind == _NFLOG:
        return _nflog(data, at, end, packet)
    if kind == _RADIOTAP:
        return _radiotap(data, at, end, packet)
    if kind == _FIBRE:
        packet[TARGET_MAC], packet[SOURCE_MAC] = be48(data, at), be48(data, at + 6)
        return LLC, at + 12
    if kind == _PRISM:
        avs = be32(data, at) & 0xFFFFF000 == 0x80211000
        size = be32(data, at + 4) if avs else _le16(data, at + 4)
        return (WIRELESS, at + size) if at + size <= end else (CUT_OFF, at)
    size, link = _le16(data, at + 2), _le16(data, at + 4)  # PPI
    if at + size > end:
        return CUT_OFF, at
    return WIRELESS if link == 105 else ETHERNET if link == 1 else OTHER, at + size


@kernel
def _le16(data: NDArray[np.uint8], at: int) -> int:
    return byte(data, at) | (byte(data, at + 1) << 8)


@kernel
def _cooked(hardware: int, protocol: int) -> int:
    """What follows Linux' cooked headers, by ARPHRD_ and protocol."""
    if hardware in (801, 802, 803, 824):
        return WIRELESS if hardware == 801 else OTHER
    return protocol if protocol > 1500 else LLC if protocol == 4 else OTHER


@kernel
def _nflog(data: NDArray[np.uint8], at: int, end: int, packet: NDArray[np.int64]) -> tuple[int, int]:
    """Attributes in the order of the host's bytes: 9 is the packet, 8 the sender's link address."""
    at += 4
    while at + 4 <= end:
        size, kind = _le16(data, at), _le16(data, at + 2)
        if size < 4 or kind > 255:
            size, kind = be16(data, at), be16(data, at + 2)
        if size < 4 or at + size > end:
            return (LOOK, at + 4) if kind == 9 else (CUT_OFF, at)  # the packet may be cut
        if kind == 9:
            return LOOK, at + 4
        if kind == 8 and size >= 14 and be16(data, at + 4) == 6:
            packet[SOURCE_MAC] = be48(data, at + 8)
        at += (size + 3) // 4 * 4
    return OTHER, at


@kernel
def _radiotap(data: NDArray[np.uint8], at: int, end: int, packet: NDArray[np.int64]) -> tuple[int, int]:
    """Of its fields only the flags matter: whether the 802.11 header is padded to four bytes."""
    size = _le16(data, at + 2)
    behind, field = at + size, at + 8
    if size < 8 or behind > end:
        return CUT_OFF, at
    present = be32(data, at + 4)
    more = present & 0x80  # of a little-endian word, byte 3
    while more and field + 4 <= behind:
        more = byte(data, field + 3) & 0x80
        field += 4
    padded = 0
    if present & 0x02000000:
        if present & 0x01000000:
            field += -(field - at) % 8 + 8
        padded = byte(data, field) & 0x20 if field < behind else 0
    return _wireless(data, behind, end, padded, packet)
