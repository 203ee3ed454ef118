"""A comparison of rule packs for another program."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from analysis.workbench.chosen import kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.workbench.diff.compared import Difference
    from analysis.workbench.diff.gains import Example
    from analysis.workbench.diff.side import Side
    from analysis.workbench.opened import Days, Opened


def written(found: Sequence[Difference], old: Side, new: Side, opened: Opened, days: Days) -> str:
    """One JSON object; its keys are added to, never renamed."""
    first, last = opened.dates(days) or (None, None)
    whole = {
        "old": old.name,
        "new": new.name,
        "lake": str(opened.lake.folder),
        "since": first,
        "until": last,
        "events": sum(opened.rows(days).values()),
        "errors": new.errors(),
        "errors_of_old": old.errors(),
        "rules": dict(Counter(one.change.kind for one in found)),
        "changes": [_change(one, old, new) for one in found if one.change.kind != "same"],
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode()


def _change(one: Difference, old: Side, new: Side) -> dict[str, Any]:
    change, gains, rule = one.change, one.gains, one.change.rule
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "kind": kind(rule),
        "change": change.kind,
        "what": list(change.what),
        "level_before": change.old.level.name.lower() if change.old else None,
        "level_after": change.new.level.name.lower() if change.new else None,
        "path_before": old.place(change.old.path) if change.old else None,
        "path_after": new.place(change.new.path) if change.new else None,
        "error": change.error or None,
        "hits_before": gains.before,
        "hits_after": gains.after,
        "gained": gains.gained,
        "lost": gains.lost,
        "accounts_before": gains.accounts_before,
        "accounts_after": gains.accounts_after,
        "new_accounts": gains.new_accounts,
        "gone_accounts": gains.gone_accounts,
        "examples_gained": [_example(each) for each in gains.more],
        "examples_lost": [_example(each) for each in gains.less],
        "not_run": one.not_run,
        "ran": change.runs,
    }


def _example(example: Example) -> dict[str, Any]:
    return {"at": example.at, "account": example.whom, "place": example.place}
