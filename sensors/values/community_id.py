"""The Community ID of connections, compiled: SHA-1 over the two ends of each, in base64.

The specification is https://github.com/corelight/community-id-spec, version 1, seed 0; SHA-1 is FIPS 180-4,
base64 RFC 4648. A message (seed, two addresses, protocol, a zero, two ports) fits one block of SHA-1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.compiled import kernel
from sensors.reading import text_views
from sensors.reading.machine_words import byte

if TYPE_CHECKING:
    import polars as pl

    from sensors.reading.json_scan import Array

SHORT, LONG, NONE = 0, 1, -1  # kinds of address: IPv4 (the first four of 16 bytes), IPv6, neither
_SIZES: Final = (4, 16)
_WORDS: Final = 80
_SIZE: Final = len("1:") + 28  # of an ID; 20 bytes are 28 letters
_LETTERS: Final = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
_PADDED: Final = np.uint8(0x80)
_WHOLE: Final = 0xFFFF_FFFF
_LEAST, _MOST = len("1.2.3.4"), len("255.255.255.255")
_HEAD: Final = np.uint64(0xFFFF_FFFF)
_SHIFT: Final = np.uint64(32)


def ids(
    ends: tuple[Array, Array], kinds: Array, protocols: Array, ports: tuple[Array, Array], one_way: Array
) -> pl.Series:
    """The ID of each connection, null where `kinds` says NONE.

    Args:
        ends: 16 bytes for each address, of the source and of the destination.
        kinds: of both addresses.
        protocols: by IANA's numbers.
        ports: of the source and of the destination; below 0, the message has none.
        one_way: whether the two ends must not be swapped.
    """
    known = kinds != NONE
    made = text_views.Columns([""], len(kinds), int(known.sum()) * _SIZE)
    _write(ends, kinds, protocols, ports, one_way, (made.views, made.valid, made.text))
    return made.series()[0]


def addresses(column: pl.Series) -> tuple[Array, Array, Array]:
    """For each value 16 bytes, SHORT if it is an IPv4 address, and which other values there are."""
    with text_views.laid(column) as (views, there, buffers):
        packed, kinds = _packed(views, there, buffers)
    return packed, kinds, there & (kinds == NONE)


@kernel
def _packed(views: Array, there: Array, buffers: Array) -> tuple[Array, Array]:
    packed = np.zeros((len(views), 16), np.uint8)
    kinds = np.full(len(views), NONE, np.int8)
    for row in range(len(views)):
        size = int(views[row, 0] & _HEAD)
        if not there[row] or size < _LEAST or size > _MOST:
            continue
        at = int(views.ctypes.data) + row * 16 + 4
        if size > text_views.INLINE:
            high = views[row, 1]
            at = int(buffers[high & _HEAD]) + int(high >> _SHIFT)
        if _four(at, size, packed[row]):
            kinds[row] = SHORT
    return packed, kinds


@kernel
def _four(at: int, size: int, out: Array) -> bool:
    """Write the four numbers of an IPv4 address; whether it is one, as inet_pton(3) has it."""
    part = 0
    number = -1
    for place in range(at, at + size):
        letter = int(byte(place))
        if letter == ord("."):
            if number < 0 or part == 3:  # noqa: PLR2004 - the last of four
                return False
            out[part] = number
            part += 1
            number = -1
            continue
        digit = letter - ord("0")
        if digit < 0 or digit > 9 or number == 0:  # noqa: PLR2004 - no digit, or a zero before one
            return False
        number = digit if number < 0 else number * 10 + digit
        if number > 255:  # noqa: PLR2004 - a byte
            return False
    out[part] = max(number, 0)
    return part == 3 and number >= 0  # noqa: PLR2004


@kernel
def _write(
    ends: tuple[Array, Array],
    kinds: Array,
    protocols: Array,
    ports: tuple[Array, Array],
    one_way: Array,
    cells: tuple[Array, Array, Array],
) -> None:
    """Write the IDs into `cells`, the views, bits and text of a column (`text_views.Columns`)."""
    views, valid, text = cells
    block = np.zeros(64, np.uint8)
    words = np.empty(_WORDS, np.int64)
    digest = np.zeros(21, np.uint8)
    at = 0
    for row in range(len(kinds)):
        if kinds[row] == NONE:
            continue
        size = _SIZES[kinds[row]]
        first, second = ends[0][row], ends[1][row]
        low, high = ports[0][row], ports[1][row]
        if not one_way[row] and _after(first, low, second, high, size):
            first, second, low, high = second, first, high, low
        block[:] = 0
        block[2 : 2 + size] = first[:size]
        block[2 + size : 2 + 2 * size] = second[:size]
        end = 2 + 2 * size
        block[end] = protocols[row]
        end += 2
        if low >= 0:
            block[end], block[end + 1] = low >> 8, low & 0xFF
            block[end + 2], block[end + 3] = high >> 8, high & 0xFF
            end += 4
        block[end] = _PADDED
        block[62], block[63] = (end * 8) >> 8, (end * 8) & 0xFF
        _sha1(block, words, digest)
        _spell(digest, text, at)
        text_views.put(views, valid, 0, row, text, at, at + _SIZE)
        at += _SIZE


@kernel
def _after(one: Array, port: int, two: Array, other: int, size: int) -> bool:
    """Whether an end comes after another: by address, then by port."""
    for k in range(size):
        if one[k] != two[k]:
            return bool(one[k] > two[k])
    return port > other


@kernel
def _rolled(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (32 - bits))) & _WHOLE


@kernel
def _sha1(block: Array, words: Array, digest: Array) -> None:
    """SHA-1 of one block, padded already, into the first 20 bytes of `digest`."""
    for k in range(16):
        at = 4 * k
        words[k] = (
            np.int64(block[at]) << 24
            | np.int64(block[at + 1]) << 16
            | np.int64(block[at + 2]) << 8
            | np.int64(block[at + 3])
        )
    for k in range(16, _WORDS):
        words[k] = _rolled(words[k - 3] ^ words[k - 8] ^ words[k - 14] ^ words[k - 16], 1)
    a, b, c, d, e = 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0
    for k in range(_WORDS):
        if k < 20:  # noqa: PLR2004 - four rounds of twenty
            mixed, constant = (b & c) | (~b & d), 0x5A827999
        elif k < 40:  # noqa: PLR2004
            mixed, constant = b ^ c ^ d, 0x6ED9EBA1
        elif k < 60:  # noqa: PLR2004
            mixed, constant = (b & c) | (b & d) | (c & d), 0x8F1BBCDC
        else:
            mixed, constant = b ^ c ^ d, 0xCA62C1D6
        a, b, c, d, e = (
            (_rolled(a, 5) + (mixed & _WHOLE) + e + words[k] + constant) & _WHOLE,
            a,
            _rolled(b, 30),
            c,
            d,
        )
    _spread(digest, 0, a + 0x67452301)
    _spread(digest, 4, b + 0xEFCDAB89)
    _spread(digest, 8, c + 0x98BADCFE)
    _spread(digest, 12, d + 0x10325476)
    _spread(digest, 16, e + 0xC3D2E1F0)


@kernel
def _spread(out: Array, at: int, word: int) -> None:
    out[at], out[at + 1] = (word >> 24) & 0xFF, (word >> 16) & 0xFF
    out[at + 2], out[at + 3] = (word >> 8) & 0xFF, word & 0xFF


@kernel
def _spell(digest: Array, text: Array, at: int) -> None:
    """Write `1:` and the digest in base64; `digest` has a 21st byte, zero."""
    text[at], text[at + 1] = ord("1"), ord(":")
    at += 2
    for k in range(0, 21, 3):
        three = np.int64(digest[k]) << 16 | np.int64(digest[k + 1]) << 8 | np.int64(digest[k + 2])
        for letter in range(4):
            text[at + letter] = _LETTERS[(three >> (18 - 6 * letter)) & 0x3F]
        at += 4
    text[at - 1] = ord("=")
