"""Everything that keeps a log, and the things people do that several logs see at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from samples.scenario_maker.cloud import GitHub, Office, Squid
from samples.scenario_maker.entra import Entra
from samples.scenario_maker.linux import SERVERS, Linux
from samples.scenario_maker.okta import Okta
from samples.scenario_maker.people import Person, rng
from samples.scenario_maker.sysmon import Laptop, logon_id
from samples.scenario_maker.vpn import Asa, GlobalProtect
from samples.scenario_maker.whereabouts import Whereabouts, laptop_browser
from samples.scenario_maker.windows import Windows, machine_account, person_account
from samples.scenario_maker.zeek import Zeek

if TYPE_CHECKING:
    from pathlib import Path

    from samples.scenario_maker.calendar_plan import Workday
    from samples.scenario_maker.places import Network

DC, FILES, TERMINAL = ("DC01", "10.20.10.2"), ("FS01", "10.20.10.5"), ("RDS01", "10.20.10.20")
_ON_THE_SERVER = (
    '"C:\\Windows\\explorer.exe"',
    '"C:\\Program Files\\Microsoft Office\\root\\Office16\\EXCEL.EXE" "\\\\FS01\\reports\\daily.xlsx"',
)
# name, address and the size of an ordinary visit: bytes up, bytes down
SITES: dict[str, tuple[str, int, int]] = {
    "outlook.office365.com": ("198.18.2.10", 240_000, 1_900_000),
    "teams.microsoft.com": ("198.18.2.20", 900_000, 2_400_000),
    "corpexample.sharepoint.com": ("198.18.2.30", 1_400_000, 3_800_000),
    "corp-example.okta.com": ("198.18.1.10", 20_000, 160_000),
    "github.com": ("198.18.4.10", 150_000, 2_600_000),
    "corp.atlassian.net": ("198.18.5.10", 90_000, 1_200_000),
    "slack.com": ("198.18.5.20", 260_000, 900_000),
    "zoom.us": ("198.18.6.10", 45_000_000, 60_000_000),
    "www.google.com": ("198.18.3.10", 30_000, 400_000),
    "fonts.gstatic.com": ("198.18.3.11", 6_000, 120_000),
    "cdn.jsmodules.test": ("198.18.8.10", 40_000, 6_000_000),
    "pip.test": ("198.18.8.11", 20_000, 4_500_000),
    "www.nytimes.com": ("198.18.9.10", 40_000, 3_000_000),
    "www.linkedin.com": ("198.18.9.11", 120_000, 2_200_000),
    "salesforce.com": ("198.18.9.12", 300_000, 1_700_000),
    "figma.com": ("198.18.8.12", 2_500_000, 9_000_000),
    "stackoverflow.com": ("198.18.8.13", 25_000, 500_000),
    "windowsupdate.com": ("198.18.9.20", 30_000, 24_000_000),
    "update.googleapis.com": ("198.18.3.20", 8_000, 60_000),
    "www.workday.com": ("198.18.5.30", 60_000, 700_000),
    "us04files.zoom.us": ("198.18.6.20", 60_000, 900_000),
    "s3.us-west-2.amazonaws.com": ("198.18.7.5", 500_000, 900_000),
    "corp-datalake.s3.us-west-2.amazonaws.com": ("198.18.7.10", 500_000, 900_000),
    "instance-k4x2m1-relay.screenconnect.com": ("198.18.22.10", 900_000, 300_000),
    "relay-3e8a41c7.net.anydesk.com": ("198.18.21.14", 2_000_000, 900_000),
    "www.dropbox.com": ("198.18.24.10", 200_000, 700_000),
    "content.dropboxapi.com": ("198.18.24.20", 200_000, 300_000),
    "drive.google.com": ("198.18.3.30", 120_000, 900_000),
    "clients6.google.com": ("198.18.3.31", 200_000, 60_000),
    "remotedesktop-pa.googleapis.com": ("198.18.3.40", 90_000, 60_000),
    "g.api.mega.co.nz": ("198.18.20.5", 60_000, 90_000),
    "gfs302n117.userstorage.mega.co.nz": ("198.18.20.40", 200_000, 60_000),
    "ipinfo.io": ("198.18.8.30", 2_000, 6_000),
    "whoer.net": ("198.18.8.31", 9_000, 90_000),
    "tunnel.us.ngrok.com": ("198.18.8.40", 800_000, 500_000),
}


class World:
    def __init__(self, networks: list[Network]) -> None:
        self.where = Whereabouts(networks)
        self.okta, self.entra = Okta(self.where), Entra(self.where)
        self.asa, self.gp = Asa(), GlobalProtect()
        self.windows, self.linux, self.zeek = Windows(), Linux(), Zeek()
        self.office, self.github, self.squid = Office(), GitHub(), Squid()
        self._laptops: dict[str, Laptop] = {}

    def laptop(self, person: Person) -> Laptop:
        if person.user not in self._laptops:
            self._laptops[person.user] = Laptop(self.windows, person)
        return self._laptops[person.user]

    def country(self, address: str) -> str:
        place: str = self.where.entra_place(address)["countryOrRegion"]
        return place

    def web(
        self,
        day: Workday,
        when: datetime,
        site: str,
        *,
        program: str | None = None,
        up: int | None = None,
        down: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """A visit, as the sensors on the way see it; with `program`, Sysmon sees it too."""
        inside = day.inside(when)
        if not inside:
            return
        address, usual_up, usual_down = SITES[site]
        dice = rng("web", day.person.user, when, site)
        up = up if up is not None else int(usual_up * dice.lognormvariate(0, 0.6))
        down = down if down is not None else int(usual_down * dice.lognormvariate(0, 0.6))
        seconds = min(day.left(when), seconds if seconds is not None else dice.uniform(4, 300))
        if day.segment in ("CHI", "BER", "gp"):
            self.squid.request(when, day.person, inside, (site, address), down, seconds=seconds)
        else:
            if dice.random() < 0.6:
                self.zeek.lookup(when - timedelta(milliseconds=30), inside, site, [address])
            self.zeek.tls(when, inside, (address, 443), site, (seconds, up, down))
        if day.segment == "asa" and (day.place != "office"):
            self.asa.flow(day.person, when, inside, (address, 443), "TCP", seconds, up + down)
        if program:
            laptop = self.laptop(day.person)
            laptop.query(when - timedelta(milliseconds=40), program, site, address)
            laptop.connect(when, program, inside, (address, 443, site))

    def tunnels(self, day: Workday) -> None:
        """The day's VPN sessions, now and then after a mistyped password."""
        person = day.person
        for tunnel in day.tunnels:
            dice = rng("tunnel", person.user, tunnel.start)
            hours = (tunnel.end - tunnel.start).total_seconds() / 3600
            sent, received = int(hours * dice.uniform(9e6, 4e7)), int(hours * dice.uniform(6e7, 2.5e8))
            wrong = dice.random() < 0.04
            if person.gateway == "asa":
                if wrong:
                    self.asa.rejected(person.user, tunnel.start - timedelta(seconds=25), tunnel.public)
                reason = "Idle Timeout" if dice.random() < 0.06 else "User Requested"
                self.asa.session(person, tunnel, sent, received, reason)
            else:
                country = self.country(tunnel.public)
                if wrong:
                    self.gp.rejected(person, tunnel.start - timedelta(seconds=25), tunnel, country)
                self.gp.session(person, tunnel, country)

    def file_server(self, day: Workday, when: datetime) -> None:
        inside = day.inside(when)
        if not inside:
            return
        dice = rng("smb", day.person.user, when)
        volume = (
            min(day.left(when), dice.uniform(1, 200)),
            int(dice.lognormvariate(12.5, 1)),
            int(dice.lognormvariate(14, 1)),
        )
        if day.segment in ("NYC", "asa"):
            self.zeek.conn(when, inside, (FILES[1], 445), "tcp", "gssapi,smb,krb", volume)
        if day.place != "office" and day.person.gateway == "asa":
            self.asa.flow(day.person, when, inside, (FILES[1], 445), "TCP", volume[0], volume[1] + volume[2])
        number = dice.randrange(0x1000000, 0xFFFFFFF)
        self.windows.logon(when, FILES[0], person_account(day.person), 3, number, inside)
        end = when + timedelta(seconds=volume[0] + 5)
        self.windows.logoff(end, FILES[0], person_account(day.person), 3, number)

    def domain_logon(self, day: Workday, when: datetime) -> None:
        inside = day.inside(when)
        if not inside:
            return
        number = rng("dc", day.person.user, when).randrange(0x1000000, 0xFFFFFFF)
        self.windows.logon(when, DC[0], machine_account(day.person.host), 3, number, inside)
        later = when + timedelta(seconds=2)
        self.windows.logon(later, DC[0], person_account(day.person), 3, number + 7, inside)
        self.windows.logoff(later + timedelta(seconds=9), DC[0], person_account(day.person), 3, number + 7)

    def terminal_session(self, day: Workday, when: datetime, minutes: float, layout: str) -> None:
        """A person works on the terminal server."""
        inside, person = day.inside(when), day.person
        if not inside:
            return
        minutes = min(minutes, day.left(when) / 60)
        number = rng("ts", person.user, when).randrange(0x1000000, 0xFFFFFFF)
        end = when + timedelta(minutes=minutes)
        if day.segment in ("NYC", "asa"):
            self.zeek.rdp(when, inside, TERMINAL[1], person, person.host, layout, minutes * 60)
        if day.place != "office" and person.gateway == "asa":
            self.asa.flow(
                person, when, inside, (TERMINAL[1], 3389), "TCP", minutes * 60, int(minutes * 600_000)
            )
        self.laptop(person).run(
            when - timedelta(seconds=6), "mstsc", '"C:\\Windows\\System32\\mstsc.exe" /v:rds01'
        )
        self.windows.terminal(when, TERMINAL[0], person, 1149, 0, inside)
        self.windows.logon(
            when + timedelta(seconds=2), TERMINAL[0], person_account(person), 10, number, inside
        )
        session = number % 40 + 2
        for minute, command in enumerate(_ON_THE_SERVER, 1):
            image = command.split('"')[1]
            self.windows.process(
                when + timedelta(minutes=minute), TERMINAL[0], person, image, command, number
            )
        self.windows.terminal(when + timedelta(seconds=3), TERMINAL[0], person, 21, session, inside)
        self.windows.terminal(end, TERMINAL[0], person, 24, session, inside)
        self.windows.reconnect(end, TERMINAL[0], person, number, (person.host, inside), away=True)
        if minutes > 90:
            self.windows.terminal(end + timedelta(minutes=4), TERMINAL[0], person, 23, session, inside)
            self.windows.logoff(end + timedelta(minutes=4), TERMINAL[0], person_account(person), 10, number)

    def shell(self, day: Workday, when: datetime, server: str, minutes: float, command: str = "") -> None:
        inside, person = day.inside(when), day.person
        if not inside:
            return
        address = SERVERS[server]
        minutes = min(minutes, day.left(when) / 60)
        volume = (minutes * 60, int(minutes * 9_000), int(minutes * 40_000))
        if day.segment in ("NYC", "asa"):
            self.zeek.conn(when, inside, (address, 22), "tcp", "ssh", volume)
        if day.place != "office" and person.gateway == "asa":
            self.asa.flow(person, when, inside, (address, 22), "TCP", minutes * 60, volume[1] + volume[2])
        self.linux.session(when, person, server, inside, minutes, command)
        self.laptop(person).run(when, "ssh", f"ssh {person.user}@{server}.corp.example", "powershell")

    def git(self, day: Workday, when: datetime, action: str, repo: str, size: int | None = None) -> None:
        if not day.inside(when):
            return
        person = day.person
        self.github.event(person, when, action, repo, day.egress, self.country(day.egress))
        verb = action.removeprefix("git.")
        url = f"https://github.com/corp-example/{repo}.git"
        if action.startswith("git."):
            command = f"git {verb} {url}" if verb == "clone" else f"git {verb} origin"
            self.laptop(person).run(when, "git", command, "code")
        dice = rng("git", person.user, when, repo)
        volume = size or int(dice.lognormvariate(13.5, 1))
        up, down = (volume, 60_000) if verb == "push" else (30_000, volume)
        self.web(day, when, "github.com", up=up, down=down, seconds=dice.uniform(1, 30))

    def sign_in(self, person: Person, when: datetime, address: str, apps: list[str]) -> None:
        """The day's first sign-in at Okta, with the second factor, and the applications opened from there."""
        browser = laptop_browser(person)
        self.okta.event(person, when, "user.session.start", address, browser)
        mfa = when + timedelta(seconds=9)
        factor = "OKTA_VERIFY_PUSH" if rng("factor", person.user).random() < 0.75 else "SMS_FACTOR"
        self.okta.event(
            person, mfa, "user.authentication.auth_via_mfa", address, browser,
            credential="OKTA_CREDENTIAL_PROVIDER", provider="FACTOR_PROVIDER", debug={"factor": factor},
        )  # fmt: skip
        for number, app in enumerate(apps, 1):
            self.okta.application(person, mfa + timedelta(seconds=14 * number), app, address, browser)

    def unlock(self, day: Workday) -> None:
        """Logon in the morning, the screen locked for lunch and at the end."""
        person, number = day.person, logon_id(day.person, day.start)
        kind = 2 if day.place == "office" else 11
        self.windows.logon(day.start, person.host, person_account(person), kind, number)
        self.windows.lock(day.lunch, person, number, locked=True)
        self.windows.lock(day.back, person, number, locked=False)
        if number % 3:
            self.windows.lock(day.end, person, number, locked=True)
        else:
            self.windows.sign_out(day.end, person, kind, number)
        system = ("SYSTEM", "NT AUTHORITY", "S-1-5-18")
        self.windows.logon(day.start + timedelta(seconds=41), person.host, system, 5, 0x3E7)

    def write(self, folder: Path) -> None:
        self.linux.noise()
        for log in (
            self.okta, self.entra, self.asa, self.gp, self.windows, self.linux,
            self.zeek, self.office, self.github, self.squid,
        ):  # fmt: skip
            log.write(folder)
