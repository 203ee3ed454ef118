"""What Unicode calls a word character and white space, in words that RE2 knows as well as Rust.

RE2 has general categories but no derived properties. A word character is Alphabetic, M, Nd, Pc or
Join_Control (https://unicode.org/reports/tr18/#Compatibility_Properties), and Alphabetic is L, Nl and
Other_Alphabetic, of which only the circled and squared letters are outside M.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import polars as pl

# "w" a word character, "n" another, "" nothing at all, or one of the rims below.
Kinds: TypeAlias = frozenset[str]
ALL: Final[Kinds] = frozenset("wn")
RIM_BEFORE: Final = "before"  # whatever stands in the text before the whole expression
RIM_AFTER: Final = "after"

SPACE: Final = r"\t\n\v\f\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
NOT_SPACE: Final = (
    r"\x{0}-\x{8}\x{e}-\x{1f}!-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}"
    r"\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"
)
WORD: Final = (
    r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}\x{24b6}-\x{24e9}"
    r"\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}"
)


def kinds_of(char: str) -> Kinds:
    """Whether a character is a word character, by the engine that molehunt itself runs."""
    if char.isascii():
        return frozenset("w" if char.isalnum() or char == "_" else "n")
    return frozenset("w" if pl.Series([char]).str.contains(r"\w").item() else "n")
