from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, claimants, events, frame_of, times

from sensors import okta, schema

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "okta" / "system.ndjson"


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimants(SAMPLE.read_bytes(), SAMPLE.name) == ["okta"]


def test_who_did_what_when_and_how_it_ended(source: MakeSource) -> None:
    rows = events(okta.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows, "user.email", "event.action", "event.outcome") == [
        ("maya.lindqvist@corp.example", "user.session.start", "success"),
        ("maya.lindqvist@corp.example", "user.authentication.auth_via_mfa", "success"),
        ("maya.lindqvist@corp.example", "user.authentication.sso", "success"),
        ("dean.whitlock@corp.example", "user.session.start", "success"),
        ("dean.whitlock@corp.example", "policy.evaluate_sign_on", "failure"),
        ("rosa.admin@corp.example", "user.mfa.factor.reset_all", "success"),
        ("dean.whitlock@corp.example", "device.user.add", "success"),
        ("rosa.admin@corp.example", "group.user_membership.add", "success"),
        ("dean.whitlock@corp.example", "user.authentication.auth_via_mfa", "failure"),
        ("maya.lindqvist@corp.example", "user.session.end", "success"),
        ("rosa.admin@corp.example", "application.user_membership.add", "success"),
    ]
    added = rows[-1]
    assert (added["user.target.id"], added["event.type"]) == ("00u8dean2xKQPL7c697", ["change", "info"])
    assert times(rows)[:2] == ["2026-10-05T15:58:12", "2026-10-05T15:58:20"]
    assert rows[0]["@timestamp"].microsecond == 114_000


def test_a_login_through_a_vpn_in_full(source: MakeSource) -> None:
    row = events(okta.SENSOR, source(SAMPLE.read_bytes()))[3]
    wanted = {
        "event.dataset": "okta.system",
        "event.category": ["authentication", "session"],
        "event.type": ["start", "info"],
        "user.name": "dean.whitlock",
        "user.id": "00u8dean2xKQPL7c697",
        "user.full_name": "Dean Whitlock",
        "source.ip": "203.0.113.77",
        "source.geo.country_name": "United States",
        "source.geo.city_name": "Los Angeles",
        "source.geo.location.lat": 34.05,
        "source.as.number": 64511,
        "molehunt.proxy": True,
        "session.id": "102dEaN7gTzTyWbQe4oYwLk9Q",
        "okta.security_context.is_proxy": "true",
        "okta.tunnel.operator": ["ASTRILL_VPN"],
        "okta.debug_context.debug_data.dt_hash": "c41b0e88d3f6420f9e55",
        "okta.debug_context.debug_data.risk_level": "HIGH",
        "okta.debug_context.debug_data.risk_reasons": ["Anomalous Geo Location", "Anomalous Device"],
        "user_agent.os.name": "Windows 10",
        "related.ip": ["203.0.113.77"],
        "related.user": ["Dean Whitlock", "dean.whitlock"],
        "log.file.line": 4,
    }
    assert {name: row.get(name) for name in wanted} == wanted
    assert set(row["okta.debug_context.debug_data.risk_behaviors"]) == {
        "New Geo-Location",
        "New Device",
        "New IP",
        "New City",
    }
    assert "source.domain" not in row  # Okta writes "." where it knows none


def test_acts_on_someone_else_name_them_as_the_target(source: MakeSource) -> None:
    rows = events(okta.SENSOR, source(SAMPLE.read_bytes()))
    reset, device, group = rows[5], rows[6], rows[7]
    assert reset["user.target.email"] == "dean.whitlock@corp.example"
    assert reset["user.email"] == "rosa.admin@corp.example"
    assert device["okta.target.type"] == ["UDDevice", "User"]
    assert device["okta.target.display_name"] == ["DESKTOP-7Q2LM0", "Dean Whitlock"]
    assert group["user.target.group.name"] == "Build engineers"
    assert group["event.category"] == ["iam"]


def test_the_device_of_fastpass_is_kept(source: MakeSource) -> None:
    row = events(okta.SENSOR, source(SAMPLE.read_bytes()))[1]
    assert (row["device.id"], row["okta.device.managed"]) == ("guo1maya7", "true")
    assert row["okta.debug_context.debug_data.factor"] == "SIGNED_NONCE"
    assert row["molehunt.proxy"] is False


def test_other_spellings_are_the_same_events(source: MakeSource) -> None:
    records = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    plain = events(okta.SENSOR, source(SAMPLE.read_bytes()))
    places = ("log.offset", "log.file.line")
    for text in (json.dumps(records, indent=2), json.dumps({"value": records}), json.dumps(records)):
        rows = events(okta.SENSOR, source(text, "okta.json"))
        same = [{k: v for k, v in row.items() if k not in places} for row in rows]
        assert [row.keys() - set(places) for row in plain] == [row.keys() for row in same]
        assert frame_of(rows, "user.id", "okta.uuid") == frame_of(plain, "user.id", "okta.uuid")
    lowered = source(json.dumps({key.lower(): value for key, value in records[0].items()}))
    assert events(okta.SENSOR, lowered)[0]["event.action"] == "user.session.start"


def test_tunnels_alone_say_proxy_and_null_is_no_address(source: MakeSource) -> None:
    record = json.loads(SAMPLE.read_text().splitlines()[3])
    record["securityContext"] = None
    record["client"]["ipAddress"] = "null"
    (row,) = events(okta.SENSOR, source(json.dumps(record)))
    assert row["molehunt.proxy"] is True
    assert "source.ip" not in row


def test_what_is_no_log_event_is_named(source: MakeSource) -> None:
    lines = SAMPLE.read_text().splitlines()
    made = source("\n".join([lines[0], '{"errorCode":"E0000047"}', lines[1][:400], "", lines[2]]))
    assert len(events(okta.SENSOR, made)) == 2
    assert sorted(unread.line or 0 for unread in made.unread) == [2, 3]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b'{"actor":"cat","action":"repo.create","created_at":1}',
        b'{"eventType":"user.session.start","published":"2026"}',
        b'{"actor":{"alternateId":"a"},"eventType":"x"}',
        b"Nov  3 10:00:00 host sshd[1]: eventType actor published",
    ],
)
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not okta.SENSOR.sniff(head, "okta.json")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    made = source(content)
    height = sum(schema.conform(frame).height for frame in okta.SENSOR.read(made))
    assert height + sum(unread.count for unread in made.unread) >= 1


def test_kinds_of_events(source: MakeSource) -> None:
    wanted = {
        "user.lifecycle.create": (["iam"], ["creation", "info"]),
        "user.lifecycle.suspend": (["iam"], ["change", "info"]),
        "policy.lifecycle.activate": (["configuration"], ["change"]),
        "policy.rule.add": (["configuration"], ["change"]),
        "policy.lifecycle.delete": (["configuration"], ["deletion"]),
        "application.lifecycle.create": (["configuration"], ["creation"]),
        "system.org.rate_limit.warning": (["configuration"], ["info", "network"]),
        "security.request.blocked": (["threat"], ["network"]),
    }
    record = json.loads(SAMPLE.read_text().splitlines()[7])
    lines = "\n".join(json.dumps(record | {"eventType": action}) for action in wanted)
    rows = events(okta.SENSOR, source(lines))
    assert {row["event.action"]: (row["event.category"], row["event.type"]) for row in rows} == wanted
