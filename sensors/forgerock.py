"""ForgeRock (Ping Advanced Identity): audit and debug logs of Access Management and Identity Management.

As the tenant's log API gives them (`payload` with an envelope) and as the servers write them to files (the
payload alone). https://docs.pingidentity.com/pingam/latest/security/audit-log-format.html and
https://docs.pingidentity.com/pingidm/latest/audit-guide/; mapping after Elastic's integration `forgerock`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import integer, mapped, objects, text, texts, time
from sensors.shapes.audit_records import AuditRecords, original
from sensors.shapes.mapping import address
from sensors.values.ecs import related
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Mapping


def _at(*paths: str) -> tuple[str, ...]:
    """The paths inside the envelope, and without one."""
    return (*(f"payload.{path}" for path in paths), *paths)


FIELDS: Final = {
    "event.id": _at("_id"),
    "transaction.id": _at("transactionId", "mdc.transactionId"),
    "event.action": _at("eventName"),
    "service.name": _at("component"),
    "http.request.method": _at("http.request.method"),
    "url.original": _at("http.request.path"),
    "client.domain": _at("client.host"),
    "server.domain": _at("server.host"),
    "user.effective.id": _at("runAs"),
    "log.level": _at("level"),
    "log.logger": _at("logger"),
    "forgerock.exception": _at("exception"),
    "error.message": _at("response.detail.reason"),
    "forgerock.topic": _at("topic"),
    "forgerock.realm": _at("realm"),
    "forgerock.operation": _at("operation", "request.operation"),
    "forgerock.object_id": _at("objectId"),
    "forgerock.changed_fields": _at("changedFields"),
    "forgerock.tracking_ids": _at("trackingIds"),
    "forgerock.roles": _at("roles"),
    "forgerock.action": _at("action"),
    "forgerock.mapping": _at("mapping"),
    "forgerock.situation": _at("situation"),
    "forgerock.source_object_id": _at("sourceObjectId"),
    "forgerock.target_object_id": _at("targetObjectId"),
    "forgerock.method": _at("method"),
}
_OUTCOME: Final = {
    "SUCCESSFUL": "success", "SUCCESS": "success",
    "FAILED": "failure", "FAIL": "failure", "FAILURE": "failure",
}  # fmt: skip
_UNITS: Final = {"NANOSECONDS": 1, "MICROSECONDS": 1_000, "SECONDS": 1_000_000_000}
_CATEGORY: Final = {
    "authentication": "authentication",
    "config": "configuration",
    "access": "web",
    "sync": "iam",
}
_SESSIONS: Final = r"^AM-SESSION-"
_OPENED: Final = r"^AM-SESSION-CREATED$"
_CLOSED: Final = r"^AM-SESSION-(?:DESTROYED|LOGGED_OUT|(?:IDLE|MAX)_TIMED_OUT|EXPIRED)$"
_UUID: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-"


def _fits(record: Mapping[str, Any]) -> bool:
    payload = record.get("payload", record)
    if not isinstance(payload, dict) or "timestamp" not in payload:
        return False
    if {"transactionId", "_id"} <= payload.keys():
        return bool({"eventName", "topic", "action"} & payload.keys())
    return "payload" in record and {"level", "logger", "thread", "transactionId"} <= payload.keys()


def _topic(frame: pl.DataFrame) -> pl.Expr:
    """What the record is about, said or told by its fields: files are of one topic and do not say it."""
    name = text(frame, *_at("eventName"))
    return (
        pl.when(text(frame, *_at("logger")).is_not_null())
        .then(pl.lit("core"))
        .otherwise(pl.coalesce(text(frame, *_at("topic")).str.to_lowercase(), _told_by_name(name)))
    )


def _told_by_name(name: pl.Expr) -> pl.Expr:
    return (
        pl.when(name.str.contains("^AM-ACCESS-|^access$"))
        .then(pl.lit("access"))
        .when(name.str.contains("^AM-(?:LOGIN|LOGOUT|NODE|TREE)|^(?i:authentication|login)"))
        .then(pl.lit("authentication"))
        .when(name.str.contains("(?i)CONFIG"))
        .then(pl.lit("config"))
        .when(name == "sync")
        .then(pl.lit("sync"))
        .otherwise(pl.lit("activity"))
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records, shredded, as ECS."""
    name, stream = text(frame, *_at("eventName")), text(frame, "source").str.replace("-", "_", literal=True)
    topic = _topic(frame)
    product = (
        pl.when(name.str.starts_with("AM-") | (topic == "core")).then(pl.lit("am_")).otherwise(pl.lit("idm_"))
    )
    known = pl.when(stream.str.contains("^(?:am|idm)_")).then(stream)
    user_id = text(frame, *_at("userId", "principal"))
    identity = user_id.str.extract("^id=([^,]+),", 1).fill_null(user_id)
    principal = pl.coalesce(texts(frame, path).list.first() for path in _at("principal"))
    entries = pl.coalesce(
        objects(frame, path, "info.ipAddress").list.first().struct.field("info.ipAddress")
        for path in _at("entries")
    )
    client = address(text(frame, *_at("client.ip")))
    origin = pl.coalesce(client, address(entries))
    person = pl.coalesce(principal, identity)
    unit = text(frame, *_at("response.elapsedTimeUnits")).replace_strict(
        _UNITS, default=1_000_000, return_dtype=pl.Int64
    )
    agent = pl.coalesce(texts(frame, path).list.first() for path in _at("http.request.headers.user-agent"))
    relays = pl.coalesce(
        texts(frame, path).list.first() for path in _at("http.request.headers.x-forwarded-for")
    )
    events = frame.select(
        "log.offset",
        "log.file.line",
        "text",
        time(frame, *_at("timestamp")).alias("@timestamp"),
        pl.concat_str(pl.lit("forgerock."), pl.coalesce(known, product + topic)).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        topic.alias("~topic"),
        text(frame, *_at("response.status", "result", "status"))
        .replace_strict(_OUTCOME, default=None, return_dtype=pl.String)
        .alias("event.outcome"),
        pl.coalesce(text(frame, *_at("message")), text(frame, "payload.operation", "operation")).alias(
            "event.reason"
        ),
        text(frame, *_at("userId")).alias("user.id"),
        text(frame, *_at("userId")).alias("source.user.id"),
        pl.when(~person.str.contains(_UUID)).then(person).alias("user.name"),
        *mapped(frame, FIELDS),
        client.alias("client.ip"),
        integer(frame, *_at("client.port")).alias("client.port"),
        origin.alias("source.ip"),
        origin.alias("source.address"),
        integer(frame, *_at("client.port")).alias("source.port"),
        address(text(frame, *_at("server.ip"))).alias("server.ip"),
        integer(frame, *_at("server.port")).alias("server.port"),
        integer(frame, *_at("response.statusCode")).alias("http.response.status_code"),
        (integer(frame, *_at("response.elapsedTime")) * unit).alias("event.duration"),
        agent.alias("user_agent.original"),
        relays.str.extract("^([^,]+)", 1).alias("network.forwarded_ip"),
        pl.when(text(frame, *_at("logger")).is_not_null())
        .then(text(frame, *_at("thread")))
        .alias("process.name"),
    )
    return _meant(url_columns(events))


def _meant(events: pl.DataFrame) -> pl.DataFrame:
    """`event.category`, `event.type`, and what is related."""
    action, topic = pl.col("event.action"), pl.col("~topic")
    session = action.str.contains(_SESSIONS).fill_null(value=False)
    category = (
        pl.when(session)
        .then(pl.lit("session"))
        .when((topic == "activity") & action.is_not_null())
        .then(pl.lit("iam"))
        .otherwise(topic.replace_strict(_CATEGORY, default=None, return_dtype=pl.String))
    )
    done = pl.col("forgerock.operation").str.to_uppercase()
    kind = (
        pl.when(topic == "access")
        .then(pl.lit("access"))
        .when(action.str.contains(_OPENED) | (action == "AM-LOGIN-COMPLETED"))
        .then(pl.lit("start"))
        .when(action.str.contains(_CLOSED) | (action == "AM-LOGOUT"))
        .then(pl.lit("end"))
        .when(done == "CREATE")
        .then(pl.lit("creation"))
        .when(done.is_in(["UPDATE", "PATCH", "MODIFY"]))
        .then(pl.lit("change"))
        .when(done == "DELETE")
        .then(pl.lit("deletion"))
        .otherwise(pl.lit("info"))
    )
    return events.with_columns(
        category.str.split(",").alias("event.category"),
        kind.str.split(",").alias("event.type"),
        pl.col("user.name").alias("source.user.name"),
        pl.lit("ForgeRock Identity Platform").alias("observer.vendor"),
        original(topic.is_null()),
        related(["source.ip", "server.ip"]).alias("related.ip"),
        related(["user.name", "user.id", "user.effective.id"]).alias("related.user"),
    ).drop("~topic", "text")


SENSOR: Final = AuditRecords("forgerock", _fits, _at("transactionId", "_id"), _events)
