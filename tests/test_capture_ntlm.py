"""NTLM in HTTP, LDAP and SMB, on messages made here."""

from __future__ import annotations

import base64
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import streams_of

from sensors import schema
from sensors.capture import ntlmssp
from sensors.capture.protocols import ntlm

UNICODE, VERSION = 1, 0x2000000


def fields(fixed: int, values: list[bytes]) -> tuple[list[bytes], bytes]:
    at, heads = fixed, []
    for value in values:
        heads.append(struct.pack("<HHI", len(value), len(value), at))
        at += len(value)
    return heads, b"".join(values)


def pair(number: int, value: str) -> bytes:
    return struct.pack("<HH", number, 2 * len(value)) + value.encode("utf-16-le")


def challenge(target: str = "CORP", server: str = "files1.corp.example") -> bytes:
    info = pair(2, target) + pair(1, "FILES1") + pair(3, server) + bytes(4)
    heads, values = fields(56, [target.encode("utf-16-le"), info])
    flags = struct.pack("<I", UNICODE | VERSION)
    version = struct.pack("<BBH4x", 10, 0, 17763)
    return b"NTLMSSP\0\2\0\0\0" + heads[0] + flags + b"8 bytes!" + bytes(8) + heads[1] + version + values


def authenticate(
    user: str, domain: str, computer: str, encoding: str = "utf-16-le", answer: int = 24
) -> bytes:
    names = [one.encode(encoding) for one in (domain, user, computer)]
    heads, values = fields(72, [b"L" * 24, b"N" * answer, *names, b""])
    flags = struct.pack("<I", VERSION | (UNICODE if "16" in encoding else 0))
    version = struct.pack("<BBH4x", 10, 0, 19041)
    return b"NTLMSSP\0\3\0\0\0" + b"".join(heads) + flags + version + values


def spnego(message: bytes) -> bytes:
    return b"\xa1\x82" + (len(message) + 4).to_bytes(2) + b"\x30\x82" + len(message).to_bytes(2) + message


def over_http(code: int, *, wrapped: bool = False) -> tuple[bytes, bytes]:
    scheme, wrap = (b"Negotiate ", spnego) if wrapped else (b"NTLM ", bytes)
    texts = [
        base64.b64encode(wrap(one))
        for one in (b"NTLMSSP\0\1\0\0\0\0\0\0\0", challenge(), authenticate("ada", "CORP", "LT-ADA"))
    ]
    asked = b"".join(b"GET / HTTP/1.1\r\nAuthorization: " + scheme + texts[k] + b"\r\n\r\n" for k in (0, 2))
    first = (
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: "
        + scheme
        + texts[1]
        + b"\r\nContent-Length: 0\r\n\r\n"
    )
    return asked, first + b"HTTP/1.1 %d X\r\n\r\n" % code


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(("code", "outcome"), [(200, "success"), (401, "failure"), (404, "success")])
def test_a_login_over_http(code: int, outcome: str, *, wrapped: bool) -> None:
    streams = streams_of(
        [(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"), over_http(code, wrapped=wrapped)]
    )
    assert ntlm.PROTOCOL.fits(streams).tolist() == [False, True]
    found = ntlm.PROTOCOL.events(streams)
    assert found["row"].to_list() == [1]
    event = schema.conform(found.drop("row", "side", "at")).row(0, named=True)
    assert event["event.outcome"] == outcome
    assert (event["user.name"], event["user.domain"], event["host.name"]) == ("ada", "CORP", "LT-ADA")
    assert event["destination.domain"] == event["capture.ntlm.server.name.dns"] == "files1.corp.example"
    assert event["capture.ntlm.server.version"] == "10.0.17763"
    assert event["capture.ntlm.version"] == "10.0.19041"
    assert event["capture.ntlm.protocol"] == "NTLMv1"


def test_what_proves_the_password_is_not_kept() -> None:
    found = ntlm.PROTOCOL.events(streams_of([over_http(200)]))
    whole = str(found.to_dicts())
    assert not any(one in whole for one in ("LLLL", "NNNN", "8 bytes!"))


@pytest.mark.parametrize(("result", "outcome"), [(0, "success"), (49, "failure")])
def test_a_bind_of_ldap(result: int, outcome: str) -> None:
    def answer(code: int, credentials: bytes) -> bytes:
        held = b"\x87\x82" + len(credentials).to_bytes(2) + credentials if credentials else b""
        inside = b"\x0a\x01" + bytes([code]) + b"\x04\x00\x04\x00" + held
        bind = b"\x02\x01\x01\x61\x82" + len(inside).to_bytes(2) + inside
        return b"\x30\x82" + len(bind).to_bytes(2) + bind

    asked = b"\x30\x20" + authenticate("bob", "", "", answer=200)
    found = ntlm.PROTOCOL.events(streams_of([(asked, answer(14, challenge()) + answer(result, b""))]))
    assert found["event.outcome"].to_list() == [outcome]
    assert found["capture.ntlm.protocol"].to_list() == ["NTLMv2"]
    assert found["user.domain"].to_list() == [None]


@pytest.mark.parametrize(("kind", "outcome"), [(2, "success"), (3, "failure")])
def test_a_login_of_dce_rpc(kind: int, outcome: str) -> None:
    def packet(kind: int, body: bytes) -> bytes:
        return struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, 16 + len(body), 0, 1) + body

    asked = packet(11, bytes(60)) + packet(16, bytes(12) + authenticate("bob", "CORP", "LT"))
    answered = packet(12, bytes(40) + challenge()) + packet(kind, bytes(8) + struct.pack("<II", 5, 0))
    found = ntlm.PROTOCOL.events(streams_of([(asked, answered)]))
    assert found["event.outcome"].to_list() == [outcome]
    assert found["capture.ntlm.within"].to_list() == ["dce_rpc"]


def test_names_in_one_byte_a_letter() -> None:
    found = ntlm.PROTOCOL.events(streams_of([(authenticate("d\xe9an", "CORP", "LT", "latin-1"), b"")]))
    assert found["user.name"].to_list() == ["d\ufffdan"]
    assert found["event.outcome"].to_list() == ["unknown"]


def test_a_challenge_that_nobody_answers_names_the_server() -> None:
    found = ntlm.PROTOCOL.events(streams_of([(b"", challenge())]))
    assert found["event.action"].to_list() == ["challenge"]
    assert found["capture.ntlm.server.name.netbios"].to_list() == ["FILES1"]


def test_there_is_room_for_many() -> None:
    many = b"".join(b"TlRMTVNTUAADAAAA " for _ in range(3000))
    found, _ = ntlmssp.search(
        np.frombuffer(many, np.uint8), np.array([[0, 0]]), np.array([[len(many), 0]]), lines=False
    )
    assert len(found) == 3000


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broken_messages_do_no_harm(data: st.DataObject) -> None:
    whole = data.draw(
        st.sampled_from([challenge(), authenticate("bob", "X", "Y"), over_http(200, wrapped=True)[0]])
    )
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    streams = streams_of([(bytes(broken), challenge()), over_http(200), (b"", bytes(broken))])
    assert ntlm.PROTOCOL.fits(streams)[1]
    found = ntlm.PROTOCOL.events(streams)
    assert found.filter(row=1)["user.name"].to_list() == ["ada"]


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=40))
def test_bounds_are_kept(noise: bytes) -> None:
    asked, answered = over_http(200, wrapped=True)
    streams = streams_of([(asked + noise, noise), (challenge()[: len(noise)], answered)])
    found, decoded = np.empty((9, ntlmssp.COLUMNS), np.int64), np.empty(900, np.uint8)
    sizes = np.zeros(2, np.int64)
    ntlmssp.find.py_func(streams.data, streams.starts, streams.ends, np.False_, found, decoded, sizes)  # type: ignore[attr-defined]
    same, text = ntlmssp.search(streams.data, streams.starts, streams.ends, lines=False)
    assert (found[: sizes[0]] == same).all()
    assert (decoded[: sizes[1]] == text[: sizes[1]]).all()
