"""NetBIOS' sessions over TCP (RFC 1002, 4.3.2): the names of who calls and who is called, before SMB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT
from sensors.capture.protocols.dns.printable import shown
from sensors.capture.protocols.netbios import spelling

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_REQUEST: Final = b"\x81\0\0\x44\x20"  # a session request of 68 bytes, which are two names without a scope
_ACCEPTED, _REFUSED = 0x82, 0x83
_HEADER, _NAME = 4, 34


def fits(streams: Streams) -> Array:
    """By the request: its length, and both names'."""
    ends = streams.byte(CLIENT, _HEADER + _NAME - 1) + streams.byte(CLIENT, _HEADER + 2 * _NAME - 1)
    second = streams.byte(CLIENT, _HEADER + _NAME) == spelling.LETTERS
    fits: Array = streams.begins(CLIENT, _REQUEST) & second & (ends == 0)
    return fits


def events(streams: Streams) -> pl.DataFrame:
    """An event a request."""
    called, calling = (
        spelling.decoded(
            shown(streams.data, at := streams.starts[:, CLIENT] + place + 1, at + spelling.LETTERS),
            "name",
            "suffix",
        )
        for place in (_HEADER, _HEADER + _NAME)
    )
    answer = pl.Series(streams.byte(1 - CLIENT, 0))
    rows = len(streams)
    return pl.DataFrame(
        {
            "row": np.arange(rows),
            "side": np.full(rows, CLIENT),
            "at": np.zeros(rows, np.int64),
            "host.name": calling["name"],
            "source.domain": calling["name"],
            "destination.domain": called["name"],
            "capture.netbios.source": calling["name"],
            "capture.netbios.suffix": calling["suffix"],
            "capture.netbios.destination": called["name"],
            "capture.netbios.destination_suffix": called["suffix"],
            "event.outcome": answer.replace_strict(
                {_ACCEPTED: "success", _REFUSED: "failure"}, default=None, return_dtype=pl.String
            ),
        }
    ).with_columns(
        pl.when(pl.col("destination.domain") != "*SMBSERVER")
        .then("destination.domain")
        .alias("destination.domain"),
        pl.lit("capture.netbios").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "start"]).alias("event.type"),
        pl.lit("netbios_session").alias("event.action"),
        pl.lit("netbios-ssn").alias("network.protocol"),
    )
