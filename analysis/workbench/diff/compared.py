"""Two rule packs over the days of a lake: which hits the newer one gains, and which it loses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from analysis.anomaly import Anomalies
from analysis.sigma import Correlations, Rule
from analysis.sigma.quote import NO_TIME
from analysis.workbench.backtest.replay import reach
from analysis.workbench.diff.changes import changes
from analysis.workbench.diff.gains import EXAMPLES, Example, Gains, GainsOfRules
from analysis.workbench.places import place_of_finding
from analysis.workbench.reads import columns_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from analysis.finding import Finding
    from analysis.workbench.chosen import Chosen
    from analysis.workbench.diff.changes import Change
    from analysis.workbench.diff.side import Side
    from analysis.workbench.opened import Days, Opened


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change of one rule does.

    Attributes:
        gains: its hits; of a correlation or an anomaly rule, its findings.
        not_run: why the new rule could match nothing; "" if it could, or is none.
    """

    change: Change
    gains: Gains = field(default_factory=Gains)
    not_run: str = ""


def compare(old: Side, new: Side, opened: Opened, days: Days) -> list[Difference]:
    """Run what changed from one pack to the other over a lake; the rest is not run.

    Returns:
        One for every rule of both packs, in order of title.
    """
    every = changes(old, new)
    moved = [change for change in every if change.runs]
    before = _Running(old.chosen.only(*(each.old for each in moved if each.old)), opened, days)
    after = _Running(new.chosen.only(*(each.new for each in moved if each.new)), opened, days)
    gains = GainsOfRules([change.rule.id for change in moved])
    if moved:
        _run(before, after, gains, opened, days)
    return [
        Difference(
            change,
            _gains(change, before, after, gains) if change.runs else Gains(),
            after.silent.get(change.rule.id, ""),
        )
        for change in every
    ]


def _run(before: _Running, after: _Running, gains: GainsOfRules, opened: Opened, days: Days) -> None:
    known = opened.known()
    reads = [columns_read(side.chosen) for side in (before, after)]
    columns = frozenset(name for each in reads if each is not None for name in each)
    wanted = None if None in reads else columns
    backs = [reach(side.chosen) for side in (before, after)]
    some = [back for back in backs if back is not None]
    earlier = days.before(None if len(some) < len(backs) else max(some))
    for batch in opened.batches(earlier, wanted, "what came before") if earlier else ():
        frame = known.add(batch.frame)
        before.add(frame, batch.dataset)
        after.add(frame, batch.dataset)
    for batch in opened.batches(days, wanted, "running both packs"):
        frame = known.add(batch.frame)
        gains.add(frame, before.add(frame, batch.dataset), after.add(frame, batch.dataset))


class _Running:
    """One pack at work."""

    def __init__(self, chosen: Chosen, opened: Opened, days: Days) -> None:
        pack = chosen.pack
        self.chosen = chosen
        self._days = days
        self._ids = pl.Series("rule", [rule.id for rule in pack.rules], pl.String)
        self._names = [rule.name or rule.id for rule in pack.rules]
        self._correlations = Correlations(pack)
        self._anomalies = Anomalies(chosen.anomalies, opened.context)
        columns = opened.columns(days)
        self.silent = {
            rule.id: reason for rule, reason in zip(pack.rules, pack.blocked(columns), strict=True) if reason
        }
        self.silent |= {each.detection: each.reason for each in pack.plan(columns)}
        self._found: dict[str, list[Finding]] | None = None

    def add(self, frame: pl.DataFrame, dataset: str) -> pl.DataFrame:
        """Run it over a batch; `rule` (its id) and `row` of the matches."""
        matches = self.chosen.pack.match(frame, dataset)
        self._correlations.add(frame, matches)
        if self.chosen.anomalies:
            self._anomalies.add(frame, matches, self._names)
        return pl.DataFrame([self._ids.gather(matches["rule"]), matches["row"]])

    def findings(self, key: str) -> list[Finding]:
        """What a correlation or an anomaly rule found in the days."""
        if self._found is None:
            self._found = {}
            for gathered in (self._correlations, self._anomalies):
                for finding in gathered.find():
                    if self._days.since is None or finding.last_seen.date() >= self._days.since:
                        self._found.setdefault(finding.detection, []).append(finding)
        return self._found.get(key, [])


def _gains(change: Change, before: _Running, after: _Running, gains: GainsOfRules) -> Gains:
    if isinstance(change.rule, Rule):
        return gains.of(change.rule.id)
    was, now = before.findings(change.rule.id), after.findings(change.rule.id)
    more, less = _only(now, was), _only(was, now)
    had, has = {_whom(each) for each in was}, {_whom(each) for each in now}
    return Gains(
        before=len(was),
        after=len(now),
        gained=len(more),
        lost=len(less),
        accounts_before=len(had),
        accounts_after=len(has),
        new_accounts=sorted(has - had),
        gone_accounts=sorted(had - has),
        more=[_example(each) for each in more[:EXAMPLES]],
        less=[_example(each) for each in less[:EXAMPLES]],
    )


def _only(these: Sequence[Finding], those: Iterable[Finding]) -> list[Finding]:
    """The findings that others lack: of another account, another time or other events."""
    left = Counter(_same(each) for each in those)
    found = []
    for each in sorted(these, key=lambda one: (one.first_seen, one.account)):
        left[_same(each)] -= 1
        if left[_same(each)] < 0:
            found.append(each)
    return found


def _same(finding: Finding) -> tuple[object, ...]:
    places = tuple((event.path, event.line, event.record, event.frame) for event in finding.evidence)
    return finding.account, finding.host, finding.first_seen, finding.last_seen, finding.count, places


def _whom(finding: Finding) -> str:
    return finding.account or finding.host


def _example(finding: Finding) -> Example:
    at = None if finding.first_seen == NO_TIME else finding.first_seen
    return Example(at, _whom(finding), place_of_finding(finding))
