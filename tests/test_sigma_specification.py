"""Sentences of the Sigma specification, each as a rule and events, matched in every way that there is.

Sources: https://sigmahq.io/sigma-specification/specification/sigma-rules-specification.html and
https://sigmahq.io/sigma-specification/specification/sigma-appendix-modifiers.html
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from sigma_cases import found, raw_frame

from analysis.workbench.commands import rules

if TYPE_CHECKING:
    from pathlib import Path

ABSENT: Any = object()  # the event has the field `G` alone


def encoded(text: str, encoding: str = "utf-8") -> str:
    return b64encode(text.encode(encoding)).decode()


# What is asked of the field `F`, its values in events, and which of them match.
CASES: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    # "All values are treated as case-insensitive strings."
    "case": ({"F": "STRASSE É ÇA"}, ["strasse é ça", "Strasse É Ça", "straße é ça"], [0, 1]),
    # "`?` to replace a single mandatory character", "`*` to replace an unbounded length wildcard"
    "one letter": ({"F": "a?b"}, ["axb", "a\nb", "a😀b", "ab", "axxb"], [0, 1, 2]),
    "any letters": ({"F": "a*b"}, ["ab", "a\nxb", "xab"], [0, 1]),
    "a star is any value": ({"F": "*"}, ["", "x", 0, None, ABSENT], [0, 1, 2]),
    # "Plain backslash not followed by a wildcard can be expressed as single `\` or double backslash"
    "one backslash": ({"F": r"C:\x"}, [r"C:\x", r"C:\\x"], [0]),
    "two backslashes": ({"F": r"C:\\x"}, [r"C:\x", r"C:\\x"], [0]),
    "a backslash at the end": ({"F|endswith": "\\"}, ["a\\", "a"], [0]),
    # "A wildcard has to be escaped to be handled as a plain character."
    "a plain star": ({"F": r"a\*b"}, ["a*b", "axb", r"a\*b"], [0]),
    "a plain question mark": ({"F|contains": r"a\?b"}, ["-a?b-", "-axb-"], [0]),
    # "The backslash before a wildcard has to be escaped to handle the value as a backslash and a wildcard"
    "backslash and wildcard": ({"F": r"a\\*"}, [r"a\x", "a\\", "a*"], [0, 1]),
    # "Three backslashes are necessary to escape both"
    "backslash and plain star": ({"F": r"a\\\*"}, [r"a\*", r"a\x", "a*"], [0]),
    # "Three or four backslashes are handled as double backslash."
    "three backslashes": ({"F": r"a\\\b"}, [r"a\\b", r"a\b"], [0]),
    "four backslashes": ({"F|startswith": r"\\\\srv"}, [r"\\srv\x", r"\srv\x"], [0]),
    # "An empty value is defined with ''", "A null value is defined with null"
    "empty": ({"F": ""}, ["", " ", None, ABSENT], [0]),
    "null": ({"F": None}, [None, ABSENT, "", 0, "null"], [0, 1]),
    "null or a word": ({"F": [None, "x*"]}, [None, "xy", ""], [0, 1]),
    # "the value is a string or integer value"
    "a number": ({"F": 5}, [5, "5", 5.0, "5.0", 50, "x"], [0, 1, 2, 3]),
    "digits as text": ({"F": "46*"}, [4625, "46", 146], [0, 1]),
    "true": ({"F": True}, [True, "True", "yes", 1, False], [0, 1]),
    # `all`: "This modifier changes this to AND."
    "all": ({"F|contains|all": ["-a", "-b"]}, ["-B -A", "-a", "-b"], [0]),
    # `cased`: "Values are applied case sensitively."
    "cased": ({"F|contains|cased": "Ab*C"}, ["xAb-Cx", "xab-Cx"], [0]),
    # `neq`: "The field is different from the specified values." "string or number"
    "different": ({"F|neq": ["a", 5]}, ["A", "b", 5, "5", 6, ABSENT], [1, 4, 5]),
    "not inside": ({"F|cidr|neq": "10.0.0.0/8"}, ["10.1.2.3", "8.8.8.8"], [1]),
    # `windash`: "Creates all possible permutations"
    "dashes": ({"F|windash|contains": " -a /b"}, ["x /a \u2013b", "x \u2015a -b", "x a b", "x-a /b"], [0, 1]),
    # `re`: "Regex is matched case-sensitive by default", `i`, `m`, `s`
    "expression": ({"F|re": "^a.c$"}, ["abc", "ABC", "xabc", "a\nc"], [0]),
    "expression, flags": ({"F|re|i|m|s": "^a.c$"}, ["x\nA\nC\ny", "xabc"], [0]),
    # "except the first and last byte the encoded values have a static part in the middle"
    "base64": ({"F|base64": "Ünï"}, [encoded("Ünï"), "Ünï"], [0]),
    "base64 anywhere": (
        {"F|base64offset|contains": "Ünï!"},
        [encoded("x" * before + "Ünï!" + "y" * behind) for before in range(3) for behind in range(3)],
        list(range(9)),
    ),
    "utf16le": (
        {"F|utf16le|base64offset|contains": "Ünï"},
        [encoded(f"{before}Ünï-", "utf-16-le") for before in ("", "x", "xy")] + [encoded("Ünï", "utf-16-be")],
        [0, 1, 2],
    ),
    "utf16be": ({"F|utf16be|base64": "cmd"}, [encoded("cmd", "utf-16-be"), encoded("cmd")], [0]),
    # "Prepends a byte order mark and encodes UTF16, e.g. cmd > FF FE 63 00 6d 00 64 00"
    "utf16": ({"F|utf16|base64": "cmd"}, [encoded("\ufeffcmd", "utf-16-le"), encoded("cmd")], [0]),
    # "Field is less than the value"; numbers are logged as text, too
    "less": ({"F|lt": 10}, [9, "9.5", -1, 10, "x", None], [0, 1, 2]),
    "from": ({"F|gte": 1.5}, [1.5, "2", 1.4, True], [0, 1]),
    # "it extracts a numeric value from a date"
    "hour": ({"F|hour": [22, 23]}, ["2026-03-05T22:07:09Z", "2026-03-05 23:00", "2026-03-05T21:59Z"], [0, 1]),
    "minute": ({"F|minute": 7}, ["2026-03-05T22:07:09.123456Z", "2026-03-05T07:22:09Z"], [0]),
    "day": ({"F|day": 5}, ["2026-03-05", "2026-05-03"], [0]),
    "month": ({"F|month": 3}, ["2026-03-05", "2026-05-03"], [0]),
    "year": ({"F|year": 2026}, ["2026-12-31T23:59:59Z", "2025-12-31T23:59:59Z"], [0]),
    "week": ({"F|week": 1}, ["2025-12-29", "2026-01-04", "2026-01-05"], [0, 1]),
    # "Supports both IPv4 and IPv6 notations."
    "networks": (
        {"F|cidr": ["10.0.0.0/8", "2001:db8::/32"]},
        ["10.255.0.1", "2001:DB8:0::1", "11.0.0.1", "10.1", "x", "::ffff:10.0.0.1"],
        [0, 1, 5],
    ),
    # "A field reference can be used to compare fields of matched events"
    "another field": ({"F|fieldref": "G"}, ["Y", "x", "", ABSENT], [0]),
    "another field's beginning": ({"F|fieldref|startswith": "G"}, ["yes", "my"], [0]),
    "not another field": ({"F|fieldref|neq": "G"}, ["Y", "x"], [1]),
    # Without `expand`: "handles `%name%` as literal value"
    "percent signs": ({"F": "%known%"}, ["%known%", "value"], [0]),
    # With it: "`%plain` as plain value and `%name%` as placeholder"
    "placeholder": ({"F|expand": r"\%plain%known%"}, ["%plainvalue", "%plainsrv1", "value"], [0, 1]),
    # "All map items of a list are logically linked with OR", "All elements of a map … with a logical AND"
    "list of maps": ([{"F": "a", "G": "y"}, {"F|startswith": "b"}], ["a", "bc", "c"], [0, 1]),  # type: ignore[dict-item]
    # "strings that are applied to the full log message and are linked with a logical OR"
    "keywords": (["one", "t*o"], ["x ONE x", "two", ["three", "t o"], "tw"], [0, 1, 2]),  # type: ignore[dict-item]
    "all keywords": ({"|all": ["one", "y"]}, ["x one", "two"], [0]),
}  # fmt: skip
KNOWN = {"known": ["value", "srv?"]}


@pytest.mark.parametrize("case", CASES)
def test_a_sentence_holds_for_every_way_of_matching(case: str, tmp_path: Path) -> None:
    selection, values, expected = CASES[case]
    events = [{"G": "y"} if value is ABSENT else {"F": value, "G": "y"} for value in values]
    assert matched(selection, events, tmp_path) == expected
    if not any(isinstance(value, float | bool) for value in values):  # texts and these share no column
        assert found(selection, raw_frame(events), KNOWN) == expected


def matched(selection: object, events: list[dict[str, Any]], folder: Path, condition: str = "s") -> list[int]:
    """What `molehunt rules match` says."""
    rule = {"title": "t", "id": "r", "logsource": {"product": "x"}, "level": "low"}
    detection = {"s": selection, "condition": condition}
    (folder / "rule.yml").write_text(json.dumps(rule | {"detection": detection}))
    (folder / "site.json").write_text(json.dumps({"placeholders": KNOWN}))
    (folder / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in events))
    asked = ["match", "rule.yml", "--events", "events.ndjson", "--site", "site.json"]
    words = [str(folder / word) if "." in word else word for word in asked]
    result = CliRunner().invoke(rules, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line)["event"] - 1 for line in result.stdout.splitlines()]


# "Note that this check only verifies the presence of a field, not its value, be it empty or null."
def test_a_field_exists_whatever_its_value(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [{"F": ""}, {"F": None}, {"F": []}, {"F": 0}, {"G": "F"}]
    assert matched({"F|exists": True}, events, tmp_path) == [0, 1, 2, 3]
    assert matched({"F|exists": False}, events, tmp_path) == [4]


# "To get an expression that say `not null` you have to create another selection and negate it"
def test_not_null_and_not_a_value(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [{"F": "x"}, {"F": None}, {"G": "y"}, {"F": ""}]
    assert matched({"F": None}, events, tmp_path, "not s") == [0, 3]
    assert matched({"F": "x"}, events, tmp_path, "not s") == [1, 2, 3]
