"""Authentication logs of the build server (new rsyslog format) and the database server (no year, no zone)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from samples.scenario_maker.calendar_plan import BEGIN, END
from samples.scenario_maker.files_out import write_zip
from samples.scenario_maker.people import Person, rng, token

if TYPE_CHECKING:
    from pathlib import Path

SERVERS = {"build01": "10.20.10.40", "db01": "10.20.10.41"}


class Linux:
    def __init__(self) -> None:
        self._lines: list[tuple[datetime, int, str, str]] = []

    def _line(self, when: datetime, server: str, text: str) -> None:
        self._lines.append((when, len(self._lines), server, text))

    def session(
        self, when: datetime, person: Person, server: str, source: str, minutes: float, command: str
    ) -> None:
        dice = rng("ssh", person.user, when)
        pid, port = dice.randrange(2000, 90_000), dice.randrange(49152, 65500)
        key = f"ED25519 SHA256:{token('key:' + person.user, 43)}"
        self._line(
            when,
            server,
            f"sshd[{pid}]: Accepted publickey for {person.user} from {source} port {port} ssh2: {key}",
        )
        opened = f"session opened for user {person.user}(uid={10_000 + person.number}) by (uid=0)"
        self._line(when + timedelta(milliseconds=9), server, f"sshd[{pid}]: pam_unix(sshd:session): {opened}")
        end = when + timedelta(minutes=minutes)
        if command:
            self._line(
                when + (end - when) * 0.4,
                server,
                f"sudo: {person.user:>8} : TTY=pts/1 ; PWD=/home/{person.user} ; USER=root ; "
                f"COMMAND={command}",
            )
        self._line(end, server, f"sshd[{pid}]: Disconnected from user {person.user} {source} port {port}")
        self._line(
            end + timedelta(milliseconds=4),
            server,
            f"sshd[{pid}]: pam_unix(sshd:session): session closed for user {person.user}",
        )

    def failed(self, when: datetime, user: str, server: str, source: str) -> None:
        dice = rng("sshfail", user, when)
        pid, port = dice.randrange(2000, 90_000), dice.randrange(49152, 65500)
        self._line(when, server, f"sshd[{pid}]: Failed password for {user} from {source} port {port} ssh2")

    def noise(self) -> None:
        """What the servers do on their own, day and night."""
        for server in SERVERS:
            dice = rng("cron", server)
            when = BEGIN
            while when < END:
                when += timedelta(minutes=dice.choice((60, 120, 360)))
                pid = dice.randrange(2000, 90_000)
                self._line(
                    when,
                    server,
                    f"CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
                )
                self._line(
                    when + timedelta(seconds=1),
                    server,
                    f"CRON[{pid}]: pam_unix(cron:session): session closed for user root",
                )

    def write(self, folder: Path) -> None:
        members: dict[str, list[str]] = {f"{server}/auth.log": [] for server in SERVERS}
        for when, _, server, text in sorted(self._lines):
            if server == "build01":
                stamp = when.strftime("%Y-%m-%dT%H:%M:%S.%f") + "+00:00"
            else:
                stamp = f"{when:%b} {when.day:2d} {when:%H:%M:%S}"
            members[f"{server}/auth.log"].append(f"{stamp} {server} {text}")
        write_zip(folder / "linux" / "servers.zip", members)
