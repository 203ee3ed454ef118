"""Regular expressions and networks in SQL: what Rust and RE2 are asked is what the rule asked."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, TypeAlias

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sigma.backends.molehunt import literal, network, regex
from sigma.backends.molehunt.words import WORD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection

BETWEEN = "\u241f"
Network: TypeAlias = IPv4Network | IPv6Network


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def found(pattern: str, texts: Sequence[str], engine: DuckDBPyConnection) -> tuple[list[bool], list[bool]]:
    """Where `~` is true, in Polars and in DuckDB."""
    frame = pl.DataFrame({"v": texts})
    mine = pl.SQLContext(t=frame, eager=True).execute(
        f"SELECT v ~ {literal.text(pattern)} FROM t"  # noqa: S608 - quoted
    )
    theirs = engine.execute("SELECT v ~ ? FROM (SELECT UNNEST(?) AS v)", [pattern, list(texts)]).fetchall()
    return mine.to_series().to_list(), [row[0] for row in theirs]


ATOMS = st.sampled_from(
    [
        "a", "K", "s", "é", "_", " ", "-", r"\.", r"\\", "/", "'", r"\x41", r"\u00e9", r"\x{3c3}", ".", r"\d",
        r"\D", r"\w", r"\W", r"\s", r"\S", r"\pL", r"\P{Lu}", "[a-c]", "[^a]", r"[\d_]", r"[^\s]", r"[\S]",
        "[[:alpha:]]", r"[\w.-]", r"[^\W]", r"\t", "[]a]", r"[\]\-x]", r"[\x00-\x1f]", r"\n",
    ]
)  # fmt: skip
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        inner.map(lambda part: rf"\b{part}"),
        inner.map(lambda part: rf"{part}\b"),
        inner.map(lambda part: f"^{part}"),
        inner.map(lambda part: f"{part}$"),
        inner.map(lambda part: f"(?i:{part})"),
    ),
    max_leaves=6,
)
LETTERS = st.sampled_from(
    "aAbkK\u212asS\u017f\u00e9\u00c9_ -.\\/'0\u0663\t\n\u00a0\u0130\u24b6]x\u03c3\u03c2"
)
TEXTS = st.lists(st.text(LETTERS, max_size=5), min_size=1, max_size=8)
FLAGS = st.sets(st.sampled_from("ims")).map(lambda flags: "".join(sorted(flags)))


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(PATTERNS, FLAGS, TEXTS)
def test_both_engines_find_what_rust_finds(
    engine: DuckDBPyConnection, pattern: str, flags: str, texts: list[str]
) -> None:
    try:
        shared = regex.shared(pattern, flags)
    except regex.UnsharedError:
        assume(False)  # noqa: FBT003 - hypothesis' signature
    asked = f"(?{flags}){pattern}" if flags else pattern
    expected = pl.Series(texts).str.contains(asked).to_list()
    assert found(shared, texts, engine) == (expected, expected)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(PATTERNS, st.sampled_from(["", "i", "s"]), st.lists(TEXTS, min_size=1, max_size=5))
def test_among_several_values_any_may_match(
    engine: DuckDBPyConnection, pattern: str, flags: str, lists: list[list[str]]
) -> None:
    try:
        shared = regex.shared(pattern, flags, BETWEEN)
    except regex.UnsharedError:
        assume(False)  # noqa: FBT003 - hypothesis' signature
    asked = f"(?{flags}){pattern}" if flags else pattern
    expected = [pl.Series(texts).str.contains(asked).any() for texts in lists]
    joined = [BETWEEN + BETWEEN.join(texts) + BETWEEN for texts in lists]
    assert found(shared, joined, engine) == (expected, expected)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)", "(?!a)", "(?<=a)b", r"(a)\1", "(?>a)", "a++", "(?x)a b", r"\Ba", r"a\b.", r"(\.|\b){4}",
        "a{,3}", "[a&&b]", "[[a]]", r"\p{Alphabetic}", r"\<a", "a{1001}", r"[\W]", r"\b{start}a", r"\Za",
        "(?m)^a{2,5000}",
    ],
)  # fmt: skip
def test_what_the_dialects_do_not_share_is_refused(pattern: str) -> None:
    with pytest.raises(regex.UnsharedError):
        regex.shared(pattern)


def test_a_word_character_is_rusts_in_all_of_unicode() -> None:
    every = pl.Series([chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000])
    assert every.str.contains(f"[{WORD}]").to_list() == every.str.contains(r"\w").to_list()


ADDRESSES = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv4Address).map(str),
    st.one_of(st.integers(0, 2**128 - 1), st.integers(0, 2**40), st.integers(0xFFFF << 32, (1 << 48) - 1))
    .map(IPv6Address)
    .map(str),
)


def rewritten(address: str, how: int) -> str:
    """Another way to write the same address."""
    number = ip_address(address)
    if isinstance(number, IPv4Address):
        return [address, f"::ffff:{address}", f"0:0:0:0:0:FFFF:{address}", f"::ffff:{int(number):x}"][how % 2]
    full = number.exploded
    forms = [
        full, full.upper(), address, ":".join(part.lstrip("0") or "0" for part in full.split(":")),
        f"{full.rsplit(':', 2)[0]}:{IPv4Address(int(number) & 0xFFFFFFFF)}", f"{address}%eth0",
    ]  # fmt: skip
    return forms[how % len(forms)]


def prefixed(kind: type[IPv4Network | IPv6Network], bits: int, number: int, length: int) -> Network:
    """The network of so long a prefix that the address is in."""
    return kind((number >> (bits - length) << (bits - length), length))


NETWORKS = st.one_of(
    st.builds(prefixed, st.just(IPv4Network), st.just(32), st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.builds(
        prefixed,
        st.just(IPv6Network),
        st.just(128),
        st.one_of(st.integers(0, 2**128 - 1), st.integers(0, 2**48)),
        st.integers(0, 128),
    ),
)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(NETWORKS, st.lists(ADDRESSES, max_size=4), st.integers(0, 11), st.data())
def test_an_address_is_in_the_network_however_it_is_written(
    engine: DuckDBPyConnection, asked: Network, others: list[str], how: int, data: st.DataObject
) -> None:
    picked = data.draw(st.integers(0, asked.num_addresses - 1))
    texts = [rewritten(one, how) for one in [str(asked[picked]), str(asked[0]), str(asked[-1]), *others]]
    texts += [
        "",
        "10.0.0",
        "1.2.3.04",
        "::1::",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "::ffff:1.2.3.256",
        "fe80::1%",
        "g::",
    ]
    expected = []
    for text in texts:
        try:
            address = ip_address(text)
        except ValueError:
            expected.append(False)
            continue
        plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
        expected.append(plain in asked if plain.version == asked.version else False)
    hits = found(f"(?is)^{network.pattern(asked)}$", texts, engine)
    if network.holds_mapped(asked):
        mapped = found(f"(?is)^{network.mapped()}$", texts, engine)
        hits = tuple(
            [hit and not out for hit, out in zip(*pair, strict=True)]
            for pair in zip(hits, mapped, strict=True)
        )
    assert hits == (expected, expected)
