"""`molehunt rules`: the list of commands, and list, check and test as an author uses them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner
from hunted import REPO
from sigma.validators.core import validators

from analysis.sigma.reading.load import bundled_rules
from analysis.workbench.check.validators import ADVICE, LEFT_OUT
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
falsepositives: [IT]
why: 'Evil ran {count} times.'
correlation: {type: event_count, rules: [evil_tool], group-by: [host.name], timespan: 5m, condition: {gte: 2}}
"""

TOLD = "owner: soc@corp.example\nreason: a scanner\nexpires: 2999-12-31\n"
SUPPRESSION = f"""title: Scanner
id: 55555555-5555-4555-8555-555555555555
{TOLD}logsource: {{category: process}}
filter: {{rules: [evil_tool], s: {{host.name: scan01}}, condition: not s}}
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


def test_the_commands_are_the_modules_of_the_folder() -> None:
    told = run("--help").stdout
    for name in ("check", "list", "match", "test"):
        assert f"\n  {name} " in told
        assert run(name, "--help").stdout.startswith(f"Usage: rules {name} ")
    assert run("nonsense").exit_code == 2
    assert run("lint").exit_code == 2


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from analysis.cli import main; main(['rules', '--help'], standalone_mode=False); "
        "main(['rules', 'check', '--help'], standalone_mode=False); "
        "print([name for name in ('polars', 'sigma', 'numba', 'yaml', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_list(folder: Path) -> None:
    (folder / "a.yml").write_text(
        "title: Learned\nlevel: low\ntags: [molehunt.durable, molehunt.access]\nanomaly: {measure: count}\n"
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


@pytest.mark.parametrize(
    ("option", "wanted", "titles"),
    [
        ("--level", "high", ["Evil again and again", "Evil tool started"]),
        ("--level", "low", ["Learned", "Evil again and again", "Evil tool started"]),
        ("--category", "remote_control", ["Evil tool started"]),
        ("--kind", "correlation", ["Evil again and again"]),
        ("--kind", "anomaly", ["Learned"]),
        ("--kind", "filter", ["Scanner"]),
        ("--tag", "attack.T1219*", ["Evil tool started"]),
        ("--tag", "attack.t1219", []),
        ("--logsource", "category PROCESS", ["Evil tool started"]),
    ],
)
def test_list_can_be_narrowed(option: str, wanted: str, titles: list[str], folder: Path) -> None:
    (folder / "a.yml").write_text(
        "title: Learned\nlevel: low\ntags: [molehunt.access]\nanomaly: {measure: count}\n"
    )
    (folder / "b.yml").write_text(STORY)
    (folder / "z.yml").write_text(SUPPRESSION)
    rows = [json.loads(line) for line in run("list", "--json", folder, option, wanted).stdout.splitlines()]
    assert [row["title"] for row in rows] == titles


def test_list_says_who_suppresses_until_when(folder: Path) -> None:
    (folder / "z.yml").write_text(SUPPRESSION)
    assert "Scanner  [filter until 2999-12-31]" in run("list", folder).stdout
    (line,) = run("list", "--json", "--kind", "filter", folder).stdout.splitlines()
    row = json.loads(line)
    assert (row["owner"], row["reason"], row["rules"]) == ("soc@corp.example", "a scanner", ["evil_tool"])


def test_list_names_what_cannot_be_loaded(folder: Path) -> None:
    (folder / "broken.yml").write_text("title: [\n")
    result = run("list", folder)
    assert result.exit_code == 1
    assert "Evil tool started" in result.stdout
    assert "broken.yml:2: not valid YAML" in result.stderr


def test_the_hooks_for_pre_commit_run_what_there_is(folder: Path) -> None:
    hooks = yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["molehunt-rules-check", "molehunt-rules-test"]
    for hook in hooks:
        taken = [path for path in sorted(folder.iterdir()) if re.search(hook["files"], f"rules/{path.name}")]
        assert folder / "evil.yml" in taken
        assert not re.search(hook["files"], "deploy/compose.yml")
        words = hook["entry"].split()
        assert words[:2] == ["molehunt", "rules"]
        assert run(*words[2:], *taken).exit_code == 0
    write(folder / "evil.nomatch.ndjson", EVENT)
    assert run("test", folder / "evil.yml", folder / "evil.nomatch.ndjson").exit_code == 1
    failed = run("test", "--json", folder / "evil.yml", folder / "evil.nomatch.ndjson").stdout
    assert len(failed.splitlines()) == 1


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
        ("[IT]", "['IT', the boss: himself]", 6, "must list texts, not {'the boss': 'himself'}"),
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
    assert "story.yml:7: 'host.nmae' is no column of the events of evil_tool" in run("check", folder).stdout


def test_check_knows_the_rules_beside_those_it_is_given(folder: Path) -> None:
    (folder / "story.yml").write_text(STORY)
    assert run("check", folder / "story.yml").exit_code == 0
    (folder / "again.yml").write_text(RULE.replace("Evil tool started", "Evil again"))
    (folder / "again.yml").rename(folder / "other.yml")
    result = run("check", folder / "other.yml")
    assert result.exit_code == 1
    assert (
        f"other.yml:2: id '33333333-3333-4333-8333-333333333333' is already used in {folder}" in result.stdout
    )


def test_check_finds_what_a_rule_refers_to_in_another_folder(folder: Path) -> None:
    (folder / "stories").mkdir()
    story = folder / "stories" / "story.yml"
    story.write_text(STORY)
    assert "no rule has the name or id 'evil_tool'" in run("check", story).stdout
    assert run("check", story, "--rules", folder).exit_code == 0


@pytest.mark.parametrize(
    ("before", "after", "place", "kind"),
    [
        ("  condition", "  t: {process.name: x}\n  condition", 11, "dangling_detection"),
        ("tags: [", "tags: [attack.t1219.002, ", 5, "duplicate_tag"),
        ("level", "references: [a, b, a]\nlevel", 4, "duplicate_references"),
        ("level", "reference: a\nlevel", 4, "custom_attributes"),
        ("evil.exe}", '"a\\tb"}', 10, "control_character"),
        ("process.name:", "process.name|base64offset:", 10, "invalid_modifier_combinations"),
        ("tags: [", "tags: [tlp.blue, ", 5, "tlptag"),
        ("{category: process}", "{category: process, vendor: x}", 8, "fieldname_logsource"),
    ],
)
def test_check_runs_the_validators_of_pysigma(
    before: str, after: str, place: int, kind: str, folder: Path
) -> None:
    (folder / "evil.yml").write_text(RULE.replace(before, after, 1))
    result = run("check", folder)
    assert result.exit_code == 1
    (said,) = result.stdout.splitlines()
    assert said.startswith(f"{folder / 'evil.yml'}:{place}: ")
    assert said.endswith(f" [{kind}]")
    assert run("check", folder, "--ignore", kind).exit_code == 0


def test_check_strict_tells_matters_of_style(folder: Path) -> None:
    (folder / "evil.yml").write_text(RULE.replace("evil.exe", "[evil.exe, 'a**evil']"))
    assert run("check", folder).stdout == ""
    result = run("check", "--strict", folder)
    assert result.exit_code == 1
    assert ":10: warning: String contains multiple consecutive * wildcards" in result.stdout
    assert "1 rules, 0 to mend, 1 warnings" in result.stderr


def test_check_knows_every_validator_of_pysigma() -> None:
    assert set(ADVICE) ^ set(LEFT_OUT) == set(validators)
    assert not set(ADVICE) & set(LEFT_OUT)


def test_check_speaks_json(folder: Path) -> None:
    (folder / "evil.yml").write_text(RULE.replace("process.name", "proces.name"))
    (line,) = run("check", "--json", folder).stdout.splitlines()
    assert json.loads(line) == {
        "file": str(folder / "evil.yml"),
        "line": 10,
        "column": 7,
        "kind": "field",
        "severity": "error",
        "message": "field 'proces.name' is neither a column (sensors/ecs.toml) nor mapped to one "
        "(analysis/sigma/fields.toml); did you mean 'process.name'?",
    }


def test_check_does_not_drown_its_reader(folder: Path) -> None:
    names = "".join(f"    nonsense{number}: 1\n" for number in range(30))
    (folder / "evil.yml").write_text(RULE.replace("s: {process.name: evil.exe}", f"s:\n{names}"))
    result = run("check", folder)
    assert len(result.stdout.splitlines()) == 21
    assert result.stdout.splitlines()[-1].startswith("not printed: 10 of field; ")
    assert len(run("check", "--all", folder).stdout.splitlines()) == 30


def test_a_copy_of_one_of_ours_is_a_rule_like_any_other(folder: Path) -> None:
    own = bundled_rules() / "access" / "astrill_dns.yml"
    for path in own.parent.glob("astrill_dns*"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "evil.yml").unlink()
    (folder / "evil.match.ndjson").unlink()
    (folder / "evil.nomatch.ndjson").unlink()
    for command in ("check", "test"):
        result = run(command, folder)
        assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert result.stderr.startswith("1 rules, ")
    (folder / "astrill_dns.yml").write_text(own.read_text().replace("level: high", "level: low"))
    result = run("check", folder)
    assert result.exit_code == 0
    assert "is that of molehunt's own astrill_dns.yml; a hunt with both leaves this one out" in result.stdout


def test_check_reads_anomaly_rules(folder: Path) -> None:
    text = (bundled_rules() / "anomaly" / "upload_volume.yml").read_text()
    text = text.replace("be3fa6ea-70f2-500a-b757-9fac1597c564", "be3fa6ea-70f2-500a-b757-9fac1597c565")
    text = text.replace("name: upload_volume", "name: volume")
    (folder / "volume.yml").write_text(text.replace("robust_z:", "robust:"))
    (said,) = run("check", folder / "volume.yml").stdout.splitlines()
    assert "measure sum has no 'robust'" in said
    assert said.endswith("[load]")


def test_a_suppression_says_who_why_and_until_when(folder: Path) -> None:
    path = folder / "suppress.yml"
    path.write_text(SUPPRESSION)
    assert run("check", folder).exit_code == 0
    path.write_text(path.read_text().replace(TOLD, ""))
    result = run("check", folder)
    assert result.exit_code == 1
    assert {line.split("`")[1] for line in result.stdout.splitlines()} == {"owner:", "reason:", "expires:"}
    path.write_text(path.read_text().replace("logsource", TOLD.replace("2999", "2020") + "logsource"))
    result = run("check", folder)
    assert result.exit_code == 0
    assert "warning: Scanner: expired on 2020-12-31" in result.stdout
    assert run("check", "--strict", folder).exit_code == 1


def test_our_own_rules_are_checked_by_whatever_path_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundled_rules().parent)
    result = run("check", f"{bundled_rules().name}/anomaly")
    assert (result.exit_code, result.stdout) == (0, "")


def test_examples_that_are_right(folder: Path) -> None:
    result = run("test", folder)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 rules, 2 events, 0 failed, 0 not tested" in result.stderr


def test_an_example_that_is_wrong_is_explained(folder: Path) -> None:
    write(folder / "evil.match.ndjson", EVENT, {**EVENT, "process.name": "other.exe"})
    result = run("test", folder)
    assert result.exit_code == 1
    assert "evil.match.ndjson:2: this event should match and does not" in result.stdout
    assert "  no  s: process.name is 'evil.exe'; the event has other.exe\n" in result.stdout
    assert "  closest: one to go\n" in result.stdout
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
    assert "it needs event_count gte 2 in 5m by host.name; it counts evil_tool" in result.stdout
    assert "for host.name h, 1 counted; most in one window: 1, not enough" in result.stdout


def test_rules_without_examples_are_named(folder: Path) -> None:
    (folder / "evil.match.ndjson").unlink()
    (folder / "evil.nomatch.ndjson").unlink()
    result = run("test", folder)
    assert result.exit_code == 0
    assert "Evil tool started: not tested, it has no examples" in result.stdout


def test_a_file_of_examples_stands_for_its_rule(folder: Path) -> None:
    assert "1 rules, 2 events, 0 failed" in run("test", folder / "evil.nomatch.ndjson").stderr
    (folder / "evil.yml").rename(folder / "good.yml")
    result = run("test", folder / "evil.nomatch.ndjson")
    assert result.exit_code == 1
    assert "there is no evil.yml beside it" in result.stderr
    result = run("test", folder)
    assert result.exit_code == 1
    assert "evil.match.ndjson:1: there is no rule evil.yml beside these examples" in result.stderr


def test_only_the_rules_that_are_named_are_tested(folder: Path) -> None:
    (folder / "story.yml").write_text(STORY)
    write(folder / "story.match.ndjson", EVENT)
    assert run("test", folder / "evil.yml").exit_code == 0
    assert run("test", folder / "story.yml").exit_code == 1


def test_the_test_speaks_json(folder: Path) -> None:
    write(folder / "evil.nomatch.ndjson", EVENT)
    (line,) = run("test", "--json", folder).stdout.splitlines()
    said = json.loads(line)
    (failed,) = said.pop("failed")
    assert said == {
        "file": str(folder / "evil.yml"),
        "title": "Evil tool started",
        "kind": "rule",
        "match": 1,
        "nomatch": 1,
    }
    assert failed["file"] == str(folder / "evil.nomatch.ndjson")
    assert failed["line"] == 1
    assert failed["message"].startswith("this event should not match and does\n")


def test_a_rule_that_cannot_be_read_fails_the_test(folder: Path) -> None:
    (folder / "broken.yml").write_text("title: [\n")
    result = run("test", folder)
    assert result.exit_code == 1
    assert "broken.yml:2: not valid YAML" in result.stderr
