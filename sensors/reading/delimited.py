"""Text with delimiters (CSV, RFC 4180) to columns: records with their place, then one text column a field.

A quoted field may hold line breaks, as exports of messages do. A quote that is never closed would swallow the
rest of a file: after `_LONGEST` bytes the line that opened it is named as unread, and reading goes on behind.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing
from sensors.reading.losses import name_lost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensors.sensor import Source

FRAME: Final = ("text", "log.offset", "log.file.line")
PLACE: Final = (
    "sample",
    "log.offset",
    "log.file.line",
)  # what a table says of its records beside their fields
_BEGINNING: Final = 200
_LONGEST: Final = 1 << 20


def first_rows(head: bytes, delimiter: str, most: int = 20) -> list[list[str]]:
    """The first whole records of a source that begins with `head`, for sniffing; [] if it is no such text."""
    text = framing.text_head(head)
    lines = list(io.StringIO(text, newline="\n"))
    whole = lines if text.endswith("\n") or len(lines) == 1 else lines[:-1]
    rows: list[list[str]] = []
    try:
        for row in csv.reader(whole, delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) == most:
                break
    except csv.Error:
        pass
    return rows


def records(source: Source) -> Iterator[pl.DataFrame]:
    """The records of a source in input order: frames of `FRAME`; fields with line breaks are put together."""
    held: pl.DataFrame | None = None
    for lines in framing.lines(source):
        frame = lines if held is None else pl.concat([held, lines])
        held = None
        if frame["text"].str.contains('"', literal=True).any():
            frame, held = _joined(frame, source)
        if frame.height:
            yield frame
    if held is not None:
        name_lost(held.head(1), "a quote that is never closed", source)
        if held.height > 1:
            yield held.slice(1)


def headed(source: Source, delimiter: str = ",") -> Iterator[tuple[list[str], pl.DataFrame]]:
    """The names in a source's header, and its records: frames of `FRAME` with at least one row.

    A name that stands there twice, or that is one of `FRAME` or `PLACE`, becomes `~` and its place. The
    header is left out wherever it stands again, as in files that were put together.
    """
    names: list[str] = []
    header = ""
    for frame in records(source):
        if not names:
            header = frame["text"][0]
            names = _distinct((first_rows(header.encode(), delimiter, 1) or [[]])[0])
            if not names or "\n" in header:  # without names the records are lost with it
                name_lost(frame.head(1) if names else frame, "no header to tell the columns by", source)
        rows = frame.filter(pl.col("text") != header)
        if rows.height and names:
            yield names, rows


def _distinct(header: list[str]) -> list[str]:
    names: list[str] = []
    for place, raw in enumerate(header):
        name = raw.strip().strip("\ufeff")
        taken = not name or name in names or name in {*FRAME, *PLACE}
        names.append(f"~{place}" if taken else name)
    return names


def _joined(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Whole records, and the lines of one that is not whole yet."""
    while True:
        quotes = frame["text"].str.count_matches('"', literal=True).cast(pl.Int64)
        begins = (quotes.cum_sum() - quotes) % 2 == 0
        last = int(begins.arg_true()[-1])
        is_open = bool(quotes.sum() % 2)
        whole, rest = (frame.head(last), frame.slice(last)) if is_open else (frame, None)
        if rest is None or int(rest["text"].str.len_bytes().sum()) <= _LONGEST:
            break
        name_lost(rest.head(1), "a quote that is never closed", source)
        frame = pl.concat([whole, rest.slice(1)])
        if not frame.height:
            return frame, None
    begins = begins.head(whole.height)
    if begins.all():
        return whole, rest
    joined = (
        whole.group_by(begins.cum_sum().alias("record"), maintain_order=True)
        .agg(pl.col("text").str.join("\n"), pl.col("log.offset", "log.file.line").first())
        .select(FRAME)
    )
    return joined, rest


def table(frame: pl.DataFrame, names: Sequence[str], delimiter: str, source: Source) -> pl.DataFrame:
    """Columns `PLACE`, and one of text for each of `names`; an empty field is null.

    A record with fewer fields lacks the last ones. One with more, or that is no delimited text, is named in
    `source.unread` and left out.

    Args:
        frame: columns `FRAME`.
        names: of the fields, in order; distinct, and none of them one of `PLACE`.
        delimiter: one character.
        source: what is being read.
    """
    parsed = _parsed(frame, len(names), delimiter)
    if parsed is None:
        if frame.height == 1:
            name_lost(frame, f"not {len(names)} fields with {delimiter!r} between them", source)
            return _placed(frame).clear().with_columns(pl.lit(None, pl.String).alias(n) for n in names)
        half = frame.height // 2
        return pl.concat(
            [table(part, names, delimiter, source) for part in (frame.head(half), frame.slice(half))]
        )
    return _placed(frame).hstack(parsed.rename(dict(zip(parsed.columns, names, strict=True))))


def _placed(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns `PLACE` of records: how each begins, and where it stands."""
    sample = pl.col("text").str.slice(0, _BEGINNING).alias("sample")
    return frame.select(sample, "log.offset", "log.file.line")


def _parsed(frame: pl.DataFrame, fields: int, delimiter: str) -> pl.DataFrame | None:
    """The fields of all records; None if any of them has too many, or cannot be told apart."""
    schema = {str(place): pl.String() for place in range(fields)}
    # A row of as many fields as there should be comes first: Polars takes their number from there.
    blob = f'"x"{delimiter * (fields - 1)}\n'.encode() + frame["text"].str.join("\n").item().encode()
    try:
        parsed = pl.read_csv(
            io.BytesIO(blob), has_header=False, schema=schema, separator=delimiter, infer_schema=False
        ).slice(1)
    except pl.exceptions.PolarsError:
        return None
    return parsed if parsed.height == frame.height else None
