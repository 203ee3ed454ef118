"""Between the byte loops and the tables: text columns to bytes, leaves to text columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors import json_scan, json_shred

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensors.json_scan import Array

PATHS: Final = 16_384  # told apart at most in one batch


def spans(column: pl.Series) -> tuple[Array, Array, Array]:
    """The bytes of a text column, and where each value starts and ends; null is no bytes."""
    column = column.fill_null("")
    blob = column.str.join("\n").cast(pl.Binary).item() if len(column) else b""
    lengths = column.str.len_bytes().to_numpy().astype(np.int64)
    ends = np.cumsum(lengths + 1) - 1
    return np.frombuffer(blob, np.uint8), ends - lengths, ends


def names_of(data: Array, paths: Array) -> list[str]:
    """The dotted name of each path."""
    keys = np.full((len(paths), 5), json_scan.ESCAPED)
    keys[:, json_shred.FROM], keys[:, json_shred.TO] = paths[:, 1], paths[:, 2]
    names: list[str] = []
    for parent, key in zip(paths[:, 0].tolist(), strings(data, keys), strict=True):
        names.append(f"{names[parent]}.{key}" if parent > 0 else key)
    return names


def filled(data: Array, leaves: Array, columns: Array, names: Sequence[str], height: int) -> list[pl.Series]:
    """The columns `names` of a table of `height` rows; `columns` has the number of each leaf's column."""
    rows = np.ascontiguousarray(leaves[:, json_shred.ROW])
    order, begin = json_shred.by_column(rows, columns, len(names))
    values = strings(data, leaves, order)
    values.append(pl.Series([None], dtype=pl.String))
    columns_filled = []
    for number, name in enumerate(names):
        where = np.full(height, len(order))
        where[rows[order[begin[number] : begin[number + 1]]]] = np.arange(begin[number], begin[number + 1])
        columns_filled.append(values.gather(where).alias(name))
    return columns_filled


def strings(data: Array, leaves: Array, order: Array | None = None) -> pl.Series:
    """The text of leaves, escapes read."""
    order = np.arange(len(leaves)) if order is None else order
    if not len(order):
        return pl.Series(dtype=pl.String)
    blob = json_shred.gather(data, leaves, order).tobytes()
    joined = pl.Series([blob], dtype=pl.Binary).cast(pl.String)
    return joined.str.split("\0").explode()


def chosen(data: Array, starts: Array, ends: Array, names: Sequence[str]) -> pl.DataFrame:
    """The leaves `names` of the objects that fill the spans, a text column each."""
    leaves, _, paths, _ = json_shred.shred(data, starts, ends, PATHS)
    place = {name: number for number, name in enumerate(names)}
    columns = np.array([place.get(name, -1) for name in names_of(data, paths)])
    return pl.DataFrame(filled(data, leaves, columns[leaves[:, json_shred.PATH]], names, len(starts)))
