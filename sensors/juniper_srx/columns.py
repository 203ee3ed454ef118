"""From the structured data and texts of SRX messages to ECS columns, by `fields.toml` beside this file."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl

from sensors.shapes.message_forms import with_columns_for
from sensors.values import ecs

_LIST: Final = pl.List(pl.String)
_NONE: Final = ("N/A", "None", "UNKNOWN", "unknown", "")
_LEVELS: Final = dict(
    enumerate(
        ("emergency", "alert", "critical", "error", "warning", "notification", "informational", "debug")
    )
)
_BY_NUMBER: Final = {number: name for name, number in ecs.PROTOCOLS.items()}
# What a screen found, by a word of the attack's name.
_SCREENS: Final = {
    "sweep": "sweep_detected", "scan": "scan_detected", "flood": "flood_detected",
    "tunnel": "tunneling_screen",
    "session limit": "session_limit_detected", "spoof": "spoofing_detected", "fragment": "fragment_detected",
    "flag": "illegal_tcp_flag_detected", "fin": "illegal_tcp_flag_detected", "attack": "attack_detected",
}  # fmt: skip
_STOPPED: Final = ("BLOCK", "DROP", "DENY", "CLOSE", "REJECT")
_SECOND: Final = 1_000_000_000


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files("sensors.juniper_srx") / "fields.toml").read_text("utf-8"))


def derived(frame: pl.DataFrame) -> pl.DataFrame:
    """The ECS columns of messages whose header and plain text were taken apart."""
    frame = _meant(_valued(frame))
    transport = pl.col("network.iana_number").replace_strict(_BY_NUMBER, default=None, return_dtype=pl.String)
    seconds = pl.col("elapsed").cast(pl.Int64, strict=False)
    lasted = pl.when(seconds >= 0).then(seconds * _SECOND)
    flow = pl.col("app") == "RT_FLOW"
    ruled = pl.col("app").is_in(["RT_FLOW", "RT_UTM"])
    ssh = pl.col("ssh")  # `198.51.100.4 41000 192.0.2.1 22`
    packets, total = _sum("packets"), _sum("bytes")
    frame = frame.with_columns(
        pl.coalesce("source.address", ssh.str.extract(r"^(\S+) ", 1)).str.strip_chars(" "),
        pl.coalesce("source.port", ssh.str.extract(r"^\S+ ([0-9]+) ", 1)),
        pl.col("destination.address").str.strip_chars(" "),
        pl.coalesce(transport, "transport").alias("network.transport"),
        lasted.alias("event.duration"),
        pl.when(lasted.is_not_null()).then("@timestamp").alias("event.end"),
        pl.when(lasted.is_not_null())
        .then(pl.col("@timestamp") - pl.duration(nanoseconds=lasted))
        .alias("event.start"),
        pl.when(flow).then(packets).alias("network.packets"),
        pl.when(flow).then(total).alias("network.bytes"),
        pl.when(ruled).then("policy_name").otherwise("rulebase_name").alias("rule.name"),
        pl.when(~ruled).then("rule_name").alias("rule.id"),
        pl.col("tag").alias("juniper.srx.tag"),
        pl.col("tag").alias("event.code"),
        pl.col("priority").alias("event.severity"),
        (pl.col("priority") % 8)
        .replace_strict(_LEVELS, default=None, return_dtype=pl.String)
        .alias("log.level"),
        pl.col("host").alias("observer.name"),
        pl.col("host").alias("observer.hostname"),
        pl.col("app").alias("process.name"),
        pl.col("pid").alias("process.pid"),
    )
    return frame.with_columns(
        pl.col(f"{side}.{part}").alias(f"{other}.{part}")
        for side, other in (("source", "client"), ("destination", "server"))
        for part in ("address", "port", "bytes", "packets", "nat.port")
    )


def _valued(frame: pl.DataFrame) -> pl.DataFrame:
    """A column for every name of the table: the first of its keys in the structured data or the text."""
    fields: dict[str, list[str]] = _data()["fields"]
    extra = ("policy_name", "rule_name", "rulebase_name", "transport")
    frame = with_columns_for(frame, *extra)
    data = frame["data"]
    there = data.drop_nulls().str.extract_all(r'[A-Za-z0-9-]+="').explode(empty_as_null=False).unique()
    keys = {key.removesuffix('="').replace("-", "_") for key in there}

    def value(key: str) -> pl.Series:
        found = pl.Series(key, [None] * frame.height, dtype=pl.String)
        if key in keys:
            spelt = key.replace("_", "[-_]")
            found = data.str.extract(rf'[ \[]{spelt}="((?:[^"\\]|\\.)*)"', 1)
            found = found.str.replace_all(r"\\([\]\"\\])", "${1}").str.strip_chars(" ")
        if key in frame.columns:
            found = found.fill_null(frame[key])
        return found.set(found.is_in(list(_NONE)), None)

    made = []
    for name, names in fields.items():
        column = value(names[0])
        for key in names[1:]:
            if key in keys or key in frame.columns:
                column = column.fill_null(value(key))
        if name in frame.columns:
            column = column.fill_null(frame[name])
        made.append(column.alias(name))
    return frame.with_columns(*made, *(value(name).alias(name) for name in extra))


def _meant(frame: pl.DataFrame) -> pl.DataFrame:
    """`event.kind`, `.category`, `.type`, `.action`, `.outcome` by tag; a feed that blocked is an alert."""
    distinct = frame.select(pl.col("tag").unique().drop_nulls())
    chosen: dict[str, pl.Expr] = {}
    for name in ("action", "kind", "outcome", "category", "type"):
        kind = _LIST if name in ("category", "type") else pl.String()
        chain: pl.Expr = pl.lit(None, kind)
        for entry in reversed(_data()["tags"]):
            given = entry.get(name)
            then = pl.lit(given, kind) if given is not None else pl.lit(None, kind)
            chain = pl.when(pl.col("tag").str.contains(entry["tag"])).then(then).otherwise(chain)
        chosen[f"tag.{name}"] = chain
    chosen["tag.known"] = pl.any_horizontal(
        pl.col("tag").str.contains(entry["tag"]) for entry in _data()["tags"]
    )
    meanings = distinct.with_columns(**chosen)
    frame = frame.join(meanings, on="tag", how="left", maintain_order="left")
    feed = pl.col("tag").str.contains("^(?:AAMW_ACTION|SECINTEL_ACTION)")
    stopped = feed & pl.col("juniper.srx.action").str.to_uppercase().is_in(_STOPPED)
    attack = pl.col("juniper.srx.attack_name").str.to_lowercase()
    screen: pl.Expr = pl.col("tag.action")
    for word, action in reversed(list(_SCREENS.items())):
        screen = pl.when(attack.str.contains(word, literal=True)).then(pl.lit(action)).otherwise(screen)
    screened = pl.col("tag").str.starts_with("RT_SCREEN")
    bad = {"category": ["network", "malware"], "type": ["info", "denied", "connection"]}
    return frame.with_columns(
        pl.when(stopped)
        .then(pl.lit("alert"))
        .otherwise(pl.coalesce("tag.kind", "event.kind"))
        .alias("event.kind"),
        *(
            pl.when(stopped)
            .then(pl.lit(words, _LIST))
            .otherwise(pl.coalesce(f"tag.{name}", f"event.{name}"))
            .alias(f"event.{name}")
            for name, words in bad.items()
        ),
        pl.when(stopped)
        .then(pl.lit("malware_detected"))
        .when(screened)
        .then(screen)
        .otherwise(pl.coalesce("tag.action", "event.action"))
        .alias("event.action"),
        pl.coalesce("tag.outcome", "event.outcome").alias("event.outcome"),
        pl.when(pl.col("tag.known").fill_null(value=False))
        .then(0)
        .otherwise("form")
        .cast(pl.Int64)
        .alias("form"),
    ).with_columns(pl.coalesce("event.category", pl.lit(["network"], _LIST)).alias("event.category"))


def _sum(part: str) -> pl.Expr:
    return pl.col(f"source.{part}").cast(pl.Int64, strict=False) + pl.col(f"destination.{part}").cast(
        pl.Int64, strict=False
    )
