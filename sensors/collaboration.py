"""Asana, Notion and Zendesk: three audit logs of one shape, who did what to which thing from where.

Source of the fields: https://developers.asana.com/docs/audit-log-events,
https://www.notion.com/help/audit-log (events as they are streamed to a SIEM), and
https://developer.zendesk.com/api-reference/ticketing/account-configuration/audit_logs/.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import json, mapped, text, time
from sensors.shapes.audit_trail import AuditTrail, first_words, who
from sensors.shapes.mapping import address, first_rule, mail_domain
from sensors.values.ecs import related

_ACTION: Final = ("event_type", "event.type", "action")
FIELDS: Final = {
    "event.id": ("gid", "event.id", "id"),
    "user_agent.original": ("context.user_agent", "event.user_agent"),
    "organization.id": "event.workspace_id",
    "collaboration.category": ("event_category", "source_type"),
    "collaboration.object.id": ("resource.gid", "source_id", "event.target.id"),
    "collaboration.object.name": ("resource.name", "source_label", "event.target.name"),
    "collaboration.object.type": ("resource.resource_type", "source_type", "event.target.type"),
    "collaboration.change": "change_description",
    "collaboration.client": ("context.context_type", "event.platform"),
}
CATEGORY: Final = {
    r"(?i)log_?(in|out)|user\.login|user\.logout|session": "authentication,session",
    r"(?i)user|member|role|permission|guest|token|service_account|password|two_factor": "iam",
    r"(?i)export|download|attachment|file": "file",
    r".": "configuration",
}
TYPE: Final = {
    r"(?i)(login_succeeded|\.login)$": "start",
    r"(?i)log_?out(ed)?$|session_ended": "end",
    r"(?i)fail": "info",
    r"(?i)(view|export|download|access)\w*$": "access",
    r"(?i)(create|add|invite|install)\w*$": "creation",
    r"(?i)(delete|destroy|remove|revoke|archive)\w*$": "deletion",
    r".": "change",
}
OUTCOME: Final = {r"(?i)fail": "failure", r"(?i)login_succeeded$|user\.login$": "success"}


def _is_record(record: dict[str, Any]) -> bool:
    event, actor, context = (record.get(name) for name in ("event", "actor", "context"))
    if isinstance(event, dict):
        return {"actor", "type", "workspace_id"} <= event.keys()
    if isinstance(actor, dict) and isinstance(context, dict):
        return {"event_type", "event_category", "resource"} <= record.keys()
    return {"actor_id", "actor_name", "source_type", "source_label", "action_label"} <= record.keys()


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of the three logs, shredded, as ECS."""
    kind = text(frame, *_ACTION)
    asana, notion = text(frame, "event_category"), text(frame, "event.type")
    email = text(frame, "actor.email", "event.actor.person.email")
    name = text(frame, "actor.name", "actor_name", "event.actor.name")
    origin = text(frame, "context.client_ip_address", "event.ip_address", "ip_address")
    about = pl.coalesce(pl.when(asana.is_null() & notion.is_null()).then(text(frame, "source_type")), kind)
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "created_at", "event.timestamp").alias("@timestamp"),
        pl.when(asana.is_not_null())
        .then(pl.lit("asana.audit"))
        .when(notion.is_not_null())
        .then(pl.lit("notion.audit"))
        .otherwise(pl.lit("zendesk.audit"))
        .alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        first_words(about, CATEGORY).alias("event.category"),
        first_words(kind, TYPE).alias("event.type"),
        first_rule(kind, OUTCOME).alias("event.outcome"),
        kind.alias("event.action"),
        *mapped(frame, FIELDS),
        *who(
            "user",
            "source.user",
            id=text(frame, "actor.gid", "actor_id", "event.actor.id"),
            name=name,
            full_name=name,
            email=email,
        ),
        mail_domain(email).alias("user.domain"),
        origin.alias("source.address"),
        address(origin).alias("source.ip"),
        pl.coalesce(json(frame, "details"), json(frame, "event.details")).alias("collaboration.details"),
    )
    return events.with_columns(
        related(["source.ip"]).alias("related.ip"), related(["user.name", "user.email"]).alias("related.user")
    )


SENSOR: Final = AuditTrail("collaboration", _is_record, _ACTION, _events)
