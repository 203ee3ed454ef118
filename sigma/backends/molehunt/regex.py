r"""Regular expressions of Rust's dialect, written so that RE2 reads them alike.

molehunt and Polars run Rust's `regex`, DuckDB runs RE2. Both are automata and agree in nearly everything,
except that Rust's Perl classes and word boundaries are Unicode's and RE2's are ASCII's. So an expression is
parsed, and written again in what both mean alike: `\d` as `\p{Nd}`, a word boundary at the rim of the
expression as the character that makes it one. What cannot be said so is refused, never written with another
meaning.
"""

from __future__ import annotations

from typing import Final

from sigma.backends.molehunt.dialect import (
    Atom,
    Edge,
    Flags,
    Group,
    Node,
    Parser,
    Repeat,
    Sequence,
    UnsharedError,
    literal,
)
from sigma.backends.molehunt.words import RIM_AFTER, RIM_BEFORE, WORD, Kinds

__all__ = ["UnsharedError", "literal", "shared"]


class _Writer:
    """Writes an expression, with the word boundaries resolved by what may stand on either side.

    Args:
        between: the character around each of several values; "" if the text is one value.
    """

    def __init__(self, between: str) -> None:
        self._between = between

    def write(self, node: Node, before: Kinds, after: Kinds) -> str:
        """The text of a part between what may stand before it and after it."""
        match node:
            case Atom(text, _) | Flags(text):
                return text
            case Edge("b"):
                return self._boundary(before, after)
            case Edge(sign):
                return self._end_of_value(
                    before == {RIM_BEFORE} if sign == "^" else after == {RIM_AFTER}, sign
                )
            case Repeat(part, times, _, once):
                if not once:
                    before, after = before | self._last(part) - {""}, after | self._first(part) - {""}
                return self.write(part, before, after) + times
            case Group(branches, opened):
                return opened + "|".join(self.write(branch, before, after) for branch in branches) + ")"
            case Sequence(parts):
                return self._sequence(parts, before, after)

    def _sequence(self, parts: tuple[Node, ...], before: Kinds, after: Kinds) -> str:
        behind = [after]
        for part in reversed(parts):
            behind.append(_beside(self._first(part), behind[-1]))
        behind.reverse()
        written = []
        for index, part in enumerate(parts):
            written.append(self.write(part, before, behind[index + 1]))
            before = _TAKEN if part == Edge("b") else _beside(self._last(part), before)
        return "".join(written)

    def _end_of_value(self, at_rim: bool, sign: str) -> str:  # noqa: FBT001 - a fact about the sign
        """`^` or `$`; of one value among several, the character that stands there."""
        if self._between and not at_rim:
            raise UnsharedError(f"{sign} in its midst, of one value among several")
        return self._between or sign

    def _boundary(self, before: Kinds, after: Kinds) -> str:
        sides = ((after, before, RIM_BEFORE, r"\A"), (before, after, RIM_AFTER, r"\z"))
        for here, there, rim, end in sides:
            if here in ({"w"}, {"n"}):
                if there == {rim}:
                    return f"(?:{self._between or end}|[^{WORD}])" if here == {"w"} else f"[{WORD}]"
                if there == ({"n"} if here == {"w"} else {"w"}):
                    return ""
        raise UnsharedError("\\b where it is not clear what stands beside it")

    def _first(self, node: Node) -> Kinds:
        """What the first character of a part may be; "" in it if the part may be empty."""
        return self._end(node, first=True)

    def _last(self, node: Node) -> Kinds:
        return self._end(node, first=False)

    def _end(self, node: Node, *, first: bool) -> Kinds:  # noqa: PLR0911 - one case a kind
        match node:
            case Atom(_, kinds):
                return kinds
            case Edge(sign) if sign == ("$" if first else "^"):
                return frozenset("n")  # beyond the end of the text or line there is no word character
            case Edge(sign) if sign != "b" and self._between:
                return _TAKEN
            case Edge() | Flags():
                return frozenset({""})
            case Repeat(part, _, least, _):
                return self._end(part, first=first) | (frozenset() if least else frozenset({""}))
            case Group(branches, _):
                return frozenset().union(*(self._end(branch, first=first) for branch in branches))
            case Sequence(parts):
                found: Kinds = frozenset({""})
                for part in parts if first else reversed(parts):
                    found = _beside(found, self._end(part, first=first))
                return found


_TAKEN: Final[Kinds] = frozenset({"taken"})  # a character that another part has already asked about


def _beside(near: Kinds, far: Kinds) -> Kinds:
    """What stands beside a place: what is near, and what is behind it where that may be empty."""
    return near - {""} | (far if "" in near else frozenset())


def shared(pattern: str, flags: str = "", between: str = "") -> str:
    """`pattern` for `~`, true of a text in which the pattern is found.

    The result matches the whole text, since `~` asks for that in DuckDB 1 and for a part of it elsewhere.

    Args:
        pattern: of Rust's dialect, checked.
        flags: of i, m and s.
        between: what stands before, between and after the values, if the text is of several, any of which
            may match.

    Raises:
        UnsharedError: the dialects do not share what it asks.
    """
    parsed = Parser(pattern, between, flags).parse()
    body = _Writer(between).write(parsed, frozenset({RIM_BEFORE}), frozenset({RIM_AFTER}))
    on = "".join(flag for flag in "ims" if flag in flags)
    off = "".join(flag for flag in "ims" if flag not in flags)
    return f"(?s:.*)(?{on}{'-' if off else ''}{off}:{body})(?s:.*)"
