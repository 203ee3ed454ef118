"""DCE-RPC through pipes of SMB (MS-RPCE, 2.1.1.2): what is written, read, or sent and answered at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.protocols.dce_rpc import packets
from sensors.capture.protocols.smb import first, second

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_TRANSACTION: Final = 0x25
_TRANSACT_PIPE: Final = 0x26  # what a transaction does (MS-CIFS, 2.2.5.6)
_PIPE: Final = 2
_KEPT: Final = ("row", "side", "at", "session", "tree")
_KEY: Final = ["row", "handle", "handle.more"]


def called(
    data: Array, one: pl.DataFrame, two: pl.DataFrame, opened: pl.DataFrame, users: pl.DataFrame
) -> pl.DataFrame:
    """Calls through pipes, as events.

    Args:
        data: bytes, UInt8.
        one: questions of SMB1 with their answers.
        two: those of SMB2.
        opened: what was opened, with the kind of its share.
        users: who made the sessions.
    """
    found = pl.concat([*_second(data, two), *_first(data, one)]).sort(
        "row", "side", "at", maintain_order=True
    )
    names = opened.filter(pl.col("handle").fill_null(-1) >= 0, pl.col("status") == 0).select(
        *_KEY, "name", "path", "share"
    )
    names = names.unique(_KEY, keep="last", maintain_order=True)
    calls = packets.calls(data, found).join(names, on=_KEY, how="left", maintain_order="left")
    calls = calls.filter(pl.col("share").fill_null(_PIPE) == _PIPE)
    named = calls.join(users, on=["row", "session"], how="left", maintain_order="left")
    return packets.worded(named.with_columns(pl.col("name").str.strip_chars_start("\\").alias("pipe")))


def _span(
    of: pl.DataFrame, mine: pl.DataFrame, place: Array, size: Array, handle: tuple[Array, Array]
) -> pl.DataFrame:
    """Rows whose packets begin so many bytes after the header; those that have none are left out."""
    header, end = (of[name].fill_null(-1).to_numpy() for name in ("header", "end"))
    there = (header >= 0) & (place > 0) & (size > 0)
    start = np.where(there, header + place, 0)
    return mine.select(_KEPT).with_columns(
        pl.Series("handle", handle[0]),
        pl.Series("handle.more", handle[1]),
        pl.Series("start", start),
        pl.Series("end", np.where(there, np.minimum(start + size, end), 0)),
    ).filter(pl.Series(there))  # fmt: skip


def _answers(mine: pl.DataFrame) -> pl.DataFrame:
    return mine.select(pl.col("answer.header").alias("header"), pl.col("answer.end").alias("end"))


def _second(data: Array, two: pl.DataFrame) -> list[pl.DataFrame]:
    def part(mine: pl.DataFrame, at: int, place: tuple[int, int], size: int, of: str = "") -> pl.DataFrame:
        handle = second.field(data, mine, at, 8), second.field(data, mine, at + 8, 8)
        said = _answers(mine) if of else mine
        return _span(
            said, mine, second.field(data, mine, *place, of), second.field(data, mine, size, 4, of), handle
        )

    writes, reads, controls = (
        two.filter(command=command) for command in (second.WRITE, second.READ, second.IOCTL)
    )
    both_ways = controls.filter(pl.Series(second.field(data, controls, 4, 4) == second.PIPE_TRANSCEIVE))
    return [
        part(writes, 16, (2, 2), 4),
        part(reads, 16, (2, 1), 4, "answer."),
        part(both_ways, 8, (24, 4), 28),
        part(both_ways, 8, (32, 4), 36, "answer."),
    ]


def _first(data: Array, one: pl.DataFrame) -> list[pl.DataFrame]:
    def part(mine: pl.DataFrame, at: int, place: int, size: int, of: str = "") -> pl.DataFrame:
        handle = first.word(data, mine, at), np.zeros(len(mine), np.int64)
        said = _answers(mine) if of else mine
        return _span(
            said, mine, first.word(data, mine, place, 2, of), first.word(data, mine, size, 2, of), handle
        )

    writes, reads, controls = (
        one.filter(command=command) for command in (first.WRITE, first.READ, _TRANSACTION)
    )
    both_ways = controls.filter(pl.Series(first.word(data, controls, 28) == _TRANSACT_PIPE))
    return [
        part(writes, 4, 22, 20),
        part(reads, 4, 12, 10, "answer."),
        part(both_ways, 30, 24, 22),
        part(both_ways, 30, 14, 12, "answer."),
    ]
