"""Cisco Duo's logs as the Admin API gives them: authentication, activity, administrators, telephony, offline.

Fields after https://duo.com/docs/adminapi (Authentication Logs v2 and v1, Activity Logs, Administrator Logs,
Telephony Logs v2 and v1, Offline Enrollment Logs, Trust Monitor); mapping after Elastic's integration
`cisco_duo`. The person is who logged in; the device that approved (`auth_device`) is kept beside it, for the
phone that answers from another country than the computer is what is looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import json, mapped, opened, text, texts, time
from sensors.shapes.mapping import address, first_rule, mail_domain, only
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

_TRUST = "surfaced_auth."
FIELDS: Final = {
    "event.id": ("txid", "activity_id", "telephony_id", "surfaced_auth.txid", "sekey"),
    "user_agent.name": ("access_device.browser", "surfaced_auth.access_device.browser"),
    "user_agent.version": ("access_device.browser_version", "surfaced_auth.access_device.browser_version"),
    "user_agent.os.name": ("access_device.os", "surfaced_auth.access_device.os"),
    "user_agent.os.version": ("access_device.os_version", "surfaced_auth.access_device.os_version"),
    "user_agent.original": "description.user_agent",
    "source.geo.city_name": ("access_device.location.city", "location.city"),
    "source.geo.region_name": ("access_device.location.state", "location.state"),
    "source.geo.country_name": ("access_device.location.country", "location.country"),
    "service.name": ("application.name", "surfaced_auth.application.name", "integration"),
    "service.id": ("application.key", "surfaced_auth.application.key"),
    "user.changes.name": "description.realname",
    "user.changes.email": "description.email",
    "user.roles": "description.role",
    "cisco.duo.alias": ("alias", "surfaced_auth.alias"),
    "cisco.duo.event_type": ("event_type", "eventtype", "context"),
    "cisco.duo.factor": ("factor", "description.factor", "surfaced_auth.factor"),
    "cisco.duo.result": ("result", "surfaced_auth.result"),
    "cisco.duo.trusted_endpoint_status": "trusted_endpoint_status",
    "cisco.duo.passport_assessment.outcome": "passport_assessment.outcome",
    "cisco.duo.adaptive_trust_assessments.trust_level": (
        "adaptive_trust_assessments.more_secure_auth.trust_level",
        "adaptive_trust_assessments.remember_me.trust_level",
    ),
    "cisco.duo.adaptive_trust_assessments.reason": (
        "adaptive_trust_assessments.more_secure_auth.reason",
        "adaptive_trust_assessments.remember_me.reason",
    ),
    "cisco.duo.auth_device.ip": ("auth_device.ip", "surfaced_auth.auth_device.ip"),
    "cisco.duo.auth_device.name": ("auth_device.name", "device", "description.device"),
    "cisco.duo.auth_device.key": "auth_device.key",
    "cisco.duo.auth_device.location.city": "auth_device.location.city",
    "cisco.duo.auth_device.location.state": "auth_device.location.state",
    "cisco.duo.auth_device.location.country": "auth_device.location.country",
    "cisco.duo.access_device.epkey": "access_device.epkey",
    "cisco.duo.access_device.flash_version": "access_device.flash_version",
    "cisco.duo.access_device.java_version": "access_device.java_version",
    "cisco.duo.access_device.is_encryption_enabled": "access_device.is_encryption_enabled",
    "cisco.duo.access_device.is_firewall_enabled": "access_device.is_firewall_enabled",
    "cisco.duo.access_device.is_password_set": "access_device.is_password_set",
    "cisco.duo.ood_software": "ood_software",
    "cisco.duo.phone": ("phone", "description.phone"),
    "cisco.duo.telephony.type": "type",
    "cisco.duo.telephony.credits": "credits",
    "cisco.duo.object": "object",
    "cisco.duo.primary_auth_method": "description.primary_auth_method",
    "cisco.duo.saml_idp": "description.saml_idp",
    "cisco.duo.error": "description.error",
    "cisco.duo.actor.type": "actor.type",
    "cisco.duo.target.type": "target.type",
}  # fmt: skip
REASON: Final = ("reason", "surfaced_auth.reason")
_TIMES: Final = ("timestamp", "ts", "isotimestamp", "surfaced_timestamp")
_USER: Final = ("user.name", "username", "actor.name", "surfaced_auth.user.name")
_USER_ID: Final = ("user.key", "actor.key", "surfaced_auth.user.key")
_IP: Final = ("access_device.ip", "access_device.ip.address", "surfaced_auth.access_device.ip", "ip",
              "description.ip_address")  # fmt: skip
_HOST: Final = ("access_device.hostname", "surfaced_auth.access_device.hostname", "host")
# Kind, and how it is told from the others, in this order.
_TRUST_MONITOR, _OFFLINE, _ACTIVITY, _AUTH, _TELEPHONY, _ADMIN = (
    "trust_monitor", "offline_enrollment", "activity", "auth", "telephony", "admin",
)  # fmt: skip
_OF_USERS: Final = "user|bypass|phone|hardtoken|token|webauthn|u2f|credential"
CATEGORY: Final = {
    r"^admin_login": ("authentication", "iam"),
    rf"^(?:admin|group|{_OF_USERS})_": ("iam",),
    r"^(?:integration|application|policy|customer|log|settings?|sso|device|trusted|regen|telephony)_": (
        "configuration",
    ),
}
# `event.type`: first what an act is about (an administrator's own account, a group or policy, a user), then
# what was done to it. A login is one word.
ABOUT: Final = {
    r"^admin_login": "admin,start",
    r"^(?:activation_\w+_link$|admin_|adminapi_)": "admin",
    r"^(?:group_|policy_|integration_group_policy_)": "group",
    r"^(?:user|bypass|phone|token|webauthn|u2f|credential)_": "user",
    r"^(?:(?:ad|azure)_sync_by_user_|openldap_sync_(?:by_user_)?begin)": "user",
    r".": "info",
}
DONE: Final = {
    r"create|^user_(?:add|import|provision|self_enroll)$": "creation",
    r"update": "change",
    r"delete": "deletion",
}
_RESULT: Final = {
    r"^(?i:success|allow)": "success",
    r"^(?i:den|fail|fraud|error|block)": "failure",
    r".": "unknown",
}
_FAILED: Final = {r"error|fail|denied|lockout|locked": "failure", r".": "success"}


class CiscoDuo:
    """The logs of Duo's Admin API, in one file or apart."""

    name = "cisco_duo"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records are Duo's, or a page of its API."""
        return json_table.mostly(head, _is_duo)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for whole in json_table.tables(source):
            table = _kinds(_out_of_pages(whole, source))
            kept = json_table.kept(table, pl.col("~kind").is_not_null(), source, "no record of Duo's logs")
            timed = kept.with_columns(time(kept, *_TIMES).alias("@timestamp"))
            timed = json_table.kept(timed, pl.col("@timestamp").is_not_null(), source, "no time that is one")
            if timed.height:
                yield _events(opened(timed, "description", "actor.details", "action.details"))


SENSOR: Final = CiscoDuo()


def _is_duo(record: Mapping[str, Any]) -> bool:
    keys = record.keys()
    page = record.get("response")
    return (
        {"isotimestamp", "txid"} <= keys
        or {"isotimestamp", "action", "username"} <= keys
        or {"isotimestamp", "credits", "phone"} <= keys
        or {"isotimestamp", "eventtype", "integration", "factor"} <= keys
        or {"telephony_id", "ts"} <= keys
        or {"activity_id", "akey", "ts"} <= keys
        or {"sekey", "surfaced_timestamp"} <= keys
        or (record.get("stat") == "OK" and isinstance(page, dict) and "authlogs" in page)
    )


def _out_of_pages(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The records of the API's answers (`{"stat": "OK", "response": {"authlogs": [...]}}`), each a row."""
    listed = pl.coalesce(texts(frame, name) for name in ("response.authlogs", "response.items", "response"))
    pages = frame.with_columns(listed.alias("~listed"))
    within = pages["~listed"].is_not_null() & pages.select(text(frame, "stat").is_not_null()).to_series()
    if not within.any():
        return frame
    opened_up = pages.filter(within).select("log.offset", "log.file.line", text="~listed")
    found = opened_up.filter(pl.col("text").list.len() > 0).explode("text").select(*json_table.FRAME)
    if not found.height:
        return frame.filter(~within)
    whole = [frame.filter(~within), json_table.table(found, source)]
    return pl.concat(whole, how="diagonal").sort("log.offset", maintain_order=True)


def _kinds(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `~kind`, null where a record is none of Duo's."""

    def has(*names: str) -> pl.Expr:
        return text(frame, *names).is_not_null()

    action = text(frame, "action")
    return frame.with_columns(
        pl.when(has("sekey") & has("surfaced_timestamp"))
        .then(pl.lit(_TRUST_MONITOR))
        .when(action.str.starts_with("o2fa_"))
        .then(pl.lit(_OFFLINE))
        .when(has("action.name") & has("activity_id", "ts"))
        .then(pl.lit(_ACTIVITY))
        .when(has("telephony_id") | (has("credits") & has("context", "type", "phone")))
        .then(pl.lit(_TELEPHONY))
        .when(has("event_type", "eventtype", "factor", "result") & has("txid", "integration", "user.name"))
        .then(pl.lit(_AUTH))
        .when(action.is_not_null())
        .then(pl.lit(_ADMIN))
        .alias("~kind")
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    kind = pl.col("~kind")
    admin = kind.is_in([_ADMIN, _ACTIVITY])
    auth = kind == _AUTH
    action = pl.coalesce(text(frame, "action", "action.name"), text(frame, "event_type", "eventtype"))
    ruled = pl.when(~action.str.contains("_sync_", literal=True)).then(action)  # a synchronisation is no act
    ip, port = _address(text(frame, *_IP))
    host = only(text(frame, *_HOST), "unknown", "null")
    device_ip, _ = _address(text(frame, "auth_device.ip", "surfaced_auth.auth_device.ip"))
    result = first_rule(text(frame, "result", "outcome.result", "surfaced_auth.result"), _RESULT)
    login: pl.Expr = pl.lit(["authentication"], pl.List(pl.String))
    events = frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        pl.lit("cisco_duo").alias("event.module"),
        pl.concat_str(pl.lit("cisco_duo."), kind).alias("event.dataset"),
        pl.when(kind == _TRUST_MONITOR).then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        pl.when(admin)
        .then(first_rule(ruled, CATEGORY))
        .when(auth | (kind == _TRUST_MONITOR))
        .then(login)
        .when(kind == _OFFLINE)
        .then(pl.lit(["iam"], pl.List(pl.String)))
        .alias("event.category"),
        pl.when(admin).then(_type(action)).when(auth).then(pl.lit(["info"], pl.List(pl.String)))
        .alias("event.type"),
        action.alias("event.action"),
        pl.when(admin).then(pl.coalesce(result, first_rule(action, _FAILED))).otherwise(result)
        .alias("event.outcome"),
        *mapped(frame, FIELDS),
        pl.coalesce(text(frame, *REASON), pl.when(kind == _ADMIN).then(_free(frame))).alias("event.reason"),
        *_names(frame),
        ip.alias("source.ip"),
        port.alias("source.port"),
        pl.coalesce(host, text(frame, *_IP)).alias("source.address"),
        pl.coalesce(host, text(frame, "description.hostname")).alias("~host"),
        device_ip.alias("~device"),
        texts(frame, "explanations").list.join(", ").alias("cisco.duo.explanations"),
        json(frame, "access_device.security_agents").alias("cisco.duo.access_device.security_agents"),
        pl.when(admin).then(text(frame, "description")).alias("message"),
    )  # fmt: skip
    events = ecs.relations(
        events,
        ip=("source.ip", "~device"),
        user=("user.name",),
        hosts=("~host", "source.address"),
    )
    return ecs.only(events, "cisco")


def _type(action: pl.Expr) -> pl.Expr:
    """`event.type` of what administrators and users did."""
    words = pl.concat_str(
        first_rule(action, ABOUT), first_rule(action, DONE), separator=",", ignore_nulls=True
    )
    return pl.when(action.is_not_null()).then(words).str.split(",")


def _free(frame: pl.DataFrame) -> pl.Expr:
    """The description of an act where it is a sentence, not an object."""
    said = text(frame, "description")
    return pl.when(~said.str.contains(r"^\s*[{\[]")).then(said)


def _names(frame: pl.DataFrame) -> list[pl.Expr]:
    """The person under `user` and `source.user`, and whom an administrator acted on."""
    name = text(frame, *_USER)
    own = pl.when(text(frame, "action") == "admin_self_activate").then(text(frame, "description.email"))
    email = pl.coalesce(text(frame, "email", "surfaced_auth.email", "actor.details.email"), own)
    email = pl.coalesce(email, pl.when(name.str.contains(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")).then(name))
    groups = texts(frame, "user.groups").list.join(", ")
    target = pl.when(pl.col("~kind") == _ADMIN).then(text(frame, "object"))
    return [
        *(
            value.alias(f"{root}.{part}")
            for root in ("user", "source.user")
            for part, value in (
                ("name", name),
                ("email", email),
                ("domain", mail_domain(email)),
                ("id", text(frame, *_USER_ID)),
                ("group.name", pl.when(groups != "").then(groups)),
            )
        ),
        pl.coalesce(target, text(frame, "target.name")).alias("user.target.name"),
        text(frame, "target.key").alias("user.target.id"),
    ]


def _address(value: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """An address and a port, which may follow it with a colon or, after IPv6, a full stop."""
    plain = pl.when(ecs.is_ip(value)).then(value)
    before, port = value.str.extract(r"^(.*)[:.]\d{1,5}$", 1), value.str.extract(r"[:.](\d{1,5})$", 1)
    cut = pl.when(plain.is_null() & ecs.is_ip(before))
    return pl.coalesce(plain, cut.then(before), address(value)), cut.then(port.cast(pl.Int64, strict=False))
