from __future__ import annotations

import struct

import numpy as np
import polars as pl
import pytest
from broken_conversations import bears, broken, events, interpreted
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import datagrams_of, streams_of

from sensors import schema
from sensors.capture.protocols import rdp_udp
from sensors.capture.protocols.rdp import PROTOCOL, names, walk


def tpkt(payload: bytes) -> bytes:
    return struct.pack(">BBH", 3, 0, 4 + len(payload)) + payload


def x224(kind: int, rest: bytes) -> bytes:
    return tpkt(bytes([6 + len(rest), kind, 0, 0, 0, 0, 0]) + rest)


def asked(cookie: bytes, protocols: int | None = None) -> bytes:
    negotiation = b"" if protocols is None else struct.pack("<BBHI", 1, 0, 8, protocols)
    return x224(0xE0, cookie + negotiation)


def answered(kind: int, number: int) -> bytes:
    return x224(0xD0, struct.pack("<BBHI", kind, 0, 8, number))


def block(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, 4 + len(body)) + body


def wide(text: str, size: int) -> bytes:
    return text.encode("utf-16-le").ljust(size, b"\0")


def core(layout: int = 0x407, build: int = 7601) -> bytes:
    return block(
        0xC001,
        struct.pack("<IHHHHII", 0x80004, 1920, 1080, 0xCA01, 0xAA03, layout, build)
        + wide("LAPTOP-Ö1", 32)
        + struct.pack("<III", 4, 0, 12)
        + bytes(64)
        + struct.pack("<HHIHHH", 0xCA01, 1, 0, 24, 15, 2)
        + wide("12345-OEM-0000001-00001", 64),
    )


def channels(*wanted: bytes) -> bytes:
    return block(
        0xC003, struct.pack("<I", len(wanted)) + b"".join(each.ljust(8, b"\0") + bytes(4) for each in wanted)
    )


def conference(side: int, blocks: bytes) -> bytes:
    key = (b"\0\x14\x76\x0a\1\1\0\1\xc0\0McDn", b"\0\x08\0\x10\0\1\xc0\0Duca")[side == 0]
    length = struct.pack(">H", 0x8000 | len(blocks))
    return tpkt(
        b"\x02\xf0\x80\x7f" + bytes([0x65 + side]) + b"\x82\1\x90" + bytes(20) + key + length + blocks
    )


CERTIFICATE = struct.pack("<I", 1) + bytes(40)
SECURITY = block(0x0C02, struct.pack("<IIII", 2, 2, 32, len(CERTIFICATE)) + bytes(32) + CERTIFICATE)
STANDARD = (
    asked(b"Cookie: mstshash=CORP\\ann\r\n")
    + conference(0, core() + channels(b"rdpdr", b"cliprdr", b"eightlet")),
    x224(0xD0, b"") + conference(1, block(0x0C01, struct.pack("<I", 0x80004)) + SECURITY),
)


def test_standard_security() -> None:
    (event,) = events(PROTOCOL, STANDARD)
    assert event == {
        "row": 0,
        "side": 0,
        "at": 0,
        "event.dataset": "capture.rdp",
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["protocol", "info"],
        "event.action": "connection-request",
        "event.outcome": "success",
        "network.protocol": "rdp",
        "user.name": "ann",
        "user.domain": "CORP",
        "source.user.name": "ann",
        "source.user.domain": "CORP",
        "host.name": "LAPTOP-Ö1",
        "source.domain": "LAPTOP-Ö1",
        "related.hosts": ["LAPTOP-Ö1"],
        "zeek.rdp.cookie": "CORP\\ann",
        "zeek.rdp.client.client_name": "LAPTOP-Ö1",
        "zeek.rdp.client.build": "RDP 7.1",
        "zeek.rdp.client.product_id": "12345-OEM-0000001-00001",
        "zeek.rdp.client.channels": ["rdpdr", "cliprdr", "eightlet"],
        "zeek.rdp.keyboard_layout": "German - Germany",
        "zeek.rdp.desktop.width": "1920",
        "zeek.rdp.desktop.height": "1080",
        "zeek.rdp.desktop.color_depth": "32bit",
        "zeek.rdp.result": "Success",
        "zeek.rdp.security_protocol": "RDP",
        "zeek.rdp.encryption.method": "128bit",
        "zeek.rdp.encryption.level": "Client compatible",
        "zeek.rdp.cert.type": "RSA",
        "zeek.rdp.cert.count": "1",
        "zeek.rdp.cert.permanent": True,
        "capture.rdp.client.version": "5.0",
        "capture.rdp.server.version": "5.0",
        "capture.rdp.keyboard.type": "4",
        "capture.rdp.keyboard.subtype": "0",
        "capture.rdp.keyboard.function_keys": "12",
    }


def test_negotiated_security() -> None:
    hybrid = asked(b"Cookie: mstshash=bob\r\n", 3), answered(2, 2) + b"\x16\3\3"
    refused = asked(b"", 0), answered(3, 5)
    farm = asked(b"Cookie: msts=3640205228.15629.0000\r\n", 11), answered(2, 8)
    one, two, three = events(PROTOCOL, hybrid, refused, farm)
    assert (one["zeek.rdp.result"], one["zeek.rdp.security_protocol"]) == ("encrypted", "HYBRID")
    assert (one["user.name"], one["capture.rdp.requested_protocols"]) == ("bob", ["SSL", "HYBRID"])
    assert (two["zeek.rdp.result"], two["event.outcome"]) == ("HYBRID_REQUIRED_BY_SERVER", "failure")
    assert (two["event.reason"], two["capture.rdp.requested_protocols"]) == (two["zeek.rdp.result"], ["RDP"])
    assert str(three["capture.rdp.routing_token"]).startswith("Cookie: msts=36402")
    assert "user.name" not in three


def test_name_that_may_be_cut_is_no_user() -> None:
    cut, longer = events(
        PROTOCOL,
        (asked(b"Cookie: mstshash=Administr\r\n"), b""),
        (asked(b"Cookie: mstshash=Administrator\r\n"), b""),
    )
    assert (cut["zeek.rdp.cookie"], cut.get("user.name")) == ("Administr", None)
    assert longer["user.name"] == "Administrator"


def test_length_outside_that_lies() -> None:
    request = bytearray(asked(b"Cookie: mstshash=bob\r\n", 1))
    request[3] = 20
    (event,) = events(PROTOCOL, (bytes(request), answered(2, 1)))
    assert (event["user.name"], event["capture.rdp.requested_protocols"]) == ("bob", ["SSL"])


def test_server_heard_alone() -> None:
    (event,) = events(PROTOCOL, (b"", answered(2, 1)))
    assert (event["side"], event["zeek.rdp.security_protocol"]) == (1, "SSL")


def test_other_protocols_on_x224() -> None:
    siemens = tpkt(bytes.fromhex("11e00000000100c0010ac1020100c2020102"))
    assert not events(PROTOCOL, (siemens, b""), (b"\x03\0\0\x05\x08", b""), (b"\x16\3\1", b"\x16\3\3"))


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        (0x409, "English - United States"),
        (0x10409, "English - United States (Dvorak)"),
        (0x70409, "English - United States (Best Guess for 459785)"),
        (0xFFFF, "keyboard-65535"),
    ],
)
def test_keyboards(layout: int, name: str) -> None:
    assert names.keyboards(pl.Series([layout, None])).to_list() == [name, None]


@settings(max_examples=40, deadline=None)
@given(broken(STANDARD))
def test_broken(damaged: tuple[bytes, bytes]) -> None:
    bears(PROTOCOL, STANDARD, damaged)


@settings(deadline=None)
@given(broken(STANDARD))
def test_bounds(damaged: tuple[bytes, bytes]) -> None:
    streams = streams_of([damaged])
    compiled, plain = (np.full((1, walk.WIDTH), -1, np.int64) for _ in range(2))
    walk.read(streams.data, streams.starts, streams.ends, compiled)
    with interpreted(walk):
        walk.read(streams.data, streams.starts, streams.ends, plain)
    assert (compiled == plain).all()


SYN = struct.pack(">IHHIHH", 0xFFFFFFFF, 64, 0x1801, 7, 1232, 1232) + bytes(32) + struct.pack(">HH", 1, 0x101)
ANSWER = struct.pack(">IHHIHH", 7, 64, 0x1005, 9, 1232, 1232) + struct.pack(">HH", 1, 2)
DATA = struct.pack(">IHHHBxII", 9, 64, 0xC, 1, 0, 8, 8) + b"\x16\xfe\xff" + bytes(20)


def udp(*rows: tuple[int, int, bytes]) -> list[dict[str, object]]:
    datagrams = datagrams_of(list(rows))
    frame = rdp_udp.PROTOCOL.events(datagrams.only(rdp_udp.PROTOCOL.fits(datagrams)))
    whole = pl.concat([frame.select("row"), schema.conform(frame.drop("row"))], how="horizontal")
    return [{name: value for name, value in row.items() if value is not None} for row in whole.to_dicts()]


def test_udp() -> None:
    lossy = SYN[:6] + b"\x12\x01" + SYN[8:16] + b"\0\1\0\2"
    first, second, third = udp(
        (0, 0, SYN.ljust(1232, b"\0")),
        (0, 1, ANSWER.ljust(1232, b"\0")),
        (0, 0, DATA),
        (1, 0, b"nothing"),
        (1, 0, DATA),
        (1, 1, DATA),
        (2, 0, lossy.ljust(1232, b"\0")),
    )
    assert (first["row"], first["event.action"], first["event.outcome"]) == (
        0,
        "connection-request",
        "success",
    )
    assert (first["capture.rdp_udp.client.version"], first["capture.rdp_udp.server.version"]) == ("3", "2")
    assert (first["capture.rdp_udp.mode"], first["capture.rdp_udp.mtu.up"]) == ("reliable", "1232")
    assert (second["row"], second["event.action"]) == (3, "data")  # of those that fit
    assert (third["capture.rdp_udp.mode"], third["capture.rdp_udp.client.version"]) == ("lossy", "2")


def test_udp_of_others() -> None:
    assert not udp((0, 0, b"\xff" * 1232), (0, 0, SYN), (0, 0, b""), (1, 0, bytes(1232)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 1), broken((SYN.ljust(1232, b"\0"), DATA))), max_size=4
    )
)
def test_udp_broken(rows: list[tuple[int, int, tuple[bytes, bytes]]]) -> None:
    said = [(flow, side, one) for flow, side, pair in rows for one in pair]
    found = udp(*sorted(said, key=lambda each: each[0]), (9, 0, SYN.ljust(1232, b"\0")))
    assert {name: value for name, value in found[-1].items() if name != "row"} == {
        name: value for name, value in udp((9, 0, SYN.ljust(1232, b"\0")))[0].items() if name != "row"
    }
