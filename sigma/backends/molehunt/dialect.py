"""Regular expressions of Rust's dialect, read as far as RE2 could mean the same.

Sources: https://docs.rs/regex/latest/regex/#syntax, https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from sigma.backends.molehunt.words import ALL, NOT_SPACE, SPACE, WORD, Kinds, kinds_of

MOST_REPEATS: Final = 1000  # RE2's limit
_SCRIPTS: Final = "Arabic|Cyrillic|Greek|Han|Hebrew|Latin"
_CATEGORY: Final = re.compile(
    rf"\\(?P<sign>[pP])(?:(?P<short>[LMNPSZC])|\{{(?P<long>[LMNPSZC][a-z]?|{_SCRIPTS})\}})"
)
_DIGIT: Final = "[0-9A-Fa-f]"
_HEX: Final = re.compile(rf"\\(?:x({_DIGIT}{{2}})|u({_DIGIT}{{4}})|U({_DIGIT}{{8}})|[xuU]\{{({_DIGIT}+)\}})")
_REPEAT: Final = re.compile(r"[*+?]|\{(\d+)(?:(,)(\d*))?\}")
_OPEN: Final = re.compile(r"\((?:(?!\?)|\?(?:P?<\w+>|(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<end>[:)])))")
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_POSIX: Final = re.compile(r"\[:\^?[a-z]+:\]")
_META: Final = frozenset(r"\.+*?()|[]{}^$-&~#")


class UnsharedError(ValueError):
    """What both engines cannot be asked with the same meaning; the message says what."""


@dataclass(frozen=True, slots=True)
class Atom:
    """Something that takes one character.

    Attributes:
        text: as it is written in both dialects.
        kinds: whether that may be a word character ("w"), another ("n"), or either.
    """

    text: str
    kinds: Kinds


@dataclass(frozen=True, slots=True)
class Edge:
    """`^` or `$`, or a word boundary (`b`): takes no character."""

    sign: str


@dataclass(frozen=True, slots=True)
class Flags:
    """`(?i)`: flags from here to the end of the group."""

    text: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part, so many times."""

    part: Node
    times: str
    least: int
    once: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts after one another."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives in brackets; `opened` is `(?:` or `(?i:`."""

    branches: tuple[Sequence, ...]
    opened: str = "(?:"


Node: TypeAlias = Atom | Edge | Flags | Repeat | Sequence | Group


class Parser:
    """Reads one expression.

    Args:
        pattern: an expression that Rust's engine accepts.
        between: a character that nothing may match: what stands between the values of a list; "" if there
            is none.
        flags: of the whole expression, of i, m and s.
    """

    def __init__(self, pattern: str, between: str = "", flags: str = "") -> None:
        self._rest = pattern
        self._between = between
        self._dotall = "s" in flags
        if between and "m" in flags:
            raise UnsharedError("lines of one value among several (the flag m)")

    def parse(self) -> Group:
        """The whole of it.

        Raises:
            UnsharedError: it holds something that the dialects do not share.
        """
        whole = self._branches("(?:")
        if self._rest:
            raise UnsharedError(f"what begins with {self._rest[:10]!r}")
        return whole

    def _branches(self, opened: str) -> Group:
        branches = [self._sequence()]
        while self._rest.startswith("|"):
            self._rest = self._rest[1:]
            branches.append(self._sequence())
        return Group(tuple(branches), opened)

    def _sequence(self) -> Sequence:
        parts: list[Node] = []
        while self._rest and self._rest[0] not in "|)":
            part = self._part()
            found = _REPEAT.match(self._rest)
            while found is not None:
                part = self._repeated(part, found)
                found = _REPEAT.match(self._rest)
            parts.append(part)
        return Sequence(tuple(parts))

    def _repeated(self, part: Node, found: re.Match[str]) -> Repeat:
        if isinstance(part, Repeat | Flags | Edge):
            raise UnsharedError(f"{found[0]!r} after what is no character or group")
        self._rest = self._rest[found.end() :]
        times = found[0]
        if self._rest.startswith("?"):
            self._rest = self._rest[1:]
            times += "?"
        least = int(found[1]) if found[1] else 1 if found[0] == "+" else 0
        most = int(found[3]) if found[3] else least
        if max(least, most) > MOST_REPEATS:
            raise UnsharedError(f"a repetition of more than {MOST_REPEATS}")
        once = found[0] == "?" or (bool(found[1]) and (not found[2] or bool(found[3])) and most <= 1)
        return Repeat(part, times, least, once)

    def _part(self) -> Node:
        head = self._rest[0]
        if head == "(":
            return self._group()
        if head == "[":
            return self._set()
        if head == "\\":
            return self._escaped()
        self._rest = self._rest[1:]
        if head in "^$":
            return Edge(head)
        if head == "{":
            raise UnsharedError("a repetition without a least number")
        if head == ".":
            return self._any()
        return Atom(literal(head), kinds_of(head))

    def _any(self) -> Atom:
        if not self._between:
            return Atom(".", ALL)
        return Atom(f"[^{self._between}]" if self._dotall else f"[^\\n{self._between}]", ALL)

    def _group(self) -> Node:
        found = _OPEN.match(self._rest)
        if found is None:
            raise UnsharedError(f"a group that begins with {self._rest[:4]!r}")
        flags = found["flags"] or ""
        if self._between and ("m" in flags or "s" in flags):
            raise UnsharedError("the flags m and s in the midst, of one value among several")
        self._rest = self._rest[found.end() :]
        if found["end"] == ")":
            return Flags(f"(?{flags})")
        group = self._branches(f"(?{flags}:")
        if not self._rest.startswith(")"):
            raise UnsharedError("a group that does not end")
        self._rest = self._rest[1:]
        return group

    def _escaped(self) -> Node:
        sign = self._rest[1:2]
        if sign in ("b", "A", "z") and not self._rest.startswith("\\b{"):
            self._rest = self._rest[2:]
            return Edge({"A": "^", "z": "$"}.get(sign, sign))
        inside, kinds, negated = self._class_escape()
        if inside is None:
            return self._character()
        kept_out = self._between if negated else ""
        if kept_out and not inside.startswith("^"):
            raise UnsharedError(f"\\{sign}, of one value among several")
        return Atom(f"[{inside}{kept_out}]", kinds)

    def _class_escape(self) -> tuple[str | None, Kinds, bool]:
        """The inside of the set that a Perl or Unicode class means; whether it names what it leaves out."""
        sign = self._rest[1:2]
        simple = {
            "d": ("\\p{Nd}", frozenset("w"), False),
            "D": ("^\\p{Nd}", ALL, True),
            "s": (SPACE, frozenset("n"), False),
            "S": (f"^{SPACE}", ALL, True),
            "w": (WORD, frozenset("w"), False),
            "W": (f"^{WORD}", frozenset("n"), True),
        }.get(sign)
        if simple is not None:
            self._rest = self._rest[2:]
            return simple
        found = _CATEGORY.match(self._rest)
        if found is None:
            return None, ALL, False
        self._rest = self._rest[found.end() :]
        name = found["short"] or found["long"]
        if found["sign"] == "P":
            return f"^\\p{{{name}}}", ALL, True
        return f"\\p{{{name}}}", ALL, False

    def _character(self) -> Atom:
        char = self._escaped_character()
        return Atom(literal(char), kinds_of(char))

    def _escaped_character(self) -> str:
        found = _HEX.match(self._rest)
        if found is not None:
            self._rest = self._rest[found.end() :]
            return chr(int(next(digits for digits in found.groups() if digits), 16))
        sign = self._rest[1:2]
        if sign in _CONTROL:
            self._rest = self._rest[2:]
            return _CONTROL[sign]
        if not sign or sign.isalnum() or sign in "<>" or not sign.isascii():
            raise UnsharedError(f"\\{sign}")
        self._rest = self._rest[2:]
        return sign

    def _set(self) -> Atom:
        self._rest = self._rest[1:]
        negated = self._rest.startswith("^")
        self._rest = self._rest[negated:]
        inside = ""
        kinds: Kinds = frozenset()
        first = True
        while first or not self._rest.startswith("]"):
            if not self._rest:
                raise UnsharedError("a set that does not end")
            text, more = self._set_part()
            inside, kinds, first = inside + text, kinds | more, False
        self._rest = self._rest[1:]
        if negated:
            return Atom(f"[^{inside}{self._between}]", ALL)
        return Atom(f"[{inside}]", kinds)

    def _set_part(self) -> tuple[str, Kinds]:
        found = _POSIX.match(self._rest)
        if found is not None:
            if self._between and found[0].startswith("[:^"):
                raise UnsharedError(f"{found[0]}, of one value among several")
            self._rest = self._rest[found.end() :]
            return found[0], ALL
        if self._rest.startswith("[") or self._rest[:2] in ("&&", "--", "~~"):
            raise UnsharedError(f"{self._rest[:2]!r} within a set")
        if self._rest.startswith("\\"):
            sign = self._rest[1:2]
            inside, kinds, negated = self._class_escape()
            if inside is not None:
                return _within(inside, sign, kinds, negated=negated, between=self._between)
        low = self._set_character()
        if not self._rest.startswith("-") or self._rest[1:2] in ("]", ""):
            return literal(low), kinds_of(low)
        self._rest = self._rest[1:]
        high = self._set_character()
        ends = kinds_of(low) | kinds_of(high)
        plain = all(text.isalnum() and text.isascii() for text in (low, high))
        same = plain and low.isdigit() == high.isdigit() and low.isupper() == high.isupper()
        return f"{literal(low)}-{literal(high)}", ends if same else ALL

    def _set_character(self) -> str:
        if self._rest.startswith("\\"):
            return self._escaped_character()
        char, self._rest = self._rest[0], self._rest[1:]
        return char


def _within(inside: str, sign: str, kinds: Kinds, *, negated: bool, between: str) -> tuple[str, Kinds]:
    """A class as a part of a set."""
    if not negated:
        return inside, kinds
    if sign == "S" and not between:
        return NOT_SPACE, kinds
    if sign in "DP" and not between:
        return inside.removeprefix("^").replace("\\p", "\\P"), kinds
    raise UnsharedError(f"\\{sign} within a set")


def literal(text: str) -> str:
    """`text` as an expression that both dialects read as that text and nothing else."""
    return "".join(
        "\\" + char if char in _META else char if char.isprintable() else f"\\x{{{ord(char):x}}}"
        for char in text
    )
