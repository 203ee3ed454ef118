"""Rules of SigmaHQ as SQL find in both engines what they find in a hunt."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
from sigma.exceptions import SigmaError
from sigma_cases import TRUTH
from sigma_sql import Engines, has_keywords, matched, read_by, statement, told_apart

from analysis import intake
from analysis.sigma import RulePack
from sensors import files
from sensors.sensor import Source
from sensors.windows import SENSOR

if TYPE_CHECKING:
    from pathlib import Path

ATTACKS = TRUTH / "events" / "windows_attacks.ndjson.gz"
EVERY = 12  # of the attack events, one in so many is enough
RULES = 300


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
    chosen.sort(key=has_keywords)
    plain = sum(not has_keywords(rule) for rule in chosen)
    read = read_by(chosen)
    wrong, refused = [], []
    for rules, table in (
        (chosen[:plain], frame.select(name for name in frame.columns if name in read)),
        (chosen[plain:], frame),
    ):
        columns = dict(table.schema)
        with duckdb.connect() as connection:
            engines = Engines(table, tmp_path / "events.parquet", connection)
            for rule in rules:
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
