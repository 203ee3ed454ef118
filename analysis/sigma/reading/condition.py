"""The condition of a detection: `selection and not 1 of filter_*` as a tree of its selections.

pySigma's grammar with its gaps closed: a selection may have any name that holds no blank or bracket
(`sel-1`, `sélection`, `notepad`), and patterns may too. Least to most binding: or, and, not, `1 of`,
brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from analysis.sigma import tree
from analysis.sigma.reading.documents import RuleProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_NESTED: Final = 50
MAX_ITEMS: Final = 100_000  # lines of all selections that a condition asks for, each time it does
_TOKEN: Final = re.compile(r"[()]|[^\s()]+")
_WORDS: Final = ("and", "or", "not")
_LINKS: Final[Mapping[str, type[tree.And | tree.Or]]] = {"1": tree.Or, "any": tree.Or, "all": tree.And}
_ADVICE: Final = "join selections by and, or, not, '1 of x_*'"


def read_condition(text: str, selections: Mapping[str, tree.Node]) -> tree.Node:
    """The condition `text` over `selections`.

    Raises:
        RuleProblem: it cannot be parsed, or names what is not there. It has no key path.
    """
    words = _TOKEN.findall(text)
    if any("|" in word and word not in selections for word in words):
        message = "counting behind a | is not part of Sigma 2; write a correlation rule instead"
        raise RuleProblem(f"the condition cannot be parsed: {message}")
    reader = _Reader(words, selections, {name: len(tree.items(node)) for name, node in selections.items()})
    node = reader.any_of()
    if reader.next:
        raise _unreadable(f"{reader.next!r} stands where and, or or the end should be")
    return node


def _unreadable(reason: str) -> RuleProblem:
    return RuleProblem(f"the condition cannot be parsed ({reason}); {_ADVICE}")


@dataclass(slots=True)
class _Reader:
    words: Sequence[str]
    selections: Mapping[str, tree.Node]
    items: Mapping[str, int]
    asked: int = 0
    place: int = 0
    nested: int = 0

    @property
    def next(self) -> str:
        """The next word, "" behind the last; and, or and not in lower case."""
        word = self.words[self.place] if self.place < len(self.words) else ""
        return word.lower() if word.lower() in _WORDS and word not in self.selections else word

    def take(self) -> str:
        word = self.next
        self.place += 1
        return word

    def any_of(self) -> tree.Node:
        nodes = [self.all_of()]
        while self.next == "or":
            self.take()
            nodes.append(self.all_of())
        return nodes[0] if len(nodes) == 1 else tree.Or(tuple(nodes))

    def all_of(self) -> tree.Node:
        nodes = [self.denied()]
        while self.next == "and":
            self.take()
            nodes.append(self.denied())
        return nodes[0] if len(nodes) == 1 else tree.And(tuple(nodes))

    def denied(self) -> tree.Node:
        deny = False
        while self.next == "not":
            self.take()
            deny = not deny
        node = self.operand()
        return tree.Not(node) if deny else node

    def operand(self) -> tree.Node:
        word = self.take()
        if word == "(":
            return self.bracket()
        if word in ("", ")", "and", "or"):
            raise _unreadable(f"a selection is missing {f'before {word!r}' if word else 'at the end'}")
        if self.next.lower() == "of":
            return self.some(word)
        if word not in self.selections:
            known = ", ".join(self.selections)
            raise RuleProblem(f"the condition names {word!r}; there is only {known}")
        return self.selected([word])[0]

    def selected(self, names: Sequence[str]) -> tuple[tree.Node, ...]:
        """Selections by name; a few words can ask for the same ones again and again."""
        self.asked += sum(self.items[name] for name in names)
        if self.asked > MAX_ITEMS:
            raise _unreadable(f"it asks for more than {MAX_ITEMS} lines of selections")
        return tuple(self.selections[name] for name in names)

    def bracket(self) -> tree.Node:
        self.nested += 1
        if self.nested > MAX_NESTED:
            raise _unreadable(f"more than {MAX_NESTED} brackets inside one another")
        node = self.any_of()
        if self.take() != ")":
            raise _unreadable("a closing bracket is missing")
        self.nested -= 1
        return node

    def some(self, quantifier: str) -> tree.Node:
        """`1 of` or `all of` selections, those that begin with `_` left out unless the pattern does too."""
        link = _LINKS.get(quantifier.lower())
        if link is None:
            raise _unreadable(f"there is `1 of` and `all of`, no `{quantifier} of`")
        self.take()
        pattern = self.take()
        if pattern in ("", "(", ")", *_WORDS):
            raise _unreadable(f"`{quantifier} of` needs `them` or a pattern of names")
        like = "*" if pattern.lower() == "them" else pattern
        hidden = pattern.startswith("_")
        names = [name for name in self.selections if _like(name, like) and (hidden or name[:1] != "_")]
        named = self.selected(names)
        if not named:
            known = ", ".join(self.selections)
            raise RuleProblem(f"no selection is named like {pattern!r}; there is {known}")
        return named[0] if len(named) == 1 else link(named)


def _like(name: str, pattern: str) -> bool:
    """Whether `name` is `pattern`, whose stars stand for anything; in one pass from the left."""
    first, *others = pattern.split("*")
    if not others:
        return name == pattern
    *middle, last = others
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    place, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
