"""A value of a rule on its way from the YAML file to what is compared: before and between its modifiers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final, TypeAlias

from analysis.sigma import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_TOKEN: Final = re.compile(r"[^\\*?%]+|\\[\\*?%]|%[^%*?\\]+%|[*?]|.", re.DOTALL)
_REGEX_TOKEN: Final = re.compile(r"((?:\\.|[^%\\])+|%[^%*?\\]+%)", re.DOTALL)
MAX_FORMS: Final = 10_000  # of one written value


class ModifierError(ValueError):
    """A modifier that makes no sense of its value; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`%name%` under `expand`, until it has its values."""

    name: str


@dataclass(frozen=True, slots=True)
class Words:
    """A text on its way.

    Attributes:
        parts: literal texts, wildcards, placeholders.
        encoded: how often it was encoded; dashes and placeholders can no longer be seen in it.
        data: the bytes that it stands for, if they are not those of its text in UTF-8.
    """

    parts: tuple[str | tree.Wild | Placeholder, ...]
    cased: bool = False
    encoded: bool = False
    data: bytes | None = None

    def plain(self, modifier: str) -> str:
        """The text, for a modifier that cannot do with wildcards and placeholders."""
        if any(isinstance(part, Placeholder) for part in self.parts):
            raise ModifierError(f"write `expand` before `{modifier}`")
        if any(isinstance(part, tree.Wild) for part in self.parts):
            hint = "; put it before contains, startswith, endswith, or write \\* for a star"
            raise ModifierError(f"`{modifier}` cannot be applied to a text with wildcards{hint}")
        return "".join(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Written:
    """A regular expression as it is written, before `re` has been met."""

    parts: tuple[str | Placeholder, ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression; `starts` and `ends` say to which ends of the text it is tied, both: to none."""

    parts: tuple[str | Placeholder, ...]
    flags: frozenset[str] = frozenset()
    starts: bool = False
    ends: bool = False


Draft: TypeAlias = (
    Words | Written | Expression | tree.Number | tree.Truth | tree.Null | tree.Exists | tree.Network
    | tree.Compare | tree.TimePart | tree.Reference
)  # fmt: skip


@dataclass(frozen=True)
class Context:
    """What modifiers need to know.

    Attributes:
        field_of: the columns of a field name.
        placeholders: values for `%name%`, each with the wildcards of Sigma.
        keyword: there is no field.
    """

    field_of: Callable[[str], tree.Field]
    placeholders: Mapping[str, Sequence[str]]
    keyword: bool = False


def drafted(value: object, modifiers: Sequence[str]) -> Draft:
    """A value of the YAML file, before its modifiers.

    Raises:
        ModifierError: it is none that a rule can ask for.
    """
    expand = "expand" in modifiers
    if "re" in modifiers:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ModifierError(f"a regular expression must be a text, not {value!r}; put it in quotes")
        return Written(tuple(pieces(str(value))) if expand else (str(value),))
    match value:
        case None:
            return tree.Null()
        case bool():
            return tree.Truth(value)
        case int() | float():
            if not _finite(value):
                raise ModifierError(
                    "a number must be finite and below 1e308; put it in quotes if it is a text"
                )
            whole = isinstance(value, float) and value.is_integer()
            return tree.Number(int(value) if whole else value)
        case str():
            return Words(parsed(value, placeholders=expand))
    raise ModifierError(f"a value must be a text, a number, true, false or null, not {value!r}")


def _finite(number: float) -> bool:
    try:
        return isfinite(number)
    except OverflowError:  # an integer beyond the range of floating point
        return False


def parsed(text: str, *, placeholders: bool = False) -> tuple[str | tree.Wild | Placeholder, ...]:
    r"""A text as the specification reads it: `*` and `?` are wildcards, `\*`, `\?` and `\\` what they escape.

    A backslash before anything else is a backslash.

    Args:
        text: as written.
        placeholders: read `%name%` too, and `\%` as a plain percent sign.
    """
    parts: list[str | tree.Wild | Placeholder] = []
    for piece in _TOKEN.findall(text):
        if piece in ("*", "?"):
            if piece == "?" or parts[-1:] != [tree.Wild.ANY]:  # two stars in a row ask the same as one
                parts.append(tree.Wild(piece))
            continue
        if placeholders and len(piece) > 1 and piece[0] == "%":
            parts.append(Placeholder(piece[1:-1]))
            continue
        plain = piece[1:] if piece[0] == "\\" and piece[1:] and (piece[1] != "%" or placeholders) else piece
        if parts and isinstance(parts[-1], str):
            parts[-1] += plain
        else:
            parts.append(plain)
    return tuple(parts)


def pieces(text: str) -> list[str | Placeholder]:
    r"""A regular expression and its placeholders; `\%` is a percent sign there anyway."""
    found = [piece for piece in _REGEX_TOKEN.split(text) if piece]
    return [Placeholder(one[1:-1]) if one[0] == one[-1] == "%" and one != "%" else one for one in found]


def merged(parts: Iterable[object]) -> tuple[str | tree.Wild, ...]:
    """Parts with neighbouring texts put together, and of neighbouring stars one."""
    merged: list[str | tree.Wild] = []
    for part in parts:
        if isinstance(part, str):
            if merged and isinstance(merged[-1], str):
                merged[-1] += part
            elif part:
                merged.append(part)
        elif isinstance(part, tree.Wild) and not (part is tree.Wild.ANY and merged[-1:] == [part]):
            merged.append(part)
    return tuple(merged)
