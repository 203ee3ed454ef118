"""The rules of a backtest at a glance: a line each, what they cost, and why others are silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analysis.sigma import Rule
from analysis.workbench.screen import Screen, many, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.workbench.backtest.cost import Cost
    from analysis.workbench.backtest.replay import Replay, Replayed
    from analysis.workbench.judged import Precision

DETAILED: Final = 3  # rules that are told in full unasked
_REASONS: Final = 20
_TITLES: Final = 3
_COSTLIEST: Final = 3
_MILLISECOND: Final = 0.001


def summary(screen: Screen, done: Replay, *, details: bool) -> None:
    """All rules, a line each; those without a hit by why."""
    loud = sorted(
        (one for one in done.replayed if one.tally.hits),
        key=lambda one: (bool(one.counters), -sum(one.tally.alerts.values())),
    )
    whole = whole_cost(done)
    judged = any(one.precision for one in done.replayed)
    columns = [("a day", "right"), ("hits", "right"), ("who", "right"), ("findings", "right")]
    columns += [("right", "right")] if judged else []
    together = done.shared is not None
    columns += [("CPU ms" if together else "CPU s", "right"), ("share", "right")]
    columns += [("level", "left"), ("rule", "fold")]
    rows = []
    for one in loud:
        row = [a_day(one, done), f"{one.tally.hits:,}", f"{len(one.tally.who):,}"]
        row.append("-" if one.counters else f"{one.findings:,}")
        if judged:
            row.append(_short(one.precision))
        row += [*_short_cost(one.cost, whole), one.detection.level.name.lower()]
        rows.append([*row, one.detection.title])
    screen.say()
    if rows:
        screen.rows(columns, rows)
    total = sum(sum(one.tally.alerts.values()) for one in loud if not one.counters)
    alerts = f"{total / done.filled:.1f}" if done.filled else str(total)
    screen.say()
    screen.say(
        f"{many(len(done.replayed), 'rule')}, {len(loud)} with hits. An analyst would have had {alerts} "
        "alerts a day: one for each rule, account and day. Rules with - for findings only serve others, and "
        f"make none. Matching took {seconds(done.seconds)} for all together."
    )
    _costs(screen, done, whole)
    _without_hits(screen, done, details=details)
    if len(done.replayed) > DETAILED and not details:
        screen.say("Name one rule, or say --details, for its days, accounts and values.")


def _costs(screen: Screen, done: Replay, whole: float) -> None:
    """What the columns of cost mean; of many rules, the costliest, which may have no hit."""
    part = any(one.cost.measured < one.cost.events for one in done.replayed)
    if done.shared is None:
        if part:
            screen.say("CPU s is of each rule alone, reckoned from a part of its events.")
        return
    rest = done.seconds - done.shared - whole
    screen.say(
        f"What they share, reading events and one search of their text, took {seconds(done.shared)} of it. "
        f"CPU ms is what each rule took besides, its counting too: {seconds(whole)} in all"
        + (", both reckoned from a part of the events." if part else ".")
        + (" Most of the rest made the rules ready, once for however many events." if rest > whole else "")
    )
    costly = sorted(done.replayed, key=lambda one: -one.cost.seconds)[:_COSTLIEST]
    told = [
        f"{one.detection.title} ({seconds(one.cost.seconds)}, {share(one.cost.seconds, whole)})"
        for one in costly
        if one.cost.seconds
    ]
    if told:
        screen.say(f"The costliest: {'; '.join(told)}.")


def _without_hits(screen: Screen, done: Replay, *, details: bool) -> None:
    reasons: dict[str, list[str]] = {}
    for one in done.replayed:
        if not one.tally.hits:
            reasons.setdefault(one.not_run or _idle(one), []).append(one.detection.title)
    silent = reasons.pop("", [])
    if silent:
        screen.say(f"{many(len(silent), 'rule')} ran without a hit.")
    if reasons:
        ordered = sorted(reasons.items(), key=lambda pair: -len(pair[1]))
        shown = ordered if details else ordered[:_REASONS]
        rows = [[f"{len(titles):,}", reason, _few(titles)] for reason, titles in shown]
        screen.say()
        screen.say(f"{many(sum(map(len, reasons.values())), 'rule')} could not run, or not yet:")
        screen.rows([("", "right"), ("", "fold"), ("", "fold")], rows, indent=2)
        if len(ordered) > len(shown):
            rules = sum(len(titles) for _, titles in ordered[len(shown) :])
            reasons_left = many(len(ordered) - len(shown), "more reason")
            screen.say(f"and {many(rules, 'rule')} for {reasons_left}; --details or --json has them all")


def _idle(one: Replayed) -> str:
    """Why a rule that could run had nothing to look at: such events are not logged, or not on these days."""
    if one.datasets:
        return ""
    rule = one.detection
    meant = f"of {rule.logsource}" if isinstance(rule, Rule) else "one that its rules look at"
    return f"no event of these days is {meant}"


def _few(titles: Sequence[str]) -> str:
    """A few of many; so few that each row of hundreds of rules stays short."""
    shown = titles if len(titles) <= _TITLES else titles[:1]
    more = f" and {len(titles) - len(shown):,} more" if len(titles) > len(shown) else ""
    return "; ".join(shown) + more


def a_day(one: Replayed, done: Replay) -> str:
    """The alerts of a rule, for each day with events."""
    return f"{sum(one.tally.alerts.values()) / done.filled:.2f}" if done.filled else "-"


def _short(precision: Precision | None) -> str:
    if precision is None or precision.share is None:
        return "-"
    return f"{precision.right}/{precision.right + precision.wrong}"


def _short_cost(cost: Cost, whole: float) -> list[str]:
    if not cost.measured:
        return ["-", "-"]
    return [
        f"{cost.seconds:.3f}" if cost.alone else f"{1000 * cost.seconds:.2f}",
        share(cost.seconds, whole),
    ]


def whole_cost(done: Replay) -> float:
    """The CPU seconds of all rules; of those measured together nothing counts twice."""
    return sum(one.cost.seconds for one in done.replayed) if done.own is None else done.own


def seconds(number: float) -> str:
    """CPU seconds, in words."""
    if number >= 1:
        return f"{number:.2f} CPU s"
    return f"{1000 * number:.{1 if number >= _MILLISECOND else 2}f} CPU ms"
