"""CEF and LEEF, of whatever product: what ArcSight and QRadar are fed with, every SIEM reads.

Products that have a sensor of their own are left to it, `OWN` names them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.cef.framing import dictionary, products, records
from sensors.cef.meaning import mapped, moments, timed
from sensors.reading import syslog
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

__all__ = ["OWN", "SENSOR", "dictionary", "mapped", "moments", "products", "records", "timed"]

# Vendor and product of lines that other sensors read, in the order `vendor|product`.
OWN: Final = re.compile(
    r"(?i)^(?:check ?point\||cyberark\|PTA$|palo alto networks\|LF$|"
    r"(?:thycotic|delinea)[^|]*\|secret server\b)"
)


class Cef:
    """The sensor of lines that no other sensor knows better."""

    name = "cef"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether most lines are CEF or LEEF, and not all of them of products with their own sensors."""
        found = products(head)
        return bool(found) and not all(OWN.search("|".join(product)) for product in found)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another form is named as unread."""
        tables = dictionary()
        clock = syslog.Clock(source)
        for lines, values in records(source, tables.__getitem__):
            frame = mapped(lines, values, source).with_columns(
                *timed(lines, values, source), pl.lit("cef.log").alias("event.dataset")
            )
            yield ecs.only(clock.fill(frame), "cef")


SENSOR: Final = Cef()
