"""RustDesk: what its clients say to the rendezvous and relay servers, whose ever they are, and to each other.

hbb_common's protos/rendezvous.proto and message.proto, src/bytes_codec.rs: one message of a protobuf union;
over TCP behind a length, whose lowest two bits say of how many bytes it is. Believed are messages that are
whole to their last byte, and have an id, a key or a word where the union's member has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, OverUdp
from sensors.capture.protocols import fields, texts
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams, Streams

MESSAGES: Final = {
    3: "signed-id",
    6: "register-peer",
    8: "punch-hole-request",
    15: "register-public-key",
    18: "request-relay",
    22: "peer-discovery",
    23: "online-request",
    25: "key-exchange",
}
_SIGNED, _REGISTER, _KEY, _RELAY, _DISCOVERY, _EXCHANGE = 3, 6, 15, 18, 22, 25
_OF_SERVERS: Final = (_REGISTER, 8, _KEY, _RELAY, 23)  # messages whose first field is an id
ID: Final = "^[A-Za-z][A-Za-z0-9_]{5,15}$|^[0-9]{6,16}$"
_FIELDS: Final = 8  # 1 to 7 of a member, and the member's number at 0
_UUID, _SIGNATURE, _PUBLIC = 36, 64, 32
_SIGNED_KEY: Final = _SIGNATURE + _PUBLIC
_LONGEST: Final = 2048
_TAGS: Final = tuple({(number << 3 | 2) & 0x7F | (0x80 if number > 15 else 0) for number in MESSAGES})  # noqa: PLR2004
_SMALL, _MORE, _VARINT, _BYTES = 0x7F, 0x80, 0, 2


def _messages(data: Array, starts: Array, ends: Array) -> tuple[Array, pl.DataFrame]:
    """Rows that hold a message, and of each its kind, and the text of fields 1 to 6."""
    rows = np.flatnonzero((ends > starts) & (ends - starts <= _LONGEST))
    rows = rows[np.isin(data[starts[rows]], _TAGS)]
    spans = np.full((_FIELDS, 2, len(rows)), -1, np.int64)
    members(data, starts[rows], ends[rows], spans)
    kind = spans[0, 0]
    first, second, third = (spans[number, 1] - spans[number, 0] for number in (1, 2, 3))
    inner = spans[1, 0] + _SIGNATURE
    length = fields.number(data, inner + 1, spans[1, 1], 1)
    signed = (kind == _SIGNED) & (fields.number(data, inner, spans[1, 1], 1) == 0x0A)  # noqa: PLR2004 - field 1
    signed &= fields.number(data, inner + 2 + length, spans[1, 1], 2) == 0x1220  # noqa: PLR2004 - 32 bytes
    signed &= inner + 4 + length + _PUBLIC == spans[1, 1]
    spans[1, 0, signed], spans[1, 1, signed] = inner[signed] + 2, (inner + 2 + length)[signed]
    shaped = signed | np.isin(kind, _OF_SERVERS) | (kind == _DISCOVERY)
    shaped &= (kind != _RELAY) | (second == _UUID)
    shaped &= (kind != _KEY) | ((second > 0) & (third == _PUBLIC))
    keyed = (kind == _EXCHANGE) & (first == _SIGNED_KEY)
    spans[1:, :, keyed] = -1
    text = texts.columns(data, {str(number): (spans[number, 0], spans[number, 1]) for number in range(1, 7)})
    told = text.with_columns(pl.Series("kind", np.where(keyed, _EXCHANGE, kind)))
    word = pl.col("1").is_in(["ping", "pong"]) & (pl.col("kind") == _DISCOVERY)
    named = pl.col("1").str.contains(ID) & (pl.col("kind") != _DISCOVERY)
    good = (
        told.select(pl.Series(keyed) | (pl.Series(shaped) & (word | named)))
        .to_series()
        .fill_null(value=False)
    )
    return rows[good.to_numpy()], told.filter(good)


def _said(told: pl.DataFrame) -> dict[str, pl.Series]:
    """Columns of what messages say."""
    found = pl.col("kind") == _DISCOVERY
    frame = told.select(
        pl.col("kind").replace_strict(MESSAGES, return_dtype=pl.String).alias("event.action"),
        pl.when(found).then("3").otherwise("1").alias("capture.rustdesk.id"),
        pl.when(found).then("4").alias("user.name"),
        pl.when(found).then("5").alias("host.name"),
        pl.when(found).then("6").alias("capture.rustdesk.platform"),
    )
    return frame.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String))).to_dict()


def fits_udp(datagrams: Datagrams) -> Array:
    """Which are messages that say who sends them."""
    rows, told = _messages(datagrams.data, datagrams.starts, datagrams.ends)
    fits = np.zeros(len(datagrams), np.bool_)
    fits[rows[told["kind"].is_in([_REGISTER, _KEY, _DISCOVERY]).to_numpy()]] = True
    return fits


def events_udp(datagrams: Datagrams) -> pl.DataFrame:
    """The first message of each kind in a flow."""
    rows, told = _messages(datagrams.data, datagrams.starts, datagrams.ends)
    first = fields.firsts(datagrams.flow[rows], told["kind"].to_numpy())
    return fields.events("rustdesk", {"row": rows[first]}, _said(told[first]))


def _framed(streams: Streams, side: int) -> tuple[Array, Array]:
    """Where a side's first message begins and ends; 0 and 0 where it is not there."""
    starts, ends = streams.starts[:, side], streams.ends[:, side]
    head = (streams.byte(side, 0) & 3) + 1
    begins, stops = np.zeros(len(streams), np.int64), np.zeros(len(streams), np.int64)
    for size in (1, 2):
        length = fields.number(streams.data, starts, ends, size, little=True) >> 2
        good = (head == size) & (length > 0) & (starts + size + length <= ends)
        begins[good], stops[good] = (starts + size)[good], (starts + size + length)[good]
    return begins, stops


def fits_tcp(streams: Streams) -> Array:
    """Where a side begins with a message."""
    return fields.narrowed(streams, _likely, _beginning)


def _likely(streams: Streams) -> Array:
    """Where a message's first byte stands behind one or two of length."""
    likely = np.zeros(len(streams), np.bool_)
    for side in (CLIENT, SERVER):
        head = (streams.byte(side, 0) & 3) + 1
        for size in (1, 2):
            likely |= (head == size) & np.isin(streams.byte(side, size), _TAGS)
    return likely


def _beginning(streams: Streams) -> Array:
    fits = np.zeros(len(streams), np.bool_)
    for side in (CLIENT, SERVER):
        fits[_messages(streams.data, *_framed(streams, side))[0]] = True
    return fits


def events_tcp(streams: Streams) -> pl.DataFrame:
    """The first message of each side."""
    frames = []
    for side in (CLIENT, SERVER):
        rows, told = _messages(streams.data, *_framed(streams, side))
        frames.append(fields.events("rustdesk", fields.places(rows, side), _said(told)))
    return pl.concat(frames)


@kernel
def _varint(data: Array, place: int, end: int) -> tuple[int, int]:
    """A number, and the place behind it: -1 where there is none below 2^35, or it began at -1."""
    value = 0
    for step in range(5):
        if place < 0 or place + step >= end:
            break
        value |= np.int64(data[place + step] & _SMALL) << (7 * step)  # type: ignore[assignment]
        if not data[place + step] & _MORE:
            return value, place + step + 1
    return value, -1


@kernel
def members(data: Array, starts: Array, ends: Array, spans: Array) -> None:
    """A union's member: its number into `spans[0]`, its fields' places; -1 where it is not whole."""
    for row in range(len(starts)):
        end = ends[row]
        tag, place = _varint(data, starts[row], end)
        size, place = _varint(data, place, end)
        if tag & 7 == _BYTES and place >= 0 and place + size == end and _fields(data, place, end, spans, row):
            spans[0, 0, row] = tag >> 3


@kernel
def _fields(data: Array, place: int, end: int, spans: Array, row: int) -> bool:
    """Where the fields of a member are; whether they fill it."""
    for _ in range(64):
        if place == end:
            return True
        tag, place = _varint(data, place, end)
        value, place = _varint(data, place, end)
        if place < 0 or tag & 7 not in (_VARINT, _BYTES) or tag >> 3 == 0:
            break
        if tag & 7 == _BYTES:
            if place + value > end:
                break
            if tag >> 3 < len(spans):
                spans[tag >> 3, 0, row], spans[tag >> 3, 1, row] = place, place + value
            place += value
    return False


PROTOCOLS: Final = (OverUdp("rustdesk", fits_udp, events_udp), OverTcp("rustdesk", fits_tcp, events_tcp))
