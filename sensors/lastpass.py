"""LastPass Business: the event report and the users of the Enterprise API.

Source of the fields: https://support.lastpass.com, "Event Reporting via API" and "Get user data". The API
writes times of the US East Coast, whatever the zone of whoever asks, unless they name an offset. Whom an act
was done to stands in the free text of `Data`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import mapped, text, texts, time
from sensors.shapes.audit_records import AuditRecords, original, told_by, words
from sensors.shapes.mapping import address
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Mapping

ZONE: Final = "America/New_York"
FIELDS: Final = {
    "lastpass.event_report.action": "Action",
    "lastpass.event_report.data.original": "Data",
    "lastpass.user.mpstrength": "mpstrength",
    "lastpass.user.last_login": "last_login",
    "lastpass.user.last_password_change": "last_pw_change",
    "lastpass.user.never_logged_in": "neverloggedin",
    "lastpass.user.disabled": "disabled",
    "lastpass.user.admin": "admin",
    "lastpass.user.linked": "linked",
    "lastpass.user.sites": "sites",
    "lastpass.user.notes": "notes",
    "lastpass.user.attachments": "attachments",
    "lastpass.user.groups": "groups",
    "user.full_name": "fullname",
    "user.id": "id",
}
CATEGORY: Final = {
    r"log ?in|multifactor|logged|logout": ("authentication",),
    r"policy|api secret": ("configuration",),
    r"admin|master password|password change|employee account|lastpass account|group|account del": ("iam",),
}
TYPE: Final = {
    r"login verification|get .* data|employee invited|reporting|require password change|multifactor": (
        "info",
    ),
    r"log in|login|open secure note": ("start",),
    r"log ?out|logged off": ("end",),
    r"make admin": ("admin",),
    r"create group|adding user to group": ("group", "creation"),
    r"removing user from group|delete group": ("group", "deletion"),
    r"^(employee account created|created |add |site added)": ("creation",),
    r"delete|^remove": ("deletion",),
    r"regenerated|^(update|edit|move|limit|renamed)|changed|reset": ("change",),
    r".": ("info",),
}
OUTCOME: Final = {
    r"fail|denied|invalid": "failure",
    r"require password change|reporting": "unknown",
    r".": "success",
}
_MAIL: Final = r"([A-Za-z0-9._%+\-]+@[A-Za-z0-9.\-]+\.[A-Za-z]{2,}?)(?:-Shared-|[^A-Za-z0-9.\-]|$)"


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record is of the event report or of the list of users."""
    keys = record.keys()
    return {"Time", "Username", "Action", "IP_Address"} <= keys or {
        "username",
        "fullname",
        "mpstrength",
    } <= keys


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of either report, shredded, as ECS."""
    action = text(frame, "Action").str.to_lowercase()
    name = text(frame, "Username")
    mail = pl.when(pl.col("log.offset").is_not_null()).then(name.str.extract(r"^([^@\s]+@[^@\s]+)$", 1))
    # Lists are made of these: they need a value for every row, also where a batch has no such column.
    every = pl.col("log.offset").is_not_null()
    data = pl.when(every).then(text(frame, "Data"))
    group = pl.coalesce(data.str.extract(r"^\S+@\S+\s+-\s+(.+)$", 1), data.str.extract(r"^'([^']+)'$", 1))
    grouped = action.str.contains("group")
    ip = address(text(frame, "IP_Address"))
    state = action.is_null()
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "Time", "last_login", "created", zone=ZONE).alias("@timestamp"),
        pl.when(state)
        .then(pl.lit("lastpass.user"))
        .otherwise(pl.lit("lastpass.event_report"))
        .alias("event.dataset"),
        pl.when(state).then(pl.lit("state")).otherwise(pl.lit("event")).alias("event.kind"),
        action.alias("event.action"),
        pl.when(state).then(words("iam")).otherwise(told_by(action, CATEGORY)).alias("event.category"),
        pl.when(state).then(words("user")).otherwise(told_by(action, TYPE)).alias("event.type"),
        told_by(action, OUTCOME).alias("event.outcome"),
        *mapped(frame, FIELDS),
        *(
            value.alias(f"{root}.{part}")
            for root in ("user", "source.user")
            for part, value in (("name", name), ("email", mail))
        ),
        data.str.extract(_MAIL, 1).alias("user.target.email"),
        data.str.extract_all(_MAIL)
        .list.eval(pl.element().str.extract(_MAIL, 1))
        .list.set_union(pl.concat_list(pl.when(every).then(name)).list.drop_nulls())
        .alias("~people"),
        pl.when(grouped).then(group).alias("group.name"),
        pl.when(grouped).then(group).alias("user.group.name"),
        texts(frame, "groups").list.first().alias("~group"),
        ip.alias("source.ip"),
        original(action.is_null() & ~state),
    )
    return events.with_columns(
        pl.col("source.ip").alias("client.ip"),
        related(["source.ip"]).alias("related.ip"),
        pl.when(pl.col("event.kind") == "state")
        .then(related(["user.email", "user.full_name"]))
        .when(pl.col("~people").list.len() > 0)
        .then("~people")
        .otherwise(related(["user.name"]))
        .alias("related.user"),
    ).drop("~people", "~group")


SENSOR: Final = AuditRecords("lastpass", _fits, ("Action", "mpstrength"), _events)
