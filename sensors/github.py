"""GitHub audit log of an organisation or enterprise: API pages, exports and the stream.

Source of the fields: docs.github.com, "Audit log events for your organization" and "REST API: audit log".
The person is the actor; `user` names whom something was done to. Git events (`git.clone`) say the
repository, the protocol and the client, and the actor's address only where the organisation switched that on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.distinct import by_value
from sensors.reading.json_table import mapped, text, time
from sensors.shapes.mapping import address, flags
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

# Fields that are one value of the record, as it is; names under `github` are GitHub's, as Elastic has them.
FIELDS: Final = {
    "event.action": "action",
    "event.id": "_document_id",
    "user.name": "actor",
    "user.id": "actor_id",
    "user.target.name": "user",
    "user.target.id": "user_id",
    "user_agent.original": "user_agent",
    "organization.name": "org",
    "organization.id": "org_id",
    "network.application": "transport_protocol_name",
    "source.geo.country_iso_code": "actor_location.country_code",
    "client.geo.country_iso_code": "actor_location.country_code",
    "github.actor_ip": "actor_ip",
    "github.actor_is_bot": "actor_is_bot",
    "github.business": "business",
    "github.org": "org",
    "github.repo": ("repo", "repository", "data.repo"),
    "github.repository_public": ("repository_public", "public_repo"),
    "github.visibility": "visibility",
    "github.previous_visibility": "previous_visibility",
    "github.team": ("team", "data.team"),
    "github.permission": "permission",
    "github.branch": "branch",
    "github.name": "name",
    "github.event": "event",
    "github.operation_type": "operation_type",
    "github.user_agent": "user_agent",
    "github.request_id": "request_id",
    "github.hashed_token": "hashed_token",
    "github.token_id": "token_id",
    "github.token_scopes": "token_scopes",
    "github.programmatic_access_type": "programmatic_access_type",
    "github.transport_protocol": "transport_protocol",
    "github.transport_protocol_name": ("transport_protocol_name", "protocol_name"),
    "github.integration": "integration",
    "github.repository_selection": "repository_selection",
    "github.repositories_added_names": "repositories_added_names",
    "github.repositories_removed_names": "repositories_removed_names",
    "github.external_identity_nameid": "external_identity_nameid",
    "github.external_identity_username": "external_identity_username",
    "github.oauth_application_name": ("oauth_application_name", "oauth_application"),
    "github.application_client_id": "application_client_id",
    "github.key": "key",
    "github.fingerprint": "fingerprint",
    "github.title": "title",
    "github.hook_id": ("hook_id", "data.hook_id"),
    "github.config.url": "config.url",
}
_CATEGORIES: Final = ("configuration", "web")
_GROUPS: Final = r"^(team|org)\."
_ACCESS: Final = r"^git\.(clone|fetch)$|^repo\.download_zip$"
_CREATION: Final = r"\..*(create|add)"
_DELETION: Final = r"\..*(delete|remove)"
_ACTION: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


class GitHub:
    """The audit log of a GitHub organisation or enterprise."""

    name = "github"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records are actions (`repo.create`) of actors who have a name."""
        return json_table.mostly(
            head,
            lambda one: (
                isinstance(one.get("action"), str)
                and _ACTION.fullmatch(one["action"])
                and isinstance(one.get("actor"), str)
                and {"created_at", "@timestamp", "at_sign_timestamp", "org", "repo", "business"} & one.keys()
            ),
        )

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order; records without an action are named in `source.unread`."""
        for table in json_table.tables(source):
            kept = json_table.kept(table, text(table, "action").is_not_null(), source, "no audit event")
            if kept.height:
                yield _events(kept)


SENSOR = GitHub()


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Audit events, shredded, as ECS."""
    action = text(frame, "action")
    always = pl.lit(value=True)
    ip = address(text(frame, "actor_ip"))
    group = (
        pl.when(action.str.starts_with("team."))
        .then(text(frame, "team", "data.team"))
        .when(action.str.starts_with("org."))
        .then(text(frame, "org"))
    )
    names = [text(frame, f"external_identity_{part}") for part in ("nameid", "username")]
    email = pl.coalesce(pl.when(name.str.contains("@")).then(name) for name in names)
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "@timestamp", "created_at", "at_sign_timestamp").alias("@timestamp"),
        pl.lit("github.audit").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        flags(dict.fromkeys(_CATEGORIES, always) | {"iam": action.str.contains(_GROUPS)}).alias(
            "event.category"
        ),
        _types(action).alias("event.type"),
        *mapped(frame, FIELDS),
        action.str.extract(r"^([a-z_]+)\.", 1).alias("github.category"),
        group.alias("group.name"),
        pl.when(text(frame, "user").is_not_null()).then(group).alias("user.target.group.name"),
        email.alias("user.email"),
        ip.alias("source.ip"),
        ip.alias("client.ip"),
    )
    return events.with_columns(
        related(["source.ip"]).alias("related.ip"),
        related(["user.name", "user.target.name"]).alias("related.user"),
    )


def _types(action: pl.Expr) -> pl.Expr:
    """`event.type`: what an action's name says about what it does."""
    return by_value(action, _types_of, pl.List(pl.String))


def _types_of(action: pl.Expr) -> pl.Expr:
    grouped = action.str.contains(_GROUPS)
    created, deleted = action.str.contains(_CREATION), action.str.contains(_DELETION)
    accessed = action.str.contains(_ACCESS)
    return flags(
        {
            "group": grouped,
            "user": grouped,
            "creation": created,
            "deletion": deleted,
            "access": accessed,
            "change": ~(grouped | created | deleted | accessed),
        }
    )
