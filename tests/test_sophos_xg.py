"""Sophos Firewall: samples, VPN sessions, zones by name, both formats, hostile lines."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, example, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.sensor import claims
from sensors.sophos_xg import SENSOR

LINES = sample_lines("sophos_xg")


def test_samples_give_the_golden_events_and_are_claimed_by_one_sensor() -> None:
    for path in (SAMPLES / "sophos_xg").iterdir():
        assert [found.name for found in claims(path.read_bytes(), path.name)] == ["sophos_xg"]
    golden(SENSOR, "sophos_xg")


def test_other_lines_of_keys_are_not_its_own() -> None:
    assert not SENSOR.sniff(b'device="SFW" date=2026-10-05 time=08:00:01 log_type="Event"\n', "x.log")
    assert not SENSOR.sniff(b"", "x.log")


def test_a_vpn_session_from_its_beginning_to_its_end() -> None:
    rows = {row["event.code"]: row for row in events(SENSOR, "\n".join(LINES))}
    up, down = rows["17824"], rows["17825"]
    assert up["source.ip"] == down["source.ip"] == "198.51.100.57"
    assert up["source.nat.ip"] == down["source.nat.ip"] == "10.96.0.11"
    assert up["user.name"] == up["source.user.name"] == "mrossi"
    assert (up["event.category"], up["event.type"]) == (["network", "session"], ["connection", "start"])
    assert down["event.type"] == ["connection", "end"]
    assert down["event.start"] == up["@timestamp"] == datetime(2026, 10, 5, 12, 0, 11, tzinfo=UTC)
    assert down["event.duration"] == 30_660_000_000_000


def test_who_logs_in_to_a_vpn_and_what_the_web_firewall_found() -> None:
    rows = {row["event.code"]: row for row in events(SENSOR, "\n".join(LINES))}
    login, virus = rows["17701"], rows["17071"]
    assert (login["event.category"], login["event.type"], login["user.name"]) == (
        ["network", "authentication"],
        ["start", "connection"],
        "ann.lee",
    )
    assert (virus["event.category"], virus["event.kind"]) == (["malware", "network"], "alert")


def test_a_zone_that_a_name_fixes_counts_and_another_is_that_of_the_source() -> None:
    failed = next(line for line in LINES if "17711" in line)
    (row,) = events(SENSOR, source_of(failed, zone="Asia/Kolkata", given=True))
    assert row["@timestamp"] == datetime(2026, 10, 5, 7, 32, tzinfo=UTC)
    assert (row["event.action"], row["event.outcome"]) == ("login", "failure")
    (guessed,) = events(SENSOR, failed)
    assert guessed["molehunt.guess"] == ["zone"]
    (named,) = events(SENSOR, source_of(failed.replace('"IST"', '"EDT"'), zone="Asia/Kolkata"))
    assert named["@timestamp"] == datetime(2026, 10, 5, 17, 2, tzinfo=UTC)


def test_a_connection_that_stopped_ended_when_it_was_logged() -> None:
    row = next(row for row in events(SENSOR, "\n".join(LINES)) if row["source.bytes"] == 168)
    assert row["event.start"] == datetime(2026, 10, 5, 12, 19, 22, tzinfo=UTC)
    assert (row["network.direction"], row["network.transport"]) == ("outbound", "icmp")
    assert row["observer.hostname"] == "nyc-xg"


def test_an_unknown_kind_keeps_its_text() -> None:
    row = next(row for row in events(SENSOR, "\n".join(LINES)) if row.get("sophos.xg.log_type") == "Quantum")
    assert "no manual names" in row["event.original"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
@example(
    'device="x" log_id=010101600001 log_type="Firewall" duration=9223372036854775807 starttime=99999999999'
)
def test_nothing_breaks_it_and_nothing_vanishes(content: str) -> None:
    accounted(SENSOR, content)
