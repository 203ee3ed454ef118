"""Salesforce: event log files (JSON or CSV), real-time events, login history, the setup audit trail.

Source of the fields: "Object Reference for the Salesforce Platform" (EventLogFile and its event types,
LoginEvent, LogoutEvent, LoginHistory, SetupAuditTrail). Event log files have one event type a file and their
columns in capitals; objects have their names in camel case.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import integer, mapped, number, text, time
from sensors.shapes.audit_trail import AuditTrail, first_words, who
from sensors.shapes.mapping import address, first_rule, mail_domain, mailbox
from sensors.values.ecs import related

FIELDS: Final = {
    "event.id": ("REQUEST_ID", "EventIdentifier", "Id"),
    "event.url": ("URI", "URL", "attributes.url"),
    "session.id": ("SESSION_KEY", "SessionKey"),
    "organization.id": "ORGANIZATION_ID",
    "user_agent.original": ("BROWSER_TYPE", "UserAgent"),
    "user_agent.name": "Browser",
    "user_agent.os.name": "Platform",
    "http.request.method": ("METHOD", "HttpMethod", "HTTP_METHOD"),
    "tls.cipher": ("CIPHER_SUITE", "CipherSuite"),
    "source.geo.city_name": "City",
    "source.geo.country_name": "Country",
    "source.geo.country_iso_code": "CountryIso",
    "source.geo.region_name": "Subdivision",
    "source.geo.postal_code": "PostalCode",
    "salesforce.event_type": ("EVENT_TYPE", "attributes.type"),
    "salesforce.login_key": ("LOGIN_KEY", "LoginKey"),
    "salesforce.login_status": ("LOGIN_STATUS", "Status"),
    "salesforce.login_type": ("LOGIN_TYPE", "LoginType"),
    "salesforce.session_level": ("SESSION_LEVEL", "SessionLevel"),
    "salesforce.application": ("Application", "APP_NAME", "CLIENT_NAME"),
    "salesforce.api_type": ("API_TYPE", "ApiType"),
    "salesforce.api_version": ("API_VERSION", "ApiVersion"),
    "salesforce.auth_method": ("AUTHENTICATION_METHOD_REFERENCE", "AuthMethodReference"),
    "salesforce.client_ip": ("CLIENT_IP", "ClientIp"),
    "salesforce.entity_name": ("ENTITY_NAME", "ENTITY", "QueriedEntities"),
    "salesforce.query": ("QUERY", "Query"),
    "salesforce.rows_processed": ("ROWS_PROCESSED", "RowsProcessed", "ROW_COUNT"),
    "salesforce.report_id": ("REPORT_ID_DERIVED", "REPORT_ID", "ReportId"),
    "salesforce.document_id": ("DOCUMENT_ID_DERIVED", "DOCUMENT_ID", "ENTITY_ID"),
    "salesforce.setup.section": "Section",
    "salesforce.setup.display": "Display",
    "salesforce.setup.delegate_user": "DelegateUser",
    "salesforce.setup.created_by_context": "CreatedByContext",
    "salesforce.setup.created_by_issuer": "CreatedByIssuer",
}
_APEX: Final = r"(?i)apex"
# What types of events are about, by their names.
CATEGORY: Final = {
    r"(?i)^(Login|Logout|LoginAs)(Event|History)?$": "authentication",
    r"(?i)^(ApexTrigger|ApexExecution)$": "",
    r"(?i)apex": "network",
    r"^SetupAuditTrail$": "configuration",
    r"(?i)^(ReportExport|DocumentAttachment|DocumentDelete|ContentTransfer|ContentDistribution)": "file",
    r"(?i)^(Permission|GroupMembership|UserManagement|Identity)": "iam",
    r"(?i)^(Report|ListView|BulkApi|Sandbox|.*Api(Event|Total.*)?$)": "database",
    r"(?i)request|uri|page|lightning|visualforce|sites|aura": "web",
    r"(?i)anomaly|threat|hijack|credential": "threat",
}  # fmt: skip
TYPE: Final = {
    r"(?i)^(Login|Logout|LoginAs)(Event|History)?$": "info",
    r"^ApexExecution$": "",
    r"(?i)apex": "connection",
    r"^SetupAuditTrail$": "admin",
    r"(?i)^(Permission|GroupMembership|UserManagement)": "change",
    r"(?i)delete": "deletion",
    r".": "access",
}
ACTION: Final = {
    r"(?i)^(Login|LoginEvent|LoginHistory)$": "login-attempt",
    r"(?i)^(Logout|LogoutEvent)$": "logout",
    r"(?i)^ApexRestApi$": "apex-rest",
    r"(?i)^ExternalCustomApexCallout$": "apex-external-custom-callout",
}
_DATASET: Final = {
    r"(?i)^(Login|LoginEvent|LoginHistory)$": "login",
    r"(?i)^(Logout|LogoutEvent)$": "logout",
    r"(?i)apex": "apex",
}
_FOR_USER: Final = r"^For user ([^,]+), "
_DONE: Final = {
    r"^(LOGIN_NO_ERROR|Success|S|1|true)$": "success",
    r".": "failure",
}


def _is_record(record: dict[str, Any]) -> bool:
    if "event_type" in record:
        return "timestamp" in record and bool({"request_id", "organization_id"} & record.keys())
    setup = {"createdbyid", "createddate", "section", "action", "display"} <= record.keys()
    return (
        setup
        or {"eventidentifier", "eventdate"} <= record.keys()
        or {"logintime", "sourceip", "userid"} <= record.keys()
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Events of log files and objects, shredded, as ECS."""
    frame = frame.with_columns(_kind(frame).alias("~kind"))
    kind = pl.col("~kind")
    logged = text(frame, "EVENT_TYPE").is_not_null()
    login = kind.str.contains(r"(?i)^login")
    setup = kind == "SetupAuditTrail"
    email = text(frame, "USER_NAME", "Username", "CreatedBy.Username")
    client = text(frame, "CLIENT_IP", "ClientIp", "SourceIp")
    origin = pl.when(login).then(text(frame, "SOURCE_IP", "SourceIp")).otherwise(client)
    dataset = first_rule(kind, _DATASET).fill_null(kind.str.to_lowercase())
    events = frame.select(
        "log.offset",
        "log.file.line",
        _when(frame).alias("@timestamp"),
        ("salesforce." + dataset).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(logged).then(pl.lit("EventLogFile")).otherwise(pl.lit("Object")).alias("event.provider"),
        _filled(first_words(kind, CATEGORY)).alias("event.category"),
        _filled(first_words(kind, TYPE)).alias("event.type"),
        pl.when(setup)
        .then(text(frame, "Action"))
        .otherwise(first_rule(kind, ACTION).fill_null(_dashed(kind)))
        .alias("event.action"),
        _outcome(frame, kind).alias("event.outcome"),
        pl.when(kind.str.contains(r"(?i)^Logout$")).then(text(frame, "REQUEST_ID")).alias("event.code"),
        (integer(frame, "EXEC_TIME", "TIME", "TOTAL_MS", "RUN_TIME") * 1_000_000).alias("event.duration"),
        time(frame, "CreatedDate").alias("event.created"),
        *mapped(frame, FIELDS),
        *who("user", "source.user", id=_user_id(frame, login), email=email, name=mailbox(email)),
        mail_domain(email).alias("user.domain"),
        text(frame, "CreatedBy.Name").alias("user.full_name"),
        text(frame, "USER_TYPE", "UserType").alias("user.roles"),
        pl.when(setup).then(text(frame, "Display").str.extract(_FOR_USER, 1)).alias("user.target.name"),
        address(origin).alias("source.ip"),
        address(client).alias("~client"),
        number(frame, "LoginLatitude").alias("source.geo.location.lat"),
        number(frame, "LoginLongitude").alias("source.geo.location.lon"),
        text(frame, "TLS_PROTOCOL", "TlsProtocol").str.extract(r"(\d[\d.]*)$", 1).alias("tls.version"),
        integer(frame, "REQUEST_SIZE").alias("http.request.bytes"),
        integer(frame, "RESPONSE_SIZE").alias("http.response.bytes"),
        integer(frame, "STATUS_CODE").alias("http.response.status_code"),
    )
    return events.with_columns(related(["source.ip", "~client"]).alias("related.ip")).drop("~client")


def _kind(frame: pl.DataFrame) -> pl.Expr:
    """The type of the event: said by log files and by the API, told by its fields otherwise."""
    said = text(frame, "EVENT_TYPE", "attributes.type")
    shape = (
        pl.when(text(frame, "Section").is_not_null())
        .then(pl.lit("SetupAuditTrail"))
        .when(text(frame, "LoginType", "LoginUrl", "LoginTime", "LoginHistoryId").is_not_null())
        .then(pl.lit("LoginEvent"))
        .otherwise(pl.lit("LogoutEvent"))
    )
    return pl.coalesce(said, shape)


def _when(frame: pl.DataFrame) -> pl.Expr:
    """The time; log files have it in ISO 8601 and as `20260101170000.885`, both in UTC."""
    packed = text(frame, "TIMESTAMP").str.to_datetime("%Y%m%d%H%M%S%.f", time_unit="us", strict=False)
    return pl.coalesce(
        time(frame, "TIMESTAMP_DERIVED", "EventDate", "LoginTime"),
        packed.dt.replace_time_zone("UTC"),
        time(frame, "CreatedDate"),
    )


def _outcome(frame: pl.DataFrame, kind: pl.Expr) -> pl.Expr:
    """How it ended, which each type says in a column of its own."""
    apex = kind.str.contains(_APEX)
    status = pl.coalesce(
        text(frame, "LOGIN_STATUS"),
        pl.when(~apex).then(text(frame, "Status", "REQUEST_STATUS")),
        pl.when(apex).then(text(frame, "SUCCESS", "STATUS")),
    )
    return first_rule(status, _DONE)


def _user_id(frame: pl.DataFrame, login: pl.Expr) -> pl.Expr:
    """The user's number; of logins the long one, which objects have too."""
    long = pl.when(login).then(text(frame, "USER_ID_DERIVED"))
    return pl.coalesce(long, text(frame, "USER_ID", "USER_ID_DERIVED", "UserId", "CreatedById"))


def _dashed(kind: pl.Expr) -> pl.Expr:
    """`ReportExport` as `report-export`."""
    return kind.str.replace_all(r"([a-z0-9])([A-Z])", "$1-$2").str.to_lowercase()


def _filled(words: pl.Expr) -> pl.Expr:
    """The list, or null if it has only the empty word."""
    return pl.when(words.list.first() != "").then(words)


SENSOR: Final = AuditTrail(
    "salesforce",
    _is_record,
    ("EVENT_TYPE", "EventIdentifier", "CreatedById", "LoginTime"),
    _events,
    headers=(
        frozenset({"event_type", "timestamp", "request_id"}),
        frozenset({"eventidentifier", "eventdate"}),
        frozenset({"createdbyid", "createddate", "section", "action", "display"}),
        frozenset({"logintime", "sourceip", "userid"}),
    ),
)
