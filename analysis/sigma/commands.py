"""`molehunt rules`: what a rule author works with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analysis.sigma.examples import run_examples
from analysis.sigma.lint import check as check_rules
from analysis.sigma.load import bundled_rules
from analysis.sigma.pack import RulePack

if TYPE_CHECKING:
    from analysis.sigma.correlation import Correlation
    from analysis.sigma.rule import Rule

_FOLDER = click.argument(
    "folder", required=False, metavar="[DIR]", type=click.Path(exists=True, path_type=Path)
)


@click.group()
def rules() -> None:
    """List, check and test detection rules.

    DIR is a folder of rules or one file; without it, molehunt's own.
    """


@rules.command(name="list")
@_FOLDER
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule, with everything known of it.")
def list_(folder: Path | None, *, as_json: bool) -> None:
    """List the rules: level, category, title, logsource, id."""
    pack = RulePack.load([folder or bundled_rules()])
    for row in listing(pack):
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(
                f"{row['level']:<14}{row['category']:<16}{row['title']}  [{row['logsource']}]  {row['id']}"
            )
    _report_errors(pack)


@rules.command()
@_FOLDER
def check(folder: Path | None) -> None:
    """Check rules: syntax, fields, ids, tags. Exit status 1 if anything is wrong."""
    where = folder or bundled_rules()
    pack = RulePack.load([where])
    found = check_rules(pack, [where])
    for error in found:
        click.echo(str(error))
    total = len(pack.rules) + len(pack.correlations) + len(pack.anomalies)
    click.echo(f"{total} rules, {len(found)} to mend", err=True)
    sys.exit(1 if found else 0)


@rules.command()
@_FOLDER
def test(folder: Path | None) -> None:
    """Run the examples beside the rules (x.match.ndjson, x.nomatch.ndjson). Exit status 1 if one is wrong."""
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
    _report_errors(pack)
    sys.exit(1 if failed or pack.errors else 0)


def listing(pack: RulePack) -> list[dict[str, object]]:
    """What `molehunt rules list` says of each rule, in order of file."""
    found: list[tuple[str, dict[str, object]]] = [
        (str(one.path), _described(one, str(one.logsource))) for one in pack.rules
    ]
    found += [(str(one.path), _described(one, f"correlation {one.kind}")) for one in pack.correlations]
    for document, path in pack.anomalies:
        row = {key: str(document.get(key, "")) for key in ("id", "title", "level")}
        tags = document.get("tags")
        category = [
            str(tag).removeprefix("molehunt.") for tag in tags or () if str(tag).startswith("molehunt.")
        ]
        found.append(
            (str(path), {**row, "category": (category or [""])[0].replace("-", "_"), "logsource": "anomaly"})
        )
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def _described(one: Rule | Correlation, source: str) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "title": one.title,
        "level": one.level.name.lower(),
        "category": one.category,
        "logsource": source,
        "confidence": one.confidence,
        "decisive": one.decisive,
        "durable": one.durable,
        "techniques": list(one.techniques),
        "signals": list(one.signals),
        "silent": one.silent,
        "path": str(one.path),
    }


def _report_errors(pack: RulePack) -> None:
    for error in pack.errors:
        click.echo(str(error), err=True)
