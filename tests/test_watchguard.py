"""WatchGuard Firebox: sample, meaning, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines

from sensors.sensor import claims
from sensors.watchguard import SENSOR

FIREBOX = (SAMPLES / "watchguard" / "firebox.log").read_text("utf-8")


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert [s.name for s in claims(FIREBOX.encode(), "x.log")] == ["watchguard"]


def test_messages() -> None:
    rows = events(SENSOR, FIREBOX)
    assert len(rows) == len(FIREBOX.splitlines())
    passed, denied, web, accepted, refused, flood, lease, admin, link, other = rows[:10]
    assert (passed["source.ip"], passed["source.port"]) == ("10.20.1.2", 62443)
    assert (passed["destination.ip"], passed["destination.port"]) == ("198.51.100.80", 443)
    assert (passed["rule.name"], passed["network.transport"]) == ("HTTPS-00", "tcp")
    assert passed["observer.serial_number"] == "80DA0000F0001"
    assert (denied["event.outcome"], denied["rule.name"]) == ("failure", "Unhandled External Packet-00")
    assert (web["user.name"], web["destination.domain"], web["source.bytes"]) == (
        "ann.lee",
        "files.example",
        517,
    )
    assert web["event.duration"] == 2_265_000
    assert (accepted["user.name"], accepted["user.domain"], accepted["source.ip"]) == (
        "ann.lee",
        "Firebox-DB",
        "198.51.100.23",
    )
    assert [row["event.outcome"] for row in (accepted, refused, admin)] == ["success", "failure", "failure"]
    assert refused["event.reason"] == "password is incorrect"
    assert (flood["event.kind"], flood["source.ip"], flood["destination.ip"]) == (
        "alert",
        "203.0.113.10",
        "192.0.2.1",
    )
    assert lease["source.ip"] == "10.20.1.20"
    assert (admin["user.name"], admin["source.ip"]) == ("admin", "10.20.1.7")
    assert link["observer.ingress.interface.name"] == "eth1"
    assert "event.original" in other


def test_what_numbers_mean() -> None:
    """The list of numbers says it, not the words: a listed refusal, a tunnel, a session's end, an alarm."""
    attack, tunnel, left, name, lease, alarm = events(SENSOR, FIREBOX)[10:]
    assert attack["event.category"] == ["web", "intrusion_detection"]
    assert (attack["event.type"], attack["event.outcome"]) == (["error", "denied"], "failure")
    assert (attack["rule.category"], attack["event.severity"]) == ("Web Attack", 5)
    assert (attack["file.path"], attack["observer.serial_number"]) == ("/cgi/run.pl", "80DA0000F0001")
    assert (tunnel["event.action"], tunnel["event.type"]) == ("established", ["start"])
    assert (left["event.type"], left["user.name"], left["source.nat.ip"]) == (
        ["end"],
        "ann.lee",
        "192.168.113.2",
    )
    assert (name["dns.question.name"], name["dns.resolved_ip"]) == ("dyn.example", ["203.0.113.53"])
    assert lease["source.mac"]
    assert "source.address" not in lease
    assert lease["event.outcome"] == "failure"
    assert (alarm["event.kind"], alarm["event.outcome"]) == ("alert", "unknown")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("watchguard")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
