"""goflow2's JSON: NetFlow, IPFIX and sFlow as that collector writes them, a flow or a sampled packet a line.

Fields after https://github.com/netsampler/goflow2 (docs/protobuf.md; version 1 wrote the same names in
PascalCase); mapping after Elastic's `goflow2.sflow`. A sampled packet stands for as many as its sampling rate
says: `network.bytes` and `network.packets` are that estimate, `goflow2.bytes` is what was seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import integer, text, time
from sensors.values import connection, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_TYPES: Final = r"^(?:SFLOW_5|NETFLOW_V[59]|IPFIX)$"
_ETHER: Final = {"IPv4": "ipv4", "IPv6": "ipv6", "2048": "ipv4", "34525": "ipv6", "ARP": "arp", "2054": "arp"}
_OWN: Final = (
    "bytes", "packets", "sampling_rate", "sequence_num", "flow_direction", "forwarding_status", "ip_tos",
    "ip_ttl", "tcp_flags", "icmp_type", "icmp_code", "next_hop", "bgp_next_hop", "src_net", "dst_net",
    "observation_domain_id", "fragment_id", "ipv6_flow_label", "as_path", "bgp_communities", "layer_stack",
)  # fmt: skip


class GoFlow2:
    """The sensor."""

    name = "goflow2"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether all of the first records are of one of the collector's types and name their sampler."""
        return json_table.mostly(head, _is_flow)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            fits = _said(table, "type").str.contains(_TYPES) & _time(table).is_not_null()
            kept = json_table.kept(table, fits, source, "no flow of goflow2: no type, or no time")
            if kept.height:
                yield _events(kept)


SENSOR: Final = GoFlow2()


def _is_flow(record: dict[str, object]) -> bool:
    kind = record.get("type", record.get("Type"))
    known = isinstance(kind, str) and (kind in {"SFLOW_5", "IPFIX"} or kind.startswith("NETFLOW_V"))
    return known and ("sampler_address" in record or "SamplerAddress" in record)


def _names(name: str) -> tuple[str, str]:
    return name, "".join(part.capitalize() for part in name.split("_"))


def _said(frame: pl.DataFrame, name: str) -> pl.Expr:
    return text(frame, *_names(name))


def _counted(frame: pl.DataFrame, name: str) -> pl.Expr:
    return integer(frame, *_names(name))


def _time(frame: pl.DataFrame) -> pl.Expr:
    began = time(frame, "time_flow_start_ns", "TimeFlowStartNs", "TimeFlowStart")
    return pl.coalesce(_after_1990(began), time(frame, "time_received_ns", "TimeReceivedNs", "TimeReceived"))


def _after_1990(moment: pl.Expr) -> pl.Expr:
    """A time; zero means that the exporter said none."""
    return pl.when(moment.dt.year() > 1990).then(moment)  # noqa: PLR2004 - older than all of these formats


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    sampled = _said(frame, "type") == "SFLOW_5"
    rate = pl.when(sampled).then(_counted(frame, "sampling_rate").clip(1)).otherwise(1).fill_null(1)
    octets, packets = _counted(frame, "bytes"), _counted(frame, "packets").fill_null(1)
    start = _after_1990(time(frame, "time_flow_start_ns", "TimeFlowStartNs", "TimeFlowStart"))
    end = _after_1990(time(frame, "time_flow_end_ns", "TimeFlowEndNs", "TimeFlowEnd"))
    kind = _said(frame, "etype").replace_strict(_ETHER, default=None, return_dtype=pl.String)
    vlan = pl.coalesce(
        *(pl.when(_counted(frame, name) > 0).then(_said(frame, name)) for name in ("src_vlan", "vlan_id"))
    )
    events = frame.select(
        "log.offset",
        "log.file.line",
        _time(frame).alias("@timestamp"),
        pl.when(sampled).then(pl.lit("goflow2.sflow")).otherwise(pl.lit("goflow2.netflow")).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection"]).alias("event.type"),
        _said(frame, "type").alias("event.action"),
        start.alias("event.start"),
        end.alias("event.end"),
        pl.when(end >= start).then((end - start).dt.total_nanoseconds()).alias("event.duration"),
        *ecs.address("source", _said(frame, "src_addr")),
        *ecs.address("destination", _said(frame, "dst_addr")),
        _counted(frame, "src_port").alias("source.port"),
        _counted(frame, "dst_port").alias("destination.port"),
        _mac(frame, "src_mac").alias("source.mac"),
        _mac(frame, "dst_mac").alias("destination.mac"),
        _present(_counted(frame, "src_as")).alias("source.as.number"),
        _present(_counted(frame, "dst_as")).alias("destination.as.number"),
        (octets * rate).alias("network.bytes"),
        (packets * rate).alias("network.packets"),
        (octets * rate).alias("source.bytes"),
        (packets * rate).alias("source.packets"),
        connection.transport(_said(frame, "proto").str.to_lowercase()).alias("network.transport"),
        kind.alias("~type"),
        vlan.alias("network.vlan.id"),
        _said(frame, "sampler_address").alias("observer.ip"),
        _said(frame, "in_if").alias("observer.ingress.interface.id"),
        _said(frame, "out_if").alias("observer.egress.interface.id"),
        _said(frame, "src_vlan").alias("observer.ingress.vlan.id"),
        _said(frame, "dst_vlan").alias("observer.egress.vlan.id"),
        *(_said(frame, name).alias(f"goflow2.{name}") for name in _OWN),
        _counted(frame, "icmp_type").alias("~icmp"),
        _counted(frame, "icmp_code").alias("~code"),
    )  # fmt: skip
    described = connection.described(events, ("~icmp", "~code"))
    described = described.with_columns(pl.coalesce("network.type", "~type").alias("network.type"))
    return ecs.only(ecs.relations(described, ip=("source.ip", "destination.ip")), "goflow2")


def _present(number: pl.Expr) -> pl.Expr:
    return pl.when(number != 0).then(number)


def _mac(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A hardware address, which version 1 wrote as a number."""
    given = _said(frame, name)
    real = pl.when(given.str.contains(":") & (given != "00:00:00:00:00:00")).then(given)
    return real.str.to_uppercase().str.replace_all(":", "-")
