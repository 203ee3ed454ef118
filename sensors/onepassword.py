"""1Password Events API: sign-in attempts, item usages and audit events.

Source of the fields: https://developer.1password.com/docs/events-api/reference/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import mapped, text, time
from sensors.shapes.audit_records import AuditRecords, original, words
from sensors.shapes.mapping import address
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = {
    "event.id": "uuid",
    "host.os.name": "client.os_name",
    "host.os.version": "client.os_version",
    "source.geo.country_iso_code": ("country", "location.country", "session.location.country"),
    "source.geo.city_name": ("location.city", "session.location.city"),
    "source.geo.region_name": ("location.region", "session.location.region"),
    "source.geo.location.lat": ("location.latitude", "session.location.latitude"),
    "source.geo.location.lon": ("location.longitude", "session.location.longitude"),
    "session.id": ("session_uuid", "session.uuid"),
    "device.id": "session.device_uuid",
    "onepassword.uuid": "uuid",
    "onepassword.session_uuid": "session_uuid",
    "onepassword.type": "type",
    "onepassword.details.value": "details.value",
    "onepassword.used_version": "used_version",
    "onepassword.vault_uuid": "vault_uuid",
    "onepassword.item_uuid": "item_uuid",
    "onepassword.client.app_name": "client.app_name",
    "onepassword.client.app_version": "client.app_version",
    "onepassword.client.platform_name": "client.platform_name",
    "onepassword.client.platform_version": "client.platform_version",
    "onepassword.object_type": "object_type",
    "onepassword.object_uuid": "object_uuid",
    "onepassword.aux_id": "aux_id",
    "onepassword.aux_uuid": "aux_uuid",
    "onepassword.aux_info": "aux_info",
    "onepassword.session.login_time": "session.login_time",
}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record is of one of the three reports."""
    keys = record.keys()
    return {"uuid", "timestamp"} <= keys and (
        {"actor_uuid", "action", "object_type"} <= keys
        or {"item_uuid", "vault_uuid"} <= keys
        or {"target_user", "category", "session_uuid"} <= keys
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of any of the reports, shredded, as ECS."""
    audit = text(frame, "actor_uuid").is_not_null()
    item = text(frame, "item_uuid").is_not_null() & ~audit
    signin = text(frame, "category").is_not_null() & ~audit & ~item
    person = {
        part: text(frame, f"actor_details.{key}", f"user.{key}", f"target_user.{key}")
        for part, key in (("full_name", "name"), ("email", "email"), ("id", "uuid"))
    }
    person["id"] = pl.coalesce(text(frame, "actor_uuid"), person["id"])
    # An audit event's person has a name; elsewhere the address is what signs in.
    person["name"] = pl.when(audit).then(person["full_name"]).otherwise(person["email"])
    target = text(frame, "object_type") == "user"
    # Of a membership, a device and a vault's access the person is the second object.
    other = text(frame, "object_type").is_in(["gm", "device", "uva"])
    ip = address(text(frame, "client.ip_address", "session.ip"))
    category = text(frame, "category")
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "timestamp").alias("@timestamp"),
        pl.when(audit)
        .then(pl.lit("1password.audit_events"))
        .when(item)
        .then(pl.lit("1password.item_usages"))
        .otherwise(pl.lit("1password.signin_attempts"))
        .alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        text(frame, "action", "category").alias("event.action"),
        pl.when(audit)
        .then(words("configuration"))
        .when(item)
        .then(words("file"))
        .otherwise(words("authentication"))
        .alias("event.category"),
        pl.when(audit | item).then(words("access")).otherwise(words("info")).alias("event.type"),
        pl.when(signin & category.str.contains("success"))
        .then(pl.lit("success"))
        .when(signin)
        .then(pl.lit("failure"))
        .alias("event.outcome"),
        pl.when(signin).then(text(frame, "type")).alias("event.reason"),
        *mapped(frame, FIELDS),
        *(
            value.alias(f"{root}.{part}")
            for root in ("user", "source.user")
            for part, value in person.items()
        ),
        pl.when(target).then(text(frame, "object_uuid")).alias("user.target.id"),
        text(frame, "object_details.email").alias("user.target.email"),
        text(frame, "object_details.name").alias("user.target.full_name"),
        ip.alias("source.ip"),
        pl.when(other).then(text(frame, "aux_uuid")).alias("~other"),
        original(~(audit | item | signin)),
        audit.alias("~audit"),
    )
    return events.with_columns(
        pl.col("source.ip").alias("client.ip"),
        related(["source.ip"]).alias("related.ip"),
        pl.when("~audit")
        .then(related(["user.id", "user.target.id", "~other"]))
        .otherwise(related(["user.id", "user.email", "user.full_name"]))
        .alias("related.user"),
    ).drop("~audit", "~other")


SENSOR: Final = AuditRecords(
    "onepassword", _fits, ("actor_uuid", "item_uuid", "target_user.uuid", "target_user.email"), _events
)
