"""Logins to the controllers of servers, on datagrams made here."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import datagrams_of

from sensors import schema
from sensors.capture.protocols import ipmi

HEADER = b"\x06\x00\xff\x07"


def plus(kind: int, payload: bytes) -> bytes:
    return HEADER + struct.pack("<BBIIH", 6, kind, 0, 0, len(payload)) + payload


def name(user: bytes) -> bytes:
    return plus(0x12, bytes(8) + b"R" * 16 + b"\x14\0\0" + bytes([len(user)]) + user)


def status(kind: int, code: int) -> bytes:
    return plus(kind, bytes([0, code]) + bytes(38))


def older(function: int, command: int, data: bytes, kind: int = 0) -> bytes:
    message = bytes([0x20, function, 0, 0x81, 4, command]) + data + b"\0"
    return HEADER + bytes([kind]) + bytes(8) + (b"P" * 16 if kind else b"") + bytes([len(message)]) + message


@pytest.mark.parametrize(
    ("answers", "outcome", "reason"),
    [
        ([(1, status(0x13, 0)), (0, status(0x14, 0)), (1, status(0x15, 0))], "success", None),
        ([(1, status(0x13, 13))], "failure", "unauthorized name"),
        ([(1, status(0x13, 0)), (0, status(0x14, 15))], "failure", "invalid integrity check value"),
        ([], "unknown", None),
    ],
)
def test_a_login_of_version_2(answers: list[tuple[int, bytes]], outcome: str, reason: str | None) -> None:
    rows = [(0, 0, name(b"root")), *((0, side, one) for side, one in answers), (1, 0, name(b""))]
    datagrams = datagrams_of(rows)
    assert ipmi.PROTOCOL.fits(datagrams).all()
    found = ipmi.PROTOCOL.events(datagrams)
    assert found["row"].to_list() == [0, len(rows) - 1]
    events = schema.conform(found.drop("row")).to_dicts()
    assert (events[0]["user.name"], events[0]["capture.ipmi.privilege"]) == ("root", "administrator")
    assert (events[0]["event.outcome"], events[0].get("event.reason")) == (outcome, reason)
    assert events[1]["user.name"] is None


def test_a_login_of_version_1_5() -> None:
    rows = [
        (0, 0, older(0x18, 0x39, b"\x02" + b"ADMIN".ljust(16, b"\0"))),
        (0, 1, older(0x1C, 0x39, b"\0" + bytes(20))),
        (0, 0, older(0x18, 0x3A, bytes(22), 2)),
        (0, 1, older(0x1C, 0x3A, b"\0" + bytes(10), 2)),
        (0, 0, older(0x18, 0x39, b"\x02" + b"x".ljust(16, b"\0"))),
        (0, 1, older(0x1C, 0x39, b"\x81")),
    ]
    found = ipmi.PROTOCOL.events(datagrams_of(rows))
    assert found["user.name"].to_list() == ["ADMIN", "x"]
    assert found["event.outcome"].to_list() == ["success", "failure"]
    assert found["capture.ipmi.version"].to_list() == ["1.5", "1.5"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broken_datagrams_do_no_harm(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([name(b"root"), status(0x15, 0), older(0x18, 0x39, bytes(17))]))
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    datagrams = datagrams_of([(0, 0, bytes(broken)), (1, 0, name(b"ada")), (1, 1, status(0x15, 0))])
    assert ipmi.PROTOCOL.fits(datagrams)[1:].all()
    found = ipmi.PROTOCOL.events(datagrams).filter(row=1)
    assert (found["user.name"].to_list(), found["event.outcome"].to_list()) == (["ada"], ["success"])
