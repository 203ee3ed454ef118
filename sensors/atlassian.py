"""Atlassian audit logs: Jira, Confluence and Bitbucket, Data Center and Cloud, and the organisation's log.

Source of the fields: "Audit log integrations in Jira/Confluence/Bitbucket" (the JSON files and the REST API
`/rest/auditing/1.0/events` of Data Center), Jira Cloud's `/rest/api/3/auditing/record`, Confluence Cloud's
`/wiki/rest/api/audit`, and the Organizations API's events (https://developer.atlassian.com/cloud/admin/).
All say who (author), from where, what (an action and its category), and to which objects.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import json, mapped, number, objects, text, time
from sensors.shapes.audit_trail import AuditTrail, Kinds, unless, who
from sensors.shapes.mapping import address, first_rule, mail_domain
from sensors.values.ecs import related

KINDS: Final = Kinds("atlassian_kinds.toml")
_ACTION: Final = (
    "auditType.actionI18nKey", "type.actionI18nKey", "auditType.action", "type.action", "summary",
    "attributes.action",
)  # fmt: skip
FIELDS: Final = {
    "event.id": "id",
    "user.id": ("author.id", "author.accountId", "authorAccountId", "attributes.actor.id"),
    "source.user.id": ("author.id", "author.accountId", "authorAccountId", "attributes.actor.id"),
    "source.geo.city_name": ("attributes.location.city",),
    "source.geo.country_name": ("attributes.location.countryName",),
    "event.reason": "attributes.message.content",
    "atlassian.audit.action": ("auditType.action", "type.action", "summary"),
    "atlassian.audit.category": ("auditType.category", "type.category", "category"),
    "atlassian.audit.area": ("auditType.area", "type.area"),
    "atlassian.audit.level": ("auditType.level", "type.level"),
    "atlassian.audit.method": "method",
    "atlassian.audit.system": "system",
    "atlassian.audit.node": "node",
    "atlassian.audit.author.type": ("author.type", "attributes.actor.auth.authType"),
    "atlassian.audit.description": "description",
    "atlassian.audit.changed_values": "changedValues",
    "atlassian.audit.extra_attributes": "extraAttributes",
    "atlassian.audit.context": "attributes.context",
}
# The action, the address of the author's page or the base address of the system tells which product it was.
_PRODUCT: Final = {
    r"^jira\.|ViewProfile\.jspa": "jira",
    r"^bitbucket\.": "bitbucket",
    r"^audit\.logging\.|viewuser\.action": "confluence",
    r"(?i)^https?://[^/]*jira|/jira": "jira",
    r"(?i)^https?://[^/]*(confluence|wiki)|/(confluence|wiki)": "confluence",
    r"(?i)^https?://[^/]*(bitbucket|stash)|/(bitbucket|stash)": "bitbucket",
}
_OBJECT: Final = ("type", "typeName", "objectType", "name", "id", "uri")
_CHANGE: Final = (
    "i18nKey", "key", "fieldName", "name", "from", "changedFrom", "oldValue", "to", "changedTo", "newValue",
)  # fmt: skip
# What the changed values of a user are called.
_CHANGED: Final = {
    "name": r"(?i)^(common\.words\.username|username|.*\.attribute\.user\.name|.*\.value\.username)$",
    "email": r"(?i)^(common\.words\.email|e-?mail|.*\.value\.email)$",
    "full_name": r"(?i)^(common\.words\.fullname|full name|display name|.*\.value\.fullname)$",
}
_NAMED_UUID: Final = r"^(.+):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$"


def _is_record(record: dict[str, Any]) -> bool:
    kind = record.get("audittype", record.get("type"))
    if isinstance(kind, dict):
        return bool({"actionI18nKey", "categoryI18nKey"} & kind.keys()) and "author" in record
    attributes = record.get("attributes")
    if isinstance(attributes, dict):
        return kind == "events" and {"action", "actor", "time"} <= attributes.keys()
    if not {"summary", "category"} <= record.keys():
        return False
    return {"creationdate", "author"} <= record.keys() or (
        "created" in record and bool({"objectitem", "eventsource", "authorkey"} & record.keys())
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Audit events, shredded, as ECS."""
    frame = _with_objects(frame.with_columns(text(frame, *_ACTION).alias("~action")))
    action = pl.col("~action")
    product = _product(frame)
    confluence = product == "confluence"
    display = text(frame, "author.displayName", "author.name", "attributes.actor.name")
    login = text(frame, "author.uri").str.extract(r"[?&](?:username|name)=([^&#]+)", 1)
    cloud = text(frame, "author.displayName", "attributes.actor.name").is_not_null()
    name = pl.when(confluence | cloud).then(login).otherwise(text(frame, "author.name"))
    full_name = pl.when(confluence | cloud).then(display)
    email = text(frame, "author.email", "attributes.actor.email")
    origin = text(frame, "source", "remoteAddress", "attributes.location.ip")
    events = frame.select(
        "log.offset",
        "log.file.line",
        _when(frame).alias("@timestamp"),
        pl.when(product == "organisation")
        .then(pl.lit("atlassian.audit"))
        .otherwise("atlassian_" + product + ".audit")
        .alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        KINDS.category(action).alias("event.category"),
        KINDS.type(action).alias("event.type"),
        KINDS.outcome(action).alias("event.outcome"),
        action.alias("event.action"),
        unless(KINDS.known(action)),
        *mapped(frame, FIELDS),
        *who("user", "source.user", name=name, full_name=full_name, email=email),
        mail_domain(email).alias("user.domain"),
        origin.alias("source.address"),
        address(origin).alias("source.ip"),
        json(frame, "affectedObjects").alias("atlassian.audit.affected_objects"),
        text(frame, "system").str.extract(r"^\w+://([^/:]+)", 1).alias("~host"),
        *_targets(action, confluence),
    )
    return events.with_columns(
        related(["source.ip"]).alias("related.ip"),
        related(["user.name", "~related", "user.changes.name"]).alias("related.user"),
        related(["~host"]).alias("related.hosts"),
    ).drop("~host", "~related")


def _when(frame: pl.DataFrame) -> pl.Expr:
    """The time, in the product's own form; files of Data Center have seconds and nanoseconds apart."""
    micros = (number(frame, "timestamp.nano") / 1000).fill_null(0).cast(pl.Int64, strict=False)
    seconds = time(frame, "timestamp.epochSecond") + pl.duration(microseconds=micros)
    return pl.coalesce(time(frame, "timestamp", "created", "creationDate", "attributes.time"), seconds)


def _product(frame: pl.DataFrame) -> pl.Expr:
    """Which product's log a record is of; where nothing says so, the one that most others are of."""
    known = pl.coalesce(
        pl.when(text(frame, "attributes.action").is_not_null()).then(pl.lit("organisation")),
        first_rule(pl.col("~action"), _PRODUCT),
        pl.when(text(frame, "creationDate").is_not_null()).then(pl.lit("confluence")),
        pl.when(text(frame, "created").is_not_null()).then(pl.lit("jira")),
        first_rule(text(frame, "author.uri"), _PRODUCT),
        first_rule(text(frame, "system"), _PRODUCT),
    )
    found = frame.select(known.alias("product"))["product"].drop_nulls()
    commonest = found.mode().sort().first() if len(found) else "jira"
    return known.fill_null(pl.lit(commonest))


def _with_objects(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the person and the group that were acted on as `~person`, `~group`, and changes as `~changed`."""
    lists = [
        objects(frame, path, *_OBJECT) for path in ("affectedObjects", "associatedItems", "associatedObjects")
    ]
    own = pl.coalesce(
        pl.when(text(frame, f"{path}.name").is_not_null()).then(
            pl.struct(text(frame, f"{path}.{key}").alias(key) for key in _OBJECT)
        )
        for path in ("objectItem", "affectedObject")
    )
    every = pl.concat_list([one.fill_null([]) for one in lists] + [own]).list.drop_nulls()
    kind = pl.coalesce(pl.element().struct.field(key) for key in _OBJECT[:3]).str.to_uppercase()
    return frame.with_columns(
        every.list.filter(kind == "USER").list.last().alias("~person"),
        every.list.filter(kind == "GROUP").list.last().alias("~group"),
        objects(frame, "changedValues", *_CHANGE).alias("~changed"),
    )


def _targets(action: pl.Expr, confluence: pl.Expr) -> list[pl.Expr]:
    """Whom something was done to, and what of them was changed."""
    person, group = pl.col("~person").struct, pl.col("~group").struct
    renamed = action.str.contains(r"(?i)renamed$")
    member = action.str.contains(
        r"(?i)membership|\.(added\.to|removed\.from)\.group|(to|from) group$|_group$"
    )
    kinds = KINDS.type(action)
    about_users = kinds.list.contains("user") | kinds.list.contains("group") | renamed
    login = person.field("uri").str.extract(r"[?&](?:username|name)=([^&#]+)", 1)
    old = {part: _changed(pattern, "from", "changedFrom", "oldValue") for part, pattern in _CHANGED.items()}
    new = {part: _changed(pattern, "to", "changedTo", "newValue") for part, pattern in _CHANGED.items()}
    name = pl.when(confluence & ~member).then(login).otherwise(person.field("name"))
    target = pl.coalesce(old["name"], name)
    full = pl.when(confluence & ~member).then(person.field("name"))
    group_name = pl.coalesce(group.field("name").str.extract(_NAMED_UUID, 1), group.field("name"))
    group_id = pl.coalesce(group.field("name").str.extract(_NAMED_UUID, 2), group.field("id"))
    return [
        *(value.alias(f"user.changes.{part}") for part, value in new.items()),
        target.alias("user.target.name"),
        pl.coalesce(old["full_name"], full).alias("user.target.full_name"),
        old["email"].alias("user.target.email"),
        person.field("id").alias("user.target.id"),
        pl.when(about_users).then(target).alias("~related"),
        pl.when(~member).then(group_name).alias("group.name"),
        pl.when(~member).then(group_id).alias("group.id"),
        pl.when(member).then(group_name).alias("user.target.group.name"),
        pl.when(member).then(group_id).alias("user.target.group.id"),
    ]


def _changed(pattern: str, *keys: str) -> pl.Expr:
    """Of the changed value that `pattern` names, the first text at `keys`."""
    field = pl.element().struct.field
    label = pl.coalesce(pl.when(field(key) != "").then(field(key)) for key in _CHANGE[:4])
    value = pl.coalesce(pl.when(field(key) != "").then(field(key)) for key in keys)
    return (
        pl.col("~changed")
        .list.eval(pl.when(label.str.contains(pattern)).then(value).drop_nulls())
        .list.first()
    )


SENSOR: Final = AuditTrail("atlassian", _is_record, _ACTION, _events)
