from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from text_sensors import SAMPLES, events, source_of

from sensors import osquery, schema

SAMPLE = (SAMPLES / "osquery" / "osqueryd.results.log").read_bytes()


def test_what_queries_found() -> None:
    rows = events(osquery.SENSOR, source_of(SAMPLE))
    process, socket, user, snapshot, batch = rows
    wanted = {
        "event.action": "added",
        "rule.name": "pack_remote_processes",
        "host.hostname": "ws-117",
        "host.id": "72E1287B-D1BC-4FC6-B9D8-64F4352776A9",
        "user.name": "dean",
        "process.pid": 4100,
        "process.command_line": "/usr/bin/anydesk --service",
        "osquery.result.columns.name": "AnyDesk",
    }
    assert {name: process.get(name) for name in wanted} == wanted
    assert (socket["destination.ip"], socket["destination.port"]) == ("198.51.100.77", 7070)
    assert user["event.action"] == "removed"
    assert json.loads(snapshot["osquery.result.snapshot"])[0]["vendor"] == "ATEN"
    assert "rustdesk" in batch["osquery.result.diff_results"]
    assert {row["@timestamp"].isoformat() for row in rows} == {"2026-10-05T13:03:41+00:00"}


def test_a_time_in_words_is_enough() -> None:
    record = json.loads(SAMPLE.splitlines()[0])
    del record["unixTime"]
    (row,) = events(osquery.SENSOR, source_of(json.dumps(record)))
    assert row["@timestamp"].isoformat() == "2026-10-05T13:03:41+00:00"


@pytest.mark.parametrize("head", [b"", b'{"name":"x","columns":{}}', b'{"hostIdentifier":"a"}', b"name"])
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not osquery.SENSOR.sniff(head, "x.json")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(SAMPLE)))
def test_broken_input_never_stops_and_never_vanishes(content: bytes) -> None:
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in osquery.SENSOR.read(source))
    assert height + sum(unread.count for unread in source.unread) >= 1
