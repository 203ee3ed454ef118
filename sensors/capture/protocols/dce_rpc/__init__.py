"""DCE-RPC over TCP (C706; MS-RPCE): which interface of Windows is called, and which operation of it.

Calls through pipes of SMB are events of the same kind; `sensors.capture.protocols.smb` finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import little
from sensors.capture.conversations import CLIENT, SERVER, OverTcp, Streams
from sensors.capture.protocols.dce_rpc import packets

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_MOST: Final = 1 << 9  # packets looked at in one direction of a stream
_OPENING: Final = ((CLIENT, (0, 11)), (SERVER, (2, 3, 12, 13)))  # what each side may begin with


def _fits(streams: Streams) -> Array:
    fits = np.zeros(len(streams), np.bool_)
    for side, kinds in _OPENING:
        rows = np.flatnonzero(streams.byte(side, 0) == 5)  # noqa: PLR2004 - the version
        begins = packets.begin(streams.data, streams.starts[rows, side], streams.ends[rows, side])
        fits[rows] |= begins & np.isin(streams.byte(side, 2)[rows], kinds)
    return fits


def _events(streams: Streams) -> pl.DataFrame:
    return packets.worded(packets.calls(streams.data, framed(streams)))


def framed(streams: Streams) -> pl.DataFrame:
    """The packets of streams, as `packets.calls` takes them, in the order they stand in each direction."""
    none = np.empty(0, np.int64)
    parts = [_found(none, none, none, none, none)]
    for side in (CLIENT, SERVER):
        rows, first = np.arange(len(streams)), streams.starts[:, side]
        at, end = first.copy(), streams.ends[:, side]
        for _ in range(_MOST):
            there = packets.begin(streams.data, at, end)
            rows, first, at, end = rows[there], first[there], at[there], end[there]
            if not len(rows):
                break
            behind = at + little.number(streams.data, at + 8, end, 2)
            parts.append(_found(rows, np.full(len(rows), side), at - first, at, np.minimum(behind, end)))
            at = behind
    return pl.concat(parts).sort("row", "side", "at")


def _found(row: Array, side: Array, at: Array, start: Array, end: Array) -> pl.DataFrame:
    whole = pl.DataFrame({"row": row, "side": side, "at": at, "start": start, "end": end})
    return whole.with_columns(pl.lit(0, pl.Int64).alias(name) for name in ("handle", "handle.more"))


PROTOCOL: Final = OverTcp("dce_rpc", _fits, _events)
