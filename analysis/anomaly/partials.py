"""Small summaries of events that add up: batches, files, nights and machines may be merged in any order.

A partial is two tables. `cells` holds one row per key with folded numbers (sum, least, greatest: all of
them associative and commutative). `shown` holds, per (coarser) key, where to find the few events that a
finding would quote. Neither grows with the number of events, only with the number of keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.detach import detached
from analysis.finding import LOCATORS
from sensors.schema import dtype

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RANK: Final = "rank"
_OF_ATTRIBUTION: Final[dict[str, pl.DataType]] = {
    name: pl.String() for name in ("account", "account.kind", "account.basis")
}
_COMPACT_ROWS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Shape:
    """How a measure summarises its events.

    Attributes:
        keys: key columns of `cells`.
        folds: the other columns of `cells`, each `sum`, `min` or `max`.
        shown_by: key columns of `shown`.
        quoted: further columns kept with `shown`.
        first: rows kept per key, the highest `rank` first, then the earliest.
        last: rows kept from the other end.
    """

    keys: tuple[str, ...]
    folds: Mapping[str, str]
    shown_by: tuple[str, ...]
    quoted: tuple[str, ...] = ()
    first: int = 3
    last: int = 0

    @property
    def shown_columns(self) -> list[str]:
        """Columns of `shown`."""
        return list(dict.fromkeys((*self.shown_by, RANK, *LOCATORS, *self.quoted)))


@dataclass(frozen=True, slots=True)
class Partial:
    """The summary of some events under a `Shape`."""

    cells: pl.DataFrame
    shown: pl.DataFrame


def reduce(events: pl.DataFrame, shape: Shape) -> Partial:
    """Summarise events.

    Args:
        events: the keys, folded columns and quoted columns of `shape`, `rank` and the `LOCATORS`.
        shape: what to keep.
    """
    shown = _show(events.select(shape.shown_columns), shape)
    return Partial(detached(_fold(events, shape)), detached(shown))


def merge(parts: Sequence[Partial], shape: Shape) -> Partial:
    """The summary of all events together, whichever way they were split into `parts` (at least one)."""
    if len(parts) == 1:
        return parts[0]
    return Partial(
        detached(_fold(pl.concat([part.cells for part in parts]), shape)),
        detached(_show(pl.concat([part.shown for part in parts]), shape)),
    )


def kind_of(name: str) -> pl.DataType:
    """The type of a column of the schema, or of one that attribution adds.

    Raises:
        KeyError: events cannot have such a column.
    """
    return _OF_ATTRIBUTION.get(name) or dtype(name)


def column(frame: pl.DataFrame, name: str) -> pl.Expr:
    """The column `name`, typed as `kind_of` says; nulls where the frame does not have it."""
    if name in frame.columns:
        return pl.col(name)
    return pl.lit(None, dtype=kind_of(name)).alias(name)


def located(frame: pl.DataFrame, quoted: Sequence[str]) -> list[pl.Expr]:
    """The `LOCATORS` and `quoted` columns, each once, nulls where the frame does not have them."""
    return [column(frame, name) for name in dict.fromkeys((*LOCATORS, *quoted))]


class Heap:
    """Partials of one shape, kept merged well enough that memory follows the keys, not the batches."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._parts: list[Partial] = []
        self._rows = 0
        self._merged_rows = 0

    def push(self, partial: Partial) -> None:
        """Add one partial; merges once the unmerged ones outweigh the merged one."""
        if partial.cells.is_empty():
            return
        self._parts.append(partial)
        self._rows += partial.cells.height + partial.shown.height
        if self._rows > max(_COMPACT_ROWS, 2 * self._merged_rows):
            self.whole()

    def whole(self) -> Partial | None:
        """Everything pushed so far as one partial, None if that is nothing."""
        if not self._parts:
            return None
        whole = merge(self._parts, self.shape)
        self._parts = [whole]
        self._rows = self._merged_rows = whole.cells.height + whole.shown.height
        return whole


def _fold(frame: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    folded = [getattr(pl.col(name), fold)() for name, fold in shape.folds.items()]
    return frame.group_by(shape.keys).agg(folded)


def _show(frame: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    ties = [name for name in LOCATORS if name not in ("event.dataset", "molehunt.source.sha256")]
    ordered = frame.sort(
        RANK,
        "@timestamp",
        *(name for name in ties if name != "@timestamp"),
        descending=[True] + [False] * len(ties),
        nulls_last=True,
    )
    place = pl.int_range(pl.len()).over(shape.shown_by)
    kept = place < shape.first
    if shape.last:
        kept |= place >= pl.len().over(shape.shown_by) - shape.last
    return ordered.filter(kept)
