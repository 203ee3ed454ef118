"""CrowdStrike: what its sensors sent (Falcon Data Replicator) and what Falcon said of it (event streams).

Fields after https://falcon.crowdstrike.com/documentation (Events Data Dictionary; Streaming API Event
Dictionary). Replicated events with their fields under `event` (as SIEMs nest them) are read as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.crowdstrike import falcon, fdr
from sensors.reading import json_table
from sensors.reading.json_table import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

_INVENTORY: Final = {"aid", "cid"}


class CrowdStrike:
    """The sensor."""

    name = "crowdstrike"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records are of a Falcon sensor or of Falcon's event stream."""
        return json_table.mostly(head, _is_event)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            # A column, since Polars refuses a large frame filtered by what is one value for all rows.
            streams = text(table, "metadata.eventType").is_not_null().alias("~streamed")
            streamed = table.with_columns(streams)["~streamed"]
            parts = []
            for rows, reader in ((table.filter(streamed), falcon), (table.filter(~streamed), fdr)):
                if not rows.height:
                    continue
                timed = rows.with_columns(reader.moment(rows).alias("@timestamp"))
                kept = json_table.kept(
                    timed, pl.col("@timestamp").is_not_null(), source, "no event of Falcon's"
                )
                if kept.height:
                    parts.append(reader.events(kept))
            if parts:
                yield pl.concat(parts, how="diagonal_relaxed").sort("log.offset", maintain_order=True)


def _is_event(record: Mapping[str, Any]) -> bool:
    metadata = record.get("metadata")
    if isinstance(metadata, dict):
        return "eventType" in metadata and isinstance(record.get("event"), dict)
    if str(record.get("EventType", "")).startswith("Event_External") and "SensorId" in record:
        return True
    if not (record.keys() & _INVENTORY):
        return False
    named = "event_simpleName" in record or "fdr_event_type" in record
    return named or (
        "aid" in record
        and bool({"ComputerName", "event_platform", "AgentVersion", "timestamp"} & record.keys())
    )


SENSOR: Final = CrowdStrike()
