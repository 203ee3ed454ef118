"""Rules over a batch of events: thousands in one pass, at a cost that grows with what they find.

Rules share what they have in common: each item is looked up once a batch, over the distinct values of its
field (`asked.py`, `distinct.py`), and most are ruled out there, since none of their literals occurs. Rules
that cannot do without one of those are passed over all at once (`outline.py`). Each of the others begins with
the part of its condition that the fewest rows can meet, and tests the rest on those rows alone.
"""

from __future__ import annotations

import operator
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.sigma import tree
from analysis.sigma.collection import no_collection
from analysis.sigma.fold import fold_values
from analysis.sigma.matching.asked import Asked, true_of_nothing
from analysis.sigma.matching.column import Columns
from analysis.sigma.matching.distinct import Distinct, either
from analysis.sigma.matching.keywords import Keywords
from analysis.sigma.matching.outline import Outline
from analysis.sigma.matching.rows import Leaf, rows_of
from analysis.sigma.regex import Late
from analysis.sigma.written import texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from analysis.sigma.matching.column import Column
    from analysis.sigma.matching.rows import Mask, Part, Rows

SCHEMA: Final = {"rule": pl.UInt32, "row": pl.UInt32}
KEYWORDS: Final = ()  # what keywords ask about; no field has no columns
# The columns that an event has with an explicit null, in frames that can tell it from an absent one.
NULL_FIELDS: Final = "molehunt.null_fields"
_MOST_KEPT: Final = 64  # sets of groups; there are about as many as there are datasets


class Plan:
    """What a set of rules has in common, worked out once.

    Args:
        rules: events looked at, and condition, of each rule; None for a rule that no event can match.
    """

    def __init__(self, rules: Iterable[tuple[tree.Node, tree.Node] | None]) -> None:
        by_source: dict[tree.Node, list[tuple[int, tree.Node]]] = {}
        known: dict[int, list[tuple[int, tree.Node]]] = {}  # by identity: to hash a tree takes long
        self._kept: list[tree.Node] = []  # ids of objects that are gone might come again
        for number, rule in enumerate(rules):
            if rule is None:
                continue
            source, condition = rule
            if id(source) not in known:
                known[id(source)] = by_source.setdefault(source, [])
                self._kept.append(source)
            known[id(source)].append((number, condition))
        self._groups = [_Group(source, tuple(rules)) for source, rules in by_source.items()]
        items: dict[tuple[str, ...], list[tree.Item]] = {}
        numbers: dict[int, int] = {}
        for group in self._groups:
            for item in group.items():
                if id(item) not in numbers:
                    numbers[id(item)] = len(numbers)
                    items.setdefault(_asked_of(item), []).append(item)
        self._items = items
        self._numbers = numbers
        self._asked: dict[tuple[str, ...], tuple[Asked, NDArray[np.int64]]] = {}
        self._keywords: dict[frozenset[int], tuple[Asked, NDArray[np.int64]]] = {}
        self.late = Late()

    def asked(self, columns: tuple[str, ...]) -> Asked:
        """What all rules ask of a field, by its columns; worked out when events first have it."""
        return self._of(columns)[0]

    def _of(self, columns: tuple[str, ...]) -> tuple[Asked, NDArray[np.int64]]:
        """What is asked of a field, and the numbers of the items that ask it."""
        if columns not in self._asked:
            items = self._items[columns]
            numbers = np.array([self._numbers[id(item)] for item in items], np.int64)
            with no_collection():
                self._asked[columns] = Asked(items), numbers
        return self._asked[columns]

    @cached_property
    def _sources(self) -> Outline:
        return Outline([group.source for group in self._groups], self._numbers)

    @cached_property
    def _conditions(self) -> Outline:
        """Of all rules, group by group."""
        return Outline([node for group in self._groups for _, node in group.rules], self._numbers)

    def keywords(self, groups: frozenset[int] | None) -> tuple[Asked, NDArray[np.int64]]:
        """What is asked of all columns, and the numbers of the items that ask it.

        Args:
            groups: those by whose conditions; None for all of them, and what they look at besides.
        """
        if groups is None:
            return self._of(KEYWORDS)
        found = self._keywords.get(groups)
        if found is None:
            nodes = (node for place in sorted(groups) for _, node in self._groups[place].rules)
            keywords = (item for node in nodes for item in tree.items(node) if item.field is None)
            items = list({id(item): item for item in keywords}.values())
            numbers = np.array([self._numbers[id(item)] for item in items], np.int64)
            if len(self._keywords) >= _MOST_KEPT:
                self._keywords.clear()
            found = self._keywords[groups] = Asked(items), numbers
        return found

    def possible(self, batch: Batch, fields: Iterable[tuple[str, ...]]) -> Mask:
        """For each item whether it may be true of any event of a batch; false of those of other fields.

        Args:
            batch: the events, encoded as far as `fields` ask for.
            fields: the columns of each.
        """
        possible = np.zeros(len(self._numbers), bool)
        for columns in set(fields):
            asked, numbers = batch.keywords if columns == KEYWORDS else self._of(columns)
            possible[numbers] = batch.possible(columns)[asked.places]
        return possible

    def match(self, frame: pl.DataFrame, dataset: str) -> pl.DataFrame:
        """Rules and the rows that they match, `SCHEMA`, in order of rule and row.

        Args:
            frame: events of one dataset.
            dataset: their `event.dataset`, for frames that do not have the column.
        """
        if "event.dataset" not in frame.columns and frame.width:
            frame = frame.with_columns(pl.lit(dataset).alias("event.dataset"))
        batch = Batch(self, frame)
        looked_at = {columns for group in self._groups for columns in group.looked_at}
        batch.load(looked_at)
        likely = self._sources.possible(self.possible(batch, looked_at)).tolist()
        sources = [
            batch.source(group.source) if may else None
            for group, may in zip(self._groups, likely, strict=True)
        ]
        live = [place for place, source in enumerate(sources) if source is not None and source.count]
        asked = {columns for place in live for columns in self._groups[place].asked}
        if KEYWORDS not in looked_at:
            batch.narrow(frozenset(place for place in live if KEYWORDS in self._groups[place].asked))
        batch.load(asked)
        likely = self._conditions.possible(self.possible(batch, asked))
        found: list[tuple[int, Rows]] = []
        begin = 0
        for group, source in zip(self._groups, sources, strict=True):
            end = begin + len(group.rules)
            if source is not None and source.count:
                for place in np.flatnonzero(likely[begin:end]).tolist():
                    number, condition = group.rules[place]
                    rows = batch.rule(source, condition)
                    if rows is not None and len(rows):
                        found.append((number, rows))
            begin = end
        batch.clear()
        return _table(found)


def _table(found: list[tuple[int, Rows]]) -> pl.DataFrame:
    if not found:
        return pl.DataFrame(schema=SCHEMA)
    found.sort(key=operator.itemgetter(0))
    numbers = np.repeat(
        np.array([number for number, _ in found], np.uint32), [len(rows) for _, rows in found]
    )
    together = np.concatenate([rows for _, rows in found])
    return pl.DataFrame({"rule": numbers, "row": together}, schema=SCHEMA)


class _Group:
    """The rules that look at the same events.

    Attributes:
        source: which events.
        rules: number and condition of each.
        looked_at, asked: the columns of every field that `source` and that the conditions ask about.
    """

    def __init__(self, source: tree.Node, rules: tuple[tuple[int, tree.Node], ...]) -> None:
        self.source = source
        self.rules = rules
        self.looked_at = frozenset(_asked_of(item) for item in tree.items(source))
        self.asked = frozenset(_asked_of(item) for _, node in rules for item in tree.items(node))

    def items(self) -> Iterator[tree.Item]:
        """Every item of the rules."""
        yield from tree.items(self.source)
        for _, condition in self.rules:
            yield from tree.items(condition)


def _asked_of(item: tree.Item) -> tuple[str, ...]:
    """The columns that an item asks about, `KEYWORDS` if all."""
    return item.field.columns if item.field else KEYWORDS


class Batch:
    """The events of one batch, encoded as far as the rules ask for it."""

    def __init__(self, plan: Plan, frame: pl.DataFrame) -> None:
        self._plan = plan
        self._columns = Columns(frame)
        self.height = frame.height
        self._distinct: dict[tuple[str, ...], tuple[Column, Distinct] | None] = {}
        self._leaves: dict[int, Leaf] = {}
        self._equal: dict[tuple[tuple[str, ...], int], Leaf] = {}  # of items that ask the same
        self._groups: frozenset[int] | None = None

    def narrow(self, groups: frozenset[int]) -> None:
        """Let keywords from now on be those of some groups of the plan alone; best before any is asked."""
        self._groups = groups

    def clear(self) -> None:
        """Let go of the answers. Some refer back to the batch: memory would wait for a garbage collection."""
        self._leaves.clear()
        self._equal.clear()

    def load(self, fields: Iterable[tuple[str, ...]]) -> None:
        """Encode what will be asked for.

        Args:
            fields: the columns of each; `KEYWORDS` for all.
        """
        self._columns.load(columns for columns in fields if columns != KEYWORDS)

    @property
    def keywords(self) -> tuple[Asked, NDArray[np.int64]]:
        """What is asked of all columns, and the numbers of the items that ask it."""
        return self._plan.keywords(self._groups)

    @cached_property
    def _keywords(self) -> Keywords:
        return Keywords(self._columns, self.keywords[0], self._plan.late)

    def possible(self, columns: tuple[str, ...]) -> Mask:
        """For each item that is asked of a field, by its place, whether it may be true of any event."""
        if columns == KEYWORDS:
            return self._keywords.possible()
        asked = self._plan.asked(columns)
        looked = self._looked(columns)
        if looked is None:
            return asked.absent | asked.tells_null if NULL_FIELDS in self._columns.names else asked.absent
        likely = looked[1].likely
        return np.ones(len(asked), bool) if likely is None else likely

    def source(self, node: tree.Node) -> Leaf:
        """The rows that a rule looks at."""
        rows = rows_of([node], self)
        if rows is None:
            return Leaf.never(self.height)
        mask = np.zeros(self.height, bool)
        mask[rows] = True
        return Leaf.of(mask)

    def rule(self, source: Leaf, condition: tree.Node) -> Rows | None:
        """The rows of `source` that meet `condition`, in order; None if there are plainly none."""
        children = condition.children if isinstance(condition, tree.And) else (condition,)
        parts: list[Part] = [source, *children]
        return rows_of(parts, self)

    def leaf(self, item: tree.Item) -> Leaf:
        """The rows of an item."""
        found = self._leaves.get(id(item))
        if found is None:
            columns = _asked_of(item)
            asked = self._plan.asked(columns) if columns != KEYWORDS else self.keywords[0]
            key = (columns, asked.place(item))
            found = self._equal.get(key)
            if found is None:
                found = self._keywords.leaf(item) if item.field is None else self._field(item, item.field)
                found = self._equal[key] = found.denied() if item.negated else found
            self._leaves[id(item)] = found
        return found

    def _field(self, item: tree.Item, field: tree.Field) -> Leaf:
        looked = self._looked(field.columns)
        if looked is None:
            return self._absent(item, field)
        column, distinct = looked
        values = distinct.possible(item)
        if not values:
            return Leaf.never(self.height)
        plain = not any(_asks_rows(value) for value in values)
        if plain and not item.every:
            return Leaf.valued(column, either([distinct.matching(value) for value in values]))
        if plain and not column.is_list:
            return Leaf.valued(column, _common([distinct.matching(value) for value in values]))
        return Leaf.lazy(self.height, lambda: self._by_row(item, field, column, distinct))

    def _null(self, field: tree.Field) -> Mask:
        """The rows that have the field with an explicit null, where the frame can tell."""
        kind = self._columns.schema.get(NULL_FIELDS)
        if not isinstance(kind, pl.List) or kind.inner != pl.String:  # none, or an event's own of this name
            return np.zeros(self.height, bool)
        named = [pl.col(NULL_FIELDS).list.contains(name) for name in field.columns]
        asked = pl.any_horizontal(named).fill_null(value=False).alias("null")
        return self._columns.frame.select(asked)["null"].to_numpy()

    def _absent(self, item: tree.Item, field: tree.Field) -> Leaf:
        """An item on a field that no event of the batch has a value of."""
        link = all if item.every else any
        if NULL_FIELDS in self._columns.names and any(isinstance(v, tree.Exists) for v in item.values):
            null = self._null(field)
            masks = [
                null == v.exists if isinstance(v, tree.Exists) else np.full(self.height, true_of_nothing(v))
                for v in item.values
            ]
            return Leaf.of(np.asarray((np.logical_and if item.every else np.logical_or).reduce(masks)))
        return Leaf.constant(self.height, truth=link(true_of_nothing(value) for value in item.values))

    def _by_row(self, item: tree.Item, field: tree.Field, column: Column, distinct: Distinct) -> Mask:
        values = self._plan.asked(field.columns).values(item)
        masks = [self._row_answer(value, field, column, distinct) for value in values]
        return np.asarray((np.logical_and if item.every else np.logical_or).reduce(masks))

    def _row_answer(self, value: tree.Value, field: tree.Field, column: Column, distinct: Distinct) -> Mask:
        match value:
            case tree.Null():
                return ~column.present()
            case tree.Exists(exists):
                there = column.present() | self._null(field)
                return there if exists else ~there
            case tree.AnyOf() if _asks_rows(value):
                inside = self._plan.asked(field.columns).inside(value)
                answers = [self._row_answer(one, field, column, distinct) for one in inside]
                return np.asarray(np.logical_or.reduce(answers))
            case tree.Reference():
                return self._reference(value, field)
        return column.mask(distinct.matching(value))

    def _reference(self, value: tree.Reference, field: tree.Field) -> Mask:
        """Rows where the field's text equals, starts, ends with or contains the other's.

        Where either has several values, any pair will do.
        """
        mask = np.zeros(self.height, bool)
        usable = [self._columns.usable(one.columns) for one in (field, value.field)]
        if not all(usable):
            return mask
        mine, theirs = (self._columns.series(columns) for columns in usable)
        pairs = pl.DataFrame({"a": mine, "b": theirs}).with_row_index("row")
        for name in ("a", "b"):
            if isinstance(pairs.schema[name], pl.List):
                pairs = pairs.explode(name)
        pairs = pairs.drop_nulls()
        written = {name: texts(pairs[name]) for name in ("a", "b")}
        pairs = pairs.with_columns(
            (series if value.cased else fold_values(series)).alias(name) for name, series in written.items()
        )
        a, b = pl.col("a"), pl.col("b")
        asked = {
            (False, False): a == b,
            (True, False): a.str.starts_with(b),
            (False, True): a.str.ends_with(b),
            (True, True): a.str.contains(b, literal=True),
        }[value.starts, value.ends]
        mask[pairs.filter(asked)["row"].to_numpy()] = True
        return mask

    def _looked(self, columns: tuple[str, ...]) -> tuple[Column, Distinct] | None:
        """The values of the first of `columns` that has one, and what is asked of them."""
        if columns not in self._distinct:
            usable = self._columns.usable(columns)
            column = self._columns.of(usable) if usable else None
            asked = self._plan.asked(columns)
            self._distinct[columns] = (
                (column, Distinct(column.distinct, asked, self._plan.late)) if column else None
            )
        return self._distinct[columns]


def _asks_rows(value: tree.Value) -> bool:
    if isinstance(value, tree.AnyOf):
        return any(_asks_rows(inner) for inner in value.values)
    return isinstance(value, tree.Null | tree.Exists | tree.Reference)


def _common(sets: list[Rows]) -> Rows:
    """The values that are in all of `sets`."""
    common = sets[0]
    for other in sets[1:]:
        common = np.intersect1d(common, other, assume_unique=True)
    return common
