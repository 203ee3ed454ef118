"""osquery's results: what scheduled queries found added, removed, or there at a moment.

Forms after https://osquery.readthedocs.io/en/stable/deployment/logging/ (event, batch and snapshot results).
The columns are those of each query; of well-known tables they are ECS columns as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import integer, json, mapped, text, time
from sensors.values.ecs import is_ip, related

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

FIELDS: Final = {
    "event.action": "action",
    "host.hostname": "hostIdentifier",
    "host.id": ("decorations.host_uuid", "decorations.uuid"),
    "user.name": "decorations.username",
    "rule.name": "name",
    "osquery.result.name": "name",
    "osquery.result.action": "action",
    "osquery.result.host_identifier": "hostIdentifier",
    "osquery.result.calendar_time": "calendarTime",
    "osquery.result.unix_time": "unixTime",
    "osquery.result.epoch": "epoch",
    "osquery.result.counter": "counter",
    "file.path": "columns.path",
    "file.name": "columns.filename",
    "file.directory": "columns.directory",
    "file.type": "columns.type",
    "file.inode": "columns.inode",
    "file.uid": "columns.uid",
    "process.name": "columns.process",
    "process.command_line": ("columns.cmdline", "columns.command_line"),
    "process.executable": "columns.process_path",
    "process.hash.sha256": "columns.process_sha256",
    "destination.address": "columns.remote_address",
    "user.target.name": "columns.target_username",
}
_NUMBERS: Final = {
    "file.size": "columns.size",
    "destination.port": "columns.remote_port",
    "process.pid": "columns.pid",
}


class Osquery:
    """The results log (osqueryd.results.log)."""

    name = "osquery"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records name a query, a host, and what the query found."""
        return json_table.mostly(
            head,
            lambda one: (
                isinstance(one.get("name"), str)
                and "hostIdentifier" in one
                and {"calendarTime", "unixTime"} & one.keys()
                and {"columns", "snapshot", "diffResults"} & one.keys()
            ),
        )

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            fits = text(table, "hostIdentifier").is_not_null() & text(table, "name").is_not_null()
            kept = json_table.kept(table, fits, source, "no result of a query")
            timed = kept.with_columns(_time(kept).alias("@timestamp"))
            timed = json_table.kept(
                timed, pl.col("@timestamp").is_not_null(), source, "no time of the result"
            )
            if timed.height:
                yield _events(timed)


def _time(frame: pl.DataFrame) -> pl.Expr:
    said = text(frame, "calendarTime").str.replace_all(r" +", " ").str.strip_suffix(" UTC")
    dated = said.str.to_datetime("%a %b %d %H:%M:%S %Y", strict=False, time_unit="us")
    return pl.coalesce(time(frame, "unixTime"), dated.dt.replace_time_zone("UTC"))


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    own = [
        pl.col(name).alias(f"osquery.result.{name}")
        for name in frame.columns
        if name.startswith(("columns.", "decorations.")) and name.isascii()
    ]
    events = frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        pl.lit("osquery.result").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["host"], pl.List(pl.String)).alias("event.category"),
        pl.lit(["info"], pl.List(pl.String)).alias("event.type"),
        *mapped(frame, FIELDS),
        *(integer(frame, path).alias(name) for name, path in _NUMBERS.items()),
        json(frame, "snapshot").alias("osquery.result.snapshot"),
        json(frame, "diffResults").alias("osquery.result.diff_results"),
        *own,
    )
    remote = pl.col("destination.address")
    return events.with_columns(
        pl.when(is_ip(remote)).then(remote).alias("destination.ip"),
        related(["user.name"]).alias("related.user"),
        related(["host.hostname"]).alias("related.hosts"),
    )


SENSOR: Final = Osquery()
