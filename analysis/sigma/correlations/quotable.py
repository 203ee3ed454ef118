"""What may be quoted of the events that correlations count, once for each, in order of arrival.

Few of them are ever read: the first events of each finding, and those that one correlation passes on to
another. So they are written as they are, without a thought of compression, in a format of which a few rows
can be read (Arrow's), and less of them: a column that says the same in all rows is kept as one value, and one
that is another's copy (the account is often the user's name) by the other's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.sigma.correlations.items import EVENT, no_room, put
from analysis.sigma.written import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from analysis.sigma.correlations.sliding import Array

_ROWS: Final = 1 << 16  # that are read as one
_SOME: Final = 64


class Kept:
    """Events by their number: the first that is added is 0."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, pl.DataFrame]] = []  # each with the number of its first event
        self._who: list[Array] = []
        self._files: list[_File] = []
        self.size = 0  # bytes that are in memory
        self.rows = 0

    def add(self, part: pl.DataFrame, who: Array) -> None:
        """Take in events.

        Args:
            part: any columns; it must not share memory with a larger frame.
            who: a number of 64 bits for each.
        """
        if part.height:
            self._parts.append((self.rows, part))
            self._who.append(who)
            self.size += int(part.estimated_size()) + int(who.nbytes)
            self.rows += part.height

    def write(self, path: Path) -> None:
        """Move what is in memory to files.

        Raises:
            OSError: they cannot be written.
        """
        beside = path.with_suffix(".who")
        whole = together([part for _, part in self._parts])
        table, same, copies = _spare(whole)
        try:
            if table.width:
                table.write_ipc(path, record_batch_size=_ROWS)
            with beside.open("wb", buffering=0) as file:
                for numbers in self._who:
                    put(file, numbers)
        except (OSError, pl.exceptions.PolarsError) as error:  # the latter where the disk is full, too
            raise no_room(error, path) from error
        first = self._parts[0][0]
        self._files.append(_File(path, beside, first, whole.height, tuple(table.columns), same, copies))
        self._parts, self._who = [], []
        self.size = 0

    def having(self, events: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        """Some events, with `EVENT`.

        Args:
            events: their numbers, Int64, each once, ascending.
            columns: which columns are wanted; those that none of them has are left out.
        """
        wanted = events.to_numpy()
        found = [pl.DataFrame(schema={EVENT: pl.Int64})]
        for file in self._files:
            rows = _among(wanted, file.first, file.rows)
            if len(rows):
                found.append(_numbered(file.read(rows, columns), rows + file.first))
        for first, part in self._parts:
            rows = _among(wanted, first, part.height)
            if len(rows):
                names = [name for name in part.columns if name in columns]
                found.append(_numbered(part.select(names)[rows] if names else pl.DataFrame(), rows + first))
        return together(found)

    def who(self, events: Array) -> Array:
        """The numbers that were given with events, in any order."""
        known = np.empty(len(events), np.uint64)
        for file in self._files:
            mine = (events >= file.first) & (events < file.first + file.rows)
            if mine.any():
                written = np.memmap(file.beside, np.uint64, mode="r")
                known[mine] = written[events[mine] - file.first]
        for (first, part), numbers in zip(self._parts, self._who, strict=True):
            mine = (events >= first) & (events < first + part.height)
            known[mine] = numbers[events[mine] - first]
        return known

    def empty(self) -> None:
        """Forget everything."""
        for file in self._files:
            file.path.unlink(missing_ok=True)
            file.beside.unlink(missing_ok=True)
        self._files, self._parts, self._who = [], [], []
        self.size = self.rows = 0


@dataclass(frozen=True, slots=True)
class _File:
    """Events that were written.

    Attributes:
        path: of the columns `names`; there is none if it has no names.
        beside: the numbers that were given with them.
        first: number of the first event; `rows`: how many there are.
        same: columns of one value, as a row.
        copies: columns that say what another does → the other.
    """

    path: Path
    beside: Path
    first: int
    rows: int
    names: tuple[str, ...]
    same: pl.DataFrame
    copies: Mapping[str, str]

    def read(self, rows: Array, columns: Sequence[str]) -> pl.DataFrame:
        """Some rows, ascending, in the order of `columns`."""
        wanted = list(dict.fromkeys(columns))
        names = {self.copies.get(name, name) for name in wanted}
        mine = [name for name in self.names if name in names]
        table = self._rows(rows, mine) if mine else pl.DataFrame()
        found = []
        for name in wanted:
            source = self.copies.get(name, name)
            if source in table.columns:
                found.append(table[source].alias(name))
            elif source in self.same.columns:
                found.append(self.same[source].new_from_index(0, len(rows)).alias(name))
        return pl.DataFrame(found)

    def _rows(self, rows: Array, names: Sequence[str]) -> pl.DataFrame:
        table = pl.scan_ipc(self.path, glob=False).select(pl.col(name) for name in names)
        edges = np.flatnonzero(np.diff(rows // _ROWS)) + 1
        parts = []
        for some in np.split(rows, edges):
            begin = int(some[0])
            part = table.slice(begin, int(some[-1]) - begin + 1).collect()
            parts.append(part if part.height == len(some) else part[some - begin])
        return pl.concat(parts)


def _among(wanted: Array, first: int, rows: int) -> Array:
    begin, end = np.searchsorted(wanted, (first, first + rows))
    mine: Array = wanted[begin:end] - first
    return mine


def _numbered(rows: pl.DataFrame, numbers: Array) -> pl.DataFrame:
    return pl.DataFrame([pl.Series(EVENT, numbers, pl.Int64), *rows.get_columns()])


def _spare(whole: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]:
    """The columns that must be written, a row of those of one value, and those that are another's copy."""
    same: list[pl.Series] = []
    written: list[pl.Series] = []
    copies: dict[str, str] = {}
    for column in whole:
        if _is_one_value(column):
            same.append(pl.Series(column.name, [column[0]], column.dtype))
            continue
        other = next((one.name for one in written if _alike(one, column)), None)
        if other is None:
            written.append(column)
        else:
            copies[column.name] = other
    return pl.DataFrame(written), pl.DataFrame(same), copies


def _is_one_value(column: pl.Series) -> bool:
    if column.null_count():
        return column.null_count() == len(column)
    if column.dtype.is_nested() or column.dtype == pl.Object:
        return False
    if not column[0] == column[len(column) // 2] == column[-1]:
        return False
    return bool((column == column[:1]).all())


def _alike(one: pl.Series, other: pl.Series) -> bool:
    if one.dtype != other.dtype or one.dtype.is_nested() or one.dtype == pl.Object:
        return False
    return one[:_SOME].equals(other[:_SOME]) and one.equals(other)


def together(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Frames below each other; a column of several types becomes text."""
    if not parts:
        return pl.DataFrame()
    kinds: dict[str, set[pl.DataType]] = {}
    for part in parts:
        for name, kind in part.schema.items():
            kinds.setdefault(name, set()).add(kind)
    mixed = {name for name, found in kinds.items() if len(found - {pl.Null()}) > 1}
    alike = [part.with_columns(joined(part[n]) for n in part.columns if n in mixed) for part in parts]
    return pl.concat(alike, how="diagonal_relaxed")
