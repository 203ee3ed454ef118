"""Lines of protocols that speak in them: SMTP, IMAP, POP3, FTP, IRC.

What is not spoken is passed over: messages of SMTP after their heads (RFC 5321, 4.1.1.4; RFC 3030), literals
of IMAP (RFC 9051, 4.3), and all behind where TLS begins.
"""

# ruff: noqa: PLR2004, SIM110 - numbers are bytes of the protocols

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from sensors.capture.protocols import texts
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

PLAIN: Final = 0
MESSAGES: Final = 1  # SMTP: messages follow DATA and BDAT of the client
LITERALS: Final = 2  # IMAP: `{n}` at the end of a line, and n bytes

LINE: Final = 0  # what a line is: a command or a reply
FIELD: Final = 1  # a field of a message's head, with the lines on which it goes on
END: Final = 2  # the dot behind a message
LITERAL: Final = 3  # bytes that belong to the line before, and the rest of that line

_COMMAND, _HEAD, _BODY = 0, 1, 2  # where in SMTP we are
_MOST_DIGITS: Final = 9
_WORD: Final = 8
_DATA: Final = np.frombuffer(b"DATA", np.uint8)
_BDAT: Final = np.frombuffer(b"BDAT ", np.uint8)
_LAST: Final = np.frombuffer(b"LAST", np.uint8)
_COMMANDS: Final = np.frombuffer(b"QUITRSETMAILRCPTEHLOHELONOOPDATA", np.uint8).reshape(-1, 4)


class Spoken(NamedTuple):
    """Where lines are: row and side of the streams, bytes before, what it is; start and end in the data."""

    numbers: Array
    spans: Array


def lines(streams: Streams, dialect: int = PLAIN) -> pl.DataFrame:
    """Every whole line that was said, in order: `row`, `side`, `at`, `kind` (Int64) and `text`.

    Args:
        streams: rows to look at.
        dialect: what may stand between lines.
    """
    numbers, spans = np.empty((0, 4), np.int64), np.empty((0, 2), np.int64)
    count = walk(streams.data, streams.starts, streams.ends, dialect, numbers, spans)
    numbers, spans = np.empty((count, 4), np.int64), np.empty((count, 2), np.int64)
    walk(streams.data, streams.starts, streams.ends, dialect, numbers, spans)
    text = texts.columns(streams.data, {"text": (spans[:, 0], spans[:, 1])})
    return pl.DataFrame(numbers, schema=["row", "side", "at", "kind"], orient="row").hstack(text)


def first_words(streams: Streams, side: int) -> Array:
    """The letters (in capitals) and digits with which each row of a side begins, at most 8, as bytes."""
    starts, ends = streams.starts[:, side], streams.ends[:, side]
    places = starts[:, None] + np.arange(_WORD)
    there = places < ends[:, None]
    found = np.zeros(places.shape, np.uint8)
    found[there] = streams.data[places[there]]
    small = (found >= 0x61) & (found <= 0x7A)
    found[small] -= 0x20
    word = ((found >= 0x41) & (found <= 0x5A)) | ((found >= 0x30) & (found <= 0x39))
    found[~np.logical_and.accumulate(word, axis=1)] = 0
    return np.ascontiguousarray(found).view(f"S{_WORD}").ravel()


def replies(spoken: pl.DataFrame) -> pl.DataFrame:
    """Replies of a server with codes of three digits (RFC 5321, 4.2; RFC 959, 4.2), a row a reply.

    Returns:
        `row`, `code` (Int64), `said` (its first line) and `~final` (its last one), in order.
    """
    number = pl.col("text").str.extract(r"^([1-9][0-9]{2})(?:[ -]|$)", 1).cast(pl.Int64)
    final = pl.col("text").str.slice(3, 1) != "-"
    said = spoken.filter(pl.col("side") == 1).with_columns(number.alias("code"), final.alias("~last"))
    said = said.filter(pl.col("code").is_not_null())
    earlier = pl.col("~last").cast(pl.Int64).cum_sum().over("row") - pl.col("~last").cast(pl.Int64)
    text = pl.col("text").str.slice(4)
    return said.group_by("row", earlier.alias("~reply"), maintain_order=True).agg(
        pl.col("code").last(), text.first().alias("said"), text.last().alias("~final"), pl.col("~last").last()
    ).filter("~last").drop("~reply", "~last")  # fmt: skip


@kernel
def walk(data: Array, starts: Array, ends: Array, dialect: int, numbers: Array, spans: Array) -> int:
    """Find the lines of all rows.

    Args:
        data: bytes, UInt8.
        starts: of both sides, rows by sides.
        ends: the places behind them.
        dialect: of the three above.
        numbers: gets row, side, bytes before, kind of each; may be of no length, to count.
        spans: gets start and end of each in `data`.

    Returns:
        How many there are.
    """
    count = 0
    for row in range(len(starts)):
        for side in range(2):
            count = _side(data, row, side, starts[row, side], ends[row, side], dialect, count, numbers, spans)
    return count


@kernel
def _side(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one walk over the bytes
    data: Array,
    row: int,
    side: int,
    start: int,
    end: int,
    dialect: int,
    count: int,
    numbers: Array,
    spans: Array,
) -> int:
    """The lines of one side of one row; returns how many there are of all."""
    at = start
    state = _COMMAND
    chunk = -1  # where a chunk of BDAT ends, if in one
    final = False
    resumed = _HEAD  # where a message in several chunks was when the last one ended
    last = -1  # the field that may go on
    while at < end:
        stop = end if chunk < 0 else min(end, chunk)
        if state == _COMMAND and chunk < 0 and (data[at] == 0x16 or data[at] < 9):
            break
        place = at
        while place < stop and data[place] != 10:
            place += 1
        if place >= stop and chunk < 0:
            break
        line = place - 1 if place > at and data[place - 1] == 13 else place
        behind = place + 1 if place < stop else stop
        kind = LINE
        if chunk >= 0 or state != _COMMAND:
            if chunk < 0 and line - at == 1 and data[at] == 0x2E:
                kind, state = END, _COMMAND
            elif state == _HEAD and chunk < 0 and _is_command(data, at, line):
                state = _COMMAND  # the server would not have the message
            elif state == _HEAD and line > at:
                kind = FIELD
            else:
                state = _BODY
                kind = -1
        elif dialect == MESSAGES and side == 0:
            if _is(data, at, line, _DATA):
                state = _HEAD
            size = _chunk(data, at, line)
            if size >= 0:
                chunk = behind + size
                state = resumed
                final = line - at > 4 and _is(data, line - 4, line, _LAST)
        if kind == FIELD and data[at] in (9, 0x20):
            if last >= 0 and last < len(spans):
                spans[last, 1] = line
        elif kind >= 0:
            if count < len(numbers):
                numbers[count] = (row, side, at - start, kind)
                spans[count] = (at, line)
            last = count if kind == FIELD else -1 if kind == END else last
            count += 1
        literal = _literal(data, at, line) if dialect == LITERALS else -1
        at = behind
        if literal >= 0:
            if side == 0 and at + literal <= end:
                if count < len(numbers):
                    numbers[count] = (row, side, at - start, LITERAL)
                    spans[count] = (at, at + literal)
                count += 1
            at = min(end, at + literal)
        if chunk >= 0 and at >= chunk:
            resumed = _HEAD if final else state
            chunk, state, last = -1, _COMMAND, -1
    return count


@kernel
def _is(data: Array, at: int, end: int, word: Array) -> bool:
    """Whether a line begins with a word in capitals, whatever letters it is written in."""
    if end - at < len(word) or (end - at > len(word) and data[at + len(word)] != 0x20 and word[-1] != 0x20):
        return False
    for k in range(len(word)):
        letter = data[at + k]
        if (letter & 0xDF if letter >= 0x61 else letter) != word[k]:
            return False
    return True


@kernel
def _is_command(data: Array, at: int, end: int) -> bool:
    """Whether a line is a command of SMTP; no field has a blank there."""
    for which in range(len(_COMMANDS)):
        if _is(data, at, end, _COMMANDS[which]):
            return True
    return False


@kernel
def _chunk(data: Array, at: int, end: int) -> int:
    """Bytes that `BDAT n` announces; -1 if it is something else."""
    if not _is(data, at, end, _BDAT):
        return -1
    size = 0
    digits = 0
    while at + 5 + digits < end and 0x30 <= data[at + 5 + digits] <= 0x39:
        size = size * 10 + int(data[at + 5 + digits]) - 0x30
        digits += 1
        if digits > _MOST_DIGITS:
            return -1
    return size if digits else -1


@kernel
def _literal(data: Array, at: int, end: int) -> int:
    """Bytes that `{n}` or `{n+}` at the end of a line announces; -1 if there is none."""
    place = end - 1
    if place - at < 2 or data[place] != 0x7D:
        return -1
    place -= 1
    if data[place] == 0x2B:
        place -= 1
    size = 0
    scale = 1
    digits = 0
    while place > at and 0x30 <= data[place] <= 0x39 and digits < _MOST_DIGITS:
        size += (int(data[place]) - 0x30) * scale
        scale *= 10
        digits += 1
        place -= 1
    return size if digits and data[place] == 0x7B else -1
