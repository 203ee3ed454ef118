"""Rules over a batch of events: conditions as set algebra over rows, items over distinct values.

The evaluation stops where it can: a rule none of whose literals occurs in the batch touches no row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl

from analysis.sigma import tree
from analysis.sigma.column import Column, series_of
from analysis.sigma.distinct import NOTHING_WANTED, SHORTEST, Distinct, Shape, Wanted, shape
from analysis.sigma.fold import fold_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    # Rows, or the same answer for every row.
    Rows: TypeAlias = bool | NDArray[np.bool_]

SCHEMA: Final = {"rule": pl.UInt32, "row": pl.UInt32}
KEYWORDS: Final = ("*",)
# Columns that are not part of the event as its source wrote it; keywords do not look there.
NOT_CONTENT: Final = (
    "account",
    "roster.",
    "molehunt.",
    "log.",
    "event.module",
    "event.dataset",
    "event.hash",
)
_MOST_CACHED: Final = 256  # masks of rows, one byte a row


class Plan:
    """What a set of rules has in common, worked out once: equal items, literals of each column.

    Args:
        rules: events looked at, and condition, of each rule; None for a rule that no event can match.
    """

    def __init__(self, rules: Iterable[tuple[tree.Node, tree.Node] | None]) -> None:
        interned: dict[tree.Item, tree.Item] = {}
        self.rules = [rule and (_interned(rule[0], interned), _interned(rule[1], interned)) for rule in rules]
        literals = {
            part
            for item in interned
            for text in _texts(item.values)
            for part in text.parts
            if isinstance(part, str)
        }
        written = pl.Series(sorted(literals), dtype=pl.String)
        self.folded: Mapping[str, str] = dict(zip(written, fold_values(written), strict=True))
        self._wanted = _wanted(interned, self.folded)

    def wanted(self, columns: tuple[str, ...]) -> Wanted:
        """The literals that all rules together look for in `columns`."""
        return self._wanted.get(columns, NOTHING_WANTED)

    def match(self, frame: pl.DataFrame, dataset: str) -> pl.DataFrame:
        """Rules and the rows that they match, `SCHEMA`, in order of rule and row.

        Args:
            frame: events of one dataset.
            dataset: their `event.dataset`, for frames that do not have the column.
        """
        batch = Batch(self, frame, dataset)
        rules: list[NDArray[np.uint32]] = []
        rows: list[NDArray[np.uint32]] = []
        for index, rule in enumerate(self.rules):
            if rule is None:
                continue
            found = batch.rows(tree.And(rule))
            if found is False:
                continue
            ids = np.arange(frame.height) if found is True else np.flatnonzero(found)
            rules.append(np.full(len(ids), index, np.uint32))
            rows.append(ids.astype(np.uint32))
        if not rules:
            return pl.DataFrame(schema=SCHEMA)
        return pl.DataFrame({"rule": np.concatenate(rules), "row": np.concatenate(rows)}, schema=SCHEMA)


class Batch:
    """The events of one batch, encoded as far as the rules ask for it."""

    def __init__(self, plan: Plan, frame: pl.DataFrame, dataset: str) -> None:
        if "event.dataset" not in frame.columns and frame.width:
            frame = frame.with_columns(pl.lit(dataset).alias("event.dataset"))
        self._plan = plan
        self._frame = frame
        self._columns: dict[tuple[str, ...], Column | None] = {}
        self._items: dict[int, Rows] = {}

    def rows(self, node: tree.Node) -> Rows:
        """The rows for which `node` is true."""
        match node:
            case tree.Item():
                return self._cached(node)
            case tree.Not(child):
                found = self.rows(child)
                return not found if isinstance(found, bool) else _plain(~found)
            case tree.And(children):
                return self._joined(children, stop=False)
            case tree.Or(children):
                return self._joined(children, stop=True)

    def _joined(self, children: Sequence[tree.Node], *, stop: bool) -> Rows:
        """And (`stop` on false) or or (`stop` on true) of nodes, looking at no more of them than needed."""
        result: Rows = not stop
        for child in children:
            found = self.rows(child)
            if found is stop:
                return stop
            if isinstance(found, bool):
                continue
            if isinstance(result, bool):
                result = found
            else:
                result = _plain(result | found if stop else result & found)
                if result is stop:
                    return stop
        return result

    def _cached(self, item: tree.Item) -> Rows:
        found = self._items.get(id(item))
        if found is None:
            if len(self._items) >= _MOST_CACHED:
                self._items = {key: rows for key, rows in self._items.items() if isinstance(rows, bool)}
            found = self._items[id(item)] = self._item(item)
        return found

    def _item(self, item: tree.Item) -> Rows:
        found = self._keywords(item) if item.field is None else self._field(item, item.field)
        if not item.negated:
            return found
        return not found if isinstance(found, bool) else _plain(~found)

    def _field(self, item: tree.Item, field: tree.Field) -> Rows:
        column = self._column(field)
        ofrows = [value for value in item.values if _asks_rows(value)]
        ofvalues = [value for value in item.values if not _asks_rows(value)]
        answers: list[Rows] = [self._row_answer(value, field, column) for value in ofrows]
        if ofvalues and column is None:
            answers.append(False)
        elif ofvalues and column is not None:
            masks = [column.distinct.matching(value) for value in ofvalues]
            if item.every and column.is_list:
                answers += [_rows(column, mask) for mask in masks]
            else:
                link = np.logical_and if item.every else np.logical_or
                answers.append(_rows(column, link.reduce(masks)))
        return _linked(answers, every=item.every)

    def _row_answer(self, value: tree.Value, field: tree.Field, column: Column | None) -> Rows:
        match value:
            case tree.Null():
                return True if column is None else _plain(~column.present())
            case tree.Exists(exists):
                if column is None:
                    return not exists
                present = column.present()
                return _plain(present if exists else ~present)
            case tree.AnyOf(values):
                return _linked([self._row_answer(one, field, column) for one in values], every=False)
            case tree.Reference():
                return self._reference(value, field)
        raise TypeError(f"{value!r} is not asked of rows")

    def _reference(self, value: tree.Reference, field: tree.Field) -> Rows:
        """Rows where the field's text equals, starts, ends with or contains the other's, whatever the case.

        Where either has several values, any pair will do.
        """
        mine, theirs = series_of(field, self._frame), series_of(value.field, self._frame)
        if mine is None or theirs is None:
            return False
        pairs = pl.DataFrame({"a": mine, "b": theirs}).with_row_index("row")
        for name in ("a", "b"):
            if isinstance(pairs.schema[name], pl.List):
                pairs = pairs.explode(name)
        pairs = pairs.drop_nulls()
        both = {name: Distinct(pairs[name], NOTHING_WANTED, {}).folded.alias(name) for name in ("a", "b")}
        pairs = pairs.with_columns(**both)
        a, b = pl.col("a"), pl.col("b")
        asked = {
            (False, False): a == b,
            (True, False): a.str.starts_with(b),
            (False, True): a.str.ends_with(b),
            (True, True): a.str.contains(b, literal=True),
        }[value.starts, value.ends]
        mask = np.zeros(self._frame.height, bool)
        mask[pairs.filter(asked)["row"].to_numpy()] = True
        return _plain(mask)

    def _keywords(self, item: tree.Item) -> Rows:
        """Rows any of whose columns holds a keyword; under `all`, each keyword somewhere."""
        fields = [tree.Field(name, (name,)) for name in self._frame.columns if _is_content(name)]
        columns = [column for field in fields if (column := self._column(field, KEYWORDS)) is not None]
        answers = [
            _linked([_rows(column, column.distinct.matching(value)) for column in columns], every=False)
            for value in item.values
        ]
        return _linked(answers, every=item.every)

    def _column(self, field: tree.Field, wanted: tuple[str, ...] = ()) -> Column | None:
        key = (*field.columns, *wanted)
        if key not in self._columns:
            series = series_of(field, self._frame)
            literals = self._plan.wanted(wanted or field.columns)
            self._columns[key] = None if series is None else Column(series, literals, self._plan.folded)
        return self._columns[key]


def _is_content(name: str) -> bool:
    return not name.startswith(NOT_CONTENT) and ".geo." not in name and name != "@timestamp"


def _asks_rows(value: tree.Value) -> bool:
    if isinstance(value, tree.AnyOf):
        return any(_asks_rows(inner) for inner in value.values)
    return isinstance(value, tree.Null | tree.Exists | tree.Reference)


def _rows(column: Column, values: NDArray[np.bool_]) -> Rows:
    return _plain(column.rows(values)) if values.any() else False


def _plain(mask: NDArray[np.bool_]) -> Rows:
    """False if no row is true, so that whoever asks can stop there."""
    return mask if mask.any() else False


def _linked(answers: Sequence[Rows], *, every: bool) -> Rows:
    result: Rows = every
    for answer in answers:
        if answer is (not every):
            return answer
        if isinstance(answer, bool):
            continue
        if isinstance(result, bool):
            result = answer
        elif every:
            result = result & answer
        else:
            result = result | answer
    return result if isinstance(result, bool) else _plain(result)


def _interned(node: tree.Node, known: dict[tree.Item, tree.Item]) -> tree.Node:
    match node:
        case tree.Item():
            return known.setdefault(node, node)
        case tree.Not(child):
            return tree.Not(_interned(child, known))
        case tree.And(children):
            return tree.And(tuple(_interned(child, known) for child in children))
        case tree.Or(children):
            return tree.Or(tuple(_interned(child, known) for child in children))


def _texts(values: Iterable[tree.Value]) -> Iterable[tree.Text]:
    for value in values:
        if isinstance(value, tree.Text):
            yield value
        elif isinstance(value, tree.AnyOf):
            yield from _texts(value.values)


def _wanted(items: Iterable[tree.Item], folded: Mapping[str, str]) -> dict[tuple[str, ...], Wanted]:
    asked: dict[tuple[str, ...], list[Shape]] = {}
    for item in items:
        columns = item.field.columns if item.field else KEYWORDS
        asked.setdefault(columns, []).extend(shape(text, folded) for text in _texts(item.values))

    def those(shapes: Sequence[Shape], *, equal: bool, cased: bool) -> frozenset[str]:
        return frozenset(
            one.literal
            for one in shapes
            if one.cased == cased
            and (one.kind == "equals") == equal
            and (equal or len(one.literal) >= SHORTEST)
        )

    return {
        columns: Wanted(
            {cased: those(shapes, equal=True, cased=cased) for cased in (False, True)},
            {cased: those(shapes, equal=False, cased=cased) for cased in (False, True)},
        )
        for columns, shapes in asked.items()
    }
