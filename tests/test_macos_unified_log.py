"""macOS unified log: `log show` in three styles, hostile copies."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from text_sensors import SAMPLES, events, golden, source_of

from sensors import schema
from sensors.macos_unified_log import SENSOR
from sensors.sensor import claims

PATHS = sorted((SAMPLES / "macos_unified_log").iterdir())
DEFAULT, PRETTY, LINES = PATHS


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "macos_unified_log")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in PATHS:
        assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == ["macos_unified_log"], path


def test_who_came_in_over_the_network() -> None:
    screen, sudo, ssh, *_ = events(SENSOR, source_of(DEFAULT.read_bytes()))
    for row in (screen, ssh):
        assert (row["user.name"], row["source.ip"], row["event.outcome"]) == (
            "maya",
            "203.0.113.77",
            "success",
        )
    assert screen["@timestamp"].isoformat() == "2026-10-05T21:00:01.123456+00:00"
    assert (sudo["user.name"], sudo["user.effective.name"]) == ("maya", "root")


def test_what_macos_alone_says() -> None:
    rows = events(SENSOR, source_of(DEFAULT.read_bytes()))
    assert [row.get("event.action") for row in rows[3:]] == [
        "screen-locked",
        "session-started",
        "usb-storage-attached",
        "disk-mounted",
        None,
        "right-authorized",
    ]
    assert rows[5]["device.serial_number"] == "4C530001230905"
    assert rows[7]["message"].endswith("second line of the same entry")


def test_the_count_at_the_end_of_ndjson_is_no_loss() -> None:
    source = source_of(LINES.read_bytes())
    assert len(events(SENSOR, source)) == 3
    assert source.unread == []


@pytest.mark.parametrize(
    "head", [b"", b'{"eventMessage":1}', b"2026-10-05 14:00:01 host sshd[1]: x\n", b"[]"]
)
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not SENSOR.sniff(head, "x")


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(data: st.DataObject) -> None:
    source = source_of(data.draw(broken(data.draw(st.sampled_from(PATHS)).read_bytes())))
    height = sum(schema.conform(frame).height for frame in SENSOR.read(source))
    assert height + sum(unread.count for unread in source.unread) >= 1
