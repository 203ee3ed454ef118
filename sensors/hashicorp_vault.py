"""HashiCorp Vault audit devices: each request and its response.

Source of the fields: https://developer.hashicorp.com/vault/docs/audit/schema. Values that Vault hashed
(`hmac-sha256:…`) stay out, but for the token's accessor, which links requests of one session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import integer, mapped, text, texts, time
from sensors.shapes.audit_records import AuditRecords, words
from sensors.shapes.mapping import address
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = {
    "event.action": "request.operation",
    "event.id": "request.id",
    "event.reason": "error",
    "error.message": "error",
    "user.email": "auth.metadata.email",
    "source.user.email": "auth.metadata.email",
    "user.name": ("auth.metadata.username", "auth.metadata.user", "auth.display_name"),
    "source.user.name": ("auth.metadata.username", "auth.metadata.user", "auth.display_name"),
    "user.id": ("auth.metadata.account_id", "auth.entity_id"),
    "source.user.id": ("auth.metadata.account_id", "auth.entity_id"),
    "hashicorp_vault.audit.type": "type",
    "hashicorp_vault.audit.request.path": "request.path",
    "hashicorp_vault.audit.request.operation": "request.operation",
    "hashicorp_vault.audit.request.mount_type": "request.mount_type",
    "hashicorp_vault.audit.request.mount_point": "request.mount_point",
    "hashicorp_vault.audit.request.namespace.id": "request.namespace.id",
    "hashicorp_vault.audit.request.wrap_ttl": "request.wrap_ttl",
    "hashicorp_vault.audit.auth.accessor": "auth.accessor",
    "hashicorp_vault.audit.auth.display_name": "auth.display_name",
    "hashicorp_vault.audit.auth.entity_id": "auth.entity_id",
    "hashicorp_vault.audit.auth.token_type": "auth.token_type",
    "hashicorp_vault.audit.auth.policies": "auth.policies",
    "hashicorp_vault.audit.auth.role": "auth.metadata.role",
}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record is a request or response of Vault's audit log."""
    request = record.get("request")
    return (
        record.get("type") in ("request", "response")  # a dictionary has no place in a set
        and isinstance(request, dict)
        and bool({"operation", "path", "client_token", "remote_address"} & request.keys())
        and {"time", "auth"} & record.keys() != set()
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Requests and responses, shredded, as ECS."""
    ip = address(text(frame, "request.remote_address"))
    operation = text(frame, "request.operation")
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "time").alias("@timestamp"),
        pl.lit("hashicorp_vault.audit").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        words("authentication").alias("event.category"),
        pl.when(operation.is_in(["read", "list", "create"]))
        .then(words("info", "start"))
        .when(operation == "delete")
        .then(words("info", "end"))
        .otherwise(words("info"))
        .alias("event.type"),
        pl.when(text(frame, "error").is_not_null())
        .then(pl.lit("failure"))
        .otherwise(pl.lit("success"))
        .alias("event.outcome"),
        *mapped(frame, FIELDS),
        texts(frame, "request.headers.user-agent").list.first().alias("user_agent.original"),
        texts(frame, "request.headers.x-forwarded-for").list.first().alias("network.forwarded_ip"),
        integer(frame, "request.remote_port").alias("source.port"),
        ip.alias("source.ip"),
    )
    return events.with_columns(
        pl.col("source.ip").alias("client.ip"),
        related(["source.ip"]).alias("related.ip"),
        related(["user.email", "user.name"]).alias("related.user"),
    )


SENSOR: Final = AuditRecords("hashicorp_vault", _fits, ("request.operation", "request.path"), _events)
