from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import zoom

WEBHOOK, OPERATIONS, ACTIVITIES = (
    SAMPLES / "zoom" / name for name in ("webhook.ndjson", "operations.ndjson", "activities.ndjson")
)


def test_the_samples_are_claimed_by_this_sensor_alone() -> None:
    assert claimed(WEBHOOK) == claimed(OPERATIONS) == claimed(ACTIVITIES) == ["zoom"]


def test_webhooks_say_who_did_what(source: MakeSource) -> None:
    rows = events(zoom.SENSOR, source(WEBHOOK.read_bytes()))
    assert frame_of(rows, "event.action", "event.type", "user.id", "user.email") == [
        ("meeting.participant_joined", ["info"], "userMilo", "milo.brandt@corp.example"),
        ("meeting.sharing_started", ["info", "start"], "userMilo", None),
        ("user.signed_in", ["start"], "userMilo", "milo.brandt@corp.example"),
        ("user.deleted", ["deletion"], "hostDana", "dana.okafor@corp.example"),
        ("phone.callee_ended", ["info", "end"], None, None),
        ("chat_channel.created", ["creation"], "hostDana", "dana.okafor@corp.example"),
        ("webinar.registration_created", ["info", "creation"], "regInes", "ines.varga@mail.example"),
        ("recording.stopped", ["info", "end"], "hostDana", None),
        ("meeting.ai_companion_used", ["info"], None, None),
        ("recording.registration_denied", ["info", "denied"], "r1", "maya@corp.example"),
        ("recording.trashed", ["info", "deletion"], "h1", None),
        ("account.updated", ["user", "change"], "o1", "rosa.admin@corp.example"),
        ("account.settings_updated", ["user", "change"], "o1", "rosa.admin@corp.example"),
        ("chat_channel.member_joined", ["user"], "o1", "rosa.admin@corp.example"),
    ]
    renamed = {"user.target.email": "o@corp.example", "user.changes.name": "nw"}
    assert shown(rows[11], renamed) == renamed
    assert rows[12]["event.category"] == ["configuration", "iam"]
    wanted = {
        "source.ip": "198.51.100.61",
        "user.full_name": "Milo Brandt",
        "event.duration": 3_600_000_000_000,
        "related.user": ["userMilo", "hostDana"],
        "observer.product": "Webhook",
    }
    assert shown(rows[0], wanted) == wanted
    assert times(rows)[:2] == ["2026-03-02T08:43:13", "2026-03-02T08:59:53"]
    assert (rows[3]["user.target.email"], rows[3]["event.category"]) == ("milo.brandt@corp.example", ["iam"])
    wanted = {
        "source.user.id": "userMilo",
        "destination.user.id": "hostDana",
        "event.duration": 20_000_000_000,
    }
    assert shown(rows[4], wanted) == wanted
    assert rows[5]["related.user"] == ["hostDana", "Milo Brandt", "userMilo", "Dana Okafor"]


def test_operations_and_sign_ins(source: MakeSource) -> None:
    role, factor = events(zoom.SENSOR, source(OPERATIONS.read_bytes()))
    wanted = {
        "event.dataset": "zoom.operation",
        "event.category": ["iam"],
        "event.type": ["change"],
        "user.email": "dana.okafor@corp.example",
        "user.target.email": "milo.brandt@corp.example",
    }
    assert shown(role, wanted) == wanted
    assert factor["event.category"] == ["configuration"]
    begin, end = events(zoom.SENSOR, source(ACTIVITIES.read_bytes()))
    assert (begin["event.type"], end["event.type"]) == (["start"], ["end"])
    assert (begin["event.category"], begin["source.ip"]) == (["authentication"], "198.51.100.61")


@pytest.mark.parametrize("record", [{}, {"event": "login", "payload": {}}, {"operator": "x", "time": 1}])
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not zoom.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from([WEBHOOK, OPERATIONS, ACTIVITIES])).read_bytes()
    assert accounted(zoom.SENSOR, source(data.draw(broken(sample))))
