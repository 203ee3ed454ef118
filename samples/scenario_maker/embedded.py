"""The three who are not who they say: what their days leave behind besides ordinary work.

Their issued laptops stand in one house in Nashville. Each shows another part of the catalogue of signals.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from samples.scenario_maker.people import SHARED_FACTOR_PHONE, Person, rng
from samples.scenario_maker.places import ASTRILL_EXITS, FARM, RENTED_EXIT, RENTED_SERVER, SHENYANG
from samples.scenario_maker.routine import REPOS
from samples.scenario_maker.sysmon import logon_id
from samples.scenario_maker.whereabouts import browser
from samples.scenario_maker.windows import person_account

if TYPE_CHECKING:
    from datetime import datetime

    from samples.scenario_maker.calendar_plan import Workday
    from samples.scenario_maker.world import World

_ASTRILL = {"tunnels": '[{"anonymous":true,"operator":"ASTRILL_VPN","type":"VPN"}]'}
_MEGA = ("g.api.mega.co.nz", "gfs302n117.userstorage.mega.co.nz")


def all_of_them(world: World, people: dict[str, Person], days: dict[str, list[Workday]]) -> None:
    _with_a_kvm(world, people["bkeller"], days["bkeller"])
    _with_remote_tools(world, people["kwhitman"], days["kwhitman"])
    _with_a_tunnel(world, people["rdawson"], days["rdawson"])


def _operator_sign_in(
    world: World, person: Person, when: datetime, source: str, device: str, app: str, *, operator: bool = True
) -> None:
    """A sign-in from the operator's own machine: not the issued laptop, not its address."""
    own = browser(device)
    debug = _ASTRILL if operator else {}
    proxy = operator or source in ASTRILL_EXITS
    world.okta.event(person, when, "user.session.start", source, own, proxy=proxy, debug=debug)
    world.okta.event(
        person, when + timedelta(seconds=12), "user.authentication.auth_via_mfa", source, own, proxy=proxy,
        credential="OKTA_CREDENTIAL_PROVIDER", provider="FACTOR_PROVIDER",
        debug={**debug, "factor": "SMS_FACTOR"},
    )  # fmt: skip
    world.okta.application(person, when + timedelta(seconds=31), app, source, own)
    world.entra.sign_in(
        person, when + timedelta(seconds=50), source, "Office 365 SharePoint Online", own, managed=False
    )


_KVM = (
    ("USB\\VID_1D6B&PID_0104\\CAFEBABE", "USB Composite Device", "USB", "USB\\VID_1D6B&PID_0104&REV_0606"),
    ("HID\\VID_1D6B&PID_0104&MI_00\\8&2f6c1a90&0&0000", "HID Keyboard Device", "Keyboard",
     "HID\\VID_1D6B&PID_0104&REV_0606&MI_00"),
    ("HID\\VID_1D6B&PID_0104&MI_01\\8&1b0d4e77&0&0000", "HID-compliant mouse", "Mouse",
     "HID\\VID_1D6B&PID_0104&REV_0606&MI_01"),
    ("USBSTOR\\CdRom&Ven_PiKVM&Prod_Optical_Drive&Rev_1.00\\CAFEBABE&0", "PiKVM Optical Drive USB Device",
     "CDROM", "USBSTOR\\CdRomPiKVM___Optical_Drive___1.00"),
    ("DISPLAY\\LNX7771\\5&1d3a1b7&0&UID265988", "Generic PnP Monitor", "Monitor", "MONITOR\\LNX7771"),
)  # fmt: skip


def _with_a_kvm(world: World, person: Person, days: list[Workday]) -> None:
    """PiKVM on the laptop, Astrill on the operator's side, Seoul's office hours, all the code, MEGA."""
    for attached in (0, 6, 11):
        day = days[attached]
        for number, device in enumerate(_KVM):
            when = day.start - timedelta(minutes=2) + timedelta(seconds=0.4 * number)
            world.windows.device(when, person.host, (*device, "Port_#0001.Hub_#0001"))
        key = "HKLM\\System\\CurrentControlSet\\Enum\\USB\\VID_1D6B&PID_0104\\CAFEBABE\\DeviceDesc"
        world.laptop(person).registry(
            day.start - timedelta(minutes=2),
            "svchost",
            key,
            "@usb.inf,%usb\\composite.devicedesc%;USB Composite Device",
        )
    for number, day in enumerate(days):
        dice = rng("operator", person.user, day.day)
        if number % 2 == 0 or dice.random() < 0.3:
            _operator_sign_in(
                world,
                person,
                day.moment(dice),
                dice.choice(ASTRILL_EXITS),
                "operator-1",
                dice.choice(("Jira Cloud", "Slack")),
            )
    dropped = days[8]  # the VPN fails for a moment, and the true address shows
    when = dropped.start + timedelta(hours=1.4)
    _operator_sign_in(world, person, when - timedelta(minutes=9), ASTRILL_EXITS[1], "operator-1", "Slack")
    own = browser("operator-1")
    world.okta.event(person, when, "user.session.start", SHENYANG, own)
    world.okta.phone_factor(
        person, days[2].start + timedelta(hours=2), ASTRILL_EXITS[0], own, SHARED_FACTOR_PHONE, proxy=True
    )
    taken = days[7]
    at = taken.start + timedelta(hours=2.2)
    for team in sorted(REPOS):
        for repo in REPOS[team]:
            at += timedelta(seconds=rng("taken", repo).uniform(9, 24))
            world.git(taken, at, "git.clone", repo, size=int(rng("size", repo).uniform(8e6, 9e7)))
    _pack_and_upload(world, person, days[8], "src_a")
    _pack_and_upload(world, person, days[12], "src_b")


def _pack_and_upload(world: World, person: Person, day: Workday, name: str) -> None:
    dice = rng("mega", day.day)
    laptop = world.laptop(person)
    when = day.start + timedelta(hours=4.1)
    archive = f"C:\\Users\\{person.user}\\AppData\\Local\\Temp\\rc\\{name}.7z"
    laptop.run(
        when, "7z", f"7z.exe a -mx1 -mhe=on -p{name}2026 {archive} C:\\Users\\{person.user}\\src", "cmd"
    )
    laptop.file(when + timedelta(seconds=5), "7z", archive)
    command = f"rclone.exe copy {archive} mg:bk --transfers 8 --no-check-certificate"
    later = when + timedelta(minutes=13)
    laptop.run(later, "rclone", command, "cmd")
    for step, site in enumerate(_MEGA):
        up = int(dice.uniform(1.4e9, 2.3e9)) if step else 90_000
        at = later + timedelta(seconds=2 + step)
        world.web(day, at, site, program="rclone", up=up, down=300_000, seconds=1500.0 if step else 20.0)


def _with_remote_tools(world: World, person: Person, days: list[Workday]) -> None:
    """Newly hired: looks round the machine, makes it reachable, keeps it awake; Shenyang's office hours."""
    laptop, first = world.laptop(person), days[0]
    at = first.start + timedelta(minutes=9)
    for program, command in (
        ("whoami", "whoami /all"), ("systeminfo", "systeminfo"), ("ipconfig", "ipconfig /all"),
        ("dxdiag", "dxdiag /t C:\\Users\\{user}\\dx.txt"),
    ):  # fmt: skip
        at += timedelta(seconds=37)
        laptop.run(at, program, command, "cmd")
    world.web(first, at + timedelta(minutes=2), "ipinfo.io", program="chrome")
    world.web(first, at + timedelta(minutes=3), "whoer.net", program="chrome")
    world.okta.phone_factor(
        person, first.start + timedelta(minutes=25), FARM, browser(person.user), SHARED_FACTOR_PHONE
    )
    _install_tools(world, person, first)
    for number, day in enumerate(days):
        _remote_day(world, person, day, number)
    _copy_code(world, person, days)


def _install_tools(world: World, person: Person, day: Workday) -> None:
    laptop = world.laptop(person)
    at = day.start + timedelta(hours=1.1)
    download = "C:\\Users\\{user}\\Downloads\\AnyDesk.exe"
    laptop.file(at, "chrome", download)
    laptop.run(
        at + timedelta(seconds=40), "anydesk_download",
        download + ' --install "C:\\Program Files (x86)\\AnyDesk" --start-with-win --silent',
        "cmd",
    )  # fmt: skip
    laptop.run(
        at + timedelta(seconds=75),
        "anydesk",
        '"C:\\Program Files (x86)\\AnyDesk\\AnyDesk.exe" --set-password',
        "cmd",
    )
    laptop.registry(
        at + timedelta(seconds=60), "services",
        "HKLM\\System\\CurrentControlSet\\Services\\AnyDesk\\ImagePath",
        '"C:\\Program Files (x86)\\AnyDesk\\AnyDesk.exe" --service',
    )  # fmt: skip
    start = (
        '"C:\\Program Files (x86)\\Google\\Chrome Remote Desktop\\141.0.7390.14\\remoting_start_host.exe" '
        '--code="4/0AVGzR1BkQ7xw" --redirect-url="https://remotedesktop.google.com/_/oauthredirect" '
        f"--name={person.host} --pin=428190"
    )
    laptop.run(at + timedelta(minutes=16), "remoting_start_host", start, "powershell")
    for minutes, command in (
        (18, "powercfg /change standby-timeout-ac 0"),
        (18.4, "powercfg /change monitor-timeout-ac 0"),
    ):
        laptop.run(at + timedelta(minutes=minutes), "powercfg", command, "cmd")


def _remote_day(world: World, person: Person, day: Workday, number: int) -> None:
    dice = rng("remote", day.day)
    laptop = world.laptop(person)
    laptop.run(day.start + timedelta(minutes=2), "caffeine", "", "explorer")
    relay, address = ("relay-3e8a41c7.net.anydesk.com", "198.18.21.14")
    if number % 2 == 0:
        site, program, target = relay, "anydesk", address
    else:
        site, program, target = "remotedesktop-pa.googleapis.com", "remoting_host", "198.18.3.40"
    when = day.start + timedelta(minutes=14)
    inside = day.inside(when)
    if number or program == "remoting_host":
        laptop.query(when, program, site, target, system=True)
        laptop.connect(when + timedelta(seconds=1), program, inside, (target, 443, site), system=True)
        world.web(
            day,
            when,
            site,
            up=int(dice.uniform(3e8, 9e8)),
            down=40_000_000,
            seconds=dice.uniform(9000, 25_000),
        )
    if dice.random() < 0.5:
        _operator_sign_in(
            world,
            person,
            day.moment(dice),
            dice.choice(ASTRILL_EXITS),
            "operator-1",
            "Slack",
            operator=dice.random() < 0.7,
        )


def _copy_code(world: World, person: Person, days: list[Workday]) -> None:
    """Repositories of other teams in the first days, and the archive to a private Google Drive."""
    laptop = world.laptop(person)
    for day, team in ((days[1], "Payments"), (days[2], "Data"), (days[2], "Platform")):
        at = day.start + timedelta(hours=2.4)
        for repo in REPOS[team][:7]:
            at += timedelta(seconds=rng("copied", repo).uniform(30, 100))
            action = "repo.download_zip" if team == "Data" else "git.clone"
            world.git(day, at, action, repo, size=int(rng("size", repo).uniform(8e6, 9e7)))
    for day in (days[5], days[10]):
        dice = rng("drive", day.day)
        when = day.start + timedelta(hours=5.5)
        laptop.file(when, "chrome", "C:\\Users\\{user}\\Downloads\\work_" + f"{day.day:%m%d}.zip")
        world.web(day, when, "drive.google.com", program="chrome")
        for part in range(9):
            at = when + timedelta(minutes=1, seconds=41 * part)
            world.squid.request(
                at, person, day.inside(at), ("clients6.google.com", "198.18.3.31"), dice.randrange(600, 900),
                method="POST", status="TCP_MISS/308" if part < 8 else "TCP_MISS/200", seconds=36.0,
                url="https://clients6.google.com/upload/drive/v2internal/files?uploadType=resumable&upload_id="
                f"AHVrFx{part}{day.day:%d}",
            )  # fmt: skip


def _with_a_tunnel(world: World, person: Person, days: list[Workday]) -> None:
    """The careful one: the persona's own hours, no tool but Windows' own, little at a time."""
    laptop = world.laptop(person)
    client = "DESKTOP-7Q2KD1M"
    for number, day in enumerate(days):
        dice = rng("tunnel", person.user, day.day)
        when = day.start + timedelta(minutes=8)
        inside = day.inside(when)
        command = f"ssh.exe -N -R 13389:127.0.0.1:3389 -p 443 dev@{RENTED_SERVER}"
        laptop.run(when, "ssh", command, "powershell")
        laptop.connect(when + timedelta(seconds=1), "ssh", inside, (RENTED_SERVER, 443, "-"))
        seconds = day.left(when) - 5
        volume = (seconds, int(seconds * 9_000), int(seconds * 900))
        world.zeek.conn(when + timedelta(seconds=1), inside, (RENTED_SERVER, 443), "tcp", "ssh", volume)
        world.asa.flow(
            person,
            when + timedelta(seconds=1),
            inside,
            (RENTED_SERVER, 443),
            "TCP",
            volume[0],
            volume[1] + volume[2],
        )
        session, number_ = logon_id(person, day.start) + 0x111, number % 3 + 2
        at = when + timedelta(minutes=3)
        world.windows.terminal(at, person.host, person, 1149, 0, "127.0.0.1")
        world.windows.logon(
            at + timedelta(seconds=1), person.host, person_account(person), 10, session, "127.0.0.1", client
        )
        world.windows.reconnect(
            at + timedelta(seconds=2), person.host, person, session, (client, "127.0.0.1"), away=False
        )
        world.windows.terminal(at + timedelta(seconds=2), person.host, person, 25, number_, "127.0.0.1")
        world.windows.reconnect(day.end, person.host, person, session, (client, "127.0.0.1"), away=True)
        world.windows.terminal(day.end, person.host, person, 24, number_, "127.0.0.1")
        if number in (2, 5, 6, 9, 13):
            world.terminal_session(day, day.back + timedelta(minutes=20), dice.uniform(20, 60), "Korean")
        if number in (4, 11):
            _operator_sign_in(
                world, person, day.moment(dice), RENTED_EXIT, "operator-2", "Jira Cloud", operator=False
            )
    _private_copies(world, person, days)


def _private_copies(world: World, person: Person, days: list[Workday]) -> None:
    laptop = world.laptop(person)
    for day, repo in ((days[3], "auth-gateway"), (days[7], "secrets-broker"), (days[12], "infra-terraform")):
        at = day.lunch + timedelta(minutes=4)
        laptop.run(at, "git", f"git remote add bk https://github.com/rd-archive-2291/{repo}.git", "cmd")
        laptop.run(at + timedelta(seconds=30), "git", "git push --mirror bk", "cmd")
        at += timedelta(seconds=31)
        inside = day.inside(at)
        if inside:
            size = int(rng("mirror", repo).uniform(3e7, 7e7))
            world.web(day, at, "github.com", program="git", up=size, down=50_000, seconds=45.0)
    day = days[9]
    at = day.back + timedelta(hours=1)
    archive = "C:\\Users\\rdawson\\Documents\\notes.7z"
    laptop.run(at, "7z", f"7z.exe a -p {archive} C:\\Users\\rdawson\\work\\runbooks", "cmd")
    world.web(
        day,
        at + timedelta(minutes=6),
        "content.dropboxapi.com",
        program="chrome",
        up=231_000_000,
        down=90_000,
        seconds=160.0,
    )
