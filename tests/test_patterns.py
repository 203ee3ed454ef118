"""Regular expressions over columns: the kernel says what Rust's engine says, on every expression and text."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors import squid
from sensors.cisco_asa.forms import kinds
from sensors.linux_auth.forms import forms as linux_forms
from sensors.reading import patterns, syslog
from sensors.reading.patterns.automaton import Automaton
from sensors.reading.patterns.grammar import UnknownError, program

SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.fixture(autouse=True)
def _whatever_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "FEW", 0)
    monkeypatch.setattr(patterns, "SOME", 0)
    patterns._known.cache_clear()


def same(texts: list[str | None], expression: str) -> None:
    column = pl.Series("text", texts, dtype=pl.String)
    expected = column.str.extract_groups(expression).struct.unnest()
    found = patterns.groups(column, expression)
    assert found.columns == expected.columns
    assert found.to_dict(as_series=False) == expected.to_dict(as_series=False), expression


ATOMS = st.sampled_from(
    ["a", "b", "ab", ".", "[ab]", "[^a]", r"\d", r"\w", r"[\d-]", " ", r"\s", r"\b", "^", "$", "(?i:A)", "x?"]
)


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: f"(?:{'|'.join(parts)})"),
        inner.map(lambda part: f"({part})"),
    )


EXPRESSIONS = st.one_of(
    st.recursive(ATOMS, combined, max_leaves=8),
    st.builds(
        lambda head, body, times, tail: f"{head}({body}){times}{tail}",
        st.sampled_from(["", "^", "a", "(b)?", ".*?"]),
        st.sampled_from(["a", "ab", "[ab]", r"\w", "a|ab", ".", "[^ ]"]),
        st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?", "+?", "{0,2}?", "{2,}"]),
        st.sampled_from(["", "$", "b", " (.*)$", "(b*)", r"\b.*?$"]),
    ),
)
TEXTS = st.lists(st.one_of(st.none(), st.text("ab1 -A\n\xe9", max_size=24)), max_size=12)


@settings(max_examples=300, deadline=None)
@given(expression=EXPRESSIONS, texts=TEXTS)
def test_it_says_what_rust_says(expression: str, texts: list[str | None]) -> None:
    same([*texts, "aab b", "ab 1-1"], f"({expression})")


FORMS = [
    syslog.HEAD,
    syslog._5424,
    syslog._3164,
    *squid.FORMATS,
    *(form for forms in kinds().forms for form in forms),
    *(form for forms in linux_forms().values() for form in forms),
]


def test_the_forms_of_the_sensors_are_understood() -> None:
    unknown = []
    for form in FORMS:
        try:
            Automaton(program(form))
        except UnknownError:
            unknown.append(form)
    assert not unknown


def test_the_forms_of_the_sensors_say_what_rust_says() -> None:
    lines = [
        line
        for name in ("cisco_asa/anyconnect.log", "linux/auth.log", "squid/access.log", "squid/combined.log")
        for line in (SAMPLES / name).read_text("utf-8").splitlines()
    ]
    bodies = [re.sub(r"^.*?(?:%ASA-\d-\d+|\]|sudo): *", "", line) for line in lines]
    cut = [line[: len(line) * 2 // 3] for line in bodies]
    for form in FORMS:
        same([*lines, *bodies, *cut], form)


@pytest.mark.parametrize("body", ["$", "a*", "a??", "(a|)", r"\b", "(b?)(a?)", "a|(b*)", ""])
@pytest.mark.parametrize("times", ["*", "+", "*?", "+?", "{2,}", "{1,3}"])
def test_what_is_repeated_may_be_nothing(body: str, times: str) -> None:
    same(["", "a", "aab", "b a", "ba ab"], f"(({body}){times})(a?)")


@pytest.mark.parametrize(
    "expression",
    ["(a", "a)", "[a", "a{2", "(?x)a", "[[:alpha:]]", "[a&&b]", "a**", r"\p{L}", "(?i)[^\\W]", "*", "(a*)*"],
)
def test_what_is_beyond_the_grammar_is_not_guessed(expression: str) -> None:
    with pytest.raises(UnknownError):
        program(expression)


def test_too_many_states_are_left_to_rust() -> None:
    expression = "(?:a|b)*a(?:a|b){14}(c)"
    texts = pl.Series("text", ["".join("ab"[(n >> k) & 1] for k in range(15)) + "c" for n in range(5_000)])
    assert (
        patterns.groups(texts, expression)
        .to_series()
        .equals(texts.str.extract_groups(expression).struct.unnest().to_series())
    )


def test_long_lines_with_breaks_take_time_by_their_length() -> None:
    text = ("x" * 50 + "\n") * 20_000
    same([text, text.replace("\n", " "), 2 * text.replace("\n", " ")], "^(?P<line>.*)$")


def test_rows_of_different_expressions_stand_in_one_frame() -> None:
    text = pl.Series("text", ["a=1", "b:2", "c", "\xe9=3", None])
    found = patterns.Extraction(text)
    fits = found.fit("^(?P<key>.)=(?P<value>.*)$", np.arange(5))
    assert fits.tolist() == [True, False, False, True, False]
    assert found.fit("^(?P<key>.):(?P<other>.*)$", np.flatnonzero(~fits)).tolist() == [True, False, False]
    assert found.columns().to_dict(as_series=False) == {
        "key": ["a", "b", None, "\xe9", None],
        "value": ["1", None, None, "3", None],
        "other": [None, "2", None, None, None],
    }
