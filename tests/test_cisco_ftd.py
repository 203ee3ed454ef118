"""Cisco FTD's security events and FMC's audit log: samples, lines without a number, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, Row, accounted, broken_lines, events, sample_lines, source_of

from sensors import cisco_asa, cisco_fmc

FTD = (SAMPLES / "cisco_ftd" / "security.log").read_text("utf-8")
FMC = (SAMPLES / "cisco_fmc" / "audit.log").read_text("utf-8")


def the(row: Row, *names: str) -> tuple[object, ...]:
    """Its values of those names."""
    return tuple(row.get(name) for name in names)


def test_each_sample_has_one_claimant() -> None:
    both = (cisco_asa.SENSOR, cisco_fmc.SENSOR)
    assert [s.name for s in both if s.sniff(FTD.encode(), "x")] == ["cisco_asa"]
    assert [s.name for s in both if s.sniff(FMC.encode(), "x")] == ["cisco_fmc"]
    assert cisco_asa.SENSOR.sniff(FTD.splitlines()[7].encode(), "x")
    assert not cisco_fmc.SENSOR.sniff(b"Oct  5 14:22:01 host sshd[1]: Accepted password for a@b, c, D\n", "x")


def test_what_each_event_is() -> None:
    rows = events(cisco_asa.SENSOR, FTD)
    assert [the(row, "event.code", "event.action", "event.outcome") for row in rows] == [
        ("430002", "connection-started", "success"),
        ("430003", "connection-finished", "success"),
        ("430003", "connection-finished", "failure"),
        ("430003", "connection-finished", "success"),
        ("430001", "intrusion-detected", "failure"),
        ("430004", "file-detected", None),
        ("430005", "malware-detected", None),
        ("430003", "connection-finished", "success"),
        ("113019", "client-vpn-disconnected", "success"),
        ("500004", None, None),
        ("199999", None, None),
    ]
    assert {row["observer.product"] for row in rows} == {"ftd"}


def test_a_connection_in_full() -> None:
    row = events(cisco_asa.SENSOR, FTD)[1]
    wanted = {
        "event.type": ["connection", "end", "allowed"],
        "event.duration": 51_000_000_000,
        "source.ip": "10.20.31.7",
        "source.nat.ip": "192.0.2.1",
        "source.bytes": 9_120_442,
        "destination.ip": "198.51.100.80",
        "destination.port": 443,
        "user.name": "mlindqvist",
        "user.domain": "CORP",
        "user.id": "CORP\\mlindqvist",
        "tls.client.server_name": "files.example.net",
        "tls.version": "1.3",
        "url.original": "https://files.example.net/u,1?x=1",
        "user_agent.original": "Mozilla/5.0 (X11, Linux)",
        "rule.name": "Web-Out",
        "device.manufacturer": "Macintosh",
        "device.model.name": "OS X",
        "cisco.ftd.web_application": "Dropbox",
    }
    assert {name: row.get(name) for name in wanted} == wanted
    assert row["@timestamp"] == row["event.start"]
    assert (row["event.end"] - row["event.start"]).total_seconds() == 51


def test_what_only_watched_neither_allowed_nor_blocked() -> None:
    row = events(cisco_asa.SENSOR, FTD)[3]
    assert row["event.type"] == ["connection", "end"]
    assert the(row, "dns.question.name", "dns.question.type", "dns.response_code") == (
        "relay.example.org", "A", "NOERROR",
    )  # fmt: skip
    assert "user.name" not in row


def test_pairs_without_a_number() -> None:
    row = events(cisco_asa.SENSOR, FTD)[7]
    assert the(row, "host.hostname", "process.name", "process.pid", "user.name", "source.ip") == (
        "nyc-ftd01", "SFIMS", 311, "rosa", "10.20.31.8",
    )  # fmt: skip


def test_who_did_what_in_the_management_center() -> None:
    rows = events(cisco_fmc.SENSOR, FMC)
    assert [the(row, "user.name", "source.ip", "event.action", "event.category") for row in rows] == [
        ("rosa", "10.20.0.31", "Page View", ["configuration"]),
        ("rosa", "10.20.0.31", "Modified: Rule Web-Out", ["configuration"]),
        ("dean", "10.20.0.77", "Login Failed", ["authentication"]),
        ("dean", "10.20.0.77", "Login Success", ["authentication"]),
        ("rosa", "10.20.0.31", "Deleted user: temp1", ["configuration"]),
        ("csm_processes", None, "Policy Deployment to nyc-ftd01 - SUCCESS", ["configuration"]),
    ]
    assert [row.get("event.outcome") for row in rows[2:4]] == ["failure", "success"]
    assert {row["host.hostname"] for row in rows} == {"nyc-fmc", "nyc-fmc.corp.example"}


def test_the_end_that_the_management_center_writes_is_no_part_of_the_act() -> None:
    (row,) = events(cisco_fmc.SENSOR, FMC.splitlines()[0] + "\x00x0a\x00x00")
    assert row["event.action"] == "Page View"


def test_a_line_without_time_and_act_is_named() -> None:
    source = source_of(FMC + "nonsense\n")
    assert len(events(cisco_fmc.SENSOR, source)) == 6
    assert [entry.line for entry in source.unread] == [7]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("cisco_ftd")))
def test_broken_lines_of_the_firewall(content: str) -> None:
    accounted(cisco_asa.SENSOR, content)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("cisco_fmc")))
def test_broken_lines_of_the_management_center(content: str) -> None:
    accounted(cisco_fmc.SENSOR, content)
