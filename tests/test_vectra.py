"""Vectra Detect: a sample of every template, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.sensor import claims
from sensors.vectra import SENSOR

LINES = sample_lines("vectra")


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "vectra")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "vectra").iterdir():
        assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == ["vectra"], path


def test_who_and_what_a_detection_is_of() -> None:
    account, host = events(SENSOR, "\n".join(LINES))[:2]
    assert (account["user.email"], account["destination.port"]) == ("maya.lindqvist@corp.example", 3389)
    assert (host["host.name"], host["source.ip"], host["source.bytes"]) == (
        "DESKTOP-7Q2LM0",
        "10.20.31.7",
        10_901_301,
    )
    assert (host["event.kind"], host["event.category"]) == ("alert", ["host", "threat"])


def test_a_template_of_tomorrow_is_an_event() -> None:
    row = events(SENSOR, next(line for line in LINES if "of_tomorrow" in line))[0]
    assert row["@timestamp"].isoformat() == "2026-10-05T14:07:00+00:00"
    assert row["observer.hostname"] == "brain.corp.example"


def test_what_the_console_and_campaigns_say() -> None:
    timeout, campaign, lockdown, health, request = events(SENSOR, "\n".join(LINES[-5:]))
    assert (timeout["event.category"], timeout["event.outcome"]) == (["session"], "unknown")
    assert (campaign["destination.domain"], campaign["event.reason"]) == (
        "files.example",
        "Command and Control",
    )
    assert (lockdown["host.hostname"], lockdown["event.outcome"]) == ("DESKTOP-7Q2LM0", "failure")
    assert health["event.outcome"] == "success"
    assert (request["network.bytes"], request["http.request.method"]) == (150, "POST")
    assert request["related.user"] == ["maya.lindqvist@corp.example"]


def test_a_line_of_another_form_is_named_as_unread() -> None:
    source = source_of(LINES[1] + "\nnonsense\n" + LINES[2][:-1] + "\n" + LINES[3])
    assert [row["log.file.line"] for row in events(SENSOR, source)] == [1, 4]
    assert [entry.line for entry in source.unread] == [2, 3]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
