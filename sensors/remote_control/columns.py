"""What the lines of all remote-control tools have in common, as ECS columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.shapes.mapping import address
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Mapping

_NS: Final = 1_000_000_000
# `192.0.2.7:5938`, `[2001:db8::7]:5938`, `::ffff:192.0.2.7 port 5938`
_PORT: Final = r"(?:^|[^:\d])(?:(?:\d{1,3}\.){3}\d{1,3}|\[[^\]]+\]):(\d{1,5})(?:$|\D)|\.\d{1,3}:(\d{1,5})$"


def mapped(frame: pl.DataFrame, told: Mapping[str, Any], name: str) -> pl.DataFrame:
    """The columns of the groups, with addresses and people as ECS has them, and what the product is.

    Args:
        frame: lines with the groups of their head and kind as columns.
        told: the tool's data.
        name: the tool.
    """
    if "who" in frame.columns:
        frame = ecs.person(frame, "who", "user", "source.user")
        odd = pl.col("who").str.contains(r"\s")  # what someone typed to fool a reader: a name as it stands
        frame = frame.with_columns(
            pl.when(~odd)
            .then(f"{root}.{part}")
            .otherwise(pl.col("who") if part == "name" else None)
            .alias(f"{root}.{part}")
            for root in ("user", "source.user")
            for part in ("name", "domain", "email")
        )
    if "from" in frame.columns:
        text = pl.col("from").str.strip_chars(" ,[").str.replace("^\\[?::ffff:", "")
        port = pl.coalesce(pl.col("from").str.extract(_PORT, 1), pl.col("from").str.extract(_PORT, 2))
        said = [pl.col("source.port")] if "source.port" in frame.columns else []
        ip = address(text)
        frame = frame.with_columns(
            ip.alias("source.ip"),
            pl.coalesce(ip, text).alias("source.address"),
            pl.coalesce(*said, port).cast(pl.Int64, strict=False).alias("source.port"),
        )
    frame = frame.with_columns(
        pl.lit("event").alias("event.kind"),
        pl.col("dataset").alias("event.dataset"),
        pl.col("text").alias("event.original"),
        pl.col("body").str.strip_chars().alias("message"),
        pl.lit(told["vendor"]).alias("observer.vendor"),
        pl.lit(told["product"]).alias("observer.product"),
    )
    frame = _lasted(frame)
    for field, kind in (("process.pid", pl.Int64), ("process.thread.id", pl.Int64)):
        if field in frame.columns:
            frame = frame.with_columns(pl.col(field).cast(kind, strict=False))
    return ecs.relations(
        frame,
        ip=("source.ip", "destination.ip"),
        user=("user.name", "source.user.name", "user.email"),
        hosts=("host.name", "source.domain", "destination.domain"),
    ).with_columns(pl.lit(name).alias("event.module"))


def _lasted(frame: pl.DataFrame) -> pl.DataFrame:
    """`event.duration` of what a line says of a session's time, and from it the start or the end."""
    whole = pl.col("phase").eq_missing("whole")
    if "event.end" in frame.columns:
        have = [pl.col("event.start")] if "event.start" in frame.columns else []
        began = pl.coalesce(*have, pl.when(whole).then("@timestamp"))
        frame = frame.with_columns(began.alias("event.start"))
    frame = frame.with_columns(pl.when(~whole).then("phase").alias("phase"))
    told = [
        pl.col(group).cast(pl.Int64, strict=False) * unit
        for group, unit in (("seconds", _NS), ("milliseconds", _NS // 1000))
        if group in frame.columns
    ]
    if {"event.start", "event.end"} <= set(frame.columns):
        told.append((pl.col("event.end") - pl.col("event.start")).dt.total_nanoseconds())
    if not told:
        return frame
    lasted = pl.coalesce(told)
    frame = frame.with_columns(pl.when(lasted >= 0).then(lasted).alias("event.duration"))
    closed = pl.col("phase").eq_missing("close") & pl.col("event.duration").is_not_null()
    began = pl.col("@timestamp") - pl.duration(microseconds=pl.col("event.duration") // 1000)
    for name, value in (("event.start", began), ("event.end", pl.col("@timestamp"))):
        have = [pl.col(name)] if name in frame.columns else []
        frame = frame.with_columns(pl.coalesce(*have, pl.when(closed).then(value)).alias(name))
    return frame
