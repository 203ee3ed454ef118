"""Regular expressions with groups, over whole columns of text: a kernel in place of Rust's engine.

An expression is read once (`grammar`), its automaton grows as texts need it (`automaton`), a kernel walks
over the values and lays columns of the groups (`walking`): a row costs a table look-up a byte, and rows may
be taken from anywhere in a column, by one expression or another, without filtering and sorting frames. It is
two to eight times as fast as Rust's engine on expressions that are not one-pass, and no faster on those that
hardly ever fit. Values that are not ASCII, few rows, and expressions beyond the grammar go to Rust's engine,
which says what is right: tests hold this one to it.

"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.reading import text_views
from sensors.reading.patterns import walking
from sensors.reading.patterns.automaton import Automaton
from sensors.reading.patterns.grammar import UnknownError, program

if TYPE_CHECKING:
    from sensors.reading.json_scan import Array

FEW: Final = 256  # rows that are not worth an automaton,
SOME: Final = 4_096  # nor before an expression has seen so many: to make one takes some milliseconds


def groups(text: pl.Series, expression: str) -> pl.DataFrame:
    """A column for each group, as `str.extract_groups` has them; null where the expression does not fit.

    Args:
        text: the values.
        expression: with one group at least; may be found anywhere in a value.
    """
    found = Extraction(text)
    found.fit(expression, np.arange(len(text)))
    return found.columns(every=True)


class Extraction:
    """What expressions found in a column, as columns of the same height: a row's are of one expression."""

    def __init__(self, text: pl.Series) -> None:
        """Nothing is found yet."""
        self._text = text.rechunk()
        self._found: list[tuple[tuple[str, ...], Array, Array]] = []
        self._others: list[tuple[Array, pl.DataFrame]] = []

    def fit(self, expression: str, rows: Array) -> Array:
        """Which of `rows` the expression fits and gives a value; their groups are in `columns`."""
        became = np.full(len(rows), walking.LEFT, np.uint8)
        fits = np.zeros(len(rows), np.bool_)
        known = _known(expression)
        if known is not None and (found := known.walked(self._text, rows, became)) is not None:
            fits = (became == walking.MATCHED) & (found >= 0).any(axis=1)
            everywhere = bool(fits.all())
            self._found.append(
                (known.names, rows if everywhere else rows[fits], found if everywhere else found[fits])
            )
        left = np.flatnonzero(became == walking.LEFT)
        if len(left) or not len(rows):
            some = self._text if len(left) == len(self._text) else self._text.gather(rows[left])
            parts = some.str.extract_groups(expression).struct.unnest()
            told = parts.select(pl.any_horizontal(pl.all().is_not_null())).to_series().to_numpy()
            fits[left] = told
            self._others.append((rows[left[told]], parts.filter(told)))
        return fits

    def columns(self, *, every: bool = False) -> pl.DataFrame:
        """The groups of the expressions that fitted a row (or of all that were asked for), by name."""
        listed = [names for names, rows, _ in self._found if every or len(rows)]
        listed += [tuple(parts.columns) for rows, parts in self._others if every or len(rows)]
        names = dict.fromkeys(name for names in listed for name in names)
        laid = self._laid(
            list(dict.fromkeys(name for its, rows, _ in self._found if len(rows) for name in its))
        )
        told: dict[str, list[tuple[Array, pl.Series]]] = {}
        for rows, parts in self._others:
            for column in parts.iter_columns() if len(rows) else ():
                told.setdefault(column.name, []).append((rows, column))
        return pl.DataFrame([_with_others(name, laid.get(name), told, len(self._text)) for name in names])

    def _laid(self, names: list[str]) -> dict[str, pl.Series]:
        """The columns of what the kernel found."""
        place = {name: at for at, name in enumerate(names)}
        with text_views.laid(self._text) as (views, _, buffers):
            size = sum(walking.room(found) for _, _, found in self._found)
            made = text_views.Columns(names, len(self._text), size + text_views.INLINE)
            to = 0
            for its, rows, found in self._found:
                if not len(rows):
                    continue
                numbers = np.array([place[name] for name in its])
                to = walking.lay(views, buffers, rows, found, numbers, made.views, made.valid, made.text, to)
        return {column.name: column for column in made.series()}


def _with_others(
    name: str, column: pl.Series | None, told: dict[str, list[tuple[Array, pl.Series]]], height: int
) -> pl.Series:
    """A column with the values that Rust's engine found put in."""
    others = told.get(name, [])
    if column is None and len(others) == 1 and len(others[0][0]) == height:
        return others[0][1]
    if column is None:
        column = pl.Series(name, [None], dtype=pl.String).new_from_index(0, height)
    if not others:
        return column
    return column.scatter(
        np.concatenate([rows for rows, _ in others]), pl.concat([values for _, values in others])
    )


class _Known:
    """An automaton, made when it is worth it, and its lock: it grows while it is used."""

    def __init__(self, expression: str) -> None:
        program(expression)
        self.names: tuple[str, ...] = ()
        self._expression = expression
        self._automaton: Automaton | None = None
        self._seen = 0
        self._lock = Lock()

    def walked(self, text: pl.Series, rows: Array, became: Array) -> Array | None:
        """Where the groups are in `rows`; None if there is no automaton, or it is too large."""
        with self._lock:
            self._seen += len(rows)
            if len(rows) < FEW or self._seen < SOME:
                return None
            try:
                if self._automaton is None:
                    self._automaton = Automaton(program(self._expression))
                    self.names = self._automaton.names
                return _walked(self._automaton, text, rows, became)
            except UnknownError:
                self._seen = -(1 << 60)
                self._automaton = None
                became[:] = walking.LEFT
                return None


def _walked(automaton: Automaton, text: pl.Series, rows: Array, became: Array) -> Array:
    one = automaton
    found = np.empty((len(rows), 2 * len(one.names)), np.int32)
    at = 0
    with text_views.laid(text) as (views, there, buffers):
        while True:
            at, state, kind = walking.walk(
                views, there, buffers, rows, at, one.width, one.cells, one.kinds, one.table, one.moves,
                one.ends, one.orders, one.through, found, became,
            )  # fmt: skip
            if at == len(rows):
                return found
            one.need(state, kind)


@cache
def _known(expression: str) -> _Known | None:
    try:
        return _Known(expression)
    except UnknownError:
        return None
