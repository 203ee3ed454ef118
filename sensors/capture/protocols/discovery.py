"""Devices that announce themselves: SSDP (UPnP Device Architecture 2.0, section 1) and WS-Discovery (1.1).

Televisions, cameras, printers, phones and IP-KVMs say by these what they are and where their pages stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols.dns.printable import shown

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

_SSDP, _WSD = 1900, 3702
_BEGINNINGS: Final = (
    b"M-SEARCH * HTTP/1.",
    b"NOTIFY * HTTP/1.",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
)
# As `printable` has the ends of lines.
_LINE: Final = r"\\013?\\010"
_HEADERS: Final = {
    "capture.ssdp.host": "HOST", "capture.ssdp.search_target": "ST", "capture.ssdp.notification": "NT",
    "capture.ssdp.state": "NTS", "capture.ssdp.usn": "USN", "capture.ssdp.server": "SERVER",
    "url.original": "LOCATION", "user_agent.original": "USER-AGENT",
}  # fmt: skip
_ACTIONS: Final = {
    "M-SEARCH": "ssdp_search",
    "NOTIFY": "ssdp_notify",
    "HTTP/1.1": "ssdp_answer",
    "HTTP/1.0": "ssdp_answer",
}
_MARKUP: Final = ord("<")
_MARK_OF_ORDER: Final = b"\xef\xbb\xbf<"
_OF_DISCOVERY: Final = r"schemas\.xmlsoap\.org/ws/2005/04/discovery|docs\.oasis-open\.org/ws-dd/ns/discovery"
_LISTS: Final = {
    "capture.wsd.types": "Types",
    "capture.wsd.scopes": "Scopes",
    "capture.wsd.addresses": "XAddrs",
}
_BLANK: Final = r"(?:\\0(?:09|10|13)|\s)+"


def _fits_ssdp(datagrams: Datagrams) -> Array:
    first, *others = (datagrams.begins(text) for text in _BEGINNINGS)
    for other in others:
        first |= other
    return first


def _said_in_ssdp(datagrams: Datagrams) -> pl.DataFrame:
    text = pl.Series("text", shown(datagrams.data, datagrams.starts, datagrams.ends))
    said = pl.DataFrame([text]).select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
        pl.col("text").str.extract(r"^(\S+)").alias("method"),
        *(
            pl.col("text").str.extract(rf"(?i){_LINE}{header}:\s*(.*?)\s*(?:\\0(?:13|10)|$)").alias(name)
            for name, header in _HEADERS.items()
        ),
    )
    is_text = (pl.when(pl.col(name) != "").then(name).alias(name) for name in _HEADERS)
    return said.with_columns(is_text).select(
        "row",
        *_constants("ssdp"),
        pl.col("method").replace_strict(_ACTIONS, default=None, return_dtype=pl.String).alias("event.action"),
        *_HEADERS,
    )


def _fits_wsd(datagrams: Datagrams) -> Array:
    fits: Array = (datagrams.ports == _WSD).any(axis=1) & (
        (datagrams.byte(0) == _MARKUP) | datagrams.begins(_MARK_OF_ORDER)
    )
    rows = fits.nonzero()[0]
    text = shown(datagrams.data, datagrams.starts[rows], datagrams.ends[rows])
    fits[rows] = text.str.contains(_OF_DISCOVERY).fill_null(value=False).to_numpy()
    return fits


def _said_in_wsd(datagrams: Datagrams) -> pl.DataFrame:
    text = pl.col("text")
    scopes = _content("Scopes")
    return pl.DataFrame([pl.Series("text", shown(datagrams.data, datagrams.starts, datagrams.ends))]).select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
        *_constants("wsd"),
        (pl.lit("wsd_") + text.str.extract(r"discovery/(\w+)\s*<").str.to_lowercase()).alias("event.action"),
        text.str.extract(r"<(?:[\w.-]+:)?EndpointReference\b.*?<(?:[\w.-]+:)?Address\b[^>]*>([^<]*)<").alias(
            "capture.wsd.device"
        ),
        *(
            pl.when(_content(tag) != "").then(_content(tag).str.split(" ")).alias(name)
            for name, tag in _LISTS.items()
        ),
        # ONVIF Core Specification, 7.3.2.1
        scopes.str.extract(r"onvif://www\.onvif\.org/name/(\S+)").alias("capture.wsd.name"),
        scopes.str.extract(r"onvif://www\.onvif\.org/hardware/(\S+)").alias("device.model.name"),
    )


def _content(tag: str) -> pl.Expr:
    """What stands in the first element of this name, with single blanks."""
    inside = pl.col("text").str.extract(rf"<(?:[\w.-]+:)?{tag}(?:\s[^>]*)?>([^<]*)<")
    return inside.str.replace_all(_BLANK, " ").str.strip_chars()


def _constants(protocol: str) -> list[pl.Expr]:
    return [
        pl.lit(f"capture.{protocol}").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        pl.lit(protocol).alias("network.protocol"),
    ]


PROTOCOLS: Final = (
    OverUdp("ssdp", _fits_ssdp, _said_in_ssdp, frozenset({_SSDP})),
    OverUdp("wsd", _fits_wsd, _said_in_wsd, frozenset({_WSD})),
)
