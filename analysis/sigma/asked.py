"""What all rules of a pack together ask of one field: the literals to look for, shared and numbered.

An item can be true of a value only if the value holds one of its literals. So one pass over the distinct
values tells which of thousands of items need be looked at at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from analysis.sigma import tree
from analysis.sigma.fold import fold
from analysis.sigma.literals import Kind, Literals
from analysis.sigma.regex import required

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.sigma.literals import Hits

_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$#&-~")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a text pattern is compared.

    Attributes:
        kind: where the literal stands.
        literal: folded; of a pattern with wildcards inside, its longest literal part; "" if it has none.
        regex: what a value that holds the literal must match besides, "" if nothing.
        cased: `regex` is about the value as it is written, not folded.
    """

    kind: Kind
    literal: str
    regex: str = ""
    cased: bool = False


def shape(text: tree.Text) -> Shape:
    """The comparison that a text pattern asks for."""
    any_ = tree.Wild.ANY
    parts = [fold(part) if isinstance(part, str) else part for part in text.parts if part]
    plain = [part for part in parts if isinstance(part, str)]
    kinds = {(): Kind.EQUALS, (1,): Kind.STARTS, (0,): Kind.ENDS, (0, 2): Kind.CONTAINS}
    wild = tuple(place for place, part in enumerate(parts) if part is any_)
    kind = kinds.get(wild)
    simple = len(plain) == 1 and kind is not None and len(parts) == len(wild) + 1
    if simple and kind is not None and not text.cased:
        return Shape(kind, plain[0])
    longest = max(plain, key=len, default="")
    written = text.parts if text.cased else parts
    regex = "" if parts == [any_] else _regex(written)
    return Shape(kind if simple and kind is not None else Kind.CONTAINS, longest, regex, text.cased)


def _regex(parts: Iterable[str | tree.Wild]) -> str:
    body = (
        escape(part) if isinstance(part, str) else ".*" if part is tree.Wild.ANY else "." for part in parts
    )
    return rf"(?s)\A{''.join(body)}\z"


def escape(text: str) -> str:
    """`text` as a regular expression that matches it and nothing else."""
    return "".join("\\" + char if char in _SPECIAL else char for char in text)


# Of each item that may be true of any value, by its number: which of its values may be.
Possible: TypeAlias = dict[int, list[int]]


def _together(item: tree.Item) -> bool:
    """Whether one field must have all values; keywords may stand in several."""
    return item.every and item.field is not None


class Asked:
    """The items that rules ask of one field.

    Args:
        items: of one field; those that ask the same count once.
    """

    def __init__(self, items: Iterable[tree.Item]) -> None:
        self._numbers: dict[tuple[str, Kind], int] = {}
        self._places: dict[int, int] = {}
        self._shapes: dict[tree.Text, Shape] = {}
        needs: list[tuple[int, ...] | None] = []  # of each value: the literals, one of which it needs
        begins: list[int] = []
        asked: list[int] = []  # of each item: how many of its values must be possible
        self._items = list(items)  # kept, for the ids of objects that are gone come again
        same: dict[tuple[tuple[tree.Value, ...], bool, bool], int] = {}
        for item in self._items:
            place = same.setdefault((item.values, item.every, item.negated), len(begins))
            self._places[id(item)] = place
            if place < len(begins):
                continue
            begins.append(len(needs))
            needs += [self._needs(value) for value in item.values]
            asked.append(len(item.values) if _together(item) else 1)
        none = len(self._numbers)
        flat = [need if need is not None else (none,) for need in needs]
        self._literals_of = np.array([number for need in flat for number in need], np.int64)
        lengths = np.array([len(need) for need in flat], np.int64)
        self._value_begins = np.cumsum(lengths) - lengths
        self._item_begins = np.array(begins, np.int64)
        self._asked = np.array(asked, np.int64)

    def place(self, item: tree.Item) -> int:
        """The number of an item, the same for all that ask the same."""
        return self._places[id(item)]

    def shape(self, text: tree.Text) -> Shape:
        """`shape(text)`, worked out once."""
        found = self._shapes.get(text)
        if found is None:
            found = self._shapes[text] = shape(text)
        return found

    def number(self, literal: str, kind: Kind) -> int:
        """The number of a literal of one of the items."""
        return self._numbers[literal, kind]

    @cached_property
    def literals(self) -> Literals | None:
        """All literals, compiled when they are first needed; None if there are none."""
        return Literals(list(self._numbers)) if self._numbers else None

    def possible(self, hits: Hits) -> Possible:
        """What may be true of any value.

        Args:
            hits: what `literals` found in the distinct values.
        """
        found = np.append(hits.any(), True)[self._literals_of]
        values = np.logical_or.reduceat(found, self._value_begins)
        items = np.add.reduceat(values.astype(np.int64), self._item_begins) >= self._asked
        near: dict[int, list[int]] = {}
        places = np.flatnonzero(values)
        owners = np.searchsorted(self._item_begins, places, side="right") - 1
        offsets = places - self._item_begins[owners]
        for place, offset in zip(owners.tolist(), offsets.tolist(), strict=True):
            near.setdefault(place, []).append(offset)
        return {place: offsets for place, offsets in near.items() if items[place]}

    def chosen(self, item: tree.Item, possible: Possible) -> tuple[tree.Value, ...]:
        """The values of an item that any value of the data may be; none if the item is false of all of it."""
        near = possible.get(self._places[id(item)])
        if near is None:
            return ()
        return item.values if _together(item) else tuple(item.values[one] for one in near)

    def _needs(self, value: tree.Value) -> tuple[int, ...] | None:
        match value:
            case tree.Text():
                one = self.shape(value)
                return (self._numbered(one.literal, one.kind),) if one.literal else None
            case tree.AnyOf(values):
                needs = [self._needs(inner) for inner in values]
                if None in needs:
                    return None
                return tuple({number for need in needs if need for number in need})
            case tree.Regex():
                literals = sorted(required(value.pattern, value.flags))
                return tuple(self._numbered(text, Kind.CONTAINS) for text in literals) or None
        return None

    def _numbered(self, literal: str, kind: Kind) -> int:
        return self._numbers.setdefault((literal, kind), len(self._numbers))
