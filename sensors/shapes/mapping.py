"""Expressions that sensors of JSON logs map fields with: tables of rules, parts of names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.reading.distinct import by_value
from sensors.values.ecs import IP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BITS: Final = 62  # words that a whole number can flag
# In brackets; an IPv4 address; an IPv6 address (at least two colons).
_ADDRESS: Final = r"^\s*(?:\[([^\]]+)\]|((?:\d+\.){3}\d+)|([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*))"


def first_rule(value: pl.Expr, rules: Mapping[str, Sequence[str] | str]) -> pl.Expr:
    """What the first of `rules` (regular expression: result) whose expression is found in `value` gives.

    Results are all texts, or all lists of texts; null where no rule fits.
    """
    texts = all(isinstance(result, str) for result in rules.values())
    dtype = pl.String() if texts else pl.List(pl.String)

    def chosen(one: pl.Expr) -> pl.Expr:
        chain: pl.Expr = pl.lit(None, dtype)
        for pattern, result in reversed(list(rules.items())):
            given = pl.lit(result) if isinstance(result, str) else pl.lit(pl.Series([list(result)])).first()
            chain = pl.when(one.str.contains(pattern)).then(given).otherwise(chain)
        return chain

    return by_value(value, chosen, dtype)


def first_case(*cases: tuple[pl.Expr | bool, Sequence[str]]) -> pl.Expr:
    """List(String): the list of the first case that holds; null where none does.

    Each row is given a number first, and then the list of that number: lists are costly to choose from.
    """
    lists = pl.Series([list(then) for _, then in cases], dtype=pl.List(pl.String))
    number = pl.coalesce(
        pl.when(case).then(pl.lit(number, pl.UInt32)) for number, (case, _) in enumerate(cases)
    )
    return number.map_batches(
        lambda column: lists.gather(column).alias(column.name),
        return_dtype=pl.List(pl.String),
        is_elementwise=True,
    )


def flags(words: Mapping[str, pl.Expr]) -> pl.Expr:
    """List(String) of the words whose condition holds, in order."""
    listed = list(words)
    if len(listed) > _BITS or not any(condition.meta.root_names() for condition in words.values()):
        chosen = [pl.when(condition).then(pl.lit(word)) for word, condition in words.items()]
        return pl.concat_list(chosen).list.drop_nulls()
    bits = [
        pl.when(condition).then(pl.lit(1 << number, pl.Int64)).otherwise(pl.lit(0, pl.Int64))
        for number, condition in enumerate(words.values())
    ]
    return pl.sum_horizontal(bits).map_batches(
        lambda column: _words(column, listed), return_dtype=pl.List(pl.String), is_elementwise=True
    )


def _words(column: pl.Series, words: Sequence[str]) -> pl.Series:
    """The words whose bits are set."""
    masks, places = np.unique(column.to_numpy(), return_inverse=True)
    lists = [[word for number, word in enumerate(words) if mask >> number & 1] for mask in masks.tolist()]
    return pl.Series(column.name, lists, dtype=pl.List(pl.String)).gather(places)


def only(value: pl.Expr, *none: str) -> pl.Expr:
    """The text, or null where it is one of the words that the vendor writes for "none"."""
    words = [word.lower() for word in none]
    return by_value(value, lambda one: pl.when(~one.str.to_lowercase().is_in(words)).then(one))


def mailbox(value: pl.Expr) -> pl.Expr:
    """The part of an e-mail address (a user principal name) before the `@`; all of a name without one."""
    return by_value(value, lambda one: one.str.extract(r"^([^@]+)", 1))


def mail_domain(value: pl.Expr) -> pl.Expr:
    """The part of an e-mail address after the `@`; null for a name without one."""
    return by_value(value, lambda one: one.str.extract(r"@([^@]+)$", 1))


def address(value: pl.Expr) -> pl.Expr:
    """The IP address that text begins with (`192.0.2.1:443`, `[2001:db8::1]:443`), or null."""
    return by_value(value, _address)


def _address(value: pl.Expr) -> pl.Expr:
    found = pl.coalesce(value.str.extract(_ADDRESS, group) for group in (1, 2, 3))
    return pl.when(found.str.contains(IP)).then(found)
