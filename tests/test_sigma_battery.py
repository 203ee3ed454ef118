"""Cases whose results others published: a rule, events, which of them must match."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from sigma_cases import TRUTH, pack_of, raw_frame

from analysis import intake
from analysis.sigma import Correlations, RulePack
from analysis.sigma.explain import explain
from sensors import files
from sensors.sensor import Source
from sensors.windows import SENSOR

if TYPE_CHECKING:
    from pathlib import Path

BATTERY = TRUTH / "battery.json"
CASES: list[dict[str, Any]] = json.loads(BATTERY.read_bytes()) if BATTERY.is_file() else []
REGRESSION = TRUTH / "regression.json"

pytestmark = pytest.mark.skipif(not CASES, reason=f"{BATTERY} is not here")


@pytest.mark.parametrize("case", [c for c in CASES if c["kind"] != "correlation"], ids=lambda c: c["id"])
def test_detection(case: dict[str, Any], tmp_path: Path) -> None:
    pack = pack_of(tmp_path, case["yaml"])
    if case["expect"] == "REJECT":
        assert pack.errors
        assert not pack.rules
        return
    assert pack.errors == []
    matches = pack.match(raw_frame(case["events"]), "")
    found = [case["events"][row]["EventRecordID"] for row in matches["row"]]
    assert found == case["expect"]
    plainly = [e["EventRecordID"] for e in case["events"] if explain(pack.rules[0], e).matched]
    assert plainly == case["expect"]


@pytest.mark.parametrize("batch", [1, 100])
@pytest.mark.parametrize("case", [c for c in CASES if c["kind"] == "correlation"], ids=lambda c: c["id"])
def test_correlation(case: dict[str, Any], batch: int, tmp_path: Path) -> None:
    pack = pack_of(tmp_path, case["yaml"])
    assert pack.errors == []
    time = pl.col("SystemTime").str.to_datetime(time_unit="us", time_zone="UTC")
    frame = raw_frame(case["events"]).with_columns(time.alias("@timestamp"))
    gathered = Correlations(pack)
    for part in frame.iter_slices(batch):
        gathered.add(part, pack.match(part, ""))
    asked = next(c for c in pack.correlations if not c.silent)
    assert any(finding.detection == asked.id for finding in gathered.find()) == case["expect"]


@pytest.mark.skipif(not REGRESSION.is_file(), reason=f"{REGRESSION} is not here")
def test_rules_of_sigmahq_find_the_events_they_were_written_for() -> None:
    cases = json.loads(REGRESSION.read_bytes())
    pack = RulePack.load([TRUTH / "sigmahq" / case["rule"] for case in cases])
    assert pack.errors == []
    numbers = {rule.id: number for number, rule in enumerate(pack.rules)}
    missed = []
    for case in cases:
        (source,) = files.sources(TRUTH / case["evtx"])
        assert isinstance(source, Source)
        found = sum(
            pack.match(part, str(dataset)).filter(pl.col("rule") == numbers[case["rule_id"]]).height
            for frame in intake.events(source, SENSOR)
            for (dataset,), part in frame.partition_by("event.dataset", as_dict=True).items()
        )
        if found < (case["expected_at_least"] or 1):
            missed.append(case["rule"])
    assert missed == []
