"""Client and server hellos as columns, for TLS, QUIC and DTLS alike (RFC 8446, RFC 9001, RFC 9147)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.protocols import texts
from sensors.capture.protocols.tls import fingerprints, hello_walk, names
from sensors.reading import text_views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.capture.conversations import Array

_AT_ONCE: Final = 1 << 24  # bytes of hellos whose text is in memory at a time


def client(data: Array, starts: Array, ends: Array, transport: Array | str = "t") -> pl.DataFrame:
    """What client hellos say, a row each, in order.

    Args:
        data: bytes, UInt8.
        starts: where each message begins, with the byte that says its type, Int64. What is fragmented is put
            together before; of DTLS the message has the header of TLS (type and length) and DTLS' body.
        ends: the place behind what is at hand of it; a message cut short gives what was read before the cut,
            and no fingerprints.
        transport: JA4's letters t (TCP), q (QUIC) or d (DTLS): one for all, or UInt8 for each.

    Returns:
        `fits` (Boolean: this is a client hello; else everything is null), and columns of the schema.
        `capture.tls.ech`: an encrypted hello is offered, or pretended, which looks the same. Besides, for
        those who know the answer: `~session` (the session's identifier in hexadecimal; null where it is
        empty), `~ticket` (Boolean: an old session is asked for by a ticket).
    """
    letters = np.full(len(starts), ord(transport), np.uint8) if isinstance(transport, str) else transport
    parts = [_client(*piece) for piece in _pieces(data, starts, ends, hello_walk.CLIENT_HELLO, letters)]
    return pl.concat(parts, rechunk=True)


def server(data: Array, starts: Array, ends: Array) -> pl.DataFrame:
    """What server hellos say, a row each, in order; arguments as for `client`.

    Returns:
        `fits` (Boolean), and columns of the schema; `tls.resumed` is known of TLS 1.3 only. Besides
        `~session` (the session's identifier in hexadecimal), and `~retry` (Boolean: this asks for another
        client hello).
    """
    letters = np.zeros(len(starts), np.uint8)
    parts = [_server(*piece) for piece in _pieces(data, starts, ends, hello_walk.SERVER_HELLO, letters)]
    return pl.concat(parts, rechunk=True)


def _client(data: Array, found: Array, text: Array) -> pl.DataFrame:
    said = {"tls.client.server_name": hello_walk.NAME, "capture.tls.client.next_protocols": hello_walk.NEXT}
    kept = _kept(found, text, said)
    numbers = pl.DataFrame(
        {
            "fits": found[:, hello_walk.FITS] > 0,
            "~version": found[:, hello_walk.HIGHEST] * found[:, hello_walk.WHOLE],
            "capture.tls.ech": found[:, hello_walk.ECH] > 0,
            "~session": _session(data, found),
            "~ticket": (found[:, hello_walk.TICKET] | found[:, hello_walk.PRE_SHARED]) > 0,
            "~raw": _passing(found, text, hello_walk.RAW),
            "~raw4": _passing(found, text, hello_walk.RAW4),
        }
    )
    here = pl.col("fits")
    named = pl.concat([kept, numbers], how="horizontal").with_columns(
        pl.col("capture.tls.client.next_protocols").str.split("\n"),
        names.version("~version").alias("capture.tls.client.version"),
        pl.when(here).then("capture.tls.ech"),
        pl.when(here).then("~ticket"),
    )
    return fingerprints.of_clients(named).drop("~version", "~raw", "~raw4")


def _server(data: Array, found: Array, text: Array) -> pl.DataFrame:
    kept = _kept(found, text, {"tls.next_protocol": hello_walk.NEXT})
    numbers = pl.DataFrame(
        {
            "fits": found[:, hello_walk.FITS] > 0,
            "~version": found[:, hello_walk.HIGHEST] * found[:, hello_walk.WHOLE],
            "~cipher": found[:, hello_walk.CIPHER],
            "~group": found[:, hello_walk.GROUP],
            "tls.resumed": found[:, hello_walk.PRE_SHARED] > 0,
            "~retry": found[:, hello_walk.RETRY] > 0,
            "~session": _session(data, found),
            "~raw": _passing(found, text, hello_walk.RAW),
        }
    )
    here = pl.col("fits")
    newest = names.is_13("~version")
    named = pl.concat([kept, numbers], how="horizontal").with_columns(
        pl.col("tls.next_protocol").str.extract(r"^([^\n]*)"),
        names.version("~version").alias("tls.version"),
        names.family("~version").alias("tls.version_protocol"),
        pl.when(here).then(names.cipher("~cipher")).alias("tls.cipher"),
        pl.when(here).then(names.group("~group")).alias("tls.curve"),
        pl.when(here & newest).then("tls.resumed"),
        pl.when(here).then("~retry"),
    )
    return fingerprints.of_servers(named).drop("~version", "~cipher", "~group", "~raw")


def _pieces(
    data: Array, starts: Array, ends: Array, kind: int, letters: Array
) -> Iterator[tuple[Array, Array, Array]]:
    """The bytes, the numbers found and the text written, so many messages at a time."""
    before = np.concatenate([[0], np.cumsum(np.maximum(ends - starts, 0))])
    first = 0
    while True:
        last = max(first + 1, int(np.searchsorted(before, before[first] + _AT_ONCE, "right")) - 1)
        last = min(last, len(starts))
        size = int(before[last] - before[first])
        text = np.empty(size * hello_walk.ROOM + (last - first) * hello_walk.ROOM_EACH, np.uint8)
        found = np.zeros((last - first, hello_walk.WIDTH), np.int64)
        used = hello_walk.read(
            data, starts[first:last], ends[first:last], kind, letters[first:last], found, text
        )
        yield data, found, text[:used]
        first = last
        if first >= len(starts):
            return


def _kept(found: Array, text: Array, wanted: dict[str, int]) -> pl.DataFrame:
    """Columns of what was written, without the rest of it; null where that is nothing."""
    spans = {}
    for label, column in wanted.items():
        starts, ends = found[:, column], found[:, column + 1]
        spans[label] = np.where(ends > starts, starts, -1), ends
    return texts.columns(text, spans)


def _passing(found: Array, text: Array, column: int) -> pl.Series:
    """A column of what was written, over all of it; null where that is nothing."""
    return _or_null(text_views.over(text, found[:, column].copy(), found[:, column + 1].copy()))


def _or_null(column: pl.Series) -> pl.Series:
    return column.set(column == "", None)


def _session(data: Array, found: Array) -> pl.Series:
    """Identifiers of sessions, in hexadecimal."""
    starts, ends = found[:, hello_walk.SESSION], found[:, hello_walk.SESSION + 1]
    sizes = (ends - starts) * found[:, hello_walk.FITS]
    behind = np.cumsum(sizes)
    places = np.arange(behind[-1] if len(behind) else 0) + np.repeat(starts - (behind - sizes), sizes)
    digits = np.empty((len(places), 2), np.uint8)
    picked = data[places]
    digits[:, 0], digits[:, 1] = _HEX[picked >> 4], _HEX[picked & 15]
    return _or_null(text_views.over(digits.ravel(), (behind - sizes) * 2, behind * 2))


_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
