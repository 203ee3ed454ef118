"""JSON lines as they are: a table of the fields that rules ask for, and of nothing else.

Fields are named as the events name them, nested ones by dotted names, those of objects in an array too: in
`{"a": [{"b": 1}, {"b": 2}]}` the field `a.b` has the values 1 and 2. All values are text, and equal to what
was written: a number equals the same number as text anyway, so that what an event is compared with does not
depend on its neighbours. The empty text is a value; null, an empty array and an empty object are none, though
the field is there (`molehunt.null_fields`), for rules that ask whether it `exists`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
import polars as pl

from analysis.sigma import tree
from analysis.sigma.explain import NULL_FIELDS, as_text
from analysis.sigma.taxonomy import AsWritten
from analysis.sigma.written import texts as written_texts
from analysis.workbench.match.ordered import by_column
from sensors.reading import framing, json_columns, json_shred
from sensors.reading.json_scan import RAW
from sensors.reading.losses import name_lost

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from analysis.sigma.pack import RulePack
    from analysis.sigma.taxonomy import Logsource
    from sensors.reading.json_scan import Array
    from sensors.sensor import Source

LINE: Final = "log.file.line"
_REST: Final = "*"  # the values of all other fields, for keywords
_BLOCKS: Final = 4  # of text, each of at most `framing.CHUNK_BYTES` and a line, make a batch
_ROWS: Final = 50_000
_LIST, _OBJECT = ord("["), ord("{")
# In a column's name a dot or a brace would mean something to those who read the table.
_ESCAPES: Final = str.maketrans({".": "\x1f", "{": "\x1e"})


class Names(AsWritten):
    """Each field is the column that `tables` makes of it."""

    def field(self, name: str, source: Logsource) -> tree.Field:  # noqa: ARG002 - the same for every source
        """The column of the field `name`."""
        return tree.Field(name, (column(name),))


def column(name: str) -> str:
    """The column of the field `name`; no name of an event's field means anything to those who match."""
    return "=" + name.translate(_ESCAPES)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a table has to hold.

    Attributes:
        fields: names of fields.
        keywords: whether rules look into every field.
        exist: those of the fields that rules ask the existence of.
    """

    fields: tuple[str, ...]
    keywords: bool
    exist: tuple[str, ...] = ()

    @classmethod
    def by(cls, pack: RulePack, also: Collection[str] = ()) -> Asked:
        """What the rules and correlations of a pack ask for, and `also`."""
        names: dict[str, None] = dict.fromkeys(also)
        items = {item for rule in pack.rules for item in tree.items(rule.condition)}
        for rule in pack.rules:
            names |= dict.fromkeys(field.name for field in tree.fields(rule.condition))
        for one in pack.correlations:
            names |= dict.fromkeys((*one.group_by, *one.counted))
            names |= dict.fromkeys(own for mapping in one.aliases.values() for own in mapping.values())
        exist = {
            item.field.name
            for item in items
            if item.field is not None and any(isinstance(value, tree.Exists) for value in item.values)
        }
        return cls(tuple(names), any(item.field is None for item in items), tuple(sorted(exist)))

    def within(self, name: str) -> bool:
        """Whether the field `name`, or one within its objects, is asked for."""
        return self.keywords or any(one == name or one.startswith(f"{name}.") for one in self.fields)


def tables(source: Source, asked: Asked) -> Iterator[pl.DataFrame]:
    """The events of a source in bounded batches: `LINE`, and a column for each asked field that has values.

    Lines that are not one JSON object are named in `source.unread`.
    """
    blocks = framing.lines(source)
    while parts := list(islice(blocks, _BLOCKS)):
        lines = pl.concat(parts).filter(pl.col("text").str.contains(r"\S"))
        for batch in lines.iter_slices(_ROWS):
            yield from _tables(batch, source, asked)


def _tables(lines: pl.DataFrame, source: Source, asked: Asked) -> Iterator[pl.DataFrame]:
    data, starts, ends = json_columns.spans(lines["text"])
    leaves, proper, paths, left_out = json_shred.shred(data, starts, ends, json_columns.PATHS)
    if left_out and lines.height > 1:  # more different fields than are told apart at once
        half = lines.height // 2
        yield from _tables(lines[:half], source, asked)
        yield from _tables(lines[half:], source, asked)
        return
    if not proper.all():
        name_lost(lines.filter(~pl.Series(proper)), "not one whole JSON object", source)
    names = json_columns.names_of(data, paths)
    table = lines.select(LINE).with_columns(_columns(data, leaves, names, lines, asked))
    parents = {names[number] for number in paths[1:, 0]} - {""}
    for name in parents & set(asked.fields):
        table = _with_objects(table, name, lines["text"])
    if asked.exist:
        table = table.with_columns(_empty(table, lines["text"], asked.exist))
    yield table.filter(pl.Series(proper))


def _columns(
    data: Array, leaves: Array, names: list[str], lines: pl.DataFrame, asked: Asked
) -> Iterator[pl.Series]:
    """The asked fields that have values, each as text or as lists of text."""
    wanted = np.array([asked.within(name) for name in names])
    leaves = leaves[wanted[leaves[:, json_shred.PATH]]]
    raw = leaves[:, json_shred.KIND] == RAW
    first = data[np.minimum(leaves[:, json_shred.FROM], max(len(data) - 1, 0))]
    many = raw & (first == _LIST)
    single = leaves[~many]
    values = _canonical(json_columns.strings(data, single), raw[~many])
    place = {name: number for number, name in enumerate(asked.fields)}
    of_path = np.array([place.get(name, -1) for name in names])
    rows = np.ascontiguousarray(single[:, json_shred.ROW])
    numbers = of_path[single[:, json_shred.PATH]]
    lists = _listed(data, leaves[many], names)
    of_name = lists.partition_by("name", as_dict=True)
    order, begin = by_column(rows, numbers, len(place))
    for name, number in place.items():
        chosen = order[begin[number] : begin[number + 1]]
        inner = of_name.get((name,))
        if len(chosen) or inner is not None:
            one = _scattered(values.gather(chosen), rows[chosen], lines.height)
            yield (one if inner is None else _joined(one, inner)).alias(column(name))
    if asked.keywords:
        others = pl.DataFrame({"row": rows, "value": values}).filter(pl.Series(numbers < 0))
        more = lists.filter(~pl.col("name").is_in(asked.fields), ~pl.col("object")).select("row", "value")
        nothing = pl.repeat(None, lines.height, dtype=pl.String, eager=True)
        yield _joined(nothing, pl.concat([others.cast({"row": pl.Int64}), more])).alias(_REST)


def _canonical(values: pl.Series, raw: Array) -> pl.Series:
    """The same texts, numbers without a point where they are whole: `5.0` and `5e0` are 5."""
    odd = values.str.contains(r"^-?\d+(\.\d+)?([eE][-+]?\d+)?$") & values.str.contains(r"[.eE]")
    odd &= pl.Series(raw)
    if not odd.any():
        return values
    numbers = values.filter(odd).cast(pl.Float64)
    plain = pl.select(pl.when(numbers.is_finite()).then(written_texts(numbers)).otherwise(values.filter(odd)))
    return values.scatter(odd.arg_true(), plain.to_series())


def _scattered(values: pl.Series, rows: Array, height: int) -> pl.Series:
    """A column of `height` rows with `values` at `rows`."""
    where = np.full(height, len(values))
    where[rows] = np.arange(len(values))
    return values.append(pl.Series([None], dtype=pl.String)).gather(where)


def _listed(data: Array, leaves: Array, names: list[str]) -> pl.DataFrame:
    """The values in arrays: `name` of the field, `row`, `value` and whether it is an `object`, by row."""
    if not len(leaves):
        empty = {"name": pl.String, "row": pl.Int64, "value": pl.String, "object": pl.Boolean}
        return pl.DataFrame(schema=empty)
    written = pl.DataFrame(
        {
            "row": leaves[:, json_shred.ROW].astype(np.int64),
            "path": pl.Series([names[number] for number in leaves[:, json_shred.PATH]], dtype=pl.String),
            "text": json_columns.strings(data, leaves),
        }
    )
    inside = [(text, *found) for text in written["text"].unique() for found in _flat(orjson.loads(text), "")]
    schema = {"text": pl.String, "suffix": pl.String, "value": pl.String, "object": pl.Boolean}
    joined = written.join(pl.DataFrame(inside, schema, orient="row"), on="text", maintain_order="left_right")
    return joined.select((pl.col("path") + pl.col("suffix")).alias("name"), "row", "value", "object")


def _flat(value: Any, suffix: str) -> Iterator[tuple[str, str, bool]]:  # noqa: ANN401 - a JSON value
    """The values in an array, each with the dotted name that leads to it, and whether it is an object."""
    if isinstance(value, list):
        for one in value:
            yield from _flat(one, suffix)
    elif isinstance(value, dict):
        if value:
            yield suffix, orjson.dumps(value).decode(), True
        for key, one in value.items():
            yield from _flat(one, f"{suffix}.{key}")
    elif value is not None:
        yield suffix, as_text(value), False


def _joined(single: pl.Series, lists: pl.DataFrame) -> pl.Series:
    """The values of both as lists, null where there is none."""
    alone = pl.DataFrame({"value": single}).with_row_index("row").drop_nulls("value")
    together = pl.concat([alone.cast({"row": pl.Int64}), lists.select("row", "value")])
    by_row = together.group_by("row", maintain_order=True).agg("value")
    rows = pl.DataFrame({"row": range(len(single))}, schema={"row": pl.Int64})
    return rows.join(by_row, on="row", how="left", maintain_order="left")["value"]


def _with_objects(table: pl.DataFrame, name: str, texts: pl.Series) -> pl.DataFrame:
    """The table, with the JSON text of the object where the field `name` is one: it is a value, too."""
    if set(name) & set("'\\"):
        return table
    steps = "".join(f"['{step}']" for step in name.split("."))
    found = texts.str.json_path_match(f"${steps}")
    found = found.set(~found.str.contains(r"^\{\s*[^}\s]").fill_null(value=False), None)
    own = column(name)
    if own not in table.columns:
        return table.with_columns(found.alias(own))
    if isinstance(table.schema[own], pl.List):
        found = pl.select(pl.when(found.is_not_null()).then(pl.concat_list(found))).to_series()
    return table.with_columns(table[own].fill_null(found).alias(own))


def _empty(table: pl.DataFrame, texts: pl.Series, names: Collection[str]) -> pl.Series:
    """For each event the columns of `names` whose fields are there without a value."""
    found: list[list[str]] = [[] for _ in range(table.height)]
    suspects: dict[int, list[str]] = {}
    for name in names:
        last = name.rsplit(".", 1)[-1]
        without = texts.str.contains(f'"{last}"', literal=True)
        if not last.isascii():
            without |= texts.str.contains(r"\u", literal=True)
        if column(name) in table.columns:
            without &= table[column(name)].is_null()
        for row in without.arg_true():
            suspects.setdefault(row, []).append(name)
    for row, asked in suspects.items():
        try:
            event = orjson.loads(texts[row])
        except orjson.JSONDecodeError:
            continue  # the line was named as no event
        found[row] = [column(name) for name in asked if _there(event, name)]
    return pl.Series(NULL_FIELDS, found, dtype=pl.List(pl.String))


def _there(value: Any, name: str) -> bool:  # noqa: ANN401 - a JSON value
    """Whether there is a field `name`, whatever it holds."""
    if isinstance(value, list):
        return any(_there(one, name) for one in value)
    if not isinstance(value, dict):
        return False
    return name in value or any(
        name.startswith(f"{key}.") and _there(inner, name[len(key) + 1 :]) for key, inner in value.items()
    )
