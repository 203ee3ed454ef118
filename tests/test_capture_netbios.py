from __future__ import annotations

import struct
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import datagrams_of, streams_of

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols.netbios import PROTOCOLS
from sensors.schema import conform

NAMES, DATAGRAMS, SESSIONS = PROTOCOLS


def letters(name: bytes, suffix: int) -> bytes:
    raw = name.ljust(15) + bytes([suffix])
    return bytes([32]) + b"".join(bytes([65 + (each >> 4), 65 + (each & 15)]) for each in raw) + b"\0"


def header(flags: int, *counts: int) -> bytes:
    return struct.pack(">HHHHHH", 9, flags, *counts)


def said(protocol: OverUdp, port: int, *payloads: bytes) -> list[dict[str, Any]]:
    datagrams = datagrams_of([(0, 0, payload) for payload in payloads], [(port, port)])
    events = protocol.events(datagrams.only(np.flatnonzero(protocol.fits(datagrams))))
    assert conform(events.drop("row")).height == events.height
    return [
        {key: value for key, value in row.items() if value is not None}
        for row in events.iter_rows(named=True)
    ]


ADDRESS = b"\0\0" + bytes([192, 0, 2, 5])
CLAIM = (
    header(0x2910, 1, 0, 0, 1)
    + letters(b"DESK-41", 0x20)
    + b"\0\x20\0\1"
    + struct.pack(">HHHIH", 0xC00C, 0x20, 1, 300, 6)
    + ADDRESS
)
STATUS = bytes([3]) + b"".join(
    name.ljust(15) + bytes([suffix]) + flags
    for name, suffix, flags in (
        (b"DESK-41", 0, b"\4\0"), (b"CORP", 0, b"\x84\0"), (b"DESK-41", 0x20, b"\4\0"),
    )
) + bytes.fromhex("020000abcdef") + bytes(40)  # fmt: skip
STATED = header(0x8400, 0, 1, 0, 0) + letters(b"*".ljust(15, b"\0"), 0)
STATED += struct.pack(">HHIH", 0x21, 1, 0, len(STATUS)) + STATUS


def test_a_computer_claims_its_name() -> None:
    event = said(NAMES, 137, CLAIM)[0]
    assert (event["event.action"], event["dns.question.name"]) == ("netbios_registration", "DESK-41")
    assert (event["dns.question.type"], event["capture.netbios.suffix"]) == ("NB", "20")
    assert event["capture.netbios.service"] == "file server"
    assert event["capture.netbios.addresses"] == ["192.0.2.5"]
    assert event["host.name"] == "DESK-41"
    group = said(NAMES, 137, CLAIM[:-6] + b"\x80\0" + CLAIM[-4:])[0]
    assert "host.name" not in group


def test_a_question_and_who_answers() -> None:
    asked, answered = said(
        NAMES,
        137,
        header(0x0110, 1, 0, 0, 0) + letters(b"FILES", 0x20) + b"\0\x20\0\1",
        header(0x8580, 0, 1, 0, 0)
        + letters(b"FILES", 0x20)
        + struct.pack(">HHIH", 0x20, 1, 60, 12)
        + ADDRESS * 2,
    )
    assert (asked["event.action"], answered["event.action"]) == ("netbios_query", "netbios_query_answer")
    assert "host.name" not in asked
    assert (answered["host.name"], answered["dns.resolved_ip"]) == ("FILES", ["192.0.2.5"])
    assert answered["event.outcome"] == "success"


def test_the_status_of_a_node() -> None:
    event = said(NAMES, 137, STATED)[0]
    assert event["capture.netbios.names"] == ["DESK-41<00>", "CORP<00>", "DESK-41<20>"]
    assert (event["host.name"], event["host.mac"]) == ("DESK-41", ["02-00-00-AB-CD-EF"])
    assert event["dns.question.name"] == "*"


def browse(command: bytes) -> bytes:
    words = struct.pack("<HH14x4H", 0, len(command), 0, 0, len(command), 86) + b"\3\0" + bytes(6)
    smb = b"\xffSMB\x25" + bytes(27) + bytes([17]) + words + bytes(2) + b"\\MAILSLOT\\BROWSE\0"
    head = b"\x11\x0a\0\1" + bytes([192, 0, 2, 5]) + b"\0\x8a" + bytes(4)
    return head + letters(b"DESK-41", 0) + letters(b"CORP", 0x1D) + smb + command


ANNOUNCED = browse(b"\x01\0" + bytes(4) + b"DESK-41".ljust(16, b"\0") + b"\x0a\0" + bytes(8) + b"reception\0")


def test_what_a_computer_announces() -> None:
    event, bare = said(DATAGRAMS, 138, ANNOUNCED, ANNOUNCED[:82])
    assert event["event.action"] == "netbios_host_announcement"
    assert (event["host.name"], event["host.os.version"]) == ("DESK-41", "10.0")
    assert event["capture.netbios.comment"] == "reception"
    assert (event["capture.netbios.destination"], event["capture.netbios.destination_suffix"]) == (
        "CORP",
        "1D",
    )
    assert event["capture.netbios.address"] == "192.0.2.5"
    assert (bare["event.action"], bare["host.name"]) == ("netbios_datagram", "DESK-41")


def test_the_names_before_a_session() -> None:
    request = b"\x81\0\0\x44" + letters(b"FILES", 0x20) + letters(b"DESK-41", 0)
    streams = streams_of([(request, b"\x82\0\0\0"), (request[:-1], b""), (b"", b"")], [(1, 139)] * 3)
    fits = SESSIONS.fits(streams)
    assert fits.tolist() == [True, False, False]
    event = SESSIONS.events(streams.only(fits)).to_dicts()[0]
    assert (event["host.name"], event["destination.domain"]) == ("DESK-41", "FILES")
    assert (event["event.outcome"], event["side"], event["at"]) == ("success", 0, 0)


def test_other_things_on_these_ports() -> None:
    assert said(NAMES, 137, b"", bytes(60), CLAIM[:30], header(0, 1, 0, 0, 0) + b"\1x\0\0\x20\0\1") == []
    assert said(DATAGRAMS, 138, b"", bytes(100), ANNOUNCED[:81]) == []
    assert said(NAMES, 5000, CLAIM) == []


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([CLAIM, STATED, ANNOUNCED]), st.data())
def test_neighbours_of_what_is_broken_stay(whole: bytes, data: st.DataObject) -> None:
    odd = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        odd[data.draw(st.integers(0, len(odd) - 1))] = data.draw(st.integers(0, 255))
    odd = odd[: data.draw(st.integers(0, len(odd)))]
    for protocol, port, good in ((NAMES, 137, STATED), (DATAGRAMS, 138, ANNOUNCED)):
        assert said(protocol, port, good, bytes(odd))[0] == said(protocol, port, good)[0]
