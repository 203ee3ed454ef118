"""A capture as frames of events: blocks of the mapped file through the compiled pass, flows as they end."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture import cells, container, flow_events, follow, fragments, heads, lookup, tcp, walk
from sensors.capture.conversations import HEAD, OverUdp
from sensors.capture.dissect import TCP, UDP
from sensors.capture.protocols import protocols
from sensors.capture.spoken import Listening
from sensors.netflow.captured import PORTS, Captured

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from sensors.capture.conversations import Array
    from sensors.sensor import Source

_BLOCK: Final = 1 << 19  # packets
_FLOWS: Final = 1 << 15  # rows of the table at first; it is doubled when it is needed
_MOST_FLOWS: Final = 1 << 19  # then the longest idle half is ended
_PIECES: Final = 1 << 18
_ROOM: Final = 32 << 20
_TOGETHER: Final = 1 << 16  # flows that are told at once


def read(source: Source) -> Iterator[pl.DataFrame]:
    """Frames of flows, of what is said in them, and of flows that exports tell of."""
    with source.local() as path:
        if not path.stat().st_size:  # it was emptied after it was looked at
            source.lost("nothing is in it any more")
            return
        data = np.memmap(path, np.uint8, mode="r")
        exports = Captured(data, source)
        if exports.alone():
            yield from exports.frames()
            return
        run = _Pass(data, source)
        yield from run.frames()
        if run.to_collectors or exports.seen_early:
            yield from exports.frames()


class _Pass:
    """The tables of one pass over a capture. Memory is that of the tables: packets are never kept."""

    def __init__(self, data: Array, source: Source) -> None:
        self._data, self._source = data, source
        self._state, self._interfaces = container.begin(data, resume=True)
        self._torn, self._pool = fragments.begin()
        self._packets = np.empty((_BLOCK, container.PACKET_COLUMNS), np.int64)
        self._flows = np.empty((_FLOWS, cells.FLOW_CELLS), np.int64)
        self._slots = np.zeros(2 * _FLOWS, np.int64)
        self._pieces = np.empty((_PIECES, follow.PIECE_CELLS), np.int64)
        self._free = np.arange(_PIECES, dtype=np.int64)
        self._counters = np.zeros(lookup.COUNTERS, np.int64)
        self._counters[lookup.FREE] = _PIECES
        self._counters[lookup.SEED] = secrets.randbits(62)
        self._readers = protocols()
        self._names = tuple(dict.fromkeys(reader.name for reader in self._readers))
        self._every = np.zeros(1 << 16, np.bool_)
        for reader in self._readers:
            if isinstance(reader, OverUdp):
                self._every[list(reader.ports)] = True
        self._too_early = 0
        self.to_collectors = False  # whether something went to a port of NetFlow

    def frames(self) -> Iterator[pl.DataFrame]:
        while count := walk.packets(self._data, self._state, self._interfaces, self._packets):
            begin = 0
            while begin < count:
                begin = follow.follow(
                    self._data, self._packets, begin, count, self._flows, self._slots, self._pieces,
                    self._free, self._every, self._torn, self._pool, self._counters,
                )  # fmt: skip
                torn = fragments.full(self._torn)
                yield from self._spoken(self._ready(torn=torn))
                if torn:
                    fragments.empty(self._torn)
                yield from self._ended(int(self._packets[max(begin - 1, 0), container.TIME]))
            if self._state[container.STATUS] != container.GOING:
                break
        yield from self._ended(None)
        self._say_unread()

    @property
    def _listening(self) -> Listening:
        return Listening(self._flows, self._readers, self._names, self._source)

    @property
    def _rows(self) -> Array:
        return self._flows[: self._counters[lookup.FLOWS]]

    def _ready(self, *, torn: bool) -> Array:
        """The flows of which as much was said as is looked at; if there is no room for more, all of them.

        Args:
            torn: there is no room for more fragments: what was put together from some is looked at now.
        """
        flows = self._rows
        chained = (flows[:, cells.CHAIN] != 0) | (flows[:, cells.CHAIN + 1] != 0)
        over_tcp = flows[:, cells.KIND] >> 4 == TCP
        full = (flows[:, cells.SENT : cells.SENT + 2] > HEAD).all(axis=1) | (flows[:, cells.OVER] > 0)
        ports = flows[:, cells.PORTS]
        every = self._every[ports >> 16 & 0xFFFF] | self._every[ports & 0xFFFF]
        many = (flows[:, cells.PIECES : cells.PIECES + 2] >= follow.MOST_DATAGRAMS).any(axis=1)
        done = np.where(over_tcp, full, every | many)
        forced = np.full(len(flows), self._counters[lookup.FREE] <= _PIECES // 4)
        forced |= torn & (flows[:, cells.TORN] > 0)
        self._too_early += int(np.count_nonzero(chained & forced & ~done & ~every))
        return np.flatnonzero(chained & (done | forced))

    def _spoken(self, rows: Array) -> Iterator[pl.DataFrame]:
        """What was said in some flows; their pieces are given back."""
        over_tcp = self._flows[rows, cells.KIND] >> 4 == TCP
        for mine, said in ((rows[over_tcp], self._streams), (rows[~over_tcp], self._datagrams)):
            if len(mine):
                yield from said(mine)

    def _streams(self, rows: Array) -> Iterator[pl.DataFrame]:
        room = np.empty(_ROOM, np.uint8)
        marks = np.empty((_ROOM // 256, heads.MARK_CELLS), np.int64)
        begin = 0
        while begin < len(rows):
            spans = np.zeros((len(rows) - begin, 4), np.int64)
            end, marked = heads.streams(
                self._data, self._pool, self._flows, self._pieces, rows, begin, room, spans, marks
            )
            yield from self._listening.streams(rows[begin:end], room, spans[: end - begin], marks[:marked])
            begin = end
        heads.release(self._flows, self._pieces, rows, self._free, self._counters)

    def _datagrams(self, rows: Array) -> Iterator[pl.DataFrame]:
        room = np.empty(_ROOM, np.uint8)
        table = np.empty((_PIECES, heads.DATAGRAM_CELLS), np.int64)
        begin = 0
        while begin < len(rows):
            begin, count = heads.datagrams(
                self._data,
                self._pool,
                self._flows,
                self._pieces,
                rows,
                begin,
                room,
                table,
                self._free,
                self._counters,
            )
            yield from self._listening.datagrams(rows, room, table[:count])
        heads.release(self._flows, self._pieces, rows, self._free, self._counters)

    def _ended(self, now: int | None) -> Iterator[pl.DataFrame]:
        """The flows that no later packet can join (all of them at the end); the others move to the front."""
        flows = self._rows
        if not len(flows):
            return
        stays = np.zeros(len(flows), np.bool_)
        if now is not None:
            stays = ~_over(flows, now)
            if stays.sum() > _MOST_FLOWS // 2:
                stays &= flows[:, cells.LAST] > np.median(flows[stays, cells.LAST])
        yield from self._spoken(
            np.flatnonzero(~stays & (flows[:, cells.CHAIN : cells.CHAIN + 2] > 0).any(axis=1))
        )
        kept = lookup.forget(self._flows, self._slots, len(flows), stays, self._counters[lookup.SEED])
        if kept < len(flows):
            ended = self._flows[kept : len(flows)]
            ports = ended[ended[:, cells.KIND] >> 4 == UDP, cells.PORTS]
            self.to_collectors |= bool(np.isin([ports >> 16, ports & 0xFFFF], PORTS).any())
            for begin in range(0, len(ended), _TOGETHER):
                yield flow_events.events(ended[begin : begin + _TOGETHER], self._names)
        self._counters[lookup.FLOWS] = kept
        if kept > self._flows.shape[0] // 2:
            self._make_room(kept)

    def _make_room(self, kept: int) -> None:
        wider = np.empty((2 * len(self._flows), cells.FLOW_CELLS), np.int64)
        wider[:kept] = self._flows[:kept]
        self._flows = wider
        self._slots = np.zeros(2 * (1 << (self._flows.shape[0] - 1).bit_length()), np.int64)
        lookup.forget(self._flows, self._slots, kept, np.ones(kept, np.bool_), self._counters[lookup.SEED])

    def _say_unread(self) -> None:
        say, counters = self._source.lost, self._counters
        position, frame = int(self._state[container.POSITION]), int(counters[lookup.FRAME]) + 1
        if self._state[container.STATUS] == container.CUT:
            say("the capture ends in the middle of a packet", frame=frame, offset=position)
        elif self._state[container.STATUS] == container.CORRUPT:
            say(
                "a block here contradicts itself, so that the packets behind it cannot be found",
                frame=frame,
                offset=position,
            )
        if self._state[container.HOLES]:
            say(
                f"places where the file contradicts itself, {self._state[container.SKIPPED]:,} bytes in all, "
                "were passed over up to the next packet; this is the first of them",
                frame=int(self._state[container.FIRST_HOLE_FRAME]),
                offset=int(self._state[container.FIRST_HOLE]),
                count=int(self._state[container.HOLES]),
            )
        if self._too_early:
            say(
                "conversations whose beginnings were looked at before all of them had come, for want of room",
                count=self._too_early,
            )
        torn, parts, refused = fragments.lost(self._torn)
        if torn or refused:
            say(
                f"packets of which not all fragments came ({parts:,} fragments), or whose fragments "
                "contradict each other",
                count=torn + refused,
            )
        if counters[lookup.BROKEN_PACKETS]:
            say(
                "packets whose headers are cut off or contradict themselves; this is the first of them",
                frame=int(counters[lookup.FIRST_BROKEN]),
                count=int(counters[lookup.BROKEN_PACKETS]),
            )
        if counters[lookup.UNKNOWN]:
            say(
                "packets of a link type that is not read; this is the first of them",
                frame=int(counters[lookup.FIRST_UNKNOWN]),
                count=int(counters[lookup.UNKNOWN]),
            )


def _over(flows: Array, now: int) -> Array:
    """Which flows nothing can join any more at a moment."""
    over_tcp = flows[:, cells.KIND] >> 4 == TCP
    every, client = np.arange(len(flows)), flows[:, cells.SIDE]
    asked = np.isin(flows[every, cells.STATE + client], (tcp.SYN_SENT, tcp.SYN_ACK_SENT))
    unheard = over_tcp & asked & (flows[every, cells.STATE + 1 - client] == tcp.INACTIVE)
    return np.asarray(
        (now - flows[:, cells.LAST] > np.where(over_tcp, *lookup.IDLE))
        | ((flows[:, cells.OVER] > 0) & (now - flows[:, cells.OVER] > lookup.GONE))
        | (unheard & (now - flows[:, cells.FIRST] > lookup.GONE))
    )
