"""Box: events of a user or an enterprise (`/2.0/events`, admin logs), with the alerts of Box Shield.

Source of the fields: https://developer.box.com/reference/resources/event/ and
https://developer.box.com/guides/events/event-triggers/shield-alert-events/. The person is who made the event
(`created_by`), the item is its `source`; of an alert it is the user whom the alert is about.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import integer, json, mapped, objects, text, time
from sensors.shapes.audit_trail import AuditTrail, Kinds, first_words, unless, who
from sensors.shapes.mapping import address, mail_domain, only
from sensors.values.ecs import related

KINDS: Final = Kinds("box_kinds.toml")
_ALERT: Final = "additional_details.shield_alert"
FIELDS: Final = {
    "event.id": "event_id",
    "session.id": "session_id",
    "user_agent.original": "additional_details.user_agent",
    "service.name": "additional_details.service_name",
    "file.hash.sha1": ("source.sha1", "source.file_version.sha1"),
    "rule.category": f"{_ALERT}.rule_category",
    "rule.id": f"{_ALERT}.rule_id",
    "rule.name": f"{_ALERT}.rule_name",
    "event.risk_score": f"{_ALERT}.risk_score",
    "event.url": f"{_ALERT}.link",
    "event.reason": f"{_ALERT}.alert_summary.description",
    "user.effective.id": f"{_ALERT}.user.id",
    "user.effective.name": f"{_ALERT}.user.name",
    "user.effective.email": f"{_ALERT}.user.email",
    "box.action_by.id": "action_by.id",
    "box.action_by.login": "action_by.login",
    "box.source.id": ("source.id", "source.item_id", "source.file_id", "source.folder_id"),
    "box.source.type": ("source.type", "source.item_type"),
    "box.source.owned_by.id": "source.owned_by.id",
    "box.source.owned_by.login": "source.owned_by.login",
    "box.source.shared_link.url": "source.shared_link.url",
    "box.source.shared_link.access": "source.shared_link.access",
    "box.source.parent.name": "source.parent.name",
    "box.accessible_by.login": "accessible_by.login",
    "box.alert.id": f"{_ALERT}.alert_id",
    "box.alert.priority": f"{_ALERT}.priority",
    "box.alert.malware_name": f"{_ALERT}.malware_info.malware_name",
}
# What kind of alert Shield's rule makes.
_ALERT_CATEGORY: Final = {
    r"^Anomalous Download": "threat,file",
    r"^Malicious Content": "threat,file,malware",
    r"^Suspicious (Locations?|Sessions?)": "threat,network",
    r".": "threat",
}
_ALERT_TYPE: Final = {
    r"^Anomalous Download": "indicator,access",
    r"^Malicious Content": "indicator,info",
    r"^Suspicious (Locations?|Sessions?)": "indicator,access,connection",
    r".": "indicator",
}


def _is_record(record: dict[str, Any]) -> bool:
    kind = record.get("event_type")
    if not isinstance(kind, str) or kind != kind.upper():
        return False
    others = record.keys() - {"event_type"}
    return record.get("type") == "event" or not others or {"event_id", "created_by"} <= others


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Events, shredded, as ECS."""
    action = text(frame, "event_type")
    rule = text(frame, f"{_ALERT}.rule_category")
    alert = rule.is_not_null() | text(frame, f"{_ALERT}.rule_id").is_not_null()
    login = text(frame, "created_by.login")
    origin = only(text(frame, "ip_address"), "unknown ip")
    name = text(frame, "source.name", "source.item_name", "source.file_name", "source.folder_name")
    kind = text(frame, "source.type", "source.item_type")
    of_user = kind == "user"
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "created_at", "recorded_at").alias("@timestamp"),
        pl.lit("box_events.events").alias("event.dataset"),
        pl.when(alert).then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        pl.coalesce(first_words(rule, _ALERT_CATEGORY), KINDS.category(action)).alias("event.category"),
        pl.coalesce(first_words(rule, _ALERT_TYPE), KINDS.type(action)).alias("event.type"),
        KINDS.outcome(action).alias("event.outcome"),
        action.alias("event.action"),
        unless(KINDS.known(action)),
        *mapped(frame, FIELDS),
        *who(
            "user",
            "source.user",
            id=text(frame, "created_by.id"),
            name=text(frame, "created_by.name"),
            full_name=text(frame, "created_by.name"),
            email=pl.when(login.str.contains("@")).then(login),
        ),
        mail_domain(login).alias("user.domain"),
        *who("user.target", id=_when(of_user, frame, "id"), email=_when(of_user, frame, "login")),
        pl.when(of_user).then(text(frame, "source.name")).alias("user.target.name"),
        origin.alias("source.address"),
        address(origin).alias("source.ip"),
        address(origin).alias("client.ip"),
        pl.when(kind == "folder").then(name).alias("file.directory"),
        pl.when(kind.is_in(["file", "web_link"])).then(name).alias("file.name"),
        pl.when(~of_user.fill_null(value=False)).then(_path(frame, name)).alias("file.path"),
        integer(frame, "source.size", "additional_details.size").alias("file.size"),
        address(_alert_ip(frame)).alias("~alert_ip"),
        text(frame, "source.owned_by.id").alias("~owner_id"),
        text(frame, "source.owned_by.login").alias("~owner"),
        text(frame, "source.owned_by.name").alias("~owner_name"),
        json(frame, "additional_details").alias("box.additional_details"),
    )
    mine = ["user.id", "user.email", "user.name", "user.target.email"]
    owners = ["~owner_id", "~owner", "~owner_name"]
    theirs = ["user.effective.email", "user.effective.id", "user.effective.name"]
    return events.with_columns(
        related(["~alert_ip", "source.ip"]).alias("related.ip"),
        pl.coalesce(
            related(theirs), pl.when(pl.col("~owner").is_not_null()).then(related(owners)), related(mine)
        ).alias("related.user"),
    ).drop("~alert_ip", *owners)


def _when(condition: pl.Expr, frame: pl.DataFrame, key: str) -> pl.Expr:
    """What the source has at `key`, where it is a source of that kind."""
    return pl.when(condition).then(text(frame, f"source.{key}"))


def _path(frame: pl.DataFrame, name: pl.Expr) -> pl.Expr:
    """The item with the folders that it is in."""
    folders = objects(frame, "source.path_collection.entries", "name").list.eval(
        pl.element().struct.field("name").drop_nulls()
    )
    return pl.when(folders.list.len() > 0).then("/" + folders.list.join("/") + "/" + name)


def _alert_ip(frame: pl.DataFrame) -> pl.Expr:
    """The first address that an alert's summary names."""
    summary = json(frame, f"{_ALERT}.alert_summary")
    return summary.str.extract(r'"ip"\s*:\s*"([0-9A-Fa-f.:]+)"', 1)


SENSOR: Final = AuditTrail("box", _is_record, ("event_type",), _events, ("additional_details",))
