"""Cisco Identity Services Engine as syslog has it: RADIUS and TACACS+, guests, administrators, diagnostics.

Format and attributes after "Cisco ISE Syslog Messages" (releases 2.x and 3.x): `CISE_<category> <message id>
<segments> <segment> <time> <zone> <sequence> <code> <severity> <class>: <text>, <attribute>=<value>, ...`.
A message too long for one datagram comes in segments: those of one batch are put together again. Mapping
after Elastic's integration `cisco_ise`; beyond it `source` is the person's device (the public address
of a VPN session in `source.ip`, the one lent to it in `source.nat.ip`), `client` the device that asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.cisco_ise_meaning import KEYS, meaning
from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from sensors.sensor import Source

_FORM = (
    r"(?s)^(?:(?P<offset>[+-][0-9]{2}:[0-9]{2}) +)?(?:(?P<host>[^\s:]\S*?):? +)?"
    r"(?P<topic>CISE_\w+)(?:\[\d+\])?:? +(?:- +)*"
    r"(?:(?P<number>[0-9]+) +(?P<segments>[0-9]+) +(?P<segment>[0-9]+) +)?(?P<said>.*)$"
)
_HEAD = (
    r"(?s)^(?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}(?:\.[0-9]+)?) "
    r"(?P<event.timezone>[+-][0-9]{2}:?[0-9]{2}) +"
    r"(?P<sequence>[0-9]+) +(?P<event.code>[0-9]+) +(?P<level>[A-Z]+) +(?P<class>[^:=,]+): *(?P<told>.*?)"
    r"(?:, *(?P<pairs>[A-Za-z][^=,]{0,60}=.*)|[, ]*)$"
)
_ALARM = r"(?s)^(?P<level>[A-Z]+): (?P<alarm>[^:=]+?) ?: *(?P<pairs>.*)$"
_LINK = r"^From (?P<from>[^\s;]+) To (?P<to>[^\s;]+)"
_SNIFF = re.compile(r"\bCISE_[A-Z]\w+ (?:[0-9]{10} [0-9]+ [0-9]+ |[A-Z]+: )")
# A comma and an attribute begin a new pair; a comma in a value is escaped, or no `attribute=` follows it.
_PAIR = r",\s*([A-Za-z][A-Za-z0-9 _./#()-]{0,60}?)="
_START, _END, _COMMA = "\x1f", "\x1e", "\x1d"
_MAC = r"^(?:[0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}$|^(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}$"
# What the VPN gateway passes on of the person's own device, in attributes that occur many times.
_WITHIN: Final = {
    "public": r"ip:source-ip=([0-9A-Fa-f:.]+)",
    "device.model.name": r"mdm-tlv=device-type=([^,\\]+)",
    "host.os.name": r"mdm-tlv=device-platform=([^,\\]+)",
    "user_agent.original": r"mdm-tlv=ac-user-agent=([^,\\]+)",
    "device.id": r"mdm-tlv=device-uid=([^,\\]+)",
    "device_mac": r"mdm-tlv=device-mac=([0-9A-Fa-f-]{17})",
    "cisco.ise.command": r"CmdSet=\[ *(.*?) *\]",
}
_NANOSECONDS: Final = 1_000_000_000


class CiscoIse:
    """The sensor."""

    name = "cisco_ise"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing about a syslog file
        """Whether at least half of the lines carry a category of ISE and what follows it."""
        lines = framing.text_head(head).splitlines()
        told = [bool(_SNIFF.search(line)) for line in lines if line.strip()]
        return bool(told) and 2 * sum(told) >= len(told)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a line in a claimed file without a category is an event with its text."""
        clock = syslog.Clock(source)
        for lines in syslog.records(source):
            parts = lines["rest"].str.extract_groups(_FORM).struct.unnest()
            frame = lines.hstack(parts)
            strange = frame["topic"].is_null() & frame["@timestamp"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "neither a syslog time nor a category of ISE", source)
            if not strange.all():
                frame = _whole(frame.filter(~strange))
                yield _events(clock.fill(_timed(frame, source.zone)))


SENSOR: Final = CiscoIse()


def _whole(frame: pl.DataFrame) -> pl.DataFrame:
    """Segments of one message as one row, where the first of them stands."""
    several = (pl.col("segments").cast(pl.Int64, strict=False) > 1).fill_null(value=False)
    key = ["host", "topic", "number", "segments"]
    if not frame.select(several.any()).item():
        return frame
    numbered = frame.with_columns(
        turn=pl.int_range(pl.len()).over([*key, "segment"]),  # a number that comes again is a new message
        place=pl.col("segment").cast(pl.Int64, strict=False),
    )
    parts = numbered.filter(several)
    joined = parts.group_by([*key, "turn"], maintain_order=True).agg(
        pl.col("said").sort_by("place").str.join(""),
        pl.exclude("said").sort_by("place").first(),
    )
    first = parts.group_by([*key, "turn"], maintain_order=True).agg(
        pl.col("log.offset", "log.file.line").min()
    )
    joined = joined.with_columns(first["log.offset"], first["log.file.line"])
    alone = numbered.filter(~several)
    return pl.concat([alone, joined.select(numbered.columns)]).drop("turn", "place").sort("log.offset")


def _timed(frame: pl.DataFrame, zone: tzinfo) -> pl.DataFrame:
    """Adds what the header of ISE says; its own time, which has its zone, beats that of syslog."""
    alarm = frame["topic"] == "CISE_Alarm"
    said = frame["said"]
    head = said.str.extract_groups(_HEAD).struct.unnest()
    if alarm.any():
        told = said.set(~alarm.fill_null(value=False), None).str.extract_groups(_ALARM).struct.unnest()
        head = head.with_columns(
            head["level"].fill_null(told["level"]),
            head["pairs"].fill_null(told["pairs"].str.replace_all("; ", ", ", literal=True)),
            told["alarm"],
        )
    if "alarm" not in head.columns:
        head = head.with_columns(alarm=pl.lit(None, pl.String))
    frame = frame.hstack(head)
    own = pl.concat_str("stamp", "event.timezone").str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC"
    )
    name = getattr(zone, "key", "UTC")
    minutes = pl.col("offset").str.slice(1, 2).cast(pl.Int64) * 60 + pl.col("offset").str.slice(4, 2).cast(
        pl.Int64
    )
    east = pl.when(pl.col("offset").str.starts_with("-")).then(-minutes).otherwise(minutes)
    clock = pl.col("@timestamp").dt.convert_time_zone(name).dt.replace_time_zone("UTC")
    return frame.with_columns(
        pl.coalesce(own, clock - pl.duration(minutes=east), "@timestamp").cast(TIME).alias("@timestamp"),
        pl.when(own.is_null()).then("molehunt.guess").alias("molehunt.guess"),
        pl.coalesce("pairs", pl.when(pl.col("stamp").is_null()).then("said")).alias("pairs"),
    )


def _paired(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with a column for each of `KEYS` that occurs; of one that occurs again the first counts."""
    marked = pl.concat_str(pl.lit(", "), pl.col("pairs").str.replace_all(r"\,", _COMMA, literal=True))
    pairs = (
        frame.select(
            row=pl.int_range(pl.len()),
            pair=marked.str.replace_all(_PAIR, f"{_START}${{1}}{_END}").str.split(_START),
        )
        .explode("pair", empty_as_null=True)
        .select(
            "row",
            pl.col("pair").str.split_exact(_END, 1).struct.rename_fields(["key", "value"]).alias("pair"),
        )
        .unnest("pair")
        .with_columns(
            pl.col("key").replace_strict(KEYS, default=None, return_dtype=pl.String),
            pl.col("value").str.strip_chars(", ").str.replace_all(_COMMA, ",", literal=True),
        )
        .filter(pl.col("key").is_not_null() & (pl.col("value") != ""))
        .unique(["row", "key"], keep="first", maintain_order=True)
    )
    missing = [pl.lit(None, pl.String).alias(name) for name in dict.fromkeys(KEYS.values())]
    if not pairs.height:
        return frame.with_columns(missing)
    wide = pairs.pivot(on="key", index="row", values="value").with_columns(pl.col("row").cast(pl.Int64))
    found = (
        frame.with_columns(row=pl.int_range(pl.len()))
        .join(wide, on="row", how="left", maintain_order="left")
        .drop("row")
    )
    return found.with_columns(column for column in missing if column.meta.output_name() not in found.columns)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    frame = _paired(frame)
    frame = frame.with_columns(
        pl.col("said").str.extract(form, 1).alias(name) for name, form in _WITHIN.items()
    )
    frame = frame.with_columns(pl.coalesce("who", "admin", "guest").alias("who"))
    frame = ecs.person(frame, "who", "source.user", "user")
    frame = frame.with_columns(*_ends(), *_numbers(), *_mine(), *syslog.common(frame), *meaning())
    return ecs.only(
        ecs.relations(
            frame,
            ip=(
                "client.ip",
                "source.ip",
                "source.nat.ip",
                "destination.ip",
                "nas",
                "host_ip",
                "named",
                "ad_ip",
            ),
            user=("user.name", "user.full_name", "guest", "admin"),
            hosts=("host.hostname", "server.address", "source.domain", "destination.domain"),
        ),
        "cisco",
    )


def _ip(name: str) -> pl.Expr:
    return pl.when(ecs.is_ip(pl.col(name)) & ~pl.col(name).is_in(ecs.NOWHERE)).then(name)


def _ends() -> list[pl.Expr]:
    """Addresses: of the person, of the network device, of ISE; and physical ones."""
    station = pl.coalesce(
        pl.when(pl.col(name).str.contains(_MAC)).then(name)
        for name in ("calling", "endpoint_mac", "device_mac")
    )
    digits = station.str.replace_all(r"[^0-9A-Fa-f]", "").str.to_uppercase()
    mac = digits.str.replace(r"^(..)(..)(..)(..)(..)(..)$", "${1}-${2}-${3}-${4}-${5}-${6}")
    person = pl.coalesce(
        _ip("public"), _ip("portal_ip"), _ip("admin_ip"), _ip("tunnel"), _ip("calling"), _ip("remote")
    )
    link = pl.col("Message").str.extract_groups(_LINK)
    return [
        pl.coalesce(person, link.struct.field("from")).alias("source.address"),
        person.alias("source.ip"),
        pl.when(person.is_null()).then(link.struct.field("from")).alias("source.domain"),
        _ip("framed").alias("source.nat.ip"),
        mac.alias("source.mac"),
        pl.coalesce(_ip("device_ip"), _ip("admin_ip"), _ip("alarm_device")).alias("client.ip"),
        pl.coalesce("device_ip", "admin_ip").alias("client.address"),
        _ip("ise_ip").alias("destination.ip"),
        pl.coalesce("ise_ip", link.struct.field("to")).alias("destination.address"),
        link.struct.field("to").alias("destination.domain"),
        pl.col("admin").alias("client.user.name"),
        pl.concat_str("first", "last", separator=" ").alias("user.full_name"),
        pl.when(~ecs.is_ip(pl.col("host"))).then("host").alias("host.hostname"),
        pl.when(ecs.is_ip(pl.col("host"))).then("host").alias("host_ip"),
        pl.when(ecs.is_ip(pl.col("host"))).then(pl.concat_list("host")).alias("host.ip"),
    ]


def _numbers() -> list[pl.Expr]:
    """Bytes and packets from the person's side, how long the session lasted, ports."""

    def whole(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.Int64, strict=False)

    lasted = whole("seconds")
    return [
        whole("device_port").alias("client.port"),
        whole("ise_port").alias("destination.port"),
        whole("received").alias("source.bytes"),
        whole("sent").alias("destination.bytes"),
        whole("packets_received").alias("source.packets"),
        whole("packets_sent").alias("destination.packets"),
        pl.when(lasted.is_between(0, 10**8)).then(lasted * _NANOSECONDS).alias("event.duration"),
        whole("sequence").alias("event.sequence"),
    ]


def _mine() -> list[pl.Expr]:
    """What the header gives, and what is the same in every event."""
    unknown = pl.col("topic").is_null()
    return [
        pl.lit("cisco_ise").alias("event.module"),
        pl.lit("cisco_ise.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.col("level").str.to_lowercase().alias("log.level"),
        pl.when(pl.col("stamp").is_not_null()).then(pl.col("level").str.to_lowercase())
        .alias("log.syslog.severity.name"),
        pl.col("topic").alias("cisco.ise.category"),
        pl.col("number").alias("cisco.ise.message_id"),
        pl.col("told").alias("cisco.ise.text"),
        pl.coalesce("reason", "terminated").alias("event.reason"),
        pl.col("network.protocol").str.to_lowercase(),
        pl.when(unknown).then("rest").otherwise(pl.coalesce("operation", "told")).alias("message"),
        pl.when(unknown).then("text").alias("event.original"),
        pl.lit("Cisco").alias("observer.vendor"),
        pl.lit("ise").alias("observer.product"),
    ]  # fmt: skip
