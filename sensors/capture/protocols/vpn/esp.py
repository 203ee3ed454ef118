"""ESP inside UDP, where an IPsec tunnel's data passes a translator of addresses (RFC 3948, RFC 4303).

Nothing of it is in the clear but the association's number (256 at least) and a counter; so port 4500 is asked
for, and that the counter rises by small steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols import fields

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

PORT: Final = 4500
SMALLEST: Final = 24  # association, counter, and what the shortest cipher and digest add
_LEAST: Final = 256
_RISING: Final = 3
_SKIPPED: Final = 1024


def fits(datagrams: Datagrams) -> Array:
    """All datagrams of the associations that are believed."""
    some = _candidates(datagrams)
    believed = np.zeros(len(datagrams), np.bool_)
    believed[some.join(_believed(some), on=["flow", "side", "spi"], how="semi")["row"].to_numpy()] = True
    return believed


def events(datagrams: Datagrams) -> pl.DataFrame:
    """The first packet of each association."""
    rows = _believed(_candidates(datagrams))["row"].to_numpy()
    starts, ends = datagrams.starts[rows], datagrams.ends[rows]
    return fields.events(
        "esp",
        {"row": rows},
        {
            "event.action": pl.Series(["data"]).new_from_index(0, len(rows)),
            "capture.esp.spi": fields.hexes(datagrams.data, starts, ends, 4),
        },
    )


def _candidates(datagrams: Datagrams) -> pl.DataFrame:
    some = np.flatnonzero((datagrams.ports == PORT).any(axis=1) & (datagrams.size() >= SMALLEST))
    starts, ends = datagrams.starts[some], datagrams.ends[some]
    return pl.DataFrame(
        {
            "row": some,
            "flow": datagrams.flow[some],
            "side": datagrams.side[some],
            "spi": fields.number(datagrams.data, starts, ends, 4),
            "counter": fields.number(datagrams.data, starts + 4, ends, 4),
        }
    ).filter(pl.col("spi") >= _LEAST, pl.col("counter") > 0)


def _believed(some: pl.DataFrame) -> pl.DataFrame:
    """The first row of each association: row, flow, side, spi."""
    step = pl.col("counter").diff()
    return (
        some.group_by("flow", "side", "spi")
        .agg(
            pl.col("row").first(),
            pl.len().alias("count"),
            step.is_between(1, _SKIPPED).fill_null(value=True).all().alias("rises"),
        )
        .filter(pl.col("count") >= _RISING, "rises")
        .sort("row")
    )


PROTOCOL: Final = OverUdp("esp", fits, events)
