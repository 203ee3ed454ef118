from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import entra

SAMPLE = SAMPLES / "entra" / "azure_logs.ndjson"
SIGN_INS = SAMPLES / "entra" / "diagnostics.ndjson"


def test_the_sample_is_claimed_by_one_sensor() -> None:
    assert claimed(SAMPLE) == ["entra"]


def test_each_log_is_a_dataset(source: MakeSource) -> None:
    rows = events(entra.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows, "event.dataset", "event.category", "event.outcome", "user.email", "source.ip") == [
        ("azure.activitylogs", ["configuration"], "success", "dana.okafor@corp.example", "203.0.113.24"),
        ("azure.auditlogs", ["iam"], "success", "dana.okafor@corp.example", "2001:db8::24"),
        ("azure.identity_protection", ["threat"], None, "milo.brandt@corp.example", "198.51.100.42"),
        ("azure.provisioning", ["iam"], "success", None, None),
        ("azure.graphactivitylogs", ["web"], None, None, "198.51.100.60"),
        ("azure.identity_protection", ["threat"], None, None, "203.0.113.9"),
    ]
    guest = rows[5]
    assert times(rows)[5] == "2026-03-02T13:37:05"
    assert (guest["user.name"], guest["source.port"]) == ("ola_example.org#EXT#@corp.example", 50112)
    assert times(rows)[2] == "2026-03-02T18:07:16"


def test_what_was_done_to_whom(source: MakeSource) -> None:
    activity, audit, risk, provisioning, graph, _ = events(entra.SENSOR, source(SAMPLE.read_bytes()))
    assert activity["user.full_name"] == "Dana Okafor"
    assert activity["azure.activitylogs.identity.authorization.evidence.role"] == "Owner"
    wanted: dict[str, object] = {
        "user.target.email": "milo.brandt@corp.example",
        "user.target.id": "u2",
        "event.type": ["creation"],
        "user_agent.original": "Mozilla/5.0 Portal",
        "azure.auditlogs.properties.category": "RoleManagement",
    }
    assert shown(audit, wanted) == wanted
    assert risk["azure.identity_protection.properties.risk_level"] == "high"
    assert (provisioning["user.target.name"], provisioning["event.duration"]) == ("ines.varga", 828_000_000)
    wanted = {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.domain": "graph.microsoft.com",
        "url.path": "/v1.0/users",
        "user.id": "u2",
        "cloud.region": "West Europe",
    }
    assert shown(graph, wanted) == wanted


def test_logs_mixed_with_sign_ins_keep_their_order(source: MakeSource) -> None:
    lines = [*SAMPLE.read_text().splitlines(), *SIGN_INS.read_text().splitlines()]
    mixed = [line for pair in zip(lines, reversed(lines), strict=True) for line in pair]
    rows = events(entra.SENSOR, source("\n".join(mixed)))
    assert [row["log.file.line"] for row in rows] == sorted(row["log.file.line"] for row in rows)
    assert {"azure.signinlogs", "azure.auditlogs"} <= {row["event.dataset"] for row in rows}


def test_an_audit_record_of_graph(source: MakeSource) -> None:
    record = json.loads(SAMPLE.read_text().splitlines()[1])["properties"]
    page = json.dumps({"value": [record]})
    assert entra.SENSOR.sniff(page.encode(), "audit.json")
    (row,) = events(entra.SENSOR, source(page))
    wanted = {
        "event.dataset": "azure.auditlogs",
        "event.action": "Add member to role",
        "user.email": "dana.okafor@corp.example",
        "source.ip": "2001:db8::24",
    }
    assert shown(row, wanted) == wanted


def test_logs_of_other_services_among_these_are_events(source: MakeSource) -> None:
    lines = SAMPLE.read_text().splitlines()
    known = json.loads(lines[0])
    vault = known | {"category": "AuditEvent", "operationName": "VaultGet", "identity": None}
    bare = {key: value for key, value in known.items() if key != "category"}
    made = source("\n".join([*lines, json.dumps(vault), json.dumps(bare)]))
    rows = events(entra.SENSOR, made)[-2:]
    assert frame_of(rows, "event.dataset", "event.action", "source.ip") == [
        ("azure.platformlogs", "VaultGet", "203.0.113.24"),
        ("azure.activitylogs", known["operationName"], "203.0.113.24"),
    ]
    assert "VaultGet" in rows[0]["event.original"]
    assert made.unread == []
    assert entra.SENSOR.sniff(json.dumps(bare).encode(), "x.json")


@pytest.mark.parametrize("record", [{}, {"category": "Policy"}, {"category": "x", "operationName": "y"}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not entra.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    assert accounted(entra.SENSOR, source(content))
