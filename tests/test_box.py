from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import box

SAMPLE = SAMPLES / "box" / "events.ndjson"


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimed(SAMPLE) == ["box"]


def test_who_did_what_from_where(source: MakeSource) -> None:
    rows = events(box.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows, "event.action", "event.kind", "user.email", "source.ip") == [
        ("ITEM_DOWNLOAD", "event", "milo.brandt@corp.example", "203.0.113.24"),
        ("FAILED_LOGIN", "event", "milo.brandt@corp.example", "2001:db8::44"),
        ("COLLABORATION_INVITE", "event", "milo.brandt@corp.example", "203.0.113.24"),
        ("SHIELD_ALERT", "alert", None, None),
        ("HUB_ITEM_PINNED", "event", "dana.okafor@corp.example", "203.0.113.25"),
    ]
    assert times(rows)[0] == "2026-03-02T15:00:54"
    wanted = {
        "file.name": "payroll-2026.xlsx",
        "file.path": "/All Files/Payroll/payroll-2026.xlsx",
        "file.size": 48213,
        "file.hash.sha1": "f46cece3eeb7d9ed5cb244d902775427be710001",
        "event.type": ["access"],
        "user.name": "Milo Brandt",
    }
    assert shown(rows[0], wanted) == wanted
    assert rows[1]["event.outcome"] == "failure"
    assert rows[4]["file.directory"] == "Drafts"
    assert [number for number, row in enumerate(rows) if "event.original" in row] == [4]


def test_an_alert_is_about_its_user(source: MakeSource) -> None:
    row = events(box.SENSOR, source(SAMPLE.read_bytes()))[3]
    wanted = {
        "event.category": ["threat", "network"],
        "event.type": ["indicator", "access", "connection"],
        "rule.name": "Suspicious Location",
        "user.effective.name": "Milo Brandt",
        "related.ip": ["198.51.100.144"],
        "related.user": ["milo.brandt@corp.example", "202", "Milo Brandt"],
        "event.risk_score": 60.0,
    }
    assert shown(row, wanted) == wanted


def test_a_page_is_read(source: MakeSource) -> None:
    entries = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    page = json.dumps({"entries": entries, "next_stream_position": "1"})
    assert box.SENSOR.sniff(page.encode(), "e.json")
    assert len(events(box.SENSOR, source(page))) == 5


@pytest.mark.parametrize("record", [{}, {"event_type": "login"}, {"event_type": "Login", "TIMESTAMP": "2"}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not box.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    assert accounted(box.SENSOR, source(content))
