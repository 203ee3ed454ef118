"""Zeek's logs as data (`kinds.toml`): which log a record is of, and the columns that its fields become."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_ENDS: Final = ("id.orig_h", "id.resp_h")
ALWAYS: Final = ("ts", "_path", "_write_ts", "_system_name", "_node_name")
_ODD: Final = re.compile(r"[^A-Za-z0-9_.-]")
_WORDLESS: Final = re.compile(r"[^a-z0-9]+")
_NAME_LENGTH: Final = 100  # of a log or field that nobody knows; a longer name is no name


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where event.outcome comes from: this column holds one of `success`, or else it is a failure."""

    column: str
    success: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One of Zeek's logs.

    Attributes:
        path: Zeek's name of it (`conn`).
        dataset: Elastic's (`zeek.connection`).
        root: where fields without another home go (`zeek.connection`).
        base: the log whose peculiarities it shares: itself, or what it is `like`.
        fields: Zeek's field to columns, in the order of preference where two fill one column.
        constants: columns that are the same for every record.
        outcome: what decides event.outcome.
        dropped: fields that are left behind.
        known_by: sets of fields, one of which a record always has.
        only: whether it has no other fields than those and the time.
        dropped_below: first parts of names of fields that are left behind.
    """

    path: str
    dataset: str
    root: str
    base: str
    fields: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, Any]
    outcome: Outcome | None
    dropped: frozenset[str]
    known_by: tuple[tuple[str, ...], ...]
    only: bool
    dropped_below: frozenset[str]

    def columns_of(self, field: str) -> tuple[str, ...]:
        """The columns that Zeek's `field` fills; none if it is left behind."""
        named = self.fields.get(field)
        if named is not None:
            return named
        if field in self.dropped or field.split(".", 1)[0] in self.dropped_below:
            return ()
        return (f"{self.root}.{plain(field)}",)

    def fits(self, fields: Collection[str]) -> bool:
        """Whether a record with these fields can be of this log."""
        having = frozenset(fields)
        return any(
            having >= {*known} and (not self.only or having <= {*known, *ALWAYS}) for known in self.known_by
        )


def plain(name: str) -> str:
    """A name from the input as part of a column's or dataset's name, without signs that mean something."""
    return _ODD.sub("_", name)[:_NAME_LENGTH].strip(".") or "_"


@cache
def kinds() -> Mapping[str, Kind]:
    """Every log of the table by its path, in the order in which records without `_path` are tried."""
    raw = tomllib.loads((files("sensors.zeek") / "kinds.toml").read_text("utf-8"))
    common = raw["common"]
    found: dict[str, Kind] = {}
    for path, entry in raw["kinds"].items():
        found[path] = _kind(path, raw["kinds"][entry["like"]] | entry if "like" in entry else entry, common)
    return found


@lru_cache(256)
def kind(path: str) -> Kind:
    """The log called `path`; one that is not in the table has the common fields and keeps the others."""
    known = kinds().get(path)
    if known is not None:
        return known
    common = tomllib.loads((files("sensors.zeek") / "kinds.toml").read_text("utf-8"))["common"]
    return _kind(path, {"dataset": _WORDLESS.sub("_", plain(path).lower()).strip("_") or "log"}, common)


def named(file_name: str) -> str | None:
    """The log that a file's name speaks of: `conn.19:00:00-20:00:00.log`, `dns_2024.json`, `a__http.log`."""
    words = [word.strip("_") for word in re.split(r"[^a-z0-9_]+|_(?=\d)|__", file_name.lower())]
    return next((word for word in words if word in kinds()), None)


def recognised(fields: Collection[str], file_name: str) -> Kind | None:
    """The log of a record that does not say: by the file's name if the fields agree, else by the fields."""
    hint = named(file_name)
    if hint is not None and kinds()[hint].fits(fields):
        return kinds()[hint]
    return next((each for each in kinds().values() if each.base == each.path and each.fits(fields)), None)


def _kind(path: str, entry: Mapping[str, Any], common: Mapping[str, Any]) -> Kind:
    base = entry.get("like", path)
    dataset = entry.get("dataset", path)
    own = {name: _names(columns) for name, columns in entry.get("fields", {}).items()}
    outcome = entry.get("outcome")
    root = "connection" if base == "conn" else dataset if base == path else base
    return Kind(
        path=path,
        dataset=f"zeek.{dataset}",
        root=f"zeek.{root}",
        base=base,
        # The log's own order first: where two fields fill one column, its table decides which is preferred.
        fields=own | {name: _names(columns) for name, columns in common["fields"].items() if name not in own},
        constants={"event.kind": "event", **entry.get("set", {})},
        outcome=Outcome(outcome["column"], tuple(outcome["success"])) if outcome else None,
        dropped=frozenset({*common["drop"], *entry.get("drop", ())}),
        known_by=tuple(
            (*names, *(() if entry.get("alone") else _ENDS)) for names in entry.get("known_by", ())
        ),
        only=entry.get("only", False),
        dropped_below=frozenset(common["drop_below"]),
    )


def _names(columns: str | list[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)
