"""AdGuard Home's query log (`querylog.json`): who asked for which name, and what was refused by which rule.

After https://github.com/AdguardTeam/AdGuardHome (internal/querylog/qlog.go, and internal/filtering, whose
numbers of reasons are below). Sign-ins to it stand in its application log (`sensors.application_logins`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.json_table import integer, objects, text, time
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

# filtering.Reason: from 3 on, what was refused.
_REASONS: Final = {
    "0": "not filtered", "1": "allowed", "2": "error", "3": "block list", "4": "safe browsing",
    "5": "parental control", "6": "invalid", "7": "safe search", "8": "blocked service", "9": "rewrite",
    "10": "rewrite of hosts", "11": "rewrite rule",
}  # fmt: skip
_BLOCKED: Final = ("3", "4", "5", "6", "7", "8")
_PROTOCOLS: Final = {"doh": "https", "dot": "tls", "doq": "quic", "dnscrypt": "dnscrypt"}
_LIST: Final = pl.List(pl.String)


class AdGuardHome:
    """The sensor."""

    name = "adguard_home"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether all of the first records have the fields of a query."""
        return json_table.mostly(head, lambda record: {"T", "QH", "QT", "QC", "IP"} <= record.keys())

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per query."""
        for table in json_table.tables(source):
            fits = time(table, "T").is_not_null() & text(table, "QH").is_not_null()
            kept = json_table.kept(table, fits, source, "no query: no time, or no name")
            if kept.height:
                yield _queries(kept)


SENSOR: Final = AdGuardHome()


def _queries(frame: pl.DataFrame) -> pl.DataFrame:
    reason = pl.coalesce(text(frame, "Result.Reason"), pl.lit("0"))
    blocked = reason.is_in(_BLOCKED)
    rule = objects(frame, "Result.Rules", "Text").list.first().struct.field("Text")
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, "T").alias("@timestamp"),
        pl.lit("adguard_home.querylog").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"], _LIST).alias("event.category"),
        pl.when(blocked).then(pl.lit(["protocol", "denied"], _LIST)).otherwise(pl.lit(["protocol"], _LIST))
        .alias("event.type"),
        pl.lit("dns-query").alias("event.action"),
        integer(frame, "Elapsed").alias("event.duration"),
        *ecs.address("source", text(frame, "IP")),
        text(frame, "CID").alias("host.name"),
        pl.lit("dns").alias("network.protocol"),
        text(frame, "CP").replace(_PROTOCOLS).alias("adguard_home.client_protocol"),
        text(frame, "QH").str.strip_suffix(".").alias("dns.question.name"),
        text(frame, "QT").alias("dns.question.type"),
        text(frame, "QC").alias("dns.question.class"),
        text(frame, "Upstream").alias("adguard_home.upstream"),
        reason.replace(_REASONS).alias("event.reason"),
        rule.alias("rule.name"),
    )  # fmt: skip
    return ecs.only(ecs.relations(events, ip=("source.ip",), hosts=("dns.question.name",)), "adguard_home")
