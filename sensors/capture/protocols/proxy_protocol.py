"""The PROXY protocol of HAProxy, versions 1 and 2: a load balancer says who is really there.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, OverTcp
from sensors.capture.protocols import texts
from sensors.capture.protocols.addresses import addresses, octets, short

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_FIRST: Final = b"PROXY "
_SECOND: Final = b"\r\n\r\n\0\r\nQUIT\n"
_HEAD: Final = 16  # bytes of version 2 before addresses
_LONGEST: Final = 107  # bytes of a line of version 1
_SIZES: Final = {0x11: 4, 0x21: 16}  # family and transport: bytes of an address
_LINE: Final = r"^PROXY (TCP4|TCP6|UNKNOWN)(?: ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (\d{1,5}) (\d{1,5}))?"
_PORTS: Final = 65535


def carried(streams: Streams) -> Array:
    """Where what follows begins: `starts` of the streams, moved behind the header."""
    starts = streams.starts.copy()
    end = _end(streams)
    rows = np.flatnonzero(end >= 0)
    starts[rows, CLIENT] = end[rows]
    return starts


def _end(streams: Streams) -> Array:
    """The place behind the header; -1 where there is none, or not all of it."""
    end = np.full(len(streams), -1)
    starts, ends = streams.starts[:, CLIENT], streams.ends[:, CLIENT]
    second = streams.begins(CLIENT, _SECOND) & (streams.byte(CLIENT, 12) >> 4 == 2)  # noqa: PLR2004 - the version
    behind = starts + _HEAD + short(streams.data, starts + 14, ends)
    second &= (behind <= ends) & (behind >= starts + _HEAD)
    end[second] = behind[second]
    rows = np.flatnonzero(
        streams.begins(CLIENT, b"TCP", len(_FIRST)) | streams.begins(CLIENT, b"UNKNOWN", len(_FIRST))
    )
    rows = rows[streams.only(rows).begins(CLIENT, _FIRST)]
    if len(rows):
        places = starts[rows, None] + np.arange(_LONGEST)
        there = places < ends[rows, None]
        line = np.zeros(places.shape, np.bool_)
        line[there] = streams.data[places[there]] == ord("\n")
        end[rows] = np.where(line.any(axis=1), starts[rows] + line.argmax(axis=1) + 1, -1)
    return end


def _fits(streams: Streams) -> Array:
    return _end(streams) >= 0


def _events(streams: Streams) -> pl.DataFrame:
    starts, ends, behind = streams.starts[:, CLIENT], streams.ends[:, CLIENT], _end(streams)
    first = streams.begins(CLIENT, _FIRST)
    family = np.where(first, -1, octets(streams.data, starts + 13, ends))
    local = octets(streams.data, starts + 12, ends) & 15 == 0
    size = np.array([_SIZES.get(int(each), -1) for each in range(-1, 256)])[family + 1]
    size = np.where(local, -1, size)
    size = np.where(starts + _HEAD + 2 * size + 4 <= behind, size, -1)
    at = starts + _HEAD
    text = texts.columns(streams.data, {"~line": (np.where(first, starts, -1), behind)})
    part = pl.col("~line").str.extract_groups(_LINE).struct
    frame = text.with_columns(
        pl.Series("row", np.arange(len(streams))),
        addresses(streams.data, at, size, behind).alias("~source"),
        addresses(streams.data, at + size, size, behind).alias("~target"),
        *(
            pl.Series(name, np.where(size > 0, short(streams.data, at + 2 * size + k, behind), -1))
            for k, name in ((0, "~source_port"), (2, "~target_port"))
        ),
        pl.Series("capture.proxy_protocol.version", np.where(first, "1", "2")),
    )
    ports = [
        pl.coalesce(part[str(k)].cast(pl.Int64, strict=False), pl.when(pl.col(name) >= 0).then(name))
        for k, name in ((4, "~source_port"), (5, "~target_port"))
    ]
    return frame.with_columns(
        pl.lit(CLIENT, pl.Int64).alias("side"),
        pl.lit(0, pl.Int64).alias("at"),
        pl.lit("capture.proxy_protocol").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "start"]).alias("event.type"),
        pl.lit("proxied").alias("event.action"),
        pl.lit("proxy").alias("network.protocol"),
        pl.coalesce(part["2"], "~source").alias("network.forwarded_ip"),
        pl.when(ports[0] <= _PORTS).then(ports[0]).alias("capture.proxy_protocol.port"),
        pl.coalesce(part["3"], "~target").alias("capture.proxy_protocol.destination_ip"),
        pl.when(ports[1] <= _PORTS)
        .then(ports[1].cast(pl.String))
        .alias("capture.proxy_protocol.destination_port"),
    ).select(pl.exclude(r"^~.*$"))


PROTOCOL: Final = OverTcp("proxy", _fits, _events)
