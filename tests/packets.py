"""Packets for the tests, made by scapy; `python tests/packets.py` writes the sample captures anew."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.layers.dns import DNS, DNSQR, DNSRR  # noqa: E402 - after scapy was told to be quiet
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import ARP, Dot1Q, Ether  # noqa: E402
from scapy.packet import Packet  # noqa: E402

START = 1_791_900_000.0  # 13 October 2026
LAPTOP, RESOLVER, RELAY = "10.99.0.17", "10.1.0.53", "203.0.113.77"


def client_hello(server: str = "relay-1a2b3c4d.net.anydesk.com", padding: int = 0) -> bytes:
    """A TLS 1.3 client hello with a server name and ALPN; `padding` bytes make it longer than a segment."""
    name = server.encode()
    server_name = struct.pack("!HBH", len(name) + 3, 0, len(name)) + name
    protocols = b"\x02h2\x08http/1.1"
    extensions = b"".join(
        struct.pack("!HH", kind, len(body)) + body
        for kind, body in (
            (0x0A0A, b""),
            (21, bytes(padding)),
            (43, b"\x06\x0a\x0a\x03\x04\x03\x03"),
            (16, struct.pack("!H", len(protocols)) + protocols),
            (0, server_name),
        )
    )
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += struct.pack("!H", len(extensions)) + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def conversation() -> list[Packet]:
    """A look-up, TLS with an upload, a ping, IPv6, a VLAN, an ARP, and a flow seen from its middle."""
    ether = Ether(src="02:00:00:00:00:17", dst="02:00:00:00:00:01")
    query = DNS(id=7, rd=1, qd=DNSQR(qname="relay-1a2b3c4d.net.anydesk.com"))
    answer = DNS(
        id=7, qr=1, rd=1, ra=1, qd=query.qd,
        an=[
            DNSRR(rrname="relay-1a2b3c4d.net.anydesk.com", type="CNAME", ttl=60, rdata="relay.example.net"),
            DNSRR(rrname="relay.example.net", ttl=60, rdata=RELAY),
        ],
    )  # fmt: skip
    up = {"sport": 50123, "dport": 443}
    down = {"sport": 443, "dport": 50123}
    to, back = IP(src=LAPTOP, dst=RELAY), IP(src=RELAY, dst=LAPTOP)
    hello = client_hello(padding=1400)
    packets = [
        ether / IP(src=LAPTOP, dst=RESOLVER) / UDP(sport=40001, dport=53) / query,
        ether / IP(src=RESOLVER, dst=LAPTOP) / UDP(sport=53, dport=40001) / answer,
        ether / to / TCP(**up, flags="S", seq=100),
        ether / back / TCP(**down, flags="SA", seq=900, ack=101),
        ether / to / TCP(**up, flags="A", seq=101, ack=901),
        ether / to / TCP(**up, flags="A", seq=101, ack=901) / hello[:1300],
        ether / to / TCP(**up, flags="PA", seq=1401, ack=901) / hello[1300:],
        *(ether / to / TCP(**up, flags="PA", seq=3000 + 1000 * n, ack=901) / bytes(1000) for n in range(20)),
        ether / back / TCP(**down, flags="PA", seq=901, ack=3000) / bytes(200),
        ether / to / TCP(**up, flags="FA", seq=23000, ack=1101),
        ether / back / TCP(**down, flags="FA", seq=1101, ack=23001),
        ether / to / TCP(**up, flags="S", seq=5000),
        ether / IP(src=LAPTOP, dst=RESOLVER) / ICMP(type=8, id=1, seq=1) / b"ping",
        ether / IPv6(src="2001:db8::17", dst="2001:db8::1") / UDP(sport=50000, dport=3478) / b"stun",
        ether
        / Dot1Q(vlan=20)
        / IP(src=LAPTOP, dst="203.0.113.9")
        / UDP(sport=50001, dport=21116)
        / b"\x32\x00",
        Ether(src="02:00:00:00:00:17", dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=LAPTOP, pdst="10.99.0.1"),
        ether / IP(src="203.0.113.50", dst=LAPTOP) / TCP(sport=3389, dport=50200, flags="PA") / bytes(64),
        ether / IP(src=LAPTOP, dst="203.0.113.50") / TCP(sport=50200, dport=3389, flags="A"),
    ]
    for number, packet in enumerate(packets):
        packet.time = START + number * 0.25
    return packets


def pcap(raw: list[tuple[float, bytes]], *, nano: bool = False, order: str = "<", link: int = 1) -> bytes:
    """A pcap file of packets (time, bytes)."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262_144, link)]
    for moment, data in raw:
        ticks = round(moment * (1_000_000_000 if nano else 1_000_000))
        second, rest = divmod(ticks, 1_000_000_000 if nano else 1_000_000)
        out.append(struct.pack(order + "IIII", second, rest, len(data), len(data)) + data)
    return b"".join(out)


def _block(kind: int, body: bytes, order: str) -> bytes:
    body += bytes(-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def pcapng(raw: list[tuple[float, bytes]], *, order: str = "<", power: int = 9) -> bytes:
    """A pcapng file of two interfaces, the first without packets, times in units of 10^-power seconds."""
    out = [_block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)]
    for ticks in (6, power):
        options = struct.pack(order + "HHB3x", 9, 1, ticks) + struct.pack(order + "HH", 0, 0)
        out.append(_block(1, struct.pack(order + "HHI", 1, 0, 0) + options, order))
    out.append(_block(0x0BAD, b"a block that nobody knows", order))
    for moment, data in raw:
        ticks = round(moment * 10**power)
        head = struct.pack(order + "IIIII", 1, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        out.append(_block(6, head + data, order))
    return b"".join(out)


def raw(packets: list[Packet]) -> list[tuple[float, bytes]]:
    return [(float(packet.time), bytes(packet)) for packet in packets]


if __name__ == "__main__":
    folder = Path(__file__).resolve().parents[1] / "samples" / "capture"
    (folder / "conversation.pcap").write_bytes(pcap(raw(conversation())))
    (folder / "conversation.pcapng").write_bytes(pcapng(raw(conversation())))
