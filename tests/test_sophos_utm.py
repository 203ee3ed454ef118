"""Sophos UTM: samples, VPN sessions, authentication, services in words, hostile lines."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, example, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.sensor import claims
from sensors.sophos_utm import SENSOR

LINES = sample_lines("sophos_utm")
OWN = [line for line in LINES if "2026:" in line]


def test_samples_give_the_golden_events_and_are_claimed_by_one_sensor() -> None:
    for path in (SAMPLES / "sophos_utm").iterdir():
        assert [found.name for found in claims(path.read_bytes(), path.name)] == ["sophos_utm"]
    golden(SENSOR, "sophos_utm")


def test_other_lines_are_not_its_own() -> None:
    assert not SENSOR.sniff(b"2026-10-05T08:00:00Z nyc-utm sshd[1]: Accepted password for root\n", "x.log")
    assert not SENSOR.sniff(b"", "x.log")


def test_a_vpn_session_from_its_beginning_to_its_end() -> None:
    up, down = events(SENSOR, source_of("\n".join(OWN[:2]), zone="America/New_York"))
    assert up["@timestamp"] == datetime(2026, 10, 5, 12, 0, 1, tzinfo=UTC)
    assert up["molehunt.guess"] == ["zone"]
    assert up["source.ip"] == down["source.ip"] == "198.51.100.57"
    assert up["source.nat.ip"] == down["source.nat.ip"] == "10.242.2.2"
    assert up["user.name"] == up["source.user.name"] == "mrossi"
    assert (up["event.category"], up["event.type"]) == (["network", "session"], ["connection", "start"])
    assert (down["event.type"], down["source.bytes"]) == (["connection", "end"], 710_033)


def test_who_was_let_in_and_who_was_not() -> None:
    passed, failed = events(SENSOR, "\n".join(OWN[2:4]))
    assert (passed["event.category"], passed["event.outcome"]) == (["authentication"], "success")
    assert (failed["event.outcome"], failed["user.name"]) == ("failure", "dkim")


def test_services_speak_in_words() -> None:
    rows = {row.get("event.action"): row for row in events(SENSOR, "\n".join(OWN))}
    lease, listening, named = rows["dhcpack"], rows["dhcpd-listening"], rows["named-listening"]
    assert (lease["client.ip"], lease["client.mac"]) == ("10.20.31.9", "00-00-5E-00-53-22")
    assert (lease["client.domain"], lease["observer.ingress.interface.name"]) == ("CORP-LT-0124", "eth0")
    assert listening["observer.ingress.interface.name"] == "eth0"
    assert (named["server.ip"], named["server.port"]) == ("10.20.8.1", 53)


def test_a_line_in_words_is_an_event_with_its_message() -> None:
    row = events(SENSOR, next(line for line in OWN if "ntpd" in line))[0]
    assert row["message"] == "a line in words that no manual names"
    assert row["process.name"] == "ntpd"


def test_requests_refused_logins_to_its_shell_and_changes_of_its_settings() -> None:
    rows = events(SENSOR, "\n".join(OWN[-4:]))
    waf, failed, deleted, accepted = rows
    assert (waf["event.category"], waf["event.type"]) == (
        ["web", "intrusion_detection"],
        ["access", "denied"],
    )
    assert "http.request.referrer" not in waf
    assert (failed["user.name"], failed["source.ip"], failed["event.outcome"]) == (
        "root", "203.0.113.9", "failure",
    )  # fmt: skip
    assert (deleted["event.category"], deleted["event.type"]) == (["configuration"], ["deletion"])
    assert (accepted["event.dataset"], accepted["molehunt.guess"]) == ("system.auth", ["zone"])
    line = OWN[-4].replace('reason="waf"', 'reason="-"').replace("403", "200")
    assert events(SENSOR, line)[0]["event.type"] == ["access"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
@example('2026:13:45-25:00:00 h a[99999999999999999999]: proto="x" srcport="-1"')
def test_nothing_breaks_it_and_nothing_vanishes(content: str) -> None:
    accounted(SENSOR, content)
