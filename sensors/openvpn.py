"""OpenVPN's server log: who connected from where, which address they were lent, who was refused.

As OpenVPN writes it to a file (2.3 to 2.7, with either form of date, or `--machine-readable-output`) and as
syslog has it; wording in `openvpn.toml` beside this file. The status file is `openvpn_status.py`'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import pfsense_lines
from sensors.reading import framing, syslog
from sensors.schema import TIME
from sensors.shapes import message_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_PROGRAM = r"(?:openvpn|ovpn)[^\s\[\]:]*"
_SYSLOG = rf"^(?:(?P<host>[^\s:]+) )?(?P<app>{_PROGRAM})(?:\[(?P<pid>[0-9]+)\])?: (?P<body>.*)$"
# `alice/192.0.2.1:1194 `, `192.0.2.1:1194 `, `alice/2001:db8::1 `; a name may hold blanks.
_PREFIX = (
    r"^(?P<near>(?:(?P<near_person>[^/\[\]']*)/)?(?:(?:udp|tcp)[46]?(?:-server)?:)?"
    r"(?:\[AF_INET6?\])?(?:::ffff:)?"
    r"(?:(?P<near_v4>[0-9]{1,3}(?:\.[0-9]{1,3}){3})|\[(?P<near_bracket>[0-9A-Fa-f:.]+)\]"
    r"|(?P<near_v6>[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*))(?::(?P<near_port>[0-9]{1,5}))? )"
)
_MACHINE = r"^(?P<stamp>[0-9]{9,11}\.[0-9]{6}) [0-9a-fx]+ (?P<rest>.*)$"
_MICROSECONDS = r"^us=[0-9]+ "
_STAMP = (
    r"(?:<\d{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d \d{4}|"
    r"[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d"
    r"|2\d{3}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?|\d{10}\.\d{6}) "
)
_SYSLOG_LINE = re.compile(rf"^{_STAMP}(?:[^\s:]+ )?{_PROGRAM}(?:\[\d+\]: | \S+ \S+ )")
_FILE_LINE = re.compile(
    rf"^{_STAMP}(?:us=\d+ )?(?:[0-9a-f]+ )?"
    r"(?:(?:[^/\s]*/)?\[?[0-9A-Fa-f.:]+\]?:\d{1,5} (?:\[|[A-Z]|peer info)|OpenVPN \d|"
    r"library versions: OpenSSL|MULTI: |TLS(?:-\w+| Error|: | Auth)|VERIFY |"
    r"Initialization Sequence Completed|"
    r"[UT][DC]Pv[46]|Socket Buffers: |IFCONFIG POOL|Diffie-Hellman|TUN/TAP device|SIG[A-Z0-9]+\[|"
    r"Control Channel |"
    r"(?:Incoming|Outgoing|Data) .*Channel|Listening for incoming TCP|event_wait|net_|ROUTE|"
    r"DEPRECATED OPTION|WARNING: |NOTE: |Note: )"
)
_OWN_WORDS = re.compile(
    r"OpenVPN|TLS(?: Error|: | Auth)|AF_INET|MULTI|SIG\w+\[|IV_\w+=|VERIFY |"
    r"Connection Initiated|PUSH|client-instance"
)


class OpenVpn:
    """The sensor."""

    name = "openvpn"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - any name may be given to `--log`
        """Whether at least half of the lines are OpenVPN's own, in a file or syslog, and not pfSense's."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        if not lines or pfsense_lines.sent(lines):
            return False
        told = [bool(_SYSLOG_LINE.match(line) or _FILE_LINE.match(line)) for line in lines]
        spoken = any(_SYSLOG_LINE.match(line) or _OWN_WORDS.search(line) for line in lines)
        return 2 * sum(told) >= len(told) and spoken

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of unknown wording is an event with its text."""
        yield from syslog.events(source, _headed, _events, "neither a time nor OpenVPN's name", "app")


def _headed(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `host`, `app`, `pid`, `body`, and times since 1970."""
    machine = lines["rest"].str.extract_groups(_MACHINE).struct.unnest()
    seconds = machine["stamp"].cast(pl.Float64, strict=False)
    rest = machine["rest"].fill_null(lines["rest"])
    parts = rest.str.extract_groups(_SYSLOG).struct.unnest()
    frame = lines.with_columns(
        lines["@timestamp"].fill_null((seconds * 1e6).cast(pl.Int64, strict=False).cast(TIME)),
        parts["host"],
        parts["app"],
        parts["pid"],
        parts["body"].fill_null(rest.str.replace(_MICROSECONDS, "")).alias("body"),
    )
    if not lines["versioned"].any():
        return frame
    modern = syslog.fields(lines)
    return frame.with_columns(
        pl.when("versioned").then(modern[name]).otherwise(name).alias(name)
        for name in ("host", "app", "pid", "body")
    )


def prefixed(frame: pl.DataFrame) -> pl.DataFrame:
    """Takes off `body` what stands before every message about a client: who and where it is."""
    parts = frame["body"].str.extract_groups(_PREFIX).struct.unnest()
    return frame.with_columns(
        frame["body"].str.strip_prefix(parts["near"]).fill_null(frame["body"]).alias("body"),
        parts["near_person"],
        pl.coalesce(parts["near_v4"], parts["near_bracket"], parts["near_v6"]).alias("near_address"),
        parts["near_port"],
    )


def placed(frame: pl.DataFrame) -> pl.DataFrame:
    """The client of the prefix where the message itself names none; `event.reason` of a message in words."""
    frame = message_forms.with_columns_for(
        frame, "person", "source.address", "source.port", "near_person", "near_address", "near_port"
    )
    named = pl.when(pl.col("near_person") != "").then("near_person")
    return frame.with_columns(
        pl.coalesce(pl.when(pl.col("person") != "").then("person"), named).alias("person"),
        pl.coalesce("source.address", "near_address").alias("source.address"),
        pl.when(pl.col("source.address").is_null() | pl.col("source.port").is_not_null())
        .then(pl.coalesce("source.port", "near_port"))
        .alias("source.port"),
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    grouped = prefixed(frame).with_columns(pl.lit("openvpn").alias("group"))
    told = placed(message_forms.told(grouped, message_forms.forms("openvpn")))
    network = pl.lit(["network"], pl.List(pl.String))
    told = told.with_columns(
        pl.coalesce("event.category", network).alias("event.category"),
        pl.col("host").alias("host.name"),
        pl.col("host").alias("host.hostname"),
        pl.coalesce("app", pl.lit("openvpn")).alias("process.name"),
        pl.col("pid").alias("process.pid"),
    )
    return message_forms.settled(
        told,
        "openvpn",
        event_dataset="openvpn.server",
        event_provider="openvpn",
        network_protocol="openvpn",
        observer_vendor="OpenVPN",
        observer_product="OpenVPN",
        observer_type="vpn",
    )


SENSOR: Final = OpenVpn()
