"""PAN-OS' fields to ECS columns: who, from where, to where, how much, and what was fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.panos.layout import columns_of_ecs, number, text
from sensors.panos.legacy import described
from sensors.panos.meaning import with_meaning
from sensors.panos.times import started
from sensors.reading import syslog
from sensors.values import ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from sensors.sensor import Source

_NANOSECONDS: Final = 1_000_000_000
_LONGEST: Final = 10 * 366 * 86_400  # seconds; what claims to have lasted longer is a slip or a trick
_DIGESTS: Final = {"md5": 32, "sha1": 40, "sha256": 64}
_COUNTS: Final = {
    "bytes": "network.bytes",
    "packets": "network.packets",
    "bytes_sent": "source.bytes",
    "bytes_received": "destination.bytes",
    "pkts_sent": "source.packets",
    "pkts_received": "destination.packets",
    "sport": "source.port",
    "dport": "destination.port",
    "natsport": "source.nat.port",
    "natdport": "destination.nat.port",
}
_DIRECTIONS: Final = {
    "0": "inbound",
    "client-to-server": "inbound",
    "1": "outbound",
    "server-to-client": "outbound",
}


def mapped(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The ECS columns of rows whose fields have the vendor's names."""
    frame = described(frame)
    named = [pl.col(old).alias(new) for old, new in columns_of_ecs().items() if old in frame.columns]
    frame = frame.with_columns(*syslog.common(frame), *_merged(named))
    frame = _addresses(frame)
    frame = _people(frame)
    frame = _flows(frame, source)
    frame = with_meaning(frame)
    frame = _content(frame)
    return ecs.relations(
        frame,
        ip=(
            "source.ip",
            "destination.ip",
            "source.nat.ip",
            "destination.nat.ip",
            "host.ip",
            "network.forwarded_ip",
        ),
        user=("user.name", "source.user.name", "other.name", "destination.user.name"),
        hosts=("observer.hostname", "host.name", "dst_host", "src_host"),
    )


def _merged(named: list[pl.Expr]) -> list[pl.Expr]:
    """The same with those of one name made one: the first value that there is."""
    by_name: dict[str, list[pl.Expr]] = {}
    for column in named:
        by_name.setdefault(column.meta.output_name(), []).append(column)
    return [pl.coalesce(columns).alias(name) for name, columns in by_name.items()]


def _addresses(frame: pl.DataFrame) -> pl.DataFrame:
    """Both ends, their translation, and where they are.

    Of a GlobalProtect session the source is the person's public address, translated to the one inside.
    """

    def real(*names: str) -> pl.Expr:
        there = [
            pl.when(~pl.col(name).is_in(ecs.NOWHERE)).then(name) for name in names if name in frame.columns
        ]
        return pl.coalesce(there) if there else pl.lit(None, pl.String)

    inside = real("private_ip", "private_ipv6")
    host = text(frame, "host")  # of a configuration log: where the administrator sits
    ends = frame.with_columns(
        real("public_ip", "public_ipv6", "src", "srcipv6", "login_from", "host").alias("source.address"),
        real("dst").alias("destination.address"),
        pl.coalesce(real("natsrc"), inside).alias("source.nat.ip"),
        real("natdst").alias("destination.nat.ip"),
        pl.coalesce(inside, pl.when(ecs.is_ip(host)).then(host)).alias("host.ip"),
        text(frame, "device_name", "told_by").alias("observer.hostname"),
        *(number(frame, name).alias(column) for name, column in _COUNTS.items()),
        text(frame, "srcloc", "srcregion").alias("source.geo.name"),
        text(frame, "dstloc").alias("destination.geo.name"),
    )
    return ends.with_columns(
        *ecs.address("source"),
        *ecs.address("destination"),
        *(
            expression
            for side in ("source", "destination")
            for expression in (
                pl.when(pl.col(f"{side}.nat.ip").is_not_null())
                .then(f"{side}.nat.port")
                .alias(f"{side}.nat.port"),
                pl.when(pl.col(f"{side}.geo.name").str.contains("^[A-Z]{2}$"))
                .then(f"{side}.geo.name")
                .alias(f"{side}.geo.country_iso_code"),
            )
        ),
    )


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """Users, and the address a proxy forwarded for (PAN-OS writes it as a user: `x-fwd-for: 192.0.2.1`)."""
    raw = text(frame, "srcuser", "admin", "said_user")
    forwarded = raw.str.extract(r"^x-fwd-for: *(\S+)", 1)
    xff = text(frame, "xff", "xff_ip")
    frame = frame.with_columns(
        pl.when(forwarded.is_null()).then(raw).alias("raw_user"),
        pl.coalesce(forwarded, pl.when(ecs.is_ip(xff)).then(xff)).alias("network.forwarded_ip"),
    )
    frame = ecs.person(frame, "raw_user", "source.user", "user")
    if "dstuser" in frame.columns:
        frame = ecs.person(frame, "dstuser", "destination.user")
    if "normalize_user" in frame.columns:
        frame = ecs.person(frame, "normalize_user", "other")
    return frame


def _flows(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Transport and application; when it began and how long it took."""
    transport = text(frame, "proto").str.to_lowercase()
    session = number(frame, "login_duration")  # 0 in all events but the log-out
    seconds = pl.coalesce(number(frame, "elapsed"), pl.when(session > 0).then(session))
    version = (
        pl.when(pl.col("source.ip").str.contains(":", literal=True))
        .then(pl.lit("ipv6"))
        .otherwise(pl.lit("ipv4"))
    )
    flows = frame.with_columns(
        transport.alias("network.transport"),
        transport.replace_strict(ecs.PROTOCOLS, default=None, return_dtype=pl.String).alias(
            "network.iana_number"
        ),
        text(frame, "app").str.to_lowercase().alias("network.application"),
        pl.when(pl.col("source.ip").is_not_null()).then(version).alias("network.type"),
        seconds=pl.when(seconds.is_between(0, _LONGEST)).then(seconds),
        began=started(frame, source),
    )
    lasted = pl.duration(seconds="seconds")
    over = (pl.col("seconds") > 0) & pl.col(
        "began"
    ).is_null()  # a session's log-out, which says how long it was
    return flows.with_columns(
        (pl.col("seconds") * _NANOSECONDS).alias("event.duration"),
        pl.when(over).then(pl.col("@timestamp") - lasted).otherwise("began").alias("event.start"),
        pl.when(over).then("@timestamp").otherwise(pl.col("began") + lasted).alias("event.end"),
    )


def _content(frame: pl.DataFrame) -> pl.DataFrame:
    """What was fetched: URLs, files, TLS; the threat and its direction."""
    columns: list[pl.Expr] = []
    have = set(frame.columns)
    if "misc" in have:
        columns += _fetched()
    if "direction" in have:
        way = pl.col("direction").replace_strict(_DIRECTIONS, default="unknown", return_dtype=pl.String)
        columns.append(pl.when(pl.col("type") == "THREAT").then(way).alias("network.direction"))
    if "threatid" in have:
        columns += [
            pl.col("threatid").str.extract(r"^(.*?) ?\([0-9]+\)$", 1).alias("panw.panos.threat_name"),
            pl.col("threatid").str.extract(r"\( ?([0-9]+)\)$", 1).alias("panw.panos.threat_id"),
        ]
    if "http_method" in have:
        columns.append(pl.col("http_method").str.to_uppercase().alias("http.request.method"))
    if "filedigest" in have:
        digest = pl.col("filedigest").str.to_lowercase()
        columns += [
            pl.when(digest.str.len_bytes() == size).then(digest).alias(f"file.hash.{name}")
            for name, size in _DIGESTS.items()
        ]
    if "tls_version" in have:
        tls = pl.col("tls_version")
        columns += [
            tls.str.extract(r"^([A-Za-z]+)", 1).str.to_lowercase().alias("tls.version_protocol"),
            tls.str.extract(r"([0-9.]+)$", 1).alias("tls.version"),
        ]
    if "mac" in have:
        columns.append(pl.col("mac").str.to_uppercase().str.replace_all("[:.]", "-").alias("host.mac"))
    frame = frame.with_columns(columns)
    if "url.original" not in frame.columns or frame["url.original"].null_count() == frame.height:
        return frame
    named = pl.when(pl.col("url.port").is_null()).then("url.domain")
    return url_columns(frame).with_columns(
        pl.coalesce(named, "destination.domain").alias("destination.domain")
    )


def _fetched() -> list[pl.Expr]:
    """A threat log's object: a URL or a file, by the log's subtype and by what it looks like."""
    sub, misc = pl.col("sub"), pl.col("misc")
    slash = misc.str.contains("/", literal=True)
    path = (sub == "file") & misc.str.contains(r"[/\\]")
    url = (sub == "url") | (sub.is_in(["virus", "vulnerability", "wildfire", "spyware"]) & slash)
    file = sub.is_in(["file", "virus", "vulnerability", "wildfire"]) & ~misc.str.contains(r"[/\\]")
    return [
        pl.when(url).then(misc).alias("url.original"),
        pl.when(path).then(misc).alias("file.path"),
        pl.when(path).then(misc.str.extract(r"([^/\\]+)$", 1)).when(file).then(misc).alias("file.name"),
    ]
