"""`molehunt rules list`: what rules there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from analysis.sigma.correlation import Correlation
    from analysis.sigma.pack import RulePack
    from analysis.sigma.rule import Rule


@click.command()
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule, with everything known of it.")
def command(folder: Path | None, *, as_json: bool) -> None:
    """List the rules: level, category, title, logsource, id.

    DIR is a folder of rules or one file; without it, molehunt's own.
    """
    from analysis.sigma.load import bundled_rules  # noqa: PLC0415 - late, for speed
    from analysis.sigma.pack import RulePack  # noqa: PLC0415 - late, for speed

    pack = RulePack.load([folder or bundled_rules()])
    for row in listing(pack):
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(
                f"{row['level']:<14}{row['category']:<16}{row['title']}  [{row['logsource']}]  {row['id']}"
            )
    for error in pack.errors:
        click.echo(str(error), err=True)


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
