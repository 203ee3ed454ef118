"""strongSwan's charon: samples, meaning, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines

from sensors.sensor import claims
from sensors.strongswan import SENSOR

SYSLOG = (SAMPLES / "strongswan" / "charon.log").read_text("utf-8")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "strongswan").iterdir():
        assert [s.name for s in claims(path.read_bytes(), "x.log")] == ["strongswan"], path


def test_every_wording_of_the_sample_is_known_but_the_last() -> None:
    rows = events(SENSOR, SYSLOG)
    assert len(rows) == len(SYSLOG.splitlines())
    assert [row["log.file.line"] for row in rows if "event.original" in row] == [29]


def test_a_session_says_who_from_where_and_which_address() -> None:
    rows = {row["log.file.line"]: row for row in events(SENSOR, SYSLOG)}
    for number in (1, 3, 6, 16, 25):
        assert rows[number]["source.ip"] == "198.51.100.23", number
    assert rows[16]["user.name"] == rows[9]["user.name"] == "ann.lee"
    assert rows[16]["event.type"] == ["connection", "start"]
    assert rows[15]["source.nat.ip"] == rows[17]["source.nat.ip"] == "10.3.0.1"
    assert "user.name" not in rows[7]
    assert (rows[19]["user.name"], rows[19]["event.outcome"]) == ("bob.ray", "failure")
    assert rows[21]["source.ip"] == "203.0.113.9"
    assert rows[25]["event.type"] == ["connection", "end"]
    assert (rows[26]["source.bytes"], rows[26]["destination.bytes"]) == (4404, 9911)
    assert rows[26]["session.id"] == "1"


def test_the_file_log() -> None:
    rows = events(SENSOR, (SAMPLES / "strongswan" / "filelog.log").read_text("utf-8"))
    assert rows[1]["source.ip"] == "2001:db8::23"
    assert (rows[1]["user.name"], rows[1]["user.domain"]) == ("cho.min", "corp.example")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("strongswan")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
