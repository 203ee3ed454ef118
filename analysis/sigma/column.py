"""A field of a batch: its distinct values, and the way back from a value to the rows that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analysis.sigma.distinct import Distinct, Wanted
from analysis.sigma.tree import pieces
from analysis.sigma.written import written

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from analysis.sigma.tree import Field


class Column:
    """One column of a batch, encoded.

    Attributes:
        distinct: its values, each once if it is text, row by row if it is not.
        height: rows of the batch.
        is_list: a row may have several values; it matches if any of them does.
    """

    def __init__(self, series: pl.Series, wanted: Wanted, folded: Mapping[str, str]) -> None:
        self.height = len(series)
        self.is_list = isinstance(series.dtype, pl.List)
        self._owners: NDArray[np.uint32] | None = None
        if self.is_list:
            rows = series.alias("v").to_frame().with_row_index("row").explode("v").drop_nulls("v")
            self._owners = rows["row"].to_numpy()
            series = rows["v"]
        values, self._codes = _encoded(series)
        self.distinct = Distinct(values, wanted, folded)

    def rows(self, values: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The rows that have a value that is true in `values`; a row without a value is false."""
        hit = np.append(values, False)[self._codes]
        if self._owners is None:
            return hit
        mask = np.zeros(self.height, bool)
        mask[self._owners[hit]] = True
        return mask

    def present(self) -> NDArray[np.bool_]:
        """The rows that have a value; a list of nothing is none."""
        return self.rows(np.ones(len(self.distinct.values), bool))


def _encoded(series: pl.Series) -> tuple[pl.Series, NDArray[np.uint32]]:
    """Distinct values, and for each row the place of its own; null is one place behind the last."""
    if series.dtype != pl.String:
        kept = series.is_not_null().to_numpy()
        codes = np.cumsum(kept, dtype=np.uint32) - np.uint32(1)
        codes[~kept] = np.uint32(np.count_nonzero(kept))
        return series.drop_nulls(), codes
    # A Categorical of a private pool numbers values in order of appearance, and is the fastest way to do so.
    numbered = series.cast(pl.Categorical(pl.Categories.random())).to_physical().cast(pl.UInt32)
    highest = numbered.max()
    count = 0 if highest is None else int(str(highest)) + 1
    codes = numbered.fill_null(count).to_numpy()
    first = np.zeros(count + 1, np.uint32)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1, dtype=np.uint32)
    return series.gather(first[:count]), codes


def present_columns(field: Field, columns: Collection[str]) -> tuple[str, ...]:
    """The alternatives of `field` that can be had from `columns`."""
    return tuple(
        column
        for column in field.columns
        if all(name is None or name in columns for _, name in pieces(column))
    )


def series_of(field: Field, frame: pl.DataFrame) -> pl.Series | None:
    """The field's values in a batch, or None if no column has any."""
    usable = present_columns(field, frame.columns)
    if not usable:
        return None
    if len(usable) == 1 and "{" not in usable[0]:
        series = frame[usable[0]]
        return series.cast(pl.String) if _odd(series.dtype) else series
    kinds = {frame.schema[name] if "{" not in name else pl.String() for name in usable}
    same = len(kinds) == 1 and not any(_odd(kind) for kind in kinds)
    many = any(isinstance(kind, pl.List) for kind in kinds)
    parts = [_expression(name, frame, same=same, many=many) for name in usable]
    return frame.select(pl.coalesce(parts).alias("v"))["v"]


def _odd(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.Categorical | pl.Enum | pl.Null)


def _expression(name: str, frame: pl.DataFrame, *, same: bool, many: bool) -> pl.Expr:
    if "{" in name:
        texts = [
            pl.concat_str(pl.lit(literal), written(pl.col(column), frame.schema[column]))
            if column
            else pl.lit(literal)
            for literal, column in pieces(name)
        ]
        expression = pl.concat_str(texts)
    elif same:
        return pl.col(name)
    else:
        expression = written(pl.col(name), frame.schema[name])
        if isinstance(frame.schema[name], pl.List):
            return expression
    if many:
        return pl.when(expression.is_not_null()).then(pl.concat_list(expression))
    return expression
