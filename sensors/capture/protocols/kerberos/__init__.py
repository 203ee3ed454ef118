"""Kerberos 5 (RFC 4120) over UDP and TCP: who asked for a ticket, to what, and whether there was one.

A question and its answer are one event, at the place of the question, as Zeek's kerberos.log has them.
Tickets and what is encrypted are not looked into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.conversations import CLIENT, SERVER, Datagrams, OverTcp, OverUdp, Streams
from sensors.capture.protocols.kerberos import exchanges

if TYPE_CHECKING:
    import polars as pl

    from sensors.capture.conversations import Array

_PREFIX: Final = 4  # bytes of length before each message over TCP (RFC 4120, 7.2.2)
_LARGEST: Final = 1 << 20
_MOST: Final = 64  # messages looked at in one direction of a stream
_KINDS: Final = {  # tag: where it says which kind of message it is (field), and what it says
    0x6A: (0xA1, 10),
    0x6B: (0xA0, 11),
    0x6C: (0xA1, 12),
    0x6D: (0xA0, 13),
    0x7E: (0xA0, 30),
}


def _begins(data: Array, starts: Array, ends: Array) -> Array:
    """The tag of the message at each place, 0 where there is none: all begin with the same fields."""
    kinds = np.zeros(len(starts), np.int64)
    rows = np.flatnonzero(starts + 12 <= ends)
    rows = rows[np.isin(data[starts[rows]], list(_KINDS))]
    at, fits = _inside(data, starts[rows], ends[rows])
    rows, at = rows[fits], at[fits]
    sequence = data[at] == 0x30  # noqa: PLR2004
    rows, at = rows[sequence], at[sequence]
    at, fits = _inside(data, at, ends[rows])
    fits &= at + 10 <= ends[rows]
    rows, at = rows[fits], at[fits]
    for tag, (field, kind) in _KINDS.items():
        said = (field, 3, 2, 1, 5, field + 1, 3, 2, 1, kind)
        mine = data[starts[rows]] == tag
        for offset, byte in enumerate(said):
            mine &= data[at + offset] == byte
        kinds[rows[mine]] = tag
    return kinds


def _inside(data: Array, at: Array, ends: Array) -> tuple[Array, Array]:
    """Where the contents of elements begin, and which of them have any before `ends`."""
    size = data[at + 1].astype(np.int64)
    inside = at + 2 + np.where(size & 0x80, size & 0x7F, 0)
    return inside, (size <= 0x84) & (size != 0x80) & (inside + 2 <= ends)  # noqa: PLR2004


def _lengths(data: Array, starts: Array, ends: Array) -> Array:
    """What stands before messages over TCP; 0 where too little is there."""
    lengths = np.zeros(len(starts), np.int64)
    rows = np.flatnonzero(starts + _PREFIX <= ends)
    for k in range(_PREFIX):
        lengths[rows] = lengths[rows] << 8 | data[starts[rows] + k]
    return lengths


def _fits_tcp(streams: Streams) -> Array:
    fits = np.zeros(len(streams), np.bool_)
    for side in (CLIENT, SERVER):
        starts, ends = streams.starts[:, side], streams.ends[:, side]
        rows = np.flatnonzero(streams.byte(side, 0) == 0)
        length = _lengths(streams.data, starts[rows], ends[rows])
        kinds = _begins(streams.data, starts[rows] + _PREFIX, ends[rows])
        fits[rows] |= (kinds > 0) & (length > 0) & (length < _LARGEST)
    return fits


def _events_tcp(streams: Streams) -> pl.DataFrame:
    parts: list[tuple[Array, ...]] = []
    for side in (CLIENT, SERVER):
        starts, ends = streams.starts[:, side], streams.ends[:, side]
        rows, at = np.arange(len(streams)), starts.copy()
        for _ in range(_MOST):
            behind = at + _PREFIX + _lengths(streams.data, at, ends[rows])
            kinds = _begins(streams.data, at + _PREFIX, ends[rows])
            there = kinds > 0
            rows, at, behind, kinds = rows[there], at[there], behind[there], kinds[there]
            if not len(rows):
                break
            sides = np.full(len(rows), side, np.int64)
            cut = np.minimum(behind, ends[rows])
            parts.append((rows, sides, at - starts[rows], kinds, at + _PREFIX, cut))
            at = behind
            ends = ends.copy()
    row, side_of, place, kind, start, end = _joined(parts, 6)
    order = np.lexsort((place, side_of, row))
    row, side_of, place, kind = row[order], side_of[order], place[order], kind[order]
    found = exchanges.Messages(row, side_of, place, kind, start[order], end[order])
    return exchanges.events(streams.data, found, exchanges.by_number(found))


def _joined(parts: list[tuple[Array, ...]], width: int) -> tuple[Array, ...]:
    if not parts:
        return tuple(np.empty(0, np.int64) for _ in range(width))
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _fits_udp(datagrams: Datagrams) -> Array:
    return _begins(datagrams.data, datagrams.starts, datagrams.ends) > 0


def _events_udp(datagrams: Datagrams) -> pl.DataFrame:
    kinds = _begins(datagrams.data, datagrams.starts, datagrams.ends)
    row = np.flatnonzero(kinds)
    nowhere = np.zeros(len(row), np.int64)
    found = exchanges.Messages(
        row, datagrams.side[row], nowhere, kinds[row], datagrams.starts[row], datagrams.ends[row]
    )
    pairs = exchanges.by_order(found, datagrams.flow[row])
    return exchanges.events(datagrams.data, found, pairs, datagrams=True)


PROTOCOLS: Final = (
    OverTcp("kerberos", _fits_tcp, _events_tcp),
    OverUdp("kerberos", _fits_udp, _events_udp, frozenset({88})),
)
