"""Rows of PAN-OS' comma-separated logs to columns with the vendor's field names (of `fields.toml`)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import polars as pl

# A command audit log has no type in the usual place: `serial,time,audit,version,kind,user,command,result`.
AUDIT: Final = ("serial", "receive_time", "_", "config_ver", "subtype", "admin", "cmd", "result")
_COMMA = "\x1f"  # stands for a comma inside a quoted value


@cache
def data() -> dict[str, Any]:
    """The whole of `fields.toml`."""
    return tomllib.loads((files("sensors.panos") / "fields.toml").read_text("utf-8"))


@cache
def head() -> tuple[str, ...]:
    """The seven fields with which every type of log begins."""
    return tuple(data()["head"])


@cache
def aliases() -> dict[str, str]:
    """Other names that types go by: `HIP-MATCH` is `HIPMATCH`."""
    return dict(data()["aliases"])


@cache
def layout(kind: str) -> tuple[str, ...]:
    """The fields of a type of log after the seven common ones; none for a type that is not known."""
    return tuple(data()["types"].get(kind, "").split())


@cache
def columns_of_ecs() -> dict[str, str]:
    """Fields that are a column as they stand, and the column's name."""
    vendor = {name: f"panw.panos.{name}" for name in data()["vendor"]["names"].split()}
    return {**data()["ecs"], **vendor}


@cache
def _read() -> frozenset[str]:
    """The fields that anything is taken from."""
    return frozenset((*columns_of_ecs(), *data()["vendor"]["also"].split()))


def export_names(header: str) -> list[str]:
    """The vendor's field name of every column of an export, by its header row; `_` for what is not used.

    Of two columns for one field the first counts.
    """
    titles = [title.strip().strip('"').lower() for title in header.split(",")]
    translations: dict[str, str] = data()["export"]
    fields = set(head()).union(*(layout(kind) for kind in data()["types"]))
    names = [translations.get(title, title if title in fields else "_") for title in titles]
    return [name if name not in names[:at] else "_" for at, name in enumerate(names)]


def values(rows: pl.Series) -> pl.Series:
    """The comma-separated values of each row as a list.

    Quotes are RFC 4180's: a comma between them is text, two of them stand for one. A quote that is never
    closed makes the rest of its row one value, and touches no other row.
    """
    quoted = rows.str.contains('"', literal=True).fill_null(value=False)
    if not quoted.any():
        return rows.str.split(",")
    pieces = rows.filter(quoted).str.split('"')
    counts = pieces.list.len().to_numpy().astype(np.int64)
    at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    inside = pl.Series(at % 2 == 1)
    between = pl.Series((at % 2 == 0) & (at > 0) & (at < np.repeat(counts, counts) - 1))
    piece = pieces.explode(empty_as_null=True)
    text = piece.zip_with(~inside, piece.str.replace_all(",", _COMMA, literal=True))
    text = text.set(between & (piece == ""), '"')  # two quotes side by side
    joined = (
        pl.DataFrame({"row": np.repeat(np.arange(len(counts)), counts), "piece": text})
        .group_by("row", maintain_order=True)
        .agg(pl.col("piece").str.join(""))["piece"]
    )
    order = pl.concat([(~quoted).arg_true(), quoted.arg_true()])
    flat = pl.DataFrame({"row": pl.concat([rows.filter(~quoted), joined]), "at": order}).sort("at")
    return flat["row"].str.split(",")


def columns(lists: pl.Series, names: tuple[str, ...] | list[str]) -> pl.DataFrame:
    """One text column per place that is read, by the names of the places; empty and blank values are null."""
    places = {name: at for at, name in enumerate(names) if name in _read()}
    frame = lists.to_frame("values").select(
        pl.col("values").list.get(at, null_on_oob=True).alias(name) for name, at in places.items()
    )
    held = [column.name for column in frame.iter_columns() if column.str.contains(_COMMA, literal=True).any()]
    frame = frame.with_columns(pl.col(held).str.replace_all(_COMMA, ",", literal=True))
    trimmed = frame.select(pl.all().str.strip_chars(" "))
    return trimmed.select(pl.when(pl.col(name) != "").then(name) for name in trimmed.columns)


def text(frame: pl.DataFrame, *names: str) -> pl.Expr:
    """The first value there is in the named columns, of those that the frame has."""
    there = [pl.col(name) for name in names if name in frame.columns]
    return pl.coalesce(there) if there else pl.lit(None, pl.String)


def number(frame: pl.DataFrame, *names: str) -> pl.Expr:
    """The same as a whole number; null where it is none."""
    return text(frame, *names).cast(pl.Int64, strict=False)
