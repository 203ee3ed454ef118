"""Telnet (RFC 854): options, the terminal, who logs in; and the commands of Berkeley that came with it."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import texts
from sensors.capture.protocols.telnet import berkeley, walk

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_PORTS: Final = (23, 2323)
_VERBS: Final = {0xFB: "WILL", 0xFC: "WONT", 0xFD: "DO", 0xFE: "DONT"}
_LAST_OPTION: Final = 49  # of those that IANA has numbered one after the other
_OTHERS: Final = (69, 70, 85, 86, 90, 91, 200, 201)  # of games that speak Telnet
_SIDES: Final = {"client": CLIENT, "server": SERVER}


def fits(streams: Streams) -> Array:
    """Where a side begins with two commands, or both with one; on Telnet's port also where one logs in."""
    fitting = _negotiates(streams)
    others = np.flatnonzero(~fitting & np.isin(streams.ports[:, 1], _PORTS) & (streams.byte(SERVER, 0) >= 0))
    fitting[others] = _read(streams.only(others))[0][:, walk.ASKED] >= 0
    return fitting


def _read(streams: Streams) -> tuple[Array, Array, Array]:
    """What the walk finds, the options said, and the letters of names."""
    found = np.full((len(streams), walk.WIDTH), -1, np.int64)
    options = np.full((len(streams), 2, walk.OPTIONS), -1, np.int64)
    letters = np.zeros((len(streams), walk.LETTERS), np.uint8)
    walk.read(streams.data, streams.starts, streams.ends, found, options, letters)
    return found, options, letters


def _command(streams: Streams, side: int, offset: int) -> Array:
    """Whether a side has a command with an option at an offset."""
    verb, option = streams.byte(side, offset + 1), streams.byte(side, offset + 2)
    known = ((option >= 0) & (option <= _LAST_OPTION)) | np.isin(option, _OTHERS)
    said: Array = streams.byte(side, offset) == 0xFF  # noqa: PLR2004 - RFC 854: IAC
    said &= np.isin(verb, list(_VERBS)) & known
    return said


def _negotiates(streams: Streams) -> Array:
    client, server = (_command(streams, side, 0) for side in _SIDES.values())
    twice = (client & _command(streams, CLIENT, 3)) | (server & _command(streams, SERVER, 3))
    both: Array = twice | (client & server) | ((client | server) & np.isin(streams.ports[:, 1], _PORTS))
    return both


def events(streams: Streams) -> pl.DataFrame:
    """One event for each flow in which options are negotiated, or a login is asked for."""
    found, options, letters = _read(streams)
    rows = np.flatnonzero(_negotiates(streams) | (found[:, walk.ASKED] >= 0))
    found, options = found[rows], options[rows]
    speaks = np.where(streams.ends[rows, SERVER] > streams.starts[rows, SERVER], SERVER, CLIENT)
    spans = {
        "capture.telnet.terminal_type": walk.TERMINAL,
        "capture.telnet.display": walk.DISPLAY,
        "capture.telnet.speed": walk.SPEED,
        "user": walk.USER,
    }
    said = texts.columns(
        streams.data, {name: (found[:, cell], found[:, cell + 1]) for name, cell in spans.items()}
    ).select(pl.all().str.replace_all(r"\p{Cc}", "\ufffd"))
    name = _typed(letters[rows], found[:, walk.NAME])
    user = pl.coalesce(name, said.get_column("user"))
    numbers = pl.DataFrame({"wide": found[:, walk.WIDE], "high": found[:, walk.HIGH]}).select(
        pl.when(pl.all() > 0).then(pl.all().cast(pl.String))
    )
    refused = pl.Series(found[:, walk.REFUSED] == 1)
    return pl.DataFrame({"row": rows, "side": speaks}).with_columns(
        pl.lit(0, pl.Int64).alias("at"),
        pl.lit("capture.telnet").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.when(pl.Series(found[:, walk.ASKED] >= 0)).then(pl.lit("login")).otherwise(pl.lit("negotiation"))
        .alias("event.action"),
        pl.when(refused).then(pl.lit("failure")).alias("event.outcome"),
        pl.lit("telnet").alias("network.protocol"),
        user.alias("user.name"),
        user.alias("source.user.name"),
        *said.drop("user"),
        numbers.get_column("wide").alias("capture.telnet.columns"),
        numbers.get_column("high").alias("capture.telnet.lines"),
        *(_options(options[:, k]).alias(f"capture.telnet.{side}.options") for side, k in _SIDES.items()),
    )  # fmt: skip


def _typed(letters: Array, sizes: Array) -> pl.Series:
    """The names that were given, null where none was."""
    starts = np.where(sizes >= 0, np.arange(len(sizes)) * walk.LETTERS, -1)
    return texts.columns(letters.ravel(), {"name": (starts, starts + sizes)}).get_column("name")


@cache
def _names() -> dict[int, str]:
    """The options' names by number and verb, as the walk joins them."""
    raw = tomllib.loads((files("sensors.capture.protocols.telnet") / "options.toml").read_text("utf-8"))
    return {
        verb << 8 | int(option): f"{word} {name}"
        for verb, word in _VERBS.items()
        for option, name in raw.items()
    }


def _options(said: Array) -> pl.Series:
    """Lists of a side's commands with their options, in order; null where it said none."""
    row, order = np.nonzero(said >= 0)
    numbers = pl.Series(said[row, order])
    verbs = (numbers // 256).replace_strict(_VERBS, return_dtype=pl.String)
    named = numbers.replace_strict(
        _names(), default=verbs + " " + (numbers % 256).cast(pl.String), return_dtype=pl.String
    )
    lists = pl.DataFrame({"row": row, "said": named}).group_by("row", maintain_order=True).agg("said")
    rows = pl.DataFrame({"row": np.arange(len(said))})
    return rows.join(lists, on="row", how="left", maintain_order="left").get_column("said")


PROTOCOLS: Final = (OverTcp("telnet", fits, events), *berkeley.PROTOCOLS)
