"""Audit records as ECS."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import command_line, ecs
from sensors.auditd.values import address, arguments
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    r"^(USER_(AUTH|ACCT|LOGIN|LOGOUT|START|END|CHAUTHTOK|MGMT|ERR|CMD)|CRED_|ADD_|DEL_|GRP_|ACCT_|ROLE_)"
)
_TARGETED: Final = r"^(USER_(CHAUTHTOK|MGMT)|ADD_USER|DEL_USER|ACCT_)"
_KEPT: Final = (
    "ses", "op", "subj", "unit", "hostname", "laddr", "lport", "rport", "cipher", "direction", "key", "a0",
    "syscall", "success", "tty", "proctitle", "saddr", "data", "reason", "table", "family", "scontext",
    "tcontext", "tclass", "inode", "mode", "nametype", "name", "cmd", "id", "uid", "item", "objtype",
)  # fmt: skip


@cache
def _kinds() -> Mapping[str, Sequence[str]]:
    raw = tomllib.loads((files("sensors.auditd") / "types.toml").read_text("utf-8"))["kinds"]
    return {str(name): list(words) for name, words in raw.items()}


def mapped(frame: pl.DataFrame) -> pl.DataFrame:
    """Parsed records with their ECS columns."""
    kinds = _kinds()
    kind = pl.col("type")
    category = {name: words[1].split(",") for name, words in kinds.items() if len(words) > 1}
    of_type = {name: words[2:] for name, words in kinds.items() if len(words) > 1}
    known = pl.DataFrame(
        {
            "type": list(kinds),
            "event.action": [words[0] for words in kinds.values()],
            "event.category": pl.Series([category.get(name) for name in kinds], dtype=pl.List(pl.String)),
            "event.type": pl.Series([of_type.get(name) for name in kinds], dtype=pl.List(pl.String)),
        }
    )
    frame = frame.join(known, on="type", how="left", maintain_order="left")
    micros = pl.col("second").cast(pl.Int64) * 1_000_000 + pl.col("milli").str.pad_end(6, "0").cast(pl.Int64)
    result = pl.coalesce("res", pl.when(kind == "SYSCALL").then("success")).str.to_lowercase()
    denied = pl.col("raw").str.extract(r"avc: +(denied|granted) ", 1)
    frame = frame.with_columns(
        micros.cast(TIME).alias("@timestamp"),
        pl.lit("auditd.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.col("text").alias("event.original"),
        pl.coalesce("event.action", kind.str.to_lowercase()).alias("event.action"),
        pl.when(result.is_in(["success", "1", "yes"]) | (denied == "granted"))
        .then(pl.lit("success"))
        .when(result.is_in(["failed", "0", "no"]) | (denied == "denied"))
        .then(pl.lit("failure"))
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


def _processes(frame: pl.DataFrame) -> pl.DataFrame:
    kind = pl.col("type")
    args = pl.when(kind == "EXECVE").then(arguments(pl.col("raw")))
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
    source = pl.col("addr")
    session = kind.is_in(["USER_LOGIN", "USER_LOGOUT", "USER_START", "USER_END", "USER_AUTH", "USER_ACCT"])
    acct = pl.coalesce("acct", pl.when(kind == "VIRT_CONTROL").then("user"), pl.when(session).then("ID"))
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
            pl.when(kind == "USER_LOGOUT").then("id"),
            pl.when(of_login & pl.col("acct").is_null() | about).then("uid"),
        ).alias("user.effective.id"),
        pl.when(of_login & ~about).then("acct").alias("user.effective.name"),
        pl.when(about).then("acct").alias("user.target.name"),
        pl.when(kind.is_in(["ADD_USER", "DEL_USER"])).then("id").alias("user.target.id"),
        pl.when(kind.is_in(["ADD_GROUP", "DEL_GROUP"])).then("id").alias("group.id"),
        pl.col("suid").alias("user.saved.id"),
        pl.col("gid").alias("user.group.id"),
        pl.col("terminal").alias("user.terminal"),
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
        pl.when(call & ~accepts).then(first("~ip")).alias("destination.ip"),
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
