from __future__ import annotations

import base64
import hashlib
import struct

import numpy as np
import pytest
from broken_conversations import bears, broken, events, interpreted
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import streams_of

from sensors.capture.protocols.ssh import PROTOCOL, walk

CLIENT_LISTS = ("curve25519-sha256,ext-info-c", "ssh-ed25519,ssh-rsa", "aes128-ctr,aes256-ctr", "aes256-ctr",
                "hmac-md5,hmac-sha1", "hmac-sha1", "none,zlib", "none", "", "")  # fmt: skip
SERVER_LISTS = ("ecdh-sha2-nistp256,curve25519-sha256", "ssh-rsa", "aes256-ctr,aes128-ctr",
                "aes128-cbc,aes256-ctr", "hmac-sha1", "hmac-sha1", "zlib,none", "none", "", "")  # fmt: skip
HOST_KEY = struct.pack(">I", 7) + b"ssh-rsa" + struct.pack(">I3sI", 3, b"\1\0\1", 2) + b"\0\x81"


def packet(payload: bytes) -> bytes:
    padding = 8 - (len(payload) + 5) % 8 + 4
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def kexinit(lists: tuple[str, ...]) -> bytes:
    texts = b"".join(struct.pack(">I", len(each)) + each.encode() for each in lists)
    return packet(bytes([20]) + bytes(16) + texts + bytes(5))


def string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


REPLY = packet(bytes([31]) + string(HOST_KEY) + string(b"q" * 32) + string(b"s" * 64))
CLIENT = (
    b"SSH-2.0-OpenSSH_9.7 a comment\r\n" + kexinit(CLIENT_LISTS) + packet(bytes([30]) + string(b"q" * 32))
)
SERVER = b"Be warned!\r\nSSH-2.0-dropbear_2022.83\r\n" + kexinit(SERVER_LISTS) + REPLY + packet(b"\x15")


def test_both_sides() -> None:
    (event,) = events(PROTOCOL, (CLIENT, SERVER))
    hassh = "curve25519-sha256,ext-info-c;aes128-ctr,aes256-ctr;hmac-md5,hmac-sha1;none,zlib"
    server = "ecdh-sha2-nistp256,curve25519-sha256;aes128-cbc,aes256-ctr;hmac-sha1;none"
    fingerprint = base64.b64encode(hashlib.sha256(HOST_KEY).digest()).decode().rstrip("=")
    assert event == {
        "row": 0,
        "side": 0,
        "at": 0,
        "event.dataset": "capture.ssh",
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["connection", "protocol"],
        "event.action": "handshake",
        "network.protocol": "ssh",
        "zeek.ssh.version": "2",
        "zeek.ssh.client": "SSH-2.0-OpenSSH_9.7 a comment",
        "zeek.ssh.server": "SSH-2.0-dropbear_2022.83",
        "capture.ssh.client.proto_version": "2.0",
        "capture.ssh.client.software_version": "OpenSSH_9.7 a comment",
        "capture.ssh.server.proto_version": "2.0",
        "capture.ssh.server.software_version": "dropbear_2022.83",
        "zeek.ssh.hassh": hashlib.md5(hassh.encode()).hexdigest(),  # noqa: S324 - what HASSH is
        "zeek.ssh.hasshAlgorithms": hassh,
        "zeek.ssh.hasshServer": hashlib.md5(server.encode()).hexdigest(),  # noqa: S324
        "zeek.ssh.hasshServerAlgorithms": server,
        "zeek.ssh.algorithm.key_exchange": "curve25519-sha256",
        "zeek.ssh.algorithm.host_key": "ssh-rsa",
        "zeek.ssh.algorithm.cipher": "To server: aes128-ctr, to client: aes256-ctr",
        "zeek.ssh.algorithm.mac": "hmac-sha1",
        "zeek.ssh.algorithm.compression": "none",
        "zeek.ssh.host_key_fingerprint": f"SHA256:{fingerprint}",
    }


def test_one_side_heard() -> None:
    first, second = events(PROTOCOL, (CLIENT, b""), (b"", SERVER.partition(b"\r\n")[2]))
    assert "zeek.ssh.hassh" in first
    assert "zeek.ssh.version" not in first
    assert (second["side"], len(str(second["zeek.ssh.host_key_fingerprint"]))) == (1, 50)


@pytest.mark.parametrize(
    ("client", "server", "version"),
    [
        ("2.0", "1.99", "2"),
        ("1.5", "1.99", "1"),
        ("1.99", "2.0", "2"),
        ("1.5", "2.0", None),
        ("1.5", "1.5", "1"),
    ],
)
def test_version_that_both_speak(client: str, server: str, version: str | None) -> None:
    said = tuple(f"SSH-{each}-x\n".encode() for each in (client, server))
    (event,) = events(PROTOCOL, (said[0], said[1]))
    assert event.get("zeek.ssh.version") == version


def test_host_key_of_version_1() -> None:
    numbers = [(17, b"\1\0\1"), (64, b"\x80" + b"s" * 7), (17, b"\1\0\1"), (128, b"\x80" + b"h" * 15)]
    bits = [struct.pack(">H", size) + value for size, value in numbers]
    body = (
        b"\2"
        + bytes(8)
        + struct.pack(">I", 64)
        + bits[0]
        + bits[1]
        + struct.pack(">I", 128)
        + bits[2]
        + bits[3]
    )
    length = len(body) + 12 + 4
    server = b"SSH-1.5-old\n" + struct.pack(">I", length) + bytes(8 - length % 8) + body + bytes(16)
    (event,) = events(PROTOCOL, (b"SSH-1.5-new\n", server))
    wanted = hashlib.md5(numbers[3][1] + numbers[2][1]).digest().hex(":")  # noqa: S324 - as it was done
    assert (event["zeek.ssh.host_key"], event.get("zeek.ssh.hasshServer")) == (wanted, None)


def test_what_is_no_ssh() -> None:
    assert not events(
        PROTOCOL, (b"SSH-3.0-x\n", b""), (b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200\r\n\r\nSSH-2.0-x\n")
    )
    assert not events(PROTOCOL, (b"SSH-2.0-cut", b""))


@settings(max_examples=40, deadline=None)
@given(broken((CLIENT, SERVER)))
def test_broken(damaged: tuple[bytes, bytes]) -> None:
    bears(PROTOCOL, (CLIENT, SERVER), damaged)


@settings(deadline=None)
@given(broken((CLIENT, SERVER)), st.booleans())
def test_bounds(damaged: tuple[bytes, bytes], first: bool) -> None:  # noqa: FBT001 - drawn
    old = tuple(each.replace(b"SSH-2.0", b"SSH-1.5") if first else each for each in damaged)
    streams = streams_of([(old[0], old[1])])
    compiled, plain = (np.full((1, 2, walk.WIDTH), -1, np.int64) for _ in range(2))
    walk.read(streams.data, streams.starts, streams.ends, compiled)
    with interpreted(walk):
        walk.read(streams.data, streams.starts, streams.ends, plain)
    assert (compiled == plain).all()
