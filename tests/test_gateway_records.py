from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of

from sensors import arista_ngfw, barracuda_cloudgen_firewall, f5_bigip, tailscale, twingate

if TYPE_CHECKING:
    from sensors.sensor import Sensor

OF: dict[str, tuple[Sensor, int]] = {
    "arista_ngfw/uvm.log": (arista_ngfw.SENSOR, 14),
    "f5_bigip/telemetry.json": (f5_bigip.SENSOR, 8),
    "f5_bigip/dos.log": (f5_bigip.SENSOR, 1),
    "barracuda_cloudgen_firewall/stream.json": (barracuda_cloudgen_firewall.SENSOR, 5),
    "tailscale/audit.json": (tailscale.SENSOR, 2),
    "tailscale/network.json": (tailscale.SENSOR, 5),
    "twingate/connections.json": (twingate.SENSOR, 4),
    "twingate/connector.log": (twingate.SENSOR, 1),
}


@pytest.mark.parametrize("file", OF)
def test_the_samples_are_claimed_by_one_sensor_and_read_wholly(source: MakeSource, file: str) -> None:
    sensor, count = OF[file]
    assert claimed(SAMPLES / file) == [sensor.name]
    made = source((SAMPLES / file).read_bytes())
    rows = events(sensor, made)
    assert len(rows) == count
    assert not made.unread
    assert all(row.keys() >= {"@timestamp", "event.dataset", "event.kind"} for row in rows)


def read(source: MakeSource, file: str, zone: str = "UTC") -> list[dict[str, object]]:
    return events(OF[file][0], source((SAMPLES / file).read_bytes(), zone=zone))


def test_arista_sessions_logins_and_vpn_clients(source: MakeSource) -> None:
    rows = read(source, "arista_ngfw/uvm.log", "America/Denver")
    names = ("event.provider", "event.type", "event.outcome", "source.ip", "user.name")
    assert frame_of(rows, *names) == [
        ("admin_login", ["denied"], "failure", "10.0.1.21", "admin"),
        ("http_request", ["connection", "start"], None, "10.4.0.9", "dean"),
        ("http_response", ["connection", "end"], None, "10.4.0.9", "dean"),
        ("intrusion_prevention", ["denied"], "failure", "198.51.100.7", None),
        ("session_stats", ["info"], None, "10.4.0.9", "dean"),
        ("session_event", ["info"], None, "10.4.0.9", "dean"),
        ("web_filter", ["connection", "end", "allowed"], "success", "10.4.0.9", "dean"),
        ("firewall", ["connection", "denied"], "failure", None, None),
        ("interface_stats", ["info"], None, None, None),
        ("system_stats", ["info"], None, None, None),
        ("vpn", ["start"], None, "203.0.113.9", "dean"),
        ("vpn", ["info"], None, "203.0.113.9", "dean"),
        ("login", ["info"], "failure", "10.4.0.9", "dean"),
        (None, None, None, None, None),
    ]
    wanted = {
        "url.path": "/up",
        "url.query": "x=1",
        "source.nat.ip": "203.0.113.1",
        "log.syslog.priority": 174,
        "network.transport": "tcp",
    }
    assert shown(rows[2], wanted) == wanted
    assert str(rows[0]["@timestamp"]) == "2026-05-23 16:06:57.518000+00:00"
    assert rows[4]["network.bytes"] == 195
    assert rows[10]["source.nat.ip"] == "172.16.9.4"
    assert "event.original" in rows[13]


def test_f5_modules(source: MakeSource) -> None:
    rows = read(source, "f5_bigip/telemetry.json")
    firewall, access, client, web, _, _, health, system = rows
    wanted = {
        "source.ip": "203.0.113.9",
        "user.name": "dean",
        "user.domain": "CORP",
        "event.outcome": "failure",
    }
    assert shown(firewall, wanted) == wanted
    assert (access["event.action"], access["session.id"]) == ("logon_deny", "ab32cda2")
    assert client["network.bytes"] == 17
    assert web["url.domain"] == "www.corp.example"
    assert (web["event.kind"], web["http.version"]) == ("alert", "1.0")
    assert "http.response.status_code" not in web
    assert str(health["event.start"]) == "2026-03-06 20:35:19+00:00"
    assert "event.original" in system
    (dos,) = read(source, "f5_bigip/dos.log")
    assert (dos["source.ip"], dos["event.action"]) == ("203.0.113.9", "blocking")
    assert str(dos["@timestamp"]) == "2026-11-23 07:03:22+00:00"


def test_barracuda_sessions_web_and_threats(source: MakeSource) -> None:
    rows = read(source, "barracuda_cloudgen_firewall/stream.json")
    names = ("event.action", "event.type", "user.name", "destination.port", "observer.hostname")
    assert frame_of(rows, *names) == [
        ("End", ["end"], None, 443, None),
        ("1", ["denied"], "dean", 443, None),
        ("block", ["denied"], "dean", 80, None),
        ("Block", ["denied"], None, 22, "cgf1"),
        (None, None, None, None, "cgf1"),
    ]
    assert rows[0]["source.mac"] == "00-0C-29-9A-0A-78"
    assert rows[0]["event.duration"] == 8_436_000_000


def test_tailscale_changes_and_connections(source: MakeSource) -> None:
    promoted, refused = read(source, "tailscale/audit.json")
    wanted = {
        "user.email": "rosa@corp.example",
        "user.target.name": "dean@corp.example",
        "event.action": "update",
    }
    assert shown(promoted, wanted) == wanted
    assert json.loads(str(promoted["tailscale.new"])) == ["ADMIN"]
    assert (refused["event.outcome"], refused["host.id"]) == ("failure", "n9")
    flows = read(source, "tailscale/network.json")
    names = ("event.action", "source.ip", "destination.ip", "destination.port", "source.bytes", "host.id")
    assert frame_of(flows, *names) == [
        ("virtualTraffic", "100.64.0.1", "100.64.0.2", 3389, 1000, "n1"),
        ("virtualTraffic", "fd7a:115c::1", "fd7a:115c::2", 53, 60, "n1"),
        ("physicalTraffic", "100.64.0.2", "203.0.113.9", 41641, 1800, "n1"),
        ("exitTraffic", "100.64.0.1", "198.51.100.3", 443, 30, "n2"),
        (None, None, None, None, None, "n3"),
    ]


def test_twingate_who_reached_what(source: MakeSource) -> None:
    rows = read(source, "twingate/connections.json") + read(source, "twingate/connector.log")
    names = ("event.type", "event.outcome", "user.name", "source.ip", "destination.ip", "source.as.number")
    begun = (["connection", "start"], "success", "dean", "203.0.113.9", "10.20.0.7", 64500)
    assert frame_of(rows, *names) == [
        begun,
        (["connection", "end"], None, "dean", "203.0.113.9", "10.20.0.7", 64500),
        (["connection", "denied"], "failure", "dean", "203.0.113.9", "10.20.0.7", 64500),
        (["info"], None, None, None, None, None),
        begun,
    ]


@pytest.mark.parametrize(
    "record", [{}, {"action": "x", "timestamp": 1}, {"nodeId": "x"}, {"event_type": "y"}]
)
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    for sensor, _ in OF.values():
        assert not sensor.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(file=st.sampled_from(list(OF)), data=st.data())
def test_broken_input_never_stops_and_never_vanishes(
    source: MakeSource, file: str, data: st.DataObject
) -> None:
    assert accounted(OF[file][0], source(data.draw(broken((SAMPLES / file).read_bytes()))))
