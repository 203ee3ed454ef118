"""Records of gateways and brokers in JSON, told by a table: which fields of which kind become which in ECS.

A product's file of data (`<product>.toml`) lists its kinds of records (`stream`), each with

- `told`: paths and what must be found there (a regular expression), all of them; none: any record is of it,
- `dataset`, and `set`: columns of one value; `kind`, `category`, `type`: of the event,
- `fields`: columns and their path, or several of which the first with a value counts,
- `when`: paths of the record's time; `times`: columns that are times; `durations`: path and its nanoseconds,
- `rules`: columns whose value the first of several regular expressions gives that is found at a path,
- `person`: paths of who acts (`user.*` and `source.user.*`); `slug`: columns in small letters with hyphens,
  `lower`: columns in small letters.

Some columns are no ECS but help: `also.ip`, `also.user`, `also.hosts`, `also.hash` (and more of them, with
any ending) are related. A record of a kind without `told` keeps all of its text.

This module defines no sensor.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import json_table, syslog
from sensors.reading.json_table import text
from sensors.reading.losses import name_lost
from sensors.schema import TIME, dtype
from sensors.shapes.audit_trail import words
from sensors.shapes.mapping import first_rule
from sensors.values import connection, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sensors.sensor import Source

_PLACE: Final = ("text", "log.offset", "log.file.line")
_HEADER: Final = ("~time", "~guess", "priority")
_ADDRESSES: Final = tuple(
    f"{side}{part}" for side in ("source", "destination", "client", "server") for part in (".ip", ".nat.ip")
)
_LETTER: Final = r"^[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9:]{8}) GMT$"  # RFC 1123
_EPOCH: Final = r"^\d{9,19}(\.\d*)?$"
_UNIT: Final = "\x1e"
_STAMP: Final = {"zone": pl.String, "stamp": pl.String}


def _same(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


@dataclass(slots=True)
class GatewayRecords:
    """The sensor of a product.

    Attributes:
        name: also that of its file of data.
        fits: whether a record, parsed, is this product's.
        known_by: paths of which a record must have at least one, or it is named as unread.
        prepared: what is done to shredded records before they are mapped.
        finished: what is done to events last.
    """

    name: str
    fits: Callable[[Mapping[str, Any]], bool]
    known_by: tuple[str, ...]
    prepared: Callable[[pl.DataFrame], pl.DataFrame] = field(default=_same)
    finished: Callable[[pl.DataFrame], pl.DataFrame] = field(default=_same)

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether more than half of the first records are this product's."""
        return json_table.mostly(head, self.fits)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            yield from self.events(table, source)

    def events(
        self, table: pl.DataFrame, source: Source, clock: syslog.Clock | None = None
    ) -> Iterator[pl.DataFrame]:
        """Shredded records as ECS: one frame, or none if there is no record."""
        table = self.prepared(table)
        known = text(table, *self.known_by).is_not_null()
        kept = json_table.kept(table, known, source, f"no record of {self.name}")
        if kept.height:
            yield mapped(kept, self.name, source, self.finished, clock or syslog.Clock(source))


@cache
def tables(name: str) -> dict[str, Any]:
    """The file of data of a product."""
    return tomllib.loads((files("sensors") / f"{name}.toml").read_text("utf-8"))


def lifted(frame: pl.DataFrame, *prefixes: str) -> pl.DataFrame:
    """The same with what stands under the prefixes (`event.`) beside the rest; the first value counts."""
    for prefix in prefixes:
        inner = [name for name in frame.columns if name.startswith(prefix) and name[len(prefix) :]]
        named = {name: name[len(prefix) :] for name in inner}
        frame = frame.with_columns(
            (pl.coalesce(short, name) if short in frame.columns else pl.col(name)).alias(short)
            for name, short in named.items()
            if short not in _PLACE
        ).drop(inner)
    return frame


def pairs_as_json(pairs: pl.Expr, divider: str) -> pl.Expr:
    """Text of `key=value` between dividers (one character) as a JSON object with texts for values."""
    plain = (
        pairs.str.replace_all(rf"[\x00-\x1f&&[^{divider}]]", " ")
        .str.replace_all("\\", "\\\\", literal=True)
        .str.replace_all('"', '\\"', literal=True)
    )
    found = plain.str.extract_all(rf"(?:^|{divider})[ ]*[A-Za-z][\w.-]*=[^{divider}]*").list.join(_UNIT)
    listed = found.str.replace_all(
        rf"(?:^|{_UNIT}){divider}?[ ]*([A-Za-z][\w.-]*)=([^{_UNIT}]*)", ',"${1}":"${2}"'
    )
    return pl.concat_str(pl.lit("{"), listed.str.strip_prefix(","), pl.lit("}"))


def of_pairs(lines: pl.DataFrame, divider: str, source: Source, reason: str) -> pl.DataFrame:
    """Lines of `key=value` as shredded records; lines without a pair are named as unread, for `reason`."""
    made = lines.with_columns(json=pairs_as_json(pl.col("text"), divider), line="text")
    strange = ~made["json"].str.contains('"[A-Za-z][^"]*":')
    if strange.any():
        name_lost(lines.filter(strange), reason, source)
    made = made.filter(~strange)
    table = json_table.table(made.with_columns(text="json").select(_PLACE), source).drop("text")
    whole = made.select("log.offset", text="line")
    return table.join(whole, on="log.offset", how="left", maintain_order="left")


def behind_headers(source: Source, name: str) -> Iterator[pl.DataFrame]:
    """Shredded JSON records behind syslog headers: with `~time`, `~guess`, `~host`, `priority` of these."""
    for lines in syslog.records(source):
        parts = lines["rest"].str.splitn("{", 2).struct.rename_fields(["before", "json"]).struct.unnest()
        record = parts.select("before", text=pl.lit("{") + pl.col("json"))
        whole = lines.rename({"text": "line"}).hstack(record)
        strange = whole["text"].is_null()
        if strange.any():
            name_lost(lines.filter(strange), f"no record of {name}", source)
        table = json_table.table(whole.filter(~strange).select(_PLACE), source)
        sender = pl.col("before").str.extract(r"^\s*([^\s:,<>\[\]\"]{1,255})(?:\s|$)", 1)
        head = whole.select(
            "log.offset",
            pl.col("@timestamp").alias("~time"),
            pl.col("molehunt.guess").alias("~guess"),
            pl.coalesce(sender, "relay").alias("~host"),
            pl.col("before").alias("~before"),
            "priority",
        )
        if table.height:
            yield table.join(head, on="log.offset", how="left", maintain_order="left")


def moments(frame: pl.DataFrame, paths: Sequence[str], source: Source, zone: str) -> pl.Series:
    """The time at the first of the paths that has any; since 1970, ISO 8601, or in words with the year."""
    value = frame.select(text(frame, *paths).alias("stamp")).to_series()
    if value.null_count() == len(value):
        return pl.Series("@timestamp", [None] * len(value), dtype=TIME)
    worded = value.str.replace(_LETTER, "${2} ${1} ${3} ${4}")
    stated = text(frame, *([zone] if zone else ["\0"])).str.to_uppercase()
    asked = frame.select(
        pl.lit(worded), pl.when(pl.lit(worded != value)).then(pl.lit("GMT")).otherwise(stated).alias("zone")
    )
    distinct = asked.unique().filter(pl.col("stamp").is_not_null())
    told = syslog.moments(distinct, source).select(*_STAMP, "@timestamp")
    counted = told.select(
        pl.when(pl.col("stamp").str.contains(_EPOCH))
        .then(json_table.time(told, "stamp"))
        .otherwise("@timestamp")
        .alias("@timestamp")
    )
    told = told.with_columns(counted["@timestamp"].cast(TIME))
    return asked.join(told, on=["stamp", "zone"], how="left", nulls_equal=True, maintain_order="left")[
        "@timestamp"
    ]


def mapped(
    frame: pl.DataFrame,
    name: str,
    source: Source,
    finished: Callable[[pl.DataFrame], pl.DataFrame],
    clock: syslog.Clock,
) -> pl.DataFrame:
    """Shredded records of a product as ECS, in their order."""
    table = tables(name)
    streams: list[dict[str, Any]] = table["stream"]
    number = frame.select(_number(frame, streams).alias("~stream"))["~stream"]
    if "zone" in table:  # the product's clocks show this zone, whatever the source's is
        source = replace(source, zone=UTC, zone_given=True)
    parts = []
    for at, stream in enumerate(streams):
        of_it = number == at
        if of_it.any():
            part = frame if of_it.all() else frame.filter(of_it)
            parts.append(_events(part, table, stream, source))
    whole = pl.concat(parts, how="diagonal_relaxed") if len(parts) > 1 else parts[0]
    whole = whole.sort("log.offset", maintain_order=True) if len(parts) > 1 else whole
    return ecs.only(clock.fill(finished(whole)), table["root"])


def _number(frame: pl.DataFrame, streams: Sequence[Mapping[str, Any]]) -> pl.Expr:
    """Which of the streams each record is of: the first that it fits."""
    chosen: pl.Expr = pl.lit(len(streams) - 1)
    for at in reversed(range(len(streams) - 1)):
        conditions = [
            text(frame, path).str.contains(form).fill_null(value=False)
            for path, form in streams[at]["told"].items()
        ]
        chosen = pl.when(pl.all_horizontal(conditions)).then(pl.lit(at)).otherwise(chosen)
    return chosen


def _wanted(stream: Mapping[str, Any], table: Mapping[str, Any]) -> frozenset[str]:
    """The paths that a stream asks for, in small letters."""
    asked = [
        *stream.get("fields", {}).values(),
        *stream.get("times", {}).values(),
        *(rule["path"] for rule in stream.get("rules", {}).values()),
        *(rule["path"] for rule in stream.get("durations", {}).values()),
        stream.get("person", ()),
        stream.get("when", table["when"]),
        table.get("zone", ()),
    ]
    paths = (path for one in asked for path in ([one] if isinstance(one, str) else one))
    return frozenset(path.casefold() for path in paths)


def _clean(frame: pl.DataFrame, wanted: frozenset[str], nothing: Sequence[str]) -> pl.DataFrame:
    """The wanted columns that have any value, without the words that say that there is none."""
    kept = frame.select(
        column.name
        for column in frame
        if column.name in (*_PLACE, *_HEADER)
        or (column.name.casefold() in wanted and column.null_count() < frame.height)
    )
    plain = [
        name for name in kept.columns if name not in (*_PLACE, *_HEADER) and kept.schema[name] == pl.String
    ]
    return kept.with_columns(
        pl.when(~pl.col(column).str.strip_chars(" ").is_in(["", *nothing])).then(column) for column in plain
    )


def _events(
    frame: pl.DataFrame, table: Mapping[str, Any], stream: Mapping[str, Any], source: Source
) -> pl.DataFrame:
    """Records of one stream as ECS."""
    frame = _clean(frame, _wanted(stream, table), table.get("nothing", ()))
    fixed = table.get("set", {}) | stream.get("set", {})
    fields: dict[str, Any] = stream.get("fields", {})
    told = {*fields, *stream.get("rules", {})}
    zone = table.get("zone", "")
    found = frame.select(
        "log.offset",
        "log.file.line",
        *(_words(name, value) for name, value in fixed.items() if name not in told),
        *(
            text(frame, *([paths] if isinstance(paths, str) else paths)).alias(name)
            for name, paths in fields.items()
        ),
        *(
            (text(frame, rule["path"]).cast(pl.Float64, strict=False) * rule["unit"])
            .round()
            .cast(pl.Int64, strict=False)
            .alias(name)
            for name, rule in stream.get("durations", {}).items()
        ),
        *(_ruled(frame, name, rule) for name, rule in stream.get("rules", {}).items()),
        _person(text(frame, *stream.get("person", ["\0"]))),
        *((pl.col("text").alias("event.original"),) if "told" not in stream else ()),
    )
    times = {"@timestamp": stream.get("when", table["when"]), **stream.get("times", {})}
    found = found.with_columns(
        moments(frame, paths, source, zone).alias(name) for name, paths in times.items()
    )
    if "~time" in frame.columns:
        found = found.with_columns(
            found["@timestamp"].fill_null(frame["~time"]),
            pl.select(pl.when(found["@timestamp"].is_null()).then(frame["~guess"]))
            .to_series()
            .alias("molehunt.guess"),
            *frame.select(syslog.common(frame)),
        )
    elif "molehunt.guess" not in found.columns:
        found = found.with_columns(pl.lit(None, pl.List(pl.String)).alias("molehunt.guess"))
    return _settled(found, stream)


def _words(name: str, value: str | list[str]) -> pl.Expr:
    """A column of one value."""
    if isinstance(value, str):
        return pl.lit(value).alias(name)
    return words(pl.lit(",".join(value))).alias(name)


def _person(name: pl.Expr) -> pl.Expr:
    """Who acts; an address that stands in for an unknown person is nobody."""
    return pl.when(~ecs.is_ip(name)).then(name).alias("~person")


def _ruled(frame: pl.DataFrame, name: str, rule: Mapping[str, Any]) -> pl.Expr:
    """A column that regular expressions give, of the first of the paths that has any value."""
    paths = rule["path"]
    told = first_rule(text(frame, *([paths] if isinstance(paths, str) else paths)), rule["cases"])
    if "otherwise" in rule:
        told = pl.coalesce(told, pl.lit(rule["otherwise"]))
    told = told.cast(pl.String)
    return (words(told) if dtype(name) == pl.List(pl.String) else told).alias(name)


def _settled(frame: pl.DataFrame, stream: Mapping[str, Any]) -> pl.DataFrame:
    """What follows from the parts: addresses, people, URL, connection, relations."""
    frame = frame.select(
        name
        for name in frame.columns
        if frame[name].null_count() < frame.height or name in ("@timestamp", "molehunt.guess")
    )
    have = set(frame.columns)
    frame = frame.with_columns(
        pl.col(name).str.to_lowercase() for name in stream.get("lower", ()) if name in have
    ).with_columns(
        pl.col(name).str.to_lowercase().str.replace_all(" ", "-", literal=True)
        for name in stream.get("slug", ())
        if name in have
    )
    frame = frame.with_columns(
        *(pl.when(ecs.is_ip(pl.col(name))).then(name) for name in _ADDRESSES if name in have),
        *(
            pl.col(name).str.to_uppercase().str.replace_all("[:.]", "-")
            for name in ("source.mac", "destination.mac")
            if name in have
        ),
    )
    for side in ("source", "destination", "client", "server"):
        if f"{side}.address" in have:
            parts = ecs.address(side, pl.col(f"{side}.address"))
            frame = frame.with_columns(part for part in parts if part.meta.output_name() not in have)
    if "~person" in have:
        frame = ecs.person(frame, "~person", "user", "source.user")
    if "network.transport" in have:
        frame = frame.with_columns(
            connection.transport(pl.col("network.transport").str.to_lowercase()).alias("network.transport")
        )
    frame = connection.described(frame)
    if {"source.ip", "destination.ip"} <= set(frame.columns) and "network.direction" not in have:
        frame = frame.with_columns(connection.direction().alias("network.direction"))
    if "url.original" in have:
        given = [name for name in frame.columns if name.startswith("url.") and name != "url.original"]
        split = url_columns(frame.drop(given))
        frame = split.with_columns(
            (frame[name].fill_null(split[name]) if name in split.columns else frame[name]) for name in given
        )
    return _related(frame)


def _related(frame: pl.DataFrame) -> pl.DataFrame:
    also = {
        kind: [name for name in frame.columns if name.startswith(f"also.{kind}")]
        for kind in ("ip", "user", "hosts", "hash")
    }
    return ecs.relations(
        frame.with_columns(
            *(pl.when(ecs.is_ip(pl.col(name))).then(name) for name in also["ip"]),
            *(pl.when(~ecs.is_ip(pl.col(name))).then(name) for name in also["hosts"]),
        ),
        ip=(*_ADDRESSES, *also["ip"]),
        user=("user.name", "user.email", "source.user.name", "user.target.name", *also["user"]),
        hosts=("host.name", "host.hostname", *also["hosts"]),
        hash=("file.hash.md5", "file.hash.sha256", *also["hash"]),
    )
