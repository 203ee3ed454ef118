"""Audit records as ECS."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.auditd.values import address, arguments
from sensors.schema import TIME
from sensors.values import command_line, ecs

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOBODY: Final = "4294967295"  # no login: -1 of 32 bits
_ARCH: Final = {
    "c000003e": "x86_64",
    "40000003": "i386",
    "c00000b7": "aarch64",
    "40000028": "arm",
    "c0000015": "ppc64le",
}
_ACCEPTS: Final = ("43", "288", "accept", "accept4")
# Types that PAM and account tools write: the person is the login (auid), and `acct` whom it was about.
_OF_LOGIN: Final = (
    r"^(USER_(AUTH|ACCT|LOGIN|LOGOUT|START|END|CHAUTHTOK|MGMT|ERR)|CRED_|ADD_|DEL_|GRP_|ACCT_|ROLE_)"
)
_AS_ID: Final = r"^(CRED_|USER_(ACCT|AUTH|END|ERR|LOGIN|LOGOUT|START)$)"  # `id` says as whom
_TARGETED: Final = r"^(USER_(CHAUTHTOK|MGMT)|ADD_USER|DEL_USER|ACCT_)"
_KEPT: Final = (
    "ses", "op", "subj", "unit", "hostname", "laddr", "lport", "rport", "cipher", "direction", "key", "a0",
    "syscall", "success", "tty", "proctitle", "saddr", "data", "reason", "table", "family", "scontext",
    "tcontext", "tclass", "inode", "mode", "nametype", "name", "cmd", "id", "uid", "item", "objtype",
)  # fmt: skip


@cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads((files("sensors.auditd") / "types.toml").read_text("utf-8"))


@cache
def _known() -> pl.DataFrame:
    """What records of each type mean, and those of system calls by name (`SYSCALL connect`)."""
    rows = []
    for name, (action, *words) in _tables()["kinds"].items():
        rows.append((name, action, words[0].split(",") if words else None, words[1:] or None))
    for meaning, calls in _tables()["syscalls"].items():
        action, category, *types = meaning.split()
        rows += [(f"SYSCALL {call}", action, [category], types) for call in calls.split()]
    words = pl.List(pl.String)
    return pl.DataFrame(
        rows,
        schema={"~kind": pl.String, "event.action": pl.String, "event.category": words, "event.type": words},
        orient="row",
    )


def mapped(frame: pl.DataFrame) -> pl.DataFrame:
    """Parsed records with their ECS columns."""
    kind = pl.col("type")
    named = (kind == "SYSCALL") & ~pl.col("syscall").str.contains(r"^\d+$")
    by_name = pl.concat_str(kind, pl.lit(" "), "syscall")
    call = pl.when(named & by_name.is_in(_known()["~kind"].implode())).then(by_name)
    frame = frame.with_columns(pl.coalesce(call, kind).alias("~kind"))
    frame = frame.join(_known(), on="~kind", how="left", maintain_order="left")
    control = pl.col("op").replace_strict(_tables()["controls"], default=None, return_dtype=pl.String)
    micros = pl.col("second").cast(pl.Int64) * 1_000_000 + pl.col("milli").str.pad_end(6, "0").cast(pl.Int64)
    result = pl.coalesce("res", pl.when(kind == "SYSCALL").then("success")).str.to_lowercase()
    denied = pl.col("raw").str.extract(r"avc: +(denied|granted) ", 1)
    frame = frame.with_columns(
        micros.cast(TIME).alias("@timestamp"),
        pl.lit("auditd.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.col("text").alias("event.original"),
        pl.when((kind == "AVC") & pl.col("raw").str.contains(r"\bapparmor="))
        .then(pl.lit("violated-apparmor-policy"))
        .otherwise(pl.coalesce("event.action", kind.str.to_lowercase()))
        .alias("event.action"),
        pl.when((kind == "VIRT_CONTROL") & control.is_not_null())
        .then(pl.concat_list(control))
        .otherwise("event.type")
        .alias("event.type"),
        pl.when(kind == "SYSCALL").then(_direction(pl.col("syscall"))).alias("network.direction"),
        pl.when(kind.str.starts_with("VIRT_")).then("vm").alias("container.name"),
        pl.when(result.is_in(["success", "1", "yes"]) | (denied == "granted"))
        .then(pl.lit("success"))
        .when(result.is_in(["failed", "0", "no"]) | (denied == "denied"))
        .then(pl.lit("failure"))
        .when(pl.col("res").is_not_null())
        .then(pl.lit("unknown"))
        .alias("event.outcome"),
        kind.alias("auditd.log.record_type"),
        pl.col("sequence").alias("auditd.log.sequence"),
        pl.col("node").alias("auditd.log.node"),
        pl.col("node").alias("host.name"),
        *(pl.col(name).alias(f"auditd.log.{name}") for name in _KEPT),
        pl.col("new_auid").alias("auditd.log.new_auid"),
        pl.col("old_auid").alias("auditd.log.old_auid"),
    )
    frame = _processes(frame)
    frame = _people(frame)
    frame = _joined(frame)
    return ecs.relations(
        frame, ip=("source.ip", "destination.ip"), user=("user.name", "user.audit.name"), hosts=("host.name",)
    )


def _direction(call: pl.Expr) -> pl.Expr:
    ways = {name: way for way, names in _tables()["directions"].items() for name in names}
    return call.replace_strict(ways, default=None, return_dtype=pl.String)


def _processes(frame: pl.DataFrame) -> pl.DataFrame:
    kind = pl.col("type")
    args = (
        pl.when(kind == "EXECVE")
        .then(arguments(pl.col("raw")))
        .otherwise(pl.col("cmd").str.extract_all(r"\S+"))
    )
    first = pl.col("raw").str.extract(r'(?:^| )a0="?([^" ]+)', 1)
    path = pl.when(kind == "PATH").then("name")
    return frame.with_columns(
        pl.col("pid").cast(pl.Int64, strict=False).alias("process.pid"),
        pl.col("ppid").cast(pl.Int64, strict=False).alias("process.parent.pid"),
        pl.col("exit").cast(pl.Int64, strict=False).alias("process.exit_code"),
        pl.col("comm").alias("process.name"),
        pl.coalesce("exe", pl.when(kind == "EXECVE").then(first)).alias("process.executable"),
        pl.col("cwd").alias("process.working_directory"),
        pl.col("cmd").alias("process.command_line"),
        args.alias("process.args"),
        path.alias("file.path"),
        pl.col("arch").replace_strict(_ARCH, default=None, return_dtype=pl.String).alias("host.architecture"),
    )


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """The login, the account as which it acted, and whom it was about."""
    kind = pl.col("type")
    of_login = kind.str.contains(_OF_LOGIN)
    login = kind == "LOGIN"
    source = pl.coalesce("src", "addr")
    session = kind.is_in(["USER_LOGIN", "USER_LOGOUT", "USER_START", "USER_END", "USER_AUTH", "USER_ACCT"])
    acct = pl.coalesce("acct", "user", pl.when(session).then("ID"))
    about = kind.str.contains(_TARGETED)
    frame = frame.with_columns(
        pl.when(~login).then("auid").alias("user.audit.id"),
        pl.when(pl.col("AUID") != "unset").then("AUID").alias("user.audit.name"),
        pl.when(login)
        .then("old_auid")
        .when(of_login)
        .then("auid")
        .when(kind != "CONFIG_CHANGE")
        .then("uid")
        .alias("user.id"),
        pl.coalesce(acct, pl.when(~of_login).then("UID")).alias("user.name"),
        pl.coalesce(
            "euid",
            pl.when(login).then("new_auid"),
            pl.when(kind.str.contains(_AS_ID) & pl.col("acct").is_null()).then("id"),
            pl.when(of_login & pl.col("acct").is_null() | about).then("uid"),
        ).alias("user.effective.id"),
        pl.when(of_login & ~about).then("acct").alias("user.effective.name"),
        pl.when(about).then("acct").alias("user.target.name"),
        pl.when(kind.is_in(["ADD_USER", "DEL_USER"]))
        .then("id")
        .when(kind.is_in(["USER_CHAUTHTOK", "USER_MGMT"]) & pl.col("acct").is_null())
        .then(pl.coalesce("id", "uid"))
        .alias("user.target.id"),
        pl.when(kind.is_in(["ADD_GROUP", "DEL_GROUP", "GRP_CHAUTHTOK"])).then("acct").alias("group.name"),
        pl.when(kind.is_in(["ADD_GROUP", "DEL_GROUP"])).then("id").alias("group.id"),
        pl.col("suid").alias("user.saved.id"),
        pl.col("gid").alias("user.group.id"),
        pl.col("terminal").alias("user.terminal"),
        pl.col("dst").alias("destination.address"),
        source.alias("source.address"),
        pl.when(ecs.is_ip(source)).then(source).alias("source.ip"),
    )
    somebody = session & (pl.col("user.id") != _NOBODY)
    return frame.with_columns(
        pl.when(session).then("user.name").alias("source.user.name"),
        pl.when(somebody).then("user.id").alias("source.user.id"),
    )


def _joined(frame: pl.DataFrame) -> pl.DataFrame:
    """What the other records of the audit event say, in the event of its system call."""
    ip, port = address(pl.col("saddr"))
    said = frame.with_columns(ip.alias("~ip"), port.cast(pl.Int64).alias("~port"))
    call = pl.col("type") == "SYSCALL"
    by = ["second", "sequence"]

    def first(name: str) -> pl.Expr:
        return pl.col(name).drop_nulls().first().over(by)

    accepts = pl.coalesce("SYSCALL", "syscall").is_in(_ACCEPTS)
    line = pl.coalesce(first("process.args").list.join(" "), first("proctitle"))
    said = said.with_columns(
        pl.when(call).then(first("process.args")).otherwise("process.args").alias("process.args"),
        pl.when(call)
        .then(first("process.working_directory"))
        .otherwise("process.working_directory")
        .alias("process.working_directory"),
        pl.when(call).then(first("file.path")).otherwise("file.path").alias("file.path"),
        pl.when(call)
        .then(line)
        .otherwise(pl.coalesce("process.command_line", pl.col("process.args").list.join(" ")))
        .alias("process.command_line"),
        pl.when(call & accepts).then(first("~ip")).otherwise("source.ip").alias("source.ip"),
        pl.when(call & accepts).then(first("~port")).alias("source.port"),
        pl.when(call & ~accepts)
        .then(first("~ip"))
        .otherwise(pl.when(ecs.is_ip(pl.col("dst"))).then("dst"))
        .alias("destination.ip"),
        pl.when(call & ~accepts).then(first("~port")).alias("destination.port"),
        pl.when(call).then("SYSCALL").alias("auditd.log.syscall_name"),
    )
    started = call & pl.col("process.args").is_not_null()
    path = pl.col("file.path")
    return said.with_columns(
        pl.when(started)
        .then(pl.lit(["start"], pl.List(pl.String)))
        .otherwise("event.type")
        .alias("event.type"),
        command_line.base_name(path).alias("file.name"),
        pl.col("process.args").list.len().alias("process.args_count"),
    )
