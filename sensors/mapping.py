"""Expressions that sensors of JSON logs map fields with: tables of rules, parts of names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.ecs import is_ip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# In brackets; an IPv4 address; an IPv6 address (at least two colons).
_ADDRESS: Final = r"^\s*(?:\[([^\]]+)\]|((?:\d+\.){3}\d+)|([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*))"


def first_rule(value: pl.Expr, rules: Mapping[str, Sequence[str] | str]) -> pl.Expr:
    """What the first of `rules` (regular expression: result) whose expression is found in `value` gives.

    Results are all texts, or all lists of texts; null where no rule fits.
    """
    chain: pl.Expr = pl.lit(None)
    for pattern, result in reversed(list(rules.items())):
        given = pl.lit(result) if isinstance(result, str) else pl.lit(pl.Series([list(result)])).first()
        chain = pl.when(value.str.contains(pattern)).then(given).otherwise(chain)
    return chain


def flags(words: Mapping[str, pl.Expr]) -> pl.Expr:
    """List(String) of the words whose condition holds, in order."""
    chosen = [pl.when(condition).then(pl.lit(word)) for word, condition in words.items()]
    return pl.concat_list(chosen).list.drop_nulls()


def only(value: pl.Expr, *none: str) -> pl.Expr:
    """The text, or null where it is one of the words that the vendor writes for "none"."""
    return pl.when(~value.str.to_lowercase().is_in([word.lower() for word in none])).then(value)


def mailbox(value: pl.Expr) -> pl.Expr:
    """The part of an e-mail address (a user principal name) before the `@`; all of a name without one."""
    return value.str.extract(r"^([^@]+)", 1)


def mail_domain(value: pl.Expr) -> pl.Expr:
    """The part of an e-mail address after the `@`; null for a name without one."""
    return value.str.extract(r"@([^@]+)$", 1)


def address(value: pl.Expr) -> pl.Expr:
    """The IP address that text begins with (`192.0.2.1:443`, `[2001:db8::1]:443`), or null."""
    found = pl.coalesce(value.str.extract(_ADDRESS, group) for group in (1, 2, 3))
    return pl.when(is_ip(found)).then(found)
