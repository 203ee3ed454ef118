"""Cloud Funnel: what agents saw of processes, files, names, connections, logins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from sensors.reading.json_table import integer, mapped, text, time
from sensors.shapes.mapping import address, first_rule
from sensors.values import command_line, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Mapping


def events(frame: pl.DataFrame, fields: Mapping[str, Any]) -> pl.DataFrame:
    """The events as ECS."""
    kind = text(frame, "event.type").fill_null("")
    status = text(frame, "event.network.connectionStatus", "event.login.loginIsSuccessful").str.to_lowercase()
    toward = text(frame, "event.network.direction").str.to_uppercase()
    way = (
        pl.when(toward == "OUTGOING")
        .then(pl.lit("egress"))
        .when(toward == "INCOMING")
        .then(pl.lit("ingress"))
    )
    answer = text(frame, "event.dns.response")
    plain = [
        expr
        for expr in mapped(frame, fields["funnel"])
        if not expr.meta.output_name().endswith((".port", ".ip", ".size", "destination.address"))
    ]
    login = text(frame, "event.category").str.starts_with("login")
    out = frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        pl.col("text").alias("event.original"),
        pl.lit("sentinel_one_cloud_funnel.event").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit("SentinelOne").alias("observer.vendor"),
        first_rule(text(frame, "event.category").str.to_lowercase(), fields["category"]).alias(
            "event.category"
        ),
        first_rule(kind, fields["type"]).alias("event.type"),
        pl.coalesce(
            first_rule(kind, fields["action"]), pl.when(kind != "").then(kind.str.to_lowercase())
        ).alias("event.action"),
        first_rule(status, {"^(success|true)$": "success", "^(fail.*|false)$": "failure"}).alias(
            "event.outcome"
        ),
        *plain,
        *_processes(frame, kind, fields),
        address(text(frame, "src.ip.address", "src.endpoint.ip.address")).alias("source.ip"),
        integer(frame, "src.port.number").alias("source.port"),
        address(text(frame, "dst.ip.address")).alias("destination.ip"),
        address(text(frame, "dst.ip.address")).alias("destination.address"),
        integer(frame, "dst.port.number").alias("destination.port"),
        way.alias("network.direction"),
        integer(frame, "tgt.file.size").alias("file.size"),
        time(frame, "tgt.file.creationTime").alias("file.created"),
        time(frame, "tgt.file.modificationTime").alias("file.mtime"),
        answer.str.extract_all(r"(?:\d{1,3}\.){3}\d{1,3}").alias("dns.resolved_ip"),
        answer.str.extract_all(r"(?i)type: *\d+ +[^;,\s]+")
        .list.eval(pl.element().str.replace(r"(?i)^type: *\d+ +", ""))
        .alias("dns.answers.data"),
        _question(frame).alias("dns.question.name"),
        text(frame, "event.dns.request")
        .str.extract(r"(?i)^type: *(\d+)", 1)
        .replace_strict(fields["query"], default=None, return_dtype=pl.String)
        .alias("dns.question.type"),
        login.alias("~login"),
        text(frame, "osSrc.process.user").alias("~os_user"),
    )
    return ecs.only(_related(out), "sentinel_one_cloud_funnel")


def _processes(frame: pl.DataFrame, kind: pl.Expr, fields: Mapping[str, Any]) -> list[pl.Expr]:
    """The acting process and its parent; of a new process, itself and the one that made it."""
    new = kind.str.contains("(?i)^Process ?Creation")

    def either(path: str) -> tuple[pl.Expr, pl.Expr]:
        made, acting, parent = (
            text(frame, f"{root}.{path}") for root in ("tgt.process", "src.process", "src.process.parent")
        )
        return pl.when(new).then(made).otherwise(acting), pl.when(new).then(acting).otherwise(parent)

    out = []
    for field, path in fields["process"].items():
        own, parent = either(path)
        if field == "command_line":
            own, parent = _bare(own), _bare(parent)
        out.append(own.alias(f"process.{field}"))
        if field != "title":
            out.append(parent.alias(f"process.parent.{field}"))
    pid, parent_pid = either("pid")
    signer, _ = either("publisher")
    signed, _ = either("signedStatus")
    starts = [
        time(frame, f"{root}.startTime") for root in ("tgt.process", "src.process", "src.process.parent")
    ]
    return [
        *out,
        pid.cast(pl.Int64, strict=False).alias("process.pid"),
        parent_pid.cast(pl.Int64, strict=False).alias("process.parent.pid"),
        pl.when(new).then(starts[0]).otherwise(starts[1]).alias("process.start"),
        pl.when(new).then(starts[1]).otherwise(starts[2]).alias("process.parent.start"),
        signer.alias("process.code_signature.subject_name"),
        pl.when(signed.is_not_null())
        .then((signed == "signed").cast(pl.String))
        .alias("process.code_signature.exists"),
    ]


def _question(frame: pl.DataFrame) -> pl.Expr:
    """The name that was asked for; a number for the type may be written before it."""
    return text(frame, "event.dns.request").str.replace(r"(?i)^type: *\d+ +", "")


def _bare(line: pl.Expr) -> pl.Expr:
    """A command line that is one quoted path, without its quotes."""
    return line.str.replace(r'^"([^"]*)"$', "${1}")


def _related(out: pl.DataFrame) -> pl.DataFrame:
    out = ecs.person(out, "process.user.name", "user")
    login = pl.col("~login").fill_null(value=False)
    path = pl.col("file.path")
    out = url_columns(out).with_columns(
        pl.when(login).then(f"user.target.{part}").otherwise(f"user.{part}").alias(f"user.{part}")
        for part in ("name", "domain")
    )
    out = out.with_columns(
        *(pl.when(login).then(f"user.{part}").alias(f"source.user.{part}") for part in ("name", "domain")),
        command_line.args(pl.col("process.command_line")).alias("process.args"),
        command_line.args(pl.col("process.parent.command_line")).alias("process.parent.args"),
        *(
            pl.when(pl.col(name).list.len() > 0).then(name).alias(name)
            for name in ("dns.resolved_ip", "dns.answers.data")
        ),
        pl.coalesce("destination.address", "url.domain").alias("destination.address"),
        command_line.directory(path).alias("file.directory"),
        command_line.base_name(path).alias("file.name"),
        command_line.extension(path).alias("file.extension"),
        command_line.base_name(pl.col("dll.path")).alias("dll.name"),
        pl.col("url.domain").alias("destination.domain"),
    ).with_columns(pl.col("process.args").list.len().alias("process.args_count"))
    return ecs.relations(
        out,
        ip=("source.ip", "destination.ip"),
        user=("process.user.name", "process.parent.user.name", "~os_user"),
        hosts=("host.name",),
        hash=(
            "process.hash.md5",
            "process.hash.sha1",
            "process.hash.sha256",
            "process.parent.hash.md5",
            "process.parent.hash.sha1",
            "process.parent.hash.sha256",
        ),
    )
