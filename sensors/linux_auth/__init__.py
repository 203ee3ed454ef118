"""Linux logins as `auth.log` and `secure` have them: sshd, sudo, su, PAM, accounts, login, logind, cron.

Mapping after Elastic's integration `system` (data set `system.auth`): in `session opened for user root by
alice`, alice is the user and root the effective one, as there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import netfilter
from sensors.application_logins import programs as application_programs
from sensors.linux_auth.columns import derived
from sensors.linux_auth.forms import forms, programs
from sensors.reading import framing, syslog
from sensors.reading.losses import name_lost
from sensors.values import ecs
from sensors.values.wording import by_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_STAMP = (
    r"(?:<\d{1,3}>)?(?:1 )?"
    r"(?:(?:[A-Z][a-z]{2},? )?[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?|"
    r"2\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*) +"
)
_PROGRAM = r"(?:\S+/)?(?:" + "|".join(map(re.escape, programs())) + r"|CRON|polkitd|gdm-\w+)(?:\(\w+\))?"
_NEW = r"^<\d{1,3}>1 2\S+ \S+ "  # RFC 5424
_LINE = re.compile(rf"^{_STAMP}(?:[^\s\[]+ +)?[^\s:\[\]%,]+(?:\[\d+\])?: |{_NEW}\S+ \S+ \S+ (?:-|\[)")
# Dropbear that writes to a terminal or a file (`-E`) has no header.
_DROPBEAR: Final = (
    r"^(?:\[[0-9]+\] [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} )?(?:[Bb]ad (?:PAM )?\S+ attempt for '|"
    r"Exit before auth[ :]|Child connection from |"
    r"[Ll]ogin attempt for nonexistent user|(?:PAM )?\w+ auth succeeded for ')"
)
_LOGIN = re.compile(
    rf"^(?:{_STAMP})?(?:[^\s\[]+ +)?{_PROGRAM}(?:\[\d+\])?: |{_NEW}{_PROGRAM} |: pam_\w+\(|\bpam: |"
    rf"{_DROPBEAR}"
)
_PAM = (
    r"^pam_\w+\(|^\(pam_\w+\) |^PAM [0-9]+ more|^session (?:opened|closed) for user|"
    r"^authentication failure; logname="
)


class LinuxAuth:
    """The sensor."""

    name = "linux_auth"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - auth.log is also called secure, messages
        """Whether at least half of the lines are a program's syslog lines, a quarter a login program's."""
        lines = framing.text_head(head).splitlines()
        first = [line for line in lines if line.strip() and line[0] not in " \t"]
        logins = [bool(_LOGIN.search(line)) for line in first]
        told = [login or bool(_LINE.match(line)) for login, line in zip(logins, first, strict=True)]
        return bool(first) and 2 * sum(told) >= len(told) and 4 * sum(logins) >= len(logins)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line whose program is not known is an event with its text."""
        clock = syslog.Clock(source)
        held: application_programs.Held = {}
        for lines in syslog.records(source):
            frame = syslog.fields(lines)
            bare = frame["app"].is_null() & frame["rest"].str.contains(_DROPBEAR)
            if bare.any():
                frame = frame.with_columns(
                    pl.when(bare).then(pl.lit("dropbear")).otherwise("app").alias("app")
                )
            strange = frame["@timestamp"].is_null() & frame["app"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), "neither a syslog time nor the name of a program", source)
                frame = frame.filter(~strange)
            if frame.height:
                filled = clock.fill(frame)
                yield netfilter.split(
                    filled, lambda rest: application_programs.split(rest, known(rest), events, held)
                )


def known(frame: pl.DataFrame) -> pl.Series:
    """Which records, taken apart by `syslog.fields`, are of a program whose words are known, or PAM's."""
    said = frame["body"].str.contains(_PAM).fill_null(value=False)
    return said | _program(frame["app"]).is_in(list(programs())).fill_null(value=False)


def _program(app: pl.Series) -> pl.Series:
    return app.str.replace(r"^.*/", "").str.replace(r"\(.*\)$", "").str.to_lowercase()


def events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records, taken apart by `syslog.fields`, as ECS."""
    app = _program(frame["app"])
    body = frame["body"].str.replace(
        r"^\[ID [0-9]+ [a-z0-9.]+\] |^kernel:\[[^\]]*\]: ", ""
    )  # Solaris; journal
    of_program = pl.col("program").replace_strict(programs(), default="", return_dtype=pl.String)
    kind = pl.when(body.str.contains(_PAM)).then(pl.lit("pam")).otherwise(of_program)
    frame = frame.with_columns(app.alias("program"), body.alias("body")).with_columns(kind=kind)
    kinds = frame["kind"].to_frame("kind").with_row_index("row").partition_by("kind", as_dict=True)
    whole = by_kind(
        frame, [(forms().get(kind, ()), rows["row"].to_numpy()) for (kind,), rows in kinds.items()]
    ).with_columns(message=pl.col("body").str.strip_chars(" "))
    return ecs.only(derived(whole), "system")


SENSOR: Final = LinuxAuth()
