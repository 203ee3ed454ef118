"""Facebook's Zero: the handshake of Google's first QUIC over TCP, of Meta's apps from 2016 on.

"Building Zero protocol for fast, secure mobile connections" (Meta, 2017): a flag, `QTV0`, a length,
and a client hello of tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, OverTcp
from sensors.capture.protocols import texts
from sensors.capture.protocols.quic import google

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams


def fits(streams: Streams) -> Array:
    """Streams whose client begins with a hello of the protocol."""
    return streams.begins(CLIENT, b"QTV", 1) & streams.begins(CLIENT, b"CHLO", 9)


def events(streams: Streams) -> pl.DataFrame:
    """An event for each stream, with the server's name."""
    found = google.hellos(streams.data, streams.starts[:, CLIENT], streams.ends[:, CLIENT])
    name = pl.col("tls.client.server_name")
    table = texts.columns(streams.data, {"tls.client.server_name": google.span(found, google.NAME)})
    return table.with_columns(
        pl.Series("row", np.arange(len(streams)), pl.Int64),
        pl.lit(CLIENT, pl.Int64).alias("side"),
        pl.lit(0, pl.Int64).alias("at"),
        pl.lit("capture.fbzero").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.lit("handshake").alias("event.action"),
        pl.lit("fbzero").alias("network.protocol"),
        pl.lit("tcp").alias("network.transport"),
        name.alias("destination.domain"),
        pl.when(name.is_not_null()).then(pl.concat_list(name)).alias("related.hosts"),
    )


PROTOCOL: Final = OverTcp("fbzero", fits, events)
