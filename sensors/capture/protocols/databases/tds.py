"""Microsoft SQL Server: the login of TDS 7 (MS-TDS, 2.2.6.4), where it is not encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import wide
from sensors.capture.conversations import CLIENT, SERVER, OverTcp, Streams
from sensors.capture.protocols import fields
from sensors.capture.protocols.databases import login

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_HEADER: Final = 8
_LOGIN, _RESULT, _PRELOGIN = 0x10, 0x04, 0x12
_MOST: Final = 4  # packets before the login
_TOKENS: Final = 32  # looked at in an answer
_ERROR, _ACCEPTED = 0xAA, 0xAD
_FIXED_TOKENS: Final = {0xFD: 13, 0xFE: 13, 0xFF: 13, 0x79: 5}  # with the byte that says which
_LENGTHS_FROM: Final = 0xA4  # tokens that have a length of two bytes
_FIELDS: Final = {"computer": 36, "user": 40, "application": 48, "server": 52, "database": 68}
_VERSIONS: Final = (0x70, 0x71, 0x72, 0x73, 0x74)  # the highest byte of TDS 7.0 to 7.4


def _packets(streams: Streams, side: int, kind: int) -> Array:
    """Where the first packet of a kind is, among the first few of a side; -1 if there is none."""
    data, end = streams.data, streams.ends[:, side]
    at = streams.starts[:, side].copy()
    found = np.full(len(streams), -1, np.int64)
    for _ in range(_MOST):
        size = fields.number(data, at + 2, end, 2)
        what = fields.number(data, at, end, 1)
        found = np.where((found < 0) & (what == kind) & (size > _HEADER), at, found)
        at = np.where((size >= _HEADER) & np.isin(what, (_PRELOGIN, _RESULT)), at + size, end)
    return found


def _login(streams: Streams) -> Array:
    """Where the login of TDS 7 is."""
    at, end = _packets(streams, CLIENT, _LOGIN), streams.ends[:, CLIENT]
    size = fields.number(streams.data, np.where(at < 0, -1, at + _HEADER), end, 4, little=True)
    version = fields.number(streams.data, np.where(at < 0, -1, at + _HEADER + 7), end, 1)
    fits = (size >= 86) & (size < 1 << 17) & np.isin(version, _VERSIONS)  # noqa: PLR2004 - the fixed part
    return np.where(fits, at, -1)


def _fits(streams: Streams) -> Array:
    """A prelogin, whose first option stands behind the options; or a login."""
    first = streams.byte(CLIENT, 0)
    rows = np.flatnonzero(np.isin(first, (_LOGIN, _PRELOGIN)) & np.isin(streams.byte(CLIENT, 1), (0, 1)))
    some = streams.only(rows)
    size = fields.number(some.data, some.starts[:, CLIENT] + 2, some.ends[:, CLIENT], 2)
    # Of the first option, the version: its number, its place and its length (2.2.6.5).
    option = fields.number(some.data, some.starts[:, CLIENT] + _HEADER, some.ends[:, CLIENT], 5)
    version = (option >> 32 == 0) & (option & 0xFFFF == 6) & (option >> 16 & 0xFFFF < size)  # noqa: PLR2004
    prelogin = (first[rows] == _PRELOGIN) & version & (size < 1 << 10)
    fits = np.zeros(len(streams), np.bool_)
    fits[rows] = prelogin | (_login(some) >= 0)
    return fits


def _events(streams: Streams) -> pl.DataFrame:
    at = _login(streams)
    rows = np.flatnonzero(at >= 0)
    some, at = streams.only(rows), at[rows]
    body, end = at + _HEADER, some.ends[:, CLIENT]
    size = fields.number(some.data, body, end, 4, little=True)
    end = np.minimum(end, body + size)
    columns = {}
    for name, offset in _FIELDS.items():
        place = fields.number(some.data, body + offset, end, 2, little=True)
        length = 2 * fields.number(some.data, body + offset + 2, end, 2, little=True)
        there = (place > 0) & (length > 0) & (body + place + length <= end)
        columns[name] = wide.column(some.data, np.where(there, body + place, -1), body + place + length)
    named = pl.DataFrame(columns).with_columns(
        pl.col("user").str.extract(r"^([^\\]+)\\").alias("domain"),
        pl.col("user").str.extract(r"([^\\]+)$").alias("user"),
    )
    outcome, reason = _answers(some)
    columns = {name: named[name] for name in named.columns} | {"reason": reason}
    return login.events("tds", rows, at - some.starts[:, CLIENT], outcome, columns)


def _answers(streams: Streams) -> tuple[Array, pl.Series]:
    """What became of logins, and the numbers of errors: tokens of the last answer among the first."""
    data, end = streams.data, streams.ends[:, SERVER]
    before = _packets(streams, SERVER, _RESULT)
    # The answer to a prelogin is of the same kind, but holds no token: it begins with option 0.
    size = fields.number(data, np.where(before < 0, -1, before + 2), end, 2)
    option = fields.number(data, np.where(before < 0, -1, before + _HEADER), end, 1) == 0
    answer = np.where((before >= 0) & option, before + size, before)
    at = np.where(fields.number(data, answer, end, 1) == _RESULT, answer + _HEADER, end)
    outcome, code = np.zeros(len(streams), np.int64), np.full(len(streams), -1, np.int64)
    for _ in range(_TOKENS):
        token = fields.number(data, at, end, 1)
        length = fields.number(data, at + 1, end, 2, little=True)
        going = (outcome == login.UNSEEN) & (token >= 0)
        if not going.any():
            break
        outcome[going & (token == _ACCEPTED)] = login.SUCCESS
        failed = going & (token == _ERROR)
        outcome[failed] = login.FAILURE
        code[failed] = fields.number(data, at + 3, end, 4, little=True)[failed]
        fixed = np.select([token == one for one in _FIXED_TOKENS], list(_FIXED_TOKENS.values()), 0)
        step = np.where(fixed > 0, fixed, np.where((token >= _LENGTHS_FROM) & (length >= 0), 3 + length, 0))
        at = np.where(going & (step > 0), at + step, end)
    return outcome, pl.select(pl.when(pl.Series(code) >= 0).then(pl.Series(code).cast(pl.String))).to_series()


PROTOCOL: Final = OverTcp("tds", _fits, _events)
