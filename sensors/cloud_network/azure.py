"""Azure Network Watcher: flow tuples of network security groups and of virtual networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.cloud_network.columns import NETWORK, finished
from sensors.reading import json_table
from sensors.reading.json_table import objects, text, texts, time
from sensors.values import connection, ecs

if TYPE_CHECKING:
    from sensors.sensor import Source

_PLACE: Final = ("text", "log.offset", "log.file.line")
_COUNTS: Final = ("packets", "bytes", "packets_back", "bytes_back")
# seconds or milliseconds, source, destination, ports, protocol, direction, decision or state, ...
_TUPLE: Final = (
    r"^(?P<time>[0-9]+),(?P<source>[^,]*),(?P<destination>[^,]*),(?P<port>[0-9]*),(?P<other>[0-9]*),"
    r"(?P<protocol>[^,]*),(?P<direction>[^,]*),(?P<first>[^,]*)(?:,(?P<second>[^,]*)(?:,(?P<packets>[0-9]*),"
    r"(?P<bytes>[0-9]*),(?P<packets_back>[0-9]*),(?P<bytes_back>[0-9]*))?)?"
)


def flows(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The flow tuples, an event each, under the rule and the network card that they were listed for."""
    vnet = text(frame, "category") == "FlowLogFlowEvent"
    outer = frame.select(
        "text", "log.offset", "log.file.line",
        time(frame, "time").alias("~time"),
        vnet.alias("~vnet"),
        text(frame, "macAddress").alias("~mac"),
        text(frame, "resourceId", "flowLogResourceID").alias("azure.resource.id"),
        text(frame, "targetResourceID").alias("azure.resource.target"),
        objects(frame, "properties.flows", "rule", "flows").alias("~nsg"),
        objects(frame, "flowRecords.flows", "aclID", "flowGroups").alias("~flows"),
    )  # fmt: skip
    keys = [*_PLACE, "~time", "~vnet", "~mac", "azure.resource.id", "azure.resource.target"]
    nsg = _opened(
        outer.filter(~pl.col("~vnet")).select(*keys, "~nsg"), "~nsg", ("mac", "flowTuples"), "flows"
    )
    nsg = nsg.with_columns(pl.coalesce("mac", "~mac").alias("~mac")) if nsg.height else nsg
    flows = _opened(
        outer.filter("~vnet").select(*keys, "~flows"), "~flows", ("rule", "flowTuples"), "flowGroups"
    )
    found = pl.concat([part for part in (nsg, flows) if part.height] or [outer.head(0)], how="diagonal")
    tuples = pl.DataFrame(schema={"log.offset": pl.Int64})
    if found.height:
        listed = found.with_columns(texts(found, "flowTuples").alias("tuple"))
        tuples = listed.explode("tuple", empty_as_null=True).filter(pl.col("tuple").is_not_null())
    bare = frame.join(
        tuples.select("log.offset").unique(), on="log.offset", how="anti", maintain_order="left"
    )
    if bare.height:
        json_table.kept(
            bare, pl.lit(value=False), source, "a flow record without any flow that could be read"
        )
    return _tuples(tuples, source) if tuples.height else pl.DataFrame()


def _opened(frame: pl.DataFrame, column: str, keys: tuple[str, ...], inner: str) -> pl.DataFrame:
    """A row for each element of the lists `inner` of the structs in `column`, with `keys` of it as text."""
    if not frame.height:
        return frame
    rows = frame.explode(column, empty_as_null=True).unnest(column)
    rows = rows.with_columns(objects(rows, inner, *keys).alias("~inner"))
    return rows.explode("~inner", empty_as_null=True).unnest("~inner")


def _tuples(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    parts = rows.hstack(rows["tuple"].str.extract_groups(_TUPLE).struct.unnest())
    parts = json_table.kept(parts, pl.col("time").is_not_null(), source, "no flow tuple")
    count = pl.col("time").cast(pl.Int64, strict=False)
    moment = (
        pl.when(count < 10**11).then(count * 1_000_000).otherwise(count * 1000).cast(pl.Datetime("us", "UTC"))
    )
    state = pl.when("~vnet").then("first").otherwise("second")
    # Of network security groups the decision stands before the state; of virtual networks a state says it.
    decision = (
        pl.when(~pl.col("~vnet")).then("first").when(state == "D").then(pl.lit("D")).otherwise(pl.lit("A"))
    )
    number = {name: pl.col(name).cast(pl.Int64, strict=False) for name in _COUNTS}
    transport = pl.col("protocol").replace({"T": "tcp", "U": "udp"})
    mac = pl.col("~mac").str.to_uppercase().str.extract_all("[0-9A-F]{2}").list.join("-")
    events = parts.select(
        "log.offset", "log.file.line", "azure.resource.id", "azure.resource.target",
        pl.coalesce(moment, "~time").alias("@timestamp"),
        pl.when("~vnet").then(pl.lit("azure_network_watcher_vnet.log"))
        .otherwise(pl.lit("azure_network_watcher_nsg.log")).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        NETWORK.alias("event.category"),
        pl.concat_list(
            pl.lit("connection"),
            pl.when(decision == "D").then(pl.lit("denied")).otherwise(pl.lit("allowed")),
            state.replace_strict({"B": "start", "E": "end"}, default=None, return_dtype=pl.String),
        ).list.drop_nulls().alias("event.type"),
        pl.when(decision == "D").then(pl.lit("denied")).otherwise(pl.lit("allowed")).alias("event.action"),
        pl.lit("azure").alias("cloud.provider"),
        pl.col("rule").alias("rule.name"),
        *ecs.address("source", pl.col("source")),
        *ecs.address("destination", pl.col("destination")),
        pl.col("port").cast(pl.Int64, strict=False).alias("source.port"),
        pl.col("other").cast(pl.Int64, strict=False).alias("destination.port"),
        connection.transport(transport).alias("network.transport"),
        pl.col("direction")
        .replace_strict({"I": "inbound", "O": "outbound"}, default=None, return_dtype=pl.String)
        .alias("network.direction"),
        pl.when(pl.col("direction") == "O").then(mac).alias("source.mac"),
        pl.when(pl.col("direction") == "I").then(mac).alias("destination.mac"),
        *(number[name].alias(f"source.{name}") for name in ("packets", "bytes")),
        *(number[f"{name}_back"].alias(f"destination.{name}") for name in ("packets", "bytes")),
    )  # fmt: skip
    return finished(events)
