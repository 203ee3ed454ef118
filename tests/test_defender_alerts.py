from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from text_sensors import SAMPLES, events, source_of

from sensors import defender_alerts, schema

SAMPLE = (SAMPLES / "defender_alerts" / "alerts.ndjson").read_bytes()


def test_alerts_and_incidents_of_three_apis() -> None:
    source = source_of(SAMPLE)
    endpoint, incident, alert, older = events(defender_alerts.SENSOR, source)
    assert source.unread == []
    wanted = {
        "event.dataset": "microsoft_defender_endpoint.log",
        "event.kind": "alert",
        "event.category": ["host", "process"],
        "event.severity": 3,
        "event.duration": 2_460_000_000_000,
        "host.name": "ws-117.corp.example",
        "user.name": "dean",
        "user.domain": "CORP",
        "process.pid": 42,
        "process.args": ["AnyDesk.exe", "--plain"],
        "file.name": "AnyDesk.exe",
        "related.hash": ["aa" * 20],
    }
    assert {name: endpoint.get(name) for name in wanted} == wanted
    assert (incident["event.dataset"], incident["event.id"]) == ("m365_defender.incident", "1921")
    assert (alert["event.action"], alert["host.name"], alert["user.name"]) == ("detected", "ws-117", "dean")
    assert (alert["file.size"], alert["event.severity"]) == (7, 4)
    assert (older["event.type"], older["file.name"], older["event.severity"]) == (["end"], "x.exe", 2)


@pytest.mark.parametrize("head", [b"", b'{"severity":"x","createdDateTime":"y"}', b'{"alerts":[]}'])
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not defender_alerts.SENSOR.sniff(head, "x.json")


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(SAMPLE)))
def test_broken_input_never_stops_and_never_vanishes(content: bytes) -> None:
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in defender_alerts.SENSOR.read(source))
    assert height + sum(unread.count for unread in source.unread) >= 1
