"""The roster as HR systems write it."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.context import ContextError, dates, places, recognise, words
from analysis.context.roster import SCHEMA, load_roster

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = """employee_id,name,email,username,department,title,team,manager,location_city,location_region,location_country,timezone,work_mode,start_date,termination_date,status,shipping_address_city,shipping_address_region,employment_type,bank_change_dates,phone,phone_line_type,device_hostname,github_login
E1,Ann Lee,Ann.Lee@Corp.Example,alee,Engineering,SWE,Core,Bo Ek,Austin,TX,USA,US/Central,Remote,2024-01-15,,Active,Austin,TX,Full-time,2024-02-01;2024-03-05,+1 512 555 0100,mobile,LT-ALEE.corp.example,annlee
E2,Bo Ek,bo.ek@corp.example,bek,Engineering,Lead,Core,,Stockholm,,Sweden,CET,Hybrid,2020-06-01,2024-05-31,Terminated,,,Contractor,,,,LT-BEK,
"""  # noqa: E501 - rows as the system writes them


def write(folder: Path, text: str, encoding: str = "utf-8", name: str = "roster.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def one(folder: Path, text: str) -> dict[str, object]:
    return load_roster(write(folder, text))[0].row(0, named=True)


def test_every_column_of_a_plain_roster(tmp_path: Path) -> None:
    frame, notes = load_roster(write(tmp_path, PLAIN))
    assert frame.schema == pl.Schema(SCHEMA)
    ann, bo = frame.iter_rows(named=True)
    assert ann == {
        "account": "ann.lee@corp.example",
        "employee_id": "E1",
        "name": "Ann Lee",
        "email": "ann.lee@corp.example",
        "username": "alee",
        "emails": ["ann.lee@corp.example"],
        "github_login": "annlee",
        "okta_id": None,
        "entra_id": None,
        "sid": None,
        "department": "Engineering",
        "title": "SWE",
        "team": "Core",
        "manager": "Bo Ek",
        "location_city": "Austin",
        "location_region": "Texas",
        "location_country": "US",
        "timezone": "America/Chicago",
        "work_mode": "remote",
        "status": "active",
        "employment_type": "employee",
        "start_date": date(2024, 1, 15),
        "end_date": None,
        "shipping_address_city": "Austin",
        "shipping_address_region": "Texas",
        "shipping_address_country": None,
        "bank_change_dates": [date(2024, 2, 1), date(2024, 3, 5)],
        "bank_account": None,
        "phone": "+1 512 555 0100",
        "phone_line_type": "mobile",
        "device_hostname": "LT-ALEE.corp.example",
        "household": None,
        "line": 2,
    }
    assert (bo["location_country"], bo["timezone"], bo["employment_type"]) == (
        "SE",
        "Europe/Berlin",
        "contractor",
    )
    assert (bo["end_date"], bo["status"], bo["line"]) == (date(2024, 5, 31), "terminated", 3)
    assert notes == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_encoding_and_delimiter(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = [
        ["Emp ID", "Name", "Work Email", "Department"],
        ["7", "Zoë Müller, Dr.", "zoe@corp.example", "R&D"],
    ]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    row = load_roster(write(tmp_path, out.getvalue(), encoding))[0].row(0, named=True)
    assert (row["employee_id"], row["name"], row["email"]) == ("7", "Zoë Müller, Dr.", "zoe@corp.example")


WORKDAY = """Active Workers Report,,,,,,
Generated 01/31/2024,,,,,,
,,,,,,
Employee ID,Worker,Business Title,Supervisory Organization,Hire Date,Email - Work,Location,Worker Type,Shoe Size
21001,Ann Lee,Engineer,Platform,13/02/2023,ann@corp.example,"Austin, TX",Contingent Worker,42
"""  # noqa: E501 - rows as the system writes them
BAMBOO = """Employee #,First Name,Last Name,Job Title,Department,Hire Date,Work Email,Home Email,City,State,Country,Employment Status
9,Ann,Lee,Engineer,Platform,02/13/2023,ann@corp.example,ann@mail.example,Austin,TX,United States,Full-Time
"""  # noqa: E501 - rows as the system writes them
ADP = """Associate ID;Payroll Name;Job Title Description;Home Department Description;Hire Date;Work Contact: Work Email;Position Status;Worker Category Description;Home Address: City;Home Address: State
A9;"Lee, Ann";Engineer;Platform;2023-02-13;ann@corp.example;A - Active;Full Time;Austin;TX
"""  # noqa: E501 - rows as the system writes them
ENTRA = """userPrincipalName,displayName,mail,objectId,jobTitle,department,usageLocation,city,state,accountEnabled
ann@corp.example,Ann Lee,ann@corp.example,2ce85a15-8640-465d-b916-d2eac620a717,Engineer,Platform,US,Austin,TX,True
"""  # noqa: E501 - rows as the system writes them


@pytest.mark.parametrize("export", [WORKDAY, ADP, ENTRA, BAMBOO])
def test_exports_of_hr_systems(tmp_path: Path, export: str) -> None:
    row = one(tmp_path, export)
    assert row["email"] == row["account"] == "ann@corp.example"
    assert (row["title"], row["department"]) == ("Engineer", "Platform")
    assert (row["location_city"], row["location_region"], row["location_country"] or "US") == (
        "Austin",
        "Texas",
        "US",
    )
    assert row["start_date"] in {date(2023, 2, 13), None}
    assert recognise(tmp_path / "roster.csv") == "roster"


def test_titles_above_the_header_and_columns_that_are_not_known(tmp_path: Path) -> None:
    frame, notes = load_roster(write(tmp_path, WORKDAY))
    assert frame["line"].to_list() == [5]
    assert any("Shoe Size" in note for note in notes)
    assert frame["employment_type"].to_list() == ["contractor"]
    assert frame["start_date"].to_list() == [date(2023, 2, 13)]
    assert frame["timezone"].to_list() == ["America/Chicago"]  # from the state, which a note says
    assert any("taken from their location" in note for note in notes)


def test_two_columns_for_one_field_are_noted(tmp_path: Path) -> None:
    frame, notes = load_roster(write(tmp_path, "email,upn,name,department\na@c.example,b@c.example,A,X\n"))
    assert frame["email"].to_list() == ["a@c.example"]
    assert notes == ["roster.csv: columns not used: upn"]


@pytest.mark.parametrize(
    ("header", "values", "want"),
    [
        ("Start Date", ["03/04/2024", "25/04/2024"], [date(2024, 4, 3), date(2024, 4, 25)]),
        ("Start Date", ["03/04/2024", "04/25/2024"], [date(2024, 3, 4), date(2024, 4, 25)]),
        ("Start Date (DD/MM/YYYY)", ["03/04/2024", "04/05/2024"], [date(2024, 4, 3), date(2024, 5, 4)]),
        ("Start Date (mm/dd/yyyy)", ["03/04/2024"], [date(2024, 3, 4)]),
        ("Start Date", ["3.4.2024"], [date(2024, 4, 3)]),
        ("Start Date", ["3-Apr-24", "Apr 5, 2024"], [date(2024, 4, 3), date(2024, 4, 5)]),
        ("Start Date", ["45385", "2024-04-03T00:00:00Z"], [date(2024, 4, 3), date(2024, 4, 3)]),
    ],
)
def test_order_of_day_and_month_is_that_of_the_column(
    tmp_path: Path, header: str, values: list[str], want: list[date]
) -> None:
    rows = "\n".join(f'{number},a{number}@c.example,"{value}"' for number, value in enumerate(values))
    frame, notes = load_roster(write(tmp_path, f"Employee ID,Email,{header}\n{rows}\n"))
    assert frame["start_date"].to_list() == want
    assert notes == []


def test_an_order_that_nothing_tells_is_guessed_and_said(tmp_path: Path) -> None:
    text = "Employee ID,Email,Country,Start Date\n1,a@c.example,{},03/04/2024\n"
    american, notes = load_roster(write(tmp_path, text.format("US")))
    assert american["start_date"].to_list() == [date(2024, 3, 4)]
    assert any("month first" in note for note in notes)
    european, notes = load_roster(write(tmp_path, text.format("Germany")))
    assert european["start_date"].to_list() == [date(2024, 4, 3)]
    assert any("day first" in note for note in notes)


def test_another_column_tells_the_order(tmp_path: Path) -> None:
    text = "Employee ID,Email,Start Date,End Date\n1,a@c.example,03/04/2024,30/04/2024\n"
    frame, notes = load_roster(write(tmp_path, text))
    assert frame["start_date"].to_list() == [date(2024, 4, 3)]
    assert notes == []


def test_what_is_no_date_is_named_with_its_line(tmp_path: Path) -> None:
    frame, notes = load_roster(
        write(tmp_path, "Employee ID,Email,Start Date\n1,a@c.example,soon\n2,b@c.example,2024-02-30\n")
    )
    assert frame["start_date"].to_list() == [None, None]
    assert any("lines 2, 3" in note and "Start Date" in note for note in notes)


def test_open_ends_are_no_end(tmp_path: Path) -> None:
    text = "Employee ID,Email,End Date\n1,a@c.example,12/31/9999\n2,b@c.example,N/A\n3,c@c.example,present\n"
    frame, notes = load_roster(write(tmp_path, text))
    assert frame["end_date"].to_list() == [None, None, None]
    assert notes == []


def test_second_rows_of_one_person(tmp_path: Path) -> None:
    text = (
        "Employee ID,Name,Email,Title,Start Date,End Date\n"
        "1,Ann Lee,ann@c.example,Junior,2020-01-01,2021-01-01\n"
        "1,Ann Lee,ann@c.example,Senior,2021-01-01,\n"
        "2,Bo Ek,bo@c.example,Old,2019-01-01,2020-01-01\n"
        "8,Bo Ek,bo@c.example,Rehired,2022-01-01,\n"
    )
    frame, notes = load_roster(write(tmp_path, text))
    assert frame["title"].to_list() == ["Senior", "Rehired"]
    assert any("lines 2, 4" in note and "second row" in note for note in notes)


def test_two_people_with_one_email_stay_two(tmp_path: Path) -> None:
    text = "Employee ID,Name,Email\n1,Ann Lee,team@c.example\n2,Bo Ek,team@c.example\n"
    frame, _ = load_roster(write(tmp_path, text))
    assert frame["account"].to_list() == ["1", "2"]


def test_rows_that_name_nobody_and_uneven_rows(tmp_path: Path) -> None:
    text = "Employee ID,Name,Email,Department\n,,,Sales\n1,Ann,ann@c.example\n2,Bo,bo@c.example,IT,extra\n\n"
    frame, notes = load_roster(write(tmp_path, text))
    assert frame["name"].to_list() == ["Ann", "Bo"]
    assert any("line 2" in note and "names nobody" in note for note in notes)
    assert any("lines 3, 4" in note and "cells" in note for note in notes)


def test_cells_are_text_whatever_they_say(tmp_path: Path) -> None:
    text = "Employee ID,Name,Email,Title\n1,\"=cmd|' /C calc'!A0\",a@c.example,<script>alert(1)</script>\n"
    row = one(tmp_path, text)
    assert (row["name"], row["title"]) == ("=cmd|' /C calc'!A0", "<script>alert(1)</script>")


def test_unknown_countries_and_zones_are_named(tmp_path: Path) -> None:
    text = "Employee ID,Email,Country,Time Zone\n1,a@c.example,Atlantis,Noon\n"
    frame, notes = load_roster(write(tmp_path, text))
    assert frame.select("location_country", "timezone").row(0) == (None, None)
    assert any("Atlantis" in note for note in notes)
    assert any("Noon" in note for note in notes)


def test_a_file_that_is_no_roster(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="no header row"):
        load_roster(write(tmp_path, "alpha,beta\n1,2\n"))
    with pytest.raises(ContextError, match="cannot read the roster"):
        load_roster(tmp_path / "absent.csv")
    with pytest.raises(ContextError, match="no header row"):
        load_roster(write(tmp_path, ""))


@pytest.mark.parametrize(
    "text",
    [
        "timestamp,user,source ip,action\n2024-01-01,ann,203.0.113.9,login\n",
        "Receive Time,Serial Number,Source User,Public IP,Host Name,Status,Region\n1,2,3,4,5,6,7\n",
        '{"user": "ann", "department": "x"}\n',
        "",
    ],
)
def test_logs_are_no_rosters(tmp_path: Path, text: str) -> None:
    assert recognise(write(tmp_path, text)) is None


@pytest.mark.parametrize(
    ("text", "country", "zone"),
    [
        ("EST", None, "America/New_York"),
        ("US/Eastern", None, "America/New_York"),
        ("UTC-5", None, "Etc/GMT+5"),
        ("Pacific Time", None, "America/Los_Angeles"),
        ("(UTC-08:00) Pacific Time (US & Canada)", None, "America/Los_Angeles"),
        ("GMT+05:30", None, "Asia/Kolkata"),
        ("CST", "CN", "Asia/Shanghai"),
        ("CST", None, "America/Chicago"),
        ("IST", "IL", "Asia/Jerusalem"),
        ("asia/seoul", None, "Asia/Seoul"),
        ("UTC", None, "UTC"),
        ("-0500", None, "Etc/GMT+5"),
        ("UTC+27", None, None),
        ("noon", None, None),
        ("W. Europe Standard Time", None, "Europe/Berlin"),
    ],
)
def test_time_zones(text: str, country: str | None, zone: str | None) -> None:
    assert places.zone_name(text, country) == zone


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Austin, TX", ("Austin", "Texas", "US")),
        ("Bengaluru, KA, India", ("Bengaluru", "KA", "IN")),
        ("Remote - US (Texas)", (None, "Texas", "US")),
        ("Tbilisi, Georgia", ("Tbilisi", None, "GE")),
        ("Atlanta, Georgia", ("Atlanta", "Georgia", "US")),
        ("Berlin, DE", ("Berlin", None, "DE")),
        ("Dover, DE", ("Dover", "Delaware", "US")),
        ("Toronto, ON, Canada", ("Toronto", "Ontario", "CA")),
        ("London, UK", ("London", None, "GB")),
        ("Germany", (None, None, "DE")),
        ("New York, NY", ("New York", "New York", "US")),
    ],
)
def test_locations(text: str, want: tuple[str | None, str | None, str | None]) -> None:
    found = places.place(text)
    assert (found.city, found.region, found.country) == want


def test_postal_addresses_lose_their_street() -> None:
    assert words.without_street("12 Oak St, Apt 4, Tulsa, OK 74104") == "Tulsa, OK"


@given(st.dates(date(1971, 1, 1), date(2069, 12, 31)), st.booleans())
def test_a_written_date_reads_back(day: date, day_first: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    numbers = f"{day.day:02}/{day.month:02}" if day_first else f"{day.month:02}/{day.day:02}"
    for text in (
        day.isoformat(),
        f"{numbers}/{day.year}",
        f"{numbers}/{day:%y}",
        f"{day:%d-%b-%Y}",
        f"{day:%B %d, %Y}",
    ):
        assert dates.parse(text, day_first=day_first) == day


@given(st.text(max_size=200))
def test_no_text_breaks_the_readers(text: str) -> None:
    places.place(text)
    places.zone_name(text)
    places.country_code(text)
    words.without_street(text)
    try:
        dates.parse(text, day_first=True)
    except ValueError:
        return


def test_a_program_that_has_a_header_in_it_is_no_roster(tmp_path: Path) -> None:
    program = (
        'HEADER = "employee_id,name,email,department,title,manager"\n' + "def f(a, b):\n    return a, b\n" * 9
    )
    assert recognise(write(tmp_path, program, name="people.py")) is None
