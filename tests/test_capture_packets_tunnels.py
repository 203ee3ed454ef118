"""Tunnels are seen through where what is inside is sound; and only there."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.ppp import PPP
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet
from test_capture_packets import ETHER, MAC_ONE, MAC_TWO, Told, one, plain, tell

from sensors.capture import packet
from sensors.capture.packet import BROKEN, IS_IP, NOT_IP, TUNNEL_NAMES

__all__ = ["plain"]  # a fixture
QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)

OUT = IP(src="203.0.113.1", dst="203.0.113.2")
OVER_GRE = IP(src="203.0.113.1", dst="203.0.113.2", proto=47)
OUT6 = IPv6(src="2001:db8:ff::1", dst="2001:db8:ff::2")
INNER = IP(src="192.0.2.1", dst="198.51.100.2") / TCP(sport=5000, dport=443, flags="PA") / b"some bytes"
INNER6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=5000, dport=443) / b"some bytes"
TEREDO = IPv6(src="2001:0:cb00:7101::1", dst="2001:db8::2") / UDP(sport=5000, dport=443) / b"some bytes"
FRAME = Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb")
INNER_MACS = (0x0200000000AA, 0x0200000000BB)
ERSPAN2 = struct.pack("!II", 1 << 28 | 20 << 16 | 77, 0)
ERSPAN3 = struct.pack("!III", 2 << 28 | 20 << 16 | 77, 0, 0)
GRE_SEQUENCE = struct.pack("!HHI", 0x1000, 0x88BE, 1)


def udp(target: int, source: int = 50_000) -> Packet:
    return UDP(sport=source, dport=target)


# The tunnel's name, its identifier, the packet, and the ports around it.
TUNNELS = {
    "IPv4 in IPv4": ("ipip", 0, OUT / INNER),
    "IPv6 in IPv4": ("ipip", 0, OUT / INNER6),
    "IPv4 in IPv6": ("ipip", 0, OUT6 / INNER),
    "GRE": ("gre", 0, OUT / GRE() / INNER),
    "GRE with all": (
        "gre", 77, OUT / GRE(chksum_present=1, key_present=1, key=77, seqnum_present=1) / INNER6,
    ),
    "GRE bridging": ("gre", 0, OUT / GRE(proto=0x6558) / FRAME / INNER),
    "GRE to a web cache": ("gre", 0, OUT / GRE(proto=0x883E) / b"\0\x01\x02\x03" / INNER),
    "GRE of Aruba": (
        "gre", 0,
        OUT / GRE(proto=0x8200) / bytes.fromhex("0801 0000 0200000000ff 0200000000aa 0200000000bb 1000")
        / bytes.fromhex("aaaa03 000000 0800") / INNER,
    ),
    "PPTP": (
        "pptp", 9,
        OVER_GRE / struct.pack("!HHHHII", 0x3081, 0x880B, 4 + len(INNER), 9, 4, 3) / PPP(proto=0x21) / INNER,
    ),
    "ERSPAN I": ("erspan", 0, OUT / GRE(proto=0x88BE) / FRAME / INNER),
    "ERSPAN II": ("erspan", 77, OVER_GRE / (GRE_SEQUENCE + ERSPAN2) / FRAME / INNER),
    "ERSPAN III": (
        "erspan", 77,
        OVER_GRE / (struct.pack("!HHI", 0x1000, 0x22EB, 1) + ERSPAN3) / FRAME / INNER,
    ),
    "Ethernet in IP": (
        "etherip", 0, IP(src="203.0.113.1", dst="203.0.113.2", proto=97) / b"\x30\x00" / FRAME / INNER,
    ),
    "MPLS in IP": (
        "mpls", 16, IP(src="203.0.113.1", dst="203.0.113.2", proto=137) / b"\x00\x01\x01\x40" / INNER,
    ),
    "VXLAN": ("vxlan", 7, OUT / udp(4789) / VXLAN(vni=7, flags=8) / FRAME / INNER),
    "VXLAN over IPv6": (
        "vxlan", 7, OUT6 / udp(8472) / VXLAN(vni=7, flags=8) / FRAME / Dot1Q(vlan=5) / INNER6,
    ),
    "VXLAN-GPE": ("vxlan", 7, OUT / udp(4790) / b"\x0c\0\0\x01\0\0\x07\0" / INNER),
    "Geneve": ("geneve", 7, OUT / udp(6081) / GENEVE(vni=7, proto=0x6558) / FRAME / INNER),
    "Geneve with options": (
        "geneve", 7, OUT / udp(6081) / b"\x02\0\x08\0\0\0\x07\0\x01\x02\x03\x01abcd" / INNER,
    ),
    "GTP-U": ("gtp", 7, OUT / udp(2152, 2152) / GTP_U_Header(teid=7) / INNER),
    "GTP-U with extensions": (
        "gtp", 7,
        OUT / udp(2152) / (b"\x34\xff" + struct.pack("!HI", 12 + len(INNER), 7))
        / b"\0\0\0\x85\x01\0\0\x85\x01\0\0\0" / INNER,
    ),
    "Teredo": ("teredo", 0, OUT / udp(3544) / TEREDO),
    "Teredo between peers": ("teredo", 0, OUT / udp(40_000) / TEREDO),
    "Teredo with origin": ("teredo", 0, OUT / udp(50_000, 3544) / bytes(8) / TEREDO),
    "Teredo with authentication": (
        "teredo", 0, OUT / udp(3544) / (b"\0\x01\x02\x03" + bytes(5) + bytes(9) + bytes(8)) / TEREDO,
    ),
    "AYIYA": ("ayiya", 0, OUT / udp(5072) / (b"\x42\x52\x11\x29" + bytes(4 + 16 + 20)) / INNER6),
    "L2TP": ("l2tp", 0x00050006, OUT / udp(1701, 1701) / b"\0\x02\0\x05\0\x06\xff\x03\0\x21" / INNER),
    "L2TP with all": (
        "l2tp", 0x00050006,
        OUT / udp(1701) / (b"\x4a\x02\0\x40\0\x05\0\x06\0\0\0\0\0\x02ab\x21") / INNER,
    ),
    "LISP": ("lisp", 0, OUT / udp(4341) / bytes(8) / INNER),
    "GRE in UDP": ("gre", 0, OUT / udp(4754) / GRE() / INNER),
    "MPLS in UDP": ("mpls", 16, OUT / udp(6635) / b"\x00\x01\x01\x40" / INNER),
    "a sniffer's": ("tzsp", 0, OUT / udp(37_008) / b"\x01\0\0\x01\0\x0a\x01\x05\x01" / FRAME / INNER),
}  # fmt: skip


def tunnelled(told: Told) -> tuple[str, int]:
    return TUNNEL_NAMES.get(told[packet.TUNNEL], ""), told[packet.TUNNEL_ID]


@pytest.mark.parametrize("name", TUNNELS)
def test_what_is_inside(name: str) -> None:
    tunnel, number, made = TUNNELS[name]
    whole = bytes(ETHER / made)
    told = one(whole)
    assert told.said == IS_IP
    assert tunnelled(told) == (tunnel, number)
    assert told.payload == b"some bytes"
    assert (told[packet.SOURCE_PORT], told[packet.TARGET_PORT], told[packet.TUNNELS]) == (5000, 443, 1)
    source, sport, target, dport = told.outer
    assert (source, target) in (("203.0.113.1", "203.0.113.2"), ("2001:db8:ff::1", "2001:db8:ff::2"))
    around = made.getlayer(UDP) if made.payload.name == "UDP" else None
    assert (sport, dport) == ((around.sport, around.dport) if around else (0, 0))
    assert told[packet.OUTER_PAYLOAD_WIRE] == (len(around.payload) if around else 0)
    assert told[packet.OUTER_IP_BYTES] == len(made)
    inside = FRAME.src.replace(":", "") in whole[14:].hex()
    macs = told[packet.SOURCE_MAC], told[packet.TARGET_MAC]
    assert macs == (INNER_MACS if inside else (-1, -1))


@pytest.mark.usefixtures("plain")
def test_tunnels_in_python_even_cut_anywhere() -> None:
    for tunnel, _, made in TUNNELS.values():
        whole = bytes(ETHER / made)
        for size in range(14, len(whole)):
            told = one(whole[:size])
            assert told.said in (IS_IP, NOT_IP, BROKEN)
            if told[packet.TUNNEL] and told.said == IS_IP:
                assert TUNNEL_NAMES[told[packet.TUNNEL]] == tunnel


def test_tunnels_in_tunnels() -> None:
    twice = OUT / GRE() / OUT6 / udp(4789) / VXLAN(vni=7, flags=8) / FRAME / OUT / INNER
    told = one(ETHER / twice)
    assert (told[packet.TUNNELS], tunnelled(told)[0], told.payload) == (3, "ipip", b"some bytes")
    deep: Packet = INNER
    for _ in range(20):
        deep = OUT / deep
    told = one(ETHER / deep)
    assert (told.said, told[packet.TUNNELS], told[packet.PROTOCOL]) == (IS_IP, 8, 4)


@pytest.mark.parametrize("port", [4789, 6081, 2152, 3544, 1701, 5072, 4754, 6635, 4341, 37_008])
@pytest.mark.parametrize(
    "payload", [b"", b"x", bytes(7), bytes(300), b"\x45" * 60, b"\x60" * 60, b"\xff" * 100, b"\x08" * 40]
)
def test_a_port_is_no_proof(port: int, payload: bytes) -> None:
    told = one(ETHER / OUT / udp(port) / payload)
    assert (told.said, told[packet.TUNNEL], told.payload) == (IS_IP, 0, payload)
    assert told.ends == ("203.0.113.1", 50_000, "203.0.113.2", port)
    assert (told[packet.SOURCE_MAC], told[packet.TARGET_MAC]) == (MAC_ONE, MAC_TWO)


def test_what_is_inside_must_be_sound() -> None:
    for inner in (
        FRAME / ARP(psrc="192.0.2.1", pdst="192.0.2.2"),
        FRAME / IP(src="192.0.2.1", dst="192.0.2.2", len=999) / UDP() / b"longer than what holds it",
        FRAME / IP(src="192.0.2.1", dst="192.0.2.2", ihl=3) / UDP(),
    ):
        told = one(ETHER / Dot1Q(vlan=9) / OUT / udp(4789) / VXLAN(vni=7, flags=8) / inner)
        assert (told[packet.TUNNEL], told[packet.TARGET_PORT], told[packet.VLAN]) == (0, 4789, 9)
    bubble = one(ETHER / OUT / udp(3544) / IPv6(src="2001:0:cb00:7101::1", dst="2001:db8::2", nh=59))
    assert bubble[packet.TUNNEL] == 0
    silent = one(ETHER / OVER_GRE / struct.pack("!HHHHI", 0x2081, 0x880B, 0, 9, 3))
    assert (silent[packet.TUNNEL], silent[packet.PROTOCOL]) == (0, 47)
    control = one(ETHER / OUT / udp(1701) / (b"\xc8\x02\0\x0c" + bytes(8)))
    assert control[packet.TUNNEL] == 0


def test_a_neighbour_is_not_touched() -> None:
    whole = bytes(ETHER / TUNNELS["VXLAN"][2])
    first, second = tell([whole, bytes(ETHER / INNER)])
    assert (first[packet.TUNNELS], second[packet.TUNNELS], second[packet.TUNNEL]) == (1, 0, 0)


@QUIET
@given(st.data())
@pytest.mark.usefixtures("plain")
def test_nothing_is_read_outside_of_a_tunnel(data: st.DataObject) -> None:
    made = bytearray(bytes(ETHER / TUNNELS[data.draw(st.sampled_from(sorted(TUNNELS)))][2]))
    for _ in range(data.draw(st.integers(0, 8))):
        made[data.draw(st.integers(14, len(made) - 1))] = data.draw(st.integers(0, 255))
    one(bytes(made[: data.draw(st.integers(14, len(made)))]))
