"""Cisco ISE: who came from where by which message, segments, administrators, alarms, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, Row, broken_lines, claimants, events, sample_lines, source_of

from sensors.cisco_ise import SENSOR

TEXT = (SAMPLES / "cisco_ise" / "ise.log").read_text("utf-8")


def by_code() -> dict[str, Row]:
    """The events of the sample by their code; those without one by their action or category."""
    return {
        row.get("event.code") or row.get("event.action") or row["cisco.ise.category"]: row
        for row in events(SENSOR, TEXT)
    }


def the(row: Row, *names: str) -> tuple[object, ...]:
    """Its values of those names."""
    return tuple(row.get(name) for name in names)


def test_it_claims_its_own_and_nothing_else() -> None:
    assert SENSOR.sniff(TEXT.encode(), "x")
    assert claimants(TEXT.encode()) == []
    assert not SENSOR.sniff(b"the category CISE_Guest is for guests\n", "x")


def test_segments_are_one_message_that_says_who_came_from_where() -> None:
    rows = events(SENSOR, TEXT)
    assert [row["log.file.line"] for row in rows] == [1, *range(3, 17)]
    wanted = {
        "event.action": "passed-authentication",
        "event.outcome": "success",
        "event.category": ["authentication"],
        "user.name": "mlindqvist",
        "user.domain": "CORP",
        "source.user.name": "mlindqvist",
        "source.ip": "203.0.113.41",
        "source.mac": "02-00-5E-10-00-01",
        "host.os.name": "mac-intel",
        "user_agent.original": "AnyConnect Darwin_i386 5.1.2",
        "client.ip": "10.20.0.2",
        "client.port": 42946,
        "destination.ip": "10.20.0.9",
        "network.protocol": "radius",
        "rule.name": "VPN-Staff",
        "session.id": "0a1400020001",
        "host.hostname": "nyc-ise01",
        "log.level": "notice",
    }
    assert {name: rows[0].get(name) for name in wanted} == wanted
    assert rows[0]["@timestamp"].isoformat() == "2026-10-05T14:02:11.120000+00:00"
    assert "molehunt.guess" not in rows[0]


def test_a_number_that_comes_again_is_another_message() -> None:
    first = TEXT.splitlines()[0]
    assert len(events(SENSOR, f"{first}\n{first}")) == 2


def test_a_session_from_its_beginning_to_its_end() -> None:
    start, stop = by_code()["3000"], by_code()["3001"]
    assert the(start, "source.ip", "source.nat.ip", "event.type") == ("203.0.113.41", "10.99.0.21", ["start"])
    assert the(stop, "event.type", "event.duration", "source.bytes", "destination.bytes", "event.reason") == (
        ["end"], 7_200_000_000_000, 43_000, 140_998, "User Request",
    )  # fmt: skip


def test_failures_administrators_and_devices() -> None:
    rows = by_code()
    assert the(rows["5400"], "user.name", "source.ip", "event.outcome") == (
        "dwhitlock", "198.51.100.7", "failure",
    )  # fmt: skip
    assert the(rows["51001"], "client.user.name", "user.name", "source.ip", "event.outcome", "host.ip") == (
        "rosa", "rosa", "10.20.0.31", "success", ["10.20.0.9"],
    )  # fmt: skip
    assert rows["51021"]["event.outcome"] == "failure"
    assert rows["52001"]["event.type"] == ["change", "info"]
    assert rows["52001"]["cisco.ise.config_change"].startswith(
        "Object modified:, Log Severity Level = DEBUG,"
    )
    assert the(rows["3300"], "user.name", "source.ip", "cisco.ise.command") == (
        "rosa", "10.20.0.31", "CmdAV=show running-config",
    )  # fmt: skip
    assert rows["86005"]["source.ip"] == "192.0.2.77"


def test_alarms_half_messages_and_what_no_table_lists() -> None:
    rows = by_code()
    assert rows["Queue Link Error"]["source.address"] == "nyc-ise01.corp.example"
    assert rows["Dynamic Authorization Failed for Device"]["source.mac"] == "02-00-5E-10-00-02"
    assert rows["CISE_AD_Connector"]["@timestamp"].hour == 16
    assert the(rows["99999"], "event.action", "event.category", "event.type") == ("new-class", None, ["info"])


def test_what_is_no_message_is_named() -> None:
    source = source_of(TEXT + "nonsense\n")
    assert len(events(SENSOR, source)) == 15
    assert [entry.line for entry in source.unread] == [17]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("cisco_ise")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    source = source_of(content)
    rows = events(SENSOR, source)
    lines = [line for line in content.split("\n") if line.removesuffix("\r")]
    joined = sum("0000001001 2 " in line or "0000001012 2 " in line for line in lines)
    continued = sum(line[:1] in " \t" for line in lines)
    told = len(rows) + sum(entry.count for entry in source.unread)
    assert len(lines) - joined - continued <= told <= len(lines)
    assert [row["log.offset"] for row in rows] == sorted(row["log.offset"] for row in rows)
