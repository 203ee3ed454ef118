"""Who works when and where, and which address the VPN gateways handed to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from samples.scenario_maker.people import TRIP, Person, rng
from samples.scenario_maker.places import (
    CGNAT,
    EGRESS_ADDRESS,
    FARM,
    LISBON_HOTEL,
    LISBON_VENUE,
)

if TYPE_CHECKING:
    from random import Random

FIRST, LAST = date(2026, 10, 12), date(2026, 11, 1)
BEGIN = datetime(2026, 10, 12, tzinfo=UTC)
END = datetime(2026, 11, 2, 5, tzinfo=UTC)
DAYS = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
# The clocks that two of the three really live by: nine to six in Seoul, nine to six in Shenyang.
_OPERATORS = {"bkeller": "Asia/Seoul", "kwhitman": "Asia/Shanghai"}


@dataclass
class Tunnel:
    """One VPN session."""

    start: datetime
    end: datetime
    public: str
    inside: str = ""


@dataclass
class Workday:
    """One person's day."""

    person: Person
    day: date
    place: str  # home, office or trip
    start: datetime
    lunch: datetime
    back: datetime
    end: datetime
    public: str
    lan: str = ""
    tunnels: list[Tunnel] = field(default_factory=list)

    @property
    def segment(self) -> str:
        """Where this day's traffic passes: NYC, CHI, BER, asa or gp."""
        return self.person.office if self.place == "office" else self.person.gateway

    @property
    def egress(self) -> str:
        """The address that the Internet sees of what goes through the company."""
        if self.place == "office":
            return self.public
        return EGRESS_ADDRESS["NYC" if self.person.gateway == "asa" else "CHI"]

    def inside(self, when: datetime) -> str:
        """The address inside at that time, or nothing while no tunnel is up."""
        if self.place == "office":
            return self.lan
        return next((t.inside for t in self.tunnels if t.start <= when <= t.end), "")

    def left(self, when: datetime) -> float:
        """Seconds that a connection begun then can last."""
        end = next((t.end for t in self.tunnels if t.start <= when <= t.end), self.end)
        return max(1.0, (end - when).total_seconds() - 1)

    def moment(self, dice: Random) -> datetime:
        """Some time at work, lunch left out."""
        morning = (self.lunch - self.start).total_seconds()
        total = morning + (self.end - self.back).total_seconds()
        at = dice.random() * total
        return (
            self.start + timedelta(seconds=at)
            if at < morning
            else self.back + timedelta(seconds=at - morning)
        )


def local(day: date, hours: float, zone: str) -> datetime:
    """That hour of the day on the wall, in UTC; hours may run past midnight."""
    clock = datetime.combine(day, time()) + timedelta(hours=hours)
    return clock.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def plan(people: list[Person]) -> list[Workday]:
    days = [day for person in people for day in _person_days(person)]
    _lease(days)
    return sorted(days, key=lambda day: (day.start, day.person.number))


def _person_days(person: Person) -> list[Workday]:
    leave = _leave(person)
    out = []
    for day in DAYS:
        dice = rng("day", person.user, day)
        working = day.weekday() < 5 and day not in leave
        # An operator's Wednesday morning is still Tuesday evening where the persona lives.
        first = person.start + timedelta(days=1) if person.user in _OPERATORS else person.start
        if day < first or (person.termination and day > person.termination) or not working:
            continue
        out.append(_workday(person, day, dice))
    on_call = [] if person.user in _NEVER_ON_CALL else _on_call(person)
    return [day for day in (*out, *on_call) if day.end < END and day.start >= BEGIN]


def _on_call(person: Person) -> list[Workday]:
    """An hour or two at the weekend now and then; one of them while the clocks in New York go back."""
    out = []
    for day in DAYS:
        dice = rng("weekend", person.user, day)
        night = person.user == "imoreno" and day == LAST
        if day.weekday() < 5 or not (night or dice.random() < 0.035):
            continue
        start = local(day, dice.uniform(9.5, 17), person.city.zone)
        end = start + timedelta(minutes=dice.uniform(45, 150))
        if night:
            start = datetime(2026, 11, 1, 5, 20, tzinfo=UTC)  # 01:20 by the wall clock
            end = start + timedelta(minutes=92)  # 01:52, an hour later than it looks
        lunch = start + (end - start) / 2
        public = _home_address(person, day, dice)
        work = Workday(person, day, "home", start, lunch, lunch + timedelta(seconds=90), end, public)
        begin, stop = start + timedelta(minutes=1), end - timedelta(seconds=20)
        work.tunnels = [Tunnel(begin, stop, public)]
        out.append(work)
    return out


_NEVER_ON_CALL = {"bkeller", "kwhitman", "rdawson", "zbloom", "adiallo", "nadeyemi", "amehta", "cmartin"}


def _leave(person: Person) -> set[date]:
    dice = rng("leave", person.user)
    if person.user in _NEVER_ON_CALL:
        return set()
    if dice.random() < 0.22:
        first = dice.choice([day for day in DAYS if day.weekday() < 4])
        return {first + timedelta(n) for n in range(dice.choice((1, 1, 2, 4)))}
    return set()


def _workday(person: Person, day: date, dice: Random) -> Workday:
    zone = person.city.zone
    begin, length = dice.gauss(9.0, 0.35), dice.gauss(8.6, 0.5)
    if person.user == "sgreene":
        begin, length = dice.gauss(20.1, 0.3), dice.gauss(7.0, 0.4)
    elif person.user in _OPERATORS:
        zone, begin, length = _OPERATORS[person.user], dice.gauss(9.1, 0.25), dice.gauss(9.2, 0.4)
    on_trip = person.user == "adiallo" and TRIP[0] <= day <= TRIP[1]
    if on_trip:
        zone = "Europe/Lisbon"
    start = local(day, begin, zone)
    lunch = start + timedelta(hours=max(2.5, dice.gauss(3.4, 0.4)))
    back = lunch + timedelta(minutes=max(20, dice.gauss(48, 12)))
    end = start + timedelta(hours=max(6, length))
    place, public = "home", _home_address(person, day, dice)
    lan = ""
    if on_trip:
        place, public = "trip", LISBON_VENUE if day.weekday() in (1, 2) else LISBON_HOTEL
    elif person.office and (person.work_mode == "office" or _in_office(person, day)):
        place, public = "office", EGRESS_ADDRESS[person.office]
        lan = lan_address(person)
    work = Workday(person, day, place, start, lunch, back, end, public, lan)
    if place != "office":
        work.tunnels = _tunnels(work, dice)
    return work


def _in_office(person: Person, day: date) -> bool:
    home_days = rng("hybrid", person.user).sample(range(5), 2)
    return day.weekday() not in home_days


def _home_address(person: Person, day: date, dice: Random) -> str:
    if person.city_key == "bozeman":
        return dice.choice(CGNAT)
    if person.later_home_ip and day >= date(2026, 10, 21):
        return person.later_home_ip
    return person.home_ip


def lan_address(person: Person) -> str:
    """The lease that a laptop keeps in its office."""
    net = {"NYC": 20, "CHI": 21, "BER": 22}[person.office]
    return f"10.{net}.{40 + person.number % 3}.{20 + person.number % 200}"


def _tunnels(day: Workday, dice: Random) -> list[Tunnel]:
    start = day.start + timedelta(minutes=dice.uniform(1, 6))
    end = day.end - timedelta(minutes=dice.uniform(0.2, 4))
    if dice.random() < 0.35 and day.public != FARM:  # the lid is closed for lunch
        return [
            Tunnel(start, day.lunch + timedelta(minutes=dice.uniform(1, 4)), day.public),
            Tunnel(day.back + timedelta(minutes=dice.uniform(0.5, 3)), end, day.public),
        ]
    return [Tunnel(start, end, day.public)]


def _lease(days: list[Workday]) -> None:
    """Give every tunnel the lowest address that is free: addresses are used again, as pools do."""
    for gateway, prefix in (("asa", "10.99.0."), ("gp", "10.98.0.")):
        tunnels = [
            t for day in days if day.place != "office" and day.person.gateway == gateway for t in day.tunnels
        ]
        held: dict[int, datetime] = {}
        for tunnel in sorted(tunnels, key=lambda t: t.start):
            number = 11
            while number in held and held[number] + timedelta(minutes=2) > tunnel.start:
                number += 1
            held[number] = tunnel.end
            tunnel.inside = f"{prefix}{number}"
