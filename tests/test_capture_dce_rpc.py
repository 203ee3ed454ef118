"""DCE-RPC over TCP and through pipes of SMB, on packets made here."""

from __future__ import annotations

import struct
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import streams_of
from test_capture_smb import HANDLE, Talk

from sensors import schema
from sensors.capture.protocols import dce_rpc, smb

SVCCTL = "367abb81-9844-35f1-ad32-98f038001003"
OTHER = "0a0a0a0a-1111-2222-3333-444444444444"


def packet(kind: int, body: bytes, call: int = 1, flags: int = 3) -> bytes:
    return struct.pack("<BBBBIHHI", 5, 0, kind, flags, 0x10, 16 + len(body), 0, call) + body


def bind(*interfaces: str) -> bytes:
    contexts = b"".join(
        struct.pack("<HBx", number, 1) + uuid.UUID(one).bytes_le + struct.pack("<I", 2) + bytes(20)
        for number, one in enumerate(interfaces)
    )
    return packet(11, struct.pack("<HHIB3x", 4280, 4280, 0, len(interfaces)) + contexts)


def request(number: int, call: int, context: int = 0, flags: int = 3) -> bytes:
    return packet(0, struct.pack("<IHH", 8, context, number) + bytes(8), call, flags)


def fault(call: int, status: int = 5) -> bytes:
    return packet(3, struct.pack("<IHBxII", 0, 0, 0, status, 0), call)


def response(call: int) -> bytes:
    return packet(2, bytes(16), call)


ASKED = (
    bind(OTHER, SVCCTL) + request(12, 2, 1) + request(3, 3, 0) + request(3, 3, 0, flags=2) + request(16, 4, 1)
)
ANSWERED = packet(12, bytes(20)) + response(2) + fault(3)


def test_calls_over_tcp() -> None:
    streams = streams_of([(ASKED, ANSWERED)])
    assert dce_rpc.PROTOCOL.fits(streams).all()
    found = dce_rpc.PROTOCOL.events(streams)
    checked = schema.conform(found.drop("row", "side", "at"))
    assert checked["event.action"].to_list() == ["CreateServiceW", "unknown-3", "OpenServiceW"]
    assert checked["capture.dce_rpc.endpoint"].to_list() == ["svcctl", f"unknown-{OTHER}", "svcctl"]
    assert checked["event.outcome"].to_list() == ["success", "failure", "unknown"]
    assert checked["event.reason"].to_list() == [None, "fault 5", None]
    assert found["at"].to_list()[0] == len(bind(OTHER, SVCCTL))


def test_calls_through_a_pipe() -> None:
    talk = Talk()
    talk.login(0)
    talk.connect("\\\\FILES1\\IPC$", 1, 2)
    talk.open("svcctl")
    written = bind(SVCCTL)
    talk.say(
        9,
        struct.pack("<HHIQ", 49, 112, len(written), 0) + HANDLE + bytes(16) + written,
        struct.pack("<HHII", 17, 0, 9, 0),
    )
    asked, answered = request(15, 2), response(2)
    control = struct.pack("<HHI", 57, 0, 0x0011C017)
    talk.say(
        11,
        control + HANDLE + struct.pack("<IIIIIIII", 120, len(asked), 0, 0, 0, 4096, 1, 0) + asked,
        control + HANDLE + struct.pack("<IIIIII", 0, 0, 112, len(answered), 0, 0) + answered,
    )
    found = smb.PROTOCOL.events(streams_of([(talk.asked, talk.answered)]))
    calls = schema.conform(
        found.filter(found["event.dataset"] == "capture.dce_rpc").drop("row", "side", "at")
    )
    event = calls.row(0, named=True)
    assert calls.height == 1
    assert (event["event.action"], event["event.outcome"]) == ("OpenSCManagerW", "success")
    assert (event["capture.dce_rpc.named_pipe"], event["user.name"]) == ("svcctl", "ada")


@pytest.mark.parametrize(
    "other", [b"", b"\5\0", b"\5\1\0" + bytes(20), bytes(30), b"\5\0\x0b\3\0\0\0\x10" + bytes(20)]
)
def test_other_protocols_do_not_fit(other: bytes) -> None:
    assert not dce_rpc.PROTOCOL.fits(streams_of([(other, other)])).any()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_broken_packets_do_no_harm(data: st.DataObject) -> None:
    broken = bytearray(ASKED[: data.draw(st.integers(0, len(ASKED)))])
    for _ in range(data.draw(st.integers(0, 4)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    streams = streams_of([(bytes(broken), ANSWERED), (ASKED, ANSWERED), (ASKED, bytes(broken))])
    assert dce_rpc.PROTOCOL.fits(streams)[1]
    found = dce_rpc.PROTOCOL.events(streams)
    assert found.filter(row=1)["event.outcome"].to_list() == ["success", "failure", "unknown"]
