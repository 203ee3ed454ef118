"""Google Cloud audit logs (admin activity, data access, system event, policy denied), as LogEntry JSON.

Source of the fields: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
and https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import integer, mapped, objects, text, time
from sensors.shapes.audit_records import AuditRecords, told_by, words
from sensors.shapes.mapping import address, mail_domain, mailbox
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = {
    "event.action": "protoPayload.methodName",
    "event.id": "insertId",
    "event.reason": "protoPayload.status.message",
    "service.name": "protoPayload.serviceName",
    "log.level": "severity",
    "log.logger": "logName",
    "user_agent.original": "protoPayload.requestMetadata.callerSuppliedUserAgent",
    "user.id": "protoPayload.authenticationInfo.principalSubject",
    "client.user.id": "protoPayload.authenticationInfo.principalSubject",
    "source.user.id": "protoPayload.authenticationInfo.principalSubject",
    "client.user.email": "protoPayload.authenticationInfo.principalEmail",
    "cloud.project.id": "resource.labels.project_id",
    "cloud.region": "resource.labels.location",
    "cloud.instance.id": "resource.labels.instance_id",
    "orchestrator.cluster.name": "resource.labels.cluster_name",
    "gcp.audit.resource_name": "protoPayload.resourceName",
    "gcp.audit.method_name": "protoPayload.methodName",
    "gcp.audit.service_name": "protoPayload.serviceName",
    "gcp.audit.type": ("protoPayload.@type", "protoPayload.at_sign_type"),
    "gcp.audit.resource.type": "resource.type",
    "gcp.audit.status.code": "protoPayload.status.code",
    "gcp.audit.status.message": "protoPayload.status.message",
    "gcp.audit.authorization_info": "protoPayload.authorizationInfo",
    "gcp.audit.authentication_info.principal_email": "protoPayload.authenticationInfo.principalEmail",
    "gcp.audit.authentication_info.principal_subject": "protoPayload.authenticationInfo.principalSubject",
    "gcp.audit.authentication_info.service_account_key": (
        "protoPayload.authenticationInfo.serviceAccountKeyName"
    ),
    "gcp.audit.authentication_info.delegation": (
        "protoPayload.authenticationInfo.serviceAccountDelegationInfo"
    ),
    "gcp.audit.request.name": "protoPayload.request.name",
    "gcp.audit.num_response_items": "protoPayload.numResponseItems",
    "gcp.audit.operation.id": "operation.id",
}
# Categories beyond those that every event has whose permissions were checked.
CATEGORY: Final = {
    r"(?i)^storage\.objects\.|\.AccessSecretVersion$": ("file",),
    r"(?i)iam|\.(Create|Delete|Disable|Enable|Undelete)?ServiceAccount(Key)?$|SetIamPolicy": ("iam",),
}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record is a log entry with an audit log in it."""
    payload = record.get("protoPayload")
    return isinstance(payload, dict) and bool(
        {"methodName", "authenticationInfo", "authorizationInfo"} & payload.keys()
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Audit log entries, shredded, as ECS."""
    method = text(frame, "protoPayload.methodName")
    mail = text(frame, "protoPayload.authenticationInfo.principalEmail")
    ip = address(text(frame, "protoPayload.requestMetadata.callerIp"))
    frame = frame.with_columns(objects(frame, "protoPayload.authorizationInfo", "granted").alias("~granted"))
    granted = pl.col("~granted").list.first().struct.field("granted").str.to_lowercase()
    denied = (granted == "false").fill_null(value=False)
    checked = granted.is_not_null()
    code = integer(frame, "protoPayload.status.code")
    # A long-running operation has one entry when it begins and one when it ends.
    first, last = (
        (text(frame, f"operation.{end}") == "true").fill_null(value=False) for end in ("first", "last")
    )
    long = pl.any_horizontal(text(frame, f"operation.{part}").is_not_null() for part in ("id", "producer"))
    path = text(frame, "protoPayload.resourceName").str.extract(r"/objects/(.+)$", 1)
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(
            frame,
            "timestamp",
            "protoPayload.requestMetadata.requestAttributes.time",
            "receiveTimestamp",
            "p_event_time",
        ).alias("@timestamp"),
        pl.lit("gcp.audit").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        text(frame, "logName").str.extract(r"(?:%2F|/)([^/%]+)$", 1).alias("event.provider"),
        *_meaning(method, checked, denied, first, last, long),
        pl.when(denied | (code.fill_null(0) != 0))
        .then(pl.lit("failure"))
        .when(checked | code.is_not_null())
        .then(pl.lit("success"))
        .otherwise(pl.lit("unknown"))
        .alias("event.outcome"),
        *mapped(frame, FIELDS),
        *(
            value.alias(f"{root}.{part}")
            for root in ("user", "source.user")
            for part, value in (
                ("name", mailbox(mail)),
                ("email", pl.when(mail.str.contains("@")).then(mail)),
                ("domain", mail_domain(mail)),
            )
        ),
        path.alias("file.path"),
        path.str.extract(r"([^/]+)$", 1).alias("file.name"),
        ip.alias("source.ip"),
    )
    return events.with_columns(
        pl.col("source.ip").alias("client.ip"),
        related(["source.ip"]).alias("related.ip"),
        related(["client.user.email"]).alias("related.user"),
    )


def _meaning(
    method: pl.Expr, checked: pl.Expr, denied: pl.Expr, first: pl.Expr, last: pl.Expr, long: pl.Expr
) -> list[pl.Expr]:
    """Category and type: of the operation's beginning or end, of the permission's check, of the method."""
    category = pl.concat_list(
        pl.when((first ^ last) | (long & ~first & ~last)).then(words("session")).otherwise(words()),
        pl.when(checked).then(words("network", "configuration")).otherwise(words()),
        pl.coalesce(told_by(method, CATEGORY), words()),
    )
    kind = pl.concat_list(
        pl.when(first & ~last).then(words("start")).otherwise(words()),
        pl.when(last & ~first).then(words("end")).otherwise(words()),
        pl.when(denied)
        .then(words("access", "denied"))
        .when(checked)
        .then(words("access", "allowed"))
        .otherwise(words()),
    )
    return [
        pl.when(found.list.len() > 0).then(found).alias(name)
        for name, found in (("event.category", category), ("event.type", kind))
    ]


SENSOR: Final = AuditRecords(
    "gcp_audit",
    _fits,
    (
        "protoPayload.methodName",
        "protoPayload.authenticationInfo.principalEmail",
        "protoPayload.resourceName",
    ),
    _events,
)
