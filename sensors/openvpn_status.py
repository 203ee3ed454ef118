"""OpenVPN's status file (`--status`), versions 1, 2 and 3: who is connected, since when, with how many bytes.

After multi.c, `multi_print_status`. Every client and every route of the list is an event of the moment the
list was written; its headings and global figures are no events. Bytes are counted by the server: what it
received, the client sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, zones
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.shapes import message_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_HEADS: Final = ("OpenVPN CLIENT LIST", "TITLE,OpenVPN", "TITLE\tOpenVPN")
_ADDRESS = r"^(?:(?:udp|tcp)[46]?(?:-server)?:)?\[?(.+?)\]?(?::([0-9]{1,5}))?$"
_BARE_V6 = r"^[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*$"
_DATES: Final = ("%a %b %e %H:%M:%S %Y", "%Y-%m-%d %H:%M:%S")
# Version 1 has sections without names in their rows; versions 2 and 3 begin each row with its kind.
_SECTIONS: Final = {"OpenVPN CLIENT LIST": "client", "ROUTING TABLE": "route", "GLOBAL STATS": "other"}
_FIRST: Final = {
    "client": ("Common Name", "Real Address", "Bytes Received", "Bytes Sent", "Connected Since"),
    "route": ("Virtual Address", "Common Name", "Real Address", "Last Ref"),
}
_KEYS: Final = {
    "person": ("Username", "Common Name"),
    "real": ("Real Address",),
    "virtual": ("Virtual Address",),
    "openvpn.address.v6": ("Virtual IPv6 Address",),
    "source.bytes": ("Bytes Received",),
    "destination.bytes": ("Bytes Sent",),
    "since": ("Connected Since (time_t)", "Connected Since"),
    "last": ("Last Ref (time_t)", "Last Ref"),
    "tls.cipher": ("Data Channel Cipher",),
    "tls.client.subject": ("Common Name",),
    "session.id": ("Client ID",),
}
_STRUCTURE = (
    r"^(?:TITLE[,\t]|TIME[,\t]|HEADER[,\t]|GLOBAL_STATS[,\t]|END$|OpenVPN CLIENT LIST$|ROUTING TABLE$|"
    r"GLOBAL STATS$|"
    r"Updated,|Common Name,|Virtual Address,|Max bcast/mcast queue|ERROR:)"
)


class OpenVpnStatus:
    """The sensor."""

    name = "openvpn_status"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the server's configuration names the file
        """Whether the first line is a status list's."""
        return framing.text_head(head[:200]).startswith(_HEADS)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per client and per route; other lines that are not the list's own are unread."""
        state: dict[str, list[str]] = {kind: list(names) for kind, names in _FIRST.items()}
        written: pl.Series | None = None
        for lines in framing.lines(source):
            frame = _sorted(lines, state)
            updated = frame["text"].str.extract(r"^(?:Updated,|TIME[,\t])([^,\t]+)", 1)
            stated = _moment(updated, source)
            begun = written if written is not None else pl.Series([source.modified], dtype=TIME)
            moment = stated.forward_fill().fill_null(begun[0])
            written = moment.tail(1)
            frame = frame.with_columns(moment.alias("@timestamp"))
            known = frame["kind"].is_not_null()
            strange = ~known & ~frame["text"].str.contains(_STRUCTURE)
            if strange.any():
                name_lost(frame.filter(strange), "not a client or route of OpenVPN's status list", source)
            if known.any():
                yield _events(frame.filter(known), source, state)


def _sorted(lines: pl.DataFrame, state: dict[str, list[str]]) -> pl.DataFrame:
    """Adds `kind` of every row and its `values`; headers that name the columns are kept in `state`."""
    text = lines["text"].str.replace_all("\t", ",", literal=True)
    for header in text.filter(text.str.starts_with("HEADER,")):
        parts = header.split(",")
        if parts[1:2] in (["CLIENT_LIST"], ["ROUTING_TABLE"]):
            state["client" if parts[1] == "CLIENT_LIST" else "route"] = parts[2:]
    section = text.replace_strict(_SECTIONS, default=None, return_dtype=pl.String).forward_fill()
    tag = text.str.extract(r"^(CLIENT_LIST|ROUTING_TABLE),", 1)
    named = tag.replace({"CLIENT_LIST": "client", "ROUTING_TABLE": "route"})
    plain = section.set(text.str.contains(_STRUCTURE) | (section == "other"), None)
    enough = text.str.count_matches(",", literal=True) >= 3  # noqa: PLR2004 - the fields of a version 1 route
    return lines.with_columns(
        named.fill_null(plain.set(~enough, None)).alias("kind"),
        text.str.strip_prefix("CLIENT_LIST,").str.strip_prefix("ROUTING_TABLE,").alias("row"),
    )


def _moment(text: pl.Series, source: Source) -> pl.Series:
    """Times in words, in either form, of the source's zone; numbers are seconds since 1970."""
    clock = pl.coalesce(
        pl.col("t").str.to_datetime(form, strict=False, time_unit="us", exact=True) for form in _DATES
    )
    seconds = pl.col("t").cast(pl.Int64, strict=False)
    return (
        text.alias("t")
        .to_frame()
        .with_columns(c=clock)
        .select(pl.coalesce(pl.from_epoch(seconds).cast(TIME), zones.utc(pl.col("c"), source.zone)))
        .to_series()
        .cast(TIME)
    )


def _events(frame: pl.DataFrame, source: Source, state: dict[str, list[str]]) -> pl.DataFrame:
    parts = []
    for (kind,), part in frame.partition_by("kind", as_dict=True).items():
        names = state[str(kind)]
        values = part["row"].str.split(",").list
        found = {name: values.get(at, null_on_oob=True) for at, name in enumerate(names)}
        nothing = pl.Series([None] * part.height, dtype=pl.String)
        parts.append(
            part.with_columns(
                next((found[key] for key in keys if key in found), nothing).alias(name)
                for name, keys in _KEYS.items()
            )
        )
    whole = pl.concat(parts, how="diagonal").sort("log.offset")
    real = whole["real"]
    plain = real.str.contains(_BARE_V6)
    start = _moment(whole["since"], source)
    client = pl.col("kind") == "client"
    whole = whole.with_columns(
        real.str.extract(_ADDRESS, 1).zip_with(~plain, real).alias("source.address"),
        real.str.extract(_ADDRESS, 2).set(plain, None).alias("source.port"),
        pl.col("virtual").str.replace(r"[/C].*$", "").alias("source.nat.ip"),
        start.alias("event.start"),
        (pl.col("@timestamp") - start).dt.total_microseconds().mul(1000).alias("event.duration"),
        pl.when(pl.col("person") != "UNDEF").then("person").alias("person"),
        pl.when(client)
        .then(pl.lit("session-listed"))
        .otherwise(pl.lit("route-listed"))
        .alias("event.action"),
        pl.when(client)
        .then(pl.lit(["network", "session"], pl.List(pl.String)))
        .otherwise(pl.lit(["network"], pl.List(pl.String)))
        .alias("event.category"),
        pl.lit(["connection", "info"], pl.List(pl.String)).alias("event.type"),
        pl.col("text").alias("body"),
    )
    return message_forms.settled(
        whole,
        "openvpn",
        event_dataset="openvpn.status",
        event_provider="openvpn",
        network_protocol="openvpn",
        observer_vendor="OpenVPN",
        observer_product="OpenVPN",
        observer_type="vpn",
    )


SENSOR: Final = OpenVpnStatus()
