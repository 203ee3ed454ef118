"""Cisco Meraki: VPN clients, leases, flows, URLs, alerts, wireless; hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, Row, accounted, broken_lines, claimants, events, sample_lines, source_of

from sensors.cisco_meraki import SENSOR

TEXT = (SAMPLES / "cisco_meraki" / "meraki.log").read_text("utf-8")
ROWS = events(SENSOR, TEXT)


def the(row: Row, *names: str) -> tuple[object, ...]:
    """Its values of those names."""
    return tuple(row.get(name) for name in names)


def test_it_claims_its_own_and_nothing_else() -> None:
    assert SENSOR.sniff(TEXT.encode(), "x")
    assert claimants(TEXT.encode()) == []
    assert not SENSOR.sniff(b"1791210002.114 231 10.0.0.1 TCP_MISS/200 5 GET http://a/ - NONE/- -\n", "x")


def test_every_line_is_an_event_of_its_time() -> None:
    assert [row["log.file.line"] for row in ROWS] == list(range(1, len(TEXT.splitlines()) + 1))
    assert ROWS[0]["@timestamp"].isoformat() == "2026-10-05T13:58:51.416656+00:00"
    assert ROWS[5]["@timestamp"].isoformat() == "2026-10-05T14:00:15.687171+00:00"
    assert {row.get("molehunt.guess") and tuple(row["molehunt.guess"]) for row in ROWS} == {None}


def test_a_vpn_client_has_a_public_address_and_one_inside() -> None:
    names = ("user.name", "source.ip", "source.nat.ip", "event.type", "event.category")
    session = ["network", "session"]
    assert the(ROWS[0], *names) == ("mlindqvist", "203.0.113.41", "10.99.0.21", ["info", "start"], session)
    assert the(ROWS[1], *names) == ("mlindqvist", "203.0.113.41", "10.99.0.21", ["info", "end"], session)
    assert the(ROWS[2], *names) == ("dwhitlock", "198.51.100.7", "10.99.0.22", ["info", "start"], session)
    assert the(ROWS[3], *names[:3]) == ("dwhitlock", "198.51.100.7", "10.99.0.22")
    assert the(ROWS[4], "event.duration", "source.bytes", "destination.bytes", "event.reason") == (
        1_383_000_000_000, 74_821, 135_325, "User Requested",
    )  # fmt: skip


def test_a_lease_names_the_host() -> None:
    assert the(ROWS[5], "client.ip", "source.ip", "source.mac", "host.name", "event.action") == (
        "10.20.31.7", "10.20.31.7", "02-00-5E-10-00-01", "NYC-LT-0417", "dhcp-offer",
    )  # fmt: skip
    assert ROWS[6]["event.outcome"] == "failure"


def test_flows() -> None:
    names = ("source.ip", "source.nat.ip", "destination.ip", "destination.port", "event.outcome")
    assert [the(row, *names) for row in ROWS[7:12]] == [
        ("10.20.31.7", "192.0.2.1", "198.51.100.80", 443, None),
        ("10.20.31.7", None, "203.0.113.9", 3389, "failure"),
        ("10.99.0.21", None, "10.20.40.5", 53, "success"),
        ("fe80::1", None, "ff02::1:ff00:2", None, "success"),
        ("198.51.100.99", None, "192.0.2.1", 16329, "failure"),
    ]
    assert ROWS[10]["network.transport"] == "ipv6-icmp"


def test_urls_and_alerts() -> None:
    get, unknown, alert, file, block = ROWS[12:17]
    assert the(get, "source.port", "url.domain", "url.query", "user_agent.original", "event.action") == (
        60336, "files.example.net", "b=1", "Spotify/110 OSX/0 (MacBookAir7,2)", "http-access",
    )  # fmt: skip
    assert the(unknown, "destination.ip", "destination.port", "event.action") == (
        "2001:db8::80", 443, "http-access-error",
    )  # fmt: skip
    assert the(alert, "rule.id", "rule.description", "source.ip", "destination.mac") == (
        "1:29708:4", "BROWSER-IE object access attempt", "203.0.113.99", "02-00-5E-10-00-01",
    )  # fmt: skip
    assert the(file, "event.action", "url.original", "cisco.meraki.disposition") == (
        "malicious-file-actioned", "http://203.0.113.30/x.exe", "malicious",
    )  # fmt: skip
    assert the(block, "event.outcome", "url.domain") == ("failure", "casino.example")


def test_wireless_and_switches() -> None:
    assert the(ROWS[17], "network.name", "source.mac", "observer.mac") == (
        "Free Wifi", "02-00-5E-20-00-01", ["02-00-5E-20-00-02"],
    )  # fmt: skip
    assert [row["event.action"] for row in ROWS[18:28]] == [
        "wifi-association-request",
        "wifi-disassociation-request",
        "wifi-8021x-failed-authentication-attempt",
        "wifi-8021x-auth",
        "splash-authentication",
        "port_changed_stp_role",
        "port_status_changed",
        "arp_blocked",
        "vpn-connectivity-change",
        "uplink-connectivity-change",
    ]
    assert [row.get("user.name") for row in ROWS[20:22]] == ["dwhitlock", "mlindqvist"]
    assert the(ROWS[25], "source.ip", "network.vlan.id") == ("10.20.31.9", "123")
    assert the(ROWS[28], "cisco.meraki.event_type", "event.type") == ("something_new", ["info"])


def test_what_is_no_line_of_meraki_is_named() -> None:
    source = source_of(TEXT + "nonsense\n")
    assert len(events(SENSOR, source)) == len(ROWS)
    assert [entry.line for entry in source.unread] == [len(ROWS) + 1]


def test_guests_and_whom_the_air_refuses() -> None:
    splash, refused, rivals = ROWS[29:]
    assert the(splash, "event.action", "source.ip", "event.outcome") == (
        "splash-authentication", "10.20.31.9", "success",
    )  # fmt: skip
    assert refused["event.action"] == "association-rejected-for-load-balancing"
    assert the(rivals, "server.ip", "event.type") == ("10.20.31.1", ["info", "protocol"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("cisco_meraki")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
