"""The values that a query looks at: each field of a rule as one named expression, written once.

A field is the first of its columns that has a value; a column `{a}{b}` is put together, if both have one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sigma.backends.molehunt import literal
from sigma.backends.molehunt.column import ABSENT, BETWEEN, Column, Form, as_text, between, joined, written
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError, SigmaValueError

from analysis.sigma import tree
from analysis.sigma.matching.match import NULL_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sigma.backends.molehunt.table import Kind, Table

KEYWORDS: Final = tree.Field("", ("*",))  # every field of the event
_LONGEST: Final = 40  # letters of a field in the name of its expression


class Values:
    """What one query asks of its table; gathers the named expressions while the condition is written.

    Args:
        table: where the events are.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._asked: dict[str, Kind] = {}
        self._names: dict[tuple[Form, tree.Field], str] = {}
        self._letters: dict[str, set[str]] = {}
        self._numbered = False

    def text(self, field: tree.Field) -> str:
        """The field as text; several values with `BETWEEN` around each."""
        column = self.column(field)
        plain = column.kind == "text" and column.sql.startswith('"')
        return column.sql if plain else self._name("text", field)

    def folded(self, field: tree.Field, compared: Iterable[str]) -> str:
        """The field as text without case, good for comparing with `compared`, which are folded texts."""
        name = self._name("folded", field)
        self._letters.setdefault(name, set()).update(char for part in compared for char in part)
        return name

    def number(self, field: tree.Field) -> str:
        """The field as a number; NULL if it is none."""
        column = self.column(field)
        return column.sql if column.kind in ("integer", "float") else self._name("number", field)

    def integer(self, field: tree.Field) -> str:
        """The field as an integer of 64 bits; NULL if it is none."""
        column = self.column(field)
        return column.sql if column.kind == "integer" else self._name("integer", field)

    def time(self, field: tree.Field) -> str:
        """The field as a point in time of UTC; NULL if it is none."""
        return self._name("time", field)

    def day(self, field: tree.Field) -> str:
        """The same, also of what is a day alone."""
        return self._name("day", field)

    def nulls(self, field: tree.Field) -> list[str]:
        """Whether the event says that the field has no value: then it is there all the same."""
        if self._table.kind(NULL_FIELDS) is None or not self._table.known:
            return []
        fields = literal.name(NULL_FIELDS)
        return [f"ARRAY_CONTAINS({fields}, {literal.text(name)})" for name in field.columns]

    def event(self) -> str:
        """A number of the event, to know it again when it was put into several rows; not with `SELECT *`."""
        self._numbered = True
        return '"number of the event"'

    def _name(self, form: Form, field: tree.Field) -> str:
        key = (form, field)
        if key not in self._names:
            last = field.columns[0].rpartition(".")[2]
            short = "any field" if field is KEYWORDS else re.sub(r"\W+", "_", last, flags=re.ASCII)[:_LONGEST]
            name = literal.name(f"{form} {short}")
            taken = set(self._names.values())
            number = 2
            while name in taken:
                name = literal.name(f"{form} {short} {number}")
                number += 1
            self._names[key] = name
        return self._names[key]

    def column(self, field: tree.Field) -> Column:
        """The field in SQL.

        Raises:
            SigmaError: it cannot be asked for.
        """
        if field is KEYWORDS:
            return self._everything()
        alternatives = [self._alternative(column) for column in field.columns]
        parts = [part for part in alternatives if part is not None]
        if len(parts) <= 1:
            return parts[0] if parts else ABSENT
        if len({part.kind for part in parts}) == 1:
            return Column(f"COALESCE({', '.join(part.sql for part in parts)})", parts[0].kind)
        if any(part.several for part in parts):
            return Column(f"COALESCE({', '.join(joined(part) for part in parts)})", "joined")
        return Column(f"COALESCE({', '.join(as_text(part) for part in parts)})", "text")

    def _alternative(self, written_as: str) -> Column | None:
        """One of a field's columns; None if the table lacks it, or one that it is put together from."""
        try:
            pieces = tree.pieces(written_as)
        except ValueError as error:
            raise SigmaValueError(f"the field name {written_as!r} cannot be read: {error}") from error
        parts = []
        for before, name in pieces:
            parts += [literal.text(before)] if before else []
            if name is None:
                continue
            kind = self._table.kind(name)
            if kind is None:
                return None
            self._asked[name] = kind
            column = Column(literal.name(name), kind)
            if "{" not in written_as:
                return column
            if column.several:
                raise SigmaFeatureNotSupportedByBackendError(
                    f"{name} has several values and cannot be put together"
                )
            parts.append(as_text(column))
        return Column(f"({' || '.join(parts)})", "text")

    def _everything(self) -> Column:
        names = self._table.content()
        if names is None:
            raise SigmaFeatureNotSupportedByBackendError(
                "a keyword is looked for in every column, and SQL has to name them: say which lake it is "
                "for, with -O lake=DIR"
            )
        columns = [Column(literal.name(name), self._table.kind(name) or "text") for name in names]
        mark = literal.text(BETWEEN)
        texts = ", ".join(between(column) for column in columns) or "NULL"
        return Column(f"{mark} || CONCAT_WS({mark}, {texts}) || {mark}", "joined")

    def query(self, condition: str, select: str = "") -> str:
        """The statement.

        Args:
            condition: over the names that this object gave.
            select: what stands behind SELECT; without it, the events as they are.
        """
        named = [
            f"{written(self.column(field), form, self._letters.get(name, ()))} AS {name}"
            for (form, field), name in self._names.items()
        ]
        named += ['ROW_NUMBER() OVER () AS "number of the event"'] if self._numbered else []
        source = self._table.source(self._asked)
        if named:
            source = "(\n  SELECT *,\n    " + ",\n    ".join(named) + f"\n  FROM {source}\n) AS event"
        hidden = ", ".join(self._names.values())
        select = select or (f"* EXCLUDE ({hidden})" if named else "*")
        return f"SELECT {select}\nFROM {source}\nWHERE {condition}"
