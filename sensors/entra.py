"""Microsoft Entra ID (Azure AD) sign-in logs.

Three spellings of one record are read: Microsoft Graph's `signIn` (camel case, pages, arrays or lines:
https://learn.microsoft.com/graph/api/resources/signin), the export of diagnostic settings to storage or an
event hub (the same inside `properties`, with `category`: SignInLogs, NonInteractiveUserSignInLogs and so on:
https://learn.microsoft.com/entra/identity/monitoring-health/), and Log Analytics' table SigninLogs
(https://learn.microsoft.com/azure/azure-monitor/reference/tables/signinlogs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import azure_logs
from sensors.reading import json_table
from sensors.reading.json_table import integer, mapped, number, objects, text, texts, time
from sensors.shapes.mapping import address, mail_domain, mailbox
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_ROOT: Final = "azure.signinlogs"
_PROPERTIES: Final = f"{_ROOT}.properties"


def _at(*names: str) -> tuple[str, ...]:
    """Where a property of the sign-in stands in the three spellings."""
    return tuple(f"{root}{name}" for name in names for root in ("properties.", ""))


_CITY = _at("location.city", "locationDetails.city")
_STATE = _at("location.state", "locationDetails.state")
_COUNTRY = _at("location.countryOrRegion", "locationDetails.countryOrRegion", "location")
_LATITUDE = _at("location.geoCoordinates.latitude", "locationDetails.geoCoordinates.latitude")
_LONGITUDE = _at("location.geoCoordinates.longitude", "locationDetails.geoCoordinates.longitude")
_ERROR = (*_at("status.errorCode"), "resultType")
_AGENT = _at("userAgent")

# Fields that are one value of the record, as it is; names under `azure` are Elastic's.
FIELDS: Final = {
    "event.id": _at("id"),
    "event.code": _ERROR,
    "log.level": "Level",
    "user.id": _at("userId"),
    "user.full_name": (*_at("userDisplayName"), "identity"),
    "user_agent.original": _AGENT,
    "session.id": _at("sessionId"),
    "device.id": _at("deviceDetail.deviceId"),
    "source.as.number": _at("autonomousSystemNumber"),
    "azure.tenant_id": ("tenantId", "AADTenantId"),
    "azure.correlation_id": ("correlationId", *_at("correlationId")),
    "azure.resource.id": "resourceId",
    f"{_ROOT}.category": "category",
    f"{_ROOT}.identity": "identity",
    f"{_ROOT}.operation_name": "operationName",
    f"{_ROOT}.operation_version": "operationVersion",
    f"{_ROOT}.result_type": ("resultType", *_at("status.errorCode")),
    f"{_ROOT}.result_description": ("resultDescription", *_at("status.failureReason")),
    f"{_ROOT}.result_signature": "resultSignature",
    f"{_ROOT}.caller_ip_address": "callerIpAddress",
}
PROPERTIES: Final = {
    "id": "id",
    "app_display_name": "appDisplayName",
    "app_id": "appId",
    "authentication_details": "authenticationDetails",
    "authentication_processing_details": "authenticationProcessingDetails",
    "authentication_protocol": "authenticationProtocol",
    "authentication_requirement": "authenticationRequirement",
    "autonomous_system_number": "autonomousSystemNumber",
    "applied_conditional_access_policies": "appliedConditionalAccessPolicies",
    "client_app_used": "clientAppUsed",
    "conditional_access_status": "conditionalAccessStatus",
    "cross_tenant_access_type": "crossTenantAccessType",
    "device_detail.browser": "deviceDetail.browser",
    "device_detail.device_id": "deviceDetail.deviceId",
    "device_detail.display_name": "deviceDetail.displayName",
    "device_detail.is_compliant": "deviceDetail.isCompliant",
    "device_detail.is_managed": "deviceDetail.isManaged",
    "device_detail.operating_system": "deviceDetail.operatingSystem",
    "device_detail.trust_type": "deviceDetail.trustType",
    "flagged_for_review": "flaggedForReview",
    "home_tenant_id": "homeTenantId",
    "incoming_token_type": "incomingTokenType",
    "is_interactive": "isInteractive",
    "mfa_detail.auth_method": "mfaDetail.authMethod",
    "mfa_detail.auth_detail": "mfaDetail.authDetail",
    "network_location_details": "networkLocationDetails",
    "original_request_id": "originalRequestId",
    "original_transfer_method": "originalTransferMethod",
    "resource_display_name": "resourceDisplayName",
    "resource_id": "resourceId",
    "resource_tenant_id": "resourceTenantId",
    "risk_detail": "riskDetail",
    "risk_level_aggregated": "riskLevelAggregated",
    "risk_level_during_signin": "riskLevelDuringSignIn",
    "risk_state": "riskState",
    "service_principal_id": "servicePrincipalId",
    "service_principal_name": "servicePrincipalName",
    "session_id": "sessionId",
    "sign_in_identifier": "signInIdentifier",
    "status.additional_details": "status.additionalDetails",
    "status.error_code": "status.errorCode",
    "status.failure_reason": "status.failureReason",
    "token_issuer_name": "tokenIssuerName",
    "token_issuer_type": "tokenIssuerType",
    "unique_token_identifier": "uniqueTokenIdentifier",
    "user_display_name": "userDisplayName",
    "user_id": "userId",
    "user_principal_name": "userPrincipalName",
    "user_type": "userType",
}
# Columns that Log Analytics exports as JSON text.
_TEXT_OBJECTS: Final = ("properties", "DeviceDetail", "LocationDetails", "Status", "MfaDetail")
# Risk detections that say the address belongs to an anonymiser:
# https://learn.microsoft.com/graph/api/resources/riskdetection
_ANONYMOUS: Final = ("anonymizedIPAddress", "riskyIPAddress", "maliciousIPAddress", "nationStateIP")


class Entra:
    """Sign-ins of a Microsoft Entra tenant, and what Azure writes beside them."""

    name = "entra"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether sign-ins, or mostly other logs of Azure, are among the first records."""
        records = json_table.peek(head)
        if any(_is_sign_in(record) for record in records):
            return True
        known = [azure_logs.is_record({key.lower(): value for key, value in one.items()}) for one in records]
        return sum(known) * 2 > len(known)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order; records of categories that nobody knows are named in `source.unread`."""
        for whole in json_table.tables(source):
            table = json_table.opened(whole, *_TEXT_OBJECTS, *azure_logs.NESTED)
            category = text(table, "category")
            other = category.is_not_null() & ~category.str.contains(r"(?i)SignInLogs$")
            principal = text(table, *_at("userPrincipalName", "servicePrincipalId", "appId")).is_not_null()
            dataset = azure_logs.dataset(table)
            told = table.with_columns(dataset.alias("~dataset"), (~other & principal).alias("~sign_in"))
            fits = pl.col("~dataset").is_not_null() | pl.col("~sign_in")
            kept = json_table.kept(told, fits, source, "no sign-in")
            is_other = kept["~dataset"].is_not_null()
            kept = kept.drop("~dataset", "~sign_in")
            parts = [
                make(kept.filter(mask))
                for make, mask in ((_events, ~is_other), (azure_logs.events, is_other))
                if mask.any()
            ]
            if len(parts) > 1:
                yield pl.concat(parts, how="diagonal_relaxed").sort("log.offset", maintain_order=True)
            elif parts:
                yield parts[0]


SENSOR = Entra()


def _is_sign_in(record: dict[str, Any]) -> bool:
    keys = {key.lower(): value for key, value in record.items()}
    category = str(keys.get("category", keys.get("type", ""))).lower()
    if category.endswith(("signinlogs", "signinlogs_cl")):
        return True
    graph = {"createddatetime", "appdisplayname", "ipaddress", "status"}
    return graph <= keys.keys() and bool({"userprincipalname", "serviceprincipalid"} & keys.keys())


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Sign-ins, shredded, as ECS."""
    login = text(frame, *_at("userPrincipalName"))
    ip = address(text(frame, *_at("ipAddress"), "callerIpAddress"))
    guest = login.str.contains(azure_logs.GUEST).fill_null(value=False)
    failed = integer(frame, *_ERROR) != 0
    located = (number(frame, *_LATITUDE) != 0) | (number(frame, *_LONGITUDE) != 0)
    country = text(frame, *_COUNTRY)
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, *_at("createdDateTime"), "time", "TimeGenerated").alias("@timestamp"),
        pl.lit("azure.signinlogs").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["authentication"], pl.List(pl.String)).alias("event.category"),
        pl.lit(["info"], pl.List(pl.String)).alias("event.type"),
        pl.coalesce(text(frame, "operationName"), pl.lit("Sign-in activity")).alias("event.action"),
        pl.when(failed).then(pl.lit("failure")).when(~failed).then(pl.lit("success")).alias("event.outcome"),
        (integer(frame, "durationMs") * 1_000_000).alias("event.duration"),
        pl.when(failed)
        .then(text(frame, *_at("status.failureReason"), "resultDescription"))
        .alias("event.reason"),
        *mapped(frame, FIELDS),
        *mapped(frame, {f"{_PROPERTIES}.{name}": _at(key) for name, key in PROPERTIES.items()}),
        pl.when(guest).then(login).otherwise(mailbox(login)).alias("user.name"),
        pl.when(~guest).then(mail_domain(login)).alias("user.domain"),
        pl.when(~guest & login.str.contains("@")).then(login).alias("user.email"),
        ip.alias("source.address"),
        ip.alias("source.ip"),
        ip.alias("client.ip"),
        azure_logs.port(text(frame, "callerIpAddress", *_at("ipAddress"))).alias("source.port"),
        text(frame, *_CITY).alias("source.geo.city_name"),
        text(frame, *_STATE).alias("source.geo.region_name"),
        country.str.extract("^([A-Za-z]{2})$", 1).str.to_uppercase().alias("source.geo.country_iso_code"),
        country.str.extract("^(...+)$", 1).alias("source.geo.country_name"),
        pl.when(located).then(number(frame, *_LATITUDE)).alias("source.geo.location.lat"),
        pl.when(located).then(number(frame, *_LONGITUDE)).alias("source.geo.location.lon"),
        *_lists(frame),
        *_user_agent(frame),
    )
    hosts = pl.col(f"{_PROPERTIES}.device_detail.display_name")
    return events.with_columns(
        related(["source.ip"]).alias("related.ip"),
        related(["user.full_name", "user.name"]).alias("related.user"),
        pl.when(hosts.is_not_null()).then(pl.concat_list(hosts)).alias("related.hosts"),
    )


def _lists(frame: pl.DataFrame) -> list[pl.Expr]:
    """Properties that have several values."""
    risks = [texts(frame, path) for path in _at("riskEventTypes_v2", "riskEventTypes")]
    risk = pl.coalesce(pl.when(found.list.len() > 0).then(found) for found in risks)
    methods = pl.coalesce(
        objects(frame, path, "authenticationMethod").list.eval(
            pl.element().struct.field("authenticationMethod").drop_nulls()
        )
        for path in _at("authenticationDetails")
    )
    return [
        risk.alias(f"{_PROPERTIES}.risk_event_types"),
        pl.when(methods.list.len() > 0).then(methods).alias(f"{_PROPERTIES}.authentication_methods"),
        pl.when(risk.list.eval(pl.element().is_in(_ANONYMOUS)).list.any()).then(pl.lit(value=True)).alias("molehunt.proxy"),
    ]  # fmt: skip


def _user_agent(frame: pl.DataFrame) -> list[pl.Expr]:
    """Browser and system as Entra recognised them: `Edge 97.0.1072`, `Windows 10`, `Windows10`, `MacOs`."""
    browser = text(frame, *_at("deviceDetail.browser"))
    system = text(frame, *_at("deviceDetail.operatingSystem"))
    return [
        browser.str.extract(r"^(.*?)(?: [\d.]+)?$", 1).alias("user_agent.name"),
        system.alias("user_agent.os.full"),
        system.str.extract(r"^([A-Za-z ]*[A-Za-z])", 1).alias("user_agent.os.name"),
        system.str.extract(r"([\d.]+)$", 1).alias("user_agent.os.version"),
    ]
