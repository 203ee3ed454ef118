"""What a capture shows at a glance: the tools that speak in it, who sent what where, and who was named.

Events are looked at batch by batch and only sums are kept, so that memory is that of the endpoints, not of
the capture. Each row leads back to a packet by its number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import intake
from analysis.tools.named import COLUMNS, named
from analysis.tools.table import load
from sensors.capture import SENSOR, facts
from sensors.sensor import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensors.capture.facts import Facts
    from sensors.sensor import Source, Unread

_ENDS: Final = ("source.ip", "destination.ip", "destination.port", "network.transport")
_SENT: Final = "capture.flow.source.payload_bytes"
_CAME: Final = "capture.flow.destination.payload_bytes"
_FRAME: Final = "molehunt.frame.number"
# What names the other end, the best first; an answer of DNS names it only where nothing else does.
_NAMES: Final = ("tls.client.server_name", "url.domain", "destination.domain")
_PEOPLE: Final = ("user.name", "user.domain", "host.name", "client.mac")


@dataclass(slots=True)
class Shown:
    """What one capture shows.

    Attributes:
        path: as given.
        sha256: of the file.
        facts: what the capture says of itself.
        tools: `molehunt.tool.*`, `source.ip`, `destination.ip`, `flows`, `frame` (of the first packet).
        talks: `source.ip`, `destination.ip`, port, transport, protocol, names of the other end, `flows`,
            `sent` and `received` bytes of payload, `first` and `last` moment, `frame`; most bytes first.
        people: `dataset`, `user.name`, `user.domain`, `host.name`, `client.mac`, `source.ip`, `frame`.
        unread: what could not be read.
    """

    path: str
    sha256: str
    facts: Facts
    tools: pl.DataFrame
    talks: pl.DataFrame
    people: pl.DataFrame
    unread: list[Unread] = field(default_factory=list)


def shown(source: Source) -> Shown:
    """Read a capture."""
    table = load()
    parts: dict[str, list[pl.DataFrame]] = {"tools": [], "talks": [], "people": [], "names": []}
    for frame in intake.events(source, SENSOR):
        ends = _columns(frame, ("source.ip", "destination.ip", _FRAME))
        parts["tools"].append(_tools(named(frame, table).with_columns(ends)))
        parts["people"].append(_people(frame))
        parts["names"].append(_named(frame))
        if _SENT in frame.columns:
            parts["talks"].append(_talks(frame))
        for name, some in parts.items():
            if len(some) > _HELD:
                parts[name] = [_SUMMED[name](pl.concat(some, how="diagonal_relaxed"))]
    with source.local() as path:
        said = facts.of(path)
    whole = {
        name: _SUMMED[name](pl.concat(some, how="diagonal_relaxed")) if some else pl.DataFrame()
        for name, some in parts.items()
    }
    talks = _with_names(whole["talks"], whole["names"]) if whole["talks"].height else whole["talks"]
    unread = in_order(source.unread)
    return Shown(source.path, source.sha256, said, whole["tools"], talks, whole["people"], unread)


_HELD: Final = 64  # frames of sums, before they are summed up again


def _columns(frame: pl.DataFrame, names: Sequence[str]) -> list[pl.Series | pl.Expr]:
    return [frame[name] if name in frame.columns else pl.lit(None).alias(name) for name in names]


def _tools(rows: pl.DataFrame) -> pl.DataFrame:
    """A row a tool, its evidence and both ends."""
    by = [*COLUMNS, "source.ip", "destination.ip"]
    count = pl.col("events").sum() if "events" in rows.columns else pl.len().cast(pl.Int64)
    return (
        rows.filter(pl.col(COLUMNS[0]).is_not_null())
        .group_by(by)
        .agg(count.alias("events"), pl.col(_FRAME).min())
        .sort("events", *by, descending=[True, *[False] * len(by)])
    )


def _talks(frame: pl.DataFrame) -> pl.DataFrame:
    """A row for who talked to whom, and over what."""
    if "sent" not in frame.columns:
        rows = frame.select(_columns(frame, (*_ENDS, "network.protocol", _FRAME))).with_columns(
            frame[_SENT].alias("sent"),
            frame[_CAME].alias("received"),
            frame["event.start"].alias("first"),
            frame["event.end"].alias("last"),
            pl.lit(1, pl.Int64).alias("flows"),
        )
    else:
        rows = frame
    by = [*_ENDS, "network.protocol"]
    return (
        rows.group_by(by)
        .agg(
            pl.col("flows", "sent", "received").sum(),
            pl.col("first").min(),
            pl.col("last").max(),
            pl.col(_FRAME).min(),
        )
        .sort(pl.col("sent") + pl.col("received"), *by, descending=[True, *[False] * len(by)])
    )


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """A row for each name of a person or computer, and where it was said."""
    there = [name for name in _PEOPLE if name in frame.columns]
    by = ["event.dataset", *_PEOPLE, "source.ip"]
    rows = frame.filter(pl.any_horizontal(pl.col(there).is_not_null())) if there else frame.clear()
    nothing = pl.lit(None, pl.String)
    told = rows.select(pl.col(name) if name in rows.columns else nothing.alias(name) for name in by)
    return told.with_columns(rows[_FRAME]).group_by(by).agg(pl.col(_FRAME).min()).sort(_FRAME, *by)


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """What an address is called: by whoever connected to it (0), or by an answer of DNS (1)."""
    if "rank" in frame.columns:
        return frame.unique(["address", "name", "rank"])
    found = [pl.DataFrame(schema={"address": pl.String, "name": pl.String, "rank": pl.Int64})]
    found += [
        frame.select(pl.col("destination.ip").alias("address"), pl.col(column).alias("name"), rank=0)
        for column in _NAMES
        if column in frame.columns
    ]
    if "dns.resolved_ip" in frame.columns:
        answer = pl.col("dns.resolved_ip").alias("address"), pl.col("dns.question.name").alias("name")
        found.append(frame.select(*answer, rank=1).explode("address"))
    return pl.concat(found, how="vertical_relaxed").drop_nulls().unique()


def _with_names(talks: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Talks with the names of the other end: at most three, those that were asked for there first."""
    called = (
        names.sort("address", "rank", "name")
        .group_by("address", maintain_order=True)
        .agg(pl.col("name").unique(maintain_order=True).head(3).alias("names"))
    )
    return talks.join(called, left_on="destination.ip", right_on="address", how="left", maintain_order="left")


_SUMMED: Final = {"tools": _tools, "talks": _talks, "people": _people, "names": _named}
