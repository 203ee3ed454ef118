"""Infoblox NIOS by syslog: DNS queries with their answers, DHCP leases, and the grid's audit log.

Wording and manual in `forms.toml`; mapping after Elastic's `infoblox_nios`. BIND and ISC dhcpd alone word
much of it the same way (`sensors.name_servers`): NIOS is told by what only it says. Who asked or got a lease
is `client` and `source`; the member that wrote the line is `host.ip` or `host.domain`, as Elastic has it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.infoblox_nios.answers import answered
from sensors.reading import framing, syslog
from sensors.shapes import message_forms
from sensors.values import ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_LIST: Final = pl.List(pl.String)
_APPS: Final = {"named": "dns", "dhcpd": "dhcp", "dhcpdv6": "dhcp"}
_AUDIT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{3}Z? \[[^\]]*\]: "
_HEADER: Final = (
    r"^(?:<[0-9]{1,3}>)?(?:[A-Z][a-z]{2} +[0-9]{1,2}|[0-9-]{10})[ T][0-9:]{8}\S* (?:\S+ ){1,2}"
    r"(?:httpd|named|dhcpd|dhcpdv6|serial_console|AdminConnector)(?:\[[0-9]+\])?: "
)
# What BIND and ISC's dhcpd do not say.
OWN: Final = re.compile(
    rf"{_HEADER}(?:[0-9]{{4}}-[0-9-]{{5}} [0-9:]{{8}}\.[0-9]{{3}}Z? \[[^\]]*\]: \S|"
    r".*client \S+#[0-9]+:? (?:UDP|TCP): .*query: .* response: |"
    r"(?:[\w-]+: )?CEF:0\|Infoblox|DHCP\w+ .* TransID [0-9a-f]+|DHCP\w+ .* lease-duration [0-9]+)"
    rf"|{_HEADER.replace('httpd|named|dhcpd|', '').replace('|serial_console|AdminConnector', '')}"
)
_LINE: Final = re.compile(_HEADER)
_HEAD: Final = (
    r"^(?P<host>[^\s\[\]]*[^\s\[\]:])(?: (?P<via>[^\s\[\]]*[^\s\[\]:]))? "
    r"(?P<app>[A-Za-z_][\w.-]*)(?:\[(?P<pid>[0-9]+)\])?: ?(?P<body>.*)$"
)
_OWN_TIME: Final = (
    r"^(?:(?P<stamp>[0-9]{2}-[A-Z][a-z]{2}-[0-9]{4} [0-9:]{8}\.[0-9]{3}) (?P<after>.*)"
    r"|(?P<audit>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{3})Z? \[.*)$"
)
_FLAGS: Final = {"A": "AA", "t": "TC", "C": "CD", "D": "DO"}
_MAP_UPDATES: Final = ("reverse_map_update", "add_forward_map", "map_update")


class InfobloxNios:
    """The sensor."""

    name = "infoblox_nios"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether NIOS' services write the lines, and one of them says what only NIOS does."""
        return is_nios(framing.text_head(head))

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of unknown wording is an event with its text."""
        yield from syslog.events(source, _headed, _events, "neither a time nor a service of NIOS", "app")


def is_nios(text: str) -> bool:
    """Whether the lines are of NIOS and not of some other BIND or dhcpd."""
    lines = [line for line in text.split("\n")[:200] if line.strip()]
    told = sum(bool(_LINE.match(line)) for line in lines)
    return told > 0 and 2 * told >= len(lines) and any(OWN.match(line) for line in lines)


def _headed(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `host`, `via`, `app`, `pid`, `body`, and the service's own time where it stamps its messages."""
    parts = lines["rest"].str.extract_groups(_HEAD).struct.unnest()
    rest = lines["rest"].str.strip_chars_start(" ")
    own = parts["body"].str.extract_groups(_OWN_TIME).struct.unnest()
    dated = own["stamp"].str.to_datetime(
        "%d-%b-%Y %H:%M:%S%.3f", time_unit="us", time_zone="UTC", strict=False
    )
    audit = own["audit"].str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.3f", time_unit="us", time_zone="UTC", strict=False
    )
    frame = lines.with_columns(parts["host"], parts["via"], parts["app"], parts["pid"])
    return frame.with_columns(
        pl.Series("event.created", lines["@timestamp"]),
        dated.fill_null(audit).fill_null(lines["@timestamp"]).alias("@timestamp"),
        own["after"].fill_null(parts["body"]).fill_null(rest).alias("body"),
        parts["body"].fill_null(rest).alias("~whole"),
        parts["app"]
        .replace_strict(_APPS, default="audit", return_dtype=pl.String)
        .fill_null("audit")
        .alias("group"),
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    told = message_forms.told(frame, message_forms.forms("infoblox_nios/forms"))
    told = message_forms.with_columns_for(
        told, "verb", "spoken", "details", "flags", "answers", "client.address", "client.port", "client.mac",
        "client.domain", "server.address", "dns.question.name", "dns.response_code", "network.transport",
        "infoblox_nios.log.dhcp.uid", "infoblox_nios.log.dhcp.late_uid", "observer.ingress.interface.name",
        "infoblox_nios.log.dhcp.client_hostname", "event.action", "event.outcome", "event.reason",
    )  # fmt: skip
    told = _described(_detailed(told)).drop("infoblox_nios.log.dhcp.late_uid")
    told = answered(told)
    settled = message_forms.settled(told, "infoblox_nios", event_provider="infoblox")
    settled = settled.with_columns(told["~whole"].alias("message"))
    return _related(settled)


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    """What the service and the verb say; the client as the source as well."""
    dhcp, dns = pl.col("group") == "dhcp", pl.col("group") == "dns"
    verb = pl.col("verb").str.to_lowercase()
    nak = verb.is_in(["dhcpnak", "dhcpdecline"])
    mac = pl.col("client.mac").str.to_uppercase().str.replace_all(":", "-")
    code = pl.col("dns.response_code")
    return frame.with_columns(
        pl.when(dhcp).then(pl.lit("infoblox_nios.dhcp")).otherwise(pl.lit("infoblox_nios.log"))
        .alias("event.dataset"),
        pl.coalesce("event.action", verb).alias("event.action"),
        pl.coalesce("event.category", pl.when(dhcp | dns).then(pl.lit(["network"], _LIST)))
        .alias("event.category"),
        pl.coalesce(
            "event.type",
            pl.when(dhcp & nak).then(pl.lit(["protocol", "denied"], _LIST))
            .when(dhcp).then(pl.lit(["protocol"], _LIST)).otherwise(pl.lit(["info"], _LIST)),
        ).alias("event.type"),
        pl.coalesce(
            "event.outcome",
            pl.when(nak | (code.is_not_null() & (code != "NOERROR"))).then(pl.lit("failure"))
            .when((verb == "dhcpack") | (code == "NOERROR")).then(pl.lit("success")),
        ).alias("event.outcome"),
        pl.when(dhcp).then(pl.lit("dhcp")).when(dns).then(pl.lit("dns")).alias("network.protocol"),
        pl.col("network.transport").str.to_lowercase(),
        pl.col("client.address").alias("source.address"),
        pl.col("client.port").alias("source.port"),
        mac.alias("client.mac"),
        mac.alias("source.mac"),
        pl.coalesce("infoblox_nios.log.dhcp.uid", "infoblox_nios.log.dhcp.late_uid")
        .alias("infoblox_nios.log.dhcp.uid"),
        pl.when(dhcp).then("infoblox_nios.log.dhcp.client_hostname").alias("host.name"),
        pl.col("app").alias("infoblox_nios.log.service_name"),
        pl.col("group").str.to_uppercase().alias("infoblox_nios.log.type"),
        pl.col("pid").cast(pl.Int64, strict=False).alias("process.pid"),
        pl.col("app").alias("process.name"),
        pl.col("flags").alias("infoblox_nios.log.dns.header_flags"),
        _flags().alias("dns.header_flags"),
        *_members(),
    )  # fmt: skip


def _flags() -> pl.Expr:
    """`+` is recursion: available in what is answered, desired in what is asked."""
    parts = [
        pl.when(pl.col("flags").str.contains(letter, literal=True)).then(pl.lit(name))
        for letter, name in _FLAGS.items()
    ]
    recursion = pl.when(pl.col("dns.response_code").is_not_null()).then(pl.lit("RA")).otherwise(pl.lit("RD"))
    parts.append(pl.when(pl.col("flags").str.starts_with("+")).then(recursion))
    found = pl.concat_list(parts).list.drop_nulls()
    return pl.when(found.list.len() > 0).then(found)


def _members() -> list[pl.Expr]:
    """The member that wrote the line: one or two words, addresses or names."""
    both = pl.concat_list("host", "via").list.drop_nulls()
    host, via = pl.col("host"), pl.col("via")
    return [
        pl.coalesce(pl.when(ecs.is_ip(host)).then(host), pl.when(ecs.is_ip(via)).then(via)).alias("host.ip"),
        pl.coalesce(pl.when(~ecs.is_ip(host)).then(host), pl.when(~ecs.is_ip(via)).then(via)).alias(
            "host.domain"
        ),
        both.list.first().alias("log.syslog.hostname"),
    ]


def _detailed(frame: pl.DataFrame) -> pl.DataFrame:
    r"""`key=value` of sign-ins, in which `\040` stands for a blank."""
    if "person" in frame.columns:
        frame = frame.with_columns(pl.col("person").str.replace_all(r"\\040", " "))
    if frame["details"].null_count() == frame.height:
        return frame
    details = frame["details"]
    said = {
        name: details.str.extract(rf"(?:^|\s){name}=(\S+)", 1).str.replace_all(r"\\040", " ")
        for name in ("to", "apparently_via", "auth", "group", "ip", "error", "info", "trusted_client_ip")
    }
    return frame.with_columns(
        *(column.alias(f"infoblox_nios.log.audit.{name}") for name, column in said.items()),
        pl.coalesce("client.address", said["ip"], said["trusted_client_ip"]).alias("client.address"),
        pl.coalesce("event.reason", said["error"]).alias("event.reason"),
    )


def _related(frame: pl.DataFrame) -> pl.DataFrame:
    """Every address and name of a line, those of its answers too."""
    own = "infoblox_nios.log.dhcp."
    lists: dict[str, list[str]] = {
        "related.ip": ["client.ip", "server.ip", f"{own}router.ip", f"{own}interface.ip",
                       f"{own}relay.interface.ip", f"{own}link_address", f"{own}peer_address"],
        "related.hosts": ["client.domain", "host.name", "dns.question.name", "host.domain"],
    }  # fmt: skip
    also = {"related.ip": ["host.ip", "dns.resolved_ip"], "related.hosts": ["dns.answers.name"]}
    for name, singles in lists.items():
        parts = [
            pl.concat_list(pl.col(each)) if frame.schema[each] != _LIST else pl.col(each)
            for each in (*singles, *also[name])
            if each in frame.columns
        ]
        if not parts:
            continue
        whole = [part.fill_null(pl.lit([], _LIST)) for part in parts]
        merged = pl.concat_list(whole).list.drop_nulls().list.unique(maintain_order=True)
        frame = frame.with_columns(pl.when(merged.list.len() > 0).then(merged).alias(name))
    return ecs.only(frame, "infoblox_nios")


SENSOR: Final = InfobloxNios()
