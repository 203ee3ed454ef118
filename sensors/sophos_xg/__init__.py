"""Sophos Firewall (XG, XGS): firewall, web, mail, IPS, VPN, authentication, sandbox, WAF, system health.

Syslog lines of `key=value`, in the device's standard format and in that of central reporting, after Sophos'
"Sophos Firewall log fields" (SFOS 16 to 21); mapping after Elastic's integration `sophos`, but that of a VPN
session `source.ip` is the remote end and `source.nat.ip` the address it was lent, that a connection that
stopped ended when it was logged, and that a zone which the line names counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, key_value, syslog, zones
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.sophos_xg.columns import data, mapped, value
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

# Keys of every line, looked for one by one: together they would be from each of many firsts.
_KEYS: Final = tuple(
    map(re.compile, (r"(?:^|[\s>])device(?:_name)?=", r'\slog_id="?[0-9]{12}"?\s', r'\slog_type="'))
)


class SophosXG:
    """The sensor."""

    name = "sophos_xg"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing
        """Whether at least half of the lines name a device, a log of twelve digits and its type."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(all(key.search(line) for key in _KEYS) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another format is named as unread."""
        clock = syslog.Clock(source)
        tables = data()
        listed = [key for part in ("columns", "numbers") for keys in tables[part].values() for key in keys]
        names = [*listed, *tables["vendor"]["keys"], *tables["read"]["keys"]]
        for lines in syslog.records(source):
            pairs = key_value.table(lines["rest"], names, nothing=("", "-", "N/A"))
            frame = lines.hstack(pairs.rename(lambda name: f"kv.{name}"))
            strange = frame.with_columns(value(frame, "log_id", "log_type").is_null().alias("strange"))[
                "strange"
            ]
            if strange.any():
                name_lost(frame.filter(strange), "not a line of Sophos Firewall's key=value log", source)
                frame = frame.filter(~strange)
            if frame.height:
                yield ecs.only(mapped(clock.fill(_timed(frame, source))), "sophos")


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Settles `@timestamp`: the line's own time by its offset, its zone's name, or the zone of the source."""
    stamp = value(frame, "timestamp").str.extract(
        r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))$", 1
    )
    clock = pl.concat_str(value(frame, "date"), pl.lit(" "), value(frame, "time")).str.to_datetime(
        "%Y-%m-%d %H:%M:%S", strict=False, time_unit="us"
    )
    minutes = value(frame, "timezone").replace_strict(
        data()["zones"]["minutes"], default=None, return_dtype=pl.Int64
    )
    times = frame.with_columns(
        exact=stamp.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC"),
        named=(clock - pl.duration(minutes=minutes)).dt.replace_time_zone("UTC"),
        clock=clock,
    )
    sure = times["exact"].fill_null(times["named"])
    placed = times.select(zones.utc(pl.col("clock"), source.zone)).to_series()
    local = sure.is_null() & placed.is_not_null()
    frame = frame.with_columns(
        sure.fill_null(placed).fill_null(frame["@timestamp"]).cast(TIME).alias("@timestamp"),
        pl.when(pl.lit(sure.is_null() & placed.is_null())).then("molehunt.guess").alias("molehunt.guess"),
    )
    return frame if source.zone_given or not local.any() else syslog.guessed(frame, local, "zone")


SENSOR: Final = SophosXG()
