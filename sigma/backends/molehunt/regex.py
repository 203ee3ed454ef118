r"""Regular expressions of Rust's dialect, written so that RE2 reads them alike.

molehunt and Polars run Rust's `regex`, DuckDB runs RE2. Both are automata and agree in nearly everything,
except that Rust's Perl classes and word boundaries are Unicode's and RE2's are ASCII's. So an expression is
parsed, and written again in what both mean alike: `\d` as `\p{Nd}`, a word boundary at the rim of the
expression as the character that makes it one. What cannot be said so is refused, never written with another
meaning.
"""

from __future__ import annotations

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
    """Writes an expression, with the word boundaries resolved by what may stand on either side."""

    def __init__(self, between: str) -> None:
        self._edge = between

    def write(self, node: Node, before: Kinds, after: Kinds) -> str:
        """The text of a part between what may stand before it and after it."""
        match node:
            case Atom(text, _) | Flags(text):
                return text
            case Edge("b"):
                return _boundary(before, after, self._edge)
            case Edge(sign):
                return self._edge or sign
            case Repeat(part, times, _, once):
                if not once:
                    before, after = before | _last(part) - {""}, after | _first(part) - {""}
                return self.write(part, before, after) + times
            case Group(branches, opened):
                return opened + "|".join(self.write(branch, before, after) for branch in branches) + ")"
            case Sequence(parts):
                return self._sequence(parts, before, after)

    def _sequence(self, parts: tuple[Node, ...], before: Kinds, after: Kinds) -> str:
        behind = [after]
        for part in reversed(parts):
            first = _first(part)
            behind.append(first - {""} | (behind[-1] if "" in first else frozenset()))
        behind.reverse()
        written = []
        for index, part in enumerate(parts):
            written.append(self.write(part, before, behind[index + 1]))
            last = _last(part)
            before = last - {""} | (before if "" in last else frozenset())
            if part == Edge("b"):
                before = frozenset({"taken"})
        return "".join(written)


def _boundary(before: Kinds, after: Kinds, edge: str) -> str:
    start, end = (edge, edge) if edge else ("\\A", "\\z")
    for here, there, rim, end_of in ((after, before, RIM_BEFORE, start), (before, after, RIM_AFTER, end)):
        if here in ({"w"}, {"n"}):
            if there == {rim}:
                return f"(?:{end_of}|[^{WORD}])" if here == {"w"} else f"[{WORD}]"
            if there == ({"n"} if here == {"w"} else {"w"}):
                return ""
    raise UnsharedError("\\b where it is not clear what stands beside it")


def _first(node: Node) -> Kinds:
    """What the first character of a part may be; "" in it if the part may be empty."""
    return _end(node, first=True)


def _last(node: Node) -> Kinds:
    return _end(node, first=False)


def _end(node: Node, *, first: bool) -> Kinds:
    match node:
        case Atom(_, kinds):
            return kinds
        case Edge("b") | Flags():
            return frozenset({""})
        case Edge():
            return frozenset("n")  # the end of the text counts as no word character
        case Repeat(part, _, least, _):
            return _end(part, first=first) | (frozenset() if least else frozenset({""}))
        case Group(branches, _):
            return frozenset().union(*(_end(branch, first=first) for branch in branches))
        case Sequence(parts):
            found: Kinds = frozenset({""})
            for part in parts if first else reversed(parts):
                if "" not in found:
                    break
                found = found - {""} | _end(part, first=first)
            return found


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
