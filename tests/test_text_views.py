"""Columns laid over bytes, and what is computed on their views, held against Polars' own slow ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensors.reading import text_views
from sensors.reading.distinct import by_value, numbered
from sensors.reading.json_table import _moments, _patiently
from sensors.shapes.mapping import flags
from sensors.values.listed import _joined_and_split, union

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = (
    st.none()
    | st.sampled_from(["", "a", "of just twelve", "x" * 40, "é" * 6, "a\x1fb"])
    | st.text(max_size=15)
)
COLUMNS = st.lists(WORDS, max_size=40)
quick = settings(max_examples=60, deadline=None)


def bytes_of(column: pl.Series) -> list[bytes]:
    data, starts, ends = text_views.spans(column)
    return [data[start:end].tobytes() for start, end in zip(starts, ends, strict=True)]


@given(COLUMNS, st.integers(0, 5))
@quick
def test_spans_are_the_values(values: list[str | None], skipped: int) -> None:
    column = pl.Series("c", values, dtype=pl.String)[skipped:]
    assert bytes_of(column) == [(value or "").encode() for value in values[skipped:]]


@given(COLUMNS)
@quick
def test_columns_over_bytes_are_the_values(values: list[str | None]) -> None:
    data, starts, ends = text_views.spans(pl.Series("c", values, dtype=pl.String))
    made = text_views.over(data, starts, ends)
    assert made.to_list() == [value or "" for value in values]
    assert (made + "!").to_list() == [(value or "") + "!" for value in values]  # Polars owns the memory
    assert bytes_of(made) == [(value or "").encode() for value in values]


@given(COLUMNS.filter(len))
@quick
def test_each_distinct_value_has_one_number(values: list[str | None]) -> None:
    found = numbered(pl.Series("c", values, dtype=pl.String))
    assert found is not None
    rows, numbers = found
    assert [values[rows[number]] for number in numbers] == values
    assert len(rows) == len(set(values))


def test_by_value_says_the_same_of_many_and_of_few() -> None:
    few = [None, "", "Ab", "cd@x", "y" * 30] * 5_000
    many = [f"{number}@host-of-some-length" for number in range(20_000)]
    for values in (few, many, few[:10], few[:0]):
        frame = pl.DataFrame({"v": values}, schema={"v": pl.String})
        plain = pl.col("v").str.extract("^([^@]+)", 1).fill_null("nobody")
        once = by_value(pl.col("v"), lambda one: one.str.extract("^([^@]+)", 1).fill_null("nobody"))
        assert frame.select(once).equals(frame.select(plain))


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=40))
@quick
def test_unions_are_what_joining_and_splitting_gives(rows: Sequence[tuple[str | None, ...]]) -> None:
    columns = [pl.Series(str(k), [row[k] for row in rows], dtype=pl.String) for k in range(3)]
    assert union(columns).to_list() == _joined_and_split(columns).to_list()


@given(st.lists(st.tuples(st.booleans() | st.none(), st.booleans() | st.none()), max_size=20))
@quick
def test_flags_are_the_words_that_hold(rows: Sequence[tuple[bool | None, bool | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Boolean, "b": pl.Boolean}, orient="row")
    words = frame.select(
        flags({"a": pl.col("a"), "b": pl.col("b"), "always": pl.lit(value=True)})
    ).to_series()
    assert words.to_list() == [["a"] * (a is True) + ["b"] * (b is True) + ["always"] for a, b in rows]


PARTS = st.tuples(
    st.sampled_from(["0000", "0001", "1969", "2000", "2024", "2026", "9999", "20x6"]),
    st.integers(0, 13), st.integers(0, 32), st.sampled_from("TTT x"), st.integers(0, 24),
    st.integers(0, 60), st.integers(0, 60),
    st.sampled_from(["", ".", ".5", ".123456", ".123456789", ".1234567890"]),
    st.sampled_from(["", "Z", "z", "+00:00", "-0530", "+05:30", "+5", " Z", "-99:99", "+ab:cd"]),
)  # fmt: skip
WRITTEN = PARTS.map(lambda p: "{}-{:02d}-{:02d}{}{:02d}:{:02d}:{:02d}{}{}".format(*p))
COUNTED = st.integers(0, 10**20).map(str) | st.floats(1e8, 1e18).map(str)


@given(st.lists(WRITTEN | COUNTED | WORDS, max_size=30), st.sampled_from(["UTC", "Europe/Vienna"]))
@settings(max_examples=150, deadline=None)
@example(["2024-02-29T23:59:59.999999999Z", "2023-02-29T00:00:00Z", "99999999999", "100000000000"], "UTC")
@example(["99999999999999999", "9999999999999999", "1999999999"], "UTC")
def test_times_are_what_patient_reading_gives(values: list[str | None], zone: str) -> None:
    column = pl.Series("value", values, dtype=pl.String)
    patient = column.to_frame().select(_patiently(pl.col("value"), zone)).to_series()
    assert np.array_equal(
        _moments(column, zone).cast(pl.Int64).fill_null(-1).to_numpy(),
        patient.cast(pl.Int64).fill_null(-1).to_numpy(),
    )
