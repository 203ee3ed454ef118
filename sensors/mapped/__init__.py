"""Any JSON or CSV by a mapping file: YAML that says which raw field is which field of ECS, and no Python.

`README.md` beside this module has the keys, with an example from raw lines to events. A mapping is a sensor
like any other: it claims files by what is in them, and names what it cannot read.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import polars as pl

from sensors.mapped import columns
from sensors.mapped.spec import MappingError, Spec, load
from sensors.reading import delimited, json_table
from sensors.reading.losses import name_lost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensors.sensor import Source

__all__ = ["Mapped", "MappingError", "mapped"]


def mapped(path: Path) -> Mapped:
    """The sensor of a mapping file.

    Raises:
        MappingError: it cannot be used.
    """
    spec = load(path)
    return Mapped(spec, path, hashlib.sha256(path.read_bytes()).hexdigest()[:16])


class Mapped:
    """A sensor made of a mapping file.

    Args:
        spec: what the file says.
        path: the file.
        version: what tells one state of it from another.
    """

    def __init__(self, spec: Spec, path: Path, version: str) -> None:
        self.name = spec.name
        self.path = path
        self.version = version
        self._spec = spec

    @property
    def fields(self) -> frozenset[str]:
        """The fields of ECS that it may give."""
        return frozenset(self._spec.fields) | {name for _, given in self._spec.events for name in given}

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the first records have the fields, and say what the mapping asks of them."""
        return self._claims_csv(head) if self._spec.delimiter else self._claims_json(head)

    def _claims_json(self, head: bytes) -> bool:
        spec = self._spec
        return json_table.mostly(
            head,
            lambda record: (
                all(_at(record, path) is not None for path in spec.has)
                and all(_written(_at(record, path)) in said for path, said in spec.where.items())
            ),
        )

    def _claims_csv(self, head: bytes) -> bool:
        spec = self._spec
        rows = delimited.first_rows(head, spec.delimiter)
        names = _clean(list(spec.header))
        if not names and rows:
            names = _clean(rows.pop(0))
        if not names or not {*spec.has, *spec.where} <= set(names):
            return False
        if spec.header and not (rows and all(len(row) == len(names) for row in rows)):
            return False
        records = [dict(zip(names, row, strict=False)) for row in rows]
        return all(record.get(path) in said for record in records for path, said in spec.where.items())

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order; a record without a time is named as unread."""
        for table in self._tables(source):
            if table.height:
                timed = table.with_columns(
                    columns.moments(table, self._spec, source.zone).alias("@timestamp")
                )
                timeless = timed["@timestamp"].is_null()
                if timeless.any():
                    told = " or ".join(self._spec.time)
                    name_lost(timed.filter(timeless), f"no time in {told} that can be read", source)
                if not timeless.all():
                    yield self._events(timed.filter(~timeless), source)

    def _tables(self, source: Source) -> Iterator[pl.DataFrame]:
        spec = self._spec
        if not spec.delimiter:
            for table in json_table.tables(source):
                has = [columns.has(table, path) for path in spec.has]
                fits = pl.all_horizontal([*has, columns.fits(table, spec.where)])
                yield json_table.kept(table, fits, source, f"not a record that {self.path.name} claims")
            return
        names = _clean(list(spec.header))
        for frame in delimited.records(source):
            rows = frame
            if not names:
                head = str(frame["text"][0])
                rows_of_head = delimited.first_rows(head.encode(), spec.delimiter, 1)
                names = _clean(rows_of_head[0] if rows_of_head else head.split(spec.delimiter))
                rows = frame.slice(1)
            if rows.height:
                table = delimited.table(rows, names, spec.delimiter, source)
                again = pl.all_horizontal(pl.col(name) == name for name in names)
                table = table.filter(~again.fill_null(value=False))  # files that were put together
                yield json_table.kept(
                    table,
                    columns.fits(table, spec.where),
                    source,
                    f"not a record that {self.path.name} claims",
                )

    def _events(self, table: pl.DataFrame, source: Source) -> pl.DataFrame:
        spec = self._spec
        said = columns.fields(table, spec, source.zone)
        base = table.select("log.offset", "log.file.line", "@timestamp").with_columns(
            pl.lit(spec.dataset).alias("event.dataset"), pl.lit("event").alias("event.kind")
        )
        if columns.guesses(table, spec, given=source.zone_given):
            base = base.with_columns(pl.lit(["zone"], pl.List(pl.String)).first().alias("molehunt.guess"))
        events = base.drop(name for name in base.columns if name in said.columns).hstack(said)
        return columns.with_relations(events)


def _at(record: object, path: str) -> object:
    """The value at a dotted path, whether the record nests it or writes the name with its dots."""
    if not isinstance(record, dict):
        return None
    if path in record:
        return record[path]
    head, _, rest = path.partition(".")
    return _at(record.get(head), rest) if rest else None


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _clean(names: list[str]) -> list[str]:
    """Names of columns without blanks around them, each once: a second `ip` is `ip.2`."""
    seen: dict[str, int] = {}
    found = []
    for place, name in enumerate(names, 1):
        clean = name.strip().lstrip("\ufeff") or f"column.{place}"
        if clean.casefold() in delimited.PLACE:
            clean = f"record.{clean}"
        seen[clean] = seen.get(clean, 0) + 1
        again = clean if seen[clean] == 1 else f"{clean}.{seen[clean]}"
        found.append(again if again not in found else f"column.{place}")
    return found
