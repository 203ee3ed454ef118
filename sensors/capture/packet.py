"""The cells of a dissected packet, and how kernels read numbers, most significant byte first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Addresses are halves of 64 bits; an IPv4 address lies in the lower one. PAYLOAD_BYTES lie at PAYLOAD_AT.
VERSION, PROTOCOL, SOURCE_HIGH, SOURCE_LOW, TARGET_HIGH, TARGET_LOW = range(6)
SOURCE_PORT, TARGET_PORT, FLAGS, PAYLOAD_AT, PAYLOAD_BYTES, IP_BYTES = range(6, 12)
# Where the transport's header begins, and the payload that the packet had, captured or not.
TRANSPORT_AT, PAYLOAD_WIRE = 12, 13
# Of the innermost link: MAC addresses as numbers of 48 bits (-1: it has none) and VLANs (0: none).
SOURCE_MAC, TARGET_MAC, VLAN, INNER_VLAN = range(14, 18)
HOP_LIMIT, ICMP_TYPE, ICMP_CODE = range(18, 21)  # -1 where it is not ICMP
# The tunnel that the packet came through, the last one if there are several: one of `TUNNEL_NAMES` (0: none),
# how many there are, its own identifier (VNI, key, TEID, session), and the packet around it.
TUNNEL, TUNNELS, TUNNEL_ID, OUTER_VERSION, OUTER_PROTOCOL = range(21, 26)
OUTER_SOURCE_HIGH, OUTER_SOURCE_LOW, OUTER_TARGET_HIGH, OUTER_TARGET_LOW = range(26, 30)
OUTER_SOURCE_PORT, OUTER_TARGET_PORT = 30, 31
# A fragment: 1 or 0; the others are told only where it is 1. Its bytes are those FROM on of the whole
# payload; they lie AT to END, up to WIRE if the capture had not cut them.
FRAGMENT, FRAGMENT_ID, FRAGMENT_FROM, FRAGMENT_MORE = range(32, 36)
FRAGMENT_AT, FRAGMENT_END, FRAGMENT_WIRE = range(36, 39)
FRAGMENTS = 39  # the number of fragments that the packet was put together from; 0 where it came whole
OUTER_IP_BYTES, OUTER_PAYLOAD_WIRE = 40, 41  # of the packet around: as IP_BYTES, and behind UDP's header
PACKET_CELLS = 42

# What `dissect` says; HELD is what `fragments.take` says of a fragment, until the last one has come.
IS_IP, NOT_IP, BROKEN, UNKNOWN_LINK, HELD = range(5)

ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58

# What follows a header, beside EtherTypes: look at the version of IP; nothing of ours; cut off or broken; a
# link that is not read; and links inside links.
LOOK, OTHER, CUT_OFF, STRANGE = 0, 1, -1, -2
IPV4, IPV6, MPLS = 0x0800, 0x86DD, 0x8847
ETHERNET, LLC, PPP, HDLC, FRAME_RELAY, WIRELESS, PPPOE = range(0x10000, 0x10007)

IN_IP, IN_GRE, IN_PPTP, IN_ERSPAN, IN_ETHERIP, IN_MPLS = range(1, 7)
IN_VXLAN, IN_GENEVE, IN_GTP, IN_TEREDO, IN_AYIYA, IN_L2TP, IN_LISP, IN_TZSP = range(7, 15)
TUNNEL_NAMES: Final = {
    IN_IP: "ipip", IN_GRE: "gre", IN_PPTP: "pptp", IN_ERSPAN: "erspan", IN_ETHERIP: "etherip",
    IN_MPLS: "mpls", IN_VXLAN: "vxlan", IN_GENEVE: "geneve", IN_GTP: "gtp", IN_TEREDO: "teredo",
    IN_AYIYA: "ayiya", IN_L2TP: "l2tp", IN_LISP: "lisp", IN_TZSP: "tzsp",
}  # fmt: skip


@kernel
def byte(data: NDArray[np.uint8], at: int) -> int:
    """The byte at `at`."""
    # An index that cannot be negative spares the look whether it counts from the end; signed numbers stay so.
    return int(np.int64(data[np.uint64(at)]))


@kernel
def be16(data: NDArray[np.uint8], at: int) -> int:
    """Two bytes at `at`, most significant first."""
    return (byte(data, at) << 8) | byte(data, at + 1)


@kernel
def be32(data: NDArray[np.uint8], at: int) -> int:
    """Four bytes at `at`, most significant first."""
    return (be16(data, at) << 16) | be16(data, at + 2)


@kernel
def be48(data: NDArray[np.uint8], at: int) -> int:
    """Six bytes at `at`, most significant first."""
    return (be32(data, at) << 16) | be16(data, at + 4)


@kernel
def be64(data: NDArray[np.uint8], at: int) -> int:
    """Eight bytes at `at`, most significant first, as a signed number of the same bits."""
    high = be32(data, at)
    if high >= 1 << 31:
        high -= 1 << 32
    return (high << 32) | be32(data, at + 4)
