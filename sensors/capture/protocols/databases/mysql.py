"""MySQL and MariaDB: greeting and login (https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, Streams
from sensors.capture.protocols import fields, texts
from sensors.capture.protocols.databases import login

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_HEADER: Final = 4  # length of three bytes, and a number
_VERSION: Final = 10
_FIXED: Final = 32  # bytes of a login before the name
_WITH_DATABASE, _PROTOCOL_41, _TLS, _SIZED_PROOF = 0x8, 0x200, 0x800, 0x8000  # capabilities
_OK, _ERROR = 0, 0xFF
_MOST: Final = 8  # packets of the server looked at after the greeting
_NAME: Final = 256  # bytes in which a name or a version must end
_ATTRIBUTES: Final = {
    "application": "program_name",
    "client.system": "_os",
    "client.version": "_client_version",
}


def _fits(streams: Streams) -> Array:
    """The greeting: the first packet, version 10, text in digits and points, and its end."""
    size = _little(streams, SERVER, 0, 3)
    fits = (
        (streams.byte(SERVER, 3) == 0)
        & (streams.byte(SERVER, 4) == _VERSION)
        & (size > _FIXED)
        & (size < 1 << 10)
    )
    digit = streams.byte(SERVER, 5)
    fits &= (digit >= ord("0")) & (digit <= ord("9")) & np.isin(streams.byte(CLIENT, 3), (-1, 1))
    return np.asarray(fits, np.bool_)


def _little(streams: Streams, side: int, offset: int, size: int) -> Array:
    return fields.number(
        streams.data, streams.starts[:, side] + offset, streams.ends[:, side], size, little=True
    )


def _events(streams: Streams) -> pl.DataFrame:
    capabilities = _little(streams, CLIENT, _HEADER, 4)
    size = _little(streams, CLIENT, 0, 3)
    spoken = (capabilities >= 0) & (capabilities & _PROTOCOL_41 > 0) & (streams.byte(CLIENT, 3) == 1)
    sealed = spoken & (capabilities & _TLS > 0) & (size == _FIXED)
    rows = np.flatnonzero(spoken & ~sealed & (size > _FIXED))
    some = streams.only(rows)
    start = some.starts[:, CLIENT] + _HEADER + _FIXED
    end = np.minimum(some.starts[:, CLIENT] + _HEADER + size[rows], some.ends[:, CLIENT])
    user, after = _text(some.data, start, end)
    # What proves the password has its length before it; it is stepped over.
    proof = fields.number(some.data, after, end, 1)
    rest = np.where(proof >= 0, after + 1 + proof, -1)
    rest = np.where(capabilities[rows] & _SIZED_PROOF > 0, rest, -1)
    wants = (capabilities[rows] & _WITH_DATABASE > 0) & (rest < end)
    database, _ = _text(some.data, np.where(wants, rest, -1), end)
    held = texts.columns(some.data, {"": (np.where(rest < end, rest, -1), end)}).to_series()
    first = some.starts[:, SERVER] + _HEADER + 1
    version, _ = _text(some.data, first, some.ends[:, SERVER])
    outcome, reason = _answers(some)
    # An attribute and its value each have their length, one byte, before them.
    attributes = {
        name: held.str.extract(f"{key}(?s:.)([ -~]+?)(?:[^ -~]|$)") for name, key in _ATTRIBUTES.items()
    }
    columns = {"user": user, "database": database, "server.version": version, "reason": reason, **attributes}
    return login.events("mysql", rows, np.zeros(len(rows), np.int64), outcome, columns)


def _text(data: Array, start: Array, end: Array) -> tuple[pl.Series, Array]:
    """Text up to NUL, null where it is empty, and the place behind the NUL, -1 if there is none."""
    cut = np.where(start >= 0, np.minimum(start + _NAME, end), -1)
    behind = np.full(len(start), -1, np.int64)
    for k in range(_NAME):
        there = (start >= 0) & (behind < 0) & (start + k < cut)
        if not there.any():
            break
        rows = np.flatnonzero(there)
        ended = rows[data[start[rows] + k] == 0]
        behind[ended] = start[ended] + k + 1
    whole = texts.columns(data, {"": (np.where(behind > start + 1, start, -1), behind - 1)}).to_series()
    return whole, behind


def _answers(streams: Streams) -> tuple[Array, pl.Series]:
    data, end = streams.data, streams.ends[:, SERVER]
    at = streams.starts[:, SERVER] + _HEADER + _little(streams, SERVER, 0, 3)
    outcome = np.zeros(len(streams), np.int64)
    code = np.full(len(streams), -1, np.int64)
    for _ in range(_MOST):
        size = fields.number(data, at, end, 3, little=True)
        kind = fields.number(data, at + _HEADER, end, 1)
        going = (outcome == login.UNSEEN) & (size > 0) & (kind >= 0)
        if not going.any():
            break
        outcome[going & (kind == _OK)] = login.SUCCESS
        failed = going & (kind == _ERROR)
        outcome[failed] = login.FAILURE
        code[failed] = fields.number(data, at + _HEADER + 1, end, 2, little=True)[failed]
        at = np.where(going, at + _HEADER + size, end)
    named = pl.select(pl.when(pl.Series(code) >= 0).then(pl.Series(code).cast(pl.String))).to_series()
    return outcome, named


PROTOCOL: Final = OverTcp("mysql", _fits, _events)
