"""Names that are looked up: DNS over UDP and TCP (RFC 1035), mDNS (RFC 6762), LLMNR (RFC 4795).

Question and answer are an event each. Elsewhere than on port 53 a message must be whole, and as questions
and answers usually are, to be taken for DNS.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, OverUdp
from sensors.capture.protocols.dns import codes, messages
from sensors.capture.protocols.dns.events import frame
from sensors.reading import text_views

if TYPE_CHECKING:
    from sensors.capture.conversations import Datagrams, Streams
    from sensors.capture.protocols.dns.printable import Array

_DNS, _NETBIOS, _MDNS, _LLMNR = 53, 137, 5353, 5355
_OPCODES: Final = (0, 1, 2, 4, 5, 6)
_CLASSES: Final = (1, 3, 4, 254, 255)
_MOST_QUESTIONS: Final = 64
_REFUSED: Final = 5  # the last response code of RFC 1035
_USUAL: Final = r"^(?:[A-Za-z0-9_-]{1,63}\.)+[A-Za-z0-9-]{2,63}$"
_LENGTH: Final = 2  # bytes before each message over TCP


def _fits_datagrams(datagrams: Datagrams, port: int) -> Array:
    to_port = (datagrams.ports == port).any(axis=1)
    rows = np.flatnonzero(to_port & _begins_so(datagrams.data, datagrams.starts, datagrams.ends))
    fits = np.zeros(len(datagrams), np.bool_)
    fits[rows] = _is_message(datagrams.data, datagrams.starts[rows], datagrams.ends[rows])
    if port == _DNS:
        elsewhere = ~np.isin(datagrams.ports, (_DNS, _NETBIOS, _MDNS, _LLMNR)).any(axis=1)
        rows = np.flatnonzero(elsewhere & _begins_usually(datagrams.data, datagrams.starts, datagrams.ends))
        fits[rows] = _is_usual(datagrams.data, datagrams.starts[rows], datagrams.ends[rows])
    return fits


def _said_in_datagrams(datagrams: Datagrams, protocol: str) -> pl.DataFrame:
    return frame(datagrams.data, datagrams.starts, datagrams.ends, protocol).rename({"~message": "row"})


def _fits_streams(streams: Streams) -> Array:
    """By the first message of the client, or of the server if only that is at hand."""
    side = np.where(streams.ends[:, CLIENT] > streams.starts[:, CLIENT], CLIENT, SERVER)
    every = np.arange(len(streams))
    starts, stops = streams.starts[every, side], streams.ends[every, side]
    first, ends, whole = _message(streams.data, starts, stops)
    here = (streams.ports == _DNS).any(axis=1)
    fits = np.zeros(len(streams), np.bool_)
    rows = np.flatnonzero(here & _begins_so(streams.data, first, ends))
    fits[rows] = _is_message(streams.data, first[rows], ends[rows])
    rows = np.flatnonzero(~here & whole & _begins_usually(streams.data, first, ends))
    fits[rows] = _is_usual(streams.data, first[rows], ends[rows])
    return fits


def _said_in_streams(streams: Streams) -> pl.DataFrame:
    places: list[tuple[Array, ...]] = []
    for each in (CLIENT, SERVER):
        rest, at = np.arange(len(streams)), streams.starts[:, each].copy()
        while True:
            begin, end, whole = _message(streams.data, at, streams.ends[rest, each])
            kept = end - begin >= messages.HEADER
            places.append((rest[kept], np.full(int(kept.sum()), each), begin[kept], end[kept], whole[kept]))
            rest, at = rest[kept], end[kept]
            if not len(rest):
                break
    rows, side, starts, ends, uncut = (np.concatenate([place[part] for place in places]) for part in range(5))
    placed = pl.DataFrame(
        {
            "~message": np.arange(len(rows)),
            "row": rows,
            "side": side,
            "at": starts - _LENGTH - streams.starts[rows, side],
            "~answers": side == SERVER,
            "uncut": uncut,
        }
    )
    found = frame(streams.data, starts, ends, "dns")
    joined = found.join(placed, on="~message", how="left", maintain_order="left")
    # Only so much of a stream is at hand: that a message ends there says nothing of the message.
    error = pl.when("uncut").then("error.message").alias("error.message")
    return joined.with_columns(error).drop("~message", "uncut")


def _message(data: Array, at: Array, stops: Array) -> tuple[Array, Array, Array]:
    """Where the messages behind the lengths at `at` begin and end, and which are there whole."""
    there = at + _LENGTH <= stops
    size = np.zeros(len(at), np.int64)
    size[there] = data[at[there]].astype(np.int64) << 8 | data[at[there] + 1]
    starts = np.where(there, at + _LENGTH, stops)
    return starts, np.minimum(starts + size, stops), there & (starts + size <= stops)


def _begins_so(data: Array, starts: Array, ends: Array) -> Array:
    """Which spans begin as a header of DNS does: an operation there is, and not too many questions."""
    fits = ends - starts >= messages.HEADER
    at = starts[fits]
    operation = (data[at + 2] >> 3) & 15
    fits[fits] = np.isin(operation, _OPCODES) & (data[at + 4] == 0) & (data[at + 5] <= _MOST_QUESTIONS)
    return fits


def _begins_usually(data: Array, starts: Array, ends: Array) -> Array:
    """Which spans begin as most headers of DNS do: one question, and no bit set that has no meaning there."""
    fits = ends - starts >= messages.HEADER + 5
    at = starts[fits]
    high, low = data[at + 2], data[at + 3]
    one = (data[at + 4] == 0) & (data[at + 5] == 1) & (low & 0x40 == 0) & (high & 0x78 == 0)
    few = (data[at + 6] == 0) & (data[at + 8] == 0) & (data[at + 10] == 0)
    asks = (high & 0xFC == 0) & (low & 0x8F == 0) & (data[at + 7] == 0) & (data[at + 9] == 0)
    answers = (high & 0x80 != 0) & (low & 0x0F <= _REFUSED)
    fits[fits] = one & few & (asks | answers)
    return fits


def _is_message(data: Array, starts: Array, ends: Array) -> Array:
    """Which spans are read as messages, whole or up to a break behind a question of a class there is."""
    read, records, _ = messages.read(data, starts, ends, codes.layouts())
    known = np.zeros(len(read), np.bool_)
    first = _first_records(records)
    known[records[first, messages.MESSAGE]] = np.isin(records[first, messages.CLASS] & 0x7FFF, _CLASSES)
    fits: Array = (read[:, messages.READ] == 1) & (known | (read[:, messages.BROKEN] == 0))
    return fits


def _is_usual(data: Array, starts: Array, ends: Array) -> Array:
    """Which spans are whole messages, nothing behind them, about a host's name and a type there is."""
    read, records, text = messages.read(data, starts, ends, codes.layouts())
    usual = np.zeros(len(read), np.bool_)
    first = records[_first_records(records)]
    name = text_views.over(text, first[:, messages.NAME].copy(), first[:, messages.NAME_END].copy())
    usual[first[:, messages.MESSAGE]] = (
        np.isin(first[:, messages.TYPE], list(codes.table("types")))
        & (first[:, messages.CLASS] == 1)
        & name.str.contains(_USUAL).to_numpy()
    )
    whole = (read[:, messages.BROKEN] == 0) & (read[:, messages.LEFT] == 0)
    fits: Array = (read[:, messages.READ] == 1) & whole & usual
    return fits


def _first_records(records: Array) -> Array:
    """The numbers of the rows with which each message's records begin."""
    message = records[:, messages.MESSAGE]
    return np.flatnonzero(np.diff(message, prepend=-1))


PROTOCOLS: Final = (
    *(
        OverUdp(
            name,
            partial(_fits_datagrams, port=port),
            partial(_said_in_datagrams, protocol=name),
            frozenset({port}),
        )
        for name, port in (("dns", _DNS), ("mdns", _MDNS), ("llmnr", _LLMNR))
    ),
    OverTcp("dns", _fits_streams, _said_in_streams),
)
