"""Zeek's JSON logs: one object a line, as Zeek writes them or as what ships them has wrapped them.

Splunk carries Zeek's JSON as text in `_raw`, beside `host` and `source`; Filebeat and others in `message` or
`event.original`, beside `@timestamp` and fields of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.ahead import ahead
from sensors.zeek import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

POSITION: Final = ("log.offset", "log.file.line")
CARRIERS: Final = ("_raw", "message", "event.original")  # where shippers put Zeek's own text
_TOLD: Final = ("host", "host.name")  # what they say of the machine that Zeek runs on


class JsonRows:
    """Records of one log as columns, one a field.

    The names of fields come from the input, and to Polars `*` and `^…$` mean more than one column: no column
    bears them here.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._fields = {
            column.name: column.alias("field")
            for column in frame.iter_columns()
            if column.name not in json_table.FRAME and column.null_count() < frame.height
        }
        self.position = frame.select(POSITION)
        self.names = tuple(self._fields)

    def several(self, name: str) -> bool:
        """Whether every value of the field is an array."""
        written = self._fields[name].drop_nulls()
        return bool((written.str.starts_with("[") & written.str.ends_with("]")).all())

    def bare(self, name: str) -> pl.Series:
        """String: the values as JSON has them."""
        return self._fields[name]

    def text(self, name: str) -> pl.Series:
        """String, null where unset or empty."""
        field = self._fields[name].to_frame()
        return field.select(json_table.text(field, "field")).to_series()

    def texts(self, name: str) -> pl.Series:
        """List(String), null where there is no element."""
        field = self._fields[name].to_frame()
        lists = field.select(json_table.texts(field, "field"))
        return lists.select(pl.when(pl.nth(0).list.len() > 0).then(pl.nth(0))).to_series()


def blocks(source: Source) -> Iterator[list[tuple[kinds.Kind, JsonRows]]]:
    """For each block of records the rows of each log in it; what is of no log is named in `source.unread`."""
    for table in ahead(_unwrapped(frame, source) for frame in json_table.records(source)):
        which = _paths(table, source.name)
        unknown = table.filter(which.is_null())
        if unknown.height:
            text, offset, line = unknown.select(json_table.FRAME).row(0)
            source.lost(
                "none of Zeek's logs has these fields, and no _path says which it is",
                line=line,
                offset=offset,
                sample=text,
                count=unknown.height,
            )
        rows = [
            (kinds.kind(path), JsonRows(table.filter(which == path)))
            for path in which.drop_nulls().unique(maintain_order=True)
        ]
        if rows:
            yield rows


def _unwrapped(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The table of the records; of those whose Zeek record is text within, the table of that text."""
    table = json_table.table(frame, source)
    carried = [name for name in CARRIERS if name in table.columns]
    if not carried or ("ts" in table.columns and not table["ts"].null_count()):
        return table
    inner = pl.coalesce(pl.when(pl.col(name).str.starts_with("{")).then(name) for name in carried)
    within = table.with_columns(inner.alias("text")).filter(pl.col("text").is_not_null())
    if not within.height:
        return table
    opened = json_table.table(within.select(json_table.FRAME), source)
    told = [pl.col(name).alias(f"molehunt.carrier.{name}") for name in _TOLD if name in within.columns]
    opened = opened.join(within.select(*POSITION, *told), on=POSITION, how="left", maintain_order="left")
    others = table.join(within.select(POSITION), on=POSITION, how="anti", maintain_order="left")
    return pl.concat([opened, others], how="diagonal").sort(POSITION)


def _paths(table: pl.DataFrame, file_name: str) -> pl.Series:
    """The log of each record: by `_path`, else by the file's name if the fields agree, else by the fields."""
    said = (
        table["_path"]
        if "_path" in table.columns
        else pl.Series([None], dtype=pl.String).new_from_index(0, table.height)
    )
    if said.null_count() == 0:
        return said
    hint = kinds.named(file_name)
    known = kinds.kinds()
    candidates = [known[hint]] if hint else []
    candidates += [each for each in known.values() if each.base == each.path]
    expression = pl.lit(None, pl.String)
    for each in reversed(candidates):
        fitting = [names for names in each.known_by if set(names) <= set(table.columns)]
        if not fitting:
            continue
        here = pl.any_horizontal(
            pl.all_horizontal(pl.col(name).is_not_null() for name in names) for names in fitting
        )
        if each.only:
            others = table.drop(*json_table.FRAME, *fitting[0], *kinds.ALWAYS, strict=False)
            if others.width:
                here &= pl.lit(others.select(pl.all_horizontal(pl.all().is_null())).to_series())
        expression = pl.when(here).then(pl.lit(each.path)).otherwise(expression)
    return said.fill_null(table.select(expression.alias("kind")).to_series())
