"""OpenVPN's first packets, over UDP and TCP.

https://openvpn.net/community-resources/openvpn-protocol/ and src/openvpn/ssl_pkt.h: opcode and key id in one
byte, the sender's session id, then in the clear (`none`), behind a digest (`tls-auth`), or encrypted behind a
packet id, a time and a digest (`tls-crypt`, doc/tls-crypt-v2.txt): acknowledged ids, the other side's session
id, the message's id 0. Only the packets that open a session are told apart from noise by their bytes; what
came before the capture, static keys and obfuscated sessions are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, OverUdp
from sensors.capture.protocols import fields

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams, Streams

CLIENT_V1, SERVER_V1, CLIENT_V2, SERVER_V2, CLIENT_V3 = 1 << 3, 2 << 3, 7 << 3, 8 << 3, 10 << 3
_CODES: Final = (CLIENT_V1, SERVER_V1, CLIENT_V2, SERVER_V2, CLIENT_V3)
CLEAR: Final = 14  # opcode, session id, no acknowledged ids, message id
ACKNOWLEDGED: Final = 12  # one acknowledged id and the session it belongs to
STAMP: Final = 8  # packet id and time, in front of what is authenticated
CRYPT: Final = 54  # tls-crypt: opcode, session id, stamp, digest of 32 bytes, five encrypted ones
LONGEST: Final = 1500  # of a packet that carries its wrapped key with it
DIGESTS: Final = {16: "MD5", 20: "SHA1", 28: "SHA224", 32: "SHA256", 48: "SHA384", 64: "SHA512"}
_UPPER: Final = (0, 0x0A01, 0x0F00)  # halves of packet ids: plain, and two that offer to negotiate early
_AGAIN: Final = 64  # times that a first packet may have been sent before
_OLDEST, _NEWEST = 1_000_000_000, 4_200_000_000  # seconds: OpenVPN is of 2001
_NONE, _AUTH, _CRYPT, _CRYPT_2 = 1, 2, 3, 4
_MODES: Final = {0: None, _NONE: "none", _AUTH: "tls-auth", _CRYPT: "tls-crypt", _CRYPT_2: "tls-crypt-v2"}


def _wrapping(data: Array, starts: Array, ends: Array) -> tuple[Array, Array, Array]:
    """How packets that open a session are protected, a number of `_MODES` (0: none opens one).

    Returns:
        Mode, the digest's bytes (tls-auth), and whether it is a server's.
    """
    size = ends - starts
    code = fields.number(data, starts, ends, 1)
    asks = (code == CLIENT_V1) | (code == CLIENT_V2)
    answers = (code == SERVER_V1) | (code == SERVER_V2)
    mode, digest = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    named = ~fields.zeros(data, starts + 1, ends, STAMP)
    for length in (0, *DIGESTS):
        behind = starts + 9 + length + (STAMP if length else 0)
        stamped = _stamped(data, behind - STAMP, ends) if length else named
        rest = ends - behind
        bare = (rest == CLEAR - 9) & fields.zeros(data, behind, ends, CLEAR - 9)
        count = fields.number(data, behind, ends, 1)
        echo = (rest == CLEAR - 9 + ACKNOWLEDGED) & (count == 1) & fields.zeros(data, behind + 1, ends, 4)
        echo &= fields.zeros(data, ends - 4, ends, 4) & ~fields.zeros(data, behind + 5, ends, 8)
        fits = stamped & (((asks | answers) & bare) | (answers & echo))
        mode[fits], digest[fits] = _AUTH if length else _NONE, length
    crypt = (mode == 0) & _stamped(data, starts + 9, ends) & named
    mode[crypt & (code == CLIENT_V2) & (size == CRYPT)] = _CRYPT
    mode[crypt & (code == SERVER_V2) & (size >= CRYPT + ACKNOWLEDGED) & (size <= CRYPT + 2 * CLEAR)] = _CRYPT
    wrapped = fields.number(data, ends - 2, ends, 2) == size - CRYPT
    mode[crypt & (code == CLIENT_V3) & wrapped & (size <= LONGEST)] = _CRYPT_2
    return mode, digest, answers


def _stamped(data: Array, places: Array, ends: Array) -> Array:
    """Where a first packet's id and a time stand; the id's upper half says what the sender can negotiate."""
    low = fields.number(data, places + 2, ends, 2)
    time = fields.number(data, places + 4, ends, 4)
    high = fields.number(data, places, ends, 2)
    once: Array = (low > 0) & (low <= _AGAIN) & np.isin(high, _UPPER)
    once &= (time > _OLDEST) & (time < _NEWEST)
    return once


def _packets(data: Array, starts: Array, ends: Array) -> dict[str, Array | pl.Series]:
    """What the packets say."""
    mode, digest, answers = _wrapping(data, starts, ends)
    code = fields.number(data, starts, ends, 1)
    there = starts >= 0
    clear = np.where(
        (mode == _NONE) | (mode == _AUTH), starts + 9 + np.where(mode == _AUTH, digest + STAMP, 0), -1
    )
    other = np.where(fields.number(data, clear, ends, 1) == 1, clear + 5, -1)
    return {
        "event.action": pl.Series(np.where(answers, "handshake-response", "handshake-initiation")),
        "capture.openvpn.opcode": pl.Series(code >> 3).cast(pl.String),
        "capture.openvpn.protection": pl.Series(mode).replace_strict(_MODES, return_dtype=pl.String),
        "capture.openvpn.digest": pl.Series(digest).replace_strict(
            DIGESTS, default=None, return_dtype=pl.String
        ),
        "capture.openvpn.session_id": fields.hexes(data, np.where(there, starts + 1, -1), ends, 8),
        "capture.openvpn.peer_session_id": fields.hexes(data, other, ends, 8),
    }


def fits_udp(datagrams: Datagrams) -> Array:
    """Which datagrams open a session."""
    head = datagrams.byte(0)
    fits = np.isin(head, _CODES) & (datagrams.size() <= LONGEST)
    rows = np.flatnonzero(fits)
    fits[rows] = _wrapping(datagrams.data, datagrams.starts[rows], datagrams.ends[rows])[0] > 0
    return fits


def events_udp(datagrams: Datagrams) -> pl.DataFrame:
    """The first packet of each side of a flow."""
    mode, _, answers = _wrapping(datagrams.data, datagrams.starts, datagrams.ends)
    opens = np.flatnonzero(mode)
    rows = opens[fields.firsts(datagrams.flow[opens], answers[opens].astype(np.int64))]
    answered = np.isin(datagrams.flow[rows], datagrams.flow[opens[answers[opens]]])
    return fields.events(
        "openvpn",
        {"row": rows},
        _packets(datagrams.data, datagrams.starts[rows], datagrams.ends[rows])
        | {"event.outcome": _outcome(answered)},
    )


def _outcome(answered: Array) -> pl.Series:
    return pl.select(pl.when(pl.Series(answered, dtype=pl.Boolean)).then(pl.lit("success"))).to_series()


def _framed(streams: Streams, side: int) -> tuple[Array, Array]:
    """The first packet of a side: behind two bytes of length, all of it there; -1 and -1 where it is not."""
    starts = streams.starts[:, side] + 2
    length = fields.number(streams.data, starts - 2, streams.ends[:, side], 2)
    whole = (length >= CLEAR) & (length <= LONGEST) & (starts + length <= streams.ends[:, side])
    return np.where(whole, starts, -1), np.where(whole, starts + length, -1)


def fits_tcp(streams: Streams) -> Array:
    """Which streams' sides begin with a packet that opens a session."""
    return fields.narrowed(streams, _likely, _opening)


def _likely(streams: Streams) -> Array:
    return np.isin(streams.byte(CLIENT, 2), _CODES) | np.isin(streams.byte(SERVER, 2), _CODES)


def _opening(streams: Streams) -> Array:
    fits = np.zeros(len(streams), np.bool_)
    for side in (CLIENT, SERVER):
        mode, _, answers = _wrapping(streams.data, *_framed(streams, side))
        fits |= (mode > 0) & (answers == (side == SERVER))
    return fits


def events_tcp(streams: Streams) -> pl.DataFrame:
    """The first packet of each side."""
    sides = []
    good = []
    for side in (CLIENT, SERVER):
        mode, _, answers = _wrapping(streams.data, *_framed(streams, side))
        good.append((mode > 0) & (answers == (side == SERVER)))
    for side in (CLIENT, SERVER):
        rows = np.flatnonzero(good[side])
        starts, ends = (each[rows] for each in _framed(streams, side))
        sides.append(
            fields.events(
                "openvpn",
                {
                    "row": rows,
                    "side": np.full(len(rows), side, np.int64),
                    "at": np.zeros(len(rows), np.int64),
                    "~answers": pl.Series([side == SERVER]).new_from_index(0, len(rows)),
                },
                _packets(streams.data, starts, ends) | {"event.outcome": _outcome(good[SERVER][rows])},
            )
        )
    return pl.concat(sides)


PROTOCOLS: Final = (OverUdp("openvpn", fits_udp, events_udp), OverTcp("openvpn", fits_tcp, events_tcp))
