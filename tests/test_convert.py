"""`molehunt rules convert`, and our own rules in the languages of other systems."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner
from sigma.plugins import InstalledSigmaPlugins

from analysis.cli import main
from analysis.sigma import bundled_rules
from analysis.workbench.convert.asked import read_rules
from analysis.workbench.convert.conversion import convert
from analysis.workbench.convert.targets import Target

if TYPE_CHECKING:
    from click.testing import Result

RULES = bundled_rules()
# Splunk, Microsoft Sentinel and Elastic. The fields of our rules are ECS's: Elastic has them as they are, and
# so has Splunk where events are sent in ECS; the columns of Log Analytics have no dots.
TARGETS = {
    "molehunt": Target("molehunt"),
    "splunk": Target("splunk", without_pipeline=True),
    "kusto": Target("kusto", ["molehunt_kusto"]),
    "lucene": Target("lucene", without_pipeline=True),
    "eql": Target("eql", without_pipeline=True),
    "esql": Target("esql", without_pipeline=True),
}
CORRELATIONS = {
    "DNS used to carry data",
    "Machine and account asked about in one go",
    "Many files downloaded soon after a sign-in through an anonymising proxy",
    "Many files downloaded within ten minutes",
    "Many repositories cloned within ten minutes",
    "One session used from several networks",
    "Passwords of many applications shown",
    "Remote desktop from within a remote desktop",
    "Signed in from many addresses in a day",
    "Two remote-access products on one machine",
}
REFERRING = {
    "Laptop shipped to another region than the home on file",
    "Right password and refused second factor from another country",
    "Sign-in from a country other than the one on file",
}
ASKING_FOR_NO_VALUE = {
    "A repository was used",
    "Event of a cloud service that tells the address of a person",
    "Factor for sign-in enrolled or challenged, with its telephone number",
    "Successful sign-in from a known place",
    "Successful sign-in on a device that the identity provider knows",
    "VPN session from a known place",
    "VPN session that tells the address of a person",
    "Laptop shipped to another region than the home on file",
    "Mail set to be forwarded",
    "Many files downloaded soon after a sign-in through an anonymising proxy",
    "One session used from several networks",
    "Payroll page opened through an anonymising proxy",
    "Remote desktop from within a remote desktop",
    "Remote-desktop keyboard layout does not fit the country on file",
    "Remote-desktop logon from a public address",
    "Remote-desktop session on a machine",
    "Right password and refused second factor from another country",
    "Sign-in from a country other than the one on file",
    "Sign-in from a hosting or VPN network",
    "Sign-in through an anonymising proxy or consumer VPN",
    "Signed in from many addresses in a day",
    "Successful sign-in from outside the company's networks",
}
# What the backends of other systems cannot say; ours can say all of it.
NO_CORRELATIONS = dict.fromkeys(CORRELATIONS, "Backend does not support correlation rules")
NO_ORDER = "Correlation type 'temporal_ordered' is not supported by backend"
REFUSED = {
    "molehunt": {},
    "splunk": {"Remote desktop from within a remote desktop": NO_ORDER},
    "kusto": {
        **NO_CORRELATIONS,
        **dict.fromkeys(REFERRING, "Field reference expression is not supported by backend"),
    },
    "lucene": {
        **NO_CORRELATIONS,
        **dict.fromkeys(REFERRING, "ES Lucene backend can't handle field references"),
    },
    "eql": dict.fromkeys(ASKING_FOR_NO_VALUE, "Field exists expressions are not supported by the backend"),
    "esql": {"Remote desktop from within a remote desktop": NO_ORDER},
}


@pytest.mark.parametrize("name", TARGETS)
def test_every_rule_of_ours_is_converted_where_the_backend_can(name: str) -> None:
    topics = [str(path) for path in sorted(RULES.iterdir()) if path.is_dir() and path.name != "anomaly"]
    selectors = [str(path) for path in sorted(RULES.rglob("selectors"))]
    refused = {}
    for named in (topics, selectors):  # selectors speak through what counts them; here each for itself too
        asked, unread = read_rules(named, ())
        assert unread == []
        assert len(asked.wanted) > 15
        converted, failures = convert(asked, TARGETS[name])
        refused |= {failure.title: failure.reason for failure in failures}
        assert converted.count(b"\n\n") + 1 >= len(asked.wanted) - len(failures)
    assert refused == REFUSED[name]


def test_field_names_are_names_to_kusto() -> None:
    asked, _ = read_rules([str(RULES / "access" / "astrill_client.yml")], ())
    converted, _ = convert(asked, TARGETS["kusto"])
    assert b'process_name in~ ("astrill.exe"' in converted
    assert b"'process" not in converted


# --- the command ------------------------------------------------------------------------------------------

RULE = """
title: {title}
name: {name}
logsource: {{product: okta}}
detection:
  s: {{{detection}}}
  condition: s
"""
COUNT = """
title: {title}
correlation: {{type: event_count, rules: [{counted}], timespan: 5m, condition: {{gte: {least}}}}}
"""


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["rules", "convert", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def written(path: Path, *documents: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---".join(documents), "utf-8")
    return path


def good(name: str = "good", detection: str = "eventType: user.session.start") -> str:
    return RULE.format(title=f"Rule {name}", name=name, detection=detection)


def test_sql_is_what_there_is_without_a_target(tmp_path: Path) -> None:
    rule = written(tmp_path / "a.yml", good())
    query = run(rule).stdout
    events = pl.DataFrame(
        {"event.dataset": ["okta.system"] * 2, "event.action": ["user.session.start", "user.session.end"]}
    )
    assert pl.SQLContext(events=events, eager=True).execute(query).height == 1
    events.write_parquet(tmp_path / "events.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW events AS FROM '{tmp_path / 'events.parquet'}'")
        assert len(connection.execute(query).fetchall()) == 1


def test_it_says_what_sigma_convert_says(tmp_path: Path) -> None:
    from sigma.cli.convert import convert as sigma_convert  # noqa: PLC0415 - it looks for plugins as it is imported

    rule = written(tmp_path / "a.yml", good())
    for target, pipeline in (
        ("molehunt", "molehunt"),
        ("splunk", "splunk_windows"),
        ("lucene", "ecs_windows"),
    ):
        theirs = CliRunner().invoke(sigma_convert, ["-t", target, "-p", pipeline, str(rule)])
        assert theirs.exit_code == 0, theirs.output
        assert run("-t", target, "-p", pipeline, rule).stdout == theirs.stdout


def test_what_cannot_be_converted_is_named_and_the_rest_is_converted(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    written(folder / "a.yml", good())
    written(folder / "b.yml", "\n" + RULE.format(title="By words", name="words", detection="'|all': [x, y]"))
    written(folder / "c.yml", "title: Learned\nlogsource: {category: any}\nanomaly: {measure: count}\n")
    written(folder / "d.yml", "title: [\n")
    written(folder / "e.yml", COUNT.format(title="Lost", counted="nowhere", least=2))
    written(
        folder / "f.yml",
        COUNT.format(title="Round", counted="round", least=2).replace("title", "name: round\ntitle"),
    )
    result = run(folder, status=1)
    assert "-- Rule good" in result.stdout
    assert result.stdout.count("SELECT") > 0
    told = result.stderr.splitlines()
    assert told[0].startswith(f"{folder / 'd.yml'}:")
    assert "not valid YAML" in told[0]
    assert told[1] == (
        f"{folder / 'b.yml'}:3: By words: a keyword is looked for in every column, and SQL has to name them: "
        "say which lake it is for, with -O lake=DIR"
    )
    assert told[2].startswith(f"{folder / 'c.yml'}:1: Learned: an anomaly rule learns its threshold")
    assert told[3].endswith("Lost: it counts 'nowhere', which is no rule here; name its folder with --rules")
    assert told[4].endswith("Round: it counts itself, by way of 'round'; break the circle")
    assert told[5] == "converted: 1 rule; not converted: 5"


def test_what_a_correlation_counts_is_found(tmp_path: Path) -> None:
    count = written(tmp_path / "count.yml", COUNT.format(title="Many", counted="good", least=3))
    run(count, status=1)
    written(tmp_path / "library" / "good.yml", good())
    found = run(count, "--rules", tmp_path / "library").stdout
    assert "-- Many" in found
    assert "-- Rule good" not in found
    written(tmp_path / "good.yml", good())
    assert run(count).stdout == found
    both = run(count, tmp_path / "good.yml").stdout
    assert both == found  # what is counted speaks through what counts it
    assert "-- Two remote-access products" in run("two_remote_tools").stdout


def test_rules_are_named_by_id_name_or_file(tmp_path: Path) -> None:
    by_file = run("astrill_client").stdout
    assert by_file == run(RULES / "access" / "astrill_client.yml").stdout
    (rule_id,) = (line.split("(")[1].split(")")[0] for line in by_file.splitlines() if line.startswith("--"))
    assert run(rule_id).stdout == by_file
    assert "no such file, folder or rule" in run(tmp_path / "nothing.yml", status=1).stderr


def test_a_file_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out.sql"
    shown = run("astrill_client").stdout
    assert run("astrill_client", "-o", out).stdout == ""
    assert out.read_text("utf-8") == shown
    assert "is a directory" in run("astrill_client", "-o", tmp_path, status=2).stderr
    refused = run("astrill_client", "-o", tmp_path / "no" / "out.sql", status=1)
    assert "cannot be written (No such file or directory); name another file" in refused.stderr


def test_placeholders_take_their_values_from_the_site_file(tmp_path: Path) -> None:
    rule = written(tmp_path / "a.yml", good(detection="actor.alternateId|expand: '%admins%'"))
    refused = run(rule, status=1)
    assert "placeholder %admins% has no value" in refused.stderr
    site = tmp_path / "site.toml"
    site.write_text('[placeholders]\nadmins = ["ada@corp.example", "root*"]\n', "utf-8")
    query = run(rule, "--site", site).stdout
    assert "'ada@corp.example'" in query
    assert "STARTS_WITH(" in query
    spl = run(rule, "--site", site, "-t", "splunk", "--without-pipeline").stdout
    assert spl == 'actor.alternateId IN ("ada@corp.example", "root*")\n'


def test_a_threshold_that_pysigma_would_cut_is_not_cut(tmp_path: Path) -> None:
    rule = written(tmp_path / "a.yml", good(), COUNT.format(title="Many", counted="good", least=2.5))
    assert 'LAG("at", 2)' in run(rule).stdout  # three events are more than two and a half
    if version("pysigma") < "2":
        told = run(rule, "-t", "splunk", "--without-pipeline", status=1).stderr
        assert "pySigma takes the threshold 2.5 for 2; write a whole number" in told


def test_filters_hold_for_the_rules(tmp_path: Path) -> None:
    rule = written(tmp_path / "a.yml", good())
    sieve = written(
        tmp_path / "f.yml",
        "title: Not the robot\nlogsource: {product: okta}\n"
        "filter: {rules: [good], selection: {user.name: robot}, condition: not selection}\n",
    )
    assert "'robot'" not in run(rule).stdout
    assert "'robot'" in run(rule, sieve).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-t", "nope", "astrill_client"], "try: sigma plugin install nope"),
        (["-t", "splunk", "astrill_client"], "asks for a pipeline: name one with -p (splunk_cim"),
        (["-p", "nope", "astrill_client"], "there is no pipeline and no file 'nope'"),
        (["-p", "splunk_cim", "astrill_client"], "is not for molehunt; those that are: molehunt"),
        (["-O", "nope=1", "astrill_client"], "does not take the options given"),
        (["-f", "nope", "astrill_client"], "has no format 'nope'; take one of default"),
        (["-O", "nope", "astrill_client"], "write it as name=value"),
        ([], "name the rules to convert"),
    ],
)
def test_a_mistake_in_the_command_line_says_what_to_do(arguments: list[str], said: str) -> None:
    assert said in run(*arguments, status=2).stderr


def test_other_formats_are_the_backends_own() -> None:
    searches = run(
        "-t", "splunk", "--without-pipeline", "-f", "savedsearches", "astrill_client", "two_remote_tools"
    )
    assert searches.stdout.count("[default]") == 1
    assert "[Astrill VPN client on a company machine]" in searches.stdout
    lines = run(
        "-t", "lucene", "--without-pipeline", "-f", "dsl_lucene", "astrill_client"
    ).stdout.splitlines()
    assert "query" in json.loads(lines[0])


def test_the_list_names_targets_formats_and_pipelines() -> None:
    listed = run("--list").stdout
    for name in InstalledSigmaPlugins.autodiscover().backends:
        assert f"\n{name}: " in f"\n{listed}"
    assert "    pipelines: molehunt\n" in listed
    assert "sigma plugin install opensearch" in listed


def test_a_backend_that_breaks_loses_no_other_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sigma.backends.molehunt import MolehuntBackend  # noqa: PLC0415 - one test

    real = MolehuntBackend.convert_condition

    def breaks(self: MolehuntBackend, cond: object, state: object) -> str:
        query: str = real(self, cond, state)
        if "break" in query:
            raise ZeroDivisionError("oh")
        return query

    monkeypatch.setattr(MolehuntBackend, "convert_condition", breaks)
    bad = RULE.format(title="Bad", name="bad", detection="eventType: break")
    result = run(written(tmp_path / "a.yml", good(), bad), status=1)
    assert "-- Rule good" in result.stdout
    assert "Bad: the backend molehunt fails (ZeroDivisionError: oh" in result.stderr


def test_what_the_page_shows_of_other_systems_runs(tmp_path: Path) -> None:
    page = (RULES / "README.md").read_text("utf-8")
    section = page[page.index("## Other systems") : page.index("## What ours say")]
    blocks = re.findall(r"```(sh|python)\n(.*?)```", section, re.DOTALL)
    assert [language for language, _ in blocks] == ["sh", "python"]
    (tmp_path / "samples").symlink_to(Path(__file__).resolve().parents[1] / "samples")
    shell, code = (text for _, text in blocks)
    program = written(
        tmp_path / "bin" / "molehunt", f"#!{sys.executable}\nfrom analysis.cli import main\nmain()\n"
    )
    program.chmod(0o755)
    home = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }
    subprocess.run(["sh", "-euc", shell], cwd=tmp_path, env=home, check=True, capture_output=True)
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=home, check=True, capture_output=True, text=True
    ).stdout
    assert "shape: (4, " in shown
    assert re.search(r"\b4\b[^\d]*$", shown)
