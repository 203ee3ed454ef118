from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from json_sensors import broken
from text_sensors import SAMPLES, events, source_of

from sensors import utmp

WTMP = (SAMPLES / "utmp" / "wtmp").read_bytes()
BTMP = (SAMPLES / "utmp" / "btmp").read_bytes()


def test_logins_logouts_and_boots() -> None:
    rows = events(utmp.SENSOR, source_of(WTMP))
    assert [row["event.action"] for row in rows] == [
        "boot", "run-level", "login-process", "login", "login", "logout", "logout", "old-time", "new-time",
    ]  # fmt: skip
    login, other = rows[3:5]
    assert (login["user.name"], login["source.ip"], login["user.terminal"]) == (
        "dean",
        "198.51.100.77",
        "pts/0",
    )
    assert (other["source.ip"], other["source.domain"]) == ("2001:db8::7", "desk-7.corp.example")
    assert login["@timestamp"].microsecond == 250_000
    assert [row["log.offset"] for row in rows] == [384 * number for number in range(9)]


def test_a_logout_says_who_it_was_and_for_how_long() -> None:
    rows = events(utmp.SENSOR, source_of(WTMP))
    told = [(row["user.name"], row["source.ip"], row["event.duration"]) for row in rows[5:7]]
    assert told == [("dean", "198.51.100.77", 3_600_000_000_000), ("maya", "2001:db8::7", 60_000_000_000)]
    assert rows[5]["event.start"] == rows[3]["@timestamp"]


def test_failed_logins_of_a_machine_of_the_other_byte_order() -> None:
    rows = events(utmp.SENSOR, dataclasses.replace(source_of(BTMP), name="btmp"))
    assert [(row["user.name"], row["event.outcome"]) for row in rows] == [
        ("root", "failure"),
        ("dean", "failure"),
    ]
    assert {row["source.ip"] for row in rows} == {"203.0.113.9"}


@pytest.mark.parametrize("head", [b"", b"\0" * 3840, b"\7\0" * 400, WTMP[:300], bytes(range(256)) * 4])
def test_other_bytes_are_not_claimed(head: bytes) -> None:
    assert not utmp.SENSOR.sniff(head, "wtmp")


def test_half_a_record_is_named() -> None:
    source = source_of(WTMP[:-100])
    assert len(events(utmp.SENSOR, source)) == 8
    assert [entry.offset for entry in source.unread] == [8 * 384]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=broken(WTMP))
def test_broken_records_never_stop_and_never_vanish(content: bytes) -> None:
    source = source_of(content)
    assert len(events(utmp.SENSOR, source)) + len(source.unread) >= 1
