"""Vectra Detect: detections, scores of hosts and accounts, lockdowns, audit, Match alerts.

Format after "Vectra Syslog Guide", JSON templates: `vectra_json_<kind> -: {…}`, in syslog or alone;
mapping after Elastic's integration `vectra_detect`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, json_table, syslog
from sensors.reading.json_table import text
from sensors.reading.losses import name_lost
from sensors.shapes.mapping import first_rule, flags, mail_domain, mailbox
from sensors.values import connection, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_LINE: Final = re.compile(r"(?:^|[\s>])vectra_json(?:_\w+)? -: ?\{")
_PARTS: Final = r"(?s)(?:^|\s)vectra_json_?(?P<kind>\w*) -: ?(?P<json>\{.*)$"
_TEXT: Final[dict[str, str | tuple[str, ...]]] = {
    "destination.domain": ("dd_dst_dns", "dest_name"),
    "event.action": "action",
    "event.id": ("detection_id", "campaign_id"),
    "event.reason": "reason",
    "event.reference": ("href", "campaign_link"),
    "host.id": ("host_id", "src_hid"),
    "host.name": "host_name",
    "http.request.method": "http_method",
    "network.protocol": "protocol",
    "observer.hostname": "dvchost",
    "observer.ip": "headend_addr",
    "observer.version": "version",
    "rule.name": ("d_type_vname", "alert_signature"),
    "rule.id": "alert_signature_id",
    "rule.category": "alert_category",
    "service.name": "service_name",
    "source.address": "src_name",
    "url.original": ("href", "campaign_link"),
    "user_agent.original": "user_agent",
}
_LONG: Final[dict[str, str | tuple[str, ...]]] = {
    "destination.bytes": "dd_bytes_rcvd",
    "destination.port": ("dd_dst_port", "dest_port"),
    "event.severity": ("alert_severity",),
    "source.bytes": "dd_bytes_sent",
    "source.port": "src_port",
}
_OWN: Final = (
    "category", "severity", "threat", "certainty", "d_type", "triaged", "quadrant", "privilege", "role",
    "sensor", "last_detection_type", "score_decreases", "will_retry", "campaign_name", "reason", "result",
)  # fmt: skip
# By the kind of record: event.category, event.type.
_KINDS: Final = {
    r"^account_detection": (["threat"], ["indicator"]),
    r"match": (["intrusion_detection"], ["info"]),
    r"^(?:v2|host)": (["host"], ["info"]),
    r"^(?:account|lockdown)": (["iam"], ["info"]),
    r"^(?:health|campaign)": (["host"], ["info"]),
}
_OUTCOME: Final = {
    r"(?i)^(?:success|true|ok)$": "success",
    r"(?i)^(?:fail|false)": "failure",
    r"(?i)^pending$": "unknown",
}
# What the audit log speaks of: event.category.
_AUDITED: Final = {
    "session": "session",
    r"authentication|\blog(?:ged)? ?-?(?:in|out)\b": "authentication",
    "configuration": "configuration",
}
_UID: Final = r'"(?:account_)?uid": ?"([^"]+)"'
_COUNTED: Final = ("account_info", "service_info", "account_access_history", "service_access_history")


class Vectra:
    """The sensor."""

    name = "vectra"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether at least half of the lines are of Vectra's templates."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_LINE.search(line)) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record; a line of another form is named as unread."""
        clock = syslog.Clock(source)
        for lines in syslog.records(source):
            parts = lines["rest"].str.extract_groups(_PARTS).struct.unnest()
            whole = lines.rename({"text": "line"}).hstack(parts).rename({"json": "text"})
            strange = whole["text"].is_null()
            if strange.any():
                name_lost(lines.filter(strange), "not a record of Vectra's JSON templates", source)
            table = json_table.table(whole.filter(~strange).select(json_table.FRAME), source)
            if table.height:
                head = whole.select("log.offset", "kind", "priority", "@timestamp", "molehunt.guess")
                frame = table.rename(lambda name: name if name in json_table.FRAME else f"v.{name}")
                joined = frame.join(head, on="log.offset", how="left", maintain_order="left")
                yield ecs.only(clock.fill(_events(joined)), "vectra_detect")


SENSOR: Final = Vectra()


def _key(frame: pl.DataFrame, *names: str) -> pl.Expr:
    found = text(frame, *(f"v.{name}" for name in names))
    return pl.coalesce(found, pl.repeat(None, pl.len(), dtype=pl.String))


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    def keys(names: str | tuple[str, ...]) -> pl.Expr:
        return _key(frame, *((names,) if isinstance(names, str) else names))

    time = json_table.time(frame, "v.vectra_timestamp", "v.timestamp")
    frame = frame.with_columns(
        pl.coalesce(time, "@timestamp").alias("@timestamp"),
        pl.when(time.is_null()).then("molehunt.guess").alias("molehunt.guess"),
        *(keys(names).alias(name) for name, names in _TEXT.items()),
        *(keys(names).cast(pl.Int64, strict=False).alias(name) for name, names in _LONG.items()),
        *(_key(frame, name).alias(f"vectra_detect.log.{name}") for name in _OWN),
        keys(("dd_proto", "proto")).str.to_lowercase().alias("network.transport"),
        _ip(keys(("host_ip", "source_ip", "src_ip"))).alias("source.ip"),
        _ip(keys(("dd_dst_ip", "dest_ip"))).alias("destination.ip"),
        keys("mac_address").str.to_uppercase().str.replace_all(":", "-", literal=True).alias("host.mac"),
        keys("host_ip").alias("host.ip"),
        _sum(keys("bytes_sent"), keys("bytes_received")).alias("network.bytes"),
        pl.when(pl.col("kind").str.contains("host_lockdown")).then(keys("host_name")).alias("host.hostname"),
        *_kind(frame),
        *_people(frame),
        *syslog.common(frame),
    )
    frame = connection.described(url_columns(frame))
    related = ecs.relations(
        frame,
        ip=("~observer", "source.ip", "destination.ip"),
        user=("user.name", "user.email", "user.target.name"),
        hosts=("observer.hostname", "host.name"),
    )
    return _with_counted(related)


def _with_counted(frame: pl.DataFrame) -> pl.DataFrame:
    """The accounts that a record counts, in lists that it holds as text, are related too."""
    present = [f"v.{name}" for name in _COUNTED if f"v.{name}" in frame.columns]
    if not present:
        return frame
    if "related.user" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.List(pl.String)).alias("related.user"))
    written = pl.concat_str((text(frame, name) for name in present), ignore_nulls=True)
    counted = written.str.extract_all(_UID).list.eval(pl.element().str.extract(_UID, 1))
    empty = pl.lit([], pl.List(pl.String))
    both = pl.concat_list(pl.col("related.user").fill_null(empty), counted.fill_null(empty))
    merged = both.list.unique(maintain_order=True)
    return frame.with_columns(pl.when(merged.list.len() > 0).then(merged).alias("related.user"))


def _sum(*parts: pl.Expr) -> pl.Expr:
    """Null where one is missing."""
    total = pl.lit(0, pl.Int64)
    for part in parts:
        total = total + part.cast(pl.Int64, strict=False)
    return total


def _ip(value: pl.Expr) -> pl.Expr:
    return pl.when(ecs.is_ip(value) & ~value.is_in(ecs.NOWHERE)).then(value)


def _kind(frame: pl.DataFrame) -> list[pl.Expr]:
    """What the record is, by its template, and by whether it tells of a detection."""
    kind, found = pl.col("kind"), _key(frame, "detection_id").is_not_null()
    audit = kind.str.starts_with("audit")
    said = _key(frame, "message").str.to_lowercase()
    about = flags({word: said.str.contains(form) for form, word in _AUDITED.items()})
    login, logout = said.str.contains(r"\blog(?:ged)? ?-?in\b"), said.str.contains(r"\blog(?:ged)? ?-?out\b")
    host = found & ~kind.str.starts_with("account")
    empty = pl.lit(None, pl.List(pl.String))
    return [
        pl.lit("vectra_detect.log").alias("event.dataset"),
        pl.lit("Vectra").alias("observer.vendor"),
        pl.lit("Detect").alias("observer.product"),
        pl.lit("sensor").alias("observer.type"),
        _key(frame, "headend_addr").alias("~observer"),
        _key(frame, "message").alias("message"),
        pl.when(found | kind.str.contains("match"))
        .then(pl.lit("alert"))
        .otherwise(pl.lit("event"))
        .alias("event.kind"),
        pl.when(audit)
        .then(pl.when(about.list.len() > 0).then(about))
        .when(host)
        .then(pl.lit(["host", "threat"], pl.List(pl.String)))
        .otherwise(first_rule(kind, {rule: kinds[0] for rule, kinds in _KINDS.items()}))
        .alias("event.category"),
        pl.when(audit & login)
        .then(pl.lit(["start"], pl.List(pl.String)))
        .when(audit & (logout | said.str.contains("timeout")))
        .then(pl.lit(["end"], pl.List(pl.String)))
        .when(audit)
        .then(empty)
        .when(host)
        .then(pl.lit(["info"], pl.List(pl.String)))
        .otherwise(first_rule(kind, {rule: kinds[1] for rule, kinds in _KINDS.items()}))
        .alias("event.type"),
        first_rule(_key(frame, "result", "success"), _OUTCOME).alias("event.outcome"),
    ]


def _people(frame: pl.DataFrame) -> list[pl.Expr]:
    """The account that a detection or score is of, and the person at Vectra's console."""
    account = _key(frame, "account_uid", "account_name")
    found = _key(frame, "detection_id").is_not_null()
    person = _key(frame, "user")
    return [
        pl.coalesce(person, mailbox(account)).alias("user.name"),
        pl.when(account.str.contains("@")).then(account).alias("user.email"),
        mail_domain(account).alias("user.domain"),
        pl.when(found).then(account).otherwise(mailbox(account)).alias("user.id"),
        pl.coalesce(_key(frame, "account_name"), pl.when(person.is_null()).then(account)).alias(
            "user.target.name"
        ),
        pl.when(~found).then(_key(frame, "account_id")).alias("user.target.id"),
        pl.when(_key(frame, "role") != "").then(pl.concat_list(_key(frame, "role"))).alias("user.roles"),
    ]
