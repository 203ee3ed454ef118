"""Ivanti Connect Secure: samples, meaning, hostile lines."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines

from sensors.pulse_connect_secure import SENSOR
from sensors.sensor import claims

USER_LOG = (SAMPLES / "pulse_connect_secure" / "user.log").read_text("utf-8")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "pulse_connect_secure").iterdir():
        assert [s.name for s in claims(path.read_bytes(), "x.log")] == ["pulse_connect_secure"], path


def test_every_wording_of_the_sample_is_known_but_the_last() -> None:
    rows = events(SENSOR, USER_LOG)
    assert len(rows) == len(USER_LOG.splitlines())
    assert [row["log.file.line"] for row in rows if "event.original" in row] == [16]


def test_a_session_says_who_from_where_and_which_address() -> None:
    rows = {row["log.file.line"]: row for row in events(SENSOR, USER_LOG)}
    for number in (1, 2, 3, 4, 5, 6, 11, 12, 13):
        assert rows[number]["source.ip"] == "198.51.100.23"
        assert rows[number]["user.name"] == rows[number]["source.user.name"] == "ann.lee"
    assert rows[4]["@timestamp"] == datetime(2026, 10, 5, 14, 0, 12, tzinfo=UTC)
    assert rows[4]["event.outcome"] == "success"
    assert rows[4]["session.id"] == "sid11aa22bb33cc44dd55ee66ff"
    assert rows[4]["user_agent.original"] == "Pulse-Secure/22.7.1 (Windows 11) Pulse/22.7.1"
    assert rows[5]["source.nat.ip"] == rows[6]["source.nat.ip"] == rows[12]["source.nat.ip"] == "10.12.0.7"
    assert (rows[7]["event.outcome"], rows[7]["event.reason"]) == ("failure", "Failed")
    assert rows[11]["event.duration"] == 3_661_000_000_000
    assert (rows[11]["destination.bytes"], rows[11]["source.bytes"]) == (1308, 1131)
    assert rows[10]["url.domain"] == "wiki.corp.example"
    assert (rows[10]["user.name"], rows[10]["user.domain"]) == ("ann.lee", "corp.example")
    assert rows[3]["source.mac"] == "00-00-5E-00-53-11"


def test_the_saved_file() -> None:
    rows = events(SENSOR, (SAMPLES / "pulse_connect_secure" / "saved.log").read_text("utf-8"))
    assert [row["event.outcome"] for row in rows] == ["success", "failure"]
    assert rows[0]["@timestamp"] == datetime(2026, 10, 5, 9, 0, 12, tzinfo=UTC)
    assert rows[1]["event.reason"] == "Wrong Password"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("pulse_connect_secure")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
