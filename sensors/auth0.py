"""Auth0 tenant logs: log streams (`{"log_id": …, "data": {…}}`) and the Management API's flat records.

Source of the fields: https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes and
https://github.com/auth0/auth0-log-schemas. What the codes mean is in `auth0_codes.toml`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import mapped, text, time
from sensors.shapes.audit_records import AuditRecords, original, words
from sensors.shapes.mapping import address
from sensors.values.ecs import related

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = {
    "event.id": "log_id",
    "event.code": "type",
    "event.reason": ("description", "details.error.message", "details.error"),
    "user_agent.original": "user_agent",
    "session.id": ("session_id", "details.session_id"),
    "source.geo.country_iso_code": "location_info.country_code",
    "source.geo.country_name": "location_info.country_name",
    "source.geo.city_name": "location_info.city_name",
    "source.geo.timezone": "location_info.time_zone",
    "source.geo.continent_code": "location_info.continent_code",
    "source.geo.location.lat": "location_info.latitude",
    "source.geo.location.lon": "location_info.longitude",
    "organization.id": "organization_id",
    "organization.name": "organization_name",
    "http.request.method": "details.request.method",
    "url.path": "details.request.path",
    "http.response.status_code": "details.response.statusCode",
    "auth0.logs.data.type": "type",
    "auth0.logs.data.description": "description",
    "auth0.logs.data.connection": "connection",
    "auth0.logs.data.connection_id": "connection_id",
    "auth0.logs.data.client_id": "client_id",
    "auth0.logs.data.client_name": "client_name",
    "auth0.logs.data.hostname": "hostname",
    "auth0.logs.data.audience": "audience",
    "auth0.logs.data.scope": "scope",
    "auth0.logs.data.strategy": "strategy",
    "auth0.logs.data.strategy_type": "strategy_type",
    "auth0.logs.data.is_mobile": ("isMobile", "is_mobile"),
    "auth0.logs.data.details.risk_assessment.confidence": "details.riskAssessment.confidence",
    "auth0.logs.data.login.stats.logins_count": "details.stats.loginsCount",
}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record is a tenant log's, in a stream's envelope or without it."""
    data = record.get("data", record)
    if not isinstance(data, dict) or not isinstance(data.get("type"), str) or "date" not in data:
        return False
    named = isinstance(data.get("log_id", record.get("log_id")), str)
    return named and bool({"client_id", "ip", "tenant_name", "description", "connection"} & data.keys())


@cache
def _codes() -> dict[str, dict[str, Any]]:
    """For each code the words of its group and its own action."""
    raw = tomllib.loads((files("sensors") / "auth0_codes.toml").read_text("utf-8"))
    return {
        code: {**group, "action": action} for group in raw["group"] for code, action in group["codes"].items()
    }


def _words(code: pl.Expr, field: str) -> pl.Expr:
    """The words that the table has for each code, as one text with commas; null for unknown codes."""
    told = {code_: ",".join(group[field]) for code_, group in _codes().items()}
    return code.replace_strict(told, default=None, return_dtype=pl.String)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Tenant logs, shredded, as ECS."""
    frame = _flat(frame)
    code = text(frame, "type")
    known = {name: row["action"] for name, row in _codes().items()}
    action = code.replace_strict(known, default=None, return_dtype=pl.String)
    outcomes = {name: row["outcome"] for name, row in _codes().items()}
    categories = _words(code, "category")
    failed = any(name.startswith("details.error") for name in frame.columns)
    error = pl.any_horizontal(
        [pl.col(name).is_not_null() for name in frame.columns if name.startswith("details.error")]
        if failed
        else [pl.lit(value=False)]
    )
    name = text(frame, "user_name", "details.request.auth.user.name", "details.request.auth.user.email")
    mail = pl.when(name.str.contains("@")).then(name)
    user_id = text(frame, "user_id")
    ip = address(text(frame, "ip"))
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "date").alias("@timestamp"),
        pl.lit("auth0.logs").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.coalesce(action, pl.lit("unknown-") + code).alias("event.action"),
        pl.when(categories.fill_null("") == "")
        .then(words("authentication"))
        .otherwise((pl.lit("authentication,") + categories).str.split(","))
        .alias("event.category"),
        _words(code, "type").fill_null("info").str.split(",").alias("event.type"),
        code.replace_strict(outcomes, default="unknown", return_dtype=pl.String).alias("event.outcome"),
        pl.when(error).then(pl.lit("error")).otherwise(pl.lit("info")).alias("log.level"),
        *mapped(frame, FIELDS),
        *(
            value.alias(f"{root}.{part}")
            for root in ("user", "source.user")
            for part, value in (("name", name), ("email", mail), ("id", user_id))
        ),
        ip.alias("source.ip"),
        pl.when(ip.str.contains(":", literal=True))
        .then(pl.lit("ipv6"))
        .when(ip.is_not_null())
        .then(pl.lit("ipv4"))
        .alias("network.type"),
        original(action.is_null()),
    )
    return events.with_columns(
        pl.col("source.ip").alias("client.ip"),
        related(["source.ip"]).alias("related.ip"),
        related(["user.name", "user.id"]).alias("related.user"),
    )


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The fields of `data` without that prefix."""
    inside = {name: name.removeprefix("data.") for name in frame.columns if name.startswith("data.")}
    taken = [
        pl.coalesce(old, new).alias(new) if new in frame.columns else pl.col(old).alias(new)
        for old, new in inside.items()
    ]
    return frame.with_columns(taken).drop(*inside)


SENSOR: Final = AuditRecords("auth0", _fits, ("data.type", "type"), _events)
