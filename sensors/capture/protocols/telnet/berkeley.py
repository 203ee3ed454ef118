"""rlogin (RFC 1282), and rsh and rexec as the manual pages rcmd(3) and rexec(3) of 4.2BSD have them.

A client begins with texts that end in NUL. Those of rexec have a password among them, which is not read.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import texts
from sensors.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensors.capture.conversations import Array, Streams

_REXEC, _RLOGIN, _RSH = 512, 513, 514
_TEXTS: Final = 4
_LONGEST: Final = 4096
_USER: Final = r"^[!-~]{1,32}$"
_PORT: Final = r"^\d{0,5}$"
_TERMINAL: Final = r"^[!-.0-~]{1,64}/\d{1,7}$"
_COMMAND: Final = r"^[^\p{Cc}]+$"


@kernel
def _nuls(data: Array, starts: Array, ends: Array, places: Array) -> None:
    """Where the first texts of each row end."""
    for row in range(len(starts)):
        count = 0
        for at in range(starts[row], min(ends[row], starts[row] + _LONGEST)):
            if data[at] == 0:
                places[row, count] = at
                count += 1
                if count == _TEXTS:
                    break


def _said(streams: Streams, rows: Array, taken: tuple[str, ...]) -> pl.DataFrame:
    """The texts of those rows that have all of them; what has no name is not read."""
    places = np.full((len(rows), _TEXTS), -1, np.int64)
    starts = streams.starts[rows, CLIENT]
    _nuls(streams.data, starts, streams.ends[rows, CLIENT], places)
    whole = places[:, -1] >= 0
    rows, places, starts = rows[whole], places[whole], starts[whole]
    begins = np.column_stack((starts, places[:, :-1] + 1))
    spans = {name: (begins[:, k], places[:, k]) for k, name in enumerate(taken) if name}
    return texts.columns(streams.data, spans).with_columns(pl.Series("row", rows, pl.Int64))


def _rlogins(streams: Streams) -> pl.DataFrame:
    ours = (streams.ports[:, 1] == _RLOGIN) | (streams.byte(SERVER, 0) == 0)  # the server's answer is a NUL
    first = streams.byte(CLIENT, 1)
    rows = np.flatnonzero(ours & (streams.byte(CLIENT, 0) == 0) & (first > 0x20) & (first < 0x7F))  # noqa: PLR2004
    return _said(streams, rows, ("", "from", "user", "terminal")).filter(
        pl.col("from", "user").str.contains(_USER), pl.col("terminal").str.contains(_TERMINAL)
    )


def _commands(streams: Streams, port: int, taken: tuple[str, ...]) -> pl.DataFrame:
    rows = np.flatnonzero((streams.ports[:, 1] == port) & (streams.byte(CLIENT, 0) >= 0))
    said = _said(streams, rows, taken)
    return said.filter(
        pl.col("port").str.contains(_PORT),
        pl.col("command").str.contains(_COMMAND),
        *(pl.col(name).str.contains(_USER) for name in ("from", "user") if name in said.columns),
    )


def _rshs(streams: Streams) -> pl.DataFrame:
    return _commands(streams, _RSH, ("port", "from", "user", "command"))


def _rexecs(streams: Streams) -> pl.DataFrame:
    return _commands(streams, _REXEC, ("port", "user", "", "command"))


def _fits(reads: Callable[[Streams], pl.DataFrame], streams: Streams) -> Array:
    mask = np.zeros(len(streams), np.bool_)
    mask[reads(streams).get_column("row").to_numpy()] = True
    return mask


def _events(name: str, reads: Callable[[Streams], pl.DataFrame], streams: Streams) -> pl.DataFrame:
    """One event a flow: the account asked for, who asks, and what is to be run."""
    said = reads(streams)
    columns = {"from": "source.user.name", "command": "process.command_line"}
    terminal = [pl.col("terminal").str.extract(r"^(.*)/").alias(f"capture.{name}.terminal_type")]
    return said.select(
        "row",
        pl.lit(CLIENT, pl.Int64).alias("side"),
        pl.lit(0, pl.Int64).alias("at"),
        pl.lit(f"capture.{name}").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.lit("login").alias("event.action"),
        pl.lit(name).alias("network.protocol"),
        pl.col("user").alias("user.name"),
        *(pl.col(one).alias(other) for one, other in columns.items() if one in said.columns),
        *(terminal if "terminal" in said.columns else []),
    )


PROTOCOLS: Final = tuple(
    OverTcp(name, partial(_fits, reads), partial(_events, name, reads))
    for name, reads in (("rlogin", _rlogins), ("rsh", _rshs), ("rexec", _rexecs))
)
