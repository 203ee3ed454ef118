"""Numbers at places in bytes, the lowest byte first, as Windows' protocols write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_EPOCH: Final = 116_444_736_000_000_000  # 1970 in tenths of microseconds since 1601 (MS-DTYP, 2.3.3)
_LATEST: Final = _EPOCH + 4_102_444_800 * 10_000_000  # 2100: what is later is no time


def number(data: Array, at: Array, ends: Array, size: int) -> Array:
    """The numbers of `size` bytes at places, Int64; -1 where a place is below 0 or too little is there."""
    found = np.full(len(at), -1, np.int64)
    rows = np.flatnonzero((at >= 0) & (at + size <= ends))
    places = at[rows]
    value = np.zeros(len(rows), np.int64)
    for k in reversed(range(size)):
        value = value << 8 | data[places + k]
    found[rows] = value
    return found


def moment(column: str) -> pl.Expr:
    """A time of Windows (Int64, tenths of microseconds since 1601) as Polars has it, or null."""
    ticks = pl.col(column)
    real = (ticks > _EPOCH) & (ticks < _LATEST)
    return pl.when(real).then(((ticks - _EPOCH) // 10).cast(pl.Datetime("us", "UTC")))
