"""A log of JSON records that are all of one kind: what cloud services hand out as their audit trail.

A product's module says by which fields its records are known and how they become ECS; framing, shredding and
the naming of what does not fit are the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import text
from sensors.shapes.mapping import first_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sensors.sensor import Source


@dataclass(frozen=True, slots=True)
class AuditRecords:
    """A sensor of such a log.

    Attributes:
        name: the sensor's, also `event.module`.
        fits: whether a record, parsed, is this product's; asked of every record that sniffing sees.
        known_by: paths of which a record must have at least one, or it is named as unread.
        events: shredded records as ECS, in their order.
    """

    name: str
    fits: Callable[[Mapping[str, Any]], bool]
    known_by: tuple[str, ...]
    events: Callable[[pl.DataFrame], pl.DataFrame]

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether every record at the beginning is this product's."""
        return json_table.mostly(head, self.fits)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            known = text(table, *self.known_by).is_not_null()
            kept = json_table.kept(table, known, source, f"no record of {self.name}")
            if kept.height:
                yield self.events(kept)


def told_by(value: pl.Expr, rules: Mapping[str, Sequence[str] | str]) -> pl.Expr:
    """`mapping.first_rule`, asked once for each distinct value: audit logs have few kinds of events."""
    listed = not all(isinstance(result, str) for result in rules.values())
    # A column that a batch lacks is a literal, one value; beside a column it has the height of the batch.
    rows = pl.struct(pl.first(), value.alias("~asked")).struct.field("~asked")
    return rows.map_batches(
        lambda column: _by_distinct(column, rules),
        return_dtype=pl.List(pl.String) if listed else pl.String(),
    )


def _by_distinct(column: pl.Series, rules: Mapping[str, Sequence[str] | str]) -> pl.Series:
    """For each value of a column what the first rule that fits it gives."""
    asked = column.alias("value").to_frame()
    known = asked.unique().with_columns(told=first_rule(pl.col("value"), rules))
    return asked.join(known, on="value", how="left", nulls_equal=True, maintain_order="left")["told"]


def words(*values: str) -> pl.Expr:
    """The same list of words for every row."""
    return pl.lit(pl.Series([list(values)], dtype=pl.List(pl.String))).first()


def original(unknown: pl.Expr) -> pl.Expr:
    """The record as it is, where nothing is known of its kind."""
    return pl.when(unknown.fill_null(value=True)).then(pl.col("text")).alias("event.original")
