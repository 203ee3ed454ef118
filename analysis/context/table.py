"""A CSV export as spreadsheets and HR systems write it: any encoding, any delimiter, titles on top."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DELIMITERS: Final = ",;\t|"
_TITLE_LINES: Final = 20  # a header further down is none


@dataclass(frozen=True, slots=True)
class Table:
    """A header and its rows.

    Attributes:
        header: the column names as the file has them.
        rows: 1-based number of the line a row begins on, and its cells, as many as the header has.
        uneven: numbers of the lines whose rows had fewer or more cells than the header.
    """

    header: list[str]
    rows: list[tuple[int, list[str]]]
    uneven: list[int]


def decode(data: bytes) -> str:
    """Text of a file by its byte order mark, else UTF-8, else UTF-16 without a mark, else Windows-1252."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if data.startswith(codecs.BOM_UTF8):
        return data[3:].decode("utf-8", "replace")
    if b"\0" in data[:400]:
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def read_table(text: str, known: Callable[[list[str]], int]) -> Table | None:
    """The table in `text`, or None where no row looks like a header.

    Args:
        text: the file.
        known: how many cells of a row are column names that the caller knows; the delimiter and the row with
            the most of them win, the first at equal numbers.

    Raises:
        csv.Error: a cell longer than 128 KiB, which no HR export has.
    """
    score, delimiter, above = max(
        (
            (known(cells), delimiter, -index)
            for delimiter in _DELIMITERS
            for index, _, cells in _top(text, delimiter)
        ),
        key=lambda found: (found[0], found[2]),
        default=(0, ",", 0),
    )
    if score == 0:
        return None
    records = islice(_records(text, delimiter), -above, None)
    _, header = next(records)
    rows, uneven = [], []
    for line, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            uneven.append(line)
        rows.append((line, [*cells[: len(header)], *[""] * (len(header) - len(cells))]))
    return Table([name.strip() for name in header], rows, uneven)


def _top(text: str, delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    try:
        for index, (line, cells) in enumerate(islice(_records(text, delimiter), _TITLE_LINES)):
            yield index, line, cells
    except csv.Error:
        return  # read with the wrong delimiter, one quoted cell may swallow the file


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    begins = 1
    for cells in reader:
        yield begins, cells
        begins = reader.line_num + 1
