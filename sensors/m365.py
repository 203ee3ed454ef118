"""Microsoft 365 unified audit log.

Read are the Management Activity API's records (arrays, lines, pages), and the exports of the audit search:
CSV with a column AuditData, and JSON whose `AuditData` holds the record as text or object. The fields:
https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema

The person is `UserId`. In mailbox records of a service or delegate the mailbox's owner is `user.target.*`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import m365_ends
from sensors.reading import framing, json_table
from sensors.reading.json_table import mapped, objects, text, texts, time
from sensors.shapes.mapping import first_rule, flags
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_ROOT: Final = "o365.audit"
# Fields that are one value of the record, as it is.
FIELDS: Final = {
    "event.action": "Operation",
    "event.id": "Id",
    "event.provider": "Workload",
    "event.reason": "LogonError",
    "organization.name": "OrganizationName",
    "user.full_name": "LogonUserDisplayName",
    "process.name": "ClientProcessName",
    "session.id": ("AppAccessContext.AADSessionId", "SessionId"),
    "group.name": ("TeamName", "GroupName"),
    "file.name": ("SourceFileName", "SharePointMetaData.FileName", "FileName"),
    "file.extension": ("SourceFileExtension", "FileExtension"),
    "file.directory": "SourceRelativeUrl",
    "file.owner": "SharePointMetaData.FileOwner",
    "file.size": ("FileSizeBytes", "FileSize", "SharePointMetaData.FileSize", "ExchangeMetaData.FileSize"),
    "email.subject": ("Item.Subject", "ExchangeMetaData.Subject"),
    "email.message_id": ("Item.InternetMessageId", "ExchangeMetaData.MessageID"),
    "source.user.email": "ExchangeMetaData.From",
    "rule.category": "Category",
}
# The record's own fields that detection asks for; they keep Microsoft's names under `o365.audit`.
AUDIT: Final = (
    "RecordType", "Workload", "Operation", "ResultStatus", "UserType", "UserKey", "UserId", "ObjectId",
    "ClientIP", "ClientIPAddress", "ActorIpAddress", "ClientInfoString", "ClientVersion", "ApplicationId",
    "AppId", "ClientAppId", "ClientApplication", "ApplicationDisplayName", "LogonError", "ErrorNumber",
    "LogonType", "InternalLogonType", "ExternalAccess", "MailboxGuid", "MailboxOwnerUPN", "MailboxOwnerSid",
    "LogonUserSid", "Item.ParentFolder.Path", "Item.Attachments", "AffectedItems", "Folders",
    "DestFolder.Path", "ItemType", "ItemName", "EventSource", "EventData", "Site", "SiteUrl",
    "ListItemUniqueId",
    "DestinationRelativeUrl", "DestinationFileName", "TargetUserOrGroupName", "TargetUserOrGroupType",
    "UniqueSharingId", "SharingType", "Permission", "IsManagedDevice", "DeviceDisplayName", "MachineId",
    "MachineDomainInfo", "Platform", "BrowserName", "BrowserVersion", "GeoLocation", "AuthenticationType",
    "FileSyncBytesCommitted", "CorrelationId", "InterSystemsId", "TeamGuid", "ChannelName",
    "CommunicationType", "Members", "MessageURLs", "ParticipantInfo", "Actor", "Target", "ModifiedProperties",
    "AzureActiveDirectoryEventType", "AlertId", "AlertType", "PolicyId", "PolicyDetails", "Severity",
    "Status", "Source", "Comments", "Name", "Data", "AppAccessContext.AADSessionId",
    "AppAccessContext.UniqueTokenId", "AppAccessContext.ClientAppName",
)  # fmt: skip
# Lists of {"Name": ..., "Value": ...}, and the names in them that detection asks for.
PAIRS: Final = {
    "Parameters": (
        "Identity", "Name", "User", "Trustee", "AccessRights", "ForwardTo", "ForwardAsAttachmentTo",
        "RedirectTo",
        "ForwardingAddress", "ForwardingSmtpAddress", "DeliverToMailboxAndForward", "BlindCopyTo", "CopyTo",
        "RedirectMessageTo", "DeleteMessage", "MoveToFolder", "MarkAsRead", "StopProcessingRules", "From",
        "SentTo", "SubjectContainsWords", "SubjectOrBodyContainsWords", "BodyContainsWords", "AuditEnabled",
        "UnifiedAuditLogIngestionEnabled", "AutoForwardEnabled", "AutoForwardingMode", "RoleAssignee", "Role",
        "AuditBypassEnabled", "Enabled",
    ),
    "ExtendedProperties": (
        "UserAgent", "RequestType", "ResultStatusDetail", "UserAuthenticationMethod", "KeepMeSignedIn",
        "targetUPN", "targetName", "actorUPN", "extendedAuditEventCategory", "additionalDetails",
    ),
    "DeviceProperties": (
        "Id", "DisplayName", "OS", "BrowserType", "IsCompliant", "IsCompliantAndManaged", "TrustType",
        "SessionId",
    ),
    "OperationProperties": (
        "MailAccessType", "IsThrottled", "RuleOperation", "RuleName", "RuleActions", "RuleId",
    ),
}  # fmt: skip
_SUCCESS = r"^(?i:succeeded|success|partiallysucceeded|true)$"
_FAILURE = r"^(?i:failed|false|failure)$"
_SEVERITY: Final = {"(?i)^informational$": "1", "(?i)^low$": "2", "(?i)^medium$": "3", "(?i)^high$": "4"}
_FILE_OPERATION = r"^(File|Folder)[A-Z]"
_ACCOUNTS = (
    r"^(Add|Update|Delete|Disable|Enable|Restore|Change|Reset) (user|member|group|owner)\b"
    r"|^(Team|Member|Group)"
)
_TYPES: Final = {
    "access": r"^(File|Folder)(Accessed|Downloaded|Previewed|SyncDownloaded)",
    "change": r"^(File|Folder)(Modified|Moved|Renamed|Restored)|^Update user|^MemberAdded",
    "deletion": r"^(File|Folder)(Deleted|Recycled)|^Delete (user|group)|^GroupDeletion",
    "creation": r"^(File|Folder)(Uploaded|Created|Copied|SyncUp)|^Add (user|group)\b|^(Team|Group)Creat",
}
_SETTINGS = (
    r"^(ComplianceSettingChanged|Network(Security)?ConfigurationUpdated|SoftDeleteSettingsUpdated"
    r"|ProcessProfileFields|SupervisorAdminToggled)$"
)
_SUSPENDED = r"^(NetworkSecurityConfigurationUpdated|NetworkUserSuspended|UserSuspension)$"
_CSV_DATA = r'"(\{(?:[^"]|"")*\})"'
_HEADER = re.compile(r'^[^{\n]*"?\bAuditData\b', re.IGNORECASE)


class M365:
    """The unified audit log of a Microsoft 365 tenant."""

    name = "m365"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether audit records are among the first records, or the first line has a column AuditData."""
        if any(_is_audit(record) for record in json_table.peek(head)):
            return True
        header = framing.text_head(head).lstrip().split("\n", 1)[0]
        return bool(_HEADER.match(header) and re.search(r"(?i)\b(operations?|recordtype)\b", header))

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order; what is no audit record is named in `source.unread`."""
        for whole in json_table.tables(source, _frames(source)):
            table = _inner(whole, source)
            record = text(table, "CreationTime").is_not_null() & (
                text(table, "RecordType").is_not_null() | text(table, "Operation").is_not_null()
            )
            kept = json_table.kept(table, record, source, "no audit record")
            if kept.height:
                yield _events(kept)


SENSOR = M365()


@cache
def record_types() -> dict[str, Any]:
    """Name of each number that RecordType may have."""
    return tomllib.loads((files("sensors") / "m365_record_types.toml").read_text("utf-8"))


def _is_audit(record: dict[str, Any]) -> bool:
    inner = record.get("o365audit")
    keys = (inner if isinstance(inner, dict) else record).keys()
    api = {"CreationTime", "RecordType", "Operation"} <= keys and bool({"Workload", "OrganizationId"} & keys)
    folded = {key.lower() for key in keys}
    return api or ("auditdata" in folded and bool({"operation", "operations", "recordtype"} & folded))


def _frames(source: Source) -> Iterator[pl.DataFrame]:
    """The records as JSON text, out of the CSV export's column as well."""
    if framing.text_head(source.head).lstrip()[:1] in {"{", "[", "\0", "\x1e"}:
        yield from json_table.records(source)
        return
    header = True
    for frame in framing.lines(source):
        rows = frame.slice(1) if header else frame
        header = False
        data = pl.col("text").str.extract(_CSV_DATA, 1).str.replace_all('""', '"', literal=True)
        yield rows.with_columns(pl.coalesce(data, "text").alias("text"))


def _inner(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The audit records themselves, where they are a property of what was exported."""
    data = pl.coalesce(json_table.json(frame, path) for path in ("AuditData", "auditData", "o365audit"))
    inside = frame.with_columns(data.alias("~inside"))["~inside"]
    if not inside.str.starts_with("{").any():
        return frame
    unwrapped = frame.select(json_table.FRAME).with_columns(
        pl.when(inside.str.starts_with("{")).then(inside).otherwise("text").alias("text")
    )
    return json_table.table(unwrapped, source)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Audit records, shredded, as ECS."""
    frame = frame.with_columns(objects(frame, path, "Name", "Value").alias(f"~{path}") for path in PAIRS)
    frame = json_table.opened(frame, "Data")
    frame = frame.with_columns(
        time(frame, "CreationTime").alias("@timestamp"),
        _record_type(frame).alias("event.code"),
        m365_ends.client(frame).alias("~client"),
        m365_ends.server(frame).alias("~server"),
    )
    frame = frame.with_columns(*m365_ends.actors(frame))
    events = frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        "event.code",
        pl.lit("o365.audit").alias("event.dataset"),
        *mapped(frame, FIELDS),
        *(text(frame, name).alias(f"{_ROOT}.{name}") for name in AUDIT),
        *(
            _pair(path, name).alias(f"{_ROOT}.{path}.{name}")
            for path, names in PAIRS.items()
            for name in names
        ),
        # Whole as well: rules look for the name of a parameter anywhere in its list.
        *(text(frame, path).alias(f"molehunt.m365.{path}") for path in ("Parameters", "OperationProperties")),
        text(frame, "OrganizationId").str.to_lowercase().alias("organization.id"),
        # Elastic's convention: the tenant is the host of what happens in it.
        text(frame, "OrganizationId").str.to_lowercase().alias("host.id"),
        *_kinds(frame),
        *m365_ends.people(frame),
        *m365_ends.addresses(),
        *_objects(frame),
        # `related` splits what it joined at U+001F; so several members may come as one text.
        objects(frame, "Members", "UPN")
        .list.eval(pl.element().struct.field("UPN"))
        .list.join("\x1f")
        .alias("~members"),
        text(frame, "Data.f3u").alias("~subject"),
    )
    people = ["user.name", "user.target.name", "file.owner", f"{_ROOT}.Parameters.User"]
    return events.with_columns(
        related(["source.ip", "server.ip"]).alias("related.ip"),
        related([*people, "~members", "~subject"]).alias("related.user"),
    ).drop("~members", "~subject")


def _record_type(frame: pl.DataFrame) -> pl.Expr:
    """Name of the kind of record; exports give the name itself, new numbers have none here."""
    kind = text(frame, "RecordType")
    named = kind.replace_strict(record_types(), default=None, return_dtype=pl.String)
    return pl.coalesce(named, pl.when(~kind.str.contains(r"^-?\d+$")).then(kind))


def _pair(path: str, name: str) -> pl.Expr:
    """The value that goes with `name` in the list of pairs at `path`."""
    named = pl.col(f"~{path}").list.filter(pl.element().struct.field("Name") == name)
    return named.list.first().struct.field("Value")


def _kinds(frame: pl.DataFrame) -> list[pl.Expr]:
    """What kind of event it is, and how it ended."""
    action, code, always = text(frame, "Operation"), pl.col("event.code"), pl.lit(value=True)
    logon = code == "AzureActiveDirectoryStsLogon"
    dlp = code.is_in(["ComplianceDLPSharePoint", "ComplianceDLPExchange"])
    alert = code == "SecurityComplianceAlerts"
    settings = action.str.contains(_SETTINGS)
    accounts = action.str.contains(_ACCOUNTS)
    group = accounts & action.str.contains("(?i)group|Team|Member")
    category = {
        "web": always,
        "file": dlp | action.str.contains(_FILE_OPERATION),
        "authentication": logon,
        "iam": accounts | action.str.contains(_SUSPENDED),
        "configuration": settings,
    }
    types = {"info": always, "start": logon, "group": group, "user": accounts & ~group}
    named = {kind: action.str.contains(pattern) for kind, pattern in _TYPES.items()}
    named["access"] |= logon | dlp
    named["change"] |= settings
    status = text(frame, "ResultStatus")
    excepted = json_table.json(frame, "ExceptionInfo").is_not_null() | action.str.contains("Undo$")
    blocked = dlp & ~excepted & text(frame, "PolicyDetails").str.contains("BlockAccess", literal=True)
    severity = pl.coalesce(
        text(frame, "Severity"), text(frame, "PolicyDetails").str.extract(r'"Severity"\s*:\s*"(\w+)"', 1)
    )
    return [
        flags(category).alias("event.category"),
        flags(types | named).alias("event.type"),
        pl.when(dlp | alert).then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        pl.when(status.str.contains(_FAILURE) | blocked)
        .then(pl.lit("failure"))
        .otherwise(pl.lit("success"))
        .alias("event.outcome"),
        first_rule(severity, _SEVERITY).alias("event.severity"),
    ]


def _objects(frame: pl.DataFrame) -> list[pl.Expr]:
    """What was acted on or with: file, address of it, rule, device, browser."""
    sharepoint = pl.col("event.code").is_in(["SharePointFileOperation", "SharePointSharingOperation"])
    url = pl.coalesce(
        pl.when(sharepoint).then(text(frame, "ObjectId")), text(frame, "SharePointMetaData.FilePathUrl")
    )
    details = text(frame, "PolicyDetails")
    alert = pl.col("event.code") == "SecurityComplianceAlerts"
    recipients = pl.coalesce(
        texts(frame, f"ExchangeMetaData.{kind}").list.first() for kind in ("To", "CC", "BCC")
    )
    return [
        url.alias("url.original"),
        url.str.extract(r"^https?://([^/:]+)", 1).alias("url.domain"),
        pl.when(sharepoint & text(frame, "SourceFileName").is_not_null()).then(url).alias("file.path"),
        pl.coalesce(text(frame, "UserAgent"), _pair("ExtendedProperties", "UserAgent")).alias(
            "user_agent.original"
        ),
        pl.coalesce(
            pl.when(alert).then(text(frame, "PolicyId")), details.str.extract(r'"RuleId"\s*:\s*"([^"]+)"', 1)
        ).alias("rule.id"),
        pl.coalesce(
            pl.when(alert).then(text(frame, "Name")), details.str.extract(r'"RuleName"\s*:\s*"([^"]+)"', 1)
        ).alias("rule.name"),
        recipients.alias("destination.user.email"),
        _pair("DeviceProperties", "Id").alias("device.id"),
    ]
