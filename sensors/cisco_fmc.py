"""Cisco Secure Firewall Management Center's audit log as syslog has it: who did what in its web interface.

Format after "Firepower Management Center Configuration Guide", chapter "Audit logs": time, host, an optional
tag in brackets, then `sender: user@address, subsystem, action`. FMC ends its messages with NUL and `0x0a`.
The events are of the dataset of FTD, whose policies they change.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.shapes.mapping import first_rule
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_ACT = r"(?P<person>[^@,:]+)@(?P<from>[^@,]+), (?P<subsystem>[^,]+(?:, [^,]*?)??), (?P<said>[^,]*(?:, .*)?)$"
_FORM = (
    r"^(?:(?P<relay>[^\s:]+) +)?(?:\[(?P<label>[^\]]*)\] +)?(?:(?P<app>[^\s:]+): +)?(?P<host>[^\s:]+): +"
    + _ACT
)
_SNIFF = re.compile(
    r"[A-Z][a-z]{2} [ 0-9][0-9] (?:[0-9]{4} )?[0-9:]{8} (?:[^\s:]+ )?(?:\[[^\]]*\] )?"
    r"(?:[^\s:%]+: )?[^\s:%]+: "
    r"[^@,:=%]+@[^@,=]+, [A-Z][^,=]*, [^=]"
)
_END = r"(?:[\x00 ]*(?:\x00|\\|#0+)?x?0[ax]0?a?[\x00 ]*(?:x00)?|[\x00\s])+$"
_TYPE: Final = {
    r"^(?:Login|Logout)\b": "info",
    r"(?i)^(?:page view|view)": "access",
    r"(?i)^(?:modif|save|updat|edit|enabl|disabl|appl|deploy|policy deployment)": "change",
    r"(?i)^(?:creat|add|new|import)": "creation",
    r"(?i)^(?:delet|remov)": "deletion",
    r".": "info",
}
_OUTCOME: Final = {r"(?i)fail|denied|error|invalid": "failure", r"(?i)success": "success"}


class CiscoFmc:
    """The sensor."""

    name = "cisco_fmc"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing about a syslog file
        """Whether at least half of the lines say who, from where, in which part, did what."""
        lines = framing.text_head(head).splitlines()
        told = [bool(_SNIFF.search(line)) for line in lines if line.strip()]
        return bool(told) and 2 * sum(told) >= len(told)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a line without either a time or an act is named as unread."""
        clock = syslog.Clock(source)
        for lines in syslog.records(source):
            said = lines["rest"].str.replace(_END, "")
            parts = said.str.extract_groups(_FORM).struct.unnest()
            frame = lines.hstack(parts.drop("relay")).with_columns(body=said)
            strange = frame["person"].is_null() & frame["@timestamp"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "neither a syslog time nor an audit record of FMC", source)
            if not strange.all():
                yield _events(clock.fill(frame.filter(~strange)))


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    frame = ecs.person(frame, "person", "source.user", "user")
    login = pl.col("subsystem").is_in(["Login", "Logout"])
    known = pl.col("person").is_not_null()
    frame = frame.with_columns(
        *syslog.common(frame),
        *ecs.address("source", pl.when(pl.col("from") != "Default User IP").then("from")),
        pl.lit("cisco_ftd").alias("event.module"),
        pl.lit("cisco_ftd.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(login)
        .then(pl.lit(["authentication"], pl.List(pl.String)))
        .when(known)
        .then(pl.lit(["configuration"], pl.List(pl.String)))
        .otherwise(pl.lit([], pl.List(pl.String)))
        .alias("event.category"),
        pl.concat_list(pl.when(login).then(pl.lit("start")).otherwise(first_rule(pl.col("said"), _TYPE)))
        .list.drop_nulls()
        .alias("event.type"),
        pl.col("said").alias("event.action"),
        first_rule(pl.col("said"), _OUTCOME).alias("event.outcome"),
        pl.col("subsystem").alias("cisco.fmc.subsystem"),
        pl.col("label").alias("cisco.fmc.tag"),
        pl.col("app").alias("process.name"),
        pl.col("host").alias("host.name"),
        pl.col("host").alias("host.hostname"),
        pl.col("host").alias("observer.hostname"),
        pl.when(~known).then("body").alias("message"),
        pl.when(~known).then("text").alias("event.original"),
        pl.lit("Cisco").alias("observer.vendor"),
        pl.lit("ftd").alias("observer.product"),
        pl.lit("idps").alias("observer.type"),
    )
    frame = ecs.relations(frame, ip=("source.ip",), user=("user.name",), hosts=("host.name",))
    return ecs.only(frame, "cisco")


SENSOR: Final = CiscoFmc()
