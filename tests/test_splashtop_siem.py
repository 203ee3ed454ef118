"""Splashtop's portal, as it pushes its logs: who signed in, who was connected to whom, from where."""

from __future__ import annotations

from audit_trails import BROKEN, SAMPLES, accounted, claimed
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import splashtop_siem

FILE = SAMPLES / "splashtop_siem" / "siem.ndjson"


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimed(FILE) == ["splashtop_siem"]


def test_logins_sessions_and_files(source: MakeSource) -> None:
    rows = events(splashtop_siem.SENSOR, source(FILE.read_bytes()))
    assert frame_of(rows, "event.action", "event.type", "event.outcome", "source.ip") == [
        ("member_manually_log_in", ["start"], "success", "198.51.100.77"),
        ("login_new_device", ["start"], "failure", "198.51.100.77"),
        ("sos_sessions", ["start"], None, "198.51.100.77"),
        ("sos_sessions", ["end"], None, "198.51.100.77"),
        ("file_transfer", ["access"], None, "198.51.100.77"),
        ("member_manually_log_out", ["end"], None, "198.51.100.77"),
    ]
    session = rows[2]
    assert (session["user.email"], session["source.domain"]) == ("oleg.remote@mail.example", "DESKTOP-OLEG77")
    assert (session["destination.ip"], session["destination.domain"]) == ("203.0.113.10", "LT-DEAN")
    assert str(session["@timestamp"]) == "2026-10-05 14:02:45+00:00"


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    assert accounted(splashtop_siem.SENSOR, source(data.draw(broken(FILE.read_bytes()))))
