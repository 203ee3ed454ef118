"""Cisco IOS, IOS XE and NX-OS (Nexus): `%FACILITY-SEVERITY-MNEMONIC: text` in syslog, whatever precedes it.

Format after "Cisco IOS System Message Guide" and "Cisco NX-OS System Messages Reference"; mapping after
Elastic's integrations `cisco_ios` and `cisco_nexus`. Before the message may stand, in any company: priority,
the sender's and the device's sequence numbers, a relay's time and name, the device's name, its time (an
asterisk: not synchronised; `2y10w`: only since it was started) and zone. NX-OS puts the year first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.shapes.mapping import first_rule
from sensors.values import ecs
from sensors.values.wording import matched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from sensors.sensor import Source

_CODE = r"%(?:[A-Z][A-Z0-9_]*)(?:-[A-Z0-9_]+)*-[0-7]-[A-Z][A-Z0-9_]*"
_OTHERS = re.compile(r"%(?:ASA|PIX|FWSM|FTD)-")
_SNIFF = re.compile(rf"^(?:<[0-9]{{1,3}}>)?[^%]*{_CODE}: ?")
_NEXUS = re.compile(r"(?:^|[>: ])[12][0-9]{3} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}(?:\.[0-9]+)? .*%[A-Z]")
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
_DATE = rf"[A-Z][a-z]{{2}} +[0-9]{{1,2}}(?: [0-9]{{4}})? +{_CLOCK}"
_ZONE = r"[A-Za-z]{2,5}(?:[+-][0-9]{2}:?[0-9]{2})?"
_PRIORITY = r"^(?:<(?P<priority>[0-9]{1,3})>)?"
_FORMS: Final = (
    rf"{_PRIORITY}(?P<head>[^%]*?)(?P<said>{_CODE}: ?.*)$",
    rf"{_PRIORITY}(?P<head>.*{_DATE}(?: {_ZONE})?:) +(?P<said>.*)$",
    rf"{_PRIORITY}(?P<head>(?:.*[ :>])?(?:[0-9]{{4}} )?{_DATE} [^\s:]+:?) +(?P<said>.*)$",
)
_TIMED = rf"^(?P<before>.*[ :*.]|)(?P<stamp>{_DATE})(?: (?P<zone>{_ZONE}):)?(?P<after>.*)$"
_SAID = (
    r"(?s)^%(?P<facility>[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*?)-(?P<severity>[0-7])-"
    r"(?P<event.code>[A-Z][A-Z0-9_]*): ?(?P<body>.*)$"
)
_INNER = r"^.*?%[A-Z][A-Z0-9_-]*-[0-7]-(?P<code>[A-Z][A-Z0-9_]*): (?P<body>.*)$"
_UPTIME = r"^(?:[0-9]+[ywdhms])+$|^[0-9]+:[0-9]{2}:[0-9]{2}$"
# East of Greenwich, in minutes; those that syslog itself does not know, because several zones share them.
_MINUTES: Final = {
    "AEST": 600, "AEDT": 660, "ACST": 570, "ACDT": 630, "AWST": 480, "NZST": 720, "NZDT": 780, "IST": 330,
    "SGT": 480, "HKT": 480, "PKT": 300, "GST": 240, "BRT": -180, "BST": 60,
}  # fmt: skip
_ONE = r"(?P<source.address>[0-9A-Fa-f.:]+)(?:\((?P<source.port>[0-9]+)\))?"
_TWO = r"(?P<destination.address>[0-9A-Fa-f.:]+)(?:\((?P<destination.port>[0-9]+)\))?"
_ACL = r"list (?P<rule.name>\S+) (?P<verdict>permitted|denied) "
_PACKETS = r"(?P<packets>[0-9]+) packets?"
_AAA = (  # NX-OS: who ran which command, from where
    r"^(?:start|stop|update):(?P<admin_from>[0-9A-Fa-f.:]+)@(?P<line>[^:]*):(?P<admin>[^:]*):"
    r"(?P<process.command_line>.*?)(?: \((?:SUCCESS|FAILURE|REDIRECT)\))?$"
)
_AUDITED = (
    r"initiator \((?P<source.address>[0-9A-Fa-f.:]+):(?P<source.port>[0-9]+)\) "
    r"sent (?P<source.bytes>[0-9]+) bytes -- "
    r"responder \((?P<destination.address>[0-9A-Fa-f.:]+):(?P<destination.port>[0-9]+)\) "
    r"sent (?P<destination.bytes>[0-9]+)"
)
_LOGIN = (
    r"^[Ll]ogin (?:[Ss]uccess|[Ff]ailed) \[user: ?(?P<person>[^\]]*)\] "
    r"\[Source: ?(?P<source.address>[^\]]*)\] \[localport: ?(?P<destination.port>[0-9]+)\]"
    r"(?: \[Reason: ?(?P<event.reason>[^\]]*)\])?"
)
_CONFIGURED = (
    r"^Configured from (?:\S+)(?: by (?P<admin>\S+))?(?: on (?P<line>\S+))?"
    r"(?: \((?P<admin_from>[0-9A-Fa-f.:]+)\))?"
)
_REFUSED = (
    r"(?i)(?:login failed|authentication fail(?:ure|ed)) for (?:illegal user |invalid user |user )?"
    r"(?P<person>[^\s(]\S*?)(?: from (?P<source.address>[0-9A-Fa-f.:]+))?(?: |$)"
)
_DROPPED = (
    r"^Dropping \w+ \w+ (?:from (?P<observer.ingress.interface.name>\S+) )?"
    r"(?P<source.address>[0-9A-Fa-f.:]+):(?P<source.port>[0-9]+) ?(?:=> ?)?"
    r"(?P<destination.address>[0-9A-Fa-f.:]+):(?P<destination.port>[0-9]+)"
    r"(?:.*? due to +(?P<event.reason>.*?)(?: with ip ident .*)?)?$"
)
_DIGEST = (
    r"MD5 digest from (?P<source.address>[0-9.]+):(?P<source.port>[0-9]+) "
    r"to (?P<destination.address>[0-9.]+):(?P<destination.port>[0-9]+)"
)
_SHELL = (
    r"^(?:User '(?P<person>[^']*)' authentication for )?SSH2? Session (?:request )?"
    r"from (?P<source.address>[0-9A-Fa-f.:]+)"
)
_EASY_VPN = (  # the client's own line names the gateway too, the server's what it lends
    r"\bUser=(?P<person>\S*) +Group=\S* +Client_public_addr=(?P<source.address>[0-9A-Fa-f.:]+)"
    r"(?: +Server_public_addr=(?P<destination.address>[0-9A-Fa-f.:]+))?"
    r"(?:.*? Assigned_client_addr=(?P<source.nat.ip>[0-9A-Fa-f.:]+))?"
)
_JOIN = (
    r"Received \([^)]*\) \w+ from (?P<source.address>[0-9A-Fa-f.:]+)"
    r"(?: for (?P<event.reason>invalid RP) (?P<destination.address>[0-9A-Fa-f.:]+))?"
)
_SUDO = (
    r"^(?P<person>\S+) : TTY=\S+ ; PWD=\S+ ; USER=\S+ ; COMMAND=(?P<process.command_line>.*?)(?: - sudo)?$"
)
_WIRED = r"client \((?P<source.mac>[0-9a-f.]{14})\) on Interface (?P<observer.ingress.interface.name>\S+)"
_LISTED = (
    rf"{_ACL}(?P<network.transport>\S+) {_ONE}(?: \([^)]*\))? ?->? ?{_TWO}"
    rf"(?: \((?P<icmp>[0-9]+(?:/[0-9]+)?)\))?(?:, {_PACKETS})?"
)
_FORMS_OF_TEXT: Final = (
    _LISTED,
    rf"{_ACL}{_ONE},? {_PACKETS}",
    _LOGIN,
    r"^User (?P<person>\S+) has exited tty session [0-9]+ ?\((?P<source.address>[^)]*)\)",
    _DIGEST,
    rf"MD5 digest from {_ONE} to {_TWO}",
    _DROPPED,
    _SHELL,
    _EASY_VPN,
    _AUDITED,
    _CONFIGURED,
    r"^User:(?P<admin>\S+) +logged command: ?(?P<process.command_line>.+)$",
    _WIRED,
    _REFUSED,
    r"pam_unix\((?P<network.protocol>[^:)]+)[^)]*\): .*\brhost=(?P<source.address>\S*) +user=(?P<person>\S+)",
    _SUDO,
    _AAA,
    r"^Mac (?P<source.mac>[0-9a-f.]{14}) in vlan (?P<network.vlan.id>[0-9]+) has moved",
    _JOIN,
)
_NAMES: Final = (
    "source.address", "source.port", "destination.address", "destination.port", "rule.name", "verdict",
    "icmp", "network.transport", "network.protocol", "packets", "person", "admin", "admin_from", "line",
    "event.reason", "source.bytes", "destination.bytes", "process.command_line", "source.mac",
    "network.vlan.id", "observer.ingress.interface.name", "source.nat.ip",
)  # fmt: skip
_LEVELS: Final = dict(
    enumerate(
        ("emergency", "alert", "critical", "error", "warning", "notification", "informational", "debug")
    )
)


class CiscoIos:
    """The sensor of routers and switches."""

    name = "cisco_ios"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing about a syslog file
        """Whether at least half of the lines carry a message of IOS or NX-OS, and none of the firewalls'."""
        lines = framing.text_head(head).splitlines()
        told = [bool(_SNIFF.search(line) and not _OTHERS.search(line)) for line in lines if line.strip()]
        return bool(told) and 2 * sum(told) >= len(told)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line with neither a time nor a message is named as unread."""
        clock = syslog.Clock(source)
        nexus = any(_NEXUS.search(line) for line in framing.text_head(source.head).splitlines())
        for lines in framing.lines(source):
            frame = _timed(_headed(lines), source)
            strange = frame["said"].is_null() | (frame["facility"].is_null() & frame["stamp"].is_null())
            if strange.any():
                name_lost(frame.filter(strange), "neither a time nor a message of IOS or NX-OS", source)
            if not strange.all():
                yield _events(clock.fill(frame.filter(~strange)), nexus=nexus)


SENSOR: Final = CiscoIos()


def _headed(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `priority`, `head` (what precedes the message), `said`, and what `said` consists of."""
    found = [lines["text"].str.extract_groups(form).struct.unnest() for form in _FORMS]
    frame = lines.with_columns(
        pl.coalesce(*(pl.lit(part[name]) for part in found)).alias(name)
        for name in ("priority", "head", "said")
    )
    parts = frame["said"].str.extract_groups(_SAID).struct.unnest()
    frame = frame.hstack(parts).with_columns(
        pl.col("priority").cast(pl.Int64, strict=False),
        pl.coalesce("body", "said").str.strip_chars(" ").alias("body"),
    )
    inner = (
        pl.col("body").str.extract_groups(_INNER).struct
    )  # IOS XE passes on what a process of its own said
    return frame.with_columns(
        pl.coalesce(inner.field("code"), "event.code").alias("event.code"),
        pl.coalesce(inner.field("body"), "body").alias("body"),
    )


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds `@timestamp` of the device's own time, or else the relay's, and who sent it with which number."""
    head = frame["head"].fill_null("")
    parts = head.str.extract_groups(_TIMED).struct.unnest()
    lead = parts["before"].fill_null(head)
    frame = frame.hstack(parts.select("stamp", "zone", "after")).with_columns(
        year=pl.lit(lead).str.extract(r"(?:^|[ :])([12][0-9]{3}) [*.]?$", 1),
        lead=pl.lit(lead).str.replace(r"(^|[ :])[12][0-9]{3} [*.]?$", "${1}").str.replace(_DATE, " "),
    )
    trailing = (
        pl.col("after").str.extract_groups(r"^ *(?P<host>[^\s:]+)?(?: +(?P<zone>[A-Z]{2,5}))? *:? *$").struct
    )
    tokens = pl.col("lead").str.extract_all(r"[^\s:*]+(?:::?[^\s:*]+)*").list
    number = pl.element().str.contains(r"^[0-9]+$")
    named = ~pl.element().str.contains(rf"^[0-9]+$|{_UPTIME}")
    zone = pl.coalesce("zone", trailing.field("zone")).str.to_uppercase()
    stamp = pl.col("stamp").str.replace_all(r" +", " ")
    day, clock = stamp.str.extract(r"^(\w+ \d+) ", 1), stamp.str.extract(r"(\d+:.*)$", 1)
    frame = frame.with_columns(
        pl.coalesce(pl.concat_str(day, "year", clock, separator=" "), stamp).alias("stamp"),
        zone.alias("zone"),
        tokens.eval(pl.when(number).then(pl.element())).list.drop_nulls().list.last().alias("number"),
        pl.coalesce(
            pl.when(~trailing.field("host").str.contains(r"^[0-9]+$")).then(trailing.field("host")),
            tokens.eval(pl.when(named).then(pl.element())).list.drop_nulls().list.last(),
        ).alias("host"),
    )
    known = syslog.moments(frame.select("stamp", "zone").unique().drop_nulls("stamp"), source)
    frame = frame.join(known, on=["stamp", "zone"], how="left", nulls_equal=True, maintain_order="left")
    return frame.with_columns(_in_zone(source.zone))


def _in_zone(zone: tzinfo) -> pl.Expr:
    """`@timestamp` where the zone is one that syslog does not know, or is told by its distance."""
    told = pl.col("zone").str.extract_groups(r"^UTC(?P<sign>[+-])(?P<h>\d{2}):?(?P<m>\d{2})$").struct
    far = told.field("h").cast(pl.Int64) * 60 + told.field("m").cast(pl.Int64)
    minutes = pl.coalesce(
        pl.when(told.field("sign") == "-").then(-far).otherwise(far),
        pl.col("zone").replace_strict(_MINUTES, default=None, return_dtype=pl.Int64),
    )
    name = getattr(zone, "key", "UTC")
    clock = pl.col("@timestamp").dt.convert_time_zone(name).dt.replace_time_zone("UTC")
    return (
        pl.when(minutes.is_not_null())
        .then(clock - pl.duration(minutes=minutes))
        .otherwise("@timestamp")
        .cast(TIME)
        .alias("@timestamp")
    )


def _events(frame: pl.DataFrame, *, nexus: bool) -> pl.DataFrame:
    frame = matched(frame.drop("message", strict=False), _FORMS_OF_TEXT).sort("log.offset")
    missing = [pl.lit(None, pl.String).alias(name) for name in _NAMES if name not in frame.columns]
    frame = frame.with_columns(missing).with_columns(pl.coalesce("person", "admin").alias("who"))
    frame = ecs.person(frame, "who", "source.user", "user")
    frame = frame.with_columns(
        pl.coalesce("source.address", "admin_from").replace("", None).alias("source.address")
    )
    frame = frame.with_columns(*ecs.address("source"), *ecs.address("destination"))
    frame = frame.with_columns(*_mine(nexus=nexus), *_details(), *syslog.common(frame))
    frame = frame.with_columns(*_meaning(nexus=nexus))
    hosts = ("host.hostname",)
    ip = (*(("observer_ip",) if nexus else ()), "source.ip", "source.nat.ip", "destination.ip")
    return ecs.only(ecs.relations(frame, ip=ip, user=("user.name",), hosts=hosts), "cisco")


def _mine(*, nexus: bool) -> list[pl.Expr]:
    product = "cisco_nexus" if nexus else "cisco_ios"
    is_ip = ecs.is_ip(pl.col("host"))
    severity = pl.col("severity").cast(pl.Int64, strict=False)
    return [
        pl.lit(product).alias("event.module"),
        pl.lit(f"{product}.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        *([] if nexus else [pl.lit("firewall").alias("event.provider")]),
        severity.alias("event.severity"),
        severity.replace_strict(_LEVELS, default=None, return_dtype=pl.String).alias("log.level"),
        pl.col("number").cast(pl.Int64, strict=False).alias("event.sequence"),
        pl.col("facility").alias(f"cisco.{'nexus' if nexus else 'ios'}.facility"),
        pl.when(~is_ip).then("host").alias("log.syslog.hostname"),
        pl.when(~is_ip).then("host").alias("host.hostname"),
        pl.when(~is_ip).then("host").alias("observer.name"),
        pl.when(is_ip).then("host").alias("observer_ip"),
        pl.when(is_ip).then(pl.concat_list("host")).alias("observer.ip"),
        pl.lit("Cisco").alias("observer.vendor"),
        pl.lit("Nexus" if nexus else "IOS").alias("observer.product"),
        pl.lit("switches" if nexus else "firewall").alias("observer.type"),
        pl.col("body").alias("message"),
        pl.when(pl.col("facility").is_null()).then("text").alias("event.original"),
    ]


def _details() -> list[pl.Expr]:
    transport = pl.col("network.transport").str.to_lowercase()
    number = transport.replace_strict(ecs.PROTOCOLS, default=None, return_dtype=pl.String)
    digits = pl.col("source.mac").str.replace_all(".", "", literal=True).str.to_uppercase()
    process = pl.col("body").str.extract_groups(r" - (?P<name>[a-z][\w-]*)\[(?P<pid>\d+)\]$").struct
    whole = [
        pl.col(name).cast(pl.Int64, strict=False)
        for name in ("source.port", "destination.port", "source.bytes", "destination.bytes")
    ]
    both = pl.col("source.bytes").cast(pl.Int64, strict=False) + pl.col("destination.bytes").cast(
        pl.Int64, strict=False
    )
    packets = pl.col("packets").cast(pl.Int64, strict=False)
    version = pl.when(pl.col("source.ip").str.contains(":")).then(pl.lit("ipv6")).otherwise(pl.lit("ipv4"))
    return [
        *whole,
        both.alias("network.bytes"),
        packets.alias("source.packets"),
        packets.alias("network.packets"),
        pl.when(~transport.str.contains(r"^(?:\d+|ipv?6?)$")).then(transport).alias("network.transport"),
        pl.coalesce(number, pl.when(transport.str.contains(r"^[1-9]\d*$")).then(transport))
        .alias("network.iana_number"),
        pl.coalesce(process.field("name"), "network.protocol").alias("network.protocol"),
        pl.when(pl.col("source.ip").is_not_null()).then(version).alias("network.type"),
        process.field("pid").cast(pl.Int64, strict=False).alias("process.pid"),
        digits.str.replace(r"^(..)(..)(..)(..)(..)(..)$", "${1}-${2}-${3}-${4}-${5}-${6}")
        .alias("source.mac"),
        pl.col("line").alias("cisco.ios.line"),
        pl.col("icmp").alias("cisco.ios.icmp"),
    ]  # fmt: skip


def _meaning(*, nexus: bool) -> list[pl.Expr]:
    """What it means: accesses that a list allowed or denied, logins; all else is of the network."""
    lists = pl.List(pl.String)
    listed = pl.col("verdict").is_not_null()
    allowed = pl.col("verdict") == "permitted"
    login = pl.col("event.code").str.contains(r"LOGIN_(?:SUCCESS|FAILED)$|^SSH2?_USERAUTH$") | pl.col(
        "body"
    ).str.contains(r"(?i)authentication fail|login failed")
    outcome = first_rule(
        pl.concat_str(pl.col("event.code").fill_null(""), "body", separator=" "),
        {
            r"LOGIN_SUCCESS|\(SUCCESS\)|(?i:success)|^SSH.* Succeeded$|CONNECTION_UP": "success",
            r"LOGIN_FAILED|\(FAILURE\)|(?i:authentication fail|login failed|failure)|^SSH.*ailed$": "failure",
        },
    )
    quiet = pl.col("facility").is_null() if nexus else pl.lit(value=False)
    start = "end" if nexus else "start"
    return [
        pl.when(login).then(pl.lit(["authentication"], lists))
        .when(~quiet).then(pl.lit(["network"], lists)).alias("event.category"),
        pl.when(listed & allowed).then(pl.lit(["info", "allowed"], lists))
        .when(listed).then(pl.lit(["info", "denied"], lists))
        .when(login).then(pl.lit([start], lists))
        .when(~quiet).then(pl.lit(["info"], lists)).alias("event.type"),
        pl.when(listed & allowed).then(pl.lit("allow")).when(listed).then(pl.lit("deny"))
        .alias("event.action"),
        pl.when(listed & allowed).then(pl.lit("success")).when(listed).then(pl.lit("failure"))
        .otherwise(outcome).alias("event.outcome"),
    ]  # fmt: skip
