"""A comparison of rule packs for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analysis.workbench.diff.changes import MATTERS
from analysis.workbench.screen import Screen, many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.workbench.diff.compared import Difference
    from analysis.workbench.diff.gains import Example
    from analysis.workbench.diff.side import Side
    from analysis.workbench.opened import Days, Opened

_ACCOUNTS: Final = 5
_EXAMPLES: Final = 3
_TITLES: Final = 10
_MARKS: Final = {"added": "added", "removed": "removed", "broken": "NO LONGER LOADS", "changed": "changed"}


def render(found: Sequence[Difference], old: Side, new: Side, opened: Opened, days: Days) -> None:
    """Print it."""
    screen = Screen()
    dates = opened.dates(days)
    span = f", {dates[0]} to {dates[1]} (UTC)" if dates else ""
    screen.say(f"From {old.name} to {new.name}, over {many(sum(opened.rows(days).values()), 'event')}{span}")
    moved = [one for one in found if one.change.runs]
    text = [one for one in found if one.change.kind == "changed" and not one.change.runs]
    same = sum(one.change.kind == "same" for one in found)
    counts = [f"{number} {words}" for words, number in _counts(moved) if number]
    if text:
        counts.append(f"{len(text)} changed in words alone")
    screen.say(", ".join([*counts, f"{same} as they were"]))
    if old.chosen.errors:
        screen.say(f"{many(len(old.chosen.errors), 'mistake')} in the rules of {old.name}")
    if moved:
        screen.say()
        _table(screen, moved)
        _total(screen, moved)
    for one in moved:
        if one.gains.gained or one.gains.lost or one.change.error or one.not_run:
            _details(screen, one)
    if text:
        screen.say()
        titles = "; ".join(
            f"{one.change.rule.title} ({', '.join(one.change.what)})" for one in text[:_TITLES]
        )
        more = f" and {len(text) - _TITLES} more" if len(text) > _TITLES else ""
        screen.say(f"Changed in words alone: {titles}{more}")


def _counts(moved: Sequence[Difference]) -> list[tuple[str, int]]:
    kinds = [one.change.kind for one in moved]
    named = (
        ("added", "added"),
        ("removed", "removed"),
        ("changed", "changed"),
        ("broken", "no longer loading"),
    )
    return [(words, kinds.count(kind)) for kind, words in named]  # type: ignore[arg-type] # the kinds of a change


def _table(screen: Screen, moved: Sequence[Difference]) -> None:
    ordered = sorted(moved, key=lambda one: (-(one.gains.gained + one.gains.lost), one.change.rule.title))
    screen.rows(
        [
            ("hits", "right"),
            ("now", "right"),
            ("gained", "right"),
            ("lost", "right"),
            ("accounts", "right"),
            ("change", "fold"),
            ("rule", "fold"),
        ],
        [
            [
                "" if one.change.kind == "added" else f"{one.gains.before:,}",
                "" if one.change.new is None else f"{one.gains.after:,}",
                f"+{one.gains.gained:,}" if one.gains.gained else "",
                f"-{one.gains.lost:,}" if one.gains.lost else "",
                _moved(one.gains.accounts_before, one.gains.accounts_after),
                _change(one),
                one.change.rule.title,
            ]
            for one in ordered
        ],
    )


def _moved(before: int, after: int) -> str:
    return str(after) if before == after else f"{before} > {after}"


def _change(one: Difference) -> str:
    change = one.change
    if change.kind != "changed" or change.old is None or change.new is None:
        return _MARKS[change.kind]
    words = [name for name in change.what if name in MATTERS and name != "level"]
    if "level" in change.what:
        words.append(f"level {change.old.level.name.lower()} > {change.new.level.name.lower()}")
    return ", ".join(words)


def _total(screen: Screen, moved: Sequence[Difference]) -> None:
    gained, lost = (sum(getattr(one.gains, side) for one in moved) for side in ("gained", "lost"))
    quiet = sum(not (one.gains.gained or one.gains.lost) for one in moved)
    text = f"{many(gained, 'hit')} gained, {lost:,} lost"
    screen.say(text + (f"; {many(quiet, 'change')} made no difference to these events" if quiet else ""))


def _details(screen: Screen, one: Difference) -> None:
    gains = one.gains
    screen.say()
    screen.say(f"{one.change.rule.title}  [{_change(one)}]", style="bold")
    if one.change.error:
        screen.say(one.change.error, indent=2)
    if one.not_run:
        screen.say(f"cannot run: {one.not_run}", indent=2)
    for mark, word, number, accounts, examples in (
        ("+", "gained", gains.gained, gains.new_accounts, gains.more),
        ("-", "lost", gains.lost, gains.gone_accounts, gains.less),
    ):
        if number:
            had = "had none before" if mark == "+" else "has none any more"
            whom = f"; {had}: {_few(accounts)}" if accounts else ""
            screen.say(f"{mark} {many(number, 'hit')} {word}{whom}", indent=2)
            for example in examples[:_EXAMPLES]:
                screen.say(_example(example), indent=4)


def _few(accounts: Sequence[str]) -> str:
    more = f" and {len(accounts) - _ACCOUNTS} more" if len(accounts) > _ACCOUNTS else ""
    return ", ".join(name or "nobody known" for name in accounts[:_ACCOUNTS]) + more


def _example(example: Example) -> str:
    at = f"{example.at:%Y-%m-%d %H:%M:%S}" if example.at else "no time"
    return f"{at}  {example.whom or 'nobody known'}  {example.place}"
