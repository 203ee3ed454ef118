"""Squid's access.log: its own format, and the common and combined formats of web servers.

Formats after Squid's documentation of `logformat` (`squid`, `squidmime`, `common`, `combined`), with or
without a syslog header in front; mapping after Elastic's integration `squid`. The bytes are those sent to the
client.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.reading import framing, patterns
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.values import ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

# %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt, and for `squidmime` [%>h] [%<h]
_NATIVE_HEAD = (
    r"(?P<second>[0-9]{9,11})(?:\.(?P<fraction>[0-9]+))? +(?P<elapsed>-?[0-9]+) (?P<client>[^ ]+) "
    r"(?P<result>[A-Z_]+)/(?P<status>[0-9]+|-) (?P<bytes>[0-9]+|-) (?P<method>[^ ]+) "
)
_NATIVE_TAIL = (
    r"(?P<user>[^ ]+) (?P<hierarchy>[A-Z_]+)/(?P<peer>[^ ]+)"
    r"(?: (?P<mime>[^ \[][^\[]*))?(?:\[(?P<headers>.*)\])?$"
)
# %>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st ("%{Referer}>h" "%{User-Agent}>h") %Ss:%Sh
_COMMON = (
    r"(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<date>[^\]]+)\] "
    r'"(?P<method>\S+) (?P<url>.*?)(?: (?P<protocol>HTTP/\S+|-))?" (?P<status>[0-9]+|-) (?P<bytes>[0-9]+|-)'
    r'(?: "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")? '
    r"(?P<result>[A-Z]+(?:_[A-Z_]+)?):(?P<hierarchy>[A-Z_]+)\s*$"
)
FORMATS: Final = (
    rf"^{_NATIVE_HEAD}(?P<url>[^ ]+) {_NATIVE_TAIL}",
    rf"^{_NATIVE_HEAD}(?P<url>.*) {_NATIVE_TAIL}",
    rf"^{_COMMON}",
    rf"^.*?: +{_NATIVE_HEAD}(?P<url>.*) {_NATIVE_TAIL}",
    rf"^.*?: +{_COMMON}",
)
# Tried only where a word begins: from every letter of a long one it would take seconds for a head of bytes.
_LINE = re.compile(
    r"(?<!\S)(?:" + "|".join(re.sub(r"\?P<\w+>", "?:", form.lstrip("^")) for form in FORMATS[1:3]) + ")"
)
_FIELDS: Final = (
    "second", "fraction", "elapsed", "client", "result", "status", "bytes", "method", "url", "user",
    "hierarchy",    "peer", "mime", "date", "protocol", "referrer", "agent",
)  # fmt: skip
_NANOSECONDS: Final = 1_000_000  # in a millisecond
_REFUSED_FROM: Final = 400


class Squid:
    """The sensor."""

    name = "squid"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - access.log is every web server's name for it
        """Whether at least half of the lines end as only Squid's do: with how the object was found."""
        lines = framing.text_head(head).splitlines()
        told = [bool(_LINE.search(line)) for line in lines if line.strip()]
        return bool(told) and 2 * sum(told) >= len(told)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per request; a line of another form is named as unread."""
        for lines in framing.lines(source):
            parts = _parted(lines)
            timed = parts.with_columns(_time().cast(TIME).alias("@timestamp"))
            strange = timed["@timestamp"].is_null()
            if strange.any():
                name_lost(
                    timed.filter(strange), "not a line of Squid's native, common or combined format", source
                )
            if not strange.all():
                yield ecs.only(_mapped(timed.filter(~strange)), "squid")


def _parted(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with the parts of the first format that fits."""
    found = patterns.Extraction(lines["text"])
    left = np.arange(lines.height)
    for form in FORMATS:
        left = left[~found.fit(form, left)]
        if not len(left):
            break
    whole = lines.hstack(found.columns())
    missing = [name for name in _FIELDS if name not in whole.columns]
    return whole.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)


def _time() -> pl.Expr:
    """Seconds since 1970 with a fraction, or a web server's date with its zone."""
    fraction = pl.col("fraction").fill_null("0").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64)
    microseconds = pl.col("second").cast(pl.Int64) * 1_000_000 + fraction
    dated = pl.col("date").str.to_datetime(
        "%d/%b/%Y:%H:%M:%S %z", strict=False, time_unit="us", time_zone="UTC"
    )
    return pl.coalesce(microseconds.cast(TIME), dated)


def _mapped(frame: pl.DataFrame) -> pl.DataFrame:
    said = pl.col("peer", "mime", "referrer", "agent", "method", "url").str.strip_chars(" ")
    frame = frame.with_columns(said).with_columns(
        pl.when(~pl.col(name).is_in(["", "-"])).then(name)
        for name in ("peer", "mime", "referrer", "agent", "user", "method")
    )
    frame = url_columns(frame.with_columns(pl.col("url").alias("url.original")))
    frame = ecs.person(frame, "user", "source.user", "user")
    status = pl.col("status").cast(pl.Int64, strict=False)
    denied = pl.col("result").str.contains("DENIED", literal=True)
    elapsed = pl.col("elapsed").cast(pl.Int64, strict=False)
    lasted = elapsed >= 0
    site = pl.coalesce("peer", "url.domain")
    frame = frame.with_columns(
        *ecs.address("source", pl.col("client")),
        *ecs.address("destination", site),
        pl.lit("squid.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["web"], pl.List(pl.String)).alias("event.category"),
        pl.when(denied)
        .then(pl.lit(["access", "denied"], pl.List(pl.String)))
        .otherwise(pl.lit(["access"], pl.List(pl.String)))
        .alias("event.type"),
        pl.when(status >= _REFUSED_FROM)
        .then(pl.lit("failure"))
        .when(status > 0)
        .then(pl.lit("success"))
        .otherwise(pl.lit("unknown"))
        .alias("event.outcome"),
        pl.when(lasted).then(elapsed * _NANOSECONDS).alias("event.duration"),
        pl.when(lasted).then("@timestamp").alias("event.end"),
        pl.when(lasted).then(pl.col("@timestamp") - pl.duration(milliseconds=elapsed)).alias("event.start"),
        pl.col("bytes").cast(pl.Int64, strict=False).alias("destination.bytes"),
        pl.col("bytes").cast(pl.Int64, strict=False).alias("http.response.bytes"),
        pl.when(status > 0).then(status).alias("http.response.status_code"),
        pl.col("mime").alias("http.response.mime_type"),
        pl.col("mime").alias("squid.content_type"),
        pl.col("method").alias("http.request.method"),
        pl.col("referrer").alias("http.request.referrer"),
        pl.col("agent").str.replace_all('\\"', '"', literal=True).alias("user_agent.original"),
        pl.col("protocol").str.extract(r"^HTTP/(.+)$", 1).alias("http.version"),
        pl.col("result").alias("squid.result_code"),
        pl.col("hierarchy").alias("squid.peer_status"),
        pl.lit("Squid").alias("observer.vendor"),
        pl.lit("squid").alias("observer.product"),
        pl.lit("proxy").alias("observer.type"),
    )
    named = pl.when(~ecs.is_ip(pl.col("url.domain"))).then("url.domain")
    frame = frame.with_columns(pl.coalesce(named, "destination.domain").alias("destination.domain"))
    return ecs.relations(
        frame, ip=("source.ip", "destination.ip"), user=("source.user.name",), hosts=("url.domain",)
    )


SENSOR: Final = Squid()
