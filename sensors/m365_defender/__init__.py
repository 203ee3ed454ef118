"""Microsoft Defender's advanced hunting: its tables as streamed, queried, or exported.

Read are records of the streaming API (`{"category": "AdvancedHunting-DeviceProcessEvents", "properties":
{...}}`), rows of queries as JSON (the API's `Results`, Sentinel's tables), and the portal's CSV. Tables and
columns after https://learn.microsoft.com/defender-xdr/advanced-hunting-schema-tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.m365_defender.hunting import events
from sensors.reading import delimited, json_table
from sensors.reading.json_table import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.sensor import Source

_STREAMED: Final = "AdvancedHunting-"
_TIMES: Final = {"Timestamp", "TimeGenerated"}
_MARKS: Final = {"DeviceId", "ActionType", "AlertId", "NetworkMessageId", "AccountObjectId"}


class M365Defender:
    """The sensor."""

    name = "m365_defender"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records are of a hunting table, or the first line names one's columns."""
        if json_table.peek(head):
            return json_table.mostly(head, _is_row)
        rows = delimited.first_rows(head, ",", 1)
        return bool(rows) and _names_table({name.strip("\ufeff") for name in rows[0]})

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        tables = _of_json(source) if json_table.peek(source.head) else _of_csv(source)
        for table in tables:
            moment = pl.coalesce(
                json_table.time(table, "properties.Timestamp", "properties.TimeGenerated"),
                json_table.time(table, "Timestamp", "TimeGenerated", "time"),
            )
            timed = table.with_columns(moment.alias("@timestamp"))
            kept = json_table.kept(
                timed, pl.col("@timestamp").is_not_null(), source, "no row of a hunting table"
            )
            if kept.height:
                yield events(kept)


def _is_row(record: Mapping[str, Any]) -> bool:
    category = record.get("category")
    if isinstance(category, str) and category.startswith(_STREAMED):
        return isinstance(record.get("properties"), dict)
    return _names_table(set(record))


def _names_table(names: set[str]) -> bool:
    return bool(names & _TIMES) and "ReportId" in names and bool(names & _MARKS)


def _of_json(source: Source) -> Iterator[pl.DataFrame]:
    for table in json_table.tables(source):
        opened = json_table.opened(table, "properties.AdditionalFields", "AdditionalFields")
        yield opened.with_columns(text(opened, "text").alias("event.original"))


def _of_csv(source: Source) -> Iterator[pl.DataFrame]:
    for names, frame in delimited.headed(source):
        table = delimited.table(frame, names, ",", source)
        if table.height:
            yield json_table.opened(table, "AdditionalFields").with_columns(pl.col("sample").alias("text"))


SENSOR: Final = M365Defender()
