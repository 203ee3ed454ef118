"""FTD's security events (messages 430001 to 430005): `Key: value, Key: value, ...`.

Keys after "Cisco Secure Firewall Threat Defense Syslog Messages", chapter "Security Event Syslog Messages".
"""

from __future__ import annotations

from typing import Final

import polars as pl

CODES: Final = ("430001", "430002", "430003", "430004", "430005")
# A comma and a key begin a new pair; a comma in a value (a URL, a message) has no `Key:` after it.
_PAIR = r",\s*([A-Za-z][A-Za-z0-9_ -]{1,40}): ?"
_START, _END = "\x1f", "\x1e"
KEYS: Final = {
    "SrcIP": "one.address",
    "DstIP": "two.address",
    "SrcPort": "one.port",
    "DstPort": "two.port",
    "IngressInterface": "one.interface",
    "EgressInterface": "two.interface",
    "NAT_InitiatorIP": "one.mapped",
    "NAT_InitiatorPort": "one.mapped_port",
    "NAT_ResponderIP": "two.mapped",
    "NAT_ResponderPort": "two.mapped_port",
    "IngressZone": "observer.ingress.zone",
    "EgressZone": "observer.egress.zone",
    "Protocol": "network.transport",
    "ApplicationProtocol": "network.protocol",
    "Client": "network.application",
    "User": "person",
    "UserAgent": "user_agent.original",
    "URL": "url.original",
    "URI": "url.original",
    "HTTPResponse": "http.response.status_code",
    "HTTPReferer": "http.request.referrer",
    "InitiatorBytes": "source.bytes",
    "ResponderBytes": "destination.bytes",
    "InitiatorPackets": "source.packets",
    "ResponderPackets": "destination.packets",
    "ConnectionDuration": "seconds",
    "FirstPacketSecond": "began",
    "ACPolicy": "rule.ruleset",
    "AccessControlRuleName": "rule.name",
    "AccessControlRuleAction": "verdict",
    "SID": "rule.id",
    "Message": "message",
    "Classification": "rule.category",
    "ThreatName": "rule.name",
    "DNSQuery": "dns.question.name",
    "DNSRecordType": "dns.question.type",
    "DNSResponseType": "dns.response_code",
    "SSLServerName": "tls.client.server_name",
    "FileName": "file.name",
    "FileSHA256": "file.hash.sha256",
    "FileSize": "file.size",
    "FilePolicy": "cisco.ftd.file_policy",
    "FileAction": "cisco.ftd.file_action",
    "WebApplication": "cisco.ftd.web_application",
    "URLCategory": "cisco.ftd.url_category",
    "EndpointProfile": "cisco.ftd.endpoint_profile",
}
_NUMBERS: Final = (
    "source.bytes", "destination.bytes", "source.packets", "destination.packets", "http.response.status_code",
    "file.size", "seconds",
)  # fmt: skip
_RECORD_TYPES: Final = {
    "a host address": "A",
    "IP6 Address": "AAAA",
    "the canonical name for an alias": "CNAME",
    "an authoritative name server": "NS",
    "mail exchange": "MX",
    "a domain name pointer": "PTR",
    "text strings": "TXT",
    "marks the start of a zone of authority": "SOA",
}
_RESPONSES: Final = {
    "No error": "NOERROR",
    "Non-Existent Domain": "NXDOMAIN",
    "Server Failure": "SERVFAIL",
    "Query Refused": "REFUSED",
}
_NOBODY: Final = [
    "No Authentication Required",
    "No Authentication",
    "Unknown",
    "Not Found",
    "Authentication Failed",
]


def parts(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with their pairs under the names that `columns.py` reads."""
    pairs = (
        frame.select(
            row=pl.int_range(pl.len()),
            pair=pl.concat_str(pl.lit(", "), "body")
            .str.replace_all(_PAIR, f"{_START}${{1}}{_END}")
            .str.split(_START),
        )
        .explode("pair", empty_as_null=True)
        .select(
            "row",
            pl.col("pair").str.split_exact(_END, 1).struct.rename_fields(["key", "value"]).alias("pair"),
        )
        .unnest("pair")
        .with_columns(pl.col("key").replace_strict(KEYS, default=None, return_dtype=pl.String))
        .filter(pl.col("key").is_not_null() & (pl.col("value") != ""))
        .with_columns(pl.col("value").str.strip_chars(" "))
        .unique(["row", "key"], keep="first", maintain_order=True)
    )
    if not pairs.height:
        return frame.with_columns(message=pl.col("body"))
    wide = pairs.pivot(on="key", index="row", values="value")
    found = (
        frame.with_columns(row=pl.int_range(pl.len()))
        .join(wide.with_columns(pl.col("row").cast(pl.Int64)), on="row", how="left", maintain_order="left")
        .drop("row")
    )
    return found.with_columns(_typed(found))


def _typed(found: pl.DataFrame) -> list[pl.Expr]:
    have = found.columns
    columns = [pl.col(name).cast(pl.Int64, strict=False) for name in _NUMBERS if name in have]
    if "person" in have:
        columns.append(pl.when(~pl.col("person").is_in(_NOBODY)).then("person").alias("person"))
    if "verdict" in have:
        blocked = pl.col("verdict").str.to_lowercase().str.contains("block|drop|deny|reset")
        columns.append(
            pl.when(blocked).then(pl.lit("block")).when(~blocked).then(pl.lit("allow")).alias("verdict")
        )
    if "began" in have:
        columns.append(pl.col("began").str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC"))
    for name, words in (("dns.question.type", _RECORD_TYPES), ("dns.response_code", _RESPONSES)):
        if name in have:
            columns.append(pl.col(name).replace(words))
    if "network.application" in have:
        columns.append(pl.col("network.application").str.to_lowercase())
    return columns
