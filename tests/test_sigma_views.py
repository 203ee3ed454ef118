"""Texts told apart by their views: as Python would, whatever the chunks, slices and lengths."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.sigma.fold import fold
from analysis.sigma.matching.views import distinct, told_apart

WORDS = st.one_of(
    st.sampled_from(
        ["", "a", "x" * 12, "x" * 13, "x" * 12 + "y", r"C:\Windows\System32\cmd.exe", "ÄÖÜ", "ΣΑΣ" * 5]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
CHUNK = st.lists(st.one_of(st.none(), WORDS), max_size=150).map(
    lambda texts: pl.Series("t", texts, pl.String)
)


def numbered(column: pl.Series) -> tuple[list[str], list[int], list[int]]:
    """The distinct texts in order of appearance, the number of each text and its row."""
    numbers: dict[str, int] = {}
    there = [(row, text) for row, text in enumerate(column.to_list()) if text is not None]
    codes = [numbers.setdefault(text, len(numbers)) for _, text in there]
    return list(numbers), codes, [row for row, _ in there]


def check(column: pl.Series) -> None:
    texts, codes, owners = told_apart(column)
    known, expected, rows = numbered(column)
    assert codes.tolist() == expected
    assert (list(range(len(column))) if owners is None else owners.tolist()) == rows
    assert [texts[place] for place in range(len(texts))] == texts.series.to_list() == known
    alone = distinct(column)
    assert [alone[place] for place in range(len(alone))] == known
    data, starts, ends = texts.folded()
    folded = [data[start:end].tobytes().decode() for start, end in zip(starts, ends, strict=True)]
    # what is ASCII throughout the column keeps its case
    assert [fold(text) for text in folded] == [fold(text) for text in known]
    assert [text for text in folded if not text.isascii()] == [
        fold(text) for text in known if not fold(text).isascii()
    ]


@settings(deadline=None)  # the loops are compiled first
@given(st.lists(CHUNK, min_size=1, max_size=4), st.integers(0, 80), st.integers(0, 400), st.booleans())
def test_as_python_would(chunks: list[pl.Series], begin: int, height: int, whole: bool) -> None:  # noqa: FBT001
    check(pl.concat(chunks, rechunk=whole).slice(begin, height))


@settings(deadline=None)
@given(st.lists(CHUNK, min_size=1, max_size=4), st.integers(0, 20))
def test_short_texts_are_passed_over(chunks: list[pl.Series], least: int) -> None:
    """None that is long enough, and none beyond ASCII: folded, it may be longer than it is."""
    column = pl.concat(chunks)
    found = distinct(column, least)
    kept = [
        text for text in numbered(column)[0] if len(text.encode()) >= min(least, 13) or not text.isascii()
    ]
    assert [found[place] for place in range(len(found))] == kept


def test_tables_grow() -> None:
    check(pl.Series([f"{number:040d}" for number in range(5000)]))
    check(pl.Series([str(number) for number in range(5000)]))
    check(pl.Series([None, *[f"{number % 700:013d}" for number in range(5000)]]))


def test_mostly_empty() -> None:
    column = pl.Series([None] * 1000, dtype=pl.String)
    check(column)
    check(column.scatter([3, 64, 700, 999], ["one", "two and a few letters more", "one", "three"]).slice(3))
