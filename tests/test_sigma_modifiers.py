"""Other fields, expressions, placeholders, keywords; and chains of modifiers that make no sense."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma_cases import found, loaded, low, picked, plain, raw_frame
from strategies import quick, words

if TYPE_CHECKING:
    from collections.abc import Callable


def refused(selection: object) -> str:
    pack = loaded(selection)
    assert pack.rules == ()
    (error,) = pack.errors
    return error.message


# --- other fields --------------------------------------------------------------------

REFERS: dict[str, Callable[[str, str], bool]] = {
    "": operator.eq,
    "|startswith": str.startswith,
    "|endswith": str.endswith,
    "|contains": lambda a, b: b in a,
}
short = st.text("aAéÉ1*\\", max_size=3)


@quick
@given(
    st.sampled_from(sorted(REFERS)),
    st.lists(st.tuples(short | st.none(), short | st.none()), min_size=1, max_size=8),
    st.sampled_from(["", "|neq"]),
    st.sampled_from(["", "|cased"]),
)
def test_fields_are_compared_with_fields(
    how: str,
    pairs: list[tuple[str | None, str | None]],
    neq: str,
    cased: str,
) -> None:
    case = str if cased else low
    expected = [
        (a is not None and b is not None and REFERS[how](case(a), case(b))) != bool(neq) for a, b in pairs
    ]
    frame = pl.DataFrame(pairs, schema={"a": pl.String, "b": pl.String}, orient="row")
    rows = found({f"a{cased}|fieldref{how}{neq}": "b"}, frame)
    assert rows == [row for row, true in enumerate(expected) if true]


@quick
@given(
    st.lists(st.tuples(st.lists(short, max_size=2), st.integers(0, 2) | st.none()), min_size=1, max_size=5)
)
def test_fields_of_other_kinds_are_compared_as_text(rows: list[tuple[list[str], int | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"many": pl.List(pl.String), "n": pl.Int64}, orient="row")
    expected = [r for r, (many, n) in enumerate(rows) if n is not None and str(n) in many]
    assert found({"many|fieldref": "n"}, frame) == expected
    assert found({"n|fieldref": ["absent", "many"]}, frame) == expected


# --- regular expressions -------------------------------------------------------------


@quick
@given(
    st.sampled_from(["", "|i", "|m", "|s", "|i|m", "|m|s|i", "|ignorecase", "|multiline|dotall"]),
    st.sampled_from(
        ["^a", "b$", "a.b", "[a-b]{2}", "(a|b)b", "^b$", "A", r"\d", "a(?!b)", r"(.)\1", "(?<=a)b"]
    ),
    st.lists(st.text("abAB1\n", max_size=5), min_size=1, max_size=8),
    st.sampled_from(["", "|startswith", "|endswith", "|contains", "|neq"]),
)
def test_regular_expressions(flags: str, pattern: str, values: list[str], place: str) -> None:
    meant = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "d": re.DOTALL}
    set_flags = sum({meant[name[0]] for name in flags.split("|") if name}, re.RegexFlag(0))
    exact = pattern if set_flags & re.MULTILINE else pattern.replace("$", r"\Z")
    tied = {"|startswith": rf"\A(?:{exact})", "|endswith": rf"(?:{exact})\Z"}.get(place, exact)
    search = re.compile(tied, set_flags).search
    rows = found({f"f|re{flags}{place}": pattern}, pl.DataFrame({"f": values}))
    assert rows == picked(values, lambda text: (search(text) is not None) != (place == "|neq"))


def test_under_all_every_expression_must_be_found() -> None:
    frame = pl.DataFrame({"f": ["ab", "a", "b", None]})
    for key in ("f|re|all", "f|all|re"):
        assert found({key: ["a", "b"]}, frame) == [0]
    assert found({"f|neq|re": "a"}, frame) == [2, 3]
    assert found({"f|re": 1}, pl.DataFrame({"f": [11, 2]})) == [0]


# --- placeholders --------------------------------------------------------------------


@quick
@given(
    st.lists(words.filter(bool), min_size=1, max_size=3),
    words,
    st.lists(words, min_size=1, max_size=4),
    st.sampled_from(
        ["f|expand", "f|contains|expand", "f|expand|startswith", "f|windash|expand", "f|expand|cased"]
    ),
)
def test_a_placeholder_is_any_of_its_values(
    values: list[str], before: str, texts: list[str], key: str
) -> None:
    known = [plain(value) for value in values]
    frame = pl.DataFrame({"f": [*texts, *(before + value for value in values), *values]})
    prefix = plain(before)
    spelled = found({key.replace("|expand", ""): [prefix + value for value in known]}, frame)
    if "windash" not in key:  # dashes of the values are not the rule's
        assert found({key: f"{prefix}%names%"}, frame, {"names": known}) == spelled
    asked = {"|expand": ["%names%"]}
    assert found(asked, frame, {"names": known}) == found(known, frame)


def test_placeholders_and_their_percent_signs() -> None:
    known = {
        "servers": ["srv*", "db?1"],
        "%admins%": ["ann"],
        "net": ["10.0.0.0/8", "192.168.0.0/16"],
        "dot": ["a.b"],
    }
    values = ["srv1", "DBx1", "ann", "%plainann", r"C:\ann", "100%", "10.1.2.3", "a.b!", "axb!"]
    frame = pl.DataFrame({"f": values})
    for key, asked, hits in (
        ("f|expand", "%servers%", ["srv1", "DBx1"]),  # the specification: values or patterns
        ("f|expand", "%admins%", ["ann"]),
        ("f|expand", r"\%plain%admins%", ["%plainann"]),
        ("f|expand", r"C:\\%admins%", [r"C:\ann"]),
        ("f|expand", "100%", ["100%"]),
        ("f", "%admins%", []),
        ("f|expand|cidr", "%net%", ["10.1.2.3"]),
        ("f|cidr|expand", "%net%", ["10.1.2.3"]),
        ("f|re|expand", "^%dot%!$", ["a.b!"]),
        ("f|re|expand", r"^%servers%$", ["srv1"]),
        ("f|expand|endswith", "%admins%", ["ann", "%plainann", r"C:\ann"]),
    ):
        assert found({key: asked}, frame, known) == [values.index(hit) for hit in hits], (key, asked)
    assert "placeholder %nobody% has no value" in refused({"f|expand": "%nobody%"})
    assert "site file under [placeholders]" in refused({"f|re|expand": "%nobody%"})


# --- keywords ------------------------------------------------------------------------

events = st.lists(
    st.fixed_dictionaries(
        {}, optional={"a": words, "b": words, "n": st.integers(-5, 500), "list": st.lists(words)}
    ),
    min_size=1,
    max_size=5,
)


@quick
@given(
    st.lists(words.filter(bool) | st.integers(0, 99), min_size=1, max_size=3),
    events,
    st.sampled_from(["", "|all"]),
)
def test_keywords_are_looked_for_in_every_field(
    keywords: list[str | int],
    rows: list[dict[str, Any]],
    every: str,
) -> None:
    frame = pl.DataFrame(
        [{name: row.get(name) for name in ("a", "b", "n", "list")} for row in rows],
        schema={"a": pl.String, "b": pl.String, "n": pl.Int64, "list": pl.List(pl.String)},
    )
    link = all if every else any

    def texts(row: dict[str, Any]) -> list[str]:
        return [
            low(str(v)) for value in row.values() for v in (value if isinstance(value, list) else [value])
        ]

    expected = [
        number
        for number, row in enumerate(rows)
        if link(any(low(str(k)) in t for t in texts(row)) for k in keywords)
    ]
    asked = [plain(k) if isinstance(k, str) else k for k in keywords]
    assert found({"|all": asked} if every else asked, frame) == expected


def test_keywords_with_modifiers() -> None:
    frame = pl.DataFrame({"a": ["evil.exe", "x evil", "-All", None], "b": ["", "Evil", "/all", "ZXZpbA=="]})
    for selection, rows in (
        ({"|re": "^e.*e$"}, [0]),
        ({"|contains": "evil"}, [0, 1]),
        ({"|startswith": "evil"}, [0, 1]),
        ({"|endswith": "evil"}, [1]),
        ({"|cased": "Evil"}, [1]),
        ({"|windash": "-all"}, [2]),
        ({"|base64": "evil"}, [3]),
        ({"|all": ["x ", "evil"]}, [1]),
        ({"|all": ["x *l", "Ev?l"]}, [1]),
        ({"|contains|all": ["x ", "evil"]}, [1]),
        ({"|neq": "evil"}, [2, 3]),
        ("ev*l", [0, 1]),
        (["nothing", "al"], [2]),
    ):
        assert found(selection, frame) == rows, selection


# --- what makes no sense -------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ({"f|contains": 5}, "in quotes"),
        ({"f|contains": None}, "null"),
        ({"f|startswith": True}, "true"),
        ({"f|gt": "5"}, "without quotes"),
        ({"f|gt": True}, "true"),
        ({"f|gte": "many"}, "not the text 'many'; write a number"),
        ({"f|hour": "-1.5"}, "write it without quotes"),
        ({"f|exists": "true"}, "not the text 'true'; write true, without quotes"),
        ({"f|exists": ["No"]}, "not the text 'No'; write false, without quotes"),
        ({"f|exists": "off"}, "write false, without quotes"),
        ({"f|exists": 1}, "not 1; write true, without quotes"),
        ({"f|exists": "*"}, "true if the field has to be there, false if not"),
        ({"f|exists": None}, "not null"),
        ({"f|exists|contains": True}, "cannot be applied"),
        ({"f|contains|exists": True}, "cannot be applied"),
        ({"|exists": True}, "needs a field"),
        ({"f|contains|re": "x"}, "first modifier"),
        ({"f|re|cased": "x"}, "regular expression"),
        ({"f|re": None}, "must be a text"),
        ({"f|re": 1.5}, "in quotes"),
        ({"f|i": "x"}, "belongs after `re`"),
        ({"f|cidr": "10.0.0.0/33"}, "a network such as 10.0.0.0/8"),
        ({"f|cidr": "10.1.2.3/8"}, "write 10.0.0.0/8"),
        ({"f|cidr": "10.*"}, "wildcards"),
        ({"f|contains|cidr": "10.0.0.0/8"}, "first modifier"),
        ({"f|contains|base64": "abc"}, "wildcards"),
        ({"f|base64": "a*c"}, "wildcards"),
        ({"f|base64": ""}, "nothing to encode"),
        ({"f|base64offset|contains": "a"}, "one byte"),
        ({"f|wide|utf16": "abc"}, "encoded already"),
        ({"f|base64|windash": "-a"}, "before the encoding"),
        ({"f|fieldref": "a*"}, "wildcards"),
        ({"f|fieldref": ""}, "name both"),
        ({"|fieldref": "g"}, "name both"),
        ({"f|hour": 24}, "from 0 to 23"),
        ({"f|month": 0}, "from 1 to 12"),
        ({"f|week": 1.5}, "whole number"),
        ({"f|gte|hour": 5}, "cannot be applied"),
        ({"f|hour|gte|lt": 5}, "cannot be applied"),
        ({"f|begins": "x"}, "unknown modifier 'begins'"),
        ({"f|": "x"}, "unknown modifier ''"),
        ({"f": 10**400}, "finite"),
        ({"f": {"g": "x"}}, "a value must be"),
        ({"f": [["x"]]}, "a value must be"),
        ({"f|contains": []}, "empty"),
        ({"|all": []}, "empty"),
        ("", "empty keyword"),
        ([None], "a keyword must be"),
        ({"|cidr": "10.0.0.0/8"}, "a keyword must be"),
        ({}, "is empty"),
        ([], "is empty"),
        ({"f|windash": " -a" * 12}, "`windash` makes more than"),
    ],
)
def test_chains_that_make_no_sense_are_told(selection: object, told: str) -> None:
    assert told in refused(selection)


def test_what_is_written_several_times_is_asked_once() -> None:
    frame = raw_frame([{"f": "x"}, {"f": "y"}])
    assert found({"f": ["x", "X", "x"]}, frame) == [0]
    assert found({"f|all": ["x", "x"]}, frame) == [0]
    assert found({"f": "x" * 100_000}, pl.DataFrame({"f": ["x" * 100_000, "x"]})) == [0]
