"""SonicWall: samples, ends and their translation, users, events by number and by words, hostile lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.sensor import claims
from sensors.sonicwall import SENSOR
from sensors.sonicwall.columns import data

LINES = sample_lines("sonicwall")


def test_samples_give_the_golden_events_and_are_claimed_by_one_sensor() -> None:
    for path in (SAMPLES / "sonicwall").iterdir():
        assert [found.name for found in claims(path.read_bytes(), path.name)] == ["sonicwall"]
    golden(SENSOR, "sonicwall")


def test_other_lines_of_keys_are_not_its_own() -> None:
    assert not SENSOR.sniff(b'id=firewall time="2026-10-05 12:00:01" fw=x\n', "x.log")
    assert not SENSOR.sniff(b"", "x.log")


def test_a_connection_has_both_ends_and_what_they_sent() -> None:
    opened, closed = events(SENSOR, "\n".join(LINES[:2]))
    assert (opened["source.ip"], opened["source.port"]) == ("10.20.31.7", 52379)
    assert (opened["source.nat.ip"], opened["source.nat.port"]) == ("198.51.100.2", 48245)
    assert opened["sonicwall.firewall.appName"] == "General HTTPS"
    assert opened["user.name"] == opened["source.user.name"] == "mlindqvist"
    assert (closed["event.duration"], closed["network.bytes"]) == (120_133_000_000, 903_475)
    assert closed["source.domain"] == "corp-lt-0123"
    assert "user.name" not in closed


def test_an_address_of_ipv6_stands_in_a_key_of_its_own() -> None:
    row = events(SENSOR, LINES[4])[0]
    assert (row["destination.ip"], row["destination.port"]) == ("2001:db8::6fc6", 8080)
    assert (row["event.kind"], row["event.action"]) == ("alert", "attack-blocked")


@pytest.mark.parametrize(
    ("message", "action", "outcome"),
    [
        ("User login denied - something new", "login-failure", "failure"),
        ("Guest logged out", "logout", "success"),
        ("A quite new kind of flood", "attack-detected", "success"),
        ("Nothing known at all", None, None),
    ],
)
def test_an_event_of_a_new_number_is_known_by_its_words(
    message: str, action: str | None, outcome: str | None
) -> None:
    line = (
        f'id=firewall sn=1 time="2026-10-05 12:00:00 UTC" fw=198.51.100.1 pri=6 m=99999 msg="{message}" n=1'
    )
    (row,) = events(SENSOR, line)
    assert (row.get("event.action"), row.get("event.outcome")) == (action, outcome)


def test_no_number_is_of_two_kinds() -> None:
    numbers = [number for kind in data()["kind"] for number in kind["ids"].split()]
    assert len(numbers) == len(set(numbers))


def test_a_time_is_of_the_zone_given_unless_it_says_that_it_is_utc() -> None:
    rows = events(SENSOR, source_of("\n".join(LINES[6:]), zone="America/New_York"))
    assert rows[0]["@timestamp"] == datetime(2026, 10, 5, 12, 7, tzinfo=UTC)
    assert rows[1]["@timestamp"] == datetime(2026, 10, 5, 12, 8, tzinfo=UTC)
    assert rows[1]["molehunt.guess"] == ["zone"]
    assert "molehunt.guess" not in rows[0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
@example('id=x sn=1 time="2026-13-45 25:00:00" fw=x m=1 cdur=9223372036854775807 dur=9223372036854775807')
def test_nothing_breaks_it_and_nothing_vanishes(content: str) -> None:
    accounted(SENSOR, content)
