"""`sigma convert -t molehunt`: rules as SQL find in both engines what the hunt's own matcher finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
from sigma.backends.molehunt import MolehuntBackend
from sigma.collection import SigmaCollection
from sigma.pipelines.molehunt.pipeline import molehunt_pipeline
from sigma_sql import Engines, has_keywords, matched, read_by, statement, told_apart

from analysis import intake
from analysis.sigma import RulePack, bundled_rules
from analysis.workbench.examples import frame_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def sampled() -> Iterator[pl.DataFrame]:
    """Events of every sensor's samples, and of the examples beside our rules."""
    for folder in sorted(SAMPLES.iterdir()):
        if folder.is_dir() and not folder.name.startswith("scenario"):
            for found in intake.found([folder], lambda _path: None):
                if isinstance(found, tuple):
                    yield from intake.events(*found)
    for path in sorted(bundled_rules().rglob("*match.ndjson")):
        if "anomaly" not in path.parts:
            yield frame_of([json.loads(line) for line in path.read_text("utf-8").splitlines()])


def test_every_rule_of_ours_finds_in_sql_what_it_finds_in_a_hunt(tmp_path: Path) -> None:
    frame = told_apart(pl.concat(sampled(), how="diagonal_relaxed"))
    pack = RulePack.load([bundled_rules()])
    expected = matched(pack, frame)
    assert not any(map(has_keywords, pack.rules))
    read = read_by(pack.rules)
    with duckdb.connect() as connection:
        narrow = frame.select(name for name in frame.columns if name in read)
        engines = Engines(narrow, tmp_path / "events.parquet", connection)
        wrong = [
            rule.title
            for rule in pack.rules
            if engines.rows(statement(rule.path)) != [expected[rule.id], expected[rule.id]]
        ]
    assert wrong == []
    assert sum(map(bool, expected.values())) >= len(pack.rules) * 0.9


def test_every_correlation_of_ours_holds_in_sql_over_its_own_story(tmp_path: Path) -> None:
    rules = SigmaCollection.load_ruleset(
        path for path in sorted(bundled_rules().rglob("*.yml")) if path.parent.name != "anomaly"
    )
    queries = {
        query.partition(" (")[0]: query for query in MolehuntBackend(molehunt_pipeline()).convert(rules)
    }
    pack = RulePack.load([bundled_rules()])
    wrong = []
    for correlation in pack.correlations:
        for kind, some in (("match", True), ("nomatch", False)):
            lines = correlation.path.with_suffix(f".{kind}.ndjson").read_text("utf-8").splitlines()
            found = held(queries[f"-- {correlation.title}"], frame_of(list(map(json.loads, lines))), tmp_path)
            wrong += [] if found == [some, some] else [f"{correlation.title}: {kind}: {found}"]
    assert wrong == []
    assert len(pack.correlations) >= 10


def held(query: str, frame: pl.DataFrame, folder: Path) -> list[bool]:
    """Whether each engine finds anything."""
    frame.write_parquet(folder / "story.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW events AS FROM '{folder / 'story.parquet'}'")
        rows = connection.execute(f"SELECT 1 FROM ({query.rstrip(';')}) AS found").fetchall()  # noqa: S608 - ours
    return [pl.SQLContext(events=frame, eager=True).execute(query).height > 0, bool(rows)]
