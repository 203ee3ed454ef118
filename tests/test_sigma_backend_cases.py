"""Rules as SQL, case by case: the published battery, hostile words, lakes, and what cannot be said."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from sigma.backends.molehunt import MolehuntBackend, literal
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.pipelines.molehunt.pipeline import molehunt_pipeline
from sigma.plugins import InstalledSigmaPlugins
from sigma_cases import TRUTH, raw_frame
from sigma_sql import Engines, statement

from analysis import intake
from analysis.lake import Lake
from analysis.sigma import RulePack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
BATTERY = TRUTH / "battery.json"
CASES: list[dict[str, Any]] = json.loads(BATTERY.read_bytes()) if BATTERY.is_file() else []
# Why the statement of a case cannot be had: pySigma 1's own limits, then those of SQL.
REFUSED = {
    "mod.utf16le_b64": "Unknown modifier",
    "event_count.range_gt_lte.pos": "exactly one condition item",
    "event_count.eq.pos": "it can only be gt or gte",
    "event_count.eq.neg": "it can only be gt or gte",
    "ext.and_not.pos": "must be absent",
    "ext.and_not.neg": "must be absent",
}


@pytest.fixture
def engine() -> Iterator[DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.skipif(not CASES, reason=f"{BATTERY} is not here")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_battery(case: dict[str, Any], tmp_path: Path, engine: DuckDBPyConnection) -> None:
    frame = raw_frame(case["events"])
    time = pl.col("SystemTime").str.to_datetime(time_unit="us", time_zone="UTC")
    frame = frame.with_columns(time.alias("@timestamp"))
    file = tmp_path / "rule.yml"
    file.write_text(case["yaml"], "utf-8")
    refused = r"\w" if case["expect"] == "REJECT" else REFUSED.get(case["id"])
    if refused is not None:
        with pytest.raises(SigmaError, match=refused):
            statement(file, dict(frame.schema), names=False)
        return
    query = statement(file, dict(frame.schema), names=False)
    if case["kind"] == "correlation":
        frame.write_parquet(tmp_path / "events.parquet")
        engine.execute(f"CREATE VIEW events AS FROM '{tmp_path / 'events.parquet'}'")
        found = [
            pl.SQLContext(events=frame, eager=True).execute(query).height,
            engine.execute(f"SELECT 1 FROM ({query.rstrip(';')}) AS x").fetchall(),  # noqa: S608 - ours
        ]
        assert [bool(some) for some in found] == [case["expect"]] * 2
        return
    rows = Engines(frame, tmp_path / "events.parquet", engine).rows(query)
    numbers = [event["EventRecordID"] for event in case["events"]]
    assert [[numbers[row] for row in each] for each in rows] == [case["expect"]] * 2


HOSTILE = [
    "'; DROP TABLE events; --", '"; DROP TABLE events; --', "' OR '1'='1", "\\' OR 1=1 --", "/* x */ '",
    "a''b",
    'a""b', "line\none", "tab\there", "-- x", "$1", "%s%d", "\u2028x", "?'", "E'\\''", "$$x$$", "; SELECT 1",
    "\r\n'; --", "a%b_c", "{x} ${y}",
]  # fmt: skip
NAMES = [word for word in HOSTILE if "{" not in word]  # braces put columns together


def document(detection: dict[str, Any], **keys: object) -> str:
    return json.dumps({"title": "t", "logsource": {"category": "c"}, "detection": detection, **keys})


@pytest.mark.parametrize("word", HOSTILE)
def test_a_value_is_a_value_whatever_it_says(word: str, tmp_path: Path, engine: DuckDBPyConnection) -> None:
    frame = pl.DataFrame({"field": [word, "x" + word, word + "x", "harmless", None]})
    engines = Engines(frame, tmp_path / "events.parquet", engine)
    written = word.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
    asked = {
        "": [0], "|cased": [0], "|contains": [0, 1, 2], "|startswith": [0, 2], "|endswith": [0, 1],
        "|contains|all": [0, 1, 2], "|neq": [1, 2, 3, 4],
    }  # fmt: skip
    for modifier, rows in asked.items():
        rule = document({"s": {f"field{modifier}": [written]}, "condition": "s"}, title=word)
        query = statement(rule, dict(frame.schema), names=False)
        assert len(engine.extract_statements(query)) == 1
        assert engines.rows(query) == [rows, rows], modifier


@pytest.mark.parametrize("word", NAMES)
def test_a_field_is_a_field_whatever_it_is_called(
    word: str, tmp_path: Path, engine: DuckDBPyConnection
) -> None:
    frame = pl.DataFrame({word: ["yes", "no", None]})
    engines = Engines(frame, tmp_path / "events.parquet", engine)
    for columns in (dict(frame.schema), None):
        query = statement(document({"s": {word: "yes"}, "condition": "s"}), columns, names=False)
        assert len(engine.extract_statements(query)) == 1
        assert engines.rows(query) == [[0], [0]]


@pytest.mark.parametrize("word", NAMES)
def test_the_words_of_a_correlation_are_words(word: str, tmp_path: Path, engine: DuckDBPyConnection) -> None:
    body = {
        "type": "value_count", "rules": ["r"], "group-by": [word], "timespan": "5m",
        "condition": {"field": word, "gte": 1},
    }  # fmt: skip
    rule = document({"s": {"a": "1"}, "condition": "s"}, name="r")
    text = f"{rule}\n---\n{json.dumps({'title': word, 'correlation': body})}"
    query = statement(text, names=False, table=word, time=f"time {word}")
    assert len(engine.extract_statements(query)) == 1
    at = datetime(2026, 1, 1)  # noqa: DTZ001 - a column without a zone
    frame = pl.DataFrame({"a": ["1", "2"], word: ["v", "w"], f"time {word}": [at, at]})
    columns = dict(frame.schema)
    query = statement(text, columns, names=False, table=word, time=f"time {word}")
    found = pl.SQLContext({word: frame}, eager=True).execute(query)
    assert found.to_dict(as_series=False) == {word: ["v"], f"time {word}": [at]}
    frame.write_parquet(tmp_path / "events.parquet")
    engine.execute(f"CREATE TABLE {literal.name(word)} AS FROM '{tmp_path / 'events.parquet'}'")
    assert engine.execute(query).fetchall() == [("v", at)]


@pytest.mark.parametrize("bad", ["a\0b", "\ud800"])
def test_what_no_sql_text_can_hold_is_refused(bad: str) -> None:
    for detection in ({"s": {"f": bad}, "condition": "s"}, {"s": {bad: "x"}, "condition": "s"}):
        rules = SigmaCollection.from_dicts(
            [{"title": "t", "logsource": {"category": "c"}, "detection": detection}]
        )
        with pytest.raises(SigmaError, match=r"no text can|no SQL statement can"):
            MolehuntBackend().convert(rules)


def test_a_title_stays_in_its_line() -> None:
    query = statement(
        document({"s": {"f": "x"}, "condition": "s"}, title="a\n; DROP TABLE events\r--"), names=False
    )
    assert query.splitlines()[0] == "-- a ; DROP TABLE events -- (no id)"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of the sensors' samples."""
    folder = tmp_path_factory.mktemp("lake")
    made = Lake(folder)
    with made.writing():
        for name in ("okta", "cisco_asa", "linux", "windows", "zeek", "github"):
            for found in intake.found([SAMPLES / name], lambda _path: None):
                assert isinstance(found, tuple)
                source, sensor = found
                made.add(source, sensor.name, intake.events(source, sensor))
    return folder


LAKE_RULES = {
    "a field with a name of Sigma's": "s: {eventType: user.session.start}\n  condition: s",
    "a keyword": "s: ['10.']\n  condition: s",
    "keywords, all of them": "s: {'|all': ['user', 'okta']}\n  condition: s",
    "columns that it lacks": "s: {okta.no: null}\n  f: {okta.such: x}\n  condition: s and not f",
}


@pytest.mark.parametrize("what", LAKE_RULES)
@pytest.mark.parametrize("known", [True, False])
def test_a_lake_is_asked(what: str, lake: Path, engine: DuckDBPyConnection, *, known: bool) -> None:
    rule = f"title: t\nlogsource: {{product: okta}}\ndetection:\n  {LAKE_RULES[what]}\n"
    if "keyword" in what and not known:
        with pytest.raises(SigmaError, match="-O lake=DIR"):
            statement(rule)
        return
    query = statement(rule, lake=str(lake)) if known else statement(rule)
    parts = sorted((lake / "events").rglob("*.parquet"))
    frame = pl.concat([pl.scan_parquet(part) for part in parts], how="diagonal_relaxed")
    mine = pl.SQLContext(events=frame).execute(query).collect()
    engine.execute(
        f"CREATE VIEW events AS FROM read_parquet('{lake}/events/**/*.parquet', union_by_name=true, "
        "hive_partitioning=false)"
    )
    theirs = engine.execute(f"SELECT count(*) FROM ({query.rstrip(';')}) AS found").fetchall()  # noqa: S608 - ours
    (pack,) = [RulePack.load([written(lake.parent / "rule.yml", rule)])]
    matched = sum(pack.match(batch.frame, batch.dataset).height for batch in Lake(lake).batches())
    assert mine.height == theirs[0][0] == matched > 0


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_a_folder_that_is_no_lake_is_named(tmp_path: Path) -> None:
    with pytest.raises(SigmaError, match=f"{tmp_path} is no lake"):
        statement(document({"s": {"f": "x"}, "condition": "s"}), names=False, lake=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_logsource_without_a_sensor_is_refused() -> None:
    with pytest.raises(SigmaError, match="molehunt reads no logs of category c"):
        statement(document({"s": {"f": "x"}, "condition": "s"}))


def test_a_condition_that_polars_cannot_read_is_refused_and_the_deepest_other_runs(
    tmp_path: Path, engine: DuckDBPyConnection
) -> None:
    frame = pl.DataFrame({"f": ["x", "y"], "g": ["y", "y"]})
    engines = Engines(frame, tmp_path / "events.parquet", engine)

    def nested(levels: int) -> str:
        condition = "a"
        for level in range(levels):
            condition = f"not ({condition})" if level % 2 else f"({condition} or b)"
        values = [f"*{number}?z" for number in range(400)]
        return document({"a": {"f": "x"}, "b": {"g": values}, "condition": condition})

    query = statement(nested(16), dict(frame.schema), names=False)
    assert engines.rows(query) == [[0], [0]]
    with pytest.raises(SigmaError, match="deep"):
        statement(nested(17), names=False)


def test_several_conditions_are_one_statement(tmp_path: Path, engine: DuckDBPyConnection) -> None:
    frame = pl.DataFrame({"f": ["a", "b", "c"]})
    rule = document({"a": {"f": "a"}, "b": {"f": "b"}, "condition": ["a", "b"]})
    engines = Engines(frame, tmp_path / "events.parquet", engine)
    assert engines.rows(statement(rule, names=False)) == [[0, 1], [0, 1]]


def test_leftovers_of_sigma_1_and_numbers_for_expressions_are_read_as_in_a_hunt(
    tmp_path: Path, engine: DuckDBPyConnection
) -> None:
    frame = pl.DataFrame({"f": ["x46", "b", "5m"]})
    engines = Engines(frame, tmp_path / "events.parquet", engine)
    rule = document({"s": {"f|re": 46}, "timeframe": "5m", "condition": "1 of them"})
    assert engines.rows(statement(rule, dict(frame.schema), names=False)) == [[0], [0]]


def test_a_rule_that_a_correlation_counts_and_that_speaks_for_itself_is_a_statement_too() -> None:
    rule = document({"s": {"f": "x"}, "condition": "s"}, name="r")
    body = {
        "type": "event_count",
        "rules": ["r"],
        "timespan": "1m",
        "condition": {"gte": 2},
        "generate": True,
    }
    counted = json.dumps({"title": "c", "correlation": body})
    rules = SigmaCollection.from_yaml(f"{rule}\n---\n{counted}")
    assert [query[-1] for query in MolehuntBackend().convert(rules)] == [";", ";"]


def test_errors_are_gathered_where_that_is_asked() -> None:
    rule = document({"s": {"f": "x"}, "condition": "s"}, name="r")
    body = {"type": "event_count", "rules": ["r"], "timespan": "1m", "condition": {"lt": 2}}
    bad = document({"s": ["keyword"], "condition": "s"})
    rules = SigmaCollection.from_yaml(
        "\n---\n".join([rule, bad, json.dumps({"title": "c", "correlation": body})])
    )
    backend = MolehuntBackend(collect_errors=True)
    assert backend.convert(rules) == []
    assert [str(error)[:17] for _, error in backend.errors] == ["a keyword is look", "event_count with "]


def test_the_plugins_are_found() -> None:
    found = InstalledSigmaPlugins.autodiscover()
    assert found.backends["molehunt"] is MolehuntBackend
    pipeline = found.get_pipeline_resolver().resolve_pipeline("molehunt")
    assert pipeline.name == molehunt_pipeline().name
    assert pipeline.allowed_backends == {"molehunt"}
