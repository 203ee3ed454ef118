from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hunted import REPO, SAMPLES, Hunted, hunt, run

from analysis.lake import Lake

OKTA = SAMPLES / "okta" / "system.ndjson"
LOGINS = len(OKTA.read_bytes().splitlines())
ZEEK = SAMPLES / "zeek" / "conn.log"
LINUX = SAMPLES / "linux" / "auth.log"

RULE = """\
title: A sign-in
id: 3d3a4f56-6d7f-4f3c-9d4e-5a0c1f7e2b12
tags: [molehunt.access, molehunt.decisive]
logsource: {category: authentication}
detection:
  selection: {event.outcome: success}
  condition: selection
level: high
confidence: 0.9
fields: [user.name, source.ip]
falsepositives: [a test]
why: "{user.name} signed in from {source.ip}."
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "sign_in.yml").write_text(RULE)
    return folder


@pytest.fixture
def quick(tmp_path: Path, rules: Path) -> Callable[..., Hunted]:
    """A hunt under the one rule of `rules`, to the same folder every time."""

    def made(*arguments: object, status: int = 0) -> Hunted:
        return hunt(tmp_path / "out", *arguments, "--rules", rules, "--no-bundled-rules", status=status)

    return made


def ndjson(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# --- Exit status


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("hunted",),
        ("hunt",),
        ("hunt", OKTA),
        ("hunt", SAMPLES / "no such file", "--out", "x"),
        ("hunt", OKTA, "--out", "x", "--tz", "Mars/Olympus"),
        ("hunt", OKTA, "--out", "x", "--roster", SAMPLES),
        ("hunt", OKTA, "--out", "x", "--nonsense"),
        ("events",),
        ("events", "--tz", "../../etc/passwd", OKTA),
        ("report", OKTA),
        ("rules", "check", SAMPLES / "no such folder"),
        ("rules", "nonsense"),
    ],
    ids=lambda arguments: " ".join(str(each).rpartition("/")[2] for each in arguments) or "nothing",
)
def test_wrong_usage_is_2(
    arguments: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "content", "says"),
    [
        ("--site", b"domain = corp.example\n", "neither TOML nor a JSON object"),
        ("--site", b'{"vpn_pools": {"asa": ["10.300.0.0/16"]}, "domain": "x"}', "10.300.0.0/16"),
        ("--roster", b"\x00\x01\x02\x03", ""),
        ("--geo-city", b"no database", ""),
        ("--geo-asn", b"", ""),
    ],
)
def test_a_context_file_that_cannot_be_used_is_1(
    quick: Callable[..., Hunted], tmp_path: Path, option: str, content: bytes, says: str
) -> None:
    given = tmp_path / "context.file"
    given.write_bytes(content)
    found = quick(OKTA, option, given, status=1)
    (line,) = found.result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert str(given) in line
    assert says in line
    assert "Traceback" not in found.result.output
    assert found.result.stdout == ""
    assert not (found.out / "report.html").exists()


def test_placeholders_of_rules_have_the_values_of_the_site_file(
    quick: Callable[..., Hunted], tmp_path: Path, rules: Path
) -> None:
    asked = RULE.replace("event.outcome: success", "'event.outcome|expand': '%good%'")
    (rules / "sign_in.yml").write_text(asked)
    site = tmp_path / "site.toml"
    site.write_text('[placeholders]\ngood = "success"\n')
    assert quick(OKTA, "--site", site).findings
    site.write_text('[placeholders]\ngood = "nothing like it"\n')
    assert quick(OKTA, "--site", site).findings == []


def test_what_keeps_no_rule_from_running_is_a_note(quick: Callable[..., Hunted], rules: Path) -> None:
    text = RULE.replace("level: high", "level: enormous").replace("condition: selection", "condition: 1 of *")
    (rules / "sign_in.yml").write_text(text.replace("  condition", "  other: {Nowhere: x}\n  condition"))
    found = quick(OKTA)
    assert found.findings
    assert found.report["not_run"] == []
    notes = "\n".join(found.report["notes"])
    assert "'enormous' is not a valid Sigma rule level" in notes
    assert (
        "A sign-in: runs, but selection 'other' can never match: no event of category authentication" in notes
    )


def test_a_busy_lake_is_1_and_one_that_is_free_again_is_not(
    quick: Callable[..., Hunted], tmp_path: Path
) -> None:
    with Lake(tmp_path / "kept").writing():
        found = quick(OKTA, "--lake", tmp_path / "kept", status=1)
    assert "another molehunt is writing to this lake" in found.result.stderr
    assert quick(OKTA, "--lake", tmp_path / "kept").report["events"] == LOGINS


def test_an_output_that_cannot_be_written_is_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("hunt", OKTA, "--out", tmp_path / "file" / "out", "--no-bundled-rules")
    assert result.exit_code == 1
    assert str(tmp_path / "file") in result.stderr


def test_input_that_cannot_be_read_is_3_and_named_on_stderr(tmp_path: Path) -> None:
    log = tmp_path / "half.ndjson"
    log.write_bytes(OKTA.read_bytes() + b'{"half": \n')
    result = run("events", log)
    assert result.exit_code == 3
    assert len(ndjson(result.stdout)) == LOGINS
    (said,) = result.stderr.splitlines()
    assert said.startswith(f"not read: {log} line {LOGINS + 1}, byte {OKTA.stat().st_size}: ")


# --- Start-up

HEAVY = ("polars", "numba", "numpy", "sigma", "rich", "jinja2", "scapy", "networkx", "evtx", "geoip2")
WHICH = """
import sys
from analysis.cli import main
sys.argv = ["molehunt", *sys.argv[1:]]
try:
    main()
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["hunt", "--help"], ["events", "-h"], ["hunt"]]
)
def test_help_is_instant_for_it_imports_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHICH, *arguments], cwd=REPO, capture_output=True, text=True, check=False
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert {"analysis", "click"} <= loaded
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)
    assert done.returncode == (2 if arguments == ["hunt"] else 0)


def test_help_names_every_command_and_rules_are_one_of_them() -> None:
    shown = run("--help").stdout
    assert [line.split()[0] for line in shown.partition("Commands:\n")[2].splitlines()] == [
        "events", "flows", "hunt", "report", "rules", "sensors",
    ]  # fmt: skip
    assert "check" in run("rules", "--help").stdout


# --- hunt


def watch(terminal: int, seen: bytearray) -> None:
    with suppress(OSError):  # Linux says EIO where the other end of a terminal is closed
        while piece := os.read(terminal, 1 << 16):
            seen += piece


def test_what_a_terminal_gets_and_what_a_pipe_gets(tmp_path: Path, rules: Path) -> None:
    """Progress goes to stderr, and only if that is a terminal; the report to stdout."""
    arguments = [
        "hunt",
        str(OKTA),
        "--rules",
        str(rules),
        "--no-bundled-rules",
        "--out",
        str(tmp_path / "out"),
    ]
    reader, terminal = os.openpty()
    seen = bytearray()
    watcher = threading.Thread(target=watch, args=(reader, seen))  # a terminal nobody reads from would block
    watcher.start()
    done = subprocess.run(
        [sys.executable, "-c", "from analysis.cli import main; main()", *arguments],
        cwd=REPO,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm"},
        check=True,
    )
    os.close(terminal)
    watcher.join()
    os.close(reader)
    assert b"reading" in seen or b"starting" in seen
    assert b"\x1b" not in done.stdout
    assert b"maya.lindqvist@corp.example" in done.stdout
    piped = run(*arguments)
    assert piped.stderr == ""
    assert piped.stdout.encode() == done.stdout


def test_a_kept_lake_is_added_to_once(tmp_path: Path, quick: Callable[..., Hunted]) -> None:
    kept = tmp_path / "kept"
    first = quick(OKTA, ZEEK, "--lake", kept)
    files = {path: path.stat().st_mtime_ns for path in kept.rglob("*.parquet")}
    answer = first.text("accounts.csv"), first.text("findings.ndjson")
    assert [source["known"] for source in first.report["sources"]] == [False, False]
    assert first.findings

    second = quick(OKTA, ZEEK, "--lake", kept)
    assert [source["known"] for source in second.report["sources"]] == [True, True]
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*.parquet")} == files
    assert (second.text("accounts.csv"), second.text("findings.ndjson")) == answer
    assert second.report["events"] == first.report["events"] == LOGINS + 7
    assert "already in the lake" in second.page

    more = quick(LINUX, "--lake", kept)  # a kept lake answers for all that it was ever given
    assert more.report["events"] > LOGINS + 7
    assert {name for name, _ in more.report["datasets"]} >= {"okta.system", "zeek.connection"}


def test_a_lake_of_its_own_does_not_mix_hunts(quick: Callable[..., Hunted]) -> None:
    assert {name for name, _ in quick(OKTA).report["datasets"]} == {"okta.system"}
    second = quick(ZEEK)
    assert {name for name, _ in second.report["datasets"]} == {"zeek.connection"}
    assert second.report["events"] == 7
    assert "maya.lindqvist" not in second.page + second.text("accounts.csv")
    assert quick(OKTA, ZEEK).report["events"] == LOGINS + 7


def test_a_report_draws_itself_again(tmp_path: Path, quick: Callable[..., Hunted]) -> None:
    first = quick(OKTA)
    result = run("report", first.out / "report.json", "--out", tmp_path / "again")
    assert (result.exit_code, result.stderr) == (0, "")
    names = sorted(path.name for path in first.out.iterdir() if path.is_file())
    assert names == ["accounts.csv", "findings.ndjson", "report.html", "report.json", "unread.ndjson"]
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (first.out / name).read_bytes()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version": 1}', b'{"version": 99}', b"\xff"])
def test_what_is_no_report_is_1(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    result = run("report", tmp_path / "x.json", "--out", tmp_path / "again")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert not (tmp_path / "again").exists()


def test_a_report_as_json_is_alone_on_stdout(quick: Callable[..., Hunted]) -> None:
    found = quick(OKTA, "--json")
    assert json.loads(found.result.stdout) == found.report
    assert found.result.stderr == f"The page: {found.out / 'report.html'}\n"


def test_the_files_of_a_hunt_agree(quick: Callable[..., Hunted]) -> None:
    found = quick(OKTA, ZEEK)
    report = found.report
    assert [row["account"] for row in found.accounts] == [each["account"] for each in report["accounts"]]
    assert [int(row["rank"]) for row in found.accounts] == list(range(1, len(report["accounts"]) + 1))
    assert [each["rule.id"] for each in found.findings] == [each["detection"] for each in report["findings"]]
    assert {each["account"] for each in found.findings} <= {row["account"] for row in found.accounts} | {""}
    named = {each["path"]: each["sha256"] for each in report["sources"]}
    for finding in found.findings:
        for piece in finding["evidence"]:
            assert named[piece["path"]] == piece["sha256"]
            assert piece["line"]
    ago = datetime.now(UTC) - datetime.fromisoformat(report["created"])
    assert 0 <= ago.total_seconds() < 600


def test_rules_are_those_that_were_asked_for(tmp_path: Path, rules: Path) -> None:
    mine = hunt(tmp_path / "mine", OKTA, "--rules", rules, "--no-bundled-rules")
    assert mine.report["detections"] == 1
    assert {each["rule.name"] for each in mine.findings} == {"A sign-in"}
    none = hunt(tmp_path / "none", OKTA, "--no-bundled-rules")
    assert (none.report["detections"], none.findings) == (0, [])
    both = hunt(tmp_path / "both", OKTA, "--rules", rules, "--rules", rules / "sign_in.yml")
    bundled = hunt(tmp_path / "bundled", OKTA)
    assert bundled.report["detections"] > 60
    # The same file given twice is one rule.
    assert both.report["detections"] == bundled.report["detections"] + 1
    assert "A sign-in" in {each["rule.name"] for each in both.findings}


def test_rules_of_a_folder_are_listed_checked_and_tested(rules: Path) -> None:
    (rules / "sign_in.match.ndjson").write_text(
        '{"event.dataset": "okta.system", "event.category": ["authentication"], "event.outcome": "success"}\n'
    )
    (rules / "sign_in.nomatch.ndjson").write_text(
        '{"event.dataset": "okta.system", "event.category": ["authentication"], "event.outcome": "failure"}\n'
    )
    listed = run("rules", "list", rules)
    assert "A sign-in" in listed.stdout
    (row,) = ndjson(run("rules", "list", "--json", rules).stdout)
    assert (row["title"], row["category"], row["decisive"]) == ("A sign-in", "access", True)
    assert run("rules", "test", rules).exit_code == 0
    (rules / "sign_in.nomatch.ndjson").write_text((rules / "sign_in.match.ndjson").read_text())
    assert run("rules", "test", rules).exit_code == 1
