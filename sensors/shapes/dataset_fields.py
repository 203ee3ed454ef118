"""A field of ECS in the tables of `dataset_tables`: where in a record it stands, and what it is made into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import schema
from sensors.reading.json_table import objects, text, texts, time
from sensors.shapes.mapping import address, mailbox, only

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def _scaled(factor: float) -> Callable[[pl.Expr], pl.Expr]:
    return lambda value: (value.cast(pl.Float64, strict=False) * factor).round().cast(pl.Int64, strict=False)


_SEVERITIES: Final = {"low": 1, "medium": 2, "high": 3, "critical": 4}
# What a value is made into; each takes and gives a column.
WAYS: Final[Mapping[str, Callable[[pl.Expr], pl.Expr]]] = {
    "lower": lambda value: value.str.to_lowercase(),
    "upper": lambda value: value.str.to_uppercase(),
    "address": address,
    "domain": lambda value: value.str.replace(r"^\w+://", "").str.extract(r"^(\[[^\]]+\]|[^/:?#]+)", 1),
    "host": lambda value: value.str.extract(r"^(\[[^\]]+\]|[^:/]+)", 1),
    "port": lambda value: value.str.extract(r":(\d+)$", 1),
    "alone": lambda value: pl.when(value.is_not_null()).then(pl.concat_list(value)),
    "version": lambda value: value.str.extract(r"(\d+(?:\.\d+)?)$", 1),
    "protocol": lambda value: value.str.to_lowercase().str.extract(r"^([a-z]+)", 1),
    "query": lambda value: value.str.strip_chars_start("?"),
    "milliseconds": _scaled(1e6),
    "seconds": _scaled(1e9),
    "mailbox": mailbox,
    "mail": lambda value: pl.when(value.str.contains("@")).then(value),
    "with_scheme": lambda value: (
        pl.when(value.str.contains(r"^[^/]+:443(?:/|$)")).then(pl.lit("https://") + value).otherwise(value)
    ),
    "dashed": lambda value: value.str.to_lowercase().str.replace_all(r"\s+", "-"),
    "severity": lambda value: value.str.to_lowercase().replace_strict(
        _SEVERITIES, default=None, return_dtype=pl.Int64
    ),
}


@dataclass(frozen=True, slots=True)
class Field:
    """Where one field of ECS comes from, and how."""

    name: str
    paths: tuple[str, ...] = ()
    way: str = ""
    key: str = ""
    only_one: bool = False
    where: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    value: str = ""

    def column(self, frame: pl.DataFrame, nothing: Sequence[str] = ()) -> pl.Expr:
        """The field, of every record of `frame`; words for `nothing` are null."""
        if self.value:
            made = pl.lit(self.value)
        elif self.key:
            made = objects(frame, self.paths[0], self.key)
            made = made.list.eval(pl.element().struct.field(self.key)).list.drop_nulls()
        elif self.way == "list":
            lists = [texts(frame, path) for path in self.paths]
            made = pl.coalesce(pl.when(one.list.len() > 0).then(one) for one in lists)
        elif self.way == "first":
            made = texts(frame, self.paths[0])
        elif self.way == "time":
            made = time(frame, *self.paths)
        else:
            made = text(frame, *self.paths)
            made = only(made, *nothing) if nothing else made
            made = WAYS[self.way](made) if self.way else made
        if self.values:
            made = made.str.to_lowercase().replace_strict(self.values, default=None, return_dtype=pl.String)
        if self.where:
            said = [text(frame, path).str.to_lowercase() == word for path, word in self.where.items()]
            made = pl.when(*said).then(made)
        return (made.list.first() if self.only_one else made).alias(self.name)


def as_written(name: str, given: str | list[str] | dict[str, Any]) -> Field:
    """A field as the table writes it."""
    if not isinstance(given, dict):
        return Field(name, (given,) if isinstance(given, str) else tuple(given))
    paths = given.get("from", ())
    several = name.startswith("~") or schema.dtype(name) == pl.List(pl.String)
    return Field(
        name,
        (paths,) if isinstance(paths, str) else tuple(paths),
        given.get("as", ""),
        given.get("each") or given.get("one", ""),
        "one" in given or given.get("as") == "first" or ("each" in given and not several),
        given.get("where", {}),
        given.get("values", {}),
        given.get("value", ""),
    )
