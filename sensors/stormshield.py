"""Stormshield Network Security firewalls: connections, filtering, users, VPN, alarms, administration.

Lines of `key=value` (WELF) as in the files of a firewall and in syslog, after Stormshield's "Description of
audit logs" (SNS 3 and 4); mapping after Elastic's integration `stormshield`. Of a tunnel, whose log names the
firewall's end as source, `source.ip` is the remote end and `source.nat.ip` the address lent to it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, key_value, syslog, zones
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.shapes.mapping import first_rule
from sensors.values import connection, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_LINE: Final = re.compile(r'(?:^|[\s>])id=firewall time="[^"]*" fw="[^"]*" ')
# Text columns by key; the vendor's own come after.
_TEXT: Final = {
    "event.action": "action",
    "event.code": "alarmid",
    "file.name": "filename",
    "http.request.method": "op",
    "message": "msg",
    "network.protocol": "proto",
    "observer.egress.interface.name": "dstifname",
    "observer.ingress.interface.name": "srcifname",
    "observer.name": "fw",
    "rule.category": "cat_site",
    "rule.id": "ruleid",
    "rule.name": "rulename",
    "service.name": "service",
    "source.domain": "srcname",
    "destination.domain": "dstname",
    "url.original": "arg",
    "user.domain": "domain",
    "user.group.name": "usergroup",
}
_LONG: Final = {
    "destination.bytes": "rcvd",
    "destination.nat.port": "origdstport",
    "destination.port": "dstport",
    "event.severity": "pri",
    "http.response.status_code": "result",
    "source.bytes": "sent",
    "source.nat.port": "modsrcport",
    "source.port": "srcport",
}
_OWN: Final = (
    "logtype", "error", "class", "classification", "confid", "sessionid", "phase", "localnet", "remotenet",
    "srcif", "dstif", "method", "agentid", "ruletype", "repeat", "virus", "spamlevel", "risk", "target",
    "dstportname", "srcportname", "cookie_i", "cookie_r", "slotlevel", "tsagentname", "dstcountry",
    "srccountry", "dstcontinent", "srccontinent", "dsthostrep", "srchostrep",
)  # fmt: skip
_READ: Final = (
    "time", "startime", "tz", "src", "dst", "user", "address", "modsrc", "origdst", "ipproto", "duration",
    "srcmac",
)  # fmt: skip
# By the kind of log: event.category, event.type.
_KINDS: Final = {
    r"^(?:connection|filter|plugin|ftp|pop3|smtp|ssl)$": ("network", "connection"),
    r"^(?:auth)$": ("authentication", "start"),
    r"^(?:vpn|xvpn)$": ("session", "info"),
    r"^(?:server)$": ("configuration", "access"),
    r"^(?:web)$": ("web", "access"),
    r"^(?:alarm|pvm|sandboxing)$": ("intrusion_detection", "info"),
}
_ALARMS: Final = ("alarm", "pvm", "sandboxing")
_TUNNELS: Final = ("vpn", "xvpn")
_NANOSECONDS: Final = 1e9
_LONGEST: Final = 10 * 366 * 86_400.0  # seconds


class Stormshield:
    """The sensor."""

    name = "stormshield"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing
        """Whether at least half of the lines begin as every log of a firewall does."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_LINE.search(line)) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another form is named as unread."""
        clock = syslog.Clock(source)
        names = (*_TEXT.values(), *_LONG.values(), *_OWN, *_READ)
        for lines in syslog.records(source):
            keyed = key_value.table(lines["rest"], names).rename(lambda name: f"={name}")
            frame = lines.hstack(keyed)
            strange = frame.select((_key(frame, "fw").is_null() | _key(frame, "time").is_null()).alias("s"))[
                "s"
            ]
            if strange.any():
                name_lost(frame.filter(strange), "not a line of a Stormshield firewall", source)
                frame = frame.filter(~strange)
            if frame.height:
                yield ecs.only(_mapped(clock.fill(_timed(frame, source))), "stormshield")


SENSOR: Final = Stormshield()


def _key(frame: pl.DataFrame, name: str) -> pl.Expr:
    if f"={name}" not in frame.columns:
        return pl.repeat(None, pl.len(), dtype=pl.String)  # as high as the frame, which a literal is not
    return pl.when(pl.col(f"={name}") != "").then(pl.col(f"={name}"))


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """`@timestamp` is when it began, `event.created` when it was written; both by the line's own zone."""
    zone = _key(frame, "tz").str.extract(r"^([+-]\d{4})$", 1)
    minutes = zone.str.slice(1, 2).cast(pl.Int64) * 60 + zone.str.slice(3, 2).cast(pl.Int64)
    east = pl.when(zone.str.starts_with("-")).then(-minutes).otherwise(minutes)

    def moment(name: str) -> pl.Expr:
        clock = _key(frame, name).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
        stated = (clock - pl.duration(minutes=east)).dt.replace_time_zone("UTC")
        return pl.coalesce(stated, pl.when(zone.is_null()).then(zones.utc(clock, source.zone))).cast(TIME)

    begun = pl.coalesce(moment("startime"), moment("time"))
    zoned = zone.is_not_null() | pl.lit(source.zone_given)
    return frame.with_columns(
        pl.coalesce(begun, "@timestamp").alias("@timestamp"),
        moment("time").alias("event.created"),
        pl.when(begun.is_null())
        .then("molehunt.guess")
        .when(~zoned)
        .then(pl.lit(["zone"], pl.List(pl.String)))
        .alias("molehunt.guess"),
    )


def _mapped(frame: pl.DataFrame) -> pl.DataFrame:
    kind = _key(frame, "logtype")
    tunnel = kind.is_in(_TUNNELS)
    ipsec = kind == "vpn"
    seconds = _key(frame, "duration").cast(pl.Float64, strict=False)
    near = (
        pl.when(ipsec)
        .then(_key(frame, "dst"))
        .otherwise(pl.coalesce(_key(frame, "src"), _key(frame, "address")))
    )
    far = pl.when(ipsec).then(_key(frame, "src")).otherwise(_key(frame, "dst"))
    lent = _key(frame, "remotenet").str.extract(r"^([0-9A-Fa-f.:]+)(?:/32|/128)?$", 1)
    translated = pl.when(_key(frame, "modsrc") != near).then(_key(frame, "modsrc"))
    frame = frame.with_columns(
        *(_key(frame, key).alias(name) for name, key in _TEXT.items()),
        *(_key(frame, key).cast(pl.Int64, strict=False).alias(name) for name, key in _LONG.items()),
        *(_key(frame, name).alias(f"stormshield.{name}") for name in _OWN),
        _ip(near).alias("source.ip"),
        _ip(far).alias("destination.ip"),
        _ip(pl.when(tunnel).then(lent).otherwise(translated)).alias("source.nat.ip"),
        _ip(pl.when(_key(frame, "origdst") != far).then(_key(frame, "origdst"))).alias("destination.nat.ip"),
        _key(frame, "srcmac").str.to_uppercase().str.replace_all(":", "-", literal=True).alias("source.mac"),
        _key(frame, "ipproto").str.to_lowercase().alias("network.transport"),
        pl.when(seconds.is_finite() & seconds.is_between(0, _LONGEST))
        .then((seconds * _NANOSECONDS).round().cast(pl.Int64, strict=False))
        .alias("event.duration"),
        pl.lit("stormshield.log").alias("event.dataset"),
        pl.lit("Stormshield").alias("observer.vendor"),
        pl.lit("firewall").alias("observer.type"),
        *_acts(frame, kind),
        *syslog.common(frame),
    )
    frame = ecs.person(frame.with_columns(_key(frame, "user").alias("person")), "person", "named")
    frame = frame.with_columns(
        pl.col("named.name").alias("user.name"),
        pl.col("named.name").alias("source.user.name"),
        pl.coalesce("user.domain", "named.domain").alias("user.domain"),
    )
    same = pl.col("source.nat.ip").is_null()
    frame = frame.with_columns(
        pl.when(~same).then("source.nat.port").alias("source.nat.port"),
        pl.when(pl.col("destination.nat.ip").is_not_null())
        .then("destination.nat.port")
        .alias("destination.nat.port"),
    )
    return ecs.relations(
        connection.described(frame),
        ip=("source.ip", "destination.ip", "source.nat.ip", "destination.nat.ip"),
        user=("user.name",),
    )


def _ip(text: pl.Expr) -> pl.Expr:
    return pl.when(ecs.is_ip(text) & ~text.is_in(ecs.NOWHERE)).then(text)


def _acts(frame: pl.DataFrame, kind: pl.Expr) -> list[pl.Expr]:
    """What it was and how it ended: logs of users say `error=0` where all went well."""
    action, error = _key(frame, "action"), _key(frame, "error")
    refused = action.is_in(["block", "reset", "deny"])
    known = kind.is_in(["auth", "server", "xvpn"])
    types = pl.when(refused).then(pl.lit("denied")).when(action == "pass").then(pl.lit("allowed"))
    usual = first_rule(kind, {pattern: kinds[1] for pattern, kinds in _KINDS.items()})
    return [
        pl.when(kind.is_in(_ALARMS)).then(pl.lit("alert")).otherwise(pl.lit("event")).alias("event.kind"),
        first_rule(kind, {pattern: [kinds[0]] for pattern, kinds in _KINDS.items()}).alias("event.category"),
        pl.concat_list(usual, types).list.drop_nulls().alias("event.type"),
        pl.when(known & (error == "0"))
        .then(pl.lit("success"))
        .when(known & error.is_not_null())
        .then(pl.lit("failure"))
        .when(refused | (action == "pass"))
        .then(pl.lit("success"))
        .alias("event.outcome"),
    ]
