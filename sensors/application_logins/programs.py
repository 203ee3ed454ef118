"""What applications tell syslog: the records of their programs, among those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from sensors.application_logins.meaning import events as meant
from sensors.application_logins.products import of_program, products
from sensors.application_logins.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

Held: TypeAlias = dict[str, Sessions]


def split(
    frame: pl.DataFrame,
    others: pl.Series,
    otherwise: Callable[[pl.DataFrame], pl.DataFrame],
    held: Held,
) -> pl.DataFrame:
    """Records, taken apart by `syslog.fields`, as ECS: of applications here, of others by `otherwise`.

    Args:
        frame: the records.
        others: those that are no application's, whatever program sent them.
        otherwise: makes events of records of no application.
        held: what the batches before it said of sessions, by product.
    """
    name = frame["app"].str.to_lowercase().str.replace(r"^.*/", "")
    product = name.replace_strict(of_program(), default=None, return_dtype=pl.String).set(others, None)
    for one in products().values():
        if one.only:
            product = product.set((product == one.name) & ~frame["body"].str.contains(one.only), None)
    if product.null_count() == frame.height:
        return otherwise(frame)
    parts = []
    for (key,), rows in (
        frame.with_columns(product.alias("~product")).partition_by("~product", as_dict=True).items()
    ):
        rows = rows.drop("~product")  # noqa: PLW2901 - the same rows
        if key is None:
            parts.append(otherwise(rows))
            continue
        one = products()[key]
        sessions = held.setdefault(one.name, Sessions(tuple(one.carried)))
        parts.append(meant(_headed(rows), one, sessions))
    return pl.concat(parts, how="diagonal_relaxed").sort("log.offset")


def _headed(frame: pl.DataFrame) -> pl.DataFrame:
    """What the header of syslog says, by its names in ECS."""
    return frame.select(
        *(
            name
            for name in frame.columns
            if name not in {"app", "host", "pid", "msgid", "rest", "relay", "versioned"}
        ),
        pl.col("host").alias("host.name"),
        pl.col("host").alias("host.hostname"),
        pl.col("app").alias("process.name"),
        pl.col("pid").alias("process.pid"),
    )
