"""Conditions as set algebra over the rows of a batch, from the narrowest part outwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import numpy as np

from analysis.sigma import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from analysis.sigma.matching.column import Column

    Mask: TypeAlias = NDArray[np.bool_]
    # Numbers of rows, in order, each once.
    Rows: TypeAlias = NDArray[np.uint32]

_DENSE: Final = 8  # a union that may be more than an eighth of the rows is made as a mask


class Leaf:
    """The rows for which one item is true.

    Attributes:
        height: rows of the batch.
        count: how many rows at most; 0 is certain.
    """

    __slots__ = ("_chosen", "_column", "_make", "_mask", "_values", "count", "height")

    def __init__(self, height: int, count: int) -> None:
        self.height = height
        self.count = count
        self._column: Column | None = None
        self._values: NDArray[np.uint32] | None = None
        self._chosen: Mask | None = None
        self._mask: Mask | None = None
        self._make: Callable[[], Mask] | None = None

    @classmethod
    def constant(cls, height: int, *, truth: bool) -> Leaf:
        """All rows, or none."""
        return cls(height, height) if truth else cls(height, 0)

    @classmethod
    def never(cls, height: int) -> Leaf:
        """No row."""
        return cls(height, 0)

    @classmethod
    def of(cls, mask: Mask) -> Leaf:
        """The rows where `mask` is true."""
        leaf = cls(len(mask), int(np.count_nonzero(mask)))
        leaf._mask = mask
        return leaf

    @classmethod
    def lazy(cls, height: int, make: Callable[[], Mask]) -> Leaf:
        """The rows of a mask that is made when it is needed."""
        leaf = cls(height, height)
        leaf._make = make
        return leaf

    @classmethod
    def valued(cls, column: Column, values: NDArray[np.uint32]) -> Leaf:
        """The rows that have one of `values`."""
        leaf = cls(column.height, min(column.count(values), column.height) if len(values) else 0)
        leaf._column = column
        leaf._values = values
        return leaf

    def denied(self) -> Leaf:
        """The other rows."""
        if self.count == 0:
            return Leaf.constant(self.height, truth=True)
        return Leaf.lazy(self.height, lambda: ~self.mask())

    def mask(self) -> Mask:
        """For each row, whether it is one."""
        if self._mask is None:
            if self._make is not None:
                self._mask = self._make()
            elif self._column is not None and self._values is not None:
                self._mask = self._column.mask(self._values)
            else:
                self._mask = np.full(self.height, self.count > 0)
        return self._mask

    def rows(self) -> Rows:
        """The rows."""
        if self._mask is None and self._column is not None and self._values is not None:
            return self._column.rows(self._values)
        return np.flatnonzero(self.mask()).astype(np.uint32)

    def among(self, rows: Rows) -> Mask:
        """For each of `rows`, whether it is one."""
        if self._mask is None and self._column is not None and not self._column.is_list:
            if self._chosen is None and self._values is not None:
                self._chosen = self._column.chosen(self._values)
            if self._chosen is not None:
                return self._column.among(self._chosen, rows)
        return np.asarray(self.mask()[rows])


class Leaves(Protocol):
    """Where the rows of items come from."""

    height: int

    def leaf(self, item: tree.Item) -> Leaf:
        """The rows of an item."""


Part: TypeAlias = tree.Node | Leaf


def most(part: Part, batch: Leaves) -> int:
    """How many rows can meet a condition at most; 0 is certain."""
    match part:
        case Leaf():
            return part.count
        case tree.Item():
            return batch.leaf(part).count
        case tree.And(children):
            fewest = batch.height
            for child in children:
                fewest = min(fewest, most(child, batch))
                if fewest == 0:
                    break
            return fewest
        case tree.Or(children):
            return min(batch.height, sum(most(child, batch) for child in children))
    return batch.height


def rows_of(parts: Sequence[Part], batch: Leaves) -> Rows | None:
    """The rows that meet all of `parts`; None if it is plain that there are none."""
    counted = []
    for part in parts:
        count = most(part, batch)
        if count == 0:
            return None
        counted.append((count, part))
    counted.sort(key=lambda pair: pair[0])
    rows = _rows(counted[0][1], batch) if counted else np.arange(batch.height, dtype=np.uint32)
    for _, part in counted[1:]:
        if not len(rows):
            break
        if not (isinstance(part, Leaf) and part.count == batch.height):
            rows = rows[among(part, rows, batch)]
    return rows


def _rows(part: Part, batch: Leaves) -> Rows:
    match part:
        case Leaf():
            return part.rows()
        case tree.Item():
            return batch.leaf(part).rows()
        case tree.And(children):
            rows = rows_of(children, batch)
            return np.zeros(0, np.uint32) if rows is None else rows
        case tree.Or(children):
            return _union([child for child in children if most(child, batch)], batch)
    everything = np.arange(batch.height, dtype=np.uint32)
    return everything[among(part, everything, batch)]


def _union(children: Sequence[tree.Node], batch: Leaves) -> Rows:
    if len(children) == 1:
        return _rows(children[0], batch)
    found = [_rows(child, batch) for child in children]
    if sum(len(rows) for rows in found) * _DENSE < batch.height:
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint32)
    mask = np.zeros(batch.height, bool)
    for rows in found:
        mask[rows] = True
    return np.flatnonzero(mask).astype(np.uint32)


def among(part: Part, rows: Rows, batch: Leaves) -> Mask:
    """For each of `rows`, whether it meets a condition."""
    match part:
        case Leaf():
            return part.among(rows)
        case tree.Item():
            return batch.leaf(part).among(rows)
        case tree.Not(child):
            return ~among(child, rows, batch)
        case tree.And(children):
            return _sifted(children, rows, batch, until=False)
        case tree.Or(children):
            return _sifted(children, rows, batch, until=True)


def _sifted(children: Sequence[tree.Node], rows: Rows, batch: Leaves, *, until: bool) -> Mask:
    """And (`until` false) or or (`until` true): each child is asked only of the rows still undecided."""
    result = np.full(len(rows), not until)
    undecided: NDArray[np.int64] | None = None
    for child in children:
        if most(child, batch) == 0:
            if until:
                continue
            return np.zeros(len(rows), bool)
        looked = rows if undecided is None else rows[undecided]
        decided = among(child, looked, batch) == until
        if undecided is None:
            result[decided] = until
            undecided = np.flatnonzero(~decided)
        else:
            result[undecided[decided]] = until
            undecided = undecided[~decided]
        if not len(undecided):
            break
    return result
