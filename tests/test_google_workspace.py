from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import google_workspace, schema
from sensors.sensor import claims

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "google_workspace" / "activities.ndjson"


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert [sensor.name for sensor in claims(SAMPLE.read_bytes(), SAMPLE.name)] == ["google_workspace"]


def test_every_application_and_every_event_of_an_activity(source: MakeSource) -> None:
    rows = events(google_workspace.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows, "log.file.line", "event.dataset", "event.action", "event.type") == [
        (1, "google_workspace.login", "login_success", ["start"]),
        (2, "google_workspace.login", "login_failure", ["start"]),
        (3, "google_workspace.login", "suspicious_login", ["info"]),
        (4, "google_workspace.token", "authorize", ["info", "user"]),
        (5, "google_workspace.drive", "download", ["info"]),
        (5, "google_workspace.drive", "change_user_access", ["change"]),
        (6, "google_workspace.admin", "GRANT_ADMIN_PRIVILEGE", ["change", "user"]),
        (6, "google_workspace.admin", "ADD_GROUP_MEMBER", ["change", "group"]),
        (7, "google_workspace.admin", "DRIVE_DATA_RESTORE", ["info"]),
        (8, "google_workspace.groups", "add_user", ["group", "user", "creation"]),
        (9, "google_workspace.user_accounts", "2sv_disable", ["change", "user"]),
        (10, "google_workspace.saml", "login_success", ["start"]),
        (11, "google_workspace.device", "DEVICE_REGISTER_UNREGISTER_EVENT", ["info"]),
        (12, "google_workspace.rules", "rule_match", None),
        (13, "google_workspace.meet", "call_ended", ["info"]),
        (14, "google_workspace.a_new_one", "unheard_of", None),
        (15, "google_workspace.token", "revoke", ["info", "user", "deletion"]),
        (16, "google_workspace.alert", "Google identity", ["info"]),
        (17, "google_workspace.alert", "Gmail phishing", ["info"]),
        (18, "google_workspace.alert", "Sensitive Admin Action", ["info"]),
        (19, "google_workspace.alert", "Data Loss Prevention", ["info"]),
    ]
    phishing, reset, leak = rows[-3:]
    assert (leak["user.email"], leak["rule.name"]) == ("dean.whitlock@corp.example", "Payroll files leave")
    assert (phishing["user.name"], phishing["user.domain"]) == ("Payroll Desk", "corp.example")
    assert (phishing["source.ip"], phishing["event.category"][0]) == ("198.51.100.99", "email")
    assert reset["related.user"] == ["rosa", "rosa@corp.example"]
    assert times(rows)[0] == "2026-10-05T15:58:12"


def test_who_from_where_to_what(source: MakeSource) -> None:
    rows = events(google_workspace.SENSOR, source(SAMPLE.read_bytes()))
    shared = rows[5]
    wanted = {
        "user.name": "dean.whitlock",
        "user.domain": "corp.example",
        "source.user.email": "dean.whitlock@corp.example",
        "source.ip": "203.0.113.77",
        "file.name": "payroll.xlsx",
        "file.extension": "xlsx",
        "file.owner": "maya",
        "related.user": ["someone", "maya", "dean.whitlock"],
        "event.category": ["file", "iam", "configuration"],
        "google_workspace.drive.new_value": "can_view",
        "google_workspace.drive.visibility": None,
    }
    assert {name: shared.get(name) for name in wanted} == wanted
    assert rows[4]["google_workspace.drive.visibility"] == "private"
    assert (rows[0]["event.outcome"], rows[1]["event.outcome"]) == ("success", "failure")
    assert rows[1]["event.reason"] == "login_failure_invalid_password"
    assert rows[7]["user.target.group.name"] == "finance"
    assert rows[8]["event.duration"] == 86_400_000_000_000
    assert rows[12]["device.id"] == "dev-1"
    assert rows[13]["related.ip"] == ["203.0.113.77", "203.0.113.78"]
    assert rows[14]["source.ip"] == "203.0.113.79"
    assert "unheard_of" in rows[15]["event.original"]
    assert rows[16]["google_workspace.token.app_name"] == "Mail Mover"
    assert (rows[17]["user.email"], rows[17]["source.ip"]) == ("dean.whitlock@corp.example", "203.0.113.77")


def test_pages_of_the_api_are_the_same_events(source: MakeSource) -> None:
    records = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    plain = events(google_workspace.SENSOR, source(SAMPLE.read_bytes()))
    pages = events(google_workspace.SENSOR, source(json.dumps(records), "page.json"))
    names = ("event.action", "user.id", "event.category", "related.user", "file.name")
    assert frame_of(pages, *names) == frame_of(plain, *names)


def test_what_is_no_activity_is_named(source: MakeSource) -> None:
    first = SAMPLE.read_text().splitlines()[0]
    made = source(f'{first}\n{{"kind":"x"}}\n{first[:200]}')
    assert len(events(google_workspace.SENSOR, made)) == 1
    assert sum(unread.count for unread in made.unread) == 2


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    made = source(content)
    height = sum(schema.conform(frame).height for frame in google_workspace.SENSOR.read(made))
    assert height + sum(unread.count for unread in made.unread) >= 1


_ODD = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.none()) | st.just({"a": {}})
)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_odd_values_never_stop_sniffing(data: st.DataObject) -> None:
    record = json.loads(SAMPLE.read_text().splitlines()[data.draw(st.sampled_from([0, 14, 15]))])
    for key in record:
        if data.draw(st.booleans()):
            record[key] = data.draw(_ODD)
    assert google_workspace.SENSOR.sniff(json.dumps(record).encode(), "x.json") in (True, False)


def test_whose_device_and_which_site(source: MakeSource) -> None:
    def activity(application: str, kind: str, name: str, **parameters: str) -> str:
        told = [{"name": key, "value": value} for key, value in parameters.items()]
        return json.dumps(
            {
                "id": {"time": "2026-10-05T16:00:00Z", "applicationName": application},
                "actor": {"email": "rosa@corp.example", "profileId": "1"},
                "events": [{"type": kind, "name": name, "parameters": told}],
            }
        )

    lines = [
        activity("mobile", "device_updates", "DEVICE_SYNC_EVENT", USER_EMAIL="maya@corp.example"),
        activity("admin", "SITES_SETTINGS", "VIEW_SITE_DETAILS", SITE_LOCATION="/a/site"),
        activity(
            "admin", "MOBILE_SETTINGS", "ADD_MOBILE_WIRELESS_NETWORK", MOBILE_WIRELESS_NETWORK_NAME="lab"
        ),
    ]
    device, site, network = events(google_workspace.SENSOR, source("\n".join(lines)))
    assert device["related.user"] == ["1", "rosa", "rosa@corp.example", "maya@corp.example"]
    assert site["url.path"] == "/a/site"
    assert network["network.name"] == "lab"
