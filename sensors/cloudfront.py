"""Amazon CloudFront's standard access logs: requests at the edge, in W3C's extended format.

Fields after https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html:
tabs between them, blanks and other signs in them as `%20`. A line `#Fields:` names them; lines without one
are in the documented order, of which a log may have the beginning. Times are UTC. Mapping after Elastic's
`aws.cloudfront_logs`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.shapes.mapping import address
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

ORDER: Final = (
    "date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(host)", "cs-uri-stem",
    "sc-status", "cs(referer)", "cs(user-agent)", "cs-uri-query", "cs(cookie)", "x-edge-result-type",
    "x-edge-request-id", "x-host-header", "cs-protocol", "cs-bytes", "time-taken", "x-forwarded-for",
    "ssl-protocol", "ssl-cipher", "x-edge-response-result-type", "cs-protocol-version", "fle-status",
    "fle-encrypted-fields", "c-port",
    "time-to-first-byte", "x-edge-detailed-result-type", "sc-content-type", "sc-content-len",
    "sc-range-start", "sc-range-end",
)  # fmt: skip
_LINE: Final = (
    r"^\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d\t[A-Z0-9-]+\t(?:\d+|-)\t[0-9A-Fa-f.:]+\t"
    r"[A-Z]+\t\S+\t\S+\t(?:\d{3}|-)\t"
)
_SIGNS: Final = {f"%{code:02X}": chr(code) for code in range(0x20, 0x7F) if chr(code) != "%"}
_REFUSED_FROM: Final = 400
_TEXT: Final = {
    "http.request.method": "cs-method", "http.request.referrer": "cs(referer)", "url.scheme": "cs-protocol",
    "url.path": "cs-uri-stem", "url.query": "cs-uri-query", "http.response.mime_type": "sc-content-type",
    "event.id": "x-edge-request-id", "tls.cipher": "ssl-cipher", "aws.cloudfront.domain": "cs(host)",
    "aws.cloudfront.edge_location": "x-edge-location",
    "aws.cloudfront.edge_result_type": "x-edge-result-type",
    "aws.cloudfront.edge_detailed_result_type": "x-edge-detailed-result-type",
}  # fmt: skip
_NUMBERS: Final = {
    "http.response.bytes": "sc-bytes", "http.request.bytes": "cs-bytes", "source.port": "c-port",
    "http.response.body.bytes": "sc-content-len", "http.response.status_code": "sc-status",
}  # fmt: skip


class CloudFront:
    """The sensor."""

    name = "cloudfront"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - names are those of distributions
        """Whether a line names CloudFront's fields, or half of the lines are in its order."""
        lines = [line for line in framing.text_head(head).splitlines()[:60] if line.strip()]
        if any(_named(line) for line in lines[:5]):
            return True
        told = sum(bool(re.match(_LINE, line)) and line.count("\t") > len(ORDER) // 3 for line in lines)
        return told > 0 and 2 * told >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per request; lines that begin with `#` are no records."""
        order = list(ORDER)
        for lines in framing.lines(source):
            parts, order = _parted(lines, order)
            clock = pl.concat_str("date", "time", separator=" ").str.to_datetime(
                "%Y-%m-%d %H:%M:%S", strict=False, time_unit="us", time_zone="UTC"
            )
            parts = parts.with_columns(clock.cast(TIME).alias("@timestamp"))
            lost = parts["@timestamp"].is_null() | parts["cs-method"].is_null()
            if lost.any():
                name_lost(parts.filter(lost), "not a request in the named or the usual order", source)
            if not lost.all():
                yield _mapped(parts.filter(~lost))


SENSOR: Final = CloudFront()


def _named(line: str) -> list[str]:
    """The fields' names in small letters, if a line names those of CloudFront."""
    names = line.partition(":")[2].lower().split() if line.startswith("#Fields:") else []
    return names if "x-edge-location" in names else []


def _parted(lines: pl.DataFrame, order: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """The fields of each record, by the line of names before it; the order stays for lines to come."""
    heads = lines["text"].str.starts_with("#Fields:")
    pieces = []
    for first, end in pairwise([0, *heads.arg_true().to_list(), lines.height]):
        part = lines.slice(first, end - first)
        if part.height and heads[first]:
            order = _named(part["text"][0]) or order
        records = part.filter(~part["text"].str.starts_with("#"))
        values = records["text"].str.strip_chars_end("\r").str.split("\t").list
        columns = [
            values.get(order.index(name), null_on_oob=True).alias(name) for name in ORDER if name in order
        ]
        pieces.append(records.hstack(columns))
    whole = pl.concat(pieces, how="diagonal")
    absent = [name for name in ORDER if name not in whole.columns]
    whole = whole.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    return whole.with_columns(
        pl.when(~pl.col(name).is_in(["-", ""])).then(name).alias(name) for name in ORDER
    ), order


def _decoded(name: str) -> pl.Expr:
    """Text with the signs for which `%xx` stands; CloudFront writes the `%` of clients as `%25`."""
    twice = pl.col(name).str.replace_all("%25", "%", literal=True)
    return twice.str.replace_many(list(_SIGNS), list(_SIGNS.values()), ascii_case_insensitive=True)


def _mapped(frame: pl.DataFrame) -> pl.DataFrame:
    lists = pl.List(pl.String)
    status = pl.col("sc-status").cast(pl.Int64, strict=False)
    client = pl.col("c-ip")
    site = pl.coalesce("x-host-header", "cs(host)").str.extract(r"^(\[[^\]]+\]|[^:]+)", 1)
    query = pl.when(pl.col("cs-uri-query").is_not_null()).then(pl.lit("?") + pl.col("cs-uri-query"))
    events = frame.with_columns(
        pl.lit("aws.cloudfront_logs").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["web"], lists).alias("event.category"),
        pl.lit(["access"], lists).alias("event.type"),
        pl.col("x-edge-result-type").str.to_lowercase().alias("event.action"),
        pl.when(status >= _REFUSED_FROM).then(pl.lit("failure")).when(status > 0).then(pl.lit("success"))
        .alias("event.outcome"),
        (pl.col("time-taken").cast(pl.Float64, strict=False) * 1e9).round().cast(pl.Int64, strict=False)
        .alias("event.duration"),
        client.alias("source.address"),
        pl.when(ecs.is_ip(client)).then(client).alias("source.ip"),
        address(_decoded("x-forwarded-for").str.extract(r"^([^,]+)", 1)).alias("network.forwarded_ip"),
        site.alias("url.domain"),
        site.alias("destination.domain"),
        pl.concat_str([pl.col("cs-uri-stem"), query], ignore_nulls=True).alias("url.original"),
        pl.col("cs-uri-stem").str.extract(r"[^/.]\.([A-Za-z0-9]{1,16})$", 1).alias("url.extension"),
        pl.col("cs-protocol-version").str.extract(r"HTTPS?/([0-9.]+)", 1).alias("http.version"),
        pl.col("ssl-protocol").str.extract(r"v([0-9.]+)$", 1).alias("tls.version"),
        _decoded("cs(user-agent)").alias("user_agent.original"),
        pl.lit("aws").alias("cloud.provider"),
        *(pl.col(raw).alias(name) for name, raw in _TEXT.items()),
        *(pl.col(raw).cast(pl.Int64, strict=False).alias(name) for name, raw in _NUMBERS.items()),
    )  # fmt: skip
    related = ecs.relations(events, ip=("source.ip", "network.forwarded_ip"), hosts=("url.domain",))
    return ecs.only(related, "aws")
