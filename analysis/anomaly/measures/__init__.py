"""The measures of anomaly rules, by the name that `measure:` calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analysis.anomaly.measures.clock import ClockShift
from analysis.anomaly.measures.novelty import FirstSeen
from analysis.anomaly.measures.sharing import SharedBy
from analysis.anomaly.measures.travel import TravelSpeed
from analysis.anomaly.measures.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.anomaly.measures.measure import Measure

MEASURES: Final[Mapping[str, Measure]] = {
    "sum": Volume("sum"),
    "count": Volume("count"),
    "distinct": Volume("distinct"),
    "hours_active": Volume("hours_active"),
    "first_seen": FirstSeen(),
    "travel_speed": TravelSpeed(),
    "clock_shift": ClockShift(),
    "shared_by": SharedBy(),
}
