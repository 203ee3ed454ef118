"""The JSON records of a source, whatever wraps them, each with where it stands.

One record a line is the fast way: such sources are framed as lines. Everything else (arrays, pretty-printed
or concatenated objects, pages of an API) is cut into its objects while it streams by. Two kinds of wrapping
are taken off in both: pages, objects whose array holds the records (`{"value": [...]}` of Microsoft Graph,
`{"Records": [...]}`, `{"events": [...]}`), and envelopes, which hold one record each (Splunk's
`{"preview": false, "result": {...}}`, Elasticsearch's `{"_index": "x", "_source": {...}}`). Records that
others carry as text are `sensors.carriers`' to take out.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
import polars as pl

from sensors.reading import framing, json_columns, json_pages, json_scan, json_shred
from sensors.reading.json_cut import PAGE, Cutter, after_page_opens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sensors.reading.json_scan import Array
    from sensors.sensor import Source

FRAME: Final = ("text", "log.offset", "log.file.line")
ROWS: Final = 50_000  # at most, in one frame
_PEEKED: Final = 50

_BLANK: Final = b"\xef\xbb\xbf\0 \t\r\n"
_EMPTY: Final = re.compile(rb"\[\s*\]")  # an export of nothing
_SCALAR = r'(?:"(?:[^"\\]|\\.)*"|[-+.\w]+|\[[^\[\]]*\])'
_ELASTIC = rf'(?:"(?:_index|_type|_id|_score|_version|_seq_no|_primary_term|sort)"\s*:\s*{_SCALAR}\s*,\s*)*'
_SPLUNK = rf'(?:"(?:preview|offset|lastrow)"\s*:\s*{_SCALAR}\s*,\s*)+'
_ENVELOPE = rf'^(\s*\{{\s*(?:{_ELASTIC}"_source"|{_SPLUNK}"result")\s*:\s*)\{{'


def records(source: Source) -> Iterator[pl.DataFrame]:
    """The JSON objects of a source in input order: `text`, `log.offset`, `log.file.line`.

    An envelope's record stands where its envelope begins. In a source of one record a line nothing is parsed
    here: `json_table.table` names lines that are no JSON. What cannot be cut out of any other source (half a
    record at the end, text between records) is named in `source.unread`.
    """
    framed = framing.lines(source) if _is_lines(source.head) else _cut(source)
    for frame in framed:
        for part in frame.iter_slices(ROWS):
            opened = _unwrapped(part, source)
            yield from opened.iter_slices(ROWS)


def mostly(head: bytes, fits: Callable[[dict[str, Any]], object]) -> bool:
    """Whether more than half of the first records of a source that begins with `head` fit.

    One foreign record at the beginning of a log makes it no one else's: it is named when the log is read.
    """
    found = peek(head)
    return 2 * sum(bool(fits(record)) for record in found) > len(found)


@lru_cache(maxsize=8)
def peek(head: bytes) -> tuple[dict[str, Any], ...]:
    """The first whole JSON objects of a source that begins with `head`, unwrapped, for sniffing."""
    blob = framing.text_head(head).encode()
    spans, _ = Cutter().feed(blob, final=False)
    frame = _framed(blob, spans[:_PEEKED], 0, 1)
    found = []
    for text in _unwrapped(frame, None)["text"].head(_PEEKED):
        try:
            found.append(orjson.loads(text))
        except orjson.JSONDecodeError:
            continue
    return tuple(found)


def _is_lines(head: bytes) -> bool:
    """Whether a source that begins with `head` has one record a line, or something like it.

    So it is if its first line is whole. If its beginning is broken (a log that begins amid a record), then
    whole lines further on decide.
    """
    blob = framing.text_head(head).encode()
    first, _, others = blob.lstrip().partition(b"\n")
    if first.startswith(b"["):
        return False
    if _whole(first):
        return True
    cutter = Cutter()
    spans, _ = cutter.feed(blob, final=False)
    begins = blob.find(b"{")
    if begins >= 0 and all(start > begins for start, _ in cutter.take_broken()):
        return False
    return not len(spans) or any(_whole(line) for line in others.split(b"\n") if line.startswith(b"{"))


def _whole(line: bytes) -> bool:
    """Whether a line is one JSON value and nothing else."""
    data = np.frombuffer(line, np.uint8)
    stop = json_scan.value_end(data, 0, len(data))
    return stop >= 0 and not line[stop:].strip(b"\r \t\0")


def _cut(source: Source) -> Iterator[pl.DataFrame]:
    """The objects of a source that is not one record a line."""
    cutter = Cutter()
    found = False
    rest = b""
    offset = len(b"\xef\xbb\xbf") if source.head.startswith(b"\xef\xbb\xbf") else 0
    line = 1
    for chunk in _with_end(framing.chunks(source)):
        blob = rest + (chunk or b"")
        spans, stop = cutter.feed(blob, final=chunk is None)
        for start, reason in cutter.take_broken():
            source.lost(
                reason,
                line=line + blob.count(b"\n", 0, start),
                offset=offset + start,
                sample=blob[start : start + 200],
            )
        newlines = _newlines(blob)
        frame = _framed(blob, spans, offset, line, newlines)
        if frame.height:
            found = True
            _name_bad_text(frame, blob, spans, source)
            yield frame
        rest = blob[stop:]
        offset += stop
        line += int(np.searchsorted(newlines, stop))
    said = source.head.strip(_BLANK)
    if said and not found and not source.unread and not _EMPTY.fullmatch(said):
        source.lost("no JSON record in it", line=1, offset=0, sample=said[:200])


def _name_bad_text(frame: pl.DataFrame, blob: bytes, spans: Array, source: Source) -> None:
    """Name the first record of `frame` that is not UTF-8."""
    for row in frame["text"].str.contains("\ufffd", literal=True).arg_true():
        start, end = spans[row].tolist()
        if "\ufffd".encode() not in blob[start:end]:
            source.lost(
                "not UTF-8 from here on in places; unreadable bytes stand as \N{REPLACEMENT CHARACTER}",
                line=frame["log.file.line"][row],
                offset=frame["log.offset"][row],
                sample=blob[start:end],
            )
            return


def _with_end(chunks: Iterator[bytes]) -> Iterator[bytes | None]:
    """The chunks, and None when there are no more."""
    yield from chunks
    yield None


def _newlines(blob: bytes) -> Array:
    """Where its line ends stand."""
    return np.flatnonzero(np.frombuffer(blob, np.uint8) == ord("\n"))


def _framed(blob: bytes, spans: Array, offset: int, line: int, newlines: Array | None = None) -> pl.DataFrame:
    """The spans of `blob`, which begins at `offset` and in `line` of its source, as a frame."""
    data = np.frombuffer(blob, np.uint8)
    newlines = _newlines(blob) if newlines is None else newlines
    starts = np.ascontiguousarray(spans[:, 0])
    return pl.DataFrame(
        {
            "text": _texts(data, starts, spans[:, 1]),
            "log.offset": offset + starts,
            "log.file.line": line + np.searchsorted(newlines, starts),
        },
        schema=dict(zip(FRAME, (pl.String, pl.Int64, pl.Int64), strict=True)),
    )


def _texts(data: Array, starts: Array, ends: Array) -> pl.Series:
    """The spans of `data` as text; bytes that are not UTF-8 stand as U+FFFD."""
    if not framing.is_utf8(data):
        parts = (data[start:end].tobytes() for start, end in zip(starts.tolist(), ends.tolist(), strict=True))
        return pl.Series(
            [part.replace(b"\0", b" ").decode("utf-8", "replace") for part in parts], dtype=pl.String
        )
    leaves = np.zeros((len(starts), 5), np.int64)
    leaves[:, json_shred.FROM], leaves[:, json_shred.TO] = starts, ends
    leaves[:, json_shred.KIND] = json_scan.RAW
    return json_columns.strings(data, leaves)


def _unwrapped(frame: pl.DataFrame, source: Source | None) -> pl.DataFrame:
    """The records of `frame` out of their pages and envelopes."""
    return _open_envelopes(_open_pages(frame, source))


def _open_pages(frame: pl.DataFrame, source: Source | None) -> pl.DataFrame:
    """The same records, with rows that hold several taken apart: pages, arrays, objects without line ends."""
    several = json_pages.several(frame["text"])
    while several.any():
        numbered = frame.with_row_index("row")
        parts = [numbered.filter(~several)]
        for row, page, offset, line in numbered.filter(several).iter_rows():
            part = _taken_apart(page.encode(), offset, line, source)
            parts.append(part.select(pl.lit(row, pl.get_index_type()).alias("row"), pl.all()))
        frame = pl.concat(parts).sort("row", "log.offset", maintain_order=True).drop("row")
        several = frame["text"].str.contains(PAGE)
    return frame


def _taken_apart(page: bytes, offset: int, line: int, source: Source | None) -> pl.DataFrame:
    """The records in a row that stands at `offset` and in `line` of its source."""
    cutter = Cutter()
    spans, _ = cutter.feed(page, final=True, at=after_page_opens(page))
    for start, reason in cutter.take_broken():
        if source is not None:
            source.lost(reason, line=line, offset=offset + start, sample=page[start : start + 200])
    return _framed(page, spans, offset, line)


def _open_envelopes(frame: pl.DataFrame) -> pl.DataFrame:
    """The same records, those in envelopes taken out."""
    inside = frame["text"].str.extract(_ENVELOPE, 1).str.len_bytes()
    if inside.null_count() == frame.height:
        return frame
    wrapped = frame.filter(inside.is_not_null())["text"]
    data, starts, ends = json_columns.spans(wrapped)
    starts = starts + inside.drop_nulls().to_numpy().astype(np.int64)
    stops = json_scan.value_ends(data, starts, ends)
    stops = np.where(stops < 0, ends, stops)  # a broken record: the table will name it
    texts = frame["text"].to_frame().with_row_index("row")
    taken = pl.DataFrame(
        {"row": texts["row"].filter(inside.is_not_null()), "record": _texts(data, starts, stops)}
    )
    joined = texts.join(taken, on="row", how="left", maintain_order="left")
    return frame.with_columns(joined.select(pl.coalesce("record", "text").alias("text")).to_series())
