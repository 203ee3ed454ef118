"""nfdump's listings of flows: `-o csv` with the header of any version, `-o line`, `long` and `extended`.

After nfdump(1) and https://github.com/phaag/nfdump. Times are those of the machine that nfdump ran on.
nfdump's own files (`nfcapd.…`) are recognised and named with what to do: `nfdump -r FILE -o csv`. The summary
behind the flows is no flow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.values import connection, ecs, text_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_OWN_FILES: Final = (b"\x0c\xa5\x01\x00", b"\x0c\xa5\x02\x00", b"\xa5\x0c\x00\x01", b"\xa5\x0c\x00\x02")
# Columns of the header up to 1.7.3, of later ones, and ECS' or ours.
_NAMES: Final = {
    "ts": "first", "firstSeen": "first", "te": "last", "lastSeen": "last", "td": "duration",
    "duration": "duration", "pr": "protocol", "proto": "protocol", "sa": "source", "srcAddr": "source",
    "da": "destination", "dstAddr": "destination", "sp": "source.port", "srcPort": "source.port",
    "dp": "target", "dstPort": "target", "ipkt": "source.packets", "packets": "source.packets",
    "inPackets": "source.packets", "ibyt": "source.bytes", "bytes": "source.bytes", "inBytes": "source.bytes",
    "opkt": "destination.packets", "outPackets": "destination.packets", "obyt": "destination.bytes",
    "outBytes": "destination.bytes", "flg": "netflow.tcp_flags", "flags": "netflow.tcp_flags",
    "in": "observer.ingress.interface.id", "input": "observer.ingress.interface.id",
    "out": "observer.egress.interface.id", "output": "observer.egress.interface.id",
    "sas": "source.as.number", "srcAS": "source.as.number", "das": "destination.as.number",
    "dstAS": "destination.as.number", "dir": "direction",
    "svln": "network.vlan.id", "srcVlan": "network.vlan.id",
    "ismc": "source.mac", "inSrcMac": "source.mac", "odmc": "destination.mac", "outDstMac": "destination.mac",
    "ra": "observer.ip", "router": "observer.ip", "nh": "netflow.next_hop", "nextHop": "netflow.next_hop",
    "xsa": "source.nat.ip", "srcXlateAddr": "source.nat.ip", "xda": "destination.nat.ip",
    "dstXlateAddr": "destination.nat.ip", "xsp": "source.nat.port", "xdp": "destination.nat.port",
    "uname": "user", "userName": "user",
}  # fmt: skip
_NUMBERS: Final = (
    "source.port", "source.packets", "source.bytes", "destination.packets", "destination.bytes",
    "source.as.number", "destination.as.number", "source.nat.port", "destination.nat.port",
)  # fmt: skip
_NOT_ZERO: Final = ("source.as.number", "destination.as.number", "source.nat.port", "destination.nat.port")
_NOTHING: Final = ("0.0.0.0", "::", "0", "00:00:00:00:00:00", "")  # noqa: S104 - nothing is bound here
_CSV: Final = re.compile(
    r"^(?:ts,te,td,|firstSeen,|(?=[\w,]*\bsrcAddr,)(?=[\w,]*\bfirstSeen\b)\w+,)[\w,]+\s*$"
)
_HEADER: Final = re.compile(r"^Date first seen\s+(?:Event|Duration)\s")
_CLOCK = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]+"
_SIZE = r"[0-9.]+(?: [KMGT])?"
_LISTED: Final = (
    rf"^(?P<first>{_CLOCK}) +(?P<duration>[0-9.:]+) +(?P<protocol>\S+) +(?P<from>\S+) +<?-> +(?P<to>\S+) +"
    rf"(?:(?P<flags>[.A-Z]{{6,8}}|0x[0-9a-f]+) +(?:[0-9]+) +)?"
    rf"(?P<packets>{_SIZE}) +(?P<bytes>{_SIZE})(?: +.*)?$"
)
_END = (  # IPv6 has a dot before the port
    r"^(?:(?P<v6>[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f]*)\.(?P<p6>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<v4>[^:]+):(?P<p4>[0-9]+(?:\.[0-9]+)?))$"
)
_SCALES: Final = {"K": 1_000.0, "M": 1_000_000.0, "G": 1e9, "T": 1e12}
_SUMMARY = r"^(?:Summary|Time window|Total flows|Sys: |flows,bytes,|(?:[0-9]+,){5}[0-9]+$|No match)"


class NfDump:
    """The sensor."""

    name = "nfdump"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether a header of nfdump's stands first, or the file is one of its own."""
        if _own(head):
            return True
        first = framing.text_head(head[:2000]).split("\n", 1)[0].rstrip("\r")
        return bool(_CSV.match(first) or _HEADER.match(first))

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per flow."""
        if _own(source.head):
            source.lost(
                "nfdump's own file; `nfdump -r FILE -o csv` writes it in a form that is read", offset=0
            )
            return
        names: list[str] | None = None
        for lines in framing.lines(source):
            if names is None:
                first = lines["text"][0]
                names = first.split(",") if _CSV.match(first) else []
            header = lines["text"].str.contains(r"^(?:ts,te,|firstSeen,|Date first seen)") | (
                lines["text"] == first
            )
            rows = lines.filter(~header & ~lines["text"].str.contains(_SUMMARY))
            parts = _separated(rows, names) if names else _listed(rows)
            timed = parts.with_columns(
                text_values.typed(parts["first"], TIME, source.zone).alias("@timestamp")
            )
            lost = timed["@timestamp"].is_null() | timed["source"].is_null()
            if lost.any():
                name_lost(timed.filter(lost), "no flow as nfdump lists it", source)
            if not lost.all():
                yield _events(timed.filter(~lost), source)


SENSOR: Final = NfDump()


def _own(head: bytes) -> bool:
    return head[:4] in _OWN_FILES and b"\0" in head[4:64]


def _separated(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The fields of comma-separated lines; a line of another number of fields has none."""
    fields = rows["text"].str.split(",")
    fits = fields.list.len() == len(names)
    known: dict[str, pl.Series] = {}
    for at, name in enumerate(names):
        meaning = _NAMES.get(name.strip())
        if meaning and meaning not in known:
            value = fields.list.get(at, null_on_oob=True).str.strip_chars(" ")
            known[meaning] = value.set(~fits, None)
    return _whole(rows.with_columns(column.alias(name) for name, column in known.items()))


def _listed(rows: pl.DataFrame) -> pl.DataFrame:
    """The parts of lines for people."""
    parts = rows["text"].str.extract_groups(_LISTED).struct.unnest()
    ends = {side: parts[side].str.extract_groups(_END).struct.unnest() for side in ("from", "to")}
    return _whole(
        rows.with_columns(
            parts["first"],
            parts["duration"],
            parts["protocol"],
            ends["from"]["v6"].fill_null(ends["from"]["v4"]).alias("source"),
            ends["to"]["v6"].fill_null(ends["to"]["v4"]).alias("destination"),
            ends["from"]["p6"].fill_null(ends["from"]["p4"]).alias("source.port"),
            ends["to"]["p6"].fill_null(ends["to"]["p4"]).alias("target"),
            parts["flags"].alias("netflow.tcp_flags"),
            _scaled(parts["packets"]).alias("source.packets"),
            _scaled(parts["bytes"]).alias("source.bytes"),
        )
    )


def _scaled(said: pl.Series) -> pl.Series:
    """`1.2 M` as a number; rounded as it is, it is all that is said."""
    number = said.str.extract(r"^([0-9.]+)", 1).cast(pl.Float64, strict=False)
    scale = said.str.extract(r" ([KMGT])$", 1).replace_strict(_SCALES, default=1.0, return_dtype=pl.Float64)
    return (number * scale).round().cast(pl.Int64, strict=False)


def _whole(frame: pl.DataFrame) -> pl.DataFrame:
    """The same with a column for every part."""
    missing = {*_NAMES.values()} - set(frame.columns)
    return frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)


def _events(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    seconds = pl.col("duration").cast(pl.Float64, strict=False)
    last = text_values.typed(frame["last"], TIME, source.zone)
    start = pl.col("@timestamp")
    lasted = (seconds * 1_000_000).round().cast(pl.Int64, strict=False)
    icmp = pl.col("protocol").str.to_lowercase().str.contains("icmp")
    number = {name: pl.col(name).cast(pl.Int64, strict=False) for name in _NUMBERS}
    text = [
        pl.when(~pl.col(name).is_in(_NOTHING)).then(name).alias(name)
        for name in (
            "network.vlan.id",
            "observer.ip",
            "netflow.next_hop",
            "source.nat.ip",
            "destination.nat.ip",
        )
    ]
    events = frame.select(
        "log.offset",
        "log.file.line",
        start.alias("@timestamp"),
        start.alias("event.start"),
        (start + lasted.cast(pl.Duration("us"))).fill_null(pl.lit(last)).alias("event.end"),
        (lasted * 1000).alias("event.duration"),
        pl.lit("netflow.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"], pl.List(pl.String)).alias("event.category"),
        pl.lit(["connection"], pl.List(pl.String)).alias("event.type"),
        pl.lit("netflow_flow").alias("event.action"),
        *ecs.address("source", pl.col("source")),
        *ecs.address("destination", pl.col("destination")),
        *(
            (pl.when(value != 0).then(value) if name in _NOT_ZERO else value).alias(name)
            for name, value in number.items()
        ),
        pl.when(~icmp).then(pl.col("target").cast(pl.Int64, strict=False)).alias("destination.port"),
        pl.when(icmp).then(pl.col("target").str.extract(r"^([0-9]+)", 1)).alias("~icmp"),
        pl.when(icmp).then(pl.col("target").str.extract(r"\.([0-9]+)$", 1)).alias("~code"),
        connection.transport(pl.col("protocol").str.to_lowercase()).replace(
            {"icmp6": "ipv6-icmp", "icmpv6": "ipv6-icmp"}
        ).alias("network.transport"),
        pl.col("direction").replace_strict(
            {"0": "inbound", "I": "inbound", "1": "outbound", "E": "outbound"}, default=None,
            return_dtype=pl.String,
        ).alias("network.direction"),
        *(_mac(side) for side in ("source", "destination")),
        "observer.ingress.interface.id",
        "observer.egress.interface.id",
        "netflow.tcp_flags",
        *text,
        pl.when(~pl.col("user").is_in(("", "<empty>"))).then("user").alias("~user"),
        *([] if source.zone_given else [pl.lit(["zone"], pl.List(pl.String)).alias("molehunt.guess")]),
    )  # fmt: skip
    totals = [
        (pl.col(f"source.{what}") + pl.col(f"destination.{what}").fill_null(0)).alias(f"network.{what}")
        for what in ("bytes", "packets")
    ]
    described = connection.described(events.with_columns(totals), ("~icmp", "~code"))
    if described["~user"].null_count() < described.height:
        described = ecs.person(described, "~user", "user", "source.user")
    related = ecs.relations(described, ip=("source.ip", "destination.ip"), user=("user.name",))
    return ecs.only(related, "netflow")


def _mac(side: str) -> pl.Expr:
    name = f"{side}.mac"
    given = pl.when(~pl.col(name).is_in(_NOTHING)).then(name)
    return given.str.to_uppercase().str.replace_all(":", "-", literal=True).alias(name)
