"""Cisco AnyConnect's older DTLS, which has a version of its own.

Records and hellos carry 0x0100, where every other DTLS has 0xfeff or less: OpenSSL's DTLS1_BAD_VER, there for
this one product (SSL_CTX_set_options, SSL_OP_CISCO_ANYCONNECT). Newer AnyConnect speaks DTLS 1.2 like others;
it is not named here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols import fields

if TYPE_CHECKING:
    import polars as pl

    from sensors.capture.conversations import Array, Datagrams

VERSION: Final = b"\x01\x00"
RECORD: Final = b"\x16" + VERSION + bytes(7)  # a handshake of epoch 0, one of the first 256 records
ACTIONS: Final = {1: "handshake-initiation", 2: "handshake-response", 3: "handshake-retry"}
_BODY: Final = 13
_HELLO: Final = 25


def fits(datagrams: Datagrams) -> Array:
    """Which are hellos of either side, in records whose length fits."""
    return fields.narrowed(datagrams, lambda rows: rows.begins(RECORD), _hellos)


def _hellos(datagrams: Datagrams) -> Array:
    data, starts, ends = datagrams.data, datagrams.starts, datagrams.ends
    length = fields.number(data, starts + 11, ends, 2)
    hellos: Array = (
        datagrams.begins(VERSION, _HELLO)
        & np.isin(datagrams.byte(_BODY), list(ACTIONS))
        & (length > _HELLO - _BODY)
        & (starts + _BODY + length <= ends)
    )
    return hellos


def events(datagrams: Datagrams) -> pl.DataFrame:
    """The first hello of each kind in a flow."""
    rows = np.flatnonzero(fits(datagrams))
    kind = datagrams.byte(_BODY)[rows]
    first = fields.firsts(datagrams.flow[rows], kind)
    return fields.events(
        "anyconnect",
        {"row": rows[first]},
        {"event.action": [ACTIONS[each] for each in kind[first].tolist()]},
    )


PROTOCOL: Final = OverUdp("anyconnect", fits, events)
