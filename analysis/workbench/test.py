"""`molehunt rules test`: the examples beside the rules."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path(exists=True, path_type=Path))
def command(folder: Path | None) -> None:
    """Run the examples beside the rules.

    x.match.ndjson holds events that must match x.yml, x.nomatch.ndjson events that must not. Exit status 1 if
    one is wrong.
    DIR is a folder of rules or one file; without it, molehunt's own.
    """
    from analysis.sigma.load import bundled_rules  # noqa: PLC0415 - late, for speed
    from analysis.sigma.pack import RulePack  # noqa: PLC0415 - late, for speed
    from analysis.workbench.examples import run_examples  # noqa: PLC0415 - late, for speed

    pack = RulePack.load([folder or bundled_rules()])
    outcomes = run_examples(pack)
    for outcome in outcomes:
        for failure in outcome.failures:
            click.echo(str(failure))
    untested = [outcome for outcome in outcomes if outcome.untested]
    for outcome in untested:
        click.echo(f"{outcome.path}: {outcome.title}: not tested, it has no examples")
    failed = sum(1 for outcome in outcomes if outcome.failures)
    events = sum(outcome.matching + outcome.others for outcome in outcomes)
    click.echo(
        f"{len(outcomes)} rules, {events} events, {failed} failed, {len(untested)} not tested", err=True
    )
    for error in pack.errors:
        click.echo(str(error), err=True)
    sys.exit(1 if failed or pack.errors else 0)
