"""Events that are in the Elastic Common Schema already: molehunt's own, and those of other tools.

`molehunt events` writes them as JSON lines with dotted names, or as Parquet; others nest them. A file is such
if its first record has `@timestamp`, one of `event.dataset`, `event.module` and `ecs.version`, and one of
`event.kind` and `event.category`, which only normalised records have. Records of Winlogbeat (`winlog.*`) and
of Zeek (`ts`) are other sensors', unless `molehunt.source.sha256` shows them to be ours. Every Parquet file
is taken: nothing else here reads Parquet.

Events of ours keep their place in the log that they came from, so that evidence leads there. The place of
other tools' events is the line in their file; where they say they came from is `molehunt.origin.path`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import schema
from sensors.reading import json_table
from sensors.values import text_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sensors.sensor import Source

_PARQUET: Final = b"PAR1"  # https://parquet.apache.org/docs/file-format/
_ROWS: Final = 100_000  # of a Parquet file, in one batch
_LISTS: Final = pl.List(pl.String)
_OURS: Final = "molehunt.source.sha256"
_HERE: Final = ("log.offset", "log.file.line")  # in this file; what a record says of these is `record.<name>`
_CONTEXT: Final = "roster."  # what HR says of a person is never taken from a log
_UNMAPPED: Final = "molehunt.unmapped."
_ODD: Final = re.compile(r"[^A-Za-z0-9_.@-]")


class EcsEvents:
    """Normalised events, as JSON or Parquet."""

    name: Final = "ecs"
    as_is: Final = True  # what an event was made of (`event.original`) is not read anew

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether it is Parquet, or begins with an event in ECS that no other sensor has to read."""
        if head.startswith(_PARQUET):
            return True
        return json_table.mostly(head, lambda record: _is_event(_names(record, "")))

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order; names that the schema does not have stand under `molehunt.unmapped`."""
        if not source.head.startswith(_PARQUET):
            for table in json_table.tables(source):
                yield from _events(table.drop("text"), source)
            return
        with source.local() as path:
            yield from _parquet(path, source)


def _names(record: Mapping[str, Any], prefix: str) -> set[str]:
    found: set[str] = set()
    for key, value in record.items():
        if isinstance(value, dict):
            found |= _names(value, f"{prefix}{key}.")
        elif value is not None:
            found.add(f"{prefix}{key}")
    return found


def _is_event(names: set[str]) -> bool:
    if "@timestamp" not in names or not names & {"event.dataset", "event.module", "ecs.version"}:
        return False
    others = "ts" in names or any(name.startswith("winlog.") for name in names)
    return _OURS in names or (not others and bool(names & {"event.kind", "event.category"}))


def _parquet(path: Path, source: Source) -> Iterator[pl.DataFrame]:
    try:
        scan = pl.scan_parquet(path)
        height = scan.select(pl.len()).collect().item()
        for start in range(0, height, _ROWS):
            frame = scan.slice(start, _ROWS).collect()
            line = pl.Series("log.file.line", range(start + 1, start + frame.height + 1), dtype=pl.Int64)
            given = [
                column.rename(f"record.{column.name}") if column.name in _HERE else column
                for column in _flat(frame)
            ]
            yield from _events(pl.DataFrame([line, *given]), source)
    except (pl.exceptions.PolarsError, OSError) as error:
        source.lost(f"the Parquet file is damaged or cut off: {str(error).splitlines()[0]}")


def _flat(frame: pl.DataFrame) -> Iterator[pl.Series]:
    """The columns with structs taken apart, under dotted names."""
    for column in frame.iter_columns():
        if isinstance(column.dtype, pl.Struct):
            inner = column.struct.unnest()
            yield from (each.alias(f"{column.name}.{each.name}") for each in _flat(inner))
        else:
            yield column


def _events(table: pl.DataFrame, source: Source) -> Iterator[pl.DataFrame]:
    """Columns by the schema's names and types.

    Args:
        table: columns of text, or typed already; `log.file.line` and perhaps `log.offset` are the record's
            place in this file, and what the record itself says of its place begins with `record.`.
        source: for its time zone, and to say what has no time.
    """
    columns: dict[str, pl.Series] = {}
    for column in table.iter_columns():
        if column.name in _HERE:
            continue
        bare = column.name.removeprefix("record.")
        name = bare if bare in _HERE else column.name
        # Under its own name a series is lost to Polars if that name is `*` or a pattern.
        for target, value in _targets(name, column.alias("value"), source):
            before = columns.get(target)
            whole = value if before is None else before.zip_with(before.is_not_null(), value)
            columns[target] = whole.alias(target)
    frame = pl.DataFrame(list(columns.values())) if columns else pl.DataFrame(height=table.height)
    frame = _placed(frame, table)
    missing = [name for name in ("@timestamp", "event.dataset") if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, schema.dtype(name)).alias(name) for name in missing)
    timeless = frame["@timestamp"].is_null()
    if timeless.any():
        line = int(table["log.file.line"].filter(timeless)[0])
        source.lost("the event has no @timestamp that can be read", line=line, count=int(timeless.sum()))
    if "event.module" in frame.columns:
        frame = frame.with_columns(pl.col("event.dataset").fill_null(pl.col("event.module") + pl.lit(".log")))
    frame = frame.with_columns(pl.col("event.dataset").fill_null("ecs.event")).filter(~timeless)
    if frame.height:
        yield frame


def _targets(name: str, column: pl.Series, source: Source) -> Iterator[tuple[str, pl.Series]]:
    """The schema's columns that the field `name` fills: itself, or the parts of a list of objects."""
    parts = _parts_of().get(name)
    if parts is not None and column.dtype == pl.String:
        lists = column.to_frame("v").select(json_table.objects(column.to_frame("v"), "v", *parts)).to_series()
        for part in parts:
            values = lists.list.eval(pl.element().struct.field(part)).list.drop_nulls()
            yield f"{name}.{part}", _or_null(values)
        return
    target = name
    if name not in schema.dictionary():
        # A name of the input may be what its vendor's root allows, but nothing that means more to Polars.
        target = _ODD.sub("_", name)
        if name.startswith(_CONTEXT) or name.split(".", 1)[0] not in schema.vendor_roots():
            target = f"{_UNMAPPED}{target}"
    yield target, _typed(column, schema.dtype(target), source)


def _typed(column: pl.Series, want: pl.DataType, source: Source) -> pl.Series:
    if column.dtype == want:
        return column
    if isinstance(column.dtype, (pl.List, pl.Array)):
        texts = column.cast(_LISTS, strict=False)
        return texts if want == _LISTS else _typed(texts.list.join(","), want, source)
    if isinstance(column.dtype, pl.Datetime) and want == schema.TIME:
        return column  # conform takes it to UTC and microseconds
    text = column if column.dtype == pl.String else column.cast(pl.String, strict=False)
    text = text.to_frame("v").select(json_table.text(text.to_frame("v"), "v")).to_series()
    if want == _LISTS:
        frame = text.to_frame("v")
        return _or_null(frame.select(json_table.texts(frame, "v")).to_series())
    return text_values.typed(text, want, source.zone)


def _or_null(lists: pl.Series) -> pl.Series:
    """Null in the place of lists without elements."""
    return lists.to_frame("v").select(pl.when(pl.col("v").list.len() > 0).then("v")).to_series()


def _placed(frame: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Where each event is: as it says itself if it is ours, else its place in this file."""
    ours = (
        frame[_OURS].is_not_null()
        if _OURS in frame.columns
        else pl.Series([False]).new_from_index(0, frame.height)
    )
    placed = []
    for name in _HERE:
        kind = schema.dtype(name)
        nothing = pl.Series([None], dtype=kind).new_from_index(0, frame.height)
        said = frame[name] if name in frame.columns else nothing
        here = table[name].cast(kind) if name in table.columns else nothing
        placed.append(said.zip_with(ours, here).alias(name))
    if "log.file.path" in frame.columns:
        said = frame["log.file.path"]
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
        placed.append(said.zip_with(ours, nothing))
        placed.append(nothing.zip_with(ours, said).alias("molehunt.origin.path"))
    return frame.with_columns(placed)


@cache
def _parts_of() -> Mapping[str, Sequence[str]]:
    """Roots that nested ECS has as lists of objects (`dns.answers`), and their parts in the schema."""
    parts: dict[str, list[str]] = {}
    for name, kind in schema.dictionary().items():
        root, _, part = name.rpartition(".")
        if kind == _LISTS and root not in schema.dictionary() and "." in root:
            parts.setdefault(root, []).append(part)
    return parts


SENSOR: Final = EcsEvents()
