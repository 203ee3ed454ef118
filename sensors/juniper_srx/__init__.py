"""Juniper SRX: flows, screens, IDP, UTM, threat feeds, logins; structured (RFC 5424) and plain syslog.

After Juniper's "System Log Explorer" and "Structured-Data Format"; mapping after Elastic's integration
`juniper_srx`, but that a session ends when it is logged as closed: its start is reckoned from there.
Tables in `fields.toml` and `forms.toml` beside this file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.juniper_srx.columns import derived
from sensors.reading import framing, syslog
from sensors.shapes import message_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_NEW = (
    r"^(?P<host>\S+) (?P<app>\S+) (?P<pid>\S+) (?P<tag>\S+)"
    r'(?: (?P<data>-|\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*")*\]?))?(?: +(?P<body>.*))?$'
)
_TAG = r"^(?P<tag>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+): "
_LINE = re.compile(
    r"\[junos@|\b(?:RT_(?:FLOW|IDP|IDS|UTM|AAMW|SECINTEL|SCREEN)|APPTRACK)(?:\b|_)"
    r"|\b(?:kmd|mib2d|mgd|rpd|chassisd|jsrpd|dcd|idpd|utmd|pfed|alarmd)(?: \d+ |\[\d+\]: )"
    r"|\d(?:Z|[+-]\d\d:\d\d) (\S+) - - - - \1 "
)
_OWN = re.compile(
    r"\[junos@|\bRT_(?:FLOW|IDP|IDS|UTM|AAMW|SECINTEL)\b|\b(?:kmd|mgd|rpd|jsrpd)(?: \d+ |\[\d+\]: )"
)


class JuniperSrx:
    """The sensor."""

    name = "juniper_srx"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a syslog server names the file
        """Whether at least half of the lines are those of Junos' daemons, and one surely."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        told = sum(bool(_LINE.search(line[:400])) for line in lines)
        return bool(lines) and 2 * told >= len(lines) and any(_OWN.search(line[:400]) for line in lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a message of an unknown tag keeps its header and text."""
        yield from syslog.events(
            source, _headed, _events, "neither a syslog time nor the name of a daemon", "app"
        )


def _headed(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `host`, `app`, `pid`, `tag`, `data` (the structured part) and `body`."""
    old = syslog.fields(lines)
    new = lines["rest"].str.extract_groups(_NEW).struct.unnest()
    versioned = lines["versioned"]
    plain_tag = old["body"].str.extract(_TAG, 1)

    def either(name: str, other: pl.Series) -> pl.Series:
        said = new[name].set(new[name] == "-", None) if name != "body" else new[name].fill_null("")
        return said.zip_with(versioned & new["host"].is_not_null(), other).alias(name)

    none = pl.Series([None] * lines.height, dtype=pl.String)
    body = old["body"].str.replace(_TAG, "")
    frame = lines.with_columns(
        either("host", old["host"]),
        either("app", old["app"]),
        either("pid", old["pid"]),
        either("tag", plain_tag),
        either("data", none),
        either("body", body),
    )
    # Some daemons write the host once more in front of the text.
    again = pl.concat_str("host", pl.lit(" "))
    return frame.with_columns(
        pl.when(pl.col("body").str.starts_with(again))
        .then(pl.col("body").str.strip_prefix(again))
        .otherwise("body")
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    flow = pl.col("tag").str.starts_with("RT_FLOW") & pl.col("data").is_null()
    told = message_forms.told(
        frame.with_columns(pl.when(flow).then(pl.lit("flow")).otherwise(pl.lit("system")).alias("group")),
        message_forms.forms("juniper_srx/forms"),
    )
    return message_forms.settled(
        derived(told),
        "juniper",
        event_dataset="juniper_srx.log",
        observer_vendor="Juniper",
        observer_product="SRX",
        observer_type="firewall",
    )


SENSOR: Final = JuniperSrx()
