"""Okta System Log, as the API and its log streams write it.

Source of the fields: https://developer.okta.com/docs/reference/api/system-log/ (LogEvent). The person is the
actor; what was done to someone else names them in `user.target.*`. Okta's own geography of the client is
kept: no lookup made later knows where the address was then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import mapped, objects, text, time
from sensors.shapes.mapping import address, first_rule, mail_domain, mailbox, only
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

# Fields that are one value of the record, as it is. Names under `okta` are Elastic's.
FIELDS: Final = {
    "event.action": "eventType",
    "event.id": "uuid",
    "event.reason": "outcome.reason",
    "session.id": ("authenticationContext.rootSessionId", "authenticationContext.externalSessionId"),
    "transaction.id": "transaction.id",
    "user_agent.original": "client.userAgent.rawUserAgent",
    "device.id": "device.id",
    "client.geo.city_name": "client.geographicalContext.city",
    "client.geo.region_name": "client.geographicalContext.state",
    "client.geo.country_name": "client.geographicalContext.country",
    "client.geo.location.lat": "client.geographicalContext.geolocation.lat",
    "client.geo.location.lon": "client.geographicalContext.geolocation.lon",
    "source.geo.city_name": "client.geographicalContext.city",
    "source.geo.region_name": "client.geographicalContext.state",
    "source.geo.country_name": "client.geographicalContext.country",
    "source.geo.postal_code": "client.geographicalContext.postalCode",
    "source.geo.location.lat": "client.geographicalContext.geolocation.lat",
    "source.geo.location.lon": "client.geographicalContext.geolocation.lon",
    "source.as.number": "securityContext.asNumber",
    "source.as.organization.name": "securityContext.asOrg",
    "client.as.number": "securityContext.asNumber",
    "client.as.organization.name": "securityContext.asOrg",
    "okta.uuid": "uuid",
    "okta.event_type": "eventType",
    "okta.legacy_event_type": "legacyEventType",
    "okta.display_message": "displayMessage",
    "okta.severity": "severity",
    "okta.outcome.result": "outcome.result",
    "okta.outcome.reason": "outcome.reason",
    "okta.actor.id": "actor.id",
    "okta.actor.type": "actor.type",
    "okta.actor.alternate_id": "actor.alternateId",
    "okta.actor.display_name": "actor.displayName",
    "okta.client.id": "client.id",
    "okta.client.ip": "client.ipAddress",
    "okta.client.device": "client.device",
    "okta.client.zone": "client.zone",
    "okta.client.user_agent.browser": "client.userAgent.browser",
    "okta.client.user_agent.os": "client.userAgent.os",
    "okta.client.user_agent.raw_user_agent": "client.userAgent.rawUserAgent",
    "okta.device.id": "device.id",
    "okta.device.name": "device.name",
    "okta.device.managed": "device.managed",
    "okta.device.registered": "device.registered",
    "okta.device.os_platform": ("device.os_platform", "device.osPlatform"),
    "okta.device.os_version": ("device.os_version", "device.osVersion"),
    "okta.device.disk_encryption_type": ("device.disk_encryption_type", "device.diskEncryptionType"),
    "okta.device.screen_lock_type": ("device.screen_lock_type", "device.screenLockType"),
    "okta.device.secure_hardware_present": (
        "device.secure_hardware_present",
        "device.secureHardwarePresent",
    ),
    "okta.authentication_context.authentication_provider": "authenticationContext.authenticationProvider",
    "okta.authentication_context.authentication_step": "authenticationContext.authenticationStep",
    "okta.authentication_context.credential_provider": "authenticationContext.credentialProvider",
    "okta.authentication_context.credential_type": "authenticationContext.credentialType",
    "okta.authentication_context.external_session_id": "authenticationContext.externalSessionId",
    "okta.authentication_context.root_session_id": "authenticationContext.rootSessionId",
    "okta.authentication_context.interface": "authenticationContext.interface",
    "okta.authentication_context.issuer": ("authenticationContext.issuer.id", "authenticationContext.issuer"),
    "okta.security_context.as.number": "securityContext.asNumber",
    "okta.security_context.as.organization.name": "securityContext.asOrg",
    "okta.security_context.domain": "securityContext.domain",
    "okta.security_context.is_proxy": "securityContext.isProxy",
    "okta.security_context.isp": "securityContext.isp",
    "okta.transaction.id": "transaction.id",
    "okta.transaction.type": "transaction.type",
    "okta.request.ip_chain": "request.ipChain",
    "okta.target": "target",
}
# What Okta's engine noted down: https://developer.okta.com/docs/reference/api/system-log/#debugcontext-object
# Its keys differ by event; these are the ones that say something about the device, the risk or the act.
DEBUG_DATA: Final = {
    "authn_request_id": "authnRequestId",
    "authentication_factor": "authenticationFactorType",
    "behaviors": "behaviors",
    "client_secret": "clientSecret",
    "device_fingerprint": "deviceFingerprint",
    "dt_hash": "dtHash",
    "factor": "factor",
    "factor_intent": "factorIntent",
    "grant_type": "grantType",
    "granted_scopes": "grantedScopes",
    "initiator_type": "initiatorType",
    "log_only_security_data": "logOnlySecurityData",
    "login_result": "loginResult",
    "origin": "origin",
    "phone_number": "phoneNumber",
    "privilege_granted": "privilegeGranted",
    "proxy_type": "proxyType",
    "request_id": "requestId",
    "request_uri": "requestUri",
    "requested_scopes": "requestedScopes",
    "risk": "risk",
    "sign_on_mode": "signOnMode",
    "suspicious_activity.browser": "suspiciousActivityBrowser",
    "suspicious_activity.event_city": "suspiciousActivityEventCity",
    "suspicious_activity.event_country": "suspiciousActivityEventCountry",
    "suspicious_activity.event_id": "suspiciousActivityEventId",
    "suspicious_activity.event_ip": "suspiciousActivityEventIp",
    "suspicious_activity.event_state": "suspiciousActivityEventState",
    "suspicious_activity.event_type": "suspiciousActivityEventType",
    "suspicious_activity.os": "suspiciousActivityOs",
    "suspicious_activity.timestamp": "suspiciousActivityTimestamp",
    "threat_detections": "threatDetections",
    "threat_suspected": "threatSuspected",
    "tunnels": "tunnels",
    "url": "url",
}
CATEGORY: Final = {
    r"^user\.session\.(start|end|clear|expire|context\.change)": ("authentication", "session"),
    r"^user\.session\.(impersonation|access_admin_app)": ("authentication", "session"),
    r"^(user\.authentication|app\.oauth2|app\.inbound_del_auth|system\.push)\.": ("authentication",),
    r"^(user\.mfa\.(attempt|okta_verify)|core\.user\.factor|user\.account\.lock)": ("authentication",),
    r"^(policy\.evaluate_sign_on|app\.generic\.unauth_app_access_attempt)$": ("authentication",),
    r"^user\.identity_verification": ("authentication",),
    r"^(security|user\.risk|user\.account\.report_suspicious)": ("threat",),
    r"^(user|group|iam|device|app\.user_management|system\.api_token|support)\.": ("iam",),
    r"^application\.(user_membership|provision)": ("iam",),
    r"^(policy|application|app|zone|network_zone|system|org|inline_hook|event_hook|directory|pki)\.": (
        "configuration",
    ),
}  # fmt: skip
TYPE: Final = {
    r"^user\.session\.start$": ("start", "info"),
    r"^user\.session\.(end|clear|expire)": ("end", "info"),
    r"^user\.lifecycle\.create": ("creation", "info"),
    r"^user\.lifecycle\.delete": ("user", "deletion"),
    r"^(user\.lifecycle|application\.user_membership)\.": ("change", "info"),
    r"^user\.(account|mfa\.factor|credential)": ("user", "change"),
    r"^policy\.(rule\.(add|activate)|lifecycle\.activate)$": ("change",),
    r"^(system\.org\.rate_limit|core\.concurrency\.org\.limit)\.": ("info", "network"),
    r"^security\.request\.blocked$": ("network",),
    r"^group\.(user_membership|privilege|profile)": ("group", "change"),
    r"^device\.(user\.add|enrollment\.create)|\.(create|add|generate|enroll|activate)$": ("creation",),
    r"\.(delete|remove|revoke|destroy)(\.|$)": ("deletion",),
    r"\.(update|change|reset|deactivate|grant|assign|suspend|unsuspend)(\.|$|_)": ("change",),
    r"^(user\.(authentication|session)|policy\.evaluate_sign_on)": ("info",),
}
OUTCOME: Final = {
    r"^(?i:success|allow)$": "success",
    r"^(?i:failure|deny)$": "failure",
    r".": "unknown",
}
TARGET: Final = {"id": "id", "type": "type", "alternate_id": "alternateId", "display_name": "displayName"}
_PERSON: Final = ("User", "AppUser")


class Okta:
    """The System Log of an Okta organisation."""

    name = "okta"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records have what every LogEvent has: actor, event type, time or id."""
        return json_table.mostly(head, _fits)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            kept = json_table.kept(table, text(table, "eventType").is_not_null(), source, "no log event")
            if kept.height:
                yield _events(kept)


SENSOR = Okta()


def _fits(record: dict[str, Any]) -> bool:
    """Whether a record has what every LogEvent has; exports of some systems write the names in lower case."""
    keys = {key.lower(): value for key, value in record.items()}
    actor = keys.get("actor")
    return (
        isinstance(actor, dict)
        and "alternateId" in actor
        and isinstance(keys.get("eventtype"), str)
        and bool({"published", "uuid", "outcome"} & keys.keys())
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """LogEvents, shredded, as ECS."""
    frame = _with_targets(frame)
    action = text(frame, "eventType")
    login = only(text(frame, "actor.alternateId"), "unknown", "null")
    full_name = text(frame, "actor.displayName")
    ip = address(text(frame, "client.ipAddress"))
    domain = only(text(frame, "securityContext.domain"), ".")
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "published").alias("@timestamp"),
        pl.lit("okta.system").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        first_rule(action, CATEGORY).alias("event.category"),
        first_rule(action, TYPE).alias("event.type"),
        first_rule(text(frame, "outcome.result"), OUTCOME).alias("event.outcome"),
        *mapped(frame, FIELDS),
        *mapped(
            frame,
            {
                f"okta.debug_context.debug_data.{name}": f"debugContext.debugData.{key}"
                for name, key in DEBUG_DATA.items()
            },
        ),
        *_names("user", login, full_name, text(frame, "actor.id")),
        *_names("source.user", login, full_name, text(frame, "actor.id")),
        *_names("client.user", login, full_name, text(frame, "actor.id")),
        mail_domain(login).alias("user.domain"),
        ip.alias("source.ip"),
        ip.alias("client.ip"),
        domain.alias("source.domain"),
        domain.alias("client.domain"),
        *_risk(frame),
        *_user_agent(frame),
        *_targets(),
    )
    return events.with_columns(
        related(["source.ip"]).alias("related.ip"),
        related(["user.full_name", "user.name", "user.target.full_name", "user.target.name"]).alias(
            "related.user"
        ),
    )


def _names(root: str, login: pl.Expr, full_name: pl.Expr, number: pl.Expr) -> list[pl.Expr]:
    """Someone's names under `root`; the login is an e-mail address as a rule, not by necessity."""
    return [
        mailbox(login).alias(f"{root}.name"),
        pl.when(login.str.contains("@")).then(login).alias(f"{root}.email"),
        full_name.alias(f"{root}.full_name"),
        number.alias(f"{root}.id"),
    ]


def _risk(frame: pl.DataFrame) -> list[pl.Expr]:
    """What Okta thinks of the sign-in, out of its two spellings: `{level=HIGH, reasons=...}` and JSON."""
    risk = "debugContext.debugData.risk"
    security = "debugContext.debugData.logOnlySecurityData"
    told = text(frame, risk)
    told_json = text(frame, security)
    behaviors = pl.concat_str(
        [json_table.text(frame, "debugContext.debugData.behaviors"), told_json],
        separator=",",
        ignore_nulls=True,
    )
    positive = (
        behaviors.str.extract_all(r'[^{},="]+"?[=:]\s*"?POSITIVE')
        .list.eval(pl.element().str.replace(r'"?[=:]\s*"?POSITIVE$', "").str.strip_chars(" "))
    )  # fmt: skip
    level = pl.coalesce(
        told.str.extract(r"level=([A-Z]+)", 1),
        text(frame, f"{risk}.level", f"{security}.risk.level"),
        told_json.str.extract(r'"level"\s*:\s*"([A-Z]+)"', 1),
    )
    reasons = pl.coalesce(
        told.str.extract(r"reasons=([^=}]+?)(?:, \w+=|\}|$)", 1),
        text(frame, f"{risk}.reasons", f"{security}.risk.reasons"),
        told_json.str.extract(r'"reasons"\s*:\s*"([^"]+)"', 1),
    )
    tunnels = text(frame, "debugContext.debugData.tunnels")
    proxied = pl.coalesce(
        text(frame, "securityContext.isProxy")
        .str.to_lowercase()
        .replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean),
        pl.lit(None, pl.Boolean),
    )
    anonymous = tunnels.str.contains(r'"(?:anonymous"\s*:\s*true|type"\s*:\s*"(?:VPN|PROXY|TOR))')
    return [
        level.alias("okta.debug_context.debug_data.risk_level"),
        reasons.str.split(", ").alias("okta.debug_context.debug_data.risk_reasons"),
        pl.when(positive.list.len() > 0).then(positive).alias("okta.debug_context.debug_data.risk_behaviors"),
        pl.when(anonymous).then(pl.lit(value=True)).otherwise(proxied).alias("molehunt.proxy"),
        tunnels.str.extract_all(r'"operator"\s*:\s*"([^"]+)"')
        .list.eval(pl.element().str.extract(r':\s*"([^"]+)"', 1)).alias("okta.tunnel.operator"),
    ]  # fmt: skip


def _user_agent(frame: pl.DataFrame) -> list[pl.Expr]:
    """Browser and system as Okta recognised them."""
    system = only(text(frame, "client.userAgent.os"), "Unknown", "Unknown mobile")
    browser = only(text(frame, "client.userAgent.browser"), "UNKNOWN")
    return [
        browser.str.to_titlecase().alias("user_agent.name"),
        pl.when(system.str.contains(r"iPhone|iPad"))
        .then(pl.lit("iOS"))
        .otherwise(system)
        .alias("user_agent.os.name"),
    ]


def _with_targets(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds what was acted on as `~target`, and of it the first person and the first group."""
    kind = pl.element().struct.field("type")
    return frame.with_columns(objects(frame, "target", *TARGET.values()).alias("~target")).with_columns(
        # An account in an application stands before the person whose it is.
        pl.coalesce(pl.col("~target").list.filter(kind == name).list.first() for name in _PERSON).alias(
            "~person"
        ),
        pl.coalesce(
            pl.col("~target").list.filter(found).list.first()
            for found in (kind == "UserGroup", kind.str.contains("Group"))
        ).alias("~group"),
    )


def _targets() -> list[pl.Expr]:
    """Whom or what was acted on: all of it in `okta.target.*`, the first person and group in ECS words."""
    person, group = pl.col("~person").struct, pl.col("~group").struct
    login = only(person.field("alternateId"), "unknown", "null")
    return [
        *_names("user.target", login, person.field("displayName"), person.field("id")),
        group.field("displayName").alias("user.target.group.name"),
        group.field("id").alias("user.target.group.id"),
        *(
            pl.col("~target").list.eval(pl.element().struct.field(key)).alias(f"okta.target.{name}")
            for name, key in TARGET.items()
        ),
    ]
