"""Names joined into people, so that two people of the roster never become one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.identity.principal import Node


@dataclass(slots=True)
class _Group:
    """One component: its names, whose it is (index of the roster's row), its objects in directories."""

    members: list[Node]
    person: int | None = None
    objects: dict[str, set[str]] = field(default_factory=dict)


class Components:
    """Disjoint sets of names (the smaller joins the larger), each with at most one person of the roster."""

    def __init__(self) -> None:
        self._group: dict[Node, _Group] = {}

    def __contains__(self, node: Node) -> bool:
        return node in self._group

    def add(self, node: Node) -> None:
        """Make a name known; a name that is known already stays where it is."""
        if node not in self._group:
            group = _Group([node])
            if node[0] == "id":
                group.objects[node[1]] = {node[2]}
            self._group[node] = group

    def claim(self, node: Node, person: int) -> None:
        """Say that a name is a person's of the roster; a name of nobody or of the same person only."""
        self.add(node)
        group = self._group[node]
        if group.person not in {None, person}:
            raise ValueError(f"{node} is another person's already")
        group.person = person

    def person(self, node: Node) -> int | None:
        """Index of the roster's person whose name it is; None if nobody's or not known."""
        group = self._group.get(node)
        return group.person if group else None

    def same(self, one: Node, other: Node) -> bool:
        """Whether two names are known and one person's."""
        return one in self._group and self._group[one] is self._group.get(other)

    def join(self, one: Node, other: Node, *, on_evidence: bool) -> bool:
        """Join two names, if that is possible.

        Args:
            one: a name.
            other: another name.
            on_evidence: an event or the roster ties them. Otherwise it is only implied, and does not join
                what one directory knows as two objects.

        Returns:
            Whether they are one person's now. False where they are two people of the roster, or, if only
            implied, two objects of one directory.
        """
        self.add(one)
        self.add(other)
        first, second = self._group[one], self._group[other]
        if first is second:
            return True
        if None not in {first.person, second.person} and first.person != second.person:
            return False
        if not on_evidence and any(
            first.objects[directory].isdisjoint(second.objects[directory])
            for directory in first.objects.keys() & second.objects.keys()
        ):
            return False
        if len(first.members) < len(second.members):
            first, second = second, first
        for node in second.members:
            self._group[node] = first
        first.members += second.members
        first.person = second.person if first.person is None else first.person
        for directory, objects in second.objects.items():
            first.objects.setdefault(directory, set()).update(objects)
        return True

    def groups(self) -> Iterator[tuple[int | None, list[Node]]]:
        """Each person with their names, in the order in which the names became known."""
        seen: set[int] = set()
        for group in self._group.values():
            if id(group) not in seen:
                seen.add(id(group))
                yield group.person, group.members
