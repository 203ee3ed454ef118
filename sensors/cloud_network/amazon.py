"""Amazon Route 53: queries to the resolvers of a VPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.cloud_network.columns import addresses, common, filled, finished
from sensors.reading.json_table import integer, mapped, objects, text
from sensors.values import ecs

if TYPE_CHECKING:
    from sensors.sensor import Source

_ROUTE53: Final = {
    "cloud.account.id": "account_id",
    "cloud.region": "region",
    "cloud.instance.id": "srcids.instance",
    "dns.question.type": "query_type",
    "dns.question.class": "query_class",
    "dns.response_code": "rcode",
    "aws.route53.vpc_id": "vpc_id",
    "aws.route53.rule_action": ("firewall_rule_action", "rule_action"),
    "aws.route53.rule_group_id": ("firewall_rule_group_id", "firewall_rule_group"),
    "aws.route53.domain_list_id": ("firewall_domain_list_id", "firewall_domain_list"),
    "aws.route53.resolver_endpoint": "srcids.resolver_endpoint",
}


def resolver(frame: pl.DataFrame, source: Source) -> pl.DataFrame:  # noqa: ARG001 - all makers are alike
    """A query to the resolver of a VPC."""
    code = text(frame, "rcode")
    answers = objects(frame, "answers", "Rdata", "Type", "Class")
    data = answers.list.eval(pl.element().struct.field("Rdata").str.strip_suffix(".")).list.drop_nulls()
    blocked = text(frame, "firewall_rule_action", "rule_action") == "BLOCK"
    events = frame.select(
        *common(frame, "aws.route53_resolver_logs", "aws", "query_timestamp"),
        pl.when(blocked).then(pl.lit(["protocol", "denied"], pl.List(pl.String)))
        .otherwise(pl.lit(["protocol"], pl.List(pl.String))).alias("event.type"),
        pl.when(code == "NOERROR").then(pl.lit("success")).when(code.is_not_null()).then(pl.lit("failure"))
        .alias("event.outcome"),
        *ecs.address("source", text(frame, "srcaddr")),
        pl.lit(None, pl.String).alias("destination.ip"),
        integer(frame, "srcport").alias("source.port"),
        text(frame, "transport").str.to_lowercase().alias("network.transport"),
        pl.lit("dns").alias("network.protocol"),
        text(frame, "query_name").str.strip_suffix(".").alias("dns.question.name"),
        filled(data).alias("dns.answers.data"),
        filled(answers.list.eval(pl.element().struct.field("Type")).list.drop_nulls()).alias("dns.answers.type"),
        filled(addresses(data)).alias("dns.resolved_ip"),
        *mapped(frame, _ROUTE53),
    )  # fmt: skip
    return finished(events)
