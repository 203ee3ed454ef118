"""Windows events as Winlogbeat 8 ships them: Security, TerminalServices, Sysmon."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from samples.scenario_maker.files_out import iso, write_lines
from samples.scenario_maker.people import DOMAIN_SID, Person, guid, rng

if TYPE_CHECKING:
    from pathlib import Path

_SESSION = "Other Logon/Logoff Events"
# What Winlogbeat calls the task, and the version of the event's layout.
_TASKS = {
    4624: ("Logon", 2),
    4625: ("Logon", 0),
    4634: ("Logoff", 0),
    4647: ("Logoff", 0),
    4688: ("Process Creation", 2),
    4778: (_SESSION, 0),
    4779: (_SESSION, 0),
    4800: (_SESSION, 0),
    4801: (_SESSION, 0),
    6416: ("Plug and Play Events", 1),
    1: ("Process Create (rule: ProcessCreate)", 5),
    3: ("Network connection detected (rule: NetworkConnect)", 5),
    11: ("File created (rule: FileCreate)", 2),
    13: ("Registry value set (rule: RegistryEvent)", 2),
    22: ("Dns query (rule: DnsQuery)", 5),
}
_PROVIDERS = {
    "Security": ("Microsoft-Windows-Security-Auditing", "{54849625-5478-4994-a5ba-3e3b0328c30d}", (696, 712)),
    "Microsoft-Windows-Sysmon/Operational": (
        "Microsoft-Windows-Sysmon",
        "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}",
        (3208, 4412),
    ),
    "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational": (
        "Microsoft-Windows-TerminalServices-LocalSessionManager",
        "{5d896912-022d-40aa-a3a8-4fa5515c76d7}",
        (1120, 1408),
    ),
    "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational": (
        "Microsoft-Windows-TerminalServices-RemoteConnectionManager",
        "{c76baa63-ae81-421c-b425-340b4b24157f}",
        (1136, 1420),
    ),
}
_NOBODY = {
    "SubjectUserSid": "S-1-0-0",
    "SubjectUserName": "-",
    "SubjectDomainName": "-",
    "SubjectLogonId": "0x0",
}
_NO_GUID = "{00000000-0000-0000-0000-000000000000}"


class Windows:
    def __init__(self) -> None:
        self._events: dict[str, list[tuple[datetime, int, dict[str, Any]]]] = {
            "security": [],
            "sysmon": [],
            "terminalservices": [],
        }

    def _put(
        self,
        file: str,
        channel: str,
        when: datetime,
        computer: str,
        code: int,
        **more: Any,  # noqa: ANN401 - parts of a JSON record
    ) -> None:
        provider, provider_guid, (pid, thread) = _PROVIDERS[channel]
        task, version = _TASKS.get(code, ("", 0))
        outcome = "failure" if code == 4625 else "success"
        full = f"{computer}.corp.example"
        event: dict[str, Any] = {"code": str(code), "kind": "event", "provider": provider}
        winlog: dict[str, Any] = {
            "api": "wineventlog",
            "channel": channel,
            "computer_name": full,
            "event_id": str(code),
            "opcode": "Info",
            "process": {"pid": pid, "thread": {"id": thread}},
            "provider_guid": provider_guid,
            "provider_name": provider,
            **more,
        }
        if task:
            event["action"], winlog["task"], winlog["version"] = task, task, version
        if channel == "Security":
            event["outcome"] = outcome
            winlog["keywords"] = ["Audit Failure" if code == 4625 else "Audit Success"]
        record = {
            "@timestamp": iso(when),
            "agent": {"name": computer, "type": "winlogbeat", "version": "8.15.3"},
            "event": event,
            "host": {"name": full.lower()},
            "log": {"level": "information"},
            "winlog": winlog,
        }
        self._events[file].append((when, len(self._events[file]), record))

    def _security(self, when: datetime, computer: str, code: int, data: dict[str, str]) -> None:
        self._put("security", "Security", when, computer, code, event_data=data)

    def logon(
        self,
        when: datetime,
        computer: str,
        who: tuple[str, str, str],
        kind: int,
        logon_id: int,
        address: str = "-",
        workstation: str = "-",
    ) -> None:
        """4624; `who` is user, domain and SID."""
        user, domain, sid = who
        process, package = {
            2: ("User32 ", "Negotiate"), 3: ("Kerberos", "Kerberos"), 5: ("Advapi  ", "Negotiate"),
            7: ("User32 ", "Negotiate"), 10: ("User32 ", "Negotiate"), 11: ("User32 ", "Negotiate"),
        }[kind]  # fmt: skip
        local = kind in (2, 5, 7, 10, 11)
        subject = _machine(computer) if local else _NOBODY
        image = {5: "services.exe"}.get(kind, "svchost.exe")
        self._security(
            when,
            computer,
            4624,
            {
                **subject,
                "TargetUserSid": sid,
                "TargetUserName": user,
                "TargetDomainName": domain,
                "TargetLogonId": f"0x{logon_id:x}",
                "LogonType": str(kind),
                "LogonProcessName": process,
                "AuthenticationPackageName": package,
                "WorkstationName": workstation if workstation != "-" or not local else computer,
                "LogonGuid": "{" + guid(f"logon:{computer}:{logon_id}").upper() + "}"
                if kind == 3
                else _NO_GUID,
                "TransmittedServices": "-",
                "LmPackageName": "-",
                "KeyLength": "0",
                "ProcessId": f"0x{1120 + kind:x}" if local else "0x0",
                "ProcessName": f"C:\\Windows\\System32\\{image}" if local else "-",
                "IpAddress": "127.0.0.1" if kind in (2, 7, 11) else address,
                "IpPort": "0" if local else str(rng("port", computer, when).randrange(49152, 65500)),
                "ImpersonationLevel": "%%1833",
                "RestrictedAdminMode": "%%1843" if kind == 10 else "-",
                "TargetOutboundUserName": "-",
                "TargetOutboundDomainName": "-",
                "VirtualAccount": "%%1843",
                "TargetLinkedLogonId": "0x0",
                "ElevatedToken": "%%1843",
            },
        )

    def failed_logon(self, when: datetime, computer: str, person: Person, kind: int) -> None:
        self._security(
            when,
            computer,
            4625,
            {
                **_machine(computer),
                "TargetUserSid": "S-1-0-0",
                "TargetUserName": person.user,
                "TargetDomainName": "CORP",
                "Status": "0xc000006d",
                "FailureReason": "%%2313",
                "SubStatus": "0xc000006a",
                "LogonType": str(kind),
                "LogonProcessName": "User32 ",
                "AuthenticationPackageName": "Negotiate",
                "WorkstationName": computer,
                "TransmittedServices": "-",
                "LmPackageName": "-",
                "KeyLength": "0",
                "ProcessId": "0x5a4",
                "ProcessName": "C:\\Windows\\System32\\svchost.exe",
                "IpAddress": "127.0.0.1",
                "IpPort": "0",
            },
        )

    def logoff(
        self, when: datetime, computer: str, who: tuple[str, str, str], kind: int, logon_id: int
    ) -> None:
        user, domain, sid = who
        data = {"TargetUserSid": sid, "TargetUserName": user, "TargetDomainName": domain}
        self._security(
            when, computer, 4634, {**data, "TargetLogonId": f"0x{logon_id:x}", "LogonType": str(kind)}
        )

    def sign_out(self, when: datetime, person: Person, kind: int, logon_id: int) -> None:
        """4647 and, as the session ends, 4634."""
        user, domain, sid = person_account(person)
        data = {"TargetUserSid": sid, "TargetUserName": user, "TargetDomainName": domain}
        self._security(when, person.host, 4647, {**data, "TargetLogonId": f"0x{logon_id:x}"})
        self.logoff(when + timedelta(seconds=2), person.host, (user, domain, sid), kind, logon_id)

    def lock(self, when: datetime, person: Person, logon_id: int, *, locked: bool) -> None:
        data = {
            "TargetUserSid": person.sid,
            "TargetUserName": person.user,
            "TargetDomainName": "CORP",
            "TargetLogonId": f"0x{logon_id:x}",
            "SessionId": "1",
        }
        self._security(when, person.host, 4800 if locked else 4801, data)

    def reconnect(
        self,
        when: datetime,
        computer: str,
        person: Person,
        logon_id: int,
        client: tuple[str, str],
        *,
        away: bool,
    ) -> None:
        """4778 a session is taken up again, 4779 it is left (`away`); `client` is name and address."""
        data = {
            "AccountName": person.user,
            "AccountDomain": "CORP",
            "LogonID": f"0x{logon_id:x}",
            "SessionName": f"RDP-Tcp#{logon_id % 90}",
            "ClientName": client[0],
            "ClientAddress": client[1],
        }
        self._security(when, computer, 4779 if away else 4778, data)

    def process(
        self, when: datetime, computer: str, person: Person, image: str, command: str, logon_id: int
    ) -> None:
        """4688, on servers that audit processes."""
        self._security(
            when,
            computer,
            4688,
            {
                "SubjectUserSid": person.sid,
                "SubjectUserName": person.user,
                "SubjectDomainName": "CORP",
                "SubjectLogonId": f"0x{logon_id:x}",
                "NewProcessId": f"0x{rng('pid', computer, when).randrange(1000, 9000) * 4:x}",
                "NewProcessName": image,
                "TokenElevationType": "%%1938",
                "ProcessId": "0x1a2c",
                "CommandLine": command,
                "TargetUserSid": "S-1-0-0",
                "TargetUserName": "-",
                "TargetDomainName": "-",
                "TargetLogonId": "0x0",
                "ParentProcessName": "C:\\Windows\\explorer.exe",
                "MandatoryLabel": "S-1-16-8192",
            },
        )

    def device(self, when: datetime, computer: str, device: tuple[str, str, str, str, str]) -> None:
        """6416; `device` is id, description, class, vendor ids and location."""
        identity, description, kind, vendor, location = device
        classes = {
            "Keyboard": "{4d36e96b-e325-11ce-bfc1-08002be10318}",
            "Mouse": "{4d36e96f-e325-11ce-bfc1-08002be10318}",
            "USB": "{36fc9e60-c465-11cf-8056-444553540000}",
            "CDROM": "{4d36e965-e325-11ce-bfc1-08002be10318}",
            "DiskDrive": "{4d36e967-e325-11ce-bfc1-08002be10318}",
            "Monitor": "{4d36e96e-e325-11ce-bfc1-08002be10318}",
            "MEDIA": "{4d36e96c-e325-11ce-bfc1-08002be10318}",
            "HIDClass": "{745a17a0-74d3-11d0-b6fe-00a0c90f57da}",
        }
        data = {
            **_machine(computer),
            "DeviceId": identity,
            "DeviceDescription": description,
            "ClassId": classes[kind],
            "ClassName": kind,
            "VendorIds": vendor,
            "CompatibleIds": "",
            "LocationInformation": location,
        }
        self._security(when, computer, 6416, data)

    def terminal(
        self, when: datetime, computer: str, person: Person, code: int, session: int, address: str
    ) -> None:
        """LocalSessionManager 21, 23, 24 or 25, and RemoteConnectionManager 1149."""
        family = "LocalSessionManager" if code != 1149 else "RemoteConnectionManager"
        if code == 1149:
            data = {"Param1": person.user, "Param2": "CORP", "Param3": address, "xml_name": "EventXML"}
        else:
            data = {"SessionID": str(session), "User": f"CORP\\{person.user}", "xml_name": "EventXML"}
            if code != 23:
                data["Address"] = address
        self._put(
            "terminalservices",
            f"Microsoft-Windows-TerminalServices-{family}/Operational",
            when,
            computer,
            code,
            user_data=data,
            user={"domain": "NT AUTHORITY", "identifier": "S-1-5-18", "name": "SYSTEM", "type": "User"},
        )

    def sysmon(self, when: datetime, computer: str, code: int, data: dict[str, str]) -> None:
        stamp = iso(when).replace("T", " ").removesuffix("Z")
        self._put(
            "sysmon",
            "Microsoft-Windows-Sysmon/Operational",
            when,
            computer,
            code,
            event_data={"RuleName": "-", "UtcTime": stamp, **data},
            user={"domain": "NT AUTHORITY", "identifier": "S-1-5-18", "name": "SYSTEM", "type": "User"},
        )

    def write(self, folder: Path) -> None:
        names = {
            "security": "security.ndjson.gz",
            "sysmon": "sysmon.ndjson.gz",
            "terminalservices": "terminalservices.ndjson",
        }
        for file, name in names.items():
            seen: Counter[str] = Counter()
            lines = []
            for _, _, record in sorted(self._events[file], key=lambda event: event[:2]):
                computer = record["winlog"]["computer_name"] + record["winlog"]["channel"]
                seen[computer] += 1
                base = int(hashlib.sha256(computer.encode()).hexdigest()[:6], 16) % 90_000
                record["winlog"]["record_id"] = base + seen[computer]
                lines.append(json.dumps(record, separators=(",", ":"), ensure_ascii=False))
            write_lines(folder / "windows" / name, lines)


def _machine(computer: str) -> dict[str, str]:
    return {
        "SubjectUserSid": "S-1-5-18",
        "SubjectUserName": f"{computer}$",
        "SubjectDomainName": "CORP",
        "SubjectLogonId": "0x3e7",
    }


def person_account(person: Person) -> tuple[str, str, str]:
    return person.user, "CORP", person.sid


def service_account(name: str) -> tuple[str, str, str]:
    return name, "CORP", f"{DOMAIN_SID}-{1100 + len(name)}"


def machine_account(computer: str) -> tuple[str, str, str]:
    number = int(hashlib.sha256(computer.encode()).hexdigest()[:4], 16) % 4000 + 4000
    return f"{computer}$", "CORP", f"{DOMAIN_SID}-{number}"
