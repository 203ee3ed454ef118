"""PostgreSQL 3 (https://www.postgresql.org/docs/current/protocol-message-formats.html): logins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, Streams
from sensors.capture.protocols import fields, texts
from sensors.capture.protocols.databases import login

if TYPE_CHECKING:
    import polars as pl

    from sensors.capture.conversations import Array

_ASKS: Final = (80877103, 80877104)  # for TLS, for GSSAPI: instead of a version
_ASK: Final = 8  # bytes of that
_VERSION_3: Final = 3 << 16
_LARGEST: Final = 10_000  # of a start, as servers have it
_MOST: Final = 32  # messages looked at before a login is given up
_AUTHENTICATION, _ERROR = ord("R"), ord("E")
_NAMES: Final = {"user": "user", "database": "database", "application": "application_name"}


def _start(streams: Streams) -> Array:
    """Where the start of a session is in what clients said; -1 if there is none."""
    first, end = streams.starts[:, CLIENT], streams.ends[:, CLIENT]
    at = first.copy()
    for _ in range(2):  # both kinds of encryption may be asked for, and refused
        asks = fields.number(streams.data, at, end, 4) == _ASK
        asks &= np.isin(fields.number(streams.data, at + 4, end, 4), _ASKS)
        at = np.where(asks, at + _ASK, at)
    size = fields.number(streams.data, at, end, 4)
    version = fields.number(streams.data, at + 4, end, 4)
    fits = (version >> 16 == _VERSION_3 >> 16) & (version & 0xFFFF < 100) & (size > _ASK) & (size < _LARGEST)  # noqa: PLR2004
    letter = fields.number(streams.data, at + _ASK, end, 1)
    return np.where(fits & (letter >= ord("a")) & (letter <= ord("z")), at, -1)


def _fits(streams: Streams) -> Array:
    rows = np.flatnonzero(streams.byte(CLIENT, 0) == 0)
    some = streams.only(rows)
    at = some.starts[:, CLIENT]
    asks = fields.number(some.data, at, some.ends[:, CLIENT], 4) == _ASK
    asks &= np.isin(fields.number(some.data, at + 4, some.ends[:, CLIENT], 4), _ASKS)
    fits = np.zeros(len(streams), np.bool_)
    fits[rows] = asks | (_start(some) >= 0)
    return fits


def _events(streams: Streams) -> pl.DataFrame:
    start = _start(streams)
    rows = np.flatnonzero(start >= 0)
    some, start = streams.only(rows), start[rows]
    size = fields.number(some.data, start, some.ends[:, CLIENT], 4)
    end = np.minimum(start + size, some.ends[:, CLIENT])
    held = texts.columns(some.data, {"": (start + 8, end)}).to_series()
    outcome, reason = _answers(some, start - some.starts[:, CLIENT])
    columns = {name: held.str.extract(f"(?:^|\0){key}\0([^\0]+)") for name, key in _NAMES.items()}
    return login.events(
        "postgresql", rows, start - some.starts[:, CLIENT], outcome, columns | {"reason": reason}
    )


def _answers(streams: Streams, refused: Array) -> tuple[Array, pl.Series]:
    """What became of logins, and the codes of errors; `refused`: bytes of requests before them."""
    data, end = streams.data, streams.ends[:, SERVER]
    at = streams.starts[:, SERVER] + refused // _ASK  # a request is answered by one byte
    outcome = np.zeros(len(streams), np.int64)
    error = np.full((2, len(streams)), -1, np.int64)
    for _ in range(_MOST):
        kind = fields.number(data, at, end, 1)
        size = fields.number(data, at + 1, end, 4)
        open_ = (outcome == login.UNSEEN) & (size >= 4)  # noqa: PLR2004 - the length counts itself
        failed = open_ & (kind == _ERROR)
        outcome[open_ & (kind == _AUTHENTICATION) & (fields.number(data, at + 5, end, 4) == 0)] = (
            login.SUCCESS
        )
        outcome[failed] = login.FAILURE
        error[0][failed], error[1][failed] = at[failed] + 5, np.minimum(at + 1 + size, end)[failed]
        going = open_ & (outcome == login.UNSEEN)
        if not going.any():
            break
        at = np.where(going, at + 1 + size, end)
    told = texts.columns(data, {"": (error[0], error[1])}).to_series()
    return outcome, told.str.extract("(?:^|\0)C([0-9A-Z]{5})\0")


PROTOCOL: Final = OverTcp("postgresql", _fits, _events)
