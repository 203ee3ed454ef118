"""Text columns from spans of UTF-16, as Windows' protocols write names (MS-DTYP, 2.3)."""

# ruff: noqa: PLR2004, FBT001 - numbers are those of the RFCs; kernels have no objects
from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.compiled import kernel
from sensors.reading import text_views

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_MOST: Final = 3  # bytes of UTF-8 for two of UTF-16
_SPACE: Final = 0x20
_LOST: Final = 0xFFFD


def column(data: Array, starts: Array, ends: Array, *, several: bool = False) -> pl.Series:
    """The spans of `data` as text, up to their first NUL.

    Args:
        data: bytes, UInt8; not kept.
        starts: where each value begins; below 0 where there is none.
        ends: the place behind it; an odd last byte is left out.
        several: NUL does not end a value; it stands between values.

    Returns:
        Half a pair of surrogates and control characters are U+FFFD; null where nothing stands.
    """
    starts = np.asarray(starts, np.int64)
    ends = np.where(starts >= 0, ends, starts)
    text = np.empty(_MOST * int(np.maximum(ends - starts, 0).sum() // 2), np.uint8)
    places = np.zeros(len(starts) + 1, np.int64)
    narrow(data, starts, ends, several, text, places)
    whole = text_views.over(text[: places[-1]], places[:-1], places[1:])
    return pl.select(pl.when(pl.Series(np.diff(places) > 0)).then(whole)).to_series().alias("")


@kernel
def narrow(
    data: Array,
    starts: Array,
    ends: Array,
    several: bool,
    text: Array,
    places: Array,
) -> None:
    """Write all values one behind the other, as UTF-8; `places` get where each begins, and where all end."""
    to = 0
    for row in range(len(starts)):
        places[row] = to
        at = starts[row]
        while at + 1 < ends[row]:
            one = _unit(data, at)
            at += 2
            if one == 0:
                if not several:
                    break
                text[to] = 0
                to += 1
                continue
            if one & 0xF800 == 0xD800:  # RFC 2781, 2.2
                two = _unit(data, at) if at + 1 < ends[row] else np.int64(0)
                if one < 0xDC00 and two & 0xFC00 == 0xDC00:
                    at += 2
                    whole = 0x10000 + ((one & 0x3FF) << 10 | two & 0x3FF)
                    text[to], text[to + 1] = 0xF0 | whole >> 18, 0x80 | whole >> 12 & 0x3F
                    text[to + 2], text[to + 3] = 0x80 | whole >> 6 & 0x3F, 0x80 | whole & 0x3F
                    to += 4
                    continue
                one = _LOST
            elif one < _SPACE:
                one = _LOST
            if one < 0x80:  # RFC 3629, 3
                text[to] = one
                to += 1
            elif one < 0x800:
                text[to], text[to + 1] = 0xC0 | one >> 6, 0x80 | one & 0x3F
                to += 2
            else:
                text[to], text[to + 1], text[to + 2] = (
                    0xE0 | one >> 12,
                    0x80 | one >> 6 & 0x3F,
                    0x80 | one & 0x3F,
                )
                to += 3
    places[len(starts)] = to


@kernel
def _unit(data: Array, at: int) -> int:
    return int(np.int64(data[at]) | np.int64(data[at + 1]) << 8)
