"""`molehunt rules schema`: what editors need to know of rules."""

from __future__ import annotations

import sys
from importlib.resources import files

import click


@click.command()
def command() -> None:
    """Print a JSON schema of rules, for editors.

    With it an editor completes keys and values, explains them and marks mistakes while a rule is written:
    `molehunt rules schema > rule.schema.json`, then point the editor's YAML support at that file.
    """
    sys.stdout.write((files("analysis.workbench") / "rule.schema.json").read_text("utf-8"))
