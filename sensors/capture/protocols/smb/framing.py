"""The messages of SMB1 (MS-CIFS, MS-SMB) and SMB2/3 (MS-SMB2) in the frames of NetBIOS (RFC 1002, 4.3)."""

# ruff: noqa: PLR2004 - numbers are those of the formats; kernels have no objects
from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

ONE, TWO, ENCRYPTED, COMPRESSED = 1, 2, 3, 4  # `version` of a message
COLUMNS: Final = (
    "row", "side", "at", "frame", "version", "command", "status", "message", "tree", "session", "flags",
    "header", "body", "end",
)  # fmt: skip
PENDING: Final = 0x103
_TWO_HEADER: Final = 64
_ONE_HEADER: Final = 32
_CHAINED: Final = 16  # commands looked at in one message of SMB1


def messages(streams: Streams) -> pl.DataFrame:
    """The messages that streams hold, Int64, in the order they stand: rows, sides, places.

    Returns:
        `row`, `side`; `at`: of the message in what the side said; `frame`: place of its frame in the data;
        `version`: one of the constants above; `command`, `status`; `message`: what a question and its answer
        have in common; `tree`, `session` (of SMB1 the TID and the UID), `flags`; `header`, `body` and `end`:
        places in the data. Of an encrypted or compressed message only version and places are known.
        And `answers` (Boolean).
    """
    found = np.empty((0, len(COLUMNS)), np.int64)
    size = scan(streams.data, streams.starts, streams.ends, found)
    found = np.empty((size, len(COLUMNS)), np.int64)
    scan(streams.data, streams.starts, streams.ends, found)
    frame = pl.DataFrame(dict(zip(COLUMNS, found.T, strict=True)))
    two = pl.col("version") == TWO
    answer = pl.when(two).then(pl.col("flags") & 1).otherwise(pl.col("flags") & 0x80) > 0
    return frame.with_columns(answers=answer)


def fits(streams: Streams) -> Array:
    """Which rows begin with a message, or have one behind a request for a session and its answer; a mask."""
    fit = np.zeros(len(streams), np.bool_)
    for side, kind, size in ((CLIENT, 0x81, 72), (SERVER, 0x82, 4)):
        for first, at in ((0, 0), (kind, size)):
            message = (streams.byte(side, 0) == first) & (streams.byte(side, at) == 0)
            fit |= message & streams.begins(side, b"SMB", at + 5) & (streams.byte(side, at + 4) >= 0xFC)
    return fit


def exchanges(found: pl.DataFrame) -> pl.DataFrame:
    """The questions among messages, each with its answer's `answer.status`, `answer.tree` and so on.

    What a server says in between (that it will take longer) is no answer.
    """
    key = ["row", "version", "message", "command"]
    said = found.filter(pl.col("version") <= TWO, ~(pl.col("answers") & (pl.col("status") == PENDING)))
    said = said.with_columns(pl.int_range(pl.len()).over(*key, "answers").alias("number"))
    kept = ["status", "tree", "session", "header", "body", "end"]
    answers = said.filter("answers").select(
        *key, "number", *(pl.col(one).alias(f"answer.{one}") for one in kept)
    )
    questions = said.filter(~pl.col("answers"))
    return questions.join(answers, on=[*key, "number"], how="left", maintain_order="left").drop("number")


@kernel
def scan(data: Array, starts: Array, ends: Array, found: Array) -> int:
    """Fills `found` as far as it has rows; how many it would need."""
    number = 0
    cells = np.zeros(found.shape[1], np.int64)
    for row in range(len(starts)):
        for side in range(2):
            at, end = starts[row, side], ends[row, side]
            while at + 4 <= end:
                kind = data[at]
                inside = at + 4
                size = int(data[at + 1]) << 16 | int(data[at + 2]) << 8 | int(data[at + 3])
                after = min(inside + size, end)
                cells[0], cells[1], cells[2], cells[3] = row, side, starts[row, side], at
                if kind == 0 and inside + 4 <= after:
                    if data[inside + 1] != 0x53 or data[inside + 2] != 0x4D or data[inside + 3] != 0x42:
                        break
                    if data[inside] == 0xFE:
                        number = _two(data, inside, after, cells, found, number)
                    elif data[inside] == 0xFF:
                        number = _one(data, inside, after, cells, found, number)
                    elif data[inside] == 0xFC or data[inside] == 0xFD:
                        cells[4:] = -1
                        cells[4] = ENCRYPTED if data[inside] == 0xFD else COMPRESSED
                        cells[10:] = 0
                        number = _put(found, number, cells, inside, inside, after)
                    else:
                        break
                elif kind != 0 and not 0x81 <= kind <= 0x85:
                    break
                at = inside + size
    return number


@kernel
def _two(data: Array, at: int, end: int, cells: Array, found: Array, number: int) -> int:
    """The messages of SMB2 in a frame, one after the other (MS-SMB2, 2.2.1)."""
    tree, session = -1, -1
    while at + _TWO_HEADER <= end:
        flags, next_at = _little(data, at + 16, 4), _little(data, at + 20, 4)
        if not flags & 4 or session == -1:  # one that is related to the one before has that one's
            tree, session = _little(data, at + 36, 4), _little(data, at + 40, 8)
        cells[4], cells[5], cells[6] = TWO, _little(data, at + 12, 2), _little(data, at + 8, 4)
        cells[7], cells[8], cells[9], cells[10] = _little(data, at + 24, 8), tree, session, flags
        last = next_at < _TWO_HEADER
        number = _put(found, number, cells, at, at + _TWO_HEADER, end if last else min(at + next_at, end))
        if last:
            break
        at += next_at
    return number


@kernel
def _one(data: Array, at: int, end: int, cells: Array, found: Array, number: int) -> int:
    """A message of SMB1 with the commands chained to it (MS-CIFS, 2.2.3.4)."""
    if at + _ONE_HEADER > end:
        return number
    command, body = int(data[at + 4]), at + _ONE_HEADER
    cells[4], cells[6] = ONE, _little(data, at + 5, 4)
    cells[7], cells[8] = _little(data, at + 30, 2), _little(data, at + 24, 2)
    cells[9], cells[10] = _little(data, at + 28, 2), int(data[at + 9]) | _little(data, at + 10, 2) << 8
    for _ in range(_CHAINED):
        cells[5] = command
        number = _put(found, number, cells, at, body, end)
        chains = command in (0x24, 0x2D, 0x2E, 0x2F, 0x73, 0x74, 0x75, 0xA2)
        if not chains or body + 5 > end or data[body] < 2 or data[body + 1] == 0xFF:
            break
        after = at + _little(data, body + 3, 2)
        if after <= body or after >= end:
            break
        command, body = int(data[body + 1]), after
    return number


@kernel
def _put(found: Array, number: int, cells: Array, header: int, body: int, end: int) -> int:
    if number < len(found):
        found[number] = cells
        found[number, 2] = header - cells[2]
        found[number, 11], found[number, 12], found[number, 13] = header, body, end
    return number + 1


@kernel
def _little(data: Array, at: int, size: int) -> int:
    value = np.int64(0)
    for k in range(size):
        value |= np.int64(data[at + k]) << 8 * k
    return int(value)
