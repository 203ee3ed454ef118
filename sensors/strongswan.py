"""strongSwan's charon: IKE sessions, who was authenticated, which address they were lent.

As syslog has it and as charon's own file log does (`filelog` in strongswan.conf). The peer is always the
source, also of packets that charon sends. Wording in `strongswan.toml` beside this file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import pfsense_lines
from sensors.reading import framing, syslog
from sensors.shapes import message_forms
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_PROGRAM = r"(?:charon|charon-systemd|charon-nm|charon-svc|ipsec|strongswan|swanctl|ipsec_starter)"
_SYSLOG = rf"^(?:(?P<host>[^\s:]+) )?(?P<app>{_PROGRAM})(?:\[(?P<pid>[0-9]+)\])?: (?P<body>.*)$"
# `06[NET] <office|83> sending packet: …`: thread, subsystem, connection and number of the IKE_SA.
_INSIDE = (
    r"^ *(?P<near>(?P<thread>[0-9]{2,})\[(?P<strongswan.subsystem>[A-Z]{3})[0-9]?\] *"
    r"(?:<(?:(?P<near_connection>[^|>]*)\|)?(?P<near_session>[0-9]*)> *)?)"
)
_LINE = re.compile(
    rf"(?: |^){_PROGRAM}(?:\[\d+\]: | \d+ - .*?)(?:\d\d+\[[A-Z]{{3}}\d?\]|\S)|"
    r"^\S+(?: +\S+){0,3} +\d\d\[[A-Z]{3}\d?\] "
)
_GROUPS = re.compile(r"\b\d\d+\[[A-Z]{3}\d?\]")


class StrongSwan:
    """The sensor."""

    name = "strongswan"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the configuration names the file
        """Whether at least half of the lines are charon's, a quarter with threads, and not pfSense's."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        if not lines or pfsense_lines.sent(lines):
            return False
        threads = sum(bool(_GROUPS.search(line)) for line in lines)
        return 2 * sum(bool(_LINE.search(line)) for line in lines) >= len(lines) and 4 * threads >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of unknown wording is an event with its text."""
        yield from syslog.events(source, _headed, _events, "neither a time nor charon's name", "app")


def _headed(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `host`, `app`, `pid`, `body`."""
    parts = lines["rest"].str.extract_groups(_SYSLOG).struct.unnest()
    frame = lines.hstack(parts.with_columns(parts["body"].fill_null(lines["rest"])))
    if not lines["versioned"].any():
        return frame
    modern = syslog.fields(lines)
    return frame.with_columns(
        pl.when("versioned").then(modern[name]).otherwise(name).alias(name)
        for name in ("host", "app", "pid", "body")
    )


def inside(frame: pl.DataFrame) -> pl.DataFrame:
    """Takes thread, subsystem and session off `body`."""
    parts = frame["body"].str.extract_groups(_INSIDE).struct.unnest()
    body = frame["body"].str.strip_chars_start(" ")
    return frame.with_columns(
        body.str.strip_prefix(parts["near"].str.strip_chars_start(" ")).fill_null(body).alias("body"),
        *(parts[name] for name in ("strongswan.subsystem", "near_connection", "near_session")),
    )


def placed(frame: pl.DataFrame) -> pl.DataFrame:
    """The session of the line's head where the message names none; an address is no person."""
    frame = message_forms.with_columns_for(
        frame, "strongswan.connection", "session.id", "near_connection", "near_session", "person"
    )
    known = pl.when(~ecs.is_ip(pl.col("person"))).then("person")
    return frame.with_columns(
        pl.coalesce("strongswan.connection", "near_connection").alias("strongswan.connection"),
        pl.coalesce("session.id", "near_session").alias("session.id"),
        known.alias("person"),
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    grouped = inside(frame).with_columns(pl.lit("charon").alias("group"))
    told = placed(message_forms.told(grouped, message_forms.forms("strongswan")))
    told = told.with_columns(
        pl.coalesce("event.category", pl.lit(["network"], pl.List(pl.String))).alias("event.category"),
        pl.col("host").alias("host.name"),
        pl.col("host").alias("host.hostname"),
        pl.coalesce("app", pl.lit("charon")).alias("process.name"),
        pl.col("pid").alias("process.pid"),
    )
    return message_forms.settled(
        told,
        "strongswan",
        event_dataset="strongswan.log",
        event_provider="charon",
        network_protocol="ipsec",
        observer_vendor="strongSwan",
        observer_product="strongSwan",
        observer_type="vpn",
    )


SENSOR: Final = StrongSwan()
