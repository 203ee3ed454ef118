"""SonicOS' keys to ECS columns, and what its event numbers mean."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl

from sensors.reading import key_value, syslog
from sensors.values import connection, ecs

# `192.0.2.1:443:X1:host.example`; the address is missing where `srcV6` has it.
_END: Final = r"^(?P<ip>[^:]*)(?::(?P<port>[0-9]*)(?::(?P<interface>[^:]*)(?::(?P<host>.*))?)?)?$"
_NAT: Final = (
    r"^(?:(?P<ip>[0-9.]+)(?::+(?P<port>[0-9]+))?|\[(?P<ip6>[0-9a-fA-F:.]+)\]:(?P<port6>[0-9]+)"
    r"|(?P<bare>[0-9a-fA-F:.]+))(?::.*)?$"
)
_LEVELS: Final = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
_METHODS: Final = {"1": "GET", "2": "POST", "3": "HEAD"}
_SIDES: Final = (("source", "src", "Src", "ingress"), ("destination", "dst", "Dst", "egress"))
_LONGEST: Final = 10 * 366 * 86_400_000  # milliseconds; what claims to have lasted longer is a slip
_NANOSECONDS: Final = 1_000_000  # in a millisecond
_LIST: Final = pl.List(pl.String)


@cache
def data() -> dict[str, Any]:
    """The tables of `meanings.toml`."""
    return tomllib.loads((files("sensors.sonicwall") / "meanings.toml").read_text("utf-8"))


@cache
def _kinds() -> pl.DataFrame:
    """One row per event number, with the number of its kind."""
    return pl.DataFrame(
        [
            {"event.code": code, "kind": number}
            for number, kind in enumerate(data()["kind"])
            for code in kind["ids"].split()
        ]
    )


def value(frame: pl.DataFrame, *keys: str) -> pl.Expr:
    """The first of these keys that a line has, as text; null if it is empty."""
    found = key_value.first(frame, *(f"kv.{key}" for key in keys))
    return pl.when(found != "").then(found)


def mapped(frame: pl.DataFrame) -> pl.DataFrame:
    """The ECS columns of lines with their keys."""
    tables = data()
    frame = frame.with_columns(
        *syslog.common(frame),
        *(value(frame, *keys).alias(name) for name, keys in tables["columns"].items()),
        *(
            value(frame, *keys).cast(pl.Int64, strict=False).alias(name)
            for name, keys in tables["numbers"].items()
        ),
        *(
            pl.col(f"kv.{key}").alias(f"sonicwall.firewall.{key}")
            for key in tables["vendor"]["keys"]
            if f"kv.{key}" in frame.columns
        ),
    )
    frame = _ends(frame)
    frame = _rest(frame)
    frame = _meaning(frame)
    return ecs.relations(
        frame,
        ip=("source.ip", "source.nat.ip", "destination.ip", "destination.nat.ip", "observer.address"),
        user=("user.name",),
        hosts=("source.domain", "destination.domain"),
    )


def _ends(frame: pl.DataFrame) -> pl.DataFrame:
    for side, key, nat, way in _SIDES:
        parts = frame.with_columns(
            value(frame, key).str.extract_groups(_END).alias("end"),
            value(frame, f"nat{nat}", f"nat{nat}V6").str.extract_groups(_NAT).alias("lent"),
        )
        end, lent = parts["end"].struct.unnest(), parts["lent"].struct.unnest()
        frame = frame.with_columns(
            end["port"].cast(pl.Int64, strict=False).alias(f"{side}.port"),
            end["interface"].alias(f"observer.{way}.interface.name"),
            end["host"].alias(f"{side}.domain"),
            lent.select(pl.coalesce("ip", "ip6", "bare").alias("lent"))["lent"].alias(f"{side}.nat.ip"),
            lent.select(pl.coalesce("port", "port6").cast(pl.Int64, strict=False).alias("lent"))[
                "lent"
            ].alias(f"{side}.nat.port"),
            end["ip"].alias("written"),
        )
        frame = frame.with_columns(
            pl.coalesce(value(frame, f"{key}V6"), value(frame, key), "written").alias("whole")
        ).with_columns(
            pl.when(ecs.is_ip(pl.col("whole"))).then("whole").otherwise("written").alias("written"),
            value(frame, f"{key}Mac").str.to_uppercase().str.replace_all(":", "-").alias(f"{side}.mac"),
        )
        frame = frame.with_columns(
            pl.when(ecs.is_ip(pl.col("written"))).then("written").alias(f"{side}.ip"),
            pl.when(ecs.is_ip(pl.col(f"{side}.nat.ip"))).then(f"{side}.nat.ip").alias(f"{side}.nat.ip"),
        )
    return frame


def _rest(frame: pl.DataFrame) -> pl.DataFrame:
    """The firewall, the person, protocols, amounts, and what was fetched."""
    person = value(frame, "usr", "user")
    frame = frame.with_columns(raw_user=pl.when(~person.str.contains("^Unknown(?: |$)")).then(person))
    frame = ecs.person(frame, "raw_user", "source.user", "user")
    sender = pl.col("rest").str.extract(r"^([0-9.]{7,15}|[0-9a-fA-F:]*:[0-9a-fA-F:]+) +id=", 1)
    fw = value(frame, "fw")
    proto = value(frame, "proto").str.to_lowercase()
    served = proto.str.extract("^[^/]*/(.*)$", 1)
    words, note = value(frame, "msg").str.strip_chars(" "), value(frame, "note")
    lasted = pl.coalesce(
        value(frame, "cdur").cast(pl.Int64, strict=False),
        value(frame, "dur").cast(pl.Int64, strict=False) * 1000,
    )
    fetched, site = value(frame, "arg"), value(frame, "dstname")
    method = value(frame, "op")
    frame = frame.with_columns(
        pl.when(ecs.is_ip(sender)).then(sender).alias("host.ip"),
        pl.when(ecs.is_ip(fw)).then(fw).alias("observer.address"),
        pl.when(ecs.is_ip(fw)).then(fw).alias("observer.ip"),
        pl.when(~ecs.is_ip(fw)).then(fw).alias("observer.hostname"),
        proto.str.extract("^([^/]+)", 1).alias("network.transport"),
        pl.when(~served.str.contains(r"^[0-9.]*$")).then(served).alias("network.protocol"),
        pl.sum_horizontal("source.bytes", "destination.bytes").alias("network.bytes"),
        pl.sum_horizontal("source.packets", "destination.packets").alias("network.packets"),
        (pl.when(lasted.is_between(0, _LONGEST)).then(lasted) * _NANOSECONDS).alias("event.duration"),
        pl.when(words.is_not_null() & note.is_not_null())
        .then(pl.concat_str(words, pl.lit(" ("), note, pl.lit(")")))
        .otherwise(pl.coalesce(words, note))
        .alias("message"),
        pl.col("event.severity")
        .cast(pl.String)
        .replace_strict(
            {str(n): name for n, name in enumerate(_LEVELS)}, default=None, return_dtype=pl.String
        )
        .alias("log.level"),
        fetched.alias("url.path"),
        pl.when(fetched.is_not_null()).then(site).alias("url.domain"),
        pl.when(fetched.is_null()).then(site).alias("sonicwall.firewall.dstname"),
        pl.coalesce(
            method.replace_strict(_METHODS, default=None, return_dtype=pl.String),
            pl.when(method.str.contains("^[A-Z]{3,}$")).then(method),
        ).alias("http.request.method"),
        value(frame, "gcat")
        .replace_strict(data()["groups"], default=None, return_dtype=pl.String)
        .alias("sonicwall.firewall.event_group_category"),
    )
    scheme = pl.when(pl.col("url.path").is_not_null()).then("network.protocol")
    frame = frame.with_columns(
        *(
            pl.when(pl.col(f"source.{unit}").is_not_null() | pl.col(f"destination.{unit}").is_not_null())
            .then(f"network.{unit}")
            .alias(f"network.{unit}")
            for unit in ("bytes", "packets")
        ),
        scheme.alias("url.scheme"),
        pl.when(pl.col("url.domain").is_not_null())
        .then(
            pl.concat_str(
                (scheme + ":").fill_null(""), pl.lit("//"), "url.domain", pl.col("url.path").fill_null("")
            )
        )
        .alias("url.full"),
        pl.coalesce("destination.domain", "url.domain").alias("destination.domain"),
        connection.direction().alias("network.direction"),
        pl.when(pl.col("event.duration").is_not_null())
        .then(pl.col("@timestamp") - pl.duration(milliseconds=lasted))
        .alias("event.start"),
    )
    return connection.described(frame)


def _meaning(frame: pl.DataFrame) -> pl.DataFrame:
    """By the event's number, or else the words of its message, or else what was done with the packet."""
    kinds = data()["kind"]
    frame = frame.join(_kinds(), on="event.code", how="left", maintain_order="left")
    words = pl.col("message").str.to_lowercase()
    by_words: pl.Expr = pl.lit(None, pl.Int64)
    for number, kind in reversed(list(enumerate(kinds))):
        if "words" in kind:
            by_words = pl.when(words.str.contains(kind["words"])).then(pl.lit(number)).otherwise(by_words)
    done = value(frame, "fw_action").replace_strict(data()["packets"], default=None, return_dtype=pl.String)
    frame = frame.with_columns(done=done, kind=pl.coalesce("kind", pl.when(done.is_null()).then(by_words)))
    rows = [
        {
            "kind": number,
            "event.action": kind["action"],
            "event.kind": kind.get("event", "event"),
            "event.category": kind["category"],
            "event.type": kind["type"],
            "event.outcome": kind["outcome"],
        }
        for number, kind in enumerate(kinds)
    ]
    table = pl.DataFrame(rows, schema_overrides={"kind": pl.Int64})
    frame = frame.with_columns(pl.col("kind").cast(pl.Int64)).join(
        table, on="kind", how="left", maintain_order="left"
    )
    dropped = pl.lit(["denied"], _LIST)
    return frame.with_columns(
        pl.coalesce("event.action", "done").alias("event.action"),
        pl.col("event.kind").fill_null("event"),
        pl.coalesce("event.category", pl.lit(["network"], _LIST)).alias("event.category"),
        pl.coalesce(
            "event.type", pl.when(pl.col("done") == "packet-dropped").then(dropped), pl.lit(["info"], _LIST)
        ).alias("event.type"),
        pl.when(pl.col("event.code").is_null()).then("text").alias("event.original"),
        pl.lit("sonicwall_firewall.log").alias("event.dataset"),
        pl.lit("SonicWall").alias("observer.vendor"),
        pl.lit("SonicOS").alias("observer.product"),
        pl.lit("firewall").alias("observer.type"),
    )
