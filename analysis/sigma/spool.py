"""Frames that wait: in memory while they are few, in a folder of their own beyond that.

Small inputs never touch the disk. The folder is the user's own (mode 0700, below `TMPDIR`) and goes with the
object that made it, also when a run ends by an error.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
import weakref
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.sigma.written import joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EVENT: Final = "_event"  # number of the event, in order of arrival
HIGH: Final = "_high"  # one half of the key of a group, uniform over UInt64
MEMORY: Final = 128 << 20  # bytes of frames, beyond which they are written
_AT_ONCE: Final = 2_000_000  # rows of narrow frames that are read and judged together
_ROWS: Final = 1 << 16  # of a row group: what is skipped or read as one


class Spools:
    """Spools that share one limit and one folder.

    Args:
        memory: bytes of frames, beyond which they are written.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._all: list[Spool] = []
        self._folder: Path | None = None
        self._written = 0

    def spool(self, key: str, *, ascending: bool = False) -> Spool:
        """A new spool; see `Spool`."""
        self._all.append(Spool(key, ascending=ascending))
        return self._all[-1]

    def forget(self, spool: Spool) -> None:
        """Drop a spool and what it holds."""
        self._all.remove(spool)
        spool.empty()

    def settle(self) -> None:
        """Write frames, those of the largest spool first, until half of the memory is free.

        Raises:
            OSError: there is no room for them.
        """
        if sum(one.size for one in self._all) <= self._memory:
            return
        for one in sorted(self._all, key=lambda spool: -spool.size):
            if sum(other.size for other in self._all) <= self._memory // 2:
                return
            self._written += 1
            one.write(self._place() / f"{self._written}.parquet")

    def _place(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="molehunt-correlations-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder


class Spool:
    """Frames of one kind, taken in batch by batch.

    Args:
        key: by which they are sorted when they are written; a range of it is read without the rest.
        ascending: it ascends from frame to frame anyway.
    """

    def __init__(self, key: str, *, ascending: bool) -> None:
        self._key = key
        self._ascending = ascending
        self.parts: list[pl.DataFrame] = []
        self.files: list[tuple[Path, int, int]] = []  # with the first and the last key
        self.size = 0
        self.rows = 0

    def add(self, part: pl.DataFrame) -> None:
        """Take in a frame; it must not share memory with a larger one."""
        if part.height:
            self.parts.append(part)
            self.size += int(part.estimated_size())
            self.rows += part.height

    def write(self, path: Path) -> None:
        """Move what is in memory to a file.

        Raises:
            OSError: it cannot be written.
        """
        whole = together(self.parts)
        if not self._ascending:
            whole = whole.sort(self._key, maintain_order=True)
        try:
            whole.write_parquet(path, compression="lz4", row_group_size=_ROWS)
        except (OSError, pl.exceptions.PolarsError) as error:  # the latter where the disk is full, too
            advice = "free some space there, or set TMPDIR to a folder that has more"
            message = f"matched events cannot be put aside here ({error}); {advice}"
            raise OSError(errno.ENOSPC, message, str(path.parent)) from error
        self.files.append((path, whole[self._key][0], whole[self._key][-1]))
        self.parts = []
        self.size = 0

    def within(self, inside: pl.Expr) -> Iterator[pl.DataFrame]:
        """The rows that a condition is true of, in order of arrival where the key is the same."""
        for path, _, _ in self.files:
            yield pl.scan_parquet(path, glob=False).filter(inside).collect()
        for part in self.parts:
            yield part.filter(inside)

    def having(self, keys: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        """The rows with one of these keys, of a spool in which the key ascends and is there once.

        Args:
            keys: Int64, each once, ascending.
            columns: which columns are wanted besides the key; those that no row has are left out.
        """
        columns = (self._key, *columns)
        wanted = keys.to_numpy()
        found = [pl.DataFrame(schema={self._key: pl.Int64})]
        for path, low, high in self.files:
            mine = wanted[np.searchsorted(wanted, low) : np.searchsorted(wanted, high, side="right")]
            if len(mine):
                rows = pl.scan_parquet(path, glob=False)
                inside = pl.col(self._key).is_between(mine[0], mine[-1])
                inside &= pl.col(self._key).is_in(pl.Series(mine).implode())
                names = [name for name in rows.collect_schema() if name in columns]
                found.append(rows.filter(inside).select(names).collect())
        for part in self.parts:
            there = part[self._key].to_numpy()
            begin, end = np.searchsorted(wanted, there[0]), np.searchsorted(wanted, there[-1], side="right")
            place = np.searchsorted(there, wanted[begin:end])
            place = place[there[place] == wanted[begin:end]]
            names = [name for name in part.columns if name in columns]
            found.append(part.select(names)[place])
        return together(found)

    def empty(self) -> None:
        """Forget everything."""
        for path, _, _ in self.files:
            path.unlink(missing_ok=True)
        self.files, self.parts = [], []
        self.size = self.rows = 0


def portions(spools: Sequence[Spool]) -> Iterator[pl.DataFrame]:
    """All rows of spools of one kind: those of a group in one portion, and there in order of arrival."""
    if not any(spool.files for spool in spools):
        parts = [part for spool in spools for part in spool.parts]
        if parts:
            yield together(parts)
        return
    count = max(1, -(-sum(spool.rows for spool in spools) // _AT_ONCE))
    edges = [(1 << 64) * number // count for number in range(count + 1)]
    for low, high in pairwise(edges):
        inside = pl.col(HIGH).is_between(pl.lit(low, pl.UInt64), pl.lit(high - 1, pl.UInt64))
        portion = together([part for spool in spools for part in spool.within(inside)])
        if portion.height:
            yield portion


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
