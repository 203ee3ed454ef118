"""Google Workspace Alert Center (https://developers.google.com/workspace/admin/alertcenter/reference/rest/v1beta1/alerts)."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import json, mapped, objects, text, texts, time
from sensors.shapes.mapping import address, mail_domain, mailbox
from sensors.values.ecs import related

FIELDS: Final = {
    "event.action": "source",
    "event.id": "alertId",
    "event.url": "securityInvestigationToolLink",
    "organization.id": "customerId",
    "source.user.email": "data.actorEmail",
    "rule.name": ("data.ruleName", "data.ruleViolationInfo.ruleInfo.displayName", "data.name"),
    "google_workspace.alert.type": "type",
    "google_workspace.alert.source": "source",
    "google_workspace.alert.deleted": "deleted",
    "google_workspace.alert.data.type": "data.@type",
    "google_workspace.alert.metadata.severity": "metadata.severity",
    "google_workspace.alert.metadata.status": "metadata.status",
    "google_workspace.alert.metadata.assignee": "metadata.assignee",
    "google_workspace.alert.data.email": "data.email",
    "google_workspace.alert.data.domain_id": "data.domainId.customerPrimaryDomain",
}


def alerts(frame: pl.DataFrame) -> pl.DataFrame:
    """Alerts, shredded, as ECS: the people are the assignee and whoever the alert is about."""
    about = [text(frame, "metadata.assignee"), text(frame, "data.email")]
    people = pl.concat_list(about).list.drop_nulls().list.unique(maintain_order=True)
    entity = text(frame, "data.maliciousEntity.entity.emailAddress")
    sender = text(frame, "data.maliciousEntity.fromHeader")
    messages = objects(frame, "data.messages", "messageId", "subjectText", "recipient", "md5HashSubject")
    login = address(text(frame, "data.loginDetails.ipAddress"))
    sent_from = address(text(frame, "data.sourceIp"))
    named = text(frame, "data.maliciousEntity.entity.displayName")
    domain = text(frame, "data.domain", "data.domainId.customerPrimaryDomain")
    frame = frame.with_columns(messages.alias("~messages"))
    part = pl.element().struct
    mail = pl.coalesce(
        text(frame, "data.actorEmail"),
        text(frame, "data.email"),
        entity,
        text(frame, "data.ruleViolationInfo.triggeringUserEmail"),
        texts(frame, "data.affectedUserEmails").list.first(),
    )
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "createTime").alias("@timestamp"),
        time(frame, "startTime").alias("event.start"),
        time(frame, "endTime").alias("event.end"),
        pl.lit("google_workspace.alert").alias("event.dataset"),
        pl.lit("alert").alias("event.kind"),
        pl.when(text(frame, "source").str.contains("(?i)gmail|mail"))
        .then(pl.lit(["email", "threat", "malware"], pl.List(pl.String)))
        .otherwise(pl.lit(["threat", "malware"], pl.List(pl.String)))
        .alias("event.category"),
        pl.lit(["info"], pl.List(pl.String)).alias("event.type"),
        *mapped(frame, FIELDS),
        json(frame, "data").alias("google_workspace.alert.data.original"),
        *(
            pl.col("~messages").list.eval(part.field(key)).list.drop_nulls().list.join("; ").alias(name)
            for name, key in (("email.subject", "subjectText"), ("email.message_id", "messageId"))
        ),
        pl.col("~messages")
        .list.eval(part.field("recipient"))
        .list.drop_nulls()
        .list.unique(maintain_order=True)
        .alias("email.to.address"),
        sender.alias("email.sender.address"),
        pl.coalesce(sent_from, login).alias("source.ip"),
        login.alias("~login"),
        pl.coalesce(named, mailbox(mail)).alias("user.name"),
        pl.coalesce(domain, mail_domain(mail)).alias("user.domain"),
        pl.coalesce(mail, people.list.first()).alias("user.email"),
    )
    return events.with_columns(
        related(["source.ip", "~login"]).alias("related.ip"),
        related(["user.name", "source.user.email"]).alias("related.user"),
    ).drop("~login")
