from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_kernels import plain
from slow_conversations import datagrams_of

from analysis.attribution import leases
from sensors.capture.conversations import OverUdp
from sensors.capture.protocols.dhcp import PROTOCOLS, options
from sensors.schema import conform

V4, V6 = PROTOCOLS
MAC = bytes.fromhex("020000abcdef")
NOWHERE = "0.0.0.0"  # noqa: S104 - as it stands in messages
COOKIE = bytes.fromhex("63825363")


def option(code: int, value: bytes) -> bytes:
    return bytes([code, len(value)]) + value


def message(kind: int, *given_: bytes, own: str = NOWHERE, yours: str = NOWHERE, **fields: bytes) -> bytes:
    def address(text: str) -> bytes:
        return bytes(map(int, text.split(".")))

    asks = kind in (1, 3, 4, 7, 8)
    head = bytes([1 if asks else 2, 1, 6, 0]) + b"\0\0\1\2" + bytes(4) + address(own) + address(yours)
    head += bytes(4) + fields.get("relay", bytes(4)) + MAC + bytes(10)
    head += fields.get("sname", b"").ljust(64, b"\0") + fields.get("file", b"").ljust(128, b"\0")
    return head + COOKIE + option(53, bytes([kind])) + b"".join(given_) + b"\xff"


def said(*payloads: bytes, protocol: OverUdp = V4, ports: tuple[int, int] = (68, 67)) -> list[dict[str, Any]]:
    datagrams = datagrams_of([(0, 0, payload) for payload in payloads], [ports])
    fits = np.flatnonzero(protocol.fits(datagrams))
    events = protocol.events(datagrams.only(fits))
    assert conform(events.drop("row")).height == events.height
    return [
        {key: value for key, value in row.items() if value is not None}
        for row in events.iter_rows(named=True)
    ]


REQUEST = message(
    3,
    option(12, b"Desk-41\0"),
    option(50, bytes([192, 0, 2, 41])),
    option(54, bytes([192, 0, 2, 1])),
    option(55, bytes([1, 3, 6, 15, 119, 252])),
    option(60, b"MSFT 5.0"),
    option(61, b"\1" + MAC),
    option(77, b"\x05class"),
    option(81, b"\4\0\0" + b"\7Desk-41\4corp\7example\0"),
    option(82, option(1, b"Gi0/1") + option(2, b"\xde\xad")),
)
GRANTED = message(
    5,
    option(51, struct.pack(">I", 3600)),
    option(54, bytes([192, 0, 2, 1])),
    option(3, bytes([192, 0, 2, 1, 192, 0, 2, 2])),
    option(6, bytes([192, 0, 2, 53])),
    option(15, b"corp.example"),
    yours="192.0.2.41",
)


def test_what_a_client_says_of_itself() -> None:
    event = said(REQUEST)[0]
    expected = {
        "event.dataset": "capture.dhcp",
        "event.action": "REQUEST",
        "client.mac": "02-00-00-AB-CD-EF",
        "source.mac": "02-00-00-AB-CD-EF",
        "host.mac": ["02-00-00-AB-CD-EF"],
        "host.name": "Desk-41",
        "host.hostname": "Desk-41",
        "source.domain": "Desk-41",
        "server.ip": "192.0.2.1",
        "capture.dhcp.hostname": "Desk-41",
        "capture.dhcp.client_fqdn": "Desk-41.corp.example",
        "capture.dhcp.address.requested": "192.0.2.41",
        "capture.dhcp.fingerprint": "1,3,6,15,119,252",
        "capture.dhcp.vendor_class": "MSFT 5.0",
        "capture.dhcp.user_class": "class",
        "capture.dhcp.client_id": "01020000abcdef",
        "capture.dhcp.id.circuit": "Gi0/1",
        "capture.dhcp.id.remote_agent": "dead",
        "capture.dhcp.transaction_id": "258",
    }
    assert {key: event.get(key) for key in expected} == expected
    assert "client.ip" not in event


def test_a_lease_has_the_name_that_the_client_said() -> None:
    _, lease = said(REQUEST, GRANTED)
    expected = {
        "event.action": "ACK",
        "event.outcome": "success",
        "client.ip": "192.0.2.41",
        "client.domain": "Desk-41",
        "host.hostname": "Desk-41",
        "network.name": "corp.example",
        "capture.dhcp.lease_time": 3600.0,
        "capture.dhcp.routers": ["192.0.2.1", "192.0.2.2"],
        "capture.dhcp.dns_servers": ["192.0.2.53"],
    }
    assert {key: lease.get(key) for key in expected} == expected
    assert not {"host.name", "source.mac", "source.domain"} & lease.keys()  # the server sent it


def test_a_lease_is_evidence_of_who_held_an_address() -> None:
    at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    end = message(7, own="192.0.2.41")
    frame = pl.DataFrame(said(REQUEST, GRANTED, end), infer_schema_length=None)
    frame = frame.with_columns(
        pl.lit(at).cast(pl.Datetime("us", "UTC")).alias("@timestamp"), pl.lit("192.0.2.1").alias("source.ip")
    )
    found = leases(frame)
    assert found.select("kind", "key", "host", "ends").rows() == [
        ("dhcp", "192.0.2.41", "desk-41", False),
        ("dhcp", "192.0.2.41", None, True),
    ]
    assert found["mac"].to_list() == ["020000abcdef"] * 2


def test_options_in_the_fields_for_names_and_files() -> None:
    event = said(message(2, option(52, b"\3"), file=option(12, b"in-file"), sname=option(15, b"in.sname")))[0]
    assert (event["capture.dhcp.hostname"], event["capture.dhcp.domain"]) == ("in-file", "in.sname")
    ignored = said(message(2, file=option(12, b"in-file")))[0]
    assert "capture.dhcp.hostname" not in ignored


def test_refusals_and_what_a_relay_sends() -> None:
    refused = said(message(6, option(56, b"not \x07here")))[0]
    assert (refused["event.outcome"], refused["capture.dhcp.message"]) == ("failure", "not \\007here")
    relayed = said(message(1, relay=bytes([198, 51, 100, 1])))[0]
    assert relayed["capture.dhcp.address.relay"] == "198.51.100.1"
    assert "source.mac" not in relayed
    assert said(REQUEST[:239], b"", b"\3" + REQUEST[1:]) == []


# RFC 8415: a request with a DUID-LLT, an address, and a name (RFC 4704), and the answer through a relay


def option6(code: int, value: bytes) -> bytes:
    return struct.pack(">HH", code, len(value)) + value


DUID = bytes.fromhex("00010001" + "2a2b2c2d") + MAC
HELD = option6(
    3, bytes(12) + option6(5, bytes.fromhex("20010db8" + "00" * 11 + "41") + struct.pack(">II", 100, 200))
)
ASKS6 = (
    b"\3\0\0\7"
    + option6(1, DUID)
    + option6(39, b"\1\4lap7\4corp\7example\0")
    + option6(6, b"\0\x17\0\x18")
    + HELD
)
GIVES6 = b"\7\0\0\7" + option6(1, DUID) + option6(2, DUID) + HELD + option6(13, b"\0\0ok")
RELAYED6 = b"\x0d\0" + bytes(32) + option6(18, b"eth0") + option6(9, GIVES6)


def test_dhcp_of_ipv6() -> None:
    asked, given_ = said(ASKS6, RELAYED6, protocol=V6, ports=(546, 547))
    assert (asked["event.action"], given_["event.action"]) == ("REQUEST", "REPLY")
    assert asked["host.name"] == given_["host.hostname"] == "lap7"
    assert asked["capture.dhcpv6.client_fqdn"] == "lap7.corp.example"
    assert asked["capture.dhcpv6.fingerprint"] == "23,24"
    assert asked["client.mac"] == given_["client.mac"] == "02-00-00-AB-CD-EF"
    assert given_["client.ip"] == "2001:db8::41"
    assert given_["capture.dhcpv6.id.interface"] == "eth0"
    assert (given_["capture.dhcpv6.lease_time"], given_["event.outcome"]) == (200.0, "success")
    assert said(ASKS6, ASKS6[:-1], b"\x16\xfe\xff\0" + bytes(20), protocol=V6, ports=(546, 9)) != []
    assert len(said(ASKS6[:-1], protocol=V6, ports=(546, 547))) == 0
    assert len(said(ASKS6, protocol=V6, ports=(1, 2))) == 0


@st.composite
def broken(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    message_ = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 4))):
        message_[draw(st.integers(0, len(message_) - 1))] = draw(st.integers(0, 255))
    return bytes(message_[: draw(st.integers(0, len(message_)))])


WHOLE4 = st.sampled_from(
    [REQUEST, GRANTED, message(2, option(52, b"\3"), file=option(12, b"x"), sname=option(82, b"\1\1a"))]
)
WHOLE6 = st.sampled_from([ASKS6, RELAYED6])
_plain = plain("sensors.capture.packet", "sensors.capture.protocols.dhcp.options")[-1]


@settings(deadline=None)
@given(broken(WHOLE4), broken(WHOLE6))
def test_whatever_comes_is_read_within_its_bounds(four: bytes, six: bytes) -> None:
    if len(four) >= options.OPTIONS_AT:  # as `fits` sees to
        given_ = np.frombuffer(four, np.uint8), np.array([0]), np.array([len(four)])
        assert (options.of_v4(*given_) == _plain.of_v4(*given_)).all()
    given_ = np.frombuffer(six, np.uint8), np.array([0]), np.array([len(six)])
    for one, two in zip(options.of_v6(*given_), _plain.of_v6(*given_), strict=True):
        assert (one == two).all()


@settings(max_examples=20, deadline=None)
@given(broken(WHOLE4), broken(WHOLE6))
def test_neighbours_of_what_is_broken_stay(four: bytes, six: bytes) -> None:
    for protocol, whole, odd, ports in ((V4, REQUEST, four, (68, 67)), (V6, ASKS6, six, (546, 547))):
        alone = said(whole, protocol=protocol, ports=ports)[0]
        rows = said(whole, odd, protocol=protocol, ports=ports)
        assert rows[0] == alone
