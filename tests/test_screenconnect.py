from __future__ import annotations

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import screenconnect

FOLDER = SAMPLES / "screenconnect"
FILES = ("connection_events.csv", "connections.csv", "events.csv")


@pytest.mark.parametrize("file", FILES)
def test_the_samples_are_claimed_by_this_sensor_alone(file: str) -> None:
    assert claimed(FOLDER / file) == ["screenconnect"]


def test_who_was_connected_and_what_was_done(source: MakeSource) -> None:
    made = source((FOLDER / "connections.csv").read_bytes(), zone="America/Chicago")
    host, guest = events(screenconnect.SENSOR, made)
    assert (host["user.email"], host["source.ip"]) == ("rosa@corp.example", "203.0.113.10")
    assert (host["event.duration"], host["host.name"]) == (600_000_000_000, "LT-DEAN")
    assert str(guest["@timestamp"]) == "2026-10-06 20:04:05+00:00"
    assert (guest["event.duration"], guest.get("user.name")) == (60_000_000_000, None)
    rows = events(screenconnect.SENSOR, source((FOLDER / "events.csv").read_bytes()))
    assert frame_of(rows, "event.action", "event.type", "user.name", "session.id") == [
        ("connected", ["start"], "rosa", "0a1b"),
        ("rancommand", ["info"], "rosa", "0a1b"),
        ("disconnected", ["end"], "rosa", "0a1b"),
    ]
    assert rows[1]["message"] == 'whoami\necho "done"'


def test_columns_that_carry_the_name_of_what_they_are_of(source: MakeSource) -> None:
    rows = events(screenconnect.SENSOR, source((FOLDER / "connection_events.csv").read_bytes()))
    assert frame_of(rows, "event.action", "user.email", "source.ip", "host.name") == [
        ("connected", "oleg@mail.example", "198.51.100.77", "LT-DEAN"),
        ("disconnected", "oleg@mail.example", "198.51.100.77", "LT-DEAN"),
        ("connected", None, "203.0.113.10", "LT-DEAN"),
    ]


@BROKEN
@given(file=st.sampled_from(FILES), data=st.data())
def test_broken_input_never_stops_and_never_vanishes(
    source: MakeSource, file: str, data: st.DataObject
) -> None:
    content = data.draw(broken((FOLDER / file).read_bytes()))
    header = b"\n" not in content.strip()  # alone it has nothing to lose
    assert accounted(screenconnect.SENSOR, source(content)) or header
