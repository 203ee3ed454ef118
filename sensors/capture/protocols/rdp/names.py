"""Names of RDP's numbers, by the tables beside this file."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

_LOW: Final = 0xFFFF  # of a layout's number is the language
# What is written for a number without a name, before it.
_UNNAMED: Final = {
    "security_protocols": "security_protocol", "failures": "failure_code", "results": "result",
    "versions": "version", "builds": "client_build", "colour_depths": "high_color_depth",
    "encryption_methods": "encryption_method", "encryption_levels": "encryption_level",
    "certificate_types": "cert_type",
}  # fmt: skip


@cache
def _table(file: str, table: str = "") -> dict[int, str]:
    raw = tomllib.loads((files("sensors.capture.protocols.rdp") / file).read_text("utf-8"))
    return {int(number, 0): name for number, name in (raw[table] if table else raw).items()}


def of(table: str, numbers: pl.Series) -> pl.Series:
    """Names of numbers by one of the tables of `names.toml`; null where the number is."""
    unnamed = _UNNAMED[table] + "-" + numbers.cast(pl.String)
    return numbers.replace_strict(_table("names.toml", table), default=unnamed, return_dtype=pl.String)


def protocols(asked: pl.Series) -> pl.Series:
    """Lists of the security protocols that bits stand for; plain RDP is no bit."""
    bits = _table("names.toml", "security_protocols")
    named = [pl.when(asked & bit != 0).then(pl.lit(name)) for bit, name in bits.items() if bit]
    lists = pl.select(pl.concat_list(*named).list.drop_nulls()).to_series()
    plain = pl.when(lists.list.len() > 0).then(lists).otherwise(pl.lit([bits[0]]))
    return pl.select(pl.when(asked.is_not_null()).then(plain)).to_series()


def keyboards(layouts: pl.Series) -> pl.Series:
    """Names of keyboard layouts; for one that has none, that of its language."""
    known = _table("keyboards.toml")
    named = layouts.replace_strict(known, default=None, return_dtype=pl.String)
    language = (layouts & _LOW).replace_strict(known, default=None, return_dtype=pl.String)
    text = layouts.cast(pl.String)
    guess = language + " (Best Guess for " + text + ")"
    return named.fill_null(guess).fill_null("keyboard-" + text)
