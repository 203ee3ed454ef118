"""Whom LDAP, RADIUS and MQTT name."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from broken_talk import Pair, broken, events_of, few, kernels_as_python, survives
from hypothesis import given
from hypothesis import strategies as st
from slow_conversations import datagrams_of, streams_of

from sensors import schema
from sensors.capture.protocols import radius
from sensors.capture.protocols.ldap import PROTOCOL as LDAP
from sensors.capture.protocols.ldap import messages
from sensors.capture.protocols.mqtt import PROTOCOL as MQTT
from sensors.capture.protocols.radius import PROTOCOL as RADIUS


def ber(tag: int, *parts: bytes, wide: bool = False) -> bytes:
    inside = b"".join(parts)
    size = b"\x84" + struct.pack(">I", len(inside)) if wide else bytes([len(inside)])
    return bytes([tag]) + size + inside


def message(number: int, operation: bytes) -> bytes:
    return ber(0x30, ber(0x02, bytes([number])), operation, wide=True)


def bind(name: bytes, proof: bytes) -> bytes:
    return ber(0x60, b"\2\1\3", ber(0x04, name), proof)


def result(tag: int, code: int, text: bytes = b"") -> bytes:
    return ber(tag, ber(0x0A, bytes([code])), b"\4\0", ber(0x04, text))


def ntlm(user: str, domain: str, host: str) -> bytes:
    """The third message of NTLM, as far as names go; no answers to challenges."""
    fields, behind = b"", b""
    for text in ("", "", domain, user, host, ""):
        raw = text.encode("utf-16-le")
        fields += struct.pack("<HHI", len(raw), len(raw), 64 + len(behind))
        behind += raw
    return b"NTLMSSP\0\3\0\0\0" + fields + struct.pack("<I", 1) + behind


SIMPLE: Pair = (
    message(1, bind(b"cn=admin,dc=example", ber(0x80, b"hidden")))
    + message(2, ber(0x63, ber(0x04, b"dc=example"), b"\x0a\1\2", b"\x0a\1\0"))
    + message(3, ber(0x4A, b"uid=x,dc=example"))
    + message(4, ber(0x42)),
    message(1, result(0x61, 49, b"no such luck"))
    + message(2, ber(0x64, ber(0x04, b"cn=a")))
    + message(2, ber(0x64, ber(0x04, b"cn=b")))
    + message(2, result(0x65, 0))
    + message(3, result(0x6B, 32)),
)
NEGOTIATED: Pair = (
    message(7, bind(b"", ber(0xA3, ber(0x04, b"GSS-SPNEGO"), ber(0x04, ntlm("alice", "CORP", "PC1"))))),
    message(7, result(0x61, 0)),
)
GONE = message(2, ber(0x4A, b"uid=gone,dc=ex"))
SIGNED: Pair = (
    message(1, bind(b"a@corp.example", ber(0x80, b"hidden")))
    + struct.pack(">I", 28 + len(GONE))
    + b"\5\4\4\xff\0\x0c\0\x0c"
    + bytes(8 + 12)
    + GONE,
    message(1, result(0x61, 0)),
)
STARTED: Pair = (
    message(1, ber(0x77, ber(0x80, b"1.3.6.1.4.1.1466.20037"))) + b"\x16\x03\x01",
    message(1, result(0x78, 0)),
)


def mqtt(version: int, flags: int, *fields: bytes) -> bytes:
    name = b"MQIsdp" if version == 3 else b"MQTT"
    inside = struct.pack(">H", len(name)) + name + bytes([version, flags]) + b"\0\x3c"
    inside += b"\5\x11\0\0\0\x0a" if version == 5 else b""
    inside += b"".join(struct.pack(">H", len(field)) + field for field in fields)
    return b"\x10" + bytes([len(inside)]) + inside


SENSOR: Pair = mqtt(4, 0xC6, b"dev-1", b"last/will", b"bye", b"alice", b"hidden"), b"\x20\2\0\5"
FIFTH: Pair = mqtt(5, 0x82, b"dev-2", b"bob"), b"\x20\3\0\0\0"
OLD: Pair = mqtt(3, 0x02, b"dev-3"), b""


def test_what_ldap_asks_and_is_answered() -> None:
    events = events_of(LDAP, [SIMPLE])
    assert [(event["event.action"], event.get("capture.ldap.result")) for event in events] == [
        ("bind simple", "invalid credentials"), ("search", "success"), ("delete", "no such object"),
        ("unbind", None),
    ]  # fmt: skip
    assert (events[0]["user.name"], events[0]["event.outcome"]) == ("admin", "failure")
    assert events[0]["capture.ldap.diagnostic_message"] == "no such luck"
    assert (events[1]["capture.ldap.scope"], events[1]["capture.ldap.result_count"]) == ("tree", "2")
    assert events[2]["capture.ldap.object"] == "uid=x,dc=example"
    assert "hidden" not in repr(events)
    assert [SIMPLE[0][event["at"]] for event in events] == [0x30] * 4


def test_people_whom_binds_name() -> None:
    (event,) = events_of(LDAP, [NEGOTIATED])
    assert (event["user.name"], event["user.domain"], event["host.name"]) == ("alice", "CORP", "PC1")
    assert (event["event.action"], event["capture.ldap.mechanism"]) == ("bind SASL", "GSS-SPNEGO")
    first, second = events_of(LDAP, [SIGNED])
    assert (first["user.name"], first["user.domain"]) == ("a", "corp.example")
    assert second["capture.ldap.object"] == "uid=gone,dc=ex"
    (event,) = events_of(LDAP, [STARTED])
    assert event["tls.established"] is True


def test_clients_of_brokers() -> None:
    events = events_of(MQTT, [SENSOR, FIFTH, OLD])
    assert [event["capture.mqtt.client_id"] for event in events] == ["dev-1", "dev-2", "dev-3"]
    assert [event.get("user.name") for event in events] == ["alice", "bob", None]
    assert [event.get("event.outcome") for event in events] == ["failure", "success", None]
    assert [event["capture.mqtt.version"] for event in events] == ["3.1.1", "5.0", "3.1"]
    assert events[0]["capture.mqtt.will_topic"] == "last/will"
    assert "hidden" not in repr(events)


def packet(code: int, number: int, seal: bytes, **values: bytes) -> bytes:
    kinds = {
        "user": 1,
        "password": 2,
        "nas": 4,
        "framed": 8,
        "message": 18,
        "station": 31,
        "status": 40,
        "time": 46,
    }
    inside = b"".join(bytes([kinds[name], len(value) + 2]) + value for name, value in values.items())
    return struct.pack(">BBH", code, number, 20 + len(inside)) + seal * 16 + inside


ASKED = packet(
    1, 7, b"a", user=b"CORP\\alice", password=b"hidden", nas=b"\xc0\0\2\1", station=b"00-00-5E-00-53-01"
)
TALK = [
    (0, 0, ASKED),
    (0, 0, ASKED),
    (0, 1, packet(3, 7, b"b", message=b"No.")),
    (0, 0, packet(1, 7, b"c", user=b"bob@corp.example")),
    (0, 1, packet(2, 7, b"d", framed=b"\xc6\x33\x64\7") + b"padding"),
    (1, 0, packet(4, 9, b"e", user=b"carl", status=b"\0\0\0\2", time=b"\0\0\1\0")),
]


def radius_events(talk: list[tuple[int, int, bytes]]) -> list[dict[str, Any]]:
    rows = datagrams_of(talk, [(40000, 1812), (40001, 1813)])
    fits = RADIUS.fits(rows)
    frame = RADIUS.events(rows.only(fits))
    return frame.select("row").hstack(schema.conform(frame.drop("row"))).to_dicts()


def test_who_logs_on_at_gateways() -> None:
    first, second, third = radius_events(TALK)
    assert (first["user.name"], first["user.domain"], first["event.outcome"]) == ("alice", "CORP", "failure")
    assert (first["event.reason"], first["capture.radius.nas_ip"]) == ("No.", "192.0.2.1")
    assert first["capture.radius.calling_station_id"] == "00-00-5E-00-53-01"
    assert (second["user.name"], second["event.outcome"]) == ("bob", "success")
    assert second["capture.radius.framed_ip"] == "198.51.100.7"
    assert (third["event.action"], third["capture.radius.accounting_status"]) == (
        "accounting-request",
        "stop",
    )
    assert third["capture.radius.session_seconds"] == "256"
    assert "hidden" not in repr((first, second, third))


@pytest.mark.parametrize(
    "talk", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff\2\1\1\x60", b"\x10\xff\xff\xff\xff\0\4MQTT\4"]
)
def test_others_are_left_alone(talk: bytes) -> None:
    streams = streams_of([(talk, b""), (b"", talk)])
    assert not LDAP.fits(streams).any()
    assert not MQTT.fits(streams).any()
    assert not RADIUS.fits(datagrams_of([(0, 0, talk)], [(1, 1812)])).any()
    assert not RADIUS.fits(datagrams_of([(0, 0, ASKED)], [(1, 53)])).any()


@few
@given(broken([SIMPLE, NEGOTIATED, SIGNED, STARTED, SENSOR, FIFTH, OLD]))
def test_broken_talk(talk: Pair) -> None:
    survives(LDAP, talk, SIMPLE)
    survives(MQTT, talk, FIFTH)


@few
@given(st.integers(0, len(ASKED)), st.integers(0, len(ASKED) - 1), st.integers(0, 255))
def test_broken_datagrams(cut: int, place: int, octet: int) -> None:
    spoilt = bytearray(ASKED)
    spoilt[place] = octet
    talk = [(0, 0, ASKED[:cut]), (0, 0, bytes(spoilt)), (1, 0, TALK[-1][2])]
    assert radius_events(talk)[-1]["user.name"] == "carl"


def test_kernels_stay_within_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels_as_python(monkeypatch, messages, radius)
    for pair in (SIMPLE, SIGNED):
        for cut in range(len(pair[0])):
            messages.found(streams_of([(pair[0][:cut], pair[1][:cut])]))
    for cut in range(len(ASKED)):
        rows = datagrams_of([(0, 0, ASKED[:20] + ASKED[20:][:cut])], [(1, 1812)])
        RADIUS.events(rows)
