"""Captures: packets to flows, DNS messages and TLS hellos, in compiled passes over the mapped file.

pcap (https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap) and pcapng
(https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng). No Python object is made for a packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sensors.capture.container import MAGICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from sensors.sensor import Source


class Capture:
    """Any pcap or pcapng file, whatever wrote it."""

    name: str = "capture"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content alone decides
        """A capture begins with one of five magic numbers; what has no zero after it is text."""
        return head[:4] in MAGICS and b"\0" in head[4:64].ljust(1, b"\0")

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """Flows as they end, and names as they are spoken; `molehunt.frame.number` is the packet's number."""
        from sensors.capture.reading import read  # noqa: PLC0415 - compiled code is loaded only for a capture

        return read(source)


SENSOR: Final = Capture()
