"""What readers of protocols find in conversations, as events with addresses, times and packet numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import polars as pl

from sensors.capture import cells, flow_events, heads
from sensors.capture.conversations import CLIENT, SERVER, Datagrams, OverTcp, OverUdp, Streams
from sensors.capture.protocols import tunnels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.capture.conversations import Array
    from sensors.sensor import Source

    Talk = TypeVar("Talk", Streams, Datagrams)


_SEE_THROUGH: Final = ("tls",)  # it finds its hellos behind what sets tunnels up


@dataclass(frozen=True, slots=True)
class Listening:
    """Who listens, and to what.

    Attributes:
        flows: the table of flows; what they speak is written to it.
        readers: of all protocols.
        names: of protocols, as `cells.SPOKEN` counts them from 1.
        source: the capture; a reader that fails is named there.
    """

    flows: Array
    readers: tuple[OverTcp | OverUdp, ...]
    names: tuple[str, ...]
    source: Source

    def streams(self, rows: Array, room: Array, spans: Array, marks: Array) -> Iterator[pl.DataFrame]:
        """The events of TCP streams.

        Args:
            rows: of the table of flows, one a stream.
            room: the bytes that were said.
            spans: where in it, as `heads.streams` has them.
            marks: as `heads.streams` has them.
        """
        given = Streams(room, spans[:, ::2], spans[:, 1::2], self._ports(rows))
        yield from self._told(given, rows, marks, ())
        try:
            inner = tunnels.inside(given)
        except Exception as error:  # noqa: BLE001 - see `_heard`
            self._failed("tunnels", error)
            return
        behind = np.flatnonzero((inner.starts != given.starts).any(axis=1))
        if len(behind):
            yield from self._told(inner.only(behind), rows[behind], marks, _SEE_THROUGH)

    def _told(
        self, given: Streams, rows: Array, marks: Array, without: tuple[str, ...]
    ) -> Iterator[pl.DataFrame]:
        """What every reader makes of streams, but for some."""
        for reader in self.readers:
            if isinstance(reader, OverTcp) and reader.name not in without:
                mine, found = self._heard(reader, given, rows)
                if not found.height:
                    continue
                row, side = mine[found["row"].to_numpy()], found["side"].to_numpy()
                place = given.starts[row, side] + found["at"].to_numpy()
                silent = given.starts[row, side] == given.ends[row, side]
                mark = np.maximum(np.searchsorted(marks[:, heads.MARK_AT], place, "right") - 1, 0)
                flows = self.flows[rows[row]]
                time = np.where(silent, flows[:, cells.FIRST], marks[mark, heads.MARK_TIME])
                frame = np.where(silent, flows[:, cells.FIRST_FRAME], marks[mark, heads.MARK_FRAME])
                yield self._event(found, rows[row], CLIENT, time, frame)

    def datagrams(self, rows: Array, room: Array, table: Array) -> Iterator[pl.DataFrame]:
        """The events of UDP datagrams.

        Args:
            rows: of the table of flows.
            room: the bytes that were said.
            table: as `heads.datagrams` has it.
        """
        flow, side = table[:, heads.ROW], table[:, heads.SENDER]
        starts, ends = table[:, heads.BEGIN], table[:, heads.END]
        given = Datagrams(room, starts, ends, flow, side, self._ports(rows)[flow])
        for reader in self.readers:
            if isinstance(reader, OverUdp):
                mine, found = self._heard(reader, given, rows[flow])
                if not found.height:
                    continue
                row = mine[found["row"].to_numpy()]
                yield self._event(
                    found, rows[flow[row]], side[row], table[row, heads.DATAGRAM_TIME],
                    table[row, heads.DATAGRAM_FRAME],
                )  # fmt: skip

    def _ports(self, rows: Array) -> Array:
        """Of client and server."""
        flows = self.flows[rows]
        ports = np.stack([flows[:, cells.PORTS] >> 16, flows[:, cells.PORTS] & 0xFFFF], axis=1)
        client = flows[:, cells.SIDE]
        every = np.arange(len(rows))
        return np.stack([ports[every, client], ports[every, 1 - client]], axis=1)

    def _heard(self, reader: OverTcp | OverUdp, given: Talk, rows: Array) -> tuple[Array, pl.DataFrame]:
        """Which of the rows given are the reader's, and what it makes of them."""
        try:
            mine = np.flatnonzero(reader.fits(given))  # type: ignore[arg-type]  # a reader gets its own kind
            if not len(mine):
                return mine, pl.DataFrame()
            found = reader.events(given.only(mine))  # type: ignore[arg-type]
        # A reader's defect must not cost the flows, nor what others read; Polars' own are no Exception.
        except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - see above
            self._failed(reader.name, error)
            return np.zeros(0, np.int64), pl.DataFrame()
        spoken = rows[mine]
        unknown = spoken[self.flows[spoken, cells.SPOKEN] == 0]
        self.flows[unknown, cells.SPOKEN] = self.names.index(reader.name) + 1
        return mine, found

    def _failed(self, name: str, error: BaseException) -> None:
        self.source.lost(
            f"the reader of {name} failed ({type(error).__name__}: {error}); what it would have read is not "
            "there; please report this as a defect"
        )

    def _event(
        self, found: pl.DataFrame, rows: Array, speaker: Array | int, time: Array, frame: Array
    ) -> pl.DataFrame:
        answers = (
            found["~answers"].fill_null(value=False).to_numpy() if "~answers" in found.columns else False
        )
        side = np.where(answers, SERVER, np.broadcast_to(speaker, len(rows)))
        ends = flow_events.endpoints(self.flows[rows], side)
        told = found.drop("row", "side", "at", "~answers", strict=False)
        placed = ends.with_columns(
            flow_events.moments(time).alias("@timestamp"), pl.Series("molehunt.frame.number", frame)
        )
        return placed.drop(name for name in told.columns if name in placed.columns).hstack(told)
