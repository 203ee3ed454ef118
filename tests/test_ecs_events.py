"""Events in ECS: molehunt's own there and back again, other tools', and input that means harm."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import emit, intake
from sensors import ecs_events, schema, zeek
from sensors.ecs_events import SENSOR
from sensors.sensor import HEAD_BYTES, Sensor, Source

REPO = Path(__file__).resolve().parents[1]
SAMPLES = REPO / "samples" / "ecs"
EVENT = {"@timestamp": "2026-10-13T10:00:00Z", "event.dataset": "x.y", "event.category": ["network"]}


def in_memory(content: bytes | str, name: str = "x.ndjson") -> Source:
    data = content.encode() if isinstance(content, str) else content
    return Source(
        path=name,
        name=name,
        sha256="5" * 64,
        head=data[:HEAD_BYTES],
        zone=ZoneInfo("UTC"),
        modified=datetime(2026, 11, 1, tzinfo=UTC),
        opener=lambda: io.BytesIO(data),
    )


def read(source: Source, sensor: Sensor = SENSOR) -> list[dict[str, Any]]:
    """Events as rows without nulls; a sensor that fails fails the test."""
    rows = [row for frame in intake.events(source, sensor) for row in frame.iter_rows(named=True)]
    assert not [each for each in source.unread if "defect" in each.reason], source.unread
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


# --- there and back ---------------------------------------------------------------------------------------


@pytest.fixture
def frames(sources_of: Callable[[Path], Iterator[Source]]) -> list[pl.DataFrame]:
    """Typed events of many kinds."""
    paths = sorted((REPO / "samples" / "zeek").glob("*.log"))
    return [
        frame for path in paths for source in sources_of(path) for frame in intake.events(source, zeek.SENSOR)
    ]


def rows_of(frames: list[pl.DataFrame]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if value is not None}
        for frame in frames
        for row in frame.iter_rows(named=True)
    ]


def test_events_written_as_json_lines_are_read_back_equal(frames: list[pl.DataFrame]) -> None:
    out = io.BytesIO()
    assert emit.ndjson(frames, out) > 50
    source = in_memory(out.getvalue())
    assert SENSOR.sniff(source.head, source.name)
    assert read(source) == rows_of(frames)
    assert source.unread == []


def test_events_written_as_parquet_are_read_back_equal_in_batches(
    frames: list[pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ecs_events, "_ROWS", 7)
    emit.parquet(frames, tmp_path / "x.parquet")
    source = in_memory((tmp_path / "x.parquet").read_bytes(), "x.parquet")
    assert SENSOR.sniff(source.head, source.name)
    assert max(frame.height for frame in SENSOR.read(source)) == 7
    assert read(source) == rows_of(frames)


def test_both_samples_of_our_own_events_are_equal_and_lead_to_the_logs(
    sources_of: Callable[[Path], Iterator[Source]],
) -> None:
    (as_json,), (as_parquet,) = sources_of(SAMPLES / "events.ndjson"), sources_of(SAMPLES / "events.parquet")
    one, other = read(as_json), read(as_parquet)
    assert len(one) == 18
    assert one == other
    first = one[0]
    assert (first["event.module"], first["log.file.path"]) == ("zeek", "samples/zeek/conn.log")
    log = (REPO / first["log.file.path"]).read_bytes()
    assert log[first["log.offset"] :].startswith(b"1791885601.250000\t")
    assert log.splitlines()[first["log.file.line"] - 1].startswith(b"1791885601.250000\t")
    assert {row["molehunt.source.sha256"] for row in one}.isdisjoint({as_json.sha256})


# --- other tools' events ----------------------------------------------------------------------------------


def test_nested_events_become_columns(sources_of: Callable[[Path], Iterator[Source]]) -> None:
    (source,) = sources_of(SAMPLES / "nested.ndjson")
    query, login, opened = read(source)
    assert query["dns.answers.data"] == ["edge.partner.example", "203.0.113.20"]
    assert query["dns.answers.ttl"] == ["300", "60"]
    assert query["molehunt.unmapped.data_stream.type"] == "logs"
    assert (query["log.file.path"], query["log.offset"], query["log.file.line"]) == (source.path, 0, 1)
    assert query["molehunt.origin.path"] == "/var/log/packets.log"
    assert query["molehunt.source.sha256"] == source.sha256
    assert login["@timestamp"] == datetime(2026, 10, 13, 10, 0, 3, 250_000, UTC)
    assert login["event.category"] == ["authentication"]
    assert login["tls.established"] is True
    assert login["http.response.status_code"] == 401
    assert login["source.geo.location.lat"] == pytest.approx(50.08)
    assert login["molehunt.unmapped.custom.list"] == '["a","b"]'
    assert opened["@timestamp"] == datetime(2026, 10, 13, 10, 0, 4, tzinfo=UTC)
    assert opened["event.dataset"] == "fileshare.log"
    assert source.unread == []


def test_pages_and_envelopes_are_opened() -> None:
    record = {"_index": "logs", "_id": "1", "_source": EVENT}
    assert read(in_memory(json.dumps(record)))[0]["event.dataset"] == "x.y"
    assert len(read(in_memory(json.dumps([EVENT, EVENT], indent=1)))) == 2


def test_parquet_with_structs_and_names_that_mean_something() -> None:
    frame = pl.DataFrame(
        {
            "@timestamp": ["2026-10-13T10:00:00Z", "never"],
            "event": [{"dataset": "a.b", "category": ["file"]}, {"dataset": "a.b", "category": None}],
            "source": [{"ip": "10.0.0.1", "port": 7}, {"ip": None, "port": None}],
            "*": [1, 2],
            "^event.*$": [[1, 2], []],
            "host.ip": ["10.0.0.1", None],
            "log.offset": [3, 4],
        }
    )
    source = in_memory(parquet(frame), "x.parquet")
    (row,) = read(source)
    assert (row["source.ip"], row["source.port"], row["host.ip"]) == ("10.0.0.1", 7, ["10.0.0.1"])
    assert row["event.category"] == ["file"]
    assert row["molehunt.unmapped._"] == "1"
    assert row["molehunt.unmapped._event.__"] == "1,2"
    assert row["log.file.line"] == 1
    assert "log.offset" not in row
    assert [(each.line, each.count) for each in source.unread] == [(2, 1)]


def test_what_hr_says_is_never_taken_from_a_log() -> None:
    (row,) = read(in_memory(lines({**EVENT, "roster.location_country": "US", "account": "boss"})))
    assert row["molehunt.unmapped.roster.location_country"] == "US"
    assert row["molehunt.unmapped.account"] == "boss"
    assert not {"roster.location_country", "account"} & row.keys()


def test_a_time_without_a_zone_is_of_the_given_one() -> None:
    source = in_memory(lines({**EVENT, "@timestamp": "2026-10-13T06:00:00"}))
    source.zone = ZoneInfo("America/New_York")
    assert read(source)[0]["@timestamp"] == datetime(2026, 10, 13, 10, tzinfo=UTC)


# --- whose file it is -------------------------------------------------------------------------------------

OURS = {"molehunt.source.sha256": "0"}


@pytest.mark.parametrize(
    "record",
    [
        EVENT,
        {"@timestamp": 1, "ecs": {"version": "8"}, "event": {"kind": "alert"}},
        {"@timestamp": "x", "event": {"module": "m", "category": "process"}},
        {**EVENT, **OURS, "winlog.channel": "Security"},
        {"@timestamp": "x", "event.dataset": "zeek.dns", **OURS},
    ],
)
def test_events_are_claimed(record: dict[str, Any]) -> None:
    head = lines(record).encode()
    assert SENSOR.sniff(head, "x")
    assert not zeek.SENSOR.sniff(head, "dns.log")


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"@timestamp": "x"},
        {"@timestamp": "x", "message": "m", "agent": {"type": "filebeat"}, "ecs": {"version": "8"}},
        {
            "@timestamp": "x",
            "event": {"dataset": "zeek.dns", "module": "zeek"},
            "message": "{}",
            "fileset": {},
        },
        {
            "@timestamp": "x",
            "event": {"kind": "event", "code": 1},
            "winlog": {"channel": "Security"},
            "ecs.version": 1,
        },
        {"@timestamp": "x", "ts": 1, "event": {"kind": "event", "dataset": "zeek.dns"}},
        {"event.dataset": "x", "event.kind": "event"},
        {"ts": 1, "_path": "conn"},
    ],
)
def test_what_is_not_normalised_is_not(record: dict[str, Any]) -> None:
    assert not SENSOR.sniff(lines(record).encode(), "x")


# --- input that means harm --------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "magic", "middle", "empty"])
def test_damaged_parquet_is_named(damage: str) -> None:
    whole = (SAMPLES / "events.parquet").read_bytes()
    broken = {
        "cut": whole[:-100],
        "magic": b"PAR1",
        "middle": whole[:400] + b"\xff" * (len(whole) - 800) + whole[-400:],
        "empty": b"PAR1PAR1",
    }[damage]
    source = in_memory(broken, "x.parquet")
    assert SENSOR.sniff(source.head, source.name)
    assert read(source) == []
    assert len(source.unread) == 1
    assert "Parquet" in source.unread[0].reason


def test_parquet_without_times_is_named() -> None:
    source = in_memory(parquet(pl.DataFrame({"a": [1, 2, 3]})), "x.parquet")
    assert read(source) == []
    assert [(each.line, each.count) for each in source.unread] == [(1, 3)]
    assert read(in_memory(parquet(pl.DataFrame({"@timestamp": []})), "x.parquet")) == []


NAMES = st.one_of(
    st.sampled_from(
        [*schema.dictionary(), "dns.answers", "dns", "event", "record.log.offset", "*", "^.*$", "zeek", "a b"]
    ),
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=6),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["", "2026-10-13T10:00:00Z", "10.0.0.1", "[", '["a"]', "7", "nan"]),
        st.text(st.characters(blacklist_categories=("Cs",)), max_size=6),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=8), max_size=6))
def test_whatever_the_records_hold_each_is_an_event_or_named(records: list[dict[str, Any]]) -> None:
    source = in_memory(lines(EVENT, *records))
    rows = read(source)
    assert len(rows) + sum(each.count for each in source.unread) == 1 + len(records)
