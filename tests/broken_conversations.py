"""What is done to conversations to see that readers bear it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from unittest.mock import patch

import numpy as np
import polars as pl
from hypothesis import strategies as st
from numba.core.registry import CPUDispatcher
from slow_conversations import streams_of

from sensors import schema
from sensors.capture.conversations import OverTcp


@st.composite
def broken(draw: st.DrawFn, pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """What both sides said, cut short or with a few bytes changed."""
    sides = []
    for said in pair:
        changed = bytearray(said)
        for _ in range(draw(st.integers(0, 4)) if said else 0):
            changed[draw(st.integers(0, len(said) - 1))] = draw(
                st.sampled_from((0, 1, 3, 0x7F, 0x80, 0xFE, 0xFF))
            )
        sides.append(bytes(changed[: draw(st.one_of(st.just(len(said)), st.integers(0, len(said))))]))
    return sides[0], sides[1]


def events(protocol: OverTcp, *pairs: tuple[bytes, bytes], port: int = 0) -> list[dict[str, object]]:
    """The events of those rows that fit, as the schema has them, without what is empty."""
    streams = streams_of(list(pairs), [(40000, port)] * len(pairs))
    rows = np.flatnonzero(protocol.fits(streams))
    frame = protocol.events(streams.only(rows))
    placed = frame.select("row", "side", "at").with_columns(pl.Series("row", rows[frame["row"].to_numpy()]))
    whole = pl.concat([placed, schema.conform(frame.drop("row", "side", "at"))], how="horizontal")
    return [{name: value for name, value in row.items() if value is not None} for row in whole.to_dicts()]


def bears(protocol: OverTcp, whole: tuple[bytes, bytes], damaged: tuple[bytes, bytes], port: int = 0) -> None:
    """That a damaged row raises nothing and changes nothing of the rows beside it."""
    beside = events(protocol, whole, damaged, whole, port=port)
    for number in (0, 2):
        found = [row | {"row": 0} for row in beside if row["row"] == number]
        assert found == _alone(protocol, whole, port)


@cache
def _alone(protocol: OverTcp, whole: tuple[bytes, bytes], port: int) -> list[dict[str, object]]:
    return events(protocol, whole, port=port)


@contextmanager
def interpreted(module: ModuleType) -> Iterator[None]:
    """A module's compiled functions as Python, in which a place outside of an array raises IndexError."""
    kernels = {name: one.py_func for name, one in vars(module).items() if isinstance(one, CPUDispatcher)}
    with patch.dict(vars(module), kernels):
        yield
