"""Coverage for another program, and for the ATT&CK Navigator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import orjson

from analysis.workbench.chosen import kind
from analysis.workbench.coverage.covered import finding, grouped, signals, techniques
from analysis.workbench.coverage.navigator import layer
from analysis.workbench.opened import Days

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from analysis.workbench.chosen import Chosen
    from analysis.workbench.coverage.covered import Covered
    from analysis.workbench.opened import Opened


def written(rules: Sequence[Covered], opened: Opened | None, chosen: Chosen) -> str:
    """One JSON object; its keys are added to, never renamed."""
    telling = finding(rules)
    whole = {
        "lake": None if opened is None else str(opened.lake.folder),
        "datasets": {} if opened is None else opened.rows(Days()),
        "sensors": {} if opened is None else opened.sensors(),
        "errors": [str(error) for error in chosen.errors],
        "techniques": {key: _ids(those) for key, those in grouped(telling, techniques)},
        "tactics": {key: _ids(those) for key, those in grouped(telling, lambda one: one.tactics)},
        "signals": {key: _ids(those) for key, those in grouped(telling, signals)},
        "rules": [_rule(one) for one in rules],
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode()


def write_layer(rules: Sequence[Covered], path: Path, folders: Sequence[Path], lake: Path | None) -> None:
    """Write a layer for the ATT&CK Navigator.

    Raises:
        click.ClickException: the file cannot be written.
    """
    of = ", ".join(str(folder) for folder in folders) or "molehunt's own rules"
    description = f"{len(finding(rules))} rules of {of}"
    description += f", and whether {lake} has their logs" if lake else ""
    try:
        path.write_bytes(
            orjson.dumps(layer(rules, "Detection rules", description), option=orjson.OPT_INDENT_2)
        )
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from error


def _ids(rules: Sequence[Covered]) -> list[str]:
    return [one.detection.id for one in rules]


def _rule(one: Covered) -> dict[str, Any]:
    rule, needs = one.detection, one.telemetry
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "kind": kind(rule),
        "level": rule.level.name.lower(),
        "path": str(rule.path),
        "techniques": list(techniques(one)),
        "tactics": list(one.tactics),
        "signals": list(signals(one)),
        "serves_others_only": one.serves,
        "logsources": list(needs.logsources),
        "datasets": list(needs.datasets),
        "fields": list(needs.fields),
        "state": needs.state or None,
        "lacks": list(needs.lacks),
        "looks_at": dict(needs.feeding),
    }
