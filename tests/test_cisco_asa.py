"""Cisco ASA: samples, sessions and connections the right way round, every form, headers, hostile lines."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from text_sensors import (
    SAMPLES,
    Row,
    accounted,
    broken_lines,
    claimants,
    events,
    golden,
    sample_lines,
    source_of,
    worded,
)

from sensors.cisco_asa import SENSOR
from sensors.cisco_asa.forms import kinds
from sensors.cisco_asa.meaning import meanings
from sensors.reading import framing

LINES = sample_lines("cisco_asa")
MESSAGES = worded("asa_messages")


def one(message: str, tag: str = "ASA-6") -> Row:
    """The event of a message `number: text`."""
    (row,) = events(SENSOR, f"<166>Oct 05 2026 08:00:00 fw : %{tag}-{message}")
    return row


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "cisco_asa")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "cisco_asa").iterdir():
        assert claimants(path.read_bytes()) == ["cisco_asa"], path


def test_what_only_mentions_an_asa_message_is_not_its_log() -> None:
    assert claimants(b"see %ASA-6-302013: in the manual\n" + b"and other text\n" * 3) == []
    assert claimants(b"") == []


def test_a_session_from_its_beginning_to_its_end() -> None:
    rows = {
        row["event.code"]: row
        for row in events(SENSOR, (SAMPLES / "cisco_asa" / "anyconnect.log").read_text("utf-8"))
        if row.get("user.name") == "mlindqvist" or row.get("source.nat.ip") == "10.99.0.21"
    }
    start, lease, end = rows["113039"], rows["722051"], rows["113019"]
    assert {start["source.ip"], lease["source.ip"], end["source.ip"]} == {"203.0.113.41"}
    assert lease["source.nat.ip"] == "10.99.0.21"
    assert lease["event.action"] == "address-assigned"
    # the gateway received what the person sent
    assert (end["source.bytes"], end["destination.bytes"]) == (1_204_991_822, 318_221_044)
    assert end["event.duration"] == (8 * 3600 + 31 * 60 + 15) * 1_000_000_000
    assert end["event.start"] == start["@timestamp"]
    assert rows["737016"]["event.action"] == "address-released"
    assert rows["734003"]["host.name"] == "NYC-LT-0417"


def test_a_direction_that_only_the_ports_tell_is_a_guess() -> None:
    torn = "302014: Teardown TCP connection 1 for out:{} to in:{} duration 0:00:01 bytes 5 TCP FINs"
    assert one(torn.format("198.51.100.1/443", "10.0.0.5/51000"))["molehunt.guess"] == ["zone", "direction"]
    assert one(torn.format("10.0.0.5/51000", "198.51.100.1/443"))["molehunt.guess"] == ["zone"]


def test_translated_addresses_are_given_where_something_is_translated() -> None:
    row = one(
        "302013: Built outbound TCP connection 1 for outside:198.51.100.1/443 (198.51.100.1/443) "
        "to inside:10.0.0.5/51000 (192.0.2.1/22000)"
    )
    assert (row["source.nat.ip"], row["source.nat.port"]) == ("192.0.2.1", 22000)
    assert "destination.nat.ip" not in row
    assert row["related.ip"] == ["10.0.0.5", "192.0.2.1", "198.51.100.1"]


@pytest.mark.parametrize(
    ("users", "name", "domain"),
    [
        ("(LOCAL\\ann) to inside:10.0.0.5/443 (10.0.0.5/443) (ann)", "ann", None),
        ("(CORP\\ann, 9999:Staff) to inside:10.0.0.5/443 (10.0.0.5/443) (ann)", "ann", "CORP"),
        ("(9999:Staff) to inside:10.0.0.5/443 (10.0.0.5/443)", None, None),
        (" to inside:10.0.0.5/443 (10.0.0.5/443) (ann@corp.example)", "ann", "corp.example"),
        ("(LOCAL\\tyrone) to inside:10.0.0.5/443 (10.0.0.5/443)", "tyrone", None),
        ("(*****) to inside:10.0.0.5/443 (10.0.0.5/443)", None, None),
        (" to NP Identity Ifc:10.0.0.5/443 (10.0.0.5/443)", None, None),
    ],
)
def test_users_of_a_connection(users: str, name: str | None, domain: str | None) -> None:
    row = one(f"302013: Built inbound TCP connection 1 for outside:10.99.0.1/50000 (10.99.0.1/50000){users}")
    assert (row.get("user.name"), row.get("user.domain")) == (name, domain)
    assert row.get("source.user.name") == name
    assert row["destination.ip"] == "10.0.0.5"


@pytest.mark.parametrize(("message", "wanted"), MESSAGES, ids=[message[:60] for message, _ in MESSAGES])
def test_messages(message: str, wanted: Row) -> None:
    row = one(message)
    assert {name: row.get(name) for name in wanted} == wanted
    assert "message" not in row, "no form fitted"


def test_every_form_compiles_and_its_parts_have_names_of_their_own() -> None:
    nothing = pl.Series([""])
    taken = {"text", "rest", "body", "host", "app", "pid", "code", "product", "severity", "priority", "relay"}
    for forms in kinds().forms:
        for form in forms:
            assert "${" not in form
            names = nothing.str.extract_groups(form).struct.fields
            assert not taken & set(names), form
            assert all(re.fullmatch(r"[a-z][a-z0-9_.]*", name) for name in names), form


def test_a_message_number_means_one_thing_per_verdict() -> None:
    table = meanings()
    assert table.select("code", "verdict").is_duplicated().sum() == 0


def test_ftd_has_its_own_data_set_and_security_events() -> None:
    row = one(
        "430003: EventPriority: Low, AccessControlRuleAction: Block with reset, SrcIP: 10.0.0.5, "
        "DstIP: 192.0.2.1, SrcPort: 50815, DstPort: 443, Protocol: tcp, IngressInterface: in, "
        "EgressInterface: out, User: corp\\ann, Client: SSL client, ApplicationProtocol: HTTPS, "
        "ConnectionDuration: 12, InitiatorBytes: 700, ResponderBytes: 90, "
        "FirstPacketSecond: 2026-10-05T07:59:00Z, URL: https://x.example/a,b?c: d, NAPPolicy: z",
        tag="FTD-1",
    )
    wanted = {
        "event.module": "cisco_ftd",
        "event.dataset": "cisco_ftd.log",
        "event.type": ["connection", "end", "denied"],
        "source.ip": "10.0.0.5",
        "source.bytes": 700,
        "destination.bytes": 90,
        "network.bytes": 790,
        "user.name": "ann",
        "url.domain": "x.example",
        "event.start": datetime(2026, 10, 5, 7, 59, tzinfo=UTC),
        "event.end": datetime(2026, 10, 5, 7, 59, 12, tzinfo=UTC),
    }
    assert {name: row.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("Oct  5 2026 08:00:00 fw-1 : %ASA-6-113012: x", "fw-1"),
        ("Oct  5 2026 08:00:00 192.0.2.1 %ASA-6-113012: x", "192.0.2.1"),
        ("Oct  5 2026 08:00:00 fw-1: %ASA-auth-6-113012: x", "fw-1"),
        ("Oct  5 2026 08:00:00: %ASA-6-113012: x", None),
        ("<166>:Oct 05 08:00:00 UTC: %ASA-auth-6-113012: x", None),
        ("<166>2026-10-05T08:00:00Z fw-1 : %ASA-6-113012: x", "fw-1"),
        ("<166>1 2026-10-05T08:00:00Z fw-1 %ASA-6-113012 - - - x", "fw-1"),
        ("2026-10-05T08:00:00Z relay Oct 05 2026 08:00:00 fw-1 : %ASA-6-113012: x", "fw-1"),
        ("2026-10-05T08:00:00Z relay : Oct 05 2026 08:00:00: %ASA-6-113012: x", "relay"),
        ("Oct  5 2026 08:00:00 fw-1 asa[7]: %ASA-6-113012: x", "fw-1"),
        ("<166>fw-1 %ASA-6-113012: x", "fw-1"),
    ],
)
def test_headers(line: str, host: str | None) -> None:
    (row,) = events(SENSOR, line)
    assert row.get("host.hostname") == host
    assert (row["event.code"], row["message"]) == ("113012", "x")


def test_lines_that_do_not_belong() -> None:
    source = source_of(
        "%ASA-6-302010: 1 in use, 2 most used\nno header at all\nOct  5 2026 08:00:00 sw port up\n"
    )
    rows = events(SENSOR, source)
    assert [row["log.file.line"] for row in rows] == [1, 3]
    assert rows[0]["molehunt.guess"] == ["time"]
    assert (rows[1]["message"], rows[1]["host.hostname"]) == ("sw port up", "sw")
    assert [(entry.line, entry.sample) for entry in source.unread] == [(2, "no header at all")]


def test_hostile_content_stays_text_and_numbers_too_large_are_none() -> None:
    evil = "<script alert(1) </script =cmd|'/C calc'!A0\x1b[31m"
    row = one(f"113039: Group <g> User <{evil}> IP <198.51.100.1> AnyConnect parent session started.")
    assert row["user.name"] == evil
    long = one(
        "302014: Teardown TCP connection 1 for a:10.0.0.1/5 to b:10.0.0.2/6 "
        f"duration {'9' * 19}:00:00 bytes {'9' * 30} x"
    )
    assert "event.duration" not in long
    assert "network.bytes" not in long


def test_the_size_of_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(LINES)
    whole = events(SENSOR, text)
    monkeypatch.setattr(framing, "CHUNK_BYTES", 777)
    assert events(SENSOR, text) == whole


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES + [f"Oct 05 2026 08:00:00 fw : %ASA-4-{message}" for message, _ in MESSAGES]))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)


def test_real_messages_are_understood(truth: Path) -> None:
    files = sorted((truth / "ecs" / "A" / "cisco_asa.log").glob("*.raw.log"))
    rows = [row for path in files for row in events(SENSOR, source_of(path.read_bytes()))]
    assert len(rows) > 250
    assert sum("message" in row for row in rows) / len(rows) < 0.05
