"""NTLM messages in the session setups of SMB: which session they make, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.capture import ntlmssp
from sensors.capture.protocols.smb import framing

if TYPE_CHECKING:
    from sensors.capture.conversations import Streams

_PLACES: Final = 1 << 20  # more than there are in what a side said


def place(row: str = "row", side: str = "side", at: str = "at") -> pl.Expr:
    """A number that orders by row, side and place."""
    return (pl.col(row) * 2 + pl.col(side)) * _PLACES + pl.col(at)


def carried(said: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """NTLM messages with `session` and `status` of the SMB messages they stand in, or of their answers.

    Args:
        said: as `ntlmssp.messages` gives them.
        found: as `framing.messages` gives them, of the same streams.

    Returns:
        `said` by row, side and place; where no message of SMB is around one, nulls.
    """
    size = (pl.col("end") - pl.col("header")).alias("size")
    asked = framing.exchanges(found).select(
        "row",
        "side",
        "at",
        size,
        pl.coalesce("answer.session", "session").alias("session"),
        pl.col("answer.status").alias("status"),
    )
    answered = found.filter("answers").select("row", "side", "at", size, "session", "status")
    around = pl.concat([asked, answered]).with_columns(place().alias("place")).sort("place")
    joined = (
        said.with_columns(place().alias("place"))
        .sort("place")
        .join_asof(around, on="place", suffix=".around")
    )
    same = (pl.col("row") == pl.col("row.around")) & (pl.col("side") == pl.col("side.around"))
    same &= pl.col("at") < pl.col("at.around") + pl.col("size")
    return joined.with_columns(
        pl.when(same).then(pl.col(name)).alias(name) for name in ("session", "status")
    ).drop("place", "size", "row.around", "side.around", "at.around")


def users(streams: Streams, found: pl.DataFrame) -> pl.DataFrame:
    """Who made the sessions: `row`, `session`, `user`, `domain`, `workstation`, a row a session."""
    said = ntlmssp.messages(streams).filter(
        pl.col("kind") == ntlmssp.AUTHENTICATE, pl.col("user").is_not_null()
    )
    made = carried(said, found).filter(pl.col("session").is_not_null(), pl.col("status").fill_null(0) == 0)
    return made.unique(["row", "session"], keep="last", maintain_order=True).select(
        "row", "session", "user", "domain", "workstation"
    )
