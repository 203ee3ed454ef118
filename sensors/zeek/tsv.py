r"""Zeek's tab-separated logs: headers that may change in mid-file, and lines cut into columns.

A log begins with `#separator \x09`, `#set_separator`, `#empty_field`, `#unset_field`, `#path`, `#fields`,
`#types`, and ends with `#close`; concatenated files have several such headers, with other fields perhaps
(https://docs.zeek.org/en/current/log-formats.html). Signs that would be taken for something else are written
`\xHH`, and a backslash doubled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from sensors.reading import framing
from sensors.zeek import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source
    from sensors.zeek.kinds import Kind

MAX_FIELDS: Final = 1_000  # the longest log of Zeek's has some sixty
POSITION: Final = ("log.offset", "log.file.line")
_ESCAPED: Final = re.compile(r"\\\\|(?:\\x[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header says of the lines after it."""

    separator: str = "\t"
    set_separator: str = ","
    empty: str = "(empty)"
    unset: str = "-"
    path: str = ""
    fields: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def after(self, line: str) -> Layout:
        """The layout with one more header line; lines that say nothing of it leave it as it is."""
        if line.startswith("#separator "):  # the first line of a header, and the only one cut at a space
            return Layout(separator=unescaped(line.split(" ", 1)[1]).replace("\\t", "\t") or "\t")
        key, *values = line.split(self.separator)
        first = values[0] if values else ""
        changes: dict[str, dict[str, Any]] = {
            "#set_separator": {"set_separator": unescaped(first) or ","},
            "#empty_field": {"empty": first},
            "#unset_field": {"unset": first},
            "#path": {"path": unescaped(first)},
            "#fields": {"fields": tuple(values), "types": ()},
            "#types": {"types": tuple(values)},
        }
        return replace(self, **changes.get(key, {}))


class TsvRows:
    """Lines of one layout as columns, one a field."""

    def __init__(self, layout: Layout, position: pl.DataFrame, cells: pl.DataFrame, *, escapes: bool) -> None:
        self._layout = layout
        self._cells = cells
        self._escapes = escapes
        self.position = position
        kept = dict.fromkeys(name for name in layout.fields if name)
        self.names = tuple(kept)
        self._at = {name: layout.fields.index(name) for name in self.names}

    def several(self, name: str) -> bool:
        """Whether the field is a set or a vector."""
        types, at = self._layout.types, self._at[name]
        return at < len(types) and types[at].startswith(("set[", "vector["))

    def bare(self, name: str) -> pl.Series:
        """The cells as they stand, the marks of unset and empty ones included: for numbers and times."""
        return self._cells.to_series(self._at[name])

    def text(self, name: str) -> pl.Series:
        """String: escapes undone, null where unset or empty."""
        cells = self._set(self.bare(name))
        return _plain(cells) if self._escapes else cells

    def texts(self, name: str) -> pl.Series:
        """List(String): the elements of sets and vectors, without unset ones; null where there is none."""
        cells = self._set(self.bare(name))
        split = cells.str.split(self._layout.set_separator)
        if cells.null_count() == cells.len() or not split.list.len().max():
            return split
        flat = self._set(split.explode(empty_as_null=True, keep_nulls=True))
        if not self._escapes and flat.null_count() == cells.null_count():
            return split
        flat = _plain(flat)
        row = np.repeat(np.arange(cells.len()), split.list.len().fill_null(1).to_numpy())
        return regrouped(row, flat, cells.len())

    def _set(self, cells: pl.Series) -> pl.Series:
        """Null for cells that hold a mark of unset or empty."""
        cell, layout = pl.col("c"), self._layout
        there = (cell != layout.unset) & (cell != layout.empty) & (cell != "")
        return cells.to_frame("c").select(pl.when(there).then(cell)).to_series()


def regrouped(row: np.ndarray[tuple[int], np.dtype[np.int64]], values: pl.Series, height: int) -> pl.Series:
    """List(String) of `height` rows from values and the rows that they are of; null where a row has none."""
    return (
        pl.DataFrame({"row": row, "value": values})
        .drop_nulls("value")
        .group_by("row", maintain_order=True)
        .agg("value")
        .join(pl.DataFrame({"row": np.arange(height)}), on="row", how="right", maintain_order="right")
        .get_column("value")
    )


def blocks(source: Source) -> Iterator[list[tuple[Kind, TsvRows]]]:
    """For each block of lines the rows of each layout in it; a block with one header has one.

    Lines that no header announces, or that have more or fewer fields than it, are named in `source.unread`.
    """
    layout = Layout()
    for frame in framing.lines(source):
        rows: list[tuple[Kind, TsvRows]] = []
        headers = frame.select(pl.col("text").str.starts_with("#").arg_true()).to_series()
        if not headers.len():
            spans = {layout: [(0, frame.height)]}
        else:
            spans, layout = _spans(frame, headers, layout)
        for each, ranges in spans.items():
            part = pl.concat([frame.slice(start, end - start) for start, end in ranges])
            cut = _cut(part, each, source)
            if cut is not None:
                rows.append((_kind(each, source.name), cut))
        if rows:
            yield rows


def _kind(layout: Layout, file_name: str) -> Kind:
    """The log by `#path`; headers without it are older than Zeek, or were put together by other tools."""
    if layout.path:
        return kinds.kind(layout.path)
    return kinds.recognised(layout.fields, file_name) or kinds.kind(kinds.named(file_name) or "log")


def _spans(
    frame: pl.DataFrame, headers: pl.Series, layout: Layout
) -> tuple[dict[Layout, list[tuple[int, int]]], Layout]:
    """Rows between header lines by the layout that holds there, and the layout that holds after them."""
    spans: dict[Layout, list[tuple[int, int]]] = {}
    start = 0
    for at, line in zip(headers, frame["text"].gather(headers), strict=True):
        if at > start:
            spans.setdefault(layout, []).append((start, at))
        layout = layout.after(line)
        start = at + 1
    if start < frame.height:
        spans.setdefault(layout, []).append((start, frame.height))
    return spans, layout


def _cut(frame: pl.DataFrame, layout: Layout, source: Source) -> TsvRows | None:
    width = len(layout.fields)
    if not width:
        _lost(frame, "no #fields header stands before this line, so its columns have no names", source)
        return None
    if width > MAX_FIELDS:
        _lost(
            frame, f"the header names {width:,} fields; no log of Zeek's has more than {MAX_FIELDS:,}", source
        )
        return None
    cells = _split(frame["text"], layout.separator, width)
    short, long = cells.to_series(width - 1).is_null(), cells.to_series(width).is_not_null()
    if long.any():  # some exporters end each line with one more separator
        trimmed = pl.when(long).then(pl.col("text").str.strip_chars_end(layout.separator)).otherwise("text")
        cells = _split(frame.select(trimmed).to_series(), layout.separator, width)
        short, long = cells.to_series(width - 1).is_null(), cells.to_series(width).is_not_null()
    wrong = short | long
    if wrong.any():
        _lost(
            frame.filter(short), f"fewer fields than the {width} of the header; the line is cut off", source
        )
        _lost(frame.filter(long), f"more fields than the {width} of the header", source)
        frame, cells = frame.filter(~wrong), cells.filter(~wrong)
    if not frame.height:
        return None
    escapes = bool(frame["text"].str.contains("\\", literal=True).any())
    return TsvRows(layout, frame.select(POSITION), cells, escapes=escapes)


def _split(text: pl.Series, separator: str, width: int) -> pl.DataFrame:
    """`width` columns and one more that is null unless the line has too many."""
    return text.str.split_exact(separator, width).struct.unnest()


def _lost(frame: pl.DataFrame, reason: str, source: Source) -> None:
    """One entry for all rows of a frame: thousands of bad lines must not be thousands of sentences."""
    if frame.height:
        text, offset, line = frame.select("text", *POSITION).row(0)
        source.lost(reason, line=line, offset=offset, sample=text, count=frame.height)


def unescaped(text: str) -> str:
    r"""One value without escapes. Bytes that are no UTF-8 stay as `\xHH`, which is what Zeek's JSON has.

    NUL stands as U+FFFD, as in every other text of ours.
    """
    return _ESCAPED.sub(_original, text).replace("\0", "\N{REPLACEMENT CHARACTER}")


def _original(match: re.Match[str]) -> str:
    written = match.group()
    if written == "\\\\":
        return "\\"
    return bytes.fromhex(written.replace("\\x", "")).decode("utf-8", "backslashreplace")


def _plain(column: pl.Series) -> pl.Series:
    """Escapes undone; each distinct value that has any is looked at once."""
    escaped = column.str.contains("\\", literal=True).fill_null(value=False)
    if not escaped.any():
        return column
    distinct = column.filter(escaped).unique()
    if not distinct.str.contains("\\x", literal=True).any():
        return column.str.replace_all("\\\\", "\\", literal=True)
    return column.replace(distinct, pl.Series([unescaped(value) for value in distinct], dtype=pl.String))
