"""Text columns from spans of what was captured, which may be no UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.compiled import kernel
from sensors.reading import text_views

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensors.capture.conversations import Array

_REPLACED: Final = 3  # bytes of U+FFFD, which one byte may become


def columns(data: Array, spans: Mapping[str, tuple[Array, Array]]) -> pl.DataFrame:
    """Text columns of one height.

    Args:
        data: bytes, UInt8.
        spans: by name, where each value begins and ends in `data`; null where it begins below 0.

    Returns:
        What is no UTF-8 is U+FFFD. The bytes of the values are copied, `data` is not kept.
    """
    starts = np.concatenate([np.asarray(one, np.int64) for one, _ in spans.values()])
    ends = np.concatenate([np.asarray(two, np.int64) for _, two in spans.values()])
    there = starts >= 0
    ends = np.where(there, np.maximum(ends, starts), starts)
    text = np.empty(_REPLACED * int((ends - starts).sum()), np.uint8)
    places = np.empty(len(starts) + 1, np.int64)
    copy(data, starts, ends, text, places)
    whole = text_views.over(text[: places[-1]], places[:-1], places[1:])
    kept = pl.select(pl.when(pl.Series(there)).then(whole)).to_series()
    height = len(kept) // max(len(spans), 1)
    return pl.DataFrame([kept.slice(k * height, height).alias(name) for k, name in enumerate(spans)])


@kernel
def copy(data: Array, starts: Array, ends: Array, text: Array, places: Array) -> None:
    """Write all values one behind the other, as UTF-8; `places` get where each begins, and where all end."""
    to = 0
    for row in range(len(starts)):
        places[row] = to
        at = starts[row]
        while at < ends[row]:
            size = _sequence(data, at, ends[row])
            if size:
                for k in range(size):
                    text[to + k] = data[at + k]
                at += size
                to += size
            else:
                text[to], text[to + 1], text[to + 2] = 0xEF, 0xBF, 0xBD
                at += 1
                to += _REPLACED
    places[len(starts)] = to


@kernel
def _sequence(data: Array, at: int, end: int) -> int:
    """Bytes of the character that begins here (RFC 3629, 4); 0 if none does."""
    lead = data[at]
    if lead < 0x80:  # noqa: PLR2004 - the table of the RFC, and below
        return 1
    size = 2 if 0xC2 <= lead <= 0xDF else 3 if 0xE0 <= lead <= 0xEF else 4 if 0xF0 <= lead <= 0xF4 else 0  # noqa: PLR2004
    if size == 0 or at + size > end:
        return 0
    low = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80  # noqa: PLR2004
    high = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF  # noqa: PLR2004
    if not low <= data[at + 1] <= high:
        return 0
    for k in range(2, size):
        if data[at + k] & 0xC0 != 0x80:  # noqa: PLR2004
            return 0
    return size
