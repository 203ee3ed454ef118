"""Teleport audit log: SSH, Kubernetes, database, application and desktop sessions, and who may what.

Source of the fields: https://goteleport.com/docs/reference/audit-events/ and lib/events/api.go of Teleport. A
session's person comes from `addr.remote`; `server.*` is the node they work on. What the names mean is in
`teleport_rules.toml`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import integer, mapped, text, texts, time
from sensors.shapes.audit_records import AuditRecords, original, told_by
from sensors.values.ecs import address, is_ip, related
from sensors.values.listed import SEVERAL
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = {
    "event.action": "event",
    "event.code": "code",
    "event.id": "uid",
    "event.reason": ("error", "reason", "message"),
    "error.message": "error",
    "user.name": ("user", "updated_by", "identity.user"),
    "source.user.name": ("user", "updated_by", "identity.user"),
    "user_agent.original": "user_agent",
    "session.id": "sid",
    "group.name": "namespace",
    "host.id": ("server_id", "host_id"),
    "host.hostname": "server_hostname",
    "process.user.name": "login",
    "process.name": "program",
    "process.working_directory": "working_directory",
    "http.request.method": ("verb", "method"),
    "orchestrator.resource.name": ("resource_name", "kubernetes_pod_name"),
    "orchestrator.namespace": ("resource_namespace", "kubernetes_pod_namespace"),
    "orchestrator.resource.type": "resource_kind",
    "service.name": ("db_service", "app_name"),
    "network.protocol": "proto",
    "orchestrator.cluster.name": "kubernetes_cluster",
    "teleport.audit.cluster_name": "cluster_name",
    "teleport.audit.method": "method",
    "teleport.audit.name": "name",
    "teleport.audit.login": "login",
    "teleport.audit.exit_code": "exitCode",
    "teleport.audit.action": "action",
    "teleport.audit.interactive": "interactive",
    "teleport.audit.session_recording": "session_recording",
    "teleport.audit.participants": "participants",
    "teleport.audit.enhanced_recording": "enhanced_recording",
    "teleport.audit.server_labels": "server_labels",
    "teleport.audit.connector": "connector",
    "teleport.audit.access_request.state": "state",
    "teleport.audit.access_request.roles": "roles",
    "teleport.audit.access_request.reason": "reason",
    "teleport.audit.mfa_device.name": "mfa_device_name",
    "teleport.audit.mfa_device.type": "mfa_device_type",
    "teleport.audit.database.name": "db_name",
    "teleport.audit.database.user": "db_user",
    "teleport.audit.database.protocol": "db_protocol",
    "teleport.audit.database.query": ("db_query", "query"),
    "teleport.audit.app.name": "app_name",
    "teleport.audit.app.public_addr": "app_public_addr",
    "teleport.audit.desktop.address": "desktop_addr",
    "teleport.audit.desktop.name": "desktop_name",
    "teleport.audit.desktop.length": "length",
    "teleport.audit.desktop.directory_name": "directory_name",
    "teleport.audit.windows_user": "windows_user",
    "teleport.audit.windows_domain": "windows_domain",
    "teleport.audit.device.id": "device.device_id",
    "teleport.audit.device.asset_tag": "device.asset_tag",
    "server.user.name": "windows_user",
    "server.user.domain": "windows_domain",
    "cloud.account.id": "account_id",
    "cloud.region": ("aws_region", "region"),
    "cloud.instance.id": ("aws_host", "instance_id"),
    "host.name": "node_name",
    "file.directory": "directory_name",
    "device.id": "device.device_id",
    "device.serial_number": "device.asset_tag",
}
# Other people of an event: who changed it, a database's user, those of a certificate.
_OTHERS: Final = ("updated_by", "username", "identity.user", "identity.impersonator")
_MANY: Final = ("identity.logins", "identity.database_users")
_HOST_PORT: Final = r"^(.+):(\d{1,5})$"
SIDES: Final = {
    "client": ("addr.remote", "identity.client_ip"),
    "server": ("server_addr", "addr.local", "desktop_addr"),
    "source": ("src_addr",),
    "destination": ("dst_addr",),
}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record is an event of the audit log: its name, its code, its time."""
    code = record.get("code")
    return (
        isinstance(record.get("event"), str)
        and isinstance(code, str)
        and code[-1:] in {"I", "W", "E"}
        and code[:1] in {"T", "S"}
        and "time" in record
    )


@cache
def _rules() -> dict[str, Any]:
    """The table of names."""
    return tomllib.loads((files("sensors") / "teleport_rules.toml").read_text("utf-8"))


def _category(event: pl.Expr) -> pl.Expr:
    """The categories of the longest beginning that fits."""
    ordered = sorted(_rules()["category"].items(), key=lambda item: -len(item[0]))
    return told_by(event, {"^" + name.replace(".", r"\."): words for name, words in ordered})


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Audit events, shredded, as ECS."""
    event = text(frame, "event")
    category = _category(event)
    types = told_by(event, {row["name"]: row["is"] for row in _rules()["type"]})
    transfer = event.str.contains(r"^(scp|sftp|desktop\.directory|file_transfer)")
    path = text(frame, "path", "file_path", "location")
    length = integer(frame, "length")
    sent = event == "desktop.clipboard.send"
    first = texts(frame, "initial_command").list.join(" ")
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "time").alias("@timestamp"),
        time(frame, "session_start").alias("event.start"),
        time(frame, "session_stop").alias("event.end"),
        pl.lit("teleport.audit").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        category.alias("event.category"),
        types.alias("event.type"),
        _outcome(frame).alias("event.outcome"),
        *mapped(frame, FIELDS),
        *_sides(frame),
        pl.when(transfer).then(path).alias("file.path"),
        pl.when(transfer)
        .then(pl.coalesce(text(frame, "filename"), path.str.extract(r"([^/]+)$", 1)))
        .alias("file.name"),
        pl.when(event.str.starts_with("session.")).then(path).alias("process.executable"),
        pl.coalesce(text(frame, "command"), pl.when(first != "").then(first)).alias("process.command_line"),
        texts(frame, "argv").alias("process.args"),
        integer(frame, "pid").alias("process.pid"),
        integer(frame, "ppid").alias("process.parent.pid"),
        text(frame, "version")
        .replace_strict({"4": "ipv4", "6": "ipv6"}, default=None, return_dtype=pl.String)
        .alias("network.type"),
        integer(frame, "tx").alias("source.bytes"),
        integer(frame, "rx").alias("destination.bytes"),
        integer(frame, "status_code", "response_code").alias("http.response.status_code"),
        text(frame, "url", "db_uri", "app_uri", "uri").alias("url.original"),
        pl.when(event.str.starts_with("desktop.") & ~sent).then(length).alias("server.bytes"),
        pl.when(sent).then(length).alias("client.bytes"),
        texts(frame, "identity.roles").alias("user.roles"),
        pl.when(event.str.contains(r"^user\.(create|update|delete)"))
        .then(text(frame, "name"))
        .alias("user.target.name"),
        original(category.is_null()),
        text(frame, "app_public_addr", "public_addr").alias("~app"),
        text(frame, "db_user").alias("~db_user"),
        *(text(frame, path).alias(f"~{path}") for path in _OTHERS),
        *(texts(frame, path).list.join(SEVERAL).alias(f"~{path}") for path in _MANY),
    )
    events = url_columns(events)
    # The path of a request is its own, where one is told; elsewhere `path` is of a file or a program.
    requested = event.str.contains(r"request$")
    asked = frame.select(
        pl.when(requested).then(text(frame, "request_path", "path")).alias("url.path"),
        pl.when(requested).then(text(frame, "raw_query")).alias("url.query"),
    )
    return _related(events.with_columns(asked[name].fill_null(events[name]) for name in asked.columns))


def _outcome(frame: pl.DataFrame) -> pl.Expr:
    """What the event says of itself; codes that end in E or W are failures."""
    said = (
        text(frame, "success", "status")
        .str.to_lowercase()
        .replace_strict(
            {"true": "success", "success": "success", "false": "failure", "failed": "failure"},
            default=None,
            return_dtype=pl.String,
        )
    )
    failed = text(frame, "code").str.contains(r"[EW]$")
    return pl.coalesce(said, pl.when(failed).then(pl.lit("failure")))


def _sides(frame: pl.DataFrame) -> list[pl.Expr]:
    """Addresses and ports of the four sides: `host:port`, `[v6]:port`, or `v6:port`."""
    found = []
    for side, paths in SIDES.items():
        whole = text(frame, *paths)
        if side == "destination":  # where the server has an address of its own, what was connected to
            listened = pl.when(text(frame, "server_addr").is_not_null()).then(text(frame, "addr.local"))
            whole = pl.coalesce(whole, listened)
        bare = pl.when(~is_ip(whole)).then(whole.str.extract(_HOST_PORT, 1).str.strip_chars("[]"))
        port: pl.Expr = pl.when(~is_ip(whole)).then(whole.str.extract(_HOST_PORT, 2))
        if side == "destination":
            port = pl.coalesce(port, text(frame, "dst_port"))
        found += [
            *address(side, pl.coalesce(bare, whole)),
            port.cast(pl.Int64, strict=False).alias(f"{side}.port"),
        ]
    return found


def _related(events: pl.DataFrame) -> pl.DataFrame:
    """`related.*`, and the source that a session has when it is not told apart from the client."""
    source = [
        pl.coalesce(pl.col(f"source.{part}"), pl.col(f"client.{part}")).alias(f"source.{part}")
        for part in ("address", "ip", "port")
    ]
    events = events.with_columns(
        pl.when(pl.col("teleport.audit.database.protocol").is_not_null())
        .then("url.domain")
        .alias("~database")
    )
    return (
        events.with_columns(source)
        .with_columns(
            related(["client.ip", "server.ip", "source.ip", "destination.ip"]).alias("related.ip"),
            related(
                [
                    "user.name",
                    "user.target.name",
                    "process.user.name",
                    "~db_user",
                    "server.user.name",
                    *(f"~{path}" for path in (*_OTHERS, *_MANY)),
                ]
            ).alias("related.user"),
            related(
                [
                    "host.hostname",
                    "~app",
                    "~database",
                    *(f"{side}.domain" for side in SIDES),
                ]
            ).alias("related.hosts"),
        )
        .drop("~app", "~db_user", "~database", *(f"~{path}" for path in (*_OTHERS, *_MANY)))
    )


SENSOR: Final = AuditRecords("teleport", _fits, ("event",), _events)
