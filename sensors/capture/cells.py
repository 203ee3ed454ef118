"""The cells of the table of flows: a row a flow, Int64. Two of a kind are One's and Two's, side by side.

One and Two are the endpoints in the order of their addresses, so that both directions find one row; `SIDE`
says which of them is the originator: the client.
"""

from __future__ import annotations

from itertools import count
from typing import Final

_next: Final = count()


def _cells(number: int = 1) -> int:
    """The first of so many cells more."""
    first = next(_next)
    for _ in range(number - 1):
        next(_next)
    return first


# What is looked up: both addresses in halves of 64 bits, ports, and protocol with version of IP.
ONE_HIGH = _cells()
ONE_LOW = _cells()
TWO_HIGH = _cells()
TWO_LOW = _cells()
PORTS = _cells()
KIND = _cells()
# Microseconds since 1970, and numbers of packets.
FIRST = _cells()
LAST = _cells()
FIRST_FRAME = _cells()
LAST_FRAME = _cells()
PACKETS = _cells(2)
BYTES = _cells(2)  # of IP, headers and all
WIRE = _cells(2)  # bytes of the whole packets, as long as they were on the wire
PAYLOAD = _cells(2)  # of TCP, UDP or ICMP, as their headers say, what is sent again counted again
SIDE = _cells()
SERIAL = _cells()  # of the flow in the capture; it stays when rows move
# TCP as Zeek's endpoints have it; numbers of bytes are relative to the first sequence number.
STATE = _cells(2)
PREVIOUS = _cells(2)
START = _cells(2)
SENT = _cells(2)  # behind the last byte seen
ACKED = _cells(2)  # behind the last byte that the other side has acknowledged
CLOSED = _cells(2)
FINS = _cells(2)
OVER = _cells()  # the moment since which both sides are closed, or 0
AGAIN = _cells(2)  # packets sent again
ZERO = _cells(2)  # windows of no byte
GAPS = _cells(2)
MISSED = _cells(2)  # bytes that were acknowledged and are not in the capture
WHOLE = _cells(2)  # all bytes before it were seen, or are missed
LATER_FROM = _cells(2)  # a stretch that was seen behind a hole
LATER_TO = _cells(2)
SYN_AT = _cells(2)  # moments of the first SYN of each side, and of the originator's first ACK
ACK_AT = _cells()
SEEN = _cells()  # bits: what the history has of each side
LAST_SYN = _cells(2)
LAST_FIN = _cells(2)
LAST_RST = _cells(2)
HISTORY = _cells(3)  # letters, eight a cell
LETTERS = _cells()
# The rhythm of a conversation: packets with payload by size, and seconds with any, each way.
SMALL = _cells(2)
LARGE = _cells(2)
SECONDS = _cells(2)
SECOND = _cells(2)
# The pieces of the beginning of what each side said: a chain of rows of the table of pieces.
CHAIN = _cells(2)  # the first row and one more, or 0
CHAIN_END = _cells(2)
PIECES = _cells(2)
TORN = _cells()  # a piece of it was put together from fragments
TOLD = _cells()  # nothing more is kept of what they say
SPOKEN = _cells()  # which protocol was recognised, counted from 1
MAC = _cells(2)  # of the link that the first packet of each side came over, or -1
VLAN = _cells()
TUNNEL = _cells()  # through which it came, or 0
CARRIES = _cells()  # it is such a tunnel itself, or 0
FLOW_CELLS = _cells()
