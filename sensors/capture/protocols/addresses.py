"""Addresses that stand in messages as bytes, as text; numbers in network order."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_WIDE = 16


def octets(data: Array, places: Array, ends: Array) -> Array:
    """The byte at each place, Int64; -1 where a place is below 0 or not before its end."""
    found = np.full(len(places), -1, np.int64)
    there = (places >= 0) & (places < ends)
    found[there] = data[places[there]]
    return found


def short(data: Array, places: Array, ends: Array) -> Array:
    """Numbers of two bytes; -1 where they are not at hand."""
    high, low = octets(data, places, ends), octets(data, places + 1, ends)
    return np.where((high >= 0) & (low >= 0), high * 256 + low, -1)


def addresses(data: Array, places: Array, sizes: Array, ends: Array) -> pl.Series:
    """Addresses as text.

    Args:
        data: bytes, UInt8.
        places: where each begins.
        sizes: 4, 16, or any other number for none.
        ends: behind which nothing is read.
    """
    fits = np.isin(sizes, (4, _WIDE)) & (places >= 0) & (places + sizes <= ends)
    rows = np.flatnonzero(fits)
    raw = np.zeros((len(rows), _WIDE + 1), np.uint8)
    raw[:, _WIDE] = sizes[rows]
    offsets = np.arange(_WIDE)
    inside = offsets < sizes[rows, None]
    raw[:, :_WIDE][inside] = data[(places[rows, None] + offsets)[inside]]
    distinct, which = np.unique(raw, axis=0, return_inverse=True)
    names = pl.Series(
        [str(ipaddress.ip_address(each[: each[_WIDE]].tobytes())) for each in distinct], dtype=pl.String
    )
    numbers = np.full(len(places), -1, np.int64)
    numbers[rows] = which.reshape(-1)
    return names.gather(pl.Series(numbers).set(pl.Series(numbers < 0), None))
