"""The audit log of Windows' DHCP server (`DhcpSrvLog-Mon.log`, `DhcpV6SrvLog-Mon.log`): CSV under a preamble.

Columns after the log's own header line, which names them; of a file without it, those of Windows Server 2012
and later (IPv4: 19 columns, IPv6: 14), of which older servers have the first seven. Dates are month/day/year
in local time. Mapping after Elastic's integration `microsoft_dhcp`: the client is the source.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, zones
from sensors.reading.losses import name_lost
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

V4: Final = (
    "code", "date", "time", "description", "ip", "host", "mac", "user", "transaction", "result",
    "probation", "correlation", "dhcid", "vendor_hex", "vendor", "user_hex", "user_class", "relay",
    "dns_error",
)  # fmt: skip
V6: Final = (
    "code", "date", "time", "description", "ip", "host", "error", "duid_length", "duid", "user", "dhcid",
    "subnet",
)  # fmt: skip
_OWN: Final = {
    "transaction": "transaction_id", "result": "result", "probation": "probation_time", "dhcid": "dhc_id",
    "vendor": "vendor.string",
    "vendor_hex": "vendor.hex", "user_class": "user.string",
    "relay": "relay_agent_info",
    "dns_error": "dns_error_code", "error": "error_code", "duid": "duid.hex", "duid_length": "duid.length",
    "correlation": "correlation_id", "subnet": "subnet_prefix",
}  # fmt: skip
_RECORD: Final = re.compile(r"^[0-9]{2,5},[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4},[0-9]{1,2}:[0-9]{2}:[0-9]{2},")
# What stands before the records; the table of codes there has a tab after each number.
_PREAMBLE: Final = (
    r"^\s*(?:[0-9A-F]{2,5}\+?\s*\t|[0-9]{2,5}\+\s|Microsoft DHCP|Event ID|ID,Date|QResult|Codes? above|"
    r"\s{2,}|[A-Z][^,]*$|[0-9]: [A-Z]|.*Service Activity Log|[0-9]{2}\s+[A-Z])"
)
_V6_FROM: Final = 11_000


@cache
def codes() -> pl.DataFrame:
    """What each code means: its action, category, types and reason, and whether that is a failure."""
    raw = tomllib.loads((files("sensors") / "windows_dhcp.toml").read_text("utf-8"))
    rows = [
        (code, action, category.split(), kinds.split(), reason[0] if reason else None, code in raw["failed"])
        for code, (action, category, kinds, *reason) in raw["codes"].items()
    ]
    names = ["code", "event.action", "event.category", "event.type", "event.reason", "failed"]
    return pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"event.reason": pl.String})


class WindowsDhcp:
    """The sensor."""

    name = "windows_dhcp"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether the preamble says so, or at least half of the lines are such records."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        if not lines:
            return False
        if "DHCP" in lines[0] and "Activity Log" in lines[0]:
            return True
        told = sum(bool(_RECORD.match(line)) for line in lines)
        return 2 * told > len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record; the preamble is no record."""
        begun = headed = False
        for lines in framing.lines(source):
            headed = headed or bool(lines["text"].str.contains(r"^\s*ID,").any())
            fits = lines["text"].str.contains(_RECORD.pattern)
            after = fits.cum_max() | begun
            begun = bool(after[-1])
            strange = lines.filter(~fits & (after | ~lines["text"].str.contains(_PREAMBLE)))
            if strange.height:
                name_lost(strange, "not a record of the DHCP server's log", source)
            events = _mapped(lines.filter(fits), source)
            undated = events["@timestamp"].is_null()
            if undated.any():
                name_lost(lines.filter(fits).filter(undated), "a record without a date that there is", source)
            if not undated.all():
                yield ecs.only(events.filter(~undated), "microsoft")
        if not begun and not headed:
            source.lost("the log ends in its preamble, before any record", sample=source.head[:200])


SENSOR: Final = WindowsDhcp()


def _mapped(lines: pl.DataFrame, source: Source) -> pl.DataFrame:
    cells = lines["text"].str.split(",")
    number = cells.list.first().cast(pl.Int64, strict=False).fill_null(0)
    six = (number >= _V6_FROM).alias("six")
    at = {
        name: (V4.index(name) if name in V4 else None, V6.index(name) if name in V6 else None)
        for name in V4 + V6
    }
    rows = lines.select("log.offset", "log.file.line", cells.alias("cells"), six)
    value = pl.col("cells").list
    parts = rows.select(
        "log.offset",
        "log.file.line",
        *(
            pl.when(pl.col("six"))
            .then(value.get(later, null_on_oob=True) if later is not None else None)
            .otherwise(value.get(first, null_on_oob=True) if first is not None else None)
            .str.strip_chars(' "')
            .alias(name)
            for name, (first, later) in at.items()
        ),
    ).with_columns(
        pl.when(pl.col(name) != "").then(name).alias(name) for name in at
    )  # fmt: skip
    stamp = pl.concat_str("date", "time", separator=" ")
    clock = pl.coalesce(
        pl.when(pl.col("date").str.contains(r"/[0-9]{2}$")).then(
            stamp.str.to_datetime("%m/%d/%y %H:%M:%S", strict=False, time_unit="us")
        ),
        stamp.str.to_datetime("%m/%d/%Y %H:%M:%S", strict=False, time_unit="us"),
    )
    told = parts.join(codes(), on="code", how="left", maintain_order="left")
    hexed = pl.col("mac").str.to_uppercase()
    mac = pl.when(hexed.str.contains(r"^(?:[0-9A-F]{2})+$")).then(
        hexed.str.extract_all("[0-9A-F]{2}").list.join("-")
    )
    host = pl.col("host").str.to_lowercase()
    refused = pl.coalesce("failed", pl.col("description").str.contains(r"(?i)fail|denied|NACK|full"))
    events = told.select(
        "log.offset",
        "log.file.line",
        zones.utc(clock, source.zone).alias("@timestamp"),
        pl.when(pl.lit(not source.zone_given))
        .then(pl.lit(["zone"], pl.List(pl.String)))
        .alias("molehunt.guess"),
        pl.lit("microsoft_dhcp.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.col("code").alias("event.code"),
        "event.action",
        "event.category",
        "event.type",
        "event.reason",
        pl.when(refused.fill_null(value=False))
        .then(pl.lit("failure"))
        .otherwise(pl.lit("success"))
        .alias("event.outcome"),
        pl.col("description").alias("message"),
        pl.when(ecs.is_ip(pl.col("ip"))).then("ip").alias("source.ip"),
        mac.alias("source.mac"),
        host.alias("source.address"),
        host.alias("source.domain"),
        host.str.extract(r"^([^.]+)", 1).alias("host.name"),
        pl.when(ecs.is_ip(pl.col("ip"))).then("ip").alias("host.ip"),
        mac.alias("host.mac"),
        pl.col("user").alias("user.name"),
        *(pl.col(name).alias(f"microsoft.dhcp.{field}") for name, field in _OWN.items()),
    )
    return ecs.relations(events, ip=("source.ip",), hosts=("source.domain",), user=("user.name",))
