from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analysis.lake import Lake
from sensors import files
from sensors.sensor import Source

START = datetime(2026, 10, 31, 23, 0, tzinfo=UTC)


def made(path: Path, zone: str | None = None) -> Source:
    (source,) = files.sources(path, ZoneInfo(zone) if zone else None)
    assert isinstance(source, Source)
    return source


def batches(count: int = 4, rows: int = 1000) -> Iterator[pl.DataFrame]:
    for number in range(count):
        yield pl.DataFrame(
            {
                "@timestamp": [START + timedelta(minutes=number), *[START + timedelta(hours=2)] * (rows - 1)],
                "event.dataset": ["one.log"] * (rows - 1) + ["two.log"],
                "log.offset": range(number * rows, (number + 1) * rows),
                f"only.in.{number}": ["x"] * rows,
            },
            schema_overrides={"@timestamp": pl.Datetime("us", "UTC")},
        )


def whole(lake: Lake) -> list[int]:
    return sorted(offset for batch in lake.batches() for offset in batch.frame["log.offset"])


def test_events_lie_by_dataset_and_day_and_come_back_whole(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("content")
    lake = Lake(tmp_path / "lake")
    with lake.writing():
        manifest = lake.add(made(log), "some", batches())
    assert {(part.dataset, part.day) for part in manifest.parts} == {
        ("one.log", "2026-10-31"),
        ("one.log", "2026-11-01"),
        ("two.log", "2026-11-01"),
    }
    assert all(Path(part.file).name.startswith(manifest.sha256) for part in manifest.parts)
    again = Lake(tmp_path / "lake")
    assert whole(again) == list(range(4000))
    assert again.rows() == {"one.log": 3996, "two.log": 4}
    assert "only.in.3" in again.columns()["one.log"]
    assert again.manifests == [manifest]
    small = list(again.batches(rows=300))
    assert max(batch.frame.height for batch in small) == 300
    assert sorted(x for batch in small for x in batch.frame["log.offset"]) == list(range(4000))
    assert {batch.dataset for batch in small} == {"one.log", "two.log"}


def test_wide_events_come_in_lower_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(tmp_path / "lake")
    log = tmp_path / "a.log"
    log.write_text("content")
    with lake.writing():
        lake.add(made(log), "some", batches())
    columns = len(set().union(*lake.columns().values()))
    monkeypatch.setattr("analysis.lake._BATCH_CELLS", 500 * columns)
    assert whole(lake) == list(range(4000))
    assert all(batch.frame.height * batch.frame.width <= 500 * columns for batch in lake.batches())
    narrow = list(lake.batches(columns=["log.offset"]))
    assert {batch.frame.width for batch in narrow} == {2}
    assert len(narrow) < len(list(lake.batches()))


def test_the_same_file_twice_adds_nothing_wherever_it_lies(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "copy.log"
    for path in (first, second):
        path.write_text("content")
        os.utime(path, (1_790_000_000, 1_790_000_000))
    lake = Lake(tmp_path / "lake")
    with lake.writing():
        assert lake.known(made(first), "some") is None
        lake.add(made(first), "some", batches())
        assert lake.known(made(second), "some") is not None
        lake.add(made(second), "some", batches())
    assert whole(Lake(tmp_path / "lake")) == list(range(4000))


def test_read_otherwise_it_replaces_what_was_there(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("content")
    lake = Lake(tmp_path / "lake")
    with lake.writing():
        lake.add(made(log), "some", batches())
        assert lake.known(made(log, "Europe/Berlin"), "some") is None
        lake.add(made(log, "Europe/Berlin"), "some", batches(2))
    assert whole(Lake(tmp_path / "lake")) == list(range(2000))
    assert len(list((tmp_path / "lake" / "events").rglob("*.parquet"))) == 3


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    with Lake(tmp_path / "lake").writing(), pytest.raises(BlockingIOError), Lake(tmp_path / "lake").writing():
        pass


def test_what_another_added_meanwhile_is_not_swept_away(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("content")
    early = Lake(tmp_path / "lake")
    other = Lake(tmp_path / "lake")
    with other.writing():
        other.add(made(log), "some", batches())
    with early.writing():
        assert early.known(made(log), "some") is not None
    assert whole(Lake(tmp_path / "lake")) == whole(early) == list(range(4000))


def test_looking_at_a_few_sources_takes_nothing_out_of_the_lake(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("content")
    lake = Lake(tmp_path / "lake")
    with lake.writing():
        lake.add(made(log), "some", batches())
    lake.only([])
    assert whole(lake) == []
    with lake.writing():
        pass
    assert whole(Lake(tmp_path / "lake")) == list(range(4000))


def test_events_without_a_time_keep_the_column(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("content")
    timeless = next(batches()).with_columns(pl.lit(None, pl.Datetime("us", "UTC")).alias("@timestamp"))
    lake = Lake(tmp_path / "lake")
    with lake.writing():
        manifest = lake.add(made(log), "some", iter([timeless]))
    assert {part.day for part in manifest.parts} == {"undated"}
    assert all(batch.frame["@timestamp"].null_count() for batch in lake.batches())


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
import test_lake
from analysis.lake import Lake
steps, stop = 0, int(sys.argv[3])
def step(event, args):
    global steps
    changes = event in ("os.rename", "open", "os.mkdir", "shutil.rmtree", "os.remove", "os.rmdir")
    if changes and args and str(args[0]).startswith(sys.argv[1]):
        steps += 1
        if steps == stop:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(step)
lake = Lake(Path(sys.argv[1]))
with lake.writing():
    source = test_lake.made(Path(sys.argv[2]))
    if lake.known(source, "some") is None:
        lake.add(source, "some", test_lake.batches())
print(steps)
"""


def test_a_kill_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("content")
    here = Path(__file__).parent
    program = KILLED.format(path=[str(here), str(here.parent)])

    def run(stop: int) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-c", program, str(tmp_path / f"lake{stop}"), str(log), str(stop)]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    done = run(10**9)
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout)
    assert steps > 20
    for stop in range(1, steps + 1):  # every change that Python makes to the lake's folder
        assert run(stop).returncode == -signal.SIGKILL
        half = Lake(tmp_path / f"lake{stop}")
        assert whole(half) in ([], list(range(4000)))
        with half.writing():
            if half.known(made(log), "some") is None:
                half.add(made(log), "some", batches())
        assert whole(Lake(tmp_path / f"lake{stop}")) == list(range(4000))
        kept = {part.file for manifest in half.manifests for part in manifest.parts}
        on_disk = (tmp_path / f"lake{stop}" / "events").rglob("*.parquet")
        assert {str(path.relative_to(tmp_path / f"lake{stop}" / "events")) for path in on_disk} == kept
