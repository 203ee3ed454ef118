"""What the commands of the workbench print with: tables, bars and lines that say as much without colour."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analysis.report.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

PIPED: Final = 100  # letters of a line that goes to no terminal
_STEPS: Final = "▁▂▃▄▅▆▇█"
_NONE: Final = "·"
_PLAIN_STEPS: Final = ".:-=+*#@"
_PLAIN_NONE: Final = " "


class Screen:
    """Standard output, whether a person or another program reads it."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else PIPED
        self._console = Console(file=sys.stdout, highlight=False, width=width)
        self._unicode = (self._console.encoding or "").lower().startswith("utf")

    def say(self, text: str = "", style: str = "", indent: int = 0) -> None:
        """A paragraph, or an empty line; what a terminal would obey is shown instead."""
        if not text:
            self._console.print()
            return
        lines = Text("\n".join(plain(line) for line in text.split("\n")), style=style, overflow="fold")
        self._console.print(Padding(lines, (0, 0, 0, indent), expand=False))

    def rows(
        self, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], indent: int = 0
    ) -> None:
        """A table.

        Args:
            columns: headings, and "left", "right", or "fold": left, in several lines where one is too short.
            rows: cells.
            indent: letters before it.
        """
        table = Table(box=None, pad_edge=False, show_header=any(name for name, _ in columns))
        for name, kind in columns:
            table.add_column(
                name,
                justify="right" if kind == "right" else "left",
                no_wrap=kind != "fold",
                overflow="fold" if kind == "fold" else "ellipsis",
            )
        for row in rows:
            table.add_row(*(Text(plain(cell)) for cell in row))
        self._console.print(Padding(table, (0, 0, 0, indent), expand=False))

    def bar(self, number: int, most: int, width: int = 30) -> str:
        """A bar whose length stands for `number`, of `width` letters for `most`; never empty above 0."""
        if not number or not most:
            return ""
        return ("█" if self._unicode else "#") * max(1, round(width * number / most))

    def line(self, numbers: Sequence[int]) -> str:
        """A letter for each number, the higher the more."""
        most = max(numbers, default=0)
        steps, none = (_STEPS, _NONE) if self._unicode else (_PLAIN_STEPS, _PLAIN_NONE)
        return "".join(steps[(number * len(steps) - 1) // most] if number else none for number in numbers)


def share(part: float, whole: float) -> str:
    """A percentage; "<1 %" where it is less, and is not nothing."""
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    return "<1 %" if percent < 1 else f"{percent:.0f} %"


def many(number: int, one: str, more: str = "") -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def near(path: Path) -> str:
    """A path as seen from the current folder, where it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
