"""Hellos of TLS taken apart (RFC 8446, section 4.1; RFC 5246, section 7.4.1; RFC 6347, section 4.2.1).

A walk writes numbers and text: what fingerprints are made of is written out as JA3
(https://github.com/salesforce/ja3) and JA4 (https://github.com/FoxIO-LLC/ja4) want it before hashing.
"""
# ruff: noqa: PLR2004, C901, FBT001 - numbers are those of the RFCs; kernels have no objects

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.tls.texts import (
    escaped,
    is_grease,
    ja4,
    lines,
    number,
    numbers,
    one,
    put,
    two,
    types,
)
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2

# Columns of the numbers found. Texts are two columns, where they start and end in what was written.
FITS: Final = 0
WHOLE: Final = 1  # read to its end: only then is there a fingerprint
VERSION: Final = 2  # of the message
HIGHEST: Final = 3  # offered, or chosen, by the extension; else as VERSION
NAME: Final = 4  # and 5
NEXT: Final = 6  # and 7: protocols of ALPN, a line each
RAW: Final = 8  # and 9: text of JA3 or JA3S
RAW4: Final = 10  # and 11: text of JA4
SESSION: Final = 12  # and 13: in the bytes given
ECH: Final = 14
CIPHER: Final = 15  # chosen
GROUP: Final = 16  # chosen, -1 where none
TICKET: Final = 17  # a session ticket, not an empty one
PRE_SHARED: Final = 18
RETRY: Final = 19
WIDTH: Final = 20

ROOM: Final = 6  # bytes written for one read, at most
ROOM_EACH: Final = 96

# Places in a message, from and to. `texts.ja4` takes the first four as they stand.
_CIPHERS: Final = 0
_TYPES: Final = 2
_NEXT: Final = 4
_SIGNATURES: Final = 6
_NAME: Final = 8
_GROUPS: Final = 10
_FORMATS: Final = 12
_VERSIONS: Final = 14
_SHARE: Final = 16
_PLACES: Final = 18

_COMMA: Final = 0x2C
_DTLS: Final = 0x64  # d
_RETRY: Final = np.frombuffer(
    bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"), np.uint8
)


@kernel
def read(
    data: Array, starts: Array, ends: Array, kind: int, transport: Array, found: Array, text: Array
) -> int:
    """Take messages apart that begin with their type and length; gives how much of `text` was written.

    Args:
        data: bytes, UInt8.
        starts: where each message begins, Int64.
        ends: where what is at hand of it ends, or later.
        kind: `CLIENT_HELLO` or `SERVER_HELLO`; others do not fit.
        transport: t, q or d (JA4's letters) for each message, UInt8.
        found: numbers, a row a message, `WIDTH` columns, Int64, zero.
        text: room for `ROOM` bytes for each byte, and `ROOM_EACH` for each message.
    """
    scratch = np.empty(1 << 15, np.int64)
    used = 0
    for row in range(len(starts)):
        start, end = starts[row], ends[row]
        if end - start < 4 or data[start] != kind:
            continue
        behind = start + 4 + (one(data, start + 1) << 16) + two(data, start + 2)
        found[row, WHOLE] = behind <= end
        end = min(behind, end)
        if kind == CLIENT_HELLO:
            used = _client(data, start + 4, end, transport[row], found[row], text, used, scratch)
        else:
            used = _server(data, start + 4, end, found[row], text, used)
    return used


@kernel
def _client(
    data: Array, at: int, end: int, transport: int, found: Array, text: Array, used: int, scratch: Array
) -> int:
    places = np.zeros(_PLACES, np.int64)
    at = _offer(data, at, end, transport == _DTLS, found, places)
    if not found[FITS]:
        return used
    _extensions(data, at, end, found, places)
    _versions(data, places[_VERSIONS], places[_VERSIONS + 1], found)
    found[NAME] = used
    used = found[NAME + 1] = escaped(data, places[_NAME], places[_NAME + 1], text, used)
    found[NEXT] = used
    used = found[NEXT + 1] = lines(data, places[_NEXT], places[_NEXT + 1], text, used)
    if not found[WHOLE]:
        return used
    found[RAW] = used
    used = number(text, used, found[VERSION])
    used = numbers(data, places[_CIPHERS], places[_CIPHERS + 1], 2, text, put(text, used, _COMMA))
    used = types(data, places[_TYPES], places[_TYPES + 1], text, put(text, used, _COMMA))
    used = numbers(data, places[_GROUPS], places[_GROUPS + 1], 2, text, put(text, used, _COMMA))
    used = numbers(data, places[_FORMATS], places[_FORMATS + 1], 1, text, put(text, used, _COMMA))
    found[RAW + 1] = found[RAW4] = used
    used = found[RAW4 + 1] = ja4(data, places, transport, found[HIGHEST], text, used, scratch)
    return used


@kernel
def _offer(data: Array, at: int, end: int, is_dtls: bool, found: Array, places: Array) -> int:
    """What is before the extensions; gives the place behind it."""
    at = _head(data, at, end, found)
    if at < 0:
        return end
    if is_dtls and at < end:
        at += 1 + one(data, at)  # the cookie
    if at + 2 > end:
        found[WHOLE] = 0
        return end
    size = two(data, at)
    if size & 1:
        found[FITS] = 0
        return end
    behind = at + 2 + size
    if behind + 1 > end:
        found[WHOLE] = 0
        return end
    _span(places, _CIPHERS, at + 2, behind)
    return behind + 1 + one(data, behind)


@kernel
def _server(data: Array, at: int, end: int, found: Array, text: Array, used: int) -> int:
    random = at + 2
    early = at + 34 <= end and data[at] == 0x7F and data[at + 1] < 22  # drafts of TLS 1.3
    if early:
        found[VERSION] = found[HIGHEST] = two(data, at)
        at += 34
    else:
        at = _head(data, at, end, found)
    found[FITS] = at >= 0 and at + 2 <= end  # a server that has chosen nothing has said nothing
    if not found[FITS]:
        return used
    found[CIPHER] = two(data, at)
    found[RETRY] = 1
    for k in range(len(_RETRY)):
        found[RETRY] &= data[random + k] == _RETRY[k]
    places = np.zeros(_PLACES, np.int64)
    _extensions(data, at + (2 if early else 3), end, found, places)
    if places[_VERSIONS + 1] - places[_VERSIONS] == 2:
        found[HIGHEST] = two(data, places[_VERSIONS])
    share = places[_SHARE]
    found[GROUP] = two(data, share) if places[_SHARE + 1] - share >= 2 else -1
    found[NEXT] = used
    used = found[NEXT + 1] = lines(data, places[_NEXT], places[_NEXT + 1], text, used)
    if not found[WHOLE]:
        return used
    found[RAW] = used
    used = number(text, used, found[VERSION])
    used = number(text, put(text, used, _COMMA), found[CIPHER])
    used = types(data, places[_TYPES], places[_TYPES + 1], text, put(text, used, _COMMA))
    found[RAW + 1] = used
    return used


@kernel
def _head(data: Array, at: int, end: int, found: Array) -> int:
    """Version, random and session; gives the place behind them, or -1 where they are none."""
    if at + 35 > end:
        return -1
    version = two(data, at)
    size = one(data, at + 34)
    major = version >> 8
    # TLCP (GB/T 38636) says 1.1, DTLS before it was a standard 1.0.
    odd = version == 0x0100 or version == 0x0101  # noqa: PLR1714 - a set costs
    known = major == 3 or major >= 0xFE or major == 0x7F or major == 0x7E or odd  # noqa: PLR1714
    if not known or size > 32 or at + 35 + size > end:
        return -1
    found[FITS] = 1
    found[VERSION] = found[HIGHEST] = version
    found[SESSION] = at + 35
    found[SESSION + 1] = at + 35 + size
    return at + 35 + size


@kernel
def _extensions(data: Array, at: int, end: int, found: Array, places: Array) -> None:
    """Where extensions lie that say something; a message may end without any."""
    stop = at
    if at + 2 <= end:
        at += 2
        stop = at + two(data, at - 2)
    if stop > end:
        found[WHOLE] = 0
        stop = end
    first = at
    while at + 4 <= stop:
        behind = at + 4 + two(data, at + 2)
        if behind > stop:
            break
        _extension(data, two(data, at), at + 4, behind, found, places)
        at = behind
    if at < stop:
        found[WHOLE] = 0
    _span(places, _TYPES, first, at)


@kernel
def _extension(data: Array, kind: int, body: int, behind: int, found: Array, places: Array) -> None:
    size = behind - body
    if kind == 0 and size >= 5:
        _span(places, _NAME, body + 5, min(body + 5 + two(data, body + 3), behind))
    elif kind == 10 and size >= 2:
        _span(places, _GROUPS, body + 2, min(body + 2 + two(data, body), behind))
    elif kind == 11 and size >= 1:
        _span(places, _FORMATS, body + 1, min(body + 1 + one(data, body), behind))
    elif kind == 13 and size >= 2:
        _span(places, _SIGNATURES, body + 2, min(body + 2 + two(data, body), behind))
    elif kind == 16 and size >= 2:
        _span(places, _NEXT, body + 2, min(body + 2 + two(data, body), behind))
    elif kind == 43 and size == 2:
        _span(places, _VERSIONS, body, behind)
    elif kind == 43 and size >= 1:
        _span(places, _VERSIONS, body + 1, min(body + 1 + one(data, body), behind))
    elif kind == 51:
        _span(places, _SHARE, body, behind)
    elif kind == 35:
        found[TICKET] = size > 0
    elif kind == 41:
        found[PRE_SHARED] = 1
    elif kind == 0xFE0D or kind == 0xFFCE:  # noqa: PLR1714 - a set costs
        found[ECH] = 1


@kernel
def _span(places: Array, which: int, start: int, end: int) -> None:
    """Keep a place, the first of its kind."""
    if places[which + 1] == 0:
        places[which] = start
        places[which + 1] = end


@kernel
def _versions(data: Array, at: int, end: int, found: Array) -> None:
    """The highest version offered; those of DTLS count downwards."""
    best = 0
    while at + 2 <= end:
        version = two(data, at)
        if not is_grease(version):
            down = version >= 0xFE00
            better = version < best if down and best >= 0xFE00 else version > best
            if better:
                best = version
        at += 2
    if best:
        found[HIGHEST] = best
