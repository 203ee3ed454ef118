"""The forms of Linux' login programs, and which program has which (`forms.toml` beside this file)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from sensors.values.wording import expanded


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files("sensors.linux_auth") / "forms.toml").read_text("utf-8"))


@cache
def forms() -> dict[str, tuple[str, ...]]:
    """The regular expressions of each kind of program; the first that matches counts."""
    return {kind: expanded(_data()["parts"], templates) for kind, templates in _data()["forms"].items()}


@cache
def programs() -> dict[str, str]:
    """The kind of every program whose lines are understood, by the program's name."""
    return {name: kind for kind, names in _data()["programs"].items() for name in names}
