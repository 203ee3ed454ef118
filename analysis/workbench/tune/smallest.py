"""The smallest set of lines that fits all of some events and none of others."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from analysis.workbench.tune.likeness import Likeness

MOST_LINES: Final = 3
_TRIED: Final = {1: 400, 2: 120, 3: 40}  # lines that are combined; the best of them, alone, come first


class _Allowed(NamedTuple):
    """What a set may be made of.

    Attributes:
        lists: lines of several values.
        strictly: every event to be kept must say something else; it may not be silent.
        persons: lines about a person, beside others.
        groups: lines about a department, beside others.
    """

    lists: bool = False
    strictly: bool = True
    persons: bool = False
    groups: bool = False


# Each gives up more.
_GIVEN_UP: Final = (
    _Allowed(),
    _Allowed(strictly=False),
    _Allowed(lists=True),
    _Allowed(lists=True, strictly=False),
    _Allowed(persons=True),
    _Allowed(persons=True, strictly=False),
    _Allowed(groups=True, strictly=False),
    _Allowed(groups=True, lists=True, strictly=False),
)


@dataclass(frozen=True, slots=True)
class Answers:
    """Which lines fit which events; columns are lines.

    Attributes:
        keep: events that must not fit all lines of a set, a row each.
        perhaps: the same, true also where the event has no value that a line could be held against.
        others: the different answers of events that nobody judged, a row each.
        weights: of each row of `others`, how many events gave it.
        accounts: of each row of `others`, whose they are.
    """

    keep: NDArray[np.bool_]
    perhaps: NDArray[np.bool_]
    others: NDArray[np.bool_]
    weights: NDArray[np.int64]
    accounts: tuple[frozenset[str], ...] = ()

    def fitting(self, lines: Sequence[int]) -> int:
        """How many of the others fit all of `lines`."""
        return int(self.weights[self.others[:, list(lines)].all(axis=1)].sum())

    def whose(self, lines: Sequence[int]) -> int:
        """How many accounts' others fit all of `lines`."""
        rows = np.flatnonzero(self.others[:, list(lines)].all(axis=1)) if self.accounts else ()
        return len(frozenset[str]().union(*(self.accounts[row] for row in rows)))

    def in_the_way(self, lines: Sequence[int], *, strictly: bool = False) -> NDArray[np.intp]:
        """The rows of `keep` that fit all of `lines`, or strictly, that may."""
        return np.flatnonzero((self.perhaps if strictly else self.keep)[:, list(lines)].all(axis=1))


@dataclass(frozen=True, slots=True)
class Choice:
    """A set of lines, by number.

    Attributes:
        others: how many of the others fit it; accounts: of how many accounts they are.
        group: it is about a department, beside something else.
    """

    lines: tuple[int, ...]
    others: int
    accounts: int = 0
    group: bool = False


def choices(likenesses: Sequence[Likeness], answers: Answers) -> list[Choice]:
    """The sets of lines that fit nothing that is to be kept: the chosen one, then the best of other kinds.

    Chosen are the fewest lines, none about people, of which every event to be kept denies one. What gives
    up any of that must spare at least half of the others: a line more; a field of which an event to be kept
    says nothing; a list of values; a person; a department. Of equals, those that fit others of fewer accounts
    win, then the more telling lines. Lines about people alone are never a set.
    """
    found: list[Choice] = []
    chosen: Choice | None = None
    for allowed in _GIVEN_UP:
        usable = [
            line
            for line, one in enumerate(likenesses)
            if (allowed.lists or len(one.values) == 1)
            and (allowed.persons or not one.personal)
            and (allowed.groups or not one.group)
        ]
        for size in range(1, MOST_LINES + 1):
            one = _best(likenesses, answers, usable, size, strictly=allowed.strictly)
            if one is None or one in found:
                continue
            found.append(one)
            if chosen is None or (one.others < chosen.others and one.others * 2 <= chosen.others):
                chosen = one
    rest = [one for one in found if one is not chosen]
    rest.sort(key=lambda one: (one.group, one.others, one.accounts, len(one.lines)))
    useful = (one for one in rest if not any(_does_as_much(other, one) for other in found))
    return [] if chosen is None else [chosen, *useful]


def _does_as_much(one: Choice, more: Choice) -> bool:
    """Whether lines could be left out of `more` without sparing fewer."""
    return set(one.lines) < set(more.lines) and one.others <= more.others


def nearest(likenesses: Sequence[Likeness], answers: Answers) -> NDArray[np.intp]:
    """What is in the way of every set: of the set with the fewest in its way, those."""
    everything = answers.in_the_way(range(len(likenesses)))
    if everything.size:
        return everything
    sets = _sets(likenesses, answers, range(len(likenesses)), MOST_LINES)
    ways = (answers.in_the_way(lines) for lines in sets)
    return min(ways, key=lambda rows: (rows.size, tuple(rows)), default=everything)


def _best(
    likenesses: Sequence[Likeness], answers: Answers, usable: Sequence[int], size: int, *, strictly: bool
) -> Choice | None:
    found: tuple[tuple[int, int, float, tuple[int, ...]], Choice] | None = None
    for lines in _sets(likenesses, answers, usable, size):
        if answers.in_the_way(lines, strictly=strictly).size:
            continue
        fitting = answers.fitting(lines)
        if found is not None and fitting > found[0][0]:
            continue
        accounts = answers.whose(lines)
        rank = (fitting, accounts, round(sum(likenesses[line].weight for line in lines), 3), lines)
        if (found is None or rank < found[0]) and _may_stand(lines, likenesses, answers):
            found = rank, Choice(lines, fitting, accounts, any(likenesses[line].group for line in lines))
    return found[1] if found else None


def _may_stand(lines: tuple[int, ...], likenesses: Sequence[Likeness], answers: Answers) -> bool:
    """Whether a set is not, in effect, about people alone: the other lines must tell something too."""
    plain = [line for line in lines if not likenesses[line].who]
    if len(plain) == len(lines):
        return True
    if not plain:
        return False
    if answers.weights.sum():
        return answers.fitting(plain) * 2 <= int(answers.weights.sum())
    return answers.in_the_way(plain).size < len(answers.keep)


def _sets(
    likenesses: Sequence[Likeness], answers: Answers, usable: Iterable[int], size: int
) -> Iterator[tuple[int, ...]]:
    """Sets of lines about different fields."""
    different: dict[tuple[bytes, ...], int] = {}
    for line in usable:  # the most telling of those that do the same
        effect = (answers.keep[:, line], answers.perhaps[:, line], answers.others[:, line])
        person = bytes([likenesses[line].personal, likenesses[line].group])
        different.setdefault((*(part.tobytes() for part in effect), person), line)
    first = sorted(
        different.values(),
        key=lambda line: (len(answers.in_the_way((line,))), answers.fitting((line,)), line),
    )
    for lines in combinations(sorted(first[: _TRIED[size]]), size):
        if len({likenesses[line].field for line in lines}) == size:
            yield lines
