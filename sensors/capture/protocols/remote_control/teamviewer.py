"""TeamViewer's own frames.

No description is published; what stands here is what its frames have in common on the wire. TCP: 0x17 0x24,
a command, the body's length of two bytes, low one first, or, newer, 0x11 0x30, a command of two bytes, the
body's length of four, and a head of 24 bytes; frames follow each other. UDP: a head of 16 bytes, with 0x17
0x24 behind the first eleven and the body's length in its last two. nDPI's reader of it looks for
the two bytes only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, OverUdp
from sensors.capture.protocols import fields

if TYPE_CHECKING:
    import polars as pl

    from sensors.capture.conversations import Array, Datagrams, Streams

OLD: Final = b"\x17\x24"
NEW: Final = b"\x11\x30"
PORT: Final = 5938
_OLD_HEAD, _NEW_HEAD = 5, 24
_UDP_HEAD, _UDP_MAGIC, _UDP_LENGTH = 16, 11, 14
_FIRST: Final = (OLD[0], NEW[0])
_LONGEST: Final = 1 << 16
_AGAIN: Final = 2  # datagrams that must agree where the port says nothing
_OLD_NUMBER, _NEW_NUMBER = int.from_bytes(OLD, "big"), int.from_bytes(NEW, "big")


def _speaks(streams: Streams, side: int) -> Array:
    """Whether a side begins with a frame, behind which another one or nothing comes."""
    data, starts, ends = streams.data, streams.starts[:, side], streams.ends[:, side]
    behind = np.full(len(streams), -1, np.int64)
    for magic, head, place, size in ((OLD, _OLD_HEAD, 3, 2), (NEW, _NEW_HEAD, 4, 4)):
        length = fields.number(data, starts + place, ends, size, little=True)
        good = streams.begins(side, magic) & (ends - starts >= head) & (length >= 0) & (length < _LONGEST)
        behind = np.where(good, starts + head + length, behind)
    follows = fields.number(data, behind, ends, 2)
    speaks: Array = (behind == ends) | np.isin(follows, (_OLD_NUMBER, _NEW_NUMBER))
    return speaks


def fits_tcp(streams: Streams) -> Array:
    """Where a side speaks it."""
    return fields.narrowed(
        streams,
        lambda rows: np.isin(rows.byte(CLIENT, 0), _FIRST) | np.isin(rows.byte(SERVER, 0), _FIRST),
        lambda rows: _speaks(rows, CLIENT) | _speaks(rows, SERVER),
    )


def events_tcp(streams: Streams) -> pl.DataFrame:
    """One event a stream, at its client's first frame, or the server's where only that one is there."""
    client, server = _speaks(streams, CLIENT), _speaks(streams, SERVER)
    rows = np.flatnonzero(client | server)
    return fields.events(
        "teamviewer",
        {
            "row": rows,
            "side": np.where(client, CLIENT, SERVER)[rows],
            "at": np.zeros(len(rows), np.int64),
        },
        {
            "event.action": ["handshake"] * len(rows),
            "event.outcome": fields.success((client & server)[rows]),
        },
    )


def _framed(datagrams: Datagrams) -> Array:
    data, starts, ends = datagrams.data, datagrams.starts, datagrams.ends
    length = fields.number(data, starts + _UDP_LENGTH, ends, 2, little=True)
    framed: Array = datagrams.begins(OLD, _UDP_MAGIC) & (length == ends - starts - _UDP_HEAD)
    return framed


def fits_udp(datagrams: Datagrams) -> Array:
    """Which are frames, in flows that have two of them, or the port."""
    framed = np.flatnonzero(fields.narrowed(datagrams, lambda rows: rows.begins(OLD, _UDP_MAGIC), _framed))
    flows, back, count = np.unique(datagrams.flow[framed], return_inverse=True, return_counts=True)
    enough = (count[back] >= _AGAIN) if len(flows) else np.zeros(0, np.bool_)
    fits = np.zeros(len(datagrams), np.bool_)
    fits[framed] = enough | (datagrams.ports[framed] == PORT).any(axis=1)
    return fits


def events_udp(datagrams: Datagrams) -> pl.DataFrame:
    """The first frame of a flow."""
    framed = np.flatnonzero(_framed(datagrams))
    rows = framed[fields.firsts(datagrams.flow[framed])]
    sides = datagrams.side[framed]
    both = np.isin(datagrams.flow[rows], datagrams.flow[framed[sides == SERVER]]) & np.isin(
        datagrams.flow[rows], datagrams.flow[framed[sides == CLIENT]]
    )
    return fields.events(
        "teamviewer",
        {"row": rows},
        {"event.action": ["handshake"] * len(rows), "event.outcome": fields.success(both)},
    )


PROTOCOLS: Final = (OverTcp("teamviewer", fits_tcp, events_tcp), OverUdp("teamviewer", fits_udp, events_udp))
