"""Typed access to a YAML document, where every mistake has a file, a line and a remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NoReturn

from analysis.anomaly.locate import line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN: Final = re.compile(r"(\d{1,6})([smhdw])")


class AnomalyError(ValueError):
    """A rule that cannot be used: where, what is wrong, and what to do.

    Attributes:
        path: the rule's file.
        line: 1-based line of the key at fault, None if the file could not be searched.
    """

    def __init__(self, path: Path, line: int | None, message: str) -> None:
        self.path = path
        self.line = line
        self.message = message
        super().__init__(f"{path}{f':{line}' if line else ''}: {message}")


class Reader:
    """Typed access to a document; every method raises `AnomalyError` for what is not as it must be.

    Args:
        document: the YAML document.
        path: its file.
    """

    def __init__(self, document: Mapping[str, Any], path: Path) -> None:
        self.document = document
        self.path = path

    def fail(self, keys: tuple[str, ...], message: str) -> NoReturn:
        """Raise the mistake, at the line of the key that `keys` leads to."""
        raise AnomalyError(self.path, line_of(self.path, self.document.get("id"), keys), message)

    def get(self, *keys: str) -> Any:  # noqa: ANN401 - YAML holds anything
        """What `keys` lead to, None if nothing."""
        value: Any = self.document
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def known(self, keys: tuple[str, ...], allowed: AbstractSet[str]) -> None:
        """Refuse keys of a mapping that are not in `allowed`."""
        for key in self.get(*keys) or {}:
            if key not in allowed:
                self.fail((*keys, str(key)), f"unknown key {key!r}; {near(str(key), allowed)}")

    def mapping(self, *keys: str) -> dict[str, Any]:
        """A mapping."""
        value = self.get(*keys)
        if not isinstance(value, dict):
            self.fail(keys, f"`{keys[-1]}:` must be a mapping of keys and values")
        return dict(value)

    def text(self, *keys: str, required: bool = False) -> str:
        """A text, stripped; "" if it is not there."""
        value = self.get(*keys)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not value.strip():
            self.fail(keys, f"`{keys[-1]}:` must be a text{' and may not be left out' if required else ''}")
        return str(value).strip()

    def texts(self, *keys: str, required: bool = False) -> tuple[str, ...]:
        """One or several texts; () if not there."""
        value = self.get(*keys)
        if value is None and not required:
            return ()
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not items or not all(isinstance(item, str) for item in items):
            self.fail(keys, f"`{keys[-1]}:` must be a text or a list of texts")
        return tuple(items)

    def number(self, *keys: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        value = self.get(*keys)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.fail(keys, f"`{keys[-1]}:` must be a number from {low:g} to {high:g}")
        return float(value)

    def span(self, *keys: str, default: timedelta) -> timedelta:
        """A length of time such as 1d."""
        value = self.get(*keys)
        if value is None:
            return default
        match = _SPAN.fullmatch(str(value))
        if not match or not int(match[1]):
            self.fail(keys, f"`{keys[-1]}:` must be a length of time such as 15m, 1h, 1d or 4w")
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


@dataclass(frozen=True, slots=True)
class Option:
    """An option that one measure knows: its kind and its default.

    Attributes:
        kind: `span`, `number`, `text` or `texts`.
        choices: for texts, what may be said; empty for anything.
    """

    kind: str
    default: Any
    choices: tuple[str, ...] = ()

    def __call__(self, reader: Reader, keys: tuple[str, ...]) -> Any:  # noqa: ANN401 - by `kind`
        """The option's value in a rule, checked."""
        if self.kind == "span":
            return reader.span(*keys, default=self.default)
        if self.kind == "number":
            return reader.number(*keys, default=self.default, low=0.0, high=1e15)
        words = reader.texts(*keys, required=True) if reader.get(*keys) != [] else ()
        for word in words:
            if self.choices and word not in self.choices:
                reader.fail(keys, f"{word!r} is not known here; take one of {listed(self.choices)}")
        return words if self.kind == "texts" else words[0]


def listed(words: Iterable[object]) -> str:
    """Words with commas."""
    return ", ".join(str(word) for word in words)


def near(word: str, allowed: AbstractSet[str]) -> str:
    """A hint for a word that is not allowed: the one meant, or all there are."""
    alike = get_close_matches(word, allowed, n=1)
    return f"did you mean {alike[0]!r}?" if alike else f"known: {listed(sorted(allowed))}"
