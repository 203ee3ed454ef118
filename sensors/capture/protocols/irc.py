"""IRC (RFC 1459, 2812; IRCv3): who a client says it is, channels it joins, files it offers (DCC).

Names as those of Zeek's irc.log. What is said is not kept, nor passwords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import lines

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_FIRST: Final = [b"NICK", b"USER", b"PASS", b"CAP"]
_ANSWERS: Final = (b":", b"NOTICE ", b"PING ", b"ERROR ", b"AUTHENTICATE ", b"CAP ")
_SHOWN: Final = ("NICK", "USER", "JOIN")
_OFFER: Final = r'\x01DCC SEND (?:"([^"]+)"|(\S+)) \S+ \d+(?: (\d{1,18}))?'
_ENTERED: Final = "001"
_REFUSED: Final = ("431", "432", "433", "464", "465")


def _fits(streams: Streams) -> Array:
    """A client that says who it is, to a server that answers as IRC does, or that is not heard."""
    answers = np.logical_or.reduce([streams.begins(SERVER, text) for text in _ANSWERS])
    known = np.isin(lines.first_words(streams, CLIENT), _FIRST)
    fit: Array = known & answers
    silent = streams.starts[:, SERVER] == streams.ends[:, SERVER]
    for row in np.flatnonzero(known & silent).tolist():  # few
        start, end = streams.starts[row, CLIENT], streams.ends[row, CLIENT]
        head = b"\n" + streams.data[start : min(end, start + 512)].tobytes().upper()
        fit[row] = b"\nNICK " in head and b"\nUSER " in head
    return fit


def _events(streams: Streams) -> pl.DataFrame:
    spoken = lines.lines(streams)
    text = pl.col("text")
    said = text.str.extract_groups(r"^(?:@\S+ )?(?::\S+ )?([A-Za-z0-9]+)(?: +(.*))?$").struct
    every = spoken.with_columns(said["1"].str.to_uppercase().alias("~word"), said["2"].alias("~given"))
    word, given = pl.col("~word"), pl.col("~given")
    codes = word.filter(pl.col("side") == SERVER)
    servers = every.group_by("row", maintain_order=True).agg(
        text.filter(pl.col("side") == SERVER)
        .first()
        .str.extract(r"^:([^\s!@]+\.[^\s!@]+) ", 1)
        .alias("~server"),
        (codes == _ENTERED).any().alias("~entered"),
        codes.is_in(_REFUSED).any().alias("~refused"),
    )
    offer = given.str.extract_groups(_OFFER).struct
    asked = every.filter(pl.col("side") == CLIENT).with_columns(
        pl.when(word == "NICK")
        .then(given.str.extract(r"^:?(\S+)", 1))
        .forward_fill()
        .over("row")
        .alias("~nick"),
        pl.when(word == "USER")
        .then(given.str.extract(r"^(\S+)", 1))
        .forward_fill()
        .over("row")
        .alias("user.name"),
        pl.coalesce(offer["1"], offer["2"]).alias("file.name"),
        offer["3"].cast(pl.Int64, strict=False).alias("file.size"),
    )
    shown = asked.filter(word.is_in(_SHOWN) | pl.col("file.name").is_not_null())
    return _described(shown.join(servers, on="row", how="left", maintain_order="left"))


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    word, given = pl.col("~word"), pl.col("~given")
    offers = pl.col("file.name").is_not_null()
    return frame.select(
        "row",
        "side",
        "at",
        pl.lit("capture.irc").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        pl.when(offers).then(pl.lit("DCC")).otherwise(word).alias("event.action"),
        pl.when(word.is_in(["NICK", "USER"])).then(
            pl.when("~entered").then(pl.lit("success")).when("~refused").then(pl.lit("failure"))
        ).alias("event.outcome"),
        pl.lit("irc").alias("network.protocol"),
        "user.name",
        pl.col("user.name").alias("source.user.name"),
        pl.when(word == "USER").then(given.str.extract(r":(.*)$", 1)).alias("user.full_name"),
        pl.col("~nick").alias("capture.irc.nick"),
        pl.when(word == "JOIN").then(given.str.extract(r"^:?(\S+)", 1)).alias("capture.irc.channel"),
        pl.col("~server").alias("destination.domain"),
        "file.name",
        "file.size",
    )  # fmt: skip


PROTOCOL: Final = OverTcp("irc", _fits, _events)
