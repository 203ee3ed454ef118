from __future__ import annotations

import datetime as dt
from functools import cache
from hashlib import sha1, sha256
from ipaddress import ip_address
from typing import Any

import numpy as np
import polars as pl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_kernels import plain
from slow_conversations import streams_of
from test_capture_tls_hello import (
    CHROME,
    KEYS,
    OLD,
    RETRY,
    TICKET,
    VERSIONS,
    alpn,
    client_hello,
    extension,
    long,
    message,
    server_hello,
    short,
    two,
)

from sensors.capture.protocols.tls import PROTOCOL, certificates
from sensors.schema import conform

_TLS = "sensors.capture.protocols.tls"
HANDSHAKE, CHANGE, ALERT, DATA = 22, 20, 21, 23
DONE = message(14, b"")
CHANGED = bytes.fromhex("140303000101")
FINISHED = bytes.fromhex("1603030028") + bytes(8) + bytes(range(32))  # encrypted
NEWEST = (extension(VERSIONS, two(0x0304)), extension(KEYS, two(29) + long(bytes(32))))


def record(kind: int, *parts: bytes, version: int = 0x0303) -> bytes:
    return bytes([kind]) + two(version) + long(b"".join(parts))


def pieces(handshake: bytes, size: int) -> bytes:
    return b"".join(record(HANDSHAKE, handshake[at : at + size]) for at in range(0, len(handshake), size))


def data(size: int) -> bytes:
    return record(DATA, bytes(size))


def chain(*ders: bytes) -> bytes:
    listed = b"".join(len(der).to_bytes(3, "big") + der for der in ders)
    return message(11, len(listed).to_bytes(3, "big") + listed)


def key_exchange(curve: int = 29) -> bytes:
    return message(12, b"\3" + two(curve) + short(bytes(32)) + two(0x0804) + long(bytes(64)))


@cache
def certificate(subject: str, issuer: str, serial: int = 0xABC) -> bytes:
    key = generate_private_key(SECP256R1())
    names = [
        x509.DNSName(subject), x509.IPAddress(ip_address("192.0.2.7")), x509.RFC822Name("ops@corp.example"),
    ]  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(dt.datetime(2025, 1, 2, 3, 4, 5, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.DER)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "NL"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Corp, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "ca@corp.example"),
        ]
    )


def read(*said: tuple[bytes, bytes]) -> list[dict[str, Any]]:
    streams = streams_of(list(said))
    rows = np.flatnonzero(PROTOCOL.fits(streams))
    found = PROTOCOL.events(streams.only(rows))
    conform(found.drop("row", "side", "at", "~answers"))
    return found.with_columns(pl.Series("row", rows)[found["row"]]).to_dicts()


def one(asked: bytes, answered: bytes = b"") -> dict[str, Any]:
    (row,) = read((asked, answered))
    return row


def test_tls_12_with_certificates_of_both_sides() -> None:
    root, leaf = certificate("root.example", "root.example"), certificate("www.corp.example", "root.example")
    mine = certificate("laptop.corp.example", "root.example", 1)
    flight = server_hello(alpn(b"h2"), cipher=0xC02F) + chain(leaf, root) + key_exchange() + DONE
    asked = record(HANDSHAKE, CHROME, version=0x0301) + pieces(chain(mine) + message(16, bytes(33)), 200)
    row = one(asked + CHANGED + FINISHED, pieces(flight, 100) + CHANGED + FINISHED)
    assert (row["side"], row["at"], row["~answers"]) == (0, 0, False)
    assert row["event.dataset"] == "capture.tls"
    assert row["tls.client.server_name"] == row["destination.domain"] == "www.example.org"
    assert row["related.hosts"] == ["www.example.org"]
    assert (row["tls.version"], row["tls.curve"], row["tls.next_protocol"]) == ("1.2", "x25519", "h2")
    assert (row["tls.established"], row["event.outcome"], row["tls.resumed"]) == (True, "success", False)
    assert row["tls.server.subject"] == r"emailAddress=ca@corp.example,CN=www.corp.example,O=Corp\, Inc.,C=NL"
    assert row["tls.server.issuer"] == r"emailAddress=ca@corp.example,CN=root.example,O=Corp\, Inc.,C=NL"
    assert row["tls.server.x509.subject.common_name"] == "www.corp.example"
    assert row["tls.server.x509.issuer.organization"] == "Corp, Inc."
    assert row["tls.server.x509.serial_number"] == "0ABC"
    assert row["tls.server.x509.alternative_names"] == ["www.corp.example", "192.0.2.7", "ops@corp.example"]
    assert row["tls.server.not_before"] == dt.datetime(2025, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert row["tls.server.hash.sha1"] == sha1(leaf, usedforsecurity=False).hexdigest().upper()
    assert row["capture.tls.server.certificate_chain"] == [
        sha256(each).hexdigest().upper() for each in (leaf, root)
    ]
    assert row["tls.client.x509.subject.common_name"] == "laptop.corp.example"


@pytest.mark.parametrize("size", [1, 3, 4, 5, 6, 43, 44, 1000])
def test_messages_over_records_of_any_size(size: int) -> None:
    answered = server_hello(cipher=47) + chain(b"no certificate") + DONE
    row = one(pieces(OLD, size), pieces(answered, size))
    assert row["tls.client.ja3"] == "ada70206e40642a3e4461f35503241d5"
    assert row["tls.cipher"] == "TLS_RSA_WITH_AES_128_CBC_SHA"
    assert row["tls.server.hash.sha1"] == sha1(b"no certificate", usedforsecurity=False).hexdigest().upper()
    assert row["tls.server.subject"] is None
    assert row["event.outcome"] == "unknown"


def test_tls_13() -> None:
    answered = record(HANDSHAKE, server_hello(*NEWEST)) + CHANGED + data(900)
    row = one(record(HANDSHAKE, CHROME) + CHANGED + data(53) + data(80), answered)
    assert (row["tls.version"], row["tls.curve"]) == ("1.3", "x25519")
    assert (row["tls.established"], row["event.outcome"], row["tls.resumed"]) == (True, "success", False)
    refused = one(record(HANDSHAKE, CHROME) + CHANGED + data(19), answered)  # an alert, encrypted
    assert (refused["tls.established"], refused["event.outcome"]) == (False, "unknown")


def test_the_server_that_asks_again_and_the_first_hello_count() -> None:
    again = server_hello(extension(VERSIONS, two(0x0304)), extension(KEYS, two(23)), random=RETRY)
    asked = record(HANDSHAKE, CHROME) + CHANGED + record(HANDSHAKE, OLD) + data(53)
    chosen = server_hello(*NEWEST, cipher=0x1302)
    row = one(asked, record(HANDSHAKE, again) + CHANGED + record(HANDSHAKE, chosen) + data(900))
    assert row["capture.tls.ja4"] == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert (row["tls.cipher"], row["tls.curve"]) == ("TLS_AES_256_GCM_SHA384", "x25519")
    alone = one(asked, record(HANDSHAKE, again))
    assert (alone["tls.cipher"], alone["tls.curve"]) == ("TLS_AES_128_GCM_SHA256", "secp256r1")


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (client_hello(session=b"kept" * 8), server_hello(cipher=47, session=b"kept" * 8)),
        (client_hello(extension(TICKET, b"kept")), server_hello(extension(TICKET), cipher=47)),
    ],
)
def test_sessions_that_go_on(asked: bytes, answered: bytes) -> None:
    row = one(record(HANDSHAKE, asked) + CHANGED + FINISHED, record(HANDSHAKE, answered) + CHANGED + FINISHED)
    assert (row["tls.resumed"], row["tls.established"]) == (True, True)


def test_alerts() -> None:
    refused = one(record(HANDSHAKE, CHROME), record(ALERT, b"\2\x46"))
    assert refused["capture.tls.server.alert"] == "protocol_version"
    assert (refused["tls.established"], refused["event.outcome"]) == (False, "failure")
    flight = record(HANDSHAKE, server_hello() + chain(b"x") + DONE)
    unknown = one(record(HANDSHAKE, CHROME) + record(ALERT, b"\2\x30"), flight)
    assert unknown["capture.tls.client.alert"] == "unknown_ca"
    assert unknown["event.outcome"] == "failure"
    warned = one(record(HANDSHAKE, CHROME), record(ALERT, b"\1\x70") + flight)
    assert (warned["capture.tls.server.alert"], warned["event.outcome"]) == ("unrecognized_name", "unknown")


def test_a_side_alone_and_sides_turned() -> None:
    alone = one(record(HANDSHAKE, CHROME))
    assert (alone["tls.version"], alone["tls.established"]) == (None, False)
    answered = record(HANDSHAKE, server_hello(cipher=47))
    unasked = one(b"", answered)
    assert (unasked["side"], unasked["at"], unasked["tls.version"]) == (1, 0, "1.2")
    assert unasked["tls.client.ja3"] is None
    both = one(record(HANDSHAKE, OLD), record(HANDSHAKE, CHROME))
    assert (both["side"], both["tls.client.server_name"]) == (0, "shop.example")
    turned = one(answered, record(HANDSHAKE, CHROME))
    assert (turned["side"], turned["~answers"]) == (1, True)
    assert (turned["tls.version"], turned["tls.client.server_name"]) == ("1.2", "www.example.org")


RDP = bytes.fromhex("030000130ee000000000000100080003000000")
START_TLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
BEFORE = [
    ("smtp", b"EHLO a.example\r\nSTARTTLS\r\n", b"220 mx.example ESMTP\r\n250 STARTTLS\r\n220 go\r\n"),
    ("imap", b"a1 STARTTLS\r\n", b"* OK ready\r\na1 OK begin\r\n"),
    ("pop3", b"STLS\r\n", b"+OK ready\r\n+OK begin\r\n"),
    ("ftp", b"AUTH TLS\r\n", b"220 files\r\n234 go\r\n"),
    ("ldap", START_TLS, b"\x30\x0c\x02\1\1\x78\7\x0a\1\0\4\0\4\0"),
    ("xmpp", b"<?xml version='1.0'?><starttls/>", b"<?xml version='1.0'?><proceed/>"),
    ("postgresql", bytes.fromhex("0000000804d2162f"), b"S"),
    ("mysql", bytes.fromhex("20000001") + bytes(32), b"\x4a\0\0\0\x0a5.7.1" + bytes(68)),
    ("rdp", RDP, bytes.fromhex("030000130ed000001234000209080002000000")),
    ("http", b"CONNECT www.example.org:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
    ("socks", b"\5\1\0\5\1\0\3\x0fwww.example.org\1\xbb", b"\5\0\5\0\0\1\0\0\0\0\0\0"),
    ("proxy-protocol", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n", b""),
    ("tds", bytes.fromhex("1201000800000000") + bytes.fromhex("1201020800000000"), bytes(8)),
]  # fmt: skip


@pytest.mark.parametrize(("spoken", "asked", "answered"), BEFORE)
def test_tls_behind_plain_text(spoken: str, asked: bytes, answered: bytes) -> None:
    row = one(asked + record(HANDSHAKE, CHROME), answered + record(HANDSHAKE, server_hello(cipher=47)))
    assert row["capture.tls.from_protocol"] == spoken
    assert (row["at"], row["tls.version"]) == (len(asked), "1.2")
    assert row["tls.client.server_name"] == "www.example.org"
    refused = one(asked + record(HANDSHAKE, CHROME), answered + record(ALERT, b"\2\x28"))
    assert refused["capture.tls.server.alert"] == "handshake_failure"
    assert not read((asked, answered))


def test_hellos_of_ssl_2() -> None:
    suites = bytes.fromhex("01008000002f000035")
    body = b"\1" + two(0x0301, len(suites), 0, 16) + suites + bytes(16)
    asked = two(0x8000 | len(body)) + body
    row = one(asked, record(HANDSHAKE, server_hello(cipher=47, version=0x0301)))
    assert row["tls.client.supported_ciphers"] == [
        "SSL_CK_RC4_128_WITH_MD5", "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA",
    ]  # fmt: skip
    assert (row["capture.tls.client.version"], row["tls.version"]) == ("1.0", "1.0")
    der = certificate("old.example", "old.example")
    answer = b"\4\0\1" + two(2, len(der), 3, 16) + der + suites[:3] + bytes(16)
    old = one(asked, two(0x8000 | len(answer)) + answer)
    assert (old["tls.version"], old["tls.version_protocol"]) == ("2.0", "ssl")
    assert old["tls.server.x509.subject.common_name"] == "old.example"


def test_what_is_no_tls() -> None:
    hello = record(HANDSHAKE, CHROME)
    said = [
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2000)),
        (b"SSH-2.0-x\r\n" + hello, b""),  # nothing that goes over to TLS came before
        (b"", b""),
        (b"\x16\3\1", b"\x15\3\1"),
        (data(50), data(90)),
        (b"\x16\3\1\0\x05\1\0\2\0\3\3\3" + bytes(40), b""),  # lengths that do not go together
        (bytes(300), b"\x80" * 300),
    ]
    assert all(row["row"] == 5 for row in read(*said))
    assert not PROTOCOL.fits(streams_of([])).any()
    assert PROTOCOL.events(streams_of([])).is_empty()


def test_certificates_that_lie() -> None:
    der = certificate("a.example", "b.example")
    broken = [
        der[:40],
        der[:-1],
        der + b"\0",
        b"",
        b"\x30\x80",
        bytes(70_000),
        der.replace(b"a.example", b"\xff" * 9),
    ]
    found = certificates.read(broken)
    assert found["hash.sha256"].null_count() == 0
    assert found["subject"].null_count() >= 4
    assert certificates.read([]).is_empty()


def test_one_certificate_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    slow = certificates._facts

    def counted(der: bytes) -> dict[str, object]:
        seen.append(1)
        return slow(der)

    monkeypatch.setattr(certificates, "_facts", counted)
    der = certificate("a.example", "b.example")
    said = (record(HANDSHAKE, OLD), record(HANDSHAKE, server_hello(cipher=47) + chain(der)))
    assert len(read(*[said] * 5)) == 5
    assert len(seen) == 1


SAID = [
    (
        record(HANDSHAKE, CHROME) + pieces(chain(b"mine", b""), 9) + CHANGED + FINISHED + data(30),
        pieces(server_hello(alpn(b"h2"), cipher=0xC02F) + chain(b"leaf", b"root") + key_exchange() + DONE, 50)
        + CHANGED + FINISHED + data(40),
    ),
    (b"EHLO a\r\n" + record(HANDSHAKE, OLD), b"220 a\r\n" + record(ALERT, b"\2\x28")),
    (bytes.fromhex("801c010301000300000010") + b"\0\0\x2f" + bytes(16), record(HANDSHAKE, server_hello())),
]  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_broken_conversations_do_no_harm_to_others(draw: st.DataObject) -> None:
    known = (record(HANDSHAKE, OLD), record(HANDSHAKE, server_hello(cipher=47)))
    sides = [bytearray(each) for each in draw.draw(st.sampled_from(SAID))]
    for side in sides:
        for _ in range(draw.draw(st.integers(0, 4))):
            side[draw.draw(st.integers(0, len(side) - 1))] = draw.draw(st.integers(0, 255))
        del side[draw.draw(st.integers(0, len(side))) :]
    (alone,) = read(known)
    rows = read((bytes(sides[0]), bytes(sides[1])), known)
    ours = {key: value for key, value in rows[-1].items() if value is not None}
    assert {**ours, "row": 0} == {key: value for key, value in alone.items() if value is not None}


def test_nothing_outside_of_a_stream_is_read() -> None:
    beginnings, records = plain(f"{_TLS}.texts", f"{_TLS}.beginnings", f"{_TLS}.records")[1:]
    random = np.random.default_rng(7)
    for asked, answered in SAID:
        for size in range(0, len(asked) + len(answered), 7):
            said = [asked[: max(0, size - len(answered))] if size % 2 else asked[:size], answered[:size]]
            if said[0] and size % 3:
                said[0] = bytes([*said[0][:-1], random.integers(0, 256)])
            streams = streams_of([(said[0], said[1])])
            places = beginnings.places(streams)
            if beginnings.has(places).any():
                records.messages(streams, places)
