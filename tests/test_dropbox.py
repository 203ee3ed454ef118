from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import dropbox

SAMPLE = SAMPLES / "dropbox" / "team_log.ndjson"


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimed(SAMPLE) == ["dropbox"]


def test_who_did_what_from_where(source: MakeSource) -> None:
    rows = events(dropbox.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows, "event.action", "event.type", "event.outcome", "user.email", "source.ip") == [
        ("login_success", ["start"], "success", "dana.okafor@corp.example", "203.0.113.24"),
        ("login_fail", ["info"], "failure", "milo.brandt@corp.example", "2001:db8::24"),
        ("file_download", ["access"], None, "milo.brandt@corp.example", "198.51.100.24"),
        ("group_add_member", ["group", "change"], None, "dana.okafor@corp.example", "203.0.113.24"),
    ]
    assert rows[0]["event.category"] == ["authentication", "session"]
    assert rows[0]["session.id"] == "dbwsid:1"
    assert rows[0]["source.geo.city_name"] == "Kankakee"
    wanted: dict[str, object] = {
        "event.category": ["file"],
        "file.name": "2026.xlsx",
        "file.path": "/Payroll/2026.xlsx",
        "file.size": 482,
        "dropbox.access_method": "desktop",
    }
    assert shown(rows[2], wanted) == wanted
    assert (rows[3]["user.target.email"], rows[3]["group.name"]) == ("out.sider@mail.example", "payroll")
    assert rows[3]["dropbox.involve_non_team_member"] == "true"


def test_a_page_of_the_api_is_read(source: MakeSource) -> None:
    entries = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    page = json.dumps({"events": entries, "cursor": "x", "has_more": False}, indent=2)
    assert dropbox.SENSOR.sniff(page.encode(), "e.json")
    assert len(events(dropbox.SENSOR, source(page))) == 4


@pytest.mark.parametrize("record", [{}, {"event_type": "LOGIN"}, {"event_type": {".tag": "x"}}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not dropbox.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    assert accounted(dropbox.SENSOR, source(content))
