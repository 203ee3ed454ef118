"""Azure's and Entra's logs beside the sign-ins: activity, audit, identity protection, provisioning, Graph.

Diagnostic settings write them to storage and event hubs with a `category`, often mixed with sign-ins:
https://learn.microsoft.com/azure/azure-monitor/platform/activity-log-schema,
https://learn.microsoft.com/entra/identity/monitoring-health/reference-azure-monitor-audit-log-schema,
https://learn.microsoft.com/graph/api/resources/riskdetection,
https://learn.microsoft.com/graph/api/resources/provisioningobjectsummary and
https://learn.microsoft.com/graph/microsoft-graph-activity-logs-overview. Audit records as Graph has them
(`directoryAudit`) and as Log Analytics exports them have the same fields without the wrapping.

`sensors.entra` claims the files and hands these records over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import integer, json, mapped, number, objects, text, time
from sensors.shapes.audit_trail import first_words, who
from sensors.shapes.mapping import address, first_rule, mail_domain, mailbox
from sensors.values.ecs import NOWHERE, related
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

# Which categories make which of Elastic's datasets.
DATASETS: Final = {
    r"(?i)^(administrative|servicehealth|resourcehealth|alert|autoscale|security|policy|recommendation)$": (
        "azure.activitylogs"
    ),
    r"(?i)^(write|delete|action|read)$": "azure.activitylogs",
    r"(?i)^auditlogs$": "azure.auditlogs",
    r"(?i)^(risky(users|serviceprincipals)|(userrisk|serviceprincipalrisk)events)$": (
        "azure.identity_protection"
    ),
    r"(?i)^provisioninglogs$": "azure.provisioning",
    r"(?i)^microsoftgraphactivitylogs$": "azure.graphactivitylogs",
}
# What a guest's own address is written before: its domain is the host's, its name no mailbox there.
GUEST: Final = "(?i)#EXT#@"
NESTED: Final = ("identity", "InitiatedBy", "Claims", "Authorization")
_CATEGORY_NAMES: Final = [re.compile(pattern) for pattern in DATASETS]


def _at(*names: str) -> tuple[str, ...]:
    """Where a property stands: inside `properties`, or on its own."""
    return tuple(f"{root}{name}" for name in names for root in ("properties.", ""))


_CLAIMS: Final = "identity.claims.http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_LOGIN: Final = (
    f"{_CLAIMS}name", f"{_CLAIMS}upn", *_at("initiatedBy.user.userPrincipalName"), *_at("userPrincipalName"),
    "caller",
)  # fmt: skip
FIELDS: Final = {
    "event.id": (*_at("id"), "eventDataId", *_at("requestId")),
    "event.action": ("operationName", "activityDisplayName", "riskEventType"),
    "log.level": "level",
    "user.id": (
        *_at("initiatedBy.user.id"), *_at("userId"), "identity.claims.oid",
        "identity.claims.http://schemas.microsoft.com/identity/claims/objectidentifier",
    ),
    "user.full_name": (
        "identity.claims.name", *_at("initiatedBy.user.displayName"), *_at("userDisplayName"),
    ),
    "event.reason": (*_at("resultReason"), "resultDescription", *_at("statusMessage")),
    "http.request.method": "properties.requestMethod",
    "http.response.status_code": "properties.responseStatusCode",
    "http.response.bytes": "properties.responseSizeBytes",
    "cloud.account.id": "properties.tenantId",
    "azure.tenant_id": ("tenantId", "AADTenantId"),
    "azure.correlation_id": ("correlationId", *_at("correlationId")),
    "azure.resource.id": "resourceId",
}  # fmt: skip
# Of each dataset its own, under the name that it has with Elastic.
OWN: Final[dict[str, dict[str, str | Sequence[str]]]] = {
    "azure.activitylogs": {
        "category": "category",
        "operation_name": "operationName",
        "result_type": "resultType",
        "result_signature": "resultSignature",
        "identity.authorization.action": "identity.authorization.action",
        "identity.authorization.scope": "identity.authorization.scope",
        "identity.authorization.evidence.role": "identity.authorization.evidence.role",
        "identity.authorization.evidence.principal_id": "identity.authorization.evidence.principalId",
        "properties.status_code": "properties.statusCode",
        "properties.event_category": "properties.eventCategory",
    },
    "azure.auditlogs": {
        "category": "category",
        "operation_name": ("operationName", "activityDisplayName"),
        "result_signature": "resultSignature",
        "properties.category": _at("category"),
        "properties.operation_type": _at("operationType"),
        "properties.logged_by_service": _at("loggedByService"),
        "properties.initiated_by.app.displayName": _at("initiatedBy.app.displayName"),
        "properties.initiated_by.app.servicePrincipalId": _at("initiatedBy.app.servicePrincipalId"),
        "properties.initiated_by.user.roles": _at("initiatedBy.user.roles"),
        "properties.target_resources": _at("targetResources"),
        "properties.additional_details": _at("additionalDetails"),
    },
    "azure.identity_protection": {
        "category": "category",
        "operation_name": "operationName",
        "properties.risk_type": _at("riskType"),
        "properties.risk_event_type": _at("riskEventType"),
        "properties.risk_state": _at("riskState"),
        "properties.risk_level": _at("riskLevel"),
        "properties.risk_detail": _at("riskDetail"),
        "properties.source": _at("source"),
        "properties.activity": _at("activity"),
        "properties.detection_timing_type": _at("detectionTimingType"),
        "properties.additional_info": _at("additionalInfo"),
    },
    "azure.provisioning": {
        "category": "category",
        "result_type": "resultType",
        "properties.provisioning_action": _at("provisioningAction"),
        "properties.source_system.name": _at("sourceSystem.Name"),
        "properties.target_system.name": _at("targetSystem.Name"),
        "properties.initiated_by.name": _at("initiatedBy.Name"),
        "properties.status": _at("provisioningStatusInfo.Status"),
    },
    "azure.graphactivitylogs": {
        "category": "category",
        "properties.app_id": "properties.appId",
        "properties.api_version": "properties.apiVersion",
        "properties.client_auth_method": "properties.clientAuthMethod",
        "properties.service_principal_id": "properties.servicePrincipalId",
        "properties.sign_in_activity_id": "properties.signInActivityId",
        "properties.scopes": "properties.scopes",
        "properties.roles": "properties.roles",
        "properties.wids": "properties.wids",
    },
}
_TYPE: Final = {
    r"(?i)^graph:|:read:": "access",
    r"(?i)^activity:(write|action)": "change",
    r"(?i)^activity:delete": "deletion",
    r"(?i)^audit:.*:(add|assign|create|invite)": "creation",
    r"(?i)^audit:.*:(delete|unassign|remove)": "deletion",
    r"(?i)^audit:.*:update": "change",
    r"(?i)^identity": "indicator",
}
_CATEGORY: Final = {
    r"(?i)^audit:(user|group|role|directory|entitlement|authentication)": "iam",
    r"(?i)^audit:|^activity:(write|delete|action|administrative|policy)": "configuration",
    r"(?i)^provisioning:": "iam",
    r"(?i)^identity": "threat",
    r"(?i)^graph:": "web",
}
_OUTCOME: Final = {r"(?i)^(success|succeeded)$": "success", r"(?i)^(fail|failure|failed|timeout)$": "failure"}
_TARGET: Final = ("type", "id", "displayName", "userPrincipalName")


def is_record(record: dict[str, Any]) -> bool:
    """Whether a record, its keys in lower case, is of one of these logs."""
    category = str(record.get("category", ""))
    if "operationname" in record and any(pattern.match(category) for pattern in _CATEGORY_NAMES):
        return bool({"time", "timegenerated"} & record.keys())
    if {"operationname", "resourceid", "identity", "time"} <= record.keys() and "category" not in record:
        return "authorization" in str(record["identity"])
    return {"activitydatetime", "activitydisplayname", "initiatedby"} <= record.keys() or (
        {"riskeventtype", "riskstate", "detecteddatetime"} <= record.keys()
    )


def dataset(frame: pl.DataFrame) -> pl.Expr:
    """The dataset of a record, or null."""
    shape = (
        pl.when(text(frame, "activityDisplayName").is_not_null())
        .then(pl.lit("azure.auditlogs"))
        .when(text(frame, "riskEventType").is_not_null())
        .then(pl.lit("azure.identity_protection"))
    )
    named, category = text(frame, "operationName").is_not_null(), text(frame, "category")
    said = pl.when(named).then(first_rule(category, DATASETS))
    # Who may what stands in activity logs alone; any other service's log is of the platform.
    allowed = text(frame, "identity.authorization.action", "identity.authorization.scope").is_not_null()
    other = named & text(frame, "time").is_not_null() & text(frame, "resourceId").is_not_null()
    return pl.coalesce(
        said,
        pl.when(~named).then(shape),
        pl.when(named & allowed).then(pl.lit("azure.activitylogs")),
        pl.when(other & ~category.str.contains("(?i)SignInLogs$")).then(pl.lit("azure.platformlogs")),
    )


def events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of these logs, shredded, as ECS."""
    frame = frame.with_columns(dataset(frame).alias("~dataset"))
    target = _with_targets(frame)
    frame = frame.with_columns(target)
    # An account of another provider that claims name with it: `live.com#someone@example.org`.
    login = text(frame, *_LOGIN).str.replace(r"^[a-z]+\.com#", "")
    guest = login.str.contains(GUEST).fill_null(value=False)
    mail = pl.when(login.str.contains("@") & ~guest).then(login)
    called = text(frame, "callerIpAddress", *_at("ipAddress"))
    told = text(frame, *_at("initiatedBy.user.ipAddress"))
    ip = pl.coalesce(address(called), pl.when(~told.is_in(list(NOWHERE))).then(address(told)))
    graph = pl.col("~dataset") == "azure.graphactivitylogs"
    agent = pl.coalesce(text(frame, *_at("userAgent")), _detail(frame, "User-Agent"))
    shaped = frame.select(
        "log.offset",
        "log.file.line",
        _when(frame).alias("@timestamp"),
        pl.col("~dataset").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        *_meaning(frame),
        (integer(frame, "durationMs") * 1_000_000).alias("event.duration"),
        *mapped(frame, FIELDS),
        pl.when(pl.col("~dataset") == "azure.platformlogs").then(pl.col("text")).alias("event.original"),
        *(
            pl.when(pl.col("~dataset") == name).then(value).alias(f"{name}.{value.meta.output_name()}")
            for name, fields in OWN.items()
            for value in mapped(frame, fields)
        ),
        *who("user", name=pl.when(guest).then(login).otherwise(mailbox(login)), email=mail),
        pl.when(~guest).then(mail_domain(login)).alias("user.domain"),
        pl.when(graph).then(text(frame, "properties.userId")).alias("client.user.id"),
        pl.coalesce(called, told).alias("source.address"),
        ip.alias("source.ip"),
        ip.alias("client.ip"),
        port(called).alias("source.port"),
        agent.alias("user_agent.original"),
        text(frame, *_at("location.city")).alias("source.geo.city_name"),
        text(frame, *_at("location.state")).alias("source.geo.region_name"),
        text(frame, *_at("location.countryOrRegion")).alias("source.geo.country_iso_code"),
        number(frame, *_at("location.geoCoordinates.latitude")).alias("source.geo.location.lat"),
        number(frame, *_at("location.geoCoordinates.longitude")).alias("source.geo.location.lon"),
        pl.when(graph).then(text(frame, "location")).alias("cloud.region"),
        pl.when(graph).then(text(frame, "location")).alias("destination.geo.region_name"),
        pl.when(graph).then(text(frame, "properties.requestUri")).alias("url.original"),
        *_targets(frame),
    )
    known = (
        pl.when(pl.col("event.dataset") == "azure.graphactivitylogs").then("user.id").otherwise("user.name")
    )
    return url_columns(shaped).with_columns(
        related(["source.ip"]).alias("related.ip"),
        pl.when(known.is_not_null()).then(pl.concat_list(known)).alias("related.user"),
    )


def port(value: pl.Expr) -> pl.Expr:
    """The port that some services write after the address: `203.0.113.7:1024`, `[2001:db8::1]:1024`."""
    return value.str.extract(r"^(?:\[[^\]]+\]|[\d.]+):(\d{1,5})$", 1).cast(pl.Int64)


def _when(frame: pl.DataFrame) -> pl.Expr:
    """The time; some logs write `8/22/2022 6:07:16 PM` or `8/22/2022 18:07:16 +00:00`, in UTC."""
    said = text(frame, "time").str.strip_suffix(" +00:00")
    american = [
        said.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC")
        for form in ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%Y-%m-%dT%k:%M:%S%.fZ")
    ]
    return pl.coalesce(
        time(frame, "time", "TimeGenerated"),
        *american,
        time(frame, *_at("activityDateTime"), *_at("detectedDateTime")),
    )


def _meaning(frame: pl.DataFrame) -> list[pl.Expr]:
    """What the record is about, out of its dataset, category and operation."""
    short = pl.col("~dataset").str.extract(r"^azure\.([a-z]+?)(?:_protection|logs|activitylogs)?$", 1)
    about = pl.coalesce(
        pl.when(pl.col("~dataset") == "azure.auditlogs").then(text(frame, *_at("category"))),
        text(frame, "category"),
        pl.lit(""),
    )
    name = pl.when(pl.col("~dataset") == "azure.graphactivitylogs").then(pl.lit("graph")).otherwise(short)
    verb = pl.coalesce(text(frame, *_at("operationType")), text(frame, "operationName"), pl.lit(""))
    kind = name + ":" + about + ":" + verb
    ended = first_rule(text(frame, "resultType"), _OUTCOME)
    result = pl.coalesce(ended, first_rule(text(frame, *_at("result")), _OUTCOME))
    return [
        first_words(kind, _CATEGORY).alias("event.category"),
        first_words(kind, _TYPE).alias("event.type"),
        result.alias("event.outcome"),
    ]


def _with_targets(frame: pl.DataFrame) -> list[pl.Expr]:
    """The first person, group and device that an audited act was done to."""
    every = pl.coalesce(objects(frame, path, *_TARGET) for path in _at("targetResources"))
    kind = pl.element().struct.field("type")
    return [
        every.list.filter(kind == name).list.first().alias(f"~{name}") for name in ("User", "Group", "Device")
    ]


def _targets(frame: pl.DataFrame) -> list[pl.Expr]:
    """Whom or what it was done to."""
    person, group, device = (pl.col(f"~{name}").struct for name in ("User", "Group", "Device"))
    provisioned = text(frame, *_at("sourceIdentity.details.UserPrincipalName"))
    login = pl.coalesce(person.field("userPrincipalName"), provisioned)
    return [
        mailbox(login).alias("user.target.name"),
        pl.when(login.str.contains("@")).then(login).alias("user.target.email"),
        pl.coalesce(person.field("id"), text(frame, *_at("sourceIdentity.Id"))).alias("user.target.id"),
        pl.coalesce(person.field("displayName"), text(frame, *_at("sourceIdentity.Name"))).alias(
            "user.target.full_name"
        ),
        group.field("displayName").alias("user.target.group.name"),
        group.field("id").alias("user.target.group.id"),
        device.field("id").alias("device.id"),
    ]


def _detail(frame: pl.DataFrame, key: str) -> pl.Expr:
    """Of the additional details of an audit record, the value of one."""
    details = pl.coalesce(json(frame, path) for path in _at("additionalDetails"))
    return details.str.extract(rf'(?i)"key"\s*:\s*"{key}"\s*,\s*"value"\s*:\s*"([^"]*)"', 1)
