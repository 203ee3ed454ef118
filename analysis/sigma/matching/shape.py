"""How a text pattern is compared: the literal that its values must hold, and what they must match besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.sigma import tree
from analysis.sigma.fold import fold
from analysis.sigma.matching.literals import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$#&-~")
_ANY: Final = tree.Wild.ANY
_BY_STARS: Final = {(0, 0): Kind.EQUALS, (0, 1): Kind.STARTS, (1, 0): Kind.ENDS, (1, 1): Kind.CONTAINS}
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
        plainly = _plain(text.parts)
        if plainly is not None:
            return plainly
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


def _plain(parts: Sequence[str | tree.Wild]) -> Shape | None:
    """Of one literal with `*` before it, behind it, on both sides or on none."""
    begin = 1 if parts and parts[0] is _ANY else 0
    end = len(parts) - (1 if len(parts) > 1 and parts[-1] is _ANY else 0)
    if end - begin != 1:
        return None
    literal = parts[begin]
    if not isinstance(literal, str) or not literal:
        return None
    return Shape(_BY_STARS[begin, len(parts) - end], fold(literal))


def _regex(parts: Iterable[str | tree.Wild]) -> str:
    body = (
        escape(part) if isinstance(part, str) else ".*" if part is tree.Wild.ANY else "." for part in parts
    )
    return rf"(?s)\A{''.join(body)}\z"


def escape(text: str) -> str:
    """`text` as a regular expression that matches it and nothing else."""
    return "".join("\\" + char if char in _SPECIAL else char for char in text)
