"""What a rule asks, as a tree: conditions over items, items over values. Parsed once, evaluated by two.

`match.py` evaluates it over columns, `explain.py` row by row. Everything here is frozen and can be a key, so
that rules share what they have in common.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from string import Formatter
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

_TOGETHER: Final = re.compile(r"(?:[^{}]*\{[^{}!:]+\})+[^{}]*")  # a column that is put together from several


class Wild(Enum):
    """A wildcard in a text pattern."""

    ANY = "*"
    ONE = "?"

    __hash__ = object.__hash__  # Enum's own is slow, and patterns are keys by the ten thousand


@dataclass(frozen=True, slots=True)
class Text:
    """A text pattern: literal parts and wildcards, as a whole; case-insensitive unless `cased`."""

    parts: tuple[str | Wild, ...]
    cased: bool = False

    def __str__(self) -> str:
        shown = "".join(
            part.value if isinstance(part, Wild) else part.replace("*", r"\*").replace("?", r"\?")
            for part in self.parts
        )
        return repr(shown) + (" (case-sensitive)" if self.cased else "")


@dataclass(frozen=True, slots=True)
class Number:
    """A number; it equals the same number written as text."""

    number: int | float

    def __str__(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class Truth:
    """A boolean; it equals `true` or `false` written as text."""

    truth: bool

    def __str__(self) -> str:
        return "true" if self.truth else "false"


@dataclass(frozen=True, slots=True)
class Null:
    """No value: the field is null or absent (a table cannot tell one from the other)."""

    def __str__(self) -> str:
        return "null"


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether the field has a value."""

    exists: bool

    def __str__(self) -> str:
        return "exists" if self.exists else "does not exist"


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression, searched for anywhere, case-sensitive unless it has the flag `i`."""

    pattern: str
    flags: str = ""

    def __str__(self) -> str:
        return f"/{self.pattern}/{self.flags}"


@dataclass(frozen=True, slots=True)
class Network:
    """An address inside a network."""

    network: IPv4Network | IPv6Network

    def __str__(self) -> str:
        return f"in {self.network}"


@dataclass(frozen=True, slots=True)
class Compare:
    """A number below or above another; `operator` is lt, lte, gt or gte."""

    operator: str
    number: int | float

    def __str__(self) -> str:
        return f"{self.operator} {self.number}"


@dataclass(frozen=True, slots=True)
class TimePart:
    """A part of a point in time, in UTC: minute, hour, day, week (ISO 8601), month or year.

    `operator` is eq, lt, lte, gt or gte.
    """

    part: str
    number: int
    operator: str = "eq"

    def __str__(self) -> str:
        how = "" if self.operator == "eq" else f"{self.operator} "
        return f"{self.part} {how}{self.number}"


@dataclass(frozen=True, slots=True)
class Reference:
    """The value of another field; with `starts` and `ends` both, it is contained."""

    field: Field
    starts: bool = False
    ends: bool = False
    cased: bool = False

    def __str__(self) -> str:
        how = {(True, True): "contains", (True, False): "starts with", (False, True): "ends with"}
        cased = " (case-sensitive)" if self.cased else ""
        return f"{how.get((self.starts, self.ends), 'equals')} field {self.field.name}{cased}"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What one written value stands for after `windash` or `base64offset`: any of these."""

    values: tuple[Value, ...]

    def __str__(self) -> str:
        return "any of (" + ", ".join(str(value) for value in self.values) + ")"


Value: TypeAlias = (
    Text | Number | Truth | Null | Exists | Regex | Network | Compare | TimePart | Reference | AnyOf
)


@dataclass(frozen=True, slots=True)
class Field:
    r"""A field as a rule names it, and the columns that may hold it: the first that has a value is taken.

    A column in braces is put together from several, `{user.domain}\{user.name}`, if all of them have a
    value.
    """

    name: str
    columns: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns themselves, braces taken apart."""
        return tuple(dict.fromkeys(name for column in self.columns for _, name in pieces(column) if name))


def pieces(column: str) -> tuple[tuple[str, str | None], ...]:
    """`a{b}c` as the literal text before each column, and the column: `(("a", "b"), ("c", None))`.

    A plain column name is one piece without literal text, also one that has braces which name no columns.
    """
    if "{" not in column or not _TOGETHER.fullmatch(column):
        return (("", column),)
    return tuple((literal, name) for literal, name, _, _ in Formatter().parse(column))


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a selection: a field (or the whole event, for keywords) and its values.

    Attributes:
        selection: the name it stands under in the rule.
        field: None for keywords.
        values: any of them must match, or all of them if `every`.
        negated: written with `neq`.
    """

    selection: str
    field: Field | None
    values: tuple[Value, ...]
    every: bool = False
    negated: bool = False

    def __str__(self) -> str:
        name = self.field.name if self.field else "any field"
        link = " and " if self.every else " or "
        asked = link.join(str(value) for value in self.values)
        return f"{self.selection}: {name} {'is not ' if self.negated else ''}{asked}"


@dataclass(frozen=True, slots=True)
class And:
    """All of them; none is true."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them; none is false."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite. What it denies is never unknown: on an absent value it is false."""

    child: Node


Node: TypeAlias = Item | And | Or | Not
ALWAYS: And = And(())


def items(node: Node) -> tuple[Item, ...]:
    """Every item below `node`, in the order of writing."""
    if isinstance(node, Item):
        return (node,)
    found: list[Item] = []
    waiting: list[Node] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Item):
            found.append(one)
        elif isinstance(one, Not):
            waiting.append(one.child)
        else:
            waiting.extend(reversed(one.children))
    return tuple(found)


def size(node: Node) -> int:
    """How many values `node` asks for, with all that one written value stands for."""
    return sum(forms(value) for item in items(node) for value in item.values)


def forms(value: Value) -> int:
    """How many values one written value stands for."""
    return sum(map(forms, value.values)) if isinstance(value, AnyOf) else 1


def fields(node: Node) -> tuple[Field, ...]:
    """Every field that `node` reads, each once, in the order of writing."""
    found: dict[Field, None] = {}
    for item in items(node):
        if item.field is not None:
            found[item.field] = None
        found |= {value.field: None for value in item.values if isinstance(value, Reference)}
    return tuple(found)
