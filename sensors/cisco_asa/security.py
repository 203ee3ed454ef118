"""FTD's security events (messages 430001 to 430005): `Key: value, Key: value, ...`.

FTD before 6.3, and FMC's alerts, leave the message number out: which event it is, its keys say.

Keys after "Cisco Secure Firewall Threat Defense Syslog Messages", chapter "Security Event Syslog Messages".
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.shapes.mapping import first_rule

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
    "Endpoint Profile": "cisco.ftd.endpoint_profile",
    "ConnectionID": "cisco.ftd.connection_id",
    "DeviceUUID": "cisco.ftd.device_uuid",
    "EventPriority": "cisco.ftd.event_priority",
    "AccessControlRuleReason": "cisco.ftd.rule_reason",
    "InlineResult": "verdict",
    "ClientVersion": "cisco.ftd.client_version",
    "FileDirection": "cisco.ftd.file_direction",
    "FileType": "file.type",
    "FileSandboxStatus": "cisco.ftd.file_sandbox_status",
    "SHA_Disposition": "cisco.ftd.sha_disposition",
    "ReferencedHost": "cisco.ftd.referenced_host",
    "URLReputation": "cisco.ftd.url_reputation",
    "URLSICategory": "cisco.ftd.url_si_category",
    "IPReputationSICategory": "cisco.ftd.ip_si_category",
    "DNSSICategory": "cisco.ftd.dns_si_category",
    "SSLVersion": "tls_protocol",
    "SSLCipherSuite": "tls.cipher",
    "SSLSessionID": "cisco.ftd.ssl_session_id",
    "SSLActualAction": "cisco.ftd.ssl_action",
    "VLAN_ID": "network.vlan.id",
    "NetBIOSDomain": "cisco.ftd.netbios_domain",
    "OriginalClientSrcIP": "cisco.ftd.original_client",
    "ReferrerURL": "http.request.referrer",
    "ICMPType": "cisco.ftd.icmp_type",
    "ICMPCode": "cisco.ftd.icmp_code",
    "ImpactLevel": "cisco.ftd.impact",
}
# Which event it is that has no number, by the keys that only it has; the first that fits.
_UNNUMBERED: Final = {
    r"\b(?:SHA_Disposition|ThreatName|SperoDisposition): ": "430005",
    r"\b(?:FileAction|FileName|FileDirection): ": "430004",
    r"\bConnectionDuration: ": "430003",
    r"\b(?:AccessControlRuleAction|ACPolicy|InitiatorPackets|HTTPResponse): ": "430002",
    r"\b(?:IntrusionPolicy|SID|Classification|Message): ": "430001",
}
_FIRST_PAIR: Final = r"^(?P<prefix>[^%:=]*?:? )?(?P<body>[A-Z][A-Za-z_]+: [^,]*, ?[A-Z][A-Za-z_ ]+: .*)$"
_PAIRED: Final = (
    r"(?:^|[\s,])(?:SrcIP|DstIP|AccessControlRuleAction|HTTPResponse|IngressInterface|ApplicationProtocol): "
)
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
_VERDICTS: Final = {
    "^(?:block|drop|deny|reset|interactive block)": "block",
    "allow|trust|fastpath": "allow",
}  # or it only watched
_NOBODY: Final = [
    "No Authentication Required",
    "No Authentication",
    "Unknown",
    "Not Found",
    "Authentication Failed",
]


def unnumbered(rest: pl.Expr) -> pl.Expr:
    """Struct `code`, `prefix` (who sent it), `body` of lines that hold pairs without a message number."""
    found = rest.str.extract_groups(_FIRST_PAIR)
    code = pl.when(rest.str.contains(_PAIRED)).then(first_rule(rest, _UNNUMBERED))
    known = found.struct.field("body").is_not_null()
    return pl.struct(
        code=pl.when(known).then(code),
        prefix=found.struct.field("prefix").fill_null("").str.strip_chars(": "),
        body=found.struct.field("body"),
    )


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
        person = pl.when(~pl.col("person").is_in(_NOBODY)).then("person")
        columns += [person.alias("person"), person.alias("user.id")]
    if "verdict" in have:
        given = first_rule(pl.col("verdict").str.to_lowercase(), _VERDICTS)
        columns.append(pl.when(pl.col("code").is_in(CODES[:3])).then(given).alias("verdict"))
    if "began" in have:  # a flow is of the time when it began, as Zeek's and NetFlow's are
        began = pl.col("began").str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
        columns += [began, pl.coalesce(began, "@timestamp").alias("@timestamp")]
    if "cisco.ftd.endpoint_profile" in have:  # `Workstation:Macintosh-Workstation:OS_X-Workstation`
        profile = pl.col("cisco.ftd.endpoint_profile").replace("Invalid ID", None)
        model = profile.str.split(":").list.get(2, null_on_oob=True).str.strip_suffix("-Workstation")
        columns += [
            profile.str.extract(r"^(?:Workstation:)?([^-:]+)", 1).alias("device.manufacturer"),
            model.str.replace_all(r"[-_]", " ").alias("device.model.name"),
        ]
    for name, words in (("dns.question.type", _RECORD_TYPES), ("dns.response_code", _RESPONSES)):
        if name in have:
            columns.append(pl.col(name).replace(words))
    if "dns.question.name" in have:  # "If DNSResponseType is not there, there was no error"
        said = (
            pl.col("dns.response_code").replace(_RESPONSES) if "dns.response_code" in have else pl.lit(None)
        )
        answered = pl.col("dns.question.name").is_not_null() & (pl.col("code") == "430003")
        columns = [c for c in columns if c.meta.output_name() != "dns.response_code"]
        columns.append(
            pl.coalesce(said, pl.when(answered).then(pl.lit("NOERROR"))).alias("dns.response_code")
        )
    if "network.application" in have:
        columns.append(pl.col("network.application").str.to_lowercase())
    return columns
