"""The chosen rules over the days of a lake: what they would have said, of whom, how often, at what cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.anomaly import Anomalies
from analysis.sigma import Correlations, Findings, Suppressed
from analysis.sigma.quote import NO_TIME
from analysis.workbench.backtest.cost import Cost, Costs
from analysis.workbench.backtest.hits import SCHEMA, Hits, Loudest
from analysis.workbench.backtest.tally import Tally
from analysis.workbench.chosen import counted
from analysis.workbench.judged import Judge, Precision
from analysis.workbench.looked import Looked
from analysis.workbench.places import with_whole_paths
from analysis.workbench.reads import columns_read

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from analysis.finding import Finding, HeldBack
    from analysis.workbench.backtest.hits import Loud
    from analysis.workbench.chosen import Chosen, Detection
    from analysis.workbench.opened import Days, Opened

VALUES: Final = 20  # of a field that are kept to be shown
EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class Replayed:
    """One rule over the days.

    Attributes:
        tally: events that it matched; of a correlation or an anomaly rule its findings, each on the day of
            its first event.
        values: the loudest values; none for a correlation or an anomaly rule.
        findings: how many one hunt over the days would make; examples: the first of them.
        counters: who counts the rule, if it makes no findings of its own.
        datasets: events that it looked at, by dataset.
        not_run: why it could match nothing, or not judge everybody; "" if all is well.
        held: what filters held back.
        precision: None where no verdicts were given.
    """

    detection: Detection
    tally: Tally
    values: list[Loud]
    findings: int
    examples: list[Finding]
    counters: tuple[str, ...]
    datasets: dict[str, int]
    not_run: str
    held: tuple[HeldBack, ...]
    precision: Precision | None
    cost: Cost


@dataclass(frozen=True, slots=True)
class Replay:
    """All of the chosen rules over the days.

    Attributes:
        rows: events of the days, by dataset.
        dates: the first and the last day; None where no event has a time.
        seconds: of CPU, for matching all rules together.
        shared: of CPU, what all rules share of that; own: what they add to it. Both are reckoned from the
            events that were measured; None where each rule was measured alone.
        filled: how many days have events.
        strangers: rules that have verdicts and are not among the chosen.
        unseen: places with a verdict, where no event of the days stands.
        without_hits: accounts with a verdict and no hit, in lower case.
        replayed: one for each chosen detection, in their order.
    """

    rows: dict[str, int]
    dates: tuple[date, date] | None
    seconds: float
    shared: float | None
    own: float | None
    filled: int
    strangers: tuple[str, ...]
    unseen: tuple[tuple[str, int], ...]
    without_hits: tuple[str, ...]
    replayed: list[Replayed]


def replay(chosen: Chosen, opened: Opened, days: Days, verdicts: pl.DataFrame | None = None) -> Replay:
    """Run the chosen rules over a lake.

    Correlations and anomaly rules are shown what came before the days as well: their windows, and what they
    learn, reach back. What they find counts if it reaches into the days.

    Args:
        chosen: the rules.
        opened: the lake.
        days: of which events are counted.
        verdicts: as `read_verdicts` gives them.
    """
    run = _Run(chosen, opened, days, verdicts)
    known = opened.known()
    columns = columns_read(chosen)
    earlier = days.before(reach(chosen))
    for batch in opened.batches(earlier, columns, "what came before") if earlier else ():
        frame = known.add(batch.frame)
        run.count(frame, chosen.pack.match(frame, batch.dataset))
    for batch in opened.batches(days, columns, "running the rules"):
        run.add(known.add(batch.frame), batch.dataset)
    return run.told()


def reach(chosen: Chosen) -> timedelta | None:
    """How far back rules look; None for as far as there is."""
    if chosen.anomalies:
        return None
    return sum((one.timespan for one in chosen.pack.correlations), timedelta(0))


class _Run:
    """One run, in the making."""

    def __init__(self, chosen: Chosen, opened: Opened, days: Days, verdicts: pl.DataFrame | None) -> None:
        pack = chosen.pack
        self._chosen, self._opened, self._days = chosen, opened, days
        self._names = [rule.name or rule.id for rule in pack.rules]
        places = {id(one): place for place, one in enumerate(chosen.detections)}
        self._places = {
            number: places[id(rule)] for number, rule in enumerate(pack.rules) if id(rule) in places
        }
        self._judge = None
        if verdicts is not None:
            self._judge = Judge(with_whole_paths(verdicts, opened.paths()), chosen.detections)
        self._hits, self._loudest = Hits(), Loudest(pack, self._places)
        self._suppressed = Suppressed(pack.rules, pack.filters)
        self._findings, self._correlations = Findings(pack), Correlations(pack)
        self._anomalies = Anomalies(chosen.anomalies, opened.context)
        self._costs = Costs(chosen, opened.context)
        self._looked = Looked(pack.rules)
        self._seconds = 0.0

    def count(self, frame: pl.DataFrame, matches: pl.DataFrame) -> None:
        """Show a batch to what counts."""
        self._correlations.add(frame, matches)
        if self._chosen.anomalies:
            self._anomalies.add(frame, matches, self._names)

    def add(self, frame: pl.DataFrame, dataset: str) -> None:
        """Take in a batch of the days."""
        began = time.process_time()
        matches, held = self._chosen.pack.sift(frame, dataset)
        self._seconds += time.process_time() - began
        self._suppressed.add(held)
        self._findings.add(frame, matches)
        self.count(frame, matches)
        self._looked.add(frame, dataset)
        if self._judge is not None:
            self._judge.see(frame)
        mine = matches.filter(pl.col("rule").is_in(list(self._places)))
        self._loudest.add(frame, mine)
        self._hits.add(frame, mine, self._verdicts(frame, mine))
        self._costs.add(frame, dataset)

    def _verdicts(self, frame: pl.DataFrame, matches: pl.DataFrame) -> pl.Series:
        if self._judge is None or matches.is_empty():
            return pl.repeat(None, matches.height, dtype=pl.Boolean, eager=True)
        number = pl.col("rule").replace_strict(self._places, return_dtype=pl.UInt32)
        return self._judge.of(frame, matches.select("row", number=number))

    def told(self) -> Replay:
        """What came of it."""
        found, silent, held = self._found(), self._silence(), self._suppressed.told()
        table = self._hits.table()
        parts = {int(number): rows for (number,), rows in table.partition_by("rule", as_dict=True).items()}
        numbers = {place: number for number, place in self._places.items()}
        replayed = []
        for place, one in enumerate(self._chosen.detections):
            number, mine = numbers.get(place), found.get(one.id, [])
            rows = self._of_findings(place, mine) if number is None else parts.get(number, table.clear())
            tally = Tally.of(rows)
            replayed.append(
                Replayed(
                    detection=one,
                    tally=tally,
                    values=[] if number is None else self._loudest.of(number, VALUES),
                    findings=len(mine),
                    examples=mine[:EXAMPLES],
                    counters=self._chosen.counters.get(one.id, ()),
                    datasets=self._looked.of(counted(one, self._chosen.pack)),
                    not_run=silent.get(one.id, ""),
                    held=tuple(each for each in held if each.detection == one.id),
                    precision=self._precision(place, tally),
                    cost=self._costs.of(place),
                )
            )
        rows_read, dates = self._opened.rows(self._days), self._opened.dates(self._days)
        judge = self._judge
        return Replay(
            rows=rows_read,
            dates=dates,
            seconds=self._seconds,
            shared=self._costs.shared(),
            own=self._costs.own(),
            filled=self._opened.filled(self._days),
            strangers=judge.strangers if judge else (),
            unseen=judge.unseen() if judge else (),
            without_hits=judge.without_hits() if judge else (),
            replayed=replayed,
        )

    def _precision(self, place: int, tally: Tally) -> Precision | None:
        if self._judge is None:
            return None
        unsaid = tally.hits - tally.right - tally.wrong
        return Precision(tally.right, tally.wrong, unsaid, tuple(self._judge.lost(place)))

    def _found(self) -> dict[str, list[Finding]]:
        """The findings of the days, by rule."""
        found: dict[str, list[Finding]] = {}
        for gathered in (self._findings, self._correlations, self._anomalies):
            for finding in gathered.find():
                if self._days.since is None or finding.last_seen.date() >= self._days.since:
                    found.setdefault(finding.detection, []).append(finding)
        return found

    def _silence(self) -> dict[str, str]:
        """Why rules say nothing, by id."""
        pack, columns = self._chosen.pack, self._opened.columns(self._days)
        blocked = zip(pack.rules, pack.blocked(columns), strict=True)
        said = {rule.id: reason for rule, reason in blocked if reason}
        said |= {each.detection: each.reason for each in pack.plan(columns)}
        return said | {each.detection: each.reason for each in self._anomalies.not_run()}

    def _of_findings(self, place: int, findings: Iterable[Finding]) -> pl.DataFrame:
        """Findings as if they were hits: the columns of `hits.SCHEMA`."""
        rows = []
        for each in findings:
            first = None if each.first_seen == NO_TIME else each.first_seen.date()
            day = max(first, self._days.since) if first and self._days.since else first
            verdict = self._judge.of_finding(place, each) if self._judge else None
            host = "" if each.account else each.host
            rows.append((place, day, each.account, host, verdict, 1, each.first_seen, each.last_seen))
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")
