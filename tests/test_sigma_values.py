"""Numbers, times, addresses and what is not there, held to what they mean in plain Python."""

from __future__ import annotations

import operator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma_cases import found, low, picked, plain
from strategies import PLACES, quick, some_words, words

if TYPE_CHECKING:
    from collections.abc import Callable


# --- numbers -------------------------------------------------------------------------

COMPARE = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
integers = st.integers(-(2**62), 2**62) | st.integers(-12, 12)
halves = st.integers(-30, 30).map(lambda half: half / 2)


@quick
@given(
    st.sampled_from(sorted(COMPARE)),
    integers | halves,
    st.lists(integers | st.none(), max_size=6),
    st.sampled_from(["number", "text"]),
)
def test_numbers_are_compared_whether_they_are_numbers_or_text(
    how: str,
    number: float,
    values: list[int | None],
    as_text: str,
) -> None:
    values = [*values, int(number), int(number) + 1]
    column = [None if value is None else str(value) for value in values] if as_text == "text" else values
    rows = found({f"f|{how}": number}, pl.DataFrame({"f": column}))
    assert rows == picked(values, lambda value: COMPARE[how](value, number))


@quick
@given(
    st.sampled_from(sorted(COMPARE)),
    halves,
    st.lists(halves, min_size=1, max_size=6),
    st.sampled_from(["number", "text"]),
)
def test_fractions_are_compared(how: str, number: float, values: list[float], as_text: str) -> None:
    column = [str(value) for value in values] if as_text == "text" else values
    rows = found({f"f|{how}": number}, pl.DataFrame({"f": column}))
    assert rows == picked(values, lambda value: COMPARE[how](value, number))


@pytest.mark.parametrize(
    ("asked", "hits", "misses"),
    [
        (
            4625,
            ["4625", "04625", "+4625", "4625.0", "4.625e3", "46250e-1"],
            ["46250", "0x1211", " 4625", "4625a"],
        ),
        (-3, ["-3", "-3.0", "-03"], ["3", "--3"]),
        (0, ["0", "-0", "0.0", "000"], ["", "false", "-"]),
        (1.5, ["1.5", "15e-1", "+1.50"], ["1", "1,5", "1.5.0"]),
        (True, ["true", "True", "TRUE"], ["1", "yes", "truee"]),
        (False, ["false", "FALSE"], ["0", "no", ""]),
        ("4625", ["4625"], ["04625", "4625.0"]),
        ("0x1F", ["0x1f", "0X1F"], ["31"]),
    ],
)
def test_numbers_and_words_in_text(asked: object, hits: list[str], misses: list[str]) -> None:
    assert found({"f": asked}, pl.DataFrame({"f": [*hits, *misses, None]})) == list(range(len(hits)))


@pytest.mark.parametrize(
    ("asked", "values", "rows"),
    [
        (5, [5, 50, None], [0]),
        (5, [5.0, 5.5, None], [0]),
        ("5", [5, 50, None], [0]),
        ("5*", [5, 50, None], [0, 1]),
        (5.5, [5.0, 5.5, None], [1]),
        (2**53 + 1, [2**53, 2**53 + 1], [1]),
        (True, [True, False, None], [0]),
        ("true", [True, False, None], [0]),
        (1, [True, False, None], []),
        (1, [[1, 2], [3], None], [0]),
        ("2", [[1, 2], [3], None], [0]),
    ],
)
def test_numbers_and_words_in_columns_of_their_own(asked: object, values: list[Any], rows: list[int]) -> None:
    assert found({"f": asked}, pl.DataFrame({"f": values})) == rows


# --- times ---------------------------------------------------------------------------

PARTS: dict[str, Callable[[datetime], int]] = {
    "minute": lambda at: at.minute,
    "hour": lambda at: at.hour,
    "day": lambda at: at.day,
    "week": lambda at: at.isocalendar().week,
    "month": lambda at: at.month,
    "year": lambda at: at.year,
}
moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 - the zone is added
    lambda at: at.replace(tzinfo=UTC)
)


@quick
@given(
    st.sampled_from(sorted(PARTS)),
    st.sampled_from(["", "|lt", "|lte", "|gt", "|gte"]),
    moments,
    st.lists(moments, max_size=5),
    st.integers(-14 * 60, 14 * 60),
)
def test_parts_of_times(part: str, how: str, asked: datetime, values: list[datetime], zone: int) -> None:
    values = [asked, *values]
    number = PARTS[part](asked)
    true = COMPARE[how[1:]] if how else operator.eq
    expected = picked(values, lambda at: true(PARTS[part](at), number))
    offset = f"{'-' if zone < 0 else '+'}{abs(zone) // 60:02}:{abs(zone) % 60:02}"
    shifted = [f"{at + timedelta(minutes=zone):%Y-%m-%dT%H:%M:%S}{offset}" for at in values]
    written = [f"{at:%Y-%m-%d %H:%M:%S.%f}" for at in values]
    for column in (values, [at.isoformat() for at in values], shifted, written):
        assert found({f"f|{part}{how}": number}, pl.DataFrame({"f": column})) == expected


def test_what_is_no_time_has_no_parts() -> None:
    frame = pl.DataFrame(
        {"f": ["2026-13-01T00:00:00Z", "yesterday", "", "12:30", "2026-01-05T25:00:00Z", None]}
    )
    assert found({"f|hour|gte": 0}, frame) == []
    assert found({"f|year|gte": 1}, frame) == []


# --- addresses -----------------------------------------------------------------------

addresses = (
    st.ip_addresses(v=4)
    | st.ip_addresses(v=6)
    | st.ip_addresses(v=4, network="10.0.0.0/24")
    | st.ip_addresses(v=6, network="fe80::/120")
)


@quick
@given(
    addresses,
    st.integers(0, 128),
    st.lists(addresses.map(str) | words, max_size=6),
    st.sampled_from(["", "|neq"]),
)
def test_addresses_are_in_networks(address: Any, bits: int, values: list[str], neq: str) -> None:  # noqa: ANN401 - either version
    network = ip_network((int(address), min(bits, address.max_prefixlen)), strict=False)
    if network.version != address.version:  # small numbers are IPv4 to Python
        network = ip_network(f"{address}/{min(bits, address.max_prefixlen)}", strict=False)
    values = [
        *values,
        str(address),
        str(network[0]),
        str(network[-1]),
        address.exploded,
        str(address).upper(),
    ]

    def inside(text: str) -> bool:
        try:
            found_address = ip_address(text)
        except ValueError:
            return False
        mapped = getattr(found_address, "ipv4_mapped", None)
        return (mapped or found_address) in network

    rows = found({f"f|cidr{neq}": str(network)}, pl.DataFrame({"f": values}))
    assert rows == picked(values, lambda text: inside(text) != bool(neq))


def test_an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address_in_rules_and_events() -> None:
    frame = pl.DataFrame(
        {"f": ["::ffff:10.0.0.1", "10.0.0.1", "::ffff:0a00:0001", "::10.0.0.1", "10.0.0.256"]}
    )
    for network in ("10.0.0.0/8", "::ffff:10.0.0.0/104", "10.0.0.1", "10.0.0.1/32"):
        assert found({"f|cidr": network}, frame) == [0, 1, 2]


# --- presence ------------------------------------------------------------------------


def test_null_empty_absent_and_there() -> None:
    frame = pl.DataFrame({"f": ["x", "", None], "list": [["x"], [], None]})
    for asked, rows in {
        ("f", None): [2], ("f", ""): [1], ("f", "*"): [0, 1], ("f|contains", ""): [0, 1],
        ("g", None): [0, 1, 2],
        ("f|exists", True): [0, 1], ("f|exists", False): [2], ("g|exists", True): [], ("g", ""): [],
        ("list|exists", True): [0], ("list", None): [1, 2], ("f|neq", "x"): [1, 2], ("g|neq", "x"): [0, 1, 2],
        ("f|neq", None): [0, 1], ("f|exists|neq", True): [2], ("f|neq", ""): [0, 2],
    }.items():  # fmt: skip
        assert found({asked[0]: asked[1]}, frame) == rows, asked
    assert found({"f": ["x", None]}, frame) == [0, 2]
    assert found({"f": []}, frame) == [2]  # pySigma: an empty list asks for null


def test_a_field_that_json_says_is_null_is_there_without_a_value() -> None:
    frame = pl.DataFrame({"f": ["x", None, None], "molehunt.null_fields": [[], ["f"], None]})
    assert found({"f|exists": True}, frame) == [0, 1]
    assert found({"f|exists": False}, frame) == [2]
    assert found({"f": None}, frame) == [1, 2]


@quick
@given(
    some_words,
    st.lists(words | st.none(), min_size=1, max_size=6),
    st.sampled_from(sorted(PLACES)),
    st.sampled_from(["", "|all"]),
)
def test_neq_is_the_opposite_also_where_there_is_no_value(
    asked: list[str],
    values: list[str | None],
    place: str,
    every: str,
) -> None:
    values = [*values, asked[0]]
    frame = pl.DataFrame({"f": values})
    chain = place + every
    selection = [plain(one) for one in asked]
    rows = found({f"f{chain}": selection}, frame)
    assert found({f"f|neq{chain}": selection}, frame) == [r for r in range(len(values)) if r not in rows]
    assert found({f"f{chain}|neq": selection}, frame) == [r for r in range(len(values)) if r not in rows]


@quick
@given(
    some_words,
    st.lists(st.lists(words | st.none(), max_size=3) | st.none(), min_size=1, max_size=5),
    st.sampled_from(["", "|all"]),
)
def test_a_field_with_several_values_matches_by_any_of_them(
    asked: list[str],
    values: list[list[str | None] | None],
    every: str,
) -> None:
    frame = pl.DataFrame({"f": [*values, asked]}, schema={"f": pl.List(pl.String)})
    link = all if every else any
    expected = [
        row
        for row, many in enumerate([*values, asked])
        if link(any(low(one) in low(v) for v in many or () if v is not None) for one in asked)
    ]
    assert found({f"f|contains{every}": [plain(one) for one in asked]}, frame) == expected
