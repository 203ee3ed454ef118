"""SIP over UDP and TCP (RFC 3261): who calls or registers whom; a request with the last answer to it.

Names as those of Zeek's sip.log. Of Authorization only the name is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, OverUdp, Streams
from sensors.capture.protocols import lines

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

_METHODS: Final = (
    "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH",
    "INFO", "REFER", "MESSAGE", "UPDATE",
)  # fmt: skip
_ANSWER: Final = b"SIP/2.0 "
_LINE: Final = 512  # bytes of a request line that are looked at
_START: Final = r"^(?:([A-Z]{3,16}) (\S+) SIP/2\.0|SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?)$"
_FIELD: Final = r"^([A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*$"
# Names of fields, the short ones of section 7.3.3 too, and where their values go.
_FIELDS: Final = {
    "from": "~from", "f": "~from", "to": "~to", "t": "~to", "call-id": "capture.sip.call_id",
    "i": "capture.sip.call_id", "cseq": "~cseq", "user-agent": "~agent", "server": "capture.sip.server",
    "contact": "capture.sip.contact", "m": "capture.sip.contact", "authorization": "~own",
    "proxy-authorization": "~proxy", "subject": "capture.sip.subject", "s": "capture.sip.subject",
}  # fmt: skip
_ADDRESS: Final = r"(?i)sips?:(?:([^@:;>\s]+)(?::[^@>\s]*)?@)?(\[[0-9A-Fa-f:.]+\]|[^:;>\s?]+)"
_PASSWORD: Final = r"(?i)(sips?:[^@:;>\s]*):[^@>\s]*@"  # noqa: S105 - finds it, to leave it out
_NAME: Final = r'(?i)username="([^"]+)"'
_FINAL: Final = 200
_REFUSED_FROM: Final = 400


def _speaks(streams: Streams, side: int) -> Array:
    mask = streams.begins(side, _ANSWER)
    words = lines.first_words(streams, side)
    asks = np.flatnonzero(np.isin(words, [method[:8].encode() for method in _METHODS]))
    if not len(asks):
        return mask
    places = streams.starts[asks, side, None] + np.arange(_LINE)
    there = places < streams.ends[asks, side, None]
    text = np.zeros(places.shape, np.uint8)
    text[there] = streams.data[places[there]]
    for row, line in zip(asks.tolist(), text, strict=True):  # few: methods of HTTP and RTSP have other names
        mask[row] = line.tobytes().partition(b"\n")[0].rstrip(b"\r").endswith(b" SIP/2.0")
    return mask


def _over_tcp(streams: Streams) -> Array:
    return _speaks(streams, CLIENT) | _speaks(streams, SERVER)


def _as_streams(datagrams: Datagrams) -> Streams:
    """Each datagram as a stream in which the client says it."""
    starts = np.stack([datagrams.starts, datagrams.starts], axis=1)
    return Streams(
        datagrams.data, starts, np.stack([datagrams.ends, datagrams.starts], axis=1), datagrams.ports
    )


def _over_udp(datagrams: Datagrams) -> Array:
    return _speaks(_as_streams(datagrams), CLIENT)


def _tcp_events(streams: Streams) -> pl.DataFrame:
    return _described(_messages(lines.lines(streams)).with_columns(pl.col("row").alias("~flow")))


def _udp_events(datagrams: Datagrams) -> pl.DataFrame:
    found = _messages(lines.lines(_as_streams(datagrams)))
    flows = pl.Series("~flow", datagrams.flow[found["row"].to_numpy()])
    return _described(found.with_columns(flows)).drop("side", "at")


def _messages(spoken: pl.DataFrame) -> pl.DataFrame:
    """A row a message: what its first line and its fields say."""
    first = pl.col("text").str.extract_groups(_START).struct
    field = pl.col("text").str.extract_groups(_FIELD).struct
    said = spoken.with_columns(
        first["1"].alias("~method"), first["2"].alias("~uri"),
        first["3"].cast(pl.Int64).alias("~code"), first["4"].alias("~phrase"),
        field["1"].str.to_lowercase().replace_strict(_FIELDS, default=None, return_dtype=pl.String)
        .alias("~field"),
        field["2"].str.replace_all(_PASSWORD, "${1}@").alias("~value"),
    )  # fmt: skip
    begins = (pl.col("~method").is_not_null() | pl.col("~code").is_not_null()).cast(pl.Int64)
    said = said.with_columns(begins.cum_sum().over("row", "side").alias("~message"))
    value = pl.col("~value")
    return said.filter(pl.col("~message") > 0).group_by("row", "side", "~message", maintain_order=True).agg(
        pl.col("at", "~method", "~uri", "~code", "~phrase").first(),
        *(
            value.filter(pl.col("~field") == name).first().alias(name)
            for name in dict.fromkeys(_FIELDS.values())
        ),
    )  # fmt: skip


def _described(found: pl.DataFrame) -> pl.DataFrame:
    """A row a transaction: messages of one flow, call and number (section 8.1.1.5)."""
    method, code = pl.col("~method"), pl.col("~code")
    asks = method.is_not_null()
    named = (
        "~from",
        "~to",
        "~agent",
        "~own",
        "~proxy",
        "~uri",
        *{n for n in _FIELDS.values() if n[0] == "c"},
    )
    every = found.group_by("~flow", "capture.sip.call_id", "~cseq", maintain_order=True).agg(
        pl.col("row", "side", "at").first(),
        method.drop_nulls().first(),
        code.drop_nulls().last(),
        pl.col("~phrase").filter(code.is_not_null()).last(),
        *(
            pl.coalesce(pl.col(name).filter(asks).first(), pl.col(name).drop_nulls().first()).alias(name)
            for name in sorted(named)
            if name != "capture.sip.call_id"
        ),
    )
    caller, called = (pl.col(name).str.extract_groups(_ADDRESS).struct for name in ("~from", "~to"))
    login = pl.coalesce(pl.col("~own").str.extract(_NAME, 1), pl.col("~proxy").str.extract(_NAME, 1))
    user = pl.coalesce(login, caller["1"])
    return every.with_columns(
        pl.lit("capture.sip").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(login.is_not_null()).then(pl.lit(["network", "authentication"]))
        .otherwise(pl.lit(["network"])).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.coalesce("~method", pl.col("~cseq").str.extract(r"([A-Z]+)$", 1)).alias("event.action"),
        pl.when(code >= _REFUSED_FROM).then(pl.lit("failure")).when(code >= _FINAL).then(pl.lit("success"))
        .alias("event.outcome"),
        pl.lit("sip").alias("network.protocol"),
        pl.col("~uri").str.replace(_PASSWORD, "${1}@").alias("url.original"),
        pl.col("~uri").str.extract(_ADDRESS, 2).alias("url.domain"),
        user.alias("user.name"), user.alias("source.user.name"),
        caller["2"].alias("user.domain"), caller["2"].alias("source.user.domain"),
        called["1"].alias("user.target.name"), called["2"].alias("user.target.domain"),
        pl.col("~from").alias("capture.sip.request_from"), pl.col("~to").alias("capture.sip.request_to"),
        code.cast(pl.String).alias("capture.sip.status_code"),
        pl.col("~phrase").alias("capture.sip.status_msg"),
        pl.col("~agent").alias("user_agent.original"),
        pl.col("~cseq").alias("capture.sip.sequence"),
    ).select(pl.exclude(r"^~.*$"))  # fmt: skip


PROTOCOLS: Final = (
    OverTcp("sip", _over_tcp, _tcp_events),
    OverUdp("sip", _over_udp, _udp_events, frozenset({5060})),
)
