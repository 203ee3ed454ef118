"""Titles of pages: entities resolved, white space as one blank; of packed pages, too (RFC 9110, 8.4.1)."""

from __future__ import annotations

import html
import re
import zlib
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_WITHIN: Final = 2048  # bytes of a page
_READ: Final = 4096  # bytes of a packed one
_MOST: Final = 512
_TITLE: Final = re.compile(rb"<title(?:\s[^>]*)?>(.*?)</title", re.DOTALL | re.IGNORECASE)
_AUTO: Final = 47  # zlib and gzip, by their heads


def titles(text: pl.Expr) -> pl.Expr:
    """Titles as they are shown."""
    return text.map_batches(_plain, return_dtype=pl.String, is_elementwise=True)


def _plain(column: pl.Series) -> pl.Series:
    known = {one: " ".join(html.unescape(one).split()) or None for one in column.drop_nulls().unique()}
    return column.replace_strict(known, default=None, return_dtype=pl.String)


def packed_titles(data: Array, bodies: tuple[Array, Array], frame: pl.DataFrame) -> pl.Series:
    """Titles of those pages that came packed, unpacked as far as a title may stand; null for all others."""
    packed = frame["capture.http.content_encoding"].str.to_lowercase().is_in(["gzip", "x-gzip", "deflate"])
    pages = frame["~given"].str.to_lowercase().str.contains("html", literal=True)
    found: list[str | None] = [None] * frame.height
    known: dict[bytes, str | None] = {}  # the same page is sent again and again
    for row in (packed & pages).arg_true().to_list():
        start, end = int(bodies[0][row]), int(bodies[1][row])
        raw = data[start : min(end, start + _READ)].tobytes() if start >= 0 else b""
        if raw not in known:
            known[raw] = _title(raw)
        found[row] = known[raw]
    return pl.Series(found, dtype=pl.String)


def _title(raw: bytes) -> str | None:
    for window in (_AUTO, -zlib.MAX_WBITS):
        try:
            page = zlib.decompressobj(window).decompress(raw, _WITHIN)
        except zlib.error:
            continue
        found = _TITLE.search(page)
        return found[1][:_MOST].decode("utf-8", "replace") if found else None
    return None
