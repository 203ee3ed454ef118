"""Cisco Meraki's webhook alerts: who, where, which device; no secret; broken copies."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, claimants, events, frame_of, times

from sensors import schema
from sensors.cisco_meraki_webhook import SENSOR

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "cisco_meraki_webhook" / "alerts.ndjson"


def test_it_claims_its_own_and_nothing_else() -> None:
    assert SENSOR.sniff(SAMPLE.read_bytes(), "x")
    assert claimants(SAMPLE.read_bytes(), "x") == []
    assert not SENSOR.sniff(b'{"alertType":"x","occurredAt":"2026-10-05"}', "x")


def test_an_alert_says_who_and_where(source: MakeSource) -> None:
    rows = events(SENSOR, source(SAMPLE.read_bytes()))
    assert times(rows) == ["2026-10-05T13:59:58", "2026-10-05T14:00:58", "2026-10-05T14:01:58"]
    assert frame_of(rows, "event.action", "user.name", "source.ip", "observer.name", "event.category") == [
        ("Client VPN user connected", "mlindqvist", "203.0.113.41", "NYC_MX1", ["network"]),
        ("Settings changed", "Rosa Admin", None, None, ["network", "configuration"]),
        ("APs went down", None, None, "NYC_MX1", ["network"]),
    ]
    assert [row["event.type"] for row in rows] == [["info"], ["info"], ["info", "end"]]
    assert rows[0]["observer.mac"] == ["02-00-5E-00-00-01"]
    assert rows[0]["cisco.meraki.device_tags"] == "edge, nyc"
    assert '"newText":"on"' in rows[1]["cisco.meraki.alert_data"]
    assert all("not-kept" not in str(row) for row in rows)


def test_what_is_no_alert_is_named(source: MakeSource) -> None:
    made = source(SAMPLE.read_text() + '{"errors":["x"]}\n')
    assert len(events(SENSOR, made)) == 3
    assert [unread.line for unread in made.unread] == [4]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    made = source(content)
    height = sum(schema.conform(frame).height for frame in SENSOR.read(made))
    assert height + sum(unread.count for unread in made.unread) >= 1
