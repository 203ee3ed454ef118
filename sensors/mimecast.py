"""Mimecast: audit events (`/api/audit/get-audit-events`, `/audit/events`).

Source of the fields: https://integrations.mimecast.com/documentation/endpoint-reference/logs-and-statistics/
(audit events). What happened, from where and with what stands in one sentence, `eventInfo`:
`Successful authentication for a@b <A B>, Date: 2026-03-02, Time: 18:17:30 GMT, IP: 192.0.2.1, Method: Cloud`.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import mapped, text, time
from sensors.shapes.audit_trail import AuditTrail, first_words, who
from sensors.shapes.mapping import address, first_rule, mail_domain, mailbox
from sensors.values.ecs import related

FIELDS: Final = {
    "event.id": "id",
    "message": "eventInfo",
    "mimecast.category": "category",
    "mimecast.audit_type": "auditType",
}
# Parts of the sentence, by their labels.
_IP: Final = r"\bIP\s*:[\s:]*([0-9A-Fa-f:.]+[0-9A-Fa-f])"
_APPLICATION: Final = r"(?i)\bapplication\s*: ([^,]+)"
_METHOD: Final = r"\bMethod: ([^,]+)"
_REASON: Final = r"\bReason: (.+)$"
_FILE: Final = r"^(.*?\.\w{2,5}), Date"
# Of exported pages, whose sentence is a list in brackets.
_EXPORTED: Final = r"(?i)\bfile ?name\s*:\s*([^,\]]+?)\s*[,\]]"
_EXPORTED_SIZE: Final = r"(?i)\bsize[^:,]*:\s*(\d+)"
# `entry - what<who> Date: …`
_WHO: Final = r" - [^<>]*<([^<>@\s]+@[^<>\s]+)> \w+:"
_TOLD: Final = ("folder-log-entry", "custom-report-definition-created", "mimecast-support-login")
_SECOND_FACTOR: Final = r"\b2FA: ([^,]+)"
_MAIL: Final = r"\s*:\s*(?:<[^>]*>\s*)?<?([^\s<>,]+@[^\s<>,]+)"
CATEGORY: Final = {
    r"logon|logged-on|logged-off|support-login|authentication": "authentication",
    r"user|account|role|permission|group": "iam",
    r"mailbox|message|email": "email",
    r"download|export": "file",
    r".": "configuration",
}
TYPE: Final = {
    r"user-logged-on|support-login": "start",
    r"logged-off": "end",
    r"logon-authentication-failed": "info",
    r"created?$|-new-|-added": "creation",
    r"deleted?$|-removed": "deletion",
    r"download|export|viewed": "access",
    r"adjustment|updated?|changed?|management|modified": "change",
    r".": "info",
}
OUTCOME: Final = {r"failed|failure": "failure", r"logged-on|support-login": "success"}


def _is_record(record: dict[str, Any]) -> bool:
    return {"audittype", "eventtime", "eventinfo"} <= record.keys()


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Audit events, shredded, as ECS."""
    action = text(frame, "auditType").str.to_lowercase().str.replace_all(" ", "-", literal=True)
    info = text(frame, "eventInfo")
    told = pl.when(action.is_in(_TOLD)).then(info.str.extract(_WHO, 1))
    email = pl.coalesce(told, text(frame, "user"))
    exported = action == "page-data-exports"
    name = pl.when(email.str.contains("@")).then(mailbox(email))
    ip = address(info.str.extract(_IP, 1))
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "eventTime").alias("@timestamp"),
        pl.lit("mimecast.audit_events").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        first_words(action, CATEGORY).alias("event.category"),
        first_words(action, TYPE).alias("event.type"),
        first_rule(action, OUTCOME).alias("event.outcome"),
        action.alias("event.action"),
        info.str.extract(_REASON, 1).alias("event.reason"),
        *mapped(frame, FIELDS),
        *who("user", "source.user", name=name, email=email),
        mail_domain(email).alias("user.domain"),
        ip.alias("client.ip"),
        ip.alias("source.ip"),
        pl.when(action.str.contains("download"))
        .then(info.str.extract(_FILE, 1))
        .when(exported)
        .then(info.str.extract(_EXPORTED, 1))
        .alias("file.name"),
        pl.when(exported)
        .then(info.str.extract(_EXPORTED_SIZE, 1).cast(pl.Int64, strict=False))
        .alias("file.size"),
        *(
            pl.when(action == "message-action").then(info.str.extract(rf"\b{label}{_MAIL}", 1)).alias(field)
            for label, field in (("From", "email.from.address"), ("To", "email.to.address"))
        ),
        info.str.extract(r"\bSubject: (.*?)(?:, \w+: |$)", 1).alias("email.subject"),
        info.str.extract(_APPLICATION, 1).alias("mimecast.application"),
        info.str.extract(_METHOD, 1).alias("mimecast.method"),
        info.str.extract(_SECOND_FACTOR, 1).alias("mimecast.2FA"),
    )
    return events.with_columns(
        related(["client.ip"]).alias("related.ip"),
        related(["user.name", "user.email"]).alias("related.user"),
    )


SENSOR: Final = AuditTrail("mimecast", _is_record, ("auditType",), _events)
