"""Leaves of JSON documents in order of column and row, by a compiled loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sensors.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Kernel: TypeAlias = Callable[..., Any]


@kernel
def by_column(rows: Array, columns: Array, width: int) -> tuple[Array, Array]:
    """Numbers of the leaves in order of column, then row, and where each of the `width` columns begins.

    Of several leaves of one column in one row the last counts. Leaves of column -1 are left out.
    """
    begin = np.zeros(width + 1, np.int64)
    for leaf in range(len(columns)):
        if columns[leaf] >= 0:
            begin[columns[leaf] + 1] += 1
    begin = np.cumsum(begin)
    order = np.empty(begin[width], np.int64)
    fill = begin[:width].copy()
    for leaf in range(len(columns)):
        column = columns[leaf]
        if column < 0:
            continue
        at = fill[column]
        if at > begin[column] and rows[order[at - 1]] == rows[leaf]:
            order[at - 1] = leaf
        else:
            order[at] = leaf
            fill[column] = at + 1
    packed = np.zeros(width + 1, np.int64)
    count = 0
    for column in range(width):
        size = fill[column] - begin[column]
        order[count : count + size] = order[begin[column] : fill[column]].copy()
        count += size
        packed[column + 1] = count
    return order[:count], packed
