"""`molehunt rules`: the list of commands, and list, check and test as an author uses them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from analysis.workbench.commands import rules

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

RULE = """title: Evil tool started
id: 33333333-3333-4333-8333-333333333333
name: evil_tool
level: high
tags: [attack.t1219.002, molehunt.remote-control]
falsepositives: [IT]
why: 'Evil ran on {host.name}.'
logsource: {category: process}
detection:
  s: {process.name: evil.exe}
  condition: s
"""
EVENT = {
    "event.dataset": "windows.sysmon_operational",
    "event": {"category": ["process"]},
    "process.name": "evil.exe",
}
STORY = """title: Evil again and again
id: 44444444-4444-4444-8444-444444444444
level: high
tags: [molehunt.access]
correlation: {type: event_count, rules: [evil_tool], group-by: [host.name], timespan: 5m, condition: {gte: 2}}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(rules, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "evil.yml").write_text(RULE)
    write(tmp_path / "evil.match.ndjson", EVENT)
    write(tmp_path / "evil.nomatch.ndjson", {**EVENT, "process.name": "good.exe"})
    return tmp_path


def write(path: Path, *events: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def test_list(folder: Path) -> None:
    (folder / "a.yml").write_text(
        "title: Learned\nlevel: low\ntags: [molehunt.access]\nanomaly: {measure: count}\n"
    )
    (folder / "b.yml").write_text(STORY)
    lines = run("list", folder).stdout.splitlines()
    assert lines[2].split() == [
        "high", "remote_control", "Evil", "tool", "started", "[category", "process]",
        "33333333-3333-4333-8333-333333333333",
    ]  # fmt: skip
    assert "Learned  [anomaly]" in lines[0]
    assert "[correlation event_count]" in lines[1]
    rows = [json.loads(line) for line in run("list", "--json", folder).stdout.splitlines()]
    assert [row["title"] for row in rows] == ["Learned", "Evil again and again", "Evil tool started"]
    assert rows[2]["techniques"] == ["T1219.002"]
    assert rows[2]["silent"] is True


def test_check_is_content_with_a_good_rule(folder: Path) -> None:
    result = run("check", folder)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 rules, 0 to mend" in result.stderr


@pytest.mark.parametrize(
    ("before", "after", "line", "told"),
    [
        ("level: high\n", "", 1, "`level:` is missing"),
        ("falsepositives: [IT]\n", "", 1, "`falsepositives:` is missing"),
        ("molehunt.remote-control", "molehunt.durable", 5, "no tag says the category"),
        ("attack.t1219.002", "attack.T1219", 5, "no ATT&CK tag"),
        ("molehunt.remote-control", "molehunt.remote-control, molehunt.evil", 5, "not one of ours"),
        ("process.name: evil.exe", "process.nmae: evil.exe", 10, "'process.nmae' is neither a column"),
        ("{host.name}", "{host.nmae}", 7, "quotes {host.nmae}"),
        ("category: process", "product: aws", 8, "no sensor makes events of product aws"),
        ("condition: s", "condition: t", 11, "names 't'"),
        ("why:", "fields: [host.nmae]\nwhy:", 7, "names 'host.nmae'"),
    ],
)
def test_check_names_file_line_and_remedy(
    before: str, after: str, line: int, told: str, folder: Path
) -> None:
    path = folder / "evil.yml"
    assert before in RULE
    path.write_text(RULE.replace(before, after))
    result = run("check", path)
    assert result.exit_code == 1
    (said,) = result.stdout.splitlines()
    assert said.startswith(f"{path}:{line}: ")
    assert told in said


def test_check_knows_the_fields_of_what_a_correlation_counts(folder: Path) -> None:
    (folder / "story.yml").write_text(STORY.replace("host.name", "host.nmae"))
    assert "story.yml:5: 'host.nmae' is no column of the events of evil_tool" in run("check", folder).stdout


def test_examples_that_are_right(folder: Path) -> None:
    result = run("test", folder)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 rules, 2 events, 0 failed, 0 not tested" in result.stderr


def test_an_example_that_is_wrong_is_explained(folder: Path) -> None:
    write(folder / "evil.match.ndjson", EVENT, {**EVENT, "process.name": "other.exe"})
    result = run("test", folder)
    assert result.exit_code == 1
    assert "evil.match.ndjson:2: this event should match and does not" in result.stdout
    assert "no   s: process.name 'evil.exe' (the event has other.exe)" in result.stdout
    write(folder / "evil.match.ndjson", EVENT)
    write(folder / "evil.nomatch.ndjson", EVENT)
    assert "evil.nomatch.ndjson:1: this event should not match and does" in run("test", folder).stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[]", "a JSON object"),
        ('{"process.nmae": "x"}', "'process.nmae' is no field"),
    ],
)
def test_an_example_that_is_no_event_is_named(line: str, told: str, folder: Path) -> None:
    (folder / "evil.match.ndjson").write_text("\n" + line + "\n")
    result = run("test", folder)
    assert result.exit_code == 1
    assert "evil.match.ndjson:2: " in result.stdout
    assert told in result.stdout


def test_stories_test_correlations(folder: Path) -> None:
    (folder / "story.yml").write_text(STORY)
    told = [{**EVENT, "host.name": "h", "@timestamp": f"2026-10-12T14:0{minute}:00Z"} for minute in (0, 1)]
    write(folder / "story.match.ndjson", *told)
    write(folder / "story.nomatch.ndjson", told[0])
    assert run("test", folder).exit_code == 0
    write(folder / "story.match.ndjson", told[0])
    result = run("test", folder)
    assert result.exit_code == 1
    assert "story.match.ndjson:1: these events should make a finding and do not" in result.stdout


def test_rules_without_examples_are_named(folder: Path) -> None:
    (folder / "evil.match.ndjson").unlink()
    (folder / "evil.nomatch.ndjson").unlink()
    result = run("test", folder)
    assert result.exit_code == 0
    assert "Evil tool started: not tested, it has no examples" in result.stdout


def test_a_rule_that_cannot_be_read_fails_the_test(folder: Path) -> None:
    (folder / "broken.yml").write_text("title: [\n")
    result = run("test", folder)
    assert result.exit_code == 1
    assert "broken.yml:2: not valid YAML" in result.stderr
