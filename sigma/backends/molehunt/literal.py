"""Texts, numbers and names as SQL writes them: the only place where a rule's words become SQL.

Both engines follow the standard: a text stands in single quotes, a name in double ones, a quote within is
written twice, and nothing else has a meaning, backslashes and line ends included.
"""

from __future__ import annotations

import math

from sigma.exceptions import SigmaValueError


def text(value: str) -> str:
    """A text in quotes.

    Raises:
        SigmaValueError: it holds what no SQL text can.
    """
    return "'" + _checked(value).replace("'", "''") + "'"


def name(column: str) -> str:
    """A name in quotes.

    Raises:
        SigmaValueError: it is empty or holds what no SQL text can.
    """
    if not column:
        raise SigmaValueError("a field without a name cannot be asked for in SQL")
    return '"' + _checked(column).replace('"', '""') + '"'


def number(value: float) -> str:
    """A finite number.

    Raises:
        SigmaValueError: it is infinite or none at all.
    """
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        raise SigmaValueError(f"{value} is no number that SQL can compare with")
    return f"CAST('{value!r}' AS DOUBLE)"


def comment(value: str) -> str:
    """A line of comment: whatever would end the line is left out."""
    return "-- " + " ".join("".join(char if char.isprintable() else " " for char in value).split())


def _checked(value: str) -> str:
    """The value itself, unless a NUL would end it early or it is no Unicode text."""
    if "\0" in value:
        raise SigmaValueError(f"{value!r} holds the character NUL, which no SQL statement can")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise SigmaValueError(f"{value!r} holds half of a character (a surrogate), which no text can")
    return value
