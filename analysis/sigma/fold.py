"""Case folding: one function for patterns and data alike, or the two would disagree beyond ASCII.

Lower-casing alone is not folding: the Greek sigma at the end of a word, the long s and the micro sign are
other cases of sigma, s and mu, and lower-casing a capital sigma looks at its neighbours. So those letters are
replaced first, one by one, and then everything is lower-cased. That is Unicode's simple case folding
(statuses C and S of https://www.unicode.org/Public/UCD/latest/ucd/CaseFolding.txt), except that the capital I
with a dot (U+0130) becomes two characters, as in its full folding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

# The letters whose folding is not what lower-casing gives; tests/test_sigma_fold.py derives them.
UNLIKE_LOWER: Final = {
    "\u03a3": "\u03c3", "\u03c2": "\u03c3",  # sigma, capital and final
    "\u017f": "s", "\u00b5": "\u03bc",  # long s, micro sign
    "\u0345": "\u03b9", "\u1fbe": "\u03b9",  # iota below and beside
    "\u03d0": "\u03b2", "\u03d1": "\u03b8", "\u03d5": "\u03c6", "\u03d6": "\u03c0",  # Greek symbols
    "\u03f0": "\u03ba", "\u03f1": "\u03c1", "\u03f5": "\u03b5",
    "\u1c80": "\u0432", "\u1c81": "\u0434", "\u1c82": "\u043e", "\u1c83": "\u0441",  # old Cyrillic
    "\u1c84": "\u0442", "\u1c85": "\u0442", "\u1c86": "\u044a", "\u1c87": "\u0463", "\u1c88": "\ua64b",
    "\u1e9b": "\u1e61",  # long s with a dot
}  # fmt: skip
_TABLE: Final = str.maketrans(UNLIKE_LOWER)


def fold(text: str) -> str:
    """`text` without its case, in plain Python (for the reference evaluator)."""
    return text.lower() if text.isascii() else text.translate(_TABLE).lower()


def fold_values(values: pl.Series) -> pl.Series:
    """Text without its case, nulls kept.

    Args:
        values: String; thousands to millions of values.
    """
    if values.str.len_bytes().sum() != values.str.len_chars().sum():
        values = values.str.replace_many(list(UNLIKE_LOWER), list(UNLIKE_LOWER.values()))
    return values.str.to_lowercase()
