"""From the parts of ASA messages, as `forms.py` names them, to ECS columns."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading import syslog
from sensors.schema import TIME
from sensors.values import ecs
from sensors.values.url import url_columns

_NANOSECONDS: Final = 1_000_000_000
_LONGEST: Final = 10 * 366 * 86_400  # seconds; what claims to have lasted longer is a slip or a trick
_DURATION = r"^(?:(?P<d>[0-9]+)d )?(?P<h>[0-9]+)h?:(?P<m>[0-9]+)m?:(?P<s>[0-9]+)s?$"
_SIDES: Final = ("destination", "source")
_LEVELS: Final = dict(
    enumerate(
        ("emergency", "alert", "critical", "error", "warning", "notification", "informational", "debug")
    )
)
_STOP = r"^ ?(?P<reason>[^(]*?)(?: from (?P<initiator>[^\s(]+))?(?: ?\((?P<login>[^)]*)\))? ?$"
_SGT = r"(?:^|, ?)[0-9]+(?::[^,]*)?$"  # security group tag, alone or after a user: `9999:name`
_TRANSPORTS: Final = {"icmpv6": "ipv6-icmp", "ip": None}  # "IP" is no transport
_CLIENT_PORTS: Final = 32_768  # the lowest port a present-day system takes for itself
_SERVER_PORTS: Final = 1_024


def derived(frame: pl.DataFrame) -> pl.DataFrame:
    """The ECS columns that all messages share, from whatever parts this batch has."""
    frame = _clean(frame)
    frame = _sides(frame)
    frame = _people(frame)
    frame = _times(frame)
    frame = _details(frame)
    return ecs.relations(
        frame,
        ip=("source.ip", "source.nat.ip", "destination.ip", "destination.nat.ip", "former"),
        user=(
            "user.name",
            "server.user.name",
            "source.user.name",
            "destination.user.name",
            "user.target.name",
        ),
        hosts=("host.hostname", *(f"{side}.{part}" for part in ("domain", "user.domain") for side in _SIDES)),
    )


def _clean(frame: pl.DataFrame) -> pl.DataFrame:
    """Without text of no length, which a form's optional part may give."""
    return frame.with_columns(
        pl.when(pl.col(name) != "").then(name)
        for name in ("one.address", "two.address", "person", "event.reason", "assigned")
        if name in frame.columns
    )


def _present(frame: pl.DataFrame, *names: str) -> list[str]:
    return [name for name in names if name in frame.columns]


def _sides(frame: pl.DataFrame) -> pl.DataFrame:
    """`source.*` and `destination.*` of the two ends.

    A connection that was built outbound is listed with its destination first; so is one that is torn down,
    though it does not say which way it went: there the end with the server's port is the destination, and
    `direction` is among what was guessed.
    """
    missing = [
        name for name in ("one.address", "two.address", "one.port", "two.port") if name not in frame.columns
    ]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing).with_columns(
        pl.col("one.port", "two.port").cast(pl.Int64, strict=False)
    )
    stated, torn = _listed_backwards(frame)
    if torn.any():
        frame = syslog.guessed(frame, torn, "direction")
    swapped = stated | torn
    turned = swapped.any()
    expressions: list[pl.Expr] = []
    for side, near, far in (("source", "one", "two"), ("destination", "two", "one")):
        for part, name in (
            ("address", f"{side}.address"),
            ("port", f"{side}.port"),
            ("interface", f"observer.{'ingress' if side == 'source' else 'egress'}.interface.name"),
            ("mapped", f"{side}.mapped"),
            ("mapped_port", f"{side}.mapped_port"),
            ("user", f"{side}.raw_user"),
            ("named", f"{side}.raw_name"),
        ):
            if turned and (there := _present(frame, f"{near}.{part}", f"{far}.{part}")):
                kept = pl.col(f"{near}.{part}") if f"{near}.{part}" in there else pl.lit(None)
                other = pl.col(f"{far}.{part}") if f"{far}.{part}" in there else pl.lit(None)
                expressions.append(pl.when(swapped).then(other).otherwise(kept).alias(name))
            elif f"{near}.{part}" in frame.columns:
                expressions.append(pl.col(f"{near}.{part}").alias(name))
    frame = frame.with_columns(expressions)
    frame = frame.with_columns(*ecs.address("source"), *ecs.address("destination"))
    return frame.with_columns(_translated(frame))


def _listed_backwards(frame: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Which rows name the end that answers first: those that say so, and those whose ports do."""
    if "direction" not in frame.columns:
        frame = frame.with_columns(direction=pl.lit(None, pl.String))
    code = pl.col("event.code")
    first, second = pl.col("one.port"), pl.col("two.port")
    serving = ((first < _SERVER_PORTS) & (second >= _SERVER_PORTS)) | (
        (first < _CLIENT_PORTS) & (second >= _CLIENT_PORTS)
    )
    built = code.is_in(["302013", "302015", "302017", "302035"]) & (pl.col("direction") == "outbound")
    pinged = (code == "302020") & (pl.col("direction") == "inbound")
    torn = code.is_in(["302014", "302016", "302018", "302036"]) & serving
    found = frame.select(stated=(built | pinged).fill_null(value=False), torn=torn.fill_null(value=False))
    return found["stated"], found["torn"]


def _translated(frame: pl.DataFrame) -> list[pl.Expr]:
    """`nat.*` where the firewall translates: it writes the mapped address of every connection.

    The address that a VPN session is given inside is the person's translated one.
    """
    found: dict[str, pl.Expr] = {}
    for side in ("source", "destination"):
        if f"{side}.mapped" in frame.columns:
            mapped = pl.col(f"{side}.mapped")
            changed = (mapped != pl.col(f"{side}.address")) & ecs.is_ip(mapped)
            found[f"{side}.nat.ip"] = pl.when(changed).then(mapped)
        if f"{side}.mapped_port" in frame.columns:
            port = pl.col(f"{side}.mapped_port").cast(pl.Int64, strict=False)
            found[f"{side}.nat.port"] = pl.when(port != pl.col(f"{side}.port")).then(port)
    for name in _present(frame, "assigned", "assigned_v6"):
        inside = pl.when(ecs.is_ip(pl.col(name)) & ~pl.col(name).is_in(ecs.NOWHERE)).then(name)
        before = found.get("source.nat.ip")
        found["source.nat.ip"] = inside if before is None else pl.coalesce(before, inside)
    return [value.alias(name) for name, value in found.items()]


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """`source.user.*`, `destination.user.*`, and `user.*` for whoever the message is about."""
    if "stop" in frame.columns:
        reasons = frame.select(pl.col("stop").unique().drop_nulls())  # few, but for the users in some
        known = reasons.hstack(reasons["stop"].str.extract_groups(_STOP).struct.unnest())
        stop = frame.select("stop").join(known, on="stop", how="left", maintain_order="left")
        frame = frame.with_columns(
            _either(frame, stop["login"], "login"),
            _either(frame, stop["reason"], "event.reason"),
            stop["initiator"].alias("cisco.asa.termination_initiator"),
        )
    frame = frame.with_columns(
        pl.col(name).str.replace(_SGT, "")
        for name in _present(frame, "source.raw_user", "destination.raw_user")
    )
    named = [*_present(frame, "person", "source.raw_user", "source.raw_name", "login")]
    if named:
        raw = pl.coalesce(pl.when(pl.col(name) != "").then(name) for name in named)
        frame = ecs.person(frame.with_columns(raw.alias("raw")), "raw", "source.user", "user")
    there = _present(frame, "destination.raw_user", "destination.raw_name")
    if there:
        raw = pl.coalesce(pl.when(pl.col(name) != "").then(name) for name in there)
        frame = ecs.person(frame.with_columns(raw.alias("raw")), "raw", "destination.user")
    if "admin" in frame.columns:
        frame = ecs.person(frame, "admin", "server.user")
        frame = frame.with_columns(_either(frame, frame["server.user.name"], "user.name"))
    if "client.user.name" in frame.columns:
        frame = frame.with_columns(_either(frame, frame["client.user.name"], "user.name"))
    if "target" in frame.columns:
        frame = frame.with_columns(pl.col("target").alias("user.target.name"))
    if "group" in frame.columns:
        frame = frame.with_columns(
            pl.when(pl.col("group") != "").then("group").alias("source.user.group.name")
        )
    return frame


def _either(frame: pl.DataFrame, first: pl.Series, name: str) -> pl.Expr:
    """`name`, or where it is null or absent the values of `first` (text of no length is null)."""
    value = pl.lit(first).replace("", None)
    return (pl.coalesce(name, value) if name in frame.columns else value).alias(name)


def _times(frame: pl.DataFrame) -> pl.DataFrame:
    """`event.duration` in nanoseconds, `event.end` (when the message was written) and `event.start`."""
    lasted = pl.Series("seconds", [None] * frame.height, dtype=pl.Int64)
    if "duration" in frame.columns:
        parts = frame["duration"].str.extract_groups(_DURATION).struct.unnest()
        day, hour, minute, second = (parts[unit].cast(pl.Int64, strict=False) for unit in "dhms")
        lasted = day.fill_null(0) * 86_400 + hour * 3_600 + minute * 60 + second
    if "seconds" in frame.columns:
        lasted = lasted.fill_null(frame["seconds"])
    if lasted.null_count() == frame.height:
        return frame
    lasted = lasted.set(~lasted.is_between(0, _LONGEST), None)
    began = pl.col("began") if "began" in frame.columns else pl.lit(None, TIME)
    after = pl.duration(seconds="lasted")
    known = pl.col("lasted").is_not_null()
    return frame.with_columns(lasted.alias("lasted")).with_columns(
        (pl.col("lasted") * _NANOSECONDS).alias("event.duration"),
        pl.coalesce(began, pl.col("@timestamp") - after).alias("event.start"),
        pl.when(known).then(pl.coalesce(began + after, "@timestamp")).alias("event.end"),
    )


def _bytes_of_sessions(frame: pl.DataFrame) -> list[pl.Expr]:
    """The gateway counts from its own side: what it received, the person sent."""
    return [
        pl.coalesce(*_present(frame, side), pl.col(counted).cast(pl.Int64, strict=False)).alias(side)
        for side, counted in (("source.bytes", "received"), ("destination.bytes", "sent"))
        if counted in frame.columns
    ]


def _details(frame: pl.DataFrame) -> pl.DataFrame:
    """What few messages have: transport, bytes, URLs, TLS, DNS."""
    columns: list[pl.Expr] = [
        pl.col("event.severity")
        .replace_strict(_LEVELS, default=None, return_dtype=pl.String)
        .alias("log.level")
    ]
    have = set(frame.columns)
    if "network.transport" in have:
        transport = pl.col("network.transport").str.to_lowercase().replace(_TRANSPORTS)
        number = transport.replace_strict(ecs.PROTOCOLS, default=None, return_dtype=pl.String)
        stated = pl.col("network.iana_number") if "network.iana_number" in have else pl.lit(None, pl.String)
        names = {number: name for name, number in ecs.PROTOCOLS.items()}
        columns += [
            pl.coalesce(transport, stated.replace_strict(names, default=None, return_dtype=pl.String)).alias(
                "network.transport"
            ),
            pl.coalesce(number, stated).alias("network.iana_number"),
        ]
    columns += [
        pl.col(name).str.to_lowercase() for name in _present(frame, "network.protocol", "network.type")
    ]
    if {"source.bytes", "destination.bytes"} <= have:
        both = (pl.col("source.bytes") + pl.col("destination.bytes")).cast(pl.String)
        columns.append(pl.coalesce(*_present(frame, "network.bytes"), both).alias("network.bytes"))
    if "direction" in have:
        columns.append(pl.col("direction").str.to_lowercase().alias("network.direction"))
    columns += _bytes_of_sessions(frame)
    if "caller" in have:
        caller = pl.col("caller")
        ip = pl.when(ecs.is_ip(caller)).then(caller)
        columns += [pl.coalesce(f"source.{part}", ip).alias(f"source.{part}") for part in ("address", "ip")]
    if "tls_protocol" in have:
        tls = pl.col("tls_protocol")
        columns += [
            tls.str.extract(r"^([A-Za-z]+)", 1).str.to_lowercase().alias("tls.version_protocol"),
            tls.str.extract(r"v([0-9.]+)$", 1).alias("tls.version"),
        ]
    if "listed" in have:
        for side in ("source", "destination"):
            name = pl.when(
                (pl.col("listed_side") == side) & ~pl.col("listed").str.contains(r"^[0-9./:]+$")
            ).then("listed")
            columns.append(pl.coalesce(name, f"{side}.domain").alias(f"{side}.domain"))
    if "cisco.asa.dap_attribute" in have:
        attribute, value = pl.col("cisco.asa.dap_attribute"), pl.col("cisco.asa.dap_value")
        columns.append(
            pl.when(attribute.str.contains(r"(?i)\.hostname$|\.devicecomputername$"))
            .then(value)
            .alias("host.name")
        )
    frame = frame.with_columns(columns)
    return url_columns(frame) if "url.original" in have else frame
