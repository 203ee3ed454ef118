"""Links and transports: what `dissect` tells of a packet, and that it reads nothing outside of it."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.l2 import LLC, SNAP, Dot1Q, Dot3, Ether
from scapy.packet import Packet

from sensors.capture import blocks, dissect, fragments, links, packet, tunnels, walk
from sensors.capture.packet import BROKEN, IS_IP, NOT_IP, PACKET_CELLS, UNKNOWN_LINK

MODULES = (packet, links, tunnels, dissect, fragments, blocks, walk)
ONE, TWO = "02:00:00:00:00:01", "02:00:00:00:00:02"
ETHER = Ether(src=ONE, dst=TWO)
MACS = bytes(ETHER)[:12]
MAC_ONE, MAC_TWO = 0x020000000001, 0x020000000002
INNER = IP(src="192.0.2.1", dst="198.51.100.2") / UDP(sport=5000, dport=6000) / b"some bytes"
INNER6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(sport=5000, dport=443, flags="PA") / b"more"
SLOW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels as Python: an index outside of an array is an error, and so is a number that overflows."""
    for module in MODULES:
        for name, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, name, value.py_func)


@dataclass
class Told:
    """What was said of a packet."""

    said: int
    cells: list[int]
    payload: bytes

    def __getitem__(self, cell: int) -> int:
        return self.cells[cell]

    @property
    def ends(self) -> tuple[str, int, str, int]:
        return (
            address(self, packet.SOURCE_HIGH, self[packet.VERSION]), self[packet.SOURCE_PORT],
            address(self, packet.TARGET_HIGH, self[packet.VERSION]), self[packet.TARGET_PORT],
        )  # fmt: skip

    @property
    def outer(self) -> tuple[str, int, str, int]:
        version = self[packet.OUTER_VERSION]
        return (
            address(self, packet.OUTER_SOURCE_HIGH, version), self[packet.OUTER_SOURCE_PORT],
            address(self, packet.OUTER_TARGET_HIGH, version), self[packet.OUTER_TARGET_PORT],
        )  # fmt: skip


def address(told: Told, high: int, version: int) -> str:
    if version == 4:
        return str(ipaddress.IPv4Address(told[high + 1]))
    return str(ipaddress.IPv6Address((told[high] % 2**64) << 64 | told[high + 1] % 2**64))


def tell(raw: list[bytes], link: int = 1, every: int = 1000) -> Iterator[Told]:
    """Packets through `fragments.take`, each lying between others' bytes; `every` microseconds one."""
    slots, pool = fragments.begin()
    for number, each in enumerate(raw):
        data = np.frombuffer(b"\xee" * 7 + each + b"\xee" * 5, np.uint8)
        cells = np.full(PACKET_CELLS, 77, np.int64)
        moment = 10**15 + number * every
        said = int(fragments.take(data, 7, len(each), link, moment, cells, slots, pool))
        at, size = (int(cells[cell]) for cell in (packet.PAYLOAD_AT, packet.PAYLOAD_BYTES))
        payload = b""
        if said == IS_IP:
            payload = (
                pool[at - data.size :][:size].tobytes() if at >= data.size else data[at:][:size].tobytes()
            )
        yield Told(said, cells.tolist(), payload)


def one(raw: bytes | Packet, link: int = 1) -> Told:
    (told,) = tell([bytes(raw)], link)
    return told


LINKS = {
    "ethernet": (1, MACS + b"\x08\x00", MAC_ONE, MAC_TWO, 0, 0),
    "vlan": (1, bytes(ETHER / Dot1Q(vlan=20, type=0x0800)), MAC_ONE, MAC_TWO, 20, 0),
    "qinq": (1, bytes(ETHER / Dot1Q(vlan=20) / Dot1Q(vlan=7, type=0x0800)), MAC_ONE, MAC_TWO, 20, 7),
    "priority tag alone": (1, bytes(ETHER / Dot1Q(vlan=0, type=0x0800)), MAC_ONE, MAC_TWO, 0, 0),
    "802.3": (1, bytes(Dot3(src=ONE, dst=TWO, len=60) / LLC() / SNAP(code=0x0800)), MAC_ONE, MAC_TWO, 0, 0),
    "mpls": (1, MACS + b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40", MAC_ONE, MAC_TWO, 0, 0),
    "ethernet over mpls": (
        1,
        MACS + b"\x88\x47\x00\x01\x01\x40" + bytes(4) + bytes.fromhex("0200000000bb 0200000000aa 0800"),
        0x0200000000AA, 0x0200000000BB, 0, 0,
    ),
    "pppoe": (1, MACS + b"\x88\x64\x11\x00\x00\x01\x00\x40\x00\x21", MAC_ONE, MAC_TWO, 0, 0),
    "provider backbone": (
        1, bytes(12) + b"\x88\xe7" + bytes(4) + MACS + b"\x08\x00", MAC_ONE, MAC_TWO, 0, 0,
    ),
    "fabric path": (1, bytes(12) + b"\x89\x03" + bytes(2) + MACS + b"\x08\x00", MAC_ONE, MAC_TWO, 0, 0),
    "null": (0, b"\x02\x00\x00\x00", -1, -1, 0, 0),
    "loop": (108, b"\x00\x00\x00\x02", -1, -1, 0, 0),
    "raw": (101, b"", -1, -1, 0, 0),
    "raw of BSD": (12, b"", -1, -1, 0, 0),
    "IPv4": (228, b"", -1, -1, 0, 0),
    "ppp": (9, b"\xff\x03\x00\x21", -1, -1, 0, 0),
    "ppp, short": (9, b"\x21", -1, -1, 0, 0),
    "ppp with direction": (204, b"\x01\xff\x03\x00\x21", -1, -1, 0, 0),
    "ppp in hdlc as Cisco's": (50, b"\x0f\x00\x08\x00", -1, -1, 0, 0),
    "Cisco hdlc": (104, b"\x0f\x00\x08\x00", -1, -1, 0, 0),
    "frame relay": (107, b"\x18\x41\x03\xcc", -1, -1, 0, 0),
    "frame relay, snap": (107, b"\x18\x41\x03\x00\x80\x00\x00\x00\x08\x00", -1, -1, 0, 0),
    "frame relay, Cisco's": (107, b"\x18\x41\x08\x00", -1, -1, 0, 0),
    "sll": (113, bytes.fromhex("0000 0001 0006 020000000001 0000 0800"), MAC_ONE, -1, 0, 0),
    "sll2": (276, bytes.fromhex("0800 0000 00000002 0001 00 06 020000000001 0000"), MAC_ONE, -1, 0, 0),
    "sll of a tunnel": (113, bytes.fromhex("0000 fffe 0000 0000000000000000 0800"), -1, -1, 0, 0),
    "pflog": (117, b"\x3d\x02" + bytes(62), -1, -1, 0, 0),
    "enc": (109, bytes(12), -1, -1, 0, 0),
    "fddi": (10, bytes.fromhex("50 020000000002 020000000001 aaaa03 000000 0800"), MAC_ONE, MAC_TWO, 0, 0),
    "atm": (100, bytes.fromhex("aaaa03 000000 0800"), -1, -1, 0, 0),
    "net analyzer": (240, bytes(4) + MACS + b"\x08\x00", MAC_ONE, MAC_TWO, 0, 0),
    "preamble": (274, bytes(8) + MACS + b"\x08\x00", MAC_ONE, MAC_TWO, 0, 0),
    "Juniper": (178, b"MGC\x80\x00\x03abc" + MACS + b"\x08\x00", MAC_ONE, MAC_TWO, 0, 0),
    "Juniper without link": (178, b"MGC\x02" + bytes(4), -1, -1, 0, 0),
    "nflog": (
        239, b"\x02\x00\x00\x00" + struct.pack("<HH", 8, 10) + b"out\0"
        + struct.pack("<HH", 16, 8) + bytes.fromhex("0006 0000 020000000001 0000")
        + struct.pack("<HH", 4 + len(bytes(INNER)), 9), MAC_ONE, -1, 0, 0,
    ),
}  # fmt: skip
# 802.11: to the network, from it, between two of its stations with quality of service.
AIR = bytes.fromhex("aaaa03 000000 0800")
UP = bytes.fromhex("0801 0000 0200000000ff 020000000001 020000000002 1000") + AIR
DOWN = bytes.fromhex("0802 0000 020000000002 0200000000ff 020000000001 1000") + AIR
ACROSS = bytes.fromhex("8803 0000 0200000000ff 0200000000fe 020000000002 1000 020000000001 0000") + AIR
PADDED = bytes.fromhex("8801 0000 0200000000ff 020000000001 020000000002 1000 0000 0000") + AIR
MANY = (
    bytes.fromhex("8801 0000 0200000000ff 020000000001 020000000009 1000 8000")
    + bytes.fromhex("020000000002 020000000001 0040")
    + AIR
)
LINKS |= {
    "802.11 up": (105, UP, MAC_ONE, MAC_TWO, 0, 0),
    "802.11 down": (105, DOWN, MAC_ONE, MAC_TWO, 0, 0),
    "802.11 across": (105, ACROSS, MAC_ONE, MAC_TWO, 0, 0),
    "802.11, several in one": (105, MANY, MAC_ONE, MAC_TWO, 0, 0),
    "radiotap": (127, bytes.fromhex("0000 0900 02000000 00") + UP, MAC_ONE, MAC_TWO, 0, 0),
    "radiotap, padded": (
        127, bytes.fromhex("0000 1100 03000000 0000000000000000 20") + PADDED, MAC_ONE, MAC_TWO, 0, 0,
    ),
    "radiotap, two words": (
        127, bytes.fromhex("0000 0d00 02000080 00000000 20") + PADDED, MAC_ONE, MAC_TWO, 0, 0,
    ),
    "prism": (119, b"\x44\0\0\0" + struct.pack("<I", 144) + bytes(136) + DOWN, MAC_ONE, MAC_TWO, 0, 0),
    "avs": (163, bytes.fromhex("80211001 00000040") + bytes(56) + DOWN, MAC_ONE, MAC_TWO, 0, 0),
    "ppi": (192, bytes.fromhex("0000 0800 69000000") + DOWN, MAC_ONE, MAC_TWO, 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
def test_links(name: str) -> None:
    link, front, source, target, vlan, inner_vlan = LINKS[name]
    told = one(front + bytes(INNER), link)
    assert told.said == IS_IP
    assert told.ends == ("192.0.2.1", 5000, "198.51.100.2", 6000)
    assert told.payload == b"some bytes"
    assert told.cells[packet.SOURCE_MAC : packet.INNER_VLAN + 1] == [source, target, vlan, inner_vlan]
    assert (told[packet.IP_BYTES], told[packet.HOP_LIMIT]) == (len(INNER), 64)
    assert (told[packet.TUNNEL], told[packet.FRAGMENT], told[packet.FRAGMENTS]) == (0, 0, 0)


@pytest.mark.usefixtures("plain")
def test_links_in_python_even_cut_anywhere() -> None:
    for link, front, *_ in LINKS.values():
        whole = front + bytes(INNER)
        for size in range(len(whole)):
            told = one(whole[:size], link)
            assert told.said in (IS_IP, BROKEN, NOT_IP)
            assert told.said != IS_IP or size >= len(front) + 20
            assert b"some bytes".startswith(told.payload)


def test_what_is_no_ip_and_what_is_not_read() -> None:
    assert one(MACS + b"\x08\x06" + bytes(28)).said == NOT_IP
    assert one(MACS + b"\x88\x63\x11\x09" + bytes(28)).said == NOT_IP  # PPPoE's discovery
    assert one(bytes.fromhex("0841") + UP[2:] + bytes(INNER), 105).said == NOT_IP  # encrypted
    assert one(bytes.fromhex("8000") + UP[2:] + bytes(INNER), 105).said == NOT_IP  # a beacon
    assert [one(bytes(INNER), link).said for link in (147, 287, 288, 65_536, -1)] == [UNKNOWN_LINK] * 5


def test_transport() -> None:
    told = one(ETHER / INNER6)
    assert told.ends == ("2001:db8::1", 5000, "2001:db8::2", 443)
    assert (told.payload, told[packet.FLAGS], told[packet.ICMP_TYPE]) == (b"more", 0x18, -1)
    assert told[packet.IP_BYTES] == len(INNER6)
    ping = one(ETHER / IP(src="192.0.2.1", dst="192.0.2.2") / ICMP(type=3, code=4) / b"x")
    assert (ping[packet.ICMP_TYPE], ping[packet.ICMP_CODE], ping[packet.SOURCE_PORT]) == (3, 4, 0)
    headers = IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / UDP(sport=1, dport=2) / b"behind"
    assert one(ETHER / IPv6(src="2001:db8::1", dst="2001:db8::2") / headers).payload == b"behind"


def test_lengths_are_those_of_the_headers() -> None:
    padded = bytes(ETHER / INNER) + bytes(30)
    assert one(padded).payload == b"some bytes"
    short = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=1, dport=2, len=11) / b"some bytes"
    assert one(ETHER / short).payload == b"som"
    lies = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=1, dport=2, len=999) / b"some bytes"
    assert one(ETHER / lies).payload == b"some bytes"
    offloaded = IP(src="192.0.2.1", dst="192.0.2.2", len=0) / TCP(sport=1, dport=2) / bytes(5000)
    assert len(one(ETHER / offloaded).payload) == 5000
    cut = one(bytes(ETHER / INNER)[:-4])
    assert (cut.payload, cut[packet.PAYLOAD_WIRE]) == (b"some b", 10)
    odd = IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=1, dport=2, dataofs=3) / b"some bytes"
    assert one(ETHER / odd).payload == b""
    assert one(ETHER / IP(src="192.0.2.1", dst="192.0.2.2", len=19) / b"x").said == BROKEN
    assert one(ETHER / IP(src="192.0.2.1", dst="192.0.2.2", ihl=4) / b"x").said == BROKEN
    huge = one(
        ETHER / IP(src="192.0.2.1", dst="192.0.2.2", len=0) / UDP(sport=1, dport=2, len=0) / bytes(1 << 18)
    )
    assert huge[packet.PAYLOAD_BYTES] == 1 << 18


@SLOW
@given(st.data())
@pytest.mark.usefixtures("plain")
def test_nothing_is_read_outside_of_a_packet(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LINKS)))
    link, front, *_ = LINKS[name]
    made = bytearray(front + bytes(data.draw(st.sampled_from([INNER, INNER6]))))
    for _ in range(data.draw(st.integers(0, 6))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    told = one(bytes(made[: data.draw(st.integers(0, len(made)))]), link)
    assert told.said in (IS_IP, BROKEN, NOT_IP, packet.HELD)
