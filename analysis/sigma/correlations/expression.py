"""Boolean conditions of temporal correlations: `a and not (b or c)`.

pySigma's grammar, with two things more that the specification's own examples need: `AND`, `OR` and `NOT` may
be written in capitals, and a rule may be named by its id (or by any other word). Source: Sigma enhancement
proposal 198 and pySigma's `SigmaExtendedCorrelationCondition`: `not` binds tightest, then `and`, then `or`.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final, TypeAlias

from analysis.sigma.reading.documents import RuleProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN: Final = re.compile(r"[()]|[^\s()]+")
_WORDS: Final = ("and", "or", "not")
_LONGEST: Final = 10_000  # words and parentheses
_DEEPEST: Final = 50  # levels of parentheses and `not`; the parser calls itself for each
_MOST_ALTERNATIVES: Final = 256
_AT: Final = ("condition",)


@dataclass(frozen=True, slots=True)
class Seen:
    """The rule at `index` of the correlation's rules was seen in the window."""

    index: int


@dataclass(frozen=True, slots=True)
class Every:
    """All of them."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any of them."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """Not."""

    part: Expression


Expression: TypeAlias = Seen | Every | Either | Absent


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way in which a condition can hold.

    Attributes:
        wanted: rules that must be seen, in the order of the correlation's rules.
        denied: rules that must not.
    """

    wanted: tuple[int, ...]
    denied: tuple[int, ...]


def parse(text: str, rules: Sequence[str]) -> tuple[Expression, tuple[str, ...]]:
    """A condition, and the names of the rules that its indices are about.

    Args:
        text: the condition.
        rules: the correlation's rules; if there are none, those of the condition, in order of appearance.

    Raises:
        RuleProblem: it cannot be parsed, or it and `rules` do not name the same rules.
    """
    tokens = _TOKEN.findall(text)
    if len(tokens) > _LONGEST:
        raise RuleProblem(f"the condition has more than {_LONGEST} words; split it into several", _AT)
    parser = _Parser(deque(tokens), list(rules))
    expression = parser.either(0)
    if parser.left:
        raise RuleProblem(f"the condition cannot be parsed from {parser.left[0]!r} on; {_ADVICE}", _AT)
    for index, name in enumerate(rules):
        if index not in parser.used:
            message = f"`rules:` lists {name!r}, which the condition does not use; use it or take it out"
            raise RuleProblem(message, ("rules",))
    return expression, tuple(parser.names)


_ADVICE: Final = "join names of rules by and, or, not and parentheses"


class _Parser:
    def __init__(self, tokens: deque[str], rules: list[str]) -> None:
        self.left = tokens
        self.names = rules
        self.used: set[int] = set()
        self._closed = bool(rules)

    def _takes(self, word: str) -> bool:
        if self.left and self.left[0].lower() == word:
            self.left.popleft()
            return True
        return False

    def either(self, depth: int) -> Expression:
        parts = [self._every(depth)]
        while self._takes("or"):
            parts.append(self._every(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _every(self, depth: int) -> Expression:
        parts = [self._one(depth)]
        while self._takes("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise RuleProblem(f"the condition is nested more than {_DEEPEST} deep; simplify it", _AT)
        if self._takes("not"):
            return Absent(self._one(depth + 1))
        if self._takes("("):
            inner = self.either(depth + 1)
            if not self._takes(")"):
                raise RuleProblem("the condition opens a parenthesis that it does not close", _AT)
            return inner
        if not self.left or self.left[0] == ")" or self.left[0].lower() in _WORDS:
            found = repr(self.left[0]) if self.left else "its end"
            raise RuleProblem(f"the condition has {found} where a rule is expected; {_ADVICE}", _AT)
        return Seen(self._index(self.left.popleft()))

    def _index(self, name: str) -> int:
        if name not in self.names:
            if self._closed:
                raise RuleProblem(f"the condition names {name!r}, which `rules:` does not list", _AT)
            self.names.append(name)
        self.used.add(self.names.index(name))
        return self.names.index(name)


def alternatives(expression: Expression) -> tuple[Alternative, ...]:
    """The ways in which a condition can hold; where order counts, each is a sequence of its own.

    Raises:
        RuleProblem: there are more than 256.
    """
    ways = _ways(expression, denied=False)
    return tuple(
        dict.fromkeys(
            Alternative(tuple(sorted(wanted)), tuple(sorted(denied)))
            for wanted, denied in ways
            if not wanted & denied
        )
    )


_Way: TypeAlias = tuple[frozenset[int], frozenset[int]]


def _ways(expression: Expression, *, denied: bool) -> list[_Way]:
    match expression:
        case Seen(index):
            nothing: frozenset[int] = frozenset()
            here = frozenset({index})
            return [(nothing, here)] if denied else [(here, nothing)]
        case Absent(part):
            return _ways(part, denied=not denied)
        case Every(parts) | Either(parts):
            each = [_ways(part, denied=denied) for part in parts]
            if isinstance(expression, Every) == denied:
                return _few([way for ways in each for way in ways])
            together = each[0]
            for ways in each[1:]:
                together = _few([(a | c, b | d) for (a, b), (c, d) in product(together, ways)])
            return together


def _few(ways: list[_Way]) -> list[_Way]:
    ways = list(dict.fromkeys(ways))
    if len(ways) > _MOST_ALTERNATIVES:
        message = f"the condition can hold in more than {_MOST_ALTERNATIVES} ways; split it into several"
        raise RuleProblem(message, _AT)
    return ways
