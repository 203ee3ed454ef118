"""A regular expression's tree written out again, for Rust's `regex` or for the Python package `regex`.

What either engine would read in its own way is written so that both mean what Rust means: `$` is the very
end, `.` stops at newlines alone, and `(?i)` is Unicode's simple case folding, in which i and I are one letter
but the Turkish dotted and dotless ones are two others (the package takes them for one).
"""

from __future__ import annotations

import re
from typing import Final

import regex

from analysis.sigma.regex import tree as syntax

_EDGES: Final = {
    "start": r"\A", "line_start": "(?m:^)", "line_end": "(?m:$)", "word": r"\b", "no_word": r"\B",
}  # fmt: skip
_ONE: Final = re.compile(r"(\\x[0-9a-f]{2}|.)(?:-?\1)*", re.DOTALL)  # a class of one character
_OF_ONE_CASE: Final = re.compile(
    r"\\[pP]\{?\^?(gc=|general_?category=)?(L[ult]|lower|upper|title)", re.IGNORECASE
)
_I: Final = "iI\u0130\u0131"  # i, I, and the Turkish dotted and dotless ones


def size(node: syntax.Node) -> int:
    """How many steps the expression has with every repetition written out."""
    match node:
        case syntax.Group(_, child) | syntax.Look(_, child):
            return size(child) + 1
        case syntax.Repeat(child, least, most, _):
            return 1 + size(child) * max(least, most or 0, 1)
        case syntax.Sequence(children) | syntax.Choice(children):
            return 1 + sum(map(size, children))
    return 1


def backtracks(node: syntax.Node) -> bool:
    """Whether it has what Rust's engine does not know: look-around, back-references, atomic groups."""
    match node:
        case syntax.Look() | syntax.Back() | syntax.Edge("end_or_newline"):
            return True
        case syntax.Group(opening, child):
            return opening == "(?>" or backtracks(child)
        case syntax.Repeat(child, _, _, suffix):
            return suffix == "+" or backtracks(child)
        case syntax.Sequence(children) | syntax.Choice(children):
            return any(map(backtracks, children))
    return False


def written(node: syntax.Node, *, python: bool) -> str:  # noqa: C901, PLR0911 - one form a kind of node
    """The expression, for the package `regex` (`python`) or for Rust.

    Raises:
        UnreadableError: the package has nothing that means the same.
    """
    match node:
        case syntax.Char(char, folded):
            return _char(char, folded=folded, python=python)
        case syntax.Class():
            return _class(node, python=python)
        case syntax.Edge("end"):
            return r"\Z" if python else r"\z"
        case syntax.Edge("end_or_newline"):
            return r"(?=\n?\Z)"
        case syntax.Edge(kind):
            return _EDGES[kind]
        case syntax.Back(group, folded):
            named = rf"\g<{group}>"
            return f"(?i:{named})" if folded else named
        case syntax.Group(opening, child) | syntax.Look(opening, child):
            return f"{opening}{written(child, python=python)})"
        case syntax.Repeat(child, least, most, suffix):
            times = f"{{{least},{'' if most is None else most}}}"
            return f"(?:{written(child, python=python)}){times}{suffix}"
        case syntax.Sequence(children):
            return "".join(_part(child, python=python) for child in children)
        case syntax.Choice(children):
            return "(?:" + "|".join(written(child, python=python) for child in children) + ")"


def _part(node: syntax.Node, *, python: bool) -> str:
    text = written(node, python=python)
    return f"(?:{text})" if isinstance(node, syntax.Choice) and not text.startswith("(?:") else text


def _char(char: str, *, folded: bool, python: bool) -> str:
    text = syntax.literal(char)
    if not folded or char.lower() == char.upper():
        return text
    if python and char in _I:
        return "[iI]" if char in "iI" else text
    return f"(?i:{text})"


def _class(node: syntax.Class, *, python: bool) -> str:
    if not node.body:
        return "(?s:.)"
    exact = f"[{'^' if node.negated else ''}{node.body}]"
    if python and node.negated and _ONE.fullmatch(node.body):
        exact = f"(?:(?![{node.body}])(?s:.))"  # the package (2026.11) takes `[^a]|[^b]` for `[^ab]`
    if not node.folded:
        return exact
    folded = f"(?i:{exact})"
    if not python:
        return folded
    if _OF_ONE_CASE.search(node.body):
        raise syntax.UnreadableError("letters of one case, where case does not count")
    has = {char for char in _I if regex.fullmatch(exact, char)}
    if node.negated:  # Rust folds the class, then denies it
        has = {"i", "I"} & has if {"i", "I"} <= has else has - {"i", "I"}
        has |= {char for char in _I[2:] if regex.fullmatch(exact, char)}
    elif has & {"i", "I"}:
        has |= {"i", "I"}
    if all((regex.fullmatch(folded, char) is not None) == (char in has) for char in _I):
        return folded
    others = rf"(?![{_I}]){folded}"
    return f"(?:[{''.join(sorted(has))}]|{others})" if has else f"(?:{others})"
