"""What questions and answers of SMB1 say (MS-CIFS, 2.2.4; MS-SMB, 2.2.4): shares, files, and who logs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import little, wide
from sensors.capture.protocols import texts

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_DELETE, _RENAME, OPEN, READ, WRITE, NEGOTIATE = 0x06, 0x07, 0x2D, 0x2E, 0x2F, 0x72
_SESSION_SETUP, _TREE_CONNECT, _NT_CREATE = 0x73, 0x75, 0xA2
_UNICODE: Final = 1 << 23  # of both bytes of flags
_NAMED_LOGIN, _SEALED_LOGIN = 13, 12  # words of a session setup without, and with SPNEGO
_KEPT: Final = ("row", "side", "at", "frame", "session", "tree")
_SERVICES: Final = {"A:": 1, "IPC": 2, "LPT1:": 3}


def word(data: Array, asked: pl.DataFrame, offset: int, size: int = 2, of: str = "") -> Array:
    """The numbers at an offset among the words of questions, or of answers with `of` "answer."; or -1."""
    body, end = (asked[f"{of}{one}"].fill_null(-1).to_numpy() for one in ("body", "end"))
    count = little.number(data, body, end, 1)
    there = (count >= 0) & (2 * count >= offset + size)
    return little.number(data, np.where(there, body + 1 + offset, -1), end, size)


def _bytes(data: Array, asked: pl.DataFrame, of: str = "") -> tuple[Array, Array]:
    """The span of what follows the words; begins at -1 if it is not there."""
    body, end = (asked[f"{of}{one}"].fill_null(-1).to_numpy() for one in ("body", "end"))
    count = little.number(data, body, end, 1)
    place = np.where(count >= 0, body + 1 + 2 * count, -1)
    size = little.number(data, place, end, 2)
    there = size >= 0
    return np.where(there, place + 2, -1), np.where(there, np.minimum(place + 2 + size, end), -1)


def _strings(data: Array, asked: pl.DataFrame, skipped: Array, *, aligned: bool = True) -> pl.Series:
    """The texts that follow so many bytes after the words, as lists."""
    start, end = _bytes(data, asked)
    header = asked["header"].to_numpy()
    broad = (asked["flags"] & _UNICODE > 0).to_numpy()
    start = np.where(start >= 0, start + skipped, -1)
    odd = broad & ((start - header) % 2 == 1) & aligned
    start = np.where((start >= 0) & (start + odd <= end), start + odd, -1)
    text = wide.column(data, np.where(broad, start, -1), end, several=True)
    plain = texts.columns(data, {"": (np.where(broad, -1, start), end)}).to_series()
    return text.zip_with(pl.Series(broad), plain).str.split("\0")


def _part(strings: pl.Series, at: int) -> pl.Series:
    part = strings.list.get(at, null_on_oob=True)
    return part.set(part == "", None)


def trees(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    """Shares that were connected to."""
    mine = asked.filter(pl.col("command") == _TREE_CONNECT)
    password = np.maximum(word(data, mine, 6), 0)
    service = (
        texts.columns(data, {"": _bytes(data, mine, "answer.")}).to_series().str.split("\0").list.first()
    )
    return mine.select(
        "row",
        "side",
        "at",
        pl.coalesce("answer.session", "session").alias("session"),
        pl.col("answer.tree").alias("tree"),
        pl.col("answer.status").alias("status"),
    ).with_columns(
        _part(_strings(data, mine, password), 0).alias("path"),
        service.replace_strict(_SERVICES, default=-1, return_dtype=pl.Int64).alias("share"),
    )


def opens(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    """Files, folders and pipes that were opened."""
    return pl.concat([_created(data, asked), _opened(data, asked)], how="diagonal")


def _created(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    mine = asked.filter(pl.col("command") == _NT_CREATE)
    numbers = {
        "access": word(data, mine, 15, 4),
        "disposition": word(data, mine, 35, 4),
        "options": word(data, mine, 39, 4),
        "handle": word(data, mine, 5, 2, "answer."),
        "done": word(data, mine, 7, 4, "answer."),
        "created": word(data, mine, 11, 8, "answer."),
        "accessed": word(data, mine, 19, 8, "answer."),
        "mtime": word(data, mine, 27, 8, "answer."),
        "ctime": word(data, mine, 35, 8, "answer."),
        "attributes": word(data, mine, 43, 4, "answer."),
        "size": word(data, mine, 55, 8, "answer."),
    }
    return _named(data, mine, 0).with_columns(pl.Series(name, values) for name, values in numbers.items())


def _opened(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    mine = asked.filter(pl.col("command") == OPEN)
    return _named(data, mine, 0).with_columns(
        pl.Series("handle", word(data, mine, 4, 2, "answer.")),
        pl.Series("size", word(data, mine, 12, 4, "answer.")),
    )


def _named(data: Array, mine: pl.DataFrame, skipped: int, at: int = 0) -> pl.DataFrame:
    strings = _strings(data, mine, np.full(len(mine), skipped))
    return mine.select(*_KEPT, pl.col("answer.status").alias("status")).with_columns(
        _part(strings, at).alias("name"), pl.lit(0, pl.Int64).alias("handle.more")
    )


def uses(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    """Reads, writes, renaming, deleting; the last two by name and not by handle."""
    return pl.concat(
        [
            _transfer(data, asked, READ, "read", 10, 10),
            _transfer(data, asked, WRITE, "write", 20, 4),
            _by_name(data, asked, _DELETE, "delete"),
            _by_name(data, asked, _RENAME, "rename"),
        ],
        how="diagonal",
    )


def _transfer(
    data: Array, asked: pl.DataFrame, command: int, kind: str, wanted: int, done: int
) -> pl.DataFrame:
    mine = asked.filter(pl.col("command") == command)
    moved = word(data, mine, done, 2, "answer.")
    return mine.select(*_KEPT, pl.col("answer.status").alias("status")).with_columns(
        pl.Series("handle", word(data, mine, 4)),
        pl.lit(0, pl.Int64).alias("handle.more"),
        pl.lit(kind).alias("kind"),
        pl.Series("bytes", np.where(moved >= 0, moved, word(data, mine, wanted))),
    )


def _by_name(data: Array, asked: pl.DataFrame, command: int, kind: str) -> pl.DataFrame:
    mine = asked.filter(pl.col("command") == command)
    strings = _strings(data, mine, np.ones(len(mine), np.int64))  # before each a byte that says: text
    names = [_part(strings, at).str.strip_chars_start("\x04\ufffd") for at in (0, 1)]
    return mine.select(*_KEPT, pl.col("answer.status").alias("status")).with_columns(
        names[0].alias("old"), names[1].alias("name"), pl.lit(kind).alias("kind")
    )


def logins(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    """Session setups with what they say of user and system: `user`, `domain`, `system`, `status`."""
    mine = asked.filter(pl.col("command") == _SESSION_SETUP)
    words = little.number(data, mine["body"].to_numpy(), mine["end"].to_numpy(), 1)
    named = words == _NAMED_LOGIN
    first, second = (np.maximum(word(data, mine, at), 0) for at in (14, 16))
    skipped = np.where(named, first + second, first)
    strings = _strings(data, mine, skipped)
    user, domain, system = (_part(strings, at) for at in range(3))
    is_named = pl.Series(named)
    return (
        mine.select(*_KEPT, pl.col("answer.status").alias("status"), pl.col("answer.session").alias("given"))
        .with_columns(
            pl.select(pl.when(is_named).then(user)).to_series().alias("user"),
            pl.select(pl.when(is_named).then(domain)).to_series().alias("domain"),
            system.zip_with(is_named, user).alias("system"),
        )
        .filter(pl.Series((words == _NAMED_LOGIN) | (words == _SEALED_LOGIN)))
    )


def negotiations(data: Array, asked: pl.DataFrame) -> pl.DataFrame:
    """The dialects that servers chose of those that were offered, a row a stream."""
    mine = asked.filter(pl.col("command") == NEGOTIATE)
    start, end = _bytes(data, mine)
    offered = (
        texts.columns(data, {"": (start, end)}).to_series().str.strip_chars_start("\x02").str.split("\0\x02")
    )
    index = pl.Series("index", word(data, mine, 0, 2, "answer."))
    chosen = pl.DataFrame({"offered": offered, "index": index}).select(
        pl.when(pl.col("index") >= 0).then(pl.col("offered").list.get(pl.col("index"), null_on_oob=True))
    )
    return (
        mine.select("row", "side", "at")
        .with_columns(chosen.to_series().str.strip_chars_end("\0").alias("dialect"))
        .unique("row", keep="last", maintain_order=True)
    )
