"""`molehunt rules backtest`: what rules would have said of the events in a lake."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analysis.workbench.opened import Days, days_options, lake_options, open_lake

if TYPE_CHECKING:
    from datetime import date

_EXISTING = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("rules", nargs=-1, required=True, metavar="RULE...")
@lake_options()
@days_options
@click.option(
    "--verdicts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV of what was found out about hits: rule,account,file,line,verdict,by,note.",
)
@click.option(
    "--rules",
    "library",
    multiple=True,
    type=_EXISTING,
    help="Where ids and names are looked up, and what rules count, besides molehunt's own; may be repeated.",
)
@click.option("--details", is_flag=True, help="Say all of every rule, however many they are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    rules: tuple[str, ...],
    *,
    since: date | None,
    until: date | None,
    verdicts: Path | None,
    library: tuple[Path, ...],
    details: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - click's
) -> None:
    """Run rules over the events of a lake: hits, noise, precision, cost.

    RULE is a file, a folder, or the id or name of one of molehunt's rules. Says of each: hits by day and
    account, the loudest values of the fields it reads, the findings it would have made and what an analyst
    would have had to look at, how precise it was by your verdicts, its cost in CPU, and which logs it had to
    go by.

    Exit status 1 if a rule could not be loaded.
    """
    from analysis.workbench.backtest.as_json import written  # noqa: PLC0415 - late, for speed
    from analysis.workbench.backtest.as_text import render  # noqa: PLC0415 - late, for speed
    from analysis.workbench.backtest.replay import replay  # noqa: PLC0415 - late, for speed
    from analysis.workbench.chosen import NoSuchRuleError, choose  # noqa: PLC0415 - late, for speed
    from analysis.workbench.verdicts import read_verdicts  # noqa: PLC0415 - late, for speed

    days = Days(since, until)
    opened = open_lake(**given)
    judged = read_verdicts(verdicts) if verdicts else None
    try:
        chosen = choose(rules, library, opened.context.site.placeholders)
    except NoSuchRuleError as error:
        raise click.ClickException(str(error)) from error
    for told in (*chosen.errors, *chosen.pack.notes):
        click.echo(str(told), err=True)
    if not chosen.detections:
        raise click.ClickException("no rule could be loaded; `molehunt rules check` says what to mend")
    if note := opened.note_on(days):
        click.echo(note, err=True)
    done = replay(chosen, opened, days, judged)
    if as_json:
        click.echo(written(done, opened.lake.folder, chosen))
    else:
        render(done, opened.lake.folder, details=details)
    sys.exit(1 if chosen.errors else 0)
