"""What the documentation says to type works as it is written."""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from hunted import REPO, SAMPLES, Hunted, run

from analysis.cli import main

PAGES = [
    REPO / "README.md",
    REPO / ".github" / "CONTRIBUTING.md",
    REPO / "rules" / "README.md",
    REPO / "rules" / "anomaly" / "README.md",
    REPO / "samples" / "README.md",
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(molehunt [^`]+)`")


def typed() -> list[tuple[str, str]]:
    """The commands in the code blocks of every page that begin with `molehunt `."""
    return [
        (page.relative_to(REPO).as_posix(), line)
        for page in PAGES
        for _, block in FENCE.findall(page.read_text("utf-8"))
        for line in block.splitlines()
        if line.startswith("molehunt ")
    ]


def mentioned() -> list[tuple[str, str]]:
    """The commands in running text; they may leave out what is not their point."""
    return [
        (page.relative_to(REPO).as_posix(), command)
        for page in PAGES
        for command in INLINE.findall(FENCE.sub("", page.read_text("utf-8")).replace("\n", " "))
    ]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages speak of, made of the samples; the commands run in it."""
    scenario = SAMPLES / "scenario"
    stand_ins = {
        "hr.csv": scenario / "roster.csv",
        "roster.csv": scenario / "roster.csv",
        "GeoLite2-City.mmdb": scenario / "geo-city.mmdb",
        "GeoLite2-ASN.mmdb": scenario / "geo-asn.mmdb",
        "site.toml": scenario / "site.toml",
        "traffic.pcap": SAMPLES / "capture" / "conversation.pcap",
        "LOG": SAMPLES / "okta" / "system.ndjson",
        "LOGS.../okta.ndjson": SAMPLES / "okta" / "system.ndjson",
        "LOGS.../conn.log": SAMPLES / "zeek" / "conn.log",
    }
    for name in ("rules", "my-rules"):
        for rule in (REPO / "rules" / "access").glob("astrill_dns*"):
            stand_ins[f"{name}/{rule.name.replace('astrill_dns', 'x')}"] = rule
    for name, real in stand_ins.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(real, tmp_path / name)
    (tmp_path / "okta.json.gz").write_bytes(gzip.compress((SAMPLES / "okta" / "system.ndjson").read_bytes()))
    (tmp_path / "samples").symlink_to(SAMPLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(("page", "command"), typed())
def test_a_command_of_the_documentation_runs(page: str, command: str) -> None:
    if "--lake hunt/lake" in command:  # what the page has made by the line before
        run("hunt", "samples/windows", "--out", "hunt")
    result = run(*shlex.split(command, comments=True)[1:])
    assert result.exit_code == 0, f"{page}: {command}\n{result.output}"
    for made in re.findall(r"(?:--out|-o|--output|--lake) (\S+)", command):
        assert Path(made).exists()


def test_the_readme_has_commands_to_run() -> None:
    assert [page for page, _ in typed()].count("README.md") >= 3


@pytest.mark.parametrize(("page", "command"), mentioned())
def test_a_command_in_running_text_exists(page: str, command: str) -> None:
    words = shlex.split(command)[1:]
    context = click.Context(main)
    at: click.Command = main
    while isinstance(at, click.Group) and words and not words[0].startswith("-"):
        name, found, words = at.resolve_command(context, words)
        assert found is not None, f"{page}: {command}: {name}"
        at = found
    known = {option for each in at.get_params(context) for option in each.opts}
    assert {word for word in words if word.startswith("-")} <= known, f"{page}: {command}"


def test_the_readme_is_short_and_holds_the_two_commands_that_ci_runs() -> None:
    text = (REPO / "README.md").read_text("utf-8")
    assert len(text.split()) < 500
    commands = [line for line in text.splitlines() if line.startswith("python3 -m venv ")]
    assert len(commands) == 2
    assert "molehunt hunt samples/scenario --out hunt" in commands[0]
    assert commands[1].endswith("pytest")
    blocks = [block for language, block in FENCE.findall(text) if language == "sh"]
    assert all(any(command in block for block in blocks) for command in commands)


def test_the_readme_shows_the_real_output(scenario_hunt: Hunted) -> None:
    (shown,) = (
        block for language, block in FENCE.findall((REPO / "README.md").read_text("utf-8")) if not language
    )
    printed = scenario_hunt.result.stdout.replace(str(scenario_hunt.out), "hunt")
    real = iter([line.rstrip() for line in printed.splitlines()])
    for line in shown.splitlines():
        whole = line.removesuffix("[...]")  # stands for what was left out
        assert not whole or any(
            each == whole if whole == line else each.startswith(whole.rstrip()) for each in real
        ), f"not in the real output, or not in this order: {line}"
    for account in scenario_hunt.accounts[:3]:
        assert account["account"] in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
