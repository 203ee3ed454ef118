"""Byte streams to records: lines of text and JSON values, each with where it stands.

Both framings yield frames of bounded size with the columns `text` (String), `log.offset` (Int64, first byte
of the record in the decompressed stream, as Filebeat has it) and `log.file.line` (Int64, 1-based). Nothing is
dropped but empty lines: a line that is too long or is not UTF-8 is named in `source.unread`.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sensors.compiled import kernel
from sensors.reading import text_views
from sensors.reading.ahead import ahead
from sensors.reading.machine_words import WIDE, count, first, line_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.reading.json_scan import Array
    from sensors.sensor import Source

CHUNK_BYTES = 8 << 20
LINE_BYTES = 16 << 20  # a longer line is no log record; it is skipped and named
_NEWLINE = 0x0A
_RETURN = 0x0D
_ONE = np.uint64(1)


def text_head(head: bytes) -> str:
    """The beginning of a file as text, for sniffing: UTF-8 or UTF-16 by its byte order mark."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace")
    return head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")


def lines(source: Source) -> Iterator[pl.DataFrame]:
    """The lines of a text source, without their line ends, empty ones left out."""
    line_number = 1
    offset = len(codecs.BOM_UTF8) if source.head.startswith(codecs.BOM_UTF8) else 0
    for block in _whole_lines(source):
        if isinstance(block, int):  # bytes of an overlong line that were skipped
            source.lost(
                f"a line of {block:,} bytes is too long for a log record ({LINE_BYTES:,} at most); skipped",
                line=line_number,
                offset=offset,
            )
            line_number, offset = line_number + 1, offset + block
            continue
        frame, lines_there = _split(block, line_number, offset, source)
        line_number, offset = line_number + lines_there, offset + len(block)
        if frame.height:
            yield frame


def _split(block: bytes, first_line: int, first_offset: int, source: Source) -> tuple[pl.DataFrame, int]:
    """The lines of a block that ends at a line end, and how many there are, empty ones counted."""
    data = np.frombuffer(block, np.uint8)
    starts, ends = _bounds(data)
    offsets = first_offset + starts
    fault = _first_not_utf8(block)
    if fault >= 0:
        at = int(np.searchsorted(ends, fault))
        source.lost(
            "not UTF-8 from here on in places; unreadable bytes stand as \N{REPLACEMENT CHARACTER}",
            line=first_line + at,
            offset=first_offset + int(starts[at]),
            sample=block[starts[at] : ends[at]],
        )
        data = np.frombuffer(block.decode("utf-8", "replace").encode(), np.uint8)
        starts, ends = _bounds(data)
    total = len(starts)
    ends -= (ends > starts) & (data[ends - 1] == _RETURN)
    there = np.flatnonzero(ends > starts)
    frame = pl.DataFrame(
        {
            "text": text_views.over(data, starts[there], ends[there]),
            "log.offset": offsets[there],
            "log.file.line": first_line + there,
        }
    )
    return frame, total


def is_utf8(data: Array) -> bool:
    """Whether bytes are UTF-8 from first to last."""
    return _first_not_utf8(data.tobytes()) < 0


def _first_not_utf8(block: bytes) -> int:
    """Where the first byte stands that is not UTF-8; -1 if there is none."""
    if block.isascii():
        return -1
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return -1


@kernel
def _bounds(data: Array) -> tuple[Array, Array]:
    """Where each line starts and ends, its line end left out."""
    lines = 1
    at = 0
    while at + WIDE <= len(data):
        lines += count(line_marks(data.ctypes.data + at))
        at += WIDE
    lines += len(data) - at
    starts = np.empty(lines, np.int64)
    ends = np.empty(lines, np.int64)
    found = 0
    start = 0
    at = 0
    while at < len(data):
        if at + WIDE <= len(data):
            marks = line_marks(data.ctypes.data + at)
        else:
            marks = np.uint64(0)
            for k in range(len(data) - at):
                marks |= np.uint64(data[at + k] == _NEWLINE) << np.uint64(k)
        while marks:
            end = at + first(marks)
            starts[found] = start
            ends[found] = end
            found += 1
            start = end + 1
            marks &= marks - _ONE
        at += WIDE
    if start < len(data):
        starts[found] = start
        ends[found] = len(data)
        found += 1
    return starts[:found], ends[:found]


def _whole_lines(source: Source) -> Iterator[bytes | int]:
    """Blocks that end at a line end (or the stream's), or the length of an overlong line left out."""
    held: list[bytes] = []
    held_bytes = 0
    skipped = 0
    for chunk in chunks(source):
        cut = chunk.rfind(b"\n") + 1
        if skipped:
            end = chunk.find(b"\n") + 1
            if not end:
                skipped += len(chunk)
                continue
            yield skipped + end
            skipped = 0
            if cut > end:
                yield chunk[end:cut]
        elif cut:
            yield b"".join([*held, chunk[:cut]])
            held, held_bytes = [], 0
        if cut < len(chunk):
            held.append(chunk[cut:])
            held_bytes += len(chunk) - cut
        if held_bytes > LINE_BYTES:
            skipped, held, held_bytes = held_bytes, [], 0
    if skipped:
        yield skipped
    elif held:
        yield b"".join(held)


def chunks(source: Source) -> Iterator[bytes]:
    """The stream in pieces, as UTF-8 (UTF-16 is transcoded; offsets then count transcoded bytes).

    A stream that breaks (a truncated or corrupt archive) ends, and is named in `source.unread`.
    """
    return ahead(_chunks(source))  # to decompress is half of the work, or more


def _chunks(source: Source) -> Iterator[bytes]:
    done = 0
    with source.open() as stream:
        first = True
        transcode: codecs.IncrementalDecoder | None = None
        while True:
            try:
                piece, error = stream.read(CHUNK_BYTES), None
            except (OSError, EOFError) as broken:  # sensors.files turns every codec's errors into these
                piece, error = b"", broken
            if first and piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                transcode = codecs.getincrementaldecoder("utf-16")("replace")
            elif first:
                piece = piece.removeprefix(codecs.BOM_UTF8)
            first = False
            done += len(piece)
            if transcode is not None:
                piece = transcode.decode(piece, final=not piece).encode()
            if piece:
                yield piece
            if error is not None:
                source.lost(f"the data ends early: {error}", offset=done)
                return
            if not piece:
                return
