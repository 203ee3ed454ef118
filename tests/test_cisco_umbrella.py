"""Cisco Umbrella: every kind of its CSV, people and machines among the identities, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, Row, accounted, broken_lines, claimants, events, sample_lines, source_of

from sensors.cisco_umbrella import SENSOR

TEXT = (SAMPLES / "cisco_umbrella" / "umbrella.csv").read_text("utf-8")
ROWS = events(SENSOR, TEXT)


def the(row: Row, *names: str) -> tuple[object, ...]:
    """Its values of those names."""
    return tuple(row.get(name) for name in names)


def test_it_claims_its_own_and_nothing_else() -> None:
    assert SENSOR.sniff(TEXT.encode(), "x")
    assert claimants(TEXT.encode()) == []
    for head in (b"", b"2026-10-05 14:00:02,a,b,c\n", b'"2026-10-05 14:00:02","a","10.0.0.1","b","c","d"\n'):
        assert not SENSOR.sniff(head, "x")


def test_every_kind_of_line() -> None:
    assert [the(row, "event.action", "event.outcome", "observer.type") for row in ROWS] == [
        ("dns-request-Allowed", "success", "dns"),
        ("dns-request-Blocked", "failure", "dns"),
        ("dns-request-Allowed", "success", "dns"),
        ("proxy-request-POST", "success", "proxy"),
        (None, "failure", "proxy"),
        ("fw-connection-BLOCK", "failure", "firewall"),
        ("fw-connection-ALLOW", "success", "firewall"),
        (None, None, "firewall"),
        ("dlp-BLOCK", "failure", "dlp"),
        ("ips-Would Block", "success", "idps"),
        ("delete", None, None),
    ]
    assert ROWS[0]["@timestamp"].isoformat() == "2026-10-05T14:00:02+00:00"


def test_who_asked_for_a_name() -> None:
    wanted = {
        "user.name": "maya.lindqvist",
        "user.full_name": "Lindqvist, Maya",
        "user.email": "maya.lindqvist@corp.example",
        "source.user.name": "maya.lindqvist",
        "host.name": "nyc-lt-0417",
        "source.ip": "10.20.31.7",
        "source.nat.ip": "203.0.113.41",
        "dns.question.name": "relay.example.org",
        "dns.question.type": "A",
        "dns.response_code": "NOERROR",
        "event.type": ["allowed", "connection"],
    }
    assert {name: ROWS[0].get(name) for name in wanted} == wanted
    assert the(ROWS[1], "network.name", "user.name", "dns.question.type") == (
        "NYC-Internal, Default Site", None, "TXT",
    )  # fmt: skip


def test_requests_with_and_without_an_address_inside() -> None:
    assert the(ROWS[3], "user.name", "source.ip", "source.nat.ip", "destination.ip", "file.name") == (
        "dwhitlock", "198.51.100.7", "198.51.100.7", "203.0.113.30", "a.zip",
    )  # fmt: skip
    assert the(ROWS[3], "http.request.bytes", "http.response.bytes", "rule.id", "url.domain") == (
        562, 9_120_442, "77", "files.example.net",
    )  # fmt: skip
    assert the(ROWS[4], "source.ip", "url.original", "user_agent.original") == (
        "10.20.31.7", 'http://casino.example/x "y",z', "Mozilla/5.0 (X11, Linux)",
    )  # fmt: skip


def test_connections_files_and_administrators() -> None:
    assert the(ROWS[5], "network.transport", "network.direction", "source.port") == ("icmp", "inbound", None)
    assert the(ROWS[6], "network.transport", "destination.port", "destination.domain") == (
        "tcp", 22, "git.example.com",
    )  # fmt: skip
    assert the(ROWS[8], "file.name", "file.size", "rule.name", "event.severity") == (
        "payroll.xlsx", 48, "No-Payroll-Out", 4,
    )  # fmt: skip
    assert the(ROWS[9], "event.kind", "rule.id", "source.ip") == ("alert", "17279", "203.0.113.99")
    assert the(ROWS[10], "user.name", "user.email", "source.ip", "event.type") == (
        "Rosa Admin", "rosa@corp.example", "203.0.113.88", ["deletion"],
    )  # fmt: skip


def test_what_is_no_line_of_umbrella_is_named() -> None:
    source = source_of(TEXT + "nonsense\n")
    assert len(events(SENSOR, source)) == len(ROWS)
    assert [entry.line for entry in source.unread] == [len(ROWS) + 1]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("cisco_umbrella")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)


def test_lines_that_a_collector_took_apart() -> None:
    content = (SAMPLES / "cisco_umbrella" / "umbrella.ndjson").read_bytes()
    assert SENSOR.sniff(content, "x")
    source = source_of(content + b'{"domain":"x"}\n')
    dns, proxy, firewall = events(SENSOR, source)
    assert [entry.line for entry in source.unread] == [4]
    assert the(dns, "event.action", "event.outcome", "user.name", "host.name", "source.ip") == (
        "dns-request-Blocked", "failure", "maya.lindqvist", "nyc-lt-0417", "10.20.31.7",
    )  # fmt: skip
    assert the(dns, "dns.question.name", "dns.question.type", "source.nat.ip") == (
        "tunnel.example.net", "A", "203.0.113.41",
    )  # fmt: skip
    assert the(proxy, "event.action", "url.domain", "http.response.status_code") == (
        "proxy-request-POST", "paste.example", 200,
    )  # fmt: skip
    assert the(firewall, "event.action", "network.transport", "destination.port", "network.direction") == (
        "fw-connection-BLOCK", "tcp", 3389, "outbound",
    )  # fmt: skip
    assert firewall["network.community_id"]
