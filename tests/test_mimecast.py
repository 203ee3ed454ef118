from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import mimecast

SAMPLE = SAMPLES / "mimecast" / "audit_events.ndjson"


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimed(SAMPLE) == ["mimecast"]


def test_what_the_sentence_says(source: MakeSource) -> None:
    rows = events(mimecast.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows, "event.action", "event.type", "event.outcome", "client.ip", "user.name") == [
        ("user-logged-on", ["start"], "success", "203.0.113.24", "dana.okafor"),
        ("logon-authentication-failed", ["info"], "failure", "198.51.100.15", "milo.brandt"),
        ("threat-intel-feed-download", ["access"], None, "2001:db8::15", "dana.okafor"),
        ("message-action", ["info"], None, "203.0.113.24", "dana.okafor"),
        ("folder-log-entry", ["info"], None, "203.0.113.24", "dana.okafor"),
        ("page-data-exports", ["access"], None, "203.0.113.9", "ann"),
        ("mimecast-support-login", ["start"], "success", "203.0.113.9", "ann"),
    ]
    assert (rows[5]["file.name"], rows[5]["file.size"]) == ("Message Tracking.csv", 2048)
    assert (rows[0]["mimecast.method"], rows[0]["mimecast.2FA"]) == ("Two Step Auth", "TOTP")
    assert rows[1]["event.reason"] == "Account locked"
    assert rows[2]["file.name"] == "malware_grid_csv_2026.zip"
    assert rows[3]["email.from.address"] == ["ines.varga@mail.example"]
    assert rows[3]["email.to.address"] == ["milo.brandt@corp.example"]
    assert rows[3]["email.subject"] == "The invoice"


def test_a_page_of_the_api_is_read(source: MakeSource) -> None:
    entries = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    page = json.dumps({"data": entries, "fail": []})
    assert len(events(mimecast.SENSOR, source(page))) == 7


@pytest.mark.parametrize("record", [{}, {"auditType": "x"}, {"eventTime": "x", "eventInfo": "y"}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not mimecast.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    assert accounted(mimecast.SENSOR, source(content))
