from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import mattermost

SAMPLE = SAMPLES / "mattermost" / "audit.log"


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimed(SAMPLE) == ["mattermost"]


def test_who_did_what_and_how_it_ended(source: MakeSource) -> None:
    rows = events(mattermost.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows, "event.action", "event.category", "event.outcome", "source.ip", "url.path") == [
        ("login", ["authentication", "session"], "success", "203.0.113.24", "/api/v4/users/login"),
        ("patchUser", ["iam"], "success", "203.0.113.24", "/api/v4/users/me/patch"),
        ("addTeamMembers", ["iam"], "success", "2001:db8::24", "/api/v4/teams/kn/members/batch"),
        ("deleteChannel", ["configuration"], "failure", "198.51.100.4", "/api/v4/channels/x"),
        ("updateConfig", ["configuration"], "success", "203.0.113.24", "/api/v4/config"),
        ("boardSprinkled", ["configuration"], "unknown", "203.0.113.24", "/plugins/boards"),
    ]
    assert rows[1]["user.changes.name"] == "milo"
    assert rows[1]["user.target.name"] == "mbrandt"
    assert rows[2]["user.target.group.name"] == "payroll"
    assert rows[2]["related.user"] == [
        "ag99yu4i1if63jrui63tsmqaaa",
        "cuk45yubk3nq8g7udrhojbkaaa",
        "cuk45yubk3nq8g7udrhojbkbbb",
    ]
    assert rows[3]["http.response.status_code"] == 403
    assert rows[4]["user.id"] == "ag99yu4i1if63jrui63tsmqaaa"
    assert [number for number, row in enumerate(rows) if "event.original" in row] == [5]


@pytest.mark.parametrize("record", [{}, {"event": "login", "timestamp": 1}, {"event_name": "x", "actor": {}}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not mattermost.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    assert accounted(mattermost.SENSOR, source(content))
