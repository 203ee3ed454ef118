"""The regular expressions of ASA messages, by message number (`forms.toml` beside this file)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from sensors.values.wording import expanded

_CLASS_DIGITS = 3


class Kinds(NamedTuple):
    """Which kind a message number, or a class of three digits, is of; and the forms of each kind in order."""

    of: dict[str, int]
    forms: list[tuple[str, ...]]


@cache
def kinds() -> Kinds:
    """Every message that has a form of its own or is of a class that has."""
    raw = tomllib.loads((files("sensors.cisco_asa") / "forms.toml").read_text("utf-8"))
    by_code: dict[str, tuple[str, ...]] = {}
    for codes, templates in raw["forms"].items():
        forms = expanded(raw["parts"], templates)
        for code in codes.split():
            by_code[code] = (*by_code.get(code, ()), *forms)
    for code in by_code:
        if len(code) > _CLASS_DIGITS:
            by_code[code] += by_code.get(code[:_CLASS_DIGITS], ())
    distinct = list(dict.fromkeys(by_code.values()))
    return Kinds({code: distinct.index(forms) for code, forms in by_code.items()}, distinct)
