from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, claimants, events, frame_of, times

from sensors import entra, schema

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "entra"
GRAPH = SAMPLES / "signins.json"
DIAGNOSTICS = SAMPLES / "diagnostics.ndjson"


@pytest.mark.parametrize("path", [GRAPH, DIAGNOSTICS])
def test_the_samples_are_claimed_by_this_sensor_alone(path: Path) -> None:
    assert claimants(path.read_bytes(), path.name) == ["entra"]


def test_a_graph_page(source: MakeSource) -> None:
    made = source(GRAPH.read_bytes(), "signins.json")
    rows = events(entra.SENSOR, made)
    assert made.unread == []
    assert frame_of(rows, "user.email", "event.outcome", "event.code", "molehunt.proxy") == [
        ("maya.lindqvist@corp.example", "success", "0", None),
        ("grace.oyelaran@corp.example", "success", "0", None),
        ("dean.whitlock@corp.example", "success", "0", True),
        ("dean.whitlock@corp.example", "failure", "53003", None),
        ("dean.whitlock@corp.example", "success", "0", None),
    ]
    assert times(rows)[0] == "2026-10-05T15:40:10"
    text = GRAPH.read_text()
    for row in rows:
        assert text[row["log.offset"] :].startswith('{\n      "id": "' + row["event.id"])
        assert text.count("\n", 0, row["log.offset"]) + 1 == row["log.file.line"]


def test_a_sign_in_through_an_anonymiser_in_full(source: MakeSource) -> None:
    row = events(entra.SENSOR, source(GRAPH.read_bytes()))[2]
    wanted = {
        "event.dataset": "azure.signinlogs",
        "event.category": ["authentication"],
        "event.action": "Sign-in activity",
        "user.name": "dean.whitlock",
        "user.domain": "corp.example",
        "user.id": "0b6ee9d2-1111-4d0a-9c55-aa0000000002",
        "user.full_name": "Dean Whitlock",
        "source.ip": "203.0.113.77",
        "source.geo.country_iso_code": "US",
        "source.geo.city_name": "Los Angeles",
        "source.geo.region_name": "California",
        "source.geo.location.lon": -118.24,
        "source.as.number": 64511,
        "session.id": "00310003",
        "azure.signinlogs.properties.risk_event_types": ["anonymizedIPAddress", "unfamiliarFeatures"],
        "azure.signinlogs.properties.risk_level_during_signin": "high",
        "azure.signinlogs.properties.unique_token_identifier": "dG9rZW4t0003",
        "azure.signinlogs.properties.authentication_methods": ["Mobile app notification"],
        "azure.signinlogs.properties.app_display_name": "Office 365 SharePoint Online",
        "azure.signinlogs.properties.is_interactive": "true",
        "user_agent.os.full": "Windows10",
        "related.user": ["Dean Whitlock", "dean.whitlock"],
    }
    assert {name: row.get(name) for name in wanted} == wanted


def test_managed_device_and_device_code(source: MakeSource) -> None:
    rows = events(entra.SENSOR, source(GRAPH.read_bytes()))
    device = "azure.signinlogs.properties.device_detail"
    assert rows[0]["device.id"] == "d3v1ce00-2222-4d0a-9c55-000000000001"
    assert rows[0][f"{device}.trust_type"] == "Hybrid Azure AD joined"
    assert rows[0][f"{device}.is_managed"] == "true"
    assert rows[0]["related.hosts"] == ["MAYA-PC"]
    assert rows[3]["event.reason"] == "Access has been blocked by Conditional Access policies."
    assert rows[4]["azure.signinlogs.properties.authentication_protocol"] == "deviceCode"


def test_the_export_of_diagnostic_settings(source: MakeSource) -> None:
    rows = events(entra.SENSOR, source(DIAGNOSTICS.read_bytes()))
    assert frame_of(rows, "azure.signinlogs.category", "user.email", "source.ip", "event.outcome") == [
        ("SignInLogs", "grace.oyelaran@corp.example", "192.0.2.61", "success"),
        ("NonInteractiveUserSignInLogs", "grace.oyelaran@corp.example", "192.0.2.61", "success"),
        ("SignInLogs", "maya.lindqvist@corp.example", "2001:db8:7::19", "failure"),
        ("ServicePrincipalSignInLogs", None, "192.0.2.200", "success"),
    ]
    service = rows[3]
    assert service["azure.signinlogs.properties.service_principal_name"] == "svc-backup"
    assert service["source.geo.country_iso_code"] == "US"
    assert "source.geo.location.lat" not in service  # 0, 0 stands for "nowhere"
    assert service["event.duration"] == 0


def test_log_analytics_with_objects_as_text(source: MakeSource) -> None:
    row = {
        "TimeGenerated": "2026-10-06T15:00:00.0000000Z",
        "Category": "SignInLogs",
        "UserPrincipalName": "Ann.Keller@corp.example",
        "UserId": "u-1",
        "IPAddress": "192.0.2.9",
        "ResultType": "50126",
        "AppDisplayName": "Office 365",
        "Location": "DE",
        "LocationDetails": json.dumps(
            {"city": "Kiel", "geoCoordinates": {"latitude": 54.3, "longitude": 10.1}}
        ),
        "DeviceDetail": json.dumps(
            {"deviceId": "d-7", "browser": "Firefox 131.0", "operatingSystem": "MacOs"}
        ),
        "Status": json.dumps({"errorCode": 50126, "failureReason": "wrong password"}),
    }
    made = source(json.dumps([row]))
    assert claimants(made.head, made.name) == ["entra"]
    (got,) = events(entra.SENSOR, made)
    wanted = {
        "user.email": "Ann.Keller@corp.example",
        "source.ip": "192.0.2.9",
        "source.geo.city_name": "Kiel",
        "source.geo.country_iso_code": "DE",
        "device.id": "d-7",
        "user_agent.name": "Firefox",
        "user_agent.os.name": "MacOs",
        "event.outcome": "failure",
        "event.reason": "wrong password",
    }
    assert {name: got.get(name) for name in wanted} == wanted


def test_records_of_other_categories_are_named(source: MakeSource) -> None:
    lines = DIAGNOSTICS.read_text().splitlines()
    audit = '{"time":"2026-10-06T15:00:00Z","category":"B2CRequestLogs","operationName":"x","properties":{}}'
    made = source("\n".join([lines[0], audit, '{"half":', lines[1]]))
    assert len(events(entra.SENSOR, made)) == 2
    assert sorted((unread.line, unread.reason) for unread in made.unread) == [
        (2, "no sign-in"),
        (3, "not one whole JSON object"),
    ]


def test_a_page_cut_short_gives_what_it_has(source: MakeSource) -> None:
    content = GRAPH.read_bytes()
    made = source(content[: content.index(b"000000000004") + 300])
    assert len(events(entra.SENSOR, made)) == 3
    (unread,) = made.unread
    assert content[unread.offset :].startswith(b'{\n      "id": "a1f3c0de-0000-4000-8000-000000000004')


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b'{"value":[{"id":"1","createdDateTime":"2026-01-01T00:00:00Z","activityDisplayName":"Add user"}]}',
        b'{"time":"2026-10-06T15:00:00Z","category":"AuditLogs","properties":{}}',
        b'{"userPrincipalName":"a@b","ipAddress":"192.0.2.1"}',
    ],
)
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not entra.SENSOR.sniff(head, "signins.json")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.sampled_from([GRAPH, DIAGNOSTICS]).flatmap(lambda path: broken(path.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    made = source(content)
    height = sum(schema.conform(frame).height for frame in entra.SENSOR.read(made))
    assert height + sum(unread.count for unread in made.unread) >= 1
