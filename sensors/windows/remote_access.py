"""Routing and Remote Access (RRAS, Always On VPN), the server's events and the client's.

Their parameters have no names. A server's begin with the id of the connection, before which Windows Server
2012 and later put the id of the routing domain in most events; the texts that the parameters are parts of are
those of mprmsg.dll (github.com/libyal/winevt-kb, docs/sources/message-files/MessageFile-mprmsg.dll.md).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.windows import values
from sensors.windows.tables import EVENT_DATA, SPAN, tables

_AFTER: Final = 13  # parameters after the ids
_ID: Final = r"^(?:\{[0-9A-Fa-f-]{36}\}|NA)$"
_BARE: Final = (20170, 20209)  # no id of a connection before the parameters
_LASTED: Final = (20251, 20272)  # minutes and seconds at the end of a session
_SECOND: Final = 1_000_000_000
_CLIENT: Final = (20222, 20223, 20225)
_SERVER: Final = r"(?i)server address/phone number\s*=\s*([^\r\n]+?)\s*(?:[\r\n]|$)"
_LENT: Final = r"(?i)tunnelipaddress\s*=\s*([0-9a-f.:]+)"


def unpacked(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `_ras0` (a server's connection), `_ras1`… (what follows its id), durations, clients' texts."""
    groups = tables().groups
    there = frozenset(frame["_group"].unique())
    if groups["ras_server"] in there and f"{EVENT_DATA}param1" in frame.columns:
        frame = _lasted(_numbered(frame, groups["ras_server"]), groups["ras_server"])
    if groups["ras_client"] in there:
        frame = _dialled(frame, groups["ras_client"])
    return frame


def _numbered(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    ours = frame["_group"] == group
    params = [
        frame[name].set(~ours, None) if (name := f"{EVENT_DATA}param{at}") in frame.columns else None
        for at in range(1, _AFTER + 3)
    ]
    bare = frame["_key"].is_in([group * SPAN + code for code in _BARE])
    nothing = pl.Series([None], dtype=pl.String)
    columns = [nothing.extend_constant(None, frame.height - 1) if one is None else one for one in params]
    routed = columns[1].str.contains(_ID).fill_null(value=False)  # the id of the connection is the second
    connection = columns[0].zip_with(~routed, columns[1])
    named = ~bare & connection.str.starts_with("{").fill_null(value=False)
    told = [
        columns[at].zip_with(bare, columns[at + 1].zip_with(~routed, columns[at + 2])).alias(f"_ras{at + 1}")
        for at in range(_AFTER)
    ]
    return frame.with_columns(connection.set(~named, None).alias("_ras0"), *told)


def _lasted(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    minutes, seconds = (values.number(pl.col(f"_ras{at}")) for at in (7, 8))
    lasted = (minutes * 60 + seconds) * _SECOND
    ended = pl.col("_key").is_in([group * SPAN + code for code in _LASTED]) & (lasted >= 0)
    return values.added(
        frame,
        {
            "event.duration": lasted,
            "event.end": pl.col("@timestamp"),
            "event.start": pl.col("@timestamp") - pl.duration(microseconds=lasted // 1000),
        },
        ended,
    )


def _dialled(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    texts = [name for at in (3, 4) if (name := f"{EVENT_DATA}param{at}") in frame.columns]
    if not texts:
        return frame
    dialled = pl.col("_key").is_in([group * SPAN + code for code in _CLIENT])
    server = pl.coalesce(pl.col(name).str.extract(_SERVER) for name in texts)
    lent = pl.coalesce(pl.col(name).str.extract(_LENT) for name in texts)
    return values.added(
        frame,
        {
            "destination.ip": values.address(server),
            "destination.domain": values.host(server),
            "source.nat.ip": values.address(lent),
        },
        dialled,
    )
