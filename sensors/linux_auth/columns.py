"""From the parts of Linux' login messages, as `forms.py` names them, to ECS columns."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading import syslog
from sensors.shapes.mapping import first_case
from sensors.values import ecs

_REFUSED: Final = [
    "Failed",
    "Invalid",
    "Illegal",
    "PAM",
    "not allowed",
    "ROOT LOGIN REFUSED",
    "maximum authentication attempts exceeded",
    "Access denied",
    "Authentication tried",  # the right key from the wrong host
    "Login restricted",
]
_PAM_FAILED: Final = [
    "authentication failure",
    "received",
    "unknown",
    "login failures",
    "account temporarily locked",
    "password check failed",
]
_USER_PROGRAMS: Final = {
    "useradd": "creation",
    "adduser": "creation",
    "newusers": "creation",
    "userdel": "deletion",
}
_GROUP_PROGRAMS: Final = {"groupadd": "creation", "groupdel": "deletion"}


def derived(frame: pl.DataFrame) -> pl.DataFrame:
    """The ECS columns of lines whose parts have the names of `forms.toml`."""
    parts = (
        "person", "target", "address", "port", "event", "unknown", "person_id", "target_id", "event.reason",
        "remote_person", "logname", "what", "tty", "process.command_line", "process.working_directory",
        "service", "destination.address", "to_port", "system.auth.ssh.method", "system.auth.ssh.signature",
        "group.name", "tally", "deny",
    )  # fmt: skip
    missing = [name for name in parts if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    frame = _people(_named(frame))
    frame = frame.with_columns(_meaning())
    return ecs.relations(
        frame,
        ip=("source.ip", "destination.ip"),
        user=("user.name", "user.effective.name", "user.target.name"),
        hosts=("host.hostname",),
    )


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """What the header says, and where it came from."""
    address = pl.col("address").str.strip_prefix("::ffff:")
    address = pl.when(~address.is_in(["", "UNKNOWN", "(null)"])).then(address)
    return frame.with_columns(
        *syslog.common(frame),
        pl.lit("system.auth").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.col("host").alias("host.hostname"),
        pl.col("host").alias("host.name"),
        pl.col("app").alias("process.name"),
        pl.col("pid").cast(pl.Int64, strict=False).alias("process.pid"),
        *(
            pl.when("versioned").then(name).alias(f"log.syslog.{ecs_name}")
            for name, ecs_name in (
                ("host", "hostname"),
                ("app", "appname"),
                ("pid", "procid"),
                ("msgid", "msgid"),
            )
        ),
        *ecs.address("source", address),
        pl.col("port").cast(pl.Int64, strict=False).alias("source.port"),
        *ecs.address("destination"),
        pl.col("to_port").cast(pl.Int64, strict=False).alias("destination.port"),
        pl.col("tty").alias("system.auth.tty"),
        pl.when(pl.col("kind") == "sshd").then("event").alias("system.auth.ssh.event"),
        pl.when(pl.col("kind") == "sudo").then("event.reason").alias("system.auth.sudo.error"),
    )


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """Who acts (`user`), as whom (`user.effective`), and on whose account (`user.target`)."""
    kind, event = pl.col("kind"), pl.col("event")
    said = pl.when(pl.col("person") != "").then("person")
    target = pl.when(pl.col("target") != "").then("target")
    rises = kind.is_in(["sudo", "su"]) | ((kind == "pam") & (event == "session opened"))
    account = (kind == "accounts") | (event == "password changed")
    root = pl.when(event.is_in(["ROOT LOGIN REFUSED", "ROOT LOGIN"])).then(pl.lit("root"))
    frame = frame.with_columns(
        pl.coalesce(said, root, target, pl.when(pl.col("remote_person") != "").then("remote_person")).alias(
            "raw"
        )
    )
    frame = ecs.person(frame, "raw", "user")
    return frame.with_columns(
        pl.when(rises).then(target).alias("user.effective.name"),
        pl.when(account).then(target).alias("user.target.name"),
        pl.when(said.is_not_null()).then("person_id").otherwise("target_id").alias("user.id"),
        pl.when(pl.col("unknown").str.contains("invalid|illegal"))
        .then(pl.lit("invalid user"))
        .alias("system.auth.ssh.unknown"),
    )


def _meaning() -> list[pl.Expr]:
    """`event.category`, `.type`, `.action`, `.outcome`."""
    kind, event, program = pl.col("kind"), pl.col("event"), pl.col("program")
    ssh = kind == "sshd"
    accepted = ssh & (event == "Accepted")
    # What PAM says, as it stands, has a reason alone: `Authentication failure for ann from`.
    refused = ssh & (event.is_in(_REFUSED) | (event.is_null() & pl.col("event.reason").is_not_null()))
    dropbear_in = (kind == "dropbear") & pl.col("message").str.contains("auth succeeded")
    dropbear_out = (kind == "dropbear") & event.str.contains("^[Bb]ad|^[Ll]ogin attempt")
    opened = event.is_in(["session opened", "New session", "LOGIN", "ROOT LOGIN", "Starting session"])
    closed = event.is_in(["session closed", "Removed session", "Session", "Close session"]) | (
        (event == "Disconnected from") & (pl.col("unknown") == "user")
    )
    # pam_tally2 with `debug` says its count of every login; above the limit is a refusal.
    over = pl.col("tally").cast(pl.Int64, strict=False) > pl.col("deny").cast(pl.Int64, strict=False)
    pam_failed = (kind == "pam") & (event.is_in(_PAM_FAILED) | ((event == "tally") & over))
    pam_passed = (kind == "pam") & (event == "authentication success")
    login_failed = event == "FAILED LOGIN"
    failed_su = (kind == "su") & event.is_in(["FAILED", "-"]).fill_null(value=False)
    su = (kind == "su") & pl.col("target").is_not_null()
    sudo, denied = kind == "sudo", pl.col("event.reason").is_not_null()
    account = kind == "accounts"
    changed = event == "password changed"
    member = pl.col("group.name").is_not_null() & pl.col("target").is_not_null()
    group_made = (
        account
        & (event.is_in(["new", "group"]))
        & pl.col("group.name").is_not_null()
        & pl.col("target").is_null()
    )
    of_user = program.replace_strict(_USER_PROGRAMS, default="change", return_dtype=pl.String)
    of_group = program.replace_strict(_GROUP_PROGRAMS, default="creation", return_dtype=pl.String)

    succeeded = accepted | dropbear_in | pam_passed | (su & ~failed_su) | account | changed | opened | closed
    failed = (
        refused
        | dropbear_out
        | pam_failed
        | login_failed
        | failed_su
        | (sudo & denied & pl.col("target").is_not_null())
        | (account & (event == "failed"))
    )
    return [
        first_case(
            (accepted | dropbear_in, ["authentication", "session"]),
            (refused | dropbear_out | pam_failed | pam_passed | login_failed | su, ["authentication"]),
            (sudo & pl.col("target").is_not_null(), ["process"]),
            ((kind == "cron") & event.is_not_null(), ["process"]),
            (account | changed, ["iam"]),
            (opened | closed, ["session"]),
            (ssh & pl.col("address").is_not_null(), ["network"]),
        ).alias("event.category"),
        first_case(
            (accepted | refused | dropbear_in | dropbear_out, ["info"]),
            (group_made & (of_group == "creation"), ["group", "creation"]),
            (group_made, ["group", "deletion"]),
            (account & member, ["group", "change"]),
            (account & (of_user == "creation"), ["user", "creation"]),
            (account & (of_user == "deletion"), ["user", "deletion"]),
            (account | changed, ["user", "change"]),
            (opened, ["start"]),
            (closed, ["end"]),
            (sudo | (kind == "cron"), ["start"]),
            (True, ["info"]),
        ).alias("event.type"),
        pl.when(accepted | refused | dropbear_in | dropbear_out)
        .then(pl.lit("ssh_login"))
        .when(opened)
        .then(pl.lit("logged-on"))
        .when(closed)
        .then(pl.lit("logged-off"))
        .when(login_failed | pam_failed)
        .then(pl.lit("logon-failed"))
        .when(account & member & event.is_in(["add", "added"]))
        .then(pl.lit("added-user-to-group"))
        .when(account & member)
        .then(pl.lit("removed-user-from-group"))
        .alias("event.action"),
        pl.when(failed)
        .then(pl.lit("failure"))
        .when(succeeded)
        .then(pl.lit("success"))
        .alias("event.outcome"),
    ]
