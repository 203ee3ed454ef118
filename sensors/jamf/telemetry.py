"""Jamf Protect's telemetry: events of Apple's Endpoint Security, each under its name in `event`.

The process is the one that acted: for `exec` the new one, for what a service did on behalf of another (Open
Directory, profiles, background items, Touch ID) the one that asked for it, else that of the record itself.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from sensors.reading.json_table import integer, text, texts, time
from sensors.shapes.mapping import address
from sensors.values import command_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME: Final = r'"event"\s*:\s*\{(?:\s*"\w+"\s*:\s*null\s*,)*\s*"(\w+)"\s*:'
_USER: Final = (
    "authentication_username", "username", "user_name", "account_name", "record_name", "member.member_value",
    "to_username", "session_username",
)  # fmt: skip
_FILE: Final = ("db_path", "target.path", "file.path", "executable_path", "item.item_url", "detected_path")
# Attempts, which may say nothing of how they ended.
_ATTEMPTS: Final = (
    "authentication", "openssh_login", "screensharing_attach", "su",
)  # fmt: skip


@cache
def _meanings() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads((files("sensors.jamf") / "endpoint_security.toml").read_text("utf-8"))


def columns(frame: pl.DataFrame) -> list[pl.Expr]:
    """What an event says of itself, of who did it, and to whom."""
    action = pl.col("text").str.extract(_NAME, 1)
    names = sorted({name.split(".")[1] for name in frame.columns if name.startswith("event.")})

    def of(*keys: str) -> pl.Expr:
        return text(frame, *(f"event.{name}.{key}" for key in keys for name in names))

    system = text(frame, "host.os").str.replace(r"^Version\s*", "")
    ended = of("success").replace_strict({"true": "success", "false": "failure"}, default=None)
    args = frame.select("log.offset", of("args", "argv").alias("args"))
    user = of(*_USER)
    return [
        action.alias("event.action"),
        *_meaning(frame, action),
        pl.coalesce(ended, pl.when(action.is_in(_ATTEMPTS)).then(pl.lit("unknown"))).alias("event.outcome"),
        system.alias("host.os.full"),
        system.str.extract(r"^(\S+)", 1).alias("host.os.version"),
        user.alias("user.name"),
        # Who came over the network is the person, not whose screen it is.
        pl.when(of("source_address").is_not_null()).then(user).alias("source.user.name"),
        of("authentication_username").alias("jamf_protect.graphical_authentication_username"),
        of("session_username").alias("jamf_protect.session_username"),
        of("viewer_appleid").alias("jamf_protect.viewer_appleid"),
        of("from_username").alias("jamf_protect.from_username"),
        of("attribute_name").alias("jamf_protect.attribute_name"),
        of("graphical_session_id").alias("jamf_protect.graphical_session_id"),
        of("uid").alias("user.id"),
        of("group_name").alias("group.name"),
        address(of("source_address")).alias("source.ip"),
        address(of("remote_address", "destination_address")).alias("destination.ip"),
        of("malware_identifier").alias("rule.name"),
        of(*_FILE).alias("file.path"),
        of("command").alias("process.command_line"),
        pl.lit(args.with_columns(texts(args, "args"))["args"]).alias("process.args"),
        pl.lit(args.with_columns(texts(args, "args").list.len().cast(pl.Int64))["args"]).alias(
            "process.args_count"
        ),
        of("cwd.path").alias("process.working_directory"),
        *_process(frame, names),
    ]


def _meaning(frame: pl.DataFrame, action: pl.Expr) -> list[pl.Expr]:
    """A sentence, categories and types."""
    table = _meanings()
    method = frame.select(
        pl.col("text")
        .str.extract(r'"authentication"\s*:\s*\{[^{}]*"data"\s*:\s*\{\s*"(\w+)"', 1)
        .alias("method")
    )["method"].replace({"touchid": "TouchID", "od": "OpenDirectory", "token": "Token"})

    def words(part: str, first: str) -> pl.Expr:
        chosen = action.replace_strict(
            {name: ",".join([first, *meaning.get(part, [])]) for name, meaning in table.items()},
            default=first,
            return_dtype=pl.String,
        )
        return chosen.str.split(",")

    reason = action.replace_strict(
        {name: meaning["reason"] for name, meaning in table.items()}, default=None, return_dtype=pl.String
    )
    told = pl.when(action == "authentication").then(
        pl.lit("A user authentication happened using ") + pl.lit(method)
    )
    known = action.is_in(list(table))
    return [
        pl.when(known).then(words("category", "process")).alias("event.category"),
        words("type", "info").alias("event.type"),
        pl.coalesce(told, pl.when(action != "authentication").then(reason)).alias("event.reason"),
    ]


def _process(frame: pl.DataFrame, names: list[str]) -> list[pl.Expr]:
    """The process that acted, its parent, and the one responsible for it."""
    roots = ["event.exec.target"]
    roots += [
        f"event.{name}.{place}"
        for name in names
        for place in (
            "instigator",
            "app",
            "data.od.instigator",
            "data.token.instigator",
            "data.touchid.instigator",
        )
    ]
    present = [root for root in roots if any(column.startswith(f"{root}.") for column in frame.columns)]
    roots = [*present, "process"]

    def of(key: str) -> list[str]:
        return [f"{root}.{key}" for root in roots]

    executable = text(frame, *of("executable.path"))
    return [
        executable.alias("process.executable"),
        command_line.base_name(executable).alias("process.name"),
        integer(frame, *of("audit_token.pid")).alias("process.pid"),
        text(frame, *of("audit_token.uuid")).alias("process.entity_id"),
        time(frame, *of("start_time")).alias("process.start"),
        text(frame, *of("executable.sha1")).alias("process.hash.sha1"),
        text(frame, *of("executable.sha256")).alias("process.hash.sha256"),
        text(frame, *of("signing_id")).alias("process.code_signature.signing_id"),
        text(frame, *of("team_id")).alias("process.code_signature.team_id"),
        text(frame, *of("tty.path")).alias("jamf_protect.tty"),
        text(frame, *of("audit_token.euid")).alias("user.effective.id"),
        text(frame, *of("audit_token.ruid")).alias("process.real_user.id"),
        integer(frame, *of("parent_audit_token.pid")).alias("process.parent.pid"),
        text(frame, *of("parent_audit_token.uuid")).alias("process.parent.entity_id"),
        text(frame, *of("parent_audit_token.euid")).alias("process.parent.user.id"),
        integer(frame, *of("responsible_audit_token.pid")).alias("process.group_leader.pid"),
    ]
