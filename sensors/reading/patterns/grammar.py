"""Regular expressions, as Rust writes them, to programs: what a thread that walks over a text does next.

After Thompson and Pike (https://swtch.com/~rsc/regexp/regexp2.html). Texts are ASCII here: what an expression
says of other characters does not matter. What is not understood raises `UnknownError`;
Rust's own engine reads it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

ALL: Final = (1 << 128) - 1  # sets of ASCII characters are bits of a number
_MOST: Final = 4_000  # instructions
_MOST_TIMES: Final = 1_000


def _set(characters: str) -> int:
    return sum(1 << ord(character) for character in set(characters))


_DIGITS: Final = _set("0123456789")
_LETTERS: Final = _set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
WORD: Final = _DIGITS | _LETTERS | _set("_")
_SHORT: Final = {"d": _DIGITS, "w": WORD, "s": _set("\t\n\v\f\r ")}
_NAMED: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_QUANTIFIERS: Final = "*+?{"

# What an instruction does: read a character of a set; go on at two places, the first one preferred; note
# where it is; go on only if it is at a certain place; be done.
CHAR, SPLIT, SAVE, ASSERT, MATCH = range(5)
BEGIN, END, EDGE, NO_EDGE = range(4)


class UnknownError(ValueError):
    """An expression that this module does not understand."""


class Instruction(NamedTuple):
    """One step; `first` is a set, a place to go on at, a slot or a kind of place."""

    does: int
    first: int = 0
    second: int = 0


class Program(NamedTuple):
    """What an expression says, and the names of its groups; slots 2n and 2n+1 are where group n is."""

    steps: tuple[Instruction, ...]
    names: tuple[str, ...]
    edges: bool  # whether it asks for edges of words


def program(expression: str) -> Program:
    """The program that finds the expression anywhere in a text, as far left as there is one."""
    parser = _Parser(expression)
    anywhere = [Instruction(SPLIT, 3, 1), Instruction(CHAR, ALL), Instruction(SPLIT, 0, 0)]
    body = parser.alternatives(len(anywhere))
    if parser.at < len(expression):
        raise UnknownError("a parenthesis too many")
    steps = (*anywhere, *body, Instruction(MATCH))
    if len(steps) > _MOST:
        raise UnknownError("too long")
    edges = any(step.does == ASSERT and step.first in (EDGE, NO_EDGE) for step in steps)
    return Program(steps, tuple(parser.names), edges)


class _Parser:
    """Reads an expression from left to right; every method gives steps that begin at the place `base`."""

    def __init__(self, text: str) -> None:
        self.at = 0
        self.names: list[str] = []
        self._text = text
        self._folded = False  # (?i)
        self._dotall = False  # (?s)

    def _next(self, wanted: str) -> bool:
        if self._text.startswith(wanted, self.at):
            self.at += len(wanted)
            return True
        return False

    def _take(self) -> str:
        if self.at >= len(self._text):
            raise UnknownError("it ends early")
        self.at += 1
        return self._text[self.at - 1]

    def alternatives(self, base: int) -> list[Instruction]:
        first = self._sequence(base)
        if not self._next("|"):
            return first
        first = _moved(first, 1)
        other = self.alternatives(base + len(first) + 2)
        over = base + 1 + len(first)
        end = over + 1 + len(other)
        return [
            Instruction(SPLIT, base + 1, over + 1), *first, Instruction(SPLIT, end, end), *other,
        ]  # fmt: skip

    def _sequence(self, base: int) -> list[Instruction]:
        steps: list[Instruction] = []
        while self.at < len(self._text) and self._text[self.at] not in "|)":
            one = self._one(base + len(steps))
            if self.at < len(self._text) and self._text[self.at] in _QUANTIFIERS:
                one = self._repeated(one, base + len(steps))
            steps += one
            if len(steps) > _MOST:
                raise UnknownError("too long")
        return steps

    def _repeated(self, one: list[Instruction], base: int) -> list[Instruction]:
        least, most = self._times()
        lazy = self._next("?")
        if self.at < len(self._text) and self._text[self.at] in _QUANTIFIERS:
            raise UnknownError("repeated twice")
        if (least + (most or 1)) * (len(one) + 1) > _MOST:
            raise UnknownError("too long")
        size = len(one)
        steps: list[Instruction] = []
        for _ in range(least):
            steps += _moved(one, len(steps))
        if most is None and _may_be_empty(one, base):  # which empty round counts is Rust's to say
            raise UnknownError("as often as one likes, of nothing")
        if most is None and least:  # once more and back: x+ is x and a way back to it
            back, on = base + len(steps) - size, base + len(steps) + 1
            return [*steps, Instruction(SPLIT, on, back) if lazy else Instruction(SPLIT, back, on)]
        if most is None:
            begin = base + len(steps)
            on = begin + size + 2
            choice = Instruction(SPLIT, on, begin + 1) if lazy else Instruction(SPLIT, begin + 1, on)
            return [*steps, choice, *_moved(one, len(steps) + 1), Instruction(SPLIT, begin, begin)]
        end = base + len(steps) + (most - least) * (size + 1)
        for _ in range(most - least):
            begin = base + len(steps)
            steps.append(Instruction(SPLIT, end, begin + 1) if lazy else Instruction(SPLIT, begin + 1, end))
            steps += _moved(one, len(steps))
        return steps

    def _times(self) -> tuple[int, int | None]:
        sign = self._take()
        if sign != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        end = self._text.find("}", self.at)
        least, comma, most = self._text[self.at : max(end, self.at)].partition(",")
        if end < 0 or not least.isdecimal() or (most and not most.isdecimal()):
            raise UnknownError("a count")
        self.at = end + 1
        times = int(least), (int(most) if most else None) if comma else int(least)
        if times[0] > _MOST_TIMES or (times[1] or 0) > _MOST_TIMES or (times[1] or times[0]) < times[0]:
            raise UnknownError("a count")
        return times

    def _one(self, base: int) -> list[Instruction]:
        sign = self._take()
        if sign == "(":
            return self._group(base)
        if sign == "[":
            return [Instruction(CHAR, self._bracket())]
        if sign == ".":
            return [Instruction(CHAR, ALL if self._dotall else ALL & ~_set("\n"))]
        if sign in "^$":
            return [Instruction(ASSERT, BEGIN if sign == "^" else END)]
        if sign == "\\":
            return [self._escaped()]
        if sign in "*+?{":
            raise UnknownError("nothing to repeat")
        return [Instruction(CHAR, self._fold(self._character(sign)))]

    def _group(self, base: int) -> list[Instruction]:
        kept = self._folded, self._dotall
        number = -1
        if self._next("?P<") or self._next("?<"):
            end = self._text.find(">", self.at)
            if end < 0 or self._text[self.at] in "=!":
                raise UnknownError("a group")
            number = len(self.names)
            self.names.append(self._text[self.at : end])
            self.at = end + 1
        elif self._next("?"):
            while (sign := self._take()) in "is":
                self._folded |= sign == "i"
                self._dotall |= sign == "s"
            if sign == ")":  # for what follows in the group that this stands in
                return []
            if sign != ":":
                raise UnknownError("a group")
        else:
            number = len(self.names)
            self.names.append(str(number + 1))
        inside = self.alternatives(base + (number >= 0))
        if not self._next(")"):
            raise UnknownError("a group that does not end")
        self._folded, self._dotall = kept
        if number < 0:
            return inside
        return [Instruction(SAVE, 2 * number), *inside, Instruction(SAVE, 2 * number + 1)]

    def _character(self, sign: str) -> int:
        if ord(sign) < 128:  # noqa: PLR2004 - ASCII
            return 1 << ord(sign)
        if self._folded:  # some of them have ASCII letters for their other case
            raise UnknownError("a letter that is not ASCII")
        return 0

    def _fold(self, members: int) -> int:
        if self._folded:
            for upper in range(ord("A"), ord("Z") + 1):
                both = (1 << upper) | (1 << (upper + 32))
                if members & both:
                    members |= both
        return members

    def _escaped(self) -> Instruction:
        sign = self._take()
        if sign in "bB":
            if self._next("{"):
                raise UnknownError("an edge")
            return Instruction(ASSERT, EDGE if sign == "b" else NO_EDGE)
        if sign in "Az":
            return Instruction(ASSERT, BEGIN if sign == "A" else END)
        if sign.lower() in _SHORT:
            members = _SHORT[sign.lower()]
            return Instruction(CHAR, members if sign.islower() else ALL & ~members)
        return Instruction(CHAR, self._fold(self._character(self._literal(sign))))

    def _literal(self, sign: str) -> str:
        """The character that a backslash and `sign` stand for."""
        if sign in _NAMED:
            return _NAMED[sign]
        if sign == "x":
            if self._next("{"):
                end = self._text.find("}", self.at)
                digits, self.at = self._text[self.at : end], end + 1
            else:
                digits, self.at = self._text[self.at : self.at + 2], self.at + 2
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise UnknownError("a number of a character") from None
        if sign.isalnum() or ord(sign) >= 128:  # noqa: PLR2004 - ASCII
            raise UnknownError("an escape")
        return sign

    def _bracket(self) -> int:
        negated = self._next("^")
        members = 0
        first = True
        while (sign := self._take()) != "]" or first:
            first = False
            if sign == "[" or (sign in "&-~" and self._text.startswith(sign, self.at)):
                raise UnknownError("sets of sets")
            if sign == "\\":
                sign = self._take()
                if sign.lower() in _SHORT:
                    if sign.isupper() and self._folded:
                        raise UnknownError("a set whose letters have other cases")
                    members |= _SHORT[sign] if sign.islower() else ALL & ~_SHORT[sign.lower()]
                    continue
                sign = self._literal(sign)
            members |= self._range(sign)
        members = self._fold(members)
        return ALL & ~members if negated else members

    def _range(self, low: str) -> int:
        if not self._text.startswith("-", self.at) or self._text.startswith("-]", self.at):
            return self._character(low)
        self.at += 1
        high = self._take()
        if high == "\\":
            high = self._literal(self._take())
        if high == "[" or ord(high) < ord(low) or (self._folded and ord(high) >= 128):  # noqa: PLR2004
            raise UnknownError("a range")
        return ALL & ((1 << (ord(high) + 1)) - (1 << ord(low)))


def _moved(steps: list[Instruction], by: int) -> list[Instruction]:
    """The same steps for a place so much farther on."""
    return [
        Instruction(SPLIT, step.first + by, step.second + by) if step.does == SPLIT else step
        for step in steps
    ]


def _may_be_empty(steps: list[Instruction], base: int) -> bool:
    """Whether a way through the steps, which begin at `base`, might read nothing."""
    seen: set[int] = set()
    left = [base]
    while left:
        at = left.pop()
        if at == base + len(steps):
            return True
        step = steps[at - base]
        if at in seen or step.does == CHAR:
            continue
        seen.add(at)
        left += [step.first, step.second] if step.does == SPLIT else [at + 1]
    return False
