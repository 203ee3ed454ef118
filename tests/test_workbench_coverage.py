"""`molehunt rules coverage`: techniques, signals, and the logs that rules need."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hunted import Hunted, run
from workbench_lake import answer, context, made, rule

from analysis.lake import Lake
from analysis.sigma import bundled_rules
from analysis.sigma.taxonomy import Logsource, Taxonomy
from analysis.workbench.coverage.telemetry import HAS, NO_DATASET, NO_FIELDS, NO_SENSOR, PART, looked_for


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> Hunted:
    return made(tmp_path_factory)


@cache
def documents() -> list[dict[str, Any]]:
    return [
        document
        for path in sorted(bundled_rules().rglob("*.yml"))
        for document in yaml.load_all(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    ]


@cache
def serving() -> set[str]:
    """Names of the rules that others count."""
    bodies = [document.get("correlation") or document.get("anomaly") for document in documents()]
    return {name for body in bodies if body and not body.get("generate") for name in body["rules"]}


def by_tag(pattern: str) -> dict[str, set[str]]:
    """Ids of the rules that make findings, by what their tags match."""
    found: dict[str, set[str]] = {}
    for document in documents():
        for tag in document.get("tags", ()):
            said = re.fullmatch(pattern, tag)
            if said and document.get("name") not in serving():
                found.setdefault(said[1].upper(), set()).add(document["id"])
    return found


def told(*arguments: object) -> dict[str, Any]:
    return answer("coverage", *arguments)


def test_techniques_tactics_and_signals_are_those_of_the_tags() -> None:
    covered = told()
    for key, pattern in (
        ("techniques", r"attack\.(t\d{4}(?:\.\d{3})?)"),
        ("signals", r"molehunt\.signal-(.+)"),
    ):
        expected = by_tag(pattern)
        assert expected
        assert {name.upper(): set(ids) for name, ids in covered[key].items()} == expected
    assert len(covered["rules"]) == len(documents())
    assert {one["id"] for one in covered["rules"] if one["serves_others_only"]} == {
        document["id"] for document in documents() if document.get("name") in serving()
    }
    assert all(one["state"] is None for one in covered["rules"])


def test_tactics_come_in_the_order_of_the_matrix(tmp_path: Path) -> None:
    tags = ["attack.impact", "attack.t1486", "attack.command-and-control", "attack.g0032"]
    path = rule(tmp_path, "one", {"s": {"dns.question.name": "a"}, "condition": "s"}, tags=tags)
    covered = told(path)
    (one,) = covered["rules"]
    assert one["tactics"] == ["command-and-control", "impact"]
    assert set(covered["tactics"]) == {"command-and-control", "impact"}
    assert covered["techniques"] == {"T1486": [one["id"]]}
    shown = run("rules", "coverage", path).stdout.splitlines()
    assert next(line.split() for line in shown if line.startswith("impact")) == ["impact", "1", "T1486"]


def test_the_layer_has_an_entry_a_technique(tmp_path: Path) -> None:
    path = tmp_path / "layer.json"
    covered = told("--navigator", path)
    layer = json.loads(path.read_text("utf-8"))
    assert layer["versions"] == {"navigator": "4.9.0", "layer": "4.5"}
    assert layer["domain"] == "enterprise-attack"
    assert layer["name"]
    titles = {one["id"]: one["title"] for one in covered["rules"]}
    assert [entry["techniqueID"] for entry in layer["techniques"]] == sorted(covered["techniques"])
    for entry in layer["techniques"]:
        ids = covered["techniques"][entry["techniqueID"]]
        assert entry["score"] == len(ids)
        assert entry["comment"].split("\n") == [titles[key] for key in ids]
        assert entry["enabled"] is True
        assert all(
            set(each) == {"name", "value"} and isinstance(each["value"], str) for each in entry["metadata"]
        )
        assert "color" not in entry
    most = max(entry["score"] for entry in layer["techniques"])
    assert layer["gradient"]["maxValue"] == most > layer["gradient"]["minValue"] == 0
    assert len(layer["gradient"]["colors"]) >= 2


def test_the_layer_greys_what_the_lake_cannot_show(hunted: Hunted, tmp_path: Path) -> None:
    path = tmp_path / "layer.json"
    covered = told("--navigator", path, "--lake", hunted.out, *context())
    states = {one["id"]: one["state"] for one in covered["rules"]}
    grey = set()
    for entry in json.loads(path.read_text("utf-8"))["techniques"]:
        able = [states[key] in (HAS, PART) for key in covered["techniques"][entry["techniqueID"]]]
        values = {each["name"]: each["value"] for each in entry["metadata"]}
        assert values["can run"] == f"{sum(able)} of {len(able)}"
        assert entry["comment"].count("cannot run") == len(able) - sum(able)
        assert ("color" in entry) == (not any(able))
        grey.update({entry["techniqueID"]} if "color" in entry else ())
    assert grey
    assert len(grey) < len(covered["techniques"])


def test_what_a_lake_has_and_lacks(hunted: Hunted, tmp_path: Path) -> None:
    windows = {"product": "windows", "category": "process_creation"}
    lookup = {"dns.question.name": "a.example"}
    rule(tmp_path, "has_it", {"s": lookup, "condition": "s"})
    rule(tmp_path, "in_part", {"s": lookup, "moon": {"dns.moon": 1}, "condition": "s and not moon"})
    rule(tmp_path, "no_fields", {"s": {**lookup, "dns.moon": 1}, "condition": "s"})
    rule(tmp_path, "no_dataset", {"s": {"Image": "x"}, "condition": "s"}, logsource=windows)
    rule(tmp_path, "no_sensor", {"s": {"x": "y"}, "condition": "s"}, logsource={"product": "toaster"})
    for name, rules in (
        ("counts_some", ["has_it", "no_fields"]),
        ("counts_none", ["no_fields", "no_dataset"]),
    ):
        correlation = {"type": "event_count", "rules": rules, "timespan": "1h", "condition": {"gte": 2}}
        rule(tmp_path, name, None, logsource=None, correlation={**correlation, "group-by": ["account"]})
    covered = told(tmp_path, "--lake", hunted.out)
    by_name = {one["name"]: one for one in covered["rules"]}
    assert {name: one["state"] for name, one in by_name.items()} == {
        "has_it": HAS,
        "in_part": PART,
        "no_fields": NO_FIELDS,
        "no_dataset": NO_DATASET,
        "no_sensor": NO_SENSOR,
        "counts_some": PART,
        "counts_none": NO_DATASET,
    }
    for name in ("in_part", "no_fields", "counts_some"):
        assert by_name[name]["lacks"] == ["dns.moon"]
    assert by_name["no_dataset"]["lacks"] == ["category process_creation, product windows"]
    assert by_name["no_dataset"]["datasets"] == [
        "windows.sysmon_operational",
        "windows.forwarded",
        "winlog.*",
        "system.security",
    ]
    frames = [batch.frame for batch in Lake(hunted.out / "lake").batches()]
    named = Counter[str]()
    for frame in frames:
        if "dns.question.name" in frame.columns:
            asked = frame.filter(pl.col("dns.question.name").is_not_null())
            named.update(dict(asked["event.dataset"].value_counts().iter_rows()))
    assert by_name["has_it"]["looks_at"] == named
    assert covered["sensors"]["zeek.dns"] == ["zeek"]


def test_anomaly_rules_need_what_their_measure_needs(hunted: Hunted) -> None:
    bare = {one["id"]: one for one in told(bundled_rules() / "anomaly", "--lake", hunted.out)["rules"]}
    whole = told(bundled_rules() / "anomaly", "--lake", hunted.out, *context())["rules"]
    clock = next(one for one in whole if one["path"].endswith("clock_shifted.yml"))
    assert clock["kind"] == "anomaly"
    assert clock["state"] in (HAS, PART)
    assert bare[clock["id"]]["state"] == NO_FIELDS
    assert bare[clock["id"]]["lacks"] == ["roster.timezone"]


def test_the_page_for_a_person(hunted: Hunted) -> None:
    result = run("rules", "coverage", "--lake", hunted.out, *context())
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert re.search(r"\d+ can run in full, \d+ can run in part", result.stdout)
    row = next(line for line in lines if line.startswith("T1219.003"))
    assert re.match(r"T1219\.003 +\d+ of \d+  \w+", row)
    for words in ("signal", "category process", "zeek.dns 3,832", "Cannot run", "R20 "):
        assert words in result.stdout
    shown = run("rules", "coverage", bundled_rules() / "access", "--details").stdout
    assert "of 1" not in shown
    assert "account.basis" in shown


def test_a_long_page_names_one_rule_a_row(tmp_path: Path) -> None:
    lookup = {"s": {"dns.question.name": "a.example"}, "condition": "s"}
    for number in range(45):
        tags = ["attack.initial-access", f"attack.t{1500 + number}", "attack.t1499"]
        rule(tmp_path, f"looked_up_{number:02}", lookup, tags=tags[: 3 if number < 3 else 2])
    lines = run("rules", "coverage", tmp_path).stdout.splitlines()
    row = next(line for line in lines if line.startswith("T1499"))
    assert row.split("  ")[-1].strip() == "Looked_up_00 and 2 more"
    tactic = lines[next(place for place, line in enumerate(lines) if line.startswith("initial-access")) :]
    assert " and 34 more" in " ".join(tactic[:3])


def test_fields_are_lacking_of_some_log(hunted: Hunted, tmp_path: Path) -> None:
    """A name such as Image says little without the log that lacks it."""
    rule(tmp_path, "no_fields", {"s": {"dns.moon": 1}, "condition": "s"})
    part = {"s": {"dns.question.name": "a"}, "moon": {"dns.moon": 1}, "condition": "s and not moon"}
    rule(tmp_path, "in_part", part)
    shown = run("rules", "coverage", tmp_path, "--lake", hunted.out).stdout
    assert "lacks the fields: dns.moon, of category dns" in shown
    assert "1  dns.moon, of category dns" in shown


def test_a_broken_rule_and_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    rule(tmp_path, "fine", {"s": {"dns.question.name": "a"}, "condition": "s"})
    (tmp_path / "broken.yml").write_text("title: Broken\nlogsource: {}\ndetection: {}\n")
    result = run("rules", "coverage", tmp_path)
    assert result.exit_code == 1
    assert "broken.yml:" in result.stderr
    assert "1 rule" in result.stdout
    result = run("rules", "coverage", tmp_path, "--navigator", tmp_path / "no" / "layer.json")
    assert result.exit_code == 1
    assert "No such file" in result.stderr


@pytest.mark.parametrize(
    ("source", "datasets"),
    [
        (
            Logsource("ps_script", "windows"),
            ("windows.powershell_operational", "windows.forwarded", "winlog.*"),
        ),
        (Logsource(None, "okta", "okta"), ("okta.system",)),
        (Logsource("process"), ("event.category 'process'",)),
        (Logsource("any"), ("any",)),
        (Logsource("repository"), ("github.*", "gitlab.*", "bitbucket.*")),
    ],
)
def test_the_datasets_of_a_logsource(source: Logsource, datasets: tuple[str, ...]) -> None:
    events = Taxonomy().events(source)
    assert events is not None
    assert looked_for(events) == datasets
