"""Texts told apart by the sixteen bytes that Polars keeps of each, mostly without their being read.

A text of at most twelve bytes stands in its view whole; of a longer one the view says where it is, and the
dictionaries of Parquet leave equal texts at one place. So most rows are numbered by comparing two words, and
only what stands at a new place is hashed and compared. Over the columns of 89,000 Windows events it takes a
third of the CPU time of a cast to Categorical, and has the bytes of the distinct texts besides.

Polars lends its memory by Arrow's C stream interface (https://arrow.apache.org/docs/format/CDataInterface.html,
https://arrow.apache.org/docs/format/CStreamInterface.html); what views are:
https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
"""

from __future__ import annotations

import ctypes
import secrets
from contextlib import contextmanager
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import polars as pl

from analysis.sigma.fold import fold_values
from analysis.sigma.matching.numbering import (
    BEYOND_ASCII,
    MEMBERS,
    NULLS,
    RELEASE,
    beyond_ascii,
    numbered,
)
from sensors.reading.json_columns import spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

_AS_VIEWS: Final = b"vu"  # the format of texts as views
# Chosen anew by each process: logs cannot be written so that their texts fall on one place of a table.
_SECRET: Final = np.array([secrets.randbits(64) | 1, secrets.randbits(64) | 1], np.uint64)

# Of struct ArrowSchema, likewise.
_FORMAT, _SCHEMA_RELEASE, _SCHEMA_MEMBERS = 0, 7, 9
_Call: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_Release: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_pointer: Final = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class Texts:
    """Distinct texts, in order of appearance.

    Attributes:
        data: their bytes.
        starts, ends: where each is in `data`.
    """

    def __init__(self, data: Array, starts: Array, ends: Array, source: pl.Series, first: Array) -> None:
        self.data = data
        self.starts = starts
        self.ends = ends
        self._source = source
        self._first = first

    def __len__(self) -> int:
        """How many there are."""
        return len(self.starts)

    def __getitem__(self, place: int) -> str:
        """One of them."""
        return self.data[self.starts[place] : self.ends[place]].tobytes().decode()

    @cached_property
    def lengths(self) -> Array:
        """How many bytes each has."""
        return np.asarray(self.ends - self.starts)

    @cached_property
    def series(self) -> pl.Series:
        """The texts as a column."""
        return self._source[self._first]

    def folded(self) -> tuple[Array, Array, Array]:
        """Their bytes, letters beyond ASCII without case, and where each begins and ends."""
        if self.data.max(initial=0) < BEYOND_ASCII:
            return self.data, self.starts, self.ends
        beyond = np.flatnonzero(beyond_ascii(self.data, self.starts, self.ends))
        more, starts, ends = spans(fold_values(self.series[beyond]))
        begins, stops = self.starts.copy(), self.ends.copy()
        begins[beyond], stops[beyond] = starts + len(self.data), ends + len(self.data)
        return np.concatenate([self.data, more]), begins, stops


def distinct(column: pl.Series, least: int = 0) -> Texts:
    """The distinct texts of a column.

    Args:
        column: of texts.
        least: texts in ASCII of fewer bytes may be left out; those that a view holds are.
    """
    return _told(column, rows=False, least=least)[0]


def told_apart(column: pl.Series) -> tuple[Texts, Array, Array | None]:
    """The distinct texts of a column, for each text its number, and the rows that have one (None: all)."""
    return _told(column, rows=True)


def _told(column: pl.Series, *, rows: bool, least: int = 0) -> tuple[Texts, Array, Array | None]:
    with _lent(column) as chunks:
        sparse = bool(chunks[:, NULLS].any())
        codes, owners, first, data, starts, ends = numbered(chunks, sparse, rows, least, _SECRET)
    return Texts(data, starts, ends, column, first), codes, owners if sparse else None


@contextmanager
def _lent(column: pl.Series) -> Iterator[Array]:
    """The `ArrowArray` of each chunk, given back in the end."""
    _are_views()
    capsule = column.__arrow_c_stream__()
    stream = _pointer(capsule, b"arrow_array_stream")
    following = _call((ctypes.c_void_p * 2).from_address(stream)[1])
    chunks = np.zeros((column.n_chunks() + 1, MEMBERS), np.int64)
    places = range(chunks.ctypes.data, chunks.ctypes.data + chunks.nbytes, chunks.strides[0])
    count = 0
    try:
        for count, place in enumerate(places):
            if following(stream, place):
                raise TypeError(f"Polars does not lend the texts of {column.name}")
            if not chunks[count, RELEASE]:
                break
        yield chunks[:count]
    finally:
        for place, release in zip(places[:count], chunks[:count, RELEASE].tolist(), strict=True):
            _releasing(release)(place)


@cache
def _call(address: int) -> Any:  # noqa: ANN401 - a function of C
    return _Call(address)


@cache
def _releasing(address: int) -> Any:  # noqa: ANN401 - a function of C
    return _Release(address)


@cache
def _are_views() -> None:
    """Look once, for Polars has one form of texts.

    Raises:
        TypeError: this Polars has another.
    """
    capsule = pl.Series([""]).__arrow_c_stream__()
    stream = _pointer(capsule, b"arrow_array_stream")
    schema = np.zeros(_SCHEMA_MEMBERS, np.int64)
    _call((ctypes.c_void_p * 1).from_address(stream)[0])(stream, schema.ctypes.data)
    form = ctypes.string_at(int(schema[_FORMAT]))
    _releasing(int(schema[_SCHEMA_RELEASE]))(schema.ctypes.data)
    if form != _AS_VIEWS:
        raise TypeError(f"this Polars has texts in the form {form!r}, not as views")
