"""The texts that JA3 and JA4 are hashes of, written byte by byte, and names as text.

JA3: https://github.com/salesforce/ja3. JA4: https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md.
"""
# ruff: noqa: PLR2004 - numbers are ASCII and those of the formats; kernels have no objects

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
_WIDE: Any = np.int64
_BACKSLASH: Final = 0x5C


@kernel
def ja4(
    data: Array,
    places: Array,
    transport: int,
    version: int,
    text: Array,
    used: int,
    scratch: Array,
) -> int:
    """JA4's text, with its second and third part as they are hashed.

    `places` are pairs: where the ciphers, the extensions, ALPN's list and the signatures begin and end.
    All of them lie in `data`, and the extensions are whole.
    """
    first, last = places[2], places[3]
    ciphers = 0
    for at in range(places[0], places[1] - 1, 2):
        if not is_grease(two(data, at)):
            scratch[ciphers] = two(data, at)
            ciphers += 1
    named, extensions = 0, 0
    at = first
    while at + 4 <= last:
        named |= two(data, at) == 0
        extensions += not is_grease(two(data, at))
        at += 4 + two(data, at + 2)
    used = _version(text, put(text, used, transport), version)
    used = put(text, used, 0x64 if named else 0x69)
    used = _two_digits(text, _two_digits(text, used, ciphers), extensions)
    used = put(text, _first_and_last(data, places[4], places[5], text, used), 0x5F)
    used = put(text, _sorted(scratch, ciphers, text, used), 0x5F)
    used = _sorted(scratch, _kinds(data, first, last, scratch), text, used)
    mark = 0x5F
    for at in range(places[6], places[7] - 1, 2):
        if not is_grease(two(data, at)):
            used = _hex(text, put(text, used, mark), two(data, at))
            mark = 0x2C
    return used


@kernel
def _kinds(data: Array, at: int, last: int, kinds: Array) -> int:
    """Collect types of extensions without those of the name and of ALPN; gives their count."""
    count = 0
    while at + 4 <= last:
        kind = two(data, at)
        if kind != 0 and kind != 16 and not is_grease(kind):  # noqa: PLR1714 - a set costs
            kinds[count] = kind
            count += 1
        at += 4 + two(data, at + 2)
    return count


@kernel
def _version(text: Array, used: int, version: int) -> int:
    if 0x0301 <= version <= 0x0304:
        return put(text, put(text, used, 0x31), 0x30 + version - 0x0301)
    if version == 0x0300:
        return put(text, put(text, used, 0x73), 0x33)
    if version == 0x0002:
        return put(text, put(text, used, 0x73), 0x32)
    if version == 0xFEFF:
        return put(text, put(text, used, 0x64), 0x31)
    if version == 0xFEFD or version == 0xFEFC:  # noqa: PLR1714
        return put(text, put(text, used, 0x64), 0x32 if version == 0xFEFD else 0x33)
    return put(text, put(text, used, 0x30), 0x30)


@kernel
def _first_and_last(data: Array, at: int, end: int, text: Array, used: int) -> int:
    """Two characters of ALPN's first protocol: of its hexadecimal form if they are no letters or digits."""
    size = one(data, at) if at < end else 0
    if size == 0 or at + 1 + size > end:
        return put(text, put(text, used, 0x30), 0x30)
    first, last = one(data, at + 1), one(data, at + size)
    if _is_alphanumeric(first) and _is_alphanumeric(last):
        return put(text, put(text, used, first), last)
    return put(text, put(text, used, _HEX[first >> 4]), _HEX[last & 15])


@kernel
def _is_alphanumeric(byte: int) -> bool:
    return 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A


@kernel
def _sorted(values: Array, count: int, text: Array, used: int) -> int:
    """Write numbers in order, in hexadecimal, with commas. Shell's sort: lists are short, but hostile."""
    gap = count // 2
    while gap:
        for place in range(gap, count):
            value = values[place]
            k = place
            while k >= gap and values[k - gap] > value:
                values[k] = values[k - gap]
                k -= gap
            values[k] = value
        gap //= 2
    for place in range(count):
        if place:
            used = put(text, used, 0x2C)
        used = _hex(text, used, values[place])
    return used


@kernel
def types(data: Array, at: int, last: int, text: Array, used: int) -> int:
    """Types of extensions, in the order they come."""
    begun = used
    while at + 4 <= last:
        kind = two(data, at)
        if not is_grease(kind):
            used = number(text, used if used == begun else put(text, used, 0x2D), kind)
        at += 4 + two(data, at + 2)
    return used


@kernel
def numbers(data: Array, at: int, end: int, width: int, text: Array, used: int) -> int:
    """Numbers of one or two bytes, in the order they come."""
    begun = used
    while at + width <= end:
        value = two(data, at) if width == 2 else one(data, at)
        if width == 1 or not is_grease(value):
            used = number(text, used if used == begun else put(text, used, 0x2D), value)
        at += width
    return used


@kernel
def lines(data: Array, at: int, end: int, text: Array, used: int) -> int:
    """Names with their lengths before them, a line each."""
    begun = used
    while at < end and at + 1 + one(data, at) <= end:
        behind = at + 1 + one(data, at)
        if behind > at + 1:
            used = escaped(data, at + 1, behind, text, used if used == begun else put(text, used, 0x0A))
        at = behind
    return used


@kernel
def escaped(data: Array, at: int, end: int, text: Array, used: int) -> int:
    r"""What is not printable ASCII as `\x00`."""
    for k in range(at, end):
        byte = one(data, k)
        if 0x20 < byte < 0x7F:
            used = put(text, used, byte)
        else:
            used = put(text, put(text, used, _BACKSLASH), 0x78)
            used = put(text, put(text, used, _HEX[byte >> 4]), _HEX[byte & 15])
    return used


@kernel
def is_grease(value: int) -> bool:
    """Values of RFC 8701, which are there to be ignored."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


@kernel
def one(data: Array, at: int) -> int:
    """A byte, with room to count: of numbers without a sign kernels make floats."""
    wide: int = _WIDE(data[at])
    return wide


@kernel
def two(data: Array, at: int) -> int:
    """Two bytes, most significant first."""
    return (one(data, at) << 8) | one(data, at + 1)


@kernel
def put(text: Array, used: int, byte: int) -> int:
    """Write a byte; gives the place behind it."""
    text[used] = byte
    return used + 1


@kernel
def number(text: Array, used: int, value: int) -> int:
    """Write a number, decimal."""
    digits = 1
    scale = 10
    while value >= scale:
        scale *= 10
        digits += 1
    for k in range(digits):
        text[used + digits - 1 - k] = 0x30 + value % 10
        value //= 10
    return used + digits


@kernel
def _two_digits(text: Array, used: int, value: int) -> int:
    value = min(value, 99)
    return put(text, put(text, used, 0x30 + value // 10), 0x30 + value % 10)


@kernel
def _hex(text: Array, used: int, value: int) -> int:
    for shift in (12, 8, 4, 0):
        text[used] = _HEX[(value >> shift) & 15]
        used += 1
    return used
