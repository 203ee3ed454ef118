"""Hellos in the form of SSL 2.0 (draft-hickman-netscape-ssl-00; RFC 5246, appendix E.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.protocols.tls import beginnings, names

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_SUITES_AT: Final = 11  # behind length, type, version and three lengths
_SUITE: Final = 3  # bytes
_LENGTH_BIT: Final = 0x80


def filled(frame: pl.DataFrame, streams: Streams, places: Array) -> pl.DataFrame:
    """The rows, with what hellos of this form say in those that have one; `~spoken` is true there."""
    every = np.arange(len(frame))
    server = places[:, beginnings.SERVER_AT] == 0
    starts = streams.starts[every, 1 - places[:, beginnings.TURNED]]
    first = np.zeros(len(frame), np.uint8)
    first[server] = streams.data[starts[server]]
    answered = (first & _LENGTH_BIT) > 0
    asked = places[:, beginnings.IS_V2] > 0
    if not (asked | answered).any():
        return frame
    offers = _offers(streams, places, np.flatnonzero(asked))
    joined = frame.with_row_index("~row").join(offers, on="~row", how="left", maintain_order="left")
    old = pl.Series(answered)
    return joined.with_columns(
        (pl.col("~spoken") | pl.Series(asked | answered)).alias("~spoken"),
        pl.coalesce("~version", "capture.tls.client.version").alias("capture.tls.client.version"),
        pl.coalesce("~suites", "tls.client.supported_ciphers").alias("tls.client.supported_ciphers"),
        pl.when(old).then(pl.lit("2.0")).otherwise("tls.version").alias("tls.version"),
        pl.when(old).then(pl.lit("ssl")).otherwise("tls.version_protocol").alias("tls.version_protocol"),
    ).drop("~row", "~version", "~suites")


def _offers(streams: Streams, places: Array, rows: Array) -> pl.DataFrame:
    """Version and ciphers of client hellos: by row (`~row`), `~version` and `~suites`."""
    data = streams.data
    side = places[rows, beginnings.TURNED]
    starts, ends = streams.starts[rows, side], streams.ends[rows, side]
    version = (data[starts + 3].astype(np.int64) << 8) | data[starts + 4]
    size = (data[starts + 5].astype(np.int64) << 8) | data[starts + 6]
    counts = np.minimum(size, np.maximum(ends - starts - _SUITES_AT, 0)) // _SUITE
    each = np.repeat(np.arange(len(rows)), counts)
    place = (
        starts[each]
        + _SUITES_AT
        + _SUITE * (np.arange(len(each)) - np.repeat(np.cumsum(counts) - counts, counts))
    )
    number = (data[place].astype(np.int64) << 16) | (data[place + 1].astype(np.int64) << 8) | data[place + 2]
    listed = (
        pl.DataFrame({"~row": rows[each], "~number": number})
        .select("~row", names.cipher("~number").alias("~suites"))
        .group_by("~row", maintain_order=True)
        .agg("~suites")
    )
    named = pl.DataFrame({"~row": rows, "~number": version}).select(
        "~row", names.version("~number").alias("~version")
    )
    return named.join(listed, on="~row", how="left").with_columns(pl.col("~row").cast(pl.UInt32))
