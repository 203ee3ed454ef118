"""RDP over UDP (MS-RDPEUDP, 2.2.2): how it begins, and its data where the beginning was not captured.

What follows is TLS or DTLS inside of it, or MS-RDPEUDP2, if both sides have said version 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import OverUdp

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

_SYN, _ACK, _DATA = 0x1, 0x4, 0x8
_LOSSY, _CORRELATED, _EXTENDED = 0x200, 0x800, 0x1000
_MTUS: Final = (1132, 1232)
_NO_ACK: Final = b"\xff\xff\xff\xff"
_LONGEST_VECTOR: Final = 2048
_RECORDS: Final = (0x14, 0x15, 0x16, 0x17)  # of TLS
_MAJORS: Final = (0x03, 0xFE)  # TLS, DTLS
_SYN_BYTES, _CORRELATION = 16, 32
_VERSIONS: Final = {1: "1", 2: "2", 0x101: "3"}
_ASK, _ANSWER, _GOING = range(3)
_ACTIONS: Final = {_ASK: "connection-request", _ANSWER: "connection-request", _GOING: "data"}


def fits(datagrams: Datagrams) -> Array:
    """Which begin a conversation, answer, or are its data in records of TLS."""
    return _kinds(datagrams) >= 0


def _two(datagrams: Datagrams, offset: int | Array) -> Array:
    """Two bytes as a number, most significant first; -1 where a datagram is shorter."""
    places = datagrams.starts + offset
    there = np.flatnonzero(places + 2 <= datagrams.ends)
    found = np.full(len(datagrams), -1, np.int64)
    high, low = datagrams.data[places[there]], datagrams.data[places[there] + 1]
    found[there] = high.astype(np.int64) << 8 | low
    return found


def _kinds(datagrams: Datagrams) -> Array:
    flags = _two(datagrams, 6)
    begins = (flags > 0) & (flags & _SYN != 0)
    for offset in (12, 14):
        mtu = _two(datagrams, offset)
        begins &= (mtu >= _MTUS[0]) & (mtu <= _MTUS[1])
    begins &= datagrams.size() >= _MTUS[0]  # it is padded, to see whether so much gets through
    unasked = datagrams.begins(_NO_ACK)
    kinds = np.full(len(datagrams), -1, np.int64)
    kinds[begins & unasked & (flags & _ACK == 0)] = _ASK
    kinds[begins & ~unasked & (flags & _ACK != 0)] = _ANSWER
    kinds[_is_data(datagrams, flags)] = _GOING
    return kinds


def _is_data(datagrams: Datagrams, flags: Array) -> Array:
    """Which have acknowledgements, then one number twice, since nothing is lost yet, then a record of TLS."""
    size = _two(datagrams, 8)
    at = 8 + (2 + np.clip(size, 0, _LONGEST_VECTOR) + 3) // 4 * 4
    found: Array = (flags == _ACK | _DATA) & (size >= 0) & (size <= _LONGEST_VECTOR)
    for half in (0, 2):
        found &= _two(datagrams, at + half) == _two(datagrams, at + 4 + half)
    record, minor = _two(datagrams, at + 8), _two(datagrams, at + 9)
    found &= np.isin(record >> 8, _RECORDS) & np.isin(record & 0xFF, _MAJORS) & (minor >= 0)
    return found


def events(datagrams: Datagrams) -> pl.DataFrame:
    """One event a flow: of its beginning with the answer's version, or of the first data seen."""
    flags = _two(datagrams, 6)
    extended = _SYN_BYTES + np.where(flags & _CORRELATED != 0, _CORRELATION, 0)
    version = np.where(flags & _EXTENDED != 0, _two(datagrams, extended + 2), 1)
    kinds = _kinds(datagrams)
    begins = kinds != _GOING
    seen = pl.DataFrame(
        {
            "row": np.arange(len(datagrams)),
            "flow": datagrams.flow,
            "kind": kinds,
            "version": version,
            "lossy": flags & _LOSSY != 0,
            "up": _two(datagrams, 12),
            "down": _two(datagrams, 14),
        }
    ).with_columns(pl.when(pl.Series(begins)).then(pl.col("version", "lossy", "up", "down")))
    answers = seen.filter(kind=_ANSWER).unique("flow", keep="first", maintain_order=True)
    first = (
        seen.filter(pl.col("kind") >= 0).sort("kind", "row").unique("flow", keep="first", maintain_order=True)
    )
    both = first.join(answers.select("flow", pl.col("version").alias("answered")), on="flow", how="left")
    asked = pl.col("kind") == _ASK
    return both.sort("row").select(
        "row",
        pl.lit("capture.rdp_udp").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.col("kind").replace_strict(_ACTIONS, return_dtype=pl.String).alias("event.action"),
        pl.when(pl.col("answered").is_not_null()).then(pl.lit("success")).alias("event.outcome"),
        pl.lit("rdp").alias("network.protocol"),
        _named(pl.when(asked).then("version")).alias("capture.rdp_udp.client.version"),
        _named(pl.col("answered")).alias("capture.rdp_udp.server.version"),
        pl.when("lossy").then(pl.lit("lossy")).when(~pl.col("lossy")).then(pl.lit("reliable"))
        .alias("capture.rdp_udp.mode"),
        pl.col("up").cast(pl.String).alias("capture.rdp_udp.mtu.up"),
        pl.col("down").cast(pl.String).alias("capture.rdp_udp.mtu.down"),
    )  # fmt: skip


def _named(version: pl.Expr) -> pl.Expr:
    return version.replace_strict(_VERSIONS, default=version.cast(pl.String), return_dtype=pl.String)


PROTOCOL: Final = OverUdp("rdp", fits, events)
