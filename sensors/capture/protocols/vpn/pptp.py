"""PPTP: the control connection's first messages (RFC 2637, 2.1 and 2.2), which name both ends' machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import fields, texts

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

COOKIE: Final = b"\x1a\x2b\x3c\x4d"
LENGTH: Final = 156
HOST, VENDOR, NAME = 28, 92, 64  # where the names begin, and how long they may be
REPLY_RESULT: Final = 14


def _begins(streams: Streams, side: int) -> Array:
    """Whether a side begins with its start message."""
    return (
        streams.begins(side, b"\x00\x9c\x00\x01" + COOKIE)
        & streams.begins(side, bytes([0, side + 1]), 8)
        & (streams.ends[:, side] - streams.starts[:, side] >= REPLY_RESULT)
    )


def fits(streams: Streams) -> Array:
    """Which streams have a side that begins with its start message."""
    return _begins(streams, CLIENT) | _begins(streams, SERVER)


def events(streams: Streams) -> pl.DataFrame:
    """The start message of each side."""
    told = []
    for side in (CLIENT, SERVER):
        rows = np.flatnonzero(_begins(streams, side))
        starts, ends = streams.starts[rows, side], streams.ends[rows, side]
        accepted = fields.number(streams.data, starts + REPLY_RESULT, ends, 1) == 1
        outcome = np.where(accepted, "success", "failure") if side == SERVER else [None] * len(rows)
        answered = side == SERVER
        frame = fields.events(
            "pptp",
            {
                "row": rows,
                "side": np.full(len(rows), side, np.int64),
                "at": np.zeros(len(rows), np.int64),
                "~answers": np.full(len(rows), answered),
            },
            {
                "event.action": ["handshake-response" if answered else "handshake-initiation"] * len(rows),
                "event.outcome": pl.Series(outcome, dtype=pl.String),
            },
        )
        names = {
            name: _padded(streams.data, starts + place, ends)
            for name, place in (("capture.pptp.host_name", HOST), ("capture.pptp.vendor", VENDOR))
        }
        told.append(frame.hstack(texts.columns(streams.data, names)))
    return pl.concat(told).with_columns(
        pl.when(pl.col(pl.String).exclude("event.kind") != "").then(pl.col(pl.String).exclude("event.kind"))
    )


def _padded(data: Array, starts: Array, ends: Array) -> tuple[Array, Array]:
    """A name of at most 64 bytes, up to its first zero; none where it is cut off."""
    there = starts + NAME <= ends
    stops = starts.copy()
    going = there.copy()
    for step in range(NAME):
        rows = np.flatnonzero(going)
        going[rows] = data[starts[rows] + step] != 0
        stops[going] = starts[going] + step + 1
    return np.where(there, starts, -1), stops


PROTOCOL: Final = OverTcp("pptp", fits, events)
