"""The ordinary days of everybody, the three included: what they do besides is in `embedded`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from samples.scenario_maker.people import rng
from samples.scenario_maker.places import CARRIER
from samples.scenario_maker.whereabouts import browser, laptop_browser
from samples.scenario_maker.windows import machine_account, service_account

if TYPE_CHECKING:
    from random import Random

    from samples.scenario_maker.calendar_plan import Workday
    from samples.scenario_maker.world import World

_COMMON = [
    "outlook.office365.com",
    "teams.microsoft.com",
    "corpexample.sharepoint.com",
    "slack.com",
    "www.google.com",
]
_SITES = {
    "Engineering": [
        *_COMMON,
        "github.com",
        "corp.atlassian.net",
        "stackoverflow.com",
        "cdn.jsmodules.test",
        "pip.test",
    ],
    "Sales": [*_COMMON, "salesforce.com", "www.linkedin.com", "zoom.us"],
    "Marketing": [*_COMMON, "www.linkedin.com", "figma.com", "www.nytimes.com"],
    "Product": [*_COMMON, "corp.atlassian.net", "figma.com", "zoom.us"],
    "Customer Success": [*_COMMON, "corp.atlassian.net", "salesforce.com", "zoom.us"],
    "People": [*_COMMON, "www.workday.com", "www.linkedin.com"],
}
_PROGRAMS = {
    "Engineering": ["code", "git", "node", "python", "chrome", "powershell"],
    "Finance": ["excel", "excel", "edge", "word"],
    "Legal": ["word", "edge", "excel"],
    "Sales": ["chrome", "excel", "teams"],
    "Marketing": ["figma", "chrome", "word"],
    "Product": ["figma", "chrome", "excel"],
    "IT": ["powershell", "edge", "mstsc"],
    "Security": ["powershell", "code", "python", "chrome"],
}
_COMMANDS = {
    "node": '"C:\\Program Files\\nodejs\\node.exe" node_modules/.bin/vite build',
    "python": "python -m pytest -q",
    "git": "git status --short",
    "powershell": "powershell.exe -NoProfile -Command Get-ChildItem",
}
_APPS = ["Microsoft 365", "Slack", "Jira Cloud", "Workday", "Zoom"]
REPOS = {
    "Payments": [
        "ledger-core",
        "payments-api",
        "payments-worker",
        "card-vault",
        "settlement-jobs",
        "payouts-gateway",
        "fraud-scoring",
        "billing-rules",
        "invoice-render",
    ],
    "Platform": [
        "infra-terraform",
        "k8s-manifests",
        "ci-runners",
        "service-mesh",
        "auth-gateway",
        "observability-stack",
        "secrets-broker",
        "base-images",
        "release-tooling",
        "edge-proxy",
        "cost-reports",
        "platform-docs",
        "chaos-tests",
        "node-autoscaler",
    ],
    "Web": [
        "web-app",
        "design-system",
        "checkout-web",
        "marketing-site",
        "admin-console",
        "web-e2e",
        "feature-flags",
    ],
    "Data": ["datalake-etl", "dbt-models", "metrics-api", "churn-model", "warehouse-sync", "notebooks"],
    "Mobile": ["ios-app", "android-app", "mobile-ci", "push-service"],
}
_FILES = {
    "Finance": ["FY26 forecast.xlsx", "Q3 close checklist.xlsx", "AP aging.xlsx", "Board pack draft.pptx"],
    "Legal": ["MSA template.docx", "DPA redline.docx", "NDA log.xlsx"],
    "Sales": ["Pipeline Q4.xlsx", "Pricing 2026.xlsx", "Proposal Fairmont.docx", "Renewals.xlsx"],
    "Marketing": ["Launch brief.docx", "Event calendar.xlsx", "Brand assets.zip", "Blog draft.docx"],
    "Engineering": ["Architecture review.docx", "Postmortem 1142.docx", "Capacity.xlsx", "RFC-088.docx"],
    "Customer Success": ["Onboarding plan.docx", "Accounts health.xlsx", "QBR deck.pptx"],
    "People": ["Handbook.docx", "Interview notes.docx", "Headcount.xlsx"],
    "IT": ["Asset register.xlsx", "Runbook.docx"],
    "Product": ["Roadmap H1.pptx", "PRD checkout.docx", "Research notes.docx"],
}
LAYOUTS = {"BER": "German - Germany"}
_TERMINAL_USERS = {
    "plindqvist": 0.7,
    "arahman": 0.5,
    "cjimenez": 0.5,
    "fzahra": 0.6,
    "mreyes": 0.35,
    "jhan": 0.6,
    "kzhou": 0.2,
}


def live(world: World, day: Workday) -> None:
    """One working day."""
    dice = rng("routine", day.person.user, day.day)
    world.unlock(day)
    world.tunnels(day)
    if day.segment == "NYC":
        world.zeek.lease(day.start - timedelta(seconds=20), day.person, day.lan)
    _sign_ins(world, day, dice)
    world.domain_logon(day, day.start + timedelta(minutes=7))
    _browse(world, day, dice)
    _documents(world, day, dice)
    _programs(world, day, dice)
    if day.person.engineer:
        _engineering(world, day, dice)
    if dice.random() < _TERMINAL_USERS.get(day.person.user, 0):
        when = day.moment(dice)
        layout = "Korean" if day.person.user == "jhan" else "English - United States"
        world.terminal_session(day, when, dice.uniform(10, 150), layout)


def _sign_ins(world: World, day: Workday, dice: Random) -> None:
    person = day.person
    before = day.start + timedelta(seconds=35)
    apps = dice.sample(_APPS, dice.choice((1, 1, 2)))
    source = day.public
    if person.home_ip6 and day.place == "home" and dice.random() < 0.5:
        source = person.home_ip6
    if dice.random() < 0.05:
        world.okta.event(
            person, before - timedelta(seconds=21), "user.session.start", source, laptop_browser(person),
            result="FAILURE", reason="INVALID_CREDENTIALS",
        )  # fmt: skip
    if dice.random() < 0.02:
        world.windows.failed_logon(day.start - timedelta(seconds=18), person.host, person, 2)
    world.sign_in(person, before, source, apps)
    if dice.random() < 0.7:  # later in the day, through the tunnel
        when = day.moment(dice)
        if day.inside(when):
            app = "GitHub Enterprise Cloud" if person.github and dice.random() < 0.5 else dice.choice(_APPS)
            world.okta.application(person, when, app, day.egress, laptop_browser(person))
    when = day.moment(dice)
    address = day.egress if day.inside(when) else day.public
    app = dice.choice(("Office 365 Exchange Online", "Microsoft Teams", "Office 365 SharePoint Online"))
    error = 50126 if dice.random() < 0.04 else 0
    world.entra.sign_in(person, when, address, app, laptop_browser(person), error=error)
    if dice.random() < 0.12 and person.user not in {
        "bkeller",
        "kwhitman",
        "rdawson",
    }:  # mail on the telephone
        phone = browser(person.user, "phone")
        mobile = dice.choice(CARRIER) if person.city_key in ("brooklyn", "newyork", "jersey") else day.public
        at = day.end + timedelta(hours=dice.uniform(0.2, 2.5))
        world.entra.sign_in(person, at, mobile, "Office 365 Exchange Online", phone, managed=False)


def _browse(world: World, day: Workday, dice: Random) -> None:
    sites = _SITES.get(day.person.department, _COMMON)
    for _ in range(dice.randrange(7, 13)):
        when = day.moment(dice)
        site = dice.choice(sites)
        program = "chrome" if dice.random() < 0.12 else None
        world.web(day, when, site, program=program)
    if dice.random() < 0.3:
        world.web(day, day.moment(dice), "windowsupdate.com")
    for _ in range(dice.randrange(0, 3)):
        world.file_server(day, day.moment(dice))


def _documents(world: World, day: Workday, dice: Random) -> None:
    person = day.person
    names = _FILES.get(person.department, _FILES["Product"])
    for _ in range(dice.randrange(2, 6)):
        when = day.moment(dice)
        address = day.egress if day.inside(when) else day.public
        if dice.random() < 0.3:
            world.office.mail(person, when, address)
            continue
        operation = dice.choices(
            ("FileAccessed", "FileModified", "FileDownloaded", "FileUploaded"), (60, 22, 8, 10)
        )[0]
        where = "OneDrive" if dice.random() < 0.4 else person.department.replace(" ", "")
        world.office.file(
            person, when, operation, address, where, dice.choice(names), dice.randrange(18_000, 4_000_000)
        )
    if dice.random() < 0.25:
        when = day.start + timedelta(minutes=11)
        address = day.egress if day.inside(when) else day.public
        world.office.logged_in(person, when, address, laptop_browser(person)["agent"])


def _programs(world: World, day: Workday, dice: Random) -> None:
    laptop = world.laptop(day.person)
    at = day.start + timedelta(seconds=50)
    for program in ("outlook", "teams", "slack", "chrome"):
        at += timedelta(seconds=dice.uniform(2, 40))
        laptop.run(at, program)
    for _ in range(dice.randrange(3, 8)):
        when = day.moment(dice)
        program = dice.choice(_PROGRAMS.get(day.person.department, ["chrome", "word", "excel"]))
        laptop.run(when, program, _COMMANDS.get(program, ""))
        if program in ("word", "excel") and dice.random() < 0.4:
            name = dice.choice(_FILES.get(day.person.department, _FILES["Product"]))
            laptop.file(when + timedelta(minutes=4), program, "C:\\Users\\{user}\\Documents\\" + name)
    laptop.run(
        day.start + timedelta(minutes=dice.uniform(5, 90)), "googleupdate", "", "services", system=True
    )
    if dice.random() < 0.5:
        when = day.start + timedelta(minutes=dice.uniform(20, 300))
        command = f'"{laptop.path("defender")}" SignatureUpdate'
        laptop.run(when, "defender", command, "svchost", system=True)
    if dice.random() < 0.25:
        key = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\LastScan"
        laptop.registry(day.start + timedelta(minutes=dice.uniform(20, 300)), "svchost", key, "Binary Data")
    if dice.random() < 0.06:
        world.windows.device(day.start + timedelta(minutes=3), day.person.host, dice.choice(_DEVICES))


def _engineering(world: World, day: Workday, dice: Random) -> None:
    person = day.person
    own = REPOS.get(person.team, REPOS["Platform"])
    usual = rng("repos", person.user).sample(own, min(4, len(own)))
    for _ in range(dice.randrange(2, 6)):
        action = dice.choices(
            ("git.fetch", "git.push", "pull_request.create", "pull_request.merge"), (50, 30, 12, 8)
        )[0]
        world.git(day, day.moment(dice), action, dice.choice(usual))
    if dice.random() < 0.12:
        world.git(day, day.moment(dice), "git.clone", dice.choice(own))
    if dice.random() < 0.03:
        other = dice.choice(sorted(REPOS))
        world.git(day, day.moment(dice), "git.clone", dice.choice(REPOS[other]))
    if dice.random() < 0.35:
        server = "db01" if person.team == "Data" else "build01"
        command = (
            "/usr/bin/systemctl restart runner" if person.team == "Platform" and dice.random() < 0.4 else ""
        )
        world.shell(day, day.moment(dice), server, dice.uniform(2, 70), command)
        if dice.random() < 0.06:
            world.linux.failed(
                day.moment(dice), person.user, server, day.inside(day.moment(dice)) or "10.99.0.11"
            )


_DEVICES = (
    ("HID\\VID_046D&PID_C52B&MI_00\\7&1a2b3c4d&0&0000", "HID Keyboard Device", "Keyboard",
     "HID\\VID_046D&PID_C52B&REV_1211&MI_00", "Port_#0002.Hub_#0001"),
    ("HID\\VID_046D&PID_C548&MI_01\\7&2b3c4d5e&0&0000", "HID-compliant mouse", "Mouse",
     "HID\\VID_046D&PID_C548&REV_0500&MI_01", "Port_#0003.Hub_#0001"),
    ("USB\\VID_047F&PID_C053\\E1A94C2D7B", "Plantronics Blackwire 5220 Series", "MEDIA",
     "USB\\VID_047F&PID_C053&REV_0121", "Port_#0004.Hub_#0001"),
    ("USB\\VID_17EF&PID_A391\\000000000", "ThinkPad Universal USB-C Dock", "USB",
     "USB\\VID_17EF&PID_A391&REV_5011", "Port_#0001.Hub_#0002"),
    ("DISPLAY\\DELA1E6\\5&11223344&0&UID4353", "Dell U2723QE", "Monitor", "MONITOR\\DELA1E6", ""),
    ("HID\\VID_05AC&PID_024F&MI_01\\8&3c4d5e6f&0&0001", "HID Keyboard Device", "Keyboard",
     "HID\\VID_05AC&PID_024F&REV_0111&MI_01", "Port_#0002.Hub_#0003"),
)  # fmt: skip


def servers(world: World) -> None:
    """What machines do at night: backups, database jobs, members of the domain asking its controller."""
    from samples.scenario_maker.calendar_plan import DAYS, local  # noqa: PLC0415 - only here

    for day in DAYS:
        dice = rng("servers", day)
        for hour, service, computer, source in (
            (1.5, "svc-backup", "FS01", "10.20.10.30"),
            (2.0, "svc-backup", "DC01", "10.20.10.30"),
            (3.2, "svc-sql", "RDS01", "10.20.10.41"),
            (12.5, "svc-scanner", "FS01", "10.20.10.31"),
        ):
            when = local(day, hour + dice.uniform(0, 0.1), "America/New_York")
            number = dice.randrange(0x1000000, 0xFFFFFFF)
            world.windows.logon(when, computer, service_account(service), 3, number, source)
            world.windows.logoff(when + timedelta(minutes=40), computer, service_account(service), 3, number)
            world.zeek.conn(
                when, source, ("10.20.10.5", 445), "tcp", "gssapi,smb,krb",
                (2400.0, int(dice.uniform(2e8, 6e8)), int(dice.uniform(1e7, 3e7))),
            )  # fmt: skip
        for computer, source in (("FS01", "10.20.10.5"), ("RDS01", "10.20.10.20")):
            for hour in (0.7, 6.7, 12.7, 18.7):
                when = local(day, hour + dice.uniform(0, 0.2), "America/New_York")
                number = dice.randrange(0x1000000, 0xFFFFFFF)
                world.windows.logon(when, "DC01", machine_account(computer), 3, number, source)
                world.windows.logoff(
                    when + timedelta(seconds=12), "DC01", machine_account(computer), 3, number
                )
