"""Cisco Duo: every kind of record, the API's pages, what is none of its records, broken copies."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, claimants, events, frame_of, times

from sensors import cisco_duo, schema

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "cisco_duo" / "logs.ndjson"
RECORDS = [json.loads(line) for line in SAMPLE.read_text().splitlines()]


def test_it_claims_its_own_and_nothing_else() -> None:
    assert cisco_duo.SENSOR.sniff(SAMPLE.read_bytes(), "x")
    assert claimants(SAMPLE.read_bytes(), "x") == []
    for head in (
        b"",
        b'{"action":"repo.create","actor":"a","isotimestamp":1}',
        b'{"stat":"OK","response":{}}',
    ):
        assert not cisco_duo.SENSOR.sniff(head, "x")


def test_every_kind_of_record(source: MakeSource) -> None:
    rows = events(cisco_duo.SENSOR, source(SAMPLE.read_bytes()))
    shown = frame_of(rows, "event.dataset", "event.action", "event.outcome", "user.name", "source.ip")
    assert shown == [
        ("cisco_duo.auth", "authentication", "success", "mlindqvist", "203.0.113.41"),
        ("cisco_duo.auth", "authentication", "failure", "dwhitlock", "198.51.100.7"),
        ("cisco_duo.auth", "authentication", "failure", "rosa", "2001:db8::41:1234"),
        ("cisco_duo.auth", "authentication", "success", "mlindqvist", "203.0.113.41"),
        ("cisco_duo.admin", "admin_login", "success", "Rosa Admin", "203.0.113.88"),
        ("cisco_duo.admin", "admin_login_error", "failure", "Rosa Admin", "203.0.113.88"),
        ("cisco_duo.admin", "user_update", "success", "Rosa Admin", None),
        ("cisco_duo.admin", "bypass_create", "success", "Rosa Admin", None),
        ("cisco_duo.admin", "integration_update", "success", "API", None),
        ("cisco_duo.telephony", None, None, None, None),
        ("cisco_duo.telephony", None, None, None, None),
        ("cisco_duo.offline_enrollment", "o2fa_user_provisioned", None, "dwhitlock", None),
        ("cisco_duo.activity", "webauthn_credential_create", "success", "mlindqvist", "203.0.113.77"),
        ("cisco_duo.trust_monitor", None, "success", "mlindqvist", "203.0.113.41"),
    ]
    assert times(rows)[0] == "2026-10-05T13:58:20"
    assert times(rows)[13] == "2026-10-05T14:11:40"
    assert rows[13]["event.kind"] == "alert"


def test_the_phone_that_answered_elsewhere_is_kept(source: MakeSource) -> None:
    row = events(cisco_duo.SENSOR, source(SAMPLE.read_bytes()))[1]
    assert row["cisco.duo.auth_device.location.country"] == "China"
    assert row["cisco.duo.auth_device.ip"] == "203.0.113.200"
    assert row["related.ip"] == ["198.51.100.7", "203.0.113.200"]
    assert row["source.geo.country_name"] == "United States"
    assert row["event.reason"] == "user_marked_fraud"


def test_acts_of_administrators(source: MakeSource) -> None:
    rows = events(cisco_duo.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows[4:9], "event.category", "event.type", "user.target.name") == [
        (["authentication", "iam"], ["admin", "start"], None),
        (["authentication", "iam"], ["admin", "start"], None),
        (["iam"], ["user", "change"], "dwhitlock"),
        (["iam"], ["user", "creation"], "dwhitlock"),
        (["configuration"], ["info", "change"], "NYC VPN"),
    ]
    assert rows[8]["event.reason"] == "free text"
    assert rows[6]["user.changes.email"] == "dean@corp.example"


def test_pages_of_the_api_are_their_records(source: MakeSource) -> None:
    plain = events(cisco_duo.SENSOR, source(SAMPLE.read_bytes()))
    places = ("log.offset", "log.file.line")
    for page in ({"authlogs": RECORDS, "metadata": {"total_objects": 14}}, {"items": RECORDS}, RECORDS):
        made = source(json.dumps({"stat": "OK", "response": page}, separators=(",", ":")))
        rows = events(cisco_duo.SENSOR, made)
        assert made.unread == []
        for one, other in zip(plain, rows, strict=True):
            assert {k: v for k, v in one.items() if k not in places} == {
                k: v for k, v in other.items() if k not in places
            }
    empty = source('{"response":{"authlogs":[]},"stat":"OK"}')
    assert cisco_duo.SENSOR.sniff(empty.head, "x")
    assert (events(cisco_duo.SENSOR, empty), empty.unread) == ([], [])


def test_what_is_no_record_is_named(source: MakeSource) -> None:
    lines = SAMPLE.read_text().splitlines()
    untimed = json.dumps({**RECORDS[0], "timestamp": "soon", "isotimestamp": None})
    made = source("\n".join([lines[0], '{"code":40101}', untimed, lines[4][:80], lines[4]]))
    assert len(events(cisco_duo.SENSOR, made)) == 2
    assert sorted(unread.line or 0 for unread in made.unread) == [2, 3, 4]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    made = source(content)
    height = sum(schema.conform(frame).height for frame in cisco_duo.SENSOR.read(made))
    assert height + sum(unread.count for unread in made.unread) >= 1


def test_what_an_act_is_about_and_what_was_done(source: MakeSource) -> None:
    wanted = {
        "admin_factor_restrictions_update": ["admin", "change"],
        "admin_activation_create": ["admin", "creation"],
        "admin_reset_password": ["admin"],
        "activation_delete_link": ["admin", "deletion"],
        "integration_group_policy_add": ["group"],
        "policy_delete": ["group", "deletion"],
        "phone_associate": ["user"],
        "user_pending_delete": ["user", "deletion"],
        "ad_sync_by_user_begin": ["user"],
        "ad_sync_failed": ["info"],
        "hardtoken_create": ["info", "creation"],
        "integration_skey_view": ["info"],
    }
    base = {
        "isotimestamp": "2026-10-05T14:07:00+00:00",
        "timestamp": 1791209220,
        "username": "Rosa",
        "object": None,
    }
    lines = "\n".join(json.dumps(base | {"action": action, "description": None}) for action in wanted)
    rows = events(cisco_duo.SENSOR, source(lines))
    assert {row["event.action"]: row["event.type"] for row in rows} == wanted
