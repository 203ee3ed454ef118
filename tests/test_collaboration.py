from __future__ import annotations

import json

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import collaboration

FILES = [SAMPLES / "collaboration" / f"{name}.ndjson" for name in ("asana", "notion", "zendesk")]


def test_the_samples_are_claimed_by_this_sensor_alone() -> None:
    assert [claimed(path) for path in FILES] == [["collaboration"]] * 3


def test_who_did_what_from_where(source: MakeSource) -> None:
    rows = [row for path in FILES for row in events(collaboration.SENSOR, source(path.read_bytes()))]
    assert frame_of(rows, "event.dataset", "event.category", "event.type", "event.outcome", "source.ip") == [
        ("asana.audit", ["iam"], ["creation"], None, "203.0.113.24"),
        ("asana.audit", ["authentication", "session"], ["info"], "failure", "2001:db8::46"),
        ("notion.audit", ["authentication", "session"], ["start"], "success", "203.0.113.24"),
        ("notion.audit", ["file"], ["access"], None, "198.51.100.24"),
        ("zendesk.audit", ["iam"], ["creation"], None, "203.0.113.24"),
    ]
    assert [row.get("user.name") for row in rows] == ["Dana Okafor", "Milo Brandt", None, None, "Dana Okafor"]
    assert rows[2]["user.email"] == "dana.okafor@corp.example"
    assert rows[4]["collaboration.object.name"] == "API token: sync"


@pytest.mark.parametrize(
    "record", [{}, {"event": {"type": "x"}}, {"actor": {}, "context": {}, "action": "x"}]
)
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not collaboration.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(FILES)).read_bytes()
    assert accounted(collaboration.SENSOR, source(data.draw(broken(sample))))
