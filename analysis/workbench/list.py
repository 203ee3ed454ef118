"""`molehunt rules list`: what rules there are."""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from analysis.sigma.correlations.correlation import Correlation
    from analysis.sigma.filters import Filter
    from analysis.sigma.pack import RulePack
    from analysis.sigma.reading.rule import Rule

_LEVELS: Final = ("informational", "low", "medium", "high", "critical")
_CATEGORIES: Final = ("access", "remote_control", "exfiltration", "identity", "payment")
_KINDS: Final = ("rule", "correlation", "anomaly", "filter")


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(exists=True, path_type=Path))
@click.option("--level", type=click.Choice(_LEVELS), help="This level or above.")
@click.option("--category", type=click.Choice(_CATEGORIES), help="Rules of this category.")
@click.option("--kind", type=click.Choice(_KINDS), help="Rules of this kind.")
@click.option("--tag", metavar="TAG", help="Rules with this tag; * stands for anything: attack.t1219*.")
@click.option("--logsource", metavar="TEXT", help="Rules whose logsource has this text in it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule, with everything known of it.")
def command(paths: tuple[Path, ...], *, as_json: bool, **asked: str | None) -> None:
    """List rules: level, category, title, logsource, id.

    PATHs are folders or files of rules; without any, molehunt's own. Exit status 1 if one cannot be loaded.
    """
    from analysis.sigma.pack import RulePack  # noqa: PLC0415 - late, for speed
    from analysis.sigma.reading.load import bundled_rules  # noqa: PLC0415 - late, for speed

    pack = RulePack.load(paths or [bundled_rules()])
    for row in listing(pack):
        if not all(_HOLDS[name](row, wanted) for name, wanted in asked.items() if wanted is not None):
            continue
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            source = f"[{row['logsource']}]  {row['id']}"
            click.echo(f"{row['level']:<14}{row['category']:<16}{row['title']}  {source}")
    for error in pack.errors:
        click.echo(str(error), err=True)
    sys.exit(1 if any(not error.harmless for error in pack.errors) else 0)


def _tagged(row: dict[str, Any], wanted: str) -> bool:
    return any(fnmatchcase(tag.lower(), wanted.lower()) for tag in row["tags"])


_HOLDS: Final[dict[str, Callable[[dict[str, Any], str], bool]]] = {
    "level": lambda row, least: row["level"] in _LEVELS[_LEVELS.index(least) :],
    "category": lambda row, wanted: bool(row["category"] == wanted),
    "kind": lambda row, wanted: bool(row["kind"] == wanted),
    "tag": _tagged,
    "logsource": lambda row, wanted: wanted.lower() in row["logsource"].lower(),
}


def listing(pack: RulePack) -> list[dict[str, Any]]:
    """What `molehunt rules list` says of each rule, in order of file."""
    return sorted(_rows(pack), key=lambda row: (row["path"], row["title"]))


def _rows(pack: RulePack) -> Iterator[dict[str, Any]]:
    for rule in pack.rules:
        yield _described(rule, "rule", str(rule.logsource))
    for correlation in pack.correlations:
        yield _described(correlation, "correlation", f"correlation {correlation.kind}")
    for document, path in pack.anomalies:
        yield _learned(document, path)
    for one in pack.filters:
        yield _held_back(one)


def _described(one: Rule | Correlation, kind: str, source: str) -> dict[str, Any]:
    return {
        "kind": kind,
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
        "tags": list(one.tags),
        "silent": one.silent,
        "path": str(one.path),
    }


def _learned(document: dict[str, Any], path: Path) -> dict[str, Any]:
    tags = document.get("tags")
    tags = [str(tag) for tag in tags] if isinstance(tags, list) else []
    named = [tag.removeprefix("molehunt.").replace("-", "_") for tag in tags if tag.startswith("molehunt.")]
    told = {key: str(document.get(key, "")) for key in ("id", "name", "title", "level")}
    category = next((name for name in named if name in _CATEGORIES), "")
    return {
        "kind": "anomaly",
        **told,
        "category": category,
        "logsource": "anomaly",
        "tags": tags,
        "path": str(path),
    }


def _held_back(one: Filter) -> dict[str, Any]:
    until = f" until {one.expires}" if one.expires else ""
    return {
        "kind": "filter",
        "id": one.id,
        "name": "",
        "title": one.title,
        "level": "-",
        "category": "-",
        "logsource": f"filter{until}",
        "tags": [],
        "owner": one.owner,
        "reason": one.reason,
        "expires": None if one.expires is None else str(one.expires),
        "rules": [named.name for named in one.rules or ()],
        "path": str(one.path),
    }
