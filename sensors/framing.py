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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

CHUNK_BYTES = 8 << 20
LINE_BYTES = 16 << 20  # a longer line is no log record; it is skipped and named
_NEWLINE = 0x0A


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
        frame, count = _split(block, line_number, offset, source)
        line_number, offset = line_number + count, offset + len(block)
        if frame.height:
            yield frame


def _split(block: bytes, first_line: int, first_offset: int, source: Source) -> tuple[pl.DataFrame, int]:
    """The lines of a block that ends at a line end, and how many there are, empty ones counted."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
    if not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    starts = np.concatenate(([0], ends[:-1] + 1))
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError as error:
        text = block.decode("utf-8", "replace")
        at = int(np.searchsorted(ends, error.start))
        source.lost(
            "not UTF-8 from here on in places; unreadable bytes stand as \N{REPLACEMENT CHARACTER}",
            line=first_line + at,
            offset=first_offset + int(starts[at]),
            sample=block[starts[at] : ends[at]],
        )
    column = pl.Series("text", [text.removesuffix("\n")]).str.split("\n").explode(empty_as_null=False)
    frame = pl.DataFrame(
        {
            "text": column.str.strip_suffix("\r"),
            "log.offset": first_offset + starts,
            "log.file.line": first_line + np.arange(len(starts), dtype=np.int64),
        }
    )
    return frame.filter(pl.col("text") != ""), len(starts)


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
