"""L2TP's control messages over UDP (RFC 2661, 3.1 and 4; RFC 3931 for version 3): the ends' names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols import fields, texts
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

HEADER: Final = 12
ATTRIBUTE: Final = 6  # bytes of an attribute's header
CONTROL: Final = 0xC8  # type, length and sequence bits, which control messages have
MESSAGES: Final = {
    1: "start-control-connection-request",
    2: "start-control-connection-reply",
    3: "start-control-connection-connected",
    4: "stop-control-connection",
    6: "hello",
    7: "outgoing-call-request",
    8: "outgoing-call-reply",
    9: "outgoing-call-connected",
    10: "incoming-call-request",
    11: "incoming-call-reply",
    12: "incoming-call-connected",
    14: "call-disconnect",
    15: "wan-error",
    16: "set-link-info",
    20: "explicit-acknowledgement",
}
ATTRIBUTES: Final = (7, 8, 21, 22, 30)  # host name, vendor name, called number, calling number, proxy's user
_NAMES: Final = ("host_name", "vendor", "called_number", "calling_number", "user")
_MANDATORY: Final = 1 << 47  # of the six bytes of an attribute's header
_STARTS: Final = 3  # messages up to this begin a tunnel


def fits(datagrams: Datagrams) -> Array:
    """Which are control messages: the length is the datagram's, the first attribute is the message's type."""
    return fields.narrowed(datagrams, lambda rows: rows.byte(0) == CONTROL, _control)


def _control(datagrams: Datagrams) -> Array:
    data, starts, ends = datagrams.data, datagrams.starts, datagrams.ends
    version = datagrams.byte(1)
    fits: Array = (version == 2) | (version == 3)  # noqa: PLR2004 - what the RFCs are about
    fits &= fields.number(data, starts + 2, ends, 2) == ends - starts
    fits &= fields.number(data, starts + HEADER, ends, 6) & ~_MANDATORY == 8 << 32
    fits &= np.isin(fields.number(data, starts + HEADER + 6, ends, 2), list(MESSAGES))
    return fits


def events(datagrams: Datagrams) -> pl.DataFrame:
    """One event a message."""
    rows = np.flatnonzero(fits(datagrams))
    data, starts, ends = datagrams.data, datagrams.starts[rows], datagrams.ends[rows]
    spans = np.full((len(ATTRIBUTES), 2, len(rows)), -1, np.int64)
    walk(data, starts, ends, np.array(ATTRIBUTES, np.int64), spans)
    message = fields.number(data, starts + HEADER + 6, ends, 2)
    told = fields.events(
        "l2tp",
        {"row": rows},
        {
            "event.action": pl.Series(message).replace_strict(MESSAGES, return_dtype=pl.String),
            "event.outcome": pl.select(
                pl.when(pl.Series((message > 1) & (message <= _STARTS))).then(pl.lit("success"))
            ).to_series(),
            "capture.l2tp.version": pl.Series(fields.number(data, starts + 1, ends, 1)).cast(pl.String),
            "capture.l2tp.tunnel_id": pl.Series(fields.number(data, starts + 4, ends, 2)).cast(pl.String),
        },
    )
    names = {
        f"capture.l2tp.{name}": (spans[number, 0], spans[number, 1]) for number, name in enumerate(_NAMES)
    }
    return told.hstack(texts.columns(data, names))


@kernel
def walk(data: Array, starts: Array, ends: Array, wanted: Array, spans: Array) -> None:
    """Where the values of the wanted attributes begin and end; hidden ones are left out."""
    for row in range(len(starts)):
        place = starts[row] + 12
        for _ in range(64):
            if place + 6 > ends[row]:
                break
            head = np.int64(data[place]) << 8 | np.int64(data[place + 1])
            size = head & 0x3FF
            if size < ATTRIBUTE or place + size > ends[row]:
                break
            vendor = np.int64(data[place + 2]) << 8 | np.int64(data[place + 3])
            kind = np.int64(data[place + 4]) << 8 | np.int64(data[place + 5])
            for number in range(len(wanted)):
                if kind == wanted[number] and vendor == 0 and not head & 0x4000:
                    spans[number, 0, row], spans[number, 1, row] = place + 6, place + size
            place += size


PROTOCOL: Final = OverUdp("l2tp", fits, events)
