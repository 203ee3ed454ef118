"""authentik: its events (API and export) and the log of its server in JSON.

https://docs.goauthentik.io/sys-mgmt/events/ and https://docs.goauthentik.io/sys-mgmt/ops/ (log); mapping of
events after Elastic's integration `authentik`.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import integer, mapped, text, time
from sensors.shapes.audit_trail import AuditTrail, Kinds, unless, who
from sensors.shapes.mapping import address, mail_domain
from sensors.values.ecs import related
from sensors.values.url import url_columns

KINDS: Final = Kinds("authentik_kinds.toml")
_REQUEST: Final = "context.http_request"
FIELDS: Final = {
    "event.id": ("pk", "request_id"),
    "http.request.method": (f"{_REQUEST}.method", "method"),
    "url.domain": ("host", "domain_url"),
    "user_agent.original": (f"{_REQUEST}.user_agent", "user_agent"),
    "log.level": "level",
    "log.logger": "logger",
    "process.pid": "pid",
    "message": "context.message",
    "user.target.name": ("context.model.name", "context.username"),
    "authentik.event.app": "app",
    "authentik.event.brand.name": ("brand.name", "tenant.name"),
    "authentik.event.context.auth_method": "context.auth_method",
    "authentik.event.context.stage.name": ("context.stage.name", "stage"),
    "authentik.event.context.model.name": "context.model.name",
    "authentik.event.context.model.model_name": "context.model.model_name",
    "authentik.event.context.model.pk": "context.model.pk",
    "authentik.event.context.authorized_application.name": "context.authorized_application.name",
    "authentik.event.context.secret.name": "context.secret.name",
    "authentik.event.context.email.subject": ("context.subject", "context.email.subject"),
    "authentik.event.context.reason": "context.reason",
    "authentik.event.on_behalf_of": "user.on_behalf_of.username",
    "authentik.log.auth_via": "auth_via",
}


def _is_record(record: dict[str, Any]) -> bool:
    if {"pk", "action", "app", "context", "created"} <= record.keys():
        return str(record["app"]).startswith("authentik") or "brand" in record or "tenant" in record
    return str(record.get("logger", "")).startswith("authentik") and "event" in record


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records, shredded, as ECS."""
    logged = text(frame, "logger").is_not_null()
    said = text(frame, "event")
    request = text(frame, "status").is_not_null() & said.str.starts_with("/")
    # Of the log, an event that is also in the database names its action; other lines are their own.
    own = (
        pl.when(request).then(pl.lit("request")).otherwise(said.str.to_lowercase().str.replace_all(" ", "_"))
    )
    names_event = ~logged | (said == "Created Event")
    action = pl.when(names_event).then(text(frame, "action")).otherwise(own)
    action = action.str.to_lowercase().str.replace_all("_", "-", literal=True)
    # The log's record of a login that failed is of nobody; who was tried stands beside.
    tried = pl.when(logged & (text(frame, "user.username") == "AnonymousUser")).then(
        text(frame, "context.username")
    )
    name = pl.coalesce(tried, text(frame, "user.username", "context.username", "user", "identifier"))
    email = text(frame, "user.email")
    origin = address(text(frame, "client_ip", "remote"))
    person = {"name": name, "email": email, "id": text(frame, "user.pk"), "domain": mail_domain(email)}
    model = text(frame, "context.model.model_name") == "user"
    failed = pl.when(request & (integer(frame, "status") >= 400)).then(pl.lit("failure"))  # noqa: PLR2004
    shaped = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "created", "timestamp").alias("@timestamp"),
        time(frame, "created").alias("event.created"),
        pl.when(logged)
        .then(pl.lit("authentik.log"))
        .otherwise(pl.lit("authentik.event"))
        .alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        action.alias("event.action"),
        KINDS.category(action).alias("event.category"),
        KINDS.type(action).alias("event.type"),
        pl.coalesce(KINDS.outcome(action), failed).alias("event.outcome"),
        unless(KINDS.known(action)),
        *mapped(frame, FIELDS),
        *who("user", "source.user", **person),
        pl.coalesce(text(frame, f"{_REQUEST}.path"), pl.when(request).then(said), text(frame, "path")).alias(
            "url.original"
        ),
        origin.alias("source.ip"),
        origin.alias("source.address"),
        integer(frame, "status").alias("http.response.status_code"),
        pl.lit("authentik").alias("observer.vendor"),
        pl.lit("authentik").alias("observer.product"),
        model.alias("~of_user"),
        *(
            text(frame, f"user.on_behalf_of.{part}").alias(f"~behalf_{part}")
            for part in ("email", "pk", "username")
        ),
    )
    domain = shaped["url.domain"]
    return (
        url_columns(shaped)
        .with_columns(
            domain,
            pl.when("~of_user").then("user.target.name").alias("user.target.name"),
            pl.col("process.pid").cast(pl.Int64, strict=False),
            related(["source.ip"]).alias("related.ip"),
            related(
                ["user.email", "~behalf_email", "~behalf_pk", "~behalf_username", "user.id", "user.name"]
            ).alias("related.user"),
        )
        .drop("~of_user", "~behalf_email", "~behalf_pk", "~behalf_username")
    )


SENSOR: Final = AuditTrail("authentik", _is_record, ("action", "event"), _events, nested=("context", "user"))
