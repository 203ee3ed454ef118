"""Cisco ASA (and FTD's messages of the same wording) as syslog has them: VPN sessions, connections, logins.

Message formats after "Cisco Secure Firewall ASA Series Syslog Messages"; mapping after Elastic's integration
`cisco_asa`, except that `source` is always the end that began: the remote person of a VPN session, the client
of a connection. Bytes of a VPN session are turned to the person's side: what the gateway received, they sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.cisco_asa import security
from sensors.cisco_asa.columns import derived
from sensors.cisco_asa.forms import kinds
from sensors.cisco_asa.meaning import with_meaning
from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.values import ecs
from sensors.values.wording import by_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.reading.json_scan import Array
    from sensors.sensor import Source

_TAG = (
    r"^(?P<tag>(?P<prefix>[^%]*)%(?P<product>ASA|PIX|FWSM|FTD|FDT)-(?:[A-Za-z_]+-)?-?(?P<severity>[0-9])-"
    r"(?P<code>[0-9]{6}):? *)"
)
_SNIFF = re.compile(r"%(?:ASA|PIX|FWSM|FTD)-(?:[a-z_]+-)?-?\d-\d{6}\b")
_SNIFF_PAIRS = re.compile(r"\bSrcIP: [0-9A-Fa-f.:]+, DstIP: |\bDstIP: [0-9A-Fa-f.:]+, SrcIP: ")
_SENDER = r"^\s*(?P<host>\S*?)(?:\s+(?P<app>[^\s\[:]+)(?:\[(?P<pid>[0-9]+)\])?)?[\s:-]*$"
_SECURITY, _OTHER = -2, -1  # kinds that have no forms


class CiscoAsa:
    """The sensor."""

    name = "cisco_asa"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing about a syslog file
        """Whether at least half of the lines carry an ASA, PIX, FWSM or FTD tag."""
        lines = framing.text_head(head).splitlines()
        told = [bool(_SNIFF.search(line) or _SNIFF_PAIRS.search(line)) for line in lines if line.strip()]
        return bool(told) and 2 * sum(told) >= len(told)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a line in a claimed file without an ASA tag is an event with its text."""
        clock = syslog.Clock(source)
        for lines in syslog.records(source, joint=""):
            frame = _tagged(lines)
            strange = frame["code"].is_null() & frame["@timestamp"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "neither a syslog time nor a Cisco message number", source)
                frame = frame.filter(~strange)
            if frame.height:
                yield _events(clock.fill(frame))


def _tagged(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `body`, `product`, `code`, `severity`, and who sent it: `host`, `app`, `pid`."""
    parts = lines["rest"].str.extract_groups(_TAG).struct.unnest()
    body = lines["rest"].str.strip_prefix(parts["tag"]).fill_null(lines["rest"])
    if parts["code"].null_count():
        body, parts = _with_unnumbered(lines["rest"], body, parts)
    if lines["versioned"].any():  # RFC 5424 with the tag as the application's name
        body = body.zip_with(~lines["versioned"], body.str.replace(r"^(?:- ){1,3}(?:\x{FEFF})? *", ""))
    senders = parts.select(pl.col("prefix").unique().drop_nulls())
    known = senders.hstack(senders["prefix"].str.extract_groups(_SENDER).struct.unnest())
    sender = parts.select("prefix").join(known, on="prefix", how="left", maintain_order="left")
    untagged = lines["rest"].set(parts["code"].is_not_null(), None).str.extract(r"^([^\s:]+):? ", 1)
    return lines.with_columns(
        body.alias("body"),
        parts["product"],
        parts["code"],
        parts["severity"].cast(pl.Int64),
        pl.coalesce(sender["host"].replace("", None), untagged, lines["relay"]).alias("host"),
        sender["app"],
        sender["pid"].cast(pl.Int64, strict=False),
    )


def _with_unnumbered(rest: pl.Series, body: pl.Series, parts: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
    """The same with those lines that hold FTD's pairs and no number."""
    told = rest.to_frame("rest").select(security.unnumbered(pl.col("rest")).alias("told")).unnest("told")
    fits = parts["code"].is_null() & told["code"].is_not_null()
    if not fits.any():
        return body, parts
    parts = parts.with_columns(
        parts["code"].zip_with(~fits, told["code"]),
        parts["prefix"].zip_with(~fits, told["prefix"]),
        parts["product"].zip_with(~fits, pl.Series(["FTD"])),
    )
    return body.zip_with(~fits, told["body"]), parts


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    known = kinds()
    code = pl.col("code")
    of_code = code.replace_strict(known.of, default=None, return_dtype=pl.Int64)
    of_class = code.str.slice(0, 3).replace_strict(known.of, default=None, return_dtype=pl.Int64)
    kind = (
        pl.when(code.is_in(security.CODES)).then(_SECURITY).otherwise(pl.coalesce(of_code, of_class, _OTHER))
    )
    numbers = frame.select(kind).to_series().to_numpy()
    secure = numbers == _SECURITY
    whole = _worded(frame.filter(~secure), numbers[~secure]) if secure.any() else _worded(frame, numbers)
    if secure.any():
        whole = pl.concat([whole, security.parts(frame.filter(secure))], how="diagonal").sort("log.offset")
    return ecs.only(derived(_named(whole)), "cisco")


def _worded(frame: pl.DataFrame, numbers: Array) -> pl.DataFrame:
    """The rows with the parts of their messages, each by the forms of its kind."""
    forms = kinds().forms
    return by_kind(
        frame,
        [
            (() if number == _OTHER else forms[number], np.flatnonzero(numbers == number))
            for number in np.unique(numbers).tolist()
        ],
    )


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns that the header gives, under their ECS names, and what the number means."""
    ftd = pl.col("product").is_in(["FTD", "FDT"])
    product = pl.when(ftd).then(pl.lit("ftd")).otherwise(pl.lit("asa"))
    if "verdict" not in frame.columns:
        frame = frame.with_columns(verdict=pl.lit(None, pl.String))
    return with_meaning(
        frame.with_columns(
            *syslog.common(frame),
            pl.col("code").alias("event.code"),
            pl.col("severity").alias("event.severity"),
            pl.col("verdict").str.to_lowercase(),
            (pl.lit("cisco_") + product).alias("event.module"),
            (pl.lit("cisco_") + product + ".log").alias("event.dataset"),
            pl.col("host").alias("host.hostname"),
            pl.col("host").alias("observer.hostname"),
            pl.coalesce("app", *(["process.name"] if "process.name" in frame.columns else [])).alias(
                "process.name"
            ),
            pl.col("pid").alias("process.pid"),
            pl.lit("Cisco").alias("observer.vendor"),
            product.alias("observer.product"),
            pl.when(ftd).then(pl.lit("idps")).otherwise(pl.lit("firewall")).alias("observer.type"),
        )
    )


SENSOR: Final = CiscoAsa()
