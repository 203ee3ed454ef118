"""Network logs of Google Cloud and Azure, and Amazon's DNS resolver: flows, firewall decisions, DNS queries.

After https://cloud.google.com/vpc/docs/about-flow-logs-records, .../firewall/docs/firewall-rules-logging,
.../dns/docs/monitoring (LogEntry in JSON);
https://learn.microsoft.com/azure/network-watcher/nsg-flow-logs-overview and vnet-flow-logs-overview (one
event for each flow tuple, at its own time);
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html. Mapping after
Elastic's `gcp`, `azure_network_watcher_nsg`, `azure_network_watcher_vnet` and `aws.route53_resolver_logs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.cloud_network import amazon, azure, firewalls, google
from sensors.reading import json_table
from sensors.reading.json_table import text, time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sensors.sensor import Source

_STREAMS: Final = (
    r"logs/(?:compute|dns|networkmanagement)\.googleapis\.com(?:%2F|/)(vpc_flows|firewall|dns_queries)"
)
_TIMES: Final = (
    "timestamp", "time", "query_timestamp", "event.timestamp", "event_timestamp", "TimeGenerated",
    "TimeGenerated [UTC]",
)  # fmt: skip
_MAKERS: Final[dict[str, Callable[[pl.DataFrame, Source], pl.DataFrame]]] = {
    "vpc_flows": google.flow,
    "firewall": google.firewall,
    "dns_queries": google.dns,
    "nsg": azure.flows,
    "vnet": azure.flows,
    "route53": amazon.resolver,
    "aws_firewall": firewalls.aws,
    "azure_firewall": firewalls.azure,
}


class CloudNetwork:
    """The sensor."""

    name = "cloud_network"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether all of the first records are of one of these logs."""
        return json_table.mostly(head, _kind)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            kind = _kinds(table)
            dated = kind.is_not_null() & time(table, *_TIMES).is_not_null()
            kept = json_table.kept(
                table, dated, source, "no flow, firewall or DNS record, or one without time"
            )
            if not kept.height:
                continue
            kinds = kept.select(_kinds(kept).alias("kind"))["kind"]
            parts = [
                make(kept.filter(kinds == name), source)
                for name, make in _MAKERS.items()
                if (kinds == name).any()
            ]
            parts = [part for part in parts if part.height]
            if parts:
                yield pl.concat(parts, how="diagonal").sort("log.offset", maintain_order=True)


SENSOR: Final = CloudNetwork()


def _kind(record: dict[str, object]) -> bool:
    name = record.get("logName")
    if isinstance(name, str):
        payload = record.get("jsonPayload")
        return isinstance(payload, dict) and name.endswith(
            ("vpc_flows", "%2Ffirewall", "/firewall", "dns_queries")
        )
    if record.get("category") in {"NetworkSecurityGroupFlowEvent", "FlowLogFlowEvent"}:
        return "properties" in record or "flowRecords" in record
    return {"query_name", "query_timestamp", "srcaddr"} <= record.keys() or firewalls.kind(record)


def _kinds(frame: pl.DataFrame) -> pl.Expr:
    category = text(frame, "category")
    return pl.coalesce(
        text(frame, "logName").str.extract(_STREAMS, 1),
        category.replace_strict(
            {"NetworkSecurityGroupFlowEvent": "nsg", "FlowLogFlowEvent": "vnet"},
            default=None,
            return_dtype=pl.String,
        ),
        pl.when(text(frame, "query_name").is_not_null() & text(frame, "srcaddr").is_not_null()).then(
            pl.lit("route53")
        ),
        firewalls.kinds(frame),
    )
