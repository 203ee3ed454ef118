"""The packets that pf logs, as `filterlog` writes them: comma-separated, by IP version and protocol.

After "Raw Filter Log Format" (Netgate) and filterlog's source (OPNsense).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.values import ecs

_HEAD: Final = {
    "pfsense.filter.number": 0, "pfsense.filter.anchor": 2, "rule.id": 3, "interface": 4, "event.reason": 5,
    "event.action": 6, "way": 7, "version": 8,
}  # fmt: skip
# Where the parts stand in a line about IPv4 and IPv6.
_PARTS: Final = {
    "number": (15, 13), "protocol": (16, 12), "network.bytes": (17, 14), "source.address": (18, 15),
    "destination.address": (19, 16), "source.port": (20, 17), "destination.port": (21, 18),
}  # fmt: skip
_FLAGS: Final = (23, 20)
_PORTS: Final = ("tcp", "udp", "sctp", "udplite")
_WAYS: Final = {"in": "inbound", "out": "outbound", "in/out": "unknown"}
_LONGEST: Final = 22
_IPV6: Final = "6"


def packets(frame: pl.DataFrame) -> pl.DataFrame:
    """The lines whose `body` is filterlog's with their parts; others have none, and `form` null."""
    fields = frame["body"].str.split(",").list

    def at(number: int) -> pl.Series:
        text = fields.get(number, null_on_oob=True)
        return text.set(text == "", None)

    version = at(_HEAD["version"])
    sixth = version == _IPV6
    named = {name: at(number) for name, number in _HEAD.items()}
    for name, (fourth, other) in _PARTS.items():
        named[name] = at(fourth).zip_with(~sixth.fill_null(value=False), at(other))
    flags = at(_FLAGS[0]).zip_with(~sixth.fill_null(value=False), at(_FLAGS[1]))
    parted = frame.with_columns(
        *(value.alias(name) for name, value in named.items()), flags.alias("pfsense.tcp.flags")
    )
    transport = pl.col("protocol").str.to_lowercase().replace({"icmpv6": "ipv6-icmp"})
    numbered = pl.coalesce(transport.replace_strict(ecs.PROTOCOLS, default=None), "number")
    ports = transport.is_in(_PORTS)
    known = pl.col("version").is_in(["4", "6"]) & pl.col("source.address").is_not_null()
    kind = pl.when(pl.col("event.action") == "pass").then(pl.lit("allowed")).otherwise(pl.lit("denied"))
    return parted.with_columns(
        transport.alias("network.transport"),
        numbered.alias("network.iana_number"),
        pl.when(known).then(pl.concat_str(pl.lit("ipv"), "version")).alias("network.type"),
        pl.col("way").replace_strict(_WAYS, default=None).alias("network.direction"),
        pl.when(ports).then("source.port").alias("source.port"),
        pl.when(ports).then("destination.port").alias("destination.port"),
        pl.when(transport == "tcp").then("pfsense.tcp.flags").alias("pfsense.tcp.flags"),
        pl.when(known).then(0).alias("form").cast(pl.Int64),
        pl.lit(["network"], pl.List(pl.String)).alias("event.category"),
        pl.when(pl.col("event.action").is_not_null())
        .then(pl.concat_list(pl.lit("connection"), kind))
        .alias("event.type"),
    )
