"""`key=value` framing: quotes, escapes, order, dividers, and a slow reference."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.reading import key_value


def read(line: str, divided_by: str = "") -> dict[str, str]:
    text = pl.Series([line])
    found = key_value.table(text, key_value.keys(text, divided_by), divided_by)
    return dict(zip(found.columns, found.row(0), strict=True)) if found.width else {}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('a=1 b="x y" c=', {"a": "1", "b": "x y", "c": ""}),
        (r'a="say \"hi\" to" b=2', {"a": 'say "hi" to', "b": "2"}),
        ('a="say "hi" to" b=2', {"a": 'say "hi" to', "b": "2"}),
        (r'a="C:\dir\" b=2', {"a": "C:\\dir\\", "b": "2"}),
        (r'a="C:\dir\"', {"a": "C:\\dir\\"}),
        ('a="x"b="y"', {"a": "x", "b": "y"}),
        ('a="x" words b=1', {"a": "x", "b": "1"}),
        ('a="x" words b="y" c=2', {"a": "x", "b": "y", "c": "2"}),
        ("<13>host app: a=1", {"a": "1"}),
        ("a=http://h/?q=1&r=2 b=3", {"a": "http://h/?q=1&r=2", "b": "3"}),
        ("a=1 a=2", {"a": "2"}),
        ('a="never closed b=1', {"a": "never closed b=1"}),
        ("=1 == a.b-c_d=ü", {"a.b-c_d": "ü"}),
        ("a='x y' b='it's' c='d e=1", {"a": "x y", "b": "it's", "c": "'d", "e": "1"}),
        ("no pairs here", {}),
        ("a=1,b=2", {"a": "1,b=2"}),
    ],
)
def test_a_line(line: str, wanted: dict[str, str]) -> None:
    assert read(line) == wanted


def test_commas_divide_where_a_key_follows() -> None:
    assert read('a=1,b="x, y",c=d,e, f=2', ",") == {"a": "1", "b": "x, y", "c": "d,e", "f": "2"}
    assert read("a=1;b=2; c=3", ";") == {"a": "1", "b": "2", "c": "3"}


def test_only_the_keys_wanted_are_columns_and_only_if_there_are_any() -> None:
    found = key_value.table(pl.Series(["a=1 b=2", None, "b=3", ""]), ["b", "z"])
    assert found.to_dict(as_series=False) == {"b": ["2", None, "3", None]}
    assert found.select(key_value.first(found, "z", "b"))["b"].to_list() == ["2", None, "3", None]


def test_values_that_say_that_there_is_none_are_null() -> None:
    found = key_value.table(pl.Series(["a=N/A b=", 'a="N/" b="-"', "a=N/B"]), ["a", "b"], nothing=("", "N/A"))
    assert found.to_dict(as_series=False) == {"a": [None, "N/", "N/B"], "b": [None, "-", None]}


_KEYS = st.text("abcXYZ019_-.", min_size=1, max_size=6)
_VALUES = st.text(st.characters(codec="utf-8", exclude_characters='"\\=\n\0'), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(_KEYS, _VALUES, max_size=6), min_size=1, max_size=6))
def test_what_was_written_in_quotes_is_read(rows: list[dict[str, str]]) -> None:
    text = pl.Series(
        [" ".join(f'{key}="{value}"' for key, value in row.items()) for row in rows], dtype=pl.String
    )
    found = key_value.table(text, key_value.keys(text))
    for number, row in enumerate(rows):
        for key in found.columns:
            assert found[key][number] == row.get(key)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text('ab=" ,;\\\t', max_size=30), min_size=1, max_size=5), st.sampled_from(["", ",", ";"]))
def test_any_text_is_read_without_an_error(lines: list[str], divided_by: str) -> None:
    text = pl.Series(lines, dtype=pl.String)
    found = key_value.table(text, key_value.keys(text, divided_by), divided_by)
    assert found.width == 0 or found.height == len(lines)


def test_hostile_runs_are_read_in_linear_time() -> None:
    for run in (",", '"', '\\"', '" ', "a=,", ', "', 'a="'):
        key_value.table(pl.Series(["a=" + run * 200_000]), ["a"], ",")
