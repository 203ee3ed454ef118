"""The answers that NIOS writes behind a response: `name. ttl class type data; …`, as lists in their order."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.values import ecs

_ONE: Final = r"^\s*(?P<name>\S+) (?P<ttl>[0-9]+) (?P<class>[A-Z]+) (?P<type>[A-Z0-9]+) ?(?P<data>.*?)\s*$"
_QUOTED: Final = r'(?:"[^"]*"|[^;"])+'
_WORD: Final = r'"[^"]*"|\S+'


def answered(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `dns.answers.*` and `dns.resolved_ip` from the column `answers`.

    A string of a TXT record is a datum of its own, as are the parts of MX and SOA.
    """
    rows = frame.with_row_index("~row").filter(pl.col("answers").str.strip_chars(" ;") != "")
    if not rows.height:
        return frame
    each = rows.select("~row", pl.col("answers").str.extract_all(_QUOTED).alias("one")).explode("one")
    parts = each.hstack(each["one"].str.extract_groups(_ONE).struct.unnest()).filter(
        pl.col("type").is_not_null()
    )
    data = parts.select("~row", pl.col("data").str.extract_all(_WORD).alias("datum")).explode("datum")
    data = data.with_columns(pl.col("datum").str.strip_suffix("."))
    listed = parts.group_by("~row", maintain_order=True).agg(
        pl.col("name").str.strip_suffix(".").alias("dns.answers.name"),
        pl.col("ttl").alias("dns.answers.ttl"),
        pl.col("type").alias("dns.answers.type"),
    )
    shown = data.group_by("~row", maintain_order=True).agg(
        pl.col("datum").drop_nulls().alias("dns.answers.data"),
        pl.col("datum").filter(ecs.is_ip(pl.col("datum"))).alias("dns.resolved_ip"),
    )
    joined = frame.with_row_index("~row").join(listed, on="~row", how="left", maintain_order="left")
    return joined.join(shown, on="~row", how="left", maintain_order="left").drop("~row")
