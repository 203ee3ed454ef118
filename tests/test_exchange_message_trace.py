from __future__ import annotations

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import exchange_message_trace as trace

FILES = [
    SAMPLES / "exchange_message_trace" / name for name in ("trace.ndjson", "powershell.csv", "report.csv")
]


def test_the_samples_are_claimed_by_this_sensor_alone() -> None:
    assert [claimed(path) for path in FILES] == [["exchange_message_trace"]] * 3


def test_who_mailed_whom(source: MakeSource) -> None:
    rows = [row for path in FILES for row in events(trace.SENSOR, source(path.read_bytes(), path.name))]
    assert frame_of(rows, "source.user.email", "destination.user.name", "user.name", "event.outcome") == [
        ("hr@outside.example", "mara.quist", "mara.quist", "success"),
        ("mara.quist@corp.example", "private", "mara.quist", "failure"),
        ("mara.quist@corp.example", "lead", "lead", "failure"),
        ("mara.quist@corp.example", "private", "mara.quist", "success"),
    ]
    assert [str(row["@timestamp"])[:19] for row in rows] == [
        f"2026-10-05 08:00:0{second}" for second in (1, 2, 3, 4)
    ]
    assert rows[0]["email.to.address"] == ["mara.quist@corp.example"]
    assert rows[3]["source.ip"] == "203.0.113.20"
    assert rows[0]["event.category"] == ["email"]


@pytest.mark.parametrize("head", [b"", b'{"SenderAddress":"x"}', b"sender_address,recipient\na,b\n"])
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not trace.SENSOR.sniff(head, "x.csv")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(FILES))
    first, _, rest = path.read_bytes().partition(b"\n")
    if path.suffix != ".csv":
        assert accounted(trace.SENSOR, source(data.draw(broken(first + b"\n" + rest)), path.name))
    elif (content := data.draw(broken(rest))).strip():  # a header alone has no record
        assert accounted(trace.SENSOR, source(first + b"\n" + content, path.name))
