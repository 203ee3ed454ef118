"""What the sensors of audit trails share: how they sniff and read, kinds of actions, people.

An audit trail is records of who did what: each has an action by name, and what the action means in ECS words
is a table (`<product>_kinds.toml`). Actions that the table does not name are events all the same, of type
`info`, with the whole record in `event.original`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import delimited, json_table
from sensors.reading.json_table import text
from sensors.shapes.mapping import first_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sensors.sensor import Source

_BETWEEN: Final = ","
_PLACE: Final = ["log.offset", "log.file.line"]


@dataclass(slots=True)
class AuditTrail:
    """A sensor of records in JSON, or in CSV with the same names.

    Attributes:
        name: of the sensor.
        is_record: whether a record, its keys in lower case, is one of the product's.
        proof: a record without text at any of these paths is not the product's, and is named as unread.
        events: records, shredded, as ECS; given the source's zone as well if `local`.
        nested: paths that hold JSON as text.
        local: whether times without a zone occur.
        headers: sets of columns, in lower case, any of which tells a CSV export of the same records.
    """

    name: str
    is_record: Callable[[dict[str, Any]], bool]
    proof: tuple[str, ...]
    events: Callable[..., pl.DataFrame]
    nested: tuple[str, ...] = ()
    headers: tuple[frozenset[str], ...] = ()
    local: bool = False

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether more than half of the first records are the product's, or its columns head a CSV."""
        if self._is_csv(head):
            return True
        return json_table.mostly(
            head, lambda one: self.is_record({key.lower(): value for key, value in one.items()})
        )

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order; what is none is named in `source.unread`."""
        for table in self._csv(source) if self._is_csv(source.head) else self._json(source):
            kept = json_table.kept(table, text(table, *self.proof).is_not_null(), source, "no audit event")
            if kept.height:
                yield self.events(kept, source.zone) if self.local else self.events(kept)

    def _json(self, source: Source) -> Iterator[pl.DataFrame]:
        for table in json_table.tables(source):
            yield json_table.opened(table, *self.nested)

    def _is_csv(self, head: bytes) -> bool:
        if not self.headers or head.lstrip()[:1] in {b"{", b"["}:
            return False
        rows = delimited.first_rows(head, ",", 1)
        columns = {name.strip().lower() for name in rows[0]} if rows else set()
        return any(header <= columns for header in self.headers)

    def _csv(self, source: Source) -> Iterator[pl.DataFrame]:
        """The records of a CSV with one column of text for each of its own, and the record itself."""
        for names, frame in delimited.headed(source):
            table = delimited.table(frame, names, ",", source).drop("sample")
            yield table.join(frame, on=_PLACE, how="left", maintain_order="left")


class Kinds:
    """What actions mean in ECS words, out of a table beside this module."""

    def __init__(self, file: str) -> None:
        """Reads `file`: an array of tables `kind`, each with actions and their category, type, outcome."""
        raw = tomllib.loads((files("sensors") / file).read_text("utf-8"))
        self._parts: dict[str, dict[str, str]] = {"category": {}, "type": {}, "outcome": {}}
        for kind in raw["kind"]:
            for part, meanings in self._parts.items():
                if part in kind:
                    meaning = kind[part] if isinstance(kind[part], str) else _BETWEEN.join(kind[part])
                    meanings.update((action.lower(), meaning) for action in kind["actions"])
        self._known = sorted({action.lower() for kind in raw["kind"] for action in kind["actions"]})

    def known(self, action: pl.Expr) -> pl.Expr:
        """Whether the table names the action."""
        return action.str.to_lowercase().is_in(self._known)

    def category(self, action: pl.Expr) -> pl.Expr:
        """`event.category`, or null."""
        return self._meaning("category", action).str.split(_BETWEEN)

    def type(self, action: pl.Expr, otherwise: str = "info") -> pl.Expr:
        """`event.type`."""
        return self._meaning("type", action).fill_null(otherwise).str.split(_BETWEEN)

    def outcome(self, action: pl.Expr) -> pl.Expr:
        """`event.outcome` where the action itself says how it ended, or null."""
        return self._meaning("outcome", action)

    def _meaning(self, part: str, action: pl.Expr) -> pl.Expr:
        meanings = self._parts[part]
        if not meanings:
            return pl.lit(None, pl.String)
        return action.str.to_lowercase().replace_strict(meanings, default=None, return_dtype=pl.String)


def who(*roots: str, **names: pl.Expr) -> list[pl.Expr]:
    """The names someone has (`name`, `email`, `id`, ...) under each of the roots."""
    return [value.alias(f"{root}.{part}") for root in roots for part, value in names.items()]


def unless(condition: pl.Expr) -> pl.Expr:
    """`event.original` of the records where `condition` is not true."""
    return pl.when(~condition.fill_null(value=False)).then("text").alias("event.original")


def words(chosen: pl.Expr) -> pl.Expr:
    """A list of words that were chosen as one text, `authentication,session`.

    Lists are chosen as text because a literal list does not stretch to the height of a frame where all that
    it is chosen by is literal too (columns that no record has).
    """
    return chosen.str.split(_BETWEEN)


def first_words(value: pl.Expr, rules: Mapping[str, str]) -> pl.Expr:
    """The words that the first of `rules` (regular expression: words) found in `value` gives, or null."""
    return words(first_rule(value, rules))
