"""JA3, JA3S and JA4 out of the texts that they are hashes of; each distinct text is hashed once.

JA3: https://github.com/salesforce/ja3. JA4: https://github.com/FoxIO-LLC/ja4, BSD; of FoxIO's other methods
none is here, their licence does not allow it.
"""

from __future__ import annotations

from hashlib import md5, sha256
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.capture.protocols.tls import names

if TYPE_CHECKING:
    from collections.abc import Callable

_NOTHING: Final = "000000000000"
_CIPHERS: Final = 1  # which part of JA3's text


def of_clients(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with JA3, JA4 and the ciphers offered, by `~raw` (JA3's text) and `~raw4`."""
    texts = frame.select("~raw").unique().drop_nulls()
    offered = pl.col("~raw").str.split(",").list.get(_CIPHERS)
    texts = texts.with_columns(_md5(texts["~raw"]).alias("tls.client.ja3"), offered.alias("~offered"))
    suites = texts.select("~offered").unique()
    named = suites.with_columns(_each(suites["~offered"], _names, pl.List(pl.String)).alias("~names"))
    texts = texts.join(named, on="~offered", how="left").select(
        "~raw", "tls.client.ja3", pl.col("~names").alias("tls.client.supported_ciphers")
    )
    fours = frame.select("~raw4").unique().drop_nulls()
    fours = fours.with_columns(_each(fours["~raw4"], _ja4, pl.String()).alias("capture.tls.ja4"))
    return frame.join(texts, on="~raw", how="left", maintain_order="left").join(
        fours, on="~raw4", how="left", maintain_order="left"
    )


def of_servers(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with JA3S, by `~raw`."""
    texts = frame.select("~raw").unique().drop_nulls()
    texts = texts.with_columns(_md5(texts["~raw"]).alias("tls.server.ja3s"))
    return frame.join(texts, on="~raw", how="left", maintain_order="left")


def _md5(texts: pl.Series) -> pl.Series:
    return _each(texts, lambda text: md5(text.encode(), usedforsecurity=False).hexdigest(), pl.String())


def _each(texts: pl.Series, function: Callable[[str], object], kind: pl.DataType) -> pl.Series:
    return pl.Series([function(text) for text in texts], dtype=kind)


def _names(offered: str) -> list[str]:
    return names.ciphers([int(number) for number in offered.split("-") if number])


def _ja4(text: str) -> str:
    """The first part as it is, the two others by the first twelve digits of their hash."""
    head, suites, rest = text.split("_", 2)
    return "_".join((head, _short(suites), _short(rest)))


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12] if text else _NOTHING
