"""Mattermost: the audit log in JSON, of servers before version 6 and since.

Source of the fields: https://docs.mattermost.com/administration-guide/comply/embedded-json-audit-log-schema.html.
Since version 6 the actor, the event's parameters and the place in the API stand in objects of their own.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import integer, json, mapped, text, time
from sensors.shapes.audit_trail import AuditTrail, Kinds, unless, who
from sensors.shapes.mapping import address
from sensors.values.ecs import related
from sensors.values.url import url_columns

KINDS: Final = Kinds("mattermost_kinds.toml")
_PARAMETERS: Final = "event.parameters"
FIELDS: Final = {
    "session.id": ("session_id", "actor.session_id"),
    "user_agent.original": ("client", "actor.client"),
    "error.code": ("err", "error.status_code"),
    "error.message": "error.description",
    "mattermost.audit.cluster.id": ("cluster_id", "meta.cluster_id"),
    "mattermost.audit.status": "status",
    "mattermost.audit.channel.id": (
        "channel.id",
        "channeld.id",
        "post.channel_id",
        f"{_PARAMETERS}.channel_id",
    ),
    "mattermost.audit.channel.name": ("channel.name", "channeld.name"),
    "mattermost.audit.channel.type": ("channel.type", "channeld.type"),
    "mattermost.audit.post.id": ("post.id", f"{_PARAMETERS}.post.id"),
    "mattermost.audit.team.id": ("team.id", f"{_PARAMETERS}.team_id"),
    "mattermost.audit.errors": "errors",
    "mattermost.audit.object_type": "event.object_type",
}
_DONE_TO: Final = ("user.id", "remove_user_id", f"{_PARAMETERS}.user_id", f"{_PARAMETERS}.user.id")
_MEMBERS: Final = r"^(add|remove)TeamMembers?$"
_OUTCOME: Final = {"success": "success", "fail": "failure"}


def _is_record(record: dict[str, Any]) -> bool:
    if {"event_name", "actor", "meta"} <= record.keys():
        return isinstance(record["actor"], dict) and "session_id" in record["actor"]
    return isinstance(record.get("event"), str) and {"timestamp", "status", "api_path"} <= record.keys()


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Audit records, shredded, as ECS."""
    action = text(frame, "event_name", "event")
    origin = text(frame, "ip_address", "actor.ip_address", "actor.x_forwarded_for")
    failed = text(frame, "errors").str.contains(r"^\[\s*[^\]\s]")
    status = text(frame, "status").replace_strict(_OUTCOME, default="unknown", return_dtype=pl.String)
    about_team = action.str.contains(r"Team$")
    joins = action.str.contains(_MEMBERS)
    team = {part: text(frame, f"team.{part}", f"{_PARAMETERS}.team_{part}") for part in ("id", "name")}
    done_to = text(frame, "user_ids").str.extract(r"([a-z0-9]{20,})", 1)
    new_name = text(frame, "patch.name", "patched.name")
    old_name = text(frame, "user.name", "event.prior_state.username")
    shaped = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "timestamp").alias("@timestamp"),
        pl.lit("mattermost.audit").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.coalesce(KINDS.category(action), pl.lit("configuration").str.split(",")).alias("event.category"),
        KINDS.type(action).alias("event.type"),
        pl.when(failed).then(pl.lit("failure")).otherwise(status).alias("event.outcome"),
        action.alias("event.action"),
        unless(KINDS.known(action)),
        *mapped(frame, FIELDS),
        *who("user", "source.user", id=text(frame, "user_id", "actor.user_id", "login_id")),
        text(frame, "login_id", f"{_PARAMETERS}.login_id").alias("user.name"),
        pl.coalesce(text(frame, *_DONE_TO), done_to).alias("user.target.id"),
        old_name.alias("user.target.name"),
        text(frame, "user.roles").str.split(" ").list.join(",").alias("user.target.roles"),
        pl.when(new_name != old_name).then(new_name).alias("user.changes.name"),
        pl.when(about_team).then(team["id"]).alias("group.id"),
        pl.when(about_team).then(team["name"]).alias("group.name"),
        pl.when(joins).then(team["id"]).alias("user.target.group.id"),
        pl.when(joins).then(team["name"]).alias("user.target.group.name"),
        origin.alias("source.address"),
        address(origin).alias("source.ip"),
        text(frame, "api_path", "meta.api_path").alias("url.original"),
        integer(frame, "code", "error.status_code").alias("http.response.status_code"),
        text(frame, "user_ids").str.extract_all(r"[a-z0-9]{20,}").alias("~many"),
        json(frame, _PARAMETERS).alias("mattermost.audit.parameters"),
    )
    several = pl.concat_list(
        related(["user.id", "user.changes.name", "user.target.id"]).fill_null([]),
        pl.col("~many").fill_null([]),
    ).list.unique(maintain_order=True)
    return (
        url_columns(shaped)
        .with_columns(
            related(["source.ip"]).alias("related.ip"),
            pl.when(several.list.len() > 0).then(several).alias("related.user"),
        )
        .drop("~many")
    )


SENSOR: Final = AuditTrail("mattermost", _is_record, ("event_name", "event"), _events)
