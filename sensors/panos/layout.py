"""Rows of PAN-OS' comma-separated logs to columns with the vendor's field names."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import polars as pl

# A command audit log has no type in the usual place: `serial,time,audit,version,kind,user,command,result`.
AUDIT: Final = ("serial", "receive_time", "_", "config_ver", "subtype", "admin", "cmd", "result")
_COMMA, _QUOTE = "\x1f", "\x1e"  # stand-ins for a comma and a quote inside a quoted value


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files("sensors.panos") / "fields.toml").read_text("utf-8"))


@cache
def head() -> tuple[str, ...]:
    """The seven fields with which every type of log begins."""
    return tuple(_data()["head"])


@cache
def aliases() -> dict[str, str]:
    """Other names that types go by: `HIP-MATCH` is `HIPMATCH`."""
    return dict(_data()["aliases"])


@cache
def layout(kind: str) -> tuple[str, ...]:
    """The fields of a type of log after the seven common ones; none for a type that is not known."""
    return tuple(_data()["types"].get(kind, "").split())


def export_names(header: str) -> list[str]:
    """The vendor's field name of every column of an export, by its header row; `_` for what is not used."""
    titles = [title.strip().strip('"').lower() for title in header.split(",")]
    translations: dict[str, str] = _data()["export"]
    fields = set(_data()["head"]).union(*(layout(kind) for kind in _data()["types"]))
    return [translations.get(title, title if title in fields else "_") for title in titles]


def values(rows: pl.Series) -> pl.Series:
    """The comma-separated values of each row as a list.

    Quotes are RFC 4180's: a comma between them is text, two of them stand for one. A quote that is never closed
    makes the rest of its row one value, and touches no other row.
    """
    quoted = rows.str.contains('"', literal=True)
    if not quoted.any():
        return rows.str.split(",")
    pieces = rows.filter(quoted).str.replace_all('""', _QUOTE, literal=True).str.split('"')
    counts = pieces.list.len().to_numpy().astype(np.int64)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    inside = pl.Series((np.arange(len(starts)) - starts) % 2 == 1)
    flat = pl.DataFrame({"row": np.repeat(np.arange(len(counts)), counts), "piece": pieces.explode(empty_as_null=True)})
    joined = (
        flat.with_columns(
            pl.when(inside).then(pl.col("piece").str.replace_all(",", _COMMA, literal=True)).otherwise("piece")
        )
        .group_by("row", maintain_order=True)
        .agg(pl.col("piece").str.join(""))["piece"]
    )
    plain = rows.filter(~quoted)
    order = pl.concat([(~quoted).arg_true(), quoted.arg_true()])
    flattened = pl.DataFrame({"row": pl.concat([plain, joined]), "at": order}).sort("at")
    return flattened["row"].str.split(",")


def columns(lists: pl.Series, names: list[str] | tuple[str, ...]) -> pl.DataFrame:
    """One text column per named place of the lists; empty and blank values are null, `_` is left out."""
    frame = lists.to_frame("values")
    picked = [
        pl.col("values").list.get(at, null_on_oob=True).alias(name) for at, name in enumerate(names) if name != "_"
    ]
    frame = frame.select(picked)
    if any(frame[name].str.contains(f"[{_COMMA}{_QUOTE}]").any() for name in frame.columns):
        frame = frame.with_columns(
            pl.all()
            .str.replace_all(_COMMA, ",", literal=True)
            .str.replace(f"^{_QUOTE}$", "")
            .str.replace_all(_QUOTE, '"', literal=True)
        )
    trimmed = frame.select(pl.all().str.strip_chars(" "))
    return trimmed.select(pl.when(pl.col(name) != "").then(name) for name in trimmed.columns)
