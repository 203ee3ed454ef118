"""What questions and answers of SMB2 and SMB3 say (MS-SMB2): shares, and what is done with files.

Tables as `sensors.capture.protocols.smb.first` makes them of SMB1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import little, wide
from sensors.capture.protocols.smb.framing import TWO

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

NEGOTIATE, _TREE_CONNECT, _CREATE, READ, WRITE, IOCTL, _SET_INFO = 0, 3, 5, 8, 9, 11, 17
_HEADER: Final = 64
_FILE: Final = 1  # kind of information that is set (2.2.39)
_RENAME, _DISPOSITION, _DISPOSITION_EX = 10, 13, 64  # classes of it (MS-FSCC, 2.4)
_KEPT: Final = ("row", "side", "at", "frame", "session", "tree")
PIPE_TRANSCEIVE: Final = 0x0011C017


def field(data: Array, asked: pl.DataFrame, offset: int, size: int, of: str = "") -> Array:
    """The numbers at an offset of the bodies, of the answers' with `of` "answer."; -1 for none."""
    body, end = (asked[f"{of}{one}"].fill_null(-1).to_numpy() for one in ("body", "end"))
    return little.number(data, np.where(body < 0, -1, body + offset), end, size)


def _span(data: Array, asked: pl.DataFrame, offset: int, length: int) -> tuple[Array, Array]:
    """The span whose place from the header and whose length stand in bodies; begins at -1 if cut or empty."""
    header, end = asked["header"].to_numpy(), asked["end"].to_numpy()
    place, size = field(data, asked, offset, 2), field(data, asked, length, 2)
    there = (place >= _HEADER) & (size > 0) & (header + place + size <= end)
    return np.where(there, header + place, -1), np.where(there, header + place + size, -1)


def trees(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    """Shares that were connected to: `path`, `share` (Int64), `status`, `tree` that was given."""
    mine = asked.filter(pl.col("command") == _TREE_CONNECT)
    return mine.select(
        "row",
        "side",
        "at",
        pl.coalesce("answer.session", "session").alias("session"),
        pl.col("answer.tree").alias("tree"),
        pl.col("answer.status").alias("status"),
    ).with_columns(
        wide.column(data, *_span(data, mine, 4, 6)).alias("path"),
        pl.Series("share", field(data, mine, 2, 1, "answer.")),
    )


def opens(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    """Files, folders and pipes that were opened: names, how, what came of it, and the handle."""
    mine = asked.filter(pl.col("command") == _CREATE)
    numbers = {
        "access": field(data, mine, 24, 4),
        "disposition": field(data, mine, 36, 4),
        "options": field(data, mine, 40, 4),
        "done": field(data, mine, 4, 4, "answer."),
        "created": field(data, mine, 8, 8, "answer."),
        "accessed": field(data, mine, 16, 8, "answer."),
        "mtime": field(data, mine, 24, 8, "answer."),
        "ctime": field(data, mine, 32, 8, "answer."),
        "size": field(data, mine, 48, 8, "answer."),
        "attributes": field(data, mine, 56, 4, "answer."),
        "handle": field(data, mine, 64, 8, "answer."),
        "handle.more": field(data, mine, 72, 8, "answer."),
    }
    return mine.select(*_KEPT, pl.col("answer.status").alias("status")).with_columns(
        wide.column(data, *_span(data, mine, 44, 46)).alias("name"),
        *(pl.Series(name, values) for name, values in numbers.items()),
    )


def uses(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    """Reads, writes, renaming, deleting: `kind`, the handle, `bytes` or the new `name`, `status`."""
    return pl.concat(
        [
            _transfer(data, asked, READ, "read"),
            _transfer(data, asked, WRITE, "write"),
            _changes(data, asked),
        ],
        how="diagonal",
    )


def _transfer(data: Array, asked: pl.DataFrame, command: int, kind: str) -> pl.DataFrame:
    mine = asked.filter(pl.col("command") == command)
    wanted = field(data, mine, 4, 4)
    done = field(data, mine, 4, 4, "answer.")  # read: bytes in the answer; write: bytes written
    return _used(data, mine, 16).with_columns(
        pl.lit(kind).alias("kind"), pl.Series("bytes", np.where(done >= 0, done, wanted))
    )


def _used(data: Array, mine: pl.DataFrame, offset: int) -> pl.DataFrame:
    return mine.select(*_KEPT, pl.col("answer.status").alias("status")).with_columns(
        pl.Series("handle", field(data, mine, offset, 8)),
        pl.Series("handle.more", field(data, mine, offset + 8, 8)),
    )


def _changes(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    mine = asked.filter(pl.col("command") == _SET_INFO)
    kind, of = field(data, mine, 2, 1), field(data, mine, 3, 1)
    header, end = mine["header"].to_numpy(), mine["end"].to_numpy()
    place = field(data, mine, 8, 2)
    buffer = np.where(place >= _HEADER, header + place, -1)
    first = little.number(data, buffer, end, 1)
    size = little.number(data, np.where(buffer < 0, -1, buffer + 16), end, 4)
    renames = (kind == _FILE) & (of == _RENAME) & (size > 0) & (buffer + 20 + size <= end)
    deletes = (kind == _FILE) & np.isin(of, (_DISPOSITION, _DISPOSITION_EX)) & (first & 1 > 0) & (first >= 0)
    name = wide.column(data, np.where(renames, buffer + 20, -1), buffer + 20 + size)
    return (
        _used(data, mine, 16)
        .with_columns(
            pl.Series("kind", np.select([renames, deletes], ["rename", "delete"], "")), name.alias("name")
        )
        .filter(pl.col("kind") != "")
    )


def negotiations(data: Array, found: pl.DataFrame) -> pl.DataFrame:
    """What servers chose: `dialect` (Int64), `time` and `started` as Windows counts, a row a stream."""
    mine = found.filter("answers", version=TWO, command=NEGOTIATE)
    return (
        mine.select("row", "side", "at")
        .with_columns(
            pl.Series("dialect", field(data, mine, 4, 2)),
            pl.Series("time", field(data, mine, 40, 8)),
            pl.Series("started", field(data, mine, 48, 8)),
        )
        .filter(pl.col("dialect") > 0)
        .unique("row", keep="last", maintain_order=True)  # the first may only say that SMB2 is spoken
    )
