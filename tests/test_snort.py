"""Snort's alerts and Suricata's fast.log: samples, hostile lines."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, source_of

from sensors import schema
from sensors.snort import SENSOR

FOLDER = SAMPLES / "snort"
LINES = (FOLDER / "fast.log").read_text("utf-8").splitlines()
FULL = (FOLDER / "full.log").read_text("utf-8").splitlines()


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "snort")


def test_every_alert_is_an_event_and_ipv6_keeps_its_ports() -> None:
    rows = events(SENSOR, "\n".join(LINES))
    assert len(rows) == len(LINES)
    assert (rows[3]["source.ip"], rows[3]["source.port"]) == ("2001:db8::24", 57194)
    assert rows[2]["event.dataset"] == "suricata.fast"


def test_other_lines_are_named() -> None:
    source = source_of("\n".join([LINES[0], "nonsense", LINES[1]]))
    assert len(events(SENSOR, source)) == 2
    assert [entry.line for entry in source.unread] == [2]


@pytest.mark.parametrize("text", ["", "[**] hello", '{"rule":"1:2:3"}', "10/05-09:10:17 a"])
def test_other_logs_are_not_claimed(text: str) -> None:
    assert not SENSOR.sniff(text.encode(), "alert")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(FULL))
def test_broken_full_alerts_raise_nothing(content: str) -> None:
    source = source_of("\n".join([*FULL, content]))
    height = sum(schema.conform(frame).height for frame in SENSOR.read(source))
    assert height + sum(entry.count for entry in source.unread) >= 2
