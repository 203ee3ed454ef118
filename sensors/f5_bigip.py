"""F5 BIG-IP: records of Telemetry Streaming (AFM, APM, ASM, AVR, LTM, iHealth), and DoS reports.

JSON after F5's "Telemetry Streaming: Example output", and the lines of `key=value` with semicolons that the
application security module logs. Mapping after Elastic's integration `f5_bigip`. The log of access sessions
(`01490500:5: …`) is `f5_apm`'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.reading.json_table import text
from sensors.shapes.gateway_records import GatewayRecords, of_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

_PAIRS: Final = re.compile(r"(?:^|;)device_vendor=F5;.*device_version=", re.IGNORECASE)
_CATEGORIES: Final = re.compile(r"AFM|APM|ASM|AVR|LTM|iHealthInfo|systemInfo|CGNAT|raw|event", re.IGNORECASE)
_ASKED: Final = r"^[A-Z]+ (?P<path>\S+) HTTP/(?P<version>[0-9.]+)(?:.*?(?:\\r)?\\n|.*?[\r\n]+)"
_HOST: Final = r"(?:\\n|\n)(?i:host): ?([^\s\\,]+)"


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether a record, parsed, is Telemetry Streaming's."""
    return bool(_CATEGORIES.fullmatch(str(record.get("telemetryEventCategory", ""))))


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """Records with the URL that a logged request asks for."""
    frame = frame.with_columns(text(frame, "request").alias("~request"))
    asked = frame["~request"].str.extract_groups(_ASKED).struct.unnest()
    host = frame["~request"].str.extract(_HOST, 1)
    scheme = pl.coalesce(text(frame, "protocol").str.to_lowercase(), pl.lit("http"))
    return frame.with_columns(
        pl.concat_str(scheme, pl.lit("://"), pl.lit(host), pl.lit(asked["path"])).alias("asked.url"),
        pl.lit(host).alias("asked.host"),
        pl.lit(asked["version"]).alias("asked.version"),
    ).drop("~request")


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    """Events with sums, and no status where nothing was answered."""
    columns = []
    if {"source.bytes", "destination.bytes"} <= set(frame.columns):
        ends = [pl.col(name).cast(pl.Int64, strict=False) for name in ("source.bytes", "destination.bytes")]
        columns.append(pl.sum_horizontal(ends, ignore_nulls=False).alias("network.bytes"))
    status = "http.response.status_code"
    if status in frame.columns:
        columns.append(pl.when(pl.col(status) != "0").then(status).alias(status))
    return frame.with_columns(columns)


_RECORDS: Final = GatewayRecords(
    "f5_bigip", _fits, ("telemetryEventCategory", "device_vendor"), _prepared, _finished
)


class F5BigIp:
    """The sensor."""

    name = "f5_bigip"

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether the records are Telemetry Streaming's, or most lines pairs of a BIG-IP."""
        return _RECORDS.sniff(head, name) or _is_pairs(head)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        if not _is_pairs(source.head):
            yield from _RECORDS.read(source)
            return
        clock = syslog.Clock(source)
        for lines in framing.lines(source):
            yield from _RECORDS.events(of_pairs(lines, ";", source, "no pairs of a BIG-IP"), source, clock)


SENSOR: Final = F5BigIp()


def _is_pairs(head: bytes) -> bool:
    lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
    return bool(lines) and 2 * sum(bool(_PAIRS.search(line)) for line in lines) >= len(lines)
