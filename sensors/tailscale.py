"""Tailscale: who changed what in a tailnet, and which node talked to which.

Configuration audit and network flow logs, after Tailscale's pages on both and its API: objects, pages of
them (`{"logs": […]}`), and as streams wrap them (`{"event": {…}}`). A flow record holds the connections of
some seconds; each is an event of its own, all of which stand where their record stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import text
from sensors.shapes.gateway_records import GatewayRecords, lifted

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRAFFIC: Final = ("virtualTraffic", "subnetTraffic", "exitTraffic", "physicalTraffic")
_PARTS: Final = ("proto", "src", "dst", "txPkts", "txBytes", "rxPkts", "rxBytes")
_END: Final = r"^\[?(?P<ip>[0-9A-Fa-f.:]+?)\]?:(?P<port>[0-9]+)$"


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record, parsed, is of either log."""
    inner = record.get("event")
    one = inner if isinstance(inner, dict) else record
    flows = "nodeId" in one and "start" in one and bool({*_TRAFFIC, "logged"} & one.keys())
    audit = {"eventGroupID", "actor", "target", "action"} <= one.keys()
    return flows or audit


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """Records with a row for each connection, and targets by what they are."""
    frame = _connections(lifted(frame, "event."))
    login, kind = text(frame, "actor.loginName"), text(frame, "target.type")
    return frame.with_columns(
        pl.when(login.str.contains("@", literal=True)).then(login).alias("email"),
        json_table.json(frame, "new").alias("new.value"),
        json_table.json(frame, "old").alias("old.value"),
        *(
            pl.when(kind == word).then(text(frame, f"target.{part}")).alias(f"target.{name}.{part}")
            for word, name in (("USER", "user"), ("NODE", "node"))
            for part in ("id", "name")
        ),
    )


def _connections(frame: pl.DataFrame) -> pl.DataFrame:
    """The same with `flow.*`; a record of several connections stands in as many rows."""
    kinds = [kind for kind in _TRAFFIC if kind in frame.columns]
    if not kinds:
        return frame
    numbered = frame.with_row_index("~row")
    parts = [
        numbered.select("~row", json_table.objects(frame, kind, *_PARTS).alias("flow"))
        .filter(pl.col("flow").list.len() > 0)
        .explode("flow", empty_as_null=False)
        .unnest("flow")
        .with_columns(kind=pl.lit(kind))
        for kind in kinds
    ]
    flows = pl.concat(parts)
    ends = {
        name: flows[side].str.extract_groups(_END).struct.unnest()
        for side, name in (("src", "source"), ("dst", "destination"))
    }
    flows = flows.select(
        "~row",
        *(pl.col(name).alias(f"flow.{name}") for name in ("kind", *_PARTS)),
        *(end[part].alias(f"flow.{name}.{part}") for name, end in ends.items() for part in ("ip", "port")),
    )
    joined = numbered.join(flows, on="~row", how="left", maintain_order="left_right")
    return joined.drop("~row", *kinds)


SENSOR: Final = GatewayRecords("tailscale", _fits, ("nodeId", "eventGroupID"), _prepared)
