from __future__ import annotations

import struct
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_kernels import plain
from slow_conversations import datagrams_of, streams_of

from sensors.capture.conversations import OverTcp, OverUdp
from sensors.capture.protocols.dns import PROTOCOLS, codes, messages
from sensors.capture.protocols.dns.printable import shown
from sensors.schema import conform

_DNS = "sensors.capture.protocols.dns"
UDP = {each.name: each for each in PROTOCOLS if isinstance(each, OverUdp)}
TCP = next(each for each in PROTOCOLS if isinstance(each, OverTcp))
PORTS = {"dns": 53, "mdns": 5353, "llmnr": 5355}


def name(text: str) -> bytes:
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def header(flags: int, *counts: int, number: int = 7) -> bytes:
    return struct.pack(">HHHHHH", number, flags, *counts, *[0] * (4 - len(counts)))


def question(text: str, kind: int, of: int = 1) -> bytes:
    return name(text) + struct.pack(">HH", kind, of)


def record(owner: bytes, kind: int, data: bytes, ttl: int = 60, of: int = 1) -> bytes:
    return owner + struct.pack(">HHIH", kind, of, ttl, len(data)) + data


def said(*payloads: bytes, protocol: str = "dns", port: int | None = None) -> list[dict[str, Any]]:
    """The events of datagrams that fit, without what is null."""
    rows = [(number, 0, payload) for number, payload in enumerate(payloads)]
    datagrams = datagrams_of(rows, [(40000, port or PORTS[protocol])] * len(rows))
    fits = np.flatnonzero(UDP[protocol].fits(datagrams))
    events = UDP[protocol].events(datagrams.only(fits))
    assert conform(events.drop("row")).height == events.height
    return [
        {key: value for key, value in row.items() if value is not None}
        for row in events.iter_rows(named=True)
    ]


ASKED = header(0x0120, 1) + question("www.example.com", 28)
TO_QUESTION = b"\xc0\x0c"
ANSWERED = (
    header(0x8580, 1, 3, 1)
    + question("www.example.com", 1)
    + record(TO_QUESTION, 5, b"\3web\xc0\x10", ttl=300)
    + record(b"\3web\xc0\x10", 1, bytes([192, 0, 2, 7]))
    + record(b"\3web\xc0\x10", 1, bytes([192, 0, 2, 8]))
    + record(b"\xc0\x10", 6, name("ns.example.com") + b"\1h\xc0\x10" + struct.pack(">5I", 1, 2, 3, 4, 5))
)


def test_a_question_and_its_answer() -> None:
    asked, answered = said(ASKED, ANSWERED)
    assert (asked["dns.id"], asked["dns.type"]) == ("7", "query")
    assert asked["dns.question.name"] == "www.example.com"
    assert (asked["dns.question.type"], asked["dns.question.class"]) == ("AAAA", "IN")
    assert asked["dns.header_flags"] == ["RD", "AD"]
    assert "event.outcome" not in asked
    assert answered["dns.answers.data"] == ["web.example.com", "192.0.2.7", "192.0.2.8"]
    assert answered["dns.answers.type"] == ["CNAME", "A", "A"]
    assert answered["dns.answers.name"] == ["www.example.com", "web.example.com", "web.example.com"]
    assert answered["dns.answers.ttl"] == ["300", "60", "60"]
    assert answered["dns.resolved_ip"] == ["192.0.2.7", "192.0.2.8"]
    assert (answered["dns.response_code"], answered["event.outcome"]) == ("NOERROR", "success")
    assert answered["dns.header_flags"] == ["AA", "RD", "RA"]
    assert answered["capture.dns.authorities.data"] == ["ns.example.com"]
    assert answered["capture.dns.records"] == ["example.com SOA ns.example.com h.example.com 1 2 3 4 5"]


BOUND = bytes.fromhex("00010000010006026832026833" + "00030002208f" + "00040004c0000201")


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (28, bytes.fromhex("20010db8000000000000000000000001"), "2001:db8::1"),
        (28, bytes.fromhex("20010db8000100000000000100000001"), "2001:db8:1::1:0:1"),
        (28, bytes(16), "::"),
        (28, bytes.fromhex("20010db8000000010001000100010001"), "2001:db8:0:1:1:1:1:1"),
        (15, b"\0\x0a" + name("mx.example.net"), "mx.example.net"),
        (33, struct.pack(">3H", 1, 2, 443) + name("h.example.net"), "h.example.net"),
        (16, b"\5hello\5world", "hello world"),
        (16, b"\xff" + b"a" * 255 + b"\1b", "a" * 255 + "b"),
        (257, b"\0\5issueca.example", '0 issue "ca.example"'),
        (35, b"\0\x0a\0\x14\1s\7SIP+D2U\0" + name("_sip.example"), '10 20 "s" "SIP+D2U" "" _sip.example'),
        (65, BOUND, "1 . alpn=h2,h3 port=8335 ipv4hint=192.0.2.1"),
        (43, bytes.fromhex("ec450502deadbeef"), "60485 5 2 deadbeef"),
        (51, bytes.fromhex("0100000a02aabb"), "1 0 10 aabb"),
        (10, b"\x00raw\xff", r"\000raw\255"),
        (65534, b"\1\2", r"\# 2 0102"),
        (1, b"\1\2", ""),  # no address
    ],
)  # fmt: skip
def test_data_of_records(kind: int, data: bytes, text: str) -> None:
    event = said(header(0x8180, 1, 1) + question("example.org", kind) + record(TO_QUESTION, kind, data))[0]
    assert event["dns.answers.data"] == [text]


def test_names_that_are_no_text() -> None:
    odd = "caf\u00e9.".encode() + b"\x07\xff\\\xc2\x85 b"
    message = header(0x0100, 1) + bytes([len(odd)]) + odd + name("example") + b"\0\1\0\1"
    assert said(message)[0]["dns.question.name"] == "caf\u00e9\\.\\007\\255\\\\\\194\\133 b.example"
    root = said(header(0x0100, 1) + question("", 2))[0]
    assert root["dns.question.name"] == "."


def test_what_edns_adds() -> None:
    subnet = struct.pack(">HHHBB", 8, 7, 1, 24, 0) + bytes([198, 51, 100])
    why = struct.pack(">HHH", 15, 8, 18) + b"denied"
    options = record(b"\0", 41, subnet + why, ttl=0x01008000, of=1232)
    event = said(header(0x8185, 1, 0, 0, 1) + question("www.example", 1) + options)[0]
    assert event["capture.dns.edns.client_subnet"] == "198.51.100.0/24"
    assert (event["capture.dns.edns.error_code"], event["capture.dns.edns.error_text"]) == ("18", "denied")
    assert event["capture.dns.edns.udp_size"] == "1232"
    assert "DO" in event["dns.header_flags"]
    assert (event["dns.response_code"], event["event.outcome"]) == ("BADALG", "failure")
    assert "capture.dns.additionals.type" not in event


def test_names_that_go_in_circles_end() -> None:
    assert said(header(0x0100, 1) + b"\xc0\x0c\0\1\0\1") == []
    loop = ANSWERED[:33] + record(b"\1a\xc0\x21", 1, bytes(4))
    assert said(loop)[0]["error.message"].startswith("the message ends")


def test_a_message_cannot_make_much_of_little() -> None:
    long = b"".join(b"\x3f" + b"\x01" * 63 for _ in range(3)) + b"\0"
    many = header(0x8180, 1, 4000) + long + b"\0\1\0\1"
    many += b"".join(b"\1" + bytes([65 + k % 26]) + b"\xc0\x0c\0\1\0\1" + bytes(6) for k in range(4000))
    _, _, text = messages.read(
        np.frombuffer(many, np.uint8), np.array([0]), np.array([len(many)]), codes.layouts()
    )
    assert len(text) < 10 * len(many) + 4096


def test_several_messages_of_a_stream() -> None:
    def framed(*each: bytes) -> bytes:
        return b"".join(struct.pack(">H", len(one)) + one for one in each)

    streams = streams_of(
        [(framed(ASKED, ASKED), framed(ANSWERED)), (b"GET /", b""), (b"", b"")], [(1, 53)] * 3
    )
    assert TCP.fits(streams).tolist() == [True, False, False]
    events = TCP.events(streams.only(np.array([0]))).sort("side", "at")
    places = events.select("row", "side", "at", "~answers").rows()
    assert places == [(0, 0, 0, False), (0, 0, len(ASKED) + 2, False), (0, 1, 0, True)]
    assert TCP.fits(streams_of([(framed(ASKED), b"")], [(1, 5300)])).all()
    assert not TCP.fits(streams_of([(framed(ASKED)[:-1], b"")], [(1, 5300)])).any()
    assert TCP.events(streams.only(np.array([], np.int64))).is_empty()


def test_elsewhere_a_message_must_be_usual() -> None:
    assert len(said(ASKED, ANSWERED, port=5300)) == 2
    strange = [
        ASKED + b"\0",
        ASKED[:-1],
        ASKED[:2] + b"\x41" + ASKED[3:],
        header(0x0100, 1) + question("x", 1),
    ]
    assert said(*strange, port=5300) == []
    assert said(b"\x38" + bytes(60), b"\x16\xfe\xff" + bytes(60), b"", port=53) == []


def test_what_devices_announce_by_multicast() -> None:
    service = "_pikvm._tcp.local"
    message = (
        header(0x8400, 0, 2, 0, 2)
        + record(name(service), 12, name("kvm\u2019s page." + service), of=0x8001)
        + record(name("kvm\u2019s page." + service), 16, b"\x09model=v3b\x05api=1")
        + record(name("kvm\u2019s page." + service), 33, bytes(4) + b"\1\xbb" + name("pikvm.local"))
        + record(name("pikvm.local"), 1, bytes([192, 0, 2, 9]), of=0x8001)
    )
    event = said(message, protocol="mdns")[0]
    assert event["capture.mdns.services"] == ["kvm\u2019s page._pikvm._tcp.local"]
    assert event["capture.mdns.txt"] == ["model=v3b", "api=1"]
    assert (event["host.name"], event["source.domain"]) == ("pikvm", "pikvm.local")
    assert event["dns.resolved_ip"] == ["192.0.2.9"]
    assert event["dns.answers.class"] == ["IN", "IN"]
    asked = said(header(0, 2) + question(service, 12) + question("_http._tcp.local", 12), protocol="mdns")[0]
    assert asked["capture.dns.questions.name"] == [service, "_http._tcp.local"]
    local = said(header(0, 1) + question("fileserver", 1), protocol="llmnr")[0]
    assert (local["dns.question.name"], local["event.dataset"]) == ("fileserver", "capture.llmnr")


SERVICE = header(0x8180, 1, 1) + question("e.x", 65) + record(TO_QUESTION, 65, BOUND)
MESSAGES = st.sampled_from([ASKED, ANSWERED, SERVICE])


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    message = bytearray(draw(MESSAGES))
    for _ in range(draw(st.integers(0, 4))):
        message[draw(st.integers(0, len(message) - 1))] = draw(st.integers(0, 255))
    return bytes(message[: draw(st.integers(0, len(message)))])


_plain = plain(
    "sensors.capture.packet",
    *(f"{_DNS}.{part}" for part in ("printable", "names", "record_data", "messages")),
)[-1]


@settings(deadline=None)
@given(broken())
def test_whatever_comes_is_read_within_its_bounds(message: bytes) -> None:
    data = np.frombuffer(message, np.uint8)
    given_ = (data, np.array([0]), np.array([len(message)]), codes.layouts())
    compiled, slow = messages.read(*given_), _plain.read(*given_)
    assert all((one == two).all() for one, two in zip(compiled, slow, strict=True))
    slow[2].tobytes().decode()


@settings(max_examples=20, deadline=None)
@given(broken(), st.sampled_from(list(PORTS)))
def test_neighbours_of_what_is_broken_stay(message: bytes, protocol: str) -> None:
    rows = said(ANSWERED, message, ANSWERED, protocol=protocol)
    alone = said(ANSWERED, protocol=protocol)[0]
    assert [rows[0] | {"row": 0}, rows[-1] | {"row": 0}] == [alone, alone]
    stream = struct.pack(">H", len(message)) + message
    streams = streams_of([(stream, stream)], [(1, 53)])
    TCP.fits(streams)
    TCP.events(streams)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_bytes_that_are_shown_are_text(raw: bytes) -> None:
    text = shown(np.frombuffer(raw, np.uint8), np.array([0]), np.array([len(raw)]))[0] or ""
    assert (text == "") == (raw == b"")
    assert pl.Series([text]).str.contains(r"[\x00-\x1f\x7f]").not_().all()
