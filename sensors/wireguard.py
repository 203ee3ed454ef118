"""WireGuard: handshakes and dropped packets as the kernel logs them, the Windows service, and wg-quick.

The kernel is silent unless dynamic debugging is on (`module wireguard +p`). WireGuard knows peers, no people:
who holds a peer's key stands in its configuration. Wording in `wireguard.toml` beside this file.
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

_KERNEL = (
    r"^(?:(?P<host>[^\s:]+) )?(?P<app>kernel): (?:\[ *[0-9.]+\] )?"
    r"wireguard: (?P<interface>\S+?): (?P<body>.*)$"
)
_QUICK = r"^(?:(?P<host>[^\s:]+) )?(?P<app>wg-quick)(?:\[(?P<pid>[0-9]+)\])?: (?P<body>.*)$"
# Windows: `[TUN] [office] Handshake for …`; wireguard-go: `DEBUG: (wg0) 2026/10/05 09:00:11 peer(…) - …`.
_WINDOWS = r"^(?:[0-9]+: )?\[(?P<app>TUN|MGR)\] (?:\[(?P<interface>[^\]]+)\] )?(?P<body>.*)$"
_FORMS: Final = (_KERNEL, _QUICK, _WINDOWS)
_OWN = re.compile(
    r" kernel: (?:\[ *[\d.]+\] )?wireguard: |\bwg-quick(?:\[\d+\])?: (?:\[#\]|wg-quick: )|: \[(?:TUN|MGR)\] "
)


class WireGuard:
    """The sensor."""

    name = "wireguard"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a kernel's log has any name
        """Whether at least half of the lines are WireGuard's."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_OWN.search(line)) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another program is an event with its text."""
        yield from syslog.events(source, _headed, _events, "neither a time nor WireGuard's name", "app")


def _headed(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `host`, `app`, `pid`, `near_interface`, `body` by the first form that fits."""
    parts = [lines["rest"].str.extract_groups(form).struct.unnest() for form in _FORMS]

    def first(name: str) -> pl.Series:
        found = pl.Series(name, [None] * lines.height, dtype=pl.String)
        for part in parts:
            found = found.fill_null(part[name]) if name in part.columns else found
        return found

    return lines.with_columns(
        first("host"),
        first("app"),
        first("pid"),
        first("interface").alias("near_interface"),
        first("body").fill_null(lines["rest"]).alias("body"),
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    quick = pl.when(pl.col("app") == "wg-quick").then(pl.lit("quick")).otherwise(pl.lit("wireguard"))
    told = message_forms.told(frame.with_columns(quick.alias("group")), message_forms.forms("wireguard"))
    told = message_forms.with_columns_for(told, "interface")
    interface = pl.coalesce("interface", "near_interface")
    told = told.with_columns(
        pl.col("host").alias("host.name"),
        pl.col("host").alias("host.hostname"),
        interface.alias("observer.ingress.interface.name"),
        pl.col("app").replace({"TUN": "wireguard", "MGR": "wireguard"}).alias("process.name"),
        pl.col("pid").alias("process.pid"),
        pl.coalesce("event.category", pl.lit(["network"], pl.List(pl.String))).alias("event.category"),
    )
    return message_forms.settled(
        told,
        "wireguard",
        event_dataset="wireguard.log",
        event_provider="wireguard",
        network_protocol="wireguard",
        network_transport="udp",
        observer_vendor="WireGuard",
        observer_product="WireGuard",
        observer_type="vpn",
    )


SENSOR: Final = WireGuard()
