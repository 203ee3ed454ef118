"""Network logs of the clouds: samples, what is no flow, hostile input."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from text_sensors import SAMPLES, events, golden, source_of

from sensors import schema
from sensors.cloud_network import SENSOR

FOLDER = SAMPLES / "cloud_network"
CONTENTS = [path.read_bytes() for path in sorted(FOLDER.iterdir())]


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "cloud_network")


def test_every_flow_tuple_is_an_event_of_its_own_time() -> None:
    rows = events(SENSOR, source_of((FOLDER / "azure.json").read_bytes()))
    assert len(rows) == 7
    assert [row["@timestamp"].strftime("%M:%S") for row in rows[:3]] == ["00:50", "00:55", "00:56"]
    assert rows[1]["source.bytes"] == 6600
    assert rows[1]["destination.bytes"] == 5200
    assert [row["event.action"] for row in rows] == ["allowed"] * 2 + ["denied"] * 2 + ["allowed"] * 2 + [
        "denied"
    ]


def test_a_record_without_flows_and_other_records_are_named() -> None:
    bare = {"time": "2026-10-05T09:01:00Z", "category": "FlowLogFlowEvent", "flowRecords": {"flows": []}}
    line = CONTENTS[1].decode().splitlines()[0]
    source = source_of("\n".join([line, json.dumps(bare), '{"a":1}']))
    assert len(events(SENSOR, source)) == 1
    assert sorted(entry.line or 0 for entry in source.unread) == [2, 3]


@pytest.mark.parametrize(
    "text", ["", "{}", '{"logName":"x/logs/y","jsonPayload":{}}', '{"category":"AuditEvent"}']
)
def test_other_logs_are_not_claimed(text: str) -> None:
    assert not SENSOR.sniff(text.encode(), "x.json")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(CONTENTS).flatmap(broken))
def test_broken_input_never_stops_and_never_vanishes(content: bytes) -> None:
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in SENSOR.read(source))
    assert height + sum(entry.count for entry in source.unread) >= 1


def test_firewalls_of_two_clouds() -> None:
    rows = events(SENSOR, source_of((FOLDER / "firewalls.ndjson").read_bytes()))
    alert, flow, seen = rows[:3]
    assert (alert["event.kind"], alert["event.type"]) == ("alert", ["connection", "denied"])
    assert (alert["rule.id"], alert["cloud.region"]) == ("1000003", "eu-west-1")
    assert (alert["destination.domain"], alert["url.path"]) == ("relay.example.net", "/get")
    assert (flow["source.bytes"], flow["event.duration"]) == (4269, 30_500_000_000)
    assert seen["tls.client.server_name"] == "files.example.org"
    allowed, unnamed, translated, dropped = rows[3:7]
    assert (allowed["rule.name"], allowed["rule.category"]) == (
        "Allowed categories",
        "ComputersAndTechnology",
    )
    assert (allowed["destination.domain"], allowed["destination.port"]) == ("files.example.org", 443)
    assert unnamed["event.reason"] == "SNI TLS extension was missing."
    assert (translated["destination.nat.ip"], translated["destination.nat.port"]) == ("10.0.0.2", 3389)
    assert (dropped["rule.id"], dropped["event.type"]) == ("2028816", ["connection", "denied"])
    asked, structured = rows[9], rows[10]
    assert (asked["dns.question.name"], asked["dns.header_flags"]) == (
        "files.example.org",
        ["QR", "RD", "RA"],
    )
    assert (structured["event.type"], structured["url.domain"]) == (
        ["connection", "denied"],
        "relay.example.net",
    )
    assert rows[12]["rule.category"] == "Attempted Admin"
    assert rows[14]["observer.name"] == "corp-fw"
