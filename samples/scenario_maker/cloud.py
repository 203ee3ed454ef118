"""Microsoft 365's unified audit log, GitHub's audit log, and the Squid proxy of Chicago and Berlin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samples.scenario_maker.files_out import write_lines
from samples.scenario_maker.people import Person, guid, rng, token

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_ORGANIZATION = "6f0c2b1e-52a7-4d0e-8c55-0f2f0d8a91c4"
_WORKLOADS = {"SharePoint": (6, 0), "OneDrive": (6, 0), "Exchange": (2, 0), "AzureActiveDirectory": (15, 0)}
_TENANT = "https://corpexample.sharepoint.com"


class Office:
    def __init__(self) -> None:
        self._events: list[tuple[datetime, int, dict[str, Any]]] = []

    def _record(
        self,
        person: Person,
        when: datetime,
        operation: str,
        workload: str,
        address: str,
        **more: Any,  # noqa: ANN401 - parts of a JSON record
    ) -> None:
        number = len(self._events)
        record = {
            "CreationTime": when.strftime("%Y-%m-%dT%H:%M:%S"),
            "Id": guid(f"m365:{person.user}:{when.isoformat()}:{number}"),
            "Operation": operation,
            "OrganizationId": _ORGANIZATION,
            "RecordType": more.pop("record_type", _WORKLOADS[workload][0]),
            "UserKey": f"i:0h.f|membership|{guid('puid' + person.user)[:16]}@live.com",
            "UserType": 0,
            "Version": 1,
            "Workload": workload,
            "ClientIP": address,
            "UserId": person.email,
            **more,
        }
        self._events.append((when, number, record))

    def file(
        self, person: Person, when: datetime, operation: str, address: str, where: str, name: str, size: int
    ) -> None:
        """A file is opened, changed, fetched or stored; `where` is a site of SharePoint, or "OneDrive"."""
        if where == "OneDrive":
            owner = person.email.replace("@", "_").replace(".", "_")
            site, relative, workload = (
                f"{_TENANT.replace('.share', '-my.share')}/personal/{owner}/",
                "Documents",
                where,
            )
        else:
            site, relative, workload = f"{_TENANT}/sites/{where}/", "Shared Documents", "SharePoint"
        self._record(
            person,
            when,
            operation,
            workload,
            address,
            ObjectId=f"{site}{relative}/{name}",
            CorrelationId=guid(f"correlation:{person.user}:{when.isoformat()}:{name}"),
            EventSource="SharePoint",
            ItemType="File",
            ListId=guid(f"list:{site}"),
            ListItemUniqueId=guid(f"item:{site}{name}"),
            Site=guid(f"site:{site}"),
            SiteUrl=site,
            SourceFileExtension=name.rpartition(".")[2],
            SourceFileName=name,
            SourceRelativeUrl=relative,
            FileSizeBytes=size,
            UserAgent="Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0",
        )

    def mail(self, person: Person, when: datetime, address: str) -> None:
        dice = rng("mail", person.user, when)
        self._record(
            person,
            when,
            "MailItemsAccessed",
            "Exchange",
            address,
            record_type=50,
            ResultStatus="Succeeded",
            ClientInfoString="Client=MSExchangeRPC",
            ClientIPAddress=address,
            ExternalAccess=False,
            InternalLogonType=0,
            LogonType=0,
            LogonUserSid=person.sid,
            MailboxGuid=guid(f"mailbox:{person.user}"),
            MailboxOwnerUPN=person.email,
            OperationCount=dice.randrange(1, 9),
            OperationProperties=[{"Name": "MailAccessType", "Value": "Bind"}],
        )

    def logged_in(self, person: Person, when: datetime, address: str, agent: str) -> None:
        self._record(
            person,
            when,
            "UserLoggedIn",
            "AzureActiveDirectory",
            address,
            ResultStatus="Success",
            ActorIpAddress=address,
            AzureActiveDirectoryEventType=1,
            ApplicationId="00000002-0000-0ff1-ce00-000000000000",
            Actor=[{"ID": person.entra_id, "Type": 0}, {"ID": person.email, "Type": 5}],
            ExtendedProperties=[
                {"Name": "UserAgent", "Value": agent},
                {"Name": "RequestType", "Value": "OAuth2:Authorize"},
            ],
            Target=[{"ID": "00000002-0000-0ff1-ce00-000000000000", "Type": 0}],
        )

    def write(self, folder: Path) -> None:
        records = [record for *_, record in sorted(self._events, key=lambda event: event[:2])]
        body = ",\n".join(json.dumps(record, separators=(",", ":"), ensure_ascii=False) for record in records)
        write_lines(folder / "m365" / "audit.json.gz", ["[", body, "]"])


class GitHub:
    def __init__(self) -> None:
        self._events: list[tuple[datetime, int, dict[str, Any]]] = []

    def event(
        self, person: Person, when: datetime, action: str, repo: str, address: str, country: str
    ) -> None:
        stamp = int(when.timestamp() * 1000)
        number = len(self._events)
        record: dict[str, Any] = {
            "@timestamp": stamp,
            "_document_id": token(f"github:{person.user}:{stamp}:{number}", 22),
            "action": action,
            "actor": person.github,
            "actor_id": 20_000_000 + person.number * 37,
            "actor_ip": address,
            "actor_location": {"country_code": country},
            "business": "corp-example-inc",
            "business_id": 8123,
            "external_identity_nameid": person.email,
            "org": "corp-example",
            "org_id": 70112233,
            "repo": f"corp-example/{repo}",
        }
        if action.startswith("git."):
            record |= {
                "hashed_token": token(f"token:{person.user}", 43) + "=",
                "programmatic_access_type": "OAuth access token",
                "repository": f"corp-example/{repo}",
                "repository_public": False,
                "token_id": 900_000_000 + person.number,
                "transport_protocol": 1,
                "transport_protocol_name": "http",
                "user": "",
                "user_agent": "git/2.51.0.windows.2",
            }
        else:
            record |= {
                "created_at": stamp,
                "operation_type": "create",
                "public_repo": False,
                "user": person.github,
            }
        self._events.append((when, number, record))

    def write(self, folder: Path) -> None:
        records = [record for *_, record in sorted(self._events, key=lambda event: event[:2])]
        write_lines(
            folder / "github" / "audit.ndjson", [json.dumps(r, separators=(",", ":")) for r in records]
        )


class Squid:
    def __init__(self) -> None:
        self._lines: list[tuple[datetime, int, str]] = []

    def request(  # noqa: PLR0913 - the parts of a log line
        self,
        when: datetime,
        person: Person,
        source: str,
        target: tuple[str, str],
        down: int,
        *,
        method: str = "CONNECT",
        url: str = "",
        status: str = "TCP_TUNNEL/200",
        seconds: float = 12.0,
    ) -> None:
        """A line in Squid's own format; `target` is name and address."""
        stamp = f"{when.timestamp():.3f}"
        kind = "-" if method == "CONNECT" else "application/json"
        name, address = target
        where = url or f"{name}:443"
        line = (
            f"{stamp} {int(seconds * 1000):6d} {source} {status} {down} {method} {where} {person.user} "
            f"HIER_DIRECT/{address} {kind}"
        )
        self._lines.append((when, len(self._lines), line))

    def write(self, folder: Path) -> None:
        write_lines(folder / "proxy" / "squid-access.log.gz", [line for *_, line in sorted(self._lines)])
