"""Tanium: Threat Response, action history, client status, Discover, Endpoint Configuration, reports.

Fields after https://help.tanium.com/bundle/ug_connect_cloud (Connect's sources), mapping after Elastic's
integration `tanium`. What a match found is JSON in base64 in one of a match's parameters.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import json, text
from sensors.shapes.endpoint_records import EndpointRecords

_FOUND: Final = {
    "file.path": r'"file"\s*:\s*\{\s*"path"\s*:\s*"((?:[^"\\]|\\.)*)"',
    "file.hash.md5": r'"md5"\s*:\s*"([0-9A-Fa-f]{32})"',
    "file.hash.sha1": r'"sha1"\s*:\s*"([0-9A-Fa-f]{40})"',
    "file.hash.sha256": r'"sha256"\s*:\s*"([0-9A-Fa-f]{64})"',
    "process.command_line": r'"arguments"\s*:\s*"((?:[^"\\]|\\.)*)"',
    "rule.id": r'"intel_id"\s*:\s*"?(\d+)',
}


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:
    if kind != "threat_response":
        return []
    said = text(frame, "Other Parameters")
    payload = said.str.extract(r"(?:^|\|)payload=([^|]+)", 1)
    # Padding is left out by some versions of Connect.
    padded = payload.str.strip_chars_end("=")
    padded += pl.lit("=").repeat_by((4 - padded.str.len_bytes() % 4) % 4).list.join("")
    found = pl.coalesce(
        padded.str.decode("base64", strict=False).cast(pl.String, strict=False), json(frame, "Match Details")
    )
    made = [found.str.extract(pattern, 1).alias(field) for field, pattern in _FOUND.items()]
    pid = found.str.extract(r'"process"[^}]*?"pid"\s*:\s*(\d+)', 1).cast(pl.Int64, strict=False)
    return [
        *made,
        pid.alias("process.pid"),
        pl.coalesce(text(frame, "action"), text(frame, "Event Name")).alias("event.action"),
        said.str.extract(r"(?:^|\|)name=([^|]+)", 1).alias("rule.name"),
    ]


SENSOR: Final = EndpointRecords("tanium", "tanium.toml", "tanium", _more, nested=("state",), timeless=True)
