"""Barracuda Web Application Firewall: its web firewall, access, audit, network firewall and system logs.

Syslog in the default formats ("Exporting Log Formats", campus.barracuda.com, product webapplicationfirewall,
and "Barracuda Syslog Web Application Firewall"), each with the device's own time, its name and the kind of
the log. Mapping after Elastic's integration `barracuda` (`waf`). What is exported as CEF or LEEF is read as
that; a custom format is whatever its maker wrote, and takes a mapping file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.shapes import message_forms
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_HEAD: Final = (
    r"^(?:[^\[\]\"]{0,200}? )?(?P<own>2[0-9]{3}-[0-9]{2}-[0-9]{2} [0-9:]{8}(?:\.[0-9]{1,6})?) "
    r"(?P<offset>[+-][0-9]{2}:?[0-9]{2}) +(?P<unit>\S+) (?P<log>WF|TR|AUDIT|NF|SYS) (?P<body>.*)$"
)
_SNIFFED: Final = re.compile(re.sub(r"\?P<[a-z]+>", "?:", _HEAD))
_ALARMING: Final = ("ALER", "EMER", "CRIT", "ALERT", "CRITICAL", "EMERGENCY")
_SEVERITIES: Final = {
    "EMER": 0, "EMERGENCY": 0, "ALER": 1, "ALERT": 1, "CRIT": 2, "CRITICAL": 2, "ERRO": 3, "ERR": 3,
    "ERROR": 3, "WARN": 4, "WARNING": 4, "NOTI": 5, "NOTICE": 5, "INFO": 6, "INFORMATION": 6, "DEBU": 7,
    "DEBUG": 7,
}  # fmt: skip
_QUOTED: Final = ("http.request.referrer", "user_agent.original", "barracuda_waf.request_cookie")
_NOTHING: Final = ("-", '"-"', "")


class BarracudaWaf:
    """The sensor."""

    name = "barracuda_waf"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a syslog server names the file
        """Whether three in four of the lines have the device's time, its name and the kind of its log."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 4 * sum(bool(_SNIFFED.match(line)) for line in lines) >= 3 * len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record; a line of another form with a syslog time keeps its text."""
        yield from syslog.events(
            source, _parted, _events, "neither a syslog time nor a Barracuda WAF's own", proof="log"
        )


def _parted(lines: pl.DataFrame) -> pl.DataFrame:
    """The parts of the head, and the device's own time, which says its zone, for the header's."""
    parts = lines["text"].str.extract_groups(_HEAD).struct.unnest()
    stamp = parts["own"] + parts["offset"].str.replace("^(...):?(..)$", "$1:$2")
    own = stamp.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", strict=False, time_unit="us", time_zone="UTC")
    return lines.hstack(parts.with_columns(parts["body"].fill_null(lines["rest"]))).with_columns(
        pl.when(own.is_null()).then("@timestamp").otherwise(own).alias("@timestamp"),
        pl.when(own.is_null()).then("molehunt.guess").alias("molehunt.guess"),
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records as ECS."""
    told = message_forms.told(
        frame.with_columns(pl.col("log").fill_null("other").alias("group")),
        message_forms.forms("barracuda_waf"),
    )
    texts = [name for name, kind in told.schema.items() if kind == pl.String and name not in {"text", "body"}]
    told = told.with_columns(pl.when(~pl.col(name).is_in(_NOTHING)).then(name) for name in texts)
    told = told.with_columns(pl.col(name).str.strip_chars('"') for name in _QUOTED if name in told.columns)
    told = _asked(told)
    told = message_forms.with_columns_for(told, "event.category", "severity", "event.action")
    listed = pl.List(pl.String)
    if told.schema["event.category"] != listed:
        told = told.with_columns(
            pl.lit(None, listed).alias("event.category"), pl.lit(None, listed).alias("event.type")
        )
    alarming = pl.col("severity").is_in(_ALARMING)
    told = told.with_columns(
        pl.when(alarming).then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        pl.col("severity")
        .replace_strict(_SEVERITIES, default=None, return_dtype=pl.Int64)
        .alias("event.severity"),
        pl.col("severity").str.to_lowercase().alias("log.level"),
        pl.col("event.action").str.to_lowercase().str.replace_all("[ _]", "-").alias("event.action"),
        pl.col("event.category").fill_null(pl.lit(["host"], listed)),
        pl.col("event.type").fill_null(pl.lit(["info"], listed)),
        pl.col("unit").alias("observer.name"),
    )
    return message_forms.settled(
        told,
        "barracuda_waf",
        event_module="barracuda_waf",
        event_dataset="barracuda.waf",
        observer_vendor="Barracuda",
        observer_product="Web Application Firewall",
        observer_type="waf",
    )


def _asked(frame: pl.DataFrame) -> pl.DataFrame:
    """What was asked for, by whom, from where: the person behind a proxy that says whom it asks for."""
    frame = message_forms.with_columns_for(
        frame,
        *("url.original", "path", "query", "host", "login", "person", "proxy"),
        *("network.protocol", "network.transport", "client.address", "client.port"),
    )
    whole = pl.concat_str("path", pl.concat_str(pl.lit("?"), "query"), ignore_nulls=True)
    asked = pl.coalesce("url.original", pl.when(pl.col("path").is_not_null()).then(whole))
    frame = url_columns(frame.with_columns(asked.alias("url.original")))
    return frame.with_columns(
        pl.col("host").str.strip_chars('"').str.replace(r":\d+$", "").alias("url.domain"),
        pl.coalesce("person", "login").str.strip_chars('"').alias("person"),
        pl.col("network.protocol").str.to_lowercase().str.replace("/.*$", ""),
        pl.col("network.transport").str.to_lowercase(),
        pl.col("client.address").alias("source.address"),
        pl.col("client.port").alias("source.port"),
        pl.col("proxy").alias("also.ip"),
    )


SENSOR: Final = BarracudaWaf()
