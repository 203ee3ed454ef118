"""Exchange Online's message trace: who mailed whom from which address, and whether it arrived.

Source of the fields: https://learn.microsoft.com/powershell/module/exchange/get-messagetrace and
https://learn.microsoft.com/exchange/monitoring/trace-an-email-message/message-trace-modern-eac
(reports in CSV). The user is the one of sender and recipient who belongs to the organisation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import zones
from sensors.reading.json_table import mapped, text, time
from sensors.schema import TIME
from sensors.shapes.audit_trail import AuditTrail, who
from sensors.shapes.mapping import address, first_rule, mail_domain, mailbox
from sensors.values.ecs import related

if TYPE_CHECKING:
    from datetime import tzinfo

_RECEIVED: Final = ("Received", "receivedDateTime", "origin_timestamp_utc", "date_time_utc")
_AMERICAN: Final = "%m/%d/%Y %I:%M:%S %p"
FIELDS: Final = {
    "email.subject": ("Subject", "message_subject"),
    "email.message_id": ("MessageId", "message_id"),
    "email.local_id": ("MessageTraceId", "network_message_id", "id"),
    "organization.name": "Organization",
    "microsoft.message_trace.status": ("Status", "recipient_status"),
    "microsoft.message_trace.size": ("Size", "total_bytes"),
    "microsoft.message_trace.direction": "directionality",
    "microsoft.message_trace.connector": "connector_id",
}
OUTCOME: Final = {
    r"(?i)fail|quarantin|filteredasspam|defer": "failure",
    r"(?i)deliver|expand|resolved|receive": "success",
    r".": "unknown",
}


def _is_record(record: dict[str, Any]) -> bool:
    return {"senderaddress", "recipientaddress", "status"} <= record.keys() and bool(
        {"messagetraceid", "received", "receiveddatetime"} & record.keys()
    )


def _events(frame: pl.DataFrame, zone: tzinfo) -> pl.DataFrame:
    """Traces, shredded, as ECS."""
    received = text(frame, *_RECEIVED)
    worded = zones.utc(received.str.to_datetime(_AMERICAN, strict=False, time_unit="us"), zone)
    status = text(frame, "Status", "recipient_status")
    sender = text(frame, "SenderAddress", "sender_address")
    recipient = pl.coalesce(
        text(frame, "RecipientAddress"), text(frame, "recipient_status").str.extract(r"^([^#;]+)", 1)
    )
    home = text(frame, "Organization").str.to_lowercase()
    direction = text(frame, "directionality").str.to_lowercase()
    arrives = (mail_domain(recipient).str.to_lowercase() == home) | (direction == "incoming")
    leaves = (mail_domain(sender).str.to_lowercase() == home) | (direction == "originating")
    person = pl.when(arrives).then(recipient).when(leaves).then(sender)
    events = frame.select(
        "log.offset",
        "log.file.line",
        pl.coalesce(time(frame, *_RECEIVED).cast(TIME), worded.cast(TIME)).alias("@timestamp"),
        pl.lit("microsoft_exchange_online_message_trace.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit("email").alias("event.category"),
        pl.lit("info").alias("event.type"),
        pl.lit("message-trace").alias("event.action"),
        first_rule(status, OUTCOME).alias("event.outcome"),
        time(frame, "StartDate").alias("event.start"),
        time(frame, "EndDate").alias("event.end"),
        *mapped(frame, FIELDS),
        sender.alias("email.from.address"),
        recipient.alias("email.to.address"),
        mail_domain(sender).alias("source.domain"),
        mail_domain(recipient).alias("destination.domain"),
        address(text(frame, "FromIP", "original_client_ip")).alias("source.ip"),
        address(text(frame, "ToIP")).alias("destination.ip"),
        *(
            column
            for root, mail in (("source.user", sender), ("destination.user", recipient), ("user", person))
            for column in who(root, id=mail, email=mail, name=mailbox(mail), domain=mail_domain(mail))
        ),
    )
    return events.with_columns(
        related(["source.ip", "destination.ip"]).alias("related.ip"),
        related(
            ["destination.user.email", "source.user.email", "destination.user.name", "source.user.name"]
        ).alias("related.user"),
    )


SENSOR: Final = AuditTrail(
    "exchange_message_trace",
    _is_record,
    ("SenderAddress", "sender_address"),
    _events,
    headers=(
        frozenset({"received", "senderaddress", "recipientaddress", "status"}),
        frozenset({"origin_timestamp_utc", "sender_address", "recipient_status"}),
    ),
    local=True,
)
