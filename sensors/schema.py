"""The columns an event may have, and their types.

The dictionary is data (`ecs.toml` beside this file): names follow the Elastic Common Schema 9
(https://www.elastic.co/docs/reference/ecs), types are Polars'. A vendor's own fields stay under the
vendor's root (`okta.*`, `winlog.*`), ours under `molehunt.*`; both are text unless the dictionary says
otherwise.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

TIME: Final = pl.Datetime("us", "UTC")
_TYPES: Final[dict[str, pl.DataType]] = {
    "keyword": pl.String(),
    "keywords": pl.List(pl.String()),
    "long": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": TIME,
}


@cache
def dictionary() -> dict[str, pl.DataType]:
    """Every listed field with its Polars type."""
    raw = tomllib.loads((files("sensors") / "ecs.toml").read_text("utf-8"))
    return {name: _TYPES[kind] for kind, names in raw["fields"].items() for name in names}


@cache
def vendor_roots() -> frozenset[str]:
    """First parts of names that belong to a vendor (or to molehunt) and may be followed by anything."""
    raw = tomllib.loads((files("sensors") / "ecs.toml").read_text("utf-8"))
    return frozenset(raw["vendor_roots"])


def dtype(name: str) -> pl.DataType:
    """Type of the field `name`.

    Raises:
        KeyError: the name is neither in the dictionary nor under a vendor's root.
    """
    known = dictionary().get(name)
    if known is not None:
        return known
    if name.split(".", 1)[0] in vendor_roots():
        return pl.String()
    raise KeyError(f"{name!r} is not a field of the schema; add it to sensors/ecs.toml if ECS has it")


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with every column in its schema type; columns without any value are dropped.

    A value that its type cannot hold becomes null (a port of "http" is no port). A single value is put
    into a list where the schema has a list, and text of no length becomes null.

    Raises:
        KeyError: a column is not in the schema.
    """
    filled = [series for series in frame.iter_columns() if series.null_count() < len(series)]
    casts = [
        _cast(series.name, series.dtype, want)
        for series in filled
        if not _fits(series, want := dtype(series.name))
    ]
    return frame.select(series.name for series in filled).with_columns(casts)


def _fits(series: pl.Series, want: pl.DataType) -> bool:
    """Whether a column is what `_cast` would make of it."""
    return series.dtype == want and not (want == pl.String and (series == "").any())


def _cast(name: str, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if want == pl.List(pl.String):
        if not isinstance(have, pl.List):
            column = pl.when(column.is_not_null()).then(pl.concat_list(column.cast(pl.String)))
        return column.cast(want, strict=False).alias(name)
    if want == TIME and isinstance(have, pl.Datetime):
        aware = column if have.time_zone else column.dt.replace_time_zone("UTC")
        return aware.dt.convert_time_zone("UTC").dt.cast_time_unit("us").alias(name)
    if want == pl.String:
        text = column.cast(pl.String, strict=False)
        return pl.when(text != "").then(text).alias(name)
    return column.cast(want, strict=False).alias(name)
