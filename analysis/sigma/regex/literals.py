"""What a text must hold for a regular expression to match it: literals, of which one is always there.

They are looked for first, all rules' in one pass, and the expression runs only where one was found. A literal
that is not certain is not named, so that nothing is lost; compared is the text without case (`fold.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

from analysis.sigma.fold import fold
from analysis.sigma.regex import tree as syntax

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LITERALS: Final = 64
MAX_LENGTH: Final = 64
# Letters that `(?i)` takes for one (Unicode's simple folding) while `fold` keeps them apart.
_APART: Final = frozenset("\u0390\u1fd3\u03b0\u1fe3\ufb05\ufb06")
# Texts that most logs are full of: a literal that is but a piece of them rules out little.
_EVERYWHERE: Final = (
    r"c:\windows\system32\cmd.exe", r"c:\windows\syswow64", r"c:\program files (x86)\microsoft\ ",
    r"c:\users\appdata\local\temp", "https://www.", "http://", "powershell.exe", r"hklm\software\ ",
    r"\registry\machine\system\currentcontrolset", ".com/", ".dll", "microsoft-windows-",
)  # fmt: skip

Literals = frozenset[str]
NONE: Final[Literals] = frozenset()
NOTHING: Final[Literals] = frozenset({""})


@dataclass(frozen=True, slots=True)
class _Held:
    """What a part of an expression matches.

    Attributes:
        exact: the folded texts that it matches, and no others; None if they are too many or not known.
        some: folded literals of which any text that it matches holds one; empty if none is known.
    """

    exact: Literals | None
    some: Literals = NONE


_UNKNOWN: Final = _Held(None)
_EMPTY: Final = _Held(NOTHING)


def required(node: syntax.Node) -> Literals:
    """The best literals known: a text that matches holds one of them, both folded. Empty if none is known."""
    held = _held(node)
    return _better(held.some, _usable(held.exact))


def _held(node: syntax.Node) -> _Held:  # noqa: C901, PLR0911 - one case a kind of node
    match node:
        case syntax.Char(char, folded):
            if folded and char in _APART:
                return _UNKNOWN
            return _Held(frozenset({fold(char)}))
        case syntax.Class(_, _, folded, chars):
            if not chars or (folded and _APART & set(chars)):
                return _UNKNOWN
            return _Held(frozenset(map(fold, chars)))
        case syntax.Edge():
            return _EMPTY
        case syntax.Back():
            return _UNKNOWN
        case syntax.Group(_, child):
            return _held(child)
        case syntax.Look(opening, child):
            inner = _held(child)
            seen = _better(inner.some, _usable(inner.exact))
            return _EMPTY if "!" in opening else _Held(NOTHING, seen)
        case syntax.Repeat(child, least, most, _):
            return _repeated(_held(child), least, most)
        case syntax.Sequence(children):
            return _one_after_the_other([_held(child) for child in children])
        case syntax.Choice(children):
            return _any_of([_held(child) for child in children])


def _usable(exact: Literals | None) -> Literals:
    """Literals that tell something: an empty text is in every text."""
    return NONE if exact is None or "" in exact else exact


def _joined(before: Literals, after: Literals) -> Literals | None:
    """Every text of `before` with every one of `after` behind it; None if they would be too many or long."""
    if len(before) * len(after) > MAX_LITERALS:
        return None
    joined = frozenset(a + b for a in before for b in after)
    return None if max(map(len, joined), default=0) > MAX_LENGTH else joined


def _one_after_the_other(parts: Sequence[_Held]) -> _Held:
    run: Literals = NOTHING  # what the parts since the last unknown one match
    whole = True
    best = NONE
    for part in parts:
        best = _better(best, part.some)
        joined = None if part.exact is None else _joined(run, part.exact)
        if joined is None:
            whole = False
            best = _better(best, _usable(run))
            run = part.exact or NOTHING
        else:
            run = joined
    best = _better(best, _usable(run))
    return _Held(run if whole else None, best)


def _any_of(parts: Sequence[_Held]) -> _Held:
    exacts = [part.exact for part in parts]
    exact = None
    if all(one is not None for one in exacts):
        exact = reduce(frozenset.union, (one for one in exacts if one is not None))
    somes = [_better(part.some, _usable(part.exact)) for part in parts]
    some = reduce(frozenset.union, somes) if all(somes) else NONE
    return _Held(
        exact if exact is not None and len(exact) <= MAX_LITERALS else None,
        some if len(some) <= MAX_CHOICES else NONE,
    )


def _repeated(part: _Held, least: int, most: int | None) -> _Held:
    if least == 0:
        optional = most == 1 and part.exact is not None
        return _Held(part.exact | NOTHING) if optional and part.exact is not None else _UNKNOWN
    run = part.exact
    times = 1
    while run is not None and times < least:
        longer = _joined(run, part.exact) if part.exact is not None else None
        if longer is None:
            break
        run, times = longer, times + 1
    exact = run if most == least == times else None
    return _Held(exact, _better(part.some, _usable(run)))


MAX_CHOICES: Final = 4096


def _better(one: Literals, other: Literals) -> Literals:
    """The literals that rule out more: the shortest of them counts, then their number."""
    return max(one, other, key=_worth)


def _worth(literals: Literals) -> tuple[float, int]:
    if not literals:
        return (-1.0, 0)
    return (min(map(_weight, literals)), -len(literals))


def _weight(literal: str) -> float:
    common = any(literal in text for text in _EVERYWHERE)
    return len(literal) / 3 if common else float(len(literal))
