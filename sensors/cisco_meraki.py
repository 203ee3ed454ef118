"""Cisco Meraki's syslog: flows, URLs, alerts, Air Marshal, and events (VPN clients, DHCP, 802.1X, ports).

Format after Meraki's "Syslog Event Types and Log Samples": `1 <seconds since 1970> <device> <kind> ...` with
`key=value`, `key='value'` and words. Mapping after Elastic's integration `cisco_meraki`, but addresses are as
they are (DESIGN): `source.ip` is who began, and for a VPN client the public address; what an MX makes of it,
or lends inside, is `source.nat.ip`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.shapes.mapping import first_rule
from sensors.values import ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_TOPICS: Final = (
    r"events|flows|urls|(?:\w+_)?firewall|ip_flow_(?:start|end)|security_event|ids-alerts|airmarshal_events"
)
_FORM = (
    r"(?s)^(?:(?P<relay>[^\s]+?):? +)??(?:1 +)?(?P<epoch>[0-9]{9,10}(?:\.[0-9]+)?) +(?P<device>\S+) +"
    r"(?P<topic>[a-z][\w-]*)(?: +(?P<said>.*))?$"
)
_SNIFF = re.compile(rf"(?<!\S)[0-9]{{9,10}}\.[0-9]+ \S+ (?:{_TOPICS})(?= |$)", re.MULTILINE)
_PAIR = r"""([A-Za-z_]\w*)= ?('[^']*'|"[^"]*"|[^\s'"]\S*)"""
KEYS: Final = {
    "src": "src",
    "dst": "dst",
    "sport": "sport",
    "dport": "dport",
    "mac": "mac",
    "protocol": "protocol",
    "translated_src_ip": "nat",
    "translated_port": "nat_port",
    "translated_dst_ip": "dst_nat",
    "type": "type",
    "dhost": "dhost",
    "direction": "network.direction",
    "decision": "cisco.meraki.decision",
    "action": "cisco.meraki.action",
    "disposition": "cisco.meraki.disposition",
    "signature": "rule.id",
    "priority": "event.severity",
    "sha256": "file.hash.sha256",
    "name": "file.name",
    "agent": "user_agent.original",
    "url": "blocked_url",
    "category0": "cisco.meraki.content_category",
    "server": "blocked_by",
    "ssid": "network.name",
    "bssid": "cisco.meraki.bssid",
    "wired_mac": "wired_mac",
    "vlan_id": "network.vlan.id",
    "client_mac": "client_mac",
    "MAC": "client_mac",
    "Client": "client_ip",
    "client_ip": "client_ip",
    "last_known_client_ip": "client_ip",
    "identity": "who",
    "ip": "client_ip",
    "peer_contact": "cisco.meraki.peer_contact",
    "peer_ident": "cisco.meraki.peer_ident",
    "connectivity": "cisco.meraki.connectivity",
    "vpn_type": "cisco.meraki.vpn_type",
    "radio": "cisco.meraki.radio",
    "vap": "cisco.meraki.vap",
    "channel": "cisco.meraki.channel",
    "rssi": "cisco.meraki.rssi",
    "reason": "event.reason",
    "duration": "lasted",
    "msg": "told",
    "original_server_mac": "original_mac",
    "original_server_ip": "original_ip",
    "server_mac": "server_mac",
    "server_ip": "server_ip",
}
# Words of events, whose groups are named as above; the first that fits.
_VPN: Final = (
    r"(?:client|anyconnect)_vpn_\w+ user id '(?P<vpn_user>[^']*)'(?: local ip (?P<lent>[0-9A-Fa-f:.]+))?"
    r"(?: (?:re)?connected from (?P<public>[0-9A-Fa-f:.]+))?"
)
_LEASE: Final = (
    r"^dhcp lease of ip (?P<leased>\S+) from (?:server )?mac (?P<dhcp_server>\S+) for client mac "
    r"(?P<dhcp_mac>\S+)(?: with hostname (?P<dhcp_host>\S+))?"
)
_WORDS: Final = (
    _VPN,
    _LEASE,
    r"^dhcp no offers for mac (?P<dhcp_mac>\S+)(?: host ?= ?(?P<dhcp_host>\S+))?",
    r"^(?i:Blocked ARP) Packet from (?P<arp_mac>\S+) with IP (?P<arp_ip>\S+) on VLAN (?P<arp_vlan>\d+)",
)
_MANAGER: Final = {
    "peer": r"Peer IP=([0-9A-Fa-f:.]+)",
    "session_user": r"User\[([^\]]*)\]",
    "session": r"Sess-ID\[(\d+)\]",
    "assigned": r"assigned IP ([0-9A-Fa-f:.]+)",
    "sent": r"Bytes xmt: (\d+)",
    "received": r"Bytes rcv: (\d+)",
    "ended_by": r"Reason: (.*?)\s*$",
}
_DURATION = r"Duration: (?:(\d+)d:)?(\d+)h:(\d+)m:(\d+)s"
_KIND: Final = {
    r"^(?:flows|\w*firewall) allow\b": "allowed",
    r"^(?:flows|\w*firewall) deny\b": "denied",
    r"^(?:flows|\w*firewall) .*pattern: (?:deny|1)\b": "pattern denied",
    r"^(?:flows|\w*firewall) ": "pattern allowed",
    r"^urls .*request: UNKNOWN": "urls unknown",
    r"^urls\b": "urls",
    r"^(?:ids-alerts|security_event ids_alerted)": "ids_alerted",
    r"^events (?:client|anyconnect)_vpn_connect\b": "vpn_connect",
    r"^events (?:client|anyconnect)_vpn_disconnect\b": "vpn_disconnect",
    r"^events type=anyconnect_vpn_session_manager.*Session disconnected": "vpn_ended",
    r"^events Site-to-Site VPN:": "site-to-site vpn",
    r"^events dhcp no offers": "dhcp no offers",
    r"^events dhcp lease": "dhcp lease",
    r"^events Blocked DHCP": "blocked dhcp",
    r"^events Blocked ARP": "arp_blocked",
    r"^events (?i:port) \d+ changed STP role": "stp_role",
    r"^events (?i:port) \d+ status changed": "port_status",
    r"^events (?:(?i:cellular connection)|failover to)": "uplink",
    r"^events content_filtering_block": "cf_block",
    r"^events Auth ": "auth",
}
_LIST = pl.List(pl.String)


class CiscoMeraki:
    """The sensor."""

    name = "cisco_meraki"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing about a syslog file
        """Whether at least half of the lines have seconds, a device and one of Meraki's kinds."""
        lines = framing.text_head(head).splitlines()
        told = [bool(_SNIFF.search(line)) for line in lines if line.strip()]
        return bool(told) and 2 * sum(told) >= len(told)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another form with a time of its own is an event with its text."""
        clock = syslog.Clock(source)
        for lines in syslog.records(source):
            parts = lines["rest"].str.extract_groups(_FORM).struct.unnest().drop("relay")
            epoch = (parts["epoch"].cast(pl.Float64, strict=False) * 1e6).cast(pl.Int64, strict=False)
            frame = lines.hstack(parts).with_columns(
                pl.coalesce(pl.lit(epoch).cast(TIME), "@timestamp").alias("@timestamp"),
                pl.when(pl.lit(epoch).is_null()).then("molehunt.guess").alias("molehunt.guess"),
            )
            strange = frame["topic"].is_null() & frame["@timestamp"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "no line of Meraki's syslog", source)
            if not strange.all():
                yield _events(clock.fill(frame.filter(~strange)))


SENSOR: Final = CiscoMeraki()


@cache
def _meanings() -> pl.DataFrame:
    raw = tomllib.loads((files("sensors") / "cisco_meraki.toml").read_text("utf-8"))
    rows = [
        {
            "kind": kind,
            "event.action": means.get("action"),
            "event.category": means.get("category", raw["*"]["category"]),
            "event.type": means.get("type", raw["*"]["type"]),
            "event.outcome": means.get("outcome"),
        }
        for kind, means in raw.items()
    ]
    return pl.DataFrame(rows).with_columns(pl.col("event.category", "event.type").cast(_LIST))


def _paired(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with a column for each of `KEYS`; text of no length is null."""
    pairs = (
        frame.select(row=pl.int_range(pl.len()), pair=pl.col("said").str.extract_all(_PAIR))
        .explode("pair", empty_as_null=True)
        .select(
            "row",
            key=pl.col("pair")
            .str.extract(r"^(\w+)=", 1)
            .replace_strict(KEYS, default=None, return_dtype=pl.String),
            value=pl.col("pair").str.replace(r"^\w+= ?", "").str.strip_chars("'\""),
        )
        .filter(pl.col("key").is_not_null() & (pl.col("value") != ""))
        .unique(["row", "key"], keep="first", maintain_order=True)
    )
    frame = frame.with_columns(row=pl.int_range(pl.len()))
    if pairs.height:
        wide = pairs.pivot(on="key", index="row", values="value").with_columns(pl.col("row").cast(pl.Int64))
        frame = frame.join(wide, on="row", how="left", maintain_order="left")
    missing = [name for name in dict.fromkeys(KEYS.values()) if name not in frame.columns]
    return frame.drop("row").with_columns(pl.lit(None, pl.String).alias(name) for name in missing)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    frame = _worded(_paired(frame))
    frame = _meant(frame)
    frame = frame.with_columns(pl.coalesce("vpn_user", "session_user", "who").alias("who"))
    frame = ecs.person(frame, "who", "source.user", "user")
    frame = frame.with_columns(*_ends(), *_session(), *_mine(), *syslog.common(frame))
    frame = url_columns(frame)
    frame = frame.with_columns(
        pl.coalesce("destination.domain", pl.when(~ecs.is_ip(pl.col("url.domain"))).then("url.domain"))
        .alias("destination.domain")
    )  # fmt: skip
    return ecs.only(
        ecs.relations(
            frame,
            ip=("source.ip", "source.nat.ip", "destination.ip", "client.ip", "server.ip", "server_ip"),
            user=("user.name",),
            hosts=("observer.hostname", "dhcp_host", "url.domain"),
        ),
        "cisco",
    )


def _worded(frame: pl.DataFrame) -> pl.DataFrame:
    """What events say in words, and what the session manager of AnyConnect says within `msg`."""
    found: dict[str, list[pl.Expr]] = {}
    for form in _WORDS:
        groups = pl.col("said").str.extract_groups(form).struct
        for name in re.findall(r"\?P<(\w+)>", form):
            found.setdefault(name, []).append(groups.field(name))
    manager = {name: pl.col("told").str.extract(form, 1) for name, form in _MANAGER.items()}
    message = pl.col("said").str.extract(r"(?:^| )message: (.*)$", 1)
    request = (
        pl.col("said").str.extract_groups(r"(?:^| )request: (?P<method>\S+)(?: +(?P<url>\S.*))?$").struct
    )
    return frame.with_columns(
        *(pl.coalesce(*values).alias(name) for name, values in found.items()),
        *(value.alias(name) for name, value in manager.items()),
        pl.col("said").str.extract(r"(?:^| )pattern: (.*)$", 1).alias("cisco.meraki.pattern"),
        message.alias("rule.description"),
        request.field("method").alias("http.request.method"),
        pl.coalesce(request.field("url"), "blocked_url").alias("url.original"),
    )


def _meant(frame: pl.DataFrame) -> pl.DataFrame:
    """`event.action`, `.category`, `.type`, `.outcome` by the kind of the line."""
    whole = pl.concat_str("topic", pl.coalesce("said", pl.lit("")), separator=" ")
    typed = pl.when(pl.col("topic").is_in(["events", "airmarshal_events"])).then("type")
    security = pl.when(pl.col("topic") == "security_event").then(pl.col("said").str.extract(r"^(\w+)", 1))
    word = pl.when(pl.col("topic") == "events").then(pl.col("said").str.extract(r"^([a-z]\w*_\w+)(?: |$)", 1))
    kind = pl.coalesce(first_rule(whole, _KIND), typed, security, word)
    table = _meanings()
    frame = frame.with_columns(
        pl.when(kind.is_in(table["kind"].to_list())).then(kind).otherwise(pl.lit("*")).alias("kind"),
        pl.coalesce(word, typed, security).alias("~action"),
    ).join(table, on="kind", how="left", maintain_order="left")
    return frame.with_columns(pl.coalesce("event.action", "~action").alias("event.action"))


def _mac(*names: str) -> pl.Expr:
    digits = pl.coalesce(
        pl.when(pl.col(name).str.contains(r"^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$")).then(name)
        for name in names
    )
    return digits.str.replace_all(":", "-", literal=True).str.to_uppercase()


def _ip(*names: str) -> pl.Expr:
    """The first of them that is an address, without its port."""
    values = [pl.col(name).str.replace(r"^\[(.*)\](?::\d+)?$|^([^:]+):\d+$", "${1}${2}") for name in names]
    return pl.coalesce(pl.when(ecs.is_ip(value) & ~value.is_in(ecs.NOWHERE)).then(value) for value in values)


def _port(name: str, stated: str) -> pl.Expr:
    within = pl.col(name).str.extract(r"^(?:\[.*\]|[^:]+):(\d+)$", 1)
    return pl.coalesce(pl.col(stated), within).cast(pl.Int64, strict=False)


def _ends() -> list[pl.Expr]:
    """Addresses, translated ones, physical ones; who asked is also the client."""
    public = _ip("public", "peer")
    inside = _ip("client_ip", "leased")
    source = pl.coalesce(_ip("src"), public, _ip("arp_ip"), inside)
    nat = pl.coalesce(_ip("nat"), _ip("lent", "assigned"))
    return [
        source.alias("source.ip"),
        source.alias("source.address"),
        _port("src", "sport").alias("source.port"),
        pl.when(nat != source).then(nat).alias("source.nat.ip"),
        pl.col("nat_port").cast(pl.Int64, strict=False).alias("source.nat.port"),
        _mac("mac", "src", "arp_mac", "dhcp_mac", "client_mac").alias("source.mac"),
        _ip("dst").alias("destination.ip"),
        pl.coalesce(_ip("dst"), "blocked_by").alias("destination.address"),
        pl.lit(None, pl.String).alias("destination.domain"),
        _port("dst", "dport").alias("destination.port"),
        _ip("dst_nat").alias("destination.nat.ip"),
        _mac("dhost", "dst").alias("destination.mac"),
        pl.coalesce(public, inside).alias("client.ip"),
        _mac("dhcp_mac", "client_mac").alias("client.mac"),
        _ip("lent").alias("network.forwarded_ip"),
        _ip("original_ip", "server_ip").alias("server.ip"),
        _mac("dhcp_server", "original_mac", "server_mac").alias("server.mac"),
        pl.when(_mac("wired_mac").is_not_null())
        .then(pl.concat_list(_mac("wired_mac")))
        .alias("observer.mac"),
    ]


def _session() -> list[pl.Expr]:
    """How long and how much; the device counts from its own side: what it received, the person sent."""
    parts = pl.col("told").str.extract_groups(_DURATION).struct
    day, hour, minute, second = (parts.field(str(n)).cast(pl.Int64, strict=False) for n in range(1, 5))
    stated = day.fill_null(0) * 86_400 + hour * 3_600 + minute * 60 + second
    seconds = pl.coalesce(stated.cast(pl.Float64), pl.col("lasted").cast(pl.Float64, strict=False))
    known = seconds.is_between(0, 1e9)
    return [
        pl.when(known).then((seconds * 1e9).round().cast(pl.Int64, strict=False)).alias("event.duration"),
        pl.when(known).then(pl.col("@timestamp") - pl.duration(microseconds=(seconds * 1e6).round()))
        .alias("event.start"),
        pl.when(known).then("@timestamp").alias("event.end"),
        pl.col("received").cast(pl.Int64, strict=False).alias("source.bytes"),
        pl.col("sent").cast(pl.Int64, strict=False).alias("destination.bytes"),
        pl.col("session").alias("session.id"),
        pl.coalesce("event.reason", "ended_by").alias("event.reason"),
    ]  # fmt: skip


def _mine() -> list[pl.Expr]:
    """What is the same in every event, and the text of those that no rule knows."""
    unknown = pl.col("topic").is_null()
    protocol = pl.col("protocol").str.to_lowercase()
    transport = protocol.str.extract(r"^(\w+)", 1).replace({"icmp6": "ipv6-icmp", "ip": None})
    return [
        pl.lit("cisco_meraki").alias("event.module"),
        pl.lit("cisco_meraki.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.col("event.severity").cast(pl.Int64, strict=False),
        pl.coalesce(protocol, pl.when(pl.col("kind").str.starts_with("dhcp")).then(pl.lit("dhcp")))
        .alias("network.protocol"),
        transport.alias("network.transport"),
        transport.replace_strict(ecs.PROTOCOLS, default=None, return_dtype=pl.String)
        .alias("network.iana_number"),
        pl.col("network.direction").str.to_lowercase(),
        pl.coalesce("network.vlan.id", "arp_vlan").alias("network.vlan.id"),
        pl.col("topic").alias("cisco.meraki.event_type"),
        pl.col("dhcp_host").alias("host.name"),
        pl.col("device").alias("observer.hostname"),
        pl.lit("Cisco").alias("observer.vendor"),
        pl.lit("meraki").alias("observer.product"),
        pl.when(unknown).then("rest")
        .otherwise(pl.coalesce("told", pl.when(pl.col("topic") == "events").then("said"))).alias("message"),
        pl.when(unknown).then("text").alias("event.original"),
    ]  # fmt: skip
