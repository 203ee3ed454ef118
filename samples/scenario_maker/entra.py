"""Entra ID sign-ins, one page of Microsoft Graph's auditLogs/signIns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samples.scenario_maker.files_out import iso, write_lines
from samples.scenario_maker.people import Person, guid

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from samples.scenario_maker.whereabouts import Whereabouts

_APPS = {
    "Office 365 Exchange Online": "00000002-0000-0ff1-ce00-000000000000",
    "Microsoft Teams": "1fec8e78-bce4-4aaf-ab1b-5451cc387264",
    "Office 365 SharePoint Online": "00000003-0000-0ff1-ce00-000000000000",
}
_FAILURES = {
    50126: "Error validating credentials due to invalid username or password.",
    500121: "Authentication failed during strong authentication request.",
}


class Entra:
    def __init__(self, where: Whereabouts) -> None:
        self._where = where
        self._events: list[tuple[datetime, int, dict[str, Any]]] = []

    def sign_in(
        self,
        person: Person,
        when: datetime,
        address: str,
        app: str,
        browser: dict[str, str],
        *,
        managed: bool = True,
        error: int = 0,
    ) -> None:
        number = len(self._events)
        status: dict[str, Any] = {"errorCode": error, "failureReason": "Other.", "additionalDetails": None}
        if error:
            status["failureReason"] = _FAILURES[error]
        system = "Windows10" if browser["os"].startswith("Windows") else "Ios"
        record: dict[str, Any] = {
            "id": guid(f"signin:{person.user}:{when.isoformat()}:{number}"),
            "createdDateTime": iso(when, 0),
            "userDisplayName": person.name,
            "userPrincipalName": person.email,
            "userId": person.entra_id,
            "appId": _APPS[app],
            "appDisplayName": app,
            "ipAddress": address,
            "clientAppUsed": "Browser",
            "userAgent": browser["agent"],
            "correlationId": guid(f"correlation:{person.user}:{when.isoformat()}:{number}"),
            "conditionalAccessStatus": "failure" if error else "success",
            "isInteractive": True,
            "riskDetail": "none",
            "riskLevelAggregated": "none",
            "riskLevelDuringSignIn": "none",
            "riskState": "none",
            "riskEventTypes_v2": [],
            "resourceDisplayName": app,
            "resourceId": _APPS[app],
            "status": status,
            "deviceDetail": {
                "deviceId": guid(f"device:{person.host}") if managed else "",
                "displayName": person.host if managed else "",
                "operatingSystem": system,
                "browser": f"{browser['name'].title()} 141.0.0",
                "isCompliant": managed,
                "isManaged": managed,
                "trustType": "Azure AD joined" if managed else "",
            },
            "location": self._where.entra_place(address),
            "appliedConditionalAccessPolicies": [],
        }
        self._events.append((when, number, record))

    def write(self, folder: Path) -> None:
        records = [record for *_, record in sorted(self._events, key=lambda e: e[:2], reverse=True)]
        page = ",\n".join(json.dumps(record, separators=(",", ":"), ensure_ascii=False) for record in records)
        head = '{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#auditLogs/signIns","value":['
        write_lines(folder / "entra" / "signins.json", [head, page, "]}"])
