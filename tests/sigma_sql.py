"""What the tests of the SQL backend share: a rule's statement, and what two engines find with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from sigma.backends.molehunt import MolehuntBackend
from sigma.collection import SigmaCollection
from sigma.pipelines.molehunt.pipeline import molehunt_pipeline

from analysis.sigma import tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from analysis.sigma import Rule, RulePack


class Engines:
    """One table of events, `row` numbering them, in Polars and in DuckDB."""

    def __init__(self, frame: pl.DataFrame, file: Path, connection: DuckDBPyConnection) -> None:
        self.frame = told_apart(frame).with_row_index("row")
        self.frame.write_parquet(file)
        connection.execute(f"CREATE OR REPLACE TABLE events AS FROM '{file}'")
        self._connection = connection
        self._context = pl.SQLContext(events=self.frame, eager=True)

    def rows(self, query: str) -> list[list[int]]:
        """The rows that each finds, in order."""
        asked = f'SELECT "row" FROM ({query.rstrip(";")}) AS found'  # noqa: S608 - our own statement
        mine = self._context.execute(asked)["row"].to_list()
        theirs = [row[0] for row in self._connection.execute(asked).fetchall()]
        return [sorted(mine), sorted(theirs)]


def told_apart(frame: pl.DataFrame) -> pl.DataFrame:
    """Without columns whose names differ from another's in case alone: DuckDB cannot tell them apart."""
    taken: set[str] = set()
    kept = [name for name in frame.columns if not (name.lower() in taken or taken.add(name.lower()))]
    return frame.select(kept)


def read_by(rules: Iterable[Rule]) -> set[str]:
    """The columns that rules without keywords read: each column more is work for every statement."""
    nodes = [node for rule in rules for node in (rule.source, rule.condition) if node is not None]
    return {name for node in nodes for field in tree.fields(node) for name in field.sources}


def has_keywords(rule: Rule) -> bool:
    """Whether it looks into every column."""
    return any(item.field is None for item in tree.items(rule.condition))


def matched(pack: RulePack, frame: pl.DataFrame) -> dict[str, list[int]]:
    """The rows that each rule matches in a hunt, by its id."""
    found: dict[str, list[int]] = {rule.id: [] for rule in pack.rules}
    numbered = frame.with_row_index("row")
    for (dataset,), part in numbered.partition_by("event.dataset", as_dict=True).items():
        matches = pack.match(part.drop("row"), str(dataset))
        for rule, row in zip(matches["rule"], part["row"].gather(matches["row"]), strict=True):
            found[pack.rules[rule].id].append(row)
    return {rule: sorted(rows) for rule, rows in found.items()}


def statement(
    rule: str | Path,
    columns: Mapping[str, pl.DataType] | None = None,
    *,
    names: bool = True,
    **options: object,
) -> str:
    """The statement of a rule, given as text or as its file; with `names`, through the pipeline."""
    rules = SigmaCollection.from_yaml(rule) if isinstance(rule, str) else SigmaCollection.load_ruleset([rule])
    backend = MolehuntBackend(molehunt_pipeline() if names else None, columns=columns, **options)
    (query,) = backend.convert(rules)
    assert isinstance(query, str)
    return query
