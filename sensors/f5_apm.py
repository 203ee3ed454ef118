"""F5 BIG-IP Access Policy Manager: the log of access sessions (`/var/log/apm`), also as syslog.

`host notice tmm[123]: 01490500:5: /Common/profile:Common:session: New session from client IP …`, after
"BIG-IP APM: Logging and Reporting". Who a session is of, where from and which address it was lent are
messages of their own, which share `session.id`. Wordings are in `f5_apm.toml`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.shapes import message_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_HEAD = (
    r"^(?:(?P<host>[^\s\[\]:]+) )?(?:(?P<level>[a-z]+) )?(?P<app>[\w./-]+)(?:\[(?P<pid>[0-9]+)\])?: "
    r"(?P<number>[0-9a-f]{8}):(?P<severity>[0-7]): "
    r"(?:(?:(?P<profile>/[^\s:]+):(?P<partition>[^\s:]+):)?(?P<session>[0-9a-f]{8}): )?(?P<body>.*)$"
)
_LINE: Final = re.compile(r"[\w./-]+(?:\[\d+\])?: 01490[0-9a-f]{3}:[0-7]: ")


class F5Apm:
    """The sensor."""

    name = "f5_apm"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a syslog server names the file
        """Whether at least half of the lines have a message number of the access policy manager."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_LINE.search(line[:400])) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a line of another form with a time keeps its text."""
        yield from syslog.events(source, _parted, _events, "neither a time nor a message number", "number")


SENSOR: Final = F5Apm()


def _parted(lines: pl.DataFrame) -> pl.DataFrame:
    parts = lines["rest"].str.extract_groups(_HEAD).struct.unnest()
    return lines.hstack(parts.with_columns(parts["body"].fill_null(lines["rest"])))


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    grouped = frame.with_columns(pl.lit("apm").alias("group"))
    told = message_forms.told(grouped, message_forms.forms("f5_apm"))
    host = pl.coalesce("host", "relay")
    told = told.with_columns(
        pl.coalesce("event.category", pl.lit(["network"], pl.List(pl.String))).alias("event.category"),
        pl.coalesce("event.type", pl.lit(["info"], pl.List(pl.String))).alias("event.type"),
        pl.col("number").alias("event.code"),
        pl.col("severity").cast(pl.Int64, strict=False).alias("event.severity"),
        pl.col("session").alias("session.id"),
        pl.col("profile").alias("f5_bigip.apm.profile"),
        pl.col("level").alias("log.level"),
        pl.col("app").alias("process.name"),
        pl.col("pid").alias("process.pid"),
        host.alias("host.name"),
        host.alias("observer.name"),
    )
    return message_forms.settled(
        told,
        "f5_bigip",
        event_dataset="f5_bigip.apm",
        observer_vendor="F5",
        observer_product="BIG-IP APM",
        observer_type="vpn",
    )
