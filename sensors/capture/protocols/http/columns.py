"""Events from HTTP/1.x messages: a row a request with its response.

A response whose request was not seen has one, too. Names are those which the sensors of Zeek and Suricata
give the same facts. Of credentials only the name is kept (RFC 7617, 7616), of cookies nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER
from sensors.capture.protocols import texts
from sensors.capture.protocols.http.layout import (
    ANSWERS,
    AT,
    BYTES,
    KEPT,
    ORDER,
    PARTS,
    ROW,
    SIDE,
    STATUS,
    VERSION,
)
from sensors.capture.protocols.http.people import people
from sensors.capture.protocols.http.titles import packed_titles, titles
from sensors.reading.distinct import by_value
from sensors.values import ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams
    from sensors.capture.protocols.http.messages import Messages

_REQUEST: Final = {
    "method": "http.request.method",
    "target": "url.original",
    "host": "~host",
    "user-agent": "user_agent.original",
    "referer": "http.request.referrer",
    "content-type": "~sent",
    "authorization": "~authorization",
    "proxy-authorization": "~proxy_authorization",
    "x-forwarded-for": "capture.http.x_forwarded_for",
    "forwarded": "capture.http.forwarded",
    "x-real-ip": "~real",
    "upgrade": "capture.http.upgrade",
    "origin": "capture.http.origin",
    "via": "capture.http.via",
    "sec-websocket-protocol": "capture.http.websocket_protocol",
}
_RESPONSE: Final = {
    "phrase": "capture.http.status_phrase",
    "title": "capture.http.title",
    "content-type": "~given",
    "server": "capture.http.server",
    "location": "capture.http.location",
    "www-authenticate": "~asks",
    "proxy-authenticate": "~proxy_asks",
    "content-encoding": "capture.http.content_encoding",
    "content-disposition": "~disposition",
    "x-powered-by": "capture.http.x_powered_by",
}
_REFUSED_FROM: Final = 400
_SWITCHED: Final = 101
_PASSWORD: Final = r"^([A-Za-z][A-Za-z0-9+.-]*://[^/?#:@]*):[^/?#@]*@"  # noqa: S105 - finds it, to leave it out
_OUTCOMES: Final = {True: "failure", False: "success"}


def events(streams: Streams, messages: Messages) -> pl.DataFrame:
    """The events of `OverTcp`."""
    asked, answered = _pairs(messages.numbers)
    numbers = messages.numbers
    shown = np.where(asked >= 0, asked, answered)
    frame = pl.DataFrame(
        {
            "row": numbers[shown, ROW],
            "side": np.where(asked >= 0, CLIENT, SERVER),
            "at": numbers[shown, AT],
            "capture.http.transaction": numbers[shown, ORDER] + 1,
            "~version": np.where(asked >= 0, numbers[asked, VERSION], numbers[answered, VERSION]),
            "http.response.status_code": _number(numbers, answered, STATUS, least=1),
            "http.request.body.bytes": _number(numbers, asked, BYTES),
            "http.response.body.bytes": _number(numbers, answered, BYTES),
            "~paired": (asked >= 0) & (answered >= 0),
        }
    )
    spans = {name: _span(messages.spans, asked, part) for part, name in _REQUEST.items()}
    spans |= {name: _span(messages.spans, answered, part) for part, name in _RESPONSE.items()}
    text = texts.columns(streams.data, spans)
    bodies = _span(messages.spans, answered, "body")
    frame = frame.hstack(text.with_columns(_unfolded(text)))
    frame = frame.with_columns(packed_titles(streams.data, bodies, frame).alias("~packed"))
    return _described(frame)


def _pairs(numbers: Array) -> tuple[Array, Array]:
    """Which message asks and which answers, a row an event; -1 where there is none."""
    requests = np.flatnonzero((numbers[:, SIDE] == CLIENT) & (numbers[:, KEPT] == 1))
    responses = np.flatnonzero(numbers[:, SIDE] == SERVER)
    answer = np.full(len(numbers) + 1, -1)
    known = responses[numbers[responses, ANSWERS] >= 0]
    answer[numbers[known, ANSWERS]] = known
    alone = responses[numbers[responses, ANSWERS] < 0]
    return (
        np.concatenate([requests, np.full(len(alone), -1)]),
        np.concatenate([answer[requests], alone]),
    )


def _number(numbers: Array, rows: Array, column: int, least: int = 0) -> pl.Series:
    """A number of messages, null where there is no message or it says nothing."""
    found = numbers[rows, column]
    there = (rows >= 0) & (found >= least)
    return pl.select(pl.when(pl.Series(there)).then(pl.Series(found))).to_series()


def _span(spans: Array, rows: Array, part: str) -> tuple[Array, Array]:
    which = PARTS.index(part)
    starts = np.where(rows >= 0, spans[rows, which, 0], -1)
    return starts, spans[rows, which, 1]


def _unfolded(text: pl.DataFrame) -> list[pl.Expr]:
    """Values that went on in another line, as one (RFC 9112, 5.2)."""
    return [
        pl.col(column.name).str.replace_all(r"\s*\r?\n[ \t]+", " ")
        for column in text.iter_columns()
        if column.name != "capture.http.title" and column.str.contains("\n", literal=True).any()
    ]


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    status = pl.col("http.response.status_code")
    method = pl.col("http.request.method")
    forwarded = by_value(pl.col("capture.http.x_forwarded_for"), lambda one: one.str.extract(r"^([^,]*)", 1))
    first = pl.coalesce(forwarded.str.strip_chars(), "~real")
    frame = _addressed(frame).with_columns(people(frame)).with_columns(
        pl.lit("capture.http").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network", "web"]).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        method.fill_null("response").alias("event.action"),
        (status >= _REFUSED_FROM).replace_strict(_OUTCOMES, return_dtype=pl.String).alias("event.outcome"),
        pl.lit("http").alias("network.protocol"),
        pl.concat_str(pl.col("~version") // 10, pl.lit("."), pl.col("~version") % 10).alias("http.version"),
        _media("~sent").alias("http.request.mime_type"),
        _media("~given").alias("http.response.mime_type"),
        pl.when(ecs.is_ip(first)).then(first).alias("network.forwarded_ip"),
        titles(pl.coalesce("~packed", "capture.http.title")).alias("capture.http.title"),
        by_value(pl.coalesce("~asks", "~proxy_asks"), lambda one: one.str.extract('(?i)realm="([^"]*)"', 1))
        .alias("capture.http.realm"),
        by_value(
            pl.col("~disposition"),
            lambda one: one.str.extract(r"""(?i)filename\s*=\s*(?:"([^"]*)"|([^\s;"]+))""", 1).fill_null(
                one.str.extract(r"(?i)filename\s*=\s*([^\s;\"]+)", 1)
            ),
        ).alias("file.name"),
        pl.col("~paired").sum().over("row").alias("capture.http.paired"),
        pl.when(status == _SWITCHED).then(pl.col("capture.http.upgrade").str.to_lowercase())
        .alias("network.application"),
    )  # fmt: skip
    return frame.select(pl.exclude(r"^~.*$"))


def _media(name: str) -> pl.Expr:
    """A media type without parameters."""
    return by_value(
        pl.col(name), lambda one: one.str.extract(r"^\s*([^;,\s]+)", 1).str.to_lowercase().replace("", None)
    )


def _addressed(frame: pl.DataFrame) -> pl.DataFrame:
    """The URL: what was asked for, with the host of the request where the target does not name it."""
    urls = ("url.original", "http.request.referrer", "capture.http.location", "capture.http.origin")
    frame = frame.with_columns(pl.col(urls).str.replace(_PASSWORD, "${1}@"))
    target, host = pl.col("url.original"), pl.col("~host").str.to_lowercase()
    tunnel = pl.col("http.request.method") == "CONNECT"
    whole = target.str.contains("^[A-Za-z][A-Za-z0-9+.-]*://")
    full = (
        pl.when(whole)
        .then(target)
        .when(tunnel)
        .then(None)
        .when((host != "") & target.str.starts_with("/"))
        .then(pl.concat_str(pl.lit("http://"), host, target))
        .when(host != "")
        .then(pl.concat_str(pl.lit("http://"), host, pl.lit("/")))
    )
    given = frame.with_columns(
        full.alias("url.full"), pl.coalesce(full, target.str.extract(r"^(\S+)", 1)).alias("~url")
    )
    domain = pl.col("url.domain")
    parted = url_columns(given, "~url").drop("url.password", "url.fragment")
    return parted.with_columns(
        pl.when(tunnel).then("url.port").alias("capture.http.tunnelled_port"),
        pl.when(domain.is_not_null() & ~ecs.is_ip(domain)).then(domain).alias("destination.domain"),
    )
