"""JumpCloud Directory Insights: directory, SSO, RADIUS, LDAP, systems, MDM and password-manager events.

Source of the fields: https://docs.jumpcloud.com/api/insights/directory/1.0/index.html. An event's person is
whoever started it (`initiated_by`), or the `username` of those that only name one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import mapped, text, time
from sensors.shapes.audit_records import AuditRecords, original, told_by
from sensors.shapes.mapping import address
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = {
    "event.action": "event_type",
    "event.id": "id",
    "event.reason": ("error_message", "message"),
    "organization.id": "organization",
    "user_agent.name": "useragent.name",
    "user_agent.version": "useragent.version",
    "user_agent.device.name": "useragent.device",
    "user_agent.os.name": ("useragent.os_name", "useragent.os"),
    "user_agent.os.version": "useragent.os_version",
    "user_agent.os.full": "useragent.os_full",
    "host.hostname": ("system.hostname", "hostname"),
    "host.name": ("system.displayName", "system.hostname", "hostname"),
    "host.id": ("system.id", "system_id"),
    "host.os.name": ("system.os", "os"),
    "process.name": "process_name",
    "service.name": ("application.display_label", "application.name"),
    "user.target.id": ("target_user.id", "resource.id"),
    "user.target.name": ("target_user.username", "resource.username"),
    "user.target.email": ("target_user.email", "resource.email"),
    "source.user.roles": "initiated_by.type",
    "jumpcloud.event.service": "service",
    "jumpcloud.event.mfa": "mfa",
    "jumpcloud.event.auth_method": "auth_method",
    "jumpcloud.event.initiated_by.type": "initiated_by.type",
    "jumpcloud.event.resource.type": "resource.type",
    "jumpcloud.event.resource.id": "resource.id",
    "jumpcloud.event.resource.name": ("resource.displayName", "resource.name", "resource.username"),
    "jumpcloud.event.application.name": "application.name",
    "jumpcloud.event.application.sso_url": "application.sso_url",
    "jumpcloud.event.sso_token_success": "sso_token_success",
    "jumpcloud.event.changes": "changes",
    "jumpcloud.event.association": "association.op",
    "jumpcloud.event.provider": "provider",
    **{
        f"{root}.geo.{name}": f"geoip.{key}"
        for root in ("source", "client")
        for name, key in {
            "country_iso_code": "country_code",
            "region_name": "region_name",
            "timezone": "timezone",
            "location.lat": "latitude",
            "location.lon": "longitude",
        }.items()
    },
}
# Over `<service>:<event_type>`.
CATEGORY: Final = {
    r":user_(unlocked|activation_email|password_\w+)$": ("iam",),
    r"login|logon|logout|_auth|sso|mfa|^(radius|ldap):|lockout|unlock": ("authentication",),
    r":(user|admin|group|association|organization_user|system_user|idsource|passwordmanager_user)_": ("iam",),
    r"password": ("iam",),
    r"^(systems|mdm|software|object_storage|systems_\w+):": ("host",),
    r":(policy|command|application|organization|system|integration|directory|workday|activedirectory)": (
        "configuration",
    ),
}
TYPE: Final = {
    r":user_(unlocked|activation_email|password_(warning_email|reset_request))$": ("info",),
    r"login|logon|sso_auth|radius|ldap_bind|lockout|_auth": ("info",),
    r"logout": ("end",),
    r":user_\w*(create|provision)$": ("user", "creation"),
    r":user_\w*delete$": ("user", "deletion"),
    r":user_": ("user", "change"),
    r":admin_\w*create$": ("admin", "creation"),
    r":admin_\w*delete$": ("admin", "deletion"),
    r":admin_": ("admin", "change"),
    r":group_\w*create$": ("group", "creation"),
    r":group_\w*delete$": ("group", "deletion"),
    r"(create|add)$": ("creation",),
    r"(delete|remove)$": ("deletion",),
    r"(update|change|modify)$": ("change",),
    r".": ("info",),
}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record is an event of Directory Insights."""
    keys = record.keys()
    told = {
        "initiated_by",
        "organization",
        "client_ip",
        "geoip",
        "@version",
        "useragent",
        "success",
        "system",
    }
    return (
        {"event_type", "service", "timestamp"} <= keys
        and isinstance(record["event_type"], str)
        and len(told & keys) >= 2  # noqa: PLR2004 - one alone is in other vendors' logs too
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Events of Directory Insights, shredded, as ECS."""
    kind = text(frame, "service").fill_null("") + ":" + text(frame, "event_type")
    success = text(frame, "success", "sso_token_success").str.to_lowercase()
    mail = text(frame, "initiated_by.email")
    # RADIUS, LDAP and systems name who tried to get in, beside whoever (if anyone) set the event going.
    named, begun = text(frame, "username"), text(frame, "initiated_by.username")
    other = text(frame, "user.username")
    person = {"email": mail, "id": text(frame, "initiated_by.id", "user.id")}
    client, remote = address(text(frame, "client_ip")), address(text(frame, "src_ip"))
    device = address(text(frame, "jumpcloud_protect_device.ip"))
    category = told_by(kind, CATEGORY)
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "timestamp", "server_timestamp", "system_timestamp").alias("@timestamp"),
        pl.lit("jumpcloud.events").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        category.alias("event.category"),
        told_by(kind, TYPE).alias("event.type"),
        success.replace_strict({"true": "success", "false": "failure"}, default="unknown").alias(
            "event.outcome"
        ),
        *mapped(frame, FIELDS),
        pl.coalesce(named, begun, other, mail).alias("user.name"),
        pl.coalesce(begun, named, other, mail).alias("source.user.name"),
        *(
            value.alias(f"{root}.{part}")
            for root in ("user", "source.user")
            for part, value in person.items()
        ),
        pl.coalesce(remote, client).alias("source.ip"),
        pl.coalesce(client, remote).alias("client.ip"),
        device.alias("~device"),
        original(category.is_null()),
    )
    return events.with_columns(
        related(["~device", "source.ip"]).alias("related.ip"),
        related(["source.user.name", "user.name", "user.target.name"]).alias("related.user"),
        related(["host.hostname"]).alias("related.hosts"),
    ).drop("~device")


SENSOR: Final = AuditRecords("jumpcloud", _fits, ("event_type",), _events)
