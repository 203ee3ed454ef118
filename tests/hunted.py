"""Runs the real command line in this process, and reads back what a hunt wrote."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from analysis.cli import main

REPO = Path(__file__).resolve().parents[1]
SAMPLES = REPO / "samples"


@dataclass(frozen=True)
class Hunted:
    """One run of `molehunt hunt`, and its files."""

    out: Path
    result: Result

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.text("report.json")))

    @property
    def page(self) -> str:
        return self.text("report.html")

    @property
    def unread(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text("unread.ndjson").splitlines()]

    @property
    def findings(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text("findings.ndjson").splitlines()]

    @property
    def accounts(self) -> list[dict[str, str]]:
        with (self.out / "accounts.csv").open(encoding="utf-8", newline="") as rows:
            return list(csv.DictReader(rows))

    def text(self, name: str) -> str:
        return (self.out / name).read_text("utf-8")


def run(*arguments: object) -> Result:
    """`molehunt ARGUMENTS`; a traceback that a user would see fails the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def hunt(out: Path, *arguments: object, status: int = 0) -> Hunted:
    """`molehunt hunt ARGUMENTS --out OUT`, which has to end with `status`."""
    result = run("hunt", *arguments, "--out", out)
    assert result.exit_code == status, result.output
    return Hunted(out, result)
