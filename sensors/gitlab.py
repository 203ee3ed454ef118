"""GitLab: audit events (log file, API, stream) and the log of refused requests.

Source of the fields: https://docs.gitlab.com/administration/logs/ (`audit_json.log`, `auth.log` as JSON),
https://docs.gitlab.com/api/audit_events/ and https://docs.gitlab.com/user/compliance/audit_event_schema/.
An audit event has an author, a target inside an entity, and what was changed, added or removed.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import integer, mapped, text, time
from sensors.shapes.audit_trail import AuditTrail, who, words
from sensors.shapes.mapping import address, first_rule, mail_domain
from sensors.values.ecs import related
from sensors.values.url import url_columns

FIELDS: Final = {
    "event.id": ("correlation_id", "id"),
    "http.request.method": "request_method",
    "group.name": "meta.root_namespace",
    "gitlab.audit.entity_id": "entity_id",
    "gitlab.audit.entity_type": "entity_type",
    "gitlab.audit.entity_path": ("entity_path", "details.entity_path"),
    "gitlab.audit.target_id": ("target_id", "details.target_id"),
    "gitlab.audit.target_type": ("target_type", "details.target_type"),
    "gitlab.audit.target_details": ("target_details", "details.target_details"),
    "gitlab.audit.change": ("change", "details.change"),
    "gitlab.audit.add": ("add", "details.add"),
    "gitlab.audit.remove": ("remove", "details.remove"),
    "gitlab.audit.from": ("from", "details.from"),
    "gitlab.audit.to": ("to", "details.to"),
    "gitlab.audit.with": ("with", "details.with"),
    "gitlab.audit.as": ("as", "details.as"),
    "gitlab.audit.custom_message": ("custom_message", "details.custom_message"),
    "gitlab.audit.meta.user": "meta.user",
    "gitlab.audit.meta.project": "meta.project",
    "gitlab.audit.meta.caller_id": "meta.caller_id",
    "gitlab.auth.env": "env",
    "gitlab.auth.matched": "matched",
}
# Ruby's levels count upwards in the audit log, syslog's count downwards in the other.
_AUDIT_SEVERITY: Final = {"DEBUG": 0, "INFO": 1, "WARN": 2, "ERROR": 3, "FATAL": 4, "UNKNOWN": 5}
_AUTH_SEVERITY: Final = {
    "EMERGENCY": 0, "FATAL": 0, "ALERT": 1, "CRITICAL": 2, "ERROR": 3, "WARN": 4, "NOTICE": 5, "INFO": 6,
    "DEBUG": 7,
}  # fmt: skip
# What an event's own name, or what it says of itself, tells of its kind.
_CATEGORY: Final = {
    r"(?i)authenticat|login|logged.?(in|out)|sign.?(in|out)|two.?factor|otp|webauthn": "authentication",
    r"(?i)member|user_|_user|access_token|ssh_key|gpg|password|email|role|permission|impersonat": "iam",
}
_KINDS: Final = {
    r"(?i)(^|_)(add|added|create|created|upload|uploaded|granted)(_|$)": "creation",
    r"(?i)(^|_)(remove|removed|delete|deleted|destroy|destroyed|revoke|revoked)(_|$)": "deletion",
    r"(?i)(^|_)(change|changed|update|updated|edit|edited|renamed|transferred)(_|$)": "change",
}


def _is_record(record: dict[str, Any]) -> bool:
    if {"author_id", "entity_id", "entity_type"} <= record.keys():
        return bool({"time", "created_at"} & record.keys())
    blocked = {"severity", "time", "env", "remote_ip", "request_method", "path"}
    return blocked <= record.keys() and record.get("message") == "Rack_Attack"


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of either log, shredded, as ECS."""
    audit = text(frame, "author_id").is_not_null()
    level = text(frame, "severity").str.to_uppercase()
    name = text(frame, "author_name", "details.author_name", "meta.user", "username")
    email = text(frame, "author_email", "details.author_email")
    origin = text(frame, "meta.remote_ip", "ip_address", "details.ip_address", "remote_ip")
    about_user = text(frame, "target_type", "details.target_type") == "User"
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "created_at", "time").alias("@timestamp"),
        pl.when(audit).then(pl.lit("gitlab.audit")).otherwise(pl.lit("gitlab.auth")).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        *_meaning(frame, audit),
        pl.when(audit)
        .then(level.replace_strict(_AUDIT_SEVERITY, default=None, return_dtype=pl.Int64))
        .otherwise(level.replace_strict(_AUTH_SEVERITY, default=None, return_dtype=pl.Int64))
        .alias("event.severity"),
        *mapped(frame, FIELDS),
        *who("user", "source.user", id=text(frame, "author_id", "user_id"), name=name, email=email),
        mail_domain(email).alias("user.domain"),
        text(frame, "author_id").alias("~author"),
        pl.when(audit).then(name).alias("~author_name"),
        pl.when(about_user).then(text(frame, "target_id", "details.target_id")).alias("user.target.id"),
        pl.when(about_user)
        .then(text(frame, "target_details", "details.target_details"))
        .alias("user.target.name"),
        *(
            address(origin).alias(f"{side}.{part}")
            for side in ("source", "client")
            for part in ("ip", "address")
        ),
        pl.when(~audit).then(text(frame, "path")).alias("~path"),
        integer(frame, "status").alias("http.response.status_code"),
        pl.when(~audit).then(integer(frame, "pid")).alias("process.pid"),
    )
    parts = url_columns(events.select("~path"), "~path").select("url.path", "url.query")
    people = ["~author", "~author_name", "user.target.id", "user.target.name"]
    return (
        events.hstack(parts)
        .with_columns(
            pl.col("~path").alias("url.original"),
            related(["source.ip"]).alias("related.ip"),
            related(people).alias("related.user"),
        )
        .drop("~path", "~author", "~author_name")
    )


def _meaning(frame: pl.DataFrame, audit: pl.Expr) -> list[pl.Expr]:
    """What was done: by the event's name where it has one, else by what it says was changed."""
    named = text(frame, "event_name", "event_type", "details.event_name")
    told = pl.coalesce(
        pl.concat_str(pl.lit(f"{verb}_"), text(frame, verb, f"details.{verb}").str.replace_all(r"\W+", "_"))
        for verb in ("change", "add", "remove")
    )
    said = text(frame, "custom_message", "details.custom_message")
    action = pl.coalesce(named, told, said)
    category = pl.when(audit).then(first_rule(named, _CATEGORY)).fill_null("web")
    return [
        pl.when(audit).then(action).otherwise(text(frame, "env")).alias("event.action"),
        words(category).alias("event.category"),
        words(first_rule(named, _KINDS).fill_null("info")).alias("event.type"),
        pl.when(named.str.contains(r"(?i)fail")).then(pl.lit("failure")).alias("event.outcome"),
    ]


SENSOR: Final = AuditTrail("gitlab", _is_record, ("author_id", "remote_ip"), _events)
