"""RADIUS (RFC 2865, 2866, 5176): who logs on at which gateway, and what the server answers.

An event is a request with its answer, however often both were sent. Passwords are passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols import texts
from sensors.capture.protocols.addresses import addresses, short
from sensors.compiled import kernel
from sensors.values import ecs

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

_PORTS: Final = frozenset({1812, 1813, 1645, 1646, 3799})
_HEAD: Final = 20
_REQUESTS: Final = {
    1: "access-request",
    4: "accounting-request",
    12: "status-server",
    40: "disconnect-request",
    43: "coa-request",
}
_ANSWERS: Final = {
    2: "accept", 3: "reject", 5: "accounting-response", 11: "challenge", 41: "disconnect-ack",
    42: "disconnect-nak", 44: "coa-ack", 45: "coa-nak",
}  # fmt: skip
_OUTCOMES: Final = {2: "success", 3: "failure", 41: "success", 42: "failure", 44: "success", 45: "failure"}
_STATUS: Final = {1: "start", 2: "stop", 3: "interim-update", 7: "accounting-on", 8: "accounting-off"}
# Attributes: where the values of each kind go.
_TEXTS: Final = {
    1: "~user",
    11: "capture.radius.filter",
    18: "event.reason",
    30: "capture.radius.called_station_id",
    31: "capture.radius.calling_station_id",
    32: "capture.radius.nas_identifier",
    44: "capture.radius.session_id",
    66: "capture.radius.tunnel_client",
    77: "capture.radius.connect_info",
    87: "capture.radius.nas_port_id",
}
_ADDRESSES: Final = {4: "capture.radius.nas_ip", 8: "capture.radius.framed_ip", 95: "capture.radius.nas_ip6"}
_NUMBERS: Final = {40: "~status", 42: "~in", 43: "~out", 46: "~time"}
_WANTED: Final = (*_TEXTS, *_ADDRESSES, *_NUMBERS)
_SLOTS: Final = np.full(256, -1)
_SLOTS[list(_WANTED)] = np.arange(len(_WANTED))


@kernel
def attributes(data: Array, starts: Array, ends: Array, slots: Array, spans: Array) -> Array:
    """Find attributes; a mask of the rows that are made of nothing else, to their last byte.

    Args:
        data: bytes, UInt8.
        starts: of messages.
        ends: the places behind them.
        slots: by the type of an attribute its column in `spans`, or -1.
        spans: gets start and end of the first value of each, must be -1.
    """
    whole = np.zeros(len(starts), np.bool_)
    for row in range(len(starts)):
        at = starts[row] + _HEAD
        while at + 2 <= ends[row]:
            size = int(data[at + 1])
            if size < 2 or at + size > ends[row]:  # noqa: PLR2004 - type and length
                break
            slot = slots[data[at]]
            if slot >= 0 and spans[row, slot, 0] < 0:
                spans[row, slot, 0], spans[row, slot, 1] = at + 2, at + size
            at += size
        whole[row] = at == ends[row]
    return whole


def _ends(datagrams: Datagrams) -> Array:
    """Where messages end by their own length; the start where that lies."""
    size = short(datagrams.data, datagrams.starts + 2, datagrams.ends)
    fits = (size >= _HEAD) & (datagrams.starts + size <= datagrams.ends)
    return np.where(fits, datagrams.starts + size, datagrams.starts)


def _fits(datagrams: Datagrams) -> Array:
    """By the code, by lengths that are right to the last byte, and by ports."""
    code = datagrams.byte(0)
    likely = np.isin(code, [*_REQUESTS, *_ANSWERS]) & (_ends(datagrams) > datagrams.starts)
    likely &= np.isin(datagrams.ports, list(_PORTS)).any(axis=1)
    rows = np.flatnonzero(likely)
    few = datagrams.only(rows)
    likely[rows] = attributes(few.data, few.starts, _ends(few), _SLOTS, _room(few))
    return likely


def _room(datagrams: Datagrams) -> Array:
    return np.full((len(datagrams), len(_WANTED), 2), -1, np.int64)


def _events(datagrams: Datagrams) -> pl.DataFrame:
    spans = _room(datagrams)
    ends = _ends(datagrams)
    attributes(datagrams.data, datagrams.starts, ends, _SLOTS, spans)
    place = {kind: (spans[:, k, 0], spans[:, k, 1]) for k, kind in enumerate(_WANTED)}
    text = texts.columns(datagrams.data, {name: place[kind] for kind, name in _TEXTS.items()})
    seals = texts.columns(datagrams.data, {"~seal": (datagrams.starts + 4, datagrams.starts + _HEAD)})
    frame = text.hstack(seals).with_columns(
        pl.Series("row", np.arange(len(datagrams))),
        pl.Series("~flow", datagrams.flow),
        pl.Series("~code", datagrams.byte(0)),
        pl.Series("~id", datagrams.byte(1)),
        *(
            addresses(datagrams.data, place[kind][0], place[kind][1] - place[kind][0], ends).alias(name)
            for kind, name in _ADDRESSES.items()
        ),
        *(_number(datagrams.data, *place[kind]).alias(name) for kind, name in _NUMBERS.items()),
    )
    return _described(_exchanges(frame))


def _number(data: Array, starts: Array, ends: Array) -> pl.Series:
    high, low = short(data, starts, ends), short(data, starts + 2, ends)
    fits = (starts >= 0) & (ends - starts == 4) & (high >= 0) & (low >= 0)  # noqa: PLR2004 - bytes of a number
    found = pl.Series(high * 65536 + low)
    return found.set(pl.Series(~fits), None)


def _exchanges(frame: pl.DataFrame) -> pl.DataFrame:
    """A row a request and what answers it: the same identifier, until another request has it."""
    asks = pl.col("~code").is_in(list(_REQUESTS))
    seal = pl.when(asks).then("~seal")
    before = seal.forward_fill().shift(1).over("~flow", "~id")
    fresh = (asks & (before.is_null() | (before != seal))).cast(pl.Int64)
    numbered = frame.with_columns(
        fresh.cum_sum().over("~flow", "~id").alias("~exchange"), asks.alias("~asks")
    )
    values = pl.exclude("~flow", "~id", "~exchange", "row", "~code", "~seal", "~asks")
    code = pl.col("~code")
    return numbered.group_by("~flow", "~id", "~exchange", maintain_order=True).agg(
        pl.col("row").first(),
        code.filter("~asks").first(),
        code.filter(~pl.col("~asks")).last().alias("~answer"),
        values.drop_nulls().first(),
    )


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    code, answer = pl.col("~code"), pl.col("~answer")
    result = answer.replace_strict(_ANSWERS, default=None, return_dtype=pl.String)
    login = (code == 1) | answer.is_in([2, 3, 11])
    sent = ecs.person(frame, "~user", "user").with_columns(
        pl.col("~user").alias("capture.radius.username"),
        pl.lit("capture.radius").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(login).then(pl.lit(["network", "authentication"])).otherwise(pl.lit(["network", "session"]))
        .alias("event.category"),
        pl.lit(["connection", "info"]).alias("event.type"),
        code.replace_strict(_REQUESTS, default=None, return_dtype=pl.String).fill_null(result)
        .alias("event.action"),
        answer.replace_strict(_OUTCOMES, default=None, return_dtype=pl.String).alias("event.outcome"),
        pl.lit("radius").alias("network.protocol"),
        result.alias("capture.radius.result"),
        pl.col("~status").replace_strict(_STATUS, default=None, return_dtype=pl.String)
        .alias("capture.radius.accounting_status"),
        pl.col("~time").cast(pl.String).alias("capture.radius.session_seconds"),
        pl.col("~in").cast(pl.String).alias("capture.radius.input_octets"),
        pl.col("~out").cast(pl.String).alias("capture.radius.output_octets"),
    )  # fmt: skip
    return sent.select(pl.exclude(r"^~.*$")).with_columns(
        pl.col("user.name").alias("source.user.name"), pl.col("user.domain").alias("source.user.domain")
    )


PROTOCOL: Final = OverUdp("radius", _fits, _events, _PORTS)
