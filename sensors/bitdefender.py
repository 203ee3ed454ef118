"""Bitdefender GravityZone: events of its push service.

Fields after https://www.bitdefender.com/business/support/en/77209-135318-event-types.html, mapping after
Elastic's integration `bitdefender`. Several kinds of events say no time; theirs is that
of their message's number, which counts milliseconds, or else that of the event before.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import text, time
from sensors.shapes.endpoint_records import EndpointRecords
from sensors.values.ecs import is_ip
from sensors.values.url import url_columns

_TIMES: Final = (
    "created", "detectionTime", "detection_time", "timestamp", "detected_on", "date", "last_blocked",
    "lastAdReportDate", "startDate", "signature_update", "lastupdate",
)  # fmt: skip
_PERSON: Final = r"^(?:(?P<lead>[^\\]+)\\)?(?P<name>[^\\@]+)(?:@(?P<realm>.+))?$"


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - there is one kind
    def at(*names: str) -> pl.Expr:
        return text(frame, *(f"{root}{name}" for name in names for root in ("event.", "")))

    clock = frame.select(
        *(at(name).str.replace_all(" ", "").alias(name) for name in _TIMES),
        # Of thirteen digits: milliseconds since 1970.
        pl.coalesce(pl.when(text(frame, "id").str.contains(r"^1\d{12}$")).then(text(frame, "id"))).alias(
            "id"
        ),
    )
    moment = clock.select(pl.coalesce(time(clock, name) for name in (*_TIMES, "id"))).to_series()
    whole = at("user.userName", "user.name", "username", "detection_username")
    person = whole.str.extract_groups(_PERSON)
    ips = pl.coalesce(at("computer_ip"), at("computerIp"))
    listed = ips.str.strip_chars("[] ").str.split(",").list.eval(pl.element().str.strip_chars(' "'))
    listed = listed.list.eval(pl.element().filter(is_ip(pl.element())))
    link = at("url")
    named = at("computer_name", "computerName", "serverName")
    number = at("severity_score", "severityScore").cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    said = at("severity").str.to_lowercase()
    level = said.replace_strict(
        {"low": 21, "medium": 47, "high": 73, "critical": 99}, default=None, return_dtype=pl.Int64
    )
    return [
        pl.lit(moment).alias("@timestamp"),
        text(frame, "id", "event.id").alias("event.id"),
        pl.coalesce(level, number, pl.lit(0, pl.Int64)).alias("event.severity"),
        person.struct.field("name").alias("user.name"),
        pl.coalesce(person.struct.field("realm"), person.struct.field("lead")).alias("user.domain"),
        pl.when(whole.str.contains(r"^[^\\@]+@[^@]+$")).then(whole).alias("user.email"),
        whole.alias("~user"),
        pl.when(named.is_not_null()).then(at("host_name")).alias("~host"),
        pl.when(listed.list.len() > 0).then(listed).alias("host.ip"),
        pl.when(is_ip(at("computer_ip"))).then(at("computer_ip")).alias("destination.ip"),
        pl.when(link.str.contains(r"^[A-Za-z0-9]+://"))
        .then(link)
        .otherwise(pl.lit("https://") + link)
        .alias("url.original"),
        pl.when(at("computer_fqdn") != "undefined").then(at("computer_fqdn")).alias("host.hostname"),
        pl.when(at("detection_cve") != "cve string").then(at("detection_cve")).alias("vulnerability.id"),
    ]


def _after(made: pl.DataFrame, kind: str) -> pl.DataFrame:  # noqa: ARG001 - there is one kind
    return url_columns(made)


SENSOR: Final = EndpointRecords(
    "bitdefender", "bitdefender.toml", "bitdefender", _more, _after, timeless=True, pages="params.events"
)
