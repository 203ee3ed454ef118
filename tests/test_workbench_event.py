"""The event at a place that a person typed."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hunted import SAMPLES, run

from analysis.sigma import bundled_rules
from analysis.workbench.event import EventError, event_at

EXAMPLE = bundled_rules() / "access" / "astrill_dns.match.ndjson"


@pytest.mark.parametrize(
    ("place", "dataset", "column", "value"),
    [
        ("linux/auth.log:3", "system.auth", "log.file.line", 3),
        ("cisco_asa/anyconnect.log:1", "cisco_asa.log", "log.file.line", 1),
        ("zeek/conn.log:9", "zeek.connection", "log.file.line", 9),
        ("m365/audit.json:2", "o365.audit", "event.action", "UserLoggedIn"),
        ("windows/sysmon.xml:3", "windows.sysmon_operational", "log.file.line", 3),
        ("windows/security.evtx:51204", "system.security", "winlog.record_id", "51204"),
        ("capture/conversation.pcap:2", "capture.dns", "molehunt.frame.number", 2),
        ("ecs/nested.ndjson:2", "sso.audit", "event.action", "user-login"),
        ("scenario/windows/sysmon.ndjson.gz:100", "windows.sysmon_operational", "log.file.line", 100),
    ],
)
def test_a_sensor_reads_it(place: str, dataset: str, column: str, value: object) -> None:
    event = event_at(str(SAMPLES / place))
    assert event.height == 1
    assert event["event.dataset"].to_list() == [dataset]
    assert event[column].to_list() == [value]
    assert event.null_count().row(0) == (0,) * event.width


def test_an_event_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.write(SAMPLES / "linux" / "auth.log", "build/auth.log")
        archive.write(SAMPLES / "zeek" / "conn.log", "zeek/conn.log")
    alone = event_at(f"{SAMPLES}/linux/auth.log:3")
    inside = event_at(f"{tmp_path}/logs.zip!build/auth.log:3")
    assert inside["event.action"].to_list() == alone["event.action"].to_list()
    with pytest.raises(EventError, match=r"name one of them: .*!build/auth\.log, .*!zeek/conn\.log"):
        event_at(f"{tmp_path}/logs.zip:3")
    with pytest.raises(EventError, match=r"is none of what .*logs\.zip holds"):
        event_at(f"{tmp_path}/logs.zip!no.log:3")


def test_what_molehunt_printed_is_read_by_its_own_lines(tmp_path: Path) -> None:
    printed = tmp_path / "events.ndjson"
    assert run("events", SAMPLES / "zeek" / "conn.log", "-o", printed).exit_code == 0
    event = event_at(f"{printed}:2")
    assert event["log.file.line"].to_list() == [10]  # where it came from
    line = json.loads(printed.read_text().splitlines()[1])
    assert set(event.columns) == set(line)
    (tmp_path / "events.ndjson.gz").write_bytes(gzip.compress(printed.read_bytes()))
    assert event_at(f"{tmp_path}/events.ndjson.gz:2")["log.file.line"].to_list() == [10]


def test_an_example_has_what_analysis_would_add(tmp_path: Path) -> None:
    path = tmp_path / "x.match.ndjson"
    path.write_text(
        '\n{"event": {"dataset": "okta.system"}, "account": "ann", "roster.days_since_end": 3, "a": 1}\n'
        '{"event": {"dataset": "okta.system"}, "account": "ann", "roster.days_since_end": 3}\n{}\n'
    )
    assert event_at(f"{path}:3").row(0, named=True) == {
        "event.dataset": "okta.system",
        "account": "ann",
        "roster.days_since_end": 3,
    }
    for line, told in (
        (1, "not JSON"),
        (2, "'a' is no field"),
        (4, "no event.dataset"),
        (9, "has no line 9"),
    ):
        with pytest.raises(EventError, match=told):
            event_at(f"{path}:{line}")
    assert event_at(f"{EXAMPLE}:1")["event.dataset"].to_list() == ["zeek.dns"]


def test_several_events_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "signins.json"
    records = [json.loads(line) for line in (SAMPLES / "okta" / "system.ndjson").read_text().splitlines()[:3]]
    path.write_text(json.dumps(records))
    with pytest.raises(EventError, match=r":1 holds 3 events; say which one: .*:1:1 to .*:1:3"):
        event_at(f"{path}:1")
    chosen = [event_at(f"{path}:1:{number}")["event.action"][0] for number in (1, 2, 3)]
    assert chosen == [record["eventType"] for record in records]
    with pytest.raises(EventError, match="holds no more than 3 events"):
        event_at(f"{path}:1:4")


def test_local_times_take_the_zone() -> None:
    place = f"{SAMPLES}/linux/auth.log:3"
    chicago = event_at(place, ZoneInfo("America/Chicago"))["@timestamp"][0]
    assert (chicago - event_at(place)["@timestamp"][0]).total_seconds() in (5 * 3600, 6 * 3600)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("auth.log", "is no place; write FILE:LINE"),
        ("auth.log:0", "is no place"),
        ("nowhere.log:1", "nowhere.log is not there"),
        (f"{SAMPLES}:1", "is a folder"),
        (f"{SAMPLES}/README.md:1", "no sensor knows this format"),
        (f"{SAMPLES}/linux/auth.log:999", r"no event of .* begins at 999; the nearest begin at line \d\d\b"),
        (f"{SAMPLES}/zeek/conn.log:3", "the nearest begin at line 9"),
        (f"{SAMPLES}/windows/security.evtx:3", "the nearest begin at record 51200"),
    ],
)
def test_a_place_without_an_event_is_told(place: str, told: str) -> None:
    with pytest.raises(EventError, match=told):
        event_at(place)


def test_a_line_that_could_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "system.ndjson"
    lines = (SAMPLES / "okta" / "system.ndjson").read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:40], lines[2]]) + "\n")
    with pytest.raises(EventError, match=":2 could not be read: "):
        event_at(f"{path}:2")
    (tmp_path / "empty.log").touch()
    with pytest.raises(EventError, match="it is empty"):
        event_at(f"{tmp_path}/empty.log:1")
