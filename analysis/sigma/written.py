"""Values as text, the same way wherever a rule or a reader sees them."""

from __future__ import annotations

from typing import Final

import polars as pl

_TIME: Final = "%Y-%m-%dT%H:%M:%S%.6fZ"
_EXACT: Final = 1e15  # below it a whole floating-point number is written as an integer


def written(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """A column of type `kind` as text, null where it is null; of a list, a list of texts.

    Booleans are `true` and `false`, times ISO 8601 in UTC, whole floating-point numbers have no point.
    """
    if isinstance(kind, pl.List):
        return column.list.eval(written(pl.element(), _inner(kind)))
    if kind == pl.String:
        return column
    if isinstance(kind, pl.Datetime):
        zoned = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        return zoned.dt.to_string(_TIME)
    text = column.cast(pl.String, strict=False)
    if kind.is_float():
        whole = (column.floor() == column) & (column.abs() < _EXACT)
        return pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(text)
    return text


def _inner(kind: pl.List) -> pl.DataType:
    inner = kind.inner
    return inner if isinstance(inner, pl.DataType) else inner()


def texts(series: pl.Series) -> pl.Series:
    """`written` of a series."""
    if series.dtype == pl.String:
        return series
    return series.alias("v").to_frame().select(written(pl.col("v"), series.dtype))["v"].alias(series.name)


def joined(series: pl.Series) -> pl.Series:
    """`written`, the texts of a list joined by commas; null where there is no value at all."""
    text = texts(series)
    if isinstance(series.dtype, pl.List):
        text = text.list.drop_nulls().list.join(", ")
        return text.alias("v").to_frame().select(pl.when(pl.col("v") != "").then("v"))["v"]
    return text
