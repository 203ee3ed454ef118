"""Falcon's event stream: detections, incidents, audits, remote response sessions."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import integer, text, time
from sensors.shapes.mapping import address, first_rule, mail_domain, mailbox, only
from sensors.values import command_line, ecs
from sensors.values.listed import SEVERAL

_FILETIME: Final = 11_644_473_600_000_000  # microseconds from 1601 to 1970
CATEGORY: Final = {
    r"^RemoteResponseSession": ("network", "session"),
    r"^Firewall": ("network",),
    r"^(UserActivityAudit|IdentityProtection|AuthActivityAudit)": ("iam",),
    r"^(Recon|Scheduled|CustomerIOC)": ("threat",),
    r"^APIActivity": ("api",),
    r"^CSPM": ("configuration",),
    r"(Detection|Incident|Epp|Xdr|IdpDetection|Mobile|DataProtection)": ("malware",),
}
TYPE: Final = {
    r"SessionStart": ("start",),
    r"SessionEnd": ("end",),
    r"^Firewall": ("start", "connection"),
    r"^UserActivityAudit": ("change",),
    r"^(Recon|CustomerIOC)": ("indicator",),
    r"^CSPM": ("info", "change"),
    r"(Detection|Incident|Identity)": ("info",),
}
ACTION: Final = {
    r"^Incident": "incident",
    r"^MobileDetection": "mobile-detection",
    r"^IdpDetection": "ipd-detection",
    r"^Recon": "recon-notification-",
    r"^Xdr": "xdr-detection",
    r"^APIActivity": "APIActivityAuditEvent",
}
# What an audited operation on accounts is, beside being one: https://falcon.crowdstrike.com (Streaming API).
OPERATION: Final = {
    r"^(activateUser|changePassword|confirmResetPassword|deactivateUser|(grant|revoke)(UserRoles|CustomerSubscriptions)"
    r"|updateUser|updateUserRoles)$": ("user", "change"),
    r"^createUser$": ("creation",),
    r"^deleteUser$": ("deletion",),
}
FIELDS: Final = {
    "event.id": (
        "IncidentID",
        "IdentityProtectionIncidentId",
        "MobileDetectionId",
        "ItemId",
        "EgressEventId",
    ),
    "event.reference": ("FalconHostLink", "ReportUrl"),
    "event.provider": "EventSource",
    "host.name": ("ComputerName", "HostnameField", "HostName", "Hostname", "SourceEndpointHostName"),
    "host.hostname": "EndpointName",
    "host.id": ("HostID", "SensorId", "AgentId"),
    "host.domain": ("MachineDomain", "LogonDomain"),
    "host.geo.country_iso_code": "LocationCountryCode",
    "host.os.platform": "Platform",
    "device.id": ("DeviceId", "SensorId", "AgentId"),
    "session.id": "SessionId",
    "message": ("DetectDescription", "IncidentDescription", "PolicyStatement", "Description"),
    "file.path": "FilePath",
    "process.name": "FileName",
    "file.hash.md5": "MD5String",
    "file.hash.sha1": "SHA1String",
    "file.hash.sha256": ("SHA256String", "ContentSha"),
    "file.name": ("FileName", "Filename"),
    "process.command_line": "CommandLine",
    "process.executable": "ImageFileName",
    "process.hash.md5": "MD5String",
    "process.hash.sha1": "SHA1String",
    "process.hash.sha256": "SHA256String",
    "process.parent.command_line": "ParentCommandLine",
    "process.parent.executable": "ParentImageFileName",
    "rule.id": ("DetectId", "RuleId", "Policy.ID"),
    "rule.name": ("DetectName", "RuleName", "Policy.Name"),
    "rule.description": ("DetectDescription", "RuleDescription"),
    "rule.ruleset": ("RuleGroupName", "RuleTopic"),
    "rule.category": "RuleFamilyID",
    "rule.uuid": ("IdpPolicyRuleId", "PatternId"),
    "cloud.account.id": "AccountId",
    "cloud.region": "Region",
    "cloud.provider": ("CloudProvider", "CloudPlatform"),
    "cloud.service.name": "CloudService",
    "http.request.method": "Attributes.request_method",
    "url.path": "Attributes.request_path",
    "url.query": "Attributes.request_query",
    "url.domain": "Attributes.request_host",
    "user_agent.original": "Attributes.user_agent",
    "service.name": "ServiceName",
    "threat.tactic.name": "Tactic",
    "threat.tactic.id": "TacticId",
    "threat.technique.name": "Technique",
    "threat.technique.id": "TechniqueId",
    "event.code": "EventType",
    "crowdstrike.event.OperationName": "OperationName",
    "crowdstrike.event.State": "State",
    "crowdstrike.event.SeverityName": "SeverityName",
    "crowdstrike.event.PatternDispositionDescription": "PatternDispositionDescription",
    "crowdstrike.event.Objective": "Objective",
    "crowdstrike.event.Commands": "Commands",
    "crowdstrike.event.Attributes": "Attributes",
    "crowdstrike.event.AuditKeyValues": "AuditKeyValues",
    "crowdstrike.event.Finding": "Finding",
}


_LISTS: Final = {  # what else a detection is about
    "ip": ("IPV4Addresses", "IPV6Addresses", "AdditionalEndpointIpAddress", "IPv4", "IPv6"),
    "hosts": (
        "HostNames", "DomainNames", "TargetEndpointHostName", "TargetDomain", "AdditionalAccountDomain",
        "AdditionalAccountName", "AdditionalEndpointHostName", "DomainName",
    ),
    "user": ("Users", "TargetAccountName"),
    "hash": ("SHA256Hashes", "MD5Hashes"),
}  # fmt: skip
_HOST_IPS: Final = (
    "SourceEndpointIpAddress",
    "SourceEndpointAddressIP4",
    "EndpointIp",
    "LocalIP",
    "LocalIPv6",
)
_SAID: Final = ("Success", "Disposition", "AttemptOutcome", "ResponseAction")
_RULED: Final = {"^1$": ("start", "connection", "allowed"), "^2$": ("start", "connection", "denied")}
_SERVED: Final = {"(?i)^false$": ("denied",), "": ("access",)}
_ENDED: Final = {
    r"(?i)^(true|passed|allowed)$": "success",
    r"(?i)^(false|failed|blocked)$": "failure",
}
_STARTS: Final = (
    "StartTimestamp", "StartTime", "StartTimeEpoch", "SessionStartTimestamp", "IncidentStartTime",
    "ProcessStartTime",
)  # fmt: skip
_ENDS: Final = (
    "EndTimestamp", "EndTime", "EndTimeEpoch", "SessionEndTimestamp", "IncidentEndTime", "ProcessEndTime",
)  # fmt: skip


def _text(frame: pl.DataFrame, *names: str) -> pl.Expr:
    return only(text(frame, *(f"event.{name}" for name in names)), "N/A", "-")


def _time(frame: pl.DataFrame, *names: str) -> pl.Expr:
    """Seconds or milliseconds since 1970, ISO 8601, or Windows' ticks since 1601."""
    value = _text(frame, *names)
    ticks = pl.when(value.str.contains(r"^1[1-6]\d{16}$")).then(value.cast(pl.Int64, strict=False))
    windows = (ticks // 10 - _FILETIME).cast(pl.Datetime("us", "UTC"))
    return pl.coalesce(windows, time(frame, *(f"event.{name}" for name in names)))


def moment(frame: pl.DataFrame) -> pl.Expr:
    """When it happened, where the kind of event says; else when Falcon made the event."""
    identity = pl.when(text(frame, "metadata.eventType") == "IdentityProtectionEvent").then(
        _time(frame, "StartTime")
    )
    return pl.coalesce(
        _time(frame, "StartTimestamp", "EndTimestamp", "UTCTimestamp", "MatchedTimestamp", "StartTimeEpoch"),
        pl.when(text(frame, "metadata.eventType").str.starts_with("CSPM")).then(
            _time(frame, "EventCreatedTimestamp", "Timestamp")
        ),
        identity,
        time(frame, "metadata.eventCreationTime"),
    )


def events(frame: pl.DataFrame) -> pl.DataFrame:
    """The events as ECS."""
    kind = text(frame, "metadata.eventType")
    operation = _text(frame, "OperationName")
    audit = kind.str.contains(r"^(AuthActivity|APIActivity)")
    login = kind.str.starts_with("AuthActivity") & operation.str.contains(r"(?i)authenticat|login|signin")
    snake = kind.str.replace_all(r"([a-z0-9])([A-Z])", "${1}_${2}").str.to_lowercase()
    alert = kind.str.contains(
        r"^(Detection|Incident|Mobile|IdpDetection|Epp|Xdr|DataProtectionDetection|CSPM)"
    )
    what = pl.coalesce(
        pl.when(kind.str.starts_with("Firewall")).then(first_rule(_text(frame, "RuleAction"), _RULED)),
        pl.when(kind.str.starts_with("AuthActivity")).then(first_rule(operation, OPERATION)),
        pl.when(kind.str.starts_with("APIActivity")).then(
            first_rule(text(frame, "event.Success").fill_null(""), _SERVED)
        ),
        first_rule(kind, TYPE),
    )
    out = frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        pl.col("text").alias("event.original"),
        pl.lit("crowdstrike.falcon").alias("event.dataset"),
        pl.lit("Falcon").alias("observer.product"),
        pl.lit("Crowdstrike").alias("observer.vendor"),
        pl.when(alert)
        .then(pl.lit("alert"))
        .when(kind.str.starts_with("CustomerIOC"))
        .then(pl.lit("enrichment"))
        .otherwise(pl.lit("event"))
        .alias("event.kind"),
        pl.when(login)
        .then(pl.lit(["authentication"], pl.List(pl.String)))
        .otherwise(first_rule(kind, CATEGORY))
        .alias("event.category"),
        what.alias("event.type"),
        pl.coalesce(
            pl.when(audit).then(operation),
            pl.when(kind.str.starts_with("CSPM")).then(_text(frame, "EventAction")),
            pl.when(kind.str.starts_with("DataProtection")).then(_text(frame, "Name")),
            _text(frame, "PatternDispositionDescription"),
            only(_text(frame, "IncidentType"), *"0123456789"),
            first_rule(kind, ACTION),
            snake,
        ).alias("event.action"),
        _outcome(frame, audit).alias("event.outcome"),
        integer(frame, "event.Severity").alias("event.severity"),
        pl.coalesce(
            pl.when(kind.str.starts_with("IdentityProt"))
            .then(None)
            .otherwise(_time(frame, "ContextTimeStamp", "ItemPostedTimestamp")),
            time(frame, "metadata.eventCreationTime"),
        ).alias("event.created"),
        _time(frame, *_STARTS).alias("event.start"),
        _time(frame, *_ENDS).alias("event.end"),
        integer(frame, "event.DataVolume").alias("file.size"),
        integer(frame, "event.Attributes.status_code").alias("http.response.status_code"),
        (integer(frame, "event.Attributes.elapsed_microseconds") * 1_000).alias("event.duration"),
        kind.alias("crowdstrike.metadata.eventType"),
        text(frame, "metadata.customerIDString").alias("crowdstrike.metadata.customerIDString"),
        *(
            _text(frame, *([names] if isinstance(names, str) else names)).alias(field)
            for field, names in FIELDS.items()
        ),
        *_people(frame),
        *_network(frame, kind),
    )
    out = out.with_columns(
        command_line.args(pl.col("process.command_line")).alias("process.args"),
        pl.coalesce(
            "process.executable", command_line.joined(pl.col("file.path"), pl.col("file.name"))
        ).alias("process.executable"),
        pl.coalesce("message", "service.name").alias("message"),
    )
    lists = {f"~{kind}": _several(frame, *names) for kind, names in _LISTS.items()}
    out = out.with_columns(**lists)
    out = ecs.relations(
        out, ip=("source.ip", "destination.ip", "~ip"), user=("user.name", "~user"),
        hosts=("host.name", "~hosts"),
        hash=("process.hash.md5", "process.hash.sha1", "process.hash.sha256", "~hash"),
    )  # fmt: skip
    return ecs.only(out, "crowdstrike")


def _several(frame: pl.DataFrame, *names: str) -> pl.Series:
    """Values at `names`, each several with commas between them, as one text for `ecs.relations`."""
    every = pl.concat_str([text(frame, f"event.{name}") for name in names], separator=",", ignore_nulls=True)
    some = pl.when(every != "").then(every.str.replace_all(r",\s*", SEVERAL))
    return frame.select("log.offset", some.alias("some"))["some"]


def _outcome(frame: pl.DataFrame, audit: pl.Expr) -> pl.Expr:
    """What the event says of itself; audits and transfers that do not say are `unknown`."""
    said = first_rule(text(frame, *(f"event.{name}" for name in _SAID)), _ENDED)
    open_ended = audit | text(frame, "metadata.eventType").str.starts_with("DataProtection")
    return pl.coalesce(said, pl.when(open_ended).then(pl.lit("unknown")))


def _people(frame: pl.DataFrame) -> list[pl.Expr]:
    whole = _text(frame, "UserName", "UserId", "SourceAccountName", "UserID")
    bare = (
        pl.when(whole.str.contains("\\", literal=True))
        .then(whole.str.extract(r"([^\\]+)$", 1))
        .otherwise(whole)
    )
    is_mail = bare.str.contains(r"^[^@\s]+@[^@\s]+$")
    mail = pl.when(is_mail).then(bare)
    domain = pl.coalesce(
        whole.str.extract(r"^(.+)\\", 1), mail_domain(mail), _text(frame, "SourceAccountDomain")
    )
    return [
        bare.alias("user.name"),
        mail.alias("user.email"),
        domain.alias("user.domain"),
        bare.alias("source.user.name"),
        mail.alias("source.user.email"),
        mailbox(mail).alias("crowdstrike.event.mailbox"),
        _text(frame, "SourceAccountObjectSid", "UserSid", "UserID").alias("user.id"),
    ]


def _network(frame: pl.DataFrame, kind: pl.Expr) -> list[pl.Expr]:
    """A firewall's connections, and the address that a person came from."""
    wall = kind.str.starts_with("Firewall")
    inward = _text(frame, "ConnectionDirection") == "1"
    far, near = address(_text(frame, "RemoteAddress")), address(_text(frame, "LocalAddress"))
    far_port, near_port = integer(frame, "event.RemotePort"), integer(frame, "event.LocalPort")
    person = address(_text(frame, "UserIp", "UserSourceIp", "SourceIp"))
    detected = pl.when(kind == "DetectionSummaryEvent").then(address(_text(frame, "LocalIP", "LocalIPv6")))
    host = address(_text(frame, *_HOST_IPS))
    return [
        pl.coalesce(person, pl.when(inward).then(far).otherwise(near), detected).alias("source.ip"),
        pl.when(inward).then(far_port).otherwise(near_port).alias("source.port"),
        pl.when(inward).then(near).otherwise(far).alias("destination.ip"),
        pl.when(inward).then(near_port).otherwise(far_port).alias("destination.port"),
        pl.when(host.is_not_null()).then(pl.concat_list(host)).alias("host.ip"),
        pl.when(wall)
        .then(pl.when(inward).then(pl.lit("ingress")).otherwise(pl.lit("egress")))
        .alias("network.direction"),
        _text(frame, "Ipv").alias("network.type"),
        integer(frame, "event.PID", "event.ProcessId").alias("process.pid"),
        integer(frame, "event.ParentProcessId").alias("process.parent.pid"),
    ]
