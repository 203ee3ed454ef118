from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import zscaler_zia, zscaler_zpa

if TYPE_CHECKING:
    from sensors.sensor import Sensor

FOLDER = SAMPLES / "zscaler"
OF: dict[str, Sensor] = {
    "zia.json": zscaler_zia.SENSOR,
    "zia_splunk.log": zscaler_zia.SENSOR,
    "zia_web.csv": zscaler_zia.SENSOR,
    "zia_alerts.log": zscaler_zia.SENSOR,
    "zpa.json": zscaler_zpa.SENSOR,
}


@pytest.mark.parametrize(("file", "sensor"), OF.items())
def test_the_samples_are_claimed_by_one_sensor_and_read_wholly(
    source: MakeSource, file: str, sensor: Sensor
) -> None:
    assert claimed(FOLDER / file) == [sensor.name]
    made = source((FOLDER / file).read_bytes(), file)
    rows = events(sensor, made)
    assert len(rows) == len((FOLDER / file).read_bytes().splitlines())
    assert not made.unread
    assert all(row.keys() >= {"@timestamp", "event.dataset", "event.kind"} for row in rows)


def test_feeds_of_the_internet_service(source: MakeSource) -> None:
    rows = events(zscaler_zia.SENSOR, source((FOLDER / "zia.json").read_bytes()))
    names = ("event.dataset", "event.category", "event.action", "user.name", "source.ip", "destination.ip")
    assert [(row[0].removeprefix("zscaler_zia."), *row[1:]) for row in frame_of(rows, *names)] == [
        ("web", ["web"], "blocked", "dean", "203.0.113.9", "198.51.100.20"),
        ("web", ["web"], "allowed", "rosa", "203.0.113.10", "192.0.2.44"),
        ("firewall", ["network"], "allow", "dean", "10.4.0.9", "192.0.2.60"),
        ("dns", ["network"], None, "dean", "10.4.0.9", "192.0.2.53"),
        ("tunnel", ["network"], "ipsec-tunnel-is-up", "branch", "203.0.113.1", "198.51.100.1"),
        ("tunnel", ["network"], None, None, "203.0.113.2", "198.51.100.1"),
        ("audit", ["authentication"], "sign-in", "rosa", "203.0.113.10", None),
        ("endpoint_dlp", ["intrusion_detection"], "block", "dean", None, None),
        ("email_dlp", ["email", "intrusion_detection"], "block", "dean", None, None),
        ("saas_security_activity", ["iam"], "download", "dean", "203.0.113.9", None),
        ("saas_security", ["network", "intrusion_detection"], None, "dean", None, None),
        ("other", None, None, "dean", None, None),
    ]
    web, _, firewall, dns, _, samples, audit, *_, other = rows
    assert web["url.full"] == "https://files.example.net:443/upload?to=me@home.example"
    assert (web["url.domain"], web["url.port"], web["url.scheme"]) == ("files.example.net", 443, "https")
    assert (web["user.email"], web["source.nat.ip"], web["event.type"]) == (
        "dean@corp.example",
        "10.4.0.9",
        ["denied"],
    )
    assert web["zscaler_zia.web.location"] == "Road Warrior"
    assert (firewall["event.duration"], firewall["network.bytes"]) == (61_000_000_000, 904_000)
    assert firewall["source.nat.port"] == 33000
    assert firewall["host.os.type"] == "ios"
    assert "203.0.113.9" in firewall["related.ip"]
    assert (dns["dns.resolved_ip"], dns["network.transport"]) == (["198.51.100.77"], "udp")
    assert (samples["network.transport"], samples["source.bytes"]) == ("gre", 1000)
    assert (audit["event.outcome"], audit["error.code"]) == ("failure", "AUTHENTICATION_FAILED")
    assert [row for row in rows if "event.original" in row] == [other]
    assert times(rows)[:2] == ["2026-10-16T22:55:48", "2026-10-16T22:56:01"]


def test_other_forms_of_the_feeds_say_the_same(source: MakeSource) -> None:
    web, firewall = events(zscaler_zia.SENSOR, source((FOLDER / "zia_splunk.log").read_bytes()))
    (row,) = events(zscaler_zia.SENSOR, source((FOLDER / "zia_web.csv").read_bytes()))
    for one in (web, row):
        assert one["url.domain"] == "mail.example.net"
        assert one["http.response.status_code"] == 200
        assert (one["user.email"], one["source.ip"]) == ("dean@corp.example", "203.0.113.9")
        assert times([one]) == ["2026-10-16T22:55:48"]
    assert web["url.query"] == "a=b=c"
    assert (firewall["event.type"], firewall["destination.port"]) == (["denied"], 4500)
    lost, _, new = events(zscaler_zia.SENSOR, source((FOLDER / "zia_alerts.log").read_bytes()))
    assert (lost["destination.ip"], lost["destination.port"]) == ("192.0.2.200", 9012)
    assert lost["zscaler_zia.alerts.log_feed_name"] == "DNS Logs Feed"
    assert new["message"] == "Something that is new"


def test_who_reached_which_application(source: MakeSource) -> None:
    rows = events(zscaler_zpa.SENSOR, source((FOLDER / "zpa.json").read_bytes()))
    activity, status, connector, browser, created, deleted, other = rows
    assert (activity["source.ip"], activity["destination.ip"], activity["destination.port"]) == (
        "203.0.113.9",
        "10.20.0.8",
        3389,
    )
    assert (activity["user.name"], activity["network.transport"]) == ("dean", "tcp")
    assert activity["event.start"].isoformat() == "2026-10-16T17:20:42.230000+00:00"
    assert (status["event.kind"], status["host.hostname"]) == ("state", "LT-DEAN")
    assert connector["observer.ip"] == ["198.51.100.4"]
    assert browser["url.original"] == "https://portal.corp.example/pay/slip.pdf?n=1"
    assert (browser["event.outcome"], browser["url.path"]) == ("failure", "/pay/slip.pdf")
    assert (created["server.ip"], created["event.type"]) == ("10.20.0.9", ["creation"])
    assert deleted["user.target.email"] == "dean@corp.example"
    assert other["event.dataset"] == "zscaler_zpa.other"
    assert "event.original" in other


@pytest.mark.parametrize("head", [b"", b'{"event":{"time":"x"}}', b'{"LogTimestamp":"x"}', b"a\tb=1\tc=2\n"])
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not zscaler_zia.SENSOR.sniff(head, "x.log")
    assert not zscaler_zpa.SENSOR.sniff(head, "x.log")


@BROKEN
@given(file=st.sampled_from(list(OF)), data=st.data())
def test_broken_input_never_stops_and_never_vanishes(
    source: MakeSource, file: str, data: st.DataObject
) -> None:
    assert accounted(OF[file], source(data.draw(broken((FOLDER / file).read_bytes()))))
