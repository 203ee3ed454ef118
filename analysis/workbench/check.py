"""`molehunt rules check`: what is wrong with rules, before a hunt runs them."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path(exists=True, path_type=Path))
def command(folder: Path | None) -> None:
    """Check rules: syntax, fields, ids, tags. Exit status 1 if anything is wrong.

    DIR is a folder of rules or one file; without it, molehunt's own.
    """
    from analysis.sigma.load import bundled_rules  # noqa: PLC0415 - late, for speed
    from analysis.sigma.pack import RulePack  # noqa: PLC0415 - late, for speed
    from analysis.workbench.lint import check  # noqa: PLC0415 - late, for speed

    where = folder or bundled_rules()
    pack = RulePack.load([where])
    found = check(pack, [where])
    for error in found:
        click.echo(str(error))
    total = len(pack.rules) + len(pack.correlations) + len(pack.anomalies)
    click.echo(f"{total} rules, {len(found)} to mend", err=True)
    sys.exit(1 if found else 0)
