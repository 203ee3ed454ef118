"""Rows of the hunting tables as ECS: one set of columns, whichever table a row is of."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import integer, objects, text, texts, time
from sensors.shapes.mapping import address, first_rule, mail_domain, mailbox, only
from sensors.values import command_line, ecs
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

_HIVES: Final = {
    "HKEY_LOCAL_MACHINE": "HKLM", "HKEY_CURRENT_USER": "HKCU", "HKEY_USERS": "HKU",
    "HKEY_CLASSES_ROOT": "HKCR", "HKEY_CURRENT_CONFIG": "HKCC",
}  # fmt: skip


@cache
def said() -> Mapping[str, Any]:
    """The tables, kinds and fields of this package's data."""
    return tomllib.loads((files("sensors.m365_defender") / "hunting.toml").read_text("utf-8"))


def _paths(*names: str) -> tuple[str, ...]:
    return tuple(path for name in names for path in (f"properties.{name}", name))


class Row:
    """The columns of a frame by the names that Microsoft's tables give them."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def text(self, *names: str) -> pl.Expr:
        """The first of these columns that has a value."""
        return only(text(self._frame, *_paths(*names)), "-")

    def number(self, *names: str) -> pl.Expr:
        """The same as a number."""
        return integer(self._frame, *_paths(*names))

    def time(self, *names: str) -> pl.Expr:
        """The same as a moment."""
        return time(self._frame, *_paths(*names))

    def list(self, name: str) -> pl.Expr:
        """A list of texts."""
        return pl.coalesce(texts(self._frame, path) for path in _paths(name))

    def inside(self, name: str, key: str) -> pl.Expr:
        """List of texts: `key` of every object in the list that the column `name` holds."""
        lists = [objects(self._frame, path, key) for path in _paths(name)]
        return pl.coalesce(lists).list.eval(pl.element().struct.field(key)).list.drop_nulls()


def events(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows as events."""
    row = Row(frame)
    table = _table(row, frame)
    frame = frame.with_columns(table.alias("~table"))
    out = frame.select(
        "log.offset",
        "log.file.line",
        "@timestamp",
        pl.col("text").alias("event.original"),
        "~table",
        pl.lit("m365_defender.event").alias("event.dataset"),
        *_meaning(row),
        *_processes(row),
        *_people(row),
        *_network(row),
        *_files(row),
        *_registry(row),
        *_host(row),
        *(
            row.text(*([names] if isinstance(names, str) else names)).alias(name)
            for name, names in said()["fields"].items()
        ),
    )
    out = url_columns(out)
    out = out.with_columns(
        command_line.args(pl.col("process.command_line")).alias("process.args"),
        command_line.args(pl.col("process.parent.command_line")).alias("process.parent.args"),
    )
    out = out.with_columns(pl.col("process.args").list.len().alias("process.args_count"))
    out = ecs.relations(
        out,
        ip=("source.ip", "destination.ip", "molehunt.public_ip"),
        user=("user.name", "email.sender.address", "molehunt.recipient"),
        hosts=("host.id", "host.name", "user.domain"),
        hash=tuple(
            f"{root}.hash.{kind}" for root in ("process", "file") for kind in ("md5", "sha1", "sha256")
        ),
    )
    return ecs.only(out.drop("molehunt.public_ip", "molehunt.recipient", "~table"), "m365_defender")


def _table(row: Row, frame: pl.DataFrame) -> pl.Expr:
    """The table that a row is of: as it says itself, or by what only that one has."""
    told = text(frame, "category").str.strip_prefix("AdvancedHunting-")
    named = text(frame, "Type", "TableName", "$table")
    action = row.text("ActionType")
    known = [
        pl.when(row.text(column).is_not_null()).then(pl.lit(name))
        for column, name in said()["column"].items()
    ]
    return pl.coalesce(
        told, named, first_rule(action, said()["action_table"]), *known, pl.lit("DeviceEvents")
    )


def _meaning(row: Row) -> list[pl.Expr]:
    """What `event.*` says of the kind of row."""
    table, action = pl.col("~table"), row.text("ActionType")
    kinds = said()
    is_alert = table.str.starts_with("Alert")
    renamed = action.replace_strict(kinds["action"], default=None, return_dtype=pl.String)
    plain = action.str.to_lowercase().str.replace_all(" ", "-", literal=True)
    of_device = table.str.starts_with("Device")
    return [
        pl.when(is_alert)
        .then(pl.lit("alert"))
        .when(table == "IdentityInfo")
        .then(pl.lit("asset"))
        .otherwise(pl.lit("event"))
        .alias("event.kind"),
        pl.coalesce(pl.when(of_device).then(renamed), plain).alias("event.action"),
        pl.when(action == "DriverLoad")
        .then(pl.lit(["driver"], pl.List(pl.String)))
        .otherwise(first_rule(table, kinds["category"]))
        .alias("event.category"),
        pl.when(is_alert)
        .then(pl.lit(["indicator"], pl.List(pl.String)))
        .when(of_device)
        .then(first_rule(action.fill_null(""), kinds["type"]))
        .when(table == "IdentityInfo")
        .then(pl.lit(["info", "user"], pl.List(pl.String)))
        .otherwise(pl.lit(["info"], pl.List(pl.String)))
        .alias("event.type"),
        pl.when(table.is_in(["DeviceLogonEvents", "IdentityLogonEvents"]))
        .then(first_rule(action, {"(?i)success": "success", "(?i)fail": "failure", "(?i)attempt": "unknown"}))
        .alias("event.outcome"),
        row.text("Severity")
        .replace_strict(kinds["severity"], default=None, return_dtype=pl.Int64)
        .alias("event.severity"),
    ]


def _processes(row: Row) -> list[pl.Expr]:
    """The process that acted and its parent; of a new process, itself and the one that made it."""
    new = pl.col("~table") == "DeviceProcessEvents"
    alert = pl.col("~table").str.starts_with("Alert")
    by = "InitiatingProcess"
    out = []
    for field, (made, acting) in said()["process"].items():
        own = pl.when(new | alert).then(row.text(made))
        out.append(pl.coalesce(own, pl.when(~new).then(row.text(by + acting))).alias(f"process.{field}"))
        out.append(pl.when(new).then(row.text(by + acting)).alias(f"process.parent.{field}"))
    made_path = command_line.joined(row.text("FolderPath"), row.text("FileName"))
    acting_path = command_line.joined(row.text(by + "FolderPath"), row.text(by + "FileName"))
    name = row.text(by + "FileName")
    return [
        *(expr for expr in out if expr.meta.output_name() not in _NOT_OF_PARENTS),
        pl.when(new).then(made_path).otherwise(acting_path).alias("process.executable"),
        pl.when(new).then(row.text("FileName")).otherwise(name).alias("process.name"),
        pl.when(new).then(acting_path).alias("process.parent.executable"),
        pl.when(new).then(name).otherwise(row.text(by + "ParentFileName")).alias("process.parent.name"),
        pl.when(new).then(row.number("ProcessId")).otherwise(row.number(by + "Id")).alias("process.pid"),
        pl.when(new)
        .then(row.number(by + "Id"))
        .otherwise(row.number(by + "ParentId"))
        .alias("process.parent.pid"),
        pl.when(new)
        .then(row.time("ProcessCreationTime"))
        .otherwise(row.time(by + "CreationTime"))
        .alias("process.start"),
        pl.when(new)
        .then(row.time(by + "CreationTime"))
        .otherwise(row.time(by + "ParentCreationTime"))
        .alias("process.parent.start"),
    ]


_NOT_OF_PARENTS: Final = {
    f"process.parent.pe.{name}" for name in ("company", "description", "product", "file_version")
}


def _people(row: Row) -> list[pl.Expr]:
    """The account: the one that logged on, or that the process ran as; a login's is the source's as well."""
    login = pl.col("~table").is_in(["DeviceLogonEvents", "IdentityLogonEvents"])
    names = {
        "name": ("AccountName", "AccountDisplayName"),
        "domain": ("AccountDomain",),
        "id": ("AccountSid", "AccountObjectId"),
        "email": ("AccountUpn",),
    }
    out = []
    for part, columns in names.items():
        own = row.text(*columns)
        acting = row.text(*(f"InitiatingProcess{column}" for column in columns))
        out.append(pl.when(login).then(own).otherwise(pl.coalesce(own, acting)).alias(f"user.{part}"))
        out.append(pl.when(login).then(own).alias(f"source.user.{part}"))
    sender, recipient = (
        row.text("SenderFromAddress", "SenderMailFromAddress"),
        row.text("RecipientEmailAddress"),
    )
    return [
        *out,
        sender.alias("email.sender.address"),
        pl.when(sender.is_not_null()).then(pl.concat_list(sender)).alias("email.from.address"),
        pl.when(recipient.is_not_null()).then(pl.concat_list(recipient)).alias("email.to.address"),
        recipient.alias("molehunt.recipient"),
    ]


def _network(row: Row) -> list[pl.Expr]:
    """Who talked to whom; a login or an inbound connection comes from the remote side."""
    table, action = pl.col("~table"), row.text("ActionType")
    network = table == "DeviceNetworkEvents"
    toward = row.text("AdditionalFields.direction")
    inbound = (toward == "In") | (action == "InboundConnectionAccepted")
    login = table == "DeviceLogonEvents"
    far, near = address(row.text("RemoteIP")), address(row.text("LocalIP"))
    far_port, near_port = row.number("RemotePort"), row.number("LocalPort")
    person = address(row.text("IPAddress", "SenderIPv4", "SenderIPv6"))
    of_person = pl.when(~table.is_in(["IdentityQueryEvents"])).then(person)
    url = row.text("RemoteUrl", "Url", "FileOriginUrl")
    out = pl.when(inbound | login)
    host = pl.coalesce(
        pl.when(table == "UrlClickEvents").then(None), pl.when(network).then(row.text("RemoteUrl"))
    )
    there = pl.coalesce(
        pl.when(inbound | login).then(near).otherwise(far), address(row.text("DestinationIPAddress"))
    )
    said_name = row.text("AdditionalFields.server_name")
    protocol = first_rule(action, {r"^(Dns|Http|Ssl|Ssh|Smtp|Ftp|Ldap|Icmp)ConnectionInspected$": "x"})
    return [
        pl.coalesce(out.then(far).otherwise(near), of_person).alias("source.ip"),
        out.then(far_port).otherwise(near_port).alias("source.port"),
        pl.when(login).then(row.text("RemoteDeviceName")).alias("source.domain"),
        there.alias("destination.ip"),
        pl.coalesce(there, pl.when(network).then(row.text("RemoteIP"))).alias("destination.address"),
        pl.coalesce(
            pl.when(inbound).then(near_port).when(~login).then(far_port), row.number("DestinationPort")
        ).alias("destination.port"),
        pl.coalesce(host.str.extract(r"^(?:\w+://)?([^/:]+)", 1), row.text("DestinationDeviceName")).alias(
            "destination.domain"
        ),
        pl.when(network | (table == "DeviceNetworkInfo"))
        .then(
            pl.when(inbound)
            .then(pl.lit("inbound"))
            .when(toward == "Out")
            .then(pl.lit("outbound"))
            .otherwise(pl.lit("unknown"))
        )
        .alias("network.direction"),
        pl.when(network).then(row.text("Protocol").str.to_lowercase()).alias("network.transport"),
        pl.coalesce(
            pl.when(protocol.is_not_null()).then(action.str.extract(r"^([A-Z][a-z]+)Conn", 1)),
            pl.when(table.str.starts_with("Identity")).then(row.text("Protocol")),
        )
        .str.to_lowercase()
        .alias("network.protocol"),
        url.alias("url.original"),
        row.list("AdditionalFields.answers").alias("dns.answers.data"),
        pl.when(action.str.starts_with("Ssl")).then(said_name).alias("tls.client.server_name"),
    ]


def _files(row: Row) -> list[pl.Expr]:
    """The file or module of an event that is about one."""
    table, action = pl.col("~table"), row.text("ActionType")
    module = (table == "DeviceImageLoadEvents") | (action == "DriverLoad")
    about = table.is_in(
        [
            "DeviceFileEvents",
            "DeviceImageLoadEvents",
            "DeviceFileCertificateInfo",
            "EmailAttachmentInfo",
            "AlertEvidence",
        ]
    )
    about |= (table == "DeviceEvents") & ~module
    path = command_line.joined(row.text("FolderPath"), row.text("FileName"))
    whole = pl.when(about & row.text("FolderPath").is_not_null()).then(path)
    hashes = {"md5": "MD5", "sha1": "SHA1", "sha256": "SHA256"}
    return [
        whole.alias("file.path"),
        command_line.directory(whole).alias("file.directory"),
        pl.when(about).then(row.text("FileName")).alias("file.name"),
        pl.coalesce(pl.when(about).then(row.text("FileType")), command_line.extension(whole)).alias(
            "file.extension"
        ),
        pl.when(about).then(row.number("FileSize")).alias("file.size"),
        pl.when(module).then(path).alias("dll.path"),
        pl.when(module).then(row.text("FileName")).alias("dll.name"),
        *(pl.when(about).then(row.text(name)).alias(f"file.hash.{kind}") for kind, name in hashes.items()),
        *(pl.when(module).then(row.text(name)).alias(f"dll.hash.{kind}") for kind, name in hashes.items()),
        row.text("IsSigned").alias("file.code_signature.exists"),
        row.text("IsTrusted").alias("file.code_signature.trusted"),
        row.text("Signer").alias("file.code_signature.subject_name"),
        row.text("CertificateSerialNumber").alias("file.x509.serial_number"),
        row.text("Issuer").alias("file.x509.issuer.common_name"),
        row.time("CertificateExpirationTime").alias("file.x509.not_after"),
        row.time("CertificateCreationTime").alias("file.x509.not_before"),
    ]


def _registry(row: Row) -> list[pl.Expr]:
    key = row.text("RegistryKey", "PreviousRegistryKey")
    hive = key.str.extract(r"^([^\\]+)", 1).replace(_HIVES)
    rest, value = (
        key.str.extract(r"^[^\\]+\\(.*)$", 1),
        row.text("RegistryValueName", "PreviousRegistryValueName"),
    )
    path = pl.concat_str(hive, pl.lit("\\"), rest)
    return [
        hive.alias("registry.hive"),
        rest.alias("registry.key"),
        value.alias("registry.value"),
        pl.coalesce(pl.concat_str(path, pl.lit("\\"), value), path).alias("registry.path"),
        row.text("RegistryValueType").alias("registry.data.type"),
        row.text("RegistryValueData").alias("registry.data.strings"),
    ]


def _host(row: Row) -> list[pl.Expr]:
    table = pl.col("~table")
    public = address(row.text("PublicIP"))
    asked = pl.when(table == "IdentityQueryEvents").then(address(row.text("IPAddress")))
    ip = pl.coalesce(public, asked)
    mac = command_line.mac(row.text("MacAddress"))
    windows = row.text("InitiatingProcessFolderPath", "FolderPath").str.contains("\\", literal=True)
    told = row.text("InitiatingProcessIntegrityLevel", "ProcessIntegrityLevel").is_not_null()
    return [
        pl.when(ip.is_not_null()).then(pl.concat_list(ip)).alias("host.ip"),
        ip.alias("molehunt.public_ip"),
        pl.when(mac.is_not_null()).then(pl.concat_list(mac)).alias("host.mac"),
        pl.when(windows & (told | (row.text("ActionType") == "DriverLoad")))
        .then(pl.lit("windows"))
        .alias("host.os.type"),
        pl.when(table.str.starts_with("Alert"))
        .then(row.text("Category"))
        .alias("m365_defender.event.category"),
        mailbox(row.text("AccountUpn")).alias("m365_defender.event.account.mailbox"),
        mail_domain(row.text("AccountUpn")).alias("m365_defender.event.account.mail_domain"),
        row.inside("LoggedOnUsers", "UserName").list.join(", ").alias("m365_defender.event.logged_on_users"),
    ]
