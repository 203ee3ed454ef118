"""Snort's alerts, and Suricata's `fast.log`: alert_fast, alert_full, alert_csv, alert_json and syslog.

After the manual of Snort 2.9 (2.6, output modules) and of Snort 3 (alert_json), and
https://docs.suricata.io/en/latest/output/. Times are local, as a rule without year; Suricata's have one.
Mapping after Elastic's integration `snort`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, json_table
from sensors.reading.losses import name_lost
from sensors.reading.syslog import moments
from sensors.values import connection, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_STAMP: Final = r"(?P<stamp>[0-9]{2}/[0-9]{2}(?:/[0-9]{2,4})?-[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)"
_HEADER: Final = (
    r"(?:<[0-9]+>)?(?P<logged>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}) (?:<[0-9]+\.[0-9]+> )?"
    r"(?P<host>\S+) (?P<program>snort|suricata)[^:\[]*(?:\[(?P<pid>[0-9]+)\])?: "
)
_RULE: Final = r"\[(?P<gid>[0-9]+):(?P<sid>[0-9]+):(?P<rev>[0-9]+)\] (?P<msg>.*?)"
_RANK: Final = r"(?:\s*\[Classification: (?P<class>[^\]]*)\])?(?:\s*\[Priority: (?P<priority>[0-9]+)\])?"
_ENDS: Final = (
    r"(?P<src>[0-9]+(?:\.[0-9]+){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?::(?P<sport>[0-9]+))? -> "
    r"(?P<dst>[0-9]+(?:\.[0-9]+){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?::(?P<dport>[0-9]+))?"
)
_PACKED: Final = (  # pfSense's package for Snort
    rf"^{_STAMP} ?,(?P<gid>[0-9]+),(?P<sid>[0-9]+),(?P<rev>[0-9]+),\"?(?P<msg>[^\"]*?)\"?,"
    r"(?P<proto>[A-Za-z0-9]*),(?P<src>[0-9A-Fa-f:.]*),(?P<sport>[0-9]*),(?P<dst>[0-9A-Fa-f:.]*),"
    r"(?P<dport>[0-9]*),[0-9]*,(?P<class>[^,]*),(?P<priority>[0-9]+),[a-z]+,(?P<action>[A-Za-z]+)$"
)
_CSV: Final = (
    rf"^{_STAMP} ?,(?P<gid>[0-9]+),(?P<sid>[0-9]+),(?P<rev>[0-9]+),\"?(?P<msg>[^\"]*?)\"?,"
    r"(?P<proto>[A-Za-z0-9]*),"
    r"(?P<src>[0-9A-Fa-f:.]*),(?P<sport>[0-9]*),(?P<dst>[0-9A-Fa-f:.]*),(?P<dport>[0-9]*)"
    r"(?:,(?P<smac>[0-9A-Fa-f:]*),(?P<dmac>[0-9A-Fa-f:]*)"
    r"(?:,(?:[^,]*,){11}(?P<icmp_type>[0-9]*),(?P<icmp_code>[0-9]*),.*|,.*)?)?$"
)
_FULL_FORM: Final = (
    rf"(?s)^\[\*\*\] {_RULE} \[\*\*\]{_RANK}\s*{_STAMP} "
    r"(?:(?P<smac>[0-9A-Fa-f:]+) -> (?P<dmac>[0-9A-Fa-f:]+) [^\n]*\n)?"
    rf"{_ENDS}\s*(?P<proto>[A-Z0-9-]+)? ?(?:.*?Type:(?P<icmp_type>[0-9]+)\s+Code:(?P<icmp_code>[0-9]+))?"
)
_FAST: Final = (
    rf"^{_STAMP} +\[\*\*\] {_RULE}\s+\[\*\*\]{_RANK}(?:\s*\[AppID: [^\]]*\])? "
    rf"\{{(?P<proto>[^}}]+)\}} {_ENDS}"
)
_SYSLOG: Final = rf"^{_HEADER}{_RULE}{_RANK}:? ?\{{(?P<proto>[^}}]+)\}} {_ENDS}"
FORMS: Final = (_FAST, _PACKED, _CSV, _SYSLOG, _FULL_FORM)
_JSON: Final = {
    "msg": "msg", "class": "class", "priority": "priority", "proto": "proto", "src": "src_addr",
    "dst": "dst_addr",
    "sport": "src_port", "dport": "dst_port", "smac": "eth_src", "dmac": "eth_dst", "iface": "iface",
    "action": "action", "service": "service", "icmp_type": "icmp_type", "icmp_code": "icmp_code",
    "bytes": "pkt_len", "packets": "pkt_num", "vlan": "vlan",
}  # fmt: skip
_PARTS: Final = (
    "stamp", "logged", "host", "gid", "sid", "rev", "msg", "class", "priority", "proto", "src", "sport",
    "dst", "dport", "smac", "dmac", "icmp_type", "icmp_code", "iface", "action", "service", "bytes",
    "packets", "seconds", "program", "pid", "vlan",
)  # fmt: skip
_MONTHS: Final = dict(
    enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1)
)
_ACTIONS: Final = {
    "allow": "allowed", "would_drop": "allowed", "block": "denied", "drop": "denied", "reject": "denied",
}  # fmt: skip
_FULL: Final = "[**] ["


class Snort:
    """The sensor."""

    name = "snort"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records or half of the lines are alerts; of alert_full, the first line."""
        if head.lstrip()[:1] in {b"{", b"["} and json_table.peek(head):
            return json_table.mostly(head, lambda one: {"rule", "src_addr", "dst_addr"} <= one.keys())
        lines = [line.rstrip("\r") for line in framing.text_head(head).split("\n")[:60] if line.strip()]
        if lines and re.match(rf"^\[\*\*\] {_RULE} \[\*\*\]$", lines[0]):
            return True
        told = sum(any(re.match(form, line) for form in FORMS[:4]) for line in lines)
        return told > 0 and 2 * told >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per alert."""
        if json_table.peek(source.head) and source.head.lstrip()[:1] in {b"{", b"["}:
            for table in json_table.tables(source):
                if table.height:
                    yield from _kept(_records(table), source)
            return
        full = framing.text_head(source.head).lstrip().startswith(_FULL)
        for lines in _joined(source) if full else framing.lines(source):
            yield from _kept(_matched(lines), source)


SENSOR: Final = Snort()


def _joined(source: Source) -> Iterator[pl.DataFrame]:
    """The lines of each alert of alert_full as one; the last is held until it is known to be whole."""
    held: pl.DataFrame | None = None
    for lines in framing.lines(source):
        frame = lines if held is None else pl.concat([held, lines])
        first = frame["text"].str.starts_with(_FULL).cum_sum()
        frame = (
            frame.group_by(first.alias("record"), maintain_order=True)
            .agg(pl.col("text").str.join("\n"), pl.col("log.offset", "log.file.line").first())
            .drop("record")
        )
        held = frame.tail(1)
        if frame.height > 1:
            yield frame.head(-1)
    if held is not None:
        yield held


def _matched(lines: pl.DataFrame) -> pl.DataFrame:
    done: list[pl.DataFrame] = []
    left = lines
    for form in FORMS:
        parts = left["text"].str.extract_groups(form).struct.unnest()
        fits = parts["sid"].is_not_null()
        done.append(left.filter(fits).hstack(parts.filter(fits)))
        left = left.filter(~fits)
    return pl.concat([*done, left], how="diagonal").sort("log.offset")


def _records(table: pl.DataFrame) -> pl.DataFrame:
    rule = json_table.text(table, "rule")
    return table.select(
        *json_table.FRAME,
        *(json_table.text(table, path).alias(name) for name, path in _JSON.items()),
        json_table.text(table, "timestamp").alias("stamp"),
        json_table.text(table, "seconds").alias("seconds"),
        rule.str.extract(r"^(\d+):", 1).alias("gid"),
        pl.coalesce(json_table.text(table, "sid"), rule.str.extract(r"^\d+:(\d+):", 1)).alias("sid"),
        rule.str.extract(r":(\d+)$", 1).alias("rev"),
    )


def _kept(frame: pl.DataFrame, source: Source) -> Iterator[pl.DataFrame]:
    """The events of alerts with a time; what is none, or has none, is named."""
    absent = [name for name in _PARTS if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    timed = _timed(frame, source)
    lost = timed["@timestamp"].is_null() | timed["sid"].is_null()
    if lost.any():
        name_lost(timed.filter(lost), "not an alert, or one without time", source)
    if not lost.all():
        yield _mapped(timed.filter(~lost))


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds `@timestamp` and `molehunt.guess`: Snort's `09/04-21:45:37.5` in the words that syslog has."""
    parts = frame["stamp"].str.extract_groups(
        r"^(?P<month>\d\d)/(?P<day>\d\d)(?:/(?P<year>\d{2,4}))?-(?P<clock>[\d:.]+)$"
    ).struct.unnest()  # fmt: skip
    month = pl.col("month").cast(pl.Int64, strict=False).replace_strict(
        _MONTHS, default=None, return_dtype=pl.String
    )  # fmt: skip
    year = (
        pl.when(pl.col("year").str.len_chars() == len("26"))
        .then(pl.lit("20") + pl.col("year"))
        .otherwise("year")
    )
    worded = parts.select(
        pl.concat_str(
            month, pl.lit(" "), "day", pl.lit(" "),
            pl.when(year.is_not_null()).then(year + " ").otherwise(pl.lit("")),
            "clock",
        ).alias("word")
    )["word"]  # fmt: skip
    frame = frame.with_columns(
        pl.coalesce(worded, "logged").alias("~stamp"), pl.lit(None, pl.String).alias("zone")
    )
    distinct = frame.select(pl.col("~stamp").alias("stamp"), "zone").unique().drop_nulls("stamp")
    placed = moments(distinct, source).rename({"stamp": "~stamp"})
    timed = frame.join(placed, on=["~stamp", "zone"], how="left", nulls_equal=True, maintain_order="left")
    counted = (pl.col("seconds").cast(pl.Int64, strict=False) * 1_000_000).cast(pl.Datetime("us", "UTC"))
    return timed.with_columns(
        pl.coalesce(counted, "@timestamp").alias("@timestamp"),
        pl.when(counted.is_null()).then("molehunt.guess").alias("molehunt.guess"),
    )


def _mapped(frame: pl.DataFrame) -> pl.DataFrame:
    proto = pl.col("proto").str.to_lowercase()
    # Of IPv6 the port stands behind a colon like any other.
    long = pl.col("src").str.count_matches(":", literal=True) > 1
    ported = proto.is_in(["tcp", "udp"]) & long & pl.col("sport").is_null()
    split = {
        name: pl.when(ported).then(pl.col(name).str.extract(r"^(.*):\d+$", 1)).otherwise(name)
        for name in ("src", "dst")
    }
    port = {
        name: pl.coalesce(mine, pl.when(ported).then(pl.col(name).str.extract(r":(\d+)$", 1)))
        for name, mine in (("src", "sport"), ("dst", "dport"))
    }
    fast = pl.col("stamp").str.contains(r"^\d\d/\d\d/\d{4}-")
    transport = proto.replace({"icmp6": "ipv6-icmp", "ipv6-icmp": "ipv6-icmp"})
    passed = pl.col("action").str.to_lowercase().replace_strict(
        _ACTIONS,
        default=None, return_dtype=pl.String,
    )  # fmt: skip
    vendor = pl.when(fast).then(pl.lit("OISF")).otherwise(pl.lit("snort"))
    service = pl.when(pl.col("service") != "unknown").then("service")
    events = frame.select(
        "log.offset", "log.file.line", "@timestamp", "molehunt.guess",
        pl.when(fast).then(pl.lit("suricata.fast")).otherwise(pl.lit("snort.log")).alias("event.dataset"),
        pl.lit("alert").alias("event.kind"),
        pl.lit(["network"], pl.List(pl.String)).alias("event.category"),
        pl.when(passed.is_not_null()).then(pl.concat_list(passed)).alias("event.type"),
        pl.col("priority").cast(pl.Int64, strict=False).alias("event.severity"),
        *ecs.address("source", split["src"]),
        *ecs.address("destination", split["dst"]),
        port["src"].cast(pl.Int64, strict=False).alias("source.port"),
        port["dst"].cast(pl.Int64, strict=False).alias("destination.port"),
        *(pl.when(pl.col(name) != "").then(pl.col(name).str.replace_all(":", "-").str.to_uppercase())
          .alias(f"{side}.mac") for name, side in (("smac", "source"), ("dmac", "destination"))),
        transport.alias("network.transport"),
        service.alias("network.protocol"),
        pl.col("bytes").cast(pl.Int64, strict=False).alias("network.bytes"),
        pl.col("packets").cast(pl.Int64, strict=False).alias("network.packets"),
        pl.col("sid").alias("rule.id"),
        pl.col("msg").alias("rule.name"),
        pl.col("class").alias("rule.category"),
        pl.col("msg").alias("message"),
        pl.col("gid").alias("snort.gid"),
        pl.col("rev").alias("snort.rule_version"),
        vendor.alias("observer.vendor"),
        pl.when(fast).then(pl.lit("Suricata")).otherwise(pl.lit("ids")).alias("observer.product"),
        pl.lit("ids").alias("observer.type"),
        pl.col("host").alias("observer.name"),
        pl.col("program").alias("process.name"),
        pl.col("pid").cast(pl.Int64, strict=False).alias("process.pid"),
        pl.when(pl.col("vlan") != "0").then("vlan").alias("network.vlan.id"),
        pl.col("iface").alias("observer.ingress.interface.name"),
        pl.col("icmp_type").alias("~type"),
        pl.col("icmp_code").alias("~code"),
    ).with_columns(connection.direction().alias("network.direction"))  # fmt: skip
    described = connection.described(events, ("~type", "~code"))
    return ecs.only(ecs.relations(described, ip=("source.ip", "destination.ip")), "snort")
