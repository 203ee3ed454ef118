"""One pass for all literals, held to looking for each of them in each value."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.sigma.fold import fold
from analysis.sigma.matching import literals as module
from analysis.sigma.matching.literals import Kind, Literals

# Few letters, so that literals overlap; two beyond ASCII, one of which has four cases.
TEXT = st.text("abAB.\\ÄäΣσς\n", max_size=12)
WANTED = st.lists(st.tuples(TEXT.filter(bool).map(fold), st.sampled_from(Kind)), unique=True, max_size=30)
ASKED = {
    Kind.CONTAINS: lambda value, literal: literal in value,
    Kind.STARTS: str.startswith,
    Kind.ENDS: str.endswith,
    Kind.EQUALS: str.__eq__,
}


def found(wanted: list[tuple[str, Kind]], values: list[str]) -> list[list[int]]:
    hits = Literals(wanted).find(pl.Series(values, dtype=pl.String))
    assert hits.any().tolist() == [len(hits.of(number)) > 0 for number in range(len(wanted))]
    return [hits.of(number).tolist() for number in range(len(wanted))]


def plainly(wanted: list[tuple[str, Kind]], values: list[str]) -> list[list[int]]:
    return [
        [row for row, value in enumerate(values) if ASKED[kind](fold(value), literal)]
        for literal, kind in wanted
    ]


@settings(max_examples=300, deadline=None)
@given(WANTED, st.lists(TEXT, unique=True, max_size=8))
def test_one_pass_finds_what_looking_for_each_finds(
    wanted: list[tuple[str, Kind]], values: list[str]
) -> None:
    assert found(wanted, values) == plainly(wanted, values)


def test_many_values_are_read_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [("b", Kind.CONTAINS), ("äb", Kind.ENDS), ("value 1", Kind.STARTS), ("value 77äb", Kind.EQUALS)]
    values = [f"Value {number}Äb" for number in range(300)]
    expected = plainly(wanted, values)
    assert found(wanted, values) == expected
    monkeypatch.setattr(module, "_FEW", 10)
    assert found(wanted, values) == expected


def test_more_hits_than_there_is_room_for_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROOM", 1)
    wanted = [(text, Kind.CONTAINS) for text in ("a", "ab", "abc", "abcd", "bcd", "cd", "d", "x")]
    values = ["abcd", "", "xxabcx", "dcba", "x"]
    assert found(wanted, values) == plainly(wanted, values)


def test_thousands_of_literals_share_a_table() -> None:
    wanted = [(f"tool{number}.exe", Kind.ENDS) for number in range(5000)]
    values = [f"c:\\tool{number}.exe" for number in range(0, 6000, 7)]
    assert found(wanted, values) == plainly(wanted, values)
