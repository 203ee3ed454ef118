"""Logs in W3C's extended format: IIS' access log and Blue Coat's (ProxySG's) `main`.

https://www.w3.org/TR/WD-logfile; fields after https://learn.microsoft.com/windows/win32/http/w3c-logging and
the ProxySG log fields reference. A line `#Fields:` names them; lines without one are read by the first of the
usual orders that fits. Times are UTC. Mapping after Elastic's `iis.access` and `proxysg.log`.
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing
from sensors.reading.losses import name_lost
from sensors.shapes.mapping import address
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_ANY: Final = r'"[^"]*"|\S+'
_NUMBER: Final = r"-?[0-9]+|-"
_IP: Final = r"\[?[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]+(?:%\w+)?(?:\]\([^)]*\))?|-"
_SHAPES: Final = {
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "time": r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?", "s-ip": _IP,
    "c-ip": _IP, "s-port": _NUMBER, "sc-status": r"[0-9]{3}|-", "sc-substatus": _NUMBER,
    "sc-win32-status": _NUMBER, "time-taken": _NUMBER, "sc-bytes": _NUMBER, "cs-bytes": _NUMBER,
    "cs-method": r"[A-Z_-]+|-", "s-sitename": r"W3SVC[0-9]+", "cs-version": r"HTTP/[0-9.]+",
    "cs-uri-port": _NUMBER, "s-action": r"[A-Z_]+", "x-forwarded-for": r"[0-9a-fA-F:.,+]+|-",
    "s-supplier-failures": _NUMBER, "cs-cipher-size": _NUMBER, "rs-cipher-size": _NUMBER,
    "c-port": _NUMBER, "sc-filter-result": r"[A-Z_]+|-", "cs-uri-scheme": r"[a-z]+|-",
}  # fmt: skip
_WHAT: Final = "cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
_HOW: Final = "sc-status sc-substatus sc-win32-status"
_PROXY: Final = (
    "date time time-taken c-ip sc-status s-action sc-bytes cs-bytes cs-method cs-uri-scheme cs-host "
    "cs-uri-port cs-uri-path cs-uri-query cs-username cs-auth-group"
)
_FILTER: Final = "rs(content-type) cs(referer) cs(user-agent) sc-filter-result cs-categories x-virus-id s-ip"
_COOKIE: Final = "cs(user-agent) cs(cookie) cs(referer)"
_ALL: Final = f"{_HOW} sc-bytes cs-bytes time-taken"
_AGENT: Final = "cs(user-agent) cs(referer)"
_TAILS: Final = ("", " x-forwarded-for", " x-forwarded-for c-port")
# Blue Coat's own formats, longer than the others.
REPORTED: Final = tuple(tomllib.loads((files("sensors") / "w3c_extended.toml").read_text("utf-8")).values())
ORDERS: Final = (
    *REPORTED,
    f"{_PROXY} s-supplier-name {_FILTER}",
    f"{_PROXY} s-hierarchy s-supplier-name {_FILTER}",
    f"{_PROXY} s-supplier-ip {_FILTER}",
    *(f"date time s-ip {_WHAT} {_AGENT} {_HOW} time-taken{tail}" for tail in _TAILS),
    *(f"date time s-ip {_WHAT} cs(user-agent) {_HOW} time-taken{tail}" for tail in _TAILS[:1]),
    *(f"date time s-computername s-ip {_WHAT} {_AGENT} {_HOW} time-taken{tail}" for tail in _TAILS),
    *(f"date time s-ip {_WHAT} {_COOKIE} {_HOW} time-taken{tail}" for tail in _TAILS[:2]),
    f"date time s-sitename {_WHAT} {_COOKIE} cs-host {_ALL}",
    *(
        f"date time s-sitename s-computername s-ip {_WHAT} cs-version {_COOKIE} cs-host {_ALL}{tail}"
        for tail in _TAILS
    ),
)
_MORE: Final = frozenset(
    {"cs-uri", "c-agent", "cs-uri-extension", "r-ip", "s-supplier-ip", "x-exception-id",
     "x-bluecoat-application-name", "x-cs-connection-negotiated-ssl-version",
     "x-cs-connection-negotiated-cipher"}
)  # fmt: skip
_KNOWN: Final = frozenset(" ".join(ORDERS[len(REPORTED) :]).split()) | _MORE
_OWN: Final = {
    "s-action": "action", "sc-filter-result": "filter_result", "cs-categories": "categories",
    "x-virus-id": "virus_id", "s-supplier-name": "supplier_name", "cs-auth-group": "auth_group",
    "s-hierarchy": "hierarchy", "x-exception-id": "exception_id",
    "x-bluecoat-application-name": "application",
}  # fmt: skip
_IIS: Final = {"sc-substatus": "sub_status", "sc-win32-status": "win32_status", "s-sitename": "site_name"}
_REFUSED_FROM: Final = 400


class W3cExtended:
    """The sensor."""

    name = "w3c_extended"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether a line names a web server's fields, or half of the lines have them in a usual order."""
        lines = [line.rstrip("\r") for line in framing.text_head(head).split("\n")[:60] if line.strip()]
        if any(_fields(line) for line in lines[:12]):
            return True
        forms = [re.compile(_pattern(order.split(), strict=True)) for order in ORDERS]
        told = sum(any(form.match(line) for form in forms) for line in lines if not line.startswith("#"))
        return told > 0 and 2 * told >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per request; lines that begin with `#` are no records."""
        order: list[str] = []
        for lines in framing.lines(source):
            parts, order = _parted(lines, order)
            parts = parts.with_columns(
                pl.concat_str("date", pl.lit(" "), pl.coalesce("time", pl.lit("00:00:00")))
                .str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us", time_zone="UTC")
                .alias("@timestamp")
            )
            lost = parts["@timestamp"].is_null()
            if lost.any():
                name_lost(parts.filter(lost), "not a request in the named or a usual order of fields", source)
            if not lost.all():
                yield _mapped(parts.filter(~lost))


SENSOR: Final = W3cExtended()


def _fields(line: str) -> list[str]:
    """The fields' names in small letters, if the line is of a web server's or proxy's."""
    if not line.startswith("#Fields:") or " x-edge-location " in line:  # CloudFront has a sensor of its own
        return []
    names = line.partition(":")[2].lower().split()
    return (
        names
        if {"cs-method", "cs-uri-stem", "cs-uri-path", "cs-uri"} & set(names) and "date" in names
        else []
    )


def _pattern(names: list[str], *, strict: bool) -> str:
    shapes = [_SHAPES.get(name, _ANY) if strict else _ANY for name in names]
    return "^" + " +".join(f"(?P<f{at}>{shape})" for at, shape in enumerate(shapes)) + r"\s*$"


def _parted(lines: pl.DataFrame, order: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """The fields of each record, by the line of names before it or the first usual order that fits."""
    heads = lines["text"].str.starts_with("#Fields:")
    starts = [0, *heads.arg_true().to_list(), lines.height]
    pieces = []
    for first, end in pairwise(starts):
        part = lines.slice(first, end - first)
        if part.height and heads[first]:
            order = _fields(part["text"][0]) or order
        records = part.filter(~part["text"].str.starts_with("#"))
        orders = [order] if order else [known.split() for known in ORDERS]
        for names in orders:
            found = records["text"].str.extract_groups(_pattern(names, strict=not order)).struct.unnest()
            fits = found["f0"].is_not_null()
            named = found.rename({f"f{at}": name for at, name in enumerate(dict.fromkeys(names))})
            pieces.append(records.filter(fits).hstack(named.filter(fits)))
            records = records.filter(~fits)
        pieces.append(records)
    whole = pl.concat(pieces, how="diagonal").sort("log.offset")
    absent = [name for name in sorted(_KNOWN) if name not in whole.columns]
    return whole.with_columns(pl.lit(None, pl.String).alias(name) for name in absent), order


def _mapped(frame: pl.DataFrame) -> pl.DataFrame:
    told = sorted(_KNOWN - {"date", "time"})
    plain = pl.col(told).str.strip_chars('"')
    frame = frame.with_columns(plain).with_columns(
        pl.when(~pl.col(name).is_in(["-", ""])).then(name).alias(name) for name in told
    )
    proxy = pl.col("s-action").is_not_null()
    frame = frame.with_columns(
        pl.col("cs-username").alias("~user"),
        *(pl.when(proxy).then(pl.col(name))
          .otherwise(pl.col(name).str.replace_all("+", " ", literal=True)).alias(name)
          for name in ("cs(user-agent)", "cs-uri-query")),
        *(pl.col(name).str.extract(r"^\[?([^\]]+)", 1).alias(name) for name in ("c-ip", "s-ip")),
    )  # fmt: skip
    frame = ecs.person(frame, "~user", "user", "source.user")
    status = pl.col("sc-status").cast(pl.Int64, strict=False)
    whole = {
        name: pl.col(name).cast(pl.Int64, strict=False) for name in ("sc-bytes", "cs-bytes", "time-taken")
    }
    path = pl.coalesce("cs-uri-stem", "cs-uri-path")
    lists = pl.List(pl.String)
    server = pl.when(~proxy).then("s-ip")
    bare = {name: pl.col(name).str.extract("^([^%]+)", 1) for name in ("c-ip", "s-ip")}
    events = frame.with_columns(
        pl.when(proxy).then(pl.lit("proxysg.log")).otherwise(pl.lit("iis.access")).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["web", "network"], lists).alias("event.category"),
        pl.lit(["connection"], lists).alias("event.type"),
        pl.col("s-action").alias("event.action"),
        pl.when(status >= _REFUSED_FROM).then(pl.lit("failure")).when(status > 0).then(pl.lit("success"))
        .alias("event.outcome"),
        (whole["time-taken"] * 1_000_000).alias("event.duration"),
        pl.col("c-ip").alias("source.address"),
        pl.when(ecs.is_ip(bare["c-ip"])).then(bare["c-ip"]).alias("source.ip"),
        pl.col("c-port").cast(pl.Int64, strict=False).alias("source.port"),
        server.alias("destination.address"),
        pl.when(~proxy & ecs.is_ip(bare["s-ip"])).then(bare["s-ip"]).alias("destination.ip"),
        pl.col("s-port").cast(pl.Int64, strict=False).alias("destination.port"),
        pl.col("cs-host").str.extract("^([^:]+)", 1).alias("destination.domain"),
        pl.col("cs-host").str.extract("^([^:]+)", 1).alias("url.domain"),
        pl.when(proxy).then(pl.col("cs-host").str.extract("^([^:]+)", 1)).alias("~site"),
        pl.col("cs-uri-port").cast(pl.Int64, strict=False).alias("url.port"),
        pl.col("cs-uri-scheme").alias("url.scheme"),
        path.alias("url.path"),
        pl.when(~proxy).then(path).alias("url.original"),
        path.str.extract(r"[^/.]\.([A-Za-z0-9]{1,16})$", 1).alias("url.extension"),
        pl.col("cs-uri-query").alias("url.query"),
        pl.col("cs-method").alias("http.request.method"),
        pl.col("cs(referer)").alias("http.request.referrer"),
        pl.col("cs-version").str.strip_prefix("HTTP/").alias("http.version"),
        status.alias("http.response.status_code"),
        pl.when(~proxy).then(whole["sc-bytes"]).alias("http.response.body.bytes"),
        pl.when(~proxy).then(whole["cs-bytes"]).alias("http.request.body.bytes"),
        pl.col("rs(content-type)").alias("http.response.mime_type"),
        pl.col("x-cs-connection-negotiated-ssl-version").str.extract(r"v([0-9.]+)$", 1).alias("tls.version"),
        pl.col("x-cs-connection-negotiated-cipher").alias("tls.cipher"),
        pl.col("cs(user-agent)").alias("user_agent.original"),
        pl.col("s-computername").str.to_lowercase().alias("host.name"),
        pl.when(proxy).then(bare["c-ip"]).alias("client.ip"),
        pl.when(proxy).then(whole["cs-bytes"]).alias("client.bytes"),
        pl.when(proxy).then(whole["sc-bytes"]).alias("server.bytes"),
        pl.when(proxy).then(bare["s-ip"]).alias("server.ip"),
        pl.when(proxy).then("user.name").alias("client.user.name"),
        address(pl.col("x-forwarded-for").str.extract("^([^,+]+)", 1)).alias("network.forwarded_ip"),
        pl.when(proxy).then(pl.lit("Broadcom")).alias("observer.vendor"),
        pl.when(proxy).then(pl.lit("ProxySG")).alias("observer.product"),
        pl.when(proxy).then(pl.lit("proxy")).alias("observer.type"),
        *(pl.col(name).alias(f"proxysg.{field}") for name, field in _OWN.items()),
        *(pl.col(name).alias(f"iis.{field}") for name, field in _IIS.items()),
    )  # fmt: skip
    related = ecs.relations(
        events,
        ip=("source.ip", "destination.ip", "server.ip"),
        user=("user.name",),
        hosts=("~site", "host.name"),
    )
    own = [name for name in related.columns if name.startswith("iis.")]
    return ecs.only(related, "proxysg").hstack(related.select(own))
