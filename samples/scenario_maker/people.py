# ruff: noqa: E501 - the table of staff has one person a line
"""The staff, as the HR system knows them, and what each of them is really like."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date
from random import Random

from samples.scenario_maker.places import CITIES, FARM, City, Homes

SEED = 20261012
DOMAIN_SID = "S-1-5-21-2718281828-1414213562-1732050807"

# number, name, user, department, team, title, city, work mode, office or gateway, start, GitHub login
_STAFF = """
1001|Margaret Okafor|mokafor|Executive||Chief Executive Officer|brooklyn|hybrid|NYC|2014-03-03|
1002|Daniel Brandt|dbrandt|Engineering||VP Engineering|brooklyn|hybrid|NYC|2015-06-15|dbrandt
1004|Tomasz Wieczorek|twieczorek|Finance||Chief Financial Officer|jersey|hybrid|NYC|2017-01-09|
1005|Yolanda Pierce|ypierce|People||Head of People|newyork|hybrid|NYC|2016-09-12|
1006|Evelyn Shaw|eshaw|Legal||General Counsel|newyork|hybrid|NYC|2018-02-05|
1007|Victor Hale|vhale|Sales||VP Sales|chicago|hybrid|CHI|2018-05-14|
1008|Renata Silva|rsilva|Marketing||Head of Marketing|newyork|hybrid|NYC|2019-04-01|
1009|Grace Holloway|gholloway|Customer Success||Head of Customer Success|bozeman|remote|gp|2018-10-22|
1010|Ingrid Solberg|isolberg|IT||Head of IT|jersey|hybrid|NYC|2016-04-18|isolberg
1011|Aisha Rahman|arahman|Finance||Controller|brooklyn|hybrid|NYC|2020-08-10|
1012|Carla Jimenez|cjimenez|Finance||Accountant|brooklyn|hybrid|NYC|2022-03-28|
1013|Peter Lindqvist|plindqvist|Finance||FP&A Analyst|newyork|hybrid|NYC|2023-06-05|
1014|Hannah Becker|hbecker|People||HR Generalist|berlin|hybrid|BER|2021-11-01|
1015|Luis Ortega|lortega|People||Recruiter|dallas|remote|asa|2022-07-18|
1016|Noah Adeyemi|nadeyemi|Legal||Paralegal|atlanta|remote|asa|2021-02-08|
1021|Priya Nair|pnair|Sales||Account Executive|chicago|hybrid|CHI|2020-01-13|
1022|Marcus Boyd|mboyd|Sales||Account Executive|dallas|remote|gp|2021-05-03|
1023|Sofia Rossi|srossi|Sales||Account Executive|munich|remote|gp|2022-09-19|
1024|James O'Connor|joconnor|Sales||Account Executive|boston|remote|asa|2019-11-11|
1025|Chloe Martin|cmartin|Sales||Sales Development Representative|chicago|hybrid|CHI|2026-09-14|
1026|Felix Wagner|fwagner|Sales||Account Executive|berlin|hybrid|BER|2023-01-16|
1031|Olivia Grant|ogrant|Marketing||Content Manager|columbus|remote|asa|2020-06-22|
1032|Dmitri Volkov|dvolkov|Marketing||Designer|berlin|hybrid|BER|2022-05-02|
1033|Amara Diallo|adiallo|Marketing||Developer Relations Lead|brooklyn|hybrid|NYC|2021-08-30|adiallo-dev
1041|Ethan Cole|ecole|Customer Success||Customer Success Manager|bozeman|remote|gp|2019-07-08|
1042|Mei Tanaka|mtanaka|Customer Success||Customer Success Manager|bozeman|remote|gp|2021-10-04|
1043|Jorge Medina|jmedina|Customer Success||Support Engineer|bozeman|remote|gp|2022-02-14|
1044|Lauren Fitch|lfitch|Customer Success||Support Engineer|bozeman|remote|gp|2024-09-09|
1045|Ji-woo Han|jhan|Customer Success||Support Engineer, APAC|seoul|remote|asa|2022-04-11|
1046|Oluwaseun Bello|obello|Customer Success||Customer Success Manager|london|remote|asa|2023-03-13|
1051|Mateo Reyes|mreyes|IT||IT Support Specialist|chicago|office|CHI|2020-10-05|
1052|Fatima Zahra|fzahra|IT||Systems Administrator|newyork|hybrid|NYC|2019-02-25|fzahra-ops
1053|Kevin Zhou|kzhou|Security||Security Engineer|raleigh|remote|asa|2021-06-28|kzhou-sec
1054|Anna Kowalska|akowalska|IT||IT Support Specialist|berlin|office|BER|2023-10-02|
1061|Simone Laurent|slaurent|Product||Head of Product|newyork|hybrid|NYC|2018-08-20|
1062|Brian Foster|bfoster|Product||Product Manager|austin|remote|gp|2021-03-15|bfoster-pm
1063|Leila Haddad|lhaddad|Product||Product Designer|toronto|remote|asa|2022-11-28|
1064|Kenji Mori|kmori|Product||Product Manager|seattle|remote|asa|2020-04-06|
1071|Rajesh Iyer|riyer|Engineering|Payments|Engineering Manager|jersey|hybrid|NYC|2017-07-17|rajesh-iyer
1072|Samuel Greene|sgreene|Engineering|Payments|Senior Backend Engineer|denver|remote|asa|2019-09-23|samgreene
1073|Brandon Keller|bkeller|Engineering|Payments|Senior Backend Engineer|austin|remote|asa|2026-09-08|bkeller-dev
1074|Elena Petrova|epetrova|Engineering|Payments|Backend Engineer|berlin|hybrid|BER|2021-09-06|epetrova
1075|Thabo Nkosi|tnkosi|Engineering|Payments|Backend Engineer|nashville|remote|gp|2022-01-31|thabon
1076|Nathan Vega|nvega|Engineering|Payments|QA Engineer|columbus|remote|asa|2021-01-19|nvega-qa
1081|Wei Chen|wchen|Engineering|Platform|Engineering Manager|seattle|remote|asa|2018-03-12|weichen-corp
1082|Isabel Moreno|imoreno|Engineering|Platform|Site Reliability Engineer|brooklyn|hybrid|NYC|2020-07-27|isamoreno
1083|Zachary Bloom|zbloom|Engineering|Platform|Platform Engineer|boston|remote|asa|2026-10-12|zbloom
1084|Henrik Dahl|hdahl|Engineering|Platform|Site Reliability Engineer|berlin|hybrid|BER|2022-08-15|henrikdahl
1085|Rachel Dawson|rdawson|Engineering|Platform|Senior Platform Engineer|raleigh|remote|asa|2026-06-15|rdawson-eng
1086|Uchenna Eze|ueze|Engineering|Platform|Platform Engineer|atlanta|remote|gp|2023-05-22|ueze
1091|Monica Santos|msantos|Engineering|Web|Engineering Manager|brooklyn|hybrid|NYC|2019-05-28|monicasantos
1092|Kyle Whitman|kwhitman|Engineering|Web|Full-stack Engineer|phoenix|remote|gp|2026-10-13|kwhitman-dev
1093|Ananya Gupta|agupta|Engineering|Web|Frontend Engineer|phoenix|remote|gp|2022-06-20|ananyag
1094|Patrick Doyle|pdoyle|Engineering|Web|Frontend Engineer|chicago|hybrid|CHI|2021-12-06|patdoyle
1095|Liam Novak|lnovak|Engineering|Web|Frontend Engineer|portland|remote|asa|2024-04-15|liamnovak
1096|Beatriz Costa|bcosta|Engineering|Web|Frontend Engineer|minneapolis|remote|gp|2026-08-17|bcosta-web
1101|Claire Dubois|cdubois|Engineering|Data|Engineering Manager|newyork|hybrid|NYC|2018-11-05|cdubois
1102|Arjun Mehta|amehta|Engineering|Data|Senior Data Engineer|seattle|remote|asa|2020-02-17|arjunm-data
1103|Stephanie Wong|swong|Engineering|Data|Data Analyst|chicago|hybrid|CHI|2023-08-07|swong
1104|Hugo Lindgren|hlindgren|Engineering|Data|Data Scientist|berlin|hybrid|BER|2022-12-05|hugolind
1105|Megan Price|mprice|Engineering|Data|Analytics Engineer|denver|remote|gp|2024-01-22|meganprice
1111|Omar Farouk|ofarouk|Engineering|Mobile|Mobile Engineer|toronto|remote|asa|2021-04-26|ofarouk
1112|Julia Stein|jstein|Engineering|Mobile|Mobile Engineer|berlin|hybrid|BER|2020-09-14|juliastein
1113|Tyler Brooks|tbrooks|Engineering|Mobile|Mobile Engineer|minneapolis|remote|gp|2023-11-13|tybrooks
"""

_HEADS = {
    "Executive": "mokafor",
    "Engineering": "dbrandt",
    "Finance": "twieczorek",
    "People": "ypierce",
    "Legal": "eshaw",
    "Sales": "vhale",
    "Marketing": "rsilva",
    "Customer Success": "gholloway",
    "IT": "isolberg",
    "Security": "isolberg",
    "Product": "slaurent",
    "Payments": "riyer",
    "Platform": "wchen",
    "Web": "msantos",
    "Data": "cdubois",
    "Mobile": "dbrandt",
}
_STREETS = [
    "Alder Street",
    "Birch Lane",
    "Cedar Avenue",
    "Dogwood Drive",
    "Elm Street",
    "Foxglove Court",
    "Grove Street",
    "Hickory Lane",
    "Ivy Road",
    "Juniper Way",
    "Laurel Avenue",
    "Maple Street",
    "Orchard Road",
    "Poplar Drive",
    "Quarry Road",
    "Sycamore Street",
]
_AREA_CODES = {
    "brooklyn": 718, "newyork": 212, "jersey": 201, "boston": 617, "atlanta": 404, "raleigh": 919,
    "columbus": 614, "chicago": 312, "minneapolis": 612, "austin": 512, "dallas": 214, "nashville": 615,
    "denver": 303, "bozeman": 406, "phoenix": 602, "seattle": 206, "portland": 503, "toronto": 416,
}  # fmt: skip
FARM_STREET = "2214 Harlow Creek Road"
SHARED_FACTOR_PHONE = "+16155550142"
TRIP = (date(2026, 10, 19), date(2026, 10, 23))


@dataclass
class Person:
    number: int
    name: str
    user: str
    department: str
    team: str
    title: str
    city_key: str
    work_mode: str
    base: str
    start: date
    github: str
    home_ip: str = ""
    later_home_ip: str = ""
    home_ip6: str = ""
    street: str = ""
    phone: str = ""
    phone_line_type: str = "mobile"
    employment_type: str = "employee"
    status: str = "active"
    termination: date | None = None
    shipping_city: str = ""
    shipping_street: str = ""
    bank_changes: tuple[date, ...] = ()
    payee: str = ""
    approved_travel: str = ""
    vacation: set[date] = field(default_factory=set)

    @property
    def email(self) -> str:
        first, _, last = self.name.replace("'", "").replace("-", "").partition(" ")
        return f"{first}.{last}@corp.example".lower().replace(" ", "")

    @property
    def employee_id(self) -> str:
        return f"E{self.number}"

    @property
    def city(self) -> City:
        return CITIES[self.city_key]

    @property
    def host(self) -> str:
        return f"CORP-LT-{self.number - 900:04d}"

    @property
    def sid(self) -> str:
        return f"{DOMAIN_SID}-{self.number + 1100}"

    @property
    def okta_id(self) -> str:
        return "00u" + token(f"okta:{self.user}", 17)

    @property
    def entra_id(self) -> str:
        return guid(f"entra:{self.user}")

    @property
    def gateway(self) -> str:
        return {"NYC": "asa", "CHI": "gp", "BER": "asa"}.get(self.base, self.base)

    @property
    def office(self) -> str:
        return self.base if self.base in {"NYC", "CHI", "BER"} else ""

    @property
    def engineer(self) -> bool:
        return self.department in {"Engineering", "Security"} or self.user == "fzahra"

    @property
    def manager(self) -> str:
        head = _HEADS[self.team or self.department]
        return _HEADS["Engineering"] if head == self.user and self.team else head

    @property
    def mac(self) -> str:
        digits = hashlib.sha256(f"mac:{self.user}".encode()).hexdigest()
        return "3c:52:82:" + ":".join(digits[i : i + 2] for i in (0, 2, 4))


def rng(*parts: object) -> Random:
    """Random numbers of their own for one purpose."""
    return Random(":".join(map(str, (SEED, *parts))))


def token(text: str, length: int) -> str:
    """Letters and digits that always belong to `text`."""
    letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    number = int.from_bytes(hashlib.sha512(text.encode()).digest(), "big")
    out = ""
    for _ in range(length):
        number, digit = divmod(number, len(letters))
        out += letters[digit]
    return out


def guid(text: str) -> str:
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


def staff(homes: Homes) -> list[Person]:
    people = []
    for line in _STAFF.strip().splitlines():
        number, name, user, department, team, title, city, mode, base, start, github = line.split("|")
        person = Person(
            int(number),
            name,
            user,
            department,
            team,
            title,
            city,
            mode,
            base,
            date.fromisoformat(start),
            github,
        )
        _private(person, homes)
        people.append(person)
    _particulars({person.user: person for person in people})
    return people


def _private(person: Person, homes: Homes) -> None:
    dice = rng("home", person.user)
    if person.city_key != "bozeman":
        person.home_ip = homes.take(person.city_key)
        if dice.random() < 0.2:
            person.later_home_ip = homes.take(person.city_key)
        if dice.random() < 0.25:
            prefix = homes.network6(person.city_key).removesuffix("::/48")
            person.home_ip6 = f"{prefix}:{dice.randrange(1, 0xFFFF):x}::{dice.randrange(0x1000, 0xFFFF):x}"
    person.street = f"{dice.randrange(11, 4900)} {dice.choice(_STREETS)}"
    if person.city_key in _AREA_CODES:
        person.phone = f"+1{_AREA_CODES[person.city_key]}55501{dice.randrange(10, 99)}"
    else:
        code = {"berlin": "49", "munich": "49", "london": "44", "seoul": "82"}[person.city_key]
        person.phone = f"+{code}155501{dice.randrange(1000, 9999)}"
    person.phone_line_type = "voip" if dice.random() < 0.08 else "mobile"
    person.payee = hashlib.sha256(f"iban:{person.user}".encode()).hexdigest()[:16]


def _particulars(people: dict[str, Person]) -> None:
    """What sets single people apart, the guilty and those who only look like it."""
    wife, husband = people["ogrant"], people["nvega"]
    husband.home_ip, husband.later_home_ip = wife.home_ip, wife.later_home_ip
    husband.home_ip6 = wife.home_ip6 = ""
    husband.street, husband.phone, husband.payee = wife.street, wife.phone, wife.payee
    leaver = people["nadeyemi"]
    leaver.status, leaver.termination = "terminated", date(2026, 10, 23)
    for user in ("lnovak", "bcosta", "tbrooks"):
        people[user].employment_type = "contractor"
    people["adiallo"].approved_travel = "2026-10-19..2026-10-23 Lisbon PT"
    people["cjimenez"].bank_changes = (date(2026, 10, 16),)
    people["mprice"].bank_changes = (date(2025, 3, 3),)
    people["kmori"].bank_changes = (date(2023, 7, 11), date(2026, 8, 4))
    first, second, third = people["bkeller"], people["kwhitman"], people["rdawson"]
    for person in (first, second, third):
        person.home_ip, person.later_home_ip, person.home_ip6 = FARM, "", ""
    first.phone_line_type = second.phone_line_type = "voip"
    third.phone_line_type = "mobile"
    second.payee = first.payee
    first.bank_changes, second.bank_changes = (date(2026, 9, 21),), (date(2026, 10, 23),)
    second.employment_type = "contractor"
    second.shipping_city, second.shipping_street = "nashville", FARM_STREET
    for person in people.values():
        person.shipping_city = person.shipping_city or person.city_key
        person.shipping_street = person.shipping_street or person.street
