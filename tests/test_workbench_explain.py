"""`molehunt rules explain`: why a rule matches an event, or how close it came."""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from hunted import SAMPLES, run
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.sigma import bundled_rules, tree
from analysis.sigma.explain import true_of
from analysis.workbench.explain.nearest import misses

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

RULE = """title: Evil tool started
id: 33333333-3333-4333-8333-333333333333
name: evil_tool
level: high
logsource: {category: process}
detection:
  tool: {process.name: evil.exe}
  how: {process.command_line|contains: [--quiet, --hidden, --unattended, --yes]}
  known: {user.name: admin}
  condition: tool and how and not known
"""
EVENT = {
    "@timestamp": "2026-10-12T14:00:00Z",
    "event.dataset": "windows.sysmon_operational",
    "event.category": ["process"],
    "event.type": ["start"],
    "process.name": "evil.exe",
    "process.command_line": "evil.exe --quiet",
    "host.name": "h",
}
STORY = """title: Evil again and again
id: 44444444-4444-4444-8444-444444444444
name: again
level: high
correlation:
  type: {type}
  rules: [evil_tool]
  group-by: [host.name]
  timespan: 5m
  condition: {condition}
"""
SUPPRESSION = """title: Scanner
id: 55555555-5555-4555-8555-555555555555
owner: soc@corp.example
reason: a scanner
expires: 2999-12-31
logsource: {category: process}
filter: {rules: [evil_tool], s: {host.name: h}, condition: not s}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "evil.yml").write_text(RULE)
    return tmp_path


def explain(folder: Path, rule: object, *events: dict[str, Any], options: tuple[str, ...] = ()) -> Result:
    path = folder / "tried.match.ndjson"
    path.write_text("".join(json.dumps({**EVENT, **event}) + "\n" for event in events))
    places = [part for line in range(1, len(events) + 1) for part in ("--event", f"{path}:{line}")]
    return run("rules", "explain", rule, "--rules", folder, *places, *options)


def test_why_it_matched(folder: Path) -> None:
    result = explain(folder, folder / "evil.yml", {})
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{folder / 'tried.match.ndjson'}:1: matches 'Evil tool started'",
        "  yes logsource category process",
        "  yes all of",
        "  yes   tool: process.name is 'evil.exe'; the event has evil.exe",
        "  yes   how: process.command_line contains '--quiet' (3 more); the event has evil.exe --quiet",
        "  yes   not",
        "  no      known: user.name is 'admin'; the event has no value there",
    ]


@pytest.mark.parametrize("rule", ["evil_tool", "33333333-3333-4333-8333-333333333333", "evil"])
def test_a_rule_is_a_name_an_id_or_a_file(rule: str, folder: Path) -> None:
    assert explain(folder, rule, {}).exit_code == 0


@pytest.mark.parametrize(
    ("event", "missing"),
    [
        ({"process.name": "good.exe"}, "tool: process.name is 'evil.exe'; the event has good.exe"),
        ({"process.name": None}, "tool: process.name is 'evil.exe'; the event has no value there"),
        ({"process.name": None, "file.name": "EVIL.EXE"}, "no value there: file.name has it"),
        ({"process.name": None, "process.parent.name": "good"}, "no value there: it has process.parent.name"),
        ({"process.name": "C:\\evil.exe"}, "it ends with 'evil.exe': would |endswith be right?"),
        ({"process.name": "evil.exe.bak"}, "it begins with 'evil.exe': would |startswith be right?"),
        ({"process.name": "my evil.exe!"}, "it contains 'evil.exe': would |contains be right?"),
        ({"process.name": "evil.exe."}, "it differs in a dot or a blank at an end"),
        ({"process.command_line": "evil.exe --hiden"}, "nearest is: contains '--hidden'"),
        ({"user.name": "admin"}, "not known: user.name is 'admin'; the event has admin"),
    ],
)
def test_how_close_it_came(event: dict[str, Any], missing: str, folder: Path) -> None:
    result = explain(folder, "evil_tool", event)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[lines.index("closest: one to go") + 1].endswith(missing)


def test_an_event_of_another_logsource(folder: Path) -> None:
    event = {"event.category": ["network"], "event.type": ["protocol"], "dns.question.name": "x.example"}
    result = explain(folder, "evil_tool", event)
    assert result.exit_code == 1
    assert "  no  logsource category process" in result.stdout
    assert result.stdout.splitlines()[-1] == "the event is of category dns_query, product windows"


def test_what_only_a_hunt_knows(folder: Path) -> None:
    (folder / "left.yml").write_text(
        RULE.replace("3333-4", "3333-5").replace("evil_tool", "left").replace("user.name", "roster.status")
        .replace("not known", "known")
    )  # fmt: skip
    assert "the event has no value there: a hunt adds it to events" in explain(folder, "left", {}).stdout


def test_a_filter_that_holds_it_back(folder: Path) -> None:
    (folder / "scanner.yml").write_text(SUPPRESSION)
    result = explain(folder, "evil_tool", {})
    assert result.exit_code == 1
    assert "  no  filter 'Scanner'" in result.stdout
    assert (
        f"held back by the filter 'Scanner' ({folder / 'scanner.yml'}:1), soc@corp.example until 2999-12-31"
        in result.stdout
    )
    assert explain(folder, "evil_tool", {"host.name": "i"}).exit_code == 0


@pytest.mark.parametrize(
    ("kind", "condition", "status", "told"),
    [
        ("event_count", "{gte: 2}", 0, "3 counted; most in one window: 2, enough"),
        ("event_count", "{gte: 3}", 0, "3 counted; most in one window: 2, not enough"),
        ("value_count", "{gte: 2, field: user.name}", 0, "most in one window: 2 (a, b), enough"),
        ("value_sum", "{gt: 5, field: process.pid}", 0, "most in one window: 9, enough"),
        ("value_avg", "{gt: 5, field: process.pid}", 0, "most in one window: 9, enough"),
        ("value_median", "{lt: 5, field: process.pid}", 0, "most in one window: 9, not enough"),
        ("value_percentile", "{gt: 1, field: process.pid, percentile: 50}", 0, "window: 9, enough"),
        ("temporal", "", 0, "most in one window: evil_tool, enough"),
    ],
)
def test_what_a_correlation_counts(kind: str, condition: str, status: int, told: str, folder: Path) -> None:
    text = STORY.format(type=kind, condition=condition)
    (folder / "story.yml").write_text(text if condition else text.replace("  condition: \n", ""))
    events = [
        {"user.name": "a", "process.pid": 3},
        {"user.name": "b", "process.pid": 4, "@timestamp": "2026-10-12T14:05:00Z"},
        {"user.name": "b", "process.pid": 9, "@timestamp": "2026-10-12T14:10:01Z"},
    ]
    result = explain(folder, "again", *events)
    assert result.exit_code == status, result.output
    assert told in result.stdout


def test_what_a_correlation_does_not_count(folder: Path) -> None:
    (folder / "story.yml").write_text(STORY.format(type="event_count", condition="{gte: 2}"))
    result = explain(folder, "again", {}, {"process.name": "good.exe"}, {"host.name": None})
    assert result.exit_code == 1
    assert "it needs event_count gte 2 in 5m by host.name; it counts evil_tool" in result.stdout
    assert "  evil_tool: tool: process.name is 'evil.exe'; the event has good.exe" in result.stdout
    assert ":3: evil_tool, but it lacks host.name, so it is left out" in result.stdout


def test_what_an_anomaly_rule_measures() -> None:
    log = SAMPLES / "zeek" / "conn.log"
    result = run("rules", "explain", "upload_volume", "--event", f"{log}:9")
    assert result.exit_code == 0
    assert ":9: measured, by outbound_transfer" in result.stdout
    result = run("rules", "explain", "upload_volume", "--event", f"{SAMPLES}/okta/system.ndjson:1")
    assert result.exit_code == 1
    assert ":1: not measured" in result.stdout


def test_it_speaks_json(folder: Path) -> None:
    result = explain(folder, "evil_tool", {}, {"process.name": "good.exe"}, options=("--json",))
    assert result.exit_code == 1
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["matched"], second["matched"]) == (True, False)
    assert first["rule.id"] == "33333333-3333-4333-8333-333333333333"
    assert first["missing"] == []
    assert second["missing"] == [
        {
            "selection": "tool",
            "field": "process.name",
            "asked": "tool: process.name is 'evil.exe'",
            "wanted": True,
            "found": "good.exe",
            "hint": "",
        }
    ]


@pytest.mark.parametrize(
    ("rule", "event", "told"),
    [
        ("no_such_rule", f"{SAMPLES}/linux/auth.log:1", "no rule of that id or name"),
        ("astrill_dns", f"{SAMPLES}/linux/auth.log:999", "no event of"),
        ("astrill_dns", "nowhere.log:1", "is not there"),
        (str(bundled_rules() / "README.md"), f"{SAMPLES}/linux/auth.log:1", "there is no rule in it"),
    ],
)
def test_nothing_to_explain_is_2(rule: str, event: str, told: str) -> None:
    result = run("rules", "explain", rule, "--event", event)
    assert result.exit_code == 2
    assert told in result.stderr


def test_the_site_file_gives_zones_and_networks(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text('[placeholders]\ntools = "evil.exe"\n')
    (folder / "evil.yml").write_text(RULE.replace("process.name: evil.exe", "process.name|expand: '%tools%'"))
    assert explain(folder, "evil_tool", {}, options=("--site", str(site))).exit_code == 0
    assert explain(folder, folder / "evil.yml", {}).exit_code == 2


ITEMS = [
    tree.Item("s", tree.Field(name, (name,)), (tree.Text((value,)),)) for name in "abc" for value in "xy"
]
NODES = st.recursive(
    st.sampled_from(ITEMS),
    lambda inner: (
        st.builds(tree.Not, inner)
        | st.builds(tree.And, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(tree.Or, st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


def places(node: tree.Node, at: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    match node:
        case tree.Not(child):
            return places(child, (*at, 0))
        case tree.And(children) | tree.Or(children):
            return [place for number, child in enumerate(children) for place in places(child, (*at, number))]
    return [at]


def flipped(node: tree.Node, which: set[tuple[int, ...]], at: tuple[int, ...] = ()) -> tree.Node:
    match node:
        case tree.Not(child):
            return tree.Not(flipped(child, which, (*at, 0)))
        case tree.And(children):
            return tree.And(tuple(flipped(each, which, (*at, n)) for n, each in enumerate(children)))
        case tree.Or(children):
            return tree.Or(tuple(flipped(each, which, (*at, n)) for n, each in enumerate(children)))
    return tree.Not(node) if at in which else node


@settings(max_examples=200, deadline=None)
@given(NODES, st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz")))
def test_no_smaller_change_would_do(node: tree.Node, event: dict[str, str]) -> None:
    found = misses(node, event)
    assert (not found) == true_of(node, event)
    least = next(
        count
        for count in range(7)
        for which in combinations(places(node), count)
        if true_of(flipped(node, set(which)), event)
    )
    assert len(found) == least
    for miss in found:
        assert true_of(miss.item, event) != miss.wanted
