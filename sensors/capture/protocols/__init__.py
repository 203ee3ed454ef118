"""Readers of protocols, one a module (or folder) that defines `PROTOCOL` (or `PROTOCOLS`); found, not listed.

See `sensors.capture.conversations` for what they are given and what they give back.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensors.capture.conversations import OverTcp, OverUdp


@cache
def protocols() -> tuple[OverTcp | OverUdp, ...]:
    """Every reader there is, by name."""
    found: list[OverTcp | OverUdp] = []
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        one = getattr(module, "PROTOCOL", None)
        found += [*([one] if one is not None else []), *getattr(module, "PROTOCOLS", ())]
    return tuple(sorted(found, key=lambda each: (each.name, type(each).__name__)))
