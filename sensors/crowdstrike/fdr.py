"""Events of the Falcon sensor, as the Falcon Data Replicator writes them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.distinct import by_value
from sensors.reading.json_table import integer, text, time
from sensors.shapes.mapping import address, first_rule, mail_domain, mailbox, only
from sensors.values import command_line, ecs
from sensors.values.listed import SEVERAL

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLATFORM: Final = {"Mac": "macos", "Lin": "linux", "Win": "windows", "iOS": "ios", "Android": "android"}
# https://www.iana.org/assignments/protocol-numbers
_TRANSPORT: Final = {
    "0": "hopopt", "1": "icmp", "2": "igmp", "6": "tcp", "8": "egp", "17": "udp", "41": "ipv6", "47": "gre",
    "50": "esp", "58": "ipv6-icmp", "112": "vrrp", "132": "sctp",
}  # fmt: skip
_DIRECTION: Final = {"0": "outbound", "1": "inbound", "2": "unknown", "3": "unknown"}
_NO_HASH: Final = r"^0+$"
_PARTS: Final = ("category", "type", "kind", "outcome")  # of meanings, as `names.toml` writes them
_LISTED: Final = ("category", "type")
FIELDS: Final = {
    "event.action": ("event_simpleName", "fdr_event_type", "EventType"),
    "event.id": "id",
    "event.reason": ("SubStatus", "Status"),
    "observer.serial_number": "aid",
    "observer.version": ("AgentVersion", "ConfigBuild"),
    "host.name": ("ComputerName", "HostName", "hostname"),
    "host.hostname": ("ComputerName", "HostName", "hostname"),
    "host.os.version": ("OSVersionString", "OSVersion", "Version"),
    "host.geo.city_name": "City",
    "host.geo.continent_name": "Continent",
    "host.geo.country_name": "Country",
    "host.geo.timezone": "Timezone",
    "host.domain": "MachineDomain",
    "process.entity_id": ("TargetProcessId", "ContextProcessId"),
    "process.parent.entity_id": "ParentProcessId",
    "process.command_line": ("CommandLine", "ScriptContent"),
    "process.parent.command_line": "ParentCommandLine",
    "process.parent.name": "ParentBaseFileName",
    "process.working_directory": "WorkingDirectory",
    "process.title": ("ServiceDisplayName", "WindowTitle"),
    "process.tty": "TtyName",
    "user.id": ("UID", "UserSid", "RUID"),
    "user.group.id": "GID",
    "user.email": "UserPrincipal",
    "user.target.id": "TargetUserSid",
    "file.path": ("TargetFileName", "FilePath"),
    "file.inode": "FileIdentifier",
    "registry.key": "RegObjectName",
    "registry.value": "RegValueName",
    "registry.data.strings": "RegStringValue",
    "device.id": ("SensorId", "DeviceId", "DeviceInstanceId"),
    "device.manufacturer": ("DeviceManufacturer", "SystemManufacturer"),
    "device.model.name": ("DeviceProduct", "SystemProductName"),
    "device.serial_number": ("DeviceSerialNumber", "SystemSerialNumber"),
    "url.domain": "DownloadServer",
    "server.address": "DownloadServer",
    "server.domain": "DownloadServer",
    "network.iana_number": "Protocol",
    "crowdstrike.aid": "aid",
    "crowdstrike.cid": "cid",
    "crowdstrike.name": "name",
    "crowdstrike.LogonType": "LogonType",
    "crowdstrike.LogonServer": "LogonServer",
    "crowdstrike.UserIsAdmin": "UserIsAdmin",
    "crowdstrike.TreeId": "TreeId",
    "crowdstrike.ParentProcessId": "ParentProcessId",
    "crowdstrike.GrandParentBaseFileName": "GrandParentBaseFileName",
    "crowdstrike.RemoteAccount": "RemoteAccount",
    "crowdstrike.ClientComputerName": "ClientComputerName",
    "crowdstrike.DeviceInstanceId": "DeviceInstanceId",
    "crowdstrike.Tags": "Tags",
}


@cache
def kinds() -> Mapping[str, Any]:
    """Names of events to what they are."""
    return tomllib.loads((files("sensors.crowdstrike") / "kinds.toml").read_text("utf-8"))


@cache
def names() -> Mapping[str, Mapping[str, str]]:
    """What events of known names are: part of the meaning → name → words (or none)."""
    table = tomllib.loads((files("sensors.crowdstrike") / "names.toml").read_text("utf-8"))
    told: dict[str, dict[str, str]] = {part: {} for part in _PARTS}
    for meaning, listed in table.items():
        for part, words in zip(_PARTS, meaning.split("|"), strict=True):
            told[part] |= dict.fromkeys(listed.split(), words.strip())
    return told


def _meaning(name: pl.Expr) -> list[pl.Expr]:
    """Category, type, kind and outcome by the whole name; of unknown names by what is in them."""

    def told(part: str) -> pl.Expr:
        dtype = pl.List(pl.String) if part in _LISTED else pl.String()
        known, rules = names()[part], kinds()[part]

        def chosen(one: pl.Expr) -> pl.Expr:
            words = one.replace_strict(known, default=None, return_dtype=pl.String)
            some = pl.when(words != "").then(words)
            exact = some.str.split(" ") if part in _LISTED else some
            return pl.when(words.is_not_null()).then(exact).otherwise(first_rule(one, rules))

        return by_value(name, chosen, dtype)

    named = name != ""
    return [
        told("kind").alias("event.kind"),
        *(pl.when(named).then(told(part)).alias(f"event.{part}") for part in ("category", "type", "outcome")),
    ]


def _both(*names: str) -> tuple[str, ...]:
    return tuple(path for name in names for path in (name, f"event.{name}"))


def moment(frame: pl.DataFrame) -> pl.Expr:
    """When the sensor's cloud got it; failing that when it happened."""
    return time(frame, *_both("timestamp", "ContextTimeStamp", "Time"), "p_event_time", "_time", "Timestamp")


def events(frame: pl.DataFrame) -> pl.DataFrame:
    """The events as ECS."""

    def said(*names: str) -> pl.Expr:
        return text(frame, *_both(*names))

    name = said("event_simpleName", "fdr_event_type").fill_null("")
    out = frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        pl.col("@timestamp").alias("event.created"),
        pl.col("text").alias("event.original"),
        pl.lit("crowdstrike.fdr").alias("event.dataset"),
        pl.lit("agent").alias("observer.type"),
        pl.lit("crowdstrike").alias("observer.vendor"),
        pl.lit("falcon").alias("observer.product"),
        *_meaning(name),
        said("event_platform").replace(_PLATFORM).alias("host.os.type"),
        *(
            said(*([names] if isinstance(names, str) else names)).alias(field)
            for field, names in FIELDS.items()
        ),
        *_processes(frame, name),
        *_people(frame, name),
        *_network(frame, name),
        *_files(frame, name),
    )
    return _related(out)


def _related(out: pl.DataFrame) -> pl.DataFrame:
    path = pl.col("file.path")
    out = out.with_columns(
        command_line.args(pl.col("process.command_line")).alias("process.args"),
        command_line.directory(path).alias("file.directory"),
        command_line.base_name(path).alias("file.name"),
        command_line.extension(path).alias("file.extension"),
    ).with_columns(pl.col("process.args").list.len().alias("process.args_count"))
    out = ecs.relations(
        out,
        ip=("~agents", "~source", "destination.ip"),
        user=("user.name", "user.full_name"),
        hosts=("host.name", "crowdstrike.LogonServer", "crowdstrike.ClientComputerName"),
        hash=(
            "process.hash.md5",
            "process.hash.sha1",
            "process.hash.sha256",
            "file.hash.sha256",
            "file.hash.sha1",
        ),
    )
    return ecs.only(out, "crowdstrike")


def _processes(frame: pl.DataFrame, name: pl.Expr) -> list[pl.Expr]:
    """The process of events about one; of others only its number."""
    image = text(frame, *_both("ImageFileName"))
    hashes = {"md5": "MD5HashData", "sha1": "SHA1HashData", "sha256": "SHA256HashData"}
    found = {kind: text(frame, *_both(column)) for kind, column in hashes.items()}
    real = {kind: pl.when(~value.str.contains(_NO_HASH)).then(value) for kind, value in found.items()}
    is_file = name.str.contains(r"File|Written|Renamed|Executable|Directory")
    return [
        image.alias("process.executable"),
        command_line.base_name(image).alias("process.name"),
        integer(frame, *_both("RawProcessId", "EtwRawProcessId")).alias("process.pid"),
        integer(frame, *_both("ContextThreadId", "EtwRawThreadId")).alias("process.thread.id"),
        integer(frame, *_both("ExitCode")).alias("process.exit_code"),
        time(frame, *_both("ProcessStartTime")).alias("process.start"),
        time(frame, *_both("ProcessEndTime")).alias("process.end"),
        *(pl.when(~is_file).then(value).alias(f"process.hash.{kind}") for kind, value in real.items()),
        *(pl.when(is_file).then(value).alias(f"file.hash.{kind}") for kind, value in real.items()),
    ]


def _people(frame: pl.DataFrame, name: pl.Expr) -> list[pl.Expr]:
    r"""The account; its name may be written `DOMAIN\name`. A logon's is the source's as well."""
    whole = only(text(frame, *_both("UserName")), "-")
    bare = whole.str.extract(r"([^\\]+)$", 1)
    mail = text(frame, *_both("UserPrincipal"))
    domain = pl.coalesce(
        mail_domain(mail), text(frame, *_both("LogonDomain", "UserDomain")), whole.str.extract(r"^(.+)\\", 1)
    )
    logon = name.str.starts_with("UserLogo")
    return [
        bare.alias("user.name"),
        domain.alias("user.domain"),
        mailbox(mail).alias("user.full_name"),
        pl.when(logon).then(bare).alias("source.user.name"),
        pl.when(logon).then(domain).alias("source.user.domain"),
        pl.when(logon).then(text(frame, *_both("UserSid"))).alias("source.user.id"),
    ]


def _network(frame: pl.DataFrame, name: pl.Expr) -> list[pl.Expr]:
    """Both ends; a logon and an inbound connection come from the remote one."""
    far = address(text(frame, *_both("RemoteAddressIP4", "RemoteAddressIP6", "RemoteIP")))
    near = address(text(frame, *_both("LocalAddressIP4", "LocalAddressIP6", "LocalIP")))
    far_port, near_port = integer(frame, *_both("RemotePort")), integer(frame, *_both("LocalPort"))
    toward = text(frame, *_both("ConnectionDirection")).replace(_DIRECTION)
    logon = name.str.starts_with("UserLogo")
    inward = (toward == "inbound").fill_null(value=False) | logon
    agent = address(text(frame, *_both("aip")))
    protocol = text(frame, *_both("Protocol"))
    source = pl.when(inward).then(far).otherwise(near)
    destination = pl.when(inward).then(near).otherwise(far)
    question = text(frame, *_both("RequestType"))
    domain, shared = text(frame, *_both("DomainName")), name.str.starts_with("Smb")
    mac = command_line.mac(text(frame, *_both("PhysicalAddress", "MAC")))
    agents = _addresses(text(frame, *_both("aip")))
    # Where an event tells of no connection, it comes from where the machine and its person are.
    alone = far.is_null() & near.is_null()
    return [
        agents.alias("observer.ip"),
        agents.list.join(SEVERAL).alias("~agents"),
        source.alias("~source"),
        pl.coalesce(source, pl.when(alone).then(agent)).alias("source.ip"),
        pl.coalesce(source, pl.when(alone).then(agent)).alias("source.address"),
        pl.when(inward).then(far_port).otherwise(near_port).alias("source.port"),
        destination.alias("destination.ip"),
        destination.alias("destination.address"),
        pl.when(inward).then(near_port).otherwise(far_port).alias("destination.port"),
        pl.when(logon).then(text(frame, *_both("ClientComputerName"))).alias("source.domain"),
        mac.alias("source.mac"),
        toward.alias("network.direction"),
        protocol.replace_strict(_TRANSPORT, default=None, return_dtype=pl.String).alias("network.transport"),
        pl.when(~shared).then(domain).alias("dns.question.name"),
        pl.when(shared).then(domain).alias("destination.domain"),
        question.replace_strict(kinds()["query"], default=None, return_dtype=pl.String).alias(
            "dns.question.type"
        ),
    ]


def _addresses(value: pl.Expr) -> pl.Expr:
    """The addresses of a text, divided by blanks, as a list."""
    listed = value.str.split(" ").list.eval(address(pl.element())).list.drop_nulls()
    return pl.when(listed.list.len() > 0).then(listed)


def _files(frame: pl.DataFrame, name: pl.Expr) -> list[pl.Expr]:
    path = text(frame, *_both("TargetFileName"))
    about = path.is_not_null()
    folder = name.str.contains("Directory", literal=True) | path.str.contains(r"[\\/]$")
    kind = pl.when(folder).then(pl.lit("dir")).otherwise(pl.lit("file"))
    download = text(frame, *_both("DownloadPath"))
    server, port = text(frame, *_both("DownloadServer")), text(frame, *_both("DownloadPort"))
    asked = download.str.replace("^/?", "/")
    scheme = pl.when(port == "443").then(pl.lit("https")).when(port.is_not_null()).then(pl.lit("http"))
    whole = pl.concat_str(scheme, pl.lit("://"), server, asked)
    return [
        pl.coalesce(text(frame, *_both("HttpUrl")), whole).alias("url.full"),
        whole.alias("url.original"),
        asked.alias("url.path"),
        pl.when(server.is_not_null()).then(scheme).alias("url.scheme"),
        integer(frame, *_both("Size")).alias("file.size"),
        pl.when(about).then(kind).alias("file.type"),
        text(frame, *_both("SourceFileName")).alias("crowdstrike.SourceFileName"),
    ]
