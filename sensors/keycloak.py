"""Keycloak: its server log as text (WildFly, Quarkus) and JSON, with the events of users and administrators.

https://www.keycloak.org/server/logging and https://www.keycloak.org/docs/latest/server_admin/#auditing-and-events:
`org.keycloak.events` writes each event as `type=LOGIN_ERROR, realmId=…`, quoted since version 22. Mapping
after Elastic's integration `keycloak`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.application_logins import reading
from sensors.application_logins.products import Product
from sensors.reading import framing, json_table, syslog
from sensors.reading.losses import name_lost
from sensors.shapes.mapping import address
from sensors.values import ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_HEAD: Final = (
    r"^(?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8},[0-9]{3}) (?P<log.level>[A-Z]+) +"
    r"\[(?P<log.logger>[^\]\s]+)\] \((?P<process.thread.name>.*?)\) (?P<body>.*)"
)
_LOG: Final = Product(
    "keycloak",
    "Keycloak",
    "Keycloak",
    "keycloak.log",
    heads=(_HEAD,),
    needs=(
        ("timestamp", "loggerName", "level", "message"),
        ("@timestamp", "log.logger", "log.level", "message"),
    ),
    says=r"(?i)keycloak|\[org\.key\.events\]",
    body=("message",),
    time=("timestamp", "@timestamp"),
    fields={
        "log.level": ("level", "log.level"),
        "log.logger": ("loggerName", "log.logger"),
        "process.thread.name": ("threadName", "process.thread.name"),
        "process.pid": ("processId", "process.pid"),
        "service.name": ("service.name",),
        "host.name": ("hostName", "host.hostname", "host.name"),
        "process.name": ("processName", "process.name"),
    },
)
_EVENT: Final = r"^(?:type|operationType)=\"?[A-Z_]+\"?, "
_KEYS: Final = {
    "type": "keycloak.login.type",
    "operationType": "keycloak.admin.operation",
    "resourceType": "keycloak.admin.resource.type",
    "resourcePath": "keycloak.admin.resource.path",
    "realmId": "keycloak.realm.id",
    "realmName": "keycloak.realm.name",
    "clientId": "keycloak.client.id",
    "userId": "user.id",
    "username": "user.name",
    "ipAddress": "source.address",
    "error": "~error",
    "reason": "event.reason",
    "redirect_uri": "url.original",
    "auth_method": "keycloak.login.auth_method",
    "auth_type": "keycloak.login.auth_type",
    "grant_type": "keycloak.login.grant_type",
    "identity_provider": "keycloak.login.identity_provider",
    "code_id": "keycloak.login.code_id",
    "sessionId": "session.id",
    "email": "user.email",
    "updated_email": "user.changes.email",
    "impersonator": "keycloak.login.impersonator",
    "authSessionParentId": "keycloak.login.auth_session_parent_id",
    "authSessionTabId": "keycloak.login.auth_session_tab_id",
}
_UUID: Final = "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_CHANGES: Final = {"CREATE": "creation", "UPDATE": "change", "DELETE": "deletion"}


class Keycloak:
    """The sensor."""

    name = "keycloak"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the lines or records are of Quarkus' or WildFly's form, and speak of Keycloak."""
        if head.lstrip()[:1] == b"{":
            return _LOG.fits_json([_flat(record) for record in json_table.peek(head)])
        return _LOG.fits_lines([line for line in framing.text_head(head).splitlines()[:400] if line.strip()])

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record; a stack trace belongs to the record before it."""
        clock = syslog.Clock(source)
        of_json = source.head.lstrip()[:1] == b"{"
        for frame in reading.of_json(source, _LOG) if of_json else reading.of_lines(source, _LOG):
            strange = frame["body"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "no record of Keycloak's log", source)
                frame = frame.filter(~strange)  # noqa: PLW2901 - what is left of the batch
            if frame.height:
                yield _events(clock.fill(frame))


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """The record with the keys of its objects as paths too."""
    inner = {
        f"{key}.{name}": value
        for key, of_key in record.items()
        if isinstance(of_key, dict)
        for name, value in of_key.items()
    }
    return record | inner


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    beside = {name: name[1:] for name in frame.columns if name.startswith("~")}
    frame = frame.rename(beside).with_columns(
        pl.lit("keycloak.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.col("body").alias("message"),
        pl.lit("Keycloak").alias("observer.vendor"),
        pl.lit("Keycloak").alias("observer.product"),
    )
    if "process.pid" in frame.columns:
        frame = frame.with_columns(pl.col("process.pid").cast(pl.Int64, strict=False))
    told = frame["body"].str.contains(_EVENT)
    parts = [_told(frame.filter(told)), frame.filter(~told)]
    whole = pl.concat(parts, how="diagonal").sort("log.offset")
    return ecs.only(whole, "keycloak")


def _told(frame: pl.DataFrame) -> pl.DataFrame:
    """Events of users and administrators."""
    frame = frame.with_columns(_value(key).alias(name) for key, name in _KEYS.items())
    action = pl.col("keycloak.login.type")
    done, about = pl.col("keycloak.admin.operation"), pl.col("keycloak.admin.resource.type")
    by_admin = done.is_not_null()
    error = pl.coalesce("~error", pl.when(by_admin).then(pl.lit(None, pl.String)))
    both = pl.concat_str(done, pl.lit("-"), about)
    kind = (
        pl.when(by_admin)
        .then(pl.concat_str(pl.lit("info,admin"), done.replace_strict(_CHANGES, default=None), separator=",",
                            ignore_nulls=True))
        .when(action == "LOGIN")
        .then(pl.lit("info,start"))
        .when(action == "LOGOUT")
        .then(pl.lit("info,end"))
        .otherwise(pl.lit("info"))
    )  # fmt: skip
    path = pl.col("keycloak.admin.resource.path")
    origin = address(pl.col("source.address"))
    failed = error.is_not_null() | action.str.ends_with("_ERROR")
    frame = url_columns(frame)
    return frame.with_columns(
        pl.coalesce(both, action).alias("event.action"),
        pl.coalesce(both, error).alias("event.code"),
        pl.when(by_admin)
        .then(pl.lit("iam"))
        .otherwise(pl.lit("authentication"))
        .str.split(",")
        .alias("event.category"),
        kind.str.split(",").alias("event.type"),
        pl.when(failed).then(pl.lit("failure")).otherwise(pl.lit("success")).alias("event.outcome"),
        pl.coalesce("event.reason", error).alias("event.reason"),
        path.str.extract(f"users/({_UUID})", 1).alias("user.target.id"),
        path.str.extract(f"groups/({_UUID})", 1).alias("group.id"),
        origin.alias("source.ip"),
        pl.col("user.id").alias("source.user.id"),
        pl.col("user.name").alias("source.user.name"),
        _mail().alias("user.email"),
        pl.when(by_admin).then(pl.lit("admin")).otherwise(pl.lit("login")).alias("keycloak.event_type"),
    ).with_columns(
        ecs.related(["source.ip"]).alias("related.ip"),
        ecs.related(["user.id", "user.target.id"]).alias("related.user"),
        ecs.related(["url.domain"]).alias("related.hosts"),
    )


def _mail() -> pl.Expr:
    """The address of e-mail that the event names, or that the name is."""
    name = pl.col("user.name")
    return pl.coalesce("user.email", pl.when(name.str.contains(r"^[^@\s]+@[^@\s]+\.[^@\s.]+$")).then(name))


def _value(key: str) -> pl.Expr:
    """The value of a key; in quotes, or as far as another key or the end."""
    body = pl.col("body")
    quoted = body.str.extract(rf'(?:^|, ){key}="((?:[^"\\]|\\.)*)"', 1)
    bare = body.str.extract(rf'(?:^|, ){key}=([^"].*?)(?:, [A-Za-z_][A-Za-z_0-9]*=|\s*$)', 1)
    value = pl.coalesce(quoted, bare)
    return pl.when(~value.is_in(["null", ""])).then(value)


SENSOR: Final = Keycloak()
