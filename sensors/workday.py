"""Workday: user activity (`activityLogging`), and the report of sign-ons as JSON or CSV.

Source of the fields: Workday's REST API, Privacy (`/activityLogging`: which account ran which task on what,
from which address), and the standard report "Signons and Attempted Signons", whose columns a report as a
service writes with underscores and a download with blanks, or sign-ons as the REST API has them. Times
without a zone are of the source's zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import zones
from sensors.reading.json_table import mapped, text, time
from sensors.shapes.audit_trail import AuditTrail, first_words, who
from sensors.shapes.mapping import address, mail_domain, mailbox, only
from sensors.values.ecs import related

if TYPE_CHECKING:
    from datetime import tzinfo

_MASKED: Final = ("n/a", "unknown", "none")


def _named(*names: str) -> tuple[str, ...]:
    """A column of the report in both spellings."""
    return tuple(spelled for name in names for spelled in (name.replace(" ", "_"), name))


_ACCOUNT: Final = (
    "systemAccount",
    "attemptedUsername",
    *_named("Workday Account", "System Account", "User Name"),
)
_SIGNON: Final = ("signonDateTime", *_named("Signon DateTime", "Signon", "Signon Date Time"))
_SIGNOFF: Final = ("sessionEnd", *_named("Signoff DateTime", "Signoff", "Signoff Date Time"))
_FAILED: Final = _named("Failed Signon", "Invalid Credentials")
_MESSAGE: Final = _named("Authentication Failure Message")
_ADDRESS: Final = ("ipAddress", *_named("Session IP Address", "IP Address"))
FIELDS: Final = {
    "session.id": ("sessionId", *_named("Session ID")),
    "event.reason": _MESSAGE,
    "user_agent.original": ("browserType", *_named("Browser Type")),
    "user_agent.os.full": ("operatingSystem", *_named("Operating System")),
    "workday.activity.action": "activityAction",
    "workday.activity.task_id": "taskId",
    "workday.activity.task": "taskDisplayName",
    "workday.activity.target.id": "target.id",
    "workday.activity.target.descriptor": "target.descriptor",
    "workday.device_type": ("deviceType", *_named("Device Type")),
    "workday.signon.authentication_type": ("authenticationType", *_named("Authentication Type")),
    "workday.signon.authentication_channel": _named("Authentication Channel"),
    "workday.signon.multi_factor_type": _named("Multi-Factor Type", "Multi-Factor Authentication Type"),
    "workday.signon.saml_identity_provider": _named("SAML Identity Provider"),
    "workday.signon.device_is_trusted": _named("Device is Trusted"),
    "workday.signon.account_locked": _named("Account Locked, Disabled or Expired"),
    "workday.signon.password_changed": _named("Password Changed"),
    "workday.signon.location": _named("Location"),
}
TYPE: Final = {
    r"(?i)^(read|view|get|export|print)": "access",
    r"(?i)^(create|add|write)": "creation",
    r"(?i)^(delete|remove)": "deletion",
    r".": "change",
}
_LOCAL: Final = (
    "%m/%d/%Y %I:%M:%S%.f %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
)  # fmt: skip
_SAID_YES: Final = ("1", "true", "yes", "y")


def _is_record(record: dict[str, Any]) -> bool:
    if {"systemaccount", "requesttime", "taskdisplayname"} <= record.keys():
        return True
    if {"signondatetime", "ipaddress"} <= record.keys():
        return bool({"systemaccount", "attemptedusername"} & record.keys())
    spelled = {key.replace(" ", "_") for key in record}
    return "workday_account" in spelled and bool({"signon_datetime", "signon"} & spelled)


def _events(frame: pl.DataFrame, zone: tzinfo) -> pl.DataFrame:
    """Activities and sign-ons, shredded, as ECS."""
    activity = text(frame, "taskDisplayName", "activityAction").is_not_null()
    account = only(text(frame, *_ACCOUNT), *_MASKED)
    login = account.str.extract(r"^(\S+)", 1)
    failed = text(frame, "attemptedUsername", *_MESSAGE).is_not_null() | (
        text(frame, *_FAILED).str.to_lowercase().is_in(_SAID_YES).fill_null(value=False)
    )
    begin, end = _moment(frame, zone, *_SIGNON), _moment(frame, zone, *_SIGNOFF)
    origin = text(frame, *_ADDRESS)
    task = text(frame, "activityAction").fill_null("-")
    signed = pl.when(failed).then(pl.lit("info")).otherwise(pl.lit("start")).str.split(",")
    category = pl.when(activity).then(pl.lit("iam")).otherwise(pl.lit("authentication,session"))
    action = pl.when(failed).then(pl.lit("signon-failed")).otherwise(pl.lit("signon"))
    events = frame.select(
        "log.offset",
        "log.file.line",
        pl.coalesce(_moment(frame, zone, "requestTime"), begin).alias("@timestamp"),
        pl.when(activity)
        .then(pl.lit("workday.activity"))
        .otherwise(pl.lit("workday.signon"))
        .alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        category.str.split(",").alias("event.category"),
        pl.when(activity).then(first_words(task, TYPE)).otherwise(signed).alias("event.type"),
        pl.when(activity).then(text(frame, "taskDisplayName")).otherwise(action).alias("event.action"),
        pl.when(~activity & failed)
        .then(pl.lit("failure"))
        .when(~activity)
        .then(pl.lit("success"))
        .alias("event.outcome"),
        begin.alias("event.start"),
        end.alias("event.end"),
        (end - begin).dt.total_nanoseconds().alias("event.duration"),
        *mapped(frame, FIELDS),
        *who(
            "user",
            "source.user",
            name=mailbox(login),
            email=pl.when(login.str.contains("@")).then(login),
        ),
        account.str.extract(r"^\S+ / (.+)$", 1).alias("user.full_name"),
        mail_domain(login).alias("user.domain"),
        origin.alias("source.address"),
        address(origin).alias("source.ip"),
    )
    return events.with_columns(
        related(["source.ip"]).alias("related.ip"), related(["user.name"]).alias("related.user")
    )


def _moment(frame: pl.DataFrame, zone: tzinfo, *paths: str) -> pl.Expr:
    """A time that says its zone, or one by the clocks of `zone`."""
    value = text(frame, *paths)
    zoned = pl.when(value.str.contains(r"(Z|[+-]\d\d:?\d\d)$")).then(time(frame, *paths))
    clock = pl.coalesce(value.str.to_datetime(form, time_unit="us", strict=False) for form in _LOCAL)
    return pl.coalesce(zoned, zones.utc(clock, zone))


SENSOR: Final = AuditTrail(
    "workday",
    _is_record,
    _ACCOUNT,
    _events,
    headers=(
        frozenset({"workday account", "signon"}),
        frozenset({"workday_account", "signon_datetime"}),
        frozenset({"workday account", "session ip address"}),
        frozenset({"systemaccount", "requesttime"}),
    ),
    local=True,
)
