"""Bitwarden: the event log of an organization, as its public API gives it and the web vault exports it.

https://bitwarden.com/help/event-logs/ and https://bitwarden.com/help/public-api/; mapping after Elastic's
integration `bitwarden`. What self-hosted servers write themselves is read by `application_logins`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl

from sensors.reading.json_table import integer, mapped, text, time
from sensors.shapes.audit_trail import AuditTrail, unless, words
from sensors.shapes.mapping import address
from sensors.values.ecs import related

FIELDS: Final = {
    "user.name": ("memberName", "userName"),
    "user.email": ("memberEmail", "userEmail"),
    "group.id": "groupId",
    "bitwarden.object": "object",
    "bitwarden.event.item.id": "itemId",
    "bitwarden.event.collection.id": "collectionId",
    "bitwarden.event.policy.id": "policyId",
    "bitwarden.event.installation.id": "installationId",
    "bitwarden.event.secret.id": "secretId",
    "bitwarden.event.project.id": "projectId",
    "bitwarden.event.service_account.id": "serviceAccountId",
}


@cache
def _kinds() -> dict[str, dict[str, str]]:
    """For each part of a meaning the value of every type of event that has it."""
    raw = tomllib.loads((files("sensors") / "bitwarden_types.toml").read_text("utf-8"))
    parts: dict[str, dict[str, str]] = {"name": {}, "category": {}, "type": {}, "outcome": {}}
    for kind in raw["kind"]:
        for code, name in kind["names"].items():
            parts["name"][code] = name
            for part in ("category", "type"):
                if part in kind:
                    parts[part][code] = ",".join(kind[part])
            parts["outcome"][code] = kind.get("outcome", "success")
    return parts


def _meaning(part: str, code: pl.Expr) -> pl.Expr:
    return code.replace_strict(_kinds()[part], default=None, return_dtype=pl.String)


def _devices() -> list[str]:
    devices: list[str] = tomllib.loads((files("sensors") / "bitwarden_types.toml").read_text("utf-8"))[
        "devices"
    ]
    return devices


def _is_record(record: dict[str, Any]) -> bool:
    if not {"type", "date", "actinguserid", "ipaddress"} <= record.keys():
        return False
    return record.get("object") == "event" or "installationid" in record or "organizationid" in record


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Events, shredded, as ECS."""
    code = integer(frame, "type").cast(pl.String)
    member, actor = text(frame, "memberId", "organizationUserId"), text(frame, "actingUserId")
    origin = address(text(frame, "ipAddress"))
    device = integer(frame, "device", "deviceType")
    names = dict(enumerate(_devices()))
    return frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "date").alias("@timestamp"),
        pl.lit("bitwarden.event").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.coalesce(_meaning("name", code), code).alias("event.action"),
        code.alias("event.code"),
        words(_meaning("category", code)).alias("event.category"),
        words(_meaning("type", code).fill_null("info")).alias("event.type"),
        _meaning("outcome", code).alias("event.outcome"),
        unless(_meaning("name", code).is_not_null()),
        *mapped(frame, FIELDS),
        member.alias("user.id"),
        actor.alias("source.user.id"),
        pl.when(member != actor).then(member).alias("user.target.id"),
        device.replace_strict(names, default=None, return_dtype=pl.String).alias(
            "bitwarden.event.device.name"
        ),
        origin.alias("source.ip"),
        origin.alias("source.address"),
    ).with_columns(
        pl.coalesce("user.id", "source.user.id").alias("user.id"),
        related(["source.ip"]).alias("related.ip"),
        related(["user.id", "source.user.id", "user.email"]).alias("related.user"),
    )


SENSOR: Final = AuditTrail("bitwarden", _is_record, ("actingUserId", "itemId", "type"), _events)
