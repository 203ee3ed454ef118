from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from audit_trails import claimed, shown
from hypothesis import given, settings
from hypothesis import strategies as st
from json_sensors import frame_of
from text_sensors import SAMPLES, accounted, broken_lines, events, source_of

from sensors import f5_apm, mikrotik, softether

if TYPE_CHECKING:
    from sensors.sensor import Sensor

OF: dict[str, Sensor] = {
    "f5_bigip/apm.log": f5_apm.SENSOR,
    "mikrotik/routeros.log": mikrotik.SENSOR,
    "softether/sec_20260513.log": softether.SENSOR,
    "softether/server_20260513.log": softether.SENSOR,
    "softether/syslog.log": softether.SENSOR,
}
LINES = {file: (SAMPLES / file).read_text().splitlines() for file in OF}


@pytest.mark.parametrize("file", OF)
def test_the_samples_are_claimed_by_one_sensor_and_read_wholly(file: str) -> None:
    assert claimed(SAMPLES / file) == [OF[file].name]
    made = source_of((SAMPLES / file).read_bytes())
    assert len(events(OF[file], made)) == len(LINES[file])
    assert not made.unread


def test_sessions_of_the_access_policy_manager() -> None:
    rows = events(f5_apm.SENSOR, source_of((SAMPLES / "f5_bigip/apm.log").read_bytes()))
    names = ("event.action", "event.outcome", "session.id", "user.name", "source.ip", "source.nat.ip")
    one = "ab12cd34"
    assert frame_of(rows, *names) == [
        ("session-start", None, one, None, "203.0.113.9", None),
        ("user-agent", None, one, None, None, None),
        ("client-info", None, one, None, None, None),
        ("username", None, one, "dean", None, None),
        ("policy-rule", None, one, None, None, None),
        ("access-policy-passed", "success", one, None, None, None),
        ("address-assigned", "success", one, None, "203.0.113.9", "10.99.0.5"),
        ("session-statistics", None, one, None, None, None),
        ("session-end", None, one, None, None, None),
        ("access-policy-denied", "failure", "ab12cd99", None, None, None),
        (None, None, one, None, None, None),
    ]
    wanted = {"source.bytes": 4567, "destination.bytes": 12345, "host.name": "big1", "event.code": "01490521"}
    assert shown(rows[7], wanted) == wanted
    assert "event.original" in rows[10]


def test_routers_logins_vpn_clients_and_packets() -> None:
    rows = events(mikrotik.SENSOR, source_of((SAMPLES / "mikrotik/routeros.log").read_bytes()))
    names = ("event.action", "event.outcome", "user.name", "source.ip", "source.nat.ip", "destination.port")
    assert frame_of(rows, *names) == [
        ("firewall", "failure", None, "198.51.100.68", None, 53),
        ("firewall", None, None, "2001:db8:1234::1", None, 22),
        ("firewall", None, None, "10.4.0.9", "203.0.113.1", 443),
        ("firewall", None, None, "198.51.100.9", None, None),
        ("logged-in", "success", "admin", "192.168.88.6", None, None),
        ("login-failure", "failure", "root", "2001:db8:1::24", None, None),
        ("vpn-logged-in", "success", "dean", "203.0.113.9", "10.99.0.5", None),
        ("vpn-connected", None, "dean", None, None, None),
        ("vpn-logged-out", None, "dean", "203.0.113.9", None, None),
        ("vpn-login-failure", "failure", "dean", "203.0.113.77", None, None),
        ("ike-established", "success", None, "203.0.113.9", None, 4500),
        ("address-assigned", None, "dean", "203.0.113.9", "10.99.1.3", None),
        ("dhcp-lease", None, None, "192.168.88.10", None, None),
        ("configuration", "success", "admin", "192.168.88.6", None, None),
        ("link", None, None, None, None, None),
        (None, None, None, None, None, None),
        ("logged-out", None, "admin", "192.168.88.6", None, None),
    ]
    assert rows[8]["event.duration"] == 600_000_000_000
    assert rows[0]["observer.ingress.interface.name"] == "ether1-WAN"
    assert str(rows[16]["@timestamp"]) == "2026-03-18 20:46:11+00:00"


def test_hubs_say_who_came_from_where() -> None:
    rows = events(softether.SENSOR, source_of((SAMPLES / "softether/sec_20260513.log").read_bytes()))
    names = ("event.action", "user.name", "source.ip", "source.nat.ip", "session.id")
    assert frame_of(rows, *names) == [
        ("connecting", "dean", "203.0.113.9", None, None),
        ("authenticated", "dean", None, None, None),
        ("session-created", "dean", "203.0.113.9", None, "SID-DEAN-12"),
        ("address-assigned", "dean", None, "192.168.30.10", "SID-DEAN-12"),
        ("session-terminated", "dean", None, None, "SID-DEAN-12"),
        ("authentication-failed", "alice", "203.0.113.13", None, None),
        (None, None, None, None, None),
    ]
    assert rows[4]["source.bytes"] == 70_000
    failed, connected = events(softether.SENSOR, source_of((SAMPLES / "softether/syslog.log").read_bytes()))
    assert (failed["user.name"], failed["softether.hub"]) == ("alice", "corp")
    assert (connected["source.port"], connected["host.name"]) == (41000, "vpn.corp.example")


def test_what_softether_refuses_administers_and_tunnels() -> None:
    rows = events(softether.SENSOR, source_of((SAMPLES / "softether/server_20260513.log").read_bytes()))
    names = ("event.action", "event.outcome", "user.name", "user.target.name", "source.ip", "source.nat.ip")
    assert frame_of(rows, *names) == [
        (None, None, None, None, None, None),
        ("attack-detected", None, None, None, "203.0.113.66", None),
        ("administrator-login", "success", None, None, None, None),
        ("administrator-login", "failure", None, None, None, None),
        ("administrator-login", "success", "administrator", None, "203.0.113.44", None),
        ("administrator-login", "failure", "root", None, "2001:db8::44", None),
        ("user-created", "success", None, "contractor7", None, None),
        ("user-updated", "success", None, "contractor7", None, None),
        ("administration", None, None, None, None, None),
        ("user-deleted", "success", None, "contractor7", None, None),
        ("access-refused", "failure", "dean", None, None, None),
        ("access-refused", "failure", "dean", None, None, None),
        ("access-refused", "failure", None, None, "203.0.113.66", None),
        ("password-changed", "success", "dean", None, None, None),
        ("password-changed", "failure", "dean", None, None, None),
        ("certificate-refused", "failure", "dean", None, None, None),
        ("tunnel-started", None, None, None, "203.0.113.9", None),
        ("address-assigned", None, None, None, "203.0.113.9", "192.168.30.11"),
        ("authentication-failed", "failure", None, None, "203.0.113.10", None),
        ("tunnel-ended", None, None, None, "203.0.113.9", None),
        ("tunnel-started", None, None, None, "203.0.113.11", None),
        ("tunnel", None, None, None, "203.0.113.11", None),
        ("tunnel-ended", None, None, None, "203.0.113.11", None),
    ]


@settings(deadline=None, max_examples=40)
@given(file=st.sampled_from(list(OF)), data=st.data())
def test_broken_lines_never_stop_and_never_vanish(file: str, data: st.DataObject) -> None:
    accounted(OF[file], data.draw(broken_lines(LINES[file])))
