"""Sets of exports to frames of events: templates first, then all records of a template at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.netflow import events, walk
from sensors.netflow.records import decode
from sensors.netflow.templates import LEGACY, Known, Template, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from sensors.sensor import Source

    Walks = Callable[[], Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]]

_SETS: Final = 4 * walk.MOST_SETS  # of one batch: about ten megabytes of packets
_FAULTS: Final = 1024
_KEY: Final = [walk.VERSION, walk.EXPORTER, walk.SOURCE, walk.ID]
_PADDING: Final = 8  # octets; a set is padded to four or eight
_NEIGHBOURS: Final = 200  # files of the folder, in which templates are looked for
_NEIGHBOUR_BYTES: Final = 64 << 20
_WHAT: Final = {
    walk.CUT: "an export is cut off here; the whole records before it were read",
    walk.CONTRADICTION: "octets that are no NetFlow export, or a set that contradicts itself",
}


def read(source: Source) -> Iterator[pl.DataFrame]:
    """The flows in a file of payloads one after another."""
    with source.local() as path:
        data = np.memmap(path, np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
        yield from Exports(data, source).frames(lambda: stream(data))


def stream(data: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Tables of the sets and of the faults in payloads one after another, a batch at a time."""
    state = np.zeros(walk.STATE_CELLS, np.int64)
    table = np.zeros((_SETS, walk.SET_COLUMNS), np.int64)
    faults = np.zeros((_FAULTS, 2), np.int64)
    more = True
    while more:
        state[walk.ROWS] = state[walk.FAULTS] = 0
        more = walk.stream(data, data.size, state, table, faults)
        yield table[: state[walk.ROWS]], faults[: state[walk.FAULTS]]


class Exports:
    """The exports of one source, in a file of their own or in a capture."""

    def __init__(
        self, data: NDArray[np.uint8], source: Source, exporters: list[tuple[str, int]] | None = None
    ) -> None:
        """Begin; `exporters` are the addresses and ports that the tables' numbers of exporters mean."""
        self._data, self._source, self._exporters = data, source, exporters
        self._known = Known()
        self._beside: list[Known] | None = None

    def frames(self, walks: Walks) -> Iterator[pl.DataFrame]:
        """The events; `walks` goes over the sets from the first one each time it is called."""
        for sets, _faults in walks():
            self._learn(sets)
        for sets, faults in walks():
            for at, what in faults.tolist():
                self._source.lost(_WHAT[what], offset=at, sample=self._data[at : at + 32].tobytes().hex(" "))
            frame = self._batch(sets)
            if frame.height:
                yield frame

    def _learn(self, sets: NDArray[np.int64]) -> None:
        for row, problem in _taught(self._data, sets, self._known):
            self._source.lost(problem, offset=int(row[walk.BODY]), frame=self._frame(row))

    def _frame(self, row: NDArray[np.int64]) -> int | None:
        return int(row[walk.FRAME]) if self._exporters is not None else None

    def _batch(self, sets: NDArray[np.int64]) -> pl.DataFrame:
        holds = (sets[:, walk.ID] > 3) & (sets[:, walk.LENGTH] > 0)  # noqa: PLR2004 - no set of templates
        sets = sets[holds]
        made = []
        for template, rows in self._grouped(sets):
            frame, owner, starts = decode(self._data, rows, template)
            if len(starts):
                carried = rows[owner]
                made.append(
                    events.made(frame, carried, starts, self._data, self._exporters, options=template.options)
                )
        if not made:
            return pl.DataFrame()
        return events.completed(pl.concat(made, how="diagonal_relaxed").sort("~at", maintain_order=True))

    def _grouped(self, sets: NDArray[np.int64]) -> Iterator[tuple[Template, NDArray[np.int64]]]:
        """The sets of each template."""
        if not len(sets):
            return
        keys, which = np.unique(sets[:, _KEY], axis=0, return_inverse=True)
        for index, key in enumerate(keys.tolist()):
            rows = sets[which.ravel() == index]
            version, exporter, domain, number = key
            if version in LEGACY:
                yield LEGACY[version], rows
                continue
            said = self._known.said.get((version, exporter, domain, number)) or self._from_beside(key, rows)
            if not said:
                first = rows[0]
                self._source.lost(
                    f"records of template {number} of domain {domain}, which nothing here describes: give "
                    "the export that has the template in the same folder",
                    offset=int(first[walk.BODY]), frame=self._frame(first), count=len(rows),
                )  # fmt: skip
                continue
            held = np.searchsorted([offset for offset, _template in said], rows[:, walk.BODY]) - 1
            for at in np.unique(np.maximum(held, 0)).tolist():
                yield said[at][1], rows[np.maximum(held, 0) == at]

    def _from_beside(self, key: list[int], rows: NDArray[np.int64]) -> list[tuple[int, Template]]:
        """What files beside this one say of a template: the first that fits these sets."""
        if self._exporters is not None or self._source.disk is None:
            return []
        if self._beside is None:
            self._beside = _beside(self._source.disk)
        version, exporter, domain, number = key
        for known in self._beside:
            for offset, template in known.said.get((version, exporter, domain, number), ()):
                over = rows[:, walk.LENGTH] % template.least
                if not template.fixed or bool(
                    ((over < _PADDING) & (rows[:, walk.LENGTH] >= template.least)).all()
                ):
                    return [(offset, template)]
        return []


def _taught(
    data: NDArray[np.uint8], sets: NDArray[np.int64], known: Known
) -> Iterator[tuple[NDArray[np.int64], str]]:
    """Takes the templates of `sets` into `known`; gives the sets that cannot be read, and why."""
    for row in sets[(sets[:, walk.ID] <= 3) & (sets[:, walk.VERSION] >= walk.V9)]:  # noqa: PLR2004
        version, options = int(row[walk.VERSION]), bool(row[walk.ID] & 1)
        at, exporter, domain = (int(row[cell]) for cell in (walk.BODY, walk.EXPORTER, walk.SOURCE))
        try:
            body = data[at : at + int(row[walk.LENGTH])].tobytes()
            for number, template in parsed(body, version, options=options):
                if template is not None:
                    known.add((version, exporter, domain, number), at, template)
        except ValueError as error:
            yield row, str(error)


def _beside(path: Path) -> list[Known]:
    """The templates in the other exports of a folder, those first whose names are most like this one's."""
    try:
        others = [each for each in path.parent.iterdir() if each.is_file() and each.name != path.name]
    except OSError:
        return []
    others.sort(key=lambda each: (-_alike(each.name, path.name), each.name))
    found = []
    for other in others[:_NEIGHBOURS]:
        try:
            with other.open("rb") as stream_:
                begin = stream_.read(64)
                if not begins(begin):
                    continue
                content = begin + stream_.read(_NEIGHBOUR_BYTES)
        except OSError:
            continue
        data, known = np.frombuffer(content, np.uint8), Known()
        for sets, _faults in stream(data):
            for _problem in _taught(data, sets, known):
                pass
        if known.said:
            found.append(known)
    return found


def _alike(one: str, other: str) -> int:
    """How many letters two names begin with."""
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def begins(head: bytes) -> bool:
    """Whether an export could begin so."""
    data = np.frombuffer(head, np.uint8)
    return bool(len(head) >= 16) and bool(walk.plausible(data, 0, data.size, False))  # noqa: FBT003, PLR2004
