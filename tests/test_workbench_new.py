"""`molehunt rules new`: what it writes passes the check and the test at once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hunted import SAMPLES, run
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.sigma import RulePack
from analysis.sigma.explain import true_of
from analysis.sigma.reading.detection import Reading, read_detection
from analysis.sigma.tree import Field
from analysis.workbench.new.drafting import _pattern
from analysis.workbench.new.telling import tells, templates

EVENTS = {
    "zeek/conn.log:9": ("network_traffic", ["destination.port", "network.protocol", "network.transport"]),
    "okta/system.ndjson:1": ("authentication", ["event.action", "event.outcome"]),
    "linux/auth.log:1": ("remote_session", ["process.name"]),
    "windows/sysmon.xml:3": ("process_creation", ["process.name", "process.parent.name"]),
    "windows/security.evtx:51204": ("device", ["device.model.name", "device.model.identifier"]),
    "capture/conversation.pcap:1": ("dns", ["dns.question.name"]),
    "github/audit.ndjson:1": ("repository", ["event.action"]),
    "scenario/linux/servers.zip!build01/auth.log:1": (None, None),
}


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def passes(folder: Path) -> None:
    checked = run("rules", "check", folder)
    assert checked.exit_code == 0, checked.output
    assert {line.rpartition("[")[2] for line in checked.stdout.splitlines()} <= {"draft]"}
    tested = run("rules", "test", folder)
    assert (tested.exit_code, tested.stdout) == (0, ""), tested.output


@pytest.mark.parametrize("template", [*templates(), "correlation", "anomaly"])
def test_a_template_passes_the_check_and_the_test(template: str, tmp_path: Path) -> None:
    result = run("rules", "new", "--template", template, "-o", tmp_path / "rules" / "mine.yml")
    assert result.exit_code == 0, result.output
    files = written(tmp_path)
    assert {f"rules/mine{ending}" for ending in (".yml", ".match.ndjson", ".nomatch.ndjson")} <= set(files)
    assert sorted(result.stdout.splitlines()) == [str(tmp_path / name) for name in files]
    passes(tmp_path)


@pytest.mark.parametrize("place", EVENTS)
def test_an_event_becomes_a_rule_that_finds_it(place: str, tmp_path: Path) -> None:
    result = run("rules", "new", "--from-event", SAMPLES / place, "-o", tmp_path / "mine.yml")
    assert result.exit_code == 0, result.output
    assert written(tmp_path) == ["mine.match.ndjson", "mine.yml"]
    passes(tmp_path)
    (event,) = [json.loads(line) for line in (tmp_path / "mine.match.ndjson").read_text().splitlines()]
    assert not [name for name in event if name.startswith(("log.", "molehunt.source"))]
    rule = yaml.safe_load((tmp_path / "mine.yml").read_text())
    category, fields = EVENTS[place]
    if fields is not None:
        assert rule["logsource"]["category"] == category
        assert list(rule["detection"]["selection"]) == fields


@pytest.mark.parametrize("shape", ["correlation", "anomaly"])
def test_an_event_becomes_what_counts_it(shape: str, tmp_path: Path) -> None:
    place = SAMPLES / "windows" / "sysmon.xml"
    result = run(
        "rules", "new", "--template", shape, "--from-event", f"{place}:3", "-o", tmp_path / "mine.yml"
    )
    assert result.exit_code == 0, result.output
    assert written(tmp_path) == [
        "mine.match.ndjson", "mine.nomatch.ndjson", "mine.yml", "mine_event.match.ndjson", "mine_event.yml",
    ]  # fmt: skip
    passes(tmp_path)


def test_what_the_author_says_is_written(tmp_path: Path) -> None:
    said = ["--title", "A name: odd", "--level", "high", "--category", "payment", "--author", "Ann Lee"]
    assert run("rules", "new", "--template", "dns", *said, "-o", tmp_path / "Odd name.yml").exit_code == 0
    (rule,) = RulePack.load([tmp_path]).rules
    assert (rule.title, rule.level.name, rule.category) == ("A name: odd", "HIGH", "payment")
    assert rule.document["author"] == "Ann Lee"
    assert rule.name == "odd_name"
    assert (tmp_path / "odd_name.match.ndjson").is_file()


def test_the_author_is_that_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "config", "user.name", "Bo Ek"], check=True)
    assert "\nauthor: Bo Ek\n" in run("rules", "new", "--template", "dns").stdout


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    arguments = ["rules", "new", "--template", "dns", "-o", tmp_path / "mine.yml"]
    (tmp_path / "mine.nomatch.ndjson").write_text("mine")
    result = run(*arguments)
    assert result.exit_code == 1
    assert f"{tmp_path / 'mine.nomatch.ndjson'} is there already; nothing was written" in result.stderr
    assert written(tmp_path) == ["mine.nomatch.ndjson"]


def test_each_rule_has_an_id_of_its_own() -> None:
    ids = {yaml.safe_load(run("rules", "new", "--template", "dns").stdout)["id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "give --template or --from-event"),
        (("--template", "nonsense"), 2, "take one of process, authentication"),
        (("--from-event", "nowhere.log:1"), 1, "nowhere.log is not there"),
        (("--from-event", f"{SAMPLES}/linux/auth.log"), 1, "is no place; write FILE:LINE"),
        (("--from-event", f"{SAMPLES}/linux/auth.log:999"), 1, "no event of"),
        (
            ("--from-event", f"{SAMPLES}/linux/auth.log:1", "--template", "dns"),
            1,
            "the event is not of category dns",
        ),
    ],
)
def test_what_cannot_be_is_told(arguments: tuple[str, ...], status: int, told: str) -> None:
    result = run("rules", "new", *arguments)
    assert result.exit_code == status
    assert told in result.stderr
    assert result.stdout == ""


def test_the_help_names_every_template() -> None:
    told = " ".join(run("rules", "new", "--help").stdout.split())
    for name in (*templates(), "correlation", "anomaly"):
        assert f"{name}," in told or f"{name}." in told or f"{name};" in told or f" {name} " in told


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("process.name", "evil.exe", True),
        ("event.outcome", "failure", True),
        ("destination.port", 443, True),
        ("@timestamp", "2026-01-05T10:00:00Z", False),
        ("process.command_line", "evil.exe --now", True),
        ("process.pid", 4711, False),
        ("process.hash.sha256", "0" * 64, False),
        ("user.name", "ann", False),
        ("source.ip", "203.0.113.7", False),
        ("winlog.event_data.LogonGuid", "{0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f}", False),
        ("winlog.event_data.TargetUserSid", "S-1-5-18", False),
        ("okta.target", "3f1d2c3b-aaaa-bbbb-cccc-0123456789ab", False),
        ("event.duration", 17, False),
        ("file.mime_type", "x" * 500, False),
    ],
)
def test_what_tells_what_happened(name: str, value: object, *, wanted: bool) -> None:
    assert tells(name, value) is wanted


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(alphabet=st.sampled_from("\\*?aB1 :'\"#-{}[]%é\n\t"), min_size=1, max_size=8),
        st.text(st.characters(codec="utf-8", exclude_characters="\x00\x85\u2028\u2029"), min_size=1),
        st.integers(-9, 10**9).map(str),
        st.sampled_from(["yes", "null", "~", "1.0", "0x10", "true", "2026-01-05", "012", "=", "|", ">"]),
    )
)
def test_a_value_is_asked_for_as_it_is(value: str) -> None:
    body: dict[str, Any] = yaml.safe_load(f"s: {{f: x}}\ncondition: s\ng: {_pattern(value)}\n")
    asked = read_detection(
        {"s": {"f": body["g"]}, "condition": "s"}, Reading(lambda name: Field(name, (name,)))
    )
    assert true_of(asked, {"f": value})
    assert not true_of(asked, {"f": f"{value}\\x"})
    assert not true_of(asked, {"f": f"x{value}"})
