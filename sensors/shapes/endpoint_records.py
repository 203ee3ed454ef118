"""JSON records of endpoint products, told and mapped by a table: a TOML file a product.

A product writes records of several kinds; each kind is told by the keys it must have, and its table says
which ECS field takes which of the record's values. The type of a field is the schema's, so that a table
needs names only. This module defines no sensor.

A table has, for every kind:
    marks       lists of keys, any list will do: `a.b` must be there, `!a.b` must not, `a.b=regex` must be so
    dataset     `event.dataset`
    time        paths of `@timestamp`, best first
    constant    fields that are the same in every record
    fields      field: path, or paths of which the first with a value counts. `a[]` is the elements of an
                array, `a[].b` those at `b` in an array of objects
    told        field: what the first rule (regular expression: words) found in the value at `by` gives, or
                else `otherwise`
    related     kind of `related.*`: fields
Keys of arrays that only code asks for stand under `arrays`, so that each array is taken apart once.
A kind may begin from another kind's table with `like`. Where a record may stand in envelopes of the product's
own, `roots` are what stands before every path, best first.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import schema
from sensors.reading import json_columns, json_table, syslog
from sensors.reading.json_table import objects, text, texts, time
from sensors.schema import TIME
from sensors.shapes.audit_records import told_by
from sensors.shapes.mapping import address
from sensors.values import command_line, ecs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sensors.sensor import Source

_LIST: Final = pl.List(pl.String)
_NUMBERS: Final = (pl.Int64(), pl.Float64())
_PLACE: Final = ("log.offset", "log.file.line")
_MERGED: Final = ("constant", "fields", "told", "related")


@dataclass(frozen=True, slots=True)
class EndpointRecords:
    """A sensor of such records.

    Attributes:
        name: the sensor's.
        table: the TOML file's name, beside this module.
        vendor: root of the vendor's own fields; several are divided by blanks.
        more: given shredded records and their kind, further columns, which replace the table's.
        after: given the events of a kind, the same with what follows from their columns.
        nested: paths that hold JSON as text.
        pages: path of the array that holds the records themselves, in what the product's own API hands out.
        timeless: whether a record without a time is an event, at the time of the one before it.
    """

    name: str
    table: str
    vendor: str
    more: Callable[[pl.DataFrame, str], list[pl.Expr]] | None = None
    after: Callable[[pl.DataFrame, str], pl.DataFrame] | None = None
    nested: tuple[str, ...] = ()
    timeless: bool = False
    pages: str = ""

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether more than half of the first records are of one of the product's kinds."""
        found = [part for record in json_table.peek(head) for part in _paged(record, self.pages)]
        known = sum(self.kind(record) is not None for record in found)
        return known * 2 > len(found)

    def kind(self, record: Mapping[str, Any]) -> str | None:
        """The kind of a record, or None."""
        for name, kind in kinds(self.table).items():
            if any(all(_marked(record, mark) for mark in marks) for marks in kind["marks"]):
                return name
        return None

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        clock = syslog.Clock(source)
        found = json_table.records(source)
        pages = (_opened(records, self.pages) for records in found) if self.pages else found
        for table in json_table.tables(source, pages):
            for made in self.events(json_table.opened(table, *self.nested), source):
                yield clock.fill(_guessable(made)) if self.timeless else made

    def events(self, table: pl.DataFrame, source: Source) -> Iterator[pl.DataFrame]:
        """The events of shredded records, if there are any."""
        named = table.with_columns(_kinds(table, kinds(self.table)).alias("~kind"))
        known = json_table.kept(
            named, pl.col("~kind").is_not_null(), source, f"no record of {self.name}'s kinds"
        )
        parts = []
        for (kind,), rows in known.partition_by("~kind", as_dict=True, maintain_order=True).items():
            made = self._mapped(rows, str(kind))
            dated = made["@timestamp"].is_not_null()
            if not self.timeless and not dated.all():
                json_table.kept(rows, pl.lit(dated), source, "the record has no time")
                made = made.filter(dated)
            if made.height:
                parts.append(_only(made, self.vendor.split()))
        if parts:
            whole = pl.concat(parts, how="diagonal_relaxed")
            yield whole if len(parts) == 1 else whole.sort("log.offset", maintain_order=True)

    def _mapped(self, rows: pl.DataFrame, name: str) -> pl.DataFrame:
        kind = kinds(self.table)[name]
        rows = _unfolded(rows, kind["arrays"])
        columns: dict[str, pl.Expr] = {"@timestamp": column(rows, "@timestamp", kind["time"])}
        columns["event.dataset"] = pl.lit(kind["dataset"])
        for field, value in kind.get("constant", {}).items():
            columns[field] = _constant(value)
        for field, paths in kind.get("fields", {}).items():
            columns[field] = column(rows, field, paths)
        for field, rule in kind.get("told", {}).items():
            columns[field] = _told(rows, field, rule)
        for extra in self.more(rows, name) if self.more else ():
            columns[extra.meta.output_name()] = extra
        made = rows.select(*_PLACE, *(made.alias(field) for field, made in columns.items()))
        if "process.command_line" in columns and "process.args" not in columns:
            made = made.with_columns(command_line.args(pl.col("process.command_line")).alias("process.args"))
        if self.after:
            made = self.after(made, name)
        made = related(made, kind.get("related", {}))
        if "event.category" in made.columns:
            strange = made["event.category"].is_null()
            if strange.any():
                made = made.with_columns(rows["text"].set(~strange, None).alias("event.original"))
        return made


def _only(made: pl.DataFrame, vendors: Sequence[str]) -> pl.DataFrame:
    """The columns that are the schema's or a vendor's, and have a value in them."""
    known = schema.dictionary()
    return made.select(
        series
        for series in made.iter_columns()
        if (series.name in known or series.name.partition(".")[0] in vendors)
        and series.null_count() < made.height
    )


def _paged(record: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """The records of a page, or the record itself."""
    found: Any = record
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    inner = [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []
    return inner or [record]


def _opened(frame: pl.DataFrame, path: str) -> pl.DataFrame:
    """The same with pages taken apart; each of their records stands where its page does."""
    last = path.rpartition(".")[2]
    pages = frame["text"].str.contains(rf'"{last}"\s*:\s*\[\s*\{{')
    if not pages.any():
        return frame
    outer = frame.filter(pages)
    found = json_columns.chosen(*json_columns.spans(outer["text"]), (path,))
    inner = found.select(texts(found, path).alias("inner"))["inner"]
    whole = inner.list.len().fill_null(0) > 0
    parts = outer.filter(whole).with_columns(inner.filter(whole).alias("text")).explode("text")
    return pl.concat([frame.filter(~pages), outer.filter(~whole), parts]).sort(
        "log.offset", maintain_order=True
    )


def _guessable(made: pl.DataFrame) -> pl.DataFrame:
    """The same with the columns that filling in times needs."""
    needed = {"@timestamp": TIME, "molehunt.guess": _LIST}
    return made.with_columns(
        pl.lit(None, kind).alias(name) for name, kind in needed.items() if name not in made.columns
    )


@cache
def kinds(table: str) -> dict[str, dict[str, Any]]:
    """The kinds of a product's table, each with what it takes over from the one it is like."""
    raw = tomllib.loads((files("sensors") / table).read_text("utf-8"))
    made: dict[str, dict[str, Any]] = {}
    for name, kind in raw.items():
        base = made.get(kind.get("like", ""), {})
        whole = base | kind
        for part in _MERGED:
            whole[part] = base.get(part, {}) | kind.get(part, {})
        made[name] = whole
    return {name: _rooted(kind) for name, kind in made.items()}


def _rooted(kind: dict[str, Any]) -> dict[str, Any]:
    """The kind with every path written out, as a list."""
    roots = kind.get("roots", [""])

    def out(paths: str | list[str]) -> list[str]:
        return [root + path for path in ([paths] if isinstance(paths, str) else paths) for root in roots]

    arrays: dict[str, set[str]] = {start: set(keys) for start, keys in kind.get("arrays", {}).items()}
    for path in [path for paths in (kind["time"], *kind["fields"].values()) for path in out(paths)]:
        start, array, rest = path.partition("[]")
        if array:
            arrays.setdefault(start, set()).add(rest.removeprefix("."))
    return kind | {
        "arrays": {start: tuple(sorted(keys)) for start, keys in arrays.items()},
        "marks": [
            [f"!{root}{mark[1:]}" if mark.startswith("!") else root + mark for mark in marks]
            for marks in kind["marks"]
            for root in roots
        ],
        "time": out(kind["time"]),
        "fields": {field: out(paths) for field, paths in kind["fields"].items()},
        "told": {field: rule | {"by": out(rule["by"])} for field, rule in kind["told"].items()},
    }


def _unfolded(frame: pl.DataFrame, arrays: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """The same with every array there is as lists: `~a` of structs with the keys wanted, `~a[]` of texts."""
    there = {name.casefold() for name in frame.columns}
    present = {start: keys for start, keys in arrays.items() if start.casefold() in there}
    return frame.with_columns(
        *(
            objects(frame, start, *(key for key in keys if key)).alias(f"~{start}")
            for start, keys in present.items()
            if any(keys)
        ),
        *(texts(frame, start).alias(f"~{start}[]") for start, keys in present.items() if "" in keys),
    )


def column(frame: pl.DataFrame, field: str, paths: Sequence[str]) -> pl.Expr:
    """The first value there is at `paths`, in the type that the schema has for `field`."""
    want = schema.dtype(field)
    if want == _LIST:
        return pl.coalesce(_shaped(field, _listed(frame, path)) for path in paths)
    if want == TIME:
        return _moment(frame, paths)
    value = pl.coalesce(
        _listed(frame, path).list.first() if "[]" in path else text(frame, path) for path in paths
    )
    if want in _NUMBERS:
        return pl.coalesce(
            value.cast(want, strict=False), value.cast(pl.Float64, strict=False).cast(want, strict=False)
        )
    if field.endswith(".ip"):
        return address(value)
    if field.endswith(".mac"):
        return command_line.mac(value)
    return value


def _moment(frame: pl.DataFrame, paths: Sequence[str]) -> pl.Expr:
    """The first of `paths` that is a time; those in arrays are taken out before."""
    inner = [path for path in paths if "[]" in path]
    if not inner:
        return time(frame, *paths)
    taken = frame.select(
        *(text(frame, path).alias(path) for path in paths if path not in inner),
        *(_listed(frame, path).list.first().alias(path) for path in inner),
    )
    return pl.lit(taken.select(time(taken, *paths)).to_series())


def _listed(frame: pl.DataFrame, path: str) -> pl.Expr:
    """The values at a path as a list; of a text without brackets its one value."""
    start, _, rest = path.partition("[]")
    key = rest.removeprefix(".")
    if not key:
        found = pl.col(f"~{start}[]") if f"~{start}[]" in frame.columns else texts(frame, start)
    else:
        one = text(frame, f"{start}.{key}")  # an object where others have an array of them
        taken = frame.schema.get(f"~{start}")
        known = isinstance(taken, pl.List) and key in _keys_of(taken)
        many = pl.col(f"~{start}") if known else objects(frame, start, key)
        found = many.list.eval(pl.element().struct.field(key))
        if any(name.startswith(f"{start}.") for name in frame.columns):
            found = pl.coalesce(found, pl.when(one.is_not_null()).then(pl.concat_list(one)))
    kept = found.list.drop_nulls()
    return pl.when(kept.list.len() > 0).then(kept)


def _keys_of(kind: pl.List) -> list[str]:
    inner = kind.inner
    return [field.name for field in inner.fields] if isinstance(inner, pl.Struct) else []


def gathered(frame: pl.DataFrame, field: str, paths: Sequence[str]) -> pl.Expr:
    """The distinct values at all of `paths`, in their order, as a list of that name."""
    there = {name.casefold() for name in frame.columns}
    present = [
        path
        for path, head in ((path, path.partition("[]")[0].casefold()) for path in paths)
        if head in there or any(name.startswith(f"{head}.") for name in there)
    ]
    if not present:
        return pl.lit(None, _LIST).alias(field)
    every = pl.concat_list(
        pl.coalesce(_shaped(field, _listed(frame, path)), pl.lit([], _LIST)) for path in present
    )
    distinct = every.list.drop_nulls().list.unique(maintain_order=True)
    return pl.when(distinct.list.len() > 0).then(distinct).alias(field)


def _shaped(field: str, found: pl.Expr) -> pl.Expr:
    """Elements as ECS writes them: hardware addresses and IP addresses, no others among them."""
    if field.endswith(".mac"):
        return found.list.eval(command_line.mac(pl.element())).list.drop_nulls()
    if field.endswith((".ip", "_ip")):
        return found.list.eval(address(pl.element())).list.drop_nulls()
    return found


def _constant(value: str | int | list[str]) -> pl.Expr:
    if isinstance(value, list):
        return pl.lit(pl.Series([value], dtype=_LIST)).first()
    return pl.lit(value)


def _told(frame: pl.DataFrame, field: str, rule: Mapping[str, Any]) -> pl.Expr:
    # A column of its own, not a literal: rules are asked once for each distinct value of a batch.
    asked = pl.coalesce(text(frame, *rule["by"]), pl.repeat(None, pl.len(), dtype=pl.String))
    told = told_by(asked, rule["rules"])
    if "otherwise" in rule:
        told = pl.coalesce(told, _constant(rule["otherwise"]))
    return told.cast(pl.Int64, strict=False) if schema.dtype(field) == pl.Int64() else told


def related(frame: pl.DataFrame, lists: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Adds `related.<kind>`: the distinct values of fields, lists or not, in their order."""
    filled = {series.name for series in frame.iter_columns() if series.null_count() < frame.height}
    made = []
    for kind, names in lists.items():
        present = [name for name in names if name in filled]
        if any(frame.schema[name] == _LIST for name in present):
            every = pl.concat_list(
                pl.when(pl.col(name).is_not_null()).then(name).otherwise(pl.lit([], _LIST))
                if frame.schema[name] == _LIST
                else pl.concat_list(name)
                for name in present
            )
            distinct = every.list.drop_nulls().list.unique(maintain_order=True)
            made.append(pl.when(distinct.list.len() > 0).then(distinct).alias(f"related.{kind}"))
        elif present:
            made.append(ecs.related(present).alias(f"related.{kind}"))
    return frame.with_columns(made)


def _marked(record: Mapping[str, Any], mark: str) -> bool:
    """Whether a parsed record has what a mark asks for."""
    if mark.startswith("!"):
        return not _marked(record, mark[1:])
    path, wanted, pattern = mark.partition("=")
    found: Any = record.get(path)
    if found is None:
        found = record
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
    if found is None or found == {}:
        return False
    return not wanted or (isinstance(found, str | int) and re.search(pattern, str(found)) is not None)


def _kinds(frame: pl.DataFrame, table: Mapping[str, Mapping[str, Any]]) -> pl.Expr:
    """The kind of every record, or null."""
    chain: pl.Expr = pl.lit(None, pl.String)
    for name, kind in reversed(list(table.items())):
        fits = pl.any_horizontal(
            [pl.all_horizontal([_has(frame, mark) for mark in marks]) for marks in kind["marks"]]
        )
        chain = pl.when(fits).then(pl.lit(name)).otherwise(chain)
    return chain


def _has(frame: pl.DataFrame, mark: str) -> pl.Expr:
    if mark.startswith("!"):
        return ~_has(frame, mark[1:])
    path, wanted, pattern = mark.partition("=")
    if wanted:
        return text(frame, path).str.contains(pattern).fill_null(value=False)
    names = [name for name in frame.columns if name == path or name.startswith(f"{path}.")]
    return pl.any_horizontal([pl.lit(value=False), *(pl.col(name).is_not_null() for name in names)])
