"""The rows of one of Zeek's logs to events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from sensors import schema
from sensors.values import connection, ecs, text_values
from sensors.zeek import peculiar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from sensors.sensor import Source
    from sensors.zeek.kinds import Kind

_LISTS: Final = pl.List(pl.String)
_ENDS: Final = ("source.ip", "destination.ip")
_ICMP: Final = ("zeek.connection.icmp.type", "zeek.connection.icmp.code")
_ICMP6: Final = "58"
_RELATED: Final[Mapping[str, Sequence[str]]] = {
    "related.ip": (*_ENDS, "server.ip", "client.ip", "host.ip"),
    "related.user": ("user.name",),
    "related.hash": (
        "file.hash.md5",
        "file.hash.sha1",
        "file.hash.sha256",
        "tls.client.ja3",
        "tls.server.ja3s",
    ),
}


class Rows(Protocol):
    """Records of one log, whichever way they were written."""

    @property
    def position(self) -> pl.DataFrame:
        """`log.offset` and `log.file.line` of each row."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Zeek's names of the fields."""
        ...

    def several(self, name: str) -> bool:
        """Whether the field holds several values."""
        ...

    def bare(self, name: str) -> pl.Series:
        """String: the values as written; unset ones may stand as a mark that is no number and no time."""
        ...

    def text(self, name: str) -> pl.Series:
        """String, null where unset or empty."""
        ...

    def texts(self, name: str) -> pl.Series:
        """List(String), null where unset or empty."""
        ...


def events(kind: Kind, rows: Rows, source: Source) -> pl.DataFrame:
    """One event a row, columns typed by the schema; rows without a time are named in `source.unread`."""
    given: dict[str, list[tuple[int, pl.Series]]] = {}
    rank = {name: at for at, name in enumerate(kind.fields)}
    for name in rows.names:
        last: tuple[pl.DataType, bool, pl.Series] | None = None
        for column in kind.columns_of(name):
            want, ours = schema.dtype(column), column.startswith("zeek.")
            if last is None or last[:2] != (want, ours):  # one field often fills several columns of one type
                last = want, ours, _typed(rows, name, column, source.zone)
            found = last[2]
            if found.null_count() < found.len():
                given.setdefault(column, []).append((rank.get(name, len(rank)), found))
    frame = rows.position.hstack(
        [
            _merged([each for _, each in sorted(found, key=lambda pair: pair[0])]).alias(column)
            for column, found in given.items()
        ]
    )
    frame = _constant(frame, kind)
    frame = _identified(peculiar.of(kind, frame))
    return _timed(_related(frame), rows, source)


def _typed(rows: Rows, name: str, column: str, zone: tzinfo) -> pl.Series:
    want = schema.dtype(column)
    if want == _LISTS:
        return rows.texts(name) if rows.several(name) else _alone(rows.text(name))
    if rows.several(name):
        lists = rows.texts(name)
        # A vendor's own text column keeps all; one of ECS' holds the first.
        text = lists.list.join(",") if column.startswith("zeek.") else lists.list.first()
    elif want == pl.String:
        return rows.text(name)
    else:
        text = rows.bare(name)
    if column == "event.duration":
        return text_values.nanoseconds(text)
    return text_values.typed(text, want, zone)


def _alone(column: pl.Series) -> pl.Series:
    """Each value as a list of one."""
    frame = column.to_frame("v")
    return frame.select(pl.when(pl.col("v").is_not_null()).then(pl.concat_arr("v").arr.to_list())).to_series()


def _merged(columns: list[pl.Series]) -> pl.Series:
    """Lists joined, of others the first value there is."""
    if len(columns) == 1:
        return columns[0]
    frame = pl.DataFrame([each.alias(str(at)) for at, each in enumerate(columns)])
    if columns[0].dtype == _LISTS:
        joined = pl.concat_list(pl.all().fill_null([])).list.unique(maintain_order=True)
        return frame.select(pl.when(joined.list.len() > 0).then(joined)).to_series()
    return frame.select(pl.coalesce(pl.all())).to_series()


def _constant(frame: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """What is the same for all records of a log, where the record does not say otherwise."""
    added = [pl.lit(kind.dataset).alias("event.dataset")]
    for column, value in kind.constants.items():
        constant = pl.lit(value, schema.dtype(column))
        added.append(
            (pl.col(column).fill_null(constant) if column in frame.columns else constant).alias(column)
        )
    if kind.outcome is not None and kind.outcome.column in frame.columns:
        deciding = pl.col(kind.outcome.column).cast(pl.String)
        good = deciding.is_in(kind.outcome.success)
        said = pl.when(good).then(pl.lit("success")).when(deciding.is_not_null()).then(pl.lit("failure"))
        added.append(said.alias("event.outcome"))
    return frame.with_columns(added)


def _identified(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the Community ID where Zeek did not write one itself (its policy `community-id-logging`)."""
    if not {*_ENDS, "network.transport"} <= set(frame.columns) or "network.community_id" in frame.columns:
        return frame
    transport, six = pl.col("network.transport"), pl.col("source.ip").str.contains(":", literal=True)
    number = transport.replace_strict(ecs.PROTOCOLS, default=None, return_dtype=pl.String)
    numbered = frame.with_columns(
        pl.when(six & (transport == "icmp"))
        .then(pl.lit(_ICMP6))
        .otherwise(number)
        .alias("network.iana_number")
    )
    icmp = _ICMP if set(_ICMP) <= set(frame.columns) else None
    return frame.with_columns(connection.community_ids(numbered, icmp).alias("network.community_id"))


def _related(frame: pl.DataFrame) -> pl.DataFrame:
    added = []
    for column, parts in _RELATED.items():
        there = [part for part in (column, *parts) if part in frame.columns]
        if there:
            added.append(_gathered(frame, there).alias(column))
    return frame.with_columns(added)


def _gathered(frame: pl.DataFrame, columns: list[str]) -> pl.Series:
    """List(String): the distinct values of columns in their order; null where there is none."""
    if all(frame.schema[name] == pl.String for name in columns):
        if len(columns) == len(_ENDS) and _all_two(frame, *columns):
            return frame.select(pl.concat_arr(columns).arr.to_list()).to_series()
        return frame.select(ecs.related(columns).alias("l")).to_series()
    parts = [pl.col(name) if frame.schema[name] == _LISTS else pl.concat_list(name) for name in columns]
    joined = (
        pl.concat_list(part.fill_null([]) for part in parts)
        .list.drop_nulls()
        .list.unique(maintain_order=True)
    )
    return frame.select(joined.alias("l")).select(pl.when(pl.col("l").list.len() > 0).then("l")).to_series()


def _all_two(frame: pl.DataFrame, one: str, other: str) -> bool:
    """Whether every row has two different values: the usual case, whose lists cost a tenth of the others'."""
    return bool(frame.select((pl.col(one) != pl.col(other)).fill_null(value=False).all()).item())


def _timed(frame: pl.DataFrame, rows: Rows, source: Source) -> pl.DataFrame:
    if not source.zone_given and "ts" in rows.names and text_values.names_no_zone(rows.bare("ts")):
        frame = frame.with_columns(pl.lit(["zone"], _LISTS).alias("molehunt.guess"))
    if "@timestamp" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, schema.TIME).alias("@timestamp"))
    lost = frame["@timestamp"].is_null()
    if lost.any():
        offset, line = frame.filter(lost).select(rows.position.columns).row(0)
        source.lost(
            "the record has no time that can be read", line=line, offset=offset, count=int(lost.sum())
        )
        frame = frame.filter(~lost)
    return frame
