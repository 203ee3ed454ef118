"""What rules/README.md shows of the workbench is what happens: its commands are run, one after the other."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from hunted import REPO, SAMPLES, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (REPO / "rules" / "README.md").read_text("utf-8")
SECTION = PAGE[PAGE.index("## From nothing to shipped") : PAGE.index("## In an editor")]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "[…]"


def steps(block: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console, and what each is said to print."""
    for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, *printed = part.splitlines()
        yield command, printed


def typed(command: str, folder: Path) -> list[str]:
    """What a command prints; molehunt's own run in this process, others in a shell."""
    words = shlex.split(command)
    if words[0] == "molehunt":
        return [line.rstrip() for line in run(*words[1:]).output.splitlines()]
    done = subprocess.run(
        ["/bin/sh", "-ec", command], cwd=folder, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    return done.stdout.splitlines()


def is_shown(shown: list[str], real: list[str]) -> bool:
    """Whether `shown` is `real` with parts left out: within a line, or whole lines."""
    if not shown or not real:
        return not real and all(line == LEFT_OUT for line in shown)
    if shown[0].rstrip() == LEFT_OUT:
        return is_shown(shown[1:], real) or is_shown(shown, real[1:])
    line = re.escape(shown[0].rstrip()).replace(re.escape(LEFT_OUT), ".*")
    return re.fullmatch(line, real[0].rstrip()) is not None and is_shown(shown[1:], real[1:])


def apply(diff: str, folder: Path) -> None:
    """Change files as the blocks of a diff say: what is taken out must be there once."""
    for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
        name, *lines = part.splitlines()
        old, new = (
            "".join(line[1:] + "\n" for line in lines if line.startswith(sign)) for sign in ("-", "+")
        )
        text = (folder / name).read_text("utf-8")
        assert text.count(old) == 1, f"{name} does not hold once:\n{old}"
        (folder / name).write_text(text.replace(old, new), "utf-8")


def test_what_the_page_shows_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "samples").symlink_to(SAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    ran = []
    for language, block in FENCE.findall(SECTION):
        if language == "diff":
            apply(block, tmp_path)
        elif language == "csv":
            (tmp_path / "verdicts.csv").write_text(block, "utf-8")
        else:
            assert language == "console"
            for command, shown in steps(block):
                ran.append(command)
                real = typed(command, tmp_path)
                assert is_shown(shown, real), f"$ {command}\n" + "\n".join(real)
    commands = {words[2] for words in map(shlex.split, ran) if words[:2] == ["molehunt", "rules"]}
    assert commands >= {
        "new",
        "check",
        "test",
        "explain",
        "match",
        "backtest",
        "tune",
        "diff",
        "coverage",
        "convert",
        "list",
    }


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        (["a"], ["a"], True),
        (["a"], ["a", "b"], False),
        (["a", LEFT_OUT], ["a"], True),
        (["a", LEFT_OUT], ["a", "b", "c"], True),
        ([LEFT_OUT, "c"], ["a", "b", "c"], True),
        ([LEFT_OUT, "c"], ["c"], True),
        (["a", LEFT_OUT, "c"], ["a", "c"], True),
        (["a", LEFT_OUT, "c"], ["a", "b", "b", "c"], True),
        (["a", LEFT_OUT, "c"], ["a", "b", "c", "d"], False),
        (["a [] […] z"], ["a [] x y z"], True),
        (["a […] z"], ["a x", "z"], False),
        ([LEFT_OUT], ["a", "b"], True),
        ([], [], True),
        ([], ["a"], False),
    ],
)
def test_what_left_out_means(shown: list[str], real: list[str], *, same: bool) -> None:
    assert is_shown(shown, real) is same
