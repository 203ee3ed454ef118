"""`molehunt events`: what it prints leads back to the raw record, in every form the same."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hunted import REPO, SAMPLES, run

OKTA = SAMPLES / "okta" / "system.ndjson"
ZEEK = SAMPLES / "zeek" / "conn.log"
LINUX = SAMPLES / "linux" / "auth.log"


def ndjson(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


TELLING = ("event.id", "zeek.session_id", "source.ip", "process.name", "winlog.record_id", "user.name")
RAW = [
    OKTA,
    LINUX,
    ZEEK,
    SAMPLES / "windows" / "winlogbeat.ndjson",
    SAMPLES / "m365" / "search.csv",
    SAMPLES / "squid" / "access.log",
    SAMPLES / "zeek" / "json" / "dns.log",
]


@pytest.mark.parametrize("path", RAW, ids=lambda path: f"{path.parent.name}/{path.name}")
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_events_lead_back_to_their_records(path: Path, packed: bool, tmp_path: Path) -> None:  # noqa: FBT001 - pytest's
    raw = path.read_bytes()
    if packed:
        path = tmp_path / f"{path.name}.gz"
        path.write_bytes(gzip.compress(raw))
    result = run("events", path)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = ndjson(result.stdout)
    assert rows
    assert [row["log.offset"] for row in rows] == sorted(row["log.offset"] for row in rows)
    for row in rows:
        assert row["log.file.path"] == str(path)
        offset, line = row["log.offset"], row["log.file.line"]
        assert raw[:offset].count(b"\n") + 1 == line
        assert offset == 0 or raw[offset - 1 : offset] == b"\n"
        record = raw[offset:].partition(b"\n")[0].decode()
        # What tells one record from its neighbours is in it: its own id, or the names and addresses in it.
        told = [row[name] for name in TELLING if name in row]
        assert told
        for value in told:
            assert str(value) in record


def test_events_are_flat_named_and_have_no_nulls() -> None:
    result = run("events", OKTA, ZEEK, LINUX)
    rows = ndjson(result.stdout)
    assert len({row["event.module"] for row in rows}) == 3
    for row in rows:
        assert datetime.fromisoformat(row["@timestamp"]).tzinfo is not None
        assert {"event.dataset", "event.module", "log.file.path", "molehunt.source.sha256"} <= row.keys()
        for name, value in row.items():
            assert value is not None, name
            assert not isinstance(value, dict), name


def test_events_come_in_the_order_of_input() -> None:
    rows = ndjson(run("events", ZEEK, OKTA).stdout)
    names = [Path(row["log.file.path"]).name for row in rows]
    logged = len(OKTA.read_bytes().splitlines())
    assert names == ["conn.log"] * 7 + ["system.ndjson"] * logged
    frames = ndjson(run("events", SAMPLES / "capture" / "conversation.pcap").stdout)
    assert all(row["molehunt.frame.number"] > 0 for row in frames)
    records = ndjson(run("events", SAMPLES / "windows" / "security.evtx").stdout)
    assert [int(row["winlog.record_id"]) for row in records] == list(range(51_200, 51_211))


def test_events_as_parquet_are_the_same(tmp_path: Path) -> None:
    inputs = [OKTA, ZEEK, LINUX, SAMPLES / "windows" / "security.evtx"]
    printed = run("events", *inputs)
    for name in ("x.parquet", "x.ndjson"):
        written = run("events", *inputs, "-o", tmp_path / name)
        assert (written.exit_code, written.output) == (0, "")
    assert (tmp_path / "x.ndjson").read_text("utf-8") == printed.stdout
    frame = pl.read_parquet(tmp_path / "x.parquet")
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    frame = frame.with_columns(pl.col(times).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    rows = [{name: value for name, value in row.items() if value is not None} for row in frame.to_dicts()]
    assert rows == ndjson(printed.stdout)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.ndjson", "x.parquet"]


def test_a_zone_moves_the_times_that_have_none() -> None:
    guessed = ndjson(run("events", LINUX).stdout)
    said = ndjson(run("events", LINUX, "--tz", "America/Chicago").stdout)
    moved = [
        datetime.fromisoformat(there["@timestamp"]) - datetime.fromisoformat(here["@timestamp"])
        for here, there in zip(guessed, said, strict=True)
    ]
    assert {gap.total_seconds() / 3600 for gap in moved} == {5}  # daylight saving time in October
    assert all("zone" in row["molehunt.guess"] for row in guessed)
    assert all("zone" not in row["molehunt.guess"] for row in said)  # the year still is
    assert run("events", OKTA, "--tz", "America/Chicago").stdout == run("events", OKTA).stdout


def test_a_reader_that_leaves_early_is_no_failure_to_shout_about() -> None:
    command = [sys.executable, "-c", "from analysis.cli import main; main()", "events", str(SAMPLES / "zeek")]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "Traceback" not in said
