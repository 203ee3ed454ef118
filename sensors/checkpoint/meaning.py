"""From Check Point's log fields to ECS columns."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import cef
from sensors.checkpoint.reading import tables
from sensors.reading import syslog
from sensors.schema import TIME
from sensors.shapes.mapping import flags
from sensors.values import connection, ecs, text_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensors.sensor import Source

_NANOSECONDS: Final = 1_000_000_000
_LONGEST: Final = 10 * 366 * 86_400  # seconds
_ALLOWED: Final = ("Accept", "Allow")
_DENIED: Final = ("Drop", "Reject", "Block", "Prevent")
_NOTED: Final = ("Detect", "Prevent")
_ALERTS: Final = ("Prevent", "Detect", "Quarantine")
_LOGINS: Final = ("Log In", "Log Out", "Failed Log In")
_SEVERITY: Final = {"informational": 0, "low": 1, "medium": 2, "high": 3, "critical": 4, "very-high": 4}
_HASHES: Final = {32: "md5", 40: "sha1", 64: "sha256"}
_REFUSED: Final = r"^Administrator failed to log in: (.+)$"
# "Full Name (login)", as Identity Awareness and the VPN blade write people of a directory.
_DIRECTORY: Final = r"^(?P<full_name>[^()]+?) *\((?P<login>[^()\s]+)\)$"
_ADMINISTRATORS: Final = r"^Administrator (?:Login|Logout|Expert Shell login)$"


def mapped(lines: pl.DataFrame, values: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The events of the lines; `@timestamp` is null where neither field nor header says one."""
    keyed = values.rename(lambda name: f"={name}")  # fields may be called as columns of ours are
    frame = lines.hstack(keyed).hstack(_typed(values, source))
    frame = frame.with_columns(
        *_time(frame, values, source), *_places(frame), *_header(frame), *_hashes(frame)
    )
    frame = frame.with_columns(_acts(frame))
    frame = _people(frame)
    frame = connection.described(_relations(frame))
    return frame.with_columns(
        pl.col(f"={name}").alias(f"checkpoint.{name}")
        for name in values.columns
        if name not in _homes() and not name.endswith("label")
    )


@cache
def _homes() -> frozenset[str]:
    """Fields whose values ECS columns hold, or that nobody asks for."""
    kinds = ("text", "direction", "long", "time", "ip", "mac", "lists")
    held = {field for kind in kinds for fields in tables()[kind].values() for field in fields}
    kept = {"rule_action", "reason", "subject", "malware_action", "operation"}
    return frozenset((held | set(tables()["dropped"]["fields"]) | {"domain_name", "severity_word"}) - kept)


def _has(frame: pl.DataFrame, name: str) -> pl.Expr:
    if name in frame.columns:
        return pl.col(name)
    return pl.repeat(None, pl.len(), dtype=pl.String)  # as high as the frame, which a literal is not


def _key(frame: pl.DataFrame, name: str) -> pl.Expr:
    return _has(frame, f"={name}")


def _typed(values: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The ECS columns that are one field's value, in their type."""
    parsed: dict[str, Callable[[pl.Series], pl.Series]] = {
        "text": lambda column: column,
        "ip": lambda column: column,
        "lists": lambda column: column,
        "direction": lambda column: column.replace({"0": "inbound", "1": "outbound"}),  # CEF has numbers
        "long": text_values.whole,
        "time": lambda column: cef.moments(column, source),
        "mac": lambda column: column.str.to_uppercase().str.replace_all(":", "-", literal=True),
    }
    made = []
    for kind, parse in parsed.items():
        for name, fields in tables()[kind].items():
            found = [parse(values[field]) for field in fields if field in values.columns]
            if found:
                made.append(pl.select(pl.coalesce(found)).to_series().alias(name))
    return pl.DataFrame(made) if made else pl.DataFrame(height=values.height)


def _time(frame: pl.DataFrame, values: pl.DataFrame, source: Source) -> list[pl.Expr]:
    """The field `time`, or else the header's; and how long it took."""
    elapsed = _key(frame, "elapsed").cast(pl.Int64, strict=False)
    duration = pl.when(elapsed.is_between(0, _LONGEST)).then(elapsed * _NANOSECONDS).alias("event.duration")
    if "time" not in values.columns:
        return [duration]
    said = cef.moments(values["time"], source)
    return [
        duration,
        pl.coalesce(pl.lit(said), pl.col("@timestamp")).cast(TIME).alias("@timestamp"),
        pl.when(pl.lit(said.is_null())).then("molehunt.guess").alias("molehunt.guess"),
    ]


def _places(frame: pl.DataFrame) -> list[pl.Expr]:
    """Addresses, and none where Check Point writes a name or zeros."""
    return [
        pl.when(ecs.is_ip(pl.col(name)) & ~pl.col(name).is_in(ecs.NOWHERE)).then(name).alias(name)
        for name in tables()["ip"]
        if name in frame.columns
    ] + [
        pl.when(pl.col(name) > 0).then(name).alias(name)
        for name in ("source.nat.port", "destination.nat.port")
        if name in frame.columns
    ]


def _header(frame: pl.DataFrame) -> list[pl.Expr]:
    proto = _key(frame, "proto").str.to_lowercase()
    number = proto.str.extract(r"^(\d{1,3})$", 1)
    operation, machine = _key(frame, "operation"), _key(frame, "machine")
    shell = (_key(frame, "product") == "Expert Shell") & (operation == "Log In")
    inbound = _has(frame, "network.direction") == "inbound"
    interface = _key(frame, "ifname")
    there = operation.is_in(_LOGINS) & (machine != "localhost")
    domain = _key(frame, "domain_name")
    directory = _key(frame, "identity_type").is_not_null() | (operation == "Log Out")
    return [
        pl.lit("checkpoint.firewall").alias("event.dataset"),
        pl.lit("Checkpoint").alias("observer.vendor"),
        pl.coalesce(_key(frame, "type"), pl.lit("firewall")).alias("observer.type"),
        pl.col("host").alias("log.syslog.hostname"),
        connection.transport(pl.coalesce(number, proto)).alias("network.transport"),
        pl.coalesce(number, proto.replace_strict(ecs.PROTOCOLS, default=None, return_dtype=pl.String)).alias(
            "network.iana_number"
        ),
        pl.coalesce(_has(frame, "observer.ingress.interface.name"), pl.when(inbound).then(interface)).alias(
            "observer.ingress.interface.name"
        ),
        pl.coalesce(
            _has(frame, "observer.egress.interface.name"),
            pl.when(_has(frame, "network.direction") == "outbound").then(interface),
        ).alias("observer.egress.interface.name"),
        pl.when(shell).then(_key(frame, "device_name")).alias("host.name"),
        pl.when(shell).then(_key(frame, "device_type")).alias("host.type"),
        pl.when(shell).then(pl.lit("ssh")).alias("network.protocol"),
        pl.coalesce(_key(frame, "src_machine_name"), pl.when(there).then(machine)).alias("source.domain"),
        pl.when(operation.fill_null("") != "Log Out").then(domain).alias("dns.question.name"),
        pl.when(directory).then(domain).alias("user.domain"),
        pl.when(operation == "Log Out").then(domain).alias("source.user.domain"),
        pl.coalesce(
            _has(frame, "event.severity").cast(pl.Int64, strict=False),
            _key(frame, "severity_word")
            .str.to_lowercase()
            .replace_strict(_SEVERITY, default=None, return_dtype=pl.Int64),
        ).alias("event.severity"),
        pl.when("partial").then("text").alias("event.original"),
        *syslog.common(frame),
    ]


def _hashes(frame: pl.DataFrame) -> list[pl.Expr]:
    value = _key(frame, "file_hash")
    return [
        pl.coalesce(
            _has(frame, f"file.hash.{kind}"), pl.when(value.str.len_bytes() == length).then(value)
        ).alias(f"file.hash.{kind}")
        for length, kind in _HASHES.items()
    ]


def _acts(frame: pl.DataFrame) -> list[pl.Expr]:
    """What was done and how it ended: by the action, the rule's action, and what an administrator did."""
    action, operation = _key(frame, "action"), _key(frame, "operation").fill_null("")
    decided = pl.coalesce(_key(frame, "rule_action"), pl.when(action.is_in(_DENIED)).then(action)).fill_null(
        ""
    )
    decided = pl.when(action.is_in(_DENIED)).then(action).otherwise(decided)
    act = action.fill_null("")
    status = _key(frame, "audit_status").fill_null("")
    login, logout = operation == "Log In", (operation == "Log Out") | (act == "Log Out")
    failed = (act == "Failed Log In") | (login & (status == "Failure"))
    entered = (act == "Log In") | (login & ~failed)
    signed = login | logout | act.is_in(_LOGINS)
    kinds = {
        "network": ~(operation.is_in(("Log In", "Log Out")) | act.is_in(("Log In", "Log Out"))),
        "authentication": signed,
        "malware": _key(frame, "malware_action").is_not_null(),
        "intrusion_detection": decided.is_in(_NOTED),
    }
    types = {
        "allowed": decided.is_in(_ALLOWED) & ~signed,
        "connection": decided.is_in((*_ALLOWED, *_DENIED)) & ~signed,
        "denied": (decided.is_in(_DENIED) & ~signed) | (act == "Failed Log In"),
        "start": (act == "Log In") | login,
        "end": logout,
    }
    type_list = flags(types)
    return [
        pl.when(_key(frame, "rule_action").is_in(_ALERTS))
        .then(pl.lit("alert"))
        .otherwise(pl.lit("event"))
        .alias("event.kind"),
        flags(kinds).alias("event.category"),
        pl.when(type_list.list.len() > 0).then(type_list).alias("event.type"),
        pl.when(failed)
        .then(pl.lit("logon-failed"))
        .when(entered)
        .then(pl.lit("logged-in"))
        .when(logout)
        .then(pl.lit("logged-out"))
        .otherwise(action)
        .alias("event.action"),
        pl.when(failed | (status == "Failure"))
        .then(pl.lit("failure"))
        .when(entered | logout | (status == "Success") | decided.is_in((*_ALLOWED, *_DENIED)))
        .then(pl.lit("success"))
        .alias("event.outcome"),
        pl.when(failed)
        .then(pl.coalesce(_key(frame, "additional_info").str.extract(_REFUSED, 1), _key(frame, "reason")))
        .alias("event.reason"),
        pl.when(_has(frame, "message").str.contains(_ADMINISTRATORS))
        .then(pl.lit(["administrator"], pl.List(pl.String)))
        .alias("user.roles"),
    ]


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """The person at the source: an administrator, or whom the gateway knows there."""
    administrator = _key(frame, "administrator")
    other = pl.coalesce(_key(frame, "user"), _key(frame, "src_user_name"))
    parts = frame.select(other.str.extract_groups(_DIRECTORY)).to_series().struct.unnest()
    frame = frame.with_columns(
        pl.coalesce(administrator, other).alias("source.user.name"),
        pl.coalesce(administrator, pl.lit(parts["login"]), other).alias("user.name"),
        pl.when(administrator.is_null()).then(pl.lit(parts["full_name"])).alias("user.full_name"),
        _has(frame, "source.user.id").alias("user.id"),
        _has(frame, "source.user.email").alias("user.email"),
        _has(frame, "source.user.group.name").alias("user.group.name"),
    )
    return frame.with_columns(_key(frame, "src_user_name").alias("also"))


def _relations(frame: pl.DataFrame) -> pl.DataFrame:
    frame = ecs.relations(
        frame,
        ip=("source.ip", "source.nat.ip", "destination.ip", "destination.nat.ip"),
        user=("source.user.name", "also", "destination.user.name"),
        hosts=("source.domain", "destination.domain", "host.name"),
    )
    hashes = [f"file.hash.{kind}" for kind in _HASHES.values()]
    return frame.with_columns(ecs.related(hashes).alias("related.hash"))
