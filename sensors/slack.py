"""Slack: the Audit Logs API's entries, and the access logs of a workspace.

Source of the fields: https://docs.slack.dev/reference/audit-logs-api/methods-actions-reference (an action of
an actor on an entity, in a context), and https://docs.slack.dev/reference/methods/team.accessLogs (who used
the workspace from which address with what, from when to when).
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import json, mapped, text, time
from sensors.shapes.audit_trail import AuditTrail, Kinds, unless, who, words
from sensors.shapes.mapping import address, mail_domain
from sensors.values.ecs import related

KINDS: Final = Kinds("slack_kinds.toml")
_ENTITIES: Final = (
    "user", "file", "channel", "app", "workspace", "enterprise", "usergroup", "workflow", "barrier",
    "message", "role", "account_type_role", "huddle", "canvas", "list",
)  # fmt: skip
FIELDS: Final = {
    "event.id": "id",
    "user_agent.original": ("context.ua", "user_agent"),
    "session.id": "context.session_id",
    "user.target.id": "entity.user.id",
    "user.target.name": "entity.user.name",
    "user.target.email": "entity.user.email",
    "group.id": "entity.usergroup.id",
    "group.name": "entity.usergroup.name",
    "file.name": "entity.file.name",
    "file.hash.md5": "details.md5_hash",
    "source.geo.country_iso_code": "country",
    "source.geo.region_name": "region",
    "slack.audit.entity.entity_type": "entity.type",
    "slack.audit.context.type": "context.location.type",
    "slack.audit.context.id": "context.location.id",
    "slack.audit.context.name": "context.location.name",
    "slack.audit.context.domain": "context.location.domain",
    "slack.audit.details.location": "details.location",
    "slack.audit.details.reason": "details.reason",
    "slack.audit.details.previous_ip_address": "details.previous_ip_address",
    "slack.audit.details.previous_ua": "details.previous_ua",
    "slack.access.isp": "isp",
    "slack.access.count": "count",
}


def _is_record(record: dict[str, Any]) -> bool:
    actor = record.get("actor")
    if isinstance(actor, dict) and isinstance(record.get("action"), str):
        context = record.get("context")
        placed = isinstance(context, dict) and bool({"ip_address", "location", "ua"} & context.keys())
        return isinstance(actor.get("user"), dict) and (placed or {"entity", "date_create"} <= record.keys())
    return {"user_id", "username", "date_first", "date_last", "ip"} <= record.keys()


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Entries of either log, shredded, as ECS."""
    audited = text(frame, "action")
    access = audited.is_null()
    action = audited.fill_null("access")
    email = text(frame, "actor.user.email")
    origin = text(frame, "context.ip_address", "ip")
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "details.action_timestamp", "date_create", "date_first").alias("@timestamp"),
        pl.when(access).then(pl.lit("slack.access")).otherwise(pl.lit("slack.audit")).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(access)
        .then(words(pl.lit("authentication,session")))
        .otherwise(KINDS.category(action))
        .alias("event.category"),
        KINDS.type(action).alias("event.type"),
        KINDS.outcome(action).alias("event.outcome"),
        action.alias("event.action"),
        unless(KINDS.known(action) | access),
        time(frame, "date_first").alias("event.start"),
        time(frame, "date_last").alias("event.end"),
        *mapped(frame, FIELDS),
        *who(
            "user",
            "source.user",
            id=text(frame, "actor.user.id", "user_id"),
            name=text(frame, "actor.user.name", "username"),
            full_name=text(frame, "actor.user.name"),
            email=email,
        ),
        mail_domain(email).alias("user.domain"),
        origin.alias("source.address"),
        address(origin).alias("source.ip"),
        *(
            text(frame, *(f"entity.{kind}.{part}" for kind in _ENTITIES)).alias(f"slack.audit.entity.{part}")
            for part in ("id", "name", "email", "team", "domain", "privacy", "title", "filetype")
        ),
        json(frame, "details").alias("slack.audit.details"),
    )
    return events.with_columns(
        related(["source.ip"]).alias("related.ip"),
        related(["user.id", "user.email"]).alias("related.user"),
    )


SENSOR: Final = AuditTrail("slack", _is_record, ("action", "user_id"), _events)
