"""PingOne audit activities.

Source of the fields: https://apidocs.pingidentity.com/pingone/platform/v1/api/#audit-activities. The client
among `actors` is the application that acted, the user is the person at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import mapped, objects, text, texts, time
from sensors.shapes.audit_records import AuditRecords
from sensors.shapes.mapping import address, flags
from sensors.values.ecs import related
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = {
    "event.id": "id",
    "event.reason": "result.description",
    "client.user.id": "actors.client.id",
    "client.user.name": "actors.client.name",
    "user.id": "actors.user.id",
    "user.name": "actors.user.name",
    "source.user.id": "actors.user.id",
    "source.user.name": "actors.user.name",
    "user_agent.original": ("source.userAgent", "userAgent"),
    "session.id": "session.id",
    "transaction.id": "transactionId",
    "ping_one.audit.correlation.id": "correlationId",
    "ping_one.audit.created_at": "createdAt",
    "ping_one.audit.action.type": "action.type",
    "ping_one.audit.action.description": "action.description",
    "ping_one.audit.actors.client.environment.id": "actors.client.environment.id",
    "ping_one.audit.actors.client.type": "actors.client.type",
    "ping_one.audit.actors.user.environment.id": "actors.user.environment.id",
    "ping_one.audit.actors.user.population.id": "actors.user.population.id",
    "ping_one.audit.actors.user.type": "actors.user.type",
    "ping_one.audit.result.status": "result.status",
    "ping_one.audit.result.id": "result.id",
    "ping_one.audit.resources": "resources",
}
CATEGORY: Final = {
    "configuration": r"created|deleted|updated|access_allowed",
    "authentication": r"password\.check_|authentication\.|sign_?on\.|session\.",
    "email": r"email",
}
TYPE: Final = {
    "creation": r"created",
    "deletion": r"deleted",
    "change": r"updated",
    "user": r"user",
    "group": r"group",
    "info": r"allowed",
    "denied": r"denied",
    "start": r"started",
    "access": r"access_allowed",
}
OUTCOME: Final = {"success": "success", "succeeded": "success", "failure": "failure", "failed": "failure"}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record is an audit activity: who, what, and how it ended."""
    action = record.get("action")
    told = {"actors", "resources", "result", "correlationId"} & record.keys()
    return isinstance(action, dict) and "type" in action and "recordedAt" in record and bool(told)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Activities, shredded, as ECS."""
    action = text(frame, "action.type").str.to_lowercase()
    frame = frame.with_columns(objects(frame, "resources", "href", "type", "id", "name").alias("~resources"))
    resource = pl.element().struct
    people = pl.col("~resources").list.filter(resource.field("type") == "USER").list.first().struct
    types = flags({word: action.str.contains(pattern) for word, pattern in TYPE.items()})
    name = text(frame, "actors.user.name")
    mail = pl.when(name.str.contains("@")).then(name)
    ip = address(text(frame, "source.ipAddress", "ipAddress"))
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "recordedAt", "createdAt").alias("@timestamp"),
        pl.lit("ping_one.audit").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        action.alias("event.action"),
        flags(
            {
                "iam": action.is_not_null(),
                **{word: action.str.contains(pattern) for word, pattern in CATEGORY.items()},
            }
        ).alias("event.category"),
        pl.when(types.list.len() > 0)
        .then(types)
        .otherwise(pl.lit(["info"], pl.List(pl.String)))
        .alias("event.type"),
        text(frame, "result.status")
        .str.to_lowercase()
        .replace_strict(OUTCOME, default=None, return_dtype=pl.String)
        .alias("event.outcome"),
        *mapped(frame, FIELDS),
        texts(frame, "tags").alias("tags"),
        mail.alias("user.email"),
        mail.alias("source.user.email"),
        people.field("id").alias("user.target.id"),
        people.field("name").alias("user.target.name"),
        pl.col("~resources")
        .list.eval(resource.field("href"))
        .list.drop_nulls()
        .list.last()
        .alias("url.original"),
        ip.alias("source.ip"),
    )
    return url_columns(events).with_columns(
        pl.col("source.ip").alias("client.ip"),
        related(["source.ip"]).alias("related.ip"),
        related(["client.user.id", "client.user.name", "user.id", "user.name"]).alias("related.user"),
    )


SENSOR: Final = AuditRecords("ping_one", _fits, ("action.type",), _events)
