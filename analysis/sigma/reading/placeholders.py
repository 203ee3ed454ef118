"""Placeholders, `%name%` under `expand`: replaced by the values that the site file gives them."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Final

from analysis.sigma import tree
from analysis.sigma.reading.draft import MAX_FORMS, ModifierError, Placeholder, Words, Written, merged, parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from analysis.sigma.reading.draft import Context

_NAMED: Final = 20  # that a message lists
_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-^`{-~]")


class UnresolvedError(ModifierError):
    """Placeholders without a value, by name."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        first, *others = self.names
        if not others:
            said = f"placeholder %{first}% has no value; give it one"
        else:
            listed = ", ".join(f"%{name}%" for name in others[: _NAMED - 1])
            more = f" and {len(others) - _NAMED + 1} more" if len(others) >= _NAMED else ""
            said = f"placeholder %{first}% has no value, nor has {listed}{more}; give each its own"
        wanted = ", ".join(f'{name} = ["…"]' for name in self.names[:_NAMED])
        super().__init__(f"{said} in the site file under [placeholders]: {wanted}")


def expanded(draft: Words | Written, context: Context) -> Sequence[Words | Written]:
    """The text with each placeholder replaced by each of its values, whose wildcards count.

    Raises:
        UnresolvedError: some have no value.
        ModifierError: they cannot be seen any more, or make too many values.
    """
    if isinstance(draft, Words) and draft.encoded:
        raise ModifierError("write `expand` before the encoding: no placeholder is seen behind it")
    names = [part.name for part in draft.parts if isinstance(part, Placeholder)]
    unresolved = [name for name in names if not _values(name, context)]
    if unresolved:
        raise UnresolvedError(unresolved)
    known = {name: _values(name, context) for name in names}
    if isinstance(draft, Words):
        choices = [
            [parsed(value) for value in known[part.name]] if isinstance(part, Placeholder) else [(part,)]
            for part in draft.parts
        ]
        return [replace(draft, parts=merged(form)) for form in _forms(choices)]
    patterns = [
        [(as_regex(value),) for value in known[part.name]] if isinstance(part, Placeholder) else [(part,)]
        for part in draft.parts
    ]
    return [replace(draft, parts=("".join(map(str, form)),)) for form in _forms(patterns)]


def _values(name: str, context: Context) -> Sequence[str]:
    known = context.placeholders.get(name) or context.placeholders.get(f"%{name}%") or ()
    try:
        "".join(known).encode()
    except UnicodeEncodeError as error:
        raise ModifierError(f"a value of placeholder %{name}% is no text ({error}); correct it") from error
    return known


def _forms(choices: Sequence[Sequence[tuple[object, ...]]]) -> list[tuple[object, ...]]:
    count = 1
    for choice in choices:
        count *= len(choice)
        if count > MAX_FORMS:
            raise ModifierError(f"the placeholders make more than {MAX_FORMS} values; use fewer in one text")
    return [tuple(part for piece in form for part in piece) for form in product(*choices)]


def as_regex(value: str) -> str:
    """A text with Sigma's wildcards as a regular expression."""
    wild = {tree.Wild.ANY: ".*", tree.Wild.ONE: "."}
    return "".join(
        wild[part] if isinstance(part, tree.Wild) else _PUNCTUATION.sub(r"\\\g<0>", str(part))
        for part in parsed(value)
    )
