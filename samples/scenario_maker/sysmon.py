"""What runs on a laptop: Sysmon's process, network, file, registry and DNS events."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from samples.scenario_maker.people import Person, guid, rng
from samples.scenario_maker.programs import PROGRAMS

if TYPE_CHECKING:
    from datetime import datetime

    from samples.scenario_maker.windows import Windows


class Laptop:
    """The events of one person's computer."""

    def __init__(self, windows: Windows, person: Person, computer: str | None = None) -> None:
        self._windows = windows
        self.person = person
        self.computer = computer or person.host
        self._running: dict[str, str] = {}

    def path(self, program: str) -> str:
        return PROGRAMS[program][0].format(user=self.person.user)

    def run(
        self,
        when: datetime,
        program: str,
        command: str = "",
        parent: str = "explorer",
        *,
        system: bool = False,
    ) -> None:
        """A process starts; `system` says that no person did it."""
        image = self.path(program)
        _, description, product, company, original, version = PROGRAMS[program]
        self._running[program] = guid(f"process:{self.computer}:{when.isoformat()}:{program}")
        digest = hashlib.sha256(f"{original}:{version}".encode()).hexdigest().upper()
        command = command.format(user=self.person.user) if command else f'"{image}"'
        self._windows.sysmon(
            when,
            self.computer,
            1,
            {
                **self._process(program),
                "Image": image,
                "FileVersion": version,
                "Description": description,
                "Product": product,
                "Company": company,
                "OriginalFileName": original,
                "CommandLine": command,
                "CurrentDirectory": "C:\\Windows\\system32\\"
                if system
                else f"C:\\Users\\{self.person.user}\\",
                "User": "NT AUTHORITY\\SYSTEM" if system else f"CORP\\{self.person.user}",
                "LogonGuid": "{" + guid(f"logonguid:{self.computer}:{when.date()}") + "}",
                "LogonId": "0x3e7" if system else f"0x{logon_id(self.person, when):x}",
                "TerminalSessionId": "0" if system else "1",
                "IntegrityLevel": "System" if system else "Medium",
                "Hashes": f"MD5={digest[:32]},SHA256={digest}",
                **{f"Parent{name}": value for name, value in self._process(parent).items()},
                "ParentImage": self.path(parent),
                "ParentCommandLine": f'"{self.path(parent)}"',
                "ParentUser": "NT AUTHORITY\\SYSTEM" if system else f"CORP\\{self.person.user}",
            },
        )

    def query(self, when: datetime, program: str, name: str, address: str, *, system: bool = False) -> None:
        self._windows.sysmon(
            when,
            self.computer,
            22,
            {
                **self._process(program),
                "QueryName": name,
                "QueryStatus": "0",
                "QueryResults": f"::ffff:{address};",
                "Image": self.path(program),
                "User": "NT AUTHORITY\\SYSTEM" if system else f"CORP\\{self.person.user}",
            },
        )

    def connect(
        self, when: datetime, program: str, source: str, target: tuple[str, int, str], *, system: bool = False
    ) -> None:
        """A connection; `target` is address, port and name."""
        self._windows.sysmon(
            when,
            self.computer,
            3,
            {
                **self._process(program),
                "Image": self.path(program),
                "User": "NT AUTHORITY\\SYSTEM" if system else f"CORP\\{self.person.user}",
                "Protocol": "tcp",
                "Initiated": "true",
                "SourceIsIpv6": "false",
                "SourceIp": source,
                "SourceHostname": f"{self.computer}.corp.example",
                "SourcePort": str(rng("sport", self.computer, when).randrange(49152, 65500)),
                "SourcePortName": "-",
                "DestinationIsIpv6": "false",
                "DestinationIp": target[0],
                "DestinationHostname": target[2],
                "DestinationPort": str(target[1]),
                "DestinationPortName": "https" if target[1] == 443 else "-",
            },
        )

    def file(self, when: datetime, program: str, name: str) -> None:
        self._windows.sysmon(
            when,
            self.computer,
            11,
            {
                **self._process(program),
                "Image": self.path(program),
                "TargetFilename": name.format(user=self.person.user),
                "CreationUtcTime": when.strftime("%Y-%m-%d %H:%M:%S.000"),
                "User": f"CORP\\{self.person.user}",
            },
        )

    def registry(self, when: datetime, program: str, key: str, details: str, *, system: bool = True) -> None:
        self._windows.sysmon(
            when,
            self.computer,
            13,
            {
                "EventType": "SetValue",
                **self._process(program),
                "Image": self.path(program),
                "TargetObject": key,
                "Details": details,
                "User": "NT AUTHORITY\\SYSTEM" if system else f"CORP\\{self.person.user}",
            },
        )

    def _process(self, program: str) -> dict[str, str]:
        """Identity of the process last started from that program, or of one there since boot."""
        identity = self._running.get(program) or guid(f"process:{self.computer}:boot:{program}")
        return {"ProcessGuid": "{" + identity + "}", "ProcessId": str(int(identity[:4], 16) // 4 * 4 + 400)}


def logon_id(person: Person, when: datetime) -> int:
    """The identifier of the day's logon session."""
    return rng("logonid", person.user, when.date()).randrange(0x20000, 0xFFFFFF)
