"""Dropbox: the log of a team (`/2/team_log/get_events`).

Source of the fields: https://www.dropbox.com/developers/documentation/http/teams#team_log-get_events. Every
value that is one of several kinds says which in its `.tag`: the category, the type of the event, the actor
(a user, an administrator, an app), the participants and the assets.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import integer, json, mapped, objects, text, time
from sensors.shapes.audit_trail import AuditTrail, first_words, who
from sensors.shapes.mapping import address, first_rule, mail_domain, mailbox
from sensors.values.ecs import related

_ACTORS: Final = ("user", "admin", "reseller", "app")
FIELDS: Final = {
    "event.action": "event_type..tag",
    "event.reason": "event_type.description",
    "session.id": (
        "origin.access_method.end_user.session_id", "origin.access_method.sign_in_as.session_id",
        "origin.access_method.content_manager.session_id", "origin.access_method.admin_console.session_id",
    ),
    "source.geo.city_name": "origin.geo_location.city",
    "source.geo.region_name": "origin.geo_location.region",
    "source.geo.country_iso_code": "origin.geo_location.country",
    "dropbox.event_category": "event_category..tag",
    "dropbox.actor.type": "actor..tag",
    "dropbox.actor.account_id": tuple(f"actor.{kind}.account_id" for kind in _ACTORS),
    "dropbox.actor.app_id": "actor.app.app_id",
    "dropbox.access_method": ("origin.access_method.end_user..tag", "origin.access_method..tag"),
    "dropbox.involve_non_team_member": "involve_non_team_member",
    "dropbox.context.type": "context..tag",
    "dropbox.context.email": "context.email",
    "dropbox.participants": "participants",
    "dropbox.assets": "assets",
    "dropbox.device.display_name": "details.device_session_info.host_name",
}  # fmt: skip
# By `category:type`.
CATEGORY: Final = {
    r"^(logins|sso):.*(login|logout|sign_in|session)|^logins:": "authentication,session",
    r"^devices:": "host,session",
    r"^(members|groups|passwords|tfa|trusted_teams|encryption):": "iam",
    r"^(file_operations|sharing|paper|showcase|file_requests|comments|team_folders):": "file",
    r"^data_governance:|:.*(ransomware|suspicious|anomal)": "threat",
    r".": "configuration",
}
TYPE: Final = {
    r":(login_success|sign_in_as_session_start)$": "start",
    r":(logout|sign_in_as_session_end)$": "end",
    r"_(fail|error)$": "info",
    r"^groups:.*_(create)$": "group,creation",
    r"^groups:.*_(delete|permanently_delete)$": "group,deletion",
    r"^groups:": "group,change",
    r"^members:.*(_add|_invite|join)": "user,creation",
    r"^members:.*(_delete|_remove)": "user,deletion",
    r"^members:|^(passwords|tfa):": "user,change",
    r"_(download|view|preview|get_copy_reference|opened|open)$": "access",
    r"_(delete|permanently_delete|remove|removed|unlink|revoke|disable)(_|$)": "deletion",
    r"_(add|create|created|upload|copy|link_success|link|invite|enable|restore)$": "creation",
    r".": "change",
}
OUTCOME: Final = {
    r"(_fail|_error)$": "failure",
    r"(login_success|logout|_link_success|sign_in_as_session_(start|end))$": "success",
}
_DETAILS: Final = r'"display_message"\s*:\s*"([^"]+)"'
_PERSON: Final = (".tag", "user.display_name", "user.email", "user.account_id", "user.team_member_id")
_GROUP: Final = ("group.display_name", "group.group_id", "group.external_id")
_RELATIVE: Final = "path.namespace_relative.relative_path"
_ASSET: Final = (
    ".tag",
    "display_name",
    "path.contextual",
    _RELATIVE,
    "file_size",
)
_FILES: Final = ("file", "folder", "paper_document", "showcase_document")


def _is_record(record: dict[str, Any]) -> bool:
    kind, category = record.get("event_type"), record.get("event_category")
    return isinstance(kind, dict) and ".tag" in kind and isinstance(category, dict) and "timestamp" in record


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Events of the team, shredded, as ECS."""
    frame = _with_objects(frame)
    kind = text(frame, "event_category..tag").fill_null("") + ":" + text(frame, "event_type..tag")
    email = text(frame, *(f"actor.{one}.email" for one in _ACTORS))
    origin = text(frame, "origin.geo_location.ip_address")
    person, group, asset = (pl.col(f"~{name}").struct for name in ("person", "group", "asset"))
    target = person.field("user.email")
    path = pl.coalesce(asset.field("path.contextual"), asset.field(_RELATIVE))
    of_file = asset.field(".tag") != "folder"
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "timestamp").alias("@timestamp"),
        pl.lit("dropbox.team_log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        first_words(kind, CATEGORY).alias("event.category"),
        first_words(kind, TYPE).alias("event.type"),
        first_rule(kind, OUTCOME).alias("event.outcome"),
        *mapped(frame, FIELDS),
        *who(
            "user",
            "source.user",
            id=text(frame, *(f"actor.{one}.team_member_id" for one in _ACTORS)),
            email=email,
            name=mailbox(email),
            full_name=text(frame, *(f"actor.{one}.display_name" for one in _ACTORS)),
        ),
        mail_domain(email).alias("user.domain"),
        *who(
            "user.target",
            email=target,
            name=mailbox(target),
            full_name=person.field("user.display_name"),
            id=person.field("user.team_member_id"),
        ),
        group.field("group.display_name").alias("group.name"),
        group.field("group.group_id").alias("group.id"),
        pl.when(of_file).then(asset.field("display_name")).alias("file.name"),
        pl.when(~of_file).then(path).alias("file.directory"),
        path.alias("file.path"),
        asset.field("file_size").cast(pl.Int64, strict=False).alias("file.size"),
        integer(frame, "details.error_details.code").alias("http.response.status_code"),
        json(frame, "details.error_details").str.extract(_DETAILS, 1).alias("error.message"),
        origin.alias("source.address"),
        address(origin).alias("source.ip"),
        json(frame, "details").alias("dropbox.details"),
    )
    return events.with_columns(
        related(["source.ip"]).alias("related.ip"),
        related(["user.email", "user.target.email"]).alias("related.user"),
        related(["dropbox.device.display_name"]).alias("related.hosts"),
    )


def _with_objects(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the first person, group and file that an event is about."""
    participants = objects(frame, "participants", *_PERSON, *_GROUP)
    assets = objects(frame, "assets", *_ASSET)
    tag = pl.element().struct.field(".tag")
    return frame.with_columns(
        participants.list.filter(tag == "user").list.first().alias("~person"),
        participants.list.filter(tag == "group").list.first().alias("~group"),
        assets.list.filter(tag.is_in(_FILES)).list.first().alias("~asset"),
    )


SENSOR: Final = AuditTrail("dropbox", _is_record, ("event_type..tag",), _events)
