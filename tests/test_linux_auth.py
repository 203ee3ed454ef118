"""Linux logins: samples, programs, headers with and without a year, names that strangers choose."""

from __future__ import annotations

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

from sensors.linux_auth import SENSOR
from sensors.linux_auth.forms import forms, programs

LINES = sample_lines("linux")
WORDED = worded("linux_wordings")


def one(said: str) -> Row:
    (row,) = events(SENSOR, f"Oct  5 2026 08:00:00 web-1 {said}")
    return row


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "linux")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "linux").iterdir():
        assert claimants(path.read_bytes()) == ["linux_auth"], path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Oct  5 08:00:00 web-1 kernel: eth0 up\n" * 9,
        "the sshd[12]: of a novel\n" + "prose\n" * 9,
        '{"time": "2026-10-05T08:00:00Z", "message": "sshd[12]: Accepted"}\n',
        "date=2026-10-05 time=08:00:00 devname=fw type=event user=ann\n" * 9,
        "Oct  5 08:00:00 sw-1 %LINK-3-UPDOWN: Interface up\n" * 9,
        "Oct  5 08:00:00 fw-1 rtflow: session\n" * 9 + "Oct  5 08:00:00 fw-1 sshd[1]: Accepted\n",
    ],
)
def test_what_is_no_login_log_is_not_claimed(text: str) -> None:
    assert claimants(text.encode()) == []


@pytest.mark.parametrize(("said", "wanted"), WORDED, ids=[said[:60] for said, _ in WORDED])
def test_wordings(said: str, wanted: Row) -> None:
    row = one(said)
    assert {name: row.get(name) for name in wanted} == wanted
    assert row["message"]
    assert (row["host.name"], row["host.hostname"]) == ("web-1", "web-1")


def test_with_and_without_a_year_iso_and_rfc_5424_say_the_same() -> None:
    said = "sshd[7]: Accepted password for ann from 203.0.113.5 port 50000 ssh2"
    new = said.replace("sshd[7]:", "sshd 7 - -")
    forms_of_it = [
        f"Oct  5 08:00:00 web-1 {said}",
        f"Oct 05 2026 08:00:00 web-1 {said}",
        f"<86>Oct  5 08:00:00 web-1 {said}",
        f"2026-10-05T08:00:00Z web-1 {said}",
        f"2026-10-05T10:00:00.000+02:00 web-1 {said}",
        f"<86>1 2026-10-05T08:00:00Z web-1 {new}",
    ]
    wanted = None
    for text in forms_of_it:
        (row,) = events(SENSOR, text)
        told = {k: v for k, v in row.items() if not k.startswith(("log.", "molehunt."))}
        assert wanted in (None, told), text
        wanted = told
    assert wanted is not None
    assert wanted["@timestamp"] == datetime(2026, 10, 5, 8, tzinfo=UTC)


def test_a_line_that_goes_on_is_one_event() -> None:
    rows = events(SENSOR, "Oct  5 2026 08:00:00 h app[1]: one\n two\nOct  5 2026 08:00:01 h app[1]: three\n")
    assert [(row["message"], row["log.file.line"], row["log.offset"]) for row in rows] == [
        ("one\n two", 1, 0),
        ("three", 3, 40),
    ]


def test_lines_without_a_header_are_named_as_unread() -> None:
    source = source_of(
        LINES[0] + "\nnothing to see\nsrv sshd[7]: Connection closed by 203.0.113.5 [preauth]\n"
    )
    rows = events(SENSOR, source)
    assert [row["log.file.line"] for row in rows] == [1, 3]
    assert rows[1]["@timestamp"] == rows[0]["@timestamp"]
    assert rows[1]["molehunt.guess"] == ["time"]
    assert [(entry.line, entry.sample) for entry in source.unread] == [(2, "nothing to see")]


def test_every_form_compiles_and_no_part_hides_a_column() -> None:
    taken = {"text", "rest", "body", "host", "app", "pid", "msgid", "message", "kind", "program", "priority"}
    for kind, wordings in forms().items():
        for wording in wordings:
            assert "${" not in wording
            parts = pl.Series([""]).str.extract_groups(wording).struct.fields
            assert not taken & set(parts), kind
    assert set(programs().values()) | {"pam"} == set(forms())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES + [f"Oct  5 2026 08:00:00 web-1 {said}" for said, _ in WORDED]))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)


def test_real_lines_are_understood(truth: Path) -> None:
    (path,) = (truth / "ecs" / "C" / "system.auth").glob("elastic--test-auth-ubuntu1204*.raw.log")
    rows = events(SENSOR, source_of(path.read_bytes()))
    assert len(rows) == len(path.read_text("utf-8").strip().splitlines())
    assert sum("user.name" in row for row in rows) / len(rows) > 0.85
