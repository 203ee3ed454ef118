"""URLs to their ECS parts, a column at a time.

The split is RFC 3986's, with two liberties that logs take: the scheme may be missing (`example.org/x`,
`example.org:443` of a CONNECT), and a URL may be a mere path (`/x`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from sensors.reading import patterns

_WITH_SCHEME = (
    r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?$"
)
_WITHOUT = r"^(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?$"
_AUTHORITY = (
    r"^(?:(?P<username>[^:@]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<domain>\[[^\]]*\]|[^:\[\]@]*)(?::(?P<port>[0-9]*))?$"
)
_EXTENSION: Final = r"[^/.]\.([A-Za-z0-9]{1,16})$"


def url_columns(frame: pl.DataFrame, name: str = "url.original") -> pl.DataFrame:
    """Adds `url.scheme`, `.domain`, `.port`, `.path`, `.query`, `.fragment`, `.extension`.

    And `url.username` and `url.password`. Parts that a URL does not have are null. The domain is in lower
    case and without brackets.

    Args:
        frame: has the column `name`.
        name: the column that holds URLs as the log has them.
    """
    urls = patterns.Extraction(frame[name])
    full = urls.fit(_WITH_SCHEME, np.arange(frame.height))
    urls.fit(_WITHOUT, np.flatnonzero(~full))
    parts = urls.columns(every=True)
    site = patterns.groups(parts["authority"], _AUTHORITY)
    every = parts.hstack(site)
    domain = pl.col("domain").str.strip_chars("[]").str.to_lowercase()
    found = every.select(
        pl.col("scheme").str.to_lowercase(),
        pl.when(domain.str.contains("[0-9A-Za-z]")).then(domain).alias("domain"),
        pl.col("port").cast(pl.Int64, strict=False),
        "path",
        "query",
        "fragment",
        pl.col("path").str.extract(_EXTENSION, 1).alias("extension"),
        "username",
        "password",
    )
    return frame.with_columns(
        (pl.when(column != "").then(column) if column.dtype == pl.String else column).alias(
            f"url.{column.name}"
        )
        for column in found.iter_columns()
    )
