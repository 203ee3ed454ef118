"""OneLogin events, as the Events API and its webhooks hand them out.

Source of the fields: https://developers.onelogin.com/api-docs/1/events/event-resource. OneLogin names people
by first and last name; their number is what tells them apart. What the types mean is in
`onelogin_types.toml`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import mapped, number, text, time
from sensors.shapes.audit_records import AuditRecords, original
from sensors.shapes.mapping import address
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = {
    "event.id": ("uuid", "id"),
    "event.code": "event_type_id",
    "event.reason": ("error_description", "custom_message", "notes"),
    "organization.id": "account_id",
    "user.id": ("actor_user_id", "user_id"),
    "source.user.id": ("actor_user_id", "user_id"),
    "user_agent.original": "user_agent",
    "service.name": "app_name",
    "group.name": "group_name",
    "group.id": "group_id",
    "onelogin.event_type_id": "event_type_id",
    "onelogin.notes": "notes",
    "onelogin.app_id": "app_id",
    "onelogin.app_name": "app_name",
    "onelogin.role_id": "role_id",
    "onelogin.role_name": "role_name",
    "onelogin.policy_name": "policy_name",
    "onelogin.privilege_name": "privilege_name",
    "onelogin.otp_device_id": "otp_device_id",
    "onelogin.otp_device_name": "otp_device_name",
    "onelogin.authentication_factor": "authentication_factor_description",
    "onelogin.actor_system": "actor_system",
    "onelogin.assuming_acting_user_id": "assuming_acting_user_id",
    "onelogin.proxy_ip": "proxy_ip",
    "onelogin.risk_reasons": "risk_reasons",
    "onelogin.browser_fingerprint": "browser_fingerprint",
    "onelogin.directory_name": "directory_name",
    "onelogin.client_id": "client_id",
}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record is an event: it has a type's number, and who acted or was acted on."""
    told = {"account_id", "actor_user_id", "actor_user_name", "user_id", "ipaddr", "actor_system"}
    return "event_type_id" in record and len(told & record.keys()) >= 2  # noqa: PLR2004 - one is too common


@cache
def _types() -> dict[str, dict[str, Any]]:
    """What is known of each type, by its number as text."""
    raw = tomllib.loads((files("sensors") / "onelogin_types.toml").read_text("utf-8"))
    return {str(row["id"]): row for row in raw["type"]}


def _told(code: pl.Expr, field: str) -> pl.Expr:
    """One field of the table for each type, lists joined with commas; null where it has none."""
    known = {
        code_: value if isinstance(value, str) else ",".join(value)
        for code_, row in _types().items()
        if (value := row.get(field)) is not None
    }
    return code.replace_strict(known, default=None, return_dtype=pl.String)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Events, shredded, as ECS."""
    code = text(frame, "event_type_id")
    name = text(frame, "actor_user_name", "user_name", "actor_system")
    login = text(frame, "login_name")
    other = (
        text(frame, "user_id").ne_missing(text(frame, "actor_user_id"))
        & text(frame, "actor_user_id", "actor_system").is_not_null()
    )
    ip = address(text(frame, "ipaddr"))
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "created_at", "event_timestamp", "p_event_time").alias("@timestamp"),
        pl.lit("onelogin.events").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        _told(code, "action").alias("event.action"),
        _told(code, "category").str.split(",").alias("event.category"),
        _told(code, "type").str.split(",").alias("event.type"),
        pl.coalesce(
            pl.when(text(frame, "error_description").is_not_null()).then(pl.lit("failure")),
            _told(code, "outcome"),
        ).alias("event.outcome"),
        *mapped(frame, FIELDS),
        number(frame, "risk_score").alias("event.risk_score"),
        *(
            value.alias(f"{root}.{part}")
            for root in ("user", "source.user")
            for part, value in (
                ("name", name),
                ("full_name", name),
                ("email", pl.coalesce(login, name).str.extract(r"^([^@\s]+@[^@\s]+)$", 1)),
            )
        ),
        pl.when(other).then(text(frame, "user_name")).alias("user.target.name"),
        pl.when(other).then(text(frame, "user_id")).alias("user.target.id"),
        ip.alias("source.ip"),
        original(_told(code, "action").is_null()),
    )
    return events.with_columns(
        pl.col("source.ip").alias("client.ip"),
        related(["source.ip"]).alias("related.ip"),
        related(["user.name", "user.target.name"]).alias("related.user"),
    )


SENSOR: Final = AuditRecords("onelogin", _fits, ("event_type_id",), _events)
