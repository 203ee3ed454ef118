"""Compiled functions, kept on disk, and made anew when anything that they were made of has changed.

Numba keeps a compiled function until its own file changes. What it calls, and every number that it names, is
compiled into it too, and mostly stands in other files: after an update of one of those alone, what was kept
would go on with the old one, and write where its tables end no more.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np
from numba import njit
from numba.core.caching import IndexDataCacheFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Function = TypeVar("Function", bound="Callable[..., Any]")
_PLAIN: Final = (int, float, str, bytes, tuple, np.generic)


def kernel(function: Function) -> Function:
    """The function, compiled on first use; the compiled form is kept on disk."""
    compiled = njit(cache=True, nogil=True)(function)
    kept: Any = getattr(compiled, "_cache", None)
    file = getattr(kept, "_cache_file", None)
    if isinstance(file, IndexDataCacheFile):  # else Numba was told to compile nothing, or to keep nothing
        kept._cache_file = _Kept(file, compiled)  # noqa: SLF001 - Numba has no other way to say it
    return cast("Function", compiled)


class _Kept(IndexDataCacheFile):
    """Where Numba keeps a function; fresh as long as the function and all it is made of are the same."""

    def __init__(self, plain: IndexDataCacheFile, compiled: Any) -> None:  # noqa: ANN401 - a dispatcher
        self.__dict__.update({name: value for name, value in vars(plain).items() if name != "_source_stamp"})
        self._own = plain.__dict__["_source_stamp"]
        self._compiled = compiled

    @cached_property
    def _source_stamp(self) -> str:
        parts = hashlib.sha256()
        for function in sorted(_below(self._compiled.py_func, {}).values(), key=_name):
            parts.update(_name(function).encode() + function.__code__.co_code)
            for name, value in sorted(_named(function)):
                if isinstance(value, _PLAIN):
                    parts.update(f"{name}={value!r}".encode())
                elif isinstance(value, np.ndarray):
                    parts.update(name.encode() + value.tobytes())
            parts.update(repr(_constants(function.__code__)).encode())
        return f"{self._own} {parts.hexdigest()}"


def _name(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _constants(code: CodeType) -> list[Any]:
    return [each for each in code.co_consts if not isinstance(each, CodeType)]


def _named(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function names that is not its own, attributes of modules too."""
    names = function.__code__.co_names
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            if value is not np:
                yield from (
                    (f"{name}.{each}", getattr(value, each)) for each in names if hasattr(value, each)
                )
        elif value is not None:
            yield name, value


def _below(function: FunctionType, found: dict[str, FunctionType]) -> dict[str, FunctionType]:
    """A function and all compiled ones that it calls, by way of others too."""
    if _name(function) not in found:
        found[_name(function)] = function
        for _, value in _named(function):
            called = getattr(value, "py_func", None)
            if isinstance(called, FunctionType):
                _below(called, found)
    return found
