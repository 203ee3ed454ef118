"""What the logs of all clouds share: the header of an event, addresses in answers, what is related."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import time
from sensors.values import connection, ecs

NETWORK: Final = pl.lit(["network"], pl.List(pl.String))
CONNECTION: Final = pl.lit(["connection"], pl.List(pl.String))


def common(frame: pl.DataFrame, dataset: str, provider: str, when: str) -> list[pl.Expr]:
    """The columns that every event of these logs has; `when` is where its time stands."""
    return [
        pl.col("log.offset"),
        pl.col("log.file.line"),
        time(frame, when).alias("@timestamp"),
        pl.lit(dataset).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        NETWORK.alias("event.category"),
        pl.lit(provider).alias("cloud.provider"),
    ]


def filled(values: pl.Expr) -> pl.Expr:
    """A list, or null where it is empty."""
    return pl.when(values.list.len() > 0).then(values)


def addresses(values: pl.Expr) -> pl.Expr:
    """Those of a list of texts that are addresses."""
    return values.list.eval(pl.when(ecs.is_ip(pl.element())).then(pl.element())).list.drop_nulls()


def finished(events: pl.DataFrame) -> pl.DataFrame:
    """The events with what follows from both ends, and without columns that were for the way only."""
    described = connection.described(events)
    empty = pl.lit([], pl.List(pl.String))
    lists = {
        "related.ip": ("source.ip", "destination.ip"),
        "related.hosts": ("source.domain", "destination.domain", "dns.question.name"),
    }
    answers = {"related.ip": pl.col("dns.resolved_ip") if "dns.resolved_ip" in described.columns else empty}
    if "dns.answers.data" in described.columns:
        named = pl.when(~ecs.is_ip(pl.element()) & pl.element().str.contains(r"^[^ ]+\.[^ ]+$")).then(
            pl.element()
        )
        answers["related.hosts"] = pl.col("dns.answers.data").list.eval(named).list.drop_nulls()
    every = {
        name: pl.concat_list(
            *(pl.concat_list(column).list.drop_nulls() for column in columns if column in described.columns),
            answers.get(name, empty).fill_null(empty),
        ).list.unique(maintain_order=True)
        for name, columns in lists.items()
    }
    related = described.with_columns(filled(values).alias(name) for name, values in every.items())
    return related.select(name for name in related.columns if not name.startswith("~"))
