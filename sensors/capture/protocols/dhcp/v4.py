"""DHCP messages (RFC 2131; options of RFC 2132, 3046, 4702) as events.

Whom an address was granted is asked of the server's answers, which seldom name the computer: they get the
name from what the client said in the same exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.protocols.dhcp import options
from sensors.capture.protocols.dhcp.places import Places, either, mac, numbers
from sensors.capture.protocols.dns.printable import BYTES, HEX, IPV4, NAME, TEXT, shown

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

PORTS: Final = frozenset({67, 68, 4011})
_COOKIE: Final = bytes((99, 130, 83, 99))
_COOKIE_AT: Final = 236
_REQUEST, _REPLY = 1, 2
_MAC: Final = 6  # bytes
_HARDWARE: Final = 16  # bytes that there is room for
# Option 53 (https://www.iana.org/assignments/bootp-dhcp-parameters)
TYPES: Final = {
    1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK", 7: "RELEASE", 8: "INFORM",
    9: "FORCERENEW", 10: "LEASEQUERY", 11: "LEASEUNASSIGNED", 12: "LEASEUNKNOWN", 13: "LEASEACTIVE",
    14: "BULKLEASEQUERY", 15: "LEASEQUERYDONE", 16: "ACTIVELEASEQUERY", 17: "LEASEQUERYSTATUS", 18: "TLS",
}  # fmt: skip
_MESSAGE_TYPE, _PARAMETERS, _CLIENT_ID, _FQDN = 53, 55, 61, 81
_TEXTS: Final = {
    "capture.dhcp.hostname": 12, "capture.dhcp.domain": 15, "capture.dhcp.message": 56,
    "capture.dhcp.vendor_class": 60, "capture.dhcp.captive_portal": 114,
}  # fmt: skip
_OPTION_ADDRESSES: Final = {"capture.dhcp.address.requested": 50, "capture.dhcp.address.server": 54}
_HEADER_ADDRESSES: Final = {
    "capture.dhcp.address.client": 12, "capture.dhcp.address.assigned": 16,
    "capture.dhcp.address.next_server": 20, "capture.dhcp.address.relay": 24,
}  # fmt: skip
_LISTS: Final = {"capture.dhcp.routers": 3, "capture.dhcp.dns_servers": 6}
_RELAYED: Final = {
    "capture.dhcp.id.circuit": 1, "capture.dhcp.id.remote_agent": 2, "capture.dhcp.id.subscriber": 6,
}  # fmt: skip
_NOWHERE: Final = "0.0.0.0"  # noqa: S104 - what stands where there is no address
_WIRE: Final = 4  # the flag E of option 81: the name is in labels


def fits(datagrams: Datagrams) -> Array:
    """By the cookie, and an operation there is, of hardware addresses that have room."""
    operation = datagrams.byte(0)
    known = (operation == _REQUEST) | (operation == _REPLY)
    fits: Array = known & (datagrams.byte(2) <= _HARDWARE) & datagrams.begins(_COOKIE, _COOKIE_AT)
    return fits


def events(datagrams: Datagrams) -> pl.DataFrame:
    """An event a message."""
    data, starts = datagrams.data, datagrams.starts
    places = Places(data, options.of_v4(data, starts, datagrams.ends), len(starts))
    said = pl.DataFrame(
        {
            "row": np.arange(len(starts)),
            "asks": data[starts] == _REQUEST,
            "kind": places.number(_MESSAGE_TYPE, 1),
            "client.mac": _mac(data, starts, places),
            "capture.dhcp.transaction_id": numbers(data, starts + 4, 4).cast(pl.String),
            "capture.dhcp.lease_time": places.number(51, 4).cast(pl.Float64),
            "capture.dhcp.fingerprint": places.text(_PARAMETERS, BYTES),
            "capture.dhcp.client_id": _client_id(places),
            "capture.dhcp.user_class": _user_class(places),
            "capture.dhcp.client_fqdn": _fqdn(places),
            **{name: places.text(code) for name, code in _TEXTS.items()},
            **{name: places.text(code, IPV4) for name, code in _OPTION_ADDRESSES.items()},
            **{name: places.text(code, IPV4).str.split(",") for name, code in _LISTS.items()},
            **{
                name: shown(data, starts + at, starts + at + 4, IPV4)
                for name, at in _HEADER_ADDRESSES.items()
            },
            **{name: places.text_or_hex(options.RELAY + code) for name, code in _RELAYED.items()},
        }
    )
    addresses = [*_OPTION_ADDRESSES, *_HEADER_ADDRESSES]
    texts = [*_TEXTS, "capture.dhcp.client_fqdn"]
    return _named(
        said.with_columns(
            *(pl.when(pl.col(name) != _NOWHERE).then(name).alias(name) for name in addresses),
            # Some clients end their strings as C does.
            *(
                pl.col(name).str.replace(r"(?:\\000)+$", "").str.strip_chars_end(".").alias(name)
                for name in texts
            ),
        )
    ).drop("asks", "kind")


def _named(said: pl.DataFrame) -> pl.DataFrame:
    """With what the messages are, and who the client is, by the names of the schema."""
    requests = pl.when("asks").then(pl.lit("BOOTREQUEST")).otherwise(pl.lit("BOOTREPLY"))
    kind = pl.col("kind").replace_strict(TYPES, default=None, return_dtype=pl.String)
    assigned, client = pl.col("capture.dhcp.address.assigned"), pl.col("capture.dhcp.address.client")
    name = pl.coalesce("capture.dhcp.hostname", pl.col("capture.dhcp.client_fqdn").str.extract(r"^([^.]+)"))
    own = said.with_columns(
        pl.coalesce(kind, requests).alias("event.action"), pl.when(name != "").then(name).alias("name")
    )
    # One exchange has one number; a client that renews need not say its name again, but is the same card.
    names = own.filter("asks", pl.col("name").is_not_null(), pl.col("client.mac").is_not_null())
    exchanges = names.group_by("client.mac", "capture.dhcp.transaction_id").agg(
        pl.col("name").first().alias("told")
    )
    cards = names.group_by("client.mac").agg(
        pl.when(pl.col("name").n_unique() == 1).then(pl.col("name").first()).alias("known")
    )
    whole = own.join(
        exchanges, on=["client.mac", "capture.dhcp.transaction_id"], how="left", maintain_order="left"
    )
    whole = whole.join(cards, on="client.mac", how="left", maintain_order="left")
    action = pl.col("event.action")
    host = pl.coalesce("name", pl.when(~pl.col("asks")).then(pl.coalesce("told", "known")))
    address = (
        pl.when(action == "ACK")
        .then(pl.coalesce(assigned, client))
        .when(action == "DECLINE")
        .then("capture.dhcp.address.requested")
        .when(~action.is_in(["OFFER", "NAK"]))
        .then(client)
    )
    card = pl.concat_list("client.mac").list.drop_nulls()
    return whole.with_columns(
        *constants("dhcp"),
        pl.when(action == "ACK")
        .then(pl.lit("success"))
        .when(action.is_in(["NAK", "DECLINE"]))
        .then(pl.lit("failure"))
        .alias("event.outcome"),
        address.alias("client.ip"),
        pl.col("capture.dhcp.address.server").alias("server.ip"),
        pl.col("capture.dhcp.domain").alias("network.name"),
        pl.when(card.list.len() > 0).then(card).alias("host.mac"),
        host.alias("host.hostname"),
        host.alias("client.domain"),
        pl.when("asks").then("name").alias("host.name"),
        pl.when("asks").then("name").alias("source.domain"),
        # Behind a relay the sender of the frame is the relay.
        pl.when(pl.col("asks") & pl.col("capture.dhcp.address.relay").is_null())
        .then("client.mac")
        .alias("source.mac"),
    ).drop("name", "told", "known")


def constants(protocol: str) -> list[pl.Expr]:
    """What all events of a protocol have."""
    return [
        pl.lit(f"capture.{protocol}").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        pl.lit(protocol).alias("network.protocol"),
    ]


def _mac(data: Array, starts: Array, places: Places) -> pl.Series:
    """The client's card: of the header, or else of the client's identifier (RFC 2132, 9.14)."""
    has = data[starts + 2] == _MAC
    header = mac(shown(data, np.where(has, starts + 28, -1), starts + 28 + _MAC, HEX))
    given = mac(places.text(_CLIENT_ID, HEX, skip=1))
    ethernet = places.number(_CLIENT_ID, 1) == 1
    return pl.select(pl.coalesce(header, pl.when(ethernet).then(given))).to_series()


def _client_id(places: Places) -> pl.Series:
    """As hex; if its kind is 0 (no hardware), and it is text, as that."""
    whole, rest = places.text(_CLIENT_ID, HEX), places.text(_CLIENT_ID, TEXT, skip=1)
    free = either(rest, whole)
    return pl.select(
        pl.when(places.number(_CLIENT_ID, 1) == 0).then(pl.coalesce(free, whole)).otherwise(whole)
    ).to_series()


def _user_class(places: Places) -> pl.Series:
    """One string, as most clients send it, or several with their lengths before them (RFC 3004)."""
    starts, ends = places.spans(77)
    counted = places.number(77, 1) == pl.Series(ends - starts - 1)
    return pl.select(
        pl.when(counted).then(places.text(77, TEXT, skip=1)).otherwise(places.text(77))
    ).to_series()


def _fqdn(places: Places) -> pl.Series:
    """Option 81: flags, two bytes that nobody reads, the name."""
    wire = (places.number(_FQDN, 1) & _WIRE) != 0
    return pl.select(
        pl.when(wire).then(places.text(_FQDN, NAME, skip=3)).otherwise(places.text(_FQDN, TEXT, skip=3))
    ).to_series()
