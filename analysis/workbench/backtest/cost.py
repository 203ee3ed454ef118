"""What a rule costs, in CPU: a few rules each measured alone, many measured in one run of all of them.

Alone, a rule takes mostly what reading its fields takes, which rules that run together share. So of many, the
question is what each adds to that.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from analysis.anomaly import Anomalies
from analysis.sigma import Correlations
from analysis.sigma.pack import possible
from analysis.workbench.backtest.together import Together

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from analysis.context import Context
    from analysis.workbench.chosen import Chosen, Detection

_FEW: Final = 20  # rules, up to which each is measured alone
_EVENTS: Final = 2_000_000  # rules times events of a dataset that are measured
_LEAST: Final = 20_000  # events of a dataset
_MOST_SECONDS: Final = 30.0  # for all rules that are measured alone


@dataclass(frozen=True, slots=True)
class Cost:
    """The CPU that a rule takes, with what it counts.

    Attributes:
        seconds: for all events of the days; reckoned from those measured.
        measured: events that it was measured on; 0 if there were none, or no time was left.
        events: events of the datasets that it looks at.
        alone: `seconds` are of the rule run alone; else what it adds to a run of all the chosen, which read
            the events and search their text once for all.
    """

    seconds: float
    measured: int
    events: int
    alone: bool = True

    @property
    def rate(self) -> float | None:
        """Events per CPU second, of a rule run alone."""
        return self.events / self.seconds if self.alone and self.seconds > 0 and self.events else None


class Costs:
    """Measures the chosen rules, besides the run of all of them.

    Of many rules, each sees the first events of a dataset only.
    """

    def __init__(self, chosen: Chosen, context: Context) -> None:
        few = len(chosen.detections) <= _FEW
        self._alone = [_Alone(chosen.only(one), context) for one in chosen.detections] if few else []
        self._together = None if few else Together(chosen, context)
        self._most = max(_LEAST, _EVENTS // max(1, len(chosen.detections)))
        self._seen = Counter[str]()
        self._spent = 0.0

    def add(self, frame: pl.DataFrame, dataset: str) -> None:
        """Run the rules over one batch of enriched events."""
        some = frame.head(max(0, self._most - self._seen[dataset]))
        self._seen[dataset] += frame.height
        if some.is_empty():
            return
        with _no_collection():
            if self._together is not None:
                self._together.add(some, dataset)
            for one in self._alone:
                if self._spent < _MOST_SECONDS:
                    self._spent += one.add(some, dataset)

    def of(self, place: int) -> Cost:
        """The cost of the detection at `place` among the chosen."""
        if self._together is None:
            return self._alone[place].cost(self._seen)
        measured, end = self._together.of(place)
        return _reckoned(measured, end, self._seen, alone=False)

    def shared(self) -> float | None:
        """The seconds that rules share, of those measured together; None where each was measured alone."""
        return None if self._together is None else _whole(self._together.shared, self._seen)

    def own(self) -> float | None:
        """The seconds that rules measured together take besides, each once; None as above."""
        if self._together is None:
            return None
        return sum(_whole(measured, self._seen) for measured in self._together.own())


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection: over the objects of a big pack it takes long, and one rule would bear it."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def _whole(measured: dict[str, tuple[int, float]], seen: Counter[str]) -> float:
    """The seconds for all events seen, from rows and seconds measured of each dataset."""
    return sum(seconds * seen[dataset] / rows for dataset, (rows, seconds) in measured.items())


def _reckoned(measured: dict[str, tuple[int, float]], end: float, seen: Counter[str], *, alone: bool) -> Cost:
    rows = sum(rows for rows, _ in measured.values())
    events = sum(seen[dataset] for dataset in measured)
    return Cost(_whole(measured, seen) + end, rows, events, alone)


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
        have = frozenset(frame.columns)
        if all(node is None or possible(node, have, dataset) is False for node in sources):
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

    def cost(self, seen: Counter[str]) -> Cost:
        """What was measured, for all events seen."""
        began = time.process_time()
        for gathered in (self._correlations, self._anomalies):
            if gathered is not None:
                for _ in gathered.find():
                    pass
        return _reckoned(self._measured, time.process_time() - began, seen, alone=True)
