"""What all rules of a pack together ask of one field: the literals to look for, shared and numbered.

An item can be true of a value only if the value holds one of its literals. So one pass over the distinct
values tells which of thousands of items need be looked at at all.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from analysis.sigma import tree
from analysis.sigma.matching.literals import Kind, Literals
from analysis.sigma.matching.shape import Shape, shape
from analysis.sigma.matching.wild import Group, between_stars
from analysis.sigma.regex import required

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from analysis.sigma.matching.literals import Hits

    # Literals, one of which a value must hold; None if it need hold none that is known.
    Needs: TypeAlias = tuple[int, ...] | None


class Possible(NamedTuple):
    """What may be true of any value of a column.

    Attributes:
        items: for each item, by its place.
        values: of those items, which of their values may be.
    """

    items: NDArray[np.bool_]
    values: dict[int, list[int]]


def _together(item: tree.Item) -> bool:
    """Whether one field must have all values; keywords may stand in several."""
    return item.every and item.field is not None


class Asked:
    """The items that rules ask of one field.

    Values that are equal are told by one of them, so that what is known of a value is found by its identity:
    to hash a pattern takes longer than most of what is asked about it.

    Args:
        items: of one field; those that ask the same have one place.
    """

    def __init__(self, items: Iterable[tree.Item]) -> None:
        self._numbers: dict[tuple[str, int], int] = {}
        self._same: dict[tree.Value, tree.Value] = {}
        self._plain: dict[int, tree.Text] = {}  # by the literal that it asks for
        self._inside: dict[int, tuple[tree.Value, ...]] = {}
        self._needs: dict[int, Needs] = {}
        self._shapes: dict[int, Shape] = {}
        self._groups: dict[int, list[Group]] = {}
        self._places: dict[int, int] = {}
        self._values: list[tuple[tree.Value, ...]] = []  # of each item
        self._whole: list[bool] = []  # of each item: all of its values are asked together
        self._items = list(items)  # kept, for the ids of objects that are gone come again
        same: dict[tuple[tuple[int, ...], bool, bool], int] = {}
        for item in self._items:
            values = tuple(map(self._told_by, item.values))
            place = same.setdefault((tuple(map(id, values)), item.every, item.negated), len(same))
            self._places[id(item)] = place
            if place == len(self._values):
                self._values.append(values)
                self._whole.append(_together(item))
        self._lay_out()
        self.places = np.array([self._places[id(item)] for item in self._items], np.int64)

    def _lay_out(self) -> None:
        none = len(self._numbers)
        needs = [self._needs[id(value)] for values in self._values for value in values]
        flat = [(none,) if need is None else need for need in needs]
        self._literals_of = np.array([number for need in flat for number in need], np.int64)
        lengths = np.array([len(need) for need in flat], np.int64)
        self._value_begins = np.cumsum(lengths) - lengths
        counts = np.array([len(values) for values in self._values], np.int64)
        self._item_begins = np.cumsum(counts) - counts
        # How many of its values must be possible for the item to be.
        self._asked = np.where(self._whole, counts, 1)

    def _told_by(self, value: tree.Value) -> tree.Value:
        """The one that stands for all that are equal to `value`."""
        if isinstance(value, tree.Text):
            if id(value) in self._needs:
                return value
            one = shape(value)
            if one.literal and not one.regex:
                return self._plainly(value, one)
            self._shapes[id(value)] = one
        found = self._same.setdefault(value, value)
        if found is value and id(value) not in self._needs:
            if isinstance(value, tree.AnyOf):
                self._inside[id(value)] = tuple(map(self._told_by, value.values))
            self._needs[id(value)] = self._needed(value)
        return found

    def _plainly(self, text: tree.Text, one: Shape) -> tree.Text:
        """The one that stands for all texts that ask for a literal and nothing else."""
        number = self._numbered(one.literal, one.kind)
        found = self._plain.setdefault(number, text)
        if found is text:
            self._needs[id(text)] = (number,)
            self._shapes[id(text)] = one
        return found

    def _needed(self, value: tree.Value) -> Needs:
        match value:
            case tree.Text():
                one = self.shape(value)
                return (self._numbered(one.literal, one.kind),) if one.literal else None
            case tree.AnyOf():
                needs = [self._needs[id(inner)] for inner in self._inside[id(value)]]
                if None in needs:
                    return None
                return tuple({number for need in needs if need for number in need})
            case tree.Regex():
                literals = sorted(required(value.pattern, value.flags))
                return tuple(self._numbered(text, Kind.CONTAINS) for text in literals) or None
        return None

    def _numbered(self, literal: str, kind: Kind) -> int:
        return self._numbers.setdefault((literal, int(kind)), len(self._numbers))

    def __len__(self) -> int:
        """How many places there are."""
        return len(self._values)

    def place(self, item: tree.Item) -> int:
        """The number of an item, the same for all that ask the same."""
        return self._places[id(item)]

    def values(self, item: tree.Item) -> tuple[tree.Value, ...]:
        """The values of an item, each told by the one that stands for all equal to it."""
        return self._values[self._places[id(item)]]

    def inside(self, value: tree.AnyOf) -> tuple[tree.Value, ...]:
        """What one of `values` is any of."""
        return self._inside[id(value)]

    def needs(self, value: tree.Value) -> Needs:
        """The numbers of the literals, one of which one of `values` needs; None if it needs none."""
        return self._needs[id(value)]

    def shape(self, text: tree.Text) -> Shape:
        """`shape(text)` of one of `values`, worked out once."""
        found = self._shapes.get(id(text))
        if found is None:
            found = self._shapes[id(text)] = shape(text)
        return found

    def groups(self, text: tree.Text) -> list[Group]:
        """`between_stars(text)` of one of `values`, worked out once."""
        found = self._groups.get(id(text))
        if found is None:
            found = self._groups[id(text)] = between_stars(text)
        return found

    @cached_property
    def literals(self) -> Literals | None:
        """All literals, compiled when they are first needed; None if there are none."""
        return Literals(list(self._numbers)) if self._numbers else None

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """Folded literals, one of which a value must hold for anything to be true of it; () if not so."""
        return () if self._without.items.any() else tuple({literal for literal, _ in self._numbers})

    def possible(self, hits: Hits) -> Possible:
        """What may be true of any value.

        Args:
            hits: what `literals` found in the distinct values.
        """
        if not len(hits.values):
            return self._without
        return self._possible(np.append(hits.any(), True))

    def likely(self, literals: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each item, by its place, whether it may be true of values that hold these literals alone."""
        if not len(literals):
            return self._without.items
        found = np.zeros(len(self._numbers) + 1, bool)
        found[literals] = found[-1] = True
        return self._possible(found).items

    @cached_property
    def _without(self) -> Possible:
        """What may be true of values that hold no literal."""
        return self._possible(np.append(np.zeros(len(self._numbers), bool), True))

    def _possible(self, found: NDArray[np.bool_]) -> Possible:
        found = found[self._literals_of]
        values = np.logical_or.reduceat(found, self._value_begins)
        items = np.add.reduceat(values.astype(np.int64), self._item_begins) >= self._asked
        near: dict[int, list[int]] = {}
        places = np.flatnonzero(values)
        owners = np.searchsorted(self._item_begins, places, side="right") - 1
        likely = items[owners]
        places, owners = places[likely], owners[likely]
        offsets = places - self._item_begins[owners]
        for place, offset in zip(owners.tolist(), offsets.tolist(), strict=True):
            near.setdefault(place, []).append(offset)
        return Possible(items, near)

    def chosen(self, item: tree.Item, possible: Possible) -> tuple[tree.Value, ...]:
        """The values of an item that any value of the data may be; none if the item is false of all of it."""
        place = self._places[id(item)]
        near = possible.values.get(place)
        if near is None:
            return ()
        values = self._values[place]
        if self._whole[place] or len(near) == len(values):
            return values
        return tuple(values[one] for one in near)

    @cached_property
    def absent(self) -> NDArray[np.bool_]:
        """For each item, by its place, whether it is true where the field has no value."""
        pairs = zip(self._values, self._whole, strict=True)
        return np.array(
            [(all if whole else any)(map(true_of_nothing, values)) for values, whole in pairs], bool
        )

    @cached_property
    def tells_null(self) -> NDArray[np.bool_]:
        """For each item, by its place, whether an explicit null is another thing to it than no value."""
        return np.array([any(isinstance(v, tree.Exists) for v in values) for values in self._values], bool)


def true_of_nothing(value: tree.Value) -> bool:
    """Whether `value` is true where the field has no value."""
    match value:
        case tree.Null():
            return True
        case tree.Exists(exists):
            return not exists
        case tree.AnyOf(values):
            return any(map(true_of_nothing, values))
    return False
