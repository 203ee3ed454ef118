"""pfSense and OPNsense: samples, meaning, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines

from sensors.pfsense import SENSOR
from sensors.sensor import claims

SYSTEM = (SAMPLES / "pfsense" / "system.log").read_text("utf-8")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "pfsense").iterdir():
        assert [s.name for s in claims(path.read_bytes(), "x.log")] == ["pfsense"], path


def test_the_packet_filter() -> None:
    rows = {row["log.file.line"]: row for row in events(SENSOR, SYSTEM)}
    first = rows[1]
    assert (first["source.ip"], first["source.port"]) == ("10.20.12.50", 49724)
    assert (first["destination.ip"], first["destination.port"]) == ("198.51.100.4", 853)
    assert (first["event.action"], first["event.type"]) == ("block", ["connection", "denied"])
    assert (first["network.transport"], first["network.iana_number"]) == ("tcp", "6")
    assert (first["network.direction"], first["network.type"]) == ("inbound", "ipv4")
    assert (first["observer.ingress.interface.name"], first["network.vlan.id"]) == ("igb1.12", "12")
    assert first["network.bytes"] == 60
    assert "source.port" not in rows[3]
    assert (rows[4]["source.ip"], rows[4]["destination.port"]) == ("2001:db8::8a", 51918)
    assert rows[5]["network.transport"] == "ipv6-icmp"


def test_people_and_addresses() -> None:
    rows = {row["log.file.line"]: row for row in events(SENSOR, SYSTEM)}
    assert len(rows) == len(SYSTEM.splitlines())
    assert rows[6]["user.name"] == rows[7]["source.user.name"] == "ann.lee"
    assert rows[7]["source.nat.ip"] == "10.8.0.2"
    assert rows[8]["event.outcome"] == rows[19]["event.outcome"] == "failure"
    assert rows[9]["source.ip"] == "198.51.100.40"
    assert (rows[11]["source.mac"], rows[11]["client.ip"]) == ("00-00-5E-00-53-11", "10.20.60.56")
    assert (rows[11]["event.action"], rows[13]["event.action"]) == ("DHCPREQUEST", "solicit-message")
    assert (rows[16]["dns.question.name"], rows[16]["dns.question.type"]) == ("wiki.corp.example", "A")
    assert (rows[18]["user.name"], rows[18]["source.ip"]) == ("admin", "10.20.1.7")
    assert (rows[20]["event.duration"], rows[20]["url.path"]) == (537_000_000, "/static/a.woff2")
    assert rows[21]["url.domain"] == "files.example"
    assert rows[23]["user.name"] == "eve"
    assert "event.original" in rows[24]


def test_opnsense_says_who_it_is() -> None:
    rows = events(SENSOR, (SAMPLES / "pfsense" / "opnsense.log").read_text("utf-8"))
    assert rows[0]["observer.name"] == "OPNsense.corp.example"
    assert (rows[1]["user.name"], rows[1]["event.outcome"]) == ("root", "success")


def test_programs_of_packages() -> None:
    """FreeRADIUS, Snort, HAProxy's other lines, a refusal by Squid, PAM, one-time passwords."""
    radius, wrong, alert, connected, failed, refused, pam, code = events(SENSOR, SYSTEM)[24:]
    assert (radius["user.name"], radius["source.ip"], radius["event.outcome"]) == (
        "ann.lee",
        "198.51.100.4",
        "success",
    )
    assert (wrong["user.name"], wrong["event.outcome"], wrong["event.reason"]) == (
        "bob.ray",
        "failure",
        "mschap: wrong answer",
    )
    assert (alert["event.kind"], alert["rule.id"], alert["network.transport"]) == ("alert", "31", "tcp")
    assert (connected["destination.ip"], connected["destination.port"]) == ("10.20.0.5", 443)
    assert failed["event.reason"] == "SSL handshake failure"
    assert refused["event.outcome"] == pam["event.outcome"] == code["event.outcome"] == "failure"
    assert (pam["user.name"], code["user.name"]) == ("admin", "ann.lee")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("pfsense")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
