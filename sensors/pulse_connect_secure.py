"""Ivanti Connect Secure (Pulse, Juniper SA): logins, VPN sessions and lent addresses of its user log.

The standard filter `date time - node - [address] user(realm)[roles] - message` behind any syslog header, and
the file that an administrator saves (`info - [address] - user(realm)[roles] - date time - message`). The
address in brackets is the remote person's; bytes are the gateway's: what it wrote to the server, they sent.
Wording in `pulse_connect_secure.toml` beside this file.
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

_WHO = (
    r"\[(?P<address>[0-9A-Fa-f.:]*)\] (?:- )?(?P<person>.*?)\((?P<realm>[^)]*)\)"
    r"\[(?P<role>[^\]]*)\](?:\[[^\]]*\])* - "
)
_STANDARD = (
    r"^(?P<head>.*?)(?:(?P<stamp>2[0-9]{3}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) - (?P<node>.*?) - )"
    rf"{_WHO}(?P<body>.*)$"
)
_SAVED = (
    r"^(?P<level>info|minor|major|critical|warning) - "
    r"\[(?P<address>[0-9A-Fa-f.:]*)\] - (?P<person>.*?)\((?P<realm>[^)]*)\)\[(?P<role>[^\]]*)\] - "
    r"(?P<stamp>2[0-9]{3}[/-][0-9]{2}[/-][0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) - (?P<body>.*)$"
)
_LINE = re.compile(
    r"PulseSecure:|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - \S.* - \[[0-9A-Fa-f.:]*\] .*?\([^)]*\)\[.*\] - "
)
_LINE_SAVED = re.compile(
    r"^(?:info|minor|major|critical) - \[[0-9A-Fa-f.:]*\] - .*?\([^)]*\)\[[^\]]*\] - \d{4}[/-]"
)
_HOST = r"(?:^|[0-9Z] )(?P<host>[^\s]+) +[A-Za-z]+: "
_ZONED = r"(2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})) \S+ [A-Za-z]+:"
_NANOSECONDS: Final = 1_000_000_000
_HEAD: Final = 1_000  # characters of a line that are looked at to tell whose it is


class PulseConnectSecure:
    """The sensor."""

    name = "pulse_connect_secure"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - relays name the file
        """Whether at least half of the lines have Connect Secure's address, user, realm and roles."""
        lines = [line[:_HEAD] for line in framing.text_head(head).splitlines() if line.strip()]
        told = sum(bool(_LINE.search(line) or _LINE_SAVED.search(line)) for line in lines)
        return bool(lines) and 2 * told >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a line in a claimed file with a time but no user part keeps its text."""
        yield from syslog.events(
            source,
            lambda lines: _parted(lines, source),
            _events,
            "neither a syslog time nor Connect Secure's form",
        )


def _parted(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds who and where, `body`, `host`, and the time that the gateway itself says where syslog has none."""
    standard = lines["text"].str.extract_groups(_STANDARD).struct.unnest()
    saved = lines["text"].str.extract_groups(_SAVED).struct.unnest()
    sender = lines["rest"].str.extract_groups(_HOST).struct.unnest()
    own = standard["stamp"].fill_null(saved["stamp"].str.replace_all("/", "-", literal=True))
    # The gateway's own clock is of its own zone: only the time of a header that says its zone is better.
    stamp = lines["text"].str.extract(_ZONED, 1).fill_null(own)
    stamps = pl.DataFrame({"stamp": stamp, "zone": pl.Series([None] * lines.height, dtype=pl.String)})
    told = syslog.moments(stamps.unique().filter(pl.col("stamp").is_not_null()), source)
    local = stamps.join(told, on="stamp", how="left", maintain_order="left")
    without = local["@timestamp"].is_null()
    moment = lines["@timestamp"].zip_with(without, local["@timestamp"])
    guess = lines["molehunt.guess"].zip_with(without, local["molehunt.guess"])
    return lines.with_columns(
        moment.alias("@timestamp"),
        guess.alias("molehunt.guess"),
        *(standard[name].fill_null(saved[name]) for name in ("address", "person", "realm", "role")),
        standard["body"].fill_null(saved["body"]).fill_null(lines["rest"]).alias("body"),
        standard["node"].alias("node"),
        saved["level"].alias("log.level"),
        sender["host"].fill_null(lines["relay"]).alias("host"),
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    known = frame.rename({"address": "near_address", "person": "near_person"})
    told = message_forms.told(
        known.with_columns(pl.lit("message").alias("group")), message_forms.forms("pulse_connect_secure")
    )
    told = message_forms.with_columns_for(told, "said_person", "said_address", "seconds", "url.original")
    told = told.with_columns(url_columns(told.select("url.original")).drop("url.original"))
    near = pl.when(pl.col("near_address") != "").then("near_address")
    seconds = pl.col("seconds").cast(pl.Int64, strict=False)
    name = pl.when(pl.col("near_person") != "").then("near_person")
    return message_forms.settled(
        told.with_columns(
            pl.coalesce(near, "said_address").alias("source.address"),
            pl.coalesce(near, "said_address").alias("client.address"),
            pl.coalesce(name, "said_person").alias("person"),
            pl.col("realm").alias("pulse_secure.realm"),
            pl.col("role").alias("pulse_secure.role"),
            pl.col("node").alias("observer.name"),
            pl.col("node").alias("host.hostname"),
            pl.col("host").str.extract(r"^([0-9.]+|[0-9A-Fa-f:]+:[0-9A-Fa-f:]+)$", 1).alias("observer.ip"),
            pl.col("host").str.extract(r"^([A-Za-z].*)$", 1).alias("observer.hostname"),
            (seconds * _NANOSECONDS).alias("event.duration"),
            pl.when(seconds.is_not_null()).then("@timestamp").alias("event.end"),
            pl.coalesce("event.category", pl.lit(["network"], pl.List(pl.String))).alias("event.category"),
        ),
        "pulse_secure",
        event_dataset="pulse_connect_secure.log",
        observer_vendor="Pulse Secure",
        observer_product="Pulse Secure Connect",
        observer_type="vpn",
    )


SENSOR: Final = PulseConnectSecure()
