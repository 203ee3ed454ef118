"""Zscaler Internet Access: the feeds of its Nanolog Streaming Service, and the service's own alerts.

Web, firewall, DNS, tunnel, audit, endpoint and e-mail DLP and SaaS logs, after "NSS Feed Output Format" (one
page a kind of log): as JSON (`{"sourcetype": "zscalernss-web", "event": {…}}`), as the `key=value` lines with
tabs that the feed for Splunk has, and web logs as the feed's default CSV. Mapping after Elastic's integration
`zscaler_zia`; where that lists several addresses or rules as one value, the client's own comes first here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import delimited, framing, json_table, syslog
from sensors.shapes.gateway_records import GatewayRecords, lifted, of_pairs
from sensors.shapes.mapping import only
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

_KIND: Final = "zscalernss-"
# Names of categories may hold bytes that JSON does not have.
_JSON_LINE: Final = re.compile(rb'\s*\{\s*(?:"version"\s*:\s*"\w+"\s*,\s*)?"sourcetype"\s*:\s*"zscalernss-')
_PAIRS: Final = re.compile(r"^[^=\t]{8,40}\t(?=.*\tproduct=NSS\b)(?=.*\tvendor=Zscaler\b)")
_CSV: Final = (
    "time", "login", "proto", "eurl", "action", "appname", "appclass", "reqsize", "respsize", "stime",
    "ctime", "urlclass", "urlsupercat", "urlcat", "malwarecat", "threatname", "riskscore", "dlpeng",
    "dlpdict", "location", "dept", "cip", "sip", "reqmethod", "respcode", "eua", "ereferer", "ruletype",
    "rulelabel", "contenttype", "unscannabletype", "deviceowner", "devicehostname", "keyprotectiontype",
)  # fmt: skip
_CSV_LINE: Final = re.compile(
    r'^"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} [\d:]{8} \d{4}","[^"]*","[A-Z_]+","[^"]*",'
    r'"(?:Allowed|Blocked|Cautioned|Isolated)"'
)
_ALERT: Final = re.compile(r"^<\d+>[A-Z][a-z]{2} +\d+ [\d:]{8} \[[^\]\s]+\] (?:ZscalerNSS: |\S)")
_ALERT_FORM: Final = (
    r"^\[(?P<host>[^\]\s]+)\] (?P<body>(?:ZscalerNSS: )?(?:(?P<what>[A-Za-z ]+? connection) )?.*)$"
)
_FEED: Final = (
    r'connection (?:"(?P<feed>[^"]*)" )?to +(?P<to>\[[^\]]+\]|[^\s:]+):(?P<port>\d+) lost and unavailable '
    r"for the past (?P<minutes>[\d.]+) minutes"
)
_BASE64: Final = ("b64url", "b64referer")
# Names that people give, in which the feed escapes what could divide its fields.
_ESCAPED: Final = (
    "login", "user", "elogin", "adminid", "user_name", "vpncredentialname", "dept", "department",
    "edepartment", "location", "elocation", "locationname", "loc", "devicename", "devicehostname",
    "deviceowner", "rulelabel", "urlfilterrulelabel", "filename", "upload_filename", "cltdomain", "company",
)  # fmt: skip
_HEX: Final = {f"%{code:02X}": chr(code) for code in range(0x20, 0x7F)}
_ESCAPES: Final = {form: char for code, char in _HEX.items() for form in {code, code.lower()}}


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record, parsed, names a feed of this service."""
    return str(record.get("sourcetype", "")).startswith(_KIND)


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """Records with what their feed encodes decoded: URLs in base64, names and URLs with `%40`."""
    frame = lifted(frame, "event.")
    encoded = [name for name in _BASE64 if name in frame.columns]
    frame = frame.with_columns(
        pl.coalesce(pl.col(name).str.decode("base64", strict=False).cast(pl.String, strict=False), name)
        for name in encoded
    )
    escaped = [
        name
        for name in _ESCAPED
        if name in frame.columns and frame[name].str.contains("%[2-7][0-9A-Fa-f]").any()
    ]
    return frame.with_columns(
        pl.col(name).str.replace_many(list(_ESCAPES), list(_ESCAPES.values())) for name in escaped
    )


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    """Events with whole URLs, sums of bytes, systems by name."""
    columns = []
    if "url.original" in frame.columns and "network.protocol" in frame.columns:
        secured = pl.col("network.protocol").is_in(["ssl", "https"])
        scheme = pl.when(secured).then(pl.lit("https")).otherwise(pl.lit("http"))
        plain = pl.col("url.original").str.contains("://", literal=True)
        full = (
            pl.when(plain)
            .then("url.original")
            .otherwise(pl.concat_str(scheme, pl.lit("://"), pl.col("url.original")))
        )
        columns += [full.alias("url.original"), full.alias("url.full"), *_scheme(frame, scheme)]
    if {"source.bytes", "destination.bytes"} <= set(frame.columns):
        ends = (pl.col(name).cast(pl.Int64, strict=False) for name in ("source.bytes", "destination.bytes"))
        both = pl.sum_horizontal(*ends, ignore_nulls=False)
        columns.append(
            pl.when(pl.col("event.dataset") == "zscaler_zia.firewall").then(both).alias("network.bytes")
        )
    if "dns.answers.data" in frame.columns:
        answer = pl.col("dns.answers.data")
        columns.append(pl.when(ecs.is_ip(answer)).then(answer).alias("dns.resolved_ip"))
    return frame.with_columns(columns)


def _scheme(frame: pl.DataFrame, scheme: pl.Expr) -> list[pl.Expr]:
    """The scheme of URLs that do not say it, by the protocol."""
    said = pl.col("url.scheme") if "url.scheme" in frame.columns else pl.lit(None, pl.String)
    domain = pl.col("url.domain") if "url.domain" in frame.columns else pl.lit(None, pl.String)
    return [pl.when(domain.is_not_null()).then(pl.coalesce(said, scheme)).alias("url.scheme")]


_RECORDS: Final = GatewayRecords("zscaler_zia", _fits, ("sourcetype",), _prepared, _finished)


class ZscalerZia:
    """The sensor."""

    name = "zscaler_zia"

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether the records name a feed, or most lines are of the feed in pairs, in CSV, or alerts."""
        return _RECORDS.sniff(head, name) or bool(_JSON_LINE.match(head)) or _form(head) is not None

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        form = _form(source.head)
        clock = syslog.Clock(source)
        if form is _PAIRS:
            for lines in framing.lines(source):
                yield from _RECORDS.events(_of_pairs(lines, source), source, clock)
        elif form is _CSV_LINE:
            for lines in delimited.records(source):
                table = delimited.table(lines, _CSV, ",", source).rename({"sample": "text"})
                table = table.with_columns(pl.lit("zscalernss-web").alias("sourcetype"))
                real = pl.col("time").is_not_null()
                yield from _RECORDS.events(json_table.kept(table, real, source, "no web log"), source, clock)
        elif form is _ALERT:
            yield from syslog.events(source, _alert, _alerts, "no alert of a Nanolog Streaming Service")
        else:
            for frame in json_table.records(source):
                plain = pl.col("text").str.replace_all("\0", " ", literal=True)
                yield from _RECORDS.events(json_table.table(frame.with_columns(plain), source), source, clock)


SENSOR: Final = ZscalerZia()


def _form(head: bytes) -> re.Pattern[str] | None:
    """Which form of lines a source has that begins so, if it is no JSON."""
    lines = [line for line in framing.text_head(head).splitlines() if line.strip()][:50]
    for form in (_PAIRS, _CSV_LINE):
        if lines and 2 * sum(bool(form.search(line)) for line in lines) > len(lines):
            return form
    named = sum("ZscalerNSS: " in line for line in lines)
    return _ALERT if named and all(_ALERT.search(line) for line in lines) else None


def _of_pairs(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Lines `time<tab>reason=…<tab>event_id=…` as shredded records."""
    table = of_pairs(lines, "\t", source, "no line of an NSS feed")
    stamp = pl.col("text").str.extract(r"^\s*(?:<[0-9]+>)?([^=\t]{8,40})\t", 1)
    of_firewall, of_dns = (
        json_table.text(table, *keys).is_not_null() for keys in (("nwsvc", "cdip"), ("dns_req", "clt_sip"))
    )
    kind = (
        pl.when(of_firewall)
        .then(pl.lit("zscalernss-fw"))
        .when(of_dns)
        .then(pl.lit("zscalernss-dns"))
        .otherwise(pl.lit("zscalernss-web"))
    )
    return table.with_columns(
        pl.coalesce(json_table.text(table, "datetime", "time"), stamp).alias("datetime"),
        pl.coalesce(json_table.text(table, "sourcetype"), kind).alias("sourcetype"),
    )


def _alert(lines: pl.DataFrame) -> pl.DataFrame:
    parts = lines["rest"].str.extract_groups(_ALERT_FORM).struct.unnest()
    feed = parts["body"].str.extract_groups(_FEED).struct.unnest()
    return lines.hstack(parts).hstack(feed)


def _alerts(frame: pl.DataFrame) -> pl.DataFrame:
    """What the service says of itself: a feed's receiver, and for how long it has not been there."""
    to = pl.coalesce("to", "host").str.strip_chars("[]")
    body = pl.coalesce("body", "rest")
    down = pl.col("minutes").is_not_null()
    frame = frame.with_columns(*ecs.address("destination", to), *syslog.common(frame))
    frame = frame.with_columns(
        pl.lit("zscaler_zia.alerts").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit("Zscaler").alias("observer.vendor"),
        pl.lit("ZIA").alias("observer.product"),
        pl.lit(["network"], pl.List(pl.String)).alias("event.category"),
        pl.when(down)
        .then(pl.lit(["error"], pl.List(pl.String)))
        .otherwise(pl.lit(["info"], pl.List(pl.String)))
        .alias("event.type"),
        pl.when(down).then(pl.lit("connection-lost")).alias("event.action"),
        pl.col("port").cast(pl.Int64, strict=False).alias("destination.port"),
        only(body, "").alias("message"),
        pl.col("feed").alias("zscaler_zia.alerts.log_feed_name"),
        pl.col("minutes").alias("zscaler_zia.alerts.connection_lost_minutes"),
        pl.when(~down).then("text").alias("event.original"),
    )
    return ecs.only(ecs.relations(frame, ip=("destination.ip",)), "zscaler_zia")
