"""Suricata's EVE: the sample's events, other wrappings, hostile input."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from json_sensors import broken
from text_sensors import SAMPLES, events, golden, source_of

from sensors import schema
from sensors.suricata import SENSOR

SAMPLE = (SAMPLES / "suricata" / "eve.json").read_bytes()


def test_the_sample_gives_the_golden_events() -> None:
    golden(SENSOR, "suricata")


def test_an_array_says_the_same() -> None:
    records = [json.loads(line) for line in SAMPLE.splitlines()]
    places = {"log.offset", "log.file.line"}
    one, other = (
        [{k: v for k, v in row.items() if k not in places} for row in events(SENSOR, text)]
        for text in (SAMPLE.decode(), json.dumps(records, indent=1))
    )
    assert one == other
    assert len(one) == len(records)


def test_other_logs_are_not_claimed() -> None:
    assert SENSOR.sniff(SAMPLE, "x")
    for line in ('{"event_type":"login","timestamp":"2026-10-05T09:00:00Z"}', '{"timestamp":"x"}', ""):
        assert not SENSOR.sniff(line.encode(), "eve.json")


def test_what_is_no_event_is_named() -> None:
    lines = SAMPLE.decode().splitlines()
    source = source_of("\n".join([lines[0], '{"a":1}', "nonsense", lines[1]]))
    assert len(events(SENSOR, source)) == 2
    assert sorted(entry.line or 0 for entry in source.unread) == [2, 3]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken(SAMPLE))
def test_broken_input_never_stops_and_never_vanishes(content: bytes) -> None:
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in SENSOR.read(source))
    assert height + sum(entry.count for entry in source.unread) >= 1
