"""Sophos Firewall's keys to ECS columns, and what its lines mean."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl

from sensors.reading import key_value, syslog
from sensors.schema import TIME
from sensors.values import connection, ecs
from sensors.values.url import url_columns

_INSIDE: Final = ("LAN", "DMZ", "VPN", "WiFi", "WIFI")
_MAIL: Final = {"pops": "pop3s"}
_LONGEST: Final = 10 * 366 * 86_400_000_000  # microseconds; what claims to have lasted longer is a slip
_LIST: Final = pl.List(pl.String)


@cache
def data() -> dict[str, Any]:
    """The tables of `fields.toml`."""
    return tomllib.loads((files("sensors.sophos_xg") / "fields.toml").read_text("utf-8"))


def value(frame: pl.DataFrame, *keys: str) -> pl.Expr:
    """The first of these keys that a line has, as text."""
    return key_value.first(frame, *(f"kv.{key}" for key in keys))


def _number(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars(" ").cast(pl.Int64, strict=False)


def mapped(frame: pl.DataFrame) -> pl.DataFrame:
    """The ECS columns of lines with their keys."""
    tables = data()
    frame = frame.with_columns(
        *syslog.common(frame),
        *(value(frame, *keys).alias(name) for name, keys in tables["columns"].items()),
        *(_number(value(frame, *keys)).alias(name) for name, keys in tables["numbers"].items()),
        *(
            pl.col(f"kv.{key}").alias(f"sophos.xg.{key}")
            for key in tables["vendor"]["keys"]
            if f"kv.{key}" in frame.columns
        ),
        kind=value(frame, "log_type"),
        component=value(frame, "log_component").str.to_lowercase(),
    )
    frame = _ends(frame)
    frame = _people(frame)
    frame = _content(frame)
    frame = _amounts(frame)
    frame = _meaning(frame)
    frame = connection.described(frame, ("icmp_type", "icmp_code"))
    return ecs.relations(
        frame,
        ip=("source.ip", "destination.ip", "source.nat.ip", "destination.nat.ip", "client.ip"),
        user=("raw_user",),
        hosts=("host.name", "source.domain", "destination.domain", "url.domain"),
    )


def _ends(frame: pl.DataFrame) -> pl.DataFrame:
    """Both ends, their translation, zones and the protocol."""

    def address(*keys: str) -> pl.Expr:
        found = value(frame, *keys)
        return pl.when(ecs.is_ip(found)).then(found)

    def mac(key: str) -> pl.Expr:
        return value(frame, key).str.to_uppercase().str.replace_all(":", "-")

    vpn = (pl.col("kind") == "Event") & pl.col("component").is_in(["ssl vpn", "ipsec", "l2tp", "pptp"])
    transport = value(frame, "protocol").str.strip_chars(" ").str.to_lowercase()
    inside, outside = pl.col("observer.ingress.zone"), pl.col("observer.egress.zone")
    told_by = pl.col("rest").str.extract(r"^([A-Za-z0-9._-]+) +(?:[a-z_]+=|[A-Za-z]+\[?[0-9]*\]?: )", 1)
    frame = frame.with_columns(
        address("src_ip", "sourceip", "remote_ip", "remoteinterfaceip").alias("source.ip"),
        address("dst_ip", "destinationip", "localip", "localinterfaceip").alias("destination.ip"),
        pl.coalesce(address("tran_src_ip", "src_trans_ip"), pl.when(vpn).then(address("ipaddress"))).alias(
            "source.nat.ip"
        ),
        address("tran_dst_ip", "dst_trans_ip").alias("destination.nat.ip"),
        address("reported_ip").alias("client.ip"),
        mac("src_mac").alias("source.mac"),
        mac("dst_mac").alias("destination.mac"),
        value(frame, "reported_host").alias("host.name"),
        pl.coalesce("relay", told_by).alias("observer.hostname"),
        connection.transport(transport).alias("network.transport"),
        icmp_type=_number(value(frame, "icmp_type")),
        icmp_code=_number(value(frame, "icmp_code")).fill_null(0),
    )
    return frame.with_columns(
        pl.when(inside.is_in(_INSIDE) & outside.is_in(_INSIDE))
        .then(pl.lit("internal"))
        .when(inside.is_in(_INSIDE) & (outside == "WAN"))
        .then(pl.lit("outbound"))
        .when((inside == "WAN") & outside.is_in(_INSIDE))
        .then(pl.lit("inbound"))
        .when((inside == "WAN") & (outside == "WAN"))
        .then(pl.lit("external"))
        .otherwise(connection.direction())
        .alias("network.direction")
    )


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(raw_user=value(frame, "user_name", "name"))
    frame = ecs.person(frame, "raw_user", "source.user", "user")
    writer, reader = pl.col("email.from.address"), pl.col("email.to.address")
    return frame.with_columns(
        pl.coalesce(writer, "source.user.email").alias("source.user.email"),
        reader.alias("destination.user.email"),
    )


def _content(frame: pl.DataFrame) -> pl.DataFrame:
    """What was fetched or sent: URLs, files, names, protocols of mail and web; the rule that decided."""
    kind = pl.col("kind")
    origin = value(frame, "source")
    origin = pl.when((kind == "Sandbox") & ~ecs.is_ip(origin)).then(origin)
    filetype = value(frame, "filetype")
    status = _number(value(frame, "httpstatus", "http_status", "httpresponsecode", "status_code"))
    address = value(frame, "url")
    frame = frame.with_columns(
        address.alias("url.original"),
        pl.when(address.str.contains("^[A-Za-z][A-Za-z0-9+.-]*://")).then(address).alias("url.full"),
        pl.when(filetype.str.contains("/", literal=True)).then(filetype).alias("file.mime_type"),
        pl.when(status > 0).then(status).alias("http.response.status_code"),
        value(frame, "ws_protocol").str.extract("^(?:HTTP/)?(.+)$", 1).alias("http.version"),
        pl.coalesce(
            pl.when(kind == "IDP").then(value(frame, "signature_id")), value(frame, "fw_rule_id")
        ).alias("rule.id"),
        value(frame, "dst_domainname").fill_null(origin).alias("destination.domain"),
    )
    if frame["url.original"].null_count() < frame.height:
        frame = url_columns(frame)
    else:
        frame = frame.with_columns(
            pl.lit(None, pl.String).alias(f"url.{part}") for part in ("domain", "scheme")
        )
    site = value(frame, "domain", "server").str.to_lowercase().str.replace(r":\d+$", "")
    named = pl.when(~ecs.is_ip(pl.col("url.domain"))).then("url.domain")
    return frame.with_columns(
        pl.coalesce(site, named, origin).alias("url.domain"),
        pl.when(kind == "Firewall")
        .then(value(frame, "application").str.to_lowercase())
        .when(kind.is_in(["Anti-Virus", "Anti-Spam"]))
        .then(pl.col("component").replace(_MAIL))
        .when(kind == "Content Filtering")
        .then("url.scheme")
        .alias("network.protocol"),
    )


def _amounts(frame: pl.DataFrame) -> pl.DataFrame:
    """Bytes, packets, times: a session says when it began, a connection how many seconds it lasted."""
    lasted = _number(value(frame, "duration"))
    unit = pl.when(pl.col("component") == "red").then(1_000).otherwise(1_000_000)
    began = _number(value(frame, "starttime"))
    spent = (
        pl.when(pl.col("kind") == "WAF").then(_number(value(frame, "responsetime"))).otherwise(lasted * unit)
    )
    frame = frame.with_columns(
        (pl.col("source.bytes") + pl.col("destination.bytes")).alias("network.bytes"),
        (pl.col("source.packets") + pl.col("destination.packets")).alias("network.packets"),
        spent=pl.when(spent.is_between(0, _LONGEST)).then(spent),
        began=pl.when(began > 0).then(began * 1_000_000).cast(TIME),
    ).with_columns(
        pl.coalesce(
            pl.when(pl.col("began") <= pl.col("@timestamp")).then("began"),
            pl.col("@timestamp") - pl.duration(microseconds="spent"),
        ).alias("event.start"),
    )
    return frame.with_columns(
        pl.when(pl.col("event.start").is_not_null()).then("@timestamp").alias("event.end"),
        (
            pl.coalesce("spent", (pl.col("@timestamp") - pl.col("event.start")).dt.total_microseconds())
            * 1_000
        ).alias("event.duration"),
    )


def _meaning(frame: pl.DataFrame) -> pl.DataFrame:
    """By the type of log, the code in `log_id`, and the words of its subtype and status."""
    entries = data()["meaning"]
    number = value(frame, "log_id")
    digit = number.str.slice(6, 1)
    status = value(frame, "status").str.to_lowercase()
    reason = pl.when(pl.col("kind") == "WAF").then(value(frame, "reason"))
    refused = (
        pl.when(reason.str.to_lowercase() == "antivirus")
        .then(pl.lit("(virus)"))
        .when(reason.is_not_null())
        .then(pl.lit("(refused)"))
    )
    client = pl.when(pl.col("kind") == "Event").then(value(frame, "auth_client")).str.to_lowercase()
    subtype = value(frame, "log_subtype")
    frame = frame.with_columns(
        number.str.slice(7).alias("event.code"),
        digit.cast(pl.Int64, strict=False).alias("event.severity"),
        pl.coalesce(
            value(frame, "severity"),
            digit.replace_strict(data()["levels"], default=None, return_dtype=pl.String),
        ).alias("log.level"),
        words=pl.concat_str(
            subtype.str.to_lowercase().fill_null(""),
            status.fill_null(""),
            pl.coalesce(
                value(frame, "con_event", "connevent").str.to_lowercase(), refused, client, pl.lit("")
            ),
            separator="|",
        ),
    )
    chosen: pl.Expr = pl.lit(None, pl.Int64)
    for place, entry in reversed(list(enumerate(entries))):
        fits = pl.col("kind") == entry["type"]
        if "codes" in entry:
            fits &= pl.col("event.code").is_in(entry["codes"].split())
        if "words" in entry:
            fits &= pl.col("words").str.contains(entry["words"])
        chosen = pl.when(fits).then(pl.lit(place)).otherwise(chosen)
    table = pl.DataFrame(
        [
            {
                "entry": place,
                "event.kind": entry.get("kind", "event"),
                "event.category": entry["category"],
                "event.type": entry["event"],
                "known_action": entry.get("action"),
            }
            for place, entry in enumerate(entries)
        ],
        schema_overrides={"entry": pl.Int64, "known_action": pl.String},
    )
    frame = frame.with_columns(entry=chosen.cast(pl.Int64)).join(
        table, on="entry", how="left", maintain_order="left"
    )
    eventful = pl.col("kind") == "Event"
    failed = status.str.contains("fail|terminat.* error|error|denied")
    return frame.with_columns(
        pl.col("event.kind").fill_null("event"),
        pl.coalesce("event.category", pl.lit(["host"], _LIST)).alias("event.category"),
        pl.coalesce("event.type", pl.lit(["info"], _LIST)).alias("event.type"),
        pl.coalesce(
            "known_action",
            pl.when(eventful).then(pl.coalesce(status, subtype.str.to_lowercase())),
            subtype.str.to_lowercase(),
        ).alias("event.action"),
        pl.when(eventful & failed)
        .then(pl.lit("failure"))
        .when(eventful & status.str.contains("succe|establish|connect|renew"))
        .then(pl.lit("success"))
        .when(~eventful & (pl.col("kind") != "System Health"))
        .then(pl.lit("success"))
        .alias("event.outcome"),
        pl.when(pl.col("entry").is_null()).then("text").alias("event.original"),
        pl.lit("sophos.xg").alias("event.dataset"),
        pl.lit("Sophos").alias("observer.vendor"),
        pl.lit("XG").alias("observer.product"),
        pl.lit("firewall").alias("observer.type"),
    )
