"""Which conditions can be true, by which items can: thousands of conditions at once, over arrays.

What it leaves out is plainly false. What is denied it takes for possible, so it errs on one side alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from analysis.sigma import tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_TRUE: Final = -1
_FALSE: Final = -2


class _Level(NamedTuple):
    """Conditions whose parts are all of lower levels.

    Attributes:
        parts: the numbers of the parts, one condition's behind another's.
        begins: where each condition's begin.
        least: how many of its parts each needs: all of them, or one.
    """

    parts: NDArray[np.int64]
    begins: NDArray[np.int64]
    least: NDArray[np.int64]


class Outline:
    """Conditions, laid out by level.

    Args:
        conditions: numbered as they come.
        numbers: of each item of theirs, by its `id`; from 0, without a gap.
    """

    def __init__(self, conditions: Sequence[tree.Node], numbers: Mapping[int, int]) -> None:
        self._numbers = numbers
        self._items = max(numbers.values(), default=-1) + 1
        self._heights: dict[int, int] = {}  # of those that are no items, by the number first given to them
        self._drafts: list[tuple[tuple[int, ...], int]] = []
        roots = [self._drafted(condition) for condition in conditions]
        order = sorted(self._heights, key=self._heights.__getitem__)
        # Numbers as they are now: items, true, false, conditions level by level.
        first = self._items + 2
        final = {_TRUE: self._items, _FALSE: self._items + 1}
        final |= {number: first + place for place, number in enumerate(order)}
        self._roots = np.array([final.get(root, root) for root in roots], np.int64)
        by_level: dict[int, list[int]] = {}
        for number in order:
            by_level.setdefault(self._heights[number], []).append(number)
        self._levels = [self._level(numbers, final) for numbers in by_level.values()]

    def _level(self, numbers: Sequence[int], final: Mapping[int, int]) -> _Level:
        drafts = [self._drafts[number - self._items] for number in numbers]
        lengths = np.array([len(parts) for parts, _ in drafts], np.int64)
        parts = np.array([final.get(part, part) for parts, _ in drafts for part in parts], np.int64)
        return _Level(parts, np.cumsum(lengths) - lengths, np.array([least for _, least in drafts], np.int64))

    def _drafted(self, node: tree.Node) -> int:
        match node:
            case tree.Item():
                return _TRUE if node.negated else self._numbers[id(node)]
            case tree.And(children):
                parts = {self._drafted(child) for child in children} - {_TRUE}
                return _FALSE if _FALSE in parts else self._joined(parts, len(parts), _TRUE)
            case tree.Or(children):
                parts = {self._drafted(child) for child in children} - {_FALSE}
                return _TRUE if _TRUE in parts else self._joined(parts, 1, _FALSE)
        return _TRUE

    def _joined(self, parts: set[int], least: int, empty: int) -> int:
        if len(parts) <= 1:
            return next(iter(parts), empty)
        number = self._items + len(self._drafts)
        self._drafts.append((tuple(parts), least))
        self._heights[number] = 1 + max(self._heights.get(part, 0) for part in parts)
        return number

    def possible(self, items: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """For each condition, whether it can be true.

        Args:
            items: for each item, by its number, whether it can.
        """
        so_far = np.append(items, [True, False])
        for level in self._levels:
            met = np.add.reduceat(so_far[level.parts].astype(np.int64), level.begins)
            so_far = np.concatenate([so_far, met >= level.least])
        return so_far[self._roots]
