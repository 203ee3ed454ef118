"""SoftEther VPN Server: its server log and the security log of its Virtual Hubs, as files and as syslog.

`2026-05-12 10:53:19.781 [HUB "x"] Connection "CID-72": …`, behind a syslog header also
`[host/VPN/hub] (2026-05-12 10:53:19.781) <SECURITY_LOG>: …`, after "3.10 Logging Service" of the manual; the
wordings in `softether.toml` are those of the server's own string table. The names of users stand where they
log in, addresses where they connect: what belongs together shares the connection's name (`CID-…`) or
`session.id` (`SID-USER-…`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.shapes import message_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}"
_HEAD = (
    r"^(?:(?:(?P<host>[^\s\[\]]+) +)?\[(?P<machine>[^\]/]*)/VPN(?:/(?P<hub>[^\]]*))?\] "
    rf"\((?P<own>{_STAMP})\) "
    r"<(?P<log>\w+)>: )?(?:\[HUB \"(?P<named>[^\"]*)\"\] )?(?P<body>.*)$"
)
_BEGINS = (
    r"(?:The c|C)onnection (?:\"CID-|with the client)|Session \"SID-|On the TCP Listener|For the client \(IP"
    r"|SSL communication for connection|IPsec (?:Client|IKE|ESP)|L2TP PPP|PPP |OpenVPN (?:Session|Module)"
    r"|HTTPS API client|EtherIP |Although the Virtual Hub|A DoS attack on|SSTP PPP|SoftEther |The Virtual Hub"
    r"|Virtual Hub|Administration mode|Administrator"
)
_LINE: Final = re.compile(
    rf"^{_STAMP} (?:\[HUB \"[^\"]*\"\] )?(?:{_BEGINS})"
    rf"|\[[^\]/]*/VPN(?:/[^\]]*)?\] \({_STAMP}\) <\w+_LOG>: "
)
_PERSON: Final = r"^SID-(.+?)(?:-\[[^\]]*\])?-[0-9]+$"
_LIST: Final = pl.List(pl.String)
# Session names that stand for the hub's own parts.
_PARTS: Final = r"^(?:SECURENAT|LOCALBRIDGE|BRIDGE|LAYER3|CASCADE)$"


class SoftEther:
    """The sensor."""

    name = "softether"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - logs are named after their day
        """Whether at least half of the lines are worded as the server words them."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_LINE.search(line[:300])) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a wording that is not known keeps its text."""
        yield from syslog.events(source, _parted, _events, "neither a time nor the server's own", "log")


SENSOR: Final = SoftEther()


def _parted(lines: pl.DataFrame) -> pl.DataFrame:
    parts = lines["rest"].str.extract_groups(_HEAD).struct.unnest()
    return lines.hstack(parts)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    grouped = frame.with_columns(pl.lit("softether").alias("group"))
    told = message_forms.told(grouped, message_forms.forms("softether"))
    told = message_forms.with_columns_for(told, "person", "session.id")
    owner = pl.col("session.id").str.extract(_PERSON, 1)
    member = pl.when(~owner.str.contains(_PARTS)).then(owner.str.to_lowercase())
    told = told.with_columns(
        pl.coalesce("person", member).alias("person"),
        pl.coalesce("event.category", pl.lit(["network"], _LIST)).alias("event.category"),
        pl.coalesce("event.type", pl.lit(["info"], _LIST)).alias("event.type"),
        pl.coalesce("hub", "named").alias("softether.hub"),
        pl.col("log").alias("softether.log"),
        pl.coalesce("machine", "host", "relay").alias("host.name"),
    )
    return message_forms.settled(
        told,
        "softether",
        event_dataset="softether.server",
        observer_vendor="SoftEther",
        observer_product="SoftEther VPN Server",
        observer_type="vpn",
    )
