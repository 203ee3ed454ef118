"""WatchGuard Firebox: traffic and proxies, alarms, logins and VPN sessions of Fireware's syslog.

Form and numbers after "Fireware Log Catalog"; mapping after Elastic's integration `watchguard_firebox`.
The header's own time has no year; that in brackets, the device's, has. Values are told by `watchguard.toml`,
what numbers mean by `watchguard_numbers.toml`; a number that neither lists, by its area and its words.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.shapes import message_forms
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_HEAD = (
    r"^(?P<host>\S+) +(?:(?P<serial>[A-Z0-9]+) +)?(?:[\w.-]+ +)?"
    r"\((?P<own>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[0-9.]*)\) +(?P<app>[\w-]+)(?:\[(?P<pid>[0-9]+)\])?: *"
    r"(?:msg_id=\"?(?P<number>[0-9A-F]{4}-[0-9A-F]{4})\"?,? *)?(?P<body>.*)$"
)
# Disposition, interfaces, (length,) protocol, (header length, TTL,) addresses, (ports,) keys, the policy.
_TRAFFIC = (
    r"^(?P<disposition>Allow|Deny) (?P<in>\S+) (?P<out>\S+) (?:[0-9]+ )?(?P<protocol>[a-z][\w-]*) "
    r"(?:[0-9]+ [0-9]+ )?(?P<from>[0-9A-Fa-f]+[.:][0-9A-Fa-f.:]+) (?P<to>[0-9A-Fa-f]+[.:][0-9A-Fa-f.:]+)"
    r"(?: (?P<from_port>[0-9]+) (?P<to_port>[0-9]+))?(?: |$)"
)
_POLICY = r"\(([^()]+)\)\s*$"
_LINE = re.compile(r"\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*\) [\w-]+(?:\[\d+\])?: ")
_NUMBER = re.compile(r"msg_id=\"?[0-9A-F]{4}-[0-9A-F]{4}")
_FAILED = (
    r"(?i)\b(?:fail\w*|cannot|could not|unable|rejected|denied|expired|error|timed? ?out|invalid|"
    r"not support|no response|"
    r"incorrect|no free|does not|overlaps|locked|disconnected|not found|offline|shutting|unavailable)\b"
)
# Alarms: what names an attack, or a notification of a blocked site, port or tunnel.
_ALARM = (
    r"(?i)\b(?:attack|DDOS|flood|scan|spoofing|probe)\b.*\bdetected|"
    r"Traffic detected|^Policy Name:|^BOVPN tunnel"
)
_MAC = r"^(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$"
_LIST: Final = pl.List(pl.String)
_MEANT: Final = ("kind", "category", "type", "outcome")
_HALF_YEAR: Final = 182
_LONGEST: Final = 1e9  # seconds, thirty years


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files("sensors") / "watchguard.toml").read_text("utf-8"))


@cache
def _meanings() -> pl.DataFrame:
    """A row for every number that is listed: `number`, and with `meant.` before them the ECS columns."""
    raw = tomllib.loads((files("sensors") / "watchguard_numbers.toml").read_text("utf-8"))
    rows = []
    for words, numbers in raw["meanings"].items():
        categories, types, outcome = (part.strip() for part in words.split("|"))
        for number in (number for area in numbers for number in _spelled(area)):
            alarm = outcome == "unknown" and categories != "configuration"
            kind = "alert" if alarm or number in raw["alerts"] else "event"
            rows.append((number, kind, categories.split(), types.split(), outcome))
    lists = {"category", "type"}
    names = {f"meant.{name}": _LIST if name in lists else pl.String() for name in _MEANT}
    return pl.DataFrame(rows, schema={"number": pl.String(), **names}, orient="row")


def _spelled(area: str) -> Iterator[str]:
    """`1AFF 0001-0003 0009` as the numbers that it stands for."""
    start, *rest = area.split()
    for item in rest:
        first, _, last = item.partition("-")
        for number in range(int(first, 16), int(last or first, 16) + 1):
            yield f"{start}-{number:04X}"


class WatchGuard:
    """The sensor."""

    name = "watchguard"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a syslog server names the file
        """Whether at least half of the lines have the device's time in brackets, and some a number."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        told = sum(bool(_LINE.search(line[:300])) for line in lines)
        return bool(lines) and 2 * told >= len(lines) and any(_NUMBER.search(line[:400]) for line in lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per message; a line of another form with a syslog time keeps its text."""
        clock = syslog.Clock(source)
        for lines in syslog.records(source):
            parts = lines["rest"].str.extract_groups(_HEAD).struct.unnest()
            frame = _dated(lines.hstack(parts.with_columns(parts["body"].fill_null(lines["rest"]))))
            strange = frame["@timestamp"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "neither a syslog time nor a Firebox' own", source)
                frame = frame.filter(~strange)
            if frame.height:
                yield _events(clock.fill(frame))


def _dated(frame: pl.DataFrame) -> pl.DataFrame:
    """The header's time in the year of the device's own; that one (UTC) where the header has none."""
    own = (
        pl.col("own")
        .str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
        .dt.replace_time_zone("UTC")
    )
    years = own.dt.year() - pl.col("@timestamp").dt.year()
    moved = pl.col("@timestamp").dt.offset_by(pl.concat_str(years.cast(pl.String), pl.lit("y")))
    days = (moved - own).dt.total_days()
    near = (
        pl.when(days > _HALF_YEAR)
        .then(moved.dt.offset_by("-1y"))
        .when(days < -_HALF_YEAR)
        .then(moved.dt.offset_by("1y"))
        .otherwise(moved)
    )
    return frame.with_columns(pl.coalesce(near, "@timestamp", own).alias("@timestamp"))


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    body = pl.col("body")
    frame = frame.with_columns(
        pl.coalesce(body.str.extract(pattern, 1) for pattern in patterns).alias(name)
        for name, patterns in _data()["fields"].items()
    )
    frame = frame.hstack(frame["body"].str.extract_groups(_TRAFFIC).struct.unnest())
    traffic = pl.col("disposition").is_not_null()
    frame = ecs.person(frame, "person", "user", "source.user")
    received, sent = (
        pl.col(f"{side}.bytes").cast(pl.Int64, strict=False) for side in ("source", "destination")
    )
    seconds = pl.col("elapsed").cast(pl.Float64, strict=False)
    frame = _meant(frame, traffic).with_columns(
        _place("from", "source.said").alias("source.address"),
        _place("to", "destination.said").alias("destination.address"),
        pl.coalesce("from_port", "port.from").alias("source.port"),
        pl.coalesce("to_port", "port.to").alias("destination.port"),
        pl.col("protocol").replace({"icmpv6": "ipv6-icmp"}).alias("network.transport"),
        pl.coalesce("interface", "in").alias("observer.ingress.interface.name"),
        pl.col("out").alias("observer.egress.interface.name"),
        pl.when(traffic | (pl.col("event.kind") == "alert"))
        .then(body.str.extract(_POLICY, 1))
        .alias("rule.name"),
        pl.when(seconds < _LONGEST)
        .then((seconds * 1e9).round().cast(pl.Int64, strict=False))
        .alias("event.duration"),
        (received + sent).alias("network.bytes"),
        pl.col("network.protocol", "network.application").str.to_lowercase(),
        pl.col("number").alias("event.code"),
        pl.coalesce("event.action", "disposition").str.to_lowercase().alias("event.action"),
        pl.col("event.severity").cast(pl.Int64, strict=False),
        pl.when(pl.col("resolved").is_not_null()).then(pl.concat_list("resolved")).alias("dns.resolved_ip"),
        pl.col("host").alias("observer.hostname"),
        pl.col("host").alias("observer.name"),
        pl.col("host").alias("log.syslog.hostname"),
        pl.col("app").alias("log.syslog.appname"),
        pl.col("serial").alias("observer.serial_number"),
        pl.col("pid").alias("process.pid"),
        pl.when(pl.col("number").is_not_null()).then(0).cast(pl.Int64).alias("form"),
    )
    return message_forms.settled(
        frame.drop("person", "resolved"),
        "watchguard",
        event_dataset="watchguard_firebox.log",
        observer_vendor="WatchGuard",
        observer_product="Firebox",
        observer_type="firewall",
    )


def _place(*names: str) -> pl.Expr:
    """The first of the columns that has one, without the full stop; DHCP's MAC address is no place."""
    place = pl.coalesce(names).str.strip_chars_end(".")
    return pl.when(~place.str.contains(_MAC)).then(place)


def _meant(frame: pl.DataFrame, traffic: pl.Expr) -> pl.DataFrame:
    """`event.kind`, `.category`, `.type` and `.outcome`: as listed, or by area, disposition and words."""
    frame = frame.join(_meanings(), on="number", how="left", maintain_order="left")
    denied = pl.col("disposition") == "Deny"
    refused = pl.when(denied).then(pl.lit("failure"))
    passed = pl.when(traffic).then(pl.lit("success"))
    found = [pl.col(f"meant.{name}").alias(f"event.{name}") for name in _MEANT[:3]]
    frame = frame.with_columns(*found, pl.coalesce(refused, "meant.outcome", passed).alias("event.outcome"))
    strange = frame["meant.kind"].is_null()
    if strange.any():
        guessed = _by_words(frame.filter(strange), traffic)
        frame = pl.concat([frame.filter(~strange), guessed], how="diagonal").sort("log.offset")
    return frame.drop(f"meant.{name}" for name in _MEANT)


def _by_words(frame: pl.DataFrame, traffic: pl.Expr) -> pl.DataFrame:
    """The same for messages whose number is not listed."""
    category: pl.Expr = pl.lit(None, _LIST)
    kind: pl.Expr = pl.lit(None, _LIST)
    for start, (categories, types) in sorted(_data()["areas"].items(), key=lambda area: len(area[0])):
        fits = pl.col("number").str.starts_with(start)
        category = pl.when(fits).then(pl.lit(categories.split(), _LIST)).otherwise(category)
        kind = pl.when(fits).then(pl.lit(types.split(), _LIST)).otherwise(kind)
    alarm = ~traffic & pl.col("body").str.contains(_ALARM)
    attack = alarm & pl.col("body").str.contains(r"(?i)attack|DDOS|flood|scan|spoof")
    failed = pl.col("body").str.contains(_FAILED)
    said = pl.when(failed).then(pl.lit("failure")).otherwise(pl.lit("success"))
    return frame.with_columns(
        pl.when(alarm).then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        pl.when(attack)
        .then(pl.lit(["intrusion_detection"], _LIST))
        .otherwise(pl.coalesce(category, pl.lit(["network"], _LIST)))
        .alias("event.category"),
        pl.when(traffic & (pl.col("disposition") == "Deny"))
        .then(pl.lit(["denied", "info"], _LIST))
        .when(traffic)
        .then(pl.lit(["info", "allowed"], _LIST))
        .otherwise(kind)
        .alias("event.type"),
        pl.when(alarm)
        .then(pl.lit("unknown"))
        .otherwise(pl.coalesce("event.outcome", said))
        .alias("event.outcome"),
    )


SENSOR: Final = WatchGuard()
