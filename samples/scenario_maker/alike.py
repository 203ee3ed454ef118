"""People who look like what the hunt is after, and are not."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from samples.scenario_maker.people import Person, rng
from samples.scenario_maker.places import CARRIER, NORD_EXITS
from samples.scenario_maker.routine import REPOS
from samples.scenario_maker.whereabouts import browser, laptop_browser
from samples.scenario_maker.windows import person_account

if TYPE_CHECKING:
    from samples.scenario_maker.calendar_plan import Workday
    from samples.scenario_maker.world import World

Days = dict[str, list["Workday"]]


def all_of_them(world: World, people: dict[str, Person], days: Days) -> None:
    _traveller(world, people["adiallo"], days["adiallo"])
    _support(world, people, days)
    _new_hire(world, people["zbloom"], days["zbloom"])
    _data_engineer(world, days["amehta"])
    _leaver(world, people["nadeyemi"], days["nadeyemi"])
    _private_vpn(world, people["lnovak"], days["lnovak"])
    _small_things(world, people, days)


def _traveller(world: World, person: Person, days: list[Workday]) -> None:
    """A conference in Lisbon: the laptop in the hall, the telephone roaming through a gateway in New York."""
    phone = browser(person.user, "phone")
    for day in days:
        if day.place != "trip":
            continue
        dice = rng("trip", day.day)
        for _ in range(2):
            when, gateway = day.moment(dice), dice.choice(CARRIER)
            world.okta.event(person, when, "user.session.start", gateway, phone)
            world.entra.sign_in(
                person,
                when + timedelta(minutes=4),
                gateway,
                "Office 365 Exchange Online",
                phone,
                managed=False,
            )


def _support(world: World, people: dict[str, Person], days: Days) -> None:
    """The help desk works on other people's computers: ScreenConnect in Chicago, AnyDesk in Berlin."""
    colleagues = [person for user, person in sorted(people.items()) if user not in _NEVER_HELPED]
    for helper, tool, site in (
        ("mreyes", "screenconnect", "instance-k4x2m1-relay.screenconnect.com"),
        ("akowalska", "anydesk", "relay-3e8a41c7.net.anydesk.com"),
    ):
        for day in days[helper]:
            dice = rng("support", helper, day.day)
            for _ in range(dice.randrange(1, 4)):
                _one_case(world, days, day, (tool, site), dice.choice(colleagues))


_NEVER_HELPED = {"bkeller", "kwhitman", "rdawson", "mreyes", "akowalska"}


def _one_case(world: World, days: Days, day: Workday, tool: tuple[str, str], other: Person) -> None:
    dice = rng("case", day.person.user, day.day, other.user)
    theirs = next((d for d in days[other.user] if d.day == day.day), None)
    if theirs is None:
        return
    when = max(day.moment(dice), theirs.start + timedelta(minutes=12))
    inside = theirs.inside(when)
    if not inside or when > min(day.end, theirs.end):
        return
    program, site = tool
    address = "198.18.22.10" if program == "screenconnect" else "198.18.21.14"
    laptop = world.laptop(other)
    if program == "screenconnect":
        relay = "?e=Access&y=Guest&h=instance-k4x2m1-relay.screenconnect.com&p=443&s=corp"
        command = f'"{laptop.path(program)}" "{relay}"'
        laptop.run(when, program, command, "services", system=True)
    else:
        laptop.run(when, program)
        world.laptop(day.person).run(when - timedelta(seconds=20), program)
    laptop.query(when + timedelta(seconds=1), program, site, address, system=True)
    laptop.connect(when + timedelta(seconds=1), program, inside, (address, 443, site), system=True)
    world.web(theirs, when + timedelta(seconds=1), site, seconds=dice.uniform(200, 1500))
    if dice.random() < 0.4:
        number = dice.randrange(0x1000000, 0xFFFFFFF)
        own = day.inside(when)
        if own:
            world.windows.logon(
                when + timedelta(minutes=3), other.host, person_account(day.person), 3, number, own
            )


def _new_hire(world: World, person: Person, days: list[Workday]) -> None:
    """First week: the telephone enrolled, the laptop set up, and all repositories of the own team fetched."""
    first = days[0]
    world.okta.phone_factor(
        person, first.start + timedelta(minutes=20), first.public, laptop_browser(person), person.phone
    )
    own = REPOS["Platform"]
    at = first.start + timedelta(hours=2)
    for number, repo in enumerate(own):
        if number == 9:
            at = days[1].start + timedelta(hours=1)
        at += timedelta(minutes=rng("newhire", repo).uniform(6, 19))
        world.git(days[0] if number < 9 else days[1], at, "git.clone", repo)


def _data_engineer(world: World, days: list[Workday]) -> None:
    """Gigabytes every day to the company's own bucket."""
    for day in days:
        dice = rng("datalake", day.day)
        when = day.moment(dice)
        if not day.inside(when):
            when = day.start + timedelta(minutes=40)
        size = int(dice.uniform(2.2e9, 5.6e9))
        site = "corp-datalake.s3.us-west-2.amazonaws.com"
        command = "aws s3 sync D:\\exports s3://corp-datalake/landing --only-show-errors"
        world.laptop(day.person).run(when, "aws", command, "powershell")
        world.web(day, when, site, program="aws", up=size, down=2_000_000, seconds=dice.uniform(600, 2400))


def _leaver(world: World, person: Person, days: list[Workday]) -> None:
    """Hands the work over in the last week: files go to the team's site, nothing leaves."""
    for day in days[-4:]:
        dice = rng("handover", day.day)
        for number in range(dice.randrange(4, 9)):
            when = day.moment(dice)
            name = f"Handover {day.day:%d} {number + 1}.docx"
            world.office.file(
                person, when, "FileUploaded", day.egress, "Legal", name, dice.randrange(30_000, 900_000)
            )
    gone = days[-1].end + timedelta(minutes=30)
    world.okta.by_system(person, gone, "user.lifecycle.deactivate")


def _private_vpn(world: World, person: Person, days: list[Workday]) -> None:
    """A contractor whose telephone has a consumer VPN, as it had long before."""
    phone = browser(person.user, "phone")
    debug = {"tunnels": '[{"anonymous":true,"operator":"NORDVPN","type":"VPN"}]'}
    for day in days:
        dice = rng("nord", day.day)
        if dice.random() < 0.4:
            when, source = day.moment(dice), dice.choice(NORD_EXITS)
            world.okta.event(person, when, "user.session.start", source, phone, proxy=True, debug=debug)
            world.okta.application(person, when + timedelta(seconds=20), "Slack", source, phone)


def _small_things(world: World, people: dict[str, Person], days: Days) -> None:
    for day in days["dvolkov"]:  # keeps the screen on while it renders
        world.laptop(day.person).run(
            day.start + timedelta(minutes=9), "awake", "PowerToys.Awake.exe --use-pt-config"
        )
    for day in days["cjimenez"][::3]:
        world.laptop(day.person).run(day.start + timedelta(minutes=6), "caffeine")
    demo = days["pdoyle"][4]
    when = demo.start + timedelta(hours=5.2)
    world.laptop(demo.person).run(when, "ngrok", "ngrok.exe http 5173", "powershell")
    world.web(demo, when + timedelta(seconds=2), "tunnel.us.ngrok.com", program="ngrok")
    for day in days["rsilva"][2::5]:  # an agency that only takes Dropbox
        dice = rng("dropbox", day.day)
        when = day.start + timedelta(hours=5)
        size = int(dice.uniform(8e6, 40e6))
        world.web(day, when, "www.dropbox.com", program="chrome", up=size, down=900_000)
    stick = days["bfoster"][3]
    world.windows.device(
        stick.start + timedelta(hours=3),
        people["bfoster"].host,
        (
            "USBSTOR\\Disk&Ven_SanDisk&Prod_Ultra&Rev_1.00\\4C530001230915117384&0",
            "SanDisk Ultra USB Device",
            "DiskDrive",
            "USBSTOR\\DiskSanDisk_Ultra___________1.00",
            "Port_#0003.Hub_#0001",
        ),
    )
    desk = days["wchen"][1]  # one screen and keyboard for two computers, an ordinary switch
    world.windows.device(
        desk.start + timedelta(minutes=2),
        people["wchen"].host,
        (
            "HID\\VID_0557&PID_2419&MI_00\\8&5d6e7f80&0&0000",
            "HID Keyboard Device",
            "Keyboard",
            "HID\\VID_0557&PID_2419&REV_0100&MI_00",
            "Port_#0001.Hub_#0003",
        ),
    )
    for user, enrolled in (("mprice", date(2026, 10, 14)), ("tnkosi", date(2026, 10, 27))):
        day = next((d for d in days[user] if d.day == enrolled), days[user][0])
        person = people[user]
        world.okta.phone_factor(
            person, day.start + timedelta(hours=1), day.public, laptop_browser(person), person.phone
        )
