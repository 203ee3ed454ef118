"""What a mapping file says, as expressions over a table of raw fields."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import schema
from sensors.reading import json_table, zones
from sensors.reading.json_table import text
from sensors.values import ecs, text_values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from sensors.mapped.spec import Origin, Spec, Where

_TEXTS: Final = pl.List(pl.String())
_GROUPED: Final = r"^[+-]?\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?$"  # thousands set apart, for people
_FRACTION: Final = r"^[+-]?\d*\.\d*[1-9]\d*$"
_IPS: Final = ("source.ip", "source.nat.ip", "destination.ip", "client.ip", "server.ip", "host.ip")
_PEOPLE: Final = ("user.name", "user.full_name", "source.user.name", "user.target.name")
_HOSTS: Final = ("host.name", "host.hostname", "source.domain", "destination.domain")


def fits(table: pl.DataFrame, where: Where) -> pl.Expr:
    """Whether raw fields say what is asked of each."""
    asked = [text(table, path).is_in(list(said)).fill_null(value=False) for path, said in where.items()]
    return reduce(and_, asked, pl.lit(value=True))


def has(table: pl.DataFrame, path: str) -> pl.Expr:
    """Whether a record has the field, be it a value or an object."""
    inside = [pl.col(name).is_not_null() for name in table.columns if name.startswith(f"{path}.")]
    return pl.any_horizontal([text(table, path).is_not_null(), *inside])


def moments(table: pl.DataFrame, spec: Spec, zone: tzinfo) -> pl.Series:
    """`@timestamp`: a time that names no zone is of the mapping's, or else of `zone`."""
    raw = _of(table, {"raw": text(table, *spec.time)})
    if spec.time_format is None:
        return text_values.moment(raw["raw"], spec.zone or zone)
    if "%z" in spec.time_format.lower():
        zoned = pl.col("raw").str.to_datetime(
            spec.time_format, strict=False, time_unit="us", time_zone="UTC", exact=True
        )
        return raw.select(zoned).to_series()
    clock = pl.col("raw").str.to_datetime(spec.time_format, strict=False, time_unit="us", exact=True)
    return raw.select(clock.alias("clock")).select(zones.utc(pl.col("clock"), spec.zone or zone)).to_series()


def guesses(table: pl.DataFrame, spec: Spec, *, given: bool) -> bool:
    """Whether the zone of the times is a guess: neither they nor the mapping nor the user say it."""
    if given or spec.zone is not None or "%z" in (spec.time_format or "").lower():
        return False
    raw = _of(table, {"raw": text(table, *spec.time)})["raw"]
    return spec.time_format is not None or text_values.names_no_zone(raw)


def fields(table: pl.DataFrame, spec: Spec, zone: tzinfo) -> pl.DataFrame:
    """The ECS fields of every row, in the schema's types; those of `events` before those of `fields`."""
    columns = {name: _value(table, origin, name) for name, origin in spec.fields.items()}
    for name in dict.fromkeys(name for _, given in spec.events for name in given):
        # The first kind of event that fits counts, also where it says nothing of this field.
        kinds = [
            pl.when(fits(table, where)).then(pl.struct(_given(table, given, name).alias("v")))
            for where, given in spec.events
        ]
        chosen = pl.coalesce(kinds).struct.field("v")
        columns[name] = pl.coalesce(chosen, columns[name]) if name in columns else chosen
    return _typed(_of(table, columns), zone)


def _of(table: pl.DataFrame, columns: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Columns of the table's height, also those that are the same in every row."""
    made = table.with_columns(column.alias(f"~{name}") for name, column in columns.items())
    return made.select(pl.col(f"~{name}").alias(name) for name in columns)


def _given(table: pl.DataFrame, given: Mapping[str, Origin], name: str) -> pl.Expr:
    want = pl.List(pl.String) if schema.dtype(name) == _TEXTS else pl.String
    return (_value(table, given[name], name) if name in given else pl.lit(None)).cast(want)


def _value(table: pl.DataFrame, origin: Origin, name: str) -> pl.Expr:
    want = schema.dtype(name)
    if origin.value:
        return pl.lit(pl.Series([list(origin.value)])).first() if want == _TEXTS else pl.lit(origin.value[0])
    if want == _TEXTS and not origin.split and not origin.match:
        return pl.coalesce(json_table.texts(table, path) for path in origin.paths)
    value = pl.coalesce(_raw(table, path) for path in origin.paths)
    if want != _TEXTS and not origin.match:  # of an array, the first
        first = pl.coalesce(json_table.texts(table, path).list.first() for path in origin.paths)
        value = pl.when(value.str.starts_with("[")).then(first).otherwise(value)
    if origin.match:
        value = value.str.extract(origin.match, 1)
    if origin.lower:
        value = value.str.to_lowercase()
    if origin.values:
        value = value.replace_strict(origin.values, default=origin.other or value, return_dtype=pl.String)
    if origin.times is not None or want in {pl.Int64(), pl.Float64()}:
        value = _number(value, origin, want)
    if want == _TEXTS:
        parts = value.str.split(origin.split) if origin.split else pl.concat_list(value)
        return parts.list.eval(pl.element().str.strip_chars(" "))
    return pl.when(ecs.is_ip(value)).then(value) if name.endswith(".ip") else value


def _raw(table: pl.DataFrame, path: str) -> pl.Expr:
    """The text at a path, which may lead through an array: its first object, or the one of a number."""
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        outer, inner = ".".join(parts[:cut]), parts[cut:]
        if outer not in table.columns:
            continue
        place, keys = (inner[0], inner[1:]) if inner[0].isdigit() else ("0", inner)
        steps = "".join(f"['{key}']" for key in keys if "'" not in key)
        array = pl.when(pl.col(outer).str.starts_with("[")).then(pl.col(outer))
        return pl.coalesce(text(table, path), array.str.json_path_match(f"$[{place}]{steps}"))
    return text(table, path)


def _number(value: pl.Expr, origin: Origin, want: pl.DataType) -> pl.Expr:
    """Numbers written for people, with a point before the fraction and no thousands apart; times a factor."""
    if origin.decimal == ",":
        value = value.str.replace_all("[.' ]", "").str.replace(",", ".", literal=True)
    grouped = value.str.contains(_GROUPED)
    value = pl.when(grouped).then(value.str.replace_all("[,' ]", "")).otherwise(value)
    if origin.times is not None:
        return (value.cast(pl.Float64, strict=False) * origin.times).round().cast(pl.Int64, strict=False)
    # 12.500 octets are none: somebody's thousands, for which a mapping says `decimal: comma`.
    return pl.when(~value.str.contains(_FRACTION)).then(value) if want == pl.Int64() else value


def _typed(frame: pl.DataFrame, zone: tzinfo) -> pl.DataFrame:
    return frame.with_columns(
        text_values.typed(column, schema.dtype(column.name), zone)
        for column in frame
        if column.dtype == pl.String and schema.dtype(column.name) not in {pl.String(), _TEXTS}
    )


def with_relations(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `related.*`, where the mapping does not give them itself."""
    lists: Mapping[str, tuple[str, ...]] = {"ip": _IPS, "user": _PEOPLE, "hosts": _HOSTS}
    missing = {kind: names for kind, names in lists.items() if f"related.{kind}" not in frame.columns}
    texts = {name for name, kind in frame.schema.items() if kind == pl.String}
    present = {kind: tuple(name for name in names if name in texts) for kind, names in missing.items()}
    return ecs.relations(frame, **present)
