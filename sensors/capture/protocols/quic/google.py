"""Google's own: the client hello of its first QUIC, and what its later clients say of themselves.

"QUIC Crypto" (Langley and Chang, 2016): a CHLO is a table of four-letter tags. Up to version Q049 it lies in
the open, behind a header that changed with the versions. Later clients name themselves in a transport
parameter, 0x3129 (Chromium's `transport_parameters.cc`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.quic.packets import number
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

# Columns of what is found, spans of two: server name, user agent, version (of the header, four letters).
NAME: Final = 0
AGENT: Final = 2
WIDTH: Final = 4

PUBLIC: Final = 9  # where the version begins behind flags and a connection id
_FLAGS: Final = 0x8B  # of the flags: not the standard's, an id of 8 bytes, no reset, a version
_FLAGS_SET: Final = 0x09
_NEAR: Final = 96  # bytes before a CHLO at most: header, check, frame
_CHLO: Final = np.frombuffer(b"CHLO", np.uint8)
_TAGS: Final = 256
_PARAMETERS: Final = 0x39
_PARAMETERS_DRAFT: Final = 0xFFA5
_USER_AGENT: Final = 0x3129
_SNI: Final = int.from_bytes(b"SNI\0")
_UAID: Final = int.from_bytes(b"UAID")


def public(datagrams: Datagrams) -> Array:
    """Which are of the versions before the standard's header (Q043 and older): a mask."""
    flags = datagrams.byte(0)
    fits: Array = (flags >= 0) & ((flags & _FLAGS) == _FLAGS_SET) & datagrams.begins(b"Q0", PUBLIC)
    for digit in (PUBLIC + 2, PUBLIC + 3):
        fits &= (datagrams.byte(digit) >= ord("0")) & (datagrams.byte(digit) <= ord("9"))
    return fits


def hellos(data: Array, starts: Array, ends: Array) -> Array:
    """The names in a CHLO near the beginning of each row: spans in `data`, `WIDTH` columns, -1 for none."""
    found = np.full((len(starts), WIDTH), -1, np.int64)
    tags(data, starts, ends, found)
    return found


def agents(data: Array, starts: Array, ends: Array) -> Array:
    """The user agent in the transport parameters of each TLS client hello: spans as `hellos` gives them."""
    found = np.full((len(starts), WIDTH), -1, np.int64)
    parameters(data, starts, ends, found)
    return found


def span(found: Array, column: int) -> tuple[Array, Array]:
    """A column of what was found as starts and ends; -1 where it is empty."""
    starts, ends = found[:, column], found[:, column + 1]
    return np.where(ends > starts, starts, -1), ends


@kernel
def tags(data: Array, starts: Array, ends: Array, found: Array) -> None:
    """Write the spans of the tags that matter."""
    for row in range(len(starts)):
        end = ends[row]
        at = _near(data, starts[row], min(starts[row] + _NEAR, end - 8))
        count = int(data[at + 4]) | int(data[at + 5]) << 8 if at >= 0 else _TAGS + 1
        if count > _TAGS:
            continue
        values = at + 8 + 8 * count
        begin = 0
        for entry in range(at + 8, min(values, end - 7), 8):
            tag, behind = 0, 0
            for place in range(4):
                tag = (tag << 8) | int(data[entry + place])
                behind |= int(data[entry + 4 + place]) << (8 * place)
            if behind < begin or values + behind > end:
                break
            if tag in (_SNI, _UAID):
                column = NAME if tag == _SNI else AGENT
                found[row, column], found[row, column + 1] = values + begin, values + behind
            begin = behind


@kernel
def _near(data: Array, at: int, last: int) -> int:
    """Where the hello begins, before `last`; -1 if it does not."""
    for place in range(at, last):
        same = True
        for k in range(4):
            same &= data[place + k] == _CHLO[k]
        if same:
            return place
    return -1


@kernel
def parameters(data: Array, starts: Array, ends: Array, found: Array) -> None:
    """Write the span of the user agent."""
    for row in range(len(starts)):
        at, end = _extensions(data, starts[row], ends[row]), ends[row]
        while at + 4 <= end:
            kind = int(data[at]) << 8 | int(data[at + 1])
            behind = at + 4 + (int(data[at + 2]) << 8 | int(data[at + 3]))
            if kind in (_PARAMETERS, _PARAMETERS_DRAFT):
                _agent(data, at + 4, min(behind, end), found[row])
            at = behind


@kernel
def _agent(data: Array, at: int, end: int, found: Array) -> None:
    while at < end:
        name, at = number(data, at, end)
        size, at = number(data, at, end)
        if name < 0 or size < 0 or size > end - at:
            break
        if name == _USER_AGENT:
            found[AGENT], found[AGENT + 1] = at, at + size
        at += size


@kernel
def _extensions(data: Array, start: int, end: int) -> int:
    """Where the extensions of a client hello begin; `end` where there are none."""
    at = start + 38  # type, length, version, random
    if at >= end or data[start] != 1:
        return end
    at += 1 + int(data[at])
    if at + 2 > end:
        return end
    at += 2 + (int(data[at]) << 8 | int(data[at + 1]))
    if at >= end:
        return end
    return at + 3 + int(data[at])
