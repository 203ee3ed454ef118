"""VPNs whose first words are text: tinc, SoftEther's address service, SSTP and SoftEther behind a TLS front.

tinc: src/protocol_auth.c of its source (`0 name 17`, then `1` and numbers). SoftEther: a server asks which
address it has (`IP=…,PORT=…`), and its sessions begin with a POST. SSTP: MS-SSTP 4.1; it is in the clear only
where some other device ends TLS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, OverUdp
from sensors.capture.protocols import fields, texts

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams, Streams

TINC: Final = r"^0 ([A-Za-z0-9_]{1,64}) (17(?:\.[0-9]{1,2})?)\n"
_TINC_KEY: Final = r"^0 [^\n]*\n1 [0-9]+ [0-9]+ [0-9]+ [0-9]+ [0-9A-Fa-f]+(?:\n|$)"
_HEAD: Final = 2048  # bytes of text that are looked at
ADDRESS: Final = r"^IP=([0-9a-fA-F.:]{3,45}),PORT=([0-9]{1,5})$"
_SHORTEST, _LONGEST = 16, 60
SSTP: Final = b"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
SOFTETHER: Final = (b"POST /vpnsvc/connect.cgi HTTP/1.", b"POST /vpnsvc/vpn.cgi HTTP/1.")
_ANSWERED: Final = rb"HTTP/1.1 200"


def _first(streams: Streams, rows: Array, side: int) -> pl.Series:
    """The text a side begins with."""
    starts = streams.starts[rows, side]
    ends = np.minimum(streams.ends[rows, side], starts + _HEAD)
    return texts.columns(streams.data, {"text": (starts, ends)})["text"]


def _tinc(streams: Streams) -> tuple[Array, pl.DataFrame]:
    """Rows of streams between two of its nodes, and what each says of itself."""
    rows = np.flatnonzero(streams.begins(CLIENT, b"0 ") | streams.begins(SERVER, b"0 "))
    said = pl.DataFrame([_first(streams, rows, side).alias(str(side)) for side in (CLIENT, SERVER)])
    named = [pl.col(str(side)).str.contains(TINC) for side in (CLIENT, SERVER)]
    keyed = [
        pl.col(str(side)).str.contains(TINC) & pl.col(str(side)).str.contains(_TINC_KEY) for side in (0, 1)
    ]
    fits = said.select((named[0] & named[1]) | keyed[0] | keyed[1]).to_series().to_numpy()
    return rows[fits], said.filter(pl.Series(fits, dtype=pl.Boolean))


def fits_tinc(streams: Streams) -> Array:
    """Where both sides give a name, or one of them a name and its keys."""
    fits = np.zeros(len(streams), np.bool_)
    fits[_tinc(streams)[0]] = True
    return fits


def events_tinc(streams: Streams) -> pl.DataFrame:
    """The name that each side gives."""
    rows, said = _tinc(streams)
    told = []
    for side in (CLIENT, SERVER):
        text = said[str(side)]
        there = text.str.contains(TINC)
        some = rows[there.to_numpy()]
        frame = fields.events("tinc", _places(some, side), {"event.action": [_ACTIONS[side]] * len(some)})
        found = text.filter(there).str.extract_groups(TINC).struct.unnest()
        told.append(
            frame.hstack([found["1"].alias("capture.tinc.name"), found["2"].alias("capture.tinc.version")])
        )
    return pl.concat(told)


def _places(rows: Array, side: int) -> dict[str, Array | pl.Series]:
    return {
        "row": rows,
        "side": np.full(len(rows), side, np.int64),
        "at": np.zeros(len(rows), np.int64),
        "~answers": np.full(len(rows), side == SERVER),
    }


_ACTIONS: Final = ("handshake-initiation", "handshake-response")


def _addresses(datagrams: Datagrams) -> tuple[Array, pl.Series]:
    size = datagrams.size()
    rows = np.flatnonzero(datagrams.begins(b"IP=") & (size >= _SHORTEST) & (size <= _LONGEST))
    text = texts.columns(datagrams.data, {"text": (datagrams.starts[rows], datagrams.ends[rows])})["text"]
    text = text.str.strip_chars_end("\0\r\n")
    fits = text.str.contains(ADDRESS)
    return rows[fits.to_numpy()], text.filter(fits)


def fits_address(datagrams: Datagrams) -> Array:
    """Which say where a SoftEther server is seen."""
    fits = np.zeros(len(datagrams), np.bool_)
    fits[_addresses(datagrams)[0]] = True
    return fits


def events_address(datagrams: Datagrams) -> pl.DataFrame:
    """The first answer of a flow."""
    rows, text = _addresses(datagrams)
    first = fields.firsts(datagrams.flow[rows])
    found = text[first].str.extract_groups(ADDRESS).struct.unnest()
    return fields.events(
        "softether",
        {"row": rows[first]},
        {
            "event.action": ["address-told"] * len(first),
            "capture.softether.address": found["1"],
            "capture.softether.port": found["2"],
        },
    )


def fits_sstp(streams: Streams) -> Array:
    """Where the client asks for the page of the tunnel."""
    return streams.begins(CLIENT, SSTP)


def fits_softether(streams: Streams) -> Array:
    """Where the client posts to the service."""
    return streams.begins(CLIENT, SOFTETHER[0]) | streams.begins(CLIENT, SOFTETHER[1])


def _asked(name: str, streams: Streams, rows: Array) -> pl.DataFrame:
    answered = pl.Series(streams.begins(SERVER, _ANSWERED)[rows], dtype=pl.Boolean)
    return fields.events(
        name,
        _places(rows, CLIENT),
        {
            "event.action": [_ACTIONS[CLIENT]] * len(rows),
            "event.outcome": pl.select(pl.when(answered).then(pl.lit("success"))).to_series(),
        },
    )


def events_sstp(streams: Streams) -> pl.DataFrame:
    """The request."""
    return _asked("sstp", streams, np.flatnonzero(fits_sstp(streams)))


def events_softether(streams: Streams) -> pl.DataFrame:
    """The request."""
    return _asked("softether", streams, np.flatnonzero(fits_softether(streams)))


PROTOCOLS: Final = (
    OverTcp("tinc", fits_tinc, events_tinc),
    OverUdp("softether", fits_address, events_address),
    OverTcp("softether", fits_softether, events_softether),
    OverTcp("sstp", fits_sstp, events_sstp),
)
