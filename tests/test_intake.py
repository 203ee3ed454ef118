from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hunted import hunt, run

from analysis.intake import Intake, events, read_into
from analysis.lake import Lake
from sensors import okta
from sensors.sensor import Source

M365: dict[str, Any] = {
    "CreationTime": "2026-10-12T08:00:00", "Id": "1", "Operation": "FileDownloaded", "OrganizationId": "o",
    "RecordType": 6, "UserKey": "k", "UserType": 0, "Workload": "SharePoint", "UserId": "jdoe@corp.example",
    "ClientIP": "203.0.113.4",
}  # fmt: skip


def taken(lake: Lake, *paths: Path) -> Intake:
    return read_into(
        lake,
        paths,
        lambda _path: None,
        is_context=lambda _path: False,
        skip=lambda _path: False,
        progress=lambda _path: None,
    )


@pytest.mark.parametrize("good", [0, 2])
def test_events_without_a_time_are_named_and_not_analysed(tmp_path: Path, good: int) -> None:
    records = [M365, {**M365, "CreationTime": "yesterday"}, M365, {**M365, "CreationTime": "?"}]
    log = tmp_path / "audit.json"
    log.write_text("".join(json.dumps(each) + "\n" for each in (records if good else records[1::2])))
    lake = Lake(tmp_path / "lake")
    intake = taken(lake, log)
    assert sum(lake.rows().values()) == good
    assert all("@timestamp" in batch.frame.columns for batch in lake.batches())
    (unread,) = intake.unread
    assert (unread.path, unread.line, unread.count) == (str(log), 2 if good else 1, 2)
    assert "no time" in unread.reason


class Failing:
    """A sensor that fails after its first batch."""

    name = "failing"

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a sensor's signature
        return True

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        yield pl.DataFrame({"@timestamp": [source.modified], "event.dataset": ["failing.log"]})
        raise self.error


@pytest.mark.parametrize("error", [ZeroDivisionError("by 0"), pl.exceptions.PanicException("index 7")])
def test_a_sensor_that_fails_ends_its_source_and_no_more(
    source: Callable[..., Source], error: BaseException
) -> None:
    log = source("x")
    assert [frame.height for frame in events(log, Failing(error))] == [1]
    (unread,) = log.unread
    assert f"{type(error).__name__}: {error}" in unread.reason


def test_a_copy_of_a_log_adds_nothing_and_is_named_all_the_same(tmp_path: Path) -> None:
    first, copy = tmp_path / "a.json", tmp_path / "b.json"
    for path in (first, copy):
        path.write_text(json.dumps(M365) + "\n")
    lake = Lake(tmp_path / "lake")
    intake = taken(lake, first, copy)
    assert [(each.path, known) for each, known in intake.manifests] == [
        (str(first), False),
        (str(copy), True),
    ]
    assert sum(lake.rows().values()) == 1


def test_what_a_hunt_wrote_among_its_inputs_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(M365) + "\n")
    for out in (tmp_path / "out", tmp_path / "out", tmp_path):
        other = (
            out == tmp_path
        )  # another hunt's lake is one, too; its report no sensor knows, and that is said
        found = hunt(out, tmp_path, "--no-bundled-rules", status=3 if other else 0)
        assert found.report["events"] == 1
        read = [each for each in found.report["sources"] if each["events"]]
        assert [each["path"] for each in read] == [str(tmp_path / "a.json")]
        assert {Path(each["path"]).parent for each in found.unread} == (
            {tmp_path / "out"} if other else set()
        )


def test_a_second_roster_is_not_used_and_that_is_said(tmp_path: Path) -> None:
    header = "employee_id,name,email,department,title,start_date\n"
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.json").write_text(json.dumps(M365) + "\n")
    for name in ("hr.csv", "outside.csv"):
        (tmp_path / "logs" / name).write_text(f"{header}1,Jo Doe,jdoe@corp.example,IT,Engineer,2026-01-01\n")
    found = hunt(tmp_path / "out", tmp_path / "logs", "--no-bundled-rules")
    (note,) = (note for note in found.report["notes"] if "was not used" in note)
    assert note.startswith(str(tmp_path / "logs" / "outside.csv"))
    assert f"{tmp_path / 'logs' / 'hr.csv'} is the roster" in note
    assert found.unread == []


def test_a_sensor_that_fails_at_looking_keeps_no_other_from_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_self: object, _head: bytes, _name: str) -> bool:
        raise TypeError("unhashable")

    monkeypatch.setattr(type(okta.SENSOR), "sniff", fails)
    (tmp_path / "a.json").write_text(json.dumps(M365) + "\n")
    (tmp_path / "b.json").write_text('{"nobody": "knows"}\n')
    found = hunt(tmp_path / "out", tmp_path, "--no-bundled-rules", status=3)
    assert found.report["events"] == 1
    (entry,) = found.unread
    assert "okta (TypeError: unhashable) failed at looking at it" in entry["reason"]


def test_what_no_sensor_knows_is_shown_and_an_output_that_cannot_be_written_is_1(tmp_path: Path) -> None:
    log = tmp_path / "x.bin"
    log.write_bytes(b"\x01\x02rubbish")
    unknown = run("events", log)
    assert unknown.exit_code == 3
    assert unknown.stderr == (
        f"not read: {log}: no sensor knows this format; `molehunt sensors` lists those that are read, and a "
        "mapping file reads any JSON or CSV (--mapping) (begins '\\x01\\x02rubbish')\n"
    )
    for name in ("x.parquet", "x.ndjson"):
        failed = run("events", log, "-o", tmp_path / "nowhere" / name)
        assert failed.exit_code == 1
        assert failed.stderr.startswith(f"Error: {tmp_path / 'nowhere' / name}: ")
