"""What entries of the unified log mean that macOS alone writes."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence


@cache
def _messages() -> Sequence[dict[str, Any]]:
    raw = tomllib.loads((files("sensors.macos_unified_log") / "messages.toml").read_text("utf-8"))
    return tuple(raw["message"])


def meanings(frame: pl.DataFrame) -> pl.DataFrame:
    """Category, type, action, outcome and the values of each entry, a column each; null where nothing fits.

    Args:
        frame: has `app`, the program's name, and `body`, what it said.
    """
    programs = sorted({name for message in _messages() for name in message["programs"]})
    asked = frame["app"].is_in(programs).fill_null(value=False)
    told = (
        frame.with_columns(_number().alias("~which"))
        if asked.any()
        else frame.with_columns(pl.lit(None, pl.Int64).alias("~which"))
    )
    which = pl.col("~which")
    columns: dict[str, pl.Expr] = {}
    for part in ("category", "type", "action", "outcome"):
        words = {at: message[part] for at, message in enumerate(_messages()) if part in message}
        word = which.replace_strict(words, default=None, return_dtype=pl.String)
        listed = pl.when(word.is_not_null()).then(pl.concat_list(word))
        columns[f"event.{part}"] = listed if part in {"category", "type"} else word
    for group in sorted(
        {name for message in _messages() for name in re.compile(message["pattern"]).groupindex}
    ):
        columns[group.replace("__", ".")] = _value(group)
    return told.select(value.alias(name) for name, value in columns.items())


def _number() -> pl.Expr:
    """The number of the first message that an entry fits."""
    chain: pl.Expr = pl.lit(None, pl.Int64)
    for at, message in reversed(list(enumerate(_messages()))):
        fits = pl.col("app").is_in(message["programs"]) & pl.col("body").str.contains(message["pattern"])
        chain = pl.when(fits).then(pl.lit(at)).otherwise(chain)
    return chain


def _value(group: str) -> pl.Expr:
    """The value of a group in the messages that have it."""
    found = []
    for at, message in enumerate(_messages()):
        place = re.compile(message["pattern"]).groupindex.get(group)
        if place is not None:
            said = pl.col("body").str.extract(message["pattern"], place)
            found.append(pl.when(pl.col("~which") == at).then(said))
    return pl.coalesce(found)
