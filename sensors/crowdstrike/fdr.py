"""Events of the Falcon sensor, as the Falcon Data Replicator writes them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors import command_line, ecs
from sensors.json_table import integer, text, time
from sensors.mapping import address, first_rule, mail_domain, mailbox, only

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLATFORM: Final = {"Mac": "macos", "Lin": "linux", "Win": "windows", "iOS": "ios", "Android": "android"}
_TRANSPORT: Final = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "41": "ipv6", "47": "gre"}
_DIRECTION: Final = {"0": "outbound", "1": "inbound", "2": "unknown", "3": "unknown"}
# https://www.iana.org/assignments/dns-parameters
_QUERY: Final = {
    "1": "A", "2": "NS", "5": "CNAME", "6": "SOA", "12": "PTR", "15": "MX", "16": "TXT", "28": "AAAA",
    "33": "SRV", "64": "SVCB", "65": "HTTPS", "255": "ANY",
}  # fmt: skip
_NO_HASH: Final = r"^0+$"
FIELDS: Final = {
    "event.action": ("event_simpleName", "fdr_event_type", "EventType"),
    "event.id": "id",
    "event.reason": ("SubStatus", "Status"),
    "observer.serial_number": "aid",
    "observer.version": ("AgentVersion", "ConfigBuild"),
    "host.name": ("ComputerName", "HostName"),
    "host.hostname": ("ComputerName", "HostName"),
    "host.os.version": ("OSVersionString", "OSVersion"),
    "host.domain": "MachineDomain",
    "process.entity_id": ("TargetProcessId", "ContextProcessId"),
    "process.parent.entity_id": "ParentProcessId",
    "process.command_line": ("CommandLine", "ScriptContent"),
    "process.parent.command_line": "ParentCommandLine",
    "process.parent.name": "ParentBaseFileName",
    "process.working_directory": "WorkingDirectory",
    "process.title": ("ServiceDisplayName", "WindowTitle"),
    "process.tty": "TtyName",
    "user.id": ("UserSid", "UID", "RUID"),
    "user.group.id": "GID",
    "user.email": "UserPrincipal",
    "user.target.id": "TargetUserSid",
    "file.path": ("TargetFileName", "FilePath"),
    "file.inode": "FileIdentifier",
    "registry.key": "RegObjectName",
    "registry.value": "RegValueName",
    "registry.data.strings": "RegStringValue",
    "dns.question.name": "DomainName",
    "device.id": ("DeviceId", "DeviceInstanceId", "SensorId"),
    "device.manufacturer": ("DeviceManufacturer", "SystemManufacturer"),
    "device.model.name": ("DeviceProduct", "SystemProductName"),
    "device.serial_number": ("DeviceSerialNumber", "SystemSerialNumber"),
    "url.full": "HttpUrl",
    "url.domain": "DownloadServer",
    "url.path": "DownloadPath",
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
    named = name != ""
    known = kinds()
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
        first_rule(name, known["kind"]).alias("event.kind"),
        pl.when(named).then(first_rule(name, known["category"])).alias("event.category"),
        pl.when(named).then(first_rule(name, known["type"])).alias("event.type"),
        pl.when(named).then(first_rule(name, known["outcome"])).alias("event.outcome"),
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
        ip=("observer.first_ip", "source.ip", "destination.ip"),
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
    return ecs.only(out.drop("observer.first_ip"), "crowdstrike")


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
        integer(frame, *_both("ContextThreadId")).alias("process.thread.id"),
        integer(frame, *_both("ExitCode")).alias("process.exit_code"),
        time(frame, *_both("ProcessStartTime")).alias("process.start"),
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
    mac = command_line.mac(text(frame, *_both("PhysicalAddress", "MAC")))
    return [
        pl.when(agent.is_not_null()).then(pl.concat_list(agent)).alias("observer.ip"),
        agent.alias("observer.first_ip"),
        source.alias("source.ip"),
        source.alias("source.address"),
        pl.when(inward).then(far_port).otherwise(near_port).alias("source.port"),
        destination.alias("destination.ip"),
        destination.alias("destination.address"),
        pl.when(inward).then(near_port).otherwise(far_port).alias("destination.port"),
        pl.when(logon).then(text(frame, *_both("ClientComputerName"))).alias("source.domain"),
        mac.alias("source.mac"),
        toward.alias("network.direction"),
        protocol.replace_strict(_TRANSPORT, default=None, return_dtype=pl.String).alias("network.transport"),
        question.replace_strict(_QUERY, default=None, return_dtype=pl.String).alias("dns.question.type"),
    ]


def _files(frame: pl.DataFrame, name: pl.Expr) -> list[pl.Expr]:
    about = text(frame, *_both("TargetFileName")).is_not_null()
    kind = pl.when(name.str.starts_with("Directory")).then(pl.lit("dir")).otherwise(pl.lit("file"))
    return [
        integer(frame, *_both("Size")).alias("file.size"),
        pl.when(about).then(kind).alias("file.type"),
        text(frame, *_both("SourceFileName")).alias("crowdstrike.SourceFileName"),
    ]
