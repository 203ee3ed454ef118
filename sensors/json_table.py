"""JSON logs to columns: the records of a source, and a table with one text column per leaf of their JSON.

`records` frames a source into JSON records, whatever wraps them (lines, arrays, pretty-printed or concatenated
objects, pages such as `{"value": [...]}`). `table` shreds them: `{"actor": {"id": "x"}}` has the column
`actor.id`. Every column is text: strings as they are, numbers and booleans as JSON writes them, arrays as JSON
text; JSON's null and `{}` are null. What a row's columns hold depends on that row alone. Sensors take values
through `text`, `number`, `integer`, `texts`, `objects` and `json`, which know absent columns.
"""

from __future__ import annotations

import json as stdlib_json
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from sensors import framing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

FRAME: Final = ("text", "log.offset", "log.file.line")
_WRAPPERS = ("value", "Records", "records", "events", "logs", "items", "results")


def records(source: Source) -> Iterator[pl.DataFrame]:
    """The JSON objects of a source in input order: `text`, `log.offset`, `log.file.line`."""
    head = framing.text_head(source.head).lstrip()
    first = head.split("\n", 1)[0].strip()
    if not head.startswith("[") and _whole(first) and not _wrapped(first):
        yield from framing.lines(source)
        return
    blob = b"".join(framing.chunks(source)).decode("utf-8", "replace")
    decoder = stdlib_json.JSONDecoder()
    rows: list[tuple[str, int, int]] = []
    at = 0
    while at < len(blob):
        if blob[at] in " \t\r\n,]}":
            at += 1
            continue
        if blob[at] == "[":
            at += 1
            continue
        if blob[at] == "{" and (inner := _wrapped(blob[at : at + 4096])):
            at += inner
            continue
        try:
            value, end = decoder.raw_decode(blob, at)
        except ValueError:
            end = blob.find("\n", at)
            end = len(blob) if end < 0 else end
            source.lost("not JSON", offset=at, sample=blob[at:end])
            at = end
            continue
        if isinstance(value, dict):
            rows.append((blob[at:end], len(blob[:at].encode()), blob.count("\n", 0, at) + 1))
        else:
            source.lost("not a JSON object", offset=at, sample=blob[at:end])
        at = end
    yield pl.DataFrame(
        rows, schema=dict(zip(FRAME, (pl.String, pl.Int64, pl.Int64), strict=True)), orient="row"
    )


def table(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """One text column per leaf path of the records' JSON, after the columns of `FRAME`.

    Rows that are not JSON objects are left out and named in `source.unread`. A leaf whose path is one of
    `FRAME` is named `record.<path>`.
    """
    rows: list[dict[str, str]] = []
    keep: list[bool] = []
    for text_, offset, line in frame.select(FRAME).iter_rows():
        try:
            value = orjson.loads(text_)
        except orjson.JSONDecodeError:
            value = None
        keep.append(isinstance(value, dict))
        if not keep[-1]:
            source.lost("not a JSON object", line=line, offset=offset, sample=text_)
            continue
        row: dict[str, str] = {}
        _flatten(value, "", row)
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [
        pl.Series(f"record.{name}" if name in FRAME else name, [row.get(name) for row in rows], pl.String)
        for name in names
    ]
    return frame.select(FRAME).filter(pl.Series(keep, dtype=pl.Boolean)).hstack(columns)


def text(frame: pl.DataFrame, *paths: str) -> pl.Expr:
    """The first value there is at `paths`, as text."""
    present = [pl.col(path) for path in paths if path in frame.columns]
    if not present:
        return pl.lit(None, pl.String).alias(paths[0])
    return pl.coalesce(pl.when(column != "").then(column) for column in present).alias(paths[0])


def number(frame: pl.DataFrame, *paths: str) -> pl.Expr:
    """The same as a Float64; null where it is no number."""
    return text(frame, *paths).cast(pl.Float64, strict=False)


def integer(frame: pl.DataFrame, *paths: str) -> pl.Expr:
    """The same as an Int64 (`7` and `7.0`); null where it is no whole number that fits."""
    return text(frame, *paths).cast(pl.Int64, strict=False)


def texts(frame: pl.DataFrame, path: str) -> pl.Expr:
    """List(String): the elements of an array as text (nulls left out), or the one value there is."""
    if path not in frame.columns:
        return pl.lit(None, pl.List(pl.String)).alias(path)
    return pl.col(path).map_batches(_texts, return_dtype=pl.List(pl.String))


def objects(frame: pl.DataFrame, path: str, *keys: str) -> pl.Expr:
    """List(Struct): of each object in an array of objects the values of `keys`, as text; dotted keys go deeper."""
    dtype = pl.List(pl.Struct(dict.fromkeys(keys, pl.String)))
    if path not in frame.columns:
        return pl.lit(None, dtype).alias(path)
    return pl.col(path).map_batches(lambda column: _objects(column, keys), return_dtype=dtype)


def json(frame: pl.DataFrame, path: str) -> pl.Expr:
    """Whatever is at `path` as JSON text: an array or object as it was written, a scalar as text."""
    if path in frame.columns:
        return pl.col(path)
    if any(name.startswith(f"{path}.") for name in frame.columns):
        steps = "".join(f"['{step}']" for step in path.split("."))
        return pl.col("text").str.json_path_match(f"${steps}").alias(path)
    return pl.lit(None, pl.String).alias(path)


def _whole(line: str) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _wrapped(head: str) -> int:
    for key in _WRAPPERS:
        at = head.find(f'"{key}"')
        if (
            at >= 0
            and head[:at].count("{") == 1
            and head[at + len(key) + 2 :].lstrip(" :\n\r\t").startswith("[")
        ):
            return head.index("[", at) + 1
    return 0


def _flatten(value: dict[str, Any], prefix: str, row: dict[str, str]) -> None:
    for key, item in value.items():
        path = f"{prefix}{key}"
        if isinstance(item, dict):
            _flatten(item, f"{path}.", row)
        elif item is not None:
            row[path] = item if isinstance(item, str) else orjson.dumps(item).decode()


def _load(value: str | None) -> Any:  # noqa: ANN401 - JSON is anything
    if value is None:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _texts(column: pl.Series) -> pl.Series:
    out: list[list[str] | None] = []
    for value in column:
        loaded = _load(value) if value and value.startswith("[") else value
        if isinstance(loaded, list):
            out.append(
                [i if isinstance(i, str) else orjson.dumps(i).decode() for i in loaded if i is not None]
            )
        else:
            out.append(None if value is None else [value])
    return pl.Series(column.name, out, pl.List(pl.String))


def _objects(column: pl.Series, keys: tuple[str, ...]) -> pl.Series:
    out: list[list[dict[str, str | None]] | None] = []
    for value in column:
        loaded = _load(value)
        items = [loaded] if isinstance(loaded, dict) else loaded
        if not isinstance(items, list):
            out.append(None)
            continue
        found = []
        for item in items:
            row: dict[str, str] = {}
            if isinstance(item, dict):
                _flatten(item, "", row)
            found.append({key: row.get(key) for key in keys})
        out.append(found)
    return pl.Series(column.name, out, pl.List(pl.Struct(dict.fromkeys(keys, pl.String))))
