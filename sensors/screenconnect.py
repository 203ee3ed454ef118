"""ConnectWise ScreenConnect: sessions, connections and events, as its Report Manager exports them in CSV.

Rows of the reports `SessionConnection` (who was connected, from where, how long), `SessionEvent` and
`SessionConnectionEvent` (what was done); which fields an export has is its maker's choice. Names of the
session, its connections and events are those of the vendor's "List of trigger definitions"
(docs.connectwise.com); those of reports carry the name of what they are of before them
(`SessionConnectionProcessType`), as in github.com/christaylorcodes/ConnectWiseControlAPI. The other columns
are not verified by a document of the vendor's. Events of the client in the Windows application log are
Windows' own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table, zones
from sensors.reading.json_table import integer, mapped, text
from sensors.shapes.audit_trail import AuditTrail, unless, words
from sensors.shapes.mapping import address, first_rule
from sensors.values import ecs

if TYPE_CHECKING:
    from datetime import tzinfo

_HOST: Final = r"^(?i:host|1)$"  # the process of whoever takes control; the other is the guest's
_AMERICAN: Final = (
    r"^(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}),? "
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?: ?(?P<half>[AaPp][Mm]))?$"
)
_START: Final = ("ConnectedTime", "StartTime", "ConnectTime")
_END: Final = ("DisconnectedTime", "EndTime", "DisconnectTime")
_ADDRESS: Final = (
    "NetworkAddress", "ClientNetworkAddress", "HostNetworkAddress", "SessionConnectionNetworkAddress",
)  # fmt: skip
_EVENT: Final = ("Time", "EventTime", "SessionEventTime")
FIELDS: Final = {
    "session.id": "SessionID",
    "event.id": ("EventID", "ConnectionID"),
    "host.name": ("GuestMachineName", "SessionGuestMachineName", "SessionName", "Name"),
    "message": "Data",
    "screenconnect.connection.id": "ConnectionID",
    "screenconnect.client.type": ("ClientType", "SessionConnectionClientType"),
    "screenconnect.client.version": ("ClientVersion", "SessionConnectionClientVersion"),
    "screenconnect.participant": ("ParticipantName", "SessionConnectionParticipantName"),
    "screenconnect.process.type": ("ProcessType", "SessionConnectionProcessType"),
    "screenconnect.session.name": ("SessionName", "Name"),
    "screenconnect.session.type": "SessionType",
}
TYPE: Final = {
    r"^(?i:connected|createdsession|initiatedjoin)$": "start",
    r"^(?i:disconnected|endedsession)$": "end",
    r".": "info",
}
_NANOSECONDS: Final = 1_000_000_000


def _moment(frame: pl.DataFrame, zone: tzinfo, *paths: str) -> pl.Expr:
    """A time in ISO 8601, or month first with or without AM and PM, of the source's zone unless it says."""
    key = getattr(zone, "key", "UTC")
    part = text(frame, *paths).str.extract_groups(_AMERICAN).struct.field
    half = part("half").str.to_lowercase()
    hour = part("hour").cast(pl.Int64)
    whole = (
        pl.when(half.is_null()).then(hour).otherwise(hour % 12 + pl.when(half == "pm").then(12).otherwise(0))
    )
    written = pl.concat_str(
        part("year"),
        part("month").str.zfill(2),
        part("day").str.zfill(2),
        whole.cast(pl.String).str.zfill(2),
        part("minute"),
        part("second").fill_null("00"),
    )
    clock = written.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us")
    return pl.coalesce(json_table.time(frame, *paths, zone=key), zones.utc(clock, zone))


def _events(frame: pl.DataFrame, zone: tzinfo) -> pl.DataFrame:
    """Rows of a report as ECS."""
    kind = text(frame, "EventType", "SessionEventType")
    seconds = integer(frame, "DurationSeconds", "Duration")
    host = text(frame, "ProcessType", "SessionConnectionProcessType").str.contains(_HOST)
    who = text(frame, "ParticipantName", "SessionConnectionParticipantName", "EventHost", "Host")
    began, ended = _moment(frame, zone, *_START), _moment(frame, zone, *_END)
    found = frame.select(
        "log.offset",
        "log.file.line",
        pl.coalesce(_moment(frame, zone, *_EVENT), began, ended).alias("@timestamp"),
        pl.lit("screenconnect.sessions").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        words(pl.lit("session,network")).alias("event.category"),
        pl.coalesce(kind.str.to_lowercase(), pl.lit("connection")).alias("event.action"),
        words(pl.coalesce(first_rule(kind, TYPE), pl.lit("info"))).alias("event.type"),
        began.alias("event.start"),
        ended.alias("event.end"),
        pl.coalesce(seconds * _NANOSECONDS, (ended - began).dt.total_microseconds() * 1000).alias(
            "event.duration"
        ),
        pl.when(host.fill_null(value=True)).then(who).alias("~who"),
        address(text(frame, *_ADDRESS)).alias("source.ip"),
        pl.lit("ConnectWise").alias("observer.vendor"),
        pl.lit("ScreenConnect").alias("observer.product"),
        *mapped(frame, FIELDS),
        unless(kind.is_not_null() | began.is_not_null()),
    )
    named = ecs.person(found, "~who", "user", "source.user")
    return ecs.only(
        ecs.relations(named, ip=("source.ip",), user=("user.name", "user.email"), hosts=("host.name",)),
        "screenconnect",
    )


SENSOR: Final = AuditTrail(
    "screenconnect",
    lambda _: False,
    (*_EVENT, *_START),
    _events,
    headers=(
        frozenset({"sessionid", "connectionid", "connectedtime"}),
        frozenset({"sessionid", "eventtype", "time"}),
        frozenset({"sessionid", "eventid", "eventtype"}),
    ),
    local=True,
)
