"""Google Workspace: activities of the Admin SDK's Reports API, and alerts of the Alert Center.

Source of the fields: https://developers.google.com/workspace/admin/reports/reference/rest/v1/activities/list.
Every application (login, token, admin, drive, saml, groups, user_accounts, mobile, rules, gcp, meet, …) has
the same record; an activity with several events gives as many rows, all at the record's place. Parameters are
kept as `google_workspace.<application>.<parameter>`, whatever their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.google_workspace.alerts import alerts
from sensors.google_workspace.parameters import PREFIX, given, per_event, whole, with_parameters
from sensors.google_workspace.rules import CATEGORY, DATASET, NAMED_ONLY, TYPE
from sensors.reading import json_table
from sensors.reading.json_table import mapped, text, time
from sensors.shapes.audit_records import told_by
from sensors.shapes.mapping import address, mail_domain, mailbox
from sensors.values.ecs import related
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

FIELDS: Final = {
    "event.provider": "id.applicationName",
    "event.id": "id.uniqueQualifier",
    "organization.id": "id.customerId",
    "user.id": "actor.profileId",
    "source.user.id": "actor.profileId",
    "user.email": "actor.email",
    "source.user.email": "actor.email",
    "source.as.number": "networkInfo.ipAsn",
    "source.geo.country_iso_code": "networkInfo.regionCode",
    "source.geo.region_iso_code": "networkInfo.subdivisionCode",
    "google_workspace.kind": "kind",
    "google_workspace.actor.type": "actor.callerType",
    "google_workspace.actor.key": "actor.key",
    "google_workspace.actor.application_name": "actor.applicationInfo.applicationName",
    "google_workspace.organization.domain": "ownerDomain",
}
_ALERT: Final = {"alertId", "createTime", "type", "source"}


class GoogleWorkspace:
    """Activities of every application, and alerts."""

    name = "google_workspace"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether every record is an activity of the Reports API or an alert of the Alert Center."""
        return json_table.mostly(head, _fits)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            alert = text(table, "alertId").is_not_null() & text(table, "createTime").is_not_null()
            activity = text(table, "id.applicationName", "actor.email", "actor.profileId").is_not_null()
            kept = json_table.kept(table, alert | activity, source, "neither an activity nor an alert")
            kept = kept.with_columns(alert.alias("~alert"))
            told, done = kept.filter("~alert"), kept.filter(~pl.col("~alert"))
            parts = [alerts(told)] if told.height else []
            if done.height:
                parts.append(_activities(per_event(done), source))
            if parts:
                yield pl.concat(parts, how="diagonal_relaxed").sort("log.offset", maintain_order=True)


SENSOR = GoogleWorkspace()


def _fits(record: dict[str, object]) -> bool:
    """Whether a record is an activity (one event or several) or an alert."""
    if record.keys() >= _ALERT:
        return isinstance(record.get("data"), dict)
    identity = record.get("id")
    actor = record.get("actor")
    if not (isinstance(identity, dict) and isinstance(actor, dict)):
        return False
    kind = record.get("kind", "admin#reports#activity")
    named = "events" in record or "name" in record or "type" in record or "parameters" in record
    return kind == "admin#reports#activity" and "applicationName" in identity and named


def _activities(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Activities, one event a row, as ECS."""
    rows = _spans(with_parameters(rows, source))
    application = text(rows, "id.applicationName").str.to_lowercase()
    event = pl.concat_str(
        application.fill_null(""), pl.lit(":"), pl.col("~type").fill_null(""), pl.lit(":"),
        pl.col("~name").fill_null(""),
    )  # fmt: skip
    device = pl.col("~type").str.starts_with("device_").fill_null(value=False)
    ip = pl.coalesce(address(text(rows, "ipAddress")), address(given(rows, "ip_address")))
    mail = text(rows, "actor.email")
    parameters = [name for name in rows.columns if name.startswith(PREFIX)]
    events = rows.select(
        "log.offset",
        "log.file.line",
        time(rows, "id.time", "p_event_time").alias("@timestamp"),
        (
            pl.lit(PREFIX)
            + pl.when(device)
            .then(pl.lit("device"))
            .otherwise(application.replace(DATASET).fill_null("activity"))
        ).alias("event.dataset"),
        pl.when(event.str.contains(r"^login:.*:gov_attack_warning$"))
        .then(pl.lit("alert"))
        .otherwise(pl.lit("event"))
        .alias("event.kind"),
        pl.col("~name").alias("event.action"),
        told_by(event, CATEGORY).alias("event.category"),
        told_by(event, TYPE).alias("event.type"),
        _outcome(rows).alias("event.outcome"),
        *mapped(rows, FIELDS),
        pl.col("~type").alias("google_workspace.event.type"),
        pl.when(told_by(event, TYPE).is_null()).then(pl.col("text")).alias("event.original"),
        whole(rows).alias("google_workspace.event.parameters"),
        *_names(mail, "user", "source.user"),
        ip.alias("source.ip"),
        *_target(rows),
        *_file(rows, application),
        *_times(rows),
        *(pl.col(name) for name in parameters),
        given(rows, "web_address").alias("url.original"),
        given(rows, "site_location").alias("~site"),
        pl.when(device).then(given(rows, "user_email")).alias("~holder"),
        given(rows, "user_agent").alias("user_agent.original"),
        given(rows, "rule_name").alias("rule.name"),
        given(rows, "rule_id").alias("rule.id"),
        given(rows, "network_name", "mobile_wireless_network_name").alias("network.name"),
        address(given(rows, "actor_ip_address")).alias("~actor_ip"),
        given(rows, "resource_recipients")
        .str.extract_all(r"@[A-Za-z0-9.-]+")
        .list.eval(pl.element().str.strip_prefix("@"))
        .alias("~domains"),
        given(rows, "os_version").alias("host.os.version"),
        given(rows, "device_id").alias("device.id"),
        given(rows, "device_model").alias("device.model.name"),
        given(rows, "serial_number", "device_serial_number").alias("device.serial_number"),
        given(rows, "login_failure_type", "failure_type").alias("event.reason"),
        (application.is_in(NAMED_ONLY) & ~device).fill_null(value=False).alias("~named"),
    )
    located = url_columns(events).with_columns(pl.coalesce("url.path", "~site").alias("url.path"))
    return _related(located.drop("~site"))


def _outcome(rows: pl.DataFrame) -> pl.Expr:
    """What the event's name, the challenge or the status say."""
    challenge = given(rows, "login_challenge_status")
    status = given(rows, "status").str.to_lowercase()
    return (
        pl.when(pl.col("~name") == "login_failure")
        .then(pl.lit("failure"))
        .when(pl.col("~name") == "login_success")
        .then(pl.lit("success"))
        .when(challenge == "Challenge Passed")
        .then(pl.lit("success"))
        .when(challenge.is_not_null())
        .then(pl.lit("failure"))
        .when(status.is_in(["failed", "failure"]))
        .then(pl.lit("failure"))
        .when(status.is_in(["success", "succeeded"]))
        .then(pl.lit("success"))
    )


def _names(mail: pl.Expr, *roots: str) -> list[pl.Expr]:
    """Name and domain out of an e-mail address."""
    whole_address = pl.when(mail.str.count_matches("@", literal=True) == 1).then(mail)
    return [
        expression.alias(f"{root}.{part}")
        for root in roots
        for part, expression in (("name", mailbox(whole_address)), ("domain", mail_domain(whole_address)))
    ]


def _target(rows: pl.DataFrame) -> list[pl.Expr]:
    """Whom and which group it was done to."""
    person = given(rows, "user_email")
    affected = given(rows, "affected_email_address")
    group = given(rows, "group_email")
    group_name = pl.coalesce(given(rows, "group_name"), mailbox(group))
    person = pl.when(~text(rows, "id.applicationName").is_in(["token", "mobile", "gcp"])).then(person)
    return [
        *_names(pl.coalesce(person, affected), "user.target"),
        pl.coalesce(person, affected).alias("user.target.email"),
        group_name.alias("group.name"),
        mail_domain(group).alias("group.domain"),
        group_name.alias("user.target.group.name"),
        mail_domain(group).alias("user.target.group.domain"),
    ]


def _file(rows: pl.DataFrame, application: pl.Expr) -> list[pl.Expr]:
    """The document of a Drive event."""
    drive = application == "drive"
    title = given(rows, "doc_title")
    folder = given(rows, "doc_type").is_in(["folder", "shared", "shared_drive"])
    kind = pl.when(folder).then(pl.lit("dir")).otherwise(pl.lit("file"))
    sharer = mailbox(given(rows, "target", "target_user"))
    return [
        pl.when(drive).then(title).alias("file.name"),
        pl.when(drive).then(title.str.extract(r"\.([A-Za-z0-9]{1,16})$", 1)).alias("file.extension"),
        pl.when(drive).then(kind).alias("file.type"),
        pl.when(drive).then(mailbox(given(rows, "owner"))).alias("file.owner"),
        pl.when(drive).then(sharer).alias("~shared_with"),
    ]


def _spans(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds the times that parameters tell as `time` reads them: the console writes `2026/10/05 15:58 UTC`."""
    return rows.with_columns(
        given(rows, *parameters)
        .str.strip_suffix(" UTC")
        .str.replace_all("/", "-", literal=True)
        .str.replace(r"( \d\d:\d\d)$", "$1:00")
        .alias(name)
        for name, *parameters in (
            ("~begin", "begin_date_time", "start_date"),
            ("~end", "end_date_time", "end_date"),
            ("~login", "login_timestamp"),
        )
    )


def _times(rows: pl.DataFrame) -> list[pl.Expr]:
    """The span that a request is about, and when a suspicious login was."""
    begin, end = time(rows, "~begin"), time(rows, "~end")
    return [
        pl.coalesce(begin, time(rows, "~login")).alias("event.start"),
        end.alias("event.end"),
        (end - begin).dt.total_nanoseconds().alias("event.duration"),
    ]


def _related(events: pl.DataFrame) -> pl.DataFrame:
    """`related.*`: names alone for the older reports, names, addresses and numbers for the others."""
    named = related(["~shared_with", "file.owner", "user.name", "user.target.name"])
    every = related(["user.id", "user.name", "user.email", "user.target.email", "~holder"])
    domains = related(["user.domain", "google_workspace.organization.domain"])
    shared = pl.concat_list(domains, "~domains").list.drop_nulls().list.unique(maintain_order=True)
    return events.with_columns(
        pl.col("source.ip").alias("client.ip"),
        related(["source.ip", "~actor_ip"]).alias("related.ip"),
        pl.when("~named").then(named).otherwise(every).alias("related.user"),
        pl.when(~pl.col("~named"))
        .then(domains)
        .when(pl.col("~domains").list.len() > 0)
        .then(shared)
        .alias("related.hosts"),
    ).drop("~domains", "~shared_with", "~named", "~actor_ip", "~holder")
