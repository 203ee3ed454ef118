"""`sigma convert -t molehunt`: rules as SQL find in both engines what the hunt's own matcher finds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
from sigma.exceptions import SigmaError
from sigma_cases import TRUTH
from sigma_sql import Engines, statement, told_apart

from analysis import intake
from analysis.sigma import RulePack, bundled_rules
from analysis.workbench.examples import frame_of
from sensors import files
from sensors.sensor import Source
from sensors.windows import SENSOR

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
ATTACKS = TRUTH / "events" / "windows_attacks.ndjson.gz"
EVERY = 12  # of the attack events, one in so many is enough
RULES = 300


def matched(pack: RulePack, frame: pl.DataFrame) -> dict[str, list[int]]:
    """The rows that each rule matches, by its id."""
    found: dict[str, list[int]] = {rule.id: [] for rule in pack.rules}
    numbered = frame.with_row_index("row")
    for (dataset,), part in numbered.partition_by("event.dataset", as_dict=True).items():
        matches = pack.match(part.drop("row"), str(dataset))
        for rule, row in zip(matches["rule"], part["row"].gather(matches["row"]), strict=True):
            found[pack.rules[rule].id].append(row)
    return {rule: sorted(rows) for rule, rows in found.items()}


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
    with duckdb.connect() as connection:
        engines = Engines(frame, tmp_path / "events.parquet", connection)
        wrong = [
            rule.title
            for rule in pack.rules
            if engines.rows(statement(rule.path)) != [expected[rule.id], expected[rule.id]]
        ]
    assert wrong == []
    assert sum(map(bool, expected.values())) >= len(pack.rules) * 0.9


def attacks(folder: Path) -> pl.DataFrame:
    with gzip.open(ATTACKS, "rt", encoding="utf-8") as lines:
        (folder / "attacks.ndjson").write_text("".join(list(lines)[::EVERY]), "utf-8")
    (source,) = files.sources(folder / "attacks.ndjson")
    assert isinstance(source, Source)
    return pl.concat(intake.events(source, SENSOR), how="diagonal_relaxed")


@pytest.mark.skipif(not ATTACKS.is_file(), reason=f"{ATTACKS} is not here")
def test_rules_of_sigmahq_find_in_sql_what_they_find_in_a_hunt(tmp_path: Path) -> None:
    frame = told_apart(attacks(tmp_path))
    pack = RulePack.load(sorted((TRUTH / "sigmahq" / "rules" / "windows").rglob("*.yml"))[::5])
    expected = matched(pack, frame)
    # Those that find something, and of the others as many as make it three hundred.
    chosen = sorted(pack.rules, key=lambda rule: (not expected[rule.id], rule.id))[:RULES]
    columns = dict(frame.schema)
    wrong, refused = [], []
    with duckdb.connect() as connection:
        engines = Engines(frame, tmp_path / "events.parquet", connection)
        for rule in chosen:
            try:
                query = statement(rule.path, columns)
            except SigmaError as error:
                refused.append(f"{rule.path.name}: {error}")
                continue
            if engines.rows(query) != [expected[rule.id], expected[rule.id]]:
                wrong.append(rule.path.name)
    assert wrong == []
    assert sum(bool(expected[rule.id]) for rule in chosen) >= RULES / 10
    assert refused == []
