"""EVTX to JSON records: the log read chunk by chunk, so that damage stays where it is.

An EVTX file is a header block and chunks of 64 KiB, each with its own strings, templates, records and
checksums ("Windows XML Event Log (EVTX) format", J. Metz, libevtx). Every chunk is handed to the Rust parser
(`evtx`) by itself. A chunk whose chain of records is broken is mended and read once more: what then still
cannot be read is named with the chunk's offset and the record's number.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, cast

import polars as pl
from evtx import PyEvtxParser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

MAGIC: Final = b"ElfFile\0"
_CHUNK_MAGIC: Final = b"ElfChnk\0"
_RECORD_MAGIC: Final = b"**\0\0"
_HEADER_BYTES: Final = 4096
_CHUNK_BYTES: Final = 65_536
_FIRST_RECORD: Final = 512  # behind the chunk's header, its table of strings and its table of templates
_RECORD_FRAME: Final = 28  # magic, size, number, time in front of a record and its size again behind it
_BATCH_EVENTS: Final = 10_000
_DIRTY: Final = 1  # the log was being written: header and checksums of its last chunk are not up to date
_EMPTY_XML: Final = b"\x0f\x01\x01\0\0"  # BinXML: fragment header, end of stream


class _Read(NamedTuple):
    """What one pass over a chunk gave: JSON per record number, and the faults."""

    events: dict[int, str]
    faults: list[str]


def events(source: Source) -> Iterator[pl.DataFrame]:
    """The events' JSON, in file order, as `json_table.table` takes it; damage is named in `source.unread`.

    `log.offset` is that of the event's chunk, for want of the record's; there are no lines.
    """
    batch: list[str] = []
    where: list[int] = []
    with source.open() as stream:
        header, fault = _take(stream, _HEADER_BYTES)
        offset = len(header)
        # The chunks hold all that is needed; only a header cut short leaves nothing to read.
        dirty = len(header) < _HEADER_BYTES or bool(header[120] & _DIRTY)
        blank: int | None = None
        while not fault:
            chunk, fault = _take(stream, _CHUNK_BYTES)
            if not chunk:
                break
            if not chunk.strip(b"\0"):
                blank = offset if blank is None else blank
            else:
                if blank is not None:  # blank chunks belong at the end; between others something was wiped
                    source.lost("blank chunks stand between written ones", offset=blank)
                    blank = None
                found = _chunk_events(chunk, offset, source, dirty=dirty)
                batch += found
                where += [offset] * len(found)
            offset += len(chunk)
            if len(batch) >= _BATCH_EVENTS:
                yield _frame(batch, where)
                batch, where = [], []
        if fault:
            source.lost(f"the data ends early: {fault}", offset=offset)
        elif len(header) < _HEADER_BYTES:
            source.lost("the file ends within its header", offset=0, sample=header)
    if batch:
        yield _frame(batch, where)


def _frame(batch: list[str], where: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "text": batch,
            "log.offset": where,
            "log.file.line": pl.repeat(None, len(batch), dtype=pl.Int64, eager=True),
        }
    )


def _take(stream: BinaryIO, size: int) -> tuple[bytes, str]:
    """`size` bytes of the stream, fewer at its end, and why it ended if it was not meant to."""
    taken = b""
    try:
        while len(taken) < size and (piece := stream.read(size - len(taken))):
            taken += piece
    except (OSError, EOFError) as error:
        return taken, str(error)
    return taken, ""


def _chunk_events(chunk: bytes, offset: int, source: Source, *, dirty: bool) -> list[str]:
    cut = len(chunk) if len(chunk) < _CHUNK_BYTES else None
    if cut is not None:
        chunk = chunk.ljust(_CHUNK_BYTES, b"\0")
    elif not chunk.startswith(_CHUNK_MAGIC):
        source.lost(
            "a chunk has lost its signature; its records were read if they could be", offset=offset, count=0
        )
    elif not dirty and not _intact(chunk):
        source.lost(
            "a chunk's checksum does not match; its records were read as they stand", offset=offset, count=0
        )
    chunk = _CHUNK_MAGIC + chunk[len(_CHUNK_MAGIC) :]
    read = _parse(chunk)
    expected = _expected(chunk)
    if read.faults or (expected > len(read.events) and not dirty and cut is None):
        again = _parse(_mended(chunk))
        if len(again.events) > len(read.events):
            read = _Read(again.events, again.faults)
    for fault in read.faults:
        source.lost(f"the event log is damaged: {fault}", offset=offset)
    missing = expected - len(read.events) - len(read.faults)
    if cut is not None:
        source.lost("the file ends within a chunk", offset=offset + cut, count=max(missing, 0))
    elif missing > 0 and not dirty:
        source.lost("records of a damaged chunk are gone", offset=offset, count=missing)
    return list(read.events.values())


def _parse(chunk: bytes) -> _Read:
    head = bytearray(_HEADER_BYTES)
    # Magic, first and last chunk, next record, header size, version 3.1, block size, number of chunks.
    struct.pack_into("<8sQQQIHHHH", head, 0, MAGIC, 0, 0, 1, 128, 1, 3, _HEADER_BYTES, 1)
    found: dict[int, str] = {}
    faults: list[str] = []
    parser = PyEvtxParser(io.BytesIO(bytes(head) + chunk), number_of_threads=1)
    records = cast("Iterator[dict[str, Any]]", parser.records_json())
    while len(faults) < _CHUNK_BYTES // _RECORD_FRAME:
        try:
            # Consumed one by one: what was read before a fault stays.
            found.update(
                (record["event_record_id"], record["data"])
                for record in records
                if '"System"' in record["data"]
            )
        except RuntimeError as error:
            faults.append(str(error))
        else:
            break
    return _Read(found, faults)


def _intact(chunk: bytes) -> bool:
    """Whether the checksums over the chunk's header and its records match."""
    free, data_crc = struct.unpack_from("<II", chunk, 48)
    (header_crc,) = struct.unpack_from("<I", chunk, 124)
    return bool(
        zlib.crc32(chunk[:120] + chunk[128:_FIRST_RECORD]) == header_crc
        and zlib.crc32(chunk[_FIRST_RECORD:free]) == data_crc
    )


def _expected(chunk: bytes) -> int:
    """How many records the chunk's header speaks of; 0 if it cannot be believed."""
    first, last = struct.unpack_from("<QQ", chunk, 8)
    count = last - first + 1
    return int(count) if 0 < count <= _CHUNK_BYTES // _RECORD_FRAME else 0


def _mended(chunk: bytes) -> bytes:
    """The chunk with every stretch that is no record made into an empty one, and without its tables.

    The tables only help to find strings and templates that the records hold anyway; a wrong entry costs the
    whole chunk.
    """
    mended = bytearray(chunk)
    mended[128:_FIRST_RECORD] = bytes(_FIRST_RECORD - 128)
    free = struct.unpack_from("<I", chunk, 48)[0]
    end = free if _FIRST_RECORD < free <= _CHUNK_BYTES else _CHUNK_BYTES
    at = _FIRST_RECORD
    while at + _RECORD_FRAME <= end:
        size = _record_size(chunk, at)
        if not size:
            following = _next_record(chunk, at + 4, end)
            if following is None or following - at < _RECORD_FRAME + len(_EMPTY_XML):
                break
            size = following - at
            number = struct.unpack_from("<Q", chunk, following + 8)[0] - 1
            struct.pack_into("<4sIQQ", mended, at, _RECORD_MAGIC, size, max(number, 0), 0)
            mended[at + 24 : at + 24 + len(_EMPTY_XML)] = _EMPTY_XML
            struct.pack_into("<I", mended, following - 4, size)
        at += size
    struct.pack_into("<I", mended, 48, at)
    return bytes(mended)


def _record_size(chunk: bytes, at: int) -> int:
    """Size of the record at `at`, 0 if there is none."""
    if chunk[at : at + 4] != _RECORD_MAGIC:
        return 0
    size = int(struct.unpack_from("<I", chunk, at + 4)[0])
    if size < _RECORD_FRAME or at + size > len(chunk):
        return 0
    return size if struct.unpack_from("<I", chunk, at + size - 4)[0] == size else 0


def _next_record(chunk: bytes, at: int, end: int) -> int | None:
    while (at := chunk.find(_RECORD_MAGIC, at, end)) >= 0:
        if _record_size(chunk, at):
            return at
        at += 1
    return None
