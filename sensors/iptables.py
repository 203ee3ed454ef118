"""Files of the packets that Linux' netfilter logs (iptables, nftables), with UFW's and Ubiquiti's prefixes.

The packets are `netfilter`'s; what other programs wrote between them is read as in any other file of syslog.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import netfilter, unix_syslog
from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.application_logins import programs
    from sensors.sensor import Source

_LINE = re.compile(r"\bIN=\S* OUT=\S*(?: |$)|kernel: .*\bPROTO=\w+ .*(?:\bSPT=|\bTYPE=)")
# UniFi's gateways write their name twice, other routers the facility behind it.
_TWICE: Final = r"^(?P<host>[^\s:\[\]]+) +[^\s:\[\]]+ +(?P<said>[^\s:\[\]%]+(?:\[[0-9]+\])?: .*)$"


class IpTables:
    """The sensor."""

    name = "iptables"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - kern.log, ufw.log, messages
        """Whether at least half of the lines are packets of netfilter."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        if not lines or lines[0].lstrip().startswith(("{", "[{")):
            return False
        return 2 * sum(bool(_LINE.search(line[:2000])) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line: a packet, or what the program that wrote the line is known to say."""
        clock = syslog.Clock(source)
        held: programs.Held = {}
        for lines in syslog.records(source):
            frame = netfilter.parted(lines)
            packet = netfilter.packets(frame)
            strange = frame["@timestamp"].is_null() & frame["app"].is_null() & ~packet
            if strange.any():
                name_lost(frame.filter(strange), "neither a syslog time nor a packet of netfilter", source)
                frame, packet = frame.filter(~strange), packet.filter(~strange)
            if frame.height:
                yield _events(clock.fill(frame), packet, held)


def _events(frame: pl.DataFrame, packet: pl.Series, held: programs.Held) -> pl.DataFrame:
    if packet.all():
        return netfilter.events(frame)
    other = frame.filter(~packet).drop("host", "app", "pid", "body")
    twice = other["rest"].str.extract_groups(_TWICE).struct.unnest()
    once = pl.coalesce(pl.concat_str(twice["host"], pl.lit(" "), twice["said"]), "rest")
    parts = [unix_syslog.events(unix_syslog.parted(other.with_columns(once.alias("rest"))), held)]
    if packet.any():
        parts.append(netfilter.events(frame.filter(packet)))
    return pl.concat(parts, how="diagonal_relaxed").sort("log.offset")


SENSOR: Final = IpTables()
