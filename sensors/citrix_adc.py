"""Citrix NetScaler ADC and Gateway: VPN sessions, ICA, logins, connections, application firewall, commands.

The native form after "NetScaler Syslog Message Reference": `date host n-PPE-n : feature event id n : text`,
behind any syslog header (CEF is `cef`'s). The device's own address in the header is the observer's, not, as
in Elastic's mapping, a client's. Tables in `citrix_adc.toml` beside this file.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import framing, syslog, zones
from sensors.schema import TIME
from sensors.shapes import message_forms
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_DATE = r"[0-9]{2,4}/[0-9]{2}/[0-9]{2,4}:[0-9]{2}:[0-9]{2}:[0-9]{2}"
_FORM = (
    rf"^(?P<head>.*?)\b(?P<stamp>{_DATE}) +(?:(?P<gmt>GMT|UTC) +)?(?P<host>\S+) +"
    r"(?P<core>[0-9]+-PPE-[0-9]+) *: +"
    r"(?:default +)?(?P<feature>[A-Za-z_]+) +(?P<event>\S.*?) +(?P<number>[0-9]+) +"
    r"(?P<level>[0-9]+) *: *(?P<body>.*)$"
)
_LINE = re.compile(rf"\b{_DATE} +\S.{{0,80}}? \d+-PPE-\d+ *: ")
_PEER = r"(?:^|> )([0-9A-Fa-f]+[.:][0-9A-Fa-f.:]+) +$"
_LIST: Final = pl.List(pl.String)
# The date's form is a setting: month first unless there is no such month.
_DATES: Final = ("%m/%d/%Y:%H:%M:%S", "%d/%m/%Y:%H:%M:%S", "%Y/%m/%d:%H:%M:%S")


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files("sensors") / "citrix_adc.toml").read_text("utf-8"))


class CitrixAdc:
    """The sensor."""

    name = "citrix_adc"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a syslog server names the file
        """Whether at least half of the lines have NetScaler's date and packet engine."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_LINE.search(line[:400])) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a line of another form with a syslog time keeps its text."""
        yield from syslog.events(
            source,
            lambda lines: _parted(lines, source),
            lambda frame: _events(frame, source),
            "neither a syslog time nor NetScaler's form",
        )


def _moment(text: pl.Series, gmt: pl.Series, source: Source) -> pl.Series:
    """Times in any of NetScaler's forms, of the source's zone unless they say otherwise."""
    zoned = text.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    clock = pl.coalesce(
        pl.col("t").str.to_datetime(form, strict=False, time_unit="us", exact=True) for form in _DATES
    )
    frame = pl.DataFrame({"t": text, "gmt": gmt}).with_columns(c=clock)
    placed = frame.select(
        pl.when("gmt")
        .then(pl.col("c").dt.replace_time_zone("UTC"))
        .otherwise(zones.utc(pl.col("c"), source.zone))
    )
    return zoned.fill_null(placed.to_series()).cast(TIME)


def _parted(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds the parts of the form, `body`, and the time that the device itself says."""
    parts = lines["text"].str.extract_groups(_FORM).struct.unnest()
    gmt = parts["gmt"].is_not_null()
    own = _moment(parts["stamp"], gmt, source)
    assumed = own.is_not_null() & ~gmt & (not source.zone_given)
    frame = lines.with_columns(
        own.fill_null(lines["@timestamp"]).alias("@timestamp"),
        pl.when(own.is_not_null()).then(None).otherwise("molehunt.guess").alias("molehunt.guess"),
        *(parts[name] for name in ("host", "core", "feature", "event", "number", "level")),
        parts["head"].str.extract(_PEER, 1).alias("peer"),
        parts["body"].fill_null(lines["rest"]).alias("body"),
        gmt.alias("gmt"),
    )
    return syslog.guessed(frame, assumed, "zone") if assumed.any() else frame


def _events(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    body = pl.col("body")
    frame = frame.with_columns(
        pl.coalesce(body.str.extract(pattern, 1) for pattern in patterns).alias(name)
        for name, patterns in _data()["fields"].items()
    )
    gmt = frame["gmt"]
    frame = frame.with_columns(
        _moment(frame["began"], gmt, source).alias("event.start"),
        _moment(frame["ended"], gmt, source).alias("event.end"),
        pl.concat_str("feature", pl.lit(" "), "event").alias("kind"),
    )
    meanings = _meanings(frame.select(pl.col("kind").unique().drop_nulls()))
    frame = frame.join(meanings, on="kind", how="left", maintain_order="left")
    urls = url_columns(frame.select("url.original")).drop("url.original")
    clock = pl.col("lasted").str.split(":").list
    hours, minutes, seconds = (
        clock.get(at, null_on_oob=True).cast(pl.Int64, strict=False) for at in range(3)
    )
    said = pl.col("status").str.to_lowercase()
    frame = frame.with_columns(
        *urls.drop("url.domain").get_columns(),
        urls["url.domain"].fill_null(frame["site"]),
        ((hours * 3600 + minutes * 60 + seconds) * 1_000_000_000).alias("event.duration"),
        pl.coalesce("meant", pl.col("action").str.to_lowercase()).alias("event.action"),
        pl.when(said == "success")
        .then(pl.lit("success"))
        .when(said.is_not_null())
        .then(pl.lit("failure"))
        .otherwise("event.outcome")
        .alias("event.outcome"),
        pl.when(~pl.col("kind").str.contains("^SSLLOG")).then("domain").alias("domain"),
        pl.col("number").alias("event.id"),
        pl.col("level").cast(pl.Int64, strict=False).alias("event.severity"),
        pl.col("event").alias("event.code"),
        pl.col("feature").alias("citrix.feature"),
        pl.col("core").alias("citrix.core"),
        pl.col("host").alias("observer.name"),
        pl.col("host").alias("observer.hostname"),
        pl.col("peer").alias("observer.ip"),
        pl.col("peer").alias("also.ip"),
        pl.when(pl.col("kind").is_not_null()).then(0).cast(pl.Int64).alias("form"),
        pl.col("network.transport", "network.protocol").str.to_lowercase(),
    )
    done = message_forms.settled(
        frame,
        "citrix",
        event_dataset="citrix_adc.log",
        observer_vendor="Citrix",
        observer_product="Netscaler",
        observer_type="firewall",
    )
    if frame["domain"].null_count() == frame.height:
        return done
    # Some messages name the domain beside the person.
    return done.with_columns(
        (done[name].fill_null(frame["domain"]) if name in done.columns else frame["domain"]).alias(name)
        for name in ("user.domain", "source.user.domain")
    )


def _meanings(kinds: pl.DataFrame) -> pl.DataFrame:
    """What each kind of message stands for."""
    chosen: dict[str, pl.Expr] = {}
    for name, column in (("action", "meant"), ("outcome", "event.outcome"), ("category", "event.category"),
                         ("type", "event.type")):  # fmt: skip
        kind: pl.DataType = _LIST if name in ("category", "type") else pl.String()
        chain: pl.Expr = pl.lit(None, kind)
        for entry in reversed(_data()["events"]):
            fits = pl.col("kind").str.contains(entry["event"])
            chain = pl.when(fits).then(pl.lit(entry.get(name), kind)).otherwise(chain)
        chosen[column] = chain
    return kinds.with_columns(**chosen)


SENSOR: Final = CitrixAdc()
