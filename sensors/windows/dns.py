"""DNS as Sysmon (22) and Windows' client (3008, 3018, 3020) write it: a question, its answers in one text.

`type:  5 alias.example;::ffff:192.0.2.1;` is a record, by the number of its type, and an address.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.values.ecs import is_ip
from sensors.windows import values
from sensors.windows.tables import EVENT_DATA, SPAN, tables

_ASKED: Final = {"sysmon": (22,), "dns_client": (3008, 3018, 3020)}
_LISTS: Final = ("dns.answers.data", "dns.answers.type", "dns.resolved_ip", "_answered")


def detailed(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `network.protocol` and the answers; lists that came with the events are kept."""
    numbers = tables().groups
    asked = frame["_key"].is_in(
        [numbers[group] * SPAN + code for group, codes in _ASKED.items() for code in codes]
    )
    named = asked | (frame["_group"] == numbers["dns_server"])
    if not named.any():
        return frame
    frame = values.added(frame, {"network.protocol": pl.lit("dns")}, pl.lit(named))
    column = f"{EVENT_DATA}QueryResults"
    if column not in frame.columns or any(name in frame.columns for name in _LISTS):
        return frame
    rows = pl.DataFrame({"row": pl.int_range(frame.height, eager=True), "item": frame[column].str.split(";")})
    answers = _answers(rows.filter(asked))
    return (
        frame.with_columns(pl.int_range(pl.len()).alias("_row"))
        .join(answers, left_on="_row", right_on="row", how="left", maintain_order="left")
        .drop("_row")
    )


def _answers(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each answered question: `row` and `_LISTS`."""
    item, record = pl.col("item"), pl.col("record")
    address = item.str.strip_prefix("::ffff:")
    number = item.str.extract(r"^type:\s*(\d+)")
    items = (
        rows.explode("item", keep_nulls=False, empty_as_null=False)
        .with_columns(item.str.strip_chars())
        .with_columns(item.str.starts_with("type:").alias("record"))
        .select(
            "row",
            "record",
            pl.when(record)
            .then(number.replace_strict(tables().records, default=number))
            .when(address.str.contains(":", literal=True))
            .then(pl.lit("AAAA"))
            .otherwise(pl.lit("A"))
            .alias("type"),
            pl.when(record)
            .then(item.str.extract(r"^type:\s*\d+\s+(\S+)"))
            .otherwise(pl.when(is_ip(address)).then(address))
            .alias("data"),
        )
        .filter(record | pl.col("data").is_not_null())
        .sort("row", record.not_(), maintain_order=True)
    )
    data = pl.col("data")
    lists = items.group_by("row", maintain_order=True).agg(
        data.drop_nulls().alias("dns.answers.data"),
        pl.col("type").alias("dns.answers.type"),
        data.filter(record.not_()).alias("dns.resolved_ip"),
        data.filter(record).drop_nulls().alias("_answered"),
    )
    return lists.with_columns(pl.when(pl.col(name).list.len() > 0).then(name).alias(name) for name in _LISTS)
