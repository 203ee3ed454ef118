"""Records of the management API: activities, agents, alerts, threats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import mapped, objects, text, time
from sensors.shapes.mapping import address, first_rule, flags
from sensors.values import command_line, ecs
from sensors.values.ecs import is_ip

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEANING: Final = {"agent": (["host"], ["info"]), "alert": (["malware"], ["info"])}
_INTEGERS: Final = ("process.pid", "process.parent.pid", "source.port", "destination.port")


def events(frame: pl.DataFrame, kind: str, fields: Mapping[str, Any]) -> pl.DataFrame:
    """The records of one kind as ECS."""
    made = [
        expr
        for expr in mapped(frame, fields[kind])
        if expr.meta.output_name() not in ("source.ip", "destination.ip")
    ]
    out = frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        pl.col("text").alias("event.original"),
        pl.lit(f"sentinel_one.{kind}").alias("event.dataset"),
        _kind(frame, kind),
        pl.lit("SentinelOne").alias("observer.vendor"),
        *_meaning(frame, kind, fields),
        *made,
        *_addresses(frame, kind),
    )
    out = out.with_columns(
        pl.col(name).cast(pl.Int64, strict=False) for name in _INTEGERS if name in out.columns
    )
    if kind == "alert":
        out = out.with_columns(
            _of(frame, "sourceProcessInfo.pidStarttime", "process.start"),
            _of(frame, "sourceParentProcessInfo.pidStarttime", "process.parent.start"),
            _of(frame, "targetProcessInfo.tgtFileCreatedAt", "file.created"),
            _of(frame, "targetProcessInfo.tgtFileModifiedAt", "file.mtime"),
        )
    if kind == "activity":
        out = out.with_columns(pl.coalesce("process.hash.sha1", "file.hash.sha1").alias("process.hash.sha1"))
    return ecs.only(_related(out), "sentinel_one")


def _kind(frame: pl.DataFrame, kind: str) -> pl.Expr:
    """Threats are alerts, and activities about what SentinelOne thinks ill of."""
    bad = text(frame, "data.confidenceLevel").str.contains("(?i)^(suspicious|malicious)$")
    alert = pl.lit(value=True) if kind == "threat" else bad.fill_null(value=False) & (kind == "activity")
    return pl.when(alert).then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind")


def _of(frame: pl.DataFrame, path: str, name: str) -> pl.Series:
    return frame.select("log.offset", time(frame, path).alias(name))[name]


def _related(out: pl.DataFrame) -> pl.DataFrame:
    ips = [name for name in ("host.ip", "~inside") if name in out.columns]
    lists = [pl.col(name).fill_null(pl.lit([], pl.List(pl.String))) for name in ips]
    out = ecs.relations(
        out,
        user=("user.name", "user.full_name", "sentinel_one.activity.by_user"),
        hosts=("host.name", "~workgroup"),
        hash=("file.hash.sha1", "process.hash.md5", "process.hash.sha1", "process.hash.sha256"),
    )
    if lists:
        every = pl.concat_list(lists).list.unique(maintain_order=True)
        out = out.with_columns(pl.when(every.list.len() > 0).then(every).alias("related.ip"))
    if "process.command_line" in out.columns:
        out = out.with_columns(command_line.args(pl.col("process.command_line")).alias("process.args"))
    return out


def _meaning(frame: pl.DataFrame, kind: str, fields: Mapping[str, Any]) -> list[pl.Expr]:
    """`event.category`, `.type` and `.outcome`."""
    if kind in _MEANING:
        category, of_type = _MEANING[kind]
        return [
            pl.lit(category, pl.List(pl.String)).alias("event.category"),
            pl.lit(of_type, pl.List(pl.String)).alias("event.type"),
        ]
    if kind == "threat":
        ranked = text(frame, "indicators").str.contains('"tactics"', literal=True).fill_null(value=False)
        return [
            pl.when(ranked)
            .then(pl.lit(["threat"], pl.List(pl.String)))
            .otherwise(pl.lit(["malware"], pl.List(pl.String)))
            .alias("event.category"),
            pl.when(ranked)
            .then(pl.lit(["indicator"], pl.List(pl.String)))
            .otherwise(pl.lit(["info"], pl.List(pl.String)))
            .alias("event.type"),
            objects(frame, "threatInfo.detectionEngines", "title")
            .list.eval(pl.element().struct.field("title"))
            .list.join(",")
            .alias("event.action"),
        ]
    return _of_activities(frame, fields)


def _of_activities(frame: pl.DataFrame, fields: Mapping[str, Any]) -> list[pl.Expr]:
    """What an activity is: by the classification of the threat it is about, else by its description."""
    said = text(frame, "primaryDescription", "description")
    threat = text(frame, "threatId").is_not_null()
    classed = text(frame, "data.threatClassification")
    none = pl.lit([], pl.List(pl.String))

    def words(part: str) -> pl.Expr:
        fitting = flags({word: said.str.contains(rule) for rule, word in fields[f"activity_{part}"].items()})
        return pl.when(threat).then(first_rule(classed, fields[f"threat_{part}"])).otherwise(fitting)

    category, types = words("category").fill_null(none), words("type").fill_null(none)
    info = pl.when(~threat & said.is_not_null()).then(pl.lit(["info"], pl.List(pl.String)))
    return [
        pl.when(category.list.len() > 0)
        .then(category)
        .otherwise(first_rule(said, fields["activity_else"]))
        .alias("event.category"),
        pl.when(types.list.len() > 0).then(types).otherwise(info).alias("event.type"),
        pl.when(~threat).then(first_rule(said, fields["activity_outcome"])).alias("event.outcome"),
    ]


def _addresses(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:
    """A machine's public address as `host.ip`; a login's as the source's as well."""
    if kind == "alert":
        return [
            address(text(frame, "alertInfo.srcIp", "alertInfo.srcMachineIp")).alias("source.ip"),
            address(text(frame, "alertInfo.dstIp")).alias("destination.ip"),
        ]
    ip = address(text(frame, "externalIp", "agentDetectionInfo.externalIp", "data.ipAddress"))
    host = pl.when(ip.is_not_null()).then(pl.concat_list(ip)).alias("host.ip")
    if kind == "activity":
        said = text(frame, "primaryDescription").str.extract(r"(?i)IP Address:? ([0-9a-fA-F.:]+)", 1)
        return [
            host,
            pl.coalesce(ip, address(said)).alias("source.ip"),
            text(frame, "data.username").alias("source.user.name"),
        ]
    path = "networkInterfaces" if kind == "agent" else "agentRealtimeInfo.networkInterfaces"
    mac = objects(frame, path, "physical").list.eval(command_line.mac(pl.element().struct.field("physical")))
    inside = [
        address(text(frame, *paths))
        for paths in (("lastIpToMgmt", "agentDetectionInfo.agentIpV4"), ("agentDetectionInfo.agentIpV6",))
    ]
    quoted = text(frame, path).str.extract_all(r'"[0-9A-Fa-f:.]{3,45}"')
    ports = quoted.list.eval(
        pl.element().str.strip_chars('"').filter(is_ip(pl.element().str.strip_chars('"')))
    )
    every = pl.concat_list(pl.concat_list(inside), ports.fill_null(pl.lit([], pl.List(pl.String))))
    return [
        host,
        mac.list.drop_nulls().alias("host.mac"),
        every.list.drop_nulls().alias("~inside"),
        text(frame, "domain" if kind == "agent" else "~none").alias("~workgroup"),
    ]
