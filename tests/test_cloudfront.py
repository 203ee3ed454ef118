from __future__ import annotations

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import cloudfront

NAMED = SAMPLES / "cloudfront" / "E2EXAMPLE.2026-10-05-14.a1b2c3d4"
HEADLESS = SAMPLES / "cloudfront" / "headless.log"


def test_the_samples_are_claimed_by_this_sensor_alone() -> None:
    assert [claimed(path) for path in (NAMED, HEADLESS)] == [["cloudfront"]] * 2


def test_requests_are_events_with_and_without_a_line_of_names(source: MakeSource) -> None:
    rows, bare = (events(cloudfront.SENSOR, source(path.read_bytes())) for path in (NAMED, HEADLESS))
    wanted = {
        "event.outcome": "failure",
        "event.action": "error",
        "event.duration": 113_000_000,
        "source.ip": "2001:db8::20",
        "source.port": 51754,
        "http.request.method": "POST",
        "http.response.status_code": 403,
        "http.version": "2.0",
        "network.forwarded_ip": "198.51.100.9",
        "tls.version": "1.3",
        "url.domain": "portal.example",
        "url.path": "/api/export",
        "url.query": "q=1&b=2",
        "url.original": "/api/export?q=1&b=2",
        "log.file.line": 4,
    }
    assert shown(rows[1], wanted) == wanted
    assert [row["user_agent.original"] for row in rows[:3:2]] == ["Mozilla/5.0 (X11; Linux)", "curl/8.5.0 x"]
    fields = ("@timestamp", "source.ip", "url.path", "http.response.status_code", "user_agent.original")
    assert frame_of(bare, *fields) == frame_of(rows[:3], *fields)


def test_another_order_of_fields_is_followed(source: MakeSource) -> None:
    made = source(
        "#Fields: c-ip x-edge-location date time cs-method\n203.0.113.1\tFRA\t2026-10-05\t14:20:01\tGET\nx\n"
    )
    (row,) = events(cloudfront.SENSOR, made)
    assert (row["source.ip"], row["http.request.method"]) == ("203.0.113.1", "GET")
    assert [unread.line for unread in made.unread] == [3]


@pytest.mark.parametrize(
    "head", [b"", b"#Fields: date time cs-method cs-uri-stem\n", b"2026-10-05\t14:20:01\tx\n"]
)
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not cloudfront.SENSOR.sniff(head, "x.log")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    content = data.draw(broken(HEADLESS.read_bytes()))
    assert not content.strip() or accounted(cloudfront.SENSOR, source(content))
