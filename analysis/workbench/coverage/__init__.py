"""`molehunt rules coverage`: what rules cover, and whether a lake has the logs for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from analysis.workbench.opened import lake_options, open_lake


@click.command()
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(exists=True, path_type=Path))
@lake_options(required=False)
@click.option(
    "--navigator",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a layer for the ATT&CK Navigator (format 4.5): one entry a technique, scored by its rules.",
)
@click.option("--details", is_flag=True, help="List every rule, with the logs and fields that it needs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with every rule.")
def command(
    folders: tuple[Path, ...],
    *,
    lake: Path | None,
    navigator: Path | None,
    details: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - click's
) -> None:
    """Say which techniques and signals rules cover, and which logs they need.

    DIR is a folder of rules or one file; without it, molehunt's own. With --lake, says of each rule whether
    the lake has those logs, and the fields that it asks about: what is not logged is not covered.

    Exit status 1 if a rule could not be loaded.
    """
    from analysis.workbench.chosen import choose  # noqa: PLC0415 - late, for speed
    from analysis.workbench.coverage.as_json import write_layer, written  # noqa: PLC0415 - late, for speed
    from analysis.workbench.coverage.as_text import render  # noqa: PLC0415 - late, for speed
    from analysis.workbench.coverage.covered import covered  # noqa: PLC0415 - late, for speed

    opened = None if lake is None else open_lake(lake, **given)
    placeholders = opened.context.site.placeholders if opened else None
    chosen = choose([str(folder) for folder in folders], (), placeholders)
    for error in chosen.errors:
        click.echo(str(error), err=True)
    rules = covered(chosen, opened)
    if navigator is not None:
        write_layer(rules, navigator, folders, lake)
        click.echo(f"The layer: {navigator}", err=True)
    if as_json:
        click.echo(written(rules, opened, chosen))
    else:
        render(rules, opened, details=details)
    sys.exit(1 if chosen.errors else 0)
