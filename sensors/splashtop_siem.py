"""Splashtop's portal: the team's history and its sessions, as "SIEM Logging" pushes them (its common schema).

That they are pushed, and in three schemas of which those of Elastic and of Splunk are read as what they are:
support-splashtopbusiness.splashtop.com, "SIEM Logging"; the fields: docs.cyderes.cloud, parser knowledge
base, "Splashtop". A record's time stands before its text in `original`, in UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import mapped, text, time
from sensors.shapes.audit_trail import AuditTrail, unless, words
from sensors.shapes.mapping import address, first_rule
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Mapping

_STAMP: Final = r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) UTC\b"
FIELDS: Final = {
    "event.id": "id",
    "event.code": "code",
    "message": "message",
    "source.domain": "client_user_device",
    "destination.domain": "destination_user_device",
    "log.level": "severity",
    "observer.version": "service_version",
    "splashtop.category": "category",
    "splashtop.environment": "env",
    "splashtop.module": "module",
    "splashtop.destination.platform": "destination_user_platform",
}
# What was done → category, and with what its text says → type, outcome.
CATEGORY: Final = {
    r"log_?(?:in|on|out)|logon|login": "authentication,session",
    r"file": "file,session",
    r"session|chat|command": "session,network",
    r"(?:add|remove|delete|invite|change|update|role|member|group|team)": "iam",
    r".": "session",
}
TYPE: Final = {
    r"log_?out|\bEND\b|(?i)ended|disconnected": "end",
    r"log_?in|logon|login|\bSTART\b|(?i)started|(?:^|\W)connected": "start",
    r"(?i)denied|refused|fail": "denied",
    r"file": "access",
    r"\b(?:add|create|invite)": "creation",
    r"\b(?:remove|delete)": "deletion",
    r"\b(?:change|update)": "change",
    r".": "info",
}
OUTCOME: Final = {r"(?i)fail|denied|refused": "failure", r"log_?in|logon|login": "success"}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record, its keys in lower case, is of Splashtop's common schema."""
    if not {"action", "original", "service_name"} <= record.keys():
        return False
    ours = "splashtop" in str(record["service_name"]).lower()
    return ours or {"client_user_device", "destination_user_device"} <= record.keys()


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records, shredded, as ECS."""
    action = text(frame, "action")
    original = text(frame, "original")
    stamp = original.str.replace(_STAMP, "${1}T${2}Z ").str.extract(r"^(\S+Z) ", 1)
    written = stamp.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    said = pl.concat_str(action, pl.lit(" "), text(frame, "message"), ignore_nulls=True)
    found = frame.select(
        "log.offset",
        "log.file.line",
        pl.coalesce(time(frame, "timestamp", "@timestamp", "time", "created_at"), written).alias(
            "@timestamp"
        ),
        pl.lit("splashtop.siem").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        action.str.to_lowercase().alias("event.action"),
        words(first_rule(action.str.to_lowercase(), CATEGORY)).alias("event.category"),
        words(first_rule(said, TYPE)).alias("event.type"),
        first_rule(said, OUTCOME).alias("event.outcome"),
        text(frame, "client_email").alias("~who"),
        address(text(frame, "client_ip")).alias("source.ip"),
        address(text(frame, "destination_ip")).alias("destination.ip"),
        pl.lit("Splashtop").alias("observer.vendor"),
        pl.lit("Splashtop").alias("observer.product"),
        *mapped(frame, FIELDS),
        unless(action.is_not_null()),
    )
    return ecs.only(
        ecs.relations(
            ecs.person(found, "~who", "user", "source.user"),
            ip=("source.ip", "destination.ip"),
            user=("user.name", "user.email"),
            hosts=("source.domain", "destination.domain"),
        ),
        "splashtop",
    )


SENSOR: Final = AuditTrail("splashtop_siem", _fits, ("action",), _events)
