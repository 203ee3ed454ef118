"""What a message number means in ECS words, as a table to join with."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import polars as pl

_LIST = pl.List(pl.String)


@cache
def meanings() -> pl.DataFrame:
    """One row per message number (or class of three digits) and verdict, with the ECS columns.

    `verdict` is null where a message always means the same.
    """
    raw = tomllib.loads((files("sensors.cisco_asa") / "meanings.toml").read_text("utf-8"))
    rows = [
        {
            "code": code,
            "verdict": verdict,
            "event.action": meaning.get("action"),
            "event.kind": meaning.get("kind", "event"),
            "event.category": meaning.get("category", ["network"]),
            "event.type": [*meaning["type"], *([kind] if kind else [])],
            "event.outcome": outcome,
        }
        for meaning in raw["meaning"]
        for verdict, (kind, outcome) in {
            None: (None, meaning.get("outcome")),
            **meaning.get("verdicts", {}),
        }.items()
        for code in meaning["codes"]
    ]
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "code": pl.String,
        "verdict": pl.String,
        "event.action": pl.String,
        "event.kind": pl.String,
        "event.category": _LIST,
        "event.type": _LIST,
        "event.outcome": pl.String,
    }
    return pl.DataFrame(rows, schema=schema)


def with_meaning(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds those columns by `event.code` and `verdict`; what is not listed is `network` and `info`."""
    table = meanings()
    known = set(table["code"])
    code = pl.col("event.code")
    key = pl.when(code.is_in(list(known))).then(code).otherwise(code.str.slice(0, 3)).alias("code")
    joined = frame.with_columns(key).join(
        table, on=["code", "verdict"], how="left", nulls_equal=True, maintain_order="left"
    )
    return joined.drop("code").with_columns(
        pl.col("event.category").fill_null(pl.lit(["network"], _LIST)),
        pl.col("event.type").fill_null(pl.lit(["info"], _LIST)),
        pl.col("event.kind").fill_null("event"),
    )
