"""FortiProxy's logs: traffic, HTTP transactions, UTM and events.

Lines of `key=value` as FortiGate writes them, after Fortinet's "FortiProxy Log Reference" (7.4); mapping
after Elastic's integration `fortinet_fortiproxy`, which has both ends as client and server too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.fortigate import of_a_proxy, told
from sensors.fortinet.columns import finished
from sensors.fortinet.reading import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_SIDES: Final = (("source.", "client."), ("destination.", "server."))
_BOTH: Final = (
    "ip",
    "port",
    "bytes",
    "packets",
    "mac",
    "nat.ip",
    "nat.port",
    "address",
    "user.name",
    "user.domain",
)


class FortiProxy:
    """The sensor."""

    name = "fortiproxy"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing
        """Whether at least half of the lines are Fortinet's, and one of them a FortiProxy's."""
        return told(head) and of_a_proxy(head)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another format is named as unread."""
        frames = finished(records(source), "proxy", "fortinet_fortiproxy.log", "FortiProxy", "proxy")
        for frame in frames:
            yield frame.with_columns(
                pl.col(f"{old}{part}").alias(f"{new}{part}")
                for old, new in _SIDES
                for part in _BOTH
                if f"{old}{part}" in frame.columns
            )


SENSOR: Final = FortiProxy()
