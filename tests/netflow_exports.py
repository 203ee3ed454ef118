"""Exports for the tests, octet by octet; `python tests/netflow_exports.py` writes the samples anew."""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path

SECONDS = 1_791_900_000  # 13 October 2026
UPTIME = 86_400_000


def ip(text: str) -> bytes:
    """An address as an export has it."""
    return ipaddress.ip_address(text).packed


def v5(*records: bytes) -> bytes:
    """A packet of NetFlow v5, sampled one in a hundred."""
    header = struct.pack(">HHIIIIBBH", 5, len(records), UPTIME, SECONDS, 250_000_000, 7, 0, 3, 0x4000 | 100)
    return header + b"".join(records)


def v5_flow(source: str, target: str, ports: tuple[int, int], octets: int, protocol: int = 6) -> bytes:
    """A record that began a minute before its export and took half of one."""
    return struct.pack(
        ">4s4s4sHHIIIIHHBBBBHHBBH", ip(source), ip(target), ip("198.51.100.1"), 3, 4, 12, octets,
        UPTIME - 60_000, UPTIME - 30_000, *ports, 0, 0x1B, protocol, 0, 64_500, 64_501, 24, 16, 0,
    )  # fmt: skip


def cut(number: int, body: bytes, pad: int = 4) -> bytes:
    """A set, padded."""
    body += bytes(-len(body) % pad)
    return struct.pack(">HH", number, len(body) + 4) + body


def template(number: int, *fields: tuple[int, int] | tuple[int, int, int]) -> bytes:
    """A template: number and length of each field, and the enterprise if it has one."""
    body = b"".join(
        struct.pack(">HH", field[0] | 0x8000, field[1]) + struct.pack(">I", field[2])
        if len(field) == 3
        else struct.pack(">HH", *field)
        for field in fields
    )
    return struct.pack(">HH", number, len(fields)) + body


def v9(*sets: bytes, count: int | None = None, domain: int = 9) -> bytes:
    """A packet of NetFlow v9."""
    return struct.pack(">HHIIII", 9, count or len(sets), UPTIME, SECONDS, 8, domain) + b"".join(sets)


def ipfix(*sets: bytes, domain: int = 10) -> bytes:
    """A message of IPFIX."""
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), SECONDS, 9, domain) + body


def text(value: str) -> bytes:
    """A value of variable length."""
    raw = value.encode()
    return (bytes([len(raw)]) if len(raw) < 255 else b"\xff" + struct.pack(">H", len(raw))) + raw


V9_TEMPLATE = cut(
    0,
    template(
        256,
        (8, 4),
        (12, 4),
        (7, 2),
        (11, 2),
        (4, 1),
        (1, 4),
        (2, 4),
        (22, 4),
        (21, 4),
        (61, 1),
        (56, 6),
        (10, 2),
        (14, 2),
    ),
)
OPTIONS_TEMPLATE = cut(1, struct.pack(">HHH", 257, 4, 8) + struct.pack(">HHHHHH", 1, 4, 34, 4, 35, 1))
OPTIONS = cut(257, ip("198.51.100.1") + struct.pack(">IB", 100, 2))
V9_FLOWS = cut(256, b"".join(
    ip("10.20.0.15") + ip(target)
    + struct.pack(">HHBIIII", port, 443, 6, octets, 9, UPTIME - 20_000, UPTIME - 5_000)
    + b"\x01" + bytes.fromhex("0050569c1a2b") + struct.pack(">HH", 3, 4)
    for target, port, octets in (("203.0.113.77", 51544, 918_273), ("203.0.113.78", 51545, 1_200))
))  # fmt: skip
IPFIX_TEMPLATE = cut(
    2,
    template(
        300,
        (27, 16),
        (28, 16),
        (7, 2),
        (11, 2),
        (4, 1),
        (152, 8),
        (153, 8),
        (1, 8),
        (2, 8),
        (1, 8, 29305),
        (2, 8, 29305),
        (239, 1),
        (371, 65535),
        (96, 65535),
        (4, 65535, 10704),
        (233, 1),
    ),
)
START = SECONDS * 1000 - 90_000


def biflow(user: str, application: str, turned: int, event: int) -> bytes:
    """A flow of both directions over IPv6, with texts of any length."""
    return (
        ip("2001:db8:20::15") + ip("2001:db8:99::7")
        + struct.pack(">HHBQQQQQQB", 49_200, 7070, 6, START, START + 42_000, 5_000, 40, 90_000, 80, turned)
        + text(user) + text(application) + text("lan-to-internet") + bytes([event])
    )  # fmt: skip


IPFIX_FLOWS = cut(300, biflow("CORP\\mlindqvist", "anydesk", 1, 2) + biflow("", "ssh", 2, 3))
NAT_TEMPLATE = cut(
    2,
    template(
        301,
        (8, 4),
        (12, 4),
        (225, 4),
        (226, 4),
        (227, 2),
        (228, 2),
        (7, 2),
        (11, 2),
        (4, 1),
        (323, 8),
        (230, 1),
        (85, 3),
    ),
)
NAT = cut(
    301,
    ip("10.99.0.17")
    + ip("203.0.113.9")
    + ip("198.51.100.20")
    + ip("203.0.113.9")
    + struct.pack(">HHHHBQB", 51_000, 443, 40_001, 443, 17, START, 1)
    + b"\x01\x00\x00",
)

V5_PACKET = v5(
    v5_flow("10.20.0.15", "203.0.113.10", (50_000, 443), 70_000),
    v5_flow("203.0.113.10", "10.20.0.15", (443, 50_000), 1_500_000),
    v5_flow("10.20.0.16", "10.20.0.1", (0, 0x0800), 84, protocol=1),
)
WHOLE = (
    V5_PACKET + v9(OPTIONS_TEMPLATE, V9_TEMPLATE, OPTIONS, V9_FLOWS, count=5) + V5_PACKET
    + ipfix(IPFIX_TEMPLATE, NAT_TEMPLATE) + ipfix(IPFIX_FLOWS, NAT) + ipfix(NAT)
)  # fmt: skip

if __name__ == "__main__":
    folder = Path(__file__).parent.parent / "samples" / "netflow"
    folder.mkdir(exist_ok=True)
    (folder / "edge-routers.dat").write_bytes(WHOLE)
