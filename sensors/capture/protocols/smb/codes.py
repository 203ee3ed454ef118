"""What numbers of SMB mean."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

GOES_ON: Final = 0xC0000016  # a login of several steps
PARTLY: Final = 0x80000005  # more was there than was asked for


@cache
def _table(name: str) -> dict[int, str]:
    raw = tomllib.loads((files(__package__) / "codes.toml").read_text("utf-8"))
    return {int(number, 0): word for number, word in raw[name].items()}


def named(number: pl.Expr, table: str) -> pl.Expr:
    """The name of a number; one without a name as it is."""
    known = number.replace_strict(_table(table), default=None, return_dtype=pl.String)
    return pl.coalesce(known, number.cast(pl.String))


def outcome(status: pl.Expr) -> pl.Expr:
    """What a status means as `event.outcome`."""
    return (
        pl.when(status.is_null() | (status == GOES_ON))
        .then(pl.lit("unknown"))
        .when(status.is_in([0, PARTLY]))
        .then(pl.lit("success"))
        .otherwise(pl.lit("failure"))
    )
