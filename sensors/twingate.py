"""Twingate: who connected to which resource, from where, as Connectors log it in real time.

JSON after Twingate's "Connector Real-Time Connection Logs", alone or behind the word `ANALYTICS` in the
Connector's own log (which has a syslog header where journald forwards it).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sensors.reading import framing, syslog
from sensors.reading.json_table import text
from sensors.shapes.gateway_records import GatewayRecords, behind_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from sensors.sensor import Source

_LINE: Final = re.compile(r'ANALYTICS:? \{.*"event_type"')


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record, parsed, is a connection event."""
    return record.keys() >= {"event_type", "connector"} and bool(
        {"connection", "resource", "remote_network"} & record.keys()
    )


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    number = text(frame, "connection.client_geo.as.number").str.strip_prefix("AS")
    relay = text(frame, "relays").str.extract(r'"ip"\s*:\s*"([^"]+)"', 1)
    return frame.with_columns(number.alias("asn"), relay.alias("relay"))


_RECORDS: Final = GatewayRecords("twingate", _fits, ("event_type",), _prepared)


class Twingate:
    """The sensor."""

    name = "twingate"

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether the records are connection events, or any line holds one behind its word."""
        return _RECORDS.sniff(head, name) or _is_log(head)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order; lines of a Connector's log that hold none are named as unread."""
        if not _is_log(source.head):
            yield from _RECORDS.read(source)
            return
        clock = syslog.Clock(source)
        for table in behind_headers(source, self.name):
            yield from _RECORDS.events(table, source, clock)


SENSOR: Final = Twingate()


def _is_log(head: bytes) -> bool:
    lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
    return bool(lines) and any(_LINE.search(line) for line in lines) and not lines[0].startswith("{")
