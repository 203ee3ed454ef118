"""DTLS: hellos in fragments, cookies, certificates; messages are made here."""

from __future__ import annotations

import datetime as dt
import random
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import datagrams_of

from sensors.capture.conversations import CLIENT, SERVER
from sensors.capture.protocols import dtls
from sensors.capture.protocols.dtls import PROTOCOL

Rows = list[tuple[int, int, bytes]]


def record(body: bytes, *, kind: int = 22, version: int = 0xFEFD, epoch: int = 0, number: int = 0) -> bytes:
    head = bytes([kind]) + version.to_bytes(2, "big") + epoch.to_bytes(2, "big") + number.to_bytes(6, "big")
    return head + len(body).to_bytes(2, "big") + body


def fragment(kind: int, body: bytes, number: int = 0, start: int = 0, stop: int | None = None) -> bytes:
    piece = body[start:stop]
    head = bytes([kind]) + len(body).to_bytes(3, "big") + number.to_bytes(2, "big")
    return head + start.to_bytes(3, "big") + len(piece).to_bytes(3, "big") + piece


def extension(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


def client_hello(name: bytes = b"vpn.example.com", cookie: bytes = b"", version: int = 0xFEFD) -> bytes:
    named = len(name).to_bytes(2, "big") + name
    extensions = extension(0, (len(named) + 1).to_bytes(2, "big") + b"\0" + named)
    extensions += extension(10, b"\x00\x04\x00\x1d\x00\x17") + extension(11, b"\x01\x00")
    extensions += extension(14, b"\x00\x02\x00\x07\x00") + extension(16, b"\x00\x07\x06webrtc")
    body = version.to_bytes(2, "big") + bytes(32) + b"\0" + bytes([len(cookie)]) + cookie
    return body + b"\x00\x04\xc0\x2b\xc0\x2f\x01\x00" + len(extensions).to_bytes(2, "big") + extensions


def server_hello(cipher: int = 0xC02B) -> bytes:
    return (
        b"\xfe\xfd" + bytes(32) + b"\0" + cipher.to_bytes(2, "big") + b"\0" + b"\x00\x05\xff\x01\x00\x01\x00"
    )


def certificate(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).serial_number(4711)
    builder = builder.public_key(key.public_key()).not_valid_before(day)
    made = builder.not_valid_after(day + dt.timedelta(days=30)).sign(key, SHA256())
    return made.public_bytes(Encoding.DER)


def shown(*ders: bytes) -> bytes:
    whole = b"".join(len(der).to_bytes(3, "big") + der for der in ders)
    return len(whole).to_bytes(3, "big") + whole


def told(rows: Rows) -> pl.DataFrame:
    given_rows = datagrams_of(rows)
    mine = np.flatnonzero(PROTOCOL.fits(given_rows))
    found = PROTOCOL.events(given_rows.only(mine))
    return found.with_columns(pl.Series("row", mine[found["row"].to_numpy()], pl.Int64))


SERVERS_OWN, CLIENTS_OWN, AUTHORITY = certificate("kvm.example.com"), certificate("WebRTC"), certificate("CA")
EXCHANGE = b"\x03\x00\x17\x41\x04" + bytes(64) + b"\x04\x03\x00\x02\x01\x01"
BOTH = shown(SERVERS_OWN, AUTHORITY)
WHOLE: Rows = [
    (0, CLIENT, record(fragment(1, client_hello()))),
    (0, SERVER, record(fragment(3, b"\xfe\xfd\x04abcd"))),
    (0, CLIENT, record(fragment(1, client_hello(cookie=b"abcd"), 1))),
    (0, SERVER, record(fragment(2, server_hello(), 1) + fragment(11, BOTH, 2, 0, 300))),
    (0, SERVER, record(fragment(11, BOTH, 2, 280)) + record(fragment(12, EXCHANGE, 3))),
    (0, CLIENT, record(fragment(11, shown(CLIENTS_OWN), 2))),
    (0, CLIENT, record(b"\x01", kind=20) + record(bytes(40), epoch=1)),
    (0, SERVER, record(b"\x01", kind=20) + record(bytes(40), epoch=1)),
    (0, CLIENT, record(bytes(60), kind=23, epoch=1)),
]  # fmt: skip


def test_a_whole_handshake() -> None:
    event = told(WHOLE).to_dicts()
    assert len(event) == 1
    one = event[0]
    assert one["row"] == 0
    assert one["tls.client.server_name"] == one["destination.domain"] == "vpn.example.com"
    assert one["capture.tls.client.next_protocols"] == ["webrtc"]
    assert one["tls.client.ja3"]
    assert one["capture.tls.ja4"].startswith("dd2d0205wc")
    assert one["tls.cipher"] == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    assert one["tls.curve"] == "secp256r1"
    assert one["tls.version"] == "1.2"
    assert one["tls.server.subject"] == "CN=kvm.example.com"
    assert one["tls.client.subject"] == "CN=WebRTC"
    assert len(one["capture.tls.server.certificate_chain"]) == 2
    assert (one["tls.established"], one["event.outcome"]) == (True, "success")
    assert one["network.protocol"] == "dtls"


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(1, 110), max_size=5), st.randoms(use_true_random=False))
def test_fragments_in_any_order_and_again(cuts: set[int], chance: random.Random) -> None:
    hello = client_hello()
    places = [0, *sorted(cuts), len(hello)]
    pieces = [fragment(1, hello, 0, a, b) for a, b in pairwise(places)]
    pieces += chance.sample(pieces, 1)
    chance.shuffle(pieces)
    rows = [(0, CLIENT, record(piece, number=number)) for number, piece in enumerate(pieces)]
    event = told(rows).to_dicts()
    assert [each["tls.client.server_name"] for each in event] == ["vpn.example.com"]
    assert event[0]["tls.client.ja3"] == told(WHOLE)["tls.client.ja3"][0]


def test_a_gap_gives_what_stands_before_it() -> None:
    hello = client_hello()
    rows = [(0, CLIENT, record(fragment(1, hello, 0, 0, 80))), (0, CLIENT, record(fragment(1, hello, 0, 90)))]
    event = told(rows).to_dicts()[0]
    assert event["tls.client.server_name"] == "vpn.example.com"
    assert event["tls.client.ja3"] is None


@pytest.mark.parametrize(("version", "name"), [(0xFEFF, "1.0"), (0xFEFD, "1.2"), (0x0100, "1.0")])
def test_a_session_in_its_middle(version: int, name: str) -> None:
    event = told([(0, SERVER, record(bytes(50), kind=23, epoch=1, version=version))]).to_dicts()[0]
    assert event["tls.version"] == name
    assert event["tls.client.server_name"] is None


def test_a_handshake_that_is_refused() -> None:
    event = told([WHOLE[0], (0, SERVER, record(b"\x02\x28", kind=21))]).to_dicts()[0]
    assert (event["tls.established"], event["event.outcome"]) == (False, "failure")
    assert event["capture.tls.server.alert"] == "handshake_failure"
    assert event["capture.tls.client.alert"] is None


def test_the_server_alone() -> None:
    event = told([(0, CLIENT, WHOLE[3][2]), (0, CLIENT, WHOLE[4][2])]).to_dicts()[0]
    assert event["tls.server.subject"] == "CN=kvm.example.com"
    assert event["tls.client.subject"] is None
    assert event["tls.server.ja3s"]


def test_what_is_not_dtls() -> None:
    others = [
        b"", b"\x16", b"\x16\xfe\xfd" + bytes(10), b"\x16\xfe\xfd" + bytes(8) + b"\x00\x40" + bytes(20),
        b"\x16\x03\x01" + bytes(10) + b"\x00\x05hello", b"\x17\x01\x00" + bytes(40), bytes(60),
        record(b"\x63" + bytes(30)), record(bytes(30), kind=30),
        record(bytes(30), version=0x0100, epoch=9, kind=23),
    ]  # fmt: skip
    assert not PROTOCOL.fits(datagrams_of([(k, CLIENT, each) for k, each in enumerate(others)])).any()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(range(len(WHOLE))),
    st.integers(0, 700),
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255))),
)
def test_broken_datagrams_raise_nothing_and_disturb_nobody(
    which: int, size: int, flips: list[tuple[int, int]]
) -> None:
    broken = bytearray(WHOLE[which][2][:size])
    for place, value in flips:
        if place < len(broken):
            broken[place] = value
    alone = told(WHOLE).to_dicts()[0]
    rows = [*WHOLE, (1, WHOLE[which][1], bytes(broken))]
    assert told(rows).filter(pl.col("row") == 0).to_dicts()[0] == alone
    data = datagrams_of([(0, CLIENT, bytes(broken))])
    found, kinds = np.empty((16, 7), np.int64), np.zeros(1, np.int64)
    count = dtls.walk.py_func(data.data, data.starts, data.ends, found, kinds)  # type: ignore[attr-defined]
    assert (found[:count, 6] <= len(broken)).all()
    numbers = np.zeros(count, np.int64)
    made, starts, ends = dtls.together.py_func(data.data, found[:count], numbers, 1)  # type: ignore[attr-defined]
    dtls.chains.py_func(made, starts, ends, np.empty((12, 3), np.int64))  # type: ignore[attr-defined]
