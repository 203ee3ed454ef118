"""What is handed to the readers of protocols: the beginnings of TCP streams, put together, and UDP datagrams.

Bytes lie one after the other in one array; rows say where. A reader never sees packets, and needs none: what
it finds it places by `row`, `side` and `at`, from which the packet's number and time are looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[Any]

CLIENT: Final = 0
SERVER: Final = 1
HEAD: Final = 1 << 14  # bytes of each side of a TCP stream that are put together


@dataclass(frozen=True, slots=True)
class Streams:
    """The first bytes of TCP streams, a row a flow.

    Attributes:
        data: bytes, UInt8.
        starts: where what each side said begins in `data`, Int64, rows by `CLIENT` and `SERVER`.
        ends: the place behind it; `starts` where it said nothing, or what it said is not at hand. What comes
            behind a gap in the capture is left out.
        ports: of client and server, Int64.
    """

    data: Array
    starts: Array
    ends: Array
    ports: Array

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, rows: Array) -> Streams:
        """Some rows: a mask, or their numbers."""
        return Streams(self.data, self.starts[rows], self.ends[rows], self.ports[rows])

    def byte(self, side: int, offset: int) -> Array:
        """The byte at `offset` of what a side said, Int64; -1 where it said less."""
        return _bytes(self.data, self.starts[:, side] + offset, self.ends[:, side])

    def begins(self, side: int, text: bytes, offset: int = 0) -> Array:
        """Where a side's bytes, from `offset` on, begin with `text`; a mask."""
        return _begins(self.data, self.starts[:, side] + offset, self.ends[:, side], text)


@dataclass(frozen=True, slots=True)
class Datagrams:
    """UDP datagrams, a row a datagram: those of a flow one after the other, in the order they came.

    Attributes:
        data: bytes, UInt8.
        starts: where the payload begins in `data`, Int64.
        ends: the place behind it.
        flow: a number for each flow, Int64, ascending.
        side: who sent it, `CLIENT` or `SERVER`, Int64.
        ports: of client and server, Int64, two columns.
    """

    data: Array
    starts: Array
    ends: Array
    flow: Array
    side: Array
    ports: Array

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, rows: Array) -> Datagrams:
        """Some rows: a mask, or their numbers."""
        return Datagrams(
            self.data, self.starts[rows], self.ends[rows], self.flow[rows], self.side[rows], self.ports[rows]
        )

    def byte(self, offset: int) -> Array:
        """The byte at `offset`, Int64; -1 where a datagram is shorter."""
        return _bytes(self.data, self.starts + offset, self.ends)

    def begins(self, text: bytes, offset: int = 0) -> Array:
        """Which have `text` at `offset`; a mask."""
        return _begins(self.data, self.starts + offset, self.ends, text)

    def size(self) -> Array:
        """Bytes of each, Int64."""
        return self.ends - self.starts


@dataclass(frozen=True, slots=True)
class OverTcp:
    """A protocol over TCP; a module of `protocols` that defines `PROTOCOL` as one is found by that.

    Attributes:
        name: as in `network.protocol`.
        fits: which rows are the protocol's, by their bytes alone, as a mask; one row may be several's.
        events: what those rows say. Columns are names of the schema, and besides
            `row` (Int64, of the streams given), `side` (Int64) and `at` (Int64): in whose bytes, and how many
            of them before it, the event begins. Rows of one event each, or of none, or of many, in any order.
            Addresses, ports, `@timestamp` and `molehunt.frame.number` come from there; `source` is the client
            unless the event has `~answers` (Boolean) true.
    """

    name: str
    fits: Callable[[Streams], Array]
    events: Callable[[Streams], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class OverUdp:
    """A protocol over UDP; found as `OverTcp` is.

    Attributes:
        name: as in `network.protocol`.
        fits: which datagrams are the protocol's, as a mask: by their bytes, and by ports where they say too
            little.
        events: what those datagrams say. Columns as for `OverTcp`, `row` of the datagrams given; without
            `side` and `at`. `source` is the datagram's sender.
        ports: every datagram from or to one of these is handed over; of other flows only the first 16 of each
            side are.
    """

    name: str
    fits: Callable[[Datagrams], Array]
    events: Callable[[Datagrams], pl.DataFrame]
    ports: frozenset[int] = frozenset()


class Spoken(Protocol):
    """What both kinds have."""

    name: str


def _bytes(data: Array, places: Array, ends: Array) -> Array:
    there = places < ends
    found = np.full(len(places), -1, np.int64)
    found[there] = data[places[there]]
    return found


def _begins(data: Array, places: Array, ends: Array, text: bytes) -> Array:
    rows = np.flatnonzero(places + len(text) <= ends)
    for offset, byte in enumerate(text):
        rows = rows[data[places[rows] + offset] == byte]
    fits = np.zeros(len(places), np.bool_)
    fits[rows] = True
    return fits
