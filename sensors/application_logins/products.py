"""The table of applications, `products.toml`: by what records are known and where their parts stand."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import orjson

from sensors.reading import json_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAMED: Final = re.compile(r"\?P<[^>]+>")


@dataclass(frozen=True)
class Product:
    """How one application logs.

    Attributes:
        name: the product, also `event.module` and the name of its file of messages.
        title: as people write it.
        vendor: who makes it.
        dataset: `event.dataset`.
        heads: expressions of the beginning of a record; their groups are columns, and `stamp` or `year`,
            `month`, `day`, `clock`, `offset` or `epoch` the time, and `body` what messages are matched with.
        needs: sets of keys; a record of JSON or of pairs has all of one.
        says: an expression that the beginning of a log must hold somewhere, where form alone proves nothing.
        body: paths of a JSON record (keys of pairs) whose values are what the messages are matched with.
        time: paths of its time.
        fields: columns and the paths of their values; `person` is who acts.
        parts: columns that are part of a value: its path, and expressions of one group; the first counts.
        skips: an expression of what begins like a record and is none.
        programs: names in syslog under which the product's messages come.
        only: what such a message must hold, where the program's name is anyone's.
        carried: columns that later records of the same session (`session.id`) have as well.
    """

    name: str
    title: str
    vendor: str
    dataset: str
    heads: Sequence[str] = ()
    needs: Sequence[Sequence[str]] = ()
    says: str = ""
    body: Sequence[str] = ()
    time: Sequence[str] = ()
    fields: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    skips: str = ""
    programs: Sequence[str] = ()
    only: str = ""
    carried: Sequence[str] = ()

    @cached_property
    def begins(self) -> str:
        """An expression of the beginning of any record."""
        return "|".join(f"(?:{_NAMED.sub('?:', head)})" for head in self.heads)

    @cached_property
    def _begins(self) -> re.Pattern[str]:
        return re.compile(self.begins)

    @cached_property
    def _said(self) -> re.Pattern[str]:
        return re.compile(self.says)

    def is_json(self, head: bytes) -> bool:
        """Whether content that is this product's is JSON."""
        return head.lstrip()[:1] in {b"{", b"["} and self.fits_json(json_table.peek(head))

    def fits_json(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Whether more than half of the records are this product's."""
        if not self.needs or not self.time:
            return False
        told = sum(any(record.keys() >= set(keys) for keys in self.needs) for record in records)
        if 2 * told <= len(records):
            return False
        return not self.says or any(self._said.search(orjson.dumps(one).decode()) for one in records)

    def fits_lines(self, lines: Sequence[str]) -> bool:
        """Whether lines begin as this product's records do: the first, and one in four, for stacks follow."""
        if self.heads:
            told = [bool(self._begins.match(line)) for line in lines]
        elif self.needs and self.time:
            told = [
                any(all(f" {key}=" in f" {line}" for key in keys) for keys in self.needs)
                and line[:1] not in "{["
                for line in lines
            ]
        else:
            return False
        if not told or not told[0] or 4 * sum(told) < len(told):
            return False
        return not self.says or any(self._said.search(line) for line in lines)


@cache
def products() -> dict[str, Product]:
    """All applications by name."""
    raw = tomllib.loads((files("sensors.application_logins") / "products.toml").read_text("utf-8"))
    return {name: Product(name, **entry) for name, entry in raw.items()}


@cache
def of_program() -> dict[str, str]:
    """The product whose messages come under a program's name in syslog."""
    return {program: one.name for one in products().values() for program in one.programs}
