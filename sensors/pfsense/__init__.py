"""pfSense and OPNsense over syslog: the packet filter, OpenVPN, IPsec, DHCP, DNS, the web interface, proxies.

After the vendors' manuals and each program's own wording (`forms.toml` beside this file; OpenVPN's and
charon's are their sensors'); mapping after Elastic's integration `pfsense`. Logins to the firewall's sshd in
a file of its own are `linux_auth`'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import linux_auth, openvpn, pfsense_lines, strongswan
from sensors.pfsense.filterlog import packets
from sensors.reading import framing, syslog, zones
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.shapes import message_forms
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_PROGRAMS: Final = {
    "filterlog": "filterlog", "openvpn": "openvpn", "charon": "charon", "dhcpd": "dhcp", "dhcp6c": "dhcp",
    "dhclient": "dhcp", "unbound": "unbound", "php-fpm": "php", "php": "php", "php_cgi": "php",
    "audit": "php",
    "logportalauth": "portal", "haproxy": "haproxy", "squid-1": "squid", "squid": "squid", "sshd": "sshd",
    "sshd-session": "sshd", "radiusd": "radiusd", "sudo": "sudo", "snort": "snort",
    "googleauth": "google", "google-authenticator": "google",
}  # fmt: skip
_PROTOCOLS: Final = {"openvpn": "openvpn", "charon": "ipsec", "dhcp": "dhcp", "unbound": "dns", "sshd": "ssh"}
_CATEGORIES: Final = {
    "php": "web", "haproxy": "web", "squid": "web", "sshd": "authentication",
    "radiusd": "authentication", "google": "authentication", "sudo": "process",
}  # fmt: skip
_LINE = re.compile(
    r"(?:^|\s)\(?(?:" + "|".join(map(re.escape, pfsense_lines.PROGRAMS)) + r"|sshd)\)?(?:\[\d+\])?:? "
)
_SIXTH = (
    r"(?i)^(?:solicit|request|renew|rebind|release|decline|confirm|information|"
    r"sending|picking|reusing|add|remove)"
)
_MAC: Final = "source.mac"
_REFUSED: Final = 400  # the first status of HTTP that is no success


class PfSense:
    """The sensor."""

    name = "pfsense"

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether at least half of the lines are pfSense's and of its programs, and no mere logins."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        if not pfsense_lines.sent(lines):
            return False
        told = sum(bool(_LINE.search(line[:160])) for line in lines)
        return 2 * told >= len(lines) and not linux_auth.SENSOR.sniff(head, name)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of a program that is not known is an event with its text."""
        clock = syslog.Clock(source)
        for lines in syslog.records(source):
            frame = syslog.fields(lines)
            strange = frame["@timestamp"].is_null() & frame["app"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "neither a syslog time nor the name of a program", source)
                frame = frame.filter(~strange)
            if frame.height:
                yield _events(clock.fill(frame), source)


def _events(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    app = frame["app"].str.strip_chars("()").str.replace(r"^.*/", "")
    group = app.replace_strict(_PROGRAMS, default="other", return_dtype=pl.String)
    frame = frame.with_columns(app.alias("app"), group.alias("group"))
    parts = [
        _of_group(str(kind), part) for (kind,), part in frame.partition_by("group", as_dict=True).items()
    ]
    whole = pl.concat(parts, how="diagonal").sort("log.offset")
    return message_forms.settled(
        _named(whole, source),
        "pfsense",
        event_dataset="pfsense.log",
        observer_vendor="netgate",
        observer_type="firewall",
    )


def _of_group(group: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The lines of one kind of program with the parts of their messages."""
    if group == "filterlog":
        return packets(frame)
    if group == "openvpn":
        told = message_forms.told(openvpn.prefixed(frame), message_forms.forms("openvpn"))
        return openvpn.placed(told)
    if group == "charon":
        told = message_forms.told(strongswan.inside(frame), message_forms.forms("strongswan"))
        return strongswan.placed(told).with_columns(pl.col("form").fill_null(0))  # its settings, line by line
    return message_forms.told(frame, message_forms.forms("pfsense/forms"))


def _named(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """ECS columns of whatever parts there are."""
    frame = message_forms.with_columns_for(
        frame, "interface", "act", "client.address", "server.address", "source.address",
        "destination.address", "haproxy_date", "milliseconds", "url.original", "url.path", _MAC,
        "client.port", "source.port",
        "event.action", "network.type", "network.transport", "client.domain", "client.mac",
        "http.response.status_code", "event.outcome",
    )  # fmt: skip
    group = pl.col("group")
    dhcp = group == "dhcp"
    frame = frame.with_columns(
        pl.coalesce("source.address", "client.address").alias("source.address"),
        pl.coalesce("destination.address", pl.when(dhcp).then("server.address")).alias("destination.address"),
        pl.coalesce(pl.col("source.port").cast(pl.String), "client.port").alias("source.port"),
        pl.coalesce("event.action", _action()).alias("event.action"),
        pl.col(_MAC).str.to_uppercase().str.replace_all(":", "-", literal=True),
        pl.when(dhcp)
        .then(pl.lit("udp"))
        .otherwise(pl.col("network.transport").str.to_lowercase())
        .alias("network.transport"),
        _protocol().alias("network.protocol"),
    )
    address = pl.coalesce("source.address", "destination.address")
    version = pl.when(address.str.contains(":", literal=True)).then(pl.lit("ipv6"))
    fourth = pl.when(address.str.contains(r"^[0-9.]+$")).then(pl.lit("ipv4"))
    category = group.replace_strict(_CATEGORIES, default="network", return_dtype=pl.String)
    milliseconds = pl.col("milliseconds").cast(pl.Int64, strict=False)
    status = pl.col("http.response.status_code").cast(pl.Int64, strict=False)
    answered = pl.when(status >= _REFUSED).then(pl.lit("failure")).when(status > 0).then(pl.lit("success"))
    frame = frame.with_columns(
        pl.when(dhcp).then(_MAC).alias("client.mac"),
        pl.coalesce("network.type", version, fourth).alias("network.type"),
        pl.col("interface").alias("observer.ingress.interface.name"),
        pl.col("interface").str.extract(r"\.([0-9]+)$", 1).alias("network.vlan.id"),
        pl.col("host").alias("observer.name"),
        pl.col("host").alias("host.name"),
        pl.col("app").alias("process.name"),
        pl.col("app").alias("event.provider"),
        pl.col("pid").alias("process.pid"),
        (milliseconds * 1_000_000).alias("event.duration"),
        pl.coalesce("event.outcome", answered).alias("event.outcome"),
        pl.coalesce("event.category", pl.concat_list(category)).alias("event.category"),
    )
    return _proxied(frame, source)


def _action() -> pl.Expr:
    """What DHCP did: the message's name in capitals, or the program's words joined."""
    act = pl.col("act")
    return (
        pl.when(act.str.starts_with("DHCP"))
        .then(act)
        .otherwise(act.str.to_lowercase().str.replace_all(" ", "-"))
    )


def _protocol() -> pl.Expr:
    sixth = (pl.col("app") == "dhcp6c") | pl.col("body").str.contains(_SIXTH)
    return (
        pl.when((pl.col("group") == "dhcp") & sixth)
        .then(pl.lit("dhcpv6"))
        .otherwise(pl.col("group").replace_strict(_PROTOCOLS, default=None, return_dtype=pl.String))
    )


def _proxied(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """URLs, and the time of the request that HAProxy logs when it is over."""
    urls = url_columns(frame.select("url.original")).drop("url.original")
    path = pl.coalesce("url.path", pl.lit(urls["url.path"]))
    dates = frame["haproxy_date"].str.to_datetime("%d/%b/%Y:%H:%M:%S%.f", strict=False, time_unit="us")
    began = dates.alias("c").to_frame().select(zones.utc(pl.col("c"), source.zone)).to_series().cast(TIME)
    return frame.with_columns(
        *urls.drop("url.path").get_columns(),
        path.alias("url.path"),
        began.fill_null(frame["@timestamp"]).alias("@timestamp"),
    )


SENSOR: Final = PfSense()
