"""What readers of fixed headers need: numbers and hexadecimal text of many rows at once, and their events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import polars as pl

from sensors.capture.conversations import SERVER, Datagrams, Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sensors.capture.conversations import Array

Rows = TypeVar("Rows", Streams, Datagrams)

MAX_BYTES: Final = 7  # of a number: with eight, Int64 would turn negative
_DIGITS: Final = np.frombuffer(b"0123456789abcdef", np.uint8)


def number(data: Array, places: Array, ends: Array, size: int, *, little: bool = False) -> Array:
    """Whole numbers of `size` bytes (at most 7) at `places`, Int64; -1 where a row ends before."""
    if not 0 < size <= MAX_BYTES:
        raise ValueError(f"a number has 1 to {MAX_BYTES} bytes, not {size}")
    found = np.full(len(places), -1, np.int64)
    there = np.flatnonzero((places >= 0) & (places + size <= ends))
    value = np.zeros(len(there), np.int64)
    for step in range(size):
        value = value << 8 | data[places[there] + (size - 1 - step if little else step)]
    found[there] = value
    return found


def zeros(data: Array, places: Array, ends: Array, size: int) -> Array:
    """Where `size` bytes are there and all of them 0; a mask."""
    there = (places >= 0) & (places + size <= ends)
    for step in range(size):
        rows = np.flatnonzero(there)
        there[rows] = data[places[rows] + step] == 0
    return there


def hexes(data: Array, places: Array, ends: Array, size: int) -> pl.Series:
    """`size` bytes of each row as hexadecimal text; null where a row ends before."""
    there = np.flatnonzero((places >= 0) & (places + size <= ends))
    raw = data[places[there][:, None] + np.arange(size)]
    digits = np.stack((_DIGITS[raw >> 4], _DIGITS[raw & 15]), axis=2).reshape(len(there), 2 * size)
    text = np.ascontiguousarray(digits).tobytes().decode("ascii")
    cut = pl.Series([text], dtype=pl.String) if text else pl.Series([], dtype=pl.String)
    values = cut.str.extract_all(f".{{{2 * size}}}").explode() if text else cut
    whole = pl.DataFrame({"row": np.arange(len(places))})
    return whole.join(
        pl.DataFrame({"row": there, "text": values}), on="row", how="left", maintain_order="left"
    )["text"]


def firsts(*keys: Array) -> Array:
    """The first row of each combination of keys, ascending."""
    if not len(keys[0]):
        return np.empty(0, np.int64)
    _, first = np.unique(np.stack(keys), axis=1, return_index=True)
    return np.sort(first)


def events(
    name: str,
    places: Mapping[str, Array | pl.Series],
    columns: Mapping[str, Array | pl.Series | Sequence[str | None]],
    types: Sequence[str] = ("connection", "protocol"),
) -> pl.DataFrame:
    """Events of the dataset `capture.<name>`.

    Args:
        name: of the protocol.
        places: `row`, and for TCP `side` and `at`.
        columns: what each event says; `event.action` among it.
        types: as in `event.type`.
    """
    texts = {
        one: pl.Series(said, dtype=pl.String) if isinstance(said, list) else said
        for one, said in columns.items()
    }
    return pl.DataFrame({**places, **texts}).with_columns(
        pl.lit("event").alias("event.kind"),
        pl.lit(f"capture.{name}").alias("event.dataset"),
        pl.lit(pl.Series([["network"]])).first().alias("event.category"),
        pl.lit(pl.Series([list(types)])).first().alias("event.type"),
        pl.lit(name).alias("network.protocol"),
    )


def success(rows: Array) -> pl.Series:
    """`event.outcome`: "success" where `rows`, a mask, is true, else null."""
    return pl.select(pl.when(pl.Series(rows, dtype=pl.Boolean)).then(pl.lit("success"))).to_series()


def places(rows: Array, side: int) -> dict[str, Array | pl.Series]:
    """Where events of a side's first bytes lie; the server's are answers."""
    return {
        "row": rows,
        "side": np.full(len(rows), side, np.int64),
        "at": np.zeros(len(rows), np.int64),
        "~answers": np.full(len(rows), side == SERVER),
    }


def narrowed(rows: Rows, likely: Callable[[Rows], Array], fits: Callable[[Rows], Array]) -> Array:
    """A mask of `rows`: what `fits` says of those that are `likely` by a byte or two; all would be slow."""
    some = np.flatnonzero(likely(rows))
    mask = np.zeros(len(rows), np.bool_)
    if len(some):
        mask[some] = fits(rows.only(some))
    return mask
