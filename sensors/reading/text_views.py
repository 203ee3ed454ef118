"""Text columns laid over bytes without copying them: Arrow's string views.

A value of a Polars text column is a view of 16 bytes: its length, and either the value itself (at most 12
bytes) or its first four bytes, the number of a buffer and the place in it
(https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout). Kernels write the
views; the columns go to Polars, and come from it, by Arrow's C data interface
(https://arrow.apache.org/docs/format/CDataInterface.html).

All memory of columns made here is one block of PyMem_RawCalloc, freed by compiled code: Polars may let go of
a column in any thread, with or without Python's lock.
"""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numba import carray, cfunc, types  # type: ignore[attr-defined]

from sensors.compiled import kernel
from sensors.reading.machine_words import byte, load, pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensors.reading.json_scan import Array

INLINE: Final = 12  # bytes of a value that stands in its view
_WINDOW_BITS: Final = 30  # places are of 32 bits with a sign: each GiB of text is a buffer of its own
_ALIGNED: Final = 64
_PAD: Final = 64  # readable after the text: kernels load whole words
_NULLABLE: Final = 2
_SIZE: Final = 4  # bytes of a view that say how long the value is
_ONE_AND_SIZES: Final = 2  # buffers of text, and the one of their sizes
_OUTER: Final = 4  # words: no validity; a list's item; a list's two buffers
_SHIFT: Final = np.uint64(32)
_HEAD: Final = np.uint64(0xFFFF_FFFF)  # the first four bytes of a word, and so on
_MASKS: Final = np.array([(1 << 8 * k) - 1 for k in range(8)] + [2**64 - 1], np.uint64)

_calloc = ctypes.pythonapi.PyMem_RawCalloc
_calloc.restype, _calloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t, ctypes.c_size_t)
_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.restype, _capsule.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_inside = ctypes.pythonapi.PyCapsule_GetPointer
_inside.restype, _inside.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
_free = types.ExternalFunction("PyMem_RawFree", types.void(types.voidptr))


class _ArrowArray(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.c_void_p),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _ArrowSchema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _ArrowStream(ctypes.Structure):
    _fields_ = (
        ("get_schema", ctypes.c_void_p),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_last_error", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_RELEASE_ARRAY: Final = 8  # place of `release` among the words of the structures
_RELEASE_SCHEMA: Final = 7
_WORDS: Any = types.CPointer(types.uintp)  # type: ignore[no-untyped-call]
_releasing = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@cfunc(types.void(_WORDS), cache=True)
def _release_array(array: Any) -> None:  # noqa: ANN401 - a pointer
    words = carray(array, 10)
    words[_RELEASE_ARRAY] = 0
    if words[9]:
        _free(pointer(words[9]))


@cfunc(types.void(_WORDS), cache=True)
def _release_schema(schema: Any) -> None:  # noqa: ANN401 - a pointer
    carray(schema, 9)[_RELEASE_SCHEMA] = 0


class Columns:
    """Room for text columns of one height, to be filled by kernels and then made into Series, once.

    Attributes:
        names: of the columns.
        views: two words for each cell, column by column; a cell is null until `put` is called for it.
        valid: a bit for each cell.
        text: the bytes that views point into, and room after them for what is not in the input as it is.
        offsets: of `lists`: before which of the columns' rows each list begins, and where the last one ends.
        there: of `lists`: a bit for each list that is not null.
    """

    def __init__(self, names: Sequence[str], height: int, text: int, lists: int = 0) -> None:
        """Memory for `height` rows of `text` bytes, and for `lists` lists of such rows; all of it zero."""
        self.names = names
        self._height, self._text, self._lists = height, text, lists
        self._kept: object = None  # what a schema points to
        width = len(names)
        self._buffers = 3 + max(1, -(-text // (1 << _WINDOW_BITS)))  # validity, views, text, sizes
        self._valid_bytes = _padded(-(-height // 8))
        sizes = (
            width * height * 16,
            width * self._valid_bytes,
            text + _PAD,
            (lists + 1) * 8,
            -(-lists // 8),
            (width + 1) * ctypes.sizeof(_ArrowArray),
            (width * (self._buffers + 1) + self._buffers + _OUTER) * 8,
        )
        places = np.cumsum([0, *map(_padded, sizes)]).tolist()
        self._block = _calloc(places[-1] + _ALIGNED, 1)
        if not self._block:
            raise MemoryError
        base = _padded(self._block)
        views, valid, bytes_at, offsets, there, self._arrays, self._words = (base + at for at in places[:-1])
        self.views = _array(views, np.uint64, width * height * 2).reshape(width, height, 2)
        self.valid = _array(valid, np.uint8, sizes[1]).reshape(width, self._valid_bytes)
        self.text = _array(bytes_at, np.uint8, text + _PAD)[:text]
        self.offsets = _array(offsets, np.int64, lists + 1)
        self.there = _array(there, np.uint8, sizes[4])

    def series(self) -> list[pl.Series]:
        """The columns; what `views` and so on point to is Polars' from now on."""
        if not self.names:
            return []
        array, schema = self._struct()
        return self._handed_over(array, schema).struct.unnest().get_columns()

    def lists(self, *, bare: bool = False) -> pl.Series:
        """A column of lists of structs of the columns, or of the values of the only one as they are."""
        array, schema = self._struct()
        if bare:
            array = _ArrowArray.from_address(self._arrays)
            schema = _ArrowSchema.from_address(_array(schema.children, np.uint64, 1).item())
        item = _array(
            self._arrays + len(self.names) * ctypes.sizeof(_ArrowArray), np.uint8, ctypes.sizeof(array)
        )
        item[:] = np.frombuffer(bytes(array), np.uint8)
        words = self._outer_words()
        words[1], words[2], words[3] = item.ctypes.data, self.there.ctypes.data, self.offsets.ctypes.data
        outer = _ArrowArray(
            length=self._lists,
            null_count=self._lists - int(np.bitwise_count(self.there).sum(dtype=np.int64)),
            n_buffers=2,
            n_children=1,
            buffers=words[2:].ctypes.data,
            children=words[1:].ctypes.data,
            release=_release_array.address,
        )
        children = (ctypes.c_void_p * 1)(ctypes.addressof(schema))
        schema.name = b"item"
        listed = _ArrowSchema(
            format=b"+L",
            name=b"",
            flags=_NULLABLE,
            n_children=1,
            children=ctypes.addressof(children),
            release=_release_schema.address,
        )
        made = self._handed_over(outer, listed)
        del schema, children
        return made

    def _handed_over(self, array: _ArrowArray, schema: _ArrowSchema) -> pl.Series:
        """The structures as Polars reads them; the block is freed when it lets go of the outermost one."""
        array.private_data, self._block = self._block, None
        made = pl.Series(_Capsules(schema, array))
        self._kept = None
        return made

    def __del__(self) -> None:
        if self._block:
            _release(_ArrowArray(private_data=self._block, release=_release_array.address))

    def _outer_words(self) -> Array:
        """Room for the pointers that do not belong to a column."""
        return _array(self._words, np.uint64, _OUTER)

    def _struct(self) -> tuple[_ArrowArray, _ArrowSchema]:
        """The structures of Arrow's interface for a struct of the columns, theirs written into the block."""
        width, height, buffers = len(self.names), self._height, self._buffers
        words = _array(self._words, np.uint64, _OUTER + width * (buffers + 1) + buffers)[_OUTER:]
        children, sizes = words[:width], words[width : width + buffers]
        lists = words[width + buffers :].reshape(width, buffers)
        starts = np.arange(buffers - 3) << _WINDOW_BITS
        sizes[: len(starts)] = np.minimum(self._text - starts, (1 << (_WINDOW_BITS + 1)) - 1)
        lists[:, 0] = self.valid.ctypes.data + np.arange(width) * self._valid_bytes
        lists[:, 1] = self.views.ctypes.data + np.arange(width) * height * 16
        lists[:, 2:-1] = self.text.ctypes.data + starts
        lists[:, -1] = sizes.ctypes.data
        missing = height - np.bitwise_count(self.valid).sum(axis=1, dtype=np.int64)
        children[:] = self._arrays + np.arange(width) * ctypes.sizeof(_ArrowArray)
        for number, at in enumerate(children.tolist()):
            child = _ArrowArray.from_address(at)
            child.length, child.null_count, child.n_buffers = height, int(missing[number]), buffers
            child.buffers, child.release = lists[number].ctypes.data, _release_array.address
        outer = _ArrowArray(
            length=height,
            n_buffers=1,
            n_children=width,
            buffers=self._words,  # no validity: a word that is zero
            children=children.ctypes.data,
            release=_release_array.address,
        )
        schema, self._kept = _schema(self.names)
        return outer, schema


class _Capsules:
    """What Polars asks for a column: the structures, as capsules; released if it does not take them."""

    def __init__(self, schema: _ArrowSchema, array: _ArrowArray) -> None:
        self._schema, self._array = schema, array

    def __arrow_c_array__(self, _requested: object = None) -> tuple[object, object]:
        return (
            _capsule(ctypes.addressof(self._schema), b"arrow_schema", None),
            _capsule(ctypes.addressof(self._array), b"arrow_array", None),
        )

    def __del__(self) -> None:
        if self._array.release:
            _release(self._array)


def _release(array: _ArrowArray) -> None:
    _releasing(array.release)(ctypes.addressof(array))


def _schema(names: Sequence[str]) -> tuple[_ArrowSchema, object]:
    """A struct of text columns; what has to stay alive while the schema is read."""
    children = (_ArrowSchema * len(names))()
    for child, name in zip(children, names, strict=True):
        child.format, child.name, child.flags = b"vu", name.encode(), _NULLABLE
        child.release = _release_schema.address
    pointers = (ctypes.c_void_p * len(names))(*(ctypes.addressof(child) for child in children))
    outer = _ArrowSchema(
        format=b"+s",
        name=b"",
        n_children=len(names),
        children=ctypes.addressof(pointers),
        release=_release_schema.address,
    )
    return outer, (children, pointers)


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _array(address: int, kind: type[np.generic], count: int) -> Array:
    size = max(count, 1) * np.dtype(kind).itemsize
    memory: Any = (ctypes.c_uint8 * size).from_address(address)
    found: Array = np.frombuffer(memory, kind)
    return found[:count]


def over(data: Array, starts: Array, ends: Array) -> pl.Series:
    """The spans of `data`, which are UTF-8, as a column."""
    made = Columns([""], len(starts), len(data))
    made.text[:] = data
    _put_all(made.views, made.valid, made.text, starts, ends)
    return made.series()[0]


@kernel
def _put_all(views: Array, valid: Array, text: Array, starts: Array, ends: Array) -> None:
    for row in range(len(starts)):
        put(views, valid, 0, row, text, starts[row], ends[row])


@contextmanager
def laid(column: pl.Series) -> Iterator[tuple[Array, Array, Array]]:
    """The views of a text column, which of its values are not null, and the addresses of its buffers.

    They are the column's own and must not be used after it.
    """
    column = column.rechunk()
    height = len(column)
    if not height:
        yield np.empty((0, 2), np.uint64), np.empty(0, np.bool_), np.empty(0, np.uint64)
        return
    there = column.is_not_null().to_numpy() if column.null_count() else np.ones(height, np.bool_)
    stream = _ArrowStream.from_address(_inside(held := column.__arrow_c_stream__(), b"arrow_array_stream"))
    array = _ArrowArray()
    if stream.get_next(ctypes.addressof(stream), ctypes.addressof(array)) or not array.release:
        raise RuntimeError("Polars gave no array for a column")
    pointers = _array(array.buffers, np.uint64, array.n_buffers)
    views = _array(int(pointers[1]), np.uint64, 2 * (array.offset + height)).reshape(-1, 2)
    try:
        yield views[array.offset :], there, pointers[2:]
    finally:
        _release(array)
        del held


def spans(column: pl.Series) -> tuple[Array, Array, Array]:
    """The bytes of a text column, and where each value starts and ends; null is no bytes.

    Where most of what the column's buffer holds is the column's, the bytes are that buffer, not a copy.
    """
    with laid(column) as (views, there, buffers):
        starts, ends, outside = _places(views, there)
        size = int(ends[-1]) + 1 if len(ends) else 0
        if outside and len(buffers) == _ONE_AND_SIZES:
            total = int(_array(int(buffers[1]), np.int64, 1)[0])
            if size > total // 2:
                data = np.asarray(_Held(int(buffers[0]), total, column))
                places = (views[:, 1] >> _SHIFT).astype(np.int64)
                return data, places, places + (ends - starts)
        data = np.empty(size, np.uint8)
        _copy(views, buffers, starts, ends, data)
    return data, starts, ends


class _Held:
    """A buffer of a column, which stays as long as this does."""

    def __init__(self, address: int, size: int, column: pl.Series) -> None:
        self.__array_interface__ = {
            "data": (address, True), "shape": (size,), "typestr": "|u1", "version": 3,
        }  # fmt: skip
        self._column = column


@kernel
def _places(views: Array, there: Array) -> tuple[Array, Array, bool]:
    """Where each value starts and ends if written with a byte between; whether none stands in its view."""
    starts = np.empty(len(views), np.int64)
    ends = np.empty(len(views), np.int64)
    inside = 0
    at = 0
    for row in range(len(views)):
        size = int(views[row, 0] & _HEAD) if there[row] else 0
        inside += size <= INLINE
        starts[row] = at
        ends[row] = at + size
        at += size + 1
    return starts, ends, inside == 0


@kernel
def _copy(views: Array, buffers: Array, starts: Array, ends: Array, data: Array) -> None:
    """Write the values where they start in `data`, and a line end after each."""
    for row in range(len(views)):
        at, size = starts[row], ends[row] - starts[row]
        if size <= INLINE:
            inside = views.ctypes.data + row * 16 + _SIZE
            for k in range(size):
                data[at + k] = byte(inside + k)
        else:
            place = np.int64(buffers[views[row, 1] & _HEAD]) + np.int64(views[row, 1] >> _SHIFT)
            data[at : at + size] = carray(pointer(np.uintp(place)), size, np.uint8)
        data[at + size] = 0x0A


@kernel
def put(views: Array, valid: Array, column: int, row: int, text: Array, at: int, end: int) -> None:
    """Write the value that stands in `text` from `at` to `end` into a cell; words beyond it are readable."""
    size = end - at
    address = text.ctypes.data + at
    if size <= INLINE:
        low = load(address) & _MASKS[min(size, 8)]
        views[column, row, 0] = np.uint64(size) | (low << _SHIFT)
        views[column, row, 1] = (low >> _SHIFT) | ((load(address + 8) & _MASKS[max(size - 8, 0)]) << _SHIFT)
    else:
        views[column, row, 0] = np.uint64(size) | (load(address) << _SHIFT)
        window = at >> _WINDOW_BITS
        views[column, row, 1] = np.uint64(window) | (np.uint64(at - (window << _WINDOW_BITS)) << _SHIFT)
    valid[column, row >> 3] |= np.uint8(1 << (row & 7))
