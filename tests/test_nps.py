from __future__ import annotations

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import nps

FILES = ("IN2611.log", "odbc.log", "ias.log")
NAMES = ("event.action", "event.outcome", "user.name", "source.ip", "source.nat.ip", "event.reason")


@pytest.mark.parametrize("file", FILES)
def test_the_samples_are_claimed_by_this_sensor_alone(source: MakeSource, file: str) -> None:
    assert claimed(SAMPLES / "nps" / file) == ["nps"]
    made = source((SAMPLES / "nps" / file).read_bytes())
    assert len(events(nps.SENSOR, made)) == len((SAMPLES / "nps" / file).read_text().splitlines())
    assert not made.unread


def test_xml(source: MakeSource) -> None:
    made = source((SAMPLES / "nps" / "IN2611.log").read_bytes(), zone="America/Chicago")
    rows = events(nps.SENSOR, made)
    assert frame_of(rows, *NAMES) == [
        ("access-request", None, "dean", "203.0.113.9", None, None),
        ("access-accept", "success", "dean", None, None, None),
        ("accounting-start", None, "dean", "203.0.113.9", "10.99.0.5", None),
        ("accounting-stop", None, "dean", "203.0.113.9", "10.99.0.5", None),
        (
            "access-reject",
            "failure",
            "rosa",
            None,
            None,
            "authentication failure: unknown user or bad password",
        ),
        (None, None, None, None, None, None),
    ]
    assert str(rows[0]["@timestamp"]) == "2026-11-02 17:23:13.729000+00:00"
    assert (rows[3]["event.duration"], rows[3]["source.bytes"]) == (3_600_000_000_000, 1000)
    assert rows[3]["event.type"] == ["end"]
    assert (rows[4]["source.mac"], rows[4]["user.email"]) == ("52-F6-D8-CB-01-2D", "rosa@corp.example")
    assert rows[0]["user.domain"] == "CORP"
    assert rows[0]["nps.client"] == "RAS & co"
    assert "event.original" in rows[5]


def test_lists_of_values(source: MakeSource) -> None:
    rows = [
        row for file in FILES[1:] for row in events(nps.SENSOR, source((SAMPLES / "nps" / file).read_bytes()))
    ]
    assert frame_of(rows, *NAMES) == [
        ("access-request", None, "dean", "203.0.113.9", None, None),
        ("accounting-stop", None, "dean", "203.0.113.9", "10.99.0.5", None),
        ("access-request", None, "dean", "203.0.113.9", None, None),
        ("access-reject", "failure", "dean", None, None, "dial-in disabled"),
        ("accounting-start", None, "dean", "203.0.113.9", "10.99.0.5", None),
    ]
    assert (rows[1]["source.bytes"], rows[1]["session.id"]) == (100, "78")


@BROKEN
@given(file=st.sampled_from(FILES), data=st.data())
def test_broken_input_never_stops_and_never_vanishes(
    source: MakeSource, file: str, data: st.DataObject
) -> None:
    content = (SAMPLES / "nps" / file).read_bytes()
    assert accounted(nps.SENSOR, source(data.draw(broken(content))))
