"""Initial packets of flows to the first messages of client and server.

One connection may change its id (after the server's first answer, and with a new key after a Retry), and one
flow may hold several connections: whose key opens a packet says where it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.quic import crypto, packets, versions

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams
    from sensors.capture.protocols.quic.keys import Keys

CLIENT: Final = 0
SERVER: Final = 1
_OPENED: Final = 10  # packets of a flow, at most
_TRIED: Final = 24  # keys tried on them


@dataclass(slots=True)
class _Connection:
    number: int
    to: bytes
    version: int
    side: int
    keys: tuple[Keys, Keys]
    told: list[bool] = field(default_factory=lambda: [False, False])  # whether each side's hello was seen


@dataclass(slots=True)
class _Opened:
    """What packets held, and of whom."""

    plain: list[bytes] = field(default_factory=list)
    streams: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)  # of each connection, its first packet
    answer: list[int] = field(default_factory=list)  # and the server's; -1


@dataclass(frozen=True, slots=True)
class Connections:
    """Connections, a row each, in the order of flows and time.

    Attributes:
        data: bytes of messages, UInt8.
        starts: where the first messages of client and server begin in `data`, Int64, two columns.
        ends: the place behind them.
        first: the packet that each connection begins with: a row of what `packets.packets` gave.
        answer: the server's first packet, -1 where none was opened.
    """

    data: Array
    starts: Array
    ends: Array
    first: Array
    answer: Array


def connections(datagrams: Datagrams, found: Array) -> Connections:
    """What the Initial packets among `found` hold, whose datagrams are rows of `datagrams`."""
    opened = _opened(datagrams, found)
    lengths = np.array([len(each) for each in opened.plain], np.int64)
    behind = np.cumsum(lengths)
    data, starts, ends = crypto.together(
        np.frombuffer(b"".join(opened.plain), np.uint8),
        behind - lengths,
        behind,
        np.array(opened.streams, np.int64),
        2 * len(opened.first),
    )
    return Connections(
        data,
        starts.reshape(-1, 2),
        ends.reshape(-1, 2),
        np.array(opened.first, np.int64),
        np.array(opened.answer, np.int64),
    )


def _opened(datagrams: Datagrams, found: Array) -> _Opened:
    made = _Opened()
    rows = np.flatnonzero(found[:, packets.KIND] == packets.INITIAL)
    flows, sides = datagrams.flow[found[rows, packets.ROW]], datagrams.side[found[rows, packets.ROW]]
    flow, known, left, keys = -1, list[_Connection](), 0, 0
    for row, current, side in zip(rows.tolist(), flows.tolist(), sides.tolist(), strict=True):
        if current != flow:
            flow, known, left, keys = current, [], _OPENED, _TRIED
        if left and keys > 0:
            packet = found[row].tolist()
            tried = _open(datagrams.data, packet, row, side, known, made)
            keys -= abs(tried)
            left -= tried > 0
    return made


def _keep(made: _Opened, connection: _Connection, role: int, plain: bytes, row: int) -> None:
    made.plain.append(plain)
    made.streams.append(2 * connection.number + role)
    connection.told[role] |= crypto.whole(plain)
    if role == SERVER and made.answer[connection.number] < 0:
        made.answer[connection.number] = row


def _open(
    data: Array, packet: list[int], row: int, side: int, known: list[_Connection], made: _Opened
) -> int:
    """Open one packet, with the keys of its flow or its own, unless its side has said its hello already.

    Returns:
        How many keys were tried; negative if all failed.
    """
    start, number = packet[packets.START], packet[packets.NUMBER]
    whole = data[start : packet[packets.END]].tobytes()
    to = whole[packet[packets.TO] - start : packet[packets.TO + 1] - start]
    cut, tried = packet[packets.MISSING] > 0, 0
    for connection in sorted(known, key=lambda each: (each.to != to, -each.number)):
        if connection.version == packet[packets.VERSION]:
            role = CLIENT if connection.side == side else SERVER
            if connection.told[role] and (role == SERVER or to == connection.to or connection.told[SERVER]):
                return tried
            tried += 1
            plain = connection.keys[role].opened(whole, number - start, cut=cut)
            if plain is not None:
                _keep(made, connection, role, plain, row)
                return tried
    version = versions.of(packet[packets.VERSION])
    from sensors.capture.protocols.quic import keys as protection  # noqa: PLC0415 - slow to load, rarely needed

    for salt in version.salts:
        tried += 1
        keys = protection.both(version, salt, to)
        plain = keys[CLIENT].opened(whole, number - start, cut=cut)
        if plain is not None:
            known.append(_Connection(len(made.first), to, packet[packets.VERSION], side, keys))
            made.first.append(row)
            made.answer.append(-1)
            _keep(made, known[-1], CLIENT, plain, row)
            return tried
    return -tried
