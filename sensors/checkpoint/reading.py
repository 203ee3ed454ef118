"""Lines of Check Point's Log Exporter to columns, a column for each of its log fields.

Formats after sk122323 ("Log Exporter - Check Point Log Export"): `syslog` with `[key:"value"; …]`, the same
with `[Fields@1.3.6.1.4.1.2620 key="value" …]`, `generic` and `splunk` with `key=value|…`, CEF and LEEF.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import cef
from sensors.cef import pairs
from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_KEY: Final = r"([A-Za-z_][\w.\-]*)"
_QUOTED: Final = rf'(?:^|";? *){_KEY}(?::{{1,2}}|=)"'
_PIPED: Final = rf"(?:^|\|) *{_KEY}="
_BARS: Final = r"(?s)((?:[A-Za-z_][\w.\-]*=[^|]*\|){2,}.*)$"
_BRACKETS: Final = r"(?s)^(?P<before>[^\[]*?)\[(?:Fields@\S+ +)?(?P<body>[A-Za-z_].*)$"
_OFFSET: Final = r"^-?(?P<sign>[+-])(?P<hours>\d{1,2}):(?P<minutes>\d{2}) +"
_CLOCK: Final = r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)"
# What its logs are known by: each has an origin or an identity of its own.
_LINE: Final = re.compile(
    r'\[[a-z_]+::?"[^"]*"; .*?\b(?:loguid|originsicname|ifdir):"'
    r"|\[Fields@1\.3\.6\.1\.4\.1\.2620 "
    r"|(?:^|\|)(?:loguid=\{0x|originsicname=|ifdir=(?:in|out)bound\|).*?\|(?:origin|product|loguid)="
)


# Fields that say more than one ECS column: `meaning.py` has them.
MEANT: Final = frozenset(
    {
        "additional_info", "administrator", "audit_status", "device_name", "device_type", "domain_name",
        "elapsed", "identity_type", "machine", "operation", "rule_action",
    }
)  # fmt: skip


@cache
def tables() -> dict[str, Any]:
    """The tables of `fields.toml`."""
    return tomllib.loads((files("sensors.checkpoint") / "fields.toml").read_text("utf-8"))


@cache
def _known() -> dict[str, str]:
    """Every field that the tables name, as itself: these are columns however many others there are."""
    kinds = ("text", "direction", "long", "time", "ip", "mac", "lists")
    listed = {field for kind in kinds for fields in tables()[kind].values() for field in fields}
    named = {*listed, *tables()["labels"].values(), *tables()["cef"].values(), *tables()["dropped"]["fields"]}
    return {field: field for field in (named | MEANT)}


def told(head: bytes) -> bool:
    """Whether at least half of the lines are Check Point's, in one of the formats."""
    found = cef.products(head)
    if found:
        return all(vendor.replace(" ", "").casefold() == "checkpoint" for vendor, _ in found)
    lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
    return bool(lines) and 2 * sum(bool(_LINE.search(line)) for line in lines) >= len(lines)


def records(source: Source) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The lines of a source, and beside them a column for each of Check Point's fields in small letters.

    The first frames have `host`, `partial` and what `sensors.reading.syslog.records` yields. Lines of another
    form are named in `source.unread`.
    """
    if cef.products(source.head):
        yield from _exported(source)
        return
    for frame in syslog.records(source):
        lines = _opened(frame)
        strange = lines["body"].is_null()
        if strange.any():
            name_lost(lines.filter(strange), "no fields as Check Point's Log Exporter writes them", source)
        kept = _placed(lines.filter(~strange))
        if kept.height:
            values, partial = pairs.table(_marks(kept), _known())
            yield kept.with_columns(partial), _lowered(pairs.unescaped(values))


def _opened(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines with the `body` that holds their fields, null where there is none, and the `host` before it."""
    parts = lines["rest"].str.extract_groups(_BRACKETS).struct.unnest()
    host = pl.col("before").str.replace(_OFFSET, "").str.extract(r"^\s*([^\s:,<>\"]{2,255})(?:\s|$)", 1)
    quoted = parts["body"].str.contains(_QUOTED).fill_null(value=False)
    body = parts["body"].set(~quoted, None)
    if not quoted.all():  # few or all: what the others are is costly to find out
        body = body.fill_null(lines["text"].set(quoted, None).str.extract(_BARS, 1))
    return lines.hstack(parts).with_columns(
        pl.coalesce(pl.when(host != "-").then(host), "relay").alias("host"),
        body.alias("body"),
        quoted.alias("quoted"),
    )


def _placed(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with the times of those whose zone has one sign too many (`…T10:10:16--5:00`) put right."""
    zoned = lines["rest"].str.extract_groups(_OFFSET).struct.unnest()
    if zoned["sign"].null_count() == lines.height:
        return lines
    minutes = pl.col("hours").cast(pl.Int64) * 60 + pl.col("minutes").cast(pl.Int64)
    east = pl.when(pl.col("sign") == "-").then(-minutes).otherwise(minutes)
    clock = pl.col("text").str.extract(_CLOCK, 1).str.replace(" ", "T", literal=True)
    local = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
    moment = (local - pl.duration(minutes=east)).dt.replace_time_zone("UTC").cast(TIME)
    known = lines.hstack(zoned).select(moment.alias("moment"))["moment"]
    return lines.with_columns(
        known.fill_null(lines["@timestamp"]).alias("@timestamp"),
        pl.when(known.is_null()).then("molehunt.guess").alias("molehunt.guess"),
    )


def _marks(lines: pl.DataFrame) -> pl.Series:
    """The fields marked: those in quotes, and those between bars."""
    body = lines["body"].str.strip_chars_end(" \t\r\n|").str.replace(r'"?[ ;]*\]$', "").str.strip_suffix('"')
    marks = pairs.marked(body, _QUOTED)
    bars = ~lines["quoted"]
    return marks.zip_with(~bars, pairs.marked(body, _PIPED)) if bars.any() else marks


def _lowered(values: pl.DataFrame) -> pl.DataFrame:
    """Columns by names in small letters, without blanks around values; empty values are null."""
    by_name: dict[str, list[pl.Expr]] = {}
    for name in values.columns:
        text = pl.col(name).str.strip_chars()
        by_name.setdefault(name.lower(), []).append(pl.when(text != "").then(text))
    return values.select(pl.coalesce(found).alias(name) for name, found in by_name.items())


def _exported(source: Source) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """CEF and LEEF, under Check Point's own names."""
    for lines, values in cef.records(source, tables().__getitem__):
        named = values.with_columns(
            pl.coalesce(found).alias(name) for name, found in _labelled(values).items()
        )
        headed = named.with_columns(
            pl.coalesce(
                *([pl.col("product")] if "product" in named.columns else []), pl.lit(lines["product"])
            ).alias("product")
        )
        yield lines, _lowered(headed)


def _labelled(values: pl.DataFrame) -> dict[str, list[pl.Expr]]:
    """For each field that a label names, where its value stands; what stands under the name itself first."""
    labels: dict[str, str] = tables()["labels"]
    chosen: dict[str, list[pl.Expr]] = {}
    for label in [name for name in values.columns if name.endswith("Label")]:
        field = label.removesuffix("Label")
        if field not in values.columns:
            continue
        said = values[label].str.to_lowercase().str.replace_all("[^a-z0-9]", "")
        for word in said.drop_nulls().unique(maintain_order=True):
            name = labels.get(word)
            if name is not None:
                own = [pl.col(name)] if name in values.columns else []
                chosen.setdefault(name, own).append(pl.when(pl.lit(said) == word).then(pl.col(field)))
    return chosen
