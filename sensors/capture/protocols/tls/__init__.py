"""TLS over TCP (RFC 8446, RFC 5246): one event for each handshake, with its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import OverTcp
from sensors.capture.protocols.tls import beginnings, handshake, records, ssl2

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams


def fits(streams: Streams) -> Array:
    """Rows in which a hello stands: at once, or behind text that agrees on TLS."""
    return beginnings.has(beginnings.places(streams))


def events(streams: Streams) -> pl.DataFrame:
    """An event for each handshake; `source` is its client, whoever called."""
    places = beginnings.places(streams)
    rows = np.flatnonzero(beginnings.has(places))
    streams, places = streams.only(rows), places[rows]
    parts = [_placed(rows, places), handshake.columns(*records.messages(streams, places))]
    frame = ssl2.filled(pl.concat(parts, how="horizontal"), streams, places)
    name = pl.col("tls.client.server_name")
    return (
        frame.filter("~spoken")
        .drop("~spoken")
        .with_columns(
            pl.lit("capture.tls").alias("event.dataset"),
            pl.lit("event").alias("event.kind"),
            pl.lit(["network"]).alias("event.category"),
            pl.lit(["connection", "protocol"]).alias("event.type"),
            pl.lit("handshake").alias("event.action"),
            pl.lit("tls").alias("network.protocol"),
            name.alias("destination.domain"),
            pl.when(name.is_not_null()).then(pl.concat_list(name)).alias("related.hosts"),
        )
    )


def _placed(rows: Array, places: Array) -> pl.DataFrame:
    """Where each event begins: with the client's hello, or else with what the server said."""
    turned = places[:, beginnings.TURNED]
    client, server = places[:, beginnings.CLIENT_AT], places[:, beginnings.SERVER_AT]
    unseen = client < 0
    spoken = pl.Series(["", *beginnings.SPOKEN]).gather(places[:, beginnings.BEFORE])
    return pl.DataFrame(
        {
            "row": rows,
            "side": np.where(unseen, 1 - turned, turned),
            "at": np.where(unseen, server, client),
            "~answers": turned > 0,
            "capture.tls.from_protocol": spoken.set(spoken == "", None),
        }
    )


PROTOCOL: Final = OverTcp("tls", fits, events)
