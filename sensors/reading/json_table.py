"""JSON records to columns: a table with one text column for each leaf path of the records' JSON.

`{"actor": {"id": "x"}}` has the column `actor.id`. Every column is text: strings as they are, numbers and
booleans as JSON writes them, arrays as JSON text; null and `{}` are null. What a row holds depends on that
row alone, never on its neighbours: a field that is a string here and an object there is two columns. Sensors
take values through `text`, `number`, `integer`, `texts`, `objects` and `json`, which know absent columns.

Of a key that occurs twice in an object the last value that is not null counts, and `{"a.b": 1}` is the same
as `{"a": {"b": 1}}`.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.reading import iso_times, json_columns, json_members, json_scan, json_shred
from sensors.reading.ahead import ahead
from sensors.reading.json_records import FRAME, mostly, peek, records
from sensors.reading.losses import name_lost
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sensors.reading.json_scan import Array
    from sensors.sensor import Source

__all__ = [
    "FRAME", "integer", "json", "kept", "mapped", "member", "mostly", "number", "objects", "opened", "peek",
    "records", "table", "tables", "text", "texts", "time",
]  # fmt: skip

_COLUMNS: Final = 4_096
_MILLIS, _MICROS, _NANOS = 1e11, 1e14, 1e17  # counts since 1970 from here on are of that unit
_CELLS: Final = 40_000_000  # rows times columns; 16 bytes each


def tables(source: Source, found: Iterable[pl.DataFrame] | None = None) -> Iterator[pl.DataFrame]:
    """The records of a source as `table` has them, block by block, the next while this one is in use.

    Args:
        source: what is read.
        found: the records, columns `FRAME`, where they are not simply those of `records(source)`.
    """
    return ahead(table(frame, source) for frame in (records(source) if found is None else found))


def table(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The records of `frame` (columns `FRAME`) with one text column for each leaf path.

    Rows that are not one JSON object are left out and named in `source.unread`, as are fields beyond the
    number of columns that memory allows (the rarest ones). A leaf whose path is one of `FRAME` is named
    `record.<path>`.
    """
    frame = frame.select(FRAME)
    data, starts, ends = json_columns.spans(frame["text"])
    leaves, proper, paths, left_out = json_shred.shred(data, starts, ends, json_columns.PATHS)
    if not proper.all():
        name_lost(frame.filter(~pl.Series(proper)), "not one whole JSON object", source)
    names = [f"record.{name}" if name in FRAME else name for name in json_columns.names_of(data, paths)]
    numbers, kept, crowded = _columns(leaves, names, frame.height)
    if left_out or crowded:
        source.lost(
            f"more different fields than are told apart at once; the rarest were left out, from line "
            f"{frame['log.file.line'][0]} on",
            line=frame["log.file.line"][0],
            offset=frame["log.offset"][0],
            count=left_out + crowded,
        )
    shredded = frame.hstack(json_columns.filled(data, leaves, numbers, kept, frame.height))
    return shredded if proper.all() else shredded.filter(pl.Series(proper))


def opened(frame: pl.DataFrame, *paths: str) -> pl.DataFrame:
    r"""The same table; where a column at one of `paths` holds an object as text, its leaves are columns too.

    Vendors nest JSON in JSON strings (`"AuditData": "{\"Operation\": ...}"`). A leaf that the record has in
    both ways keeps the value it has outside the string.
    """
    for path in paths:
        for name in _present(frame, path):
            data, starts, ends = json_columns.spans(frame[name])
            leaves, _, keys, _ = json_shred.shred(data, starts, ends, json_columns.PATHS)
            names = [f"{path}.{key}" for key in json_columns.names_of(data, keys)]
            numbers, kept, _ = _columns(leaves, names, frame.height)
            inner = json_columns.filled(data, leaves, numbers, kept, frame.height)
            frame = frame.with_columns(
                frame[column.name].fill_null(column) if column.name in frame.columns else column
                for column in inner
            )
    return frame


def kept(frame: pl.DataFrame, fits: pl.Expr, source: Source, reason: str) -> pl.DataFrame:
    """The rows where `fits` is true; the others are named in `source.unread`, for `reason`."""
    mask = frame.select(fits.fill_null(value=False).alias("~fits"))["~fits"]
    mask = mask.new_from_index(0, frame.height) if len(mask) != frame.height else mask  # it names no column
    if mask.all():
        return frame
    name_lost(frame.filter(~mask), reason, source)
    return frame.filter(mask)


def text(frame: pl.DataFrame, *paths: str) -> pl.Expr:
    """The first value there is at `paths`, as text; text of no length counts as none.

    Paths that differ in case only count as one, the spelling asked for first (exports differ in it).
    """
    present = [name for path in paths for name in _present(frame, path)]
    if not present:
        return pl.lit(None, pl.String).alias(paths[0])
    filled = [
        pl.when(pl.col(name) != "").then(pl.col(name)) if _has_empty(frame, name) else pl.col(name)
        for name in present
    ]
    return (filled[0] if len(filled) == 1 else pl.coalesce(filled)).alias(paths[0])


def number(frame: pl.DataFrame, *paths: str) -> pl.Expr:
    """The same as a Float64; null where it is no number."""
    return text(frame, *paths).cast(pl.Float64, strict=False)


def integer(frame: pl.DataFrame, *paths: str) -> pl.Expr:
    """The same as an Int64 (`7`, and `7.9` as well); null where it is no number that fits."""
    value = text(frame, *paths)
    if not value.meta.root_names():
        return value.cast(pl.Int64)
    return value.map_batches(_whole, return_dtype=pl.Int64, is_elementwise=True)


def _whole(column: pl.Series) -> pl.Series:
    number = column.cast(pl.Int64, strict=False)
    if number.null_count() == column.null_count():
        return number
    return number.fill_null(column.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False))


def mapped(frame: pl.DataFrame, fields: Mapping[str, str | Sequence[str]]) -> list[pl.Expr]:
    """For each field the text at its path, or at the first of its paths that has any."""
    return [
        text(frame, *([paths] if isinstance(paths, str) else paths)).alias(name)
        for name, paths in fields.items()
    ]


def time(frame: pl.DataFrame, *paths: str, zone: str = "UTC") -> pl.Expr:
    """The moment at the first of `paths` that has a value, as Datetime in UTC; null where it is none.

    Read are ISO 8601 (date and time with `T` or blank, any fraction, `Z` or an offset; without one it is
    local time in `zone`), and seconds, milliseconds, microseconds or nanoseconds since 1970, told by size.
    """
    value = text(frame, *paths)
    if not value.meta.root_names():
        return value.cast(TIME)
    return value.map_batches(
        lambda column: _moments(column, zone), return_dtype=TIME, is_elementwise=True
    ).alias(paths[0])


def _moments(column: pl.Series, zone: str) -> pl.Series:
    """The moments of a text column: what a kernel does not read is read with more patience."""
    column = column.alias("value")
    moments, left = iso_times.read(column, zoneless=zone == "UTC")
    moments = moments.cast(TIME)
    if left.any():
        patient = column.filter(left).to_frame().select(_patiently(pl.col("value"), zone)).to_series()
        moments = moments.scatter(left.arg_true(), patient)
    return moments


def _patiently(value: pl.Expr, zone: str) -> pl.Expr:
    """The moment that text of any of the forms names."""
    local = (
        value.str.slice(0, 10) + " " + value.str.extract(r"^\d{4}-\d\d-\d\d[T ](\d\d:\d\d:\d\d(?:\.\d+)?)", 1)
    ).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    offset = value.str.extract(r"[\d.]\s*(Z|[+-]\d\d:?\d\d)$", 1)
    minutes = offset.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + offset.str.slice(-2).cast(
        pl.Int64, strict=False
    )
    west = offset.str.starts_with("-")
    shifted = local - pl.duration(minutes=pl.when(west).then(-minutes).otherwise(minutes).fill_null(0))
    in_zone = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    written = (
        pl.when(offset.is_null())
        .then(in_zone.dt.convert_time_zone("UTC"))
        .otherwise(shifted.dt.replace_time_zone("UTC"))
    )
    since_1970 = pl.when(value.str.contains(r"^\d{9,19}(\.\d*)?$")).then(value.cast(pl.Float64, strict=False))
    scale = (
        pl.when(since_1970 < _MILLIS)
        .then(1e6)
        .when(since_1970 < _MICROS)
        .then(1e3)
        .when(since_1970 < _NANOS)
        .then(1.0)
        .otherwise(1e-3)
    )
    counted = (since_1970 * scale).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return pl.coalesce(written, counted)


def texts(frame: pl.DataFrame, path: str) -> pl.Expr:
    """List(String): the elements of an array as text (nulls left out), or the one value there is."""
    dtype = pl.List(pl.String)
    if not _present(frame, path):
        return pl.lit(None, dtype).alias(path)
    return text(frame, path).map_batches(_texts, return_dtype=dtype).alias(path)


def objects(frame: pl.DataFrame, path: str, *keys: str) -> pl.Expr:
    """List(Struct): for each element of an array of objects its values at `keys` (dotted paths), as text.

    An element that is no object has nulls. JSON text inside a string is read as well.
    """
    dtype = pl.List(pl.Struct(dict.fromkeys(keys, pl.String)))
    if not _present(frame, path):
        return pl.lit(None, dtype).alias(path)
    found = text(frame, path).map_batches(lambda column: _objects(column, keys), return_dtype=dtype)
    return found.alias(path)


def json(frame: pl.DataFrame, path: str) -> pl.Expr:
    """Whatever is at `path`: an array or object as JSON text, a scalar as text."""
    leaf = text(frame, path)
    if any(name.startswith(f"{path}.") for name in frame.columns):
        whole = member(pl.col("text"), path)
        # As in any other batch: what is empty is nothing, also if another record has something there.
        return pl.coalesce(leaf, pl.when(whole != "{}").then(whole)).alias(path)
    return leaf.alias(path)


def member(record: pl.Expr, path: str) -> pl.Expr:
    """The object at `path` of records, which are JSON text, as text; null where there is none."""
    steps = path.split(".")
    return record.map_batches(
        lambda column: json_members.objects(column, steps), return_dtype=pl.String, is_elementwise=True
    )


def _present(frame: pl.DataFrame, path: str) -> list[str]:
    """The column `path`, and after it those that differ from it in case only."""
    found = _facts(frame).names.get(path.casefold(), ())
    return sorted((name for name in found if len(name) == len(path)), key=lambda name: name != path)


def _has_empty(frame: pl.DataFrame, name: str) -> bool:
    """Whether a column has text of no length."""
    known = _facts(frame).empty
    if name not in known:
        column = frame.get_column(name)
        known[name] = column.dtype != pl.String or bool((column == "").any())
    return known[name]


@dataclass(slots=True)
class _Facts:
    """What is asked of a table again and again: columns by folded name, whether they have empty text."""

    table: weakref.ref[pl.DataFrame]
    columns: list[str]
    names: dict[str, list[str]] = field(default_factory=dict)
    empty: dict[str, bool] = field(default_factory=dict)


_asked = threading.local()


def _facts(frame: pl.DataFrame) -> _Facts:
    """What is known of the table, which is as a rule the one asked about before."""
    last: _Facts | None = getattr(_asked, "last", None)
    if last is None or last.table() is not frame or last.columns != frame.columns:
        last = _asked.last = _Facts(weakref.ref(frame), frame.columns)
        for name in frame.columns:
            if name not in FRAME:
                last.names.setdefault(name.casefold(), []).append(name)
    return last


def _columns(leaves: Array, names: list[str], height: int) -> tuple[Array, list[str], int]:
    """For each leaf the number of its column (-1: none), the columns' names, how many leaves have none."""
    numbers: dict[str, int] = {}
    of_path = np.array([numbers.setdefault(name, len(numbers)) for name in names])
    counts = json_shred.counted(leaves, of_path, len(numbers))
    limit = min(_COLUMNS, _CELLS // max(height, 1))
    kept = np.flatnonzero(counts)
    if len(kept) > limit:
        kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")[:limit]])
    place = np.full(len(numbers), -1)
    place[kept] = np.arange(len(kept))
    listed = list(numbers)
    columns = json_shred.placed(leaves, place[of_path])
    return columns, [listed[number] for number in kept], int(counts.sum() - counts[kept].sum())


def _texts(column: pl.Series) -> pl.Series:
    data, leaves, rows, there = _elements(column)
    leaves[:, json_shred.ROW] = np.arange(len(leaves))
    none = np.zeros(len(leaves), np.int64)
    return json_columns.listed(data, leaves, none, (), rows, there).alias(column.name)


def _objects(column: pl.Series, keys: Sequence[str]) -> pl.Series:
    data, items, rows, there = _elements(column)
    starts = np.ascontiguousarray(items[:, json_shred.FROM])
    ends = np.ascontiguousarray(items[:, json_shred.TO])
    leaves, columns = json_columns.leaves_of(data, starts, ends, keys)
    return json_columns.listed(data, leaves, columns, keys, rows, there).alias(column.name)


def _elements(column: pl.Series) -> tuple[Array, Array, Array, Array]:
    """The bytes of a column, the elements of its arrays, the row of each, and which rows are not null."""
    data, starts, ends = json_columns.spans(column)
    there = ends > starts  # text of no length is null here
    rows = np.flatnonzero(there)
    leaves = json_scan.elements(data, starts[rows], ends[rows])
    return data, leaves, rows[leaves[:, json_shred.ROW]], there
