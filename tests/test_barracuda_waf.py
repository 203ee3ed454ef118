"""Barracuda Web Application Firewall: every kind of its logs, and broken lines."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from text_sensors import SAMPLES, Row, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.barracuda_waf import SENSOR

LINES = sample_lines("barracuda_waf")


def rows() -> list[Row]:
    return events(SENSOR, source_of((SAMPLES / "barracuda_waf" / "waf.log").read_bytes()))


def test_the_sample_is_claimed_and_gives_the_golden_events() -> None:
    assert SENSOR.sniff("\n".join(LINES).encode(), "waf.log")
    golden(SENSOR, "barracuda_waf")


def test_who_signed_in_to_the_device_and_who_could_not() -> None:
    told = [(row["event.action"], row.get("event.outcome"), row["user.name"]) for row in rows()[:5]]
    assert told == [
        ("login", "success", "dana"),
        ("config", None, "dana"),
        ("unsuccessful-login", "failure", "oleg"),
        ("admin-access-violation", "failure", "oleg"),
        ("logout", "success", "dana"),
    ]
    assert rows()[0]["@timestamp"].isoformat() == "2026-10-05T14:02:40.350000+00:00"


def test_an_attack_says_who_what_and_which_rule() -> None:
    attack = rows()[6]
    wanted = {
        "event.kind": "alert",
        "event.action": "deny",
        "event.type": ["denied"],
        "source.ip": "198.51.100.77",
        "rule.name": "webapp1:deny_ban_dir",
        "url.path": "/cgi-bin/process.cgi",
        "user.name": "Kevin",
        "http.request.referrer": "http://shop.corp.example/cgi-bin/1.pl",
        "user_agent.original": "Mozilla/4.0 (compatible; MSIE 6.0)",
    }
    assert {name: attack.get(name) for name in wanted} == wanted


def test_a_request_says_what_was_asked_and_answered() -> None:
    request = rows()[8]
    wanted = {
        "source.ip": "198.51.100.77",
        "source.port": 37976,
        "destination.ip": "192.0.2.10",
        "server.ip": "10.20.0.5",
        "http.response.status_code": 200,
        "http.response.bytes": 812,
        "http.request.bytes": 6401,
        "url.domain": "shop.corp.example",
        "url.query": "id=7",
        "user.name": "John",
    }
    assert {name: request.get(name) for name in wanted} == wanted
    assert "203.0.113.44" in rows()[9]["related.ip"]  # whom the proxy asked for


def test_a_line_of_another_form_is_an_event() -> None:
    last = rows()[-1]
    assert last["event.original"].endswith("restarting")


def test_other_logs_are_not_claimed() -> None:
    for head in (
        b"",
        b"Oct  5 12:11:24 h sshd[1]: Accepted",
        b"2026-10-05 09:02:40.350 -0500 h TR",
        b'{"a":1}',
    ):
        assert not SENSOR.sniff(head, "x.log")


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_broken_lines_never_stop_and_never_vanish(data: st.DataObject) -> None:
    accounted(SENSOR, data.draw(broken_lines(LINES)))
