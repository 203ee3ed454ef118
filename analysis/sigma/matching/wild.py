"""Patterns with wildcards inside: by Rust's regular expressions, or for a few values in plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from analysis.sigma import tree
from analysis.sigma.fold import fold

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Mask: TypeAlias = NDArray[np.bool_]


def contains(values: pl.Series, pattern: str, text: tree.Text) -> Mask:
    """Which texts match `pattern`, the form of `text` for Rust's engine."""
    try:
        return values.str.contains(pattern).to_numpy()
    except pl.exceptions.ComputeError:  # it has a limit of size: thousands of wildcards in one pattern
        groups = between_stars(text)
        return np.array([like(value, groups) for value in values], bool)


class Group(NamedTuple):
    """What stands between two `*`: its length, and its literals with their places."""

    length: int
    literals: list[tuple[int, str]]

    def first(self, value: str, begin: int, end: int) -> int:
        """Where it stands first in `value`, from `begin` to `end`; -1 if nowhere."""
        if not self.literals:
            return begin if begin <= end else -1
        (place, literal), *others = self.literals
        at = value.find(literal, begin + place, end + place + len(literal)) - place
        while at >= begin and not all(value.startswith(text, at + behind) for behind, text in others):
            at = value.find(literal, at + place + 1, end + place + len(literal)) - place
        return at if at >= begin else -1


def like(value: str, groups: list[Group]) -> bool:
    """Whether `value` (folded, unless it is cased) is `groups`, each of them as early as it can stand."""
    at = 0
    for place, group in enumerate(groups):
        latest = len(value) - group.length
        if latest < at:
            return False
        last = place == len(groups) - 1
        found = group.first(value, latest if last else at, latest if place else 0)
        if found < 0:
            return False
        at = found + group.length
    return True


def between_stars(text: tree.Text) -> list[Group]:
    """The groups of a pattern; without any `*`, one."""
    groups = [Group(0, [])]
    for part in text.parts:
        length, literals = groups[-1]
        if part is tree.Wild.ANY:
            groups.append(Group(0, []))
        elif part is tree.Wild.ONE:
            groups[-1] = Group(length + 1, literals)
        elif isinstance(part, str):
            literal = part if text.cased else fold(part)
            groups[-1] = Group(length + len(literal), [*literals, (length, literal)])
    return groups
