"""Microsoft 365's two ends of what was done: people by their principal names, clients and servers.

The columns `~user`, `~target`, `~client` and `~server` hold the parts of each as structs: a name or address
is taken apart once, whatever it is needed for.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.distinct import by_value
from sensors.reading.json_table import objects, text
from sensors.shapes.mapping import mail_domain, mailbox
from sensors.values.ecs import IP, is_ip

# A host with its address in brackets; an address in brackets, or bare, with or without a port.
_HOST_AND_IP: Final = r"^\[?(?P<host>[^\s(\[\]]+) \((?P<ip>[^)]*)\)\]?\s*$"
_IP_AND_PORT: Final = (
    r"^(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:\s]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[^:\s]*))"
    r"(?::(?P<port>\d{1,5}))?$"
)


def _principal(name: pl.Expr) -> pl.Expr:
    """A user principal name in its parts; what has another form is an id alone."""
    names = ("email", "name", "domain")
    return by_value(name, _principal_parts, pl.Struct(dict.fromkeys(names, pl.String)))


def _principal_parts(name: pl.Expr) -> pl.Expr:
    principal = pl.when(name.str.count_matches("@") == 1).then(name)
    return pl.struct(email=principal, name=mailbox(principal), domain=mail_domain(principal))


def actors(frame: pl.DataFrame) -> list[pl.Expr]:
    """Who did it, and to whom, as Microsoft writes them."""
    owner = text(frame, "MailboxOwnerUPN")
    owned = (text(frame, "LogonType") == "0") & ~text(frame, "UserId").str.contains("@")
    user = pl.when(owned).then(owner).otherwise(text(frame, "UserId", "ActorUserId", "LogonUserSid"))
    shared = pl.when(text(frame, "TargetUserOrGroupType") != "SharePointGroup").then(
        text(frame, "TargetUserOrGroupName")
    )
    member = objects(frame, "Members", "UPN").list.first().struct.field("UPN")
    other = pl.when((owner != user).fill_null(value=True)).then(owner)
    target = pl.coalesce(
        _directory(frame), shared, text(frame, "TargetUserId", "SharePointMetaData.From"), member, other
    )
    return [_principal(user).alias("~user"), _principal(target).alias("~target")]


def _directory(frame: pl.DataFrame) -> pl.Expr:
    return pl.when(pl.col("event.code") == "AzureActiveDirectory").then(text(frame, "ObjectId"))


def people(frame: pl.DataFrame) -> list[pl.Expr]:
    """The same in ECS words."""
    return [
        text(frame, "UserId", "LogonUserSid", "ActorYammerUserId").alias("user.id"),
        _directory(frame).alias("user.target.id"),
        *(
            pl.col(f"~{root.rpartition('.')[2]}").struct.field(part).alias(f"{root}.{part}")
            for root in ("user", "user.target")
            for part in ("email", "name", "domain")
        ),
    ]


def server(frame: pl.DataFrame) -> pl.Expr:
    """Of a server its host and IP address."""
    written = text(frame, "OriginatingServer").str.strip_chars()
    kinds = pl.Struct(dict.fromkeys(("host", "ip"), pl.String))
    return by_value(written, lambda one: one.str.extract_groups(_HOST_AND_IP), kinds)


def client(frame: pl.DataFrame) -> pl.Expr:
    """Of a client's address the host, the address as it is, the IP address and the port.

    Microsoft writes it with a port, in brackets, or after its host's name.
    """
    written = text(frame, "ClientIPAddress", "ClientIP", "ActorIpAddress")
    names = ("host", "address", "ip", "port")
    return by_value(written, _client_parts, pl.Struct(dict.fromkeys(names, pl.String)))


def _client_parts(written: pl.Expr) -> pl.Expr:
    bare = written.str.replace("::ffff:", "", literal=True)
    parts = bare.str.extract_groups(_IP_AND_PORT).struct
    named = bare.str.extract_groups(_HOST_AND_IP).struct
    address = pl.coalesce(named.field("ip"), parts.field("six"), parts.field("four"))
    ip = pl.when(address.str.contains(IP)).then(address)
    return pl.struct(
        host=pl.coalesce(named.field("host"), pl.when(~address.str.contains(IP)).then(parts.field("four"))),
        address=pl.coalesce(named.field("ip"), ip),
        ip=ip,
        port=pl.when(ip.is_not_null()).then(parts.field("port")),
    )


def addresses() -> list[pl.Expr]:
    """Client and server."""
    near, far = pl.col("~client").struct, pl.col("~server").struct
    ip = near.field("ip")
    server_ip = pl.when(is_ip(far.field("ip"))).then(far.field("ip"))
    return [
        near.field("address").alias("client.address"),
        near.field("host").alias("client.domain"),
        ip.alias("client.ip"),
        near.field("port").alias("client.port"),
        ip.alias("source.ip"),
        near.field("port").alias("source.port"),
        pl.when(ip.str.contains(":", literal=True))
        .then(pl.lit("ipv6"))
        .when(ip.is_not_null())
        .then(pl.lit("ipv4"))
        .alias("network.type"),
        far.field("host").alias("server.domain"),
        far.field("ip").alias("server.address"),
        server_ip.alias("server.ip"),
        server_ip.alias("destination.ip"),
    ]
