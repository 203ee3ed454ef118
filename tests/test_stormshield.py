"""Stormshield's audit logs: a sample of every kind, tunnels, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.sensor import claims
from sensors.stormshield import SENSOR

LINES = sample_lines("stormshield")


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "stormshield")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "stormshield").iterdir():
        assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == ["stormshield"], path


def test_a_tunnel_has_the_remote_end_and_what_was_lent_to_it() -> None:
    rows = events(SENSOR, "\n".join(LINES))
    for row, remote, lent in ((rows[4], "203.0.113.24", "10.40.0.7"), (rows[5], "203.0.113.50", "10.41.0.3")):
        assert (row["source.ip"], row["source.nat.ip"]) == (remote, lent)
    assert rows[5]["destination.ip"] == "192.0.2.1"


def test_times_have_the_lines_own_zone() -> None:
    row = events(SENSOR, LINES[0])[0]
    assert row["@timestamp"].isoformat() == "2026-10-05T14:14:02+00:00"
    assert row["event.created"].isoformat() == "2026-10-05T14:14:08+00:00"
    assert "molehunt.guess" not in row
    assert row["event.duration"] == 5_250_000_000


def test_users_that_fail_and_traffic_that_is_refused() -> None:
    rows = events(SENSOR, "\n".join(LINES))
    assert [row["event.outcome"] for row in rows[2:4]] == ["success", "failure"]
    assert rows[1]["event.type"] == ["connection", "denied"]
    assert rows[7]["event.kind"] == "alert"


def test_a_line_of_another_form_is_named_as_unread() -> None:
    source = source_of(LINES[0] + "\nnonsense\n" + LINES[1])
    assert [row["log.file.line"] for row in events(SENSOR, source)] == [1, 3]
    assert [entry.line for entry in source.unread] == [2]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
