"""Barracuda CloudGen Firewall: sessions, web requests and threats as its log streaming sends them.

JSON after Barracuda's "How to Configure Log Streaming" (types `ngfw-act`, `ngfw-wf`, `ngfw-threat`), as it
is or inside the shipper's `lumberjack`. Mapping after Elastic's integration `barracuda_cloudgen_firewall`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sensors.reading import json_table
from sensors.shapes.gateway_records import GatewayRecords, lifted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

# What tells the three kinds, each beside the time.
_KINDS: Final = (
    {"src_ip", "dst_ip", "fw_rule", "fw_info"},
    {"source_ip", "destination_ip", "traffic_type", "fw_rule"},
    {"src_ip", "dst_ip", "threat_severity", "operation"},
)


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record, parsed, is one of the firewall's."""
    shipped = record.get("lumberjack")
    if isinstance(shipped, dict):
        return str(shipped.get("type", "")).startswith("ngfw-")
    return "timestamp" in record and any(record.keys() >= kind for kind in _KINDS)


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    opened = json_table.opened(frame, "lumberjack.message")
    return lifted(opened, "lumberjack.message.", "lumberjack.")


SENSOR: Final = GatewayRecords("barracuda_cloudgen_firewall", _fits, ("timestamp",), _prepared)
