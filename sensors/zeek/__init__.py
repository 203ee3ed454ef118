"""Zeek: the logs of the network monitor (https://zeek.org), tab-separated or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing
from sensors.reading.ahead import ahead
from sensors.zeek import columns, json_rows, sniffing, tsv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source


class Zeek:
    """Every log that Zeek writes; what is known of each is in `kinds.toml`."""

    name: Final = "zeek"

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether it begins with Zeek's header, or with a record of one of its logs in JSON."""
        return sniffing.tsv(framing.text_head(head)) or sniffing.json(head, name)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order; a batch that holds several logs has the columns of all of them."""
        tabbed = sniffing.tsv(framing.text_head(source.head))
        for block in ahead(tsv.blocks(source)) if tabbed else json_rows.blocks(source):
            yield from _in_order([columns.events(kind, rows, source) for kind, rows in block])


def _in_order(frames: list[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Frames of one block as one frame in the order of the input."""
    whole = (
        frames[0]
        if len(frames) == 1
        else pl.concat(frames, how="diagonal").sort("log.offset", maintain_order=True)
    )
    if whole.height:
        yield whole


SENSOR: Final = Zeek()
