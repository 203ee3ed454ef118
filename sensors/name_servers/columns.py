"""Messages of name servers and DHCP servers to ECS columns."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

from sensors.values import connection, ecs

_DATASETS: Final = {
    "bind": "bind.query", "coredns": "coredns.log", "unbound": "unbound.log", "dnsmasq": "dnsmasq.log",
    "dhcpd": "dhcpd.log", "kea": "kea.log",
}  # fmt: skip
_TEXTS: Final = (
    "log.level", "event.reason", "dns.id", "dns.question.name", "dns.question.type", "dns.question.class",
    "dns.response_code", "network.transport", "source.mac", "source.ip", "destination.ip", "host.name",
    "host", "lease", "verb", "denied", "flags", "header", "answer", "how", "error", "said", "seconds",
    "via", "interface", "cid", "view", "category", "priority", "app", "peer",
)  # fmt: skip
_NUMBERS: Final = ("source.port", "source.bytes", "destination.bytes")
_OWN: Final = {
    "via": "dhcp.relay", "interface": "dhcp.interface", "cid": "dhcp.client_id", "view": "dhcp.view",
    "flags": "dhcp.query_flags",
}  # fmt: skip
_REFUSED: Final = ("dhcp-nak", "dhcp-decline")
_LISTS: Final = pl.List(pl.String)


@cache
def _actions() -> dict[str, str]:
    raw: dict[str, dict[str, str]] = tomllib.loads(
        (files("sensors.name_servers") / "forms.toml").read_text("utf-8")
    )
    return raw["actions"]


def events(frame: pl.DataFrame) -> pl.DataFrame:
    """Events of lines with their `form` and its parts."""
    frame = frame.drop("said") if frame.schema.get("said") not in {None, pl.String()} else frame
    absent = [name for name in (*_TEXTS, *_NUMBERS) if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    product = pl.col("form").str.extract(r"^(\w+)", 1)
    leased = (product.is_in(["dhcpd", "kea"]) | (pl.col("form") == "dnsmasq.dhcp")).alias("~dhcp")
    frame = frame.with_columns(
        leased,
        product.replace_strict(_DATASETS, default=None).alias("event.dataset"),
        pl.coalesce(
            pl.col("verb").replace_strict(_actions(), default=None, return_dtype=pl.String),
            pl.col("verb").str.to_lowercase(),
        ).alias("~action"),
        pl.col("answer").str.extract(r"^<?([^>]+)>?$", 1).alias("~answer"),
        *(pl.col(name).cast(pl.Int64, strict=False) for name in _NUMBERS),
    )
    return _related(connection.described(_named(frame)))


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    dns = ~pl.col("~dhcp")
    lost = pl.col("~answer").str.contains(r"^(?:NXDOMAIN|SERVFAIL|REFUSED|NODATA.*)$")
    code = pl.coalesce("dns.response_code", pl.when(lost).then(pl.col("~answer").str.extract(r"^(\w+)", 1)))
    failed = (
        pl.col("denied").is_not_null()
        | pl.col("error").is_not_null()
        | (code.is_not_null() & ~code.str.to_uppercase().is_in(["NOERROR", "NODATA"]))
        | pl.col("~action").is_in(_REFUSED)
        | pl.col("form").is_in(["bind.failed"])
        | pl.col("event.reason").str.contains(
            r"(?i)no free leases|unknown lease|bad zone transfer|not authori"
        )
    ).fill_null(value=False)
    told = code.is_not_null() | failed | pl.col("~action").is_in(["dhcp-ack"])
    seconds = pl.col("seconds").cast(pl.Float64, strict=False)
    address = pl.coalesce("source.ip", pl.when("~dhcp").then("lease"), "peer")
    data = pl.when(~lost.fill_null(value=False)).then("~answer")
    mac = pl.col("source.mac").str.to_uppercase().str.replace_all(":", "-")
    action = (
        pl.when("~dhcp")
        .then("~action")
        .when(pl.col("form").str.contains(r"\.(?:query|reply|answer|forwarded|failed|denied)$"))
        .then(pl.lit("dns-query"))
    )
    return frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        "molehunt.guess",
        "event.dataset",
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"], _LISTS).alias("event.category"),
        pl.concat_list(
            pl.lit("protocol"), pl.when(pl.col("denied").is_not_null()).then(pl.lit("denied"))
        ).list.drop_nulls().alias("event.type"),
        action.alias("event.action"),
        pl.when(failed).then(pl.lit("failure")).when(told).then(pl.lit("success")).alias("event.outcome"),
        pl.col("event.reason").str.strip_chars(" :").alias("event.reason"),
        pl.col("log.level").str.to_lowercase().alias("log.level"),
        pl.coalesce("error", "rest").alias("message"),
        pl.when(dns).then(pl.lit("dns")).otherwise(pl.lit("dhcp")).alias("network.protocol"),
        pl.coalesce(
            pl.col("network.transport").str.to_lowercase(),
            pl.when(pl.col("flags").str.contains("T", literal=True)).then(pl.lit("tcp"))
            .when(pl.col("flags").is_not_null() | pl.col("~dhcp")).then(pl.lit("udp")),
        ).alias("network.transport"),
        *ecs.address("source", address),
        "source.port",
        "source.bytes",
        "destination.bytes",
        (pl.col("source.bytes") + pl.col("destination.bytes")).alias("network.bytes"),
        (seconds * 1e9).round().cast(pl.Int64, strict=False).alias("event.duration"),
        *ecs.address("destination", pl.col("destination.ip")),
        mac.alias("source.mac"),
        pl.when("~dhcp").then(mac).alias("host.mac"),
        pl.when("~dhcp").then("lease").alias("host.ip"),
        pl.when("~dhcp").then("host.name").alias("host.name"),
        pl.col("host").alias("observer.name"),
        pl.col("host").alias("log.syslog.hostname"),
        pl.col("dns.question.name").str.strip_suffix(".").alias("dns.question.name"),
        "dns.question.type",
        "dns.question.class",
        "dns.id",
        code.alias("dns.response_code"),
        pl.when(data.is_not_null()).then(pl.concat_list(data)).alias("dns.answers.data"),
        pl.when(ecs.is_ip(data)).then(pl.concat_list(data)).alias("dns.resolved_ip"),
        pl.col("header").str.to_uppercase().str.split(",").list.set_difference(pl.lit(["QR"], _LISTS))
        .alias("dns.header_flags"),
        *(pl.col(name).alias(field) for name, field in _OWN.items()),
    )  # fmt: skip


def _related(frame: pl.DataFrame) -> pl.DataFrame:
    with_answers = frame.with_columns(pl.col("dns.resolved_ip").list.first().alias("~answer"))
    related = ecs.relations(
        with_answers,
        ip=("source.ip", "destination.ip", "~answer"),
        hosts=("dns.question.name", "host.name"),
    )
    return ecs.only(related, "dhcp")
