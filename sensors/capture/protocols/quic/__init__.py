"""QUIC: who is asked for, by which client, from the first packets of both sides.

RFC 9000, 9001 and 9369, the drafts from 22 on, Meta's and Google's versions. Initial packets are protected by
keys that anybody can make; what is behind them is not read. One event a flow, at the client's first datagram.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols import texts
from sensors.capture.protocols.quic import google, packets, versions, zero
from sensors.capture.protocols.quic.connections import CLIENT, SERVER, Connections, connections
from sensors.capture.protocols.tls import hello

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

_HIGH: Final = 0x80  # the bit of long headers
_LONG: Final = 0xC0  # and the one that is always set
_LONGEST_ID: Final = 20
_PADDED: Final = 1200  # bytes of what a client begins with, at least (RFC 9000, section 14.1)
_Q0: Final = int.from_bytes(b"Q0", "big")
_SMALLEST: Final = 24  # bytes: header, and what the check adds


def fits(datagrams: Datagrams) -> Array:
    """Datagrams with a long header of a version there is, or of Google's first ones."""
    first = datagrams.byte(0)
    found = np.zeros(len(datagrams), np.bool_)
    rows = np.flatnonzero((first >= _HIGH) & (datagrams.size() >= _SMALLEST))
    some = datagrams.only(rows)
    numbers = _versions(some)
    known = versions.known(numbers) | (versions.made_up(numbers) & (some.size() >= _PADDED))
    standard = ((first[rows] & _LONG) == _LONG) & known & (some.byte(5) <= _LONGEST_ID)
    found[rows] = standard | versions.early(numbers)
    rows = np.flatnonzero((first >= 0) & (first < _HIGH))
    found[rows] = google.public(datagrams.only(rows))
    return found


def events(datagrams: Datagrams) -> pl.DataFrame:
    """One event a flow: versions, names, fingerprints, connection ids."""
    found = packets.packets(datagrams.data, datagrams.starts, datagrams.ends)
    parts = [_opened(datagrams, found), _in_the_open(datagrams), _closed(datagrams)]
    told = pl.concat(parts, how="diagonal")
    # Who says the most: a connection that was answered, a hello, a name in the open, that it was QUIC at all.
    told = told.sort("~flow", "~rank", "row").unique("~flow", keep="first", maintain_order=True)
    told = told.with_columns(_begins(datagrams, told["row"].to_numpy()).alias("row"))
    name = pl.col("tls.client.server_name")
    return told.with_columns(
        pl.lit("capture.quic").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.lit("handshake").alias("event.action"),
        pl.lit("quic").alias("network.protocol"),
        pl.lit("udp").alias("network.transport"),
        name.alias("destination.domain"),
        pl.when(name.is_not_null()).then(pl.concat_list(name)).alias("related.hosts"),
    ).drop("~flow", "~rank")


PROTOCOL: Final = OverUdp("quic", fits, events)
PROTOCOLS: Final = (zero.PROTOCOL,)


def _opened(datagrams: Datagrams, found: Array) -> pl.DataFrame:
    """Connections whose first packets could be opened."""
    made = connections(datagrams, found)
    starts, ends = made.starts[:, CLIENT], made.ends[:, CLIENT]
    table = _hellos(made).with_columns(_said(made.data, google.hellos(made.data, starts, ends)))
    agents = texts.columns(
        made.data, {"~agent": google.span(google.agents(made.data, starts, ends), google.AGENT)}
    )
    first = found[made.first]
    answer = np.where((made.answer >= 0)[:, None], found[np.maximum(made.answer, 0)], 0)
    rows = first[:, packets.ROW]
    return (
        table.with_columns(
            pl.Series("row", rows, pl.Int64),
            pl.Series("~flow", datagrams.flow[rows], pl.Int64),
            _names(first[:, packets.VERSION]),
            _id(datagrams, first, packets.TO).alias("capture.quic.client_initial_dcid"),
            _id(datagrams, first, packets.OURS).alias("capture.quic.client_scid"),
            _id(datagrams, answer, packets.OURS).alias("capture.quic.server_scid"),
            pl.coalesce("tls.client.server_name", "~name").alias("tls.client.server_name"),
            pl.coalesce(agents["~agent"], "user_agent.original").alias("user_agent.original"),
        )
        .with_columns(
            pl.when(pl.col("tls.client.ja3").is_not_null())
            .then(pl.col("tls.cipher").is_null().cast(pl.Int32))
            .when(pl.col("tls.client.server_name").is_not_null())
            .then(2)
            .otherwise(3)
            .alias("~rank")
        )
        .drop("~name")
    )


def _begins(datagrams: Datagrams, rows: Array) -> pl.Series:
    """The first datagram of the same sender in the flow of each row."""
    ends = datagrams.flow * 2 + datagrams.side
    senders, first = np.unique(ends, return_index=True)
    return pl.Series(first[np.searchsorted(senders, ends[rows])], dtype=pl.Int64)


def _hellos(made: Connections) -> pl.DataFrame:
    """What both sides' hellos say; the protocol is the first one asked for, since the answer is protected."""
    client = hello.client(made.data, made.starts[:, CLIENT], made.ends[:, CLIENT], "q")
    server = hello.server(made.data, made.starts[:, SERVER], made.ends[:, SERVER])
    client = client.select(pl.exclude("fits", "^~.*$"))
    server = server.select(pl.exclude("fits", "tls.next_protocol", "^~.*$", *client.columns))
    first = pl.col("capture.tls.client.next_protocols").list.first().alias("tls.next_protocol")
    return client.with_columns(first, *server.get_columns())


def _in_the_open(datagrams: Datagrams) -> pl.DataFrame:
    """Flows of Google's versions whose client hello is not protected."""
    numbers = _versions(datagrams)
    public = google.public(datagrams)
    rows = np.flatnonzero(public | versions.early(numbers))
    some = datagrams.only(rows)
    said = _said(some.data, google.hellos(some.data, some.starts, some.ends))
    named = np.where(public[rows], _versions(some, google.PUBLIC), numbers[rows])
    return said.select(
        pl.Series("row", rows, pl.Int64),
        pl.Series("~flow", some.flow, pl.Int64),
        _names(named),
        pl.col("~name").alias("tls.client.server_name"),
        "user_agent.original",
        pl.when(pl.col("~name").is_not_null()).then(2).otherwise(3).alias("~rank"),
    )


def _closed(datagrams: Datagrams) -> pl.DataFrame:
    """Every flow, by its first datagram: nothing but that it is QUIC."""
    flows, rows = np.unique(datagrams.flow, return_index=True)
    table = pl.DataFrame({"row": rows, "~flow": flows}, schema={"row": pl.Int64, "~flow": pl.Int64})
    return table.with_columns(_names(_versions(datagrams.only(rows))), pl.lit(4).alias("~rank"))


def _said(data: Array, found: Array) -> pl.DataFrame:
    """Server name and user agent of Google's client hellos; null where they are empty."""
    spans = {
        "~name": google.span(found, google.NAME),
        "user_agent.original": google.span(found, google.AGENT),
    }
    return texts.columns(data, spans)


def _versions(datagrams: Datagrams, offset: int = 1) -> Array:
    """The four bytes behind each datagram's first, or from `offset` on, as a number; below 0 where cut."""
    high = datagrams.byte(offset) << 24 | datagrams.byte(offset + 1) << 16
    numbers: Array = high | datagrams.byte(offset + 2) << 8 | datagrams.byte(offset + 3)
    return numbers


def _names(numbers: Array) -> pl.Series:
    """What versions are called; null for those that are none."""
    some = (
        versions.known(numbers) | versions.early(numbers) | versions.made_up(numbers) | (numbers >> 16 == _Q0)
    )
    names = [
        versions.of(each).name if fine else None for each, fine in zip(numbers.tolist(), some, strict=True)
    ]
    return pl.Series("capture.quic.version", names, pl.String)


def _id(datagrams: Datagrams, found: Array, column: int) -> pl.Series:
    """Connection ids in hexadecimal; null where they are empty."""
    ids = [
        datagrams.data[start:end].tobytes().hex() or None
        for start, end in found[:, column : column + 2].tolist()
    ]
    return pl.Series(ids, dtype=pl.String)
