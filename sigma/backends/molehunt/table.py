"""The table of events: which columns it has, and of what type.

Known exactly if the lake is known; otherwise as molehunt's schema says (`sensors/ecs.toml`), and text where
it says nothing. A column that the table lacks is a column without values. (DuckDB takes columns whose names
differ in case alone for one.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import polars as pl
from sigma.backends.molehunt import literal

from analysis.sigma.matching.keywords import is_content
from sensors.schema import dtype

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a column holds; "list" is texts, several of them in an event.
Kind: TypeAlias = Literal["text", "list", "integer", "float", "boolean", "time", "clock", "day", "other"]
_SQL: Final[Mapping[Kind, str]] = {
    "text": "VARCHAR",
    "list": "VARCHAR[]",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "time": "TIMESTAMPTZ",
    "clock": "TIMESTAMP",
    "day": "DATE",
    "other": "VARCHAR",
}


class Table:
    """A table of events.

    Args:
        name: its name in the queries.
        columns: every column with its type; None if they are not known.
    """

    def __init__(self, name: str = "events", columns: Mapping[str, pl.DataType] | None = None) -> None:
        self.name = name
        self._columns = columns

    @property
    def known(self) -> bool:
        """Whether its columns are known."""
        return self._columns is not None

    def kind(self, column: str) -> Kind | None:
        """What `column` holds; None if the table is known not to have it."""
        if self._columns is None:
            return _usual(column)
        found = self._columns.get(column)
        return None if found is None else _kind(found)

    def content(self) -> tuple[str, ...] | None:
        """The columns that a keyword is looked for in; None if they are not known."""
        if self._columns is None:
            return None
        return tuple(filter(is_content, self._columns))

    def source(self, asked: Mapping[str, Kind]) -> str:
        """What stands behind FROM so that all of the columns asked for are there.

        The statement adds those that the table lacks, without values: it then runs over any lake.

        Args:
            asked: columns with what they hold.
        """
        name = literal.name(self.name)
        if self._columns is not None or not asked:
            return name
        absent = ", ".join(
            f"CAST(NULL AS {_SQL[kind]}) AS {literal.name(column)}" for column, kind in sorted(asked.items())
        )
        added = f"SELECT {absent} FROM {name} WHERE FALSE"
        return f"(\n    SELECT * FROM {name} UNION ALL BY NAME\n    {added}\n  ) AS event"


def _usual(column: str) -> Kind:
    try:
        return _kind(dtype(column))
    except KeyError:
        return "text"


def _kind(found: pl.DataType) -> Kind:
    if isinstance(found, pl.List):
        return "list"
    if isinstance(found, pl.Datetime):
        return "time" if found.time_zone else "clock"
    if found.is_integer():
        return "integer"
    if found.is_float():
        return "float"
    if found in (pl.Boolean, pl.Date):
        return "boolean" if found == pl.Boolean else "day"
    return "text" if found == pl.String else "other"
