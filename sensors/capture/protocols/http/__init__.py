"""HTTP/1.x on any port (RFC 9112), and the preface by which HTTP/2 begins in clear text (RFC 9113, 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols.http.columns import events
from sensors.capture.protocols.http.layout import ANSWERS, BEHIND, METHOD, ROW, STATUS
from sensors.capture.protocols.http.messages import found, speaks

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def _fits(streams: Streams) -> Array:
    """Streams whose client begins with a request line, or whose server does with a status line."""
    return _asks(streams) | _answers(streams)


def _asks(streams: Streams) -> Array:
    first = streams.byte(CLIENT, 0) & ~0x20  # a letter, large
    return _speaks(streams, CLIENT, (first >= ord("A")) & (first <= ord("Z")))


def _answers(streams: Streams) -> Array:
    return _speaks(streams, SERVER, streams.begins(SERVER, b"HTTP/"))


def _speaks(streams: Streams, side: int, likely: Array) -> Array:
    rows = np.flatnonzero(likely)
    mask = np.zeros(len(streams), np.bool_)
    if len(rows):
        mask[rows] = speaks(streams.data, streams.starts[rows, side], streams.ends[rows, side])
    return mask


def _events(streams: Streams) -> pl.DataFrame:
    return events(streams, found(streams))


def carried(streams: Streams) -> Array:
    """Where what was tunnelled begins: `starts`, moved behind a CONNECT that succeeded (RFC 9110, 9.3.6)."""
    starts = streams.starts.copy()
    rows = np.flatnonzero(streams.begins(CLIENT, b"CONNECT "))
    if not len(rows):
        return starts
    numbers, spans = found(streams.only(rows))
    answer = numbers[(numbers[:, ANSWERS] >= 0) & (numbers[:, STATUS] // 100 == 2)]  # noqa: PLR2004 - it succeeded
    asked = answer[:, ANSWERS]
    size = spans[asked, METHOD, 1] - spans[asked, METHOD, 0]
    answer, asked = (
        answer[size == len("CONNECT")],
        asked[size == len("CONNECT")],
    )  # no other method is as long
    where = rows[answer[:, ROW]]
    starts[where, CLIENT] += numbers[asked, BEHIND]
    starts[where, SERVER] += answer[:, BEHIND]
    return starts


def _is_second(streams: Streams) -> Array:
    return streams.begins(CLIENT, _PREFACE)


def _second(streams: Streams) -> pl.DataFrame:
    rows = np.arange(len(streams))
    return pl.DataFrame({"row": rows, "side": np.zeros_like(rows), "at": np.zeros_like(rows)}).with_columns(
        pl.lit("capture.http").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network", "web"]).alias("event.category"),
        pl.lit(["connection", "protocol", "start"]).alias("event.type"),
        pl.lit("PRI").alias("event.action"),
        pl.lit("http2").alias("network.protocol"),
        pl.lit("2").alias("http.version"),
    )


PROTOCOLS: Final = (
    OverTcp("http", _fits, _events),
    OverTcp("http2", _is_second, _second),
)
