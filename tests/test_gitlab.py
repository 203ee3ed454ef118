from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import gitlab

LOG, API, AUTH = (SAMPLES / "gitlab" / name for name in ("audit_json.log", "audit_events.json", "auth.log"))


def test_the_samples_are_claimed_by_this_sensor_alone() -> None:
    assert claimed(LOG) == claimed(API) == claimed(AUTH) == ["gitlab"]


def test_the_audit_log_says_what_was_changed(source: MakeSource) -> None:
    rows = events(gitlab.SENSOR, source(LOG.read_bytes()))
    assert frame_of(rows, "event.action", "user.name", "user.target.name", "source.ip", "event.severity") == [
        ("change_visibility", "Milo Brandt", None, None, 1),
        ("add_user_access", "Milo Brandt", "Out Sider", "203.0.113.24", 1),
    ]
    assert rows[0]["gitlab.audit.to"] == "Public"
    assert rows[1]["related.user"] == ["3", "Milo Brandt", "7", "Out Sider"]


def test_events_of_the_api_have_names(source: MakeSource) -> None:
    token, failed = events(gitlab.SENSOR, source(API.read_bytes(), "audit_events.json"))
    wanted = {
        "event.dataset": "gitlab.audit",
        "event.action": "project_access_token_created",
        "event.category": ["iam"],
        "event.type": ["creation"],
        "user.email": "dana.okafor@corp.example",
        "source.ip": "198.51.100.7",
    }
    assert shown(token, wanted) == wanted
    assert (failed["event.category"], failed["event.outcome"]) == (["authentication"], "failure")


def test_refused_requests(source: MakeSource) -> None:
    blocked, throttled = events(gitlab.SENSOR, source(AUTH.read_bytes()))
    wanted = {
        "event.dataset": "gitlab.auth",
        "event.action": "blocklist",
        "event.severity": 3,
        "url.path": "/group/project.git/info/refs",
        "url.query": "service=git-upload-pack",
        "http.request.method": "GET",
        "client.ip": "198.51.100.18",
    }
    assert shown(blocked, wanted) == wanted
    wanted = {"http.response.status_code": 429, "user.id": "3", "user.name": "mbrandt", "process.pid": 1142}
    assert shown(throttled, wanted) == wanted


@pytest.mark.parametrize("record", [{}, {"author_id": 1}, {"severity": "INFO", "time": "x", "path": "/"}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not gitlab.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from([LOG, API, AUTH])).read_bytes()
    assert accounted(gitlab.SENSOR, source(data.draw(broken(sample))))
