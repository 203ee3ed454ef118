"""MQTT 3.1, 3.1.1 and 5: which client connects, as whom, what the broker says (OASIS MQTT 5.0, 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import texts
from sensors.capture.protocols.addresses import octets, short

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_CONNECT: Final = 0x10
_ANSWER: Final = 0x20
_VERSIONS: Final = {3: "3.1", 4: "3.1.1", 5: "5.0"}
_FIVE: Final = 5
_WILL, _PASSWORD, _USER = 0x04, 0x40, 0x80
_REFUSED: Final = {
    0: "accepted",
    1: "unacceptable protocol version",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
    0x80: "unspecified error",
    0x82: "protocol error",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8C: "bad authentication method",
    0x97: "quota exceeded",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9F: "connection rate exceeded",
}


def _variable(data: Array, at: Array, ends: Array) -> tuple[Array, Array]:
    """A number of at most four bytes (1.5.5), -1 if it is none, and the place behind it."""
    value = np.zeros(len(at), np.int64)
    size = np.zeros(len(at), np.int64)
    going = np.ones(len(at), np.bool_)
    for k in range(4):
        octet = np.where(going, octets(data, at + k, ends), 0)
        value = np.where(
            octet < 0, -1, np.where(going & (value >= 0), value + ((octet & 127) << (7 * k)), value)
        )
        size += going
        going &= octet >= 128  # noqa: PLR2004 - more follow
    return np.where(going, -1, value), at + size


def _fits(streams: Streams) -> Array:
    start, end = streams.starts[:, CLIENT], streams.ends[:, CLIENT]
    mask: Array = streams.byte(CLIENT, 0) == _CONNECT
    rows = np.flatnonzero(mask)
    few = streams.only(rows)
    size, at = _variable(few.data, start[rows] + 1, end[rows])
    for text, version in ((b"MQTT", (4, 5)), (b"MQIsdp", (3,))):
        named = (size >= 0) & (short(few.data, at, end[rows]) == len(text))
        for k, letter in enumerate(text):
            named &= octets(few.data, at + 2 + k, end[rows]) == letter
        named &= np.isin(octets(few.data, at + 2 + len(text), end[rows]), version)
        mask[rows] = named | (mask[rows] if text != b"MQTT" else False)
    return mask


def _field(data: Array, at: Array, ends: Array, there: Array) -> tuple[Array, Array, Array]:
    """A field with its length in two bytes: start (-1 if it is not there), end, and the place behind."""
    size = np.where(there, short(data, at, ends), -1)
    whole = (size >= 0) & (at + 2 + size <= ends)
    behind = np.where(whole, at + 2 + size, np.where(there, ends, at))
    return np.where(whole, at + 2, -1), np.where(whole, at + 2 + size, -1), behind


def _skipped(data: Array, at: Array, ends: Array, there: Array) -> Array:
    """Behind the properties of version 5."""
    size, behind = _variable(data, at, ends)
    moved: Array = np.where(size >= 0, np.minimum(behind + size, ends), ends)
    return np.where(there, moved, at)


def _events(streams: Streams) -> pl.DataFrame:
    data, ends = streams.data, streams.ends[:, CLIENT]
    size, at = _variable(data, streams.starts[:, CLIENT] + 1, ends)
    ends = np.minimum(ends, at + np.maximum(size, 0))
    at = at + 2 + np.maximum(short(data, at, ends), 0)
    version, flags, keep = octets(data, at, ends), octets(data, at + 1, ends), short(data, at + 2, ends)
    flags = np.maximum(flags, 0)
    five = version == _FIVE
    at = _skipped(data, at + 4, ends, five)
    client = _field(data, at, ends, version > 0)
    will = (flags & _WILL) != 0
    topic = _field(data, _skipped(data, client[2], ends, five & will), ends, will)
    message = _field(data, topic[2], ends, will)
    user = _field(data, message[2], ends, (flags & _USER) != 0)
    text = texts.columns(
        data,
        {
            "capture.mqtt.client_id": client[:2],
            "capture.mqtt.will_topic": topic[:2],
            "user.name": user[:2],
        },
    )
    answered = streams.byte(SERVER, 0) == _ANSWER
    code = np.where(answered, streams.byte(SERVER, 3), -1)
    frame = text.with_columns(
        pl.Series("row", np.arange(len(streams))),
        pl.Series("~version", version),
        pl.Series("~code", code),
        pl.Series("capture.mqtt.keep_alive", keep),
    )
    return _described(frame)


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    code, name = pl.col("~code"), pl.col("user.name").replace("", None)
    return frame.with_columns(
        pl.lit(CLIENT, pl.Int64).alias("side"),
        pl.lit(0, pl.Int64).alias("at"),
        pl.lit("capture.mqtt").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network", "session"]).alias("event.category"),
        pl.lit(["connection", "protocol", "start"]).alias("event.type"),
        pl.lit("connect").alias("event.action"),
        pl.when(code == 0).then(pl.lit("success")).when(code > 0).then(pl.lit("failure"))
        .alias("event.outcome"),
        pl.lit("mqtt").alias("network.protocol"),
        pl.col("~version").replace_strict(_VERSIONS, default=None, return_dtype=pl.String)
        .alias("capture.mqtt.version"),
        code.replace_strict(_REFUSED, default=None, return_dtype=pl.String).alias("capture.mqtt.status"),
        pl.when(pl.col("capture.mqtt.keep_alive") >= 0).then("capture.mqtt.keep_alive")
        .alias("capture.mqtt.keep_alive"),
        name.alias("user.name"),
        name.alias("source.user.name"),
    ).select(pl.exclude(r"^~.*$"))  # fmt: skip


PROTOCOL: Final = OverTcp("mqtt", _fits, _events)
