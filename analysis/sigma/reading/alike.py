"""Equal parts of rules made one: a pack has thousands of rules, and most of what they ask, others ask too.

What is one is kept once, taken back once and looked up once. Parts are known by type and by what they are
made of, never by `==`, to which 1, 1.0 and true are the same.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final, TypeVar

Part = TypeVar("Part")

_PLAIN: Final = (bool, int, float, str, bytes)


class Alike:
    """The parts seen so far."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Any] = {}

    def __call__(self, part: Part) -> Part:
        """The part as it was seen first: a value, a tuple, a frozen set or a frozen record, else itself."""
        kind: type = type(part)
        made: Any = part
        key: tuple[object, ...]
        if kind in _PLAIN:
            key = (kind, repr(part) if kind is float else part)
        elif isinstance(part, tuple | frozenset) and kind in (tuple, frozenset):
            made = kind(map(self, part))
            places = map(id, made)
            key = (kind, *places) if kind is tuple else (kind, frozenset(places))
        elif names := _names(kind):
            parts = {name: self(getattr(part, name)) for name in names}
            key = (kind, *map(id, parts.values()))
            if key not in self._known:
                made = kind(**parts)
        else:
            key = (kind, id(part))
        found: Part = self._known.setdefault(key, made)  # what is known lives on, and so its id is its own
        return found


@cache
def _names(kind: type) -> tuple[str, ...]:
    """The fields of a frozen record; of anything else, none."""
    if not is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return ()
    return tuple(field.name for field in fields(kind))
