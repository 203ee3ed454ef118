"""NetBIOS names: 15 characters and a suffix, in 32 letters (RFC 1001, 14.1).

What each suffix means: [MS-BRWS], section 2.1, and "NetBIOS suffixes" (Microsoft's article 163409).
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

ENCODED: Final = r"^[A-P]{32}(?:\.|$)"
LETTERS: Final = 32
COMPUTERS: Final = ("00", "20")  # suffixes of a computer's own name, where it is not a group's
SERVICES: Final = {
    "00": "workstation", "03": "messenger", "06": "RAS server", "1B": "domain master browser",
    "1C": "domain controllers", "1D": "master browser", "1E": "browser elections", "1F": "NetDDE",
    "20": "file server", "21": "RAS client", "BE": "network monitor agent", "BF": "network monitor",
}  # fmt: skip
_CHARACTERS: Final = 15


def decoded(names: pl.Series, name: str, suffix: str) -> pl.DataFrame:
    """Names as they are sent, in letters, as text and the suffix in hex, in columns so called; else null."""
    known = {each: _decoded(each) for each in names.unique().drop_nulls().to_list()}
    rows = [(each, *pair) for each, pair in known.items()]
    table = pl.DataFrame(rows, dict.fromkeys(("letters", name, suffix), pl.String()), orient="row")
    given = names.alias("letters").to_frame()
    return given.join(table, on="letters", how="left", maintain_order="left").drop("letters")


def shown(name: bytes) -> str:
    """Fifteen characters without what fills them up; what is no ASCII as in names of DNS."""
    text = name[:_CHARACTERS].rstrip(b" \0").decode("latin-1")
    return re.sub(r"[^\x20-\x7e]", lambda one: f"\\{ord(one[0]):03d}", text.replace("\\", "\\\\"))


def _decoded(letters: str) -> tuple[str | None, str | None]:
    if not re.match(ENCODED, letters):
        return None, None
    codes = letters[:LETTERS].encode()
    raw = bytes((codes[at] - 65) << 4 | (codes[at + 1] - 65) for at in range(0, LETTERS, 2))
    return shown(raw), f"{raw[-1]:02X}"
