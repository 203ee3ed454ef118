"""What rules are about, in ATT&CK's words and the catalogue's, and whether a lake feeds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.anomaly import AnomalyRule
from analysis.workbench.check.lint import TACTICS
from analysis.workbench.coverage.telemetry import Have, Telemetry, telemetry
from analysis.workbench.looked import Looked

__all__ = ["TACTICS", "Covered", "covered", "finding", "grouped", "signals", "techniques"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from analysis.workbench.chosen import Chosen, Detection
    from analysis.workbench.opened import Opened


@dataclass(frozen=True, slots=True)
class Covered:
    """One rule.

    Attributes:
        tactics: by its tags, in the order of the matrix.
        serves: it makes no findings of its own; those that count it do.
    """

    detection: Detection
    tactics: tuple[str, ...]
    serves: bool
    telemetry: Telemetry


def covered(chosen: Chosen, opened: Opened | None) -> list[Covered]:
    """Look at each of the chosen rules, and at the lake for those events that their logsources mean."""
    have = None
    if opened is not None:
        from analysis.workbench.opened import Days  # noqa: PLC0415 - only where there is a lake

        looked = Looked(chosen.pack.rules)
        for batch in opened.batches(Days(), looked.columns(), "what there is"):
            looked.add(batch.frame, batch.dataset)
        have = Have(opened.columns(Days()), looked)
    tags = {str(document.get("id")): document.get("tags") or () for document, _ in chosen.pack.anomalies}
    return [
        Covered(
            one,
            _tactics(tags.get(one.id, ()) if isinstance(one, AnomalyRule) else one.tags),
            not isinstance(one, AnomalyRule) and one.silent,
            telemetry(one, chosen, have),
        )
        for one in chosen.detections
    ]


def _tactics(tags: Iterable[object]) -> tuple[str, ...]:
    said = {str(tag).lower().removeprefix("attack.").replace("_", "-") for tag in tags}
    return tuple(name for name in TACTICS if name in said)


def grouped(
    rules: Iterable[Covered], keys: Callable[[Covered], Iterable[str]]
) -> Iterator[tuple[str, list[Covered]]]:
    """The rules by each of their keys, in order of key."""
    found: dict[str, list[Covered]] = {}
    for one in rules:
        for key in keys(one):
            found.setdefault(key, []).append(one)
    yield from sorted(found.items())


def finding(rules: Iterable[Covered]) -> list[Covered]:
    """Those that make findings of their own: what covers anything."""
    return [one for one in rules if not one.serves]


def techniques(one: Covered) -> tuple[str, ...]:
    """ATT&CK ids."""
    return tuple(dict.fromkeys(one.detection.techniques))


def signals(one: Covered) -> tuple[str, ...]:
    """Signals of the catalogue."""
    return tuple(dict.fromkeys(one.detection.signals))
