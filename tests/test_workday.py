from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import workday

ACTIVITY, SIGNONS = (SAMPLES / "workday" / name for name in ("activity.ndjson", "signons.csv"))


def test_the_samples_are_claimed_by_this_sensor_alone() -> None:
    assert claimed(ACTIVITY) == claimed(SIGNONS) == ["workday"]


def test_who_ran_which_task_on_whom(source: MakeSource) -> None:
    rows = events(workday.SENSOR, source(ACTIVITY.read_bytes()))
    assert frame_of(rows, "event.action", "event.type", "user.name", "source.ip") == [
        ("Payment Elections", ["access"], "dokafor", "203.0.113.24"),
        ("Change Payment Elections", ["creation"], "mbrandt", "2001:db8::24"),
    ]
    assert rows[1]["user.email"] == "mbrandt@corp.example"
    assert rows[0]["workday.activity.target.descriptor"] == "Milo Brandt"


def test_sign_ons_of_a_zone(source: MakeSource) -> None:
    good, bad = events(workday.SENSOR, source(SIGNONS.read_bytes(), "signons.csv", "America/Los_Angeles"))
    assert times([good, bad]) == ["2026-03-02T16:01:02", "2026-03-02T21:02:03"]
    wanted: dict[str, object] = {
        "event.dataset": "workday.signon",
        "event.outcome": "success",
        "event.category": ["authentication", "session"],
        "event.duration": 3_600_000_000_000,
        "user.name": "dokafor",
        "user.full_name": "Dana Okafor",
        "session.id": "9a3b01",
    }
    assert shown(good, wanted) == wanted
    assert (bad["event.outcome"], bad["event.reason"]) == ("failure", "Invalid Password")


def test_a_report_as_a_service(source: MakeSource) -> None:
    record = {
        "Workday_Account": "dokafor",
        "Signon_DateTime": "2026-03-02T08:01:02.000-08:00",
        "Session_IP_Address": "203.0.113.24",
        "Multi-Factor_Type": "Duo",
    }
    line = json.dumps(record)
    assert workday.SENSOR.sniff(line.encode(), "x.json")
    (row,) = events(workday.SENSOR, source(line))
    assert times([row]) == ["2026-03-02T16:01:02"]
    assert row["workday.signon.multi_factor_type"] == "Duo"


def test_attempts_of_people_whom_workday_does_not_know(source: MakeSource) -> None:
    record = {
        "id": "1",
        "attemptedUsername": "nobody",
        "signonDateTime": "2026-03-02T08:01:02Z",
        "ipAddress": "192.0.2.7",
    }
    line = json.dumps(record)
    assert workday.SENSOR.sniff(line.encode(), "x.json")
    (row,) = events(workday.SENSOR, source(line))
    assert (row["event.outcome"], row["user.name"], row["source.ip"]) == ("failure", "nobody", "192.0.2.7")


@pytest.mark.parametrize("record", [{}, {"systemAccount": "x"}, {"Signon": "x", "account": "y"}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not workday.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([ACTIVITY, SIGNONS]))
    assert accounted(workday.SENSOR, source(data.draw(broken(path.read_bytes())) + b"\nlast\n", path.name))
