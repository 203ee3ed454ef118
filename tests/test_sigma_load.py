"""Rules as people write them, with their mistakes: each is named with its place, none stops the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sigma_cases import pack_of, rule_text

from analysis.finding import Level
from analysis.sigma import RulePack, bundled_rules
from analysis.sigma.taxonomy import Taxonomy

GOOD = rule_text("  s: {Image: x}\n  condition: s", id="11111111-1111-4111-8111-111111111111")

BROKEN = {
    "title: x\ndetection:\n  s: {a: b\n  condition: s\n": (4, "begins in line 3"),
    "title: x\ndetection:\n\ts: y\n": (3, "tab"),
    'title: x\nlogsource: {product: y}\ndetection:\n  s:\n    f: "C:\\Windows"\n  condition: s\n': (
        5,
        "single quotes",
    ),
    "title: x\nlogsource: {product: y}\ndetection:\n  s: {f: *x}\n  condition: s\n": (4, "single quotes"),
    "title: x\nx: &a [1]\ny: *a\n": (3, "alias"),
    "- a\n- b\n": (1, "mapping of keys"),
    "title: x\ntitle: y\n": (2, "written twice"),
    "title: x\nlogsource: {product: y}\n": (1, "`detection:` must be there"),
    "title: x\ndetection: {s: {a: b}, condition: s}\n": (1, "`logsource:` is missing"),
    "title: x\nlogsource: {}\ndetection: {s: {a: b}, condition: s}\n": (2, "give a category"),
    rule_text("  s: {a: b}\n  condition: t"): (6, "names 't'; there is only s"),
    rule_text("  s: {a: b}\n  condition: 1 of x*"): (6, "no selection is named like 'x*'"),
    rule_text("  s: {a: b}\n  condition: s and"): (6, "cannot be parsed"),
    rule_text("  s: {a: b}\n  condition: s | count() > 5"): (6, "cannot be parsed"),
    rule_text("  s: {a: b}"): (4, "`condition:` is missing"),
    rule_text("  s: {}\n  condition: s"): (5, "empty"),
    rule_text("  condition: s"): (4, "no selection"),
    rule_text("  s:\n    a: b\n    c|begins: d\n  condition: s"): (7, "unknown modifier 'begins'"),
    rule_text("  s:\n    a|contains: 5\n  condition: s"): (6, "in quotes"),
    rule_text("  s:\n    a|gt: '5'\n  condition: s"): (6, "without quotes"),
    rule_text("  s:\n    a|cidr: 10.0.0.0/40\n  condition: s"): (6, "10.0.0.0/8"),
    rule_text("  s:\n    a|re: '(x'\n  condition: s"): (6, "cannot run"),
    rule_text("  s:\n    a|re: '(a{1000}){1000}'\n  condition: s"): (6, "1002001 steps"),
    rule_text("  s:\n    a|re:\n      - x\n      - '(?(1)a|b)'\n  condition: s"): (8, "cannot run"),
    rule_text("  s:\n    a|expand: '%admins%'\n  condition: s"): (6, "%admins%"),
    rule_text("  s:\n    a|exists: yes\n  condition: s"): (
        6,
        "'yes'; write true, without quotes",
    ),
    rule_text("  s:\n    a|exists:\n  condition: s"): (
        6,
        "not null; write true if the field",
    ),
    rule_text("  s:\n    a:\n      - {b: c}\n  condition: s"): (7, "a value must be"),
    rule_text("  s:\n    a: .inf\n  condition: s"): (6, "finite"),
    rule_text("  s:\n    a: !!int x\n  condition: s"): (1, "not what its tag"),
    rule_text("  s: {a: b}\n  condition: [s, t]"): (6, "names 't'"),
    rule_text("  s: {a: b}\n  condition: (s"): (6, "closing bracket is missing"),
    rule_text("  s: {a: b}\n  condition: 2 of s*"): (6, "no `2 of`"),
    rule_text("  s: {a: b}\n  condition: s s"): (6, "'s' stands where"),
    rule_text("  s: {a: b}\n  condition: " + "(" * 60 + "s" + ")" * 60): (6, "brackets inside one another"),
    rule_text("  s: {a: b}\n  _t: {a: b}\n  condition: 1 of t*"): (7, "no selection is named like"),
    rule_text("  s: [null]\n  condition: s"): (5, "keyword"),
    "action: global\ntitle: x\n": (1, "not part of Sigma 2"),
    "title: c\ncorrelation: {type: event_count, rules: [nobody], timespan: 1m, condition: {gte: 2}}\n": (
        2,
        "no rule has the name or id 'nobody'",
    ),
    "title: c\ncorrelation:\n  type: event_total\n  rules: [a]\n": (3, "event_total"),
    "title: c\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: soon\n  condition: {gte: 1}\n": (
        5,
        "soon",
    ),
    "title: c\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 1m\n": (2, "`gte: 10`"),
    "title: c\ncorrelation:\n  type: value_count\n  rules: [a]\n  timespan: 1m\n  condition: {gte: 1}\n": (
        6,
        "`field:`",
    ),
    "title: f\nlogsource: {product: y}\nfilter:\n  s: {a: b}\n  condition: s\n": (3, "`rules:` is missing"),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.items(), ids=lambda value: repr(value)[-40:])
def test_a_mistake_is_told_with_its_place_and_stops_no_other_rule(
    text: str, told: tuple[int, str], tmp_path: Path
) -> None:
    pack = pack_of(tmp_path, text, GOOD)
    assert [rule.id for rule in pack.rules] == ["11111111-1111-4111-8111-111111111111"]
    (error,) = pack.errors
    assert (error.path.name, error.line) == ("rule0.yml", told[0]), error.message
    assert told[1] in error.message
    assert str(error) == f"{error.path}:{error.line}: {error.message}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 400_000, "levels"),
        ("- " * 200_000, "levels"),
        ("{a: " * 100_000, "levels"),
        ("a: [" + "1," * 100_000 + "]", "values in one file"),
        ("x" * (1 << 20) + "y", "larger than"),
    ],
    ids=["brackets", "dashes", "braces", "values", "bytes"],
)
def test_files_that_would_exhaust_the_parser_are_refused(text: str, reason: str, tmp_path: Path) -> None:
    pack = pack_of(tmp_path, text, GOOD)
    assert len(pack.rules) == 1
    assert reason in pack.errors[0].message


def test_no_code_runs_from_a_rule(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    pack = pack_of(tmp_path, f"title: !!python/object/apply:os.system ['touch {mark}']\n", GOOD)
    assert not mark.exists()
    assert len(pack.errors) == 1


def test_bytes_that_are_no_text_and_files_without_rights_are_named(tmp_path: Path) -> None:
    (tmp_path / "bytes.yml").write_bytes(b"title: \xff\xfe\n")
    locked = tmp_path / "locked.yml"
    locked.write_text(GOOD)
    locked.chmod(0)
    messages = [error.message for error in RulePack.load([tmp_path, tmp_path / "nowhere"]).errors]
    assert any("UTF-8" in message for message in messages)
    assert any("no such file" in message for message in messages)
    if os.access(locked, os.R_OK):  # root reads everything
        return
    assert any("rights" in message for message in messages)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("level", "severe", "critical"),
        ("id", "no-uuid", "uuidgen"),
        ("status", "ready", "stable"),
        ("date", "'yesterday'", "yyyy-mm-dd"),
        ("tags", "[nodot]", "namespace.name"),
        ("confidence", "2", "from 0.0 to 1.0"),
        ("taxonomy", "acme", "not known"),
        ("related", "[5]", "must be maps"),
        ("id", "[5]", "not what the specification says"),
    ],
)
def test_a_mistake_in_the_head_is_told_and_the_rule_runs_all_the_same(
    key: str, value: str, told: str, tmp_path: Path
) -> None:
    keys = {"title": "t", "level": "low"} | {key: value}
    pack = pack_of(tmp_path, rule_text("  s: {a: b}\n  condition: s", **keys))
    assert len(pack.rules) == 1
    (error,) = pack.errors
    assert error.line == list(keys).index(key) + 1
    assert told in error.message


def test_what_a_rule_says_of_itself(tmp_path: Path) -> None:
    text = """
title: Somebody else at the keyboard
id: 22222222-2222-4222-8222-222222222222
name: somebody_else
description: Told.
level: high
confidence: 0.7
tags: [attack.t1219.002, attack.exfiltration, molehunt.remote-control, molehunt.signal-r04, molehunt.decisive]
falsepositives: [IT support]
fields: [host.name, ParentImage]
why: '{Image} ran.'
logsource: {category: process_creation, product: windows}
detection:
  s: {Image|endswith: x, host.name: y}
  condition: s
"""
    (rule,) = pack_of(tmp_path, text, taxonomy=Taxonomy()).rules
    assert (rule.name, rule.level, rule.confidence) == ("somebody_else", Level.HIGH, 0.7)
    assert (rule.category, rule.decisive, rule.durable) == ("remote_control", True, False)
    assert rule.techniques == ("T1219.002",)
    assert rule.signals == ("R04",)
    assert rule.falsepositives == ("IT support",)
    assert str(rule.logsource) == "category process_creation, product windows"
    assert {"winlog.event_data.Image", "process.executable", "host.name"} <= rule.fields
    assert {"process.executable", "host.name", "process.parent.executable"} <= set(rule.evidence_fields)
    assert rule.path == tmp_path / "rule0.yml"
    assert not rule.silent


@pytest.mark.parametrize(
    ("tags", "category"),
    [
        ("[attack.exfiltration, attack.t1567.002]", "exfiltration"),
        ("[attack.command-and-control, attack.t1219.002]", "remote_control"),
        ("[attack.execution]", "access"),
        ("[molehunt.payment, attack.exfiltration]", "payment"),
    ],
)
def test_the_category_of_other_peoples_rules_comes_from_their_attack_tags(
    tags: str, category: str, tmp_path: Path
) -> None:
    (rule,) = pack_of(tmp_path, rule_text("  s: {a: b}\n  condition: s", tags=tags)).rules
    assert rule.category == category


def test_a_rule_that_serves_others_is_silent_unless_they_say_generate(tmp_path: Path) -> None:
    counting = "title: c\ncorrelation: {{type: temporal, rules: [{}], timespan: 1m, generate: {}}}\n"
    anomaly = "title: a\nanomaly: {rules: [c], measure: count}\n"
    texts = [rule_text("  s: {a: b}\n  condition: s", name=name) for name in "abcd"] + [
        counting.format("a", "false"),
        counting.format("b", "true"),
        anomaly,
    ]
    pack = pack_of(tmp_path, *texts)
    assert pack.errors == []
    assert {rule.name: rule.silent for rule in pack.rules} == {"a": True, "b": False, "c": True, "d": False}
    ((document, path),) = pack.anomalies
    assert document["anomaly"]["measure"] == "count"
    assert path.name == "rule6.yml"


def test_two_rules_with_one_id_are_told_and_the_first_stays(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, GOOD, GOOD.replace("title: t", "title: other"))
    assert [rule.title for rule in pack.rules] == ["t"]
    assert "already used" in pack.errors[0].message


def test_correlations_in_a_circle_are_told(tmp_path: Path) -> None:
    counting = "title: {0}\nname: {0}\ncorrelation:\n  {{type: temporal, rules: [{1}], timespan: 1m}}\n"
    pack = pack_of(tmp_path, counting.format("a", "b"), counting.format("b", "a"))
    assert pack.correlations == ()
    assert all("circle" in error.message for error in pack.errors)


def test_placeholders_are_filled_from_the_site(tmp_path: Path) -> None:
    text = rule_text("  s: {User|expand: 'corp-%admins%'}\n  condition: s")
    pack = pack_of(tmp_path, text, placeholders={"admins": ["ann", "b*"]})
    assert pack.errors == []
    assert "any of ('corp-ann', 'corp-b*')" in str(pack.rules[0].condition)


def test_all_placeholders_of_a_rule_without_a_value_are_told_at_once(tmp_path: Path) -> None:
    text = rule_text(
        "  s:\n    Host: x\n    User|expand:\n      - plain\n      - '%admins%-%known%-%sites%'\n"
        "    Ip|re|expand: '%net%|%admins%'\n  f: {Ip|expand|cidr: '%vpn%'}\n  condition: s and not f"
    )
    (error,) = pack_of(tmp_path, text, placeholders={"known": ["k"]}).errors
    assert error.line == 9
    assert "%admins% has no value, nor has %sites%, %net%, %vpn%; give each its own" in error.message
    assert error.message.endswith('admins = ["…"], sites = ["…"], net = ["…"], vpn = ["…"]')


def test_a_rule_of_a_thousand_placeholders_has_a_short_message(tmp_path: Path) -> None:
    values = ", ".join(f"'%p{number}%'" for number in range(1000))
    (error,) = pack_of(tmp_path, rule_text(f"  s: {{User|expand: [{values}]}}\n  condition: s")).errors
    assert "%p18%, %p19% and 980 more; give" in error.message
    assert len(error.message) < 1000


@pytest.mark.parametrize("condition", ["1 of them", "all of them", "s"])
def test_the_timeframe_of_sigma_1_is_no_keyword(condition: str, tmp_path: Path) -> None:
    text = rule_text(f"  s: {{a: b}}\n  timeframe: 5m\n  condition: {condition}")
    pack = pack_of(tmp_path, text)
    assert pack.errors == []
    assert str(pack.rules[0].condition) == "s: a 'b'"
    named = pack_of(tmp_path, rule_text("  timeframe: {a: b}\n  condition: timeframe"))
    assert str(named.rules[0].condition) == "timeframe: a 'b'"


def test_what_the_specification_allows_in_the_head_is_no_mistake(tmp_path: Path) -> None:
    text = rule_text(
        "  s: {a: b}\n  condition: s",
        falsepositives="Unknown",
        related="[{id: 11111111-1111-4111-8111-111111111113, type: correlation}]",
        taxonomy="sigma",
        date="2026-01-05",
        modified="2026-01-06",
        scope="[server]",
        license="MIT",
        custom="{a: [1]}",
    )
    pack = pack_of(tmp_path, text)
    assert pack.errors == []
    assert pack.rules[0].falsepositives == ("Unknown",)


def test_logsources_are_read_in_lower_case(tmp_path: Path) -> None:
    text = GOOD.replace("{product: test}", "{product: Windows, service: Sysmon}")
    (rule,) = pack_of(tmp_path, text, taxonomy=Taxonomy()).rules
    assert str(rule.logsource) == "product windows, service sysmon"
    assert rule.source is not None


@pytest.mark.parametrize(
    "source", ["[windows]", "{product: [a]}", "{product: 5}", "{definition: x}", "windows"]
)
def test_a_logsource_that_says_nothing_is_told(source: str, tmp_path: Path) -> None:
    pack = pack_of(tmp_path, GOOD.replace("{product: test}", source))
    assert pack.rules == ()
    assert "logsource" in pack.errors[0].message or "must be a text" in pack.errors[0].message


def test_the_bundled_rules_are_found_in_a_checkout() -> None:
    assert (bundled_rules() / "README.md").is_file()


def test_one_file_may_be_given_twice_and_is_read_once(tmp_path: Path) -> None:
    pack_of(tmp_path, GOOD)
    pack = RulePack.load([tmp_path, tmp_path / "rule0.yml"])
    assert pack.errors == []
    assert len(pack.rules) == 1
