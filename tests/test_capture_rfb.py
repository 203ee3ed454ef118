from __future__ import annotations

import struct

import numpy as np
from broken_conversations import bears, broken, events, interpreted
from hypothesis import given, settings
from slow_conversations import streams_of

from sensors.capture.protocols.rfb import PROTOCOL, walk

FORMAT = bytes.fromhex("20180001 00ff00ff00ff 100800 000000")
SET_FORMAT = b"\0\0\0\0" + FORMAT


def start(name: bytes) -> bytes:
    return struct.pack(">HH", 1280, 800) + FORMAT + struct.pack(">I", len(name)) + name


def named(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


WHOLE = (
    b"RFB 003.008\n\x02" + b"r" * 16 + b"\1" + SET_FORMAT,
    b"RFB 003.008\n\x02\x01\x02" + b"c" * 16 + bytes(4) + start(b"work (host:1)"),
)


def test_whole_handshake() -> None:
    (event,) = events(PROTOCOL, WHOLE)
    assert event == {
        "row": 0,
        "side": 1,
        "at": 0,
        "event.dataset": "capture.rfb",
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["connection", "info"],
        "event.action": "handshake",
        "event.outcome": "success",
        "network.protocol": "rfb",
        "zeek.rfb.version.client.major": "003",
        "zeek.rfb.version.client.minor": "008",
        "zeek.rfb.version.server.major": "003",
        "zeek.rfb.version.server.minor": "008",
        "zeek.rfb.auth.method": "VNC",
        "zeek.rfb.auth.success": True,
        "zeek.rfb.share_flag": True,
        "zeek.rfb.width": "1280",
        "zeek.rfb.height": "800",
        "zeek.rfb.desktop_name": "work (host:1)",
        "capture.rfb.depth": "24",
        "capture.rfb.security_types": ["None", "VNC"],
    }


def test_version_3_3_chooses_for_the_client() -> None:
    (event,) = events(
        PROTOCOL,
        (
            b"RFB 003.003\n" + b"r" * 16 + b"\0",
            b"RFB 003.008\n\0\0\0\x02" + b"c" * 16 + bytes(4) + start(b"x"),
        ),
    )
    assert (event["zeek.rfb.auth.method"], event["zeek.rfb.share_flag"]) == ("VNC", False)
    assert event["zeek.rfb.desktop_name"] == "x"
    (refused,) = events(PROTOCOL, (b"RFB 003.003\n", b"RFB 003.003\n\0\0\0\0" + named(b"Too many")))
    assert (refused["event.outcome"], refused["event.reason"]) == ("failure", "Too many")


def test_refusal_with_reason() -> None:
    server = b"RFB 003.008\n\1\2" + b"c" * 16 + b"\0\0\0\1" + named(b"Wrong\x1b password")
    (event,) = events(PROTOCOL, (b"RFB 003.008\n\2" + b"r" * 16, server))
    assert event["zeek.rfb.auth.success"] is False
    assert event["event.reason"] == "Wrong\ufffd password"


def test_nothing_to_prove_in_3_7_has_no_result() -> None:
    (event,) = events(PROTOCOL, (b"RFB 003.007\n\1\1", b"RFB 003.007\n\1\1" + start(b"open")))
    assert (event["zeek.rfb.auth.method"], event["zeek.rfb.desktop_name"]) == ("None", "open")
    assert "zeek.rfb.auth.success" not in event


def test_apple() -> None:
    extra = bytes(5) + b"\2\xbf\xfe\xe7\3\xe0" + bytes(11)
    server = b"RFB 003.889\n\2\x1e\x23" + struct.pack(">HH", 2, 128) + b"p" * 256 + bytes(4)
    (event,) = events(
        PROTOCOL, (b"RFB 003.889\n\x1e" + b"c" * 256 + b"\1", server + start(extra + b"Studio"))
    )
    assert (event["zeek.rfb.auth.method"], event["zeek.rfb.desktop_name"]) == (
        "Apple Remote Desktop",
        "Studio",
    )


def test_names_that_are_said_in_the_clear_without_their_passwords() -> None:
    tight = (
        b"RFB 003.008\n\x10" + struct.pack(">III", 129, 5, 6) + b"alicesecret" + b"\1",
        b"RFB 003.008\n\1\x10"
        + bytes(4)
        + struct.pack(">II", 1, 129)
        + b"GENRULGNAUTH"
        + bytes(4)
        + start(b"t"),
    )
    vencrypt = (
        b"RFB 003.008\n\x13\0\2" + struct.pack(">III", 256, 3, 6) + b"bobsecret" + b"\1",
        b"RFB 003.008\n\1\x13\0\2\0\1" + struct.pack(">I", 256) + bytes(4) + start(b"v"),
    )
    first, second = events(PROTOCOL, tight, vencrypt)
    assert (first["user.name"], first["capture.rfb.auth.subtype"]) == ("alice", "Unix login")
    assert (second["user.name"], second["capture.rfb.auth.subtype"]) == ("bob", "Plain")
    assert (first["zeek.rfb.desktop_name"], second["zeek.rfb.desktop_name"]) == ("t", "v")
    assert "secret" not in str([first, second])


def test_realvnc() -> None:
    (event,) = events(PROTOCOL, (b"RFB 005.000\n\x81", b"RFB 005.000\n\2\x81\6" + b"own"))
    assert (event["zeek.rfb.auth.method"], event["capture.rfb.auth.subtype"]) == ("RealVNC", "RA256")
    assert event["capture.rfb.security_types"] == ["RA256", "RA2ne"]


def test_subtypes_without_a_name() -> None:
    odd = b"RFB 003.008\n\x13\0\2" + struct.pack(">I", 0x30100)
    (event,) = events(PROTOCOL, (odd, b"RFB 003.008\n\1\x13\0\2\0\1" + struct.pack(">I", 0x30100)))
    assert event["capture.rfb.auth.subtype"] == "196864"


def test_server_that_calls_the_viewer() -> None:
    (event,) = events(PROTOCOL, (WHOLE[1], WHOLE[0]))
    assert (event["capture.rfb.reverse"], event["side"]) == ("true", 0)
    assert event["zeek.rfb.desktop_name"] == "work (host:1)"


def test_repeater() -> None:
    called = b"ID:1234".ljust(250, b"\0")
    (event,) = events(PROTOCOL, (called + WHOLE[0], b"RFB 000.000\n" + WHOLE[1]))
    assert (event["capture.rfb.repeater.target"], event["zeek.rfb.desktop_name"]) == (
        "ID:1234",
        "work (host:1)",
    )


def test_what_is_no_rfb() -> None:
    assert not events(PROTOCOL, (b"RFB is a protocol\n", b"RFB 3.8\n"), (b"", b"RFB 003.008"))


@settings(max_examples=40, deadline=None)
@given(broken(WHOLE))
def test_broken(damaged: tuple[bytes, bytes]) -> None:
    bears(PROTOCOL, WHOLE, damaged)


@settings(deadline=None)
@given(broken(WHOLE))
def test_bounds(damaged: tuple[bytes, bytes]) -> None:
    streams = streams_of([damaged])
    compiled, plain = (np.full((1, walk.WIDTH), -1, np.int64) for _ in range(2))
    walk.read(streams.data, streams.starts, streams.ends, compiled)
    with interpreted(walk):
        walk.read(streams.data, streams.starts, streams.ends, plain)
    assert (compiled == plain).all()
