from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of
from table_sensors import unsampled

from sensors import netskope

SAMPLE = SAMPLES / "netskope" / "netskope.ndjson"


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimed(SAMPLE) == ["netskope"]
    ecs_alone = SAMPLE.read_bytes().splitlines()[3]
    assert not netskope.SENSOR.sniff(ecs_alone, "x.json")


def test_records_of_both_shapes_are_events(source: MakeSource) -> None:
    made = source(SAMPLE.read_bytes())
    rows = events(netskope.SENSOR, made)
    assert not made.unread
    assert not unsampled(netskope.SENSOR, rows)
    assert frame_of(rows, "event.dataset", "event.action", "event.outcome", "user.name", "source.ip") == [
        ("netskope.alerts", "block", "failure", "mara.quist", "203.0.113.20"),
        ("netskope.alerts", "alert", None, "ivo.brandt", "203.0.113.20"),
        ("netskope.events", "allow", "success", "mara.quist", "203.0.113.20"),
        ("netskope.events", None, None, "ivo.brandt", "203.0.113.21"),
        ("netskope.alerts_v2", "alert", None, "mara.quist", "203.0.113.20"),
        ("netskope.events_v2", None, None, "mara.quist", "2001:db8::7"),
        ("netskope.events_v2", "login-successful", "success", "admin", None),
        ("netskope.events_v2", "tunnel-down", None, None, None),
        ("netskope.events_v2", "block", "failure", "mara.quist", "203.0.113.20"),
    ]


def test_what_one_record_says(source: MakeSource) -> None:
    rows = events(netskope.SENSOR, source(SAMPLE.read_bytes()))
    wanted = {
        "event.kind": "alert",
        "event.type": ["info", "denied"],
        "rule.name": "No source code outside",
        "file.size": 120,
        "host.hostname": "LT-QUIST-01",
        "network.protocol": "https",
        "related.ip": ["198.51.100.80", "10.0.0.5", "203.0.113.20"],
        "related.user": ["mara.quist", "mquist"],
        "source.geo.city_name": "Utrecht",
        "url.domain": "paste.outside.example",
    }
    assert shown(rows[0], wanted) == wanted
    wanted = {
        "event.duration": 986_000_000_000,
        "source.bytes": 961_033,
        "source.nat.ip": "10.0.0.5",
        "destination.port": 443,
        "network.application": "google gmail",
    }
    assert shown(rows[5], wanted) == wanted
    assert rows[6]["event.category"] == ["authentication", "session"]


def test_other_records_are_named(source: MakeSource) -> None:
    made = source(SAMPLE.read_text() + json.dumps({"_id": "x", "timestamp": 1}) + "\n[1]\n")
    assert len(events(netskope.SENSOR, made)) == 9
    assert made.unread


@pytest.mark.parametrize("head", [b"", b'{"netskope":1}', b'{"timestamp":1,"alert_type":"x"}'])
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not netskope.SENSOR.sniff(head, "x.json")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    few = b"".join(data.draw(st.lists(st.sampled_from(lines), min_size=1, max_size=3)))
    assert accounted(netskope.SENSOR, source(data.draw(broken(few))))


def test_log_streaming_writes_the_same_as_csv(source: MakeSource) -> None:
    path = SAMPLES / "netskope" / "events.csv"
    assert claimed(path) == ["netskope"]
    made = source(path.read_bytes() + b"x,y\n", "events.csv")
    rows = events(netskope.SENSOR, made)
    assert frame_of(rows, "event.action", "source.ip", "source.bytes", "url.query", "log.file.line") == [
        (None, "203.0.113.20", 961_033, None, 2),
        ("block", "203.0.113.20", None, "a=1,2", 3),
    ]
    assert [unread.line for unread in made.unread] == [4]


def test_what_an_alert_warns_of_is_kept(source: MakeSource) -> None:
    rows = events(netskope.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows[1:2], "threat.indicator.file.hash.md5") == [("0cc175b9c0f1b6a831c399e269772661",)]
