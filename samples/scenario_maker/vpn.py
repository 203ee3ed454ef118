"""The two VPN gateways: a Cisco ASA in New York with its flows, and PAN-OS GlobalProtect in Chicago."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from samples.scenario_maker.files_out import write_lines
from samples.scenario_maker.people import Person, guid, rng, token

if TYPE_CHECKING:
    from pathlib import Path

    from samples.scenario_maker.calendar_plan import Tunnel

_ASA = "asa-nyc-1"
_GROUP = "GP-Remote-Staff"


class Asa:
    """Log lines with the local time of New York: no zone, and so ambiguous for one hour on 1 November."""

    def __init__(self) -> None:
        self._lines: list[tuple[datetime, int, str]] = []
        self._flows: list[tuple[datetime, str, str, str, str, int, int, float, int]] = []

    def _line(self, when: datetime, code: str, text: str) -> None:
        stamp = when.astimezone(ZoneInfo("America/New_York")).strftime("%b %d %Y %H:%M:%S")
        self._lines.append((when, len(self._lines), f"{stamp} {_ASA} : %ASA-{code}: {text}"))

    def session(
        self, person: Person, tunnel: Tunnel, sent: int, received: int, reason: str = "User Requested"
    ) -> None:
        who = f"Group <{_GROUP}> User <{person.user}> IP <{tunnel.public}>"
        start = tunnel.start
        version = rng("anyconnect", person.user).choice(("4.10.08029", "5.1.4.74", "5.1.8.105"))
        self._line(
            start - timedelta(seconds=2),
            "6-113004",
            f"AAA user authentication Successful : server =  10.20.10.2 : user = {person.user}",
        )
        self._line(
            start - timedelta(seconds=2),
            "6-113009",
            f"AAA retrieved default group policy ({_GROUP}) for user = {person.user}",
        )
        self._line(start - timedelta(seconds=1), "6-113039", f"{who} AnyConnect parent session started.")
        self._line(
            start, "4-722051", f"{who} IPv4 Address <{tunnel.inside}> IPv6 address <::> assigned to session"
        )
        self._line(start, "6-722055", f"{who} Client Type: Cisco AnyConnect VPN Agent for Windows {version}")
        seconds = int((tunnel.end - start).total_seconds())
        hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
        self._line(
            tunnel.end,
            "4-113019",
            f"Group = {_GROUP}, Username = {person.user}, IP = {tunnel.public}, Session disconnected. "
            f"Session Type: SSL, Duration: {hours}h:{minutes:02d}m:{rest:02d}s, Bytes xmt: {received}, "
            f"Bytes rcv: {sent}, Reason: {reason}",
        )
        self._line(tunnel.end, "6-716002", f"{who} WebVPN session terminated: {reason}.")

    def rejected(self, user: str, when: datetime, public: str) -> None:
        self._line(
            when,
            "6-113005",
            "AAA user authentication Rejected : reason = AAA failure : server = 10.20.10.2 : "
            f"user = {user} : user IP = {public}",
        )

    def flow(
        self,
        person: Person,
        when: datetime,
        inside: str,
        target: tuple[str, int],
        protocol: str,
        seconds: float,
        total: int,
    ) -> None:
        """A connection out of the tunnel; the gateway counts both directions together."""
        port = rng("asaport", person.user, when).randrange(49152, 65500)
        self._flows.append((when, protocol, person.user, inside, target[0], port, target[1], seconds, total))

    def write(self, folder: Path) -> None:
        for number, flow in enumerate(sorted(self._flows), 48_212_007):
            when, protocol, user, inside, address, port, target_port, seconds, total = flow
            built, torn = ("302013", "302014") if protocol == "TCP" else ("302015", "302016")
            self._line(
                when,
                f"6-{built}",
                f"Built inbound {protocol} connection {number} for outside:{inside}/{port} ({inside}/{port})"
                f"(LOCAL\\{user}) to inside:{address}/{target_port} ({address}/{target_port}) ({user})",
            )
            length = int(seconds)
            clock = f"{length // 3600}:{length // 60 % 60:02d}:{length % 60:02d}"
            end = " TCP FINs" if protocol == "TCP" else ""
            self._line(
                when + timedelta(seconds=seconds),
                f"6-{torn}",
                f"Teardown {protocol} connection {number} for outside:{inside}/{port}(LOCAL\\{user}) to "
                f"inside:{address}/{target_port} duration {clock} bytes {total}{end} ({user})",
            )
        write_lines(folder / "vpn" / "asa.log.gz", [line for *_, line in sorted(self._lines)])


class GlobalProtect:
    """GLOBALPROTECT logs of PAN-OS 9.1, comma separated, in the local time of Chicago."""

    def __init__(self) -> None:
        self._events: list[tuple[datetime, int, list[str]]] = []

    def _event(
        self, person: Person, when: datetime, event: str, stage: str, tunnel: Tunnel, **more: str
    ) -> None:
        stamp = when.astimezone(ZoneInfo("America/Chicago")).strftime("%Y/%m/%d %H:%M:%S")
        inside = tunnel.inside if more.get("inside", "yes") == "yes" else "0.0.0.0"  # noqa: S104 - PAN-OS's "none"
        country = more.get("country", "US")
        row = [
            "1", stamp, "013201009876", "GLOBALPROTECT", "0", "2305", stamp, "vsys1", event, stage,
            more.get("method", ""), more.get("carrier", ""), f"corp\\{person.user}", country, person.host,
            tunnel.public, "0.0.0.0", inside, "0.0.0.0",  # noqa: S104
            guid(f"gp:{person.host}"), token(f"serial:{person.host}", 7).upper(), "6.2.4", "Windows",
            '"Microsoft Windows 11 Enterprise , 64-bit"', "1", more.get("reason", ""), more.get("error", ""),
            f'"{more.get("text", "")}"', more.get("status", "success"), "", more.get("duration", "0"),
            "user-logon", "0", more.get("portal", "GP-GW-CHI"),
        ]  # fmt: skip
        self._events.append((when, len(self._events), row))

    def session(self, person: Person, tunnel: Tunnel, country: str) -> None:
        at = tunnel.start
        gone = timedelta(seconds=1)
        self._event(
            person, at - 3 * gone, "portal-auth", "login", tunnel,
            method="SAML", inside="no", portal="GP-Portal-CHI", country=country,
        )  # fmt: skip
        self._event(
            person,
            at - 2 * gone,
            "gateway-auth",
            "login",
            tunnel,
            method="SAML",
            inside="no",
            country=country,
        )
        self._event(person, at - gone, "gateway-getconfig", "configuration", tunnel, country=country)
        self._event(person, at, "gateway-connected", "connected", tunnel, carrier="IPSec", country=country)
        seconds = str(int((tunnel.end - at).total_seconds()))
        self._event(
            person, tunnel.end, "gateway-logout", "logout", tunnel,
            reason="client logout", duration=seconds, text="client logout", country=country,
        )  # fmt: skip

    def rejected(self, person: Person, when: datetime, tunnel: Tunnel, country: str) -> None:
        self._event(
            person, when, "gateway-auth", "login", tunnel, method="SAML", inside="no",
            status="failure", error="Authentication failed",
            text="Authentication failed: Invalid username or password",
            country=country,
        )  # fmt: skip

    def write(self, folder: Path) -> None:
        lines = [
            ",".join([*row, str(6_920_071_768_500_000 + number), "0x8000000000000000"])
            for number, (*_, row) in enumerate(sorted(self._events))
        ]
        write_lines(folder / "vpn" / "globalprotect.csv", lines)
