"""Regular expressions: two engines of one meaning, literals that are always there, time that is bounded."""

from __future__ import annotations

import time

import polars as pl
import pytest
import regex as other_engine
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from sigma_cases import found, loaded

from analysis.sigma.explain import explain
from analysis.sigma.fold import fold
from analysis.sigma.regex import Late, RegexError, compiled, required
from analysis.sigma.regex.syntax import parse
from analysis.sigma.regex.tree import UnreadableError
from analysis.sigma.regex.writing import written

# Letters that fold alone, with others, or not at all: i, k, s, sharp s, sigma, e acute, two ligatures, iota.
LETTERS = (
    "aAbBiI\u0130\u0131kK\u212asS\u017f\u1e9e\u00df\u03c3\u03c2\u03a3\u00e9\u00c9\ufb05\ufb06\u0390"
    "1_-/\\.\n\t \u2028\r"
)
texts = st.text(LETTERS, max_size=6)


@st.composite
def atoms(draw: st.DrawFn) -> tuple[str, str]:
    """An expression of one part, and a text that it may well match."""
    char = draw(st.sampled_from(LETTERS))
    plain = char if char.isalnum() or ord(char) > 0x7F else f"\\x{ord(char):02x}"
    low, high = sorted(draw(st.tuples(st.sampled_from(LETTERS), st.sampled_from(LETTERS))))
    ranged = f"\\x{{{ord(low):x}}}-\\x{{{ord(high):x}}}"
    return draw(
        st.sampled_from(
            [
                (plain, char),
                (plain, char.swapcase()),
                (f"[{plain}b]", char),
                (f"[^{plain}]", "b"),
                (f"[{ranged}]", low),
                (f"[^{ranged}]", "1"),
                (".", char),
                (r"\d", "1"),
                (r"\D", char),
                (r"\w", char),
                (r"\W", "-"),
                (r"\s", "\u2028"),
                (r"\S", char),
                (r"[\w-]", "-"),
                ("[[:alpha:]]", "a"),
                (r"\p{Greek}", "\u03c3"),
                (r"\b", ""),
                (r"\B", ""),
                ("^", ""),
                ("$", ""),
                (r"\A", ""),
                (r"\z", ""),
            ]
        )
    )


def grown(inner: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    repeats = st.sampled_from(
        [("*", 2), ("+", 2), ("?", 0), ("*?", 1), ("{2}", 2), ("{1,2}", 1), ("{2,}", 3), ("{0}", 0)]
    )
    flags = st.sampled_from(["", "?:", "?i:", "?s:", "?m:", "?im:", "?-i:", "?<n>"])
    return st.one_of(
        st.tuples(inner, inner).map(lambda pair: (pair[0][0] + pair[1][0], pair[0][1] + pair[1][1])),
        st.tuples(inner, inner, st.booleans()).map(
            lambda three: (f"(?:{three[0][0]}|{three[1][0]})", three[0][1] if three[2] else three[1][1])
        ),
        st.tuples(inner, flags).map(lambda two: (f"({two[1]}{two[0][0]})", two[0][1])),
        st.tuples(inner, repeats).map(lambda two: (f"(?:{two[0][0]}){two[1][0]}", two[0][1] * two[1][1])),
    )


expressions = st.recursive(atoms(), grown, max_leaves=8)
modifiers = st.sampled_from(["", "", "i", "s", "m", "im", "ims"])


def by_rust(pattern: str, values: list[str]) -> list[bool]:
    return pl.Series(values).str.contains(pattern).to_list()


def accepted(pattern: str) -> bool:
    try:
        by_rust(pattern, [""])
    except pl.exceptions.ComputeError:
        return False
    return True


@settings(max_examples=250, deadline=None)
@given(expressions, modifiers, st.lists(texts, min_size=1, max_size=6), texts, texts)
def test_both_engines_mean_what_rust_means(
    one: tuple[str, str], flags: str, others: list[str], before: str, behind: str
) -> None:
    pattern, text = one
    flagged = f"(?{flags}){pattern}" if flags else pattern
    assume(accepted(flagged))
    values = [text, before + text + behind, *others]
    tree = parse(pattern, flags)
    expected = by_rust(flagged, values)
    event(f"matches: {any(expected)}")
    assert by_rust(written(tree, python=False), values) == expected
    again = other_engine.compile(written(tree, python=True))
    assert [again.search(value) is not None for value in values] == expected
    assert compiled(pattern, flags).search(pl.Series(values)).tolist() == expected


@settings(max_examples=250, deadline=None)
@given(
    expressions,
    expressions,
    st.sampled_from(
        [
            "{0}",
            "(?={1}){0}",
            "{0}(?!{1})",
            "(?<={1}){0}",
            "(?:{0}|{1})x?",
            "(?>{0}){1}",
            "{0}{1}",
            "({0}|{1}){{2}}",
        ]
    ),
    modifiers,
    st.lists(texts, max_size=4),
    texts,
)
def test_one_of_the_required_literals_is_in_every_text_that_matches(
    one: tuple[str, str], two: tuple[str, str], form: str, flags: str, others: list[str], around: str
) -> None:
    pattern = form.format(one[0], two[0])
    try:
        ready = compiled(pattern, flags)
    except RegexError:
        assume(False)  # noqa: FBT003 - Hypothesis' own way
    literals = required(pattern, flags)
    values = [
        *others,
        one[1],
        one[1] + two[1],
        around + one[1] + two[1] + around,
        one[1] + around + two[1] * 2,
    ]
    hits = ready.search(pl.Series(values))
    event(f"literals: {bool(literals)}, matches: {bool(hits.any())}")
    assert all(literal == fold(literal) and literal for literal in literals)
    for value, hit in zip(values, hits, strict=True):
        if hit and literals:
            assert any(literal in fold(value) for literal in literals), (value, literals)


@pytest.mark.parametrize(
    ("pattern", "flags", "literals"),
    [
        ("powershell", "", {"powershell"}),
        ("PowerShell", "i", {"powershell"}),
        (r"(cmd|pwsh)\.exe", "", {"cmd.exe", "pwsh.exe"}),
        (r"https?://evil", "", {"http://evil", "https://evil"}),
        (r"net\s+user\s+/add", "", {"user", "/add"}),
        (r"[xy]=\d+;secret", "", {";secret"}),
        (r"ab(c)?de", "", {"abde", "abcde"}),
        (r"(?=.*mimikatz)^.{3,}$", "", {"mimikatz"}),
        (r"(a|b)*", "", set()),
        (r"\w+", "", set()),
        (r"(foo|.*)", "", set()),
        (r"(?x) a b", "", set()),
        (r"-e(?:nc|ncodedcommand)?\s[A-Za-z0-9+/]{40}", "", {"-e", "-enc", "-encodedcommand"}),
        (r"\\\\[0-9.]+\\share", "", {"\\share"}),
    ],
)
def test_literals(pattern: str, flags: str, literals: set[str]) -> None:
    known = required(pattern, flags)
    assert known == literals or (len(literals) > 1 and len(known) == 1 and known < literals)


@pytest.mark.parametrize(
    ("pattern", "flags", "hits", "misses"),
    [
        (r"foo(?=bar)", "", ["foobar"], ["foo", "fobar"]),
        (r"foo(?!bar)", "", ["foo", "foobaz"], ["foobar"]),
        (r"(?<=foo)bar", "", ["foobar"], ["bar", "fobar"]),
        (r"(?<!foo)bar", "", ["bar", "xbar"], ["foobar"]),
        (r"^(?!.*\\Windows\\).*\.exe$", "i", [r"C:\Temp\A.EXE"], [r"C:\WINDOWS\a.exe", r"C:\Temp\a.dll"]),
        (r"(\w)\1", "", ["aa", "xbby"], ["ab", "aba"]),
        (r"(?P<q>['\"]).*(?P=q)", "", ["'a'", '"b"'], ["'a\""]),
        (r"(?i)(A)\1", "", ["aA", "aa"], ["ab"]),
        (r"(?>a+)ab", "", [], ["aaab"]),
        (r"(?=a)a$", "", ["a", "b\na"], ["a\n"]),
        (r"(?=a)a$", "m", ["a\nb"], ["ab"]),
        (r"(?=a)a.b", "", ["axb", "a\rb"], ["a\nb"]),
        (r"(?=a)a.b", "s", ["a\nb"], ["ab"]),
        (r"(?=.)\d", "", ["1", "\u0663"], ["x"]),
        (r"foo\Z", "", ["foo", "foo\n"], ["foo\n\n"]),
        (r"[^[]+x", "", ["ax"], ["[x"]),
        (r"[\w-.]+@", "", ["a-.@"], ["!@"]),
        (r"a{b", "", ["a{b"], ["ab"]),
        (r"\Qa.b*\E+", "", ["a.b*", "xa.b**"], ["a.b", "axb*"]),
        (r"a\hb", "", ["a b", "a\tb"], ["a\nb"]),
        (r"a(?#what)b", "", ["ab"], ["a"]),
        (r"\e\[", "", ["\x1b["], ["["]),
    ],
)
def test_what_rust_refuses_means_what_pcre_says(
    pattern: str, flags: str, hits: list[str], misses: list[str]
) -> None:
    rows = compiled(pattern, flags).search(pl.Series([*hits, *misses, None], dtype=pl.String)).tolist()
    assert rows == [True] * len(hits) + [False] * len(misses) + [False]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(x", "bracket"),
        ("*a", "nothing to repeat"),
        ("[a", "without an end"),
        (r"\j", "not known"),
        (r"\2(a)", "no group 2"),
        ("(?(1)a|b)", "kind of group"),
        ("(?<n>a)(?&n)", "kind of group"),
        ("(a{1000}){1000}", "1002001 steps"),
        ("(?=b)((((a{100}){100}){100}){100})", "steps"),
        (r"\w{1000}", "too large"),
        ("a{9999999999999999999999}", "too many"),
        ("(" * 400 + "a" + ")" * 400, "inside one another"),
        ("a" * 200_000, "longer than"),
        (r"(?i)(?=x)\p{Lu}", "one case"),
    ],
)
def test_what_cannot_run_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(RegexError, match=reason):
        compiled(pattern)


def test_an_expression_that_cannot_end_is_stopped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = compiled(r"^(?=a)(a|aa)+$")
    monkeypatch.setattr("analysis.sigma.regex.pattern.PATIENCE", 1.0)
    late = Late()
    begun = time.perf_counter()
    rows = bad.search(pl.Series(["aaa", *(f"{'a' * 60}{number}b" for number in range(2000))]), late)
    assert time.perf_counter() - begun < 10
    assert rows.tolist() == [True] + [False] * 2000
    (told,) = late.timed_out()
    assert (told.pattern, told.values, told.stopped) == ("/^(?=a)(a|aa)+$/", 2000, True)
    assert told.example.startswith("aaa")
    assert "ran out of time and was stopped" in str(told)
    assert not bad.search(pl.Series(["aaa"]), late).any()  # it is not tried again
    assert bad.search(pl.Series(["aaa"])).all()


def test_an_honest_expression_is_never_late() -> None:
    late = Late()
    values = pl.Series([f"user{number} said (?=this)" for number in range(20_000)])
    assert compiled(r"user\d+(?! left)").search(values, late).all()
    assert compiled(r"user\d+ s").search(values, late).all()
    assert late.timed_out() == []


@settings(max_examples=300, deadline=None)
@given(
    st.text(r"ab(){}[]?*+|\^$.-,:<>=!#iPdwkQE129&~ " + "\n", max_size=14), st.sampled_from(["", "i", "ms"])
)
def test_any_text_is_an_expression_or_refused(pattern: str, flags: str) -> None:
    try:
        ready = compiled(pattern, flags)
    except RegexError:
        return
    ready.search(pl.Series(["", "ab12", "a\nb", pattern]), Late())
    required(pattern, flags)


def test_what_is_not_understood_is_not_guessed() -> None:
    for pattern in ("[a[bc]]", "[a&&b]", r"\b{start}a", "(?R:a)", r"\<a", "[[:^alpha:]]"):
        assert accepted(pattern)
        with pytest.raises(UnreadableError):
            parse(pattern)
        assert required(pattern) == frozenset()


def test_rules_with_look_around_run() -> None:
    frame = pl.DataFrame({"f": ["bad.exe", "good.exe", None, "bad.exe.txt"]})
    assert found({"f|re": r"^(?!.*good).*\.exe$"}, frame) == [0]


def test_explaining_says_that_time_ran_out() -> None:
    (rule,) = loaded({"f|re": "^(?=a)(a|aa)+$"}).rules
    told = "\n".join(explain(rule, {"f": "a" * 60 + "b"}).lines())
    assert "out of time" in told
    assert "out of time" not in "\n".join(explain(rule, {"f": "aab"}).lines())
