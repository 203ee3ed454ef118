"""Keywords: what rules look for in any column of an event, wherever it stands.

Nearly every column is looked through and hardly one holds anything, so its distinct values are all that is
made of it until one of them does.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.sigma.matching.distinct import Distinct
from analysis.sigma.matching.literals import folded_bytes
from analysis.sigma.matching.rows import Leaf
from analysis.sigma.matching.views import Texts
from analysis.sigma.written import texts

if TYPE_CHECKING:
    from analysis.sigma import tree
    from analysis.sigma.matching.asked import Asked
    from analysis.sigma.matching.column import Column, Columns
    from analysis.sigma.matching.literals import Array
    from analysis.sigma.matching.rows import Mask
    from analysis.sigma.regex import Late

# What analysis and sensors add to an event that its source did not write; keywords do not look there.
_ADDED: Final = ("account.", "roster.", "molehunt.", "log.", "related.")
_ADDED_NAMES: Final = frozenset(
    {
        "@timestamp",
        "account",
        "event.module",
        "event.dataset",
        "event.hash",
        "event.kind",
        "event.category",
        "event.type",
    }
)


# What values of other types are written with, folded (`written`).
_DIGITS: Final = frozenset("-0123456789")
_FRACTION: Final = _DIGITS | frozenset(".+einfa")
_TIME: Final = _DIGITS | frozenset("+.:tz")


def is_content(column: str) -> bool:
    """Whether keywords are looked for in `column`: it is part of the event as its source wrote it."""
    return not (column.startswith(_ADDED) or column in _ADDED_NAMES or ".geo." in column)


def _written_without(kind: pl.DataType, literals: tuple[str, ...]) -> bool:
    """Whether it is plain that no value of a type, as text, holds any of `literals`."""
    letters = (
        _DIGITS
        if kind.is_integer()
        else _FRACTION
        if kind.is_float()
        else _TIME
        if isinstance(kind, pl.Datetime)
        else None
    )
    return letters is not None and not any(letters.issuperset(literal) for literal in literals)


def _as_one(columns: list[pl.Series | Texts]) -> tuple[Array, Array, Array]:
    """The bytes of all values of columns, without case, and where each begins and ends."""
    parts = [one.folded() if isinstance(one, Texts) else folded_bytes(texts(one)) for one in columns]
    sizes = np.array([len(data) for data, _, _ in parts], np.int64)
    moved = np.repeat(np.cumsum(sizes) - sizes, [len(starts) for _, starts, _ in parts])
    data, starts, ends = (np.concatenate(each) for each in zip(*parts, strict=True))
    return data, starts + moved, ends + moved


class Keywords:
    """The keywords of all rules, and the events of one batch.

    Args:
        columns: of the batch; those that rules ask for by name best encoded before.
        asked: all that rules ask of any column.
        late: where regular expressions that run out of time are booked.
    """

    def __init__(self, columns: Columns, asked: Asked, late: Late) -> None:
        self._columns = columns
        self._asked = asked
        self._late = late
        self._encoded: dict[tuple[str, ...], Distinct] = {}

    @cached_property
    def _likely(self) -> list[tuple[tuple[str, ...], Mask]]:
        """Columns that may hold any of it, and for each item, by its place, whether they may."""
        needed = self._asked.needed
        names = [
            (name,)
            for name, kind in self._columns.schema.items()
            if is_content(name) and not (needed and _written_without(kind, needed))
        ]
        values = self._columns.distinct(names, min((len(one.encode()) for one in needed), default=0))
        likely = zip(values, self._each(list(values.values())), strict=True)
        return [(name, items) for name, items in likely if items.any()]

    def _each(self, columns: list[pl.Series | Texts]) -> list[Mask]:
        """For each column's values, the items that may be true of any; all columns looked through as one."""
        literals = self._asked.literals
        if literals is None or not columns:
            return [np.ones(len(self._asked), bool)] * len(columns)
        hits = literals.found_in(*_as_one(columns))
        ends = np.cumsum([len(one) for one in columns])
        owners = np.searchsorted(ends, hits.values, side="right")
        numbers = np.repeat(np.arange(len(hits.offsets) - 1), np.diff(hits.offsets))
        likely = [self._asked.likely([])] * len(columns)
        for place in np.unique(owners).tolist():
            likely[place] = self._asked.likely(numbers[owners == place])
        return likely

    def possible(self) -> Mask:
        """For each item, by its place, whether it may be true of any event."""
        possible = np.zeros(len(self._asked), bool)
        for _, items in self._likely:
            possible |= items
        return possible

    def leaf(self, item: tree.Item) -> Leaf:
        """Rows any of whose columns holds a keyword; under `all`, each keyword somewhere."""
        place = self._asked.place(item)
        values = self._asked.values(item)
        masks = {id(value): np.zeros(self._columns.height, bool) for value in values}
        for name, items in self._likely:
            if items[place]:
                column, distinct = self._looked(name)
                for value in distinct.possible(item):
                    found = distinct.matching(value)
                    if len(found):
                        masks[id(value)] |= column.mask(found)
        link = np.logical_and if item.every else np.logical_or
        return Leaf.of(np.asarray(link.reduce(list(masks.values()))))

    def _looked(self, name: tuple[str, ...]) -> tuple[Column, Distinct]:
        column = self._columns.of(name)
        if name not in self._encoded:
            self._encoded[name] = Distinct(column.distinct, self._asked, self._late)
        return column, self._encoded[name]
