from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import salesforce

LOGINS = SAMPLES / "salesforce" / "Login.csv"
EVENTS = SAMPLES / "salesforce" / "events.ndjson"


def test_the_samples_are_claimed_by_this_sensor_alone() -> None:
    assert claimed(LOGINS) == claimed(EVENTS) == ["salesforce"]


def test_logins_out_of_a_log_file(source: MakeSource) -> None:
    good, bad = events(salesforce.SENSOR, source(LOGINS.read_bytes(), "Login.csv"))
    wanted = {
        "event.dataset": "salesforce.login",
        "event.action": "login-attempt",
        "event.category": ["authentication"],
        "event.outcome": "success",
        "event.provider": "EventLogFile",
        "user.id": "0056j000000utAAQAZ",
        "user.email": "dana.okafor@corp.example",
        "source.ip": "203.0.113.24",
        "tls.version": "1.3",
        "log.file.line": 2,
    }
    assert shown(good, wanted) == wanted
    assert (bad["event.outcome"], bad["user_agent.original"]) == ("failure", 'python "requests"')
    assert times([good]) == ["2026-03-02T08:01:02"]


def test_other_events(source: MakeSource) -> None:
    rows = events(salesforce.SENSOR, source(EVENTS.read_bytes()))
    assert frame_of(rows, "event.dataset", "event.action", "event.type", "source.ip") == [
        ("salesforce.logout", "logout", ["info"], "203.0.113.24"),
        ("salesforce.reportexport", "report-export", ["access"], "198.51.100.8"),
        ("salesforce.apex", "apex-trigger", ["connection"], "2001:db8::8"),
        ("salesforce.login", "login-attempt", ["info"], "198.51.100.20"),
        ("salesforce.setupaudittrail", "PermSetAssign", ["admin"], None),
    ]
    assert rows[1]["event.category"] == ["file"]
    assert rows[2]["event.duration"] == 8_000_000
    assert (rows[3]["source.geo.city_name"], rows[3]["source.geo.country_iso_code"]) == ("Kankakee", "US")
    assert rows[4]["user.email"] == "dana.okafor@corp.example"
    assert rows[4]["user.target.name"] == "milo.brandt@corp.example"


@pytest.mark.parametrize("record", [{}, {"EVENT_TYPE": "LOGIN"}, {"Action": "x", "Section": "y"}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not salesforce.SENSOR.sniff(json.dumps(record).encode(), "x.json")
    assert not salesforce.SENSOR.sniff(b"EVENT_TYPE,ID\nLogin,1\n", "x.csv")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([LOGINS, EVENTS]))
    assert accounted(salesforce.SENSOR, source(data.draw(broken(path.read_bytes())) + b"\nlast\n", path.name))
