"""What a rule costs: the CPU that it takes alone, measured on the events that it looks at."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from analysis.anomaly import Anomalies
from analysis.sigma import Correlations
from analysis.sigma.pack import possible

if TYPE_CHECKING:
    import polars as pl

    from analysis.context import Context
    from analysis.workbench.chosen import Chosen, Detection

_EVENTS: Final = 2_000_000  # rules times events of a dataset, about, that are measured
_LEAST: Final = 2_000  # events of a dataset
_MOST_SECONDS: Final = 30.0  # for all rules together


@dataclass(frozen=True, slots=True)
class Cost:
    """The CPU that a rule takes alone, with what it counts.

    Attributes:
        seconds: for all events of the days; reckoned from those measured.
        measured: events that it was measured on; 0 if there were none, or no time was left.
        events: events of the datasets that it looks at.
    """

    seconds: float
    measured: int
    events: int

    @property
    def rate(self) -> float | None:
        """Events per CPU second."""
        return self.events / self.seconds if self.seconds > 0 and self.events else None


class Costs:
    """Measures each of the chosen rules alone, besides the run of all of them.

    Of many rules, each sees the first events of a dataset only.
    """

    def __init__(self, chosen: Chosen, context: Context) -> None:
        self._alone = [_Alone(chosen.only(one), context) for one in chosen.detections]
        self._most = max(_LEAST, _EVENTS // max(1, len(self._alone)))
        self._seen: dict[str, int] = {}
        self._spent = 0.0

    def add(self, frame: pl.DataFrame, dataset: str) -> None:
        """Run each rule over one batch of enriched events."""
        seen = self._seen.get(dataset, 0)
        self._seen[dataset] = seen + frame.height
        some = frame.head(max(0, self._most - seen))
        for one in self._alone if some.height else ():
            if self._spent < _MOST_SECONDS:
                self._spent += one.add(some, dataset)

    def of(self, place: int) -> Cost:
        """The cost of the detection at `place` among the chosen."""
        return self._alone[place].cost(self._seen)


class _Alone:
    """One rule, with what it counts."""

    def __init__(self, chosen: Chosen, context: Context) -> None:
        self._pack = chosen.pack
        self._names = [rule.name or rule.id for rule in chosen.pack.rules]
        self._correlations = Correlations(chosen.pack) if chosen.pack.correlations else None
        self._anomalies = Anomalies(chosen.anomalies, context) if chosen.anomalies else None
        self._measured: dict[str, tuple[int, float]] = {}
        self.detection: Detection = chosen.detections[0]

    def add(self, frame: pl.DataFrame, dataset: str) -> float:
        """Returns the CPU seconds that it took; 0 where no event can be one that the rule looks at."""
        sources = [rule.source for rule in self._pack.rules]
        if all(node is None or possible(node, frame.columns, dataset) is False for node in sources):
            return 0.0
        began = time.process_time()
        matches = self._pack.match(frame, dataset)
        if self._correlations is not None:
            self._correlations.add(frame, matches)
        if self._anomalies is not None:
            self._anomalies.add(frame, matches, self._names)
        took = time.process_time() - began
        rows, seconds = self._measured.get(dataset, (0, 0.0))
        self._measured[dataset] = (rows + frame.height, seconds + took)
        return took

    def cost(self, seen: dict[str, int]) -> Cost:
        """What was measured, for all events seen."""
        began = time.process_time()
        for gathered in (self._correlations, self._anomalies):
            if gathered is not None:
                for _ in gathered.find():
                    pass
        end = time.process_time() - began
        events = sum(seen[dataset] for dataset in self._measured)
        measured = sum(rows for rows, _ in self._measured.values())
        each = sum(seconds * seen[dataset] / rows for dataset, (rows, seconds) in self._measured.items())
        return Cost(each + end, measured, events)
