"""What waits shares one limit of memory; beyond it, it is written to a folder that goes with the run.

Small inputs never touch the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from analysis.sigma.correlations.scratch import folder_for

if TYPE_CHECKING:
    from pathlib import Path

MEMORY: Final = 128 << 20  # bytes, beyond which they are written


class Waits(Protocol):
    """What can be written: `size` bytes of it are in memory."""

    size: int

    def write(self, path: Path) -> None:
        """Move what is in memory to files of this name."""

    def empty(self) -> None:
        """Forget everything."""


_One = TypeVar("_One", bound=Waits)


class Spools:
    """All that shares one limit and one folder.

    Args:
        memory: bytes, beyond which they are written.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._all: list[Waits] = []
        self._folder: Path | None = None
        self._written = 0

    def watch(self, one: _One) -> _One:
        """Count something in, from now on; it is given back."""
        self._all.append(one)
        return one

    def forget(self, one: Waits) -> None:
        """Drop something and what it holds."""
        self._all.remove(one)
        one.empty()

    def settle(self) -> None:
        """Write, the largest first, until half of the memory is free.

        Raises:
            OSError: there is no room.
        """
        if sum(one.size for one in self._all) <= self._memory:
            return
        for one in sorted(self._all, key=lambda each: -each.size):
            if sum(other.size for other in self._all) <= self._memory // 2:
                return
            self._written += 1
            one.write(self._place() / str(self._written))

    def _place(self) -> Path:
        if self._folder is None:
            self._folder = folder_for(self)
        return self._folder
