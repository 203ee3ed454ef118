"""Okta System Log, as the API's /api/v1/logs returns it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samples.scenario_maker.files_out import iso, write_lines
from samples.scenario_maker.people import Person, guid, token

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from samples.scenario_maker.whereabouts import Whereabouts

_LEGACY = {
    "user.session.start": "core.user_auth.login_success",
    "user.session.end": "core.user_auth.logout_success",
    "user.authentication.sso": "app.auth.sso",
    "user.authentication.auth_via_mfa": "core.user.factor.attempt_success",
    "user.mfa.factor.activate": "core.user.factor.activate",
    "system.sms.send_phone_verification_message": "core.sms.send_phone_verification_message",
}
_MESSAGES = {
    "user.session.start": "User login to Okta",
    "user.session.end": "User logout from Okta",
    "user.authentication.sso": "User single sign on to app",
    "user.authentication.auth_via_mfa": "Authentication of user via MFA",
    "user.mfa.factor.activate": "User activated factor for MFA",
    "system.sms.send_phone_verification_message": "Send phone verification SMS message",
    "user.lifecycle.activate": "Activate Okta user",
    "user.lifecycle.deactivate": "Deactivate Okta user",
}
_SYSTEM = {
    "id": "00u8system0corpexmpl",
    "type": "SystemPrincipal",
    "alternateId": "system@okta.com",
    "displayName": "Okta System",
    "detailEntry": None,
}


class Okta:
    def __init__(self, where: Whereabouts) -> None:
        self._where = where
        self._events: list[tuple[datetime, int, dict[str, Any]]] = []

    def event(
        self,
        person: Person,
        when: datetime,
        kind: str,
        address: str,
        browser: dict[str, str],
        **more: Any,  # noqa: ANN401 - parts of a JSON record
    ) -> None:
        """One event; `more` takes result, reason, app, factor, debug, target, session and actor."""
        number = len(self._events)
        seed = f"okta:{person.user}:{when.isoformat()}:{number}"
        place = self._where.okta_place(address)
        network = self._where.network(address)
        result, reason = more.get("result", "SUCCESS"), more.get("reason")
        session = more.get("session") or "102" + token(f"session:{person.user}:{when.date()}", 20)
        debug = {
            "deviceFingerprint": browser["fingerprint"],
            "dtHash": browser["dthash"],
            "requestId": token(seed + "r", 27),
            "requestUri": more.get("uri", "/api/v1/authn"),
            "threatSuspected": "false",
            "url": more.get("uri", "/api/v1/authn") + "?",
            **more.get("debug", {}),
        }
        record = {
            "actor": more.get("actor") or self._user(person),
            "client": {
                "userAgent": {
                    "rawUserAgent": browser["agent"],
                    "os": browser["os"],
                    "browser": browser["name"],
                },
                "zone": "null",
                "device": browser["device"],
                "id": None,
                "ipAddress": address,
                "geographicalContext": place,
            },
            "device": None,
            "authenticationContext": {
                "authenticationProvider": more.get("provider"),
                "credentialProvider": more.get("credential"),
                "credentialType": None,
                "issuer": None,
                "interface": None,
                "authenticationStep": 0,
                "externalSessionId": session,
            },
            "displayMessage": _MESSAGES[kind],
            "eventType": kind,
            "outcome": {"result": result, "reason": reason},
            "published": iso(when),
            "securityContext": {
                "asNumber": network.asn,
                "asOrg": network.organization.lower(),
                "isp": network.organization.lower(),
                "domain": None,
                "isProxy": more.get("proxy", False),
            },
            "severity": "INFO" if result == "SUCCESS" else "WARN",
            "debugContext": {"debugData": debug},
            "legacyEventType": _LEGACY.get(kind),
            "transaction": {"type": "WEB", "id": token(seed + "t", 27), "detail": {}},
            "uuid": guid(seed),
            "version": "0",
            "request": {
                "ipChain": [
                    {
                        "ip": address,
                        "geographicalContext": place,
                        "version": "V6" if ":" in address else "V4",
                        "source": None,
                    }
                ]
            },
            "target": more.get("target"),
        }
        self._events.append((when, number, record))

    def application(
        self, person: Person, when: datetime, app: str, address: str, browser: dict[str, str]
    ) -> None:
        target = [
            {
                "id": "0oa" + token(f"app:{app}", 17),
                "type": "AppInstance",
                "alternateId": app,
                "displayName": app,
                "detailEntry": {"signOnModeType": "SAML_2_0"},
            },
            {
                "id": "0ua" + token(f"appuser:{app}:{person.user}", 17),
                "type": "AppUser",
                "alternateId": person.email,
                "displayName": person.name,
                "detailEntry": None,
            },
        ]
        uri = f"/app/{app.lower().replace(' ', '_')}/{token('app:' + app, 17)}/sso/saml"
        self.event(person, when, "user.authentication.sso", address, browser, target=target, uri=uri)

    def phone_factor(
        self,
        person: Person,
        when: datetime,
        address: str,
        browser: dict[str, str],
        phone: str,
        **more: Any,  # noqa: ANN401 - parts of a JSON record
    ) -> None:
        """A telephone is enrolled as a second factor: the message sent to it, and the factor activated."""
        digits = {"phoneNumber": phone, "countryCallingCode": "1", "smsProvider": "TELESIGN"}
        kind = "system.sms.send_phone_verification_message"
        user = [self._user(person)]
        self.event(
            person,
            when,
            kind,
            address,
            browser,
            debug=digits,
            target=user,
            uri="/api/v1/users/me/factors",
            **more,
        )
        later = when.replace(second=(when.second + 31) % 60)
        factor = {"factor": "SMS_FACTOR", "phoneNumber": phone}
        self.event(
            person,
            max(when, later),
            "user.mfa.factor.activate",
            address,
            browser,
            reason="User set up SMS_FACTOR factor",
            debug=factor,
            target=user,
            uri="/api/v1/users/me/factors",
            **more,
        )

    def by_system(self, person: Person, when: datetime, kind: str) -> None:
        browser = {
            "fingerprint": "", "dthash": "", "agent": "Okta-Integrations", "os": "Unknown",
            "name": "UNKNOWN", "device": "Unknown",
        }  # fmt: skip
        self.event(person, when, kind, "198.18.1.4", browser, actor=_SYSTEM, target=[self._user(person)])

    def write(self, folder: Path) -> None:
        """A file a week, as a scheduled export leaves them: two arrays, and the newest as lines."""
        weeks: dict[str, list[str]] = {"2026-10-12": [], "2026-10-19": [], "2026-10-26": []}
        starts = sorted(weeks)
        for when, _, record in sorted(self._events, key=lambda event: event[:2]):
            week = max(start for start in starts if start <= when.date().isoformat())
            weeks[week].append(json.dumps(record, separators=(",", ":"), ensure_ascii=False))
        for week in starts[:2]:
            name = f"system-{week}.json.gz"
            write_lines(folder / "okta" / name, ["[", ",\n".join(weeks[week]), "]"])
        write_lines(folder / "okta" / f"system-{starts[2]}.ndjson.gz", weeks[starts[2]])

    @staticmethod
    def _user(person: Person) -> dict[str, Any]:
        return {
            "id": person.okta_id,
            "type": "User",
            "alternateId": person.email,
            "displayName": person.name,
            "detailEntry": None,
        }
