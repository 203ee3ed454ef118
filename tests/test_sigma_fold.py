from __future__ import annotations

import unicodedata

import polars as pl
import pytest

from analysis.sigma.fold import UNLIKE_LOWER, fold, fold_values

KNOWN = [char for char in map(chr, range(0x110000)) if unicodedata.category(char) not in ("Cs", "Cn")]


def test_the_table_holds_exactly_the_letters_whose_folding_is_not_their_lower_case() -> None:
    derived = {
        char: folded
        for char in KNOWN
        # Cherokee folds to its capitals; both of a pair have one lower case, which does as well.
        if len(folded := char.casefold()) == 1 and folded != char.lower() and folded.lower() == folded
    }
    # A capital sigma is lower-cased by its neighbours unless it is replaced before.
    assert derived | {"\u03a3": "\u03c3"} == UNLIKE_LOWER


def test_letters_that_unicode_folds_alike_are_folded_alike() -> None:
    apart = [c for c in KNOWN if len(c.casefold()) == 1 and fold(c) != fold(c.casefold())]
    assert apart == []


def test_columns_and_texts_are_folded_by_the_same_rule() -> None:
    assert [fold(char) for char in KNOWN] == fold_values(pl.Series(KNOWN)).to_list()


@pytest.mark.parametrize("word", ["ΟΔΟΣ", "Straße", "İstanbul", "ÉCOLE", "ſüß", "", "plain ASCII"])
def test_words_are_folded_the_same_in_columns(word: str) -> None:
    assert fold_values(pl.Series([word, None])).to_list() == [fold(word), None]


def test_the_final_sigma_is_a_sigma() -> None:
    word = "ΟΔΟΣ"
    assert fold(word) == fold("οδος") == fold(word + "2")[:-1]
