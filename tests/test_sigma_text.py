"""Texts in rules: where they are looked for, their wildcards and backslashes, dashes, encodings."""

from __future__ import annotations

import re
import time
from base64 import b64encode

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sigma.types import SigmaString, SpecialChars
from sigma_cases import found, low, picked, plain
from strategies import PLACES, quick, some_words, words

from analysis.sigma import tree
from analysis.sigma.reading.draft import parsed

# --- text ----------------------------------------------------------------------------


@quick
@given(
    st.sampled_from(sorted(PLACES)),
    some_words,
    st.lists(words | st.none(), max_size=8),
    st.sampled_from(["", "|all"]),
)
def test_texts_are_compared_where_the_modifier_says(
    place: str,
    asked: list[str],
    values: list[str | None],
    every: str,
) -> None:
    values = [*values, *asked, *(f"a{one.swapcase()}" for one in asked), *(f"{one}B" for one in asked)]
    link = all if every else any
    rows = found({f"f{place}{every}": [plain(one) for one in asked]}, pl.DataFrame({"f": values}))
    assert rows == picked(values, lambda text: link(PLACES[place](low(text), low(one)) for one in asked))


@quick
@given(
    st.sampled_from(sorted(PLACES)),
    st.sampled_from(["first", "last"]),
    some_words,
    st.lists(words, max_size=6),
)
def test_cased_compares_with_case(
    place: str,
    first: str,
    asked: list[str],
    values: list[str],
) -> None:
    values = [*values, *asked, *(one.swapcase() for one in asked), *(f"a{one}" for one in asked)]
    key = f"f|cased{place}" if first == "first" else f"f{place}|cased"
    rows = found({key: [plain(one) for one in asked]}, pl.DataFrame({"f": values}))
    assert rows == picked(values, lambda text: any(PLACES[place](text, one) for one in asked))


@quick
@given(
    st.lists(words.map(lambda text: ("text", text)) | st.sampled_from([("*", "*"), ("?", "?")]), max_size=5)
)
@pytest.mark.parametrize("place", sorted(PLACES))
def test_wildcards_stand_for_any_characters(place: str, parts: list[tuple[str, str]]) -> None:
    value = "".join(plain(text) if kind == "text" else kind for kind, text in parts)
    pattern = "".join(
        re.escape(low(text)) if kind == "text" else "." + "*" * (kind == "*") for kind, text in parts
    )
    before, behind = place in ("|contains", "|endswith"), place in ("|contains", "|startswith")
    asked = re.compile(rf"{'.*' * before}{pattern}{'.*' * behind}\Z", re.DOTALL)
    texts = ["".join(text for kind, text in parts if kind == "text"), "", "a"]
    texts += [
        "".join(text if kind == "text" else "xY" for kind, text in parts),
        f"z{texts[0]}",
        f"{texts[0]}z",
    ]
    assert found({f"f{place}": value}, pl.DataFrame({"f": texts})) == picked(
        texts, lambda text: asked.match(low(text)) is not None
    )


@settings(max_examples=400, deadline=None)
@given(st.text(r"\\\*?a%", max_size=9))
def test_backslashes_are_read_as_pysigma_reads_them(text: str) -> None:
    wild = {SpecialChars.WILDCARD_MULTI: tree.Wild.ANY, SpecialChars.WILDCARD_SINGLE: tree.Wild.ONE}
    theirs = [part if isinstance(part, str) else wild[part] for part in SigmaString(text).s]
    once = [p for n, p in enumerate(theirs) if theirs[max(n - 1, 0) : n + 1] != [tree.Wild.ANY] * 2]
    assert list(parsed(text)) == once  # two stars in a row are one


@pytest.mark.parametrize(
    ("value", "hits", "misses"),
    [
        (r"C:\Win", [r"C:\Win"], [r"C:\\Win"]),
        (r"C:\\Win", [r"C:\Win"], [r"C:\\Win"]),
        (r"a\*", ["a*"], ["ab", r"a\*"]),
        (r"a\?", ["a?"], ["ab", r"a\?"]),
        (r"a\\*", ["a\\", r"a\b"], ["ab", "a*"]),
        (r"a\\?", [r"a\b"], ["a\\", "ab", "a?"]),
        (r"a\\\*", [r"a\*"], [r"a\b", "a*"]),
        (r"\\\\srv", [r"\\srv"], [r"\srv"]),
        (r"\\\srv", [r"\\srv"], [r"\srv"]),
        ("a\\", ["a\\"], ["a"]),
        ("a?c", ["abc", "a?c"], ["ac", "abbc"]),
        ("*", ["", "x", "*"], []),
        ("a**c", ["ac", "abc"], ["ab"]),
        ("", [""], ["x", " "]),
        (r"\a\b", [r"\a\b", r"\A\B"], ["ab"]),
    ],
)
def test_the_specification_s_own_words_on_backslashes(value: str, hits: list[str], misses: list[str]) -> None:
    assert found({"f": value}, pl.DataFrame({"f": [*hits, *misses, None]})) == list(range(len(hits)))


# --- windash -------------------------------------------------------------------------

DASHES = "-/\u2013\u2014\u2015"


@quick
@given(
    st.lists(st.sampled_from([*DASHES, "a", "B", " ", "x1", "*"]), max_size=7).map("".join),
    st.sampled_from(
        ["f|windash", "f|windash|contains", "f|contains|windash", "f|windash|cased", "f|cased|windash"]
    ),
    st.data(),
)
def test_windash_takes_any_dash_for_another(text: str, key: str, data: st.DataObject) -> None:
    assume(sum(char in DASHES for char in text) <= 4)
    asked = "".join(
        f"[{DASHES}]"
        if char in DASHES and re.match(rf"\B[{DASHES}]\b", text[i:][:2]) and not text[i - 1 : i].isalnum()
        else re.escape(char)
        for i, char in enumerate(text)
    )
    swapped = [
        "".join(data.draw(st.sampled_from(DASHES)) if c in DASHES else c for c in text) for _ in range(4)
    ]
    values = [text, text.swapcase(), *swapped, *(f"q{one} " for one in swapped)]
    flags = re.DOTALL if "cased" in key else re.DOTALL | re.IGNORECASE
    search = re.compile(asked if "contains" in key else rf"\A{asked}\Z", flags).search
    rows = found({key: plain(text)}, pl.DataFrame({"f": values}))
    assert rows == picked(values, lambda value: search(value) is not None)


# --- encodings -----------------------------------------------------------------------

ENCODINGS = {
    "": lambda text: text.encode(),
    "wide|": lambda text: text.encode("utf-16-le"),
    "utf16le|": lambda text: text.encode("utf-16-le"),
    "utf16be|": lambda text: text.encode("utf-16-be"),
    "utf16|": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
}
encoded_texts = st.text("aB é*?\\/\u4e2d\U0001f600", min_size=2, max_size=7)


def kept_characters(data: bytes) -> list[str]:
    """What `data` becomes in Base64 whatever stands before and behind it, for each offset."""
    kept = []
    for offset in range(3):
        forms = [
            b64encode(bytes([around]) * offset + data + bytes([around, behind, around])).decode()
            for around in (0, 255)
            for behind in (0, 255)
        ]
        start = -(-offset * 8 // 6)
        end = (offset + len(data)) * 8 // 6
        assert len({form[start:end] for form in forms}) == 1
        kept.append(forms[0][start:end])
    return kept


@quick
@given(encoded_texts, st.sampled_from(sorted(ENCODINGS)), st.binary(max_size=5), st.binary(max_size=4))
def test_base64_of_the_bytes_that_the_encoding_names(
    text: str, encoding: str, before: bytes, behind: bytes
) -> None:
    data = ENCODINGS[encoding](text)
    whole = b64encode(data).decode()
    inside = b64encode(before + data + behind).decode()
    values = [whole, f"x{whole}x", inside, text, b64encode(data[:-1]).decode(), b64encode(behind).decode()]
    frame = pl.DataFrame({"f": values})
    asked = plain(text)
    assert found({f"f|{encoding}base64": asked}, frame) == picked(
        values, lambda value: low(value) == low(whole)
    )
    assert found({f"f|{encoding}base64|contains": asked}, frame) == picked(
        values, lambda value: low(whole) in low(value)
    )
    forms = [low(form) for form in kept_characters(data)]
    rows = found({f"f|{encoding}base64offset|contains": asked}, frame)
    assert rows == picked(values, lambda value: any(form in low(value) for form in forms))
    assert 2 in rows  # wherever it stands in what was encoded


@pytest.mark.parametrize("encoding", ["wide", "utf16le", "utf16be"])
def test_a_text_in_two_bytes_a_character_without_base64(encoding: str) -> None:
    raw = "ab".encode("utf-16-be" if encoding == "utf16be" else "utf-16-le").decode()
    frame = pl.DataFrame({"f": [raw, f"x{raw}x", "ab"]})
    assert found({f"f|{encoding}": "ab"}, frame) == [0]
    assert found({f"f|{encoding}|contains": "ab"}, frame) == [0, 1]
    assert found({f"f|{encoding}|startswith": "a*b"}, frame) == [0]


@pytest.mark.parametrize("asked", ["*a" * 300 + "b", "a?" * 300, "?" * 900 + "*" + "?" * 900, "a*" * 300])
def test_many_wildcards_take_no_time(asked: str) -> None:
    begun = time.process_time()
    assert found({"f": asked}, pl.DataFrame({"f": ["a" * 900, "ab" * 100]})) == [0] * asked.startswith("a*")
    assert time.process_time() - begun < 20
