"""Microsoft Defender's alerts and incidents, of Defender for Endpoint, Microsoft Graph, older XDR API.

Fields after https://learn.microsoft.com/defender-endpoint/api/alerts,
https://learn.microsoft.com/graph/api/resources/security-incident and
https://learn.microsoft.com/defender-xdr/api-list-incidents. An incident may hold one alert (as log shippers
split them) or a list, whose evidence is then taken together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import integer, mapped, objects, text, time
from sensors.values import command_line, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

SEVERITY: Final = {"unspecified": 0, "informational": 1, "low": 2, "medium": 3, "high": 4}
TIMES: Final = (
    "lastUpdateDateTime",
    "lastUpdateTime",
    "alerts.lastUpdatedTime",
    "createdDateTime",
    "createdTime",
    "alertCreationTime",
)
FIELDS: Final = {
    "event.url": ("incidentWebUrl", "alertWebUrl", "alerts.alertWebUrl"),
    "message": ("displayName", "title", "alerts.title"),
    "rule.description": ("description", "alerts.description"),
    "host.hostname": "computerDnsName",
    "cloud.account.id": ("aadTenantId", "tenantId", "alerts.tenantId"),
    "cloud.instance.id": "machineId",
    "threat.group.name": ("alerts.threatFamilyName", "threatFamilyName"),
    "m365_defender.incident.classification": ("classification", "alerts.classification"),
    "m365_defender.incident.status": ("status", "alerts.status"),
    "m365_defender.incident.assigned_to": ("assignedTo", "alerts.assignedTo"),
    "m365_defender.incident.alert_id": ("alerts.alertId", "alerts.id", "id"),
    "m365_defender.incident.id": ("incidentId", "alerts.incidentId"),
    "m365_defender.incident.recommended_actions": ("recommendedActions", "alerts.recommendedActions"),
}
EVIDENCE: Final = ("evidence", "alerts.evidence", "alerts.entities", "alerts.devices")
# Field: the places in a piece of evidence, in Graph's spelling and those of the two older APIs.
PIECES: Final = {
    "file.name": ("fileDetails.fileName", "imageFile.fileName", "fileName"),
    "file.path": ("fileDetails.filePath", "imageFile.filePath", "filePath"),
    "file.hash.sha1": ("fileDetails.sha1", "imageFile.sha1", "sha1"),
    "file.hash.sha256": ("fileDetails.sha256", "imageFile.sha256", "sha256"),
    "file.size": ("fileDetails.fileSize", "imageFile.fileSize"),
    "process.command_line": ("processCommandLine",),
    "process.pid": ("processId",),
    "process.parent.pid": ("parentProcessId",),
    "host.name": ("deviceDnsName",),
    "host.id": ("mdeDeviceId",),
    "host.os.name": ("osPlatform",),
    "host.os.version": ("version",),
    "user.name": ("userAccount.accountName", "accountName"),
    "user.domain": ("userAccount.domainName", "domainName"),
    "user.id": ("userAccount.azureAdUserId", "aadUserId", "userAccount.userSid", "userSid"),
    "source.ip": ("ipAddress",),
    "email.subject": ("subject",),
    "email.to.address": ("recipientEmailAddress",),
    "url.original": ("url",),
    "event.detection": ("detectionStatus",),
}


class DefenderAlerts:
    """The sensor."""

    name = "defender_alerts"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records are alerts or incidents of one of the three APIs."""
        return json_table.mostly(head, _is_one)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            timed = table.with_columns(time(table, *TIMES).alias("@timestamp"))
            kept = json_table.kept(timed, pl.col("@timestamp").is_not_null(), source, "no alert or incident")
            if kept.height:
                yield _events(kept)


def _is_one(record: Mapping[str, Any]) -> bool:
    keys = record.keys()
    endpoint = {"alertCreationTime", "machineId", "detectionSource"} <= keys
    graph = {"createdDateTime", "severity"} <= keys and bool({"incidentWebUrl", "alertWebUrl"} & keys)
    older = {"incidentName", "alerts", "severity"} <= keys
    return endpoint or graph or older


def _pieces(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    """For each field the distinct values of all evidence, as lists."""
    paths = sorted({path for paths in PIECES.values() for path in paths})
    lists = [objects(frame, path, *paths) for path in EVIDENCE]
    out = {}
    for field, keys in PIECES.items():
        parts = [
            each.list.eval(pl.coalesce(pl.element().struct.field(key) for key in keys)) for each in lists
        ]
        parts += [pl.concat_list(text(frame, *(f"{root}.{key}" for key in keys))) for root in EVIDENCE]
        empty = pl.lit([], pl.List(pl.String))
        every = (
            pl.concat_list([part.fill_null(empty) for part in parts])
            .list.drop_nulls()
            .list.unique(maintain_order=True)
        )
        out[field] = every
    return out


def _people(frame: pl.DataFrame, key: str, have: pl.Expr) -> pl.Expr:
    """The values of evidence, and after them those of the people who were logged on to its machines."""
    said = text(frame, "alerts.evidence", "evidence").str.extract_all(rf'"{key}"\s*:\s*"[^"\\]+"')
    values = said.list.eval(pl.element().str.extract(r':\s*"(.*)"$', 1))
    empty = pl.lit([], pl.List(pl.String))
    return pl.concat_list(have, values.fill_null(empty)).list.drop_nulls().list.unique(maintain_order=True)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    endpoint = text(frame, "alertCreationTime").is_not_null()
    older = text(frame, "incidentName").is_not_null()
    category = text(frame, "category", "alerts.category")
    severity = (
        pl.when(older)
        .then(text(frame, "severity", "alerts.severity"))
        .otherwise(text(frame, "alerts.severity", "severity"))
        .str.to_lowercase()
    )
    status = text(frame, "status", "alerts.status").str.to_lowercase()
    found = _pieces(frame)
    found["user.name"] = _people(frame, "accountName", found["user.name"])
    found["user.domain"] = _people(frame, "domainName", found["user.domain"])
    frame = frame.with_columns(value.alias(f"~{field}") for field, value in found.items())
    process = pl.col("~process.pid").list.len() > 0
    start = time(
        frame,
        "firstEventTime",
        "alerts.firstActivity",
        "firstActivityDateTime",
        "alerts.firstActivityDateTime",
    )
    end = time(
        frame, "lastEventTime", "alerts.lastActivity", "lastActivityDateTime", "alerts.lastActivityDateTime"
    )
    kinds = pl.concat_list(
        pl.when(endpoint | older).then(pl.lit("host")),
        pl.when(process & (endpoint | older)).then(pl.lit("process")),
        pl.when(endpoint & (category == "Malware")).then(pl.lit("malware")),
    ).list.drop_nulls()
    ended = (
        pl.when(status == "resolved")
        .then(pl.lit("end"))
        .when(endpoint)
        .then(pl.lit("start"))
        .otherwise(pl.lit("info"))
    )
    source = text(frame, "detectionSource", "alerts.detectionSource")
    service = text(frame, "serviceSource", "alerts.serviceSource")
    detected = pl.col("~event.detection").list.first()
    out = frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        pl.col("text").alias("event.original"),
        pl.when(endpoint)
        .then(pl.lit("microsoft_defender_endpoint.log"))
        .when(older)
        .then(pl.lit("m365_defender.log"))
        .when(text(frame, "incidentWebUrl").is_not_null() & text(frame, "incidentId").is_null())
        .then(pl.lit("m365_defender.incident"))
        .otherwise(pl.lit("m365_defender.alert"))
        .alias("event.dataset"),
        pl.lit("alert").alias("event.kind"),
        pl.when(kinds.list.len() > 0).then(kinds).alias("event.category"),
        pl.when(endpoint | older).then(pl.concat_list(ended)).alias("event.type"),
        pl.when(endpoint | older).then(category).otherwise(detected).alias("event.action"),
        pl.when(older).then(text(frame, "alerts.alertId")).otherwise(text(frame, "id")).alias("event.id"),
        pl.when(endpoint).then(pl.lit("defender_endpoint")).otherwise(service).alias("event.provider"),
        severity.replace_strict(SEVERITY, default=None, return_dtype=pl.Int64).alias("event.severity"),
        time(frame, "alertCreationTime", "createdDateTime", "createdTime", "alerts.creationTime").alias(
            "event.created"
        ),
        start.alias("event.start"),
        end.alias("event.end"),
        (end - start).dt.total_nanoseconds().alias("event.duration"),
        pl.when(endpoint | older).then(pl.lit("azure")).alias("cloud.provider"),
        pl.lit("Microsoft").alias("observer.vendor"),
        pl.when(endpoint)
        .then(pl.lit("Defender for Endpoint"))
        .otherwise(pl.lit("365 Defender"))
        .alias("observer.product"),
        pl.when(endpoint).then(source).otherwise(service).alias("observer.name"),
        *mapped(frame, FIELDS),
        *(_one(frame, field, endpoint) for field in PIECES if field != "event.detection"),
        _filled("~user.name", text(frame, "relatedUser.userName")).alias("related.user"),
        pl.when(category.is_not_null()).then(pl.concat_list(category)).alias("threat.tactic.name"),
        integer(frame, "investigationId", "alerts.investigationId")
        .cast(pl.String)
        .alias("m365_defender.incident.investigation_id"),
        pl.concat_list("~file.hash.sha1", "~file.hash.sha256").alias("~hash"),
        _filled("~host.name", text(frame, "computerDnsName").str.to_lowercase(), "~user.domain").alias(
            "related.hosts"
        ),
    )
    args = command_line.args(pl.col("process.command_line"))
    hashes = pl.when(pl.col("~hash").list.len() > 0).then("~hash").alias("related.hash")
    return ecs.only(out.with_columns(args.alias("process.args"), hashes), "m365_defender")


def _filled(name: str, more: pl.Expr, *lists: str) -> pl.Expr:
    """The list with one more value and those of `lists`, without doubles; null if it is empty."""
    every = pl.concat_list(pl.col(name), pl.concat_list(more), *lists)
    every = every.list.drop_nulls().list.unique(maintain_order=True)
    return pl.when(every.list.len() > 0).then(every)


def _one(frame: pl.DataFrame, field: str, endpoint: pl.Expr) -> pl.Expr:
    """The first value of a kind of evidence; Defender for Endpoint's alerts name their machine."""
    value = pl.col(f"~{field}").list.first()
    if field == "host.name":
        named = text(frame, "computerDnsName").str.to_lowercase()
        value = pl.when(endpoint).then(named).otherwise(value)
    if field == "user.name":
        value = pl.coalesce(value, text(frame, "relatedUser.userName"))
    if field == "user.domain":
        value = pl.coalesce(text(frame, "relatedUser.domainName"), value)
    if field in {"process.pid", "process.parent.pid", "file.size"}:
        value = value.cast(pl.Int64, strict=False)
    return value.alias(field)


SENSOR: Final = DefenderAlerts()
