"""Compiled: what is inside of a tunnel, if the bytes say that it is one.

GRE RFC 2784 and 2890, PPTP's RFC 2637, ERSPAN draft-foschiano-erspan, EtherIP RFC 3378, IP in IP RFC 2003 and
4213, MPLS RFC 4023 and 7510, VXLAN RFC 7348 (GPE draft-ietf-nvo3-vxlan-gpe), Geneve RFC 8926, GTP-U 3GPP TS
29.281, Teredo RFC 4380, AYIYA draft-massar-v6ops-ayiya, L2TP RFC 2661, LISP RFC 9300, TZSP as Wireshark reads
it. A port is no proof of any of them: `dissect` asks whether the header inside is sound.
"""

# Offsets are the formats' own numbers, and the branches of a packet stand together: a call for each costs.
# ruff: noqa: PLR2004, PLR0911, C901
from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.capture.packet import (
    ETHERNET,
    IN_AYIYA,
    IN_ERSPAN,
    IN_ETHERIP,
    IN_GENEVE,
    IN_GRE,
    IN_GTP,
    IN_IP,
    IN_L2TP,
    IN_LISP,
    IN_MPLS,
    IN_PPTP,
    IN_TEREDO,
    IN_TZSP,
    IN_VXLAN,
    IPV4,
    IPV6,
    LOOK,
    MPLS,
    OTHER,
    PPP,
    UDP,
    WIRELESS,
    be16,
    be32,
    byte,
)
from sensors.compiled import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What was found: what follows (OTHER: no tunnel), where, one of IN_, and the tunnel's identifier.
_NONE = (OTHER, 0, 0, 0)


@kernel
def inside(data: NDArray[np.uint8], at: int, end: int, wire: int, protocol: int) -> tuple[int, int, int, int]:
    """What the payload of IP holds: what follows, where, one of `TUNNEL_NAMES`, the tunnel's identifier.

    Args:
        data: bytes.
        at: where the payload begins.
        end: the place behind it, of what was captured.
        wire: the place behind it, of what was sent.
        protocol: the number of IP's protocol.
    """
    if protocol == UDP:
        if at + 16 > end:
            return _NONE
        length = be16(data, at + 4)
        behind = min(wire, at + length) if length >= 8 else wire
        return _in_udp(data, at + 8, min(end, behind), behind, be16(data, at), be16(data, at + 2))
    if protocol == 4:
        return IPV4, at, IN_IP, 0
    if protocol == 41:
        return IPV6, at, IN_IP, 0
    if protocol == 47:
        return _gre(data, at, end)
    if protocol == 97 and at + 2 <= end and byte(data, at) >> 4 == 3:
        return ETHERNET, at + 2, IN_ETHERIP, 0
    if protocol == 137 and at + 4 <= end:
        return MPLS, at, IN_MPLS, be32(data, at) >> 12
    return _NONE


@kernel
def _in_udp(
    data: NDArray[np.uint8], at: int, end: int, wire: int, source: int, target: int
) -> tuple[int, int, int, int]:
    """Tunnels over UDP; at least eight bytes of payload are there, or `end` says less."""
    if at + 8 > end:
        return _NONE
    first = byte(data, at)
    if first >> 4 == 6 and (_is_teredo(data, at, end) or 3544 in (source, target)):
        return _whole(data, at, end, wire)
    if target in (4789, 8472, 4790):
        return _vxlan(data, at, first, target)
    if 2152 in (source, target):
        return _gtp(data, at, end)
    if target == 6081:
        return _geneve(data, at, first)
    if 1701 in (source, target):
        return _l2tp(data, at, end)
    if 3544 in (source, target):
        return _teredo(data, at, end, wire)
    if 5072 in (source, target):
        return _ayiya(data, at, end)
    if target == 4754:
        return _gre(data, at, end)
    if target == 6635:
        return MPLS, at, IN_MPLS, be32(data, at) >> 12
    if target == 4341:
        return LOOK, at + 8, IN_LISP, 0
    if target == 37008:
        return _tzsp(data, at, end)
    return _NONE


@kernel
def _gre(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int, int]:
    if at + 4 > end:
        return _NONE
    flags, kind, key = be16(data, at), be16(data, at + 2), 0
    version, place = flags & 7, at + 4
    if version == 1:
        if kind != 0x880B or not flags & 0x2000 or not flags & 0x1000 or at + 16 > end:
            return _NONE  # without a sequence number it carries nothing
        return PPP, at + (16 if flags & 0x80 else 12), IN_PPTP, be16(data, at + 6)
    if version or flags & 0x4000:  # routing (RFC 1701) was taken back by RFC 2784
        return _NONE
    if flags & 0x8000:
        place += 4
    if flags & 0x2000:
        if place + 4 > end:
            return _NONE
        key = be32(data, place)
        place += 4
    if flags & 0x1000:
        place += 4
    if kind in (0x88BE, 0x22EB):
        return _erspan(data, place, end, kind, flags)
    if kind == 0x883E:  # WCCP: its own header of four bytes, unless IP begins at once
        if place >= end:
            return _NONE
        return LOOK, place if byte(data, place) >> 4 == 4 else place + 4, IN_GRE, key
    if 0x8200 <= kind <= 0x820F:  # Aruba's
        return WIRELESS, place, IN_GRE, key
    return kind if kind > 1500 else OTHER, place, IN_GRE, key


@kernel
def _erspan(data: NDArray[np.uint8], at: int, end: int, kind: int, flags: int) -> tuple[int, int, int, int]:
    if kind == 0x88BE and not flags & 0x1000:  # type I has neither sequence number nor header
        return ETHERNET, at, IN_ERSPAN, 0
    if at + 12 > end:
        return _NONE
    session, version = be32(data, at) & 0x3FF, byte(data, at) >> 4
    if kind == 0x88BE:
        return ETHERNET if version == 1 else OTHER, at + 8, IN_ERSPAN, session
    inner = byte(data, at + 10) >> 2 & 31  # the frame's type: Ethernet or IP
    at += 20 if byte(data, at + 11) & 1 else 12
    return (OTHER if version != 2 else LOOK if inner == 2 else ETHERNET), at, IN_ERSPAN, session


@kernel
def _vxlan(data: NDArray[np.uint8], at: int, flags: int, target: int) -> tuple[int, int, int, int]:
    if not flags & 8:
        return _NONE
    kind = ETHERNET
    if target == 4790 and flags & 4:
        following = byte(data, at + 3)
        kind = (OTHER, IPV4, IPV6, ETHERNET)[following] if following < 4 else OTHER
    return kind, at + 8, IN_VXLAN, be32(data, at + 4) >> 8


@kernel
def _geneve(data: NDArray[np.uint8], at: int, first: int) -> tuple[int, int, int, int]:
    kind = be16(data, at + 2)
    if first >> 6 or byte(data, at + 7) or kind <= 1500:
        return _NONE
    return kind, at + 8 + (first & 63) * 4, IN_GENEVE, be32(data, at + 4) >> 8


@kernel
def _gtp(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int, int]:
    """Version 1, message 255: a packet of a subscriber's."""
    flags, place = byte(data, at), at + 8
    if flags & 0xF0 != 0x30 or byte(data, at + 1) != 0xFF:
        return _NONE
    if flags & 7:
        place += 4
        if place > end:
            return _NONE
        following = byte(data, place - 1) if flags & 4 else 0
        while following:
            if place >= end or not byte(data, place):
                return _NONE
            place += byte(data, place) * 4
            if place > end:
                return _NONE
            following = byte(data, place - 1)
    return LOOK, place, IN_GTP, be32(data, at + 4)


@kernel
def _is_teredo(data: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether IPv6 of Teredo's prefix begins here: peers talk from any port."""
    return at + 40 <= end and 0x20010000 in (be32(data, at + 8), be32(data, at + 24))


@kernel
def _teredo(data: NDArray[np.uint8], at: int, end: int, wire: int) -> tuple[int, int, int, int]:
    """Authentication and origin may stand before the packet."""
    if be16(data, at) == 1:
        at += 13 + byte(data, at + 2) + byte(data, at + 3)
    if at + 8 <= end and be16(data, at) == 0:
        at += 8
    return _whole(data, at, end, wire)


@kernel
def _whole(data: NDArray[np.uint8], at: int, end: int, wire: int) -> tuple[int, int, int, int]:
    """IPv6 that fills the datagram; a bubble, which says nothing, is none."""
    if at + 40 > end or byte(data, at) >> 4 != 6:
        return _NONE
    length = be16(data, at + 4)
    return IPV6 if length and at + 40 + length == wire else OTHER, at, IN_TEREDO, 0


@kernel
def _ayiya(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int, int]:
    """Forwarded IPv6: behind the epoch an identity of a power of two bytes, and a signature."""
    if byte(data, at + 2) & 15 != 1 or byte(data, at + 3) != 41:
        return _NONE
    place = at + 8 + (1 << (byte(data, at) >> 4)) + (byte(data, at + 1) >> 4) * 4
    return (IPV6, place, IN_AYIYA, 0) if place <= end else _NONE


@kernel
def _l2tp(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int, int]:
    """A data message; control messages are L2TP's own."""
    flags = be16(data, at)
    if flags & 0x800F != 2:
        return _NONE
    place = at + 4 if flags & 0x4000 else at + 2
    if place + 4 > end:
        return _NONE
    session = be32(data, place)
    place += 8 if flags & 0x0800 else 4
    if flags & 0x0200:
        if place + 2 > end:
            return _NONE
        place += 2 + be16(data, place)
    return PPP, place, IN_L2TP, session


@kernel
def _tzsp(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int, int]:
    kind = be16(data, at + 2)
    if be16(data, at) not in (0x0100, 0x0101) or kind not in (1, 18):
        return _NONE
    at += 4
    while at < end and byte(data, at) != 1:  # tags; 1 is the last
        at += 2 + byte(data, at + 1) if byte(data, at) and at + 1 < end else 1
    return ETHERNET if kind == 1 else WIRELESS, at + 1, IN_TZSP, 0
