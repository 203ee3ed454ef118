"""Case folding: one function for patterns and data alike, or the two would disagree beyond ASCII.

Lower-casing alone is not folding: `ς` at the end of a Greek word, the long `ſ` and the micro sign `µ` are other
cases of `σ`, `s` and `μ`, and lower-casing `Σ` looks at its neighbours. So those letters are replaced first, one
by one, and then everything is lower-cased. That is Unicode's simple case folding (CaseFolding.txt, statuses C
and S, https://www.unicode.org/Public/UCD/latest/ucd/CaseFolding.txt), except that `İ` becomes `i̇`, two
characters, as its full folding has it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

# The letters whose folding is not what lower-casing gives; `test_sigma_fold.py` derives them from Unicode's data.
UNLIKE_LOWER: Final = {
    "Σ": "σ", "ς": "σ", "ſ": "s", "µ": "μ", "\u0345": "ι", "ϐ": "β", "ϑ": "θ", "ϕ": "φ", "ϖ": "π", "ϰ": "κ",
    "ϱ": "ρ", "ϵ": "ε", "\u1c80": "в", "\u1c81": "д", "\u1c82": "о", "\u1c83": "с", "\u1c84": "т",
    "\u1c85": "т", "\u1c86": "ъ", "\u1c87": "ѣ", "\u1c88": "ꙋ", "ẛ": "ṡ", "\u1fbe": "ι",
}  # fmt: skip
_TABLE: Final = str.maketrans(UNLIKE_LOWER)


def fold(text: str) -> str:
    """`text` without its case, in plain Python (for the reference evaluator)."""
    return text.translate(_TABLE).lower()


def fold_values(values: pl.Series) -> pl.Series:
    """Text without its case, nulls kept.

    Args:
        values: String; thousands to millions of values.
    """
    if values.str.len_bytes().sum() != values.str.len_chars().sum():
        values = values.str.replace_many(list(UNLIKE_LOWER), list(UNLIKE_LOWER.values()))
    return values.str.to_lowercase()
