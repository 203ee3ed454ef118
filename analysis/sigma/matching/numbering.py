"""The loops under `views.py`, compiled: texts numbered by their views, at the addresses that Polars lends.

Numba compiles these functions on first use and keeps the result. They read memory by address, as C would:
what they are given must be what Arrow says it is (https://arrow.apache.org/docs/format/CDataInterface.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from sensors.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Kernel: TypeAlias = Callable[..., Any]

INLINE: Final = 12  # bytes that a view holds itself
BEYOND_ASCII: Final = 128
# Of struct ArrowArray, all of whose members are eight bytes wide.
LENGTH, NULLS, OFFSET, BUFFERS, RELEASE, MEMBERS = 0, 1, 2, 5, 8, 10
# Where `_went_on` is: what it reads next, and how many it has seen and told apart.
_CHUNK, _AT, _BASE, _SEEN, _VIEWS, _COUNT, _LONG, _SO_FAR = range(8)
_WORD: Final = 64  # bits
_NOBODY: Final = 0xFFFFFFFF
_FREE: Final = np.uint64(_NOBODY)
_FEWEST: Final = 64  # places of a table at first
# The bits that letters beyond ASCII have, in eight bytes of a text and in four behind a length.
_HIGH: Final = np.uint64(0x8080808080808080)
_HIGH_HALF: Final = np.uint64(0x8080808000000000)


def _loads(bits: int, kind: Any) -> Kernel:  # noqa: ANN401 - types of Numba
    """A function of the number at an address."""

    def load(_context: Any, _address: Any) -> Any:  # noqa: ANN401
        def code(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:  # noqa: ANN401
            pointer = builder.inttoptr(given[0], ir.IntType(bits).as_pointer())
            return builder.load(pointer, align=1)

        return kind(types.int64), code

    return cast("Kernel", intrinsic(load))


_word: Final = _loads(64, types.uint64)
_byte: Final = _loads(8, types.uint8)


def _mixing(_context: Any, _one: Any, _other: Any) -> Any:  # noqa: ANN401 - types of Numba
    """Both halves of the product of two words, folded into one."""

    def code(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:  # noqa: ANN401
        wide, word = ir.IntType(128), ir.IntType(64)
        product = builder.mul(builder.zext(given[0], wide), builder.zext(given[1], wide))
        upper = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), word)
        return builder.xor(builder.trunc(product, word), upper)

    return types.uint64(types.uint64, types.uint64), code


_mixed: Final = cast("Kernel", intrinsic(_mixing))


def _finding_lowest(_context: Any, _word: Any) -> Any:  # noqa: ANN401 - types of Numba
    """The place of the lowest bit that is set; not of 0."""

    def code(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:  # noqa: ANN401
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), code


_lowest: Final = cast("Kernel", intrinsic(_finding_lowest))


@kernel
def _hashed(address: np.int64 | int, length: np.int64 | int, secret: Array) -> Any:  # noqa: ANN401 - a word
    """A hash of a text of eight bytes or more."""
    mixed: Any = secret[0] ^ np.uint64(length)
    for at in range(0, length - 8, 8):
        mixed = _mixed(mixed ^ _word(address + at), secret[1])
    return _mixed(mixed ^ _word(address + length - 8), secret[1])


@kernel
def _same(one: np.int64 | int, other: np.int64 | int, length: np.int64 | int) -> bool:
    """Whether two texts of the same length, eight bytes or more, are equal."""
    for at in range(0, length - 8, 8):
        if _word(one + at) != _word(other + at):
            return False
    return bool(_word(one + length - 8) == _word(other + length - 8))


@kernel
def _wider(array: Array, size: int) -> Array:
    """An array with room for `size`."""
    wider = np.empty(size, array.dtype)
    wider[: array.shape[0]] = array
    return wider


@kernel
def _rehashed(told: Array, secret: Array) -> Array:
    """The table of views, four times as large."""
    size = 4 * told.shape[0]
    wider = np.full((size, 3), _FREE, np.uint64)
    for old in range(told.shape[0]):
        if told[old, 2] != _FREE:
            mixed = _mixed(told[old, 0] ^ secret[0], told[old, 1] ^ secret[1])
            slot = np.int64(mixed & np.uint64(size - 1))
            while wider[slot, 2] != _FREE:
                slot = (slot + 1) & (size - 1)
            wider[slot] = told[old]
    return wider


@kernel
def _resettled(hashes: Array, lengths: Array, count: int, size: int) -> Array:
    """The table of long texts, of `size` places."""
    slots = np.full(size, _NOBODY, np.uint32)
    for code in range(count):
        if lengths[code] > INLINE:
            slot = np.int64(hashes[code] & np.uint64(size - 1))
            while slots[slot] != _NOBODY:
                slot = (slot + 1) & (size - 1)
            slots[slot] = code
    return slots


@kernel
def _there(valid: int, bit: int, left: int) -> Any:  # noqa: ANN401 - a word
    """Which of the next rows, 64 at most, have a text: a bit each."""
    if valid == 0:
        word: Any = ~np.uint64(0)
    elif left == _WORD and bit & 7 == 0:
        word = _word(valid + (bit >> 3))
    else:
        word = np.uint64(_byte(valid + (bit >> 3)) >> (bit & 7))
        ready = 8 - (bit & 7)
        while ready < left:
            word |= np.uint64(_byte(valid + ((bit + ready) >> 3))) << np.uint64(ready)
            ready += 8
    return word if left == _WORD else word & ((np.uint64(1) << np.uint64(left)) - np.uint64(1))


@kernel
def numbered(chunks: Array, sparse: bool, rows: bool, least: int, secret: Array) -> tuple[Array, ...]:  # noqa: FBT001 - by position
    """For each text its number, and its row; of each distinct one its row, and all of them in one.

    Texts in ASCII of fewer than `least` bytes are passed over, if no `rows` are asked for.
    """
    present = 0
    if rows:
        least = 0
        for chunk in range(chunks.shape[0]):
            present += chunks[chunk, LENGTH] - max(chunks[chunk, NULLS], 0)
    codes = np.empty(present, np.uint32)
    owners = np.empty(present if sparse else 0, np.uint32)
    told, slots = np.full((_FEWEST, 3), _FREE, np.uint64), np.full(_FEWEST, _NOBODY, np.uint32)
    hashes, first = np.empty(_FEWEST, np.uint64), np.empty(_FEWEST, np.uint32)
    addresses, lengths = np.empty(_FEWEST, np.int64), np.empty(_FEWEST, np.int64)
    so_far = np.zeros(_SO_FAR, np.int64)
    while so_far[_CHUNK] < chunks.shape[0]:
        _went_on(chunks, secret, least, codes, owners, told, slots, hashes, first, addresses, lengths, so_far)
        if 2 * so_far[_VIEWS] >= told.shape[0]:
            told = _rehashed(told, secret)
        if 2 * so_far[_LONG] >= slots.shape[0]:
            slots = _resettled(hashes, lengths, so_far[_COUNT], 4 * slots.shape[0])
        if so_far[_COUNT] == hashes.shape[0]:
            size = 4 * hashes.shape[0]
            hashes, first = _wider(hashes, size), _wider(first, size)
            addresses, lengths = _wider(addresses, size), _wider(lengths, size)
    count = so_far[_COUNT]
    seen = so_far[_SEEN]
    return (
        codes[:seen],
        owners[: seen if sparse else 0],
        first[:count].copy(),
        *_together(addresses[:count], lengths[:count]),
    )


@kernel
def _went_on(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one pass; a call for each step would cost more than the step
    chunks: Array, secret: Array, least: int, codes: Array, owners: Array, told: Array, slots: Array,
    hashes: Array, first: Array, addresses: Array, lengths: Array, so_far: Array,
) -> None:  # fmt: skip
    """Number texts until all are, or a table is full: to swap an array costs more in the loop than the loop.

    Two tables: one of views (`told`), whose places within the chunk tell texts apart, and one of the texts
    beyond `INLINE` bytes themselves (`slots`), asked where a view is new.
    """
    chunk, at, base, seen = so_far[_CHUNK], so_far[_AT], so_far[_BASE], so_far[_SEEN]
    views, count, long = so_far[_VIEWS], so_far[_COUNT], so_far[_LONG]
    valid: Any
    full, rows, sparse = False, codes.shape[0] > 0, owners.shape[0] > 0
    while chunk < chunks.shape[0] and not full:
        height, offset, buffers = chunks[chunk, LENGTH], chunks[chunk, OFFSET], chunks[chunk, BUFFERS]
        valid, begin = np.int64(_word(buffers)), np.int64(_word(buffers + 8))
        if chunks[chunk, NULLS] == 0:
            valid = 0
        if chunks[chunk, NULLS] == height:
            at = height
        last_one = last_other = np.uint64(0)
        code = _FREE
        while at < height and not full:
            group, left = at, min(height - at, _WORD)
            at += left
            word = _there(valid, offset + group, left)
            while word != 0:
                row = group + _lowest(word)
                word &= word - np.uint64(1)
                view = begin + 16 * (offset + row)
                one, other = _word(view), _word(view + 8)
                if one != last_one or other != last_other or code == _FREE:
                    length = np.int64(one & np.uint64(0xFFFFFFFF))
                    if length < least and length <= INLINE and (one & _HIGH_HALF) | (other & _HIGH) == 0:
                        continue
                    last_one, last_other = one, other
                    if length > INLINE:  # instead of the first four bytes, which stand with the rest as well
                        one = np.uint64(length) | (np.uint64(chunk) << np.uint64(32))
                    mixed = _mixed(one ^ secret[0], other ^ secret[1])
                    slot = np.int64(mixed & np.uint64(told.shape[0] - 1))
                    while told[slot, 2] != _FREE and not (told[slot, 0] == one and told[slot, 1] == other):
                        slot = (slot + 1) & (told.shape[0] - 1)
                    code = told[slot, 2]
                    if code == _FREE:
                        address, place = view + 4, np.int64(0)
                        if length > INLINE:
                            buffer = np.int64(other & np.uint64(0xFFFFFFFF))
                            address = np.int64(_word(buffers + 16 + 8 * buffer)) + np.int64(
                                other >> np.uint64(32)
                            )
                            mixed = _hashed(address, length, secret)
                            place = np.int64(mixed & np.uint64(slots.shape[0] - 1))
                            while slots[place] != _NOBODY:
                                known = slots[place]
                                if (
                                    hashes[known] == mixed
                                    and lengths[known] == length
                                    and _same(addresses[known], address, length)
                                ):
                                    code = np.uint64(known)
                                    break
                                place = (place + 1) & (slots.shape[0] - 1)
                        if code == _FREE:
                            code = np.uint64(count)
                            hashes[count], first[count] = mixed, base + row
                            addresses[count], lengths[count] = address, length
                            count += 1
                            if length > INLINE:
                                slots[place] = code
                                long += 1
                        told[slot, 0], told[slot, 1], told[slot, 2] = one, other, code
                        views += 1
                        full = (
                            2 * views >= told.shape[0]
                            or 2 * long >= slots.shape[0]
                            or count == hashes.shape[0]
                        )
                if rows:
                    codes[seen] = code
                    if sparse:
                        owners[seen] = base + row
                    seen += 1
                if full:
                    at = row + 1
                    break
        if at >= height:
            chunk, at, base = chunk + 1, 0, base + height
    so_far[_CHUNK], so_far[_AT], so_far[_BASE], so_far[_SEEN] = chunk, at, base, seen
    so_far[_VIEWS], so_far[_COUNT], so_far[_LONG] = views, count, long


@kernel
def _together(addresses: Array, lengths: Array) -> tuple[Array, Array, Array]:
    """The bytes of texts, and where each begins and ends."""
    ends = np.cumsum(lengths)
    data = np.empty(lengths.sum(), np.uint8)
    for one in range(addresses.shape[0]):
        begin, address = ends[one] - lengths[one], addresses[one]
        for byte in range(lengths[one]):
            data[begin + byte] = _byte(address + byte)
    return data, ends - lengths, ends


@kernel
def beyond_ascii(data: Array, starts: Array, ends: Array) -> Array:
    """Which texts have a letter beyond ASCII."""
    beyond = np.zeros(starts.shape[0], np.bool_)
    for one in range(starts.shape[0]):
        for at in range(starts[one], ends[one]):
            if data[at] >= BEYOND_ASCII:
                beyond[one] = True
                break
    return beyond
