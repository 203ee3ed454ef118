"""Packets that Linux' netfilter logs (iptables, nftables), as ECS: for the sensors whose files have them.

After the kernel's nf_log_syslog.c; mapping after Elastic's integration `iptables`. What was done with one
stands only in the prefix that the administrator chose: its words decide, and its text is the action.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.shapes import message_forms
from sensors.values import connection

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD = (
    r"^(?:(?P<host>[^\s:\[\]]+) +)?(?:[^\s:\[\]]+ +)?(?P<app>kernel|ulogd)(?:\[(?P<pid>[0-9]+)\])?: *"
    r"(?:\[ *[0-9.]+\] *)?(?P<body>.*)$"
)
_UPTIME: Final = r"^ *\[ *[0-9.]+\] *"
_PACKET: Final = r"\b(?:IN=\S* OUT=|PROTO=)"
_OTHER: Final = r"^(?:[^\s:\[\]]+ +){0,2}[^\s:\[\]]+\[[0-9]+\]: "
_SAID: Final = r"\bIN=\S* OUT=\S*(?: |$)"
# `[WAN_OUT-2000-A]`: Ubiquiti's rule set, number of the rule and action; sets of two zones are `wan-lan`.
_UBIQUITI = r"^\[(?P<set>[^\]]+)-(?P<rule>[^\]-]+)-(?P<verdict>[ADR])\]"
_ZONES = r"^(?P<from>[a-z0-9]+)-(?P<to>[a-z0-9]+)$"
_PREFIX = r"^(?:iptables[: ] *)?\[?(?P<prefix>[^=]*?)[\]:\s-]*\bIN="
_KEYS: Final = {
    "source.address": "SRC", "destination.address": "DST", "source.port": "SPT", "destination.port": "DPT",
    "network.bytes": "LEN", "protocol": "PROTO", "mac": "MAC", "observer.ingress.interface.name": "IN",
    "observer.egress.interface.name": "OUT", "iptables.ttl": "(?:TTL|HOPLIMIT)", "iptables.id": "ID",
    "iptables.icmp.type": "TYPE", "iptables.icmp.code": "CODE", "iptables.mark": "MARK",
}  # fmt: skip
_MAC = r"^((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}):((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})"
# Without the sender's, if the receiver's is all that the kernel was given.
_MAC_ALONE = r"^((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})(?::[0-9A-Fa-f]{2}){0,2}$"
_DONE: Final = {"A": "accept", "D": "drop", "R": "reject"}
_REFUSED = r"(?i)drop|block|deny|denied|reject|discard|invalid"
_PASSED = r"(?i)accept|allow|pass|permit"


def parted(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines of `syslog.records` with `host`, `app` (of the kernel, ulogd), `pid`, `body`."""
    parts = lines["rest"].str.extract_groups(_HEAD).struct.unnest()
    return lines.hstack(parts.with_columns(parts["body"].fill_null(lines["rest"])))


def packets(parts: pl.DataFrame) -> pl.Series:
    """Which of what `parted` gave are packets; in a file of netfilter also those that begin in the middle.

    What another program quotes of one is none: `sshd[7]: Invalid user IN= OUT=`.
    """
    other = parts["app"].is_null() & parts["body"].str.contains(_OTHER)
    return parts["body"].str.contains(_PACKET) & ~other


def split(frame: pl.DataFrame, otherwise: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    """Records, taken apart by `syslog.fields`, as ECS: packets here, others by `otherwise`."""
    kernel = frame["app"].is_in(["kernel", "ulogd"]).fill_null(value=False)
    if not kernel.any():
        return otherwise(frame)
    packet = kernel & frame["body"].str.contains(_SAID)
    if not packet.any():
        return otherwise(frame)
    told = frame.filter(packet)
    journal = told.select(name for name in told.columns if name.startswith("system."))
    parts = [events(told.with_columns(told["body"].str.replace(_UPTIME, ""))).hstack(journal)]
    if not packet.all():
        parts.append(otherwise(frame.filter(~packet)))
    return pl.concat(parts, how="diagonal_relaxed").sort("log.offset")


def events(frame: pl.DataFrame) -> pl.DataFrame:
    """What `parted` gave, as ECS."""
    body = frame["body"]
    found = {name: body.str.extract(rf"(?:^|[\s\]]){key}=(\S*)", 1) for name, key in _KEYS.items()}
    frame = frame.with_columns(value.alias(name) for name, value in found.items())
    frame = frame.hstack(body.str.extract_groups(_UBIQUITI).struct.unnest())
    frame = frame.hstack(frame["set"].str.extract_groups(_ZONES).struct.unnest())
    frame = frame.with_columns(body.str.extract(_PREFIX, 1).str.strip_chars(" ").alias("prefix"))
    protocol = pl.col("protocol").str.to_lowercase().replace({"icmpv6": "ipv6-icmp"})
    verdict = pl.col("verdict").replace_strict(_DONE, default=None, return_dtype=pl.String)
    prefix = pl.when(pl.col("prefix") != "").then(pl.col("prefix").str.to_lowercase())
    said = pl.coalesce(verdict, pl.col("prefix"))
    packet = pl.col("protocol").is_not_null()
    linked = pl.lit("connection")
    frame = frame.with_columns(
        connection.transport(protocol).alias("network.transport"),
        pl.coalesce(verdict, prefix).alias("event.action"),
        pl.lit(["network"], pl.List(pl.String)).alias("event.category"),
        pl.when(said.str.contains(_REFUSED))
        .then(pl.concat_list(pl.lit("denied"), linked))
        .when(said.str.contains(_PASSED))
        .then(pl.concat_list(pl.lit("allowed"), linked))
        .when(pl.col("source.address").is_not_null())
        .then(pl.concat_list(linked))
        .alias("event.type"),
        _mac(2).alias("source.mac"),
        pl.coalesce(_mac(1), _mac(1, _MAC_ALONE)).alias("destination.mac"),
        pl.col("set").alias("rule.name"),
        pl.col("rule").alias("rule.id"),
        pl.col("from").alias("observer.ingress.zone"),
        pl.col("to").alias("observer.egress.zone"),
        pl.col("app").alias("log.syslog.appname"),
        pl.col("host").alias("observer.name"),
        pl.col("host").alias("host.name"),
        pl.col("host").alias("host.hostname"),
        pl.when(packet).then(0).cast(pl.Int64).alias("form"),
    )
    settled = message_forms.settled(
        frame,
        "iptables",
        event_dataset="iptables.log",
        observer_vendor="Linux",
        observer_product="netfilter",
        observer_type="firewall",
    )
    return connection.described(settled, ("iptables.icmp.type", "iptables.icmp.code"))


def _mac(number: int, form: str = _MAC) -> pl.Expr:
    """The receiver's (1) or sender's (2) address of the Ethernet header, as RFC 7042 writes it."""
    return pl.col("mac").str.extract(form, number).str.to_uppercase().str.replace_all(":", "-", literal=True)
