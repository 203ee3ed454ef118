"""Kerberos over UDP and TCP, on messages made here."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import datagrams_of, streams_of

from sensors import schema
from sensors.capture import der
from sensors.capture.protocols import kerberos

TCP, UDP = kerberos.PROTOCOLS


def tlv(tag: int, *inside: bytes) -> bytes:
    body = b"".join(inside)
    size = bytes([len(body)]) if len(body) < 0x80 else b"\x82" + len(body).to_bytes(2)
    return bytes([tag]) + size + body


def number(value: int) -> bytes:
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def text(value: str) -> bytes:
    return tlv(0x1B, value.encode())


def principal(kind: int, *parts: str) -> bytes:
    return tlv(0x30, tlv(0xA0, number(kind)), tlv(0xA1, tlv(0x30, *map(text, parts))))


def request(client: str | None, *service: str, kind: int = 10, computer: str = "") -> bytes:
    address = tlv(
        0xA9, tlv(0x30, tlv(0x30, tlv(0xA0, number(20)), tlv(0xA1, tlv(4, f"{computer:15} ".encode()))))
    )
    body = tlv(
        0x30,
        tlv(0xA0, tlv(3, b"\0", (0x40810010).to_bytes(4))),
        tlv(0xA1, principal(1, client)) if client else b"",
        tlv(0xA2, text("CORP.EXAMPLE")),
        tlv(0xA3, principal(2, *service)),
        tlv(0xA5, tlv(0x18, b"20370913024805Z")),
        tlv(0xA7, number(77)),
        tlv(0xA8, tlv(0x30, number(18), number(23), number(-133))),
        address if computer else b"",
    )
    padata = tlv(0xA3, tlv(0x30, tlv(0x30, tlv(0xA1, number(2)), tlv(0xA2, tlv(4, b"secret")))))
    head = tlv(0xA1, number(5)) + tlv(0xA2, number(kind))
    return tlv(0x60 + kind, tlv(0x30, head, padata, tlv(0xA4, body)))


def reply(client: str, *service: str, kind: int = 11) -> bytes:
    sealed = tlv(0x30, tlv(0xA0, number(23)), tlv(0xA2, tlv(4, b"sealed" * 30)))
    realm = text("CORP.EXAMPLE")
    ticket = tlv(
        0x61,
        tlv(
            0x30, tlv(0xA0, number(5)), tlv(0xA1, realm), tlv(0xA2, principal(2, *service)), tlv(0xA3, sealed)
        ),
    )
    head = tlv(0xA0, number(5)) + tlv(0xA1, number(kind))
    whole = head + tlv(0xA3, realm) + tlv(0xA4, principal(1, client)) + tlv(0xA5, ticket) + tlv(0xA6, sealed)
    return tlv(0x60 + kind, tlv(0x30, whole))


def error(code: int) -> bytes:
    head = tlv(0xA0, number(5)) + tlv(0xA1, number(30)) + tlv(0xA4, tlv(0x18, b"20260101000000Z"))
    rest = tlv(0xA5, number(1)) + tlv(0xA6, number(code)) + tlv(0xA9, text("CORP.EXAMPLE"))
    return tlv(0x7E, tlv(0x30, head, rest, tlv(0xAA, principal(2, "krbtgt", "CORP.EXAMPLE"))))


def framed(*messages: bytes) -> bytes:
    return b"".join(len(one).to_bytes(4) + one for one in messages)


def test_a_login_over_udp_is_one_event() -> None:
    rows = [
        (0, 0, request("ada", "krbtgt", "CORP.EXAMPLE", computer="LT-ADA")),
        (0, 1, error(25)),
        (0, 0, request("ada", "krbtgt", "CORP.EXAMPLE", computer="LT-ADA")),
        (0, 1, reply("ada", "krbtgt", "CORP.EXAMPLE")),
    ]
    given_rows = datagrams_of(rows)
    assert UDP.fits(given_rows).all()
    found = UDP.events(given_rows)
    assert found["row"].to_list() == [0, 2]
    assert found["event.outcome"].to_list() == ["unknown", "success"]
    event = schema.conform(found.drop("row")).row(1, named=True)
    assert event["user.name"] == event["source.user.name"] == "ada"
    assert event["user.domain"] == "CORP.EXAMPLE"
    assert event["host.name"] == "LT-ADA"
    assert event["capture.kerberos.service"] == "krbtgt/CORP.EXAMPLE"
    assert event["capture.kerberos.client"] == "ada/CORP.EXAMPLE"
    assert event["capture.kerberos.request.ciphers"] == [
        "aes256-cts-hmac-sha1-96",
        "rc4-hmac",
        "rc4-hmac-old",
    ]
    assert event["capture.kerberos.cipher"] == "rc4-hmac"
    assert event["capture.kerberos.preauthentication"] == ["PA-ENC-TIMESTAMP"]
    assert event["capture.kerberos.forwardable"]
    assert event["capture.kerberos.valid.until"].year == 2037


def test_two_tickets_over_one_stream() -> None:
    asked = framed(request("LT-DEAN$", "krbtgt", "CORP.EXAMPLE"), request(None, "cifs", "files", kind=12))
    answered = framed(error(24), reply("LT-DEAN$", "cifs", "files", kind=13))
    found = TCP.events(streams_of([(asked, answered)]))
    assert found["event.action"].to_list() == ["AS", "TGS"]
    assert found["event.outcome"].to_list() == ["failure", "success"]
    assert found["event.reason"].to_list() == ["KDC_ERR_PREAUTH_FAILED", None]
    assert found["host.name"].to_list() == ["LT-DEAN", "LT-DEAN"]
    assert found["at"].to_list() == [0, 4 + len(request("LT-DEAN$", "krbtgt", "CORP.EXAMPLE"))]


def test_an_answer_alone_does_not_make_the_server_the_user() -> None:
    found = UDP.events(datagrams_of([(0, 1, reply("ada", "krbtgt", "CORP.EXAMPLE"))]))
    assert found["user.name"].to_list() == ["ada"]
    assert found["source.user.name"].to_list() == [None]


@pytest.mark.parametrize(
    "other", [b"", b"\x6a", b"\x6a\x82\x01\x09\x30\x82", bytes(40), b"\x30\x0c\x02\x01\x01"]
)
def test_what_is_another_protocol_does_not_fit(other: bytes) -> None:
    assert not UDP.fits(datagrams_of([(0, 0, other)])).any()
    assert not TCP.fits(streams_of([(framed(other), framed(other))])).any()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broken_messages_do_no_harm(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([request("ada", "host", "x"), reply("ada", "host", "x"), error(6)]))
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    sound = request("bob", "krbtgt", "CORP.EXAMPLE")
    rows = datagrams_of([(0, 0, bytes(broken)), (1, 0, sound)])
    UDP.fits(rows)
    found = UDP.events(rows)
    assert found.filter(pl.col("row") == 1)["user.name"].to_list() == ["bob"]
    streams = streams_of([(framed(bytes(broken)), b""), (framed(sound), b"")])
    TCP.fits(streams)
    assert "bob" in TCP.events(streams)["user.name"].to_list()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 5))
def test_values_are_found_within_their_message(noise: bytes, flip: int) -> None:
    whole = bytearray(request("ada", "host", "x"))
    whole[flip] ^= noise[0] if noise else 0
    data = np.frombuffer(noise + bytes(whole), np.uint8)
    paths = np.array([0x6AA4A1A11B, 0x1B, 0x02], np.int64)
    starts, ends = np.array([0, len(noise)]), np.array([len(noise), len(data)])
    room = np.empty((600, der.COLUMNS), np.int64)
    number_found = der.walk.py_func(data, starts, ends, paths, room)  # type: ignore[attr-defined]
    found = der.values(data, starts, ends, paths)
    assert (room[:number_found] == found).all()
    assert (found[:, der.START] >= starts[found[:, der.MESSAGE]]).all()
    assert (found[:, der.END] <= ends[found[:, der.MESSAGE]]).all()


def test_integers_have_their_sign() -> None:
    data = np.array([0xFF, 0x7B, 0x12, 0x00], np.uint8)
    assert der.integers(data, np.array([0, 2, 3]), np.array([2, 3, 3])).tolist() == [-133, 18, 0]
