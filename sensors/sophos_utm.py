"""Sophos UTM (Astaro): web proxy, packet filter, authentication, VPN, IPS, mail, WAF, DHCP and DNS.

Lines of its own syslog form (`2026:10:05-08:00:01 host process[pid]: …`), or forwarded with another header,
most with `key="value"` after it; after the "Sophos UTM 9 log file" descriptions; mapping after Elastic's
integration `sophos`, but that `size` of a request is what the client received (`http.response.bytes`), and
that of a VPN session `source.ip` is the remote end, `source.nat.ip` the address that it was lent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import linux_auth
from sensors.reading import framing, key_value, syslog, zones
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.shapes.mapping import first_rule
from sensors.values import connection, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_HEAD: Final = (
    r"^(?:\S+ )??(?P<stamp>2[0-9]{3}:[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}:[0-9]{2}) (?P<host>\S+) "
    r"(?P<app>[^\s:\[\]]+)(?:\[(?P<pid>[0-9]+)\])?: ?(?P<body>.*)$"
)
_OWN: Final = re.compile(r"(?:^|[\s>])2\d{3}:\d\d:\d\d-\d\d:\d\d:\d\d \S+ [^\s:\[\]]+(?:\[\d+\])?: ")
_FORWARDED: Final = re.compile(r'\bid="\d{4}" severity="\w+" sys="\w+" sub="\w+"')
_COLUMNS: Final = {
    "event.id": ("id",),
    "event.code": ("id",),
    "message": ("message",),
    "group.name": ("group",),
    "device.id": ("device",),
    "file.name": ("filename", "file"),
    "http.request.method": ("method",),
    "http.request.referrer": ("referer",),
    "http.request.id": ("request",),
    "user_agent.original": ("ua", "useragent"),
    "network.application": ("application",),
    "network.iana_number": ("proto",),
    "rule.id": ("fwrule", "sid"),
    "rule.category": ("class",),
    "observer.ingress.interface.name": ("initf",),
    "observer.egress.interface.name": ("outitf",),
    "email.from.address": ("from",),
    "email.to.address": ("to",),
    "email.subject": ("subject",),
    "email.local_id": ("queueid",),
    "error.message": ("error",),
}
_NUMBERS: Final = {
    "source.port": ("srcport",),
    "destination.port": ("dstport",),
    "http.response.status_code": ("statuscode",),
    "http.response.bytes": ("size",),
    "source.bytes": ("rx",),
    "destination.bytes": ("tx",),
}
_VENDOR: Final = (
    "action", "ad_domain", "app-id", "auth", "cached", "caller", "category", "categoryname", "content-type",
    "country", "engine", "event", "exceptions", "filteraction", "function", "length", "line", "name",
    "profile", "reason", "reputation", "severity", "sub", "sys", "tcpflags", "ttl", "variant", "extension",
    "virus", "extra", "server",
)  # fmt: skip
_READ: Final = (
    "srcip", "dstip", "localip", "srcmac", "dstmac", "user", "username", "virtual_ip", "url",
)  # fmt: skip
_SEVERITIES: Final = {
    "emergency": 0, "alert": 1, "critical": 2, "error": 3, "warning": 4, "warn": 4, "notice": 5, "info": 6,
    "debug": 7,
}  # fmt: skip
# By the name of the process: what the log is of, if the line does not say so itself.
_REFUSAL: Final = 400  # status codes from here
_LOGINS: Final = ("sshd", "login", "su", "sudo")  # in the words that they have on any Linux
_PROVIDERS: Final = {"dhcpd": "dhcp", "named": "dns", "httpproxy": "http", "ulogd": "packetfilter"}
# "provider|action|what happened", in small letters.
_CATEGORIES: Final = {
    r"^http\|": ("web",),
    r"^reverseproxy\|waf\|": ("web", "intrusion_detection"),
    r"^reverseproxy\|[^|]+\|": ("web",),
    r"^confd\|.*\|object (?:created|changed|deleted)": ("configuration",),
    r"^auth\|": ("authentication",),
    r"^vpn\|.*\|connection (?:started|terminated)": ("network", "session"),
    r"^ips\|": ("intrusion_detection", "network"),
    r"^(?:smtp|pop3)\|": ("email",),
    r"^(?:packetfilter|dns|dhcp|vpn|afc)\|": ("network",),
}
_TYPES: Final = {
    r"^reverseproxy\|request\|": ("access",),
    r"^reverseproxy\|[^|]+\|": ("access", "denied"),
    r"^confd\|.*\|object created": ("creation",),
    r"^confd\|.*\|object changed": ("change",),
    r"^confd\|.*\|object deleted": ("deletion",),
    r"^packetfilter\|(?:accept|log)": ("info", "allowed"),
    r"^(?:packetfilter|ips|afc)\|(?:drop|reject|block)": ("info", "denied"),
    r"^(?:dhcp|dns)\|": ("info", "connection", "protocol"),
    r"^auth\|.*log.?out": ("end",),
    r"^auth\|": ("start",),
    r"^vpn\|.*\|connection started": ("connection", "start"),
    r"^vpn\|.*\|connection terminated": ("connection", "end"),
    r"": ("info",),
}
_OUTCOMES: Final = {
    r"^confd\|.*\|object (?:created|changed|deleted)": "success",
    r"^auth\|.*(?:fail|denied|locked)": "failure",
    r"^auth\|.*success": "success",
    r"^vpn\|.*\|connection (?:started|terminated)": "success",
}
_MAC: Final = r"((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})"
_IP: Final = r"([0-9a-fA-F:.]{3,45})"


class SophosUTM:
    """The sensor."""

    name = "sophos_utm"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing
        """Whether at least half of the lines have its stamp, or the first keys that its modules write."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        told = sum(bool(_OWN.search(line) or _FORWARDED.search(line)) for line in lines)
        return bool(lines) and 2 * told >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line with neither its stamp nor a syslog header is named as unread."""
        clock = syslog.Clock(source)
        names = {key for keys in (*_COLUMNS.values(), *_NUMBERS.values(), _VENDOR, _READ) for key in keys}
        for lines in syslog.records(source):
            frame = _headed(lines)
            strange = frame["app"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "not a line of Sophos UTM's log", source)
                frame = frame.filter(~strange)
            if frame.height:
                yield _events(clock.fill(_timed(frame, source)), sorted(names))


def _events(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    logins = frame["app"].is_in(_LOGINS) & linux_auth.known(frame)
    own = frame.filter(~logins) if logins.any() else frame
    pairs = key_value.table(own["body"], names, nothing=("",)).rename(lambda key: f"kv.{key}")
    mapped = ecs.only(_mapped(own.hstack(pairs)), "sophos")
    if not logins.any():
        return mapped
    said = frame.filter(logins).with_columns(pl.lit(None, pl.String).alias("msgid"))
    parts = [mapped, linux_auth.events(said)]
    return pl.concat(parts, how="diagonal_relaxed").sort("log.offset")


def _headed(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `stamp`, `host`, `app`, `pid` and `body`, of the UTM's own header or of another."""
    own = lines["rest"].str.extract_groups(_HEAD).struct.unnest()
    other = syslog.fields(lines)
    dated = lines["@timestamp"].is_not_null() & own["stamp"].is_null()
    return lines.with_columns(
        own["stamp"],
        *(own[part].zip_with(~dated, other[part]) for part in ("host", "app", "pid", "body")),
    )


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    clock = pl.col("stamp").str.to_datetime("%Y:%m:%d-%H:%M:%S", strict=False, time_unit="us")
    placed = frame.select(zones.utc(clock, source.zone).alias("placed"))["placed"]
    local = placed.is_not_null()
    frame = frame.with_columns(
        placed.fill_null(frame["@timestamp"]).cast(TIME).alias("@timestamp"),
        pl.when(~pl.lit(local)).then("molehunt.guess").alias("molehunt.guess"),
    )
    return frame if source.zone_given or not local.any() else syslog.guessed(frame, local, "zone")


def _value(frame: pl.DataFrame, *keys: str) -> pl.Expr:
    return key_value.first(frame, *(f"kv.{key}" for key in keys))


def _mapped(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(
        *syslog.common(frame),
        *(_value(frame, *keys).replace({"-": None}).alias(name) for name, keys in _COLUMNS.items()),
        *(_value(frame, *keys).cast(pl.Int64, strict=False).alias(name) for name, keys in _NUMBERS.items()),
        *(
            pl.col(f"kv.{key}").alias(f"sophos.utm.{key.replace('-', '_')}")
            for key in _VENDOR
            if f"kv.{key}" in frame.columns
        ),
        pl.coalesce(
            _value(frame, "sub"),
            pl.col("app").replace_strict(_PROVIDERS, default=None, return_dtype=pl.String),
            "app",
        ).alias("event.provider"),
        pl.col("host").alias("host.name"),
        pl.col("host").alias("host.hostname"),
        pl.col("app").alias("process.name"),
        pl.col("pid").cast(pl.Int64, strict=False).alias("process.pid"),
    )
    frame = _people(_ends(frame))
    frame = _services(frame)
    frame = _meaning(frame)
    return ecs.relations(
        frame,
        ip=("source.ip", "destination.ip", "source.nat.ip", "client.ip", "server.ip"),
        user=("user.name",),
        hosts=("host.name", "client.domain"),
    )


def _ends(frame: pl.DataFrame) -> pl.DataFrame:
    def address(*keys: str) -> pl.Expr:
        found = _value(frame, *keys)
        return pl.when(ecs.is_ip(found)).then(found)

    def mac(key: str) -> pl.Expr:
        return _value(frame, key).str.to_uppercase().str.replace_all(":", "-")

    number = pl.col("network.iana_number")
    frame = frame.with_columns(
        address("srcip").alias("source.ip"),
        address("dstip", "localip").alias("destination.ip"),
        address("virtual_ip").alias("source.nat.ip"),
        mac("srcmac").alias("source.mac"),
        mac("dstmac").alias("destination.mac"),
        pl.when(pl.col("event.provider").is_in(["dns", "dhcp"]))
        .then(pl.lit("udp"))
        .when(number.is_not_null())
        .then(connection.transport(number))
        .alias("network.transport"),
        _value(frame, "url").alias("url.original"),
    )
    frame = url_columns(frame)
    kept = frame.select("network.iana_number")
    described = connection.described(frame.with_columns(connection.direction().alias("network.direction")))
    return described.with_columns(described["network.iana_number"].fill_null(kept["network.iana_number"]))


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(raw_user=_value(frame, "user", "username"))
    return ecs.person(frame, "raw_user", "source.user", "user")


def _services(frame: pl.DataFrame) -> pl.DataFrame:
    """DHCP's and the name server's messages, which are words."""
    provider, body = pl.col("event.provider"), pl.col("body")
    dhcp, dns = pl.when(provider == "dhcp"), pl.when(provider == "dns")
    lease = dhcp.then(body.str.extract(rf"^DHCP\w+ (?:on|for|to|from) {_IP}", 1))
    served = dns.then(body.str.extract(rf"listening on .*?{_IP}#\d+$", 1))
    word = body.str.extract(r"^(?:no longer )?(DHCP[A-Z]+|[Ll]istening|Sending)\b", 1).str.to_lowercase()
    plain = ~body.str.contains(r'\b[a-z_-]+="')
    frame = frame.with_columns(
        pl.when(ecs.is_ip(lease)).then(lease).alias("client.ip"),
        dhcp.then(body.str.extract(_MAC, 1).str.to_uppercase().str.replace_all(":", "-")).alias("client.mac"),
        dhcp.then(body.str.extract(rf"{_MAC} \(([^)]+)\) via", 2)).alias("client.domain"),
        pl.when(ecs.is_ip(served)).then(served).alias("server.ip"),
        dns.then(body.str.extract(r"#(\d+)$", 1).cast(pl.Int64, strict=False)).alias("server.port"),
        dns.then(body.str.extract(r"listening on (IPv[46]) interface", 1).str.to_lowercase()).alias(
            "network.type"
        ),
        pl.coalesce(
            "observer.ingress.interface.name",
            dhcp.then(body.str.extract(r" via ([^\s:]+)", 1)),
            dhcp.then(body.str.extract(r"^\w+ +on +\w+/([^/]+)/", 1)),
            dns.then(body.str.extract(r"interface ([^\s,]+),", 1)),
        ).alias("observer.ingress.interface.name"),
        service=pl.when(provider.is_in(["dhcp", "dns"])).then(
            pl.when(word.is_in(["listening", "sending"]))
            .then(pl.concat_str("app", pl.lit("-"), word))
            .otherwise(word)
        ),
    )
    # Why: `…via eth0: network 10.20.31.0/24: no free leases`.
    why = pl.when(pl.col("service").str.starts_with("dhcp")).then(body.str.extract(r" via [^\s:]+: (.+)$", 1))
    said = pl.when(plain & pl.col("service").is_null()).then("body").otherwise(why)
    return frame.with_columns(
        pl.coalesce("message", said).alias("message"),
        pl.when(provider.is_in(["dhcp", "dns", "http"])).then(provider).alias("network.protocol"),
    )


def _meaning(frame: pl.DataFrame) -> pl.DataFrame:
    action, reason = _value(frame, "action"), _value(frame, "reason")
    done = pl.when(reason.is_not_null() & (pl.col("event.provider") == "http")).then(
        pl.concat_str(action, pl.lit("-"), reason)
    )
    level = _value(frame, "severity")
    told = pl.coalesce(_value(frame, "event"), _value(frame, "name"))
    # The web application firewall says no action: a request that it refused has the reason.
    refused = pl.when((reason != "-") & (pl.col("http.response.status_code") >= _REFUSAL)).then(reason)
    waf = pl.when((pl.col("event.provider") == "reverseproxy") & pl.col("http.request.method").is_not_null())
    key = pl.concat_str(
        "event.provider",
        pl.coalesce(waf.then(pl.coalesce(refused, pl.lit("request"))), action, pl.lit("")),
        told.fill_null(pl.col("body")),
        separator="|",
    ).str.to_lowercase()
    frame = frame.with_columns(key=key)
    return frame.with_columns(
        pl.when(pl.col("key").str.contains(r"^ips\|"))
        .then(pl.lit("alert"))
        .otherwise(pl.lit("event"))
        .alias("event.kind"),
        first_rule(pl.col("key"), {**_CATEGORIES, "": ("host",)}).alias("event.category"),
        first_rule(pl.col("key"), _TYPES).alias("event.type"),
        first_rule(pl.col("key"), _OUTCOMES).alias("event.outcome"),
        pl.coalesce(done, action, "service", told.str.to_lowercase()).alias("event.action"),
        level.replace_strict(_SEVERITIES, default=None, return_dtype=pl.Int64).alias("event.severity"),
        pl.lit("sophos.utm").alias("event.dataset"),
        pl.lit("Sophos").alias("observer.vendor"),
        pl.lit("UTM").alias("observer.product"),
        pl.lit("firewall").alias("observer.type"),
    )


SENSOR: Final = SophosUTM()
