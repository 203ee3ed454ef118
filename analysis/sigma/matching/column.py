"""A field of a batch: its distinct values, and the way back from a value to the rows that have it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl

from analysis.sigma.matching.literals import sorted_by
from analysis.sigma.matching.views import Texts, distinct, told_apart
from analysis.sigma.tree import pieces
from analysis.sigma.written import written

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.sigma.tree import Field

    Have: TypeAlias = Mapping[str, tuple[pl.Expr, pl.DataType]]  # columns of a batch

_NARROW: Final = 1 << 20  # whole numbers this close together are told apart by a table, not by sorting
_WIDE: Final = 8  # bytes
_TEXT: Final = pl.String()
_WHOLE: Final = (  # those that NumPy has
    pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64,
)  # fmt: skip
_FEW: Final = 16  # values whose rows are put together one by one; of more, the whole column is looked at


class Column:
    """One column of a batch, encoded.

    Args:
        distinct: its values, each once if it is text or whole numbers, one by one if not; none is null.
        codes: for each value of a row, its place among `values`.
        owners: the rows that `codes` are of; None if they are of every row.
        height: rows of the batch.
        is_list: a row may have several values, and matches if any of them does; otherwise it has one at most.
    """

    def __init__(
        self,
        distinct: pl.Series | Texts,
        codes: NDArray[np.uint32],
        owners: NDArray[np.uint32] | None,
        height: int,
        *,
        is_list: bool = False,
    ) -> None:
        self.distinct = distinct
        self.height = height
        self.is_list = is_list
        self.codes = codes
        self._owners = owners

    @cached_property
    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Where each value's rows begin, and the rows in order of value."""
        offsets = np.zeros(len(self.distinct) + 1, np.int64)
        order = sorted_by(self.codes, offsets)
        return offsets, order if self._owners is None else self._owners[order]

    @cached_property
    def _by_row(self) -> NDArray[np.uint32]:
        """The code of every row, one behind the last where it has no value; not of lists."""
        if self._owners is None:
            return self.codes
        codes = np.full(self.height, len(self.distinct), np.uint32)
        codes[self._owners] = self.codes
        return codes

    def count(self, values: NDArray[np.uint32]) -> int:
        """How many rows have one of `values`, counted once for each of them."""
        offsets = self._places[0]
        if len(values) == 1:  # as most often
            one = int(values[0])
            return int(offsets[one + 1] - offsets[one])
        return int((offsets[values.astype(np.int64) + 1] - offsets[values]).sum())

    def rows(self, values: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The rows that have one of `values`, in order, each once."""
        if len(values) > _FEW or self.is_list:
            return np.flatnonzero(self.mask(values)).astype(np.uint32)
        offsets, order = self._places
        parts = [order[offsets[value] : offsets[value + 1]] for value in values.tolist()]
        return np.sort(np.concatenate(parts)) if len(parts) > 1 else parts[0]

    def mask(self, values: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """For each row, whether it has one of `values`."""
        hit = self.chosen(values)[self.codes]
        if self._owners is None:
            return hit
        mask = np.zeros(self.height, bool)
        mask[self._owners[hit]] = True
        return mask

    def chosen(self, values: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """For each value whether it is one of `values`, and false for null behind them."""
        chosen = np.zeros(len(self.distinct) + 1, bool)
        chosen[values] = True
        return chosen

    def among(self, chosen: NDArray[np.bool_], rows: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """For each of `rows`, whether its value is `chosen`; not asked of lists."""
        return np.asarray(chosen[self._by_row[rows]])

    def present(self) -> NDArray[np.bool_]:
        """The rows that have a value; a list of nothing is none."""
        if self._owners is None:
            return np.ones(self.height, bool)
        mask = np.zeros(self.height, bool)
        mask[self._owners] = True
        return mask


class Columns:
    """The columns of a batch, encoded as they are asked for; those put together many at a time.

    Args:
        frame: events; columns without any value are passed over.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = pl.DataFrame([_readable(one) for one in frame if one.null_count() < frame.height])
        self.schema: Mapping[str, pl.DataType] = self.frame.schema  # made anew each time a frame is asked
        self.names = frozenset(self.schema)
        self.height = frame.height
        self._known: dict[tuple[str, ...], Column] = {}
        self._usable: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._empty: dict[str, NDArray[np.bool_]] = {}

    def usable(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Those of a field's columns that the batch has, and that say more than those before them."""
        found = self._usable.get(columns)
        if found is None:
            found = tuple(name for name in columns if _can_be_had(name, self.names))
            if len(found) > 1:
                fewer = self._telling(found)
                found = fewer if _kind(fewer, self.schema) == _kind(found, self.schema) else found
            self._usable[columns] = found
        return found

    def _telling(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The columns that have a value somewhere where none before them has one.

        What sensors copy into ECS fields stands in the same rows as its source, so that there is most often
        but one, and nothing to be put together.
        """
        telling: list[str] = []
        left = np.ones(self.height, bool)  # rows without a value so far
        for name in names:
            if name not in self.schema:  # put together from others
                telling.append(name)
                continue
            still = left & self._without_value(name)
            if np.count_nonzero(still) < np.count_nonzero(left):
                telling.append(name)
                left = still
            if not left.any():
                break
        return tuple(telling)

    def _without_value(self, name: str) -> NDArray[np.bool_]:
        found = self._empty.get(name)
        if found is None:
            found = self._empty[name] = self.frame[name].is_null().to_numpy()
        return found

    def _look(self, fields: Iterable[tuple[str, ...]]) -> None:
        """See at once where columns have no value, of the fields that have several."""
        several: set[str] = set()
        for columns in fields:
            had = [name for name in columns if name in self.names]
            several.update(had if len(had) > 1 else ())
        names = [name for name in several if name not in self._empty]
        frame = pl.DataFrame([self.frame[name].alias(str(place)) for place, name in enumerate(names)])
        for series, name in zip(frame.select(pl.all().is_null()), names, strict=True):
            self._empty[name] = series.to_numpy()

    def load(self, fields: Iterable[tuple[str, ...]]) -> None:
        """Encode the texts among fields that will be asked for.

        Args:
            fields: the columns of each.
        """
        fields = list(fields)
        self._look(fields)
        asked = {self.usable(columns) for columns in fields}
        wanted = [usable for usable in asked if usable and usable not in self._known]
        new = dict(zip(wanted, _joined(wanted, self.frame, self.schema), strict=True))
        if self.height:
            self._known |= {
                usable: _encoded(series) for usable, series in new.items() if series.dtype == pl.String
            }

    def distinct(
        self, asked: Iterable[tuple[str, ...]], least: int = 0
    ) -> dict[tuple[str, ...], pl.Series | Texts]:
        """The distinct values of fields, in any order, at less than it takes to encode them.

        Args:
            asked: the columns of each, as `usable` gave them.
            least: texts in ASCII of fewer bytes may be left out.
        """
        asked = list(asked)
        found = {usable: self._known[usable].distinct for usable in asked if usable in self._known}
        wanted = [usable for usable in asked if usable not in found]
        new = dict(zip(wanted, _joined(wanted, self.frame, self.schema), strict=True))
        texts = {usable: _without_lists(series) for usable, series in new.items()}
        found |= {
            usable: distinct(series, least) for usable, series in texts.items() if series.dtype == pl.String
        }
        plain = {
            usable: series
            for usable, series in new.items()
            if series.dtype != pl.String and not isinstance(series.dtype, pl.List)
        }
        frame = pl.DataFrame([series.alias(str(number)) for number, series in enumerate(plain.values())])
        values = frame.select(pl.col(name).drop_nulls().unique().implode() for name in frame.columns)
        found |= {usable: values[str(number)][0] for number, usable in enumerate(plain)}
        return found | {usable: self.of(usable).distinct for usable in new if usable not in found}

    def of(self, usable: tuple[str, ...]) -> Column:
        """The first of the columns `usable` that has a value, row by row; not empty."""
        found = self._known.get(usable)
        if found is None:
            series = self.series(usable)
            found = _encoded(series) if series.dtype == pl.String else _numbered(series)
            self._known[usable] = found
        return found

    def series(self, usable: tuple[str, ...]) -> pl.Series:
        """The first of the columns `usable` that has a value, row by row."""
        return _joined([usable], self.frame, self.schema)[0]


def _readable(series: pl.Series) -> pl.Series:
    """A column of a type that has no text of its own, as texts; no sensor makes such."""
    kind = series.dtype
    if isinstance(kind, pl.Array):
        return _readable(series.arr.to_list())
    if isinstance(kind, pl.List) and _strange(kind.inner):
        lists = [
            None if one is None else [None if v is None else str(v) for v in one] for one in series.to_list()
        ]
        return pl.Series(series.name, lists, pl.List(pl.String))
    if _strange(kind) and not isinstance(kind, pl.Struct | pl.List):
        shown = [None if one is None else str(one) for one in series.to_list()]
        return pl.Series(series.name, shown, pl.String)
    return series


def _strange(kind: object) -> bool:
    return isinstance(kind, pl.List | pl.Array | pl.Struct | pl.Binary | pl.Duration | pl.Object)


def _without_lists(series: pl.Series) -> pl.Series:
    """The texts of lists one below another."""
    return series.explode() if series.dtype == pl.List(pl.String) else series


def _encoded(texts: pl.Series) -> Column:
    """A text column, its distinct values numbered in order of appearance."""
    return Column(*told_apart(texts), len(texts))


def _numbered(series: pl.Series) -> Column:
    """A column of whole numbers, lists or other values."""
    height = len(series)
    if isinstance(series.dtype, pl.List):
        rows = series.alias("v").to_frame().with_row_index("row").explode("v").drop_nulls("v")
        inner = rows["v"]
        owners = rows["row"].to_numpy()
        if inner.dtype == pl.String and len(inner):
            texts, codes, _ = told_apart(inner)
            return Column(texts, codes, owners, height, is_list=True)
        return Column(*_distinct(inner), owners, height, is_list=True)
    if not series.null_count():
        return Column(*_distinct(series), None, height)
    owners = np.flatnonzero(series.is_not_null().to_numpy()).astype(np.uint32)
    return Column(*_distinct(series.drop_nulls()), owners, height)


def _distinct(series: pl.Series) -> tuple[pl.Series, NDArray[np.uint32]]:
    """Distinct whole numbers, or all other values, and for each row the place of its own; none is null."""
    if series.dtype not in _WHOLE or not len(series):
        return series, np.arange(len(series), dtype=np.uint32)
    numbers = series.to_numpy()
    if numbers.dtype.itemsize < _WIDE:  # the difference of two of them would not fit
        numbers = numbers.astype(np.int64)
    lowest, span = numbers.min(), int(numbers.max()) - int(numbers.min()) + 1
    if span > _NARROW:
        distinct, codes = np.unique(numbers, return_inverse=True)
        return pl.Series(series.name, distinct, series.dtype), codes.astype(np.uint32)
    there = np.zeros(span, bool)
    there[numbers - lowest] = True
    places = np.cumsum(there, dtype=np.uint32) - np.uint32(1)
    distinct = np.flatnonzero(there).astype(numbers.dtype) + lowest
    return pl.Series(series.name, distinct, series.dtype), places[numbers - lowest]


def present_columns(field: Field, columns: Collection[str]) -> tuple[str, ...]:
    """The alternatives of `field` that can be had from `columns`."""
    return tuple(column for column in field.columns if _can_be_had(column, columns))


def _can_be_had(column: str, columns: Collection[str]) -> bool:
    if "{" not in column or column in columns:
        return column in columns
    return all(name is None or name in columns for _, name in pieces(column))


def series_of(field: Field, frame: pl.DataFrame) -> pl.Series | None:
    """The field's values in a batch, or None if no column has any."""
    usable = present_columns(field, frame.columns)
    return _joined([usable], frame, frame.schema)[0] if usable else None


def _joined(
    fields: Sequence[tuple[str, ...]], frame: pl.DataFrame, schema: Mapping[str, pl.DataType]
) -> list[pl.Series]:
    """For each field the first of its columns that has a value, row by row."""
    made = {
        str(number): usable
        for number, usable in enumerate(fields)
        if len(usable) > 1 or usable[0] not in schema or _odd(schema[usable[0]])
    }
    if not made:
        return [frame[usable[0]] for usable in fields]
    names = {
        part: f"c{place}"  # to Polars, names such as `^a$` mean several columns
        for place, part in enumerate(
            dict.fromkeys(
                part for usable in made.values() for name in usable for part in _parts(name, schema)
            )
        )
    }
    have = {part: (pl.col(name), schema[part]) for part, name in names.items()}
    sources = pl.DataFrame([frame[part].alias(name) for part, name in names.items()])
    joined = sources.select(_first(usable, have).alias(number) for number, usable in made.items())
    return [
        joined[str(number)] if str(number) in made else frame[usable[0]]
        for number, usable in enumerate(fields)
    ]


def _parts(name: str, schema: Mapping[str, pl.DataType]) -> Iterable[str]:
    """The columns that a field's column is put together from, itself if it is one."""
    return (name,) if name in schema else (part for _, part in pieces(name) if part)


def _first(usable: tuple[str, ...], have: Have) -> pl.Expr:
    if len(usable) == 1 and usable[0] in have:
        return have[usable[0]][0].cast(pl.String)
    kinds = {have[name][1] if name in have else pl.String() for name in usable}
    same = len(kinds) == 1 and not any(_odd(kind) for kind in kinds)
    many = any(isinstance(kind, pl.List) for kind in kinds)
    return pl.coalesce(_expression(name, have, same=same, many=many) for name in usable)


def _kind(usable: tuple[str, ...], schema: Mapping[str, pl.DataType]) -> pl.DataType:
    """The type of a field's values."""
    kinds = {schema.get(name, _TEXT) for name in usable}
    if len(kinds) == 1:
        (kind,) = kinds
        return _TEXT if _odd(kind) else kind
    return pl.List(_TEXT) if any(isinstance(kind, pl.List) for kind in kinds) else _TEXT


def _odd(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.Categorical | pl.Enum | pl.Null)


def _expression(name: str, have: Have, *, same: bool, many: bool) -> pl.Expr:
    if name not in have:
        expression = pl.concat_str(
            pl.concat_str(pl.lit(literal), _single(*have[column])) if column else pl.lit(literal)
            for literal, column in pieces(name)
        )
    elif same:
        return have[name][0]
    else:
        expression = written(*have[name])
        if isinstance(have[name][1], pl.List):
            return expression
    if many:
        return pl.when(expression.is_not_null()).then(pl.concat_list(expression))
    return expression


def _single(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """The text of a column that others are put together from; where it may have several values, none."""
    return pl.lit(None, pl.String) if isinstance(kind, pl.List) else written(column, kind)
