"""Exports inside a capture: payloads of UDP that are NetFlow or IPFIX, told by port or by content.

A capture of nothing but exports is a way to write exports down (`tcpdump port 2055`): its events are the
flows that they tell of, and not the exporter's own packets. In any other capture both are.
"""

# Compiled: offsets are the formats' own numbers, and the branches of one packet stand together.
# ruff: noqa: PLR2004, FBT001, FBT003

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture import container
from sensors.capture import walk as packets_of
from sensors.capture.dissect import (
    IS_IP,
    PACKET_CELLS,
    PAYLOAD_AT,
    PAYLOAD_BYTES,
    PROTOCOL,
    SOURCE_HIGH,
    SOURCE_LOW,
    SOURCE_PORT,
    TARGET_PORT,
    UDP,
    VERSION,
    dissect,
)
from sensors.compiled import kernel
from sensors.netflow import walk
from sensors.netflow.reading import Exports

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    from sensors.sensor import Source

# Where exporters send to unless told otherwise: IANA's for IPFIX, and what vendors' manuals have.
PORTS: Final = (2055, 2056, 2100, 4432, 4739, 9555, 9991, 9995, 9996, 9999)
_LOOK: Final = 4096  # packets in which exports to other ports are looked for
_BLOCK: Final = 1 << 16
_ENDS: Final = 1 << 14
_FAULTS: Final = 1024
_DAYS: Final = 172_800  # seconds that an exporter's clock may be off from the capture's
# Cells of the state beside those of a walk.
PACKETS, EXPORTS, NEXT, CELLS = range(walk.STATE_CELLS, walk.STATE_CELLS + 4)


@kernel
def _exports(
    data: NDArray[np.uint8], packets: NDArray[np.int64], count: int, any_port: bool, state: NDArray[np.int64],
    table: NDArray[np.int64], faults: NDArray[np.int64], ends: NDArray[np.int64],
) -> bool:  # fmt: skip
    """Add the sets of the packets from `state[NEXT]` on; whether all of them were looked at.

    `ends` gets version, address and port of who sent each of the exports; a set has the number of its row.
    """
    packet = np.zeros(PACKET_CELLS, np.int64)
    sent = 0
    while state[NEXT] < count:
        full = state[walk.ROWS] + walk.MOST_SETS > table.shape[0] or state[walk.FAULTS] + 2 > faults.shape[0]
        if full or sent >= ends.shape[0]:
            return False
        row = packets[state[NEXT]]
        state[NEXT] += 1
        state[PACKETS] += 1
        said = dissect(data, row[container.OFFSET], row[container.CAPTURED], row[container.LINK], packet)
        if said != IS_IP or packet[PROTOCOL] != UDP or packet[PAYLOAD_BYTES] < 20:
            continue
        at, limit = packet[PAYLOAD_AT], packet[PAYLOAD_AT] + packet[PAYLOAD_BYTES]
        expected = packet[TARGET_PORT] in PORTS
        if not (expected or any_port) or not walk.plausible(data, at, limit, not expected):
            continue
        if not expected and not _timely(data, at, row[container.TIME]):
            continue
        rows, fault = state[walk.ROWS], state[walk.FAULTS]
        walk.packet(data, at, limit, True, state, table, faults)
        if not expected and state[walk.FAULTS] > fault:  # no export after all
            state[walk.ROWS], state[walk.FAULTS] = rows, fault
            continue
        state[EXPORTS] += 1
        for index in range(rows, state[walk.ROWS]):
            table[index, walk.EXPORTER], table[index, walk.FRAME] = sent, state[PACKETS]
        ends[sent, 0], ends[sent, 1] = packet[VERSION], packet[SOURCE_HIGH]
        ends[sent, 2], ends[sent, 3] = packet[SOURCE_LOW], packet[SOURCE_PORT]
        sent += 1
    return True


@kernel
def _timely(data: NDArray[np.uint8], at: int, moment: int) -> bool:
    version = walk.number(data, at, 2)
    seconds = walk.number(data, at + (4 if version == walk.IPFIX else 8), 4)
    return moment == 0 or abs(seconds - moment // 1_000_000) < _DAYS


class Captured:
    """The exports of one capture."""

    def __init__(self, data: NDArray[np.uint8], source: Source) -> None:
        self._data, self._source = data, source
        self._exporters: dict[tuple[int, ...], int] = {}
        self._named: list[tuple[str, int]] = []
        self.packets = self.exports = 0
        self._whole = False  # nothing of the file was passed over, or is missing
        _packets, self._any_port = self._counted(_LOOK)

    @property
    def seen_early(self) -> bool:
        """Whether there are exports among the first packets, whatever port they go to."""
        return self._any_port

    def alone(self) -> bool:
        """Whether the capture has nothing else."""
        if not self._any_port:
            return False
        packets, _found = self._counted(None)
        return bool(
            packets == self.exports > 0 and self._whole
        )  # what is not whole is named by the other pass

    def _counted(self, most: int | None) -> tuple[int, bool]:
        self._any_port = True
        for _sets, _faults in self._walks(most):
            pass
        return self.packets, self.exports > 0

    def frames(self) -> Iterator[pl.DataFrame]:
        """The flows that the exports tell of; `molehunt.frame.number` is that of the packet."""
        yield from Exports(self._data, self._source, self._named).frames(lambda: self._walks(None))

    def _walks(self, most: int | None) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        reading, interfaces = container.begin(self._data, resume=True)
        packets = np.empty((min(_BLOCK, most or _BLOCK), container.PACKET_COLUMNS), np.int64)
        state = np.zeros(CELLS, np.int64)
        table = np.zeros((4 * walk.MOST_SETS, walk.SET_COLUMNS), np.int64)
        faults = np.zeros((_FAULTS, 2), np.int64)
        ends = np.zeros((_ENDS, 4), np.int64)
        while count := packets_of.packets(self._data, reading, interfaces, packets):
            done, state[NEXT] = False, 0
            while not done:
                state[walk.ROWS] = state[walk.FAULTS] = 0
                done = _exports(self._data, packets, count, self._any_port, state, table, faults, ends)
                sets = table[: state[walk.ROWS]]
                sets[:, walk.EXPORTER] = self._numbered(ends, sets[:, walk.EXPORTER])
                yield sets, faults[: state[walk.FAULTS]]
            if most is not None or reading[container.STATUS] != container.GOING:
                break
        self.packets, self.exports = int(state[PACKETS]), int(state[EXPORTS])
        self._whole = reading[container.STATUS] == container.ENDED and reading[container.HOLES] == 0

    def _numbered(self, ends: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same number for the same exporter, in every batch and every walk."""
        distinct, which = np.unique(ends[rows], axis=0, return_inverse=True)
        numbers = np.zeros(len(distinct), np.int64)
        for at, end in enumerate(map(tuple, distinct.tolist())):
            if end not in self._exporters:
                self._exporters[end] = len(self._named)
                self._named.append((_written(*end[:3]), end[3]))
            numbers[at] = self._exporters[end]
        found: NDArray[np.int64] = numbers[which.ravel()]
        return found


def _written(version: int, high: int, low: int) -> str:
    if version == 4:
        return str(ipaddress.IPv4Address(low))
    mask = (1 << 64) - 1
    return str(ipaddress.IPv6Address((high & mask) << 64 | (low & mask)))
