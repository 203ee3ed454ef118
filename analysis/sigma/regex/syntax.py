r"""Regular expressions read into a tree, so that one sees what a text must hold and how far it unfolds.

They are read in Rust's syntax (https://docs.rs/regex/latest/regex/#syntax), or in PCRE's where Rust refuses:
look-around, back-references, atomic groups, `[^[]`, `a{b`, `\h`, `\Q…\E`. What is not understood for certain
is an `UnreadableError`, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NoReturn

from analysis.sigma.regex.tree import (
    Back,
    Char,
    Choice,
    Class,
    Edge,
    Group,
    Look,
    Repeat,
    Sequence,
    UnreadableError,
    literal,
)

if TYPE_CHECKING:
    from analysis.sigma.regex.tree import Node

MAX_NESTED: Final = 100
MAX_DIGITS: Final = 20
_FLAGS: Final = re.compile(r"\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])")
_QUANTIFIER: Final = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
_NAMED: Final = re.compile(r"\?(?:P?<|')([A-Za-z_]\w*)[>']", re.ASCII)
_PROPERTY: Final = re.compile(r"[pP](?:[A-Z]|\{\^?[A-Za-z][\w \-:=]*\})", re.ASCII)
_CODE: Final = re.compile(
    r"x\{([0-9A-Fa-f]{1,8})\}|x([0-9A-Fa-f]{2})|u\{([0-9A-Fa-f]{1,8})\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})"
)
_REFERENCE: Final = re.compile(r"[kg](?:\{(-?\w+)\}|<(\w+)>|'(\w+)')|g(-?\d+)|([1-9]\d?)", re.ASCII)
_POSIX: Final = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\x09\x20",
    "cntrl": r"\x00-\x1f\x7f", "digit": "0-9", "graph": r"\x21-\x7e", "lower": "a-z", "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e", "space": r"\x09-\x0d\x20", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_CONTROLS: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PYTHON_REFERENCE: Final = re.compile(r"\?P=([A-Za-z_]\w*)\)", re.ASCII)
_TIMES: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_BLANK: Final = r"\x09\p{Zs}"
_NOT_IN_CLASS: Final = ("&&", "--", "~~", "[")


@dataclass(frozen=True, slots=True)
class Flags:
    """What is in force at one place: case does not count, lines have ends, the dot matches newlines."""

    i: bool = False
    m: bool = False
    s: bool = False


MAX_CHARS: Final = 16
_NO_NEWLINE: Final = Class(r"\x0a", negated=True, folded=False, chars="")
_LINE_BREAK: Final = Choice(
    (
        Sequence((Char("\r", folded=False), Char("\n", folded=False))),
        Class("\\x0a-\\x0d\x85\u2028\u2029", negated=False, folded=False, chars=""),
    )
)


def parse(pattern: str, flags: str = "", *, pcre: bool = False) -> Node:
    """The tree of a regular expression.

    Args:
        pattern: as written.
        flags: of `ims`, in force from the start.
        pcre: read what Rust refuses as PCRE means it.

    Raises:
        UnreadableError: a part of it is not understood.
    """
    parser = _Parser(pattern, Flags("i" in flags, "m" in flags, "s" in flags), pcre=pcre)
    node = parser.choice()
    if parser.place < len(pattern):
        parser.refuse("a closing bracket too many")
    return node


class _Parser:
    def __init__(self, text: str, flags: Flags, *, pcre: bool) -> None:
        self.text = text
        self.flags = flags
        self.pcre = pcre
        self.place = 0
        self.nested = 0
        self.groups = 0

    def refuse(self, reason: str) -> NoReturn:
        raise UnreadableError(f"{reason} at character {min(self.place, len(self.text)) + 1}")

    def looking_at(self, text: str) -> bool:
        return self.text.startswith(text, self.place)

    def taken(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.place)
        if found:
            self.place = found.end()
        return found

    def choice(self) -> Node:
        kept = self.flags
        branches = [self.sequence()]
        while self.looking_at("|"):
            self.place += 1
            branches.append(self.sequence())
        self.flags = kept
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.place < len(self.text) and self.text[self.place] not in "|)":
            atoms = self.atoms()
            parts += atoms
            while atoms and (repeated := self.repeated(parts[-1])) is not None:
                parts[-1] = repeated
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def repeated(self, child: Node) -> Node | None:
        """`child` under the quantifier that stands here, if one does."""
        char = self.text[self.place : self.place + 1]
        most: int | None
        if char in _TIMES:
            least, most = _TIMES[char]
            self.place += 1
        elif char == "{" and (found := _QUANTIFIER.match(self.text, self.place)) and (found[1] or found[3]):
            if len(found[0]) > MAX_DIGITS:
                self.refuse("a repetition of too many times")
            least = int(found[1] or 0)
            most = int(found[3]) if found[3] else None if found[2] else least
            self.place = found.end()
        else:
            return None
        if most is not None and most < least:
            self.refuse("a repetition that ends before it begins")
        suffix = self.text[self.place : self.place + 1]
        suffix = suffix if suffix == "?" or (suffix == "+" and self.pcre) else ""
        self.place += len(suffix)
        return Repeat(child, least, most, suffix)

    def atoms(self) -> list[Node]:  # noqa: PLR0911 - one form a character
        r"""What stands here: one node; none for flags and comments, several for `\Q…\E`."""
        char = self.text[self.place]
        self.place += 1
        match char:
            case "(":
                return self.group()
            case "[":
                return [self.bracket()]
            case "\\":
                return self.escape()
            case ".":
                return [Class("", negated=True, folded=False, chars="")] if self.flags.s else [_NO_NEWLINE]
            case "^":
                return [Edge("line_start" if self.flags.m else "start")]
            case "$":
                return [Edge("line_end" if self.flags.m else "end")]
            case "*" | "+" | "?":
                self.refuse("nothing to repeat")
            case "{" if not self.pcre:
                self.refuse("a brace that repeats nothing")
        return [Char(char, self.flags.i)]

    # --- groups -------------------------------------------------------------------------------------------

    def group(self) -> list[Node]:
        self.nested += 1
        if self.nested > MAX_NESTED:
            self.refuse(f"more than {MAX_NESTED} groups inside one another")
        opening = self.opening()
        if opening is None:
            self.nested -= 1
            return []
        if isinstance(opening, Back):
            self.nested -= 1
            return [opening]
        kept = self.flags
        if isinstance(opening, Flags):
            self.flags, opening = opening, ""
        child = self.choice()
        self.flags = kept
        if not self.looking_at(")"):
            self.refuse("a closing bracket is missing")
        self.place += 1
        self.nested -= 1
        if opening.startswith(("(?=", "(?!", "(?<=", "(?<!")):
            return [Look(opening, child)]
        return [Group(opening, child)] if opening else [Sequence((child,))]

    def opening(self) -> str | Flags | Back | None:
        """How the group opens: as text, with flags of its own; None if it was flags or a comment alone.

        `(?P=name)` is no group: it refers back to one.
        """
        if not self.looking_at("?"):
            self.groups += 1
            return "("
        if self.pcre and (found := self.taken(_PYTHON_REFERENCE)):
            return Back(found[1], self.flags.i)
        for form in ("?=", "?!", "?<=", "?<!", "?>"):
            if self.looking_at(form) and self.pcre:
                self.place += len(form)
                return "(" + form
        if self.looking_at("?#") and self.pcre:
            end = self.text.find(")", self.place)
            if end < 0:
                self.refuse("a comment without an end")
            self.place = end + 1
            return None
        if named := self.taken(_NAMED):
            self.groups += 1
            return f"(?P<{named[1]}>"
        return self.flagged()

    def flagged(self) -> Flags | None:
        found = self.taken(_FLAGS)
        if not found or not set(found[1] + (found[2] or "")) <= set("imsuU") or "u" in (found[2] or ""):
            self.refuse("a kind of group that is not known")
        flags = replace(
            self.flags,
            **{name: True for name in found[1] if name in "ims"},
            **{name: False for name in found[2] or "" if name in "ims"},
        )
        if found[3] == ":":
            return flags
        self.flags = flags
        return None

    # --- escapes ------------------------------------------------------------------------------------------

    def escape(self) -> list[Node]:
        if self.place >= len(self.text):
            self.refuse("a backslash at the end")
        char = self.text[self.place]
        edges = {"A": "start", "z": "end", "b": "word", "B": "no_word"}
        if char in edges and not self.looking_at("b{"):
            self.place += 1
            return [Edge(edges[char])]
        if self.pcre and (special := self.pcre_escape(char)) is not None:
            return special
        body = self.set_escape()
        if body is not None:
            return [Class(body, negated=False, folded=self.flags.i, chars="")]
        return [Char(self.char_escape(), self.flags.i)]

    def pcre_escape(self, char: str) -> list[Node] | None:
        found = None if self.looking_at("g<") else self.taken(_REFERENCE)
        if found:
            name = next(part for part in found.groups() if part is not None)
            if name.lstrip("-").isdigit():
                number = self.groups + 1 + int(name) if name.startswith("-") else int(name)
                if not 0 < number <= self.groups:
                    self.refuse(f"no group {name} before this place")
                name = str(number)
            return [Back(name, self.flags.i)]
        special: dict[str, list[Node]] = {
            "Z": [Edge("end_or_newline")],
            "K": [],
            "R": [_LINE_BREAK],
            "N": [_NO_NEWLINE],
            "h": [Class(_BLANK, negated=False, folded=False, chars="")],
            "H": [Class(_BLANK, negated=True, folded=False, chars="")],
        }
        if char in special:
            self.place += 1
            return special[char]
        if char != "Q":
            return None
        end = self.text.find(r"\E", self.place)
        quoted = self.text[self.place + 1 : end if end >= 0 else len(self.text)]
        self.place = end + 2 if end >= 0 else len(self.text)
        return [Char(one, self.flags.i) for one in quoted]

    def set_escape(self) -> str | None:
        r"""`\d`, `\W`, `\p{Greek}` as they are, if one stands here."""
        char = self.text[self.place]
        if char in "dDwWsS":
            self.place += 1
            return "\\" + char
        found = self.taken(_PROPERTY)
        return "\\" + found[0] if found else None

    def char_escape(self) -> str:
        """The character that an escape stands for."""
        found = self.taken(_CODE)
        if found:
            number = int(next(part for part in found.groups() if part), 16)
            if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:  # noqa: PLR2004 - Unicode's own limits
                self.refuse("no character has this number")
            return chr(number)
        char = self.text[self.place : self.place + 1]
        self.place += 1
        if char in _CONTROLS:
            return _CONTROLS[char]
        if self.pcre and char in ("e", "0"):
            octal = self.taken(re.compile("[0-7]{0,2}")) if char == "0" else None
            return chr(int("0" + octal[0], 8)) if octal else "\x1b"
        if not char or char.isalnum() or char in "<>_" or ord(char) > 0x7F:  # noqa: PLR2004 - ASCII
            if char in ("<", ">", "_") and (self.pcre or char == "_"):
                return char
            self.refuse(f"an escape \\{char} that is not known")
        return char

    # --- classes ------------------------------------------------------------------------------------------

    def bracket(self) -> Class:
        negated = self.looking_at("^")
        self.place += negated
        body: list[str] = []
        chars: set[str] | None = set()
        first = True
        while first or not self.looking_at("]"):
            if self.place >= len(self.text):
                self.refuse("a class without an end")
            item, found = self.class_item()
            body.append(item)
            chars = None if chars is None or found is None else chars | set(found)
            first = False
        self.place += 1
        few = "" if chars is None or negated or len(chars) > MAX_CHARS else "".join(sorted(chars))
        return Class("".join(body), negated, self.flags.i, few)

    def class_item(self) -> tuple[str, str | None]:
        """One part of a class, and the characters it stands for; None if they are many."""
        named = self.posix()
        if named is not None:
            return named, None
        low = self.class_char()
        if len(low) > 1:
            return low, None
        self.no_sets()
        if self.looking_at("-") and not self.looking_at("-]"):
            kept = self.place
            self.place += 1
            high = self.class_char()
            if len(high) == 1:
                return self.range(low, high)
            if not self.pcre:
                self.refuse("a range that is none")
            self.place = kept  # PCRE: a hyphen before \d is a hyphen
        return literal(low), low

    def posix(self) -> str | None:
        """The characters of `[:alpha:]`, if that stands here."""
        if not self.looking_at("[:"):
            return None
        end = self.text.find(":]", self.place)
        name = self.text[self.place + 2 : max(end, 0)]
        if name.startswith("^"):
            self.refuse("a class that is denied inside a class")
        if name in _POSIX:
            self.place = end + 2
        return _POSIX.get(name)

    def range(self, low: str, high: str) -> tuple[str, str | None]:
        if high < low:
            self.refuse("a range that ends before it begins")
        many = ord(high) - ord(low) >= MAX_CHARS
        within = None if many else "".join(map(chr, range(ord(low), ord(high) + 1)))
        return f"{literal(low)}-{literal(high)}", within

    def no_sets(self) -> None:
        """Rust knows classes inside classes, and what two have in common; to PCRE they are characters."""
        if not self.pcre and any(self.looking_at(text) for text in _NOT_IN_CLASS):
            self.refuse("a class inside a class")

    def class_char(self) -> str:
        r"""One character of a class, or a set such as `\d` (two characters and more)."""
        self.no_sets()
        char = self.text[self.place : self.place + 1]
        self.place += 1
        if char != "\\":
            return char or self.refuse("a class without an end")
        if self.place >= len(self.text):
            self.refuse("a backslash at the end")
        if self.looking_at("b") and self.pcre:
            self.place += 1
            return "\b"
        if self.looking_at("h") and self.pcre:
            self.place += 1
            return _BLANK
        return self.set_escape() or self.char_escape()
