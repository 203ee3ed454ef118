"""Compiled: the data of resource records, written as zone files have it, by the layout of their type.

A layout is a few letters (`codes.toml`): `1 2 4` numbers of so many bytes; `a A` an address; `n` a name;
`s` a string in quotes, `u` one without; `q` the rest in quotes; `r` the rest as text; `t` strings to the end;
`y` a string as hex; `h` the rest as hex; `v` parameters of SVCB (RFC 9460). `*` says that the item before it
is what the record is about, where that is not all of it.
"""

# ruff: noqa: PLR2004, FBT003, PLR0911, C901 - compiled: numbers are the format's own, tables come as arguments

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

from sensors.capture.packet import be16
from sensors.capture.protocols.dns.names import put_name
from sensors.capture.protocols.dns.printable import put, put_hex, put_ipv4, put_ipv6, put_number

if TYPE_CHECKING:
    from sensors.capture.protocols.dns.printable import Array

_ONE, _TWO, _FOUR, _IPV4, _IPV6, _NAME = 49, 50, 52, 97, 65, 110  # the letters' codes
_STRING, _WORD, _QUOTED, _REST, _TEXTS, _SALT = 115, 117, 113, 114, 116, 121
_HEX, _PARAMETERS, _MAIN, _GENERIC = 104, 118, 42, 103
_SPACE, _QUOTE, _LINE, _HASH, _BACKSLASH, _EQUALS, _COMMA = 0x20, 0x22, 0x0A, 0x23, 0x5C, 0x3D, 0x2C
_FULL = 255  # a string of this length goes on in the next one
_HEX_MOST = 256
_ALPN, _PORT, _HINTS4, _ECH, _HINTS6 = 1, 3, 4, 5, 6


@njit(cache=True, nogil=True)
def put_record(
    data: Array, start: int, end: int, at: int, stop: int, layout: Array, text: Array, used: int
) -> tuple[int, int, int]:
    """Append the data from `at` to `stop` of a record of the message from `start` to `end`.

    Returns:
        The length of the text; where in it that begins and ends which the record is about. Nothing is
        appended if the data does not have the layout.
    """
    first, item_at, main_at, main_end = used, used, used, -1
    for index in range(len(layout)):
        letter = int(layout[index])
        if letter == 0:
            break
        if letter == _MAIN:
            main_at, main_end = item_at, used
            continue
        if used > first and at < stop:
            text[used] = _SPACE
            used += 1
        item_at = used
        at, used = _item(data, start, end, at, stop, letter, text, used)
        if at < 0:
            return first, first, first
    return used, main_at, used if main_end < 0 else main_end


@njit(cache=True, nogil=True)
def _item(
    data: Array, start: int, end: int, at: int, stop: int, letter: int, text: Array, used: int
) -> tuple[int, int]:
    """Append one item; where the next one begins (-1: it does not fit), and the text's length."""
    if letter == _NAME:
        after, used = put_name(data, start, end, at, text, used)
        return (after if after <= stop else -1), used
    if letter in (_ONE, _TWO, _FOUR):
        size = letter - 48
        if at + size > stop:
            return -1, used
        value = 0
        for index in range(size):
            value = (value << 8) | int(data[at + index])
        return at + size, put_number(text, used, value)
    if letter == _IPV4:
        return (-1, used) if stop - at != 4 else (stop, put_ipv4(text, used, data, at))
    if letter == _IPV6:
        return (-1, used) if stop - at != 16 else (stop, put_ipv6(text, used, data, at))
    if letter in (_STRING, _WORD, _SALT):
        return _string(data, at, stop, letter, text, used)
    if letter == _TEXTS:
        return _strings(data, at, stop, text, used)
    if letter == _PARAMETERS:
        return _parameters(data, at, stop, text, used)
    return stop, _rest(data, at, stop, letter, text, used)


@njit(cache=True, nogil=True)
def _rest(data: Array, at: int, stop: int, letter: int, text: Array, used: int) -> int:
    """Append all that is left, in quotes, as text, as hex, or as RFC 3597 has what is not known."""
    if letter == _QUOTED:
        text[used] = _QUOTE
        used = put(text, used + 1, data, at, stop, False)
        text[used] = _QUOTE
        return used + 1
    if letter == _REST:
        return put(text, used, data, at, stop, False)
    if letter == _GENERIC:
        text[used], text[used + 1], text[used + 2] = _BACKSLASH, _HASH, _SPACE
        used = put_number(text, used + 3, stop - at)
        text[used] = _SPACE
        used += 1
    return put_hex(text, used, data, at, min(stop, at + _HEX_MOST))


@njit(cache=True, nogil=True)
def _string(data: Array, at: int, stop: int, letter: int, text: Array, used: int) -> tuple[int, int]:
    """Append a string with its length before it: in quotes, as it is, or as hex (`-` if there is none)."""
    if at >= stop or at + 1 + int(data[at]) > stop:
        return -1, used
    begin, after = at + 1, at + 1 + int(data[at])
    if letter == _SALT:
        if begin == after:
            text[used] = 0x2D
            return after, used + 1
        return after, put_hex(text, used, data, begin, after)
    if letter == _WORD:
        return after, put(text, used, data, begin, after, False)
    text[used] = _QUOTE
    used = put(text, used + 1, data, begin, after, False)
    text[used] = _QUOTE
    return after, used + 1


@njit(cache=True, nogil=True)
def _strings(data: Array, at: int, stop: int, text: Array, used: int) -> tuple[int, int]:
    """Append strings, a line each; what had to be cut for its length alone is put together again."""
    first, before = used, _FULL
    while at < stop:
        size = int(data[at])
        if at + 1 + size > stop:
            return -1, used
        if used > first and before != _FULL and size:
            text[used] = _LINE
            used += 1
        used = put(text, used, data, at + 1, at + 1 + size, False)
        at, before = at + 1 + size, size or before
    return stop, used


@njit(cache=True, nogil=True)
def _parameters(data: Array, at: int, stop: int, text: Array, used: int) -> tuple[int, int]:
    """Append the parameters of a service binding as `key=value`."""
    first = used
    while at < stop:
        if at + 4 > stop or at + 4 + be16(data, at + 2) > stop:
            return -1, used
        key, begin = be16(data, at), at + 4
        at = begin + be16(data, at + 2)
        if used > first:
            text[used] = _SPACE
            used += 1
        used = _key(text, used, key)
        if key == _ALPN:
            place = begin
            while place < at and place + 1 + int(data[place]) <= at:
                if place > begin:
                    text[used] = _COMMA
                    used += 1
                used = put(text, used, data, place + 1, place + 1 + int(data[place]), False)
                place += 1 + int(data[place])
        elif key == _PORT and at - begin == 2:
            used = put_number(text, used, be16(data, begin))
        elif key in (_HINTS4, _HINTS6):
            size = 4 if key == _HINTS4 else 16
            for place in range(begin, at - size + 1, size):
                if place > begin:
                    text[used] = _COMMA
                    used += 1
                used = put_ipv4(text, used, data, place) if size == 4 else put_ipv6(text, used, data, place)
        else:
            used = put_hex(text, used, data, begin, min(at, begin + _HEX_MOST))
    return stop, used


@njit(cache=True, nogil=True)
def _key(text: Array, used: int, key: int) -> int:
    """Append a parameter's name and `=`."""
    name = b"key"
    if key == _ALPN:
        name = b"alpn"
    elif key == _PORT:
        name = b"port"
    elif key == _HINTS4:
        name = b"ipv4hint"
    elif key == _HINTS6:
        name = b"ipv6hint"
    elif key == _ECH:
        name = b"ech"
    for index in range(len(name)):
        text[used + index] = name[index]
    used += len(name)
    if key not in (_ALPN, _PORT, _HINTS4, _HINTS6, _ECH):
        used = put_number(text, used, key)
    text[used] = _EQUALS
    return used + 1
