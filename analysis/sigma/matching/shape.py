"""How a text pattern is compared: the literal that its values must hold, and what they must match besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.sigma import tree
from analysis.sigma.fold import fold
from analysis.sigma.matching.literals import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$#&-~")
_KINDS: Final = {(): Kind.EQUALS, (1,): Kind.STARTS, (0,): Kind.ENDS, (0, 2): Kind.CONTAINS}


class Shape(NamedTuple):
    """How a text pattern is compared.

    Attributes:
        kind: where the literal stands.
        literal: folded; of a pattern with wildcards inside, its longest literal part; "" if it has none.
        regex: what a value that holds the literal must match besides, "" if nothing.
        cased: `regex` is about the value as it is written, not folded.
    """

    kind: Kind
    literal: str
    regex: str = ""
    cased: bool = False


def shape(text: tree.Text) -> Shape:
    """The comparison that a text pattern asks for."""
    if not text.cased:  # nearly all, and there are tens of thousands
        match text.parts:
            case (str(literal),) if literal:
                return Shape(Kind.EQUALS, fold(literal))
            case (tree.Wild.ANY, str(literal)) if literal:
                return Shape(Kind.ENDS, fold(literal))
            case (str(literal), tree.Wild.ANY) if literal:
                return Shape(Kind.STARTS, fold(literal))
            case (tree.Wild.ANY, str(literal), tree.Wild.ANY) if literal:
                return Shape(Kind.CONTAINS, fold(literal))
    parts = [fold(part) if isinstance(part, str) else part for part in text.parts if part]
    plain = [part for part in parts if isinstance(part, str)]
    wild = tuple(place for place, part in enumerate(parts) if part is tree.Wild.ANY)
    kind = _KINDS.get(wild) if len(plain) == 1 and len(parts) == len(wild) + 1 else None
    if kind is not None and not text.cased:
        return Shape(kind, plain[0])
    longest = max(plain, key=len, default="")
    written = text.parts if text.cased else parts
    regex = "" if parts == [tree.Wild.ANY] else _regex(written)
    return Shape(Kind.CONTAINS if kind is None else kind, longest, regex, text.cased)


def _regex(parts: Iterable[str | tree.Wild]) -> str:
    body = (
        escape(part) if isinstance(part, str) else ".*" if part is tree.Wild.ANY else "." for part in parts
    )
    return rf"(?s)\A{''.join(body)}\z"


def escape(text: str) -> str:
    """`text` as a regular expression that matches it and nothing else."""
    return "".join("\\" + char if char in _SPECIAL else char for char in text)
