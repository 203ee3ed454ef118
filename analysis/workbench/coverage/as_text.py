"""Coverage for a person."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from analysis.workbench.coverage.covered import TACTICS, finding, grouped, signals, techniques
from analysis.workbench.coverage.telemetry import NO_FIELDS, PART, STATES
from analysis.workbench.opened import Days
from analysis.workbench.screen import Screen, many

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from analysis.workbench.coverage.covered import Covered
    from analysis.workbench.opened import Opened

_TITLES: Final = 3  # of rules that are named; of a row of a long table, one
_LONG: Final = 40  # rows
_TECHNIQUES: Final = 12
_DATASETS: Final = 4


def render(rules: Sequence[Covered], opened: Opened | None, *, details: bool) -> None:
    """Print it."""
    screen = Screen()
    serving = sum(one.serves for one in rules)
    said = f"; {serving} of them only serve others, and are not counted as coverage" if serving else ""
    screen.say(many(len(rules), "rule") + said)
    if opened is not None:
        rows = opened.rows(Days())
        screen.say(
            f"{many(sum(rows.values()), 'event')} of {many(len(rows), 'dataset')} in {opened.lake.folder}"
        )
        counts = Counter(one.telemetry.state for one in rules)
        screen.say(", ".join(f"{counts[state]:,} {_SAID[state]}" for state in STATES if counts[state]))
    asked = opened is not None
    _by_technique(screen, rules, asked=asked)
    _by_tactic(screen, rules, asked=asked)
    _by_signal(screen, rules, asked=asked)
    _by_logsource(screen, rules, opened)
    if details:
        _in_full(screen, rules)
    if asked:
        _lacking(screen, rules)


_SAID: Final = dict(
    zip(
        STATES,
        (
            "can run in full",
            "can run in part",
            "cannot for want of fields",
            "cannot for want of events",
            "cannot: no sensor reads their logs",
        ),
        strict=True,
    )
)


def _counted(rules: Sequence[Covered], *, asked: bool) -> str:
    """How many, and how many of them can run."""
    if not asked:
        return str(len(rules))
    return f"{sum(one.telemetry.runs for one in rules)} of {len(rules)}"


def _titles(rules: Sequence[Covered], most: int = _TITLES) -> str:
    more = f" and {len(rules) - most:,} more" if len(rules) > most else ""
    return "; ".join(one.detection.title for one in rules[:most]) + more


def _heading(*, asked: bool) -> tuple[str, str]:
    return ("can run" if asked else "rules", "right")


def _by_technique(screen: Screen, rules: Sequence[Covered], *, asked: bool) -> None:
    found = list(grouped(finding(rules), techniques))
    most = _named(len(found))
    rows = [[key, _counted(those, asked=asked), _titles(those, most)] for key, those in found]
    screen.say()
    screen.rows([("technique", "left"), _heading(asked=asked), ("by", "fold")], rows)
    without = [one for one in finding(rules) if not one.detection.techniques]
    if without:
        screen.say(f"{many(len(without), 'rule')} without a technique: {_titles(without)}")


def _named(rows: int) -> int:
    return 1 if rows > _LONG else _TITLES


def _by_tactic(screen: Screen, rules: Sequence[Covered], *, asked: bool) -> None:
    found = dict(grouped(finding(rules), lambda one: one.tactics))
    rows = [
        [name, _counted(found[name], asked=asked), _some(_of(found[name]))]
        for name in TACTICS
        if name in found
    ]
    if rows:
        screen.say()
        screen.rows([("tactic", "left"), _heading(asked=asked), ("techniques", "fold")], rows)


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _TECHNIQUES:,} more" if len(keys) > _TECHNIQUES else ""
    return ", ".join(keys[:_TECHNIQUES]) + more


def _of(rules: Iterable[Covered]) -> list[str]:
    return sorted({key for one in rules for key in one.detection.techniques})


def _by_signal(screen: Screen, rules: Sequence[Covered], *, asked: bool) -> None:
    rows = [
        [key, _counted(those, asked=asked), _titles(those)] for key, those in grouped(finding(rules), signals)
    ]
    if rows:
        screen.say()
        screen.rows([("signal", "left"), _heading(asked=asked), ("by", "fold")], rows)


def _by_logsource(screen: Screen, rules: Sequence[Covered], opened: Opened | None) -> None:
    """What each logsource means, how many rules are on it, and what the lake has of it."""
    rows = []
    asked = opened is not None
    for key, those in grouped(rules, lambda one: one.telemetry.logsources):
        alone = [one for one in those if one.telemetry.logsources == (key,)]
        sample = (alone or those)[0].telemetry
        row = [key, _counted(those, asked=asked), _meant(sample.datasets)]
        if asked:
            had = [f"{name} {events:,}" for name, events in _fed(alone or those).items()]
            row.append(_meant(had) if had else "none")
        rows.append(row)
    screen.say()
    columns = [("logs", "fold"), _heading(asked=asked), ("meaning", "fold")]
    screen.rows([*columns, ("in the lake", "fold")] if asked else columns, rows)


def _fed(rules: Iterable[Covered]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in rules:
        for name, events in one.telemetry.feeding.items():
            found[name] = max(events, found.get(name, 0))
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _meant(names: Sequence[str]) -> str:
    more = f" and {len(names) - _DATASETS} more" if len(names) > _DATASETS else ""
    return ", ".join(names[:_DATASETS]) + more if names else "no sensor reads it"


def _lacking(screen: Screen, rules: Sequence[Covered]) -> None:
    """The rules that cannot run, or not in full, by what they lack."""
    for heading, those in (
        ("Cannot run", [one for one in rules if not one.telemetry.runs]),
        ("Run in part, without", [one for one in rules if one.telemetry.state == PART]),
    ):
        found: dict[str, list[Covered]] = {}
        for one in those:
            found.setdefault(_lack(one), []).append(one)
        if found:
            screen.say()
            ordered = sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))
            most = _named(len(ordered))
            screen.rows(
                [("rules", "right"), (heading, "fold"), ("which", "fold")],
                [[f"{len(some):,}", lack, _titles(some, most)] for lack, some in ordered],
            )


def _lack(one: Covered) -> str:
    needs = one.telemetry
    lacks = ", ".join(needs.lacks)
    if needs.state in (PART, NO_FIELDS):
        lacks += f", of {'; '.join(needs.logsources)}"
    return lacks if needs.state == PART else f"{needs.state}: {lacks}"


def _in_full(screen: Screen, rules: Sequence[Covered]) -> None:
    """Every rule and what it needs."""
    rows = []
    for one in rules:
        needs = one.telemetry
        state = f"  [{needs.state}]" if needs.state else ""
        rows.append([one.detection.title + state, "; ".join(needs.logsources), ", ".join(needs.fields)])
    screen.say()
    screen.rows([("rule", "fold"), ("logs", "fold"), ("fields", "fold")], rows)
