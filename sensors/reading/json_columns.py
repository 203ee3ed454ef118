"""Between the byte loops and the tables: text columns to bytes, leaves to text columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.reading import json_scan, json_shred, json_text, text_views
from sensors.reading.text_views import spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensors.reading.json_scan import Array

__all__ = ["PATHS", "chosen", "filled", "leaves_of", "listed", "names_of", "spans", "strings"]

PATHS: Final = 16_384  # told apart at most in one batch


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
    extra = json_text.room_for(data, leaves, columns)
    made = text_views.Columns(names, height, len(data) + extra)
    made.text[: len(data)] = data
    json_text.fill(data, leaves, columns, made.views, made.valid, made.text)
    return made.series()


def strings(data: Array, leaves: Array, order: Array | None = None) -> pl.Series:
    """The text of leaves, escapes read."""
    leaves = leaves.copy() if order is None else leaves[order]
    leaves[:, json_shred.ROW] = np.arange(len(leaves))
    if (leaves[:, json_shred.TO] - leaves[:, json_shred.FROM]).sum() < len(data) // 4:
        data = json_text.gathered(data, leaves)
    return filled(data, leaves, np.zeros(len(leaves), np.int64), [""], len(leaves))[0]


def listed(
    data: Array, leaves: Array, columns: Array, names: Sequence[str], rows: Array, there: Array
) -> pl.Series:
    """A column of lists of structs with the fields `names`; with no names, of the leaves' own text.

    Args:
        data: the bytes.
        leaves: their row is the number of the element that they belong to.
        columns: the number of each leaf's field.
        names: of the fields.
        rows: the number of each element's list, ascending.
        there: which lists are not null.
    """
    extra = json_text.room_for(data, leaves, columns)
    made = text_views.Columns(names or ["item"], len(rows), len(data) + extra, len(there))
    made.text[: len(data)] = data
    made.offsets[1:] = np.cumsum(np.bincount(rows, minlength=len(there)))
    made.there[:] = np.packbits(there, bitorder="little")
    json_text.fill(data, leaves, columns, made.views, made.valid, made.text)
    return made.lists(bare=not names)


def chosen(data: Array, starts: Array, ends: Array, names: Sequence[str]) -> pl.DataFrame:
    """The leaves `names` of the objects that fill the spans, a text column each."""
    leaves, columns = leaves_of(data, starts, ends, names)
    return pl.DataFrame(filled(data, leaves, columns, names, len(starts)))


def leaves_of(data: Array, starts: Array, ends: Array, names: Sequence[str]) -> tuple[Array, Array]:
    """The leaves of the objects that fill the spans, and the place of each one's path in `names`, or -1."""
    leaves, _, paths, _ = json_shred.shred(data, starts, ends, PATHS)
    place = {name: number for number, name in enumerate(names)}
    columns = np.array([place.get(name, -1) for name in names_of(data, paths)])
    return leaves, columns[leaves[:, json_shred.PATH]]
