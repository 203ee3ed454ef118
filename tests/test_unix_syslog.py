"""Syslog of any program and systemd's journal: samples, meaning, who may claim them, hostile content."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from json_sensors import broken
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines, source_of

from sensors import journald, sensor, unix_syslog
from sensors.sensor import claims

if TYPE_CHECKING:
    from collections.abc import Iterator

FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EXPORT = (SAMPLES / "journald" / "journal.export").read_bytes()


@pytest.mark.parametrize("folder", ["unix_syslog", "journald"])
def test_samples_are_claimed_by_one_sensor(folder: str) -> None:
    for path in (SAMPLES / folder).iterdir():
        assert [one.name for one in claims(path.read_bytes(), path.name)] == [folder], path


def test_the_last_resort_takes_only_what_no_other_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Taker:
        def __init__(self, name: str, *, last_resort: bool = False) -> None:
            self.name = name
            self.last_resort = last_resort

        def sniff(self, head: bytes, name: str) -> bool:
            return name in head.decode()

        def read(self, source: sensor.Source) -> Iterator[pl.DataFrame]:
            raise NotImplementedError

    everyone = (Taker("any", last_resort=True), Taker("own"))
    monkeypatch.setattr(sensor, "sensors", lambda: everyone)
    assert [one.name for one in claims(b"x", "x")] == ["own"]
    monkeypatch.setattr(sensor, "sensors", lambda: everyone[:1])
    assert [one.name for one in claims(b"x", "x")] == ["any"]


def test_programs_hosts_and_times() -> None:
    lines = (SAMPLES / "unix_syslog" / "messages.log").read_text("utf-8")
    rows = {row["log.file.line"]: row for row in events(unix_syslog.SENSOR, lines)}
    assert (rows[2]["host.name"], rows[2]["process.name"], rows[2]["process.pid"]) == ("app-03", "systemd", 1)
    assert rows[3]["process.name"] == "rsyslogd"
    assert rows[5]["message"] == "last message repeated 2 times"
    assert rows[6]["message"].endswith("\n\tweb session: https://tunnel.example/t/abc")
    assert rows[10]["event.dataset"] == "system.auth"
    assert (rows[10]["user.name"], rows[10]["source.ip"]) == ("ptran", "198.51.100.7")
    assert {row["event.dataset"] for line, row in rows.items() if line != 10} == {"system.syslog"}


def test_tags_with_blanks() -> None:
    rows = events(unix_syslog.SENSOR, (SAMPLES / "unix_syslog" / "system.log").read_text("utf-8"))
    assert rows[0]["process.name"] == "com.apple.xpc.launchd[1] (com.apple.quicklook[21498])"
    assert (rows[1]["process.name"], rows[1]["process.pid"]) == ("Google Chrome", 85294)
    assert rows[3]["message"] == "--- last message repeated 1 time ---"


def test_the_new_protocol_and_a_clock_that_stopped() -> None:
    rows = events(unix_syslog.SENSOR, (SAMPLES / "unix_syslog" / "rfc5424.log").read_text("utf-8"))
    assert rows[0]["log.syslog.msgid"] == "ID47"
    assert (rows[0]["log.syslog.priority"], rows[0]["log.syslog.facility.code"]) == (165, 20)
    assert "process.name" not in rows[2]
    assert rows[3]["@timestamp"].isoformat() == "1970-01-01T00:00:12.501000+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-05 09:00:00 INFO main: started\n",
        "2026-10-05T09:00:00Z ERROR store: failed\n",
        "2026-10-05T09:00:00Z,host,app: x\n",
        "Oct  5 2026: report: of\n",
        "name: value\nother: value\n",
    ],
)
def test_other_logs_are_not_syslog(text: str) -> None:
    assert not unix_syslog.SENSOR.sniff(text.encode(), "x.log")


def test_journals_of_all_forms_say_the_same() -> None:
    wanted = events(journald.SENSOR, source_of(EXPORT))
    assert [row["process.name"] for row in wanted] == ["sshd", "gatekeeper", "kernel", "sudo"]
    assert wanted[0]["event.dataset"] == wanted[3]["event.dataset"] == "system.auth"
    assert (wanted[0]["user.name"], wanted[0]["source.ip"]) == ("ptran", "198.51.100.7")
    assert wanted[0]["@timestamp"].isoformat() == "2026-10-05T09:00:00.123001+00:00"
    assert wanted[1]["message"] == "refused:\nfirst reason\n\nsecond reason"
    assert [row["log.syslog.severity.code"] for row in wanted] == [6, 4, 5, 5]
    places = {"log.offset", "log.file.line"}
    for name in ("journal.json", "journal_pretty.json"):
        got = events(journald.SENSOR, source_of((SAMPLES / "journald" / name).read_bytes()))
        for one, other in zip(got, wanted, strict=False):
            assert {k: v for k, v in one.items() if k not in places} == {
                k: v for k, v in other.items() if k not in places
            }


def test_an_export_says_where_its_entries_are() -> None:
    rows = events(journald.SENSOR, source_of(EXPORT))
    lines = EXPORT.split(b"\n")
    for row in rows:
        assert EXPORT[row["log.offset"] :].startswith(b"__CURSOR=")
        assert lines[row["log.file.line"] - 1].startswith(b"__CURSOR=")


def test_a_binary_field_may_hold_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    message = b"one\n\n__CURSOR=no\nMESSAGE\n\x00\xff" * 40
    field = b"MESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\n"
    entry = b"__CURSOR=c%d\n__REALTIME_TIMESTAMP=1791190800000000\n" + field + b"\n"
    content = b"".join(entry % number for number in range(5))
    monkeypatch.setattr("sensors.reading.framing.CHUNK_BYTES", 300)
    rows = events(journald.SENSOR, source_of(content))
    assert [row["system.journald.cursor"] for row in rows] == [f"c{number}" for number in range(5)]
    assert {row["message"] for row in rows} == {message.decode("utf-8", "replace")}


@FEW
@given(broken_lines(sample_lines("unix_syslog")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(unix_syslog.SENSOR, content)


@FEW
@given(broken(EXPORT))
def test_a_broken_export_raises_nothing_and_does_not_vanish(content: bytes) -> None:
    source = source_of(content)
    rows = events(journald.SENSOR, source)
    assert [row["log.offset"] for row in rows] == sorted(row["log.offset"] for row in rows)
    assert rows or source.unread or not content.strip()


@FEW
@given(broken((SAMPLES / "journald" / "journal.json").read_bytes()))
def test_a_broken_journal_in_json_raises_nothing(content: bytes) -> None:
    source = source_of(content)
    rows = events(journald.SENSOR, source)
    assert rows or source.unread or not content.strip()


def test_json_lines_are_all_accounted_for() -> None:
    lines = [json.dumps({"__CURSOR": str(n), "__REALTIME_TIMESTAMP": "1"}) for n in range(3)]
    source = source_of("\n".join([*lines, "{", '{"a": 1}']))
    assert len(events(journald.SENSOR, source)) + sum(one.count for one in source.unread) == 5
