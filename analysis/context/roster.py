"""The roster: an HR export as it comes, one row a person, in columns and values of one spelling."""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.context import dates, places, words
from analysis.context.problem import ContextError
from analysis.context.table import Table, decode, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

Person = dict[str, Any]
_SHOWN: Final = 5  # lines named in a note before "and N more"
_LEAST_COLUMNS: Final = 4
_MOST_UNEVEN: Final = 0.1  # of the rows; more is no table
_LONGEST_HEADER: Final = 80  # a longer cell is a log line, not the name of a column
_LEAST_HR_COLUMNS: Final = 2
_WHO: Final = ("employee_id", "name", "email", "username")
_DATES: Final = ("start_date", "end_date")
_REGIONS: Final = (
    ("location_region", "location_country"),
    ("shipping_address_region", "shipping_address_country"),
)

SCHEMA: Final[dict[str, pl.DataType]] = {
    "account": pl.String(),
    **{name: pl.String() for name in _WHO},
    "emails": pl.List(pl.String()),
    **{name: pl.String() for name in ("github_login", "okta_id", "entra_id", "sid")},
    **{name: pl.String() for name in ("department", "title", "team", "manager")},
    **{name: pl.String() for name in ("location_city", "location_region", "location_country", "timezone")},
    **{name: pl.String() for name in ("work_mode", "status", "employment_type")},
    "start_date": pl.Date(),
    "end_date": pl.Date(),
    **{f"shipping_address_{name}": pl.String() for name in ("city", "region", "country")},
    "bank_change_dates": pl.List(pl.Date()),
    **{
        name: pl.String()
        for name in ("bank_account", "phone", "phone_line_type", "device_hostname", "household")
    },
    "line": pl.Int64(),
}


@cache
def _synonyms() -> dict[str, tuple[str, int]]:
    """Header in letters and digits → field, and its rank among the field's names."""
    groups = tomllib.loads((files("analysis.context") / "columns.toml").read_text("utf-8"))
    return {
        places.plain(header): (name, rank)
        for fields in groups.values()
        for name, headers in fields.items()
        for rank, header in enumerate([name, *headers])
    }


@cache
def _hr_fields() -> frozenset[str]:
    groups = tomllib.loads((files("analysis.context") / "columns.toml").read_text("utf-8"))
    return frozenset(groups["hr"])


def _field(header: str) -> tuple[str, int] | None:
    if len(header) > _LONGEST_HEADER:
        return None
    header = header.replace("#", " number ")
    for text in (header, re.sub(r"[(\[].*?[)\]]", "", header)):
        found = _synonyms().get(places.plain(text))
        if found is not None:
            return found
    return None


def _fields(cells: list[str]) -> set[str]:
    return {found[0] for cell in cells if (found := _field(cell)) is not None}


def looks_like_roster(head: bytes) -> bool:
    """Whether a file that begins with `head` is an HR export: enough HR columns and one that says who."""
    try:
        table = read_table(decode(head), lambda cells: len(_fields(cells)))
    except csv.Error:
        return False
    if table is None or not table.rows or len(table.uneven) > 1 + _MOST_UNEVEN * len(table.rows):
        return False
    fields = _fields(table.header)
    named = fields & {*_WHO, "first_name"}
    return bool(named) and len(fields) >= _LEAST_COLUMNS and len(fields & _hr_fields()) >= _LEAST_HR_COLUMNS


def load_roster(path: Path) -> tuple[pl.DataFrame, list[str]]:
    """The roster and what was odd about the file, each note naming lines.

    Returns:
        One row a person in the columns of `SCHEMA`; `account` is unique (mostly the work email).

    Raises:
        ContextError: the file cannot be read or has no header with known columns.
    """
    try:
        table = read_table(decode(path.read_bytes()), lambda cells: len(_fields(cells)))
    except OSError as error:
        raise ContextError(f"{path}: cannot read the roster: {error.strerror or error}") from error
    except csv.Error as error:
        raise ContextError(f"{path}: is no CSV file ({error}); export the roster as CSV") from error
    if table is None or not _fields(table.header) & {*_WHO, "first_name"}:
        raise ContextError(
            f"{path}: no header row with a name, an email, a user name or an employee number was found; "
            "the first row of a roster names its columns, such as employee_id, name, email, department"
        )
    reading = _Reading(path.name, table)
    people = reading.people()
    return pl.DataFrame(people, schema=SCHEMA, orient="row"), reading.notes


@dataclass
class _Reading:
    """One pass over a roster file; collects the notes as it goes."""

    name: str
    table: Table
    notes: list[str] = field(default_factory=list)

    def people(self) -> list[Person]:
        headers = self._columns()
        people: list[Person] = [
            {"line": line} | {name: words.value(cells[index]) for name, index in headers.items()}
            for line, cells in self.table.rows
        ]
        if self.table.uneven:
            self._note(self.table.uneven, "has more or fewer cells than the header: check its quotes")
        self._dates(people, {name: self.table.header[index] for name, index in headers.items()})
        for person in people:
            _who(person)
        people = self._named(people)
        self._places(people)
        for person in people:
            person["work_mode"] = words.work_mode(person.get("work_mode"))
            person["status"] = words.status(person.get("status"))
            person["employment_type"] = words.employment_type(person.get("employment_type"))
        people = self._once(people)
        _accounts(people)
        _households(people)
        return [{name: person.get(name) for name in SCHEMA} for person in people]

    def _columns(self) -> dict[str, int]:
        """Field → index of the column that fills it."""
        best: dict[str, tuple[int, int]] = {}
        unused = []
        for index, header in enumerate(self.table.header):
            found = _field(header)
            if found is None:
                unused.append(header)
                continue
            name, rank = found
            if name not in best or rank < best[name][0]:
                unused += [self.table.header[best[name][1]]] if name in best else []
                best[name] = (rank, index)
            else:
                unused.append(header)
        if unused := [header for header in unused if header]:
            self.notes.append(f"{self.name}: columns not used: {', '.join(unused)}")
        return {name: index for name, (_, index) in best.items()}

    def _note(self, lines: list[int], what: str) -> None:
        shown = ", ".join(str(line) for line in lines[:_SHOWN])
        more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        self.notes.append(f"{self.name}: line{'s' if len(lines) > 1 else ''} {shown}{more}: {what}")

    def _dates(self, people: list[Person], headers: dict[str, str]) -> None:
        texts = {
            name: [(person, piece) for person in people for piece in _pieces(name, person)]
            for name in (*_DATES, "bank_change_dates")
            if name in headers
        }
        countries = Counter(code for person in people if (code := _country(person)))
        home = max(countries, key=lambda code: countries[code], default="US") == "US"
        orders = {
            name: dates.order((text for _, text in found), default=not home, header=headers[name])
            for name, found in texts.items()
        }
        known = [order for order in orders.values() if order.known]
        for name, found in texts.items():
            order, day_first = orders[name], orders[name].day_first
            bad: list[int] = []
            if not order.known and known:
                day_first = known[0].day_first
            elif not order.known and order.undecided:
                self.notes.append(
                    f"{self.name}: {headers[name]}: {order.undecided} dates such as 03/04/2024 could be "
                    f"read either way; they were read with the {'day' if day_first else 'month'} first"
                )
            if order.mixed:
                self.notes.append(
                    f"{self.name}: {headers[name]}: some dates have the day first and some the month; "
                    f"those that could be either were read with the {'day' if day_first else 'month'} first"
                )
            for person, _ in found:
                person[name] = [] if name == "bank_change_dates" else None
            for person, text in found:
                self._date(person, name, text, day_first=day_first, bad=bad)
            if bad:
                self._note(
                    sorted(set(bad)), f"{headers[name]} has no date that could be read; it was left out"
                )

    @staticmethod
    def _date(person: Person, name: str, text: str, *, day_first: bool, bad: list[int]) -> None:
        try:
            day: date | None = dates.parse(text, day_first=day_first)
        except ValueError:
            bad.append(person["line"])
            return
        if name == "bank_change_dates":
            person[name] += [day] if day else []
        else:
            person[name] = day

    def _named(self, people: list[Person]) -> list[Person]:
        nameless = [person["line"] for person in people if not any(person.get(who) for who in _WHO)]
        if nameless:
            self._note(nameless, "names nobody (no name, email, user name or employee number); left out")
        return [person for person in people if any(person.get(who) for who in _WHO)]

    def _places(self, people: list[Person]) -> None:
        unknown: dict[str, list[int]] = defaultdict(list)
        derived = 0
        for person in people:
            for name in ("location_country", "shipping_address_country"):
                text = person.get(name)
                person[name] = places.country_code(text) if text else None
                if text and not person[name]:
                    unknown[f"{text!r} is no country known here"].append(person["line"])
            _split_location(person, "location", "location")
            _split_location(person, "shipping_address", "shipping_address")
            for region, country in _REGIONS:
                if person.get(region):
                    within = person[country] or person["location_country"]
                    person[region] = places.region_name(person[region], within) or person[region]
            text = person.get("timezone")
            person["timezone"] = places.zone_name(text, person["location_country"]) if text else None
            if text and not person["timezone"]:
                unknown[f"{text!r} is no time zone known here; write it as America/New_York"].append(
                    person["line"]
                )
            if not person["timezone"]:
                person["timezone"] = places.zone_of_place(
                    person["location_country"], person.get("location_region")
                )
                derived += person["timezone"] is not None
        for what, lines in unknown.items():
            self._note(lines, what)
        if derived:
            self.notes.append(f"{self.name}: the time zone of {derived} people was taken from their location")

    def _once(self, people: list[Person]) -> list[Person]:
        """One row a person: of rows with one employee number, or one email and name, the latest job stays."""
        kept: dict[tuple[str, ...], Person] = {}
        dropped = []
        for person in people:
            same = [key for key in _same(person) if key in kept]
            former = kept[same[0]] if same else None
            if former is not None and _recent(former) > _recent(person):
                dropped.append(person["line"])
                continue
            if former is not None:
                dropped.append(former["line"])
                kept = {key: one for key, one in kept.items() if one is not former}
            kept |= dict.fromkeys(_same(person), person)
        if dropped:
            self._note(sorted(dropped), "is a second row of a person; the row of the latest job was taken")
        left = {id(person) for person in kept.values()}
        return [person for person in people if id(person) in left]


def _households(people: list[Person]) -> None:
    """Who gave the same home address lives in one household, unless the file says otherwise."""
    homes: dict[tuple[str, ...], list[Person]] = defaultdict(list)
    for person in people:
        address = places.plain(person.get("home_address") or "")
        if any(letter.isdigit() for letter in address):  # "Berlin" is no address
            town = (person.get("location_city") or "", person.get("location_country") or "")
            homes[(address, *map(str.casefold, town))].append(person)
    for number, home in enumerate((home for home in homes.values() if len(home) > 1), 1):
        for person in home:
            person["household"] = person.get("household") or f"home address {number}"


def _pieces(name: str, person: Person) -> Iterator[str]:
    text = person.get(name)
    if not text or text.casefold() in dates.BLANK:
        person[name] = None
        return
    if name != "bank_change_dates":
        yield text
        return
    for part in re.split(r"[;|\n]+", text):
        for piece in part.split(",") if re.fullmatch(r"[\d\s,./:TZ-]+", part) else [part]:
            if piece.strip():
                yield piece.strip()


def _country(person: Person) -> str | None:
    text = person.get("location_country")
    return places.country_code(text) if text else None


def _who(person: Person) -> None:
    """Name in full, and addresses and user names without the case that people gave them."""
    if not person.get("name"):
        person["name"] = (
            " ".join(part for part in (person.get("first_name"), person.get("last_name")) if part) or None
        )
    addresses = [
        address.lower()
        for column in ("email", "personal_email")
        for address in re.split(r"[;,|\s]+", (person.get(column) or "").removeprefix("mailto:"))
        if "@" in address
    ]
    person["email"] = addresses[0] if addresses and person.get("email") else None
    person["emails"] = list(dict.fromkeys(addresses)) or None


def _split_location(person: Person, text: str, prefix: str) -> None:
    """Fill city, region and country from one text, where they have no columns of their own."""
    city, region, country = (f"{prefix}_{part}" for part in ("city", "region", "country"))
    whole = person.get(text)
    if not whole and "," in (person.get(city) or ""):
        whole, person[city] = person[city], None
    if not whole:
        return
    zone = places.zone_name(person["timezone"]) if person.get("timezone") and prefix == "location" else None
    found = places.place(words.without_street(whole) if prefix == "shipping_address" else whole, zone)
    person[city] = person.get(city) or found.city
    person[region] = person.get(region) or found.region
    person[country] = person.get(country) or found.country
    if found.remote and prefix == "location" and not person.get("work_mode"):
        person["work_mode"] = "remote"


def _same(person: Person) -> list[tuple[str, ...]]:
    keys: list[tuple[str, ...]] = [("id", str(person["employee_id"]))] if person.get("employee_id") else []
    if person.get("email") and person.get("name"):
        keys.append(("mail", person["email"], places.plain(person["name"])))
    return keys or [("line", str(person["line"]))]


def _recent(person: Person) -> tuple[bool, str, int]:
    return (person.get("end_date") is None, str(person.get("start_date") or ""), person["line"])


def _accounts(people: list[Person]) -> None:
    """Give each person the name that reports use: the best one that nobody else of the roster has."""
    counts = Counter(
        value
        for person in people
        for value in {str(person[who]).casefold() for who in _WHO if person.get(who)}
    )
    for person in people:
        candidates = [
            str(person[who]).casefold()
            for who in ("email", "username", "employee_id", "name")
            if person.get(who)
        ]
        own = [name for name in candidates if counts[name] == 1]
        person["account"] = own[0] if own else f"{candidates[0]} (line {person['line']} of the roster)"
