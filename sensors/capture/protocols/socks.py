"""SOCKS 4, 4a and 5 (RFC 1928, 1929): where a client asks a proxy to go, and who it says it is.

Names as those of Zeek's socks.log. The password of RFC 1929 is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, Streams
from sensors.capture.protocols import texts
from sensors.capture.protocols.addresses import addresses, octets, short
from sensors.values import ecs

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_MOST_NAME: Final = 255
_MOST_METHODS: Final = 16
_BY_NAME: Final = 2  # the method of RFC 1929
_NONE_FITS: Final = 255
_SIZES: Final = {1: 4, 4: 16}  # bytes of an address by its type; of a name (3) its first byte says
_NAME: Final = 3
_GRANTED: Final = 90
_COMMANDS: Final = {1: "connect", 2: "bind", 3: "udp_associate"}
# As Zeek names them.
_REPLIES: Final = {
    0: "succeeded",
    1: "general SOCKS server failure",
    2: "connection not allowed by ruleset",
    3: "Network unreachable",
    4: "Host unreachable",
    5: "Connection refused",
    6: "TTL expired",
    7: "Command not supported",
    8: "Address type not supported",
    90: "succeeded",
    91: "general SOCKS server failure",
    92: "general SOCKS server failure",
    93: "general SOCKS server failure",
}


class Handshake(NamedTuple):
    """What both sides said before what they wanted to say; arrays of a value a row, -1 where there is none.

    Attributes:
        known: whether this is SOCKS at all.
        version: 4 or 5.
        command: 1 to 3.
        reply: of the server; 90 and up are of version 4.
        target: begin, kind (3 a name, else of an address), and end of where to go.
        port: of it.
        user: begin and end of the name.
        bound: begin and kind of the address the server took.
        bound_port: its port.
        behind: of client and server, the places behind the handshake.
    """

    known: Array
    version: Array
    command: Array
    reply: Array
    target: tuple[Array, Array, Array]
    port: Array
    user: tuple[Array, Array]
    bound: tuple[Array, Array]
    bound_port: Array
    behind: tuple[Array, Array]


def carried(streams: Streams) -> Array:
    """Where what was tunnelled begins: `starts` of the streams, moved behind handshakes that succeeded."""
    starts = streams.starts.copy()
    for read in (_fifth, _fourth):
        rows = np.flatnonzero(_first(streams) == (5 if read is _fifth else 4))
        if not len(rows):
            continue
        seen = read(streams.only(rows))
        done = seen.known & np.isin(seen.reply, (0, _GRANTED)) & (seen.command == 1)
        for side in (CLIENT, SERVER):
            starts[rows[done], side] = np.minimum(seen.behind[side][done], streams.ends[rows[done], side])
    return starts


def _first(streams: Streams) -> Array:
    return streams.byte(CLIENT, 0)


def _fits(streams: Streams) -> Array:
    mask = np.zeros(len(streams), np.bool_)
    for version, read in ((5, _fifth), (4, _fourth)):
        rows = np.flatnonzero(_first(streams) == version)
        if len(rows):
            mask[rows] = read(streams.only(rows)).known
    return mask


def _address(data: Array, at: Array, ends: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Type, address and port as SOCKS 5 writes them: begin, kind, end, port, and the place behind."""
    kind = octets(data, at, ends)
    size = np.full(len(at), -1, np.int64)
    for code, width in _SIZES.items():
        size[kind == code] = width
    named = kind == _NAME
    size[named] = octets(data, at + 1, ends)[named]
    begin = at + 1 + named
    there = (size > 0) & (begin + size <= ends)
    port = np.where(there, short(data, begin + size, ends), -1)
    return np.where(there, begin, -1), np.where(there, kind, -1), begin + size, port, begin + size + 2


def _fifth(streams: Streams) -> Handshake:
    data, (ends, answers) = streams.data, streams.ends.T
    count = streams.byte(CLIENT, 1)
    chosen = streams.byte(SERVER, 1)
    at = streams.starts[:, CLIENT] + 2 + count
    back = streams.starts[:, SERVER] + 2
    named = (chosen == _BY_NAME) | ((chosen == -1) & (octets(data, at, ends) == 1))
    length = np.where(named & (octets(data, at, ends) == 1), octets(data, at + 1, ends), -1)
    user = at + 2, at + 2 + length
    has_user = (length > 0) & (user[1] <= ends)
    secret = np.where(length >= 0, octets(data, at + 2 + length, ends), -1)
    at = np.where(named, np.where(secret >= 0, at + 3 + length + secret, ends), at)
    back = back + 2 * named
    command = np.where(octets(data, at, ends) == 5, octets(data, at + 1, ends), -1)  # noqa: PLR2004 - the version
    target = _address(data, np.where(command > 0, at + 3, ends), ends)
    reply = np.where(octets(data, back, answers) == 5, octets(data, back + 1, answers), -1)  # noqa: PLR2004
    bound = _address(data, np.where(reply >= 0, back + 3, answers), answers)
    asks = np.isin(command, list(_COMMANDS)) & (octets(data, at + 2, ends) == 0) & (target[0] >= 0)
    silent = streams.starts[:, SERVER] == answers
    agreed = (streams.byte(SERVER, 0) == 5) & np.isin(chosen, (0, 1, _BY_NAME, _NONE_FITS))  # noqa: PLR2004
    offered = (count > 0) & (count <= _MOST_METHODS) & (streams.starts[:, CLIENT] + 2 + count <= ends)
    ended = (at >= ends) & (at == np.where(named, at, ends)) | (chosen == 1)
    known = offered & ((agreed & (asks | ended)) | (silent & asks))
    none = np.full(len(at), -1)
    return Handshake(
        known,
        np.full(len(at), 5),
        np.where(asks, command, none),
        reply,
        (np.where(asks, target[0], none), target[1], target[2]),
        np.where(asks, target[3], none),
        (np.where(has_user, user[0], none), user[1]),
        (bound[0], bound[1]),
        bound[3],
        (target[4], bound[4]),
    )


def _fourth(streams: Streams) -> Handshake:
    data, (ends, answers) = streams.data, streams.ends.T
    start, back = streams.starts.T
    command, port = streams.byte(CLIENT, 1), short(data, start + 2, ends)
    user_end = _nul(data, start + 8, ends)
    far = [octets(data, start + 4 + k, ends) for k in range(4)]
    by_name = (far[0] == 0) & (far[1] == 0) & (far[2] == 0) & (far[3] > 0)  # version 4a
    name_end = np.where(by_name, _nul(data, user_end + 1, ends), user_end)
    reply = streams.byte(SERVER, 1)
    answered = (streams.byte(SERVER, 0) == 0) & (reply >= _GRANTED) & (reply <= _GRANTED + 3)
    known = np.isin(command, (1, 2)) & (port > 0) & (user_end >= 0) & (name_end > 0) & answered
    none = np.full(len(start), -1)
    return Handshake(
        known,
        np.full(len(start), 4),
        command,
        reply,
        (np.where(by_name, user_end + 1, start + 4), np.where(by_name, _NAME, 1), name_end),
        port,
        (np.where(user_end > start + 8, start + 8, none), user_end),
        (np.where(back + 8 <= answers, back + 4, none), np.full(len(start), 1)),
        short(data, back + 2, answers),
        (name_end + 1, back + 8),
    )


def _nul(data: Array, at: Array, ends: Array) -> Array:
    """The place of the next zero byte, at most so far as names go; -1 if there is none."""
    places = at[:, None] + np.arange(_MOST_NAME + 1)
    there = (places < ends[:, None]) & (at[:, None] >= 0)
    zero = np.zeros(places.shape, np.bool_)
    zero[there] = data[places[there]] == 0
    return np.where(zero.any(axis=1), at + zero.argmax(axis=1), -1)


def _events(streams: Streams) -> pl.DataFrame:
    parts = []
    for version, read in ((5, _fifth), (4, _fourth)):
        rows = np.flatnonzero(_first(streams) == version)
        if len(rows):
            parts.append(_read(streams, rows, read(streams.only(rows))))
    return _described(pl.concat(parts)) if parts else pl.DataFrame(schema={"row": pl.Int64})


def _read(streams: Streams, rows: Array, seen: Handshake) -> pl.DataFrame:
    begin, kind, end = seen.target
    ends, answers = streams.ends[rows].T
    name = np.where(kind == _NAME, begin, -1)
    text = texts.columns(streams.data, {"~name": (name, end), "user.name": seen.user})
    sizes = np.array([_SIZES.get(k, -1) for k in range(_NAME + 2)])
    size, bound_size = (np.where((k >= 0) & (k < len(sizes)), sizes[k], -1) for k in (kind, seen.bound[1]))
    return text.with_columns(
        pl.Series("row", rows),
        addresses(streams.data, begin, size, ends).alias("~ip"),
        addresses(streams.data, seen.bound[0], bound_size, answers).alias("capture.socks.bound.host"),
        *(
            pl.Series(label, np.asarray(values, np.int64))
            for label, values in (
                ("~version", seen.version), ("~command", seen.command), ("~reply", seen.reply),
                ("url.port", seen.port), ("capture.socks.bound.port", seen.bound_port),
            )
        ),
    )  # fmt: skip


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    reply = pl.col("~reply")
    host = pl.coalesce("~name", "~ip")
    return frame.with_columns(
        pl.lit(CLIENT, pl.Int64).alias("side"),
        pl.lit(0, pl.Int64).alias("at"),
        pl.lit("capture.socks").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "start"]).alias("event.type"),
        pl.col("~command").replace_strict(_COMMANDS, default="greeting", return_dtype=pl.String)
        .alias("event.action"),
        pl.when(reply.is_in([0, _GRANTED])).then(pl.lit("success")).when(reply > 0).then(pl.lit("failure"))
        .alias("event.outcome"),
        pl.lit("socks").alias("network.protocol"),
        pl.col("~version").cast(pl.String).alias("capture.socks.version"),
        reply.replace_strict(_REPLIES, default=None, return_dtype=pl.String).alias("capture.socks.status"),
        pl.when(pl.col("url.port") >= 0).then("url.port").alias("url.port"),
        pl.when(pl.col("capture.socks.bound.port") >= 0).then("capture.socks.bound.port")
        .alias("capture.socks.bound.port"),
        host.alias("url.domain"),
        host.alias("capture.socks.request.host"),
        pl.when(~ecs.is_ip(host)).then(host).alias("destination.domain"),
        pl.col("user.name").alias("source.user.name"),
    ).select(pl.exclude(r"^~.*$"))  # fmt: skip


PROTOCOL: Final = OverTcp("socks", _fits, _events)
