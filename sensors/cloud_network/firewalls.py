"""The firewalls of AWS and Azure: Suricata's EVE in an envelope; decisions in words, and in columns.

https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-logging-contents.html;
https://learn.microsoft.com/azure/firewall/monitor-firewall-reference (structured logs, `AZFW…`, and the older
diagnostics, `AzureFirewall…`, whose `msg` says it all). Mapping after Elastic's `aws.firewall_logs` and
`azure.firewall_logs`; what an address was translated to is `destination.nat`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import suricata
from sensors.cloud_network.columns import NETWORK, finished
from sensors.reading.json_table import integer, mapped, text, time
from sensors.values import ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from sensors.sensor import Source

_LIST: Final = pl.List(pl.String)
_TEXT: Final = {
    "azure": ("Azure", "Network Firewall"),
    "aws": ("AWS", "Network Firewall"),
}
_EVE: Final = {
    name: tuple(f"event.{path}" for path in ((paths,) if isinstance(paths, str) else paths))
    for name, paths in suricata.FIELDS.items()
    if not name.startswith(("observer.", "host.", "user.", "source.user.", "message"))
} | {
    "observer.name": ("firewall_name",),
    "cloud.availability_zone": ("availability_zone",),
    "aws.firewall.flow.id": ("event.flow_id",),
    "aws.firewall.alert.action": ("event.alert.action",),
    "aws.firewall.verdict": ("event.verdict.action",),
    "aws.firewall.tls_error": ("event.tls_error.error_message", "event.tls_inspected"),
    "message": ("event.alert.signature",),
}  # fmt: skip
# Column of the structured logs, and what the older ones' message calls it, up to where the next part begins.
_MSG: Final = {
    "policy": r" Policy: (.*?)\. Rule Collection Group:",
    "group": r" Rule Collection Group: (.*?)\. Rule Collection:",
    "ruleset": r" Rule Collection: (.*?)\. Rule:",
    "rule": r" Rule: (.*?)(?:\. Web Category: .*)?\.?$",
    "web": r" Web Category: (.*?)\.?$",
    "url": r" Url: (.*?)\. Action:",
    "action": r" Action: (\w+)",
    "signature": r" Signature: ([^.]+)\.",
    "ids": r" IDS: (.*?)\. Priority:",
    "priority": r" Priority: ([0-9]+)",
    "class": r" Classification: (.*?)\.?$",
    "threat": r" ThreatIntel: (.*?)\.?$",
    "nat": r" was DNAT'ed to \[?([0-9A-Fa-f.:]+?)\]?:[0-9]+",
    "nat_port": r" was DNAT'ed to \S+:([0-9]+)",
    "reason": r" Action: \w+\. (?:Reason: )?(.*)$",
}
_KEYWORDS: Final = r"^(?:Policy|Rule Collection(?: Group)?|Rule|Signature|ThreatIntel|Web Category): "
_REQUEST: Final = (
    r"^(?P<proto>\S+?)(?: Type=(?P<icmp>\S+))? request from (?P<source>\[[^\]]+\]|[^\s:]+)"
    r"(?::(?P<port>[0-9]*))?"
    r"(?: to (?P<destination>\[[^\]]+\]|[^\s:]*[^\s:.])(?::(?P<other>[0-9]*))?)?(?:\.| |$)"
)
_DNS: Final = (
    r"^DNS Request: (?P<dns_source>\S+):(?P<dns_port>[0-9]+) - (?P<id>\S+) (?P<type>\S+) (?P<class_>\S+) "
    r"(?P<name>\S+) (?P<transport>\S+) (?P<size>[0-9]+) (?P<secure>\S+) (?P<buffer>\S+) (?P<code>\S+) "
    r"(?P<flags>\S+) (?P<answer>[0-9]+) (?P<seconds>[0-9.]+)s"
)
_TRANSPORTS: Final = ("udp", "tcp", "icmp")


def aws(frame: pl.DataFrame, source: Source) -> pl.DataFrame:  # noqa: ARG001 - all makers are alike
    """An alert, a flow or a TLS failure of AWS Network Firewall."""
    kind = text(frame, "event.event_type")
    action = text(frame, "event.alert.action")
    host = text(frame, "event.http.hostname", "event.tls.sni")
    zone = text(frame, "availability_zone")
    protocol = text(frame, "event.app_proto")
    epoch = time(frame, "event_timestamp")
    events = frame.select(
        "log.offset",
        "log.file.line",
        pl.coalesce(time(frame, "event.timestamp"), epoch).alias("@timestamp"),
        pl.lit("aws.firewall_logs").alias("event.dataset"),
        pl.when(kind == "alert").then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        NETWORK.alias("event.category"),
        pl.concat_list(
            pl.lit("connection"),
            action.replace_strict({"blocked": "denied", "allowed": "allowed"}, default=None),
        ).list.drop_nulls().alias("event.type"),
        kind.alias("event.action"),
        pl.lit("aws").alias("cloud.provider"),
        zone.str.extract(r"^(.*[0-9])[a-z]+$", 1).alias("cloud.region"),
        *_observer("aws"),
        *ecs.address("source", text(frame, "event.src_ip")),
        *ecs.address("destination", text(frame, "event.dest_ip")),
        integer(frame, "event.src_port").alias("source.port"),
        integer(frame, "event.dest_port").alias("destination.port"),
        integer(frame, "event.alert.severity").alias("event.severity"),
        integer(frame, "event.netflow.bytes").alias("source.bytes"),
        integer(frame, "event.netflow.bytes").alias("network.bytes"),
        integer(frame, "event.netflow.pkts").alias("source.packets"),
        integer(frame, "event.netflow.pkts").alias("network.packets"),
        time(frame, "event.netflow.start").alias("event.start"),
        time(frame, "event.netflow.end").alias("event.end"),
        text(frame, "event.proto").str.to_lowercase().alias("network.transport"),
        pl.coalesce(pl.when(protocol != "failed").then(protocol), pl.lit("unknown"))
        .alias("network.protocol"),
        text(frame, "event.http.protocol").str.extract(r"^HTTP/(.+)$", 1).alias("http.version"),
        integer(frame, "event.http.status").alias("http.response.status_code"),
        text(frame, "event.tls.version").str.extract(r"([0-9.]+)$", 1).alias("tls.version"),
        *mapped(frame, _EVE),
        host.alias("~host"),
    ).with_columns(
        (pl.col("event.end") - pl.col("event.start")).dt.total_microseconds().mul(1000)
        .alias("event.duration")
    )  # fmt: skip
    # A host that is named by its address is the destination's domain all the same, as Elastic has it.
    named = url_columns(events).with_columns(pl.col("~host").alias("destination.domain"))
    return finished(named)


def _observer(provider: str) -> list[pl.Expr]:
    vendor, product = _TEXT[provider]
    return [
        pl.lit("firewall").alias("observer.type"),
        pl.lit(vendor).alias("observer.vendor"),
        pl.lit(product).alias("observer.product"),
    ]


def azure(frame: pl.DataFrame, source: Source) -> pl.DataFrame:  # noqa: ARG001 - all makers are alike
    """A decision of Azure Firewall, about a connection or a name."""

    def said(*names: str) -> pl.Expr:
        return text(frame, *(f"{root}{name}" for name in names for root in ("properties.", "")))

    def counted(*names: str) -> pl.Expr:
        return integer(frame, *(f"{root}{name}" for name in names for root in ("properties.", "")))

    # The offset gives the frame its height: a batch without the field has a literal there, of one row.
    message = frame.select("log.offset", said("msg").alias("msg"))["msg"]
    words = pl.DataFrame({name: message.str.extract(form, 1) for name, form in _MSG.items()})
    words = words.hstack(message.str.extract_groups(_REQUEST).struct.unnest())
    words = words.hstack(message.str.extract_groups(_DNS).struct.unnest())
    reason = pl.Series("reason", words["reason"]).set(words["reason"].str.contains(_KEYWORDS), None)
    word = {name: pl.lit(words[name]) for name in words.columns}
    action = pl.coalesce(said("Action"), word["action"])
    resource = text(frame, "resourceId", "_ResourceId")
    proto = pl.coalesce(said("Protocol"), word["proto"], word["transport"]).str.to_lowercase()
    is_transport = proto.is_in(_TRANSPORTS) | proto.str.starts_with("icmp")
    destination = pl.coalesce(said("DestinationIp"), word["destination"], said("Fqdn"))
    flags = pl.coalesce(said("ResponseFlags"), word["flags"]).str.to_uppercase().str.split(",")
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "time", "TimeGenerated", "TimeGenerated [UTC]").alias("@timestamp"),
        pl.lit("azure.firewall_logs").alias("event.dataset"),
        pl.when(text(frame, "category", "Category", "Type").str.contains(r"Idps|ThreatIntel"))
        .then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        NETWORK.alias("event.category"),
        pl.concat_list(pl.lit("connection"), _decision(action)).list.drop_nulls().alias("event.type"),
        action.alias("event.action"),
        pl.coalesce(said("ActionReason"), pl.lit(reason)).alias("event.reason"),
        counted("Severity").alias("event.severity"),
        word["priority"].cast(pl.Float64, strict=False).alias("event.risk_score"),
        pl.lit("azure").alias("cloud.provider"),
        resource.str.extract(r"(?i)/SUBSCRIPTIONS/([^/]+)", 1).alias("cloud.account.id"),
        resource.str.extract(r"([^/]+)$", 1).alias("observer.name"),
        *_observer("azure"),
        resource.alias("azure.resource.id"),
        text(frame, "category", "Category", "Type").alias("azure.firewall.category"),
        text(frame, "operationName", "OperationName").alias("azure.firewall.operation_name"),
        action.alias("azure.firewall.action"),
        pl.coalesce(said("Policy"), word["policy"]).alias("azure.firewall.policy"),
        pl.coalesce(said("RuleCollectionGroup"), word["group"]).alias("azure.firewall.rule_collection_group"),
        said("WebCategory").alias("azure.firewall.web_category"),
        pl.coalesce(word["icmp"], pl.lit(None, pl.String)).alias("azure.firewall.icmp.request.code"),
        pl.coalesce(said("RuleCollection"), word["ruleset"]).alias("rule.ruleset"),
        pl.coalesce(said("Rule"), word["rule"], said("Description"), word["ids"], said("ThreatDescription"),
                    word["threat"]).alias("rule.name"),
        pl.coalesce(word["web"], text(frame, "properties.Category"), word["class"]).alias("rule.category"),
        pl.coalesce(said("SignatureId"), word["signature"]).alias("rule.id"),
        *ecs.address("source", pl.coalesce(said("SourceIp"), word["source"], word["dns_source"])
                     .str.strip_chars("[]")),
        *ecs.address("destination", destination.str.strip_chars("[]")),
        said("Fqdn").alias("~fqdn"),
        pl.coalesce(counted("SourcePort"), _whole(word["port"]), _whole(word["dns_port"]))
        .alias("source.port"),
        pl.coalesce(counted("DestinationPort"), _whole(word["other"])).alias("destination.port"),
        pl.coalesce(said("TranslatedIp"), word["nat"]).alias("destination.nat.ip"),
        pl.coalesce(counted("TranslatedPort"), _whole(word["nat_port"])).alias("destination.nat.port"),
        pl.when(is_transport).then(proto).alias("network.transport"),
        pl.when(~is_transport).then(proto).alias("network.protocol"),
        pl.coalesce(said("TargetUrl"), word["url"]).alias("url.original"),
        pl.coalesce(counted("RequestSize"), _whole(word["size"])).alias("source.bytes"),
        pl.coalesce(counted("ResponseSize"), _whole(word["answer"])).alias("destination.bytes"),
        pl.coalesce(said("QueryId"), word["id"]).alias("dns.id"),
        pl.coalesce(said("QueryName"), word["name"]).str.strip_suffix(".").alias("dns.question.name"),
        pl.coalesce(said("QueryType"), word["type"]).alias("dns.question.type"),
        pl.coalesce(said("QueryClass"), word["class_"]).alias("dns.question.class"),
        pl.coalesce(said("ResponseCode"), word["code"]).alias("dns.response_code"),
        flags.alias("dns.header_flags"),
        said("ErrorMessage").alias("error.message"),
    )  # fmt: skip
    located = url_columns(events).with_columns(
        pl.coalesce("~fqdn", "destination.domain").alias("destination.domain")
    )
    return finished(located)


def _whole(digits: pl.Expr) -> pl.Expr:
    return digits.cast(pl.Int64, strict=False)


def _decision(action: pl.Expr) -> pl.Expr:
    return action.str.to_lowercase().replace_strict(
        {"allow": "allowed", "deny": "denied", "drop": "denied"}, default=None, return_dtype=pl.String
    )


def kind(record: dict[str, object]) -> bool:
    """Whether a record is of one of these firewalls."""
    eve = record.get("event")
    if "firewall_name" in record and isinstance(eve, dict):
        return "event_type" in eve
    named = [record.get(name) for name in ("category", "Category", "Type")]
    return any(isinstance(name, str) and name.startswith(("AZFW", "AzureFirewall")) for name in named)


def kinds(frame: pl.DataFrame) -> pl.Expr:
    """`aws_firewall` or `azure_firewall` of each record, null for any other."""
    category = text(frame, "category", "Category", "Type")
    eve = text(frame, "firewall_name").is_not_null() & text(frame, "event.event_type").is_not_null()
    return (
        pl.when(eve)
        .then(pl.lit("aws_firewall"))
        .when(category.str.contains(r"^(?:AZFW|AzureFirewall)"))
        .then(pl.lit("azure_firewall"))
    )
