"""Fortinet's keys to ECS columns: who, from where, to where, how much, and what was fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.fortinet.meaning import with_meaning
from sensors.fortinet.reading import data, value
from sensors.reading import syslog
from sensors.values import connection, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

_NANOSECONDS: Final = 1_000_000_000
_LONGEST: Final = 10 * 366 * 86_400  # seconds; what claims to have lasted longer is a slip or a trick
_DIRECTIONS: Final = {
    "outgoing": "outbound",
    "incoming": "inbound",
    "outbound": "outbound",
    "inbound": "inbound",
}
# `ui="ssh(192.0.2.1)"`, `userfrom="JSON(192.0.2.1)"`, and the same in a message's words.
_FROM: Final = r"\(([0-9a-fA-F:.]+)\)"


def mapped(frame: pl.DataFrame, vendor: str) -> pl.DataFrame:
    """The ECS columns of lines with their keys; the vendor's own go under `fortinet.<vendor>`."""
    tables = data()
    frame = frame.with_columns(
        *syslog.common(frame),
        *(value(frame, *keys).alias(name) for name, keys in tables["columns"].items()),
        *(
            value(frame, *keys).cast(pl.Int64, strict=False).alias(name)
            for name, keys in tables["numbers"].items()
        ),
        *(
            pl.col(f"kv.{key}").alias(f"fortinet.{vendor}.{key}")
            for key in tables["vendor"]["keys"]
            if f"kv.{key}" in frame.columns
        ),
        value(frame, "type").alias("type"),
        value(frame, "subtype").alias("subtype"),
        value(frame, "action").alias("did"),
    )
    frame = frame.with_columns(
        is_vpn=(pl.col("subtype") == "vpn").fill_null(value=False),
        is_event=(pl.col("type") == "event").fill_null(value=False),
        is_flow=(pl.col("type") == "traffic").fill_null(value=False),
        is_utm=(~pl.col("type").is_in(["event", "traffic"])).fill_null(value=False),
    )
    frame = _addresses(frame)
    frame = _people(frame)
    frame = _amounts(frame)
    frame = _content(frame)
    return with_meaning(frame)


def _addresses(frame: pl.DataFrame) -> pl.DataFrame:
    """Both ends and their translation; of a VPN the source is the remote end, the destination the gateway."""

    def real(*keys: str) -> pl.Expr:
        found = value(frame, *keys)
        return pl.when(ecs.is_ip(found) & ~found.is_in(ecs.NOWHERE)).then(found)

    written = value(frame, "ui", "userfrom", "msg").str.extract(_FROM, 1)
    admin = pl.coalesce(real("remote_ip"), pl.when(ecs.is_ip(written)).then(written))
    source = pl.coalesce(
        pl.when("is_vpn").then(real("remip")),
        real("srcip", "src", "saddr"),
        real("remip"),
        pl.when("is_event").then(admin),
    )
    target = pl.coalesce(real("dstip", "dst", "daddr"), pl.when("is_vpn").then(real("locip")))
    lent = pl.when("is_vpn").then(real("tunnelip", "assignip"))
    host = value(frame, "dst_host", "dstname", "dst_name")
    named = pl.coalesce("tls.client.server_name", pl.when("is_utm").then(value(frame, "hostname")))
    frame = frame.with_columns(
        source.alias("source.ip"),
        target.alias("destination.ip"),
        pl.coalesce(lent, pl.when("is_flow").then(real("transip"))).alias("source.nat.ip"),
        real("tranip", "tran_ip").alias("destination.nat.ip"),
        _number(frame, "remport", "remote_port", only="is_vpn").alias("vpn.port"),
        _number(frame, "locport", only="is_vpn").alias("vpn.local_port"),
        value(frame, "srcdomain").alias("source.domain"),
        pl.coalesce(host, named).alias("destination.domain"),
        host.alias("destination.address"),
        *(
            pl.when(country != "Reserved").then(country).alias(f"{side}.geo.country_name")
            for side, country in (
                ("source", value(frame, "srccountry")),
                ("destination", value(frame, "dstcountry")),
            )
        ),
        *(
            pl.col(f"{side}.mac").str.to_uppercase().str.replace_all("[:.]", "-").alias(f"{side}.mac")
            for side in ("source", "destination")
        ),
        value(frame, "srcname", "src_name").str.to_lowercase().alias("host.name"),
        inside=real("ip", "assignip", "tunnelip"),
    )
    ported = pl.col("source.nat.ip").is_not_null()
    return frame.with_columns(
        pl.coalesce("source.port", "vpn.port").alias("source.port"),
        pl.coalesce("destination.port", "vpn.local_port").alias("destination.port"),
        pl.when(ported | (pl.col("source.nat.port") > 0)).then("source.nat.port").alias("source.nat.port"),
        pl.when(ecs.is_ip(pl.col("destination.domain")))
        .then(None)
        .otherwise("destination.domain")
        .alias("destination.domain"),
        pl.when((pl.col("subtype") == "endpoint").fill_null(value=False))
        .then(pl.coalesce("host.name", value(frame, "name").str.to_lowercase()))
        .otherwise("host.name")
        .alias("host.name"),
        pl.when((pl.col("subtype") == "endpoint").fill_null(value=False)).then("inside").alias("host.ip"),
    )


def _number(frame: pl.DataFrame, *keys: str, only: str) -> pl.Expr:
    return pl.when(only).then(value(frame, *keys).cast(pl.Int64, strict=False))


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """The user: of a VPN who authenticated inside IKE, of a flow also whom the device merely saw."""
    inner = pl.when("is_vpn").then(value(frame, "eapuser", "xauthuser"))
    seen = pl.when(~pl.col("is_event")).then(value(frame, "unauthuser"))
    frame = frame.with_columns(raw_user=pl.coalesce(inner, seen, value(frame, "user")))
    frame = ecs.person(frame, "raw_user", "source.user", "user")
    if "kv.dstunauthuser" in frame.columns or "kv.dstuser" in frame.columns:
        frame = frame.with_columns(other_user=value(frame, "dstuser", "dstunauthuser"))
        frame = ecs.person(frame, "other_user", "destination.user")
    if "kv.adminprof" in frame.columns:
        frame = frame.with_columns(pl.col("kv.adminprof").alias("user.roles"))
    return frame


def _amounts(frame: pl.DataFrame) -> pl.DataFrame:
    """Bytes, packets, times. What a VPN gateway sent is what the remote person received."""
    turned = frame["is_vpn"]
    sent, received = frame["source.bytes"], frame["destination.bytes"]
    seconds = value(frame, "duration", "sess_duration").cast(pl.Int64, strict=False)
    number = pl.col("network.iana_number")
    over = pl.col("is_vpn") & (pl.col("seconds") > 0)
    said = value(frame, "dir", "direction").str.to_lowercase()
    frame = frame.with_columns(
        sent.zip_with(~turned, received),
        received.zip_with(~turned, sent),
        seconds=pl.when(seconds.is_between(0, _LONGEST)).then(seconds),
    ).with_columns(
        (pl.col("source.bytes") + pl.col("destination.bytes")).alias("network.bytes"),
        (pl.col("source.packets") + pl.col("destination.packets")).alias("network.packets"),
        (pl.col("seconds") * _NANOSECONDS).alias("event.duration"),
        pl.when(over)
        .then(pl.col("@timestamp") - pl.duration(seconds="seconds"))
        .otherwise("logged")
        .alias("event.start"),
        pl.when(over).then("@timestamp").alias("event.end"),
        connection.transport(number).alias("network.transport"),
        pl.col("network.protocol").str.to_lowercase().alias("network.protocol"),
        pl.when(~pl.col("is_event")).then(value(frame, "app")).alias("network.application"),
        pl.coalesce(
            said.replace_strict(_DIRECTIONS, default=None, return_dtype=pl.String),
            connection.direction(),
            pl.when(said.is_not_null()).then(pl.lit("unknown")),
        ).alias("network.direction"),
    )
    known = pl.col("network.transport") != number
    frame = frame.with_columns(pl.when(known).then("network.transport").alias("network.transport"))
    numbers = frame["network.iana_number"]
    return connection.described(frame).with_columns(numbers)


def _content(frame: pl.DataFrame) -> pl.DataFrame:
    """What was fetched: URLs, files, names; the rule that decided."""
    flow, event = pl.col("is_flow"), pl.col("is_event")
    category = pl.when(~event).then(
        pl.coalesce(value(frame, "appcat"), pl.when(~flow).then(value(frame, "catdesc")))
    )
    digest = value(frame, "analyticscksum", "filehash").str.to_lowercase()
    tls = value(frame, "tlsver").str.to_lowercase()
    frame = frame.with_columns(
        category.str.replace_all(".", "-", literal=True).alias("rule.category"),
        pl.when(event)
        .then(value(frame, "logdesc", "desc"))
        .when(flow)
        .then(value(frame, "comment"))
        .alias("rule.description"),
        pl.when(flow)
        .then(value(frame, "policytype"))
        .when(~event)
        .then(value(frame, "applist", "profile"))
        .alias("rule.ruleset"),
        pl.when("is_utm").then(value(frame, "event_id", "eventid")).alias("event.id"),
        pl.when(digest.str.contains("^[0-9a-f]{64}$")).then(digest).alias("file.hash.sha256"),
        pl.when(digest.str.contains("^[0-9a-f]{32}$")).then(digest).alias("file.hash.md5"),
        value(frame, "ipaddr").str.replace_all(" ", "", literal=True).str.split(",").alias("dns.resolved_ip"),
        value(frame, "ipaddr").str.extract(r"^([0-9a-fA-F:.]+)", 1).alias("resolved"),
        tls.str.extract(r"^([a-z]+)", 1).alias("tls.version_protocol"),
        tls.str.extract(r"([0-9.]+)$", 1).alias("tls.version"),
        value(frame, "url").alias("url.original"),
    )
    if frame["url.original"].null_count() < frame.height:
        frame = url_columns(frame)
    else:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("url.domain"))
    host = value(frame, "hostname").str.to_lowercase()
    return frame.with_columns(pl.coalesce(host, "url.domain").alias("url.domain"))


def finished(
    frames: Iterator[pl.DataFrame], vendor: str, dataset: str, product: str, kind: str
) -> Iterator[pl.DataFrame]:
    """The frames with ECS columns, and what is the same for all of one product's."""
    for frame in frames:
        whole = mapped(frame, vendor).with_columns(
            pl.when(~pl.col("type").is_in(data()["read"]["types"]).fill_null(value=False))
            .then("text")
            .alias("event.original"),
            pl.lit(dataset).alias("event.dataset"),
            pl.lit("Fortinet").alias("observer.vendor"),
            pl.lit(product).alias("observer.product"),
            pl.lit(kind).alias("observer.type"),
        )
        whole = ecs.relations(
            whole,
            ip=("source.ip", "destination.ip", "source.nat.ip", "destination.nat.ip", "inside", "resolved"),
            user=("source.user.name", "destination.user.name"),
            hosts=("destination.address", "host.name", "dns.question.name"),
        )
        yield ecs.only(whole, "fortinet")
