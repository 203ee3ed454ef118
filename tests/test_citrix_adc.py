"""Citrix NetScaler: sample, meaning, hostile lines."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines

from sensors.citrix_adc import SENSOR
from sensors.sensor import claims

GATEWAY = (SAMPLES / "citrix_adc" / "gateway.log").read_text("utf-8")


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert [s.name for s in claims(GATEWAY.encode(), "x.log")] == ["citrix_adc"]


def test_sessions_say_who_from_where_and_how_much() -> None:
    rows = events(SENSOR, GATEWAY)
    assert len(rows) == len(GATEWAY.splitlines())
    login, flow, refused, over, ica = rows[:5]
    assert (login["user.name"], login["source.ip"], login["source.nat.ip"]) == (
        "ann.lee",
        "198.51.100.23",
        "10.12.0.7",
    )
    assert (login["event.action"], login["event.outcome"]) == ("login", "success")
    assert (flow["source.bytes"], flow["destination.ip"], flow["destination.port"]) == (8000, "10.1.0.22", 22)
    assert flow["event.duration"] == 122_000_000_000
    assert flow["event.start"] == datetime(2026, 10, 5, 8, 58, tzinfo=UTC)
    assert (refused["user.name"], refused["event.outcome"]) == ("bob.ray", "failure")
    assert refused["event.reason"] == "External authentication server denied access"
    assert (over["event.action"], over["event.end"]) == ("logout", datetime(2026, 10, 5, 9, 2, 2, tzinfo=UTC))
    assert (ica["user.name"], ica["user.domain"]) == ("ann.lee", "corp.example")


def test_other_messages() -> None:
    rows = events(SENSOR, GATEWAY)
    assert rows[5]["event.type"] == ["end", "connection"]
    assert (rows[6]["process.command_line"], rows[6]["event.outcome"]) == ("save ns config", "success")
    assert (rows[7]["tls.version"], rows[7]["server.port"]) == ("1.2", 443)
    assert rows[9]["@timestamp"] == datetime(2026, 10, 21, 9, 38, 41, tzinfo=UTC)
    assert (rows[9]["source.nat.ip"], rows[9]["destination.bytes"]) == ("10.12.0.10", 3118)


def test_other_features() -> None:
    """HTTP through the gateway, voice, what is quoted, access lists, whom a proxy spoke for."""
    web, voice, group, listed, removed = events(SENSOR, GATEWAY)[10:]
    assert (web["user.name"], web["client.ip"], web["http.request.method"]) == (
        "ann.lee",
        "198.51.100.23",
        "GET",
    )
    assert (voice["source.ip"], voice["destination.nat.port"], voice["group.name"]) == (
        "198.51.100.4",
        5063,
        "sip",
    )
    assert (voice["user.name"], voice["destination.user.name"]) == ("ann", "bob")
    assert group["user.name"] == "ann.lee"
    assert (listed["destination.ip"], listed["event.action"], listed["network.protocol"]) == (
        "203.0.113.3",
        "deny",
        "icmp",
    )
    assert (removed["network.forwarded_ip"], removed["server.ip"]) == ("203.0.113.8", "192.0.2.3")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("citrix_adc")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
