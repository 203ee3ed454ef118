"""What correlations count, numbers only: columns of NumPy, which wait in memory or in a file of their own.

A file is sorted by the first bits of the group's key and no further: that is one pass, and all that is needed
to read some groups without the rest. Beyond that no item is moved, copied or looked at until it is judged.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from analysis.sigma.correlations import sliding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import FileIO
    from pathlib import Path

    from analysis.sigma.correlations.sliding import Array

    Columns: TypeAlias = dict[str, Array]

EVENT: Final = "_event"  # number of the event, in order of arrival
HIGH: Final = "_high"  # one half of the key of a group, uniform over UInt64
_AT_ONCE: Final = (
    1 << 18
)  # items that are read and judged together: what is looked at again stays in the cache
_BITS: Final = 10
_BUCKETS: Final = 1 << _BITS
_ADVICE: Final = "free some space there, or set TMPDIR to a folder that has more"


class Items:
    """The items of one correlation, taken in batch by batch."""

    def __init__(self) -> None:
        self.parts: list[Columns] = []
        self.files: list[_Sorted] = []
        self.size = 0  # bytes that are in memory

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(_height(part) for part in self.parts) + sum(file.rows for file in self.files)

    def add(self, part: Columns) -> None:
        """Take in columns of one length, with `HIGH`; the same ones each time."""
        if part and _height(part):
            self.parts.append(part)
            self.size += sum(int(column.nbytes) for column in part.values())

    def write(self, path: Path) -> None:
        """Move what is in memory to a file.

        Raises:
            OSError: it cannot be written.
        """
        try:
            self.files.append(_written(self.parts, path))
        except OSError as error:
            raise no_room(error, path) from error
        self.parts = []
        self.size = 0

    def empty(self) -> None:
        """Forget everything."""
        for file in self.files:
            file.path.unlink(missing_ok=True)
        self.files, self.parts = [], []
        self.size = 0


def portions(kept: Sequence[Items]) -> Iterator[Columns]:
    """All items of one kind: those of a group in one portion, and there in order of arrival.

    Raises:
        OSError: they cannot be read again.
    """
    rows = sum(items.rows for items in kept)
    if not rows:
        return
    parts = [part for items in kept for part in items.parts]
    if rows == sum(map(_height, parts)) <= _AT_ONCE:
        yield {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return
    sources: list[_Sorted | _Waiting] = []
    for items in kept:
        sources += items.files
        sources += [_waiting(items.parts)] if items.parts else []
    counts = sum(np.diff(source.edges) for source in sources)
    behind = np.cumsum(counts)
    first = 0
    while first < _BUCKETS:
        done = behind[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(behind, done + _AT_ONCE, side="right")))
        if behind[last - 1] > done:
            yield _between(sources, first, last)
        first = last


@dataclass(frozen=True, slots=True)
class _Sorted:
    """A file of items, one column after the other; `edges`: where each bucket begins, and their number."""

    path: Path
    edges: Array
    kinds: dict[str, np.dtype[Any]]

    @property
    def rows(self) -> int:
        return int(self.edges[-1])

    def read(self, first: int, last: int, into: Columns, begin: int) -> int:
        """Copy some buckets into columns, from a row on; the row behind them."""
        low, high = int(self.edges[first]), int(self.edges[last])
        end = begin + high - low
        if end == begin:
            return end
        with self.path.open("rb", buffering=0) as file:
            offset = 0
            for name, kind in self.kinds.items():
                file.seek(offset + low * kind.itemsize)
                _fill(file, into[name][begin:end])
                offset += self.rows * kind.itemsize
        return end


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Items in memory, sorted as in a file."""

    columns: Columns
    edges: Array

    @property
    def kinds(self) -> dict[str, np.dtype[Any]]:
        return {name: column.dtype for name, column in self.columns.items()}

    def read(self, first: int, last: int, into: Columns, begin: int) -> int:
        """As `_Sorted.read`."""
        low, high = int(self.edges[first]), int(self.edges[last])
        for name, column in self.columns.items():
            into[name][begin : begin + high - low] = column[low:high]
        return begin + high - low


def put(file: FileIO, column: Array) -> None:
    """Write a column whole."""
    left = column.view(np.uint8).data
    while left:
        left = left[file.write(left) :]


def no_room(error: Exception, path: Path) -> OSError:
    """What to say where something could not be written."""
    message = f"matched events cannot be put aside here ({error}); {_ADVICE}"
    return OSError(errno.ENOSPC, message, str(path.parent))


def _height(part: Columns) -> int:
    return len(part[HIGH])


def _between(sources: Sequence[_Sorted | _Waiting], first: int, last: int) -> Columns:
    """Some buckets of all sources, in their order."""
    rows = sum(int(source.edges[last] - source.edges[first]) for source in sources)
    found = {name: np.empty(rows, kind) for name, kind in sources[0].kinds.items()}
    begin = 0
    for source in sources:
        begin = source.read(first, last, found, begin)
    return found


def _fill(file: FileIO, column: Array) -> None:
    room = column.view(np.uint8).data
    while room:
        count = file.readinto(room)
        if not count:
            message = "what was put aside is no longer there whole"
            raise OSError(errno.EIO, message, file.name)
        room = room[count:]


def _places(parts: Sequence[Columns]) -> tuple[list[Array], Array]:
    """Where each item stands when they are sorted by bucket, and where each bucket begins."""
    shift = np.uint64(64 - _BITS)
    buckets = [(part[HIGH].view(np.uint64) >> shift).astype(np.uint16) for part in parts]
    counts = sum(np.bincount(each, minlength=_BUCKETS) for each in buckets)
    edges = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)))
    following = edges[:-1].copy()
    rows = int(edges[-1])
    places = []
    for each in buckets:
        place = np.empty(len(each), np.uint32 if rows < 1 << 32 else np.int64)
        sliding.loop(_placed, rows)(each, following, place)
        places.append(place)
    return places, edges


def _scattered(parts: Sequence[Columns], places: Sequence[Array], name: str, room: Array) -> None:
    for part, place in zip(parts, places, strict=True):
        column = part[name]
        plain = f"u{column.dtype.itemsize}"  # few types, few compiled forms
        sliding.loop(_scatter, len(room))(column.view(plain), place, room.view(plain))


def _waiting(parts: Sequence[Columns]) -> _Waiting:
    places, edges = _places(parts)
    columns = {name: np.empty(int(edges[-1]), column.dtype) for name, column in parts[0].items()}
    for name, room in columns.items():
        _scattered(parts, places, name, room)
    return _Waiting(columns, edges)


def _written(parts: Sequence[Columns], path: Path) -> _Sorted:
    places, edges = _places(parts)
    rows = int(edges[-1])
    kinds = {name: column.dtype for name, column in parts[0].items()}
    rooms = {kind.itemsize: np.empty(rows, f"u{kind.itemsize}") for kind in kinds.values()}
    with path.open("wb", buffering=0) as file:
        for name, kind in kinds.items():
            room = rooms[kind.itemsize]
            _scattered(parts, places, name, room)
            put(file, room)
    return _Sorted(path, edges, kinds)


def _placed(bucket: Array, following: Array, place: Array) -> None:
    """Where each item goes when they are sorted by bucket, those of one in the order they have.

    Args:
        bucket: of each item.
        following: where the next item of each bucket goes; counted on.
        place: filled.
    """
    for row in range(len(bucket)):
        place[row] = following[bucket[row]]
        following[bucket[row]] += 1


def _scatter(column: Array, place: Array, room: Array) -> None:
    """Put every number of `column` at its `place` in `room`."""
    for row in range(len(column)):
        room[place[row]] = column[row]
