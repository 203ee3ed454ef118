"""Compiled: the data of resource records, written as zone files have it, by the layout of their type.

A layout is a few letters (`codes.toml`): `1 2 4` numbers of so many bytes; `a A` an address; `n` a name;
`s` a string in quotes, `u` one without; `q` the rest in quotes; `r` the rest as text; `t` strings to the end;
`y` a string as hex; `h` the rest as hex; `v` parameters of SVCB (RFC 9460). `*` says that the item before it
is what the record is about, where that is not all of it.
"""

# ruff: noqa: C901 - compiled: numbers are the format's own, tables come as arguments

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensors.capture.packet import be16
from sensors.capture.protocols.dns.names import put_name
from sensors.capture.protocols.dns.printable import (
    BYTES,
    HEX,
    IPV4,
    IPV6,
    LINES,
    LONGS,
    STRINGS,
    TEXT,
    WORDS,
    put_as,
    put_number,
)  # fmt: skip
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.protocols.dns.printable import Array

_ONE, _TWO, _FOUR, _IPV4, _IPV6, _NAME = 49, 50, 52, 97, 65, 110  # the letters' codes
_STRING, _WORD, _QUOTED, _TEXTS, _SALT = 115, 117, 113, 116, 121
_HEX, _PARAMETERS, _MAIN, _GENERIC = 104, 118, 42, 103
_SPACE, _QUOTE, _HASH, _BACKSLASH, _EQUALS, _DASH = 0x20, 0x22, 0x23, 0x5C, 0x3D, 0x2D
_HEX_MOST = 256
# Keys of SVCB's parameters by number, and how their values are written; of others as the first.
_KEYS = np.frombuffer(b"key     alpn    key     port    ipv4hintech     ipv6hint", np.uint8).reshape(-1, 8)
_FORMS = (HEX, STRINGS, HEX, WORDS, IPV4, HEX, IPV6)


@kernel
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


@kernel
def _item(
    data: Array, start: int, end: int, at: int, stop: int, letter: int, text: Array, used: int
) -> tuple[int, int]:
    """Append one item; where the next one begins (-1: it does not fit), and the text's length."""
    if letter == _NAME:
        after, used = put_name(data, start, end, at, text, used)
        return (after if after <= stop else -1), used
    if letter == _PARAMETERS:
        return _parameters(data, at, stop, text, used)
    begin, after, form = at, stop, TEXT
    if letter in (_ONE, _TWO, _FOUR):
        after = at + letter - 48
        form = BYTES if letter == _ONE else WORDS if letter == _TWO else LONGS
    elif letter in (_STRING, _WORD, _SALT):
        begin, after = at + 1, at + 1 + (int(data[at]) if at < stop else 0)
        form = HEX if letter == _SALT else TEXT
    elif letter in (_IPV4, _IPV6):
        form, size = (IPV4, 4) if letter == _IPV4 else (IPV6, 16)
        after = stop if stop - at == size else stop + 1
    elif letter == _TEXTS:
        form = LINES
    elif letter in (_HEX, _GENERIC):
        form = HEX
    if after > stop:
        return -1, used
    if letter == _GENERIC:
        text[used], text[used + 1], text[used + 2] = _BACKSLASH, _HASH, _SPACE
        used = put_number(text, used + 3, stop - at)
        text[used] = _SPACE
        used += 1
    is_quoted = letter in (_STRING, _QUOTED)
    if is_quoted or (letter == _SALT and begin == after):
        text[used] = _QUOTE if is_quoted else _DASH
        used += 1
    shown = min(after, begin + _HEX_MOST) if form == HEX else after
    used = put_as(text, used, data, begin, shown, form)
    if is_quoted:
        text[used] = _QUOTE
        used += 1
    return after, used


@kernel
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
        name = _KEYS[key if key < len(_KEYS) else 0]
        for letter in name:
            if letter != _SPACE:
                text[used] = letter
                used += 1
        if name[0] == _KEYS[0, 0]:
            used = put_number(text, used, key)
        text[used] = _EQUALS
        form = _FORMS[key] if key < len(_FORMS) else HEX
        after = min(at, begin + _HEX_MOST) if form == HEX else at
        used = put_as(text, used + 1, data, begin, after, form)
    return stop, used
