"""A regular expression as a tree, and its characters as two engines read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


class UnreadableError(Exception):
    """A regular expression, or a part of it, that is not understood; the text says which."""


@dataclass(frozen=True, slots=True)
class Char:
    """One character; `folded`: in any case."""

    char: str
    folded: bool


@dataclass(frozen=True, slots=True)
class Class:
    """One character of a class.

    Attributes:
        body: what stands between the brackets, in a form that Rust and `regex` read alike.
        chars: the characters themselves, if they are few and not denied; else "".
    """

    body: str
    negated: bool
    folded: bool
    chars: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A place between characters: start, end, line_start, line_end, word, no_word, end_or_newline."""

    kind: str


@dataclass(frozen=True, slots=True)
class Back:
    """The text that a group matched, by its number or name."""

    group: str
    folded: bool


@dataclass(frozen=True, slots=True)
class Group:
    """`opening` … `)`: a group that captures, or an atomic one."""

    opening: str
    child: Node


@dataclass(frozen=True, slots=True)
class Look:
    """Look-around; `opening` is one of `(?=`, `(?!`, `(?<=`, `(?<!`."""

    opening: str
    child: Node


@dataclass(frozen=True, slots=True)
class Repeat:
    """`child` from `least` to `most` times (None: no end); `suffix` is "", "?" (lazy) or "+" (possessive)."""

    child: Node
    least: int
    most: int | None
    suffix: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of them."""

    children: tuple[Node, ...]


Node: TypeAlias = Char | Class | Edge | Back | Group | Look | Repeat | Sequence | Choice


def literal(char: str) -> str:
    """A character as both engines read it, inside a class and out of it."""
    return char if char.isalnum() or ord(char) > 0x7F else f"\\x{ord(char):02x}"  # noqa: PLR2004 - ASCII
