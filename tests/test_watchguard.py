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
    passed, denied, web, accepted, refused, flood, lease, admin, link, other = rows
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


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("watchguard")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
