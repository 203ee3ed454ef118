"""DHCPv6 messages (RFC 8415; names: RFC 4704; relays' options: RFC 4649, 6939) as events.

What a relay forwards is taken out of its wrapping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.protocols.dhcp import options
from sensors.capture.protocols.dhcp.places import Places, mac
from sensors.capture.protocols.dhcp.v4 import constants
from sensors.capture.protocols.dns.printable import HEX, IPV6, NAME, WORDS

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

PORTS: Final = frozenset({546, 547})
_TYPES: Final = {
    1: "SOLICIT", 2: "ADVERTISE", 3: "REQUEST", 4: "CONFIRM", 5: "RENEW", 6: "REBIND", 7: "REPLY",
    8: "RELEASE", 9: "DECLINE", 10: "RECONFIGURE", 11: "INFORMATION-REQUEST", 12: "RELAY-FORW",
    13: "RELAY-REPL", 14: "LEASEQUERY", 15: "LEASEQUERY-REPLY",
}  # fmt: skip
_FROM_SERVERS: Final = ("ADVERTISE", "REPLY", "RECONFIGURE", "RELAY-REPL", "LEASEQUERY-REPLY")
_CLIENT, _SERVER, _ADDRESS, _PARAMETERS, _STATUS, _NAME = 1, 2, 5, 6, 13, 39
_LINK_LAYER: Final = 79
_ETHERNET: Final = 1
_HARDWARE: Final = {1: 8, 3: 4}  # kinds of DUID that have a card's address, and before how many bytes of it


def fits(datagrams: Datagrams) -> Array:
    """By the ports, and options that fill the datagram."""
    ours = np.isin(datagrams.ports, list(PORTS)).any(axis=1)
    fits = np.zeros(len(datagrams), np.bool_)
    rows = np.flatnonzero(ours & (datagrams.size() >= 4))  # noqa: PLR2004
    fits[rows] = options.of_v6(datagrams.data, datagrams.starts[rows], datagrams.ends[rows])[1]
    return fits


def events(datagrams: Datagrams) -> pl.DataFrame:
    """An event a message."""
    found, _ = options.of_v6(datagrams.data, datagrams.starts, datagrams.ends)
    places = Places(datagrams.data, found, len(datagrams))
    name = places.text(_NAME, NAME, skip=1)
    kind = pl.coalesce(places.number(options.MESSAGE, 1), places.number(options.RELAYED, 1))
    action = pl.select(kind.replace_strict(_TYPES, default=kind.cast(pl.String), return_dtype=pl.String))
    said = pl.DataFrame(
        {
            "row": np.arange(len(datagrams)),
            "event.action": action.to_series(),
            "client.mac": _card(places, _CLIENT),
            "host.hostname": name.str.extract(r"^([^.]+)"),
            "capture.dhcpv6.client_fqdn": name,
            "capture.dhcpv6.transaction_id": places.number(options.MESSAGE, 3, offset=1).cast(pl.String),
            "capture.dhcpv6.client_duid": places.text(_CLIENT, HEX),
            "capture.dhcpv6.server_duid": places.text(_SERVER, HEX),
            "capture.dhcpv6.address.assigned": _address(places),
            "capture.dhcpv6.lease_time": places.number(_ADDRESS, 4, offset=20).cast(pl.Float64),
            "capture.dhcpv6.fingerprint": places.text(_PARAMETERS, WORDS),
            "capture.dhcpv6.vendor_class": places.text_or_hex(16, skip=6),
            "capture.dhcpv6.user_class": places.text_or_hex(15, skip=2),
            "capture.dhcpv6.dns_servers": places.text(23, IPV6).str.split(","),
            "capture.dhcpv6.domain": places.text(24, NAME),
            "capture.dhcpv6.id.interface": places.text_or_hex(18),
            "capture.dhcpv6.id.remote_agent": places.text_or_hex(37, skip=4),
            "status": places.number(_STATUS, 2),
        }
    )
    return _named(said)


def _named(said: pl.DataFrame) -> pl.DataFrame:
    """With what the messages are, and who the client is, by the names of the schema."""
    action, name = pl.col("event.action"), pl.col("host.hostname")
    asks = ~action.is_in(_FROM_SERVERS)
    known = (
        said.filter(asks, name.is_not_null())
        .group_by("capture.dhcpv6.client_duid")
        .agg(pl.when(name.n_unique() == 1).then(name.first()).alias("known"))
    )
    whole = said.join(known, on="capture.dhcpv6.client_duid", how="left", maintain_order="left")
    leased = (action == "REPLY") & (pl.col("capture.dhcpv6.lease_time") > 0)
    card = pl.concat_list("client.mac").list.drop_nulls()
    good = pl.col("status").fill_null(0) == 0
    return whole.with_columns(
        *constants("dhcpv6"),
        pl.when(action == "REPLY")
        .then(pl.when(good).then(pl.lit("success")).otherwise(pl.lit("failure")))
        .alias("event.outcome"),
        pl.when(leased | asks).then("capture.dhcpv6.address.assigned").alias("client.ip"),
        pl.when(card.list.len() > 0).then(card).alias("host.mac"),
        pl.when(asks).then(name).alias("host.name"),
        pl.when(asks).then("capture.dhcpv6.client_fqdn").alias("source.domain"),
        pl.coalesce(name, pl.when(~asks).then("known")).alias("host.hostname"),
        pl.col("status").cast(pl.String).alias("capture.dhcpv6.status"),
    ).drop("known", "status")


def _card(places: Places, code: int) -> pl.Series:
    """The card in a DUID (RFC 8415, 11), or the one that the relay saw (RFC 6939)."""
    kind, hardware = places.number(code, 2), places.number(code, 2, offset=2)
    cards = [
        pl.when((kind == number) & (hardware == _ETHERNET)).then(mac(places.text(code, HEX, skip=skip)))
        for number, skip in _HARDWARE.items()
    ]
    seen = mac(places.text(_LINK_LAYER, HEX, skip=2))
    return pl.select(pl.coalesce(*cards, seen)).to_series()


def _address(places: Places) -> pl.Series:
    """The address of the first option that has one."""
    return places.text(_ADDRESS, IPV6).str.extract(r"^([^,]+)")
