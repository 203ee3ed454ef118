"""Kernels as Python runs them: there a place outside of an array is an IndexError."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from numba.core import config


def plain(*names: str) -> list[ModuleType]:
    """The modules, in the order of what they import, loaded again with nothing compiled.

    Those in use stay as they are.
    """
    kept = {name: importlib.import_module(name) for name in names}
    compiles = config.DISABLE_JIT
    for name in names:
        del sys.modules[name]
    config.DISABLE_JIT = True
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        config.DISABLE_JIT = compiles
        for name, module in kept.items():
            sys.modules[name] = module
            parent, _, child = name.rpartition(".")
            setattr(sys.modules[parent], child, module)
