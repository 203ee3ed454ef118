"""Every sample belongs to exactly one sensor, and nothing makes sniffing fail."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hunted import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import intake
from analysis.context import recognise
from sensors import files, schema
from sensors.sensor import HEAD_BYTES, Source, claims, sensors

ANY = settings(max_examples=150, deadline=None)
NOT_LOGS = {"README.md", "scenario_truth.json"}


def logs() -> Iterator[Path]:
    for path in sorted(SAMPLES.rglob("*")):
        # Those of `mapped` are read by mapping files alone (tests/test_mapped.py).
        made = not {"scenario_maker", "mapped", "__pycache__"}.isdisjoint(path.parts) or path.name in NOT_LOGS
        if path.is_file() and not made and recognise(path) is None:
            yield path


LOGS = list(logs())


@cache
def heads() -> tuple[bytes, ...]:
    """The first bytes of every sample, members of archives too."""
    found = [source.head for path in LOGS for source in files.sources(path) if isinstance(source, Source)]
    return tuple(sorted(set(found)))


@pytest.mark.parametrize("path", LOGS, ids=lambda path: str(path.relative_to(SAMPLES)))
def test_a_sample_is_claimed_once_and_read_wholly(path: Path) -> None:
    for item in intake.found([path], lambda _path: None):
        assert isinstance(item, tuple), item  # a source and its one sensor
        source, sensor = item
        count = 0
        for frame in intake.events(source, sensor):
            assert dict(frame.schema) == {name: schema.dtype(name) for name in frame.columns}
            assert frame["event.module"].null_count() == 0
            assert frame["event.dataset"].null_count() == 0
            assert frame["@timestamp"].null_count() == 0
            count += frame.height
        assert count > 0
        assert source.unread == []


def test_every_sensor_has_a_sample() -> None:
    sampled = {
        sensor.name
        for path in LOGS
        for item in intake.found([path], lambda _path: None)
        if isinstance(item, tuple)
        for sensor in item[1:]
    }
    assert sampled == {sensor.name for sensor in sensors()}


@pytest.mark.parametrize("name", ["", "x.log", "x.pcap", "x.evtx", "conn.log", "x.json", "x.csv"])
def test_an_empty_file_is_nobodys(name: str) -> None:
    assert claims(b"", name) == []


NAMES = st.sampled_from(["x", "x.log", "conn.log", "audit.json", "x.evtx", "x.parquet", "\x1b[31m", "ü.csv"])


@ANY
@given(st.binary(max_size=4096), NAMES)
def test_random_bytes_are_sniffed_and_are_nobodys(head: bytes, name: str) -> None:
    assert len(claims(head, name)) <= 1


@ANY
@given(st.data(), NAMES)
def test_a_sample_cut_anywhere_is_sniffed(data: st.DataObject, name: str) -> None:
    head = data.draw(st.sampled_from(heads()))
    cut = data.draw(st.integers(0, len(head)))
    for part in (head[:cut], head[cut:]):
        assert len(claims(part, name)) <= 1


@ANY
@given(st.data())
def test_a_damaged_sample_is_sniffed(data: st.DataObject) -> None:
    head = bytearray(data.draw(st.sampled_from(heads())))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(head) - 1, 2000)))
        head[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    assert len(claims(bytes(head[:HEAD_BYTES]), "x")) <= 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "piece", ["{", "[", "[[", '{"a":', '{"records":[', "<Event>", "\ufeff", "\\", '"', "a", "\n"]
)
def test_deep_nesting_is_sniffed(piece: str, encoding: str) -> None:
    assert claims((piece * HEAD_BYTES).encode(encoding)[:HEAD_BYTES], "x") == []


FOREIGN = b'{"greeting": "hello", "of": "a record that no sensor knows"}\n'
JSON_LINES = [path for path in LOGS if path.suffix in {".json", ".ndjson", ".jsonl", ".log"}]


@pytest.mark.parametrize("path", JSON_LINES, ids=lambda path: str(path.relative_to(SAMPLES)))
def test_one_foreign_record_before_a_log_of_json_makes_it_no_one_elses(path: Path) -> None:
    for source in files.sources(path):
        assert isinstance(source, Source)
        lines = source.head.splitlines(keepends=True)
        if len(lines) < 3 or not all(line.startswith(b"{") and len(line) < 4000 for line in lines[:3]):
            continue
        own = [sensor.name for sensor in claims(source.head, source.name)]
        assert [sensor.name for sensor in claims(FOREIGN + source.head, source.name)] == own
