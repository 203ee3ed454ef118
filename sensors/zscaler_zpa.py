"""Zscaler Private Access: who reached which application, when and from where; the Log Streaming Service.

User activity and status, browser access, App Connectors and Private Service Edges, audit, after Zscaler's
"Understanding the Log Stream Content Format", in JSON. Mapping after Elastic's integration `zscaler_zpa`,
with the person's public address as `source.ip` as well as `client.ip`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import text
from sensors.shapes.gateway_records import GatewayRecords

if TYPE_CHECKING:
    from collections.abc import Mapping

_STREAMED: Final = {"LogTimestamp", "Customer"}
_AUDITED: Final = {"AuditOperationType", "ObjectType", "ModifiedTime"}
_PERSON: Final = r"^(?i:administrator|executive insights user)$"
_VALUES: Final = ("AuditNewValue", "AuditOldValue")


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record, parsed, is one of the service's."""
    of_stream = record.keys() >= _STREAMED and bool(
        {"SessionID", "ConnectionID", "Exporter", "ClientZEN"} & record.keys()
    )
    return of_stream or record.keys() >= _AUDITED


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """Records with the values before and after a change, which are JSON as text, by what they are of."""
    whole = [
        text(frame, name).alias(f"value.{short}") for name, short in zip(_VALUES, ("new", "old"), strict=True)
    ]
    frame = json_table.opened(frame.with_columns(whole), *_VALUES)
    kind = text(frame, "ObjectType")

    def of(what: str, *keys: str) -> pl.Expr:
        value = text(frame, *(f"{name}.{key}" for key in keys for name in _VALUES))
        return pl.when(kind.str.contains(what)).then(value)

    return frame.with_columns(
        of("^(?i:server)$", "domainOrIpAddress").alias("server.new"),
        of("^(?i:app connector group)$", "id").alias("group.id"),
        of("^(?i:app connector group)$", "name").alias("group.name"),
        *(of(_PERSON, part).alias(f"person.{part}") for part in ("email", "name", "id")),
    )


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    """Events with whole URLs, and addresses only where there may be nothing else."""
    columns = []
    if {"url.original", "url.domain", "url.scheme"} <= set(frame.columns):
        columns.append(pl.col("url.scheme").str.to_lowercase())
        site = pl.concat_str(pl.col("url.scheme").str.to_lowercase(), pl.lit("://"), pl.col("url.domain"))
        columns.append(pl.concat_str(site, pl.col("url.original")).alias("url.original"))
    if "destination.ip" in frame.columns:
        columns.append(pl.col("destination.ip").alias("host.ip"))
    elif "host.ip" in frame.columns:
        columns.append(pl.lit(None, pl.String).alias("host.ip"))
    return frame.with_columns(columns)


SENSOR: Final = GatewayRecords(
    "zscaler_zpa", _fits, ("LogTimestamp", "AuditOperationType"), _prepared, _finished
)
