"""Records of applications to columns: what they say (`body`), when, and the parts that stand beside it.

Parts are columns named `~` and the name of the column that they become: a message may say it better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, json_table, key_value, syslog
from sensors.reading.json_table import text
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensors.application_logins.products import Product
    from sensors.sensor import Source

_PLACE: Final = ("text", "log.offset", "log.file.line")
_NOTHING: Final = pl.lit(None, pl.String)
_EPOCH: Final = r"^[0-9]{9,10}(?:\.[0-9]+)?$"
_LONG: Final = 1 << 16  # a longer record is not joined to any further
_MONTHS: Final = {
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06", "Jul": "07", "Aug": "08",
    "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
}  # fmt: skip
_STAMP: Final = r"^(?P<local>.*?) ?(?P<offset>[+-][0-9]{2}:?[0-9]{2}|Z|UTC|GMT)?$"
_TIME_PARTS: Final = ("stamp", "year", "month", "day", "clock", "offset", "epoch")


def of_lines(source: Source, product: Product) -> Iterator[pl.DataFrame]:
    """Records that begin as the product's heads say; other lines belong to the record before them."""
    for frame in _joined(source, product.begins):
        done: list[pl.DataFrame] = []
        left = frame
        for head in product.heads:
            parts = left["text"].str.extract_groups(f"(?s){head}").struct.unnest()
            fits = parts["body"].is_not_null()
            if fits.any():
                named = {name: name if name == "body" else f"~{name}" for name in parts.columns}
                done.append(left.filter(fits).hstack(parts.filter(fits).rename(named)))
                left = left.filter(~fits)
        whole = pl.concat([*done, left], how="diagonal").sort("log.offset")
        if "body" not in whole.columns:
            whole = whole.with_columns(pl.lit(None, pl.String).alias("body"))
        given = [name for name in product.parts if f"~{product.parts[name][0]}" in whole.columns]
        yield timed(
            whole.with_columns(
                pl.coalesce(_cut_out(pl.col(f"~{product.parts[name][0]}"), product.parts[name][1:])).alias(
                    f"~{name}"
                )
                for name in given
            ),
            source,
        )


def _cut_out(value: pl.Expr, forms: Sequence[str]) -> list[pl.Expr]:
    return [value.str.extract(form, 1) for form in forms]


def of_json(source: Source, product: Product) -> Iterator[pl.DataFrame]:
    """Records of JSON."""
    for table in json_table.tables(source):
        if table.height:
            yield timed(_chosen(table, product), source)


def of_pairs(source: Source, product: Product) -> Iterator[pl.DataFrame]:
    """Lines of `key=value`."""
    paths = [*product.body, *product.time]
    for given in product.fields.values():
        paths += [given] if isinstance(given, str) else given
    paths += [given[0] for given in product.parts.values()]
    for lines in framing.lines(source):
        yield timed(_chosen(lines.hstack(key_value.table(lines["text"], paths)), product), source)


def _chosen(table: pl.DataFrame, product: Product) -> pl.DataFrame:
    said = [text(table, path).alias(f"{number}") for number, path in enumerate(product.body)]
    known = pl.any_horizontal(text(table, path).is_not_null() for path in product.time)
    fields = {
        name: text(table, *([paths] if isinstance(paths, str) else paths))
        for name, paths in product.fields.items()
    }
    for name, (path, *forms) in product.parts.items():
        fields[name] = pl.coalesce(fields.get(name, _NOTHING), *_cut_out(text(table, path), forms))
    return table.select(
        *_PLACE,
        pl.when(known).then(pl.concat_str(said, separator=": ", ignore_nulls=True)).alias("body"),
        text(table, *product.time).alias("~stamp"),
        *(value.alias(f"~{name}") for name, value in fields.items()),
    )


def timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The same with `@timestamp` and `molehunt.guess` of what a record says of its time."""
    said = frame.select(
        (pl.col(f"~{name}") if f"~{name}" in frame.columns else pl.lit(None, pl.String)).alias(name)
        for name in _TIME_PARTS
    )
    day = pl.concat_str(
        "year", pl.col("month").replace(_MONTHS), pl.col("day").str.strip_chars().str.zfill(2), separator="-"
    )
    stamp = pl.coalesce("stamp", pl.concat_str(day, "clock", separator="T")).str.replace_all(
        "/", "-", literal=True
    )
    said = said.with_columns(stamp.alias("stamp"))
    inner = said["stamp"].str.extract_groups(_STAMP).struct.unnest()
    offset = pl.coalesce(inner["offset"], pl.col("offset").str.strip_chars())
    said = said.with_columns(
        pl.concat_str(
            inner["local"],
            offset.str.replace("^(?:Z|UTC|GMT)$", "Z").str.replace("^(...)(..)$", "$1:$2"),
            ignore_nulls=True,
        ).alias("stamp"),
        pl.coalesce("epoch", "stamp").alias("epoch"),
        zone=pl.lit(None, pl.String),
    )
    known = syslog.moments(said.select("stamp", "zone").unique().drop_nulls("stamp"), source).drop("zone")
    told = said.join(known, on="stamp", how="left", maintain_order="left")
    seconds = pl.when(told["epoch"].str.contains(_EPOCH)).then(told["epoch"]).cast(pl.Float64, strict=False)
    return frame.with_columns(
        pl.coalesce((seconds * 1e6).cast(pl.Int64).cast(TIME), told["@timestamp"]).alias("@timestamp"),
        pl.when(seconds.is_null()).then(told["molehunt.guess"]).alias("molehunt.guess"),
    )


def _joined(source: Source, begins: str) -> Iterator[pl.DataFrame]:
    """Lines with those that do not begin a record joined to the one that does; the last is held back."""
    held: pl.DataFrame | None = None
    for lines in framing.lines(source):
        frame = lines if held is None else pl.concat([held, lines])
        first = frame["text"].str.contains(begins) | (frame["text"].str.len_bytes() > _LONG)
        if not first.all():
            frame = (
                frame.group_by(first.cum_sum().alias("record"), maintain_order=True)
                .agg(pl.col("text").str.join("\n"), pl.col("log.offset", "log.file.line").first())
                .drop("record")
            )
        held = frame.tail(1)
        if frame.height > 1:
            yield frame.head(-1)
    if held is not None:
        yield held
