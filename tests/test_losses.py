from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from sensors.reading.losses import name_lost
from sensors.sensor import Source


@pytest.mark.parametrize(("rows", "entries"), [(0, 0), (3, 3), (100, 100), (101, 101), (1000, 101)])
def test_the_first_are_named_one_by_one_and_the_others_are_counted(
    source: Callable[..., Source], rows: int, entries: int
) -> None:
    made = source("x")
    frame = pl.DataFrame(
        {"text": ["?"] * rows, "log.offset": range(rows), "log.file.line": range(1, rows + 1)},
        schema={"text": pl.String, "log.offset": pl.Int64, "log.file.line": pl.Int64},
    )
    name_lost(frame, "unreadable", made)
    assert sum(entry.count for entry in made.unread) == rows
    assert [entry.line for entry in made.unread] == list(range(1, entries + 1))
