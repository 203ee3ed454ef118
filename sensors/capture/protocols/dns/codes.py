"""DNS' numbers and their names (`codes.toml`)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from sensors.capture.protocols.dns.printable import Array

_LONGEST = 10  # letters of a layout
_GENERIC = b"g"


@cache
def table(name: str) -> dict[int, str]:
    """The names of types, classes, opcodes, response codes or flags, by number."""
    return {number: word for word, number in _raw()[name].items()}


@cache
def layouts() -> Array:
    """How the data of each type is laid out, a row a type, UInt8; in the last row, that of any other."""
    types = _raw()["types"]
    made = np.zeros((max(types.values()) + 2, _LONGEST), np.uint8)
    made[:, 0] = _GENERIC[0]
    for word, layout in _raw()["layouts"].items():
        made[types[word], : len(layout)] = np.frombuffer(layout.encode(), np.uint8)
    return made


def named(column: pl.Expr, name: str, prefix: str = "") -> pl.Expr:
    """Numbers as their names; where there is none, as `prefix` and the number (RFC 3597, 5)."""
    return column.replace_strict(
        table(name), default=pl.lit(prefix) + column.cast(pl.String), return_dtype=pl.String
    )


def flags(bits: Array) -> pl.Series:
    """The header's second two bytes as lists of flags; null where none is set."""
    known = table("flags")
    picked = sum(((bits & bit) != 0).astype(np.uint32) << at for at, bit in enumerate(known))
    return _flag_sets().gather(pl.Series(picked, dtype=pl.UInt32))


@cache
def _flag_sets() -> pl.Series:
    words = list(table("flags").values())
    sets = [[word for at, word in enumerate(words) if n >> at & 1] or None for n in range(1 << len(words))]
    return pl.Series(sets, dtype=pl.List(pl.String))


@cache
def _raw() -> dict[str, dict[str, Any]]:
    return tomllib.loads((files("sensors.capture.protocols.dns") / "codes.toml").read_text("utf-8"))
