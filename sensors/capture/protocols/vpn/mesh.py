"""Networks between machines that find each other: Tailscale's discovery, ZeroTier's hellos.

Tailscale: disco/disco.go of its source: six bytes, the sender's key, a nonce, the encrypted rest; its data is
WireGuard's. ZeroTier: node/Packet.hpp of its source: a hello is the one packet that is not encrypted, and has
its sender's address twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols import fields

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

DISCO: Final = b"TS\xf0\x9f\x92\xac"
_KEY: Final = 32
_DISCO_LEAST: Final = 6 + _KEY + 24 + 16 + 2  # magic, key, nonce, digest, type and version
_FLAGS, _VERB, _VERSION, _IDENTITY, _KIND = 18, 27, 28, 41, 46
_HELLO: Final = 1
_ENCRYPTED: Final = 0x38
_NEWEST: Final = 63  # of versions; it is 13 as of 2025
_HELLO_LEAST: Final = _KIND + 1 + 64  # with the public key of the identity


def fits_tailscale(datagrams: Datagrams) -> Array:
    """Which are discovery messages."""
    return datagrams.begins(DISCO) & (datagrams.size() >= _DISCO_LEAST)


def events_tailscale(datagrams: Datagrams) -> pl.DataFrame:
    """The first message of each side of a flow."""
    rows = np.flatnonzero(fits_tailscale(datagrams))
    rows = rows[fields.firsts(datagrams.flow[rows], datagrams.side[rows])]
    return fields.events(
        "tailscale",
        {"row": rows},
        {
            "event.action": ["discovery"] * len(rows),
            "capture.tailscale.disco_key": fields.hexes(
                datagrams.data, datagrams.starts[rows] + len(DISCO), datagrams.ends[rows], _KEY
            ),
        },
    )


def fits_zerotier(datagrams: Datagrams) -> Array:
    """Which are hellos."""
    return fields.narrowed(datagrams, _plain, _hellos)


def _plain(datagrams: Datagrams) -> Array:
    plain: Array = datagrams.byte(_VERB) & 0x1F == _HELLO
    return plain


def _hellos(datagrams: Datagrams) -> Array:
    data, starts, ends = datagrams.data, datagrams.starts, datagrams.ends
    version = datagrams.byte(_VERSION)
    hello: Array = datagrams.byte(_FLAGS) & _ENCRYPTED == 0
    hello &= (version > 0) & (version <= _NEWEST) & (datagrams.size() >= _HELLO_LEAST)
    hello &= datagrams.byte(_KIND) == 0
    sender = fields.number(data, starts + 13, ends, 5)
    hello &= (sender > 0) & (fields.number(data, starts + _IDENTITY, ends, 5) == sender)
    return hello


def events_zerotier(datagrams: Datagrams) -> pl.DataFrame:
    """The first hello of each side of a flow."""
    rows = np.flatnonzero(fits_zerotier(datagrams))
    rows = rows[fields.firsts(datagrams.flow[rows], datagrams.side[rows])]
    data, starts, ends = datagrams.data, datagrams.starts[rows], datagrams.ends[rows]
    version = [pl.Series(fields.number(data, starts + _VERSION + step, ends, size)) for step, size in _PARTS]
    return fields.events(
        "zerotier",
        {"row": rows},
        {
            "event.action": ["hello"] * len(rows),
            "capture.zerotier.address": fields.hexes(data, starts + 13, ends, 5),
            "capture.zerotier.peer_address": fields.hexes(data, starts + 8, ends, 5),
            "capture.zerotier.version": pl.select(pl.concat_str(version, separator=".")).to_series(),
        },
    )


_PARTS: Final = ((1, 1), (2, 1), (3, 2))
PROTOCOLS: Final = (
    OverUdp("tailscale", fits_tailscale, events_tailscale),
    OverUdp("zerotier", fits_zerotier, events_zerotier),
)
