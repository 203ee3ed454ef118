"""Arista NG Firewall (Untangle): sessions, web, intrusion prevention, logins, VPN clients, figures.

JSON behind a syslog header, `<174>May 23 10:06:57 INFO  uvm[0]:  {…,"class":"class com.untangle…Event"}`,
after "Event Definitions" of the NG Firewall's manual; the properties of VPN and captive-portal events, which
it does not list, are those of the classes in Untangle's published source. Mapping after Elastic's integration
`arista_ngfw`, with a VPN client's public address as `source.ip` and the lent one as `source.nat.ip`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.reading.json_table import text
from sensors.shapes.gateway_records import GatewayRecords, behind_headers, lifted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_LINE: Final = re.compile(r'\{.*"class"\s*:\s*"class com\.untangle\.')
_REQUEST: Final = r"^(?P<verb>[A-Z]+) (?P<url>\S+)"
_STATS: Final = {"interfaceId": "interface_stats", "cpuUser": "system_stats"}
_NANOSECONDS: Final = 1_000


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """Events with what they nest (the request of a response, the session of a request) beside the rest."""
    began = text(frame, "sessionEvent.timeStamp").alias("startTime")
    frame = lifted(frame.with_columns(began), "httpRequestEvent.sessionEvent.", "sessionEvent.")
    frame = lifted(frame, "httpRequestEvent.")
    frame = frame.with_columns(text(frame, "requestLine").alias("requestLine"))
    asked = frame["requestLine"].str.extract_groups(_REQUEST).struct.unnest()
    figures = [
        pl.when(text(frame, key).is_not_null()).then(pl.lit(name)).alias(f"figures.{name}")
        for key, name in _STATS.items()
    ]
    return frame.with_columns(
        pl.coalesce(text(frame, "method"), pl.lit(asked["verb"])).alias("method"),
        pl.lit(asked["url"]).alias("url"),
        pl.when(pl.col("requestLine").is_null()).then(text(frame, "requestUri")).alias("requestUri"),
        pl.coalesce(*figures, pl.lit(None, pl.String)).alias("figures"),
    )


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    """Events with what follows from both ends of a session."""
    have = set(frame.columns)
    columns = []
    if {"event.start", "event.end"} <= have:
        lasted = (pl.col("event.end") - pl.col("event.start")).dt.total_microseconds() * _NANOSECONDS
        columns.append(lasted.alias("event.duration"))
    if {"source.bytes", "destination.bytes"} <= have:
        ends = [pl.col(name).cast(pl.Int64, strict=False) for name in ("source.bytes", "destination.bytes")]
        columns.append(pl.sum_horizontal(ends, ignore_nulls=False).alias("network.bytes"))
    return frame.with_columns(columns)


_RECORDS: Final = GatewayRecords("arista_ngfw", lambda _: False, ("class",), _prepared, _finished)


class AristaNgfw:
    """The sensor."""

    name = "arista_ngfw"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether at least half of the lines hold an event of the firewall's."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_LINE.search(line)) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line without one is named as unread."""
        clock = syslog.Clock(source)
        for table in behind_headers(source, self.name):
            yield from _RECORDS.events(table, source, clock)


SENSOR: Final = AristaNgfw()
