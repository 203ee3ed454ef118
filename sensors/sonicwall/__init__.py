"""SonicWall firewalls (SonicOS): connections, users, VPN, attacks, configuration.

Syslog lines of `key=value` that begin with `id=`, after SonicWall's "SonicOS Log Events Reference Guide"
(6.5, 7.0; default and enhanced syslog format); mapping after Elastic's integration `sonicwall_firewall`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, key_value, syslog, zones
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.sonicwall.columns import data, mapped, value
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

# Keys of every line, looked for one by one: together they would be from each of many firsts.
_KEYS: Final = tuple(
    map(re.compile, (r"(?:^|[\s>])id=\S", r"\ssn=\S", r'\stime="\d{4}-', r"\s(?:fw|c)=", r"\sm=\d"))
)


class SonicWall:
    """The sensor."""

    name = "sonicwall"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing
        """Whether at least half of the lines have SonicOS' first keys."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(all(key.search(line) for key in _KEYS) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another format is named as unread."""
        clock = syslog.Clock(source)
        tables = data()
        listed = [key for part in ("columns", "numbers") for keys in tables[part].values() for key in keys]
        names = [*listed, *tables["vendor"]["keys"], *tables["read"]["keys"]]
        for lines in syslog.records(source):
            pairs = key_value.table(lines["rest"], names)
            frame = lines.hstack(pairs.rename(lambda name: f"kv.{name}"))
            strange = frame.with_columns(value(frame, "m", "sn", "fw", "msg").is_null().alias("strange"))[
                "strange"
            ]
            if strange.any():
                name_lost(frame.filter(strange), "not a line of SonicOS' key=value log", source)
                frame = frame.filter(~strange)
            if frame.height:
                yield ecs.only(mapped(clock.fill(_timed(frame, source))), "sonicwall")


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Settles `@timestamp`: the line's own time, in UTC if it says so, or else of the syslog header."""
    said = value(frame, "time")
    clock = said.str.extract(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", 1).str.to_datetime(
        "%Y-%m-%d %H:%M:%S", strict=False, time_unit="us"
    )
    times = frame.with_columns(clock=clock, utc=said.str.ends_with("UTC").fill_null(value=False))
    placed = times.select(
        pl.when("utc")
        .then(pl.col("clock").dt.replace_time_zone("UTC"))
        .otherwise(zones.utc(pl.col("clock"), source.zone))
    ).to_series()
    own = placed.is_not_null()
    frame = frame.with_columns(
        placed.fill_null(frame["@timestamp"]).cast(TIME).alias("@timestamp"),
        pl.when(~pl.lit(own)).then("molehunt.guess").alias("molehunt.guess"),
    )
    local = own & ~times["utc"]
    return frame if source.zone_given or not local.any() else syslog.guessed(frame, local, "zone")


SENSOR: Final = SonicWall()
