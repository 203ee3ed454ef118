"""Packets of connection-oriented DCE-RPC (C706, 12.6; MS-RPCE, 2.2.2) to the calls that they make.

They stand in TCP one after the other, or in what is written to and read from a pipe of SMB.
"""

from __future__ import annotations

import tomllib
import uuid
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import little

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

REQUEST, RESPONSE, FAULT, _BIND, _ALTER = 0, 2, 3, 11, 14
KINDS: Final = frozenset(range(20))
_HEADER: Final = 16
VERSION: Final = 5
_FIRST: Final = 1  # flag: the first, or only, fragment
_LITTLE: Final = 0x10  # numbers have their lowest byte first
_CONTEXTS: Final = 8  # interfaces looked at in a bind
_SYNTAX: Final = 20  # bytes of an interface with its version
_KEY: Final = ["row", "handle", "handle.more"]


def begin(data: Array, start: Array, end: Array) -> Array:
    """Where packets begin, a mask: version 5, a known kind, numbers as all machines of today write them."""
    fits = start + _HEADER <= end
    at = start[fits]
    good = (
        (data[at] == VERSION) & (data[at + 1] <= 1) & (data[at + 2] < len(KINDS)) & (data[at + 4] == _LITTLE)
    )
    good &= (data[at + 5] == 0) & (data[at + 6] == 0) & (data[at + 7] == 0)
    size = data[at + 8].astype(np.int64) | data[at + 9].astype(np.int64) << 8
    fits[fits] = good & (size >= _HEADER)
    return fits


def calls(data: Array, found: pl.DataFrame) -> pl.DataFrame:
    """The calls that packets make.

    Args:
        data: bytes, UInt8.
        found: a row a packet: `row`, `side`, `at`, `handle`, `handle.more` (what tells one pipe of a
            conversation from another; Int64), and the span `start`, `end`, which may be cut short.

    Returns:
        The rows of requests with `endpoint`, `operation`, `uuid`, and `fault` (Int64): 0 if there was an
        answer, its code if that was a fault, null if none was seen.
    """
    start, end = found["start"].to_numpy(), found["end"].to_numpy()
    kept = begin(data, start, end)
    start, end = start[kept], end[kept]
    packets = found.filter(pl.Series(kept)).with_columns(
        pl.Series("kind", data[start + 2].astype(np.int64)),
        pl.Series("flags", data[start + 3].astype(np.int64)),
        pl.Series("call", little.number(data, start + 12, end, 4)),
        pl.Series("context", little.number(data, start + 20, end, 2)),
        pl.Series("number", little.number(data, start + 22, end, 2)),
        pl.Series("status", little.number(data, start + 24, end, 4)),
    )
    asked = packets.filter(pl.col("kind") == REQUEST, pl.col("flags") & _FIRST > 0, pl.col("number") >= 0)
    fault = pl.when(pl.col("kind") == FAULT).then("status").otherwise(0)
    answers = packets.filter(pl.col("kind").is_in([RESPONSE, FAULT])).select(
        *_KEY, "call", fault.alias("fault")
    )
    answers = answers.unique([*_KEY, "call"], keep="first", maintain_order=True)
    whole = asked.join(answers, on=[*_KEY, "call"], how="left", maintain_order="left").join(
        _interfaces(data, packets), on=[*_KEY, "context"], how="left", maintain_order="left"
    )
    return _named(whole)


def _interfaces(data: Array, packets: pl.DataFrame) -> pl.DataFrame:
    """What each context of each pipe stands for: `high` and `low`, the halves of the interface's UUID."""
    binds = packets.filter(pl.col("kind").is_in([_BIND, _ALTER]))
    start, end = binds["start"].to_numpy(), binds["end"].to_numpy()
    count = little.number(data, start + 24, end, 1)
    at = start + 28
    parts = [_context(data, binds, np.full(len(binds), -1), end)]
    for k in range(_CONTEXTS):
        at = np.where(k < count, at, -1)
        parts.append(_context(data, binds, at, end))
        syntaxes = little.number(data, np.where(at < 0, -1, at + 2), end, 1)
        at = np.where(syntaxes >= 0, at + 4 + _SYNTAX + _SYNTAX * syntaxes, -1)
        if (at < 0).all():
            break
    return pl.concat(parts).unique([*_KEY, "context"], keep="last", maintain_order=True)


def _context(data: Array, binds: pl.DataFrame, at: Array, end: Array) -> pl.DataFrame:
    context = little.number(data, at, end, 2)
    halves = [little.number(data, np.where(at < 0, -1, at + offset), end, 8) for offset in (4, 12)]
    named = binds.select(_KEY).with_columns(
        pl.Series("context", context), pl.Series("high", halves[0]), pl.Series("low", halves[1])
    )
    return named.filter(pl.Series((context >= 0) & (at + 4 + _SYNTAX <= end)))


def _named(calls: pl.DataFrame) -> pl.DataFrame:
    """With the names of what is called, for each pair once."""
    key = ["high", "low", "number"]
    distinct = calls.select(key).unique(maintain_order=True)
    named = [_names(*row) for row in distinct.iter_rows()]
    schema = dict.fromkeys(("uuid", "endpoint", "operation"), pl.String)
    words = pl.concat([distinct, pl.DataFrame(named, schema=schema, orient="row")], how="horizontal")
    return calls.join(words, on=key, how="left", maintain_order="left", nulls_equal=True)


def _names(high: int | None, low: int | None, number: int) -> tuple[str | None, str | None, str]:
    if high is None or low is None:
        return None, None, f"unknown-{number}"
    half = [one.to_bytes(8, "little", signed=True) for one in (high, low)]
    interface = str(uuid.UUID(bytes_le=half[0] + half[1]))
    name, operations = _endpoints().get(interface, (f"unknown-{interface}", {}))
    return interface, name, operations.get(number, f"unknown-{number}")


@cache
def _endpoints() -> dict[str, tuple[str, dict[int, str]]]:
    raw = tomllib.loads((files(__package__) / "endpoints.toml").read_text("utf-8"))
    return {
        one["uuid"]: (name, {int(number): word for number, word in one["operations"].items()})
        for name, one in raw.items()
    }


def worded(found: pl.DataFrame) -> pl.DataFrame:
    """Calls as events; `path`, `pipe`, `user` and `domain` are used where there are such columns."""
    missing = [name for name in ("path", "pipe", "user", "domain") if name not in found.columns]
    whole = found.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    fault = pl.col("fault")
    outcome = (
        pl.when(fault.is_null()).then(pl.lit("unknown")).when(fault == 0).then(pl.lit("success"))
        .otherwise(pl.lit("failure"))
    )  # fmt: skip
    return whole.select(
        "row",
        "side",
        "at",
        pl.lit("capture.dce_rpc").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        pl.lit("dce_rpc").alias("network.protocol"),
        pl.col("operation").alias("event.action"),
        outcome.alias("event.outcome"),
        pl.when(fault != 0).then(pl.format("fault {}", fault)).alias("event.reason"),
        *(pl.col("user").alias(f"{root}user.name") for root in ("", "source.")),
        *(pl.col("domain").alias(f"{root}user.domain") for root in ("", "source.")),
        pl.col("endpoint").alias("capture.dce_rpc.endpoint"),
        pl.col("operation").alias("capture.dce_rpc.operation"),
        pl.col("uuid").alias("capture.dce_rpc.uuid"),
        pl.col("number").cast(pl.String).alias("capture.dce_rpc.opnum"),
        pl.col("pipe").alias("capture.dce_rpc.named_pipe"),
        pl.col("path").alias("capture.dce_rpc.path"),
    )
