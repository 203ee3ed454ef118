"""Cisco IOS and NX-OS: what precedes a message, logins, access lists, commands; hostile lines."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, Row, accounted, broken_lines, claimants, events, sample_lines, source_of

from sensors.cisco_ios import SENSOR

IOS = (SAMPLES / "cisco_ios" / "ios.log").read_text("utf-8")
NEXUS = (SAMPLES / "cisco_ios" / "nexus.log").read_text("utf-8")


def the(row: Row, *names: str) -> tuple[object, ...]:
    """Its values of those names."""
    return tuple(row.get(name) for name in names)


def test_it_claims_its_own_and_nothing_else() -> None:
    for text in (IOS, NEXUS):
        assert SENSOR.sniff(text.encode(), "x")
        assert claimants(text.encode()) == []
    for path in (SAMPLES / "cisco_asa").iterdir():
        assert not SENSOR.sniff(path.read_bytes(), "x")


@pytest.mark.parametrize(
    ("header", "time", "host", "number"),
    [
        (
            "<190>31: Oct  5 08:23:43 192.0.2.2 sw01: 32: Oct  5 2026 08:23:44.398 UTC: ",
            "08:23:44",
            "sw01",
            32,
        ),
        ("<190>31: sw01: 30: Oct  5 2026 08:23:43.398 UTC: ", "08:23:43", "sw01", 30),
        ("<190>: sw01: Oct  5 2026 08:23:43.398 UTC: ", "08:23:43", "sw01", None),
        ("<190>Oct  5 2026 08:23:43.398 UTC: ", "08:23:43", None, None),
        ("Oct  5 08:23:43 192.0.2.2 58: Oct  5 2026 08:23:44 UTC: ", "08:23:44", None, 58),
        ("<189>: 2026 Oct  5 08:23:43 UTC: ", "08:23:43", None, None),
        ("<189>sw01: 2026 Oct  5 08:23:43 AEST: ", "22:23:43", "sw01", None),
        ("<189>Oct  5 08:23:43 sw01 EDT: ", "12:23:43", "sw01", None),
        ("2026 Oct  5 08:23:43 sw01 ", "08:23:43", "sw01", None),
        ("<189>7: sw01: Oct  5 2026 08:23:43 UTC+07:30: ", "00:53:43", "sw01", 7),
    ],
)
def test_what_precedes_a_message(header: str, time: str, host: str | None, number: int | None) -> None:
    (row,) = events(SENSOR, f"{header}%FOO-SW1-6-BAR: A text")
    assert row["@timestamp"].strftime("%H:%M:%S") == time
    assert the(row, "host.hostname", "event.sequence", "event.code", "event.severity", "message") == (
        host, number, "BAR", 6, "A text",
    )  # fmt: skip


def test_logins_commands_and_lists_of_ios() -> None:
    rows = events(SENSOR, IOS)
    assert [row["log.file.line"] for row in rows] == list(range(1, 21))
    assert {row["event.dataset"] for row in rows} == {"cisco_ios.log"}
    names = ("user.name", "source.ip", "event.outcome", "event.category")
    assert the(rows[0], *names) == ("rosa", "10.20.0.31", "success", ["authentication"])
    assert the(rows[1], *names, "event.reason") == (
        "admin", "203.0.113.99", "failure", ["authentication"], "Login Authentication Failed",
    )  # fmt: skip
    assert rows[2]["molehunt.guess"] == ["time"]
    assert the(rows[3], "user.name", "source.ip") == ("rosa", "10.20.0.31")
    assert the(rows[4], "user.name", "process.command_line") == ("rosa", "no logging host 10.20.0.9")
    flow = (
        "event.action",
        "network.transport",
        "source.ip",
        "source.port",
        "destination.ip",
        "source.packets",
    )
    assert the(rows[5], *flow) == ("deny", "udp", "203.0.113.195", 55250, "192.0.2.255", 1)
    assert the(rows[6], *flow) == ("deny", "icmp", "203.0.113.1", None, "192.0.2.2", 2)
    assert the(rows[7], *flow) == ("allow", "tcp", "203.0.113.26", 1985, "192.0.2.34", 327)
    assert the(rows[8], *flow) == ("allow", None, "203.0.113.26", None, None, 4)
    assert the(rows[9], "event.code", "source.bytes", "destination.bytes", "network.bytes") == (
        "SESS_AUDIT_TRAIL", 48, 40, 88,
    )  # fmt: skip
    assert rows[11]["message"] == "NTP Core (NOTICE): Clock synchronization lost."
    assert rows[12]["source.mac"] == "02-00-5E-10-00-01"


def test_shells_dropped_packets_and_tunnels_of_ios() -> None:
    listed, asked, refused, dropped, tunnel, digest = events(SENSOR, IOS)[-6:]
    assert (listed["network.packets"], listed["network.transport"]) == (1, "igmp")
    assert (asked["source.ip"], asked["event.outcome"]) == ("198.51.100.4", "success")
    assert (refused["user.name"], refused["event.outcome"]) == ("ann", "failure")
    assert refused["event.category"] == ["authentication"]
    assert (dropped["source.port"], dropped["destination.ip"]) == (33, "203.0.113.4")
    assert dropped["event.reason"] == "RST inside current window"
    assert (tunnel["user.name"], tunnel["source.nat.ip"]) == ("ann", "10.99.0.7")
    assert (digest["source.port"], digest["destination.port"]) == (179, 22)


def test_logins_and_commands_of_nx_os() -> None:
    rows = events(SENSOR, NEXUS)
    assert [row["log.file.line"] for row in rows] == list(range(1, 11))
    assert {row["event.dataset"] for row in rows} == {"cisco_nexus.log"}
    assert the(rows[2], "user.name", "source.ip", "event.outcome", "process.pid") == (
        "admin", "203.0.113.105", "failure", 10020,
    )  # fmt: skip
    assert the(rows[3], "user.name", "source.ip") == ("admin", "203.0.113.7")
    assert the(rows[5], "user.name", "source.ip", "process.command_line", "event.outcome") == (
        "rosa", "10.20.0.31", "show running-config", "success",
    )  # fmt: skip
    assert the(rows[6], "user.name", "process.command_line") == ("root", "/sbin/sysctl -q")
    assert rows[8]["@timestamp"].hour == 2


def test_what_is_no_message_is_named() -> None:
    source = source_of(IOS + "nonsense\n")
    assert len(events(SENSOR, source)) == 20
    assert [entry.line for entry in source.unread] == [21]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("cisco_ios")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
