"""MikroTik RouterOS: logins, VPN clients, IKE, leases, firewall, changes; from files and as syslog.

`topic,topic message` behind a syslog header, behind RouterOS's own dates (`jan/02/2026 10:00:00`, from
version 7.10 on ISO 8601), or alone, as its remote logging sends it; after MikroTik's "Log" manual. Wordings
are in `mikrotik.toml`: those of logins, firewall and PPP accounts are shown in the manual or by users' logs;
those of IKE address leases and hot spots are not verified by a document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.shapes import message_forms
from sensors.values import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_LEVELS = "info|error|warning|critical|debug|account|packet|raw"
_TOPICS = rf"[a-z0-9][a-z0-9-]*(?:,[a-z0-9!-]+)*,(?:{_LEVELS})(?:,[a-z0-9!-]+)*"
_HEAD = (
    r"^(?:(?P<month>[a-z]{3})/(?P<day>[0-9]{2})(?:/(?P<year>[0-9]{4}))? (?P<clock>[0-9:]{8}) +)?"
    rf"(?:(?P<host>[^\s,:]+):? +)?(?P<topics>{_TOPICS}):? +(?P<body>.*)$"
)
_LINE: Final = re.compile(
    r"^(?:<\d+>)?(?:[A-Z][a-z]{2} +\d+ [\d:]{8} |\d{4}-\d\d-\d\d[T ][\d:]{8}\S* "
    r"|[a-z]{3}/\d\d(?:/\d{4})? [\d:]{8} )?"
    rf"(?:[^\s,:]+:? )?{_TOPICS}:? "
)
_PROTOCOL: Final = r"(?:^|,)(l2tp|pptp|sstp|ovpn|pppoe|ipsec|wireguard|hotspot|dhcp)"
_DENIED: Final = r"(?i)drop|deny|denied|reject|block"
_LIST: Final = pl.List(pl.String)
_NANOSECONDS: Final = 1_000_000_000


class MikroTik:
    """The sensor."""

    name = "mikrotik"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether at least half of the lines begin with RouterOS's topics."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip(" #")]
        return bool(lines) and 2 * sum(bool(_LINE.match(line[:300])) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a line of another form with a time keeps its text."""
        yield from syslog.events(
            source, lambda lines: _parted(lines, source), _events, "neither a time nor topics", "topics"
        )


SENSOR: Final = MikroTik()


def _parted(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds topics, host, `body`, and the times that RouterOS writes in its own way."""
    parts = lines["rest"].str.extract_groups(_HEAD).struct.unnest()
    frame = lines.hstack(parts.with_columns(parts["body"].fill_null(lines["rest"])))
    if frame["clock"].null_count() == frame.height:
        return frame
    stamp = pl.concat_str(
        pl.col("month").str.to_titlecase(), "day", "year", "clock", separator=" ", ignore_nulls=True
    )
    frame = frame.with_columns(pl.when(pl.col("clock").is_not_null()).then(stamp).alias("stamp"))
    asked = frame.select("stamp", pl.lit(None, pl.String).alias("zone")).unique().drop_nulls("stamp")
    known = syslog.moments(asked, source).drop("zone")
    told = frame.select("stamp").join(known, on="stamp", how="left", maintain_order="left")
    return frame.drop("stamp").with_columns(
        frame["@timestamp"].fill_null(told["@timestamp"]),
        pl.select(
            pl.when(frame["@timestamp"].is_null())
            .then(told["molehunt.guess"])
            .otherwise(frame["molehunt.guess"])
        )
        .to_series()
        .alias("molehunt.guess"),
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    of_firewall = pl.col("topics").str.contains(r"(?:^|,)firewall(?:,|$)")
    group = pl.when(of_firewall).then(pl.lit("firewall")).otherwise(pl.lit("other"))
    told = message_forms.told(frame.with_columns(group.alias("group")), message_forms.forms("mikrotik"))
    told = message_forms.with_columns_for(told, "mikrotik.prefix", "network.transport", "seconds")
    denied = pl.col("mikrotik.prefix").str.contains(_DENIED)
    protocol = pl.col("topics").str.extract(
        r"(?:^|,)(l2tp|pptp|sstp|ovpn|pppoe|ipsec|wireguard|hotspot|dhcp)", 1
    )
    told = told.with_columns(
        pl.coalesce("event.category", pl.lit(["network"], _LIST)).alias("event.category"),
        pl.when(denied)
        .then(pl.lit(["connection", "denied"], _LIST))
        .otherwise(pl.coalesce("event.type", pl.lit(["info"], _LIST)))
        .alias("event.type"),
        pl.when(denied).then(pl.lit("failure")).otherwise("event.outcome").alias("event.outcome"),
        connection.transport(pl.col("network.transport").str.to_lowercase()).alias("network.transport"),
        protocol.alias("network.protocol"),
        (pl.col("seconds").cast(pl.Int64, strict=False) * _NANOSECONDS).alias("event.duration"),
        pl.col("topics").alias("mikrotik.topics"),
        pl.col("topics").str.extract(rf"(?:^|,)({_LEVELS})(?:,|$)", 1).alias("log.level"),
        pl.coalesce("host", "relay").alias("observer.name"),
    )
    events = message_forms.settled(
        told,
        "mikrotik",
        event_dataset="mikrotik.log",
        observer_vendor="MikroTik",
        observer_product="RouterOS",
        observer_type="router",
    )
    return connection.described(events)
