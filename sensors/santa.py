"""Santa, which allows and blocks programs on macOS: its log of runs, files, disks, logins.

Format after https://northpole.dev/features/logs (`[time] I santad: action=EXEC|decision=ALLOW|…`), mapping
after Elastic's integration `santa`. A bar in a value is written `<pipe>`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, json_table
from sensors.reading.losses import name_lost
from sensors.shapes.mapping import first_rule
from sensors.values import command_line, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_LINE: Final = re.compile(r"\[\d{4}-\d\d-\d\dT[\d:.]+Z?\] \w+ santad?: action=")
_PARTS: Final = r"\[(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z?)\] (?P<level>\w+) santad?: (?P<body>action=.*)$"
# Field: the keys under which its value stands.
_TEXT: Final = {
    "~action": ("action",),
    "~decision": ("decision",),
    "event.reason": ("reason",),
    "message": ("explain",),
    "process.executable": ("processpath",),
    "process.name": ("process",),
    "process.hash.sha256": ("sha256",),
    "process.code_signature.team_id": ("teamid", "team_id"),
    "process.code_signature.signing_id": ("signingid", "signing_id"),
    "process.code_signature.subject_name": ("cert_cn",),
    "file.x509.issuer.common_name": ("cert_cn",),
    "file.target_path": ("newpath",),
    "user.id": ("uid",),
    "user.name": ("user", "username"),
    "group.id": ("gid",),
    "group.name": ("group",),
    "source.ip": ("remote_address", "source_address"),
    "host.id": ("machineid",),
    "device.serial_number": ("serial",),
    "device.model.name": ("model",),
    "santa.certificate.sha256": ("cert_sha256",),
    "santa.mode": ("mode",),
    "santa.disk.mount": ("mount",),
    "santa.disk.volume": ("volume",),
    "santa.disk.bsdname": ("bsdname",),
    "santa.disk.fs": ("fs",),
    "santa.disk.bus": ("bus",),
    "santa.disk.dmgpath": ("dmgpath",),
    "santa.quarantine_url": ("quarantine_url",),
    "~path": ("path",),
    "~args": ("args",),
    "~pid": ("pid",),
    "~version": ("pidversion",),
    "~ppid": ("ppid",),
}
_KINDS: Final = {
    r"^EXEC$|^FORK$": ("process,start"),
    r"^EXIT$": ("process,end"),
    r"^(?:LOGIN|LOGIN_LOGIN|LOGINWINDOWSESSIONLOGIN|OPENSSH_LOGIN|OPENSSHLOGIN)$": ("authentication,start"),
    r"^(?:LOGIN_LOGOUT|LOGOUT|OPENSSH_LOGOUT|LOGIN_WINDOW_SESSION_LOGOUT)$": ("authentication,end"),
    r"^(?:AUTHENTICATION|LOGIN_WINDOW|SCREEN_SHARING|OPENSSH)": ("authentication,info"),
    r"^(?:RENAME|LINK|WRITE|CLONE|COPYFILE|EXCHANGE)$": ("file,change"),
    r"^DELETE$": ("file,deletion"),
    r"^DISK": ("host,info"),
}


class Santa:
    """The sensor."""

    name = "santa"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the lines say it all
        """Whether at least half of the lines are Santa's."""
        lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
        return bool(lines) and 2 * sum(bool(_LINE.search(line)) for line in lines) >= len(lines)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """An event per line; a line of another form is named as unread."""
        for lines in framing.lines(source):
            frame = lines.hstack(lines["text"].str.extract_groups(_PARTS).struct.unnest())
            frame = frame.with_columns(json_table.time(frame, "time").alias("@timestamp"))
            strange = frame["@timestamp"].is_null()
            if strange.any():
                name_lost(lines.filter(strange), "not a line of Santa's log", source)
                frame = frame.filter(~strange)
            if frame.height:
                yield ecs.only(_events(frame), "santa")


SENSOR: Final = Santa()


def _value(keys: tuple[str, ...]) -> pl.Expr:
    """The value under the first of the keys that has one."""
    found = [pl.col("body").str.extract(rf"(?:^|\|){key}=([^|]*)", 1) for key in keys]
    clean = pl.coalesce(pl.when(~each.is_in(["", "(null)"])).then(each) for each in found)
    return clean.str.replace_all("<pipe>", "|", literal=True)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(_value(keys).alias(field) for field, keys in _TEXT.items())
    ran = pl.col("~action").is_in(["EXEC"])
    kind = first_rule(pl.col("~action"), _KINDS).str.split(",")
    executable = pl.coalesce("process.executable", pl.when(ran).then("~path"))
    args = pl.concat_list(executable, pl.col("~args").str.split(" ").fill_null([]))
    out = frame.with_columns(
        pl.lit("santa.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit("macos").alias("host.os.type"),
        pl.lit("Santa").alias("observer.product"),
        pl.col("level").alias("log.level"),
        pl.col("~action").str.to_lowercase().alias("event.action"),
        kind.list.slice(0, 1).alias("event.category"),
        kind.list.slice(1, 1).alias("event.type"),
        pl.col("~decision")
        .replace_strict({"ALLOW": "success", "DENY": "failure"}, default=None)
        .alias("event.outcome"),
        executable.alias("process.executable"),
        pl.coalesce("process.name", command_line.base_name(executable)).alias("process.name"),
        pl.when(~ran).then("~path").alias("file.path"),
        pl.when(executable.is_not_null()).then(args).alias("process.args"),
        pl.when(executable.is_not_null()).then("@timestamp").alias("process.start"),
        pl.col("~pid").cast(pl.Int64, strict=False).alias("process.pid"),
        pl.col("~ppid").cast(pl.Int64, strict=False).alias("process.parent.pid"),
        pl.concat_str("~pid", "~version", separator="-").alias("process.entity_id"),
        pl.when(kind.is_null()).then("text").alias("event.original"),
    )
    out = ecs.relations(
        out,
        user=("user.name",),
        hash=("santa.certificate.sha256", "process.hash.sha256"),
        ip=("source.ip",),
    )
    return out.with_columns(
        pl.when(ecs.is_ip(pl.col("source.ip"))).then("source.ip").alias("source.ip"),
        pl.when(pl.col("source.ip").is_not_null()).then("user.name").alias("source.user.name"),
    )
