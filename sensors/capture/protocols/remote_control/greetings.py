"""Tools that are known by the first bytes of a stream.

Radmin: frames of 1, a length and the sum of the body's words; the two greetings are always the same.
NoMachine: a word and a version, then TLS. Citrix: ICA and, inside the Common Gateway Protocol, CGP. VMware:
the banner of its authentication daemon, by which consoles are opened. Synergy and its kin (Barrier, Input
Leap), which share keyboard and mouse: protocol_types.cpp of their source, a length, a word and a version; the
answer has a name. UltraSurf: the eight bytes that nDPI's reader knows it by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import fields, texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensors.capture.conversations import Array, Streams

RADMIN: Final = (bytes.fromhex("01000000010000000808"), bytes.fromhex("0100000025"))
RADMIN_NEXT: Final = bytes.fromhex("0100000005")
_SUM, _BODY = 5, 9
NOMACHINE: Final = (b"NXSH-", b"NXD-")
CITRIX: Final = (b"\x7f\x7fICA\0", b"\x1aCGP/01")
VMWARE: Final = b"220 VMware Authentication Daemon Version "
ULTRASURF: Final = bytes.fromhex("cc1c30415ba43866")
SHARED: Final = ("Synergy", "Barrier")
_NAME_AT: Final = 15  # behind length, word, and version
_TEXT: Final = 64


def _radmin(streams: Streams) -> Array:
    return fields.narrowed(streams, lambda rows: rows.begins(CLIENT, RADMIN[0][:4]), _greets)


def _greets(streams: Streams) -> Array:
    greets: Array = streams.begins(CLIENT, RADMIN[0]) & (
        streams.begins(SERVER, RADMIN[1]) | (streams.ends[:, SERVER] == streams.starts[:, SERVER])
    )
    goes_on = np.ones(len(streams), np.bool_)
    for side in (CLIENT, SERVER):
        starts, ends = streams.starts[:, side], streams.ends[:, side]
        total = fields.number(streams.data, starts + _SUM, ends, 4)
        first = fields.number(streams.data, starts + _BODY, ends, 4, little=True)
        last = fields.number(streams.data, starts + _BODY + 4, ends, 1)
        goes_on &= streams.begins(side, RADMIN_NEXT) & (last >= 0) & (total == first + last)
        goes_on &= streams.byte(side, _BODY) == 0x27  # noqa: PLR2004 - the command both begin with
    return greets | goes_on


def _nomachine(streams: Streams) -> Array:
    return _versioned(streams, CLIENT, NOMACHINE[0]) | _versioned(streams, SERVER, NOMACHINE[1])


def _versioned(streams: Streams, side: int, word: bytes) -> Array:
    digit = streams.byte(side, len(word))
    return streams.begins(side, word) & (digit >= ord("0")) & (digit <= ord("9"))


def _citrix(streams: Streams) -> Array:
    return (
        streams.begins(CLIENT, CITRIX[0])
        | streams.begins(SERVER, CITRIX[0])
        | streams.begins(CLIENT, CITRIX[1])
    )


def _vmware(streams: Streams) -> Array:
    return streams.begins(SERVER, VMWARE)


def _ultrasurf(streams: Streams) -> Array:
    return streams.begins(CLIENT, ULTRASURF) | streams.begins(SERVER, ULTRASURF)


def _shared(streams: Streams) -> Array:
    fits = np.zeros(len(streams), np.bool_)
    for word in SHARED:
        hello = streams.begins(SERVER, b"\0\0\0\x0b" + word.encode() + b"\0\x01\0")
        fits |= hello | (
            streams.begins(CLIENT, b"\0\0\0") & streams.begins(CLIENT, word.encode() + b"\0\x01\0", 4)
        )
    return fits


def _greeting(name: str, fits: Callable[[Streams], Array]) -> Callable[[Streams], pl.DataFrame]:
    def events(streams: Streams) -> pl.DataFrame:
        """One event a stream, at the side that spoke; a success where both did."""
        rows = np.flatnonzero(fits(streams))
        spoke = [streams.ends[rows, side] > streams.starts[rows, side] for side in (CLIENT, SERVER)]
        return fields.events(
            name,
            {
                "row": rows,
                "side": np.where(spoke[CLIENT], CLIENT, SERVER),
                "at": np.zeros(len(rows), np.int64),
            },
            {"event.action": ["handshake"] * len(rows), "event.outcome": fields.success(spoke[0] & spoke[1])},
        )

    return events


def _nomachine_events(streams: Streams) -> pl.DataFrame:
    """One event a stream, with both versions."""
    told = _greeting("nomachine", _nomachine)(streams)
    versions = _texts(streams, told["row"].to_numpy())
    return told.with_columns(
        versions[0].str.extract(r"^NXSH-([0-9.]+)").alias("capture.nomachine.client_version"),
        versions[1].str.extract(r"^NXD-([0-9.]+)").alias("capture.nomachine.server_version"),
    )


def _shared_events(streams: Streams) -> pl.DataFrame:
    """One event a stream, with the name that the client gives its screen, which is its machine's."""
    told = _greeting("shared_input", _shared)(streams)
    rows = told["row"].to_numpy()
    client, server = _texts(streams, rows)
    starts, ends = streams.starts[rows, CLIENT] + _NAME_AT, streams.ends[rows, CLIENT]
    length = fields.number(streams.data, starts, ends, 4)
    whole = (length > 0) & (length < 256) & (starts + 4 + length <= ends)  # noqa: PLR2004 - as for hosts
    spans = np.where(whole, starts + 4, -1), np.where(whole, starts + 4 + length, -1)
    word = "(" + "|".join(SHARED) + ")"
    return told.with_columns(
        pl.select(pl.coalesce(client.str.extract(word), server.str.extract(word)))
        .to_series()
        .alias("capture.shared_input.product")
    ).hstack(texts.columns(streams.data, {"capture.shared_input.screen": spans}))


def _texts(streams: Streams, rows: Array) -> list[pl.Series]:
    starts, ends = streams.starts[rows], streams.ends[rows]
    cut = np.minimum(ends, starts + _TEXT)
    columns = texts.columns(
        streams.data, {str(side): (starts[:, side], cut[:, side]) for side in (CLIENT, SERVER)}
    )
    return [columns["0"], columns["1"]]


PROTOCOLS: Final = (
    OverTcp("radmin", _radmin, _greeting("radmin", _radmin)),
    OverTcp("nomachine", _nomachine, _nomachine_events),
    OverTcp("citrix", _citrix, _greeting("citrix", _citrix)),
    OverTcp("vmware_console", _vmware, _greeting("vmware_console", _vmware)),
    OverTcp("shared_input", _shared, _shared_events),
    OverTcp("ultrasurf", _ultrasurf, _greeting("ultrasurf", _ultrasurf)),
)
