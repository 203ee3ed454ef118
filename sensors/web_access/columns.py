"""Parts of lines and records of web servers to ECS columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import zones
from sensors.reading.json_table import FRAME
from sensors.shapes.mapping import address
from sensors.values import connection, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from sensors.sensor import Source

_PARTS: Final = (
    "agent", "backend", "bytes", "bytes_in", "bucket", "cache", "cipher", "city", "client", "country",
    "created", "date", "egress",
    "error", "errordate", "form", "forwarded", "forwarded_list", "frontend", "host", "id", "ingress",
    "iso", "key", "level", "local", "localport", "localdate", "message", "method", "mode", "module", "ms",
    "name", "nanoseconds",
    "operation", "owner", "peer", "pid", "pid_of", "port", "program", "protocol", "referrer", "relay",
    "request", "requester", "rest", "scheme", "seconds", "server", "slashed", "state", "status", "tid",
    "tls", "tls_name", "t1", "t2", "t3", "upstream", "upstream_status", "url", "user",
)  # fmt: skip
_REQUEST: Final = r"^(?P<rmethod>[A-Za-z_-]+) (?P<rurl>.*?)(?: (?P<rprotocol>HTTPS?/[0-9.]+|HTTP/\S+|-))?$"
# What Amazon's balancers write for the request of a connection that none came by.
_NOTHING: Final = r"^- - - ?$"
_NO_PATH: Final = r"^(\w+://[^/]+:\d+)-$"
# What nginx appends to its messages, and what Apache says of people.
_SAID: Final = {
    "client": r"client:? (\[?[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]+\]?(?::\d+)?|unix:)",
    "host": r'host: "([^"]*)"',
    "request": r'request: "((?:[^"\\]|\\.)*)"',
    "user": r'(?:login: "|user "|(?:^|: )user )([^",:\s]+)',
    "upstream": r'upstream: "?([^",]+)',
    "referrer": r'referrer: "([^"]*)"',
    "listen": r"(?:server: |connected to )(\S+:\d+)",
    "url": r"(?:not found|authentication failure for|access to) ?:? \"?(/[^\",\s]*)",
}
_DATASETS: Final = {
    "haproxy.http": "haproxy.log", "haproxy.tcp": "haproxy.log", "haproxy.error": "haproxy.log",
    "haproxy.connect": "haproxy.log", "apache.ssl_request": "apache.access",
    "aws.elb_tls": "aws.elb_logs",
}  # fmt: skip
_PRIVATE: Final = r"^(?:10\.|127\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.|f[cd]|fe80|::1$|[^0-9a-fA-F:.])"
_REFUSED_FROM: Final = 400


def events(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The events, and those rows that have no time or are of no form."""
    absent = [name for name in _PARTS if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    frame = frame.with_columns(_moment(frame, source), *_said())
    bad = frame["@timestamp"].is_null() | frame["form"].is_null()
    lost, frame = frame.filter(bad).select(FRAME), frame.filter(~bad)
    if not frame.height:
        return frame, lost
    frame = frame.with_columns(
        pl.when(~pl.col(name).is_in(["", "-"])).then(name).alias(name) for name in _PARTS if name != "form"
    )
    frame = frame.with_columns(pl.col("request").str.replace(_NOTHING, ""))
    parts = frame["request"].str.extract_groups(_REQUEST).struct.unnest()
    frame = (
        frame.hstack(parts)
        .with_columns(_client().alias("~client"))
        .with_columns(
            pl.coalesce("method", pl.when(pl.col("rmethod") != "-").then("rmethod")).alias("method"),
            pl.coalesce("url", pl.col("rurl").str.replace(_NO_PATH, "$1")).alias("url.original"),
            pl.coalesce("protocol", "rprotocol").str.extract(r"HTTPS?/(.+)$", 1).alias("http.version"),
            *_ends(),
            _dataset(source),
        )
    )
    frame = url_columns(frame)
    frame = frame.with_columns(*_request(), *_server())
    described = connection.described(frame)
    related = ecs.relations(
        described,
        ip=("source.ip", "destination.ip"),
        user=("user.name", "owner"),
        hosts=("url.domain", "source.domain"),
    )
    known = ecs.only(related, "haproxy")
    own = [name for name in related.columns if name.startswith(("traefik.", "aws."))]
    return known.hstack(related.select(own)), lost


def _moment(frame: pl.DataFrame, source: Source) -> pl.Expr:
    zoned = pl.col("date").str.to_datetime(
        "%d/%b/%Y:%H:%M:%S %z", strict=False, time_unit="us", time_zone="UTC"
    )
    local = pl.coalesce(
        pl.col("localdate").str.to_datetime("%d/%b/%Y:%H:%M:%S%.f", strict=False, time_unit="us"),
        pl.col("date").str.to_datetime("%d/%b/%Y:%H:%M:%S", strict=False, time_unit="us"),
        pl.col("errordate").str.to_datetime("%a %b %d %H:%M:%S%.f %Y", strict=False, time_unit="us"),
        pl.col("slashed").str.to_datetime("%Y/%m/%d %H:%M:%S", strict=False, time_unit="us"),
    )
    iso = _universal("iso")
    given = [pl.col("moment")] if "moment" in frame.columns else []
    placed = zones.utc(local, source.zone)
    return pl.coalesce(zoned, iso, *given, placed).dt.cast_time_unit("us").alias("@timestamp")


def _universal(part: str) -> pl.Expr:
    """A time of ISO 8601, of UTC where it names no zone."""
    zoned = pl.col(part).str.replace(r"(\d)$", "${1}Z")
    return zoned.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")


def _said() -> list[pl.Expr]:
    """Parts that an error's message has in words."""
    worded = pl.col("message").is_not_null()
    return [
        pl.coalesce(name, pl.when(worded).then(pl.col("message").str.extract(form, 1))).alias(name)
        if name in _PARTS
        else pl.when(worded).then(pl.col("message").str.extract(form, 1)).alias(name)
        for name, form in _SAID.items()
    ]


def _client() -> pl.Expr:
    """The client is the first public address of those that passed the request on, else the first of them."""
    return _outermost(pl.coalesce("forwarded", "forwarded_list", "client"))


def _outermost(given: pl.Expr) -> pl.Expr:
    many = pl.when(given.str.contains(",", literal=True)).then(given).str.split(",")
    each = many.list.eval(pl.element().str.strip_chars(' "'))
    outside = each.list.eval(
        pl.when(~pl.element().str.contains(_PRIVATE)).then(pl.element())
    ).list.drop_nulls()
    return pl.coalesce(outside.list.first(), each.list.first(), given.str.strip_chars(' "'))


def _ends() -> list[pl.Expr]:
    """Both ends of a request, out of `~client` and what says where it went."""
    chosen = pl.coalesce(address(pl.col("~client")), "~client")
    to = pl.coalesce(
        "listen", pl.col("upstream").str.replace(r"^\w+://", ""), "local", pl.col("host")
    ).str.extract(r"^([^/]+)", 1)  # fmt: skip
    ip = address(to)
    named = pl.col("form").str.contains("^(?:haproxy|aws.elb)") & pl.col("tls_name").is_not_null()
    site = pl.coalesce(pl.col("host").str.extract(r"^(\[[^\]]+\]|[^:]+)", 1), pl.when(named).then("tls_name"))
    port = pl.coalesce(
        "port", pl.coalesce("peer", "client").str.extract(r"^(?:\[[^\]]*\]|[0-9.]+):(\d+)$", 1)
    )
    behind = pl.col("rest").str.extract(r'X-Forwarded-For="([^"-][^"]*)"', 1)
    forwarded = pl.coalesce("forwarded", "forwarded_list", behind)
    return [
        *ecs.address("source", chosen)[1:],
        pl.coalesce(pl.when(pl.col("form") == "traefik.access").then("peer"), chosen).alias("source.address"),
        port.cast(pl.Int64, strict=False).alias("source.port"),
        ip.alias("destination.ip"),
        pl.when(ecs.is_ip(ip)).then(ip).otherwise(site).alias("destination.address"),
        pl.when(~ecs.is_ip(site)).then(site).alias("destination.domain"),
        pl.coalesce(
            "localport",
            pl.when(ip.is_not_null()).then(to.str.extract(r":(\d+)$", 1)),
            pl.when(pl.col("form") == "access").then(pl.col("host").str.extract(r"^[^:]+:(\d+)$", 1)),
        )
        .cast(pl.Int64, strict=False)
        .alias("destination.port"),
        pl.when(behind.is_not_null()).then(_outermost(behind)).alias("client.ip"),
        forwarded.str.extract(r"^\s*([^,\s]+)", 1).alias("network.forwarded_ip"),
    ]


def _dataset(source: Source) -> pl.Expr:
    combined = "nginx.access" if "nginx" in source.path.lower() else "apache.access"
    through = pl.col("rest").str.contains(r'^ \d+ "[^"]*" "[^"]*" \d+ms')
    plain = pl.when(through).then(pl.lit("traefik.access")).otherwise(pl.lit(combined))
    return (
        pl.when(pl.col("form") == "access")
        .then(plain)
        .otherwise(pl.col("form").replace(_DATASETS))
        .alias("event.dataset")
    )


_LISTS: Final = pl.List(pl.String)
_THROUGH: Final = r'^ (?P<count>\d+) "(?P<front>[^"]*)" "(?P<back>[^"]*)" (?P<ms>\d+)ms'
_PRODUCTS: Final = {
    "traefik": "traefik", "haproxy": "HAProxy", "caddy": "Caddy", "envoy": "Envoy", "fastly": "Fastly",
}  # fmt: skip


def _request() -> list[pl.Expr]:
    """What was asked for, how it went and how long it took."""
    form = pl.col("form")
    known = pl.coalesce("status", pl.when(form == "nginx_proxy_manager.access").then("upstream_status"))
    status = known.cast(pl.Int64, strict=False)
    error = form.str.ends_with(".error")
    stored = form == "aws.s3access"
    balanced = form.is_in(["aws.elb_logs", "aws.elb_tls"])
    web = ~form.is_in(["haproxy.tcp", "haproxy.error", "haproxy.connect"]) & ~(balanced & status.is_null())
    received = pl.col("bytes_in").cast(pl.Int64, strict=False)
    failed = pl.col("message").str.contains(r"(?i)fail|not found|denied|mismatch|not supported")
    size = pl.col("bytes").cast(pl.Int64, strict=False)
    site = pl.col("host").str.extract(r"^(\[[^\]]+\]|[^:]+)", 1)
    elapsed = _elapsed()
    began = pl.col("@timestamp") - pl.duration(microseconds=elapsed // 1000)
    return [
        pl.lit("event").alias("event.kind"),
        pl.when(web).then(pl.lit(["web"], _LISTS))
        .when(pl.col("mode") == "HTTP").then(pl.lit(["web", "network"], _LISTS))
        .otherwise(pl.lit(["network"], _LISTS))
        .alias("event.category"),
        pl.when(error).then(pl.lit(["error"], _LISTS))
        .when(form == "haproxy.connect").then(pl.lit(["connection"], _LISTS))
        .otherwise(pl.lit(["access"], _LISTS))
        .alias("event.type"),
        pl.col("operation").alias("event.action"),
        pl.when(stored).then("id").alias("event.id"),
        pl.when(stored).then("error").alias("event.code"),
        pl.when((status >= _REFUSED_FROM) | (stored & pl.col("error").is_not_null())).then(pl.lit("failure"))
        .when((status > 0) | stored).then(pl.lit("success"))
        .when(failed).then(pl.lit("failure")).alias("event.outcome"),
        elapsed.alias("event.duration"),
        pl.when(balanced).then("@timestamp").alias("event.end"),
        pl.when(balanced).then(pl.coalesce(_universal("created"), began)).alias("event.start"),
        status.alias("http.response.status_code"),
        pl.when(form == "haproxy.http").then(size).alias("http.response.bytes"),
        pl.when(web).then(size).alias("http.response.body.bytes"),
        pl.when(~web).then(pl.when(balanced).then(received).otherwise(size)).alias("source.bytes"),
        pl.when(~web & balanced).then(size).alias("destination.bytes"),
        pl.when(web).then(received).alias("http.request.bytes"),
        pl.col("method").alias("http.request.method"),
        pl.col("referrer").alias("http.request.referrer"),
        pl.col("agent").str.replace_all('\\"', '"', literal=True).alias("user_agent.original"),
        pl.coalesce(
            "url.domain",
            pl.when(form != "aws.s3access").then(site),
            pl.when(form == "haproxy.http").then("tls_name"),
        ).alias("url.domain"),
        pl.coalesce("url.scheme", "scheme").alias("url.scheme"),
        pl.col("user").alias("user.name"),
        pl.col("user").alias("source.user.name"),
    ]  # fmt: skip


def _elapsed() -> pl.Expr:
    milliseconds = pl.coalesce("ms", pl.col("rest").str.extract_groups(_THROUGH).struct.field("ms"))
    spent = [pl.col(name).cast(pl.Float64, strict=False) for name in ("t1", "t2", "t3")]
    seconds = pl.sum_horizontal(pl.when(part >= 0).then(part) for part in spent)
    return (
        pl.coalesce(
            pl.col("nanoseconds").cast(pl.Float64, strict=False),
            pl.col("seconds").cast(pl.Float64, strict=False) * 1e9,
            pl.when(milliseconds.cast(pl.Float64, strict=False) >= 0).then(
                milliseconds.cast(pl.Float64, strict=False) * 1e6
            ),
            pl.when(pl.col("form") == "aws.elb_logs").then(seconds * 1e9),
        )
        .round()
        .cast(pl.Int64, strict=False)
    )


def _server() -> list[pl.Expr]:
    """Who answered, through what, and what only one product says."""
    kept_in_s3 = pl.col("form") == "aws.s3access"
    product = pl.col("event.dataset").str.extract(r"^(\w+)", 1)
    vendor = product.replace_strict(_PRODUCTS, default=None, return_dtype=pl.String)
    back = pl.col("rest").str.extract_groups(_THROUGH).struct.field("back").str.replace(r"^\w+://", "")
    port = back.str.extract(r":(\d+)", 1).cast(pl.Int64, strict=False)
    return [
        pl.coalesce("destination.ip", address(back)).alias("destination.ip"),
        pl.coalesce("destination.address", back.str.extract("^([^/]+)", 1)).alias("destination.address"),
        pl.coalesce("destination.port", port).alias("destination.port"),
        pl.when(product.is_in(["traefik", "haproxy"]) | (pl.col("form") == "aws.elb_tls")).then(pl.lit("tcp"))
        .alias("network.transport"),
        pl.when(pl.col("form") == "aws.elb_logs").then("id").alias("trace.id"),
        pl.when(product == "aws").then(pl.lit("aws")).alias("cloud.provider"),
        vendor.alias("observer.vendor"),
        vendor.str.to_lowercase().alias("observer.product"),
        pl.when(vendor.is_not_null()).then(pl.lit("proxy")).alias("observer.type"),
        pl.col("ingress").alias("observer.ingress.interface.name"),
        pl.col("egress").alias("observer.egress.interface.name"),
        pl.col("tls").str.extract(r"[vV]([0-9.]+)$", 1).str.replace(r"^(\d)(\d)$", "${1}.${2}")
        .alias("tls.version"),
        pl.col("cipher").alias("tls.cipher"),
        pl.col("tls_name").alias("tls.client.server_name"),
        pl.col("level").alias("log.level"),
        pl.coalesce("pid_of", "pid").cast(pl.Int64, strict=False).alias("process.pid"),
        pl.col("program").alias("process.name"),
        pl.col("relay").alias("log.syslog.hostname"),
        pl.when(pl.col("form") == "fastly.access").then("relay").alias("host.name"),
        pl.col("city").alias("source.geo.city_name"),
        pl.col("country").alias("source.geo.country_name"),
        pl.col("requester").alias("client.user.id"),
        pl.coalesce("client.ip", pl.when(kept_in_s3).then("source.ip")).alias("client.ip"),
        pl.when(kept_in_s3).then("source.address").alias("client.address"),
        pl.col("bucket").alias("aws.s3access.bucket"),
        pl.col("key").alias("aws.s3access.key"),
        pl.when(kept_in_s3).then(pl.col("host").str.extract(r"s3[.-]([a-z]+-[a-z-]+-\d)\.", 1))
        .alias("cloud.region"),
        pl.col("frontend").alias("haproxy.frontend_name"),
        pl.col("backend").alias("haproxy.backend_name"),
        pl.col("server").alias("haproxy.server_name"),
        pl.col("state").alias("haproxy.termination_state"),
    ]  # fmt: skip
