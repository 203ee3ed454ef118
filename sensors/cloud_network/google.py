"""Google Cloud: VPC flows, firewall decisions, DNS queries (LogEntry in JSON)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.cloud_network.columns import CONNECTION, addresses, common, filled, finished
from sensors.reading.json_table import integer, mapped, objects, text, time
from sensors.values import connection, ecs

if TYPE_CHECKING:
    from sensors.sensor import Source

_GOOGLE: Final = {
    "event.id": "insertId",
    "log.level": "severity",
    "log.logger": "logName",
    "cloud.project.id": ("jsonPayload.instance.project_id", "resource.labels.project_id"),
    "network.community_id": "network.community_id",
}
_GOOGLE_FLOW: Final = (
    "reporter", "rtt_msec", "src_instance.vm_name", "src_instance.project_id", "src_instance.region",
    "src_instance.zone", "dest_instance.vm_name", "dest_instance.project_id", "dest_instance.region",
    "dest_instance.zone", "src_vpc.vpc_name", "src_vpc.subnetwork_name", "dest_vpc.vpc_name",
    "dest_vpc.subnetwork_name", "src_gke_details.pod.pod_name", "src_gke_details.service.service_name",
    "dest_gke_details.pod.pod_name", "dest_gke_details.service.service_name",
)  # fmt: skip
_GOOGLE_FIREWALL: Final = (
    "disposition", "rule_details.action", "rule_details.direction", "rule_details.priority",
    "rule_details.reference", "instance.vm_name", "instance.zone", "vpc.vpc_name", "vpc.subnetwork_name",
    "remote_instance.vm_name", "remote_vpc.vpc_name",
)  # fmt: skip
_PLACE: Final = {
    "country_name": "country", "city_name": "city", "region_name": "region", "continent_name": "continent",
}  # fmt: skip
_RDATA: Final = ("domainName", "ttl", "class", "type", "rvalue")
_GOOGLE_DNS: Final = (
    "vmInstanceName", "vmInstanceId", "vmProjectId", "vmZoneName", "sourceNetwork", "serverLatency",
    "authAnswer", "egressError", "dns64Translated", "alias_query_response_code",
)  # fmt: skip


def _google_ends(frame: pl.DataFrame) -> list[pl.Expr]:
    join = "jsonPayload.connection"
    return [
        *ecs.address("source", text(frame, f"{join}.src_ip")),
        *ecs.address("destination", text(frame, f"{join}.dest_ip")),
        integer(frame, f"{join}.src_port").alias("source.port"),
        integer(frame, f"{join}.dest_port").alias("destination.port"),
        connection.transport(integer(frame, f"{join}.protocol")).alias("network.transport"),
    ]


def _places(frame: pl.DataFrame, **sides: str) -> list[pl.Expr]:
    """Where Google says that an end outside its network is."""
    return [
        *(text(frame, f"jsonPayload.{path}.{word}").alias(f"{side}.geo.{name}")
          for side, path in sides.items() for name, word in _PLACE.items()),
        *(integer(frame, f"jsonPayload.{path}.asn").alias(f"{side}.as.number")
          for side, path in sides.items()),
    ]  # fmt: skip


def _own(frame: pl.DataFrame, root: str, paths: tuple[str, ...]) -> list[pl.Expr]:
    return mapped(frame, {f"{root}.{path}": f"jsonPayload.{path}" for path in paths})


def flow(frame: pl.DataFrame, source: Source) -> pl.DataFrame:  # noqa: ARG001 - all makers are alike
    """One direction of a connection, as one of its ends reported it."""
    here, there = (text(frame, f"jsonPayload.{side}_instance.vm_name") for side in ("src", "dest"))
    sized = {"bytes": "jsonPayload.bytes_sent", "packets": "jsonPayload.packets_sent"}
    start, end = (time(frame, f"jsonPayload.{word}_time") for word in ("start", "end"))
    mine = text(frame, "jsonPayload.reporter") == "SRC"
    region = [text(frame, f"jsonPayload.{side}_instance.region") for side in ("src", "dest")]
    network = [text(frame, f"jsonPayload.{side}_vpc.vpc_name") for side in ("src", "dest")]
    inside = here.is_not_null() & there.is_not_null()
    events = frame.select(
        *common(frame, "gcp.vpcflow", "gcp", "timestamp"),
        CONNECTION.alias("event.type"),
        start.alias("event.start"),
        end.alias("event.end"),
        (end - start).dt.total_microseconds().mul(1000).alias("event.duration"),
        *_google_ends(frame),
        *(integer(frame, path).alias(f"{side}.{what}")
          for what, path in sized.items() for side in ("source", "network")),
        *(pl.when(inside).then(pl.when(mine).then(one).otherwise(other)).alias(name)
          for name, (one, other) in {"cloud.region": region, "network.name": network}.items()),
        pl.when(inside).then(pl.lit("internal")).when(here.is_not_null()).then(pl.lit("outbound"))
        .when(there.is_not_null()).then(pl.lit("inbound")).otherwise(pl.lit("unknown")).alias("network.direction"),
        *mapped(frame, _GOOGLE),
        *_own(frame, "gcp.vpcflow", _GOOGLE_FLOW),
        *_places(frame, source="src_location", destination="dest_location"),
        here.alias("~here"),
        there.alias("~there"),
    )  # fmt: skip
    return finished(
        events.with_columns(
            pl.coalesce("~here", "source.domain").alias("source.domain"),
            pl.coalesce("~there", "destination.domain").alias("destination.domain"),
        )
    )


def firewall(frame: pl.DataFrame, source: Source) -> pl.DataFrame:  # noqa: ARG001 - all makers are alike
    """A connection that a rule let through or not; the instance is the end that the rule guards."""
    outward = text(frame, "jsonPayload.rule_details.direction") == "EGRESS"
    guarded, remote = (text(frame, f"jsonPayload.{name}.vm_name") for name in ("instance", "remote_instance"))
    passed = text(frame, "jsonPayload.disposition").replace_strict(
        {"ALLOWED": "allowed", "DENIED": "denied"}, default=None, return_dtype=pl.String
    )
    events = frame.select(
        *common(frame, "gcp.firewall", "gcp", "timestamp"),
        pl.lit("firewall-rule").alias("event.action"),
        pl.concat_list(passed, pl.lit("connection")).list.drop_nulls().alias("event.type"),
        *_google_ends(frame),
        pl.when(outward).then(pl.lit("outbound")).otherwise(pl.lit("inbound")).alias("network.direction"),
        text(frame, "jsonPayload.instance.region").alias("cloud.region"),
        text(frame, "jsonPayload.vpc.vpc_name").alias("network.name"),
        text(frame, "jsonPayload.rule_details.reference").alias("rule.name"),
        *mapped(frame, _GOOGLE),
        *_own(frame, "gcp.firewall", _GOOGLE_FIREWALL),
        *_remote(frame, outward),
        pl.when(outward).then(guarded).otherwise(remote).alias("~here"),
        pl.when(outward).then(remote).otherwise(guarded).alias("~there"),
    )
    return finished(
        events.with_columns(
            pl.coalesce("~here", "source.domain").alias("source.domain"),
            pl.coalesce("~there", "destination.domain").alias("destination.domain"),
        )
    )


def _remote(frame: pl.DataFrame, outward: pl.Expr) -> list[pl.Expr]:
    places = _places(frame, source="remote_location", destination="remote_location")
    return [
        pl.when(outward if place.meta.output_name().startswith("destination") else ~outward).then(place)
        .alias(place.meta.output_name())
        for place in places
    ]  # fmt: skip


def dns(frame: pl.DataFrame, source: Source) -> pl.DataFrame:  # noqa: ARG001 - all makers are alike
    """A query, and its answers: a line each, `name TTL class type data` with tabs between."""
    code = text(frame, "jsonPayload.responseCode")
    listed = objects(frame, "jsonPayload.structuredRdata", *_RDATA)
    joined = listed.list.eval(
        pl.concat_str([pl.element().struct.field(key) for key in _RDATA], separator="\t")
    )
    written = text(frame, "jsonPayload.rdata").str.split("\n")
    answers = pl.when(written.list.len() > 0).then(written).when(joined.list.len() > 0).then(joined)
    cut = answers.list.eval(pl.element().str.extract_groups(r"^(\S+)\s+(\d+)\s+(\S+)\s+(\S+)\s+(.+?)\.?$"))
    part = {"name": "1", "ttl": "2", "type": "4", "data": "5"}
    lists = {
        name: cut.list.eval(pl.element().struct.field(key)).list.drop_nulls() for name, key in part.items()
    }
    lists["type"] = lists["type"].list.eval(pl.element().str.to_uppercase())
    lists["name"] = lists["name"].list.eval(pl.element().str.strip_suffix("."))
    events = frame.select(
        *common(frame, "gcp.dns", "gcp", "timestamp"),
        pl.lit("dns-query").alias("event.action"),
        pl.when(code == "NOERROR").then(pl.lit("success")).when(code.is_not_null()).then(pl.lit("failure"))
        .alias("event.outcome"),
        *ecs.address("source", text(frame, "jsonPayload.sourceIP")),
        *ecs.address("destination", text(frame, "jsonPayload.destinationIP")),
        text(frame, "jsonPayload.protocol").str.to_lowercase().alias("network.transport"),
        pl.lit("dns").alias("network.protocol"),
        text(frame, "jsonPayload.queryName").str.strip_suffix(".").alias("dns.question.name"),
        text(frame, "jsonPayload.queryType").alias("dns.question.type"),
        code.alias("dns.response_code"),
        *(filled(values).alias(f"dns.answers.{name}") for name, values in lists.items()),
        filled(addresses(lists["data"])).alias("dns.resolved_ip"),
        text(frame, "jsonPayload.vmInstanceIdString", "jsonPayload.vmInstanceId").alias("cloud.instance.id"),
        text(frame, "resource.labels.location").alias("cloud.region"),
        *mapped(frame, _GOOGLE),
        *_own(frame, "gcp.dns", _GOOGLE_DNS),
    )  # fmt: skip
    return finished(events)
