"""A backtest for a person."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analysis.workbench.backtest.summary import DETAILED, a_day, seconds, summary, whole_cost
from analysis.workbench.chosen import kind
from analysis.workbench.screen import Screen, many, near, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.workbench.backtest.replay import Replay, Replayed
    from analysis.workbench.backtest.tally import Who
    from analysis.workbench.judged import Precision

_PEOPLE: Final = 10
_VALUES: Final = 5
_FINDINGS: Final = 3
_DAYS: Final = 35  # in a row each; more are told by weeks, by months, by years
_VALUE_LETTERS: Final = 160
_UNFIT: Final = 5


def render(done: Replay, lake: Path, *, details: bool) -> None:
    """Print it."""
    screen = Screen()
    events = many(sum(done.rows.values()), "event")
    screen.say(f"{events} of {many(len(done.rows), 'dataset')} in {lake}{_span(done)}")
    if done.strangers:
        screen.say(f"Verdicts on rules that were not asked about: {', '.join(done.strangers)}")
    _unfit(screen, done)
    if len(done.replayed) > 1:
        summary(screen, done, details=details)
    if details or len(done.replayed) <= DETAILED:
        for one in done.replayed:
            screen.say()
            _rule(screen, one, done)


def _unfit(screen: Screen, done: Replay) -> None:
    """Verdicts that said nothing of these hits."""
    if done.unseen:
        places = [f"{file}:{line}" for file, line in done.unseen]
        screen.say(f"Verdicts on events that are not among these: {_some(places)}")
    if done.without_hits:
        screen.say(
            f"Verdicts on accounts without a hit: {_some(done.without_hits)} (accounts are named as in a "
            "hunt's report if --roster and --site are the hunt's)"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _UNFIT:,} more" if len(names) > _UNFIT else ""
    return ", ".join(names[:_UNFIT]) + more


def _span(done: Replay) -> str:
    if done.dates is None:
        return ""
    first, last = done.dates
    length = _length(done)
    filled = f", {done.filled:,} of them with events" if done.filled < length else ""
    return f", {first} to {last} ({many(length, 'day')}{filled}, UTC)"


def _length(done: Replay) -> int:
    return (done.dates[1] - done.dates[0] + timedelta(days=1)).days if done.dates else 0


def _rule(screen: Screen, one: Replayed, done: Replay) -> None:
    """One rule in full."""
    rule = one.detection
    screen.say(f"{rule.title}  [{rule.level.name.lower()} {kind(rule)}]", style="bold")
    whole = whole_cost(done)
    rows = [
        ["rule", f"{near(rule.path)}  {rule.id}"],
        ["looks at", _looked(one, done)],
        ["hits", _hits(one, done)],
        ["findings", _findings(one)],
        ["to look at", _alerts(one, done)],
        ["precision", _precision(one.precision)],
        ["cost", _cost(one, whole)],
    ]
    if one.not_run:
        rows.insert(2, ["not run" if not one.tally.hits else "note", one.not_run])
    rows += [
        ["held back", f"{many(each.count, 'event')} by {each.filter!r} ({near(Path(each.path))})"]
        for each in one.held
    ]
    screen.rows([("", "left"), ("", "fold")], rows, indent=2)
    if one.tally.hits:
        _days(screen, one, done)
        _people(screen, one, done)
        _values(screen, one)
        _examples(screen, one)


def _looked(one: Replayed, done: Replay) -> str:
    if not one.datasets:
        return "no event of these days"
    return ", ".join(
        f"{name} {events:,} of {done.rows.get(name, 0):,}" for name, events in one.datasets.items()
    )


def _hits(one: Replayed, done: Replay) -> str:
    tally = one.tally
    if not tally.hits:
        return "none"
    people = many(sum(1 for who in tally.who if who.account), "account")
    nobody = sum(who.hits for who in tally.who if not who.account)
    text = f"{tally.hits:,}, of {people}, on {len(tally.days)} of {many(done.filled, 'day')}"
    text += f"; {nobody:,} of nobody known" if nobody else ""
    return text + (f"; {tally.undated:,} without a time" if tally.undated else "")


def _findings(one: Replayed) -> str:
    if one.counters:
        return f"none of its own: it serves {', '.join(one.counters)}"
    return f"{one.findings:,}"


def _alerts(one: Replayed, done: Replay) -> str:
    alerts = one.tally.alerts
    if not alerts:
        return "nothing"
    most = max(alerts.values())
    on = next(day for day, number in alerts.items() if number == most)
    return f"{a_day(one, done)} alerts a day (one for each account and day); at most {most}, on {on}"


def _precision(precision: Precision | None) -> str:
    if precision is None:
        return "not known: no verdicts given (--verdicts)"
    if precision.share is None or precision.interval is None:
        text = f"not known: none of {many(precision.open, 'hit')} has a verdict"
    else:
        low, high = precision.interval
        judged = precision.right + precision.wrong
        text = (
            f"{precision.share:.0%}: {precision.right:,} right of {judged:,} judged "
            f"(95 % interval {low:.0%} to {high:.0%}); {many(precision.open, 'hit')} without a verdict"
        )
    if precision.lost:
        places = ", ".join(f"{file}:{line}" for file, line in precision.lost[:_VALUES])
        text += f"; NO LONGER HIT, though judged right: {places}"
    return text


def _cost(one: Replayed, whole: float) -> str:
    cost, rate = one.cost, one.cost.rate
    if not cost.measured:
        late = "not measured: the rules before it took all the time there is for that"
        return late if one.datasets else "none: no event of these days is one that it looks at"
    if not cost.alone:
        text = (
            f"{seconds(cost.seconds)} besides what all rules share, {share(cost.seconds, whole)} of all such"
        )
    else:
        text = f"{seconds(cost.seconds)} alone" + (
            "" if rate is None else f", {rate:,.0f} events a CPU second"
        )
        text += f", {share(cost.seconds, whole)} of all rules'" if cost.seconds < whole else ""
    return text + (f" (measured on {cost.measured:,})" if cost.measured < cost.events else "")


def _unit(done: Replay) -> tuple[str, str]:
    """What a row stands for, so that there are not too many of them; and how its first day is written."""
    length = _length(done)
    if length <= _DAYS:
        return "day", "%Y-%m-%d %a"
    if length <= 7 * _DAYS:
        return "week from", "%Y-%m-%d %a"
    return ("month", "%Y-%m") if length <= 30 * _DAYS else ("year", "%Y")


def _periods(done: Replay) -> list[tuple[date, int]]:
    """Days, weeks, months or years: the first day of each, and how many days it has."""
    if done.dates is None:
        return []
    first, last = done.dates
    unit, form = _unit(done)
    every = [first + timedelta(days=day) for day in range(_length(done))]
    if unit in ("month", "year"):
        starts = [
            day for day in every if day == first or f"{day - timedelta(days=1):{form}}" != f"{day:{form}}"
        ]
    else:
        starts = every[:: 7 if unit == "week from" else 1]
    ends = [*starts[1:], last + timedelta(days=1)]
    return [(start, (end - start).days) for start, end in zip(starts, ends, strict=True)]


def _by_period(days: dict[date, int], periods: Sequence[tuple[date, int]]) -> list[int]:
    return [
        sum(days.get(first + timedelta(days=day), 0) for day in range(length)) for first, length in periods
    ]


def _days(screen: Screen, one: Replayed, done: Replay) -> None:
    periods = _periods(done)
    hits, alerts = _by_period(one.tally.days, periods), _by_period(one.tally.alerts, periods)
    most = max(hits, default=0)
    unit, form = _unit(done)
    screen.say()
    screen.rows(
        [(unit, "left"), ("hits", "right"), ("alerts", "right"), ("", "left")],
        [
            [f"{first:{form}}", f"{hit:,}", f"{alert:,}", screen.bar(hit, most)]
            for (first, _), hit, alert in zip(periods, hits, alerts, strict=True)
        ],
        indent=2,
    )


def _people(screen: Screen, one: Replayed, done: Replay) -> None:
    periods = _periods(done)
    judged = one.precision is not None
    columns = [("hits", "right"), ("days", "right"), *([("right", "right")] if judged else [])]
    columns += [("over time", "left"), ("account", "fold")]
    rows = []
    for who in one.tally.who[:_PEOPLE]:
        row = [f"{who.hits:,}", str(len(who.days))]
        row += [_said(who)] if judged else []
        rows.append([*row, screen.line(_by_period(who.days, periods)), _name(who)])
    screen.say()
    screen.rows(columns, rows, indent=2)
    rest = len(one.tally.who) - _PEOPLE
    if rest > 0:
        screen.say(f"and {rest:,} more; --json has them all", indent=2)


def _said(who: Who) -> str:
    return f"{who.right}/{who.right + who.wrong}" if who.right + who.wrong else "-"


def _name(who: Who) -> str:
    return who.account or (f"nobody known, on {who.host}" if who.host else "nobody known")


def _values(screen: Screen, one: Replayed) -> None:
    rows = []
    for loud in one.values:
        about = "about " if loud.off else ""
        top = list(loud.top.items())[:_VALUES]
        shown = [[f"{about}{number:,}", share(number, one.tally.hits), _cut(value)] for value, number in top]
        if loud.distinct > len(shown):
            shown.append(["", "", f"({loud.distinct:,}{' or more' if loud.off else ''} different)"])
        names = [loud.field, *(name for name in loud.columns if name != loud.field)]
        rows += [[names[line] if line < len(names) else "", *cells] for line, cells in enumerate(shown)]
        rows += [[name, "", "", ""] for name in names[len(shown) :]]
    if rows:
        screen.say()
        screen.rows(
            [("field", "left"), ("hits", "right"), ("share", "right"), ("value", "fold")], rows, indent=2
        )


def _cut(value: str) -> str:
    return value if len(value) <= _VALUE_LETTERS else value[:_VALUE_LETTERS] + "…"


def _examples(screen: Screen, one: Replayed) -> None:
    if not one.examples:
        return
    screen.say()
    for finding in one.examples[:_FINDINGS]:
        event = finding.evidence[0] if finding.evidence else None
        places = (event.line, event.record, event.frame) if event else ()
        number = next((number for number in places if number is not None), None)
        at = f"  {event.path}{f':{number}' if number is not None else ''}" if event else ""
        whom = finding.account or finding.host or "nobody known"
        screen.say(f"{finding.first_seen:%Y-%m-%d %H:%M} {whom}: {finding.why}{at}", indent=2)
    rest = one.findings - min(_FINDINGS, len(one.examples))
    if rest > 0:
        screen.say(f"and {many(rest, 'finding')} more", indent=2)
