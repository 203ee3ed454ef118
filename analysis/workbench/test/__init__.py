"""`molehunt rules test`: the examples beside the rules."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from analysis.options import SITE, site_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.workbench.test.outcome import Outcome

_PATH: Final = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=_PATH)
@click.option(
    "--rules",
    "library",
    multiple=True,
    metavar="DIR",
    type=_PATH,
    help="Rules that those tested count; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule.")
@SITE
def command(paths: tuple[Path, ...], library: tuple[Path, ...], site: Path | None, *, as_json: bool) -> None:
    """Run the examples beside the rules.

    x.match.ndjson holds events that must match x.yml, x.nomatch.ndjson events that must not; of a correlation
    and of an anomaly rule, each is one story. PATHs are folders, files of rules or of examples; without any,
    molehunt's own. Exit status 1 if an example is wrong or a rule cannot be loaded.
    """
    from analysis.sigma.reading.load import bundled_rules  # noqa: PLC0415 - late, for speed
    from analysis.workbench.chosen import load_among, rule_of  # noqa: PLC0415 - late, for speed
    from analysis.workbench.test.outcome import orphans, run_examples  # noqa: PLC0415 - late, for speed

    where = list(dict.fromkeys(rule_of(path) for path in paths)) or [bundled_rules()]
    pack, asked = load_among(where, library, site_of(site).placeholders)
    outcomes = run_examples(pack, asked)
    lost = [error for error in pack.errors if asked(error.path) and not error.harmless]
    broken = [*lost, *orphans(where)]
    if as_json:
        for outcome in outcomes:
            click.echo(json.dumps(outcome.as_json(), ensure_ascii=False))
    else:
        _print(outcomes)
    failed = sum(1 for outcome in outcomes if outcome.failures)
    events = sum(outcome.matching + outcome.others for outcome in outcomes)
    untested = sum(outcome.untested for outcome in outcomes)
    for error in broken:
        click.echo(str(error), err=True)
    click.echo(f"{len(outcomes)} rules, {events} events, {failed} failed, {untested} not tested", err=True)
    sys.exit(1 if failed or broken else 0)


def _print(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        for failure in outcome.failures:
            click.echo(str(failure))
    for outcome in outcomes:
        if outcome.untested:
            click.echo(f"{outcome.path}: {outcome.title}: not tested, it has no examples")
