"""WireGuard, and what others made of it.

https://www.wireguard.com/protocol/: a type of one byte, three reserved ones that are 0, then indices that the
two sides chose. Some VPNs make the handshake longer; Cloudflare WARP puts the client's number into the
reserved bytes, and 0xc0 to the type. What differs from the paper is believed only if the answer names the
asker's index, or the counters of data rise as they must.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols import fields

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

INITIATION: Final = 1
RESPONSE: Final = 2
COOKIE: Final = 3
DATA: Final = 4
SIZES: Final = {INITIATION: 148, RESPONSE: 92, COOKIE: 64, DATA: 32}
_LONGEST: Final = 512  # of a handshake that was made longer
_MAC: Final = 16  # the last bytes of a handshake, 0 unless the other side is under load
_KEY: Final = 16  # data is padded to this
_RISING: Final = 3  # messages whose counters rise, from which on data without a handshake is believed
_SKIPPED: Final = 1024  # messages that may be missing between two
_WARP: Final = 0xC0
ACTIONS: Final = {INITIATION: "handshake-initiation", RESPONSE: "handshake-response", DATA: "data"}


def fits(datagrams: Datagrams) -> Array:
    """All messages of the conversations that are believed, since `events` must come to believe them again."""
    some = _candidates(datagrams)
    rows = _told(some)["row"].to_numpy()
    believed = np.zeros(len(datagrams), np.bool_)
    believed[some["row"].to_numpy()] = np.isin(some["flow"].to_numpy(), datagrams.flow[rows])
    return believed


def events(datagrams: Datagrams) -> pl.DataFrame:
    """The first handshake's two messages of a flow; the first data where there is none."""
    found = _told(_candidates(datagrams))
    rows = found["row"].to_numpy()
    starts, ends = datagrams.starts[rows], datagrams.ends[rows]
    kinds = found["kind"].to_numpy()
    own = np.where(kinds != DATA, starts + 4, -1)
    other = np.where(kinds == RESPONSE, starts + 8, np.where(kinds == DATA, starts + 4, -1))
    return fields.events(
        "wireguard",
        {"row": rows},
        {
            "event.action": found["kind"].replace_strict(ACTIONS, return_dtype=pl.String),
            "event.outcome": found["outcome"],
            "capture.wireguard.form": found["form"],
            "capture.wireguard.sender": fields.hexes(datagrams.data, own, ends, 4),
            "capture.wireguard.receiver": fields.hexes(datagrams.data, other, ends, 4),
            "capture.wireguard.reserved": fields.hexes(datagrams.data, starts + 1, ends, 3),
        },
    )


def _told(some: pl.DataFrame) -> pl.DataFrame:
    """One row for each message that is told of: row, kind, form, outcome."""
    # One of each index is enough, and all of them joined would be as many as their product.
    asked = some.filter(kind=INITIATION).unique(["flow", "side", "first"], keep="first", maintain_order=True)
    answered = some.filter(kind=RESPONSE).unique(["flow", "side", "second"], keep="last", maintain_order=True)
    pairs = asked.join(
        answered, left_on=["flow", "first"], right_on=["flow", "second"], suffix=".answer"
    ).filter(pl.col("side") != pl.col("side.answer"), pl.col("row") < pl.col("row.answer"))
    sure = pl.concat(
        [
            pairs.select("row", "flow", "kind", "form"),
            pairs.select(
                pl.col("row.answer").alias("row"),
                "flow",
                pl.col("kind.answer").alias("kind"),
                pl.col("form.answer").alias("form"),
            ),
            some.filter(pl.col("kind") < COOKIE, "exact").select("row", "flow", "kind", "form"),
            _data(some.filter(kind=DATA)),
        ]
    ).sort("row", "kind")
    known = sure.group_by("flow").agg(
        pl.col("kind").min().alias("least"), (pl.col("kind") == RESPONSE).any().alias("answered")
    )
    return (
        sure.join(known, on="flow", maintain_order="left")
        .filter((pl.col("kind") != DATA) | (pl.col("least") == DATA))
        .unique(["flow", "kind"], keep="first", maintain_order=True)
        .with_columns(pl.when("answered").then(pl.lit("success")).alias("outcome"))
        .select("row", "kind", "form", "outcome")
    )


def _candidates(datagrams: Datagrams) -> pl.DataFrame:
    """What looks like a message: row, flow, side, kind, form, and its numbers."""
    head = datagrams.byte(0)
    kinds = np.where(head >= _WARP, head - _WARP, head)
    size = datagrams.size()
    some = np.flatnonzero(
        ((kinds == INITIATION) & (size >= SIZES[INITIATION]))
        | ((kinds == RESPONSE) & (size >= SIZES[RESPONSE]))
        | ((kinds == DATA) & (size >= SIZES[DATA]) & (size % _KEY == np.where(head == DATA, 0, size % _KEY)))
    )
    starts, ends = datagrams.starts[some], datagrams.ends[some]
    reserved = fields.number(datagrams.data, starts + 1, ends, 3)
    kind, warp = kinds[some], head[some] >= _WARP
    whole = np.array([0, *SIZES.values()])[kind] == size[some]
    short = (kind == DATA) | (size[some] <= _LONGEST)
    form = np.where(warp, 3, np.where(reserved != 0, 2, np.where(whole | (kind == DATA), 0, 1)))
    return pl.DataFrame(
        {
            "row": some,
            "flow": datagrams.flow[some],
            "side": datagrams.side[some],
            "kind": kind,
            "form": pl.Series(form).replace_strict(
                {0: "standard", 1: "lengthened", 2: "reserved", 3: "cloudflare"}, return_dtype=pl.String
            ),
            "reserved": reserved,
            "first": fields.number(datagrams.data, starts + 4, ends, 4, little=True),
            "second": fields.number(datagrams.data, starts + 8, ends, 4, little=True),
            "third": fields.number(datagrams.data, starts + 12, ends, 4, little=True),
            "exact": (form == 0) & whole & fields.zeros(datagrams.data, ends - _MAC, ends, _MAC),
        }
    ).filter(pl.Series(short, dtype=pl.Boolean))


def _data(messages: pl.DataFrame) -> pl.DataFrame:
    """The first message of each side whose index stays and whose counter rises: row, flow, kind, form."""
    side = ["flow", "side", "form", "reserved", "first"]
    step = pl.col("second").diff().over(side)
    return (
        messages.filter(pl.col("third") == 0)
        .sort("row")
        .with_columns(step.is_null().alias("begins"), step.is_between(1, _SKIPPED).alias("rises"))
        .group_by(side, maintain_order=True)
        .agg(
            pl.col("row").first(),
            pl.col("kind").first(),
            pl.len().alias("count"),
            (pl.col("begins") | pl.col("rises").fill_null(value=False)).all().alias("all"),
        )
        .filter(pl.col("count") >= _RISING, "all")
        .select("row", "flow", "kind", "form")
    )


PROTOCOL: Final = OverUdp("wireguard", fits, events)
