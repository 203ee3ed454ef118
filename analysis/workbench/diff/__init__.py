"""`molehunt rules diff`: what an update of a rule pack changes in the hits of a lake."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from analysis.workbench.opened import Days, days_options, lake_options, open_lake

if TYPE_CHECKING:
    from datetime import date

_EXISTING = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("old")
@click.argument("new")
@lake_options()
@days_options
@click.option(
    "--rules",
    "library",
    multiple=True,
    type=_EXISTING,
    help="Further rules that those of OLD and NEW count, and filters of them; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with every rule that changed.")
def command(
    old: str,
    new: str,
    *,
    since: date | None,
    until: date | None,
    library: tuple[Path, ...],
    as_json: bool,
    **given: Any,  # noqa: ANN401 - click's
) -> None:
    """Say what an update of rules changes in the hits of a lake.

    OLD and NEW are files or folders, or git:REVISION:PATH for one as it was. Says which rules were added,
    removed and changed, and how; which hits each gains and loses, with the events and the accounts; and what
    no longer loads. Rules are told apart by their id.

    Exit status 1 if a rule of NEW could not be loaded.
    """
    from analysis.workbench.diff.as_json import written  # noqa: PLC0415 - late, for speed
    from analysis.workbench.diff.as_text import render  # noqa: PLC0415 - late, for speed
    from analysis.workbench.diff.compared import compare  # noqa: PLC0415 - late, for speed
    from analysis.workbench.diff.side import load_side  # noqa: PLC0415 - late, for speed

    days = Days(since, until)
    opened = open_lake(**given)
    placeholders = opened.context.site.placeholders
    with TemporaryDirectory(prefix="molehunt-") as first, TemporaryDirectory(prefix="molehunt-") as second:
        before = load_side(old, Path(first), library, placeholders)
        after = load_side(new, Path(second), library, placeholders)
        for error in after.errors():
            click.echo(error, err=True)
        if note := opened.note_on(days):
            click.echo(note, err=True)
        found = compare(before, after, opened, days)
        if as_json:
            click.echo(written(found, before, after, opened, days))
        else:
            render(found, before, after, opened, days)
    sys.exit(1 if after.chosen.errors else 0)
