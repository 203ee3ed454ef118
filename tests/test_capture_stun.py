"""STUN and TURN: RFC 5769's messages, and others made here."""

from __future__ import annotations

import ipaddress

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import datagrams_of, streams_of

from sensors.capture.conversations import CLIENT, SERVER
from sensors.capture.protocols import stun
from sensors.capture.protocols.stun import PROTOCOLS

UDP, TCP = PROTOCOLS
COOKIE = bytes.fromhex("2112a442")
ONE, TWO = b"transaction1", b"transaction2"
Rows = list[tuple[int, int, bytes]]
# RFC 5769, sections 2.1 and 2.2: a request with ICE and its answer, which names 192.0.2.1:32853.
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008"
    "932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004"
    "e57a3bcf"
)
ANSWER = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a64300080014"
    "2b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
ANSWER_6 = bytes.fromhex(  # section 2.3: 2001:db8:1234:5678:11:2233:4455:6677
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179"
    "bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def attribute(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def message(kind: int, *attributes: bytes, transaction: bytes = ONE, cookie: bytes = COOKIE) -> bytes:
    body = b"".join(attributes)
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + cookie + transaction + body


def address(kind: int, text: str, port: int, transaction: bytes = ONE) -> bytes:
    packed = ipaddress.ip_address(text).packed
    masked = bytes(a ^ b for a, b in zip(packed, COOKIE + transaction, strict=False))
    return attribute(
        kind, bytes([0, 1 if len(packed) == 4 else 2]) + (port ^ 0x2112).to_bytes(2, "big") + masked
    )


def told(rows: Rows, ports: list[tuple[int, int]] | None = None) -> list[dict[str, object]]:
    given_rows = datagrams_of(rows, ports)
    mine = np.flatnonzero(UDP.fits(given_rows))
    found = UDP.events(given_rows.only(mine))
    return (
        found.with_columns(pl.Series("row", mine[found["row"].to_numpy()], pl.Int64)).sort("row").to_dicts()
    )


def test_the_rfcs_own_messages() -> None:
    events = told([(0, CLIENT, REQUEST), (0, SERVER, ANSWER), (1, CLIENT, REQUEST), (1, SERVER, ANSWER_6)])
    assert [event["row"] for event in events] == [0, 2]
    one, two = events
    assert (one["capture.stun.mapped.ip"], one["capture.stun.mapped.port"]) == ("192.0.2.1", 32853)
    assert two["capture.stun.mapped.ip"] == "2001:db8:1234:5678:11:2233:4455:6677"
    assert one["capture.stun.software"] == "test vector"
    assert (one["event.action"], one["event.outcome"]) == ("binding", "success")
    assert one["capture.stun.ice"] is True
    assert one["capture.stun.username"] is None
    assert one["source.nat.ip"] is None  # a documentation's address is nobody's public one
    assert one["related.ip"] == ["192.0.2.1"]


def test_a_public_address_is_the_askers_own() -> None:
    found = message(0x0101, address(0x0020, "9.9.9.9", 4000))
    assert told([(0, CLIENT, message(1)), (0, SERVER, found)])[0]["source.nat.ip"] == "9.9.9.9"
    alone = told([(0, SERVER, found)])[0]
    assert (alone["source.nat.ip"], alone["destination.nat.ip"]) == (None, "9.9.9.9")


def test_asked_again_it_is_told_once() -> None:
    rows: Rows = []
    for transaction in (ONE, TWO):
        rows += [
            (0, CLIENT, message(1, transaction=transaction)),
            (
                0,
                SERVER,
                message(0x0101, address(0x0020, "9.9.9.9", 4000, transaction), transaction=transaction),
            ),
        ]
    assert [event["row"] for event in told(rows)] == [0]


def test_a_relay() -> None:
    realm = attribute(0x0014, b"relay.example.com")
    rows: Rows = [
        (0, CLIENT, message(0x0003, attribute(0x0019, b"\x11\0\0\0"))),
        (0, SERVER, message(0x0113, attribute(0x0009, b"\0\0\4\1Unauthorized"), realm)),
        (0, CLIENT, message(0x0003, attribute(0x0006, b"operator"), realm, transaction=TWO)),
        (0, SERVER, message(
            0x0103, address(0x0016, "198.51.100.7", 50000, TWO), address(0x0020, "9.9.9.9", 4000, TWO),
            transaction=TWO,
        )),
        (0, CLIENT, message(0x0016, address(0x0012, "203.0.113.5", 7000), transaction=b"transaction3")),
    ]  # fmt: skip
    events = told(rows)
    assert [event["event.action"] for event in events] == ["allocate", "allocate", "send"]
    refused, granted, sent = events
    assert (refused["event.outcome"], refused["error.code"]) == ("failure", "401")
    assert granted["capture.stun.relayed.ip"] == "198.51.100.7"
    assert granted["source.nat.ip"] == "9.9.9.9"
    assert granted["capture.stun.username"] == "operator"
    assert granted["capture.stun.realm"] == "relay.example.com"
    assert (sent["capture.stun.peer.ip"], sent["capture.stun.peer.port"]) == ("203.0.113.5", 7000)


def test_dtls_behind_it_is_webrtc() -> None:
    handshake = b"\x16\xfe\xfd" + bytes(8) + b"\x00\x0d" + b"\x01" + bytes(12)
    rows = [(0, CLIENT, REQUEST), (0, CLIENT, handshake), (1, CLIENT, REQUEST), (2, CLIENT, handshake)]
    assert [(event["row"], event["capture.stun.webrtc"]) for event in told(rows)] == [(0, True), (2, False)]


def test_the_classic_form_by_its_attributes_or_at_its_port() -> None:
    own = b"\0\1\x0f\xa0" + bytes([9, 9, 9, 9])
    rows: Rows = [
        (0, CLIENT, message(1, attribute(3, bytes(4)), cookie=b"abcd")),
        (0, SERVER, message(0x0101, attribute(1, own), cookie=b"abcd")),
        (1, CLIENT, message(1, cookie=b"abcd")),
        (2, CLIENT, message(1, cookie=b"abcd")),
        (3, CLIENT, message(1, attribute(0x7777, bytes(4)), cookie=b"abcd")),
    ]
    events = told(rows, [(40000, 40001), (40000, 3478), (40000, 40001), (40000, 40001)])
    assert [event["row"] for event in events] == [0, 2]
    assert (events[0]["source.nat.ip"], events[0]["capture.stun.mapped.port"]) == ("9.9.9.9", 4000)


def test_over_tcp_between_channels() -> None:
    channel = b"\x40\x00\x00\x05hello\0\0\0"
    asked = message(0x0003, attribute(0x0014, b"example.com")) + channel + message(0x0009, transaction=TWO)
    answered = message(0x0103, address(0x0016, "198.51.100.7", 50000)) + channel
    given_rows = streams_of([(asked, answered), (b"GET / HTTP/1.1\r\n\r\n", b"")])
    assert TCP.fits(given_rows).tolist() == [True, False]
    events = TCP.events(given_rows.only(TCP.fits(given_rows))).sort("at").to_dicts()
    assert [(event["event.action"], event["side"], event["~answers"]) for event in events] == [
        ("allocate", CLIENT, False), ("channel-bind", CLIENT, False)
    ]  # fmt: skip
    assert events[0]["capture.stun.relayed.ip"] == "198.51.100.7"
    assert events[1]["at"] == len(asked) - 20


def test_over_tcp_behind_lengths() -> None:
    pieces = [REQUEST, b"\x80\x60" + bytes(30), message(1, transaction=TWO)]
    framed = b"".join(len(piece).to_bytes(2, "big") + piece for piece in pieces)
    reply = len(ANSWER).to_bytes(2, "big") + ANSWER
    given_rows = streams_of([(framed, reply)])
    assert TCP.fits(given_rows).all()
    events = TCP.events(given_rows).sort("at").to_dicts()
    assert [(event["at"], event["capture.stun.mapped.ip"]) for event in events] == [
        (2, "192.0.2.1"), (len(framed) - 20, None)
    ]  # fmt: skip


def test_what_is_not_stun() -> None:
    others = [
        b"", b"\0\1\0\0", bytes(20), message(1)[:-1], message(1) + b"\0", b"\x80" + REQUEST[1:],
        message(1, b"\0\1\0\1", cookie=b"abcd"),
    ]  # fmt: skip
    assert not UDP.fits(datagrams_of([(k, CLIENT, each) for k, each in enumerate(others)])).any()


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([REQUEST, ANSWER, ANSWER_6]),
    st.integers(0, 120),
    st.lists(st.tuples(st.integers(0, 110), st.integers(0, 255)), max_size=6),
)
def test_broken_messages_raise_nothing_and_disturb_nobody(
    base: bytes, size: int, flips: list[tuple[int, int]]
) -> None:
    broken = bytearray(base[:size])
    for place, value in flips:
        if place < len(broken):
            broken[place] = value
    if len(broken) >= 4:
        broken[2:4] = max(len(broken) - 20, 0).to_bytes(2, "big")
    good: Rows = [(0, CLIENT, REQUEST), (0, SERVER, ANSWER)]
    assert [each for each in told([*good, (1, SERVER, bytes(broken))]) if each["row"] == 0] == told(good)
    pair = streams_of([(REQUEST + bytes(broken), bytes(broken)), (bytes(broken), b"")])
    TCP.events(pair)
    data = np.frombuffer(bytes(broken), np.uint8)
    if len(data) >= 20:
        read = np.zeros((1, 29), np.int64)
        ends = np.array([len(data)])
        stun.attributes.py_func(data, np.array([0]), ends, read)  # type: ignore[attr-defined]
        found = np.empty((128, 4), np.int64)
        two = np.array([[0, len(data)]]), np.array([[len(data), len(data)]])
        stun.cut.py_func(data, *two, found)  # type: ignore[attr-defined]
