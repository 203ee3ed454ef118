"""Sessions whose beginning and end are two lines: the last says since when, who it was and from where."""

from __future__ import annotations

from typing import Final

import polars as pl

_HELD: Final = 10_000  # sessions that may be open at once; a line's session is a number or a name
_CARRIED: Final = (
    "source.ip", "source.port", "source.address", "source.domain", "source.user.name", "source.user.id",
    "source.user.full_name", "source.user.email", "user.name", "user.id", "user.email",
)  # fmt: skip


class Sessions:
    """Joins the lines of sessions over the batches of one source."""

    def __init__(self) -> None:
        self._held: pl.DataFrame | None = None

    def joined(self, frame: pl.DataFrame, name: str) -> pl.DataFrame:
        """The same rows; those that open or close a session have `event.start`, and the last all it knows.

        Args:
            frame: lines in order, `phase` is `open`, `note` (says more of one) or `close`, or null for lines
                of no session; `session` tells sessions at the same time apart.
            name: the tool.
        """
        if frame["phase"].null_count() == frame.height:
            return frame
        keyed = frame.with_columns(
            began=pl.when(pl.col("phase") == "open").then("@timestamp"),
            key=pl.col("session").fill_null("") if "session" in frame.columns else pl.lit(""),
            new=pl.lit(value=True),
        )
        if "event.start" not in keyed.columns:
            keyed = keyed.with_columns(pl.lit(None, pl.Datetime("us", "UTC")).alias("event.start"))
        parts = [keyed] if self._held is None else [self._held, keyed]
        lines = pl.concat(parts, how="diagonal_relaxed")
        carried = [column for column in (*_CARRIED, f"{name}.remote.id") if column in lines.columns]
        of_session = lines.filter(pl.col("phase").is_not_null())
        ended = (pl.col("phase") == "close").cast(pl.Int64)
        of_session = of_session.with_columns(turn=ended.cum_sum().over("key") - ended)
        filled = of_session.with_columns(
            pl.col(column).forward_fill().over("key", "turn") for column in ("began", *carried)
        )
        self._held = (
            filled.group_by("key", maintain_order=True)
            .last()
            .filter(pl.col("phase") != "close")
            .tail(_HELD)
            .select("key", "began", "phase", *carried, new=pl.lit(value=False))
            .with_columns(phase=pl.lit("note"))
        )
        closing = pl.col("phase") == "close"
        filled = filled.filter("new").with_columns(
            pl.when((pl.col("phase") == "open") | closing)
            .then(pl.coalesce("event.start", "began"))
            .otherwise("event.start")
            .alias("event.start"),
            pl.when(closing).then("@timestamp").alias("~end"),
        )
        others = keyed.filter(pl.col("phase").is_null())
        whole = pl.concat([others, filled], how="diagonal_relaxed").sort("log.offset")
        return _ended(whole)


def _ended(frame: pl.DataFrame) -> pl.DataFrame:
    """`event.end` and `event.duration` of the lines that close a session, where they do not have them."""
    have = {name: [pl.col(name)] if name in frame.columns else [] for name in ("event.end", "event.duration")}
    frame = frame.with_columns(pl.coalesce(*have["event.end"], "~end").alias("event.end"))
    lasted = (pl.col("event.end") - pl.col("event.start")).dt.total_nanoseconds()
    told = pl.when(pl.col("~end").is_not_null() & (lasted >= 0)).then(lasted)
    return frame.with_columns(pl.coalesce(*have["event.duration"], told).alias("event.duration"))
