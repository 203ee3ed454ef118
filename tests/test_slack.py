from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import slack

AUDIT = SAMPLES / "slack" / "audit.ndjson"
ACCESS = SAMPLES / "slack" / "access.ndjson"


def test_the_samples_are_claimed_by_this_sensor_alone() -> None:
    assert claimed(AUDIT) == claimed(ACCESS) == ["slack"]


def test_who_did_what_from_where(source: MakeSource) -> None:
    rows = events(slack.SENSOR, source(AUDIT.read_bytes()))
    assert frame_of(rows, "event.action", "event.type", "event.outcome", "user.email", "source.ip") == [
        ("user_login", ["info", "start"], "success", "dana.okafor@corp.example", "203.0.113.24"),
        ("user_login_failed", ["info"], "failure", "milo.brandt@corp.example", "2001:db8::5"),
        ("anomaly", ["info"], None, "milo.brandt@corp.example", "198.51.100.200"),
        ("file_malicious_content_detected", ["info"], None, "milo.brandt@corp.example", "198.51.100.200"),
        (
            "user_added_to_usergroup",
            ["change", "group", "user"],
            None,
            "dana.okafor@corp.example",
            "203.0.113.24",
        ),
        ("channel_emoji_counted", ["info"], None, "dana.okafor@corp.example", "203.0.113.24"),
    ]
    assert rows[2]["@timestamp"].microsecond == 345_113
    assert rows[3]["file.hash.md5"] == "7e2b2819a67bb11b0ca280c1d0646f00"
    assert rows[4]["group.name"] == "payroll"
    assert [number for number, row in enumerate(rows) if "event.original" in row] == [5]
    assert rows[0]["related.user"] == ["W123AB456", "dana.okafor@corp.example"]


def test_access_logs_are_sessions(source: MakeSource) -> None:
    (row,) = events(slack.SENSOR, source(ACCESS.read_bytes()))
    wanted = {
        "event.dataset": "slack.access",
        "event.category": ["authentication", "session"],
        "user.name": "milo.brandt",
        "source.ip": "198.51.100.200",
        "source.geo.country_iso_code": "US",
    }
    assert shown(row, wanted) == wanted
    assert (row["event.end"] - row["event.start"]).seconds == 3600


def test_a_page_of_entries_is_read(source: MakeSource) -> None:
    entries = [json.loads(line) for line in AUDIT.read_text().splitlines()]
    page = json.dumps({"entries": entries, "response_metadata": {"next_cursor": ""}}, indent=1)
    assert slack.SENSOR.sniff(page.encode(), "a.json")
    assert times(events(slack.SENSOR, source(page))) == times(
        events(slack.SENSOR, source(AUDIT.read_bytes()))
    )


@pytest.mark.parametrize("record", [{}, {"action": "x", "actor": "cat"}, {"user_id": 1, "ip": "192.0.2.1"}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not slack.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(content=st.deferred(lambda: broken(AUDIT.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    assert accounted(slack.SENSOR, source(content))
