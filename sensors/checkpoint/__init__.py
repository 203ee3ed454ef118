"""Check Point's gateways and management: logs as the Log Exporter writes them, in any of its formats.

Fields after sk144192 ("Description of Fields in Check Point Logs"); mapping after Elastic's integration
`checkpoint`, but that a client's inbound bytes, which the gateway took in from it, are the source's here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sensors.checkpoint.meaning import mapped
from sensors.checkpoint.reading import records, told
from sensors.reading import syslog
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from sensors.sensor import Source


class CheckPoint:
    """The sensor."""

    name = "checkpoint"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether at least half of the lines are Check Point's."""
        return told(head)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another form is named as unread."""
        clock = syslog.Clock(source)
        for lines, values in records(source):
            yield ecs.only(clock.fill(mapped(lines, values, source)), "checkpoint")


SENSOR: Final = CheckPoint()
