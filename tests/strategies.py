"""What property tests of rules draw from: texts whose letters have several cases, wildcards, backslashes."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

LETTERS = "aAbBzZéÉ\u03c3\u03c2\u03a3\u017fsS19.-/\\*? :\n"
words = st.text(LETTERS, max_size=6)
some_words = st.lists(words, min_size=1, max_size=4)
quick = settings(max_examples=60, deadline=None)
# Modifiers that say where in a text another stands, and what they mean.
PLACES: dict[str, Callable[[str, str], bool]] = {
    "": operator.eq,
    "|contains": lambda text, part: part in text,
    "|startswith": str.startswith,
    "|endswith": str.endswith,
}
