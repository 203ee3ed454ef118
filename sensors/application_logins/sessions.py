"""What the first record of a session says (who, from where) and the later ones do not, over all batches."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.shapes import message_forms

_HELD: Final = 10_000  # sessions that are remembered, those that spoke last
_KEYS: Final = ("session.id", "host.name", "process.pid")  # a session is of one process


class Sessions:
    """Joins the records of sessions over the batches of one source."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Carries the columns `names`, as texts."""
        self._names = names
        self._held: pl.DataFrame | None = None

    def carried(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The same rows; what earlier records of a session said stands in the later ones as well."""
        if not self._names or "session.id" not in frame.columns:
            return frame
        missing = [name for name in (*_KEYS, *self._names) if name not in frame.columns]
        lines = message_forms.with_columns_for(frame, *missing).with_columns(new=pl.lit(value=True))
        if self._held is not None:
            lines = pl.concat([self._held, lines], how="diagonal")
        known = pl.col("session.id").is_not_null()
        filled = lines.with_columns(
            pl.when(known).then(pl.col(name).forward_fill().over(_KEYS)).otherwise(name).alias(name)
            for name in self._names
        )
        self._held = (
            filled.filter(known)
            .select(*_KEYS, *self._names, new=pl.lit(value=False))
            .unique(_KEYS, keep="last", maintain_order=True)
            .tail(_HELD)
        )
        whole = filled.filter("new").drop("new")
        return whole.select(
            *frame.columns, *(name for name in missing if whole[name].null_count() < whole.height)
        )
