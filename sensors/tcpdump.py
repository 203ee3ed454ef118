"""What tcpdump prints, a packet a line: `-n`, with any of its times (`-t` to `-ttttt`), with or without `-e`.

After tcpdump(1), "Output format". A time without a date has the day on which the file was written, and is
marked as guessed. Ports that tcpdump wrote as names (`ssh`, `https`) are read by IANA's commonest.
"""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.values import connection, ecs, text_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_TIME = (
    r"(?:(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}) )?(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,9})"
    r"|(?P<epoch>[0-9]{9,11}\.[0-9]{1,9})"
)
_MAC = r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}"
# `-e`: the link's header; `-i any`: the interface and the way (In, Out).
_LINK = (
    rf"(?:(?P<from_mac>{_MAC}) (?:\([^)]*\) )?> (?P<to_mac>{_MAC}|Broadcast)(?: \([^)]*\))?,? "
    r".*?length [0-9]+: )?"
    r"(?:(?P<interface>[a-zA-Z][\w.@-]*) +(?P<way>In|Out|M|B|P) +)?"
)
_LINE: Final = rf"^(?:{_TIME}) {_LINK}(?:(?P<kind>IP6?)(?: \(.*?\))? |(?P<arp>ARP), )?(?P<rest>\S.*)$"
_ENDS = r"^(?P<source>\S+) > (?P<target>[^\s,]+): ?(?P<said>.*)$"
_V4 = r"^(?P<host>[0-9]+(?:\.[0-9]+){3})(?:\.(?P<port>[\w-]+))?$"
_V6 = r"^(?P<host>[0-9a-f]*:[0-9a-f:.]*?)(?:\.(?P<port>[\w-]+))?$"
_NAME = r"^(?P<host>.+)\.(?P<port>[\w-]+)$"
_ANY: Final = re.compile(
    r"^(?:(?:[0-9]{4}-[0-9]{2}-[0-9]{2} )?[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,9}|[0-9]{9,11}\.[0-9]{1,9}) "
    r"(?:.*? )?(?:IP6? (?:\(.*\) ?)?(?:\S+ > \S+:|$)|IP6? \(|ARP, )"
)
_WAYS: Final = {"In": "inbound", "Out": "outbound"}
_UDP: Final = r"^(?:UDP|NTP|SIP|BOOTP|DHCP|isakmp|\[udp|[0-9]+[+*]?|NBT UDP|VXLAN|TFTP)"
_PORTS: Final = {
    "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "http": 80,
    "kerberos": 88, "pop3": 110, "sunrpc": 111, "ntp": 123, "netbios-ns": 137, "netbios-dgm": 138,
    "netbios-ssn": 139, "imap2": 143, "snmp": 161, "ldap": 389, "https": 443, "microsoft-ds": 445,
    "isakmp": 500,
    "syslog": 514, "submission": 587, "ldaps": 636, "imaps": 993, "ms-sql-s": 1433, "mysql": 3306,
    "ms-wbt-server": 3389, "ipsec-nat-t": 4500, "mdns": 5353, "postgresql": 5432, "http-alt": 8080,
}  # fmt: skip


class TcpDump:
    """The sensor."""

    name = "tcpdump"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether most lines that are not indented are packets as tcpdump prints them."""
        lines = [line for line in framing.text_head(head).split("\n")[:60] if line[:1].strip()]
        told = sum(bool(_ANY.match(line)) for line in lines)
        return told > 0 and 2 * told >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per packet; what `-v`, `-x` or `-A` print below it is left out."""
        for lines in framing.lines(source):
            rows = lines.filter(~lines["text"].str.contains(r"^\s"))
            parts = rows.hstack(rows["text"].str.extract_groups(_LINE).struct.unnest())
            moment = _moment(parts, source)
            parts = parts.with_columns(moment.alias("@timestamp"))
            unknown = parts["kind"].is_null() & parts["arp"].is_null() & parts["from_mac"].is_null()
            lost = parts["@timestamp"].is_null() | parts["rest"].is_null() | unknown
            if lost.any():
                name_lost(parts.filter(lost), "no packet as tcpdump prints it", source)
            if not lost.all():
                yield _events(parts.filter(~lost))


SENSOR: Final = TcpDump()


def _moment(parts: pl.DataFrame, source: Source) -> pl.Series:
    """Times; of a clock without a date on the day when the file was written, or the one before."""
    written = source.modified.astimezone(UTC)
    day = written.astimezone(source.zone).strftime("%Y-%m-%d")
    said = parts.select(
        pl.coalesce("date", pl.lit(day)) + pl.lit(" ") + pl.col("clock").str.head(15)
    ).to_series()
    frame = parts.select(
        "date",
        text_values.typed(said, TIME, source.zone).alias("placed"),
        text_values.typed(parts["epoch"], TIME, source.zone).alias("epoch"),
    )
    late = pl.col("date").is_null() & (pl.col("placed") > pl.lit(written + timedelta(minutes=1), TIME))
    placed = pl.when(late).then(pl.col("placed") - timedelta(days=1)).otherwise("placed")
    return frame.select(pl.coalesce(placed, "epoch").alias("@timestamp")).to_series()


def _end(column: pl.Series) -> pl.DataFrame:
    """`host` and `port` of one end."""
    forms = [column.str.extract_groups(form).struct.unnest() for form in (_V4, _V6, _NAME)]
    return pl.DataFrame(
        {
            name: forms[0][name]
            .fill_null(forms[1][name])
            .fill_null(
                forms[2][name].set(forms[0]["host"].is_not_null() | forms[1]["host"].is_not_null(), None)
            )
            for name in ("host", "port")
        }
    )


def _events(parts: pl.DataFrame) -> pl.DataFrame:
    ends = parts["rest"].str.extract_groups(_ENDS).struct.unnest()
    source, target = _end(ends["source"]), _end(ends["target"])
    said = ends["said"]
    port = [_port(end["port"]) for end in (source, target)]
    transport = pl.select(
        pl.when(pl.lit(said).str.starts_with("Flags [")).then(pl.lit("tcp"))
        .when(pl.lit(said).str.contains(r"^ICMP6,")).then(pl.lit("ipv6-icmp"))
        .when(pl.lit(said).str.contains(r"^ICMP ")).then(pl.lit("icmp"))
        .when(pl.lit(said).str.contains(_UDP))
        .then(pl.lit("udp"))
    ).to_series()  # fmt: skip
    length = said.str.extract_all(r"length ([0-9]+)").list.last().str.extract(r"([0-9]+)$")
    undated = parts["date"].is_null() & parts["epoch"].is_null()
    events = parts.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        pl.when(undated).then(pl.lit(["date"], pl.List(pl.String))).alias("molehunt.guess"),
        pl.lit("tcpdump.packet").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"], pl.List(pl.String)).alias("event.category"),
        pl.lit(["connection"], pl.List(pl.String)).alias("event.type"),
        pl.when(pl.col("arp").is_not_null()).then(pl.lit("arp")).otherwise(pl.lit("network_packet"))
        .alias("event.action"),
        *ecs.address("source", pl.lit(source["host"])),
        *ecs.address("destination", pl.lit(target["host"])),
        port[0].alias("source.port"),
        port[1].alias("destination.port"),
        transport.alias("network.transport"),
        length.cast(pl.Int64, strict=False).alias("network.bytes"),
        pl.lit(1).alias("network.packets"),
        _mac("from_mac").alias("source.mac"),
        _mac("to_mac").alias("destination.mac"),
        pl.col("interface").alias("observer.ingress.interface.name"),
        pl.col("way").replace_strict(_WAYS, default=None, return_dtype=pl.String).alias("network.direction"),
        said.str.extract(r"^Flags \[([^\]]*)\]", 1).alias("tcpdump.flags"),
        said.fill_null(parts["rest"]).alias("message"),
    )  # fmt: skip
    described = connection.described(events)
    return ecs.only(ecs.relations(described, ip=("source.ip", "destination.ip")), "tcpdump")


def _port(said: pl.Series) -> pl.Series:
    named = said.replace_strict(_PORTS, default=None, return_dtype=pl.Int64)
    return said.cast(pl.Int64, strict=False).fill_null(named)


def _mac(name: str) -> pl.Expr:
    real = pl.when(pl.col(name) != "Broadcast").then(name).otherwise(pl.lit("ff:ff:ff:ff:ff:ff"))
    return pl.when(pl.col(name).is_not_null()).then(real).str.to_uppercase().str.replace_all(":", "-")
