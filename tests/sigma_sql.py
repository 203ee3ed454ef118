"""What the tests of the SQL backend share: a rule's statement, and what two engines find with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from sigma.backends.molehunt import MolehuntBackend
from sigma.collection import SigmaCollection
from sigma.pipelines.molehunt.pipeline import molehunt_pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from duckdb import DuckDBPyConnection


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
        mine = self._context.execute(query)["row"].sort().to_list()
        statement = query.rstrip(";")
        found = self._connection.execute(f'SELECT "row" FROM ({statement}) AS found ORDER BY 1')  # noqa: S608 - ours
        return [mine, [row[0] for row in found.fetchall()]]


def told_apart(frame: pl.DataFrame) -> pl.DataFrame:
    """Without columns whose names differ from another's in case alone: DuckDB cannot tell them apart."""
    taken: set[str] = set()
    kept = [name for name in frame.columns if not (name.lower() in taken or taken.add(name.lower()))]
    return frame.select(kept)


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
