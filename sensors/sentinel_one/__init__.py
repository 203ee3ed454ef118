"""SentinelOne: activities, agents, alerts and threats of its management API, and Cloud Funnel's events.

Fields after https://usea1-partners.sentinelone.net/api-doc (management API 2.1) and the Cloud Funnel 2.0
schema. A record says by its own keys which of the five it is.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import text
from sensors.sentinel_one import funnel, management

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

# The keys that tell the kinds of records apart, each with those of which it needs one.
MARKS: Final = {
    "threat": ("threatInfo", {"agentRealtimeInfo", "agentDetectionInfo"}),
    "alert": ("alertInfo", {"ruleInfo", "agentDetectionInfo"}),
    "activity": ("activityType", {"primaryDescription", "activityUuid", "description", "createdAt"}),
    "agent": ("computerName", {"agentVersion", "rangerStatus"}),
}
TIMES: Final = {
    "threat": ("threatInfo.updatedAt", "threatInfo.identifiedAt", "threatInfo.createdAt"),
    "alert": ("alertInfo.createdAt", "alertInfo.reportedAt"),
    "activity": ("createdAt", "updatedAt"),
    "agent": ("updatedAt", "lastActiveDate", "createdAt"),
    "funnel": ("event.time", "src.process.startTime"),
}


@cache
def fields() -> Mapping[str, Any]:
    """The fields of each kind."""
    return tomllib.loads((files("sensors.sentinel_one") / "fields.toml").read_text("utf-8"))


class SentinelOne:
    """The sensor."""

    name = "sentinel_one"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records have the keys of one of SentinelOne's."""
        return json_table.mostly(head, lambda record: _kind(record) is not None)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for whole in json_table.tables(source):
            table = whole.with_columns(_kinds(whole).alias("~kind"))
            known = json_table.kept(
                table, pl.col("~kind").is_not_null(), source, "no record of SentinelOne's"
            )
            parts = []
            for (kind,), rows in known.partition_by("~kind", as_dict=True, maintain_order=True).items():
                moment = json_table.time(rows, *TIMES[str(kind)])
                timed = rows.with_columns(moment.alias("@timestamp"))
                dated = json_table.kept(
                    timed, pl.col("@timestamp").is_not_null(), source, "the record has no time"
                )
                if not dated.height:
                    continue
                if kind == "funnel":
                    parts.append(funnel.events(dated, fields()))
                else:
                    parts.append(management.events(dated, str(kind), fields()))
            if parts:
                yield pl.concat(parts, how="diagonal_relaxed").sort("log.offset", maintain_order=True)


def _kind(record: Mapping[str, Any]) -> str | None:
    for kind, (must, some) in MARKS.items():
        if must in record and some & record.keys():
            return kind
    source = record.get("dataSource")
    vendor = record.get("dataSource.name") or (source.get("name") if isinstance(source, dict) else None)
    return (
        "funnel" if vendor == "SentinelOne" or {"meta.event.name", "endpoint.name"} <= record.keys() else None
    )


def _kinds(frame: pl.DataFrame) -> pl.Expr:
    """The same of all records at once."""
    columns = frame.columns

    def has(key: str) -> pl.Expr:
        names = [name for name in columns if name == key or name.startswith(f"{key}.")]
        return pl.any_horizontal([pl.lit(value=False), *(pl.col(name).is_not_null() for name in names)])

    chain: pl.Expr = pl.when(
        (text(frame, "dataSource.name") == "SentinelOne") | (has("meta.event.name") & has("endpoint.name"))
    ).then(pl.lit("funnel"))
    for kind, (must, some) in reversed(list(MARKS.items())):
        chain = (
            pl.when(has(must) & pl.any_horizontal([has(key) for key in sorted(some)]))
            .then(pl.lit(kind))
            .otherwise(chain)
        )
    return chain


SENSOR: Final = SentinelOne()
