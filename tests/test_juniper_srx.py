"""Juniper SRX: samples, meaning, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines

from sensors.juniper_srx import SENSOR
from sensors.sensor import claims

STRUCTURED = (SAMPLES / "juniper_srx" / "structured.log").read_text("utf-8")
PLAIN = (SAMPLES / "juniper_srx" / "plain.log").read_text("utf-8")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "juniper_srx").iterdir():
        assert [s.name for s in claims(path.read_bytes(), "x.log")] == ["juniper_srx"], path


def test_a_closed_flow() -> None:
    row = events(SENSOR, STRUCTURED)[1]
    assert (row["source.ip"], row["source.port"], row["source.nat.ip"]) == ("10.20.2.1", 50122, "192.0.2.1")
    assert (row["destination.ip"], row["destination.port"]) == ("198.51.100.12", 443)
    assert (row["source.bytes"], row["destination.bytes"], row["network.bytes"]) == (4274, 1575, 5849)
    assert (row["user.name"], row["rule.name"], row["network.transport"]) == ("ann.lee", "allow-web", "tcp")
    assert row["event.duration"] == 16_000_000_000
    assert (row["event.end"] - row["event.start"]).total_seconds() == 16
    assert (row["event.action"], row["event.type"]) == ("flow_close", ["end", "allowed", "connection"])
    assert (row["observer.ingress.zone"], row["observer.egress.zone"]) == ("trust", "untrust")


def test_both_forms_say_the_same_of_a_flow() -> None:
    names = ("source.ip", "source.nat.ip", "destination.port", "user.name", "rule.name", "event.type",
             "network.transport", "observer.ingress.zone", "source.bytes", "event.duration")  # fmt: skip
    for one, other in zip(events(SENSOR, STRUCTURED)[:3], events(SENSOR, PLAIN)[:3], strict=True):
        assert {n: one.get(n) for n in names} == {n: other.get(n) for n in names}


def test_alerts_and_logins() -> None:
    rows = events(SENSOR, STRUCTURED)
    said = [(row["event.kind"], row.get("event.action")) for row in rows]
    assert said[3:9] == [
        ("alert", "security_threat"),
        ("alert", "scan_detected"),
        ("alert", "web_filter"),
        ("alert", "malware_detected"),
        ("alert", "malware_detected"),
        ("event", "login"),
    ]
    assert (rows[8]["user.name"], rows[8]["event.outcome"]) == ("root", "failure")
    assert rows[9]["source.ip"] == "198.51.100.99"
    assert (rows[10]["source.port"], rows[10]["event.type"]) == (53, ["allowed"])
    assert "event.original" in rows[11]
    assert events(SENSOR, PLAIN)[3]["process.command_line"] == "show security flow session"


def test_who_came_over_ssh_and_by_what_policy() -> None:
    login, web, land = events(SENSOR, STRUCTURED)[-3:]
    assert (login["user.name"], login["source.ip"], login["source.port"]) == (
        "ann.lee",
        "198.51.100.4",
        41000,
    )
    assert (web["rule.name"], web["event.risk_score"]) == ("web-out", 3)
    assert (land["event.action"], land["event.kind"]) == ("attack_detected", "alert")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("juniper_srx")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
