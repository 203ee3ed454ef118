"""Every rule under rules/anomaly on its examples, through the same engine that a hunt uses."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import polars as pl
import pytest
from anomaly_cases import events

from analysis.anomaly import Anomalies, parse
from analysis.sigma import RulePack

if TYPE_CHECKING:
    from analysis.finding import Finding

RULES = Path(__file__).resolve().parents[1] / "rules"
LEARNED = sorted(path for path in (RULES / "anomaly").glob("*.yml"))
SELECTORS = sorted((RULES / "anomaly" / "selectors").glob("*.yml"))


@cache
def pack() -> RulePack:
    return RulePack.load([RULES])


def examples(path: Path, kind: str) -> pl.DataFrame:
    rows = [orjson.loads(line) for line in path.with_suffix(f".{kind}.ndjson").read_bytes().splitlines()]
    for row in rows:
        row["@timestamp"] = pl.Series([row["@timestamp"]]).str.to_datetime(time_zone="UTC")[0]
    return events(rows)


def found(path: Path, frame: pl.DataFrame) -> list[Finding]:
    document = next(document for document, where in pack().anomalies if where == path)
    anomalies = Anomalies([parse(document, path)])
    names = [rule.name or rule.id for rule in pack().rules]
    for (dataset,), part in frame.partition_by("event.dataset", as_dict=True, maintain_order=True).items():
        anomalies.add(part, pack().match(part, str(dataset)), names)
    findings = list(anomalies.find())
    silent = anomalies.not_run()
    assert not any("no event matched" in one.reason or "missing" in one.reason for one in silent), silent
    return findings


def test_there_are_rules_and_all_of_them_load() -> None:
    assert len(LEARNED) >= 20
    assert {path for _, path in pack().anomalies} >= set(LEARNED)
    assert not [error for error in pack().errors if "anomaly" in str(error.path)]


@pytest.mark.parametrize("path", LEARNED, ids=lambda path: path.stem)
def test_the_match_examples_raise_the_rule(path: Path) -> None:
    findings = found(path, examples(path, "match"))
    assert findings
    for one in findings:
        assert one.evidence
        assert one.evidence[0].line
        assert "{" not in one.why, one.why
        assert "unknown" not in one.why, one.why
        assert one.benign
        assert one.techniques
        assert one.signals
        assert one.first_seen <= one.last_seen
    assert {one.account for one in findings} <= {"bob", "new", "ivy"}


@pytest.mark.parametrize("path", LEARNED, ids=lambda path: path.stem)
def test_the_nomatch_examples_do_not(path: Path) -> None:
    assert [(one.account, one.why) for one in found(path, examples(path, "nomatch"))] == []


@pytest.mark.parametrize("path", SELECTORS, ids=lambda path: path.stem)
def test_the_selectors_pick_what_they_say(path: Path) -> None:
    index = next(n for n, rule in enumerate(pack().rules) if rule.name == path.stem)
    for kind in ("match", "nomatch"):
        for row in examples(path, kind).iter_slices(1):
            frame = row[[series.name for series in row if series.null_count() == 0]]
            matched = pack().match(frame, frame["event.dataset"][0]).filter(rule=index)
            assert matched.height == (kind == "match"), frame.to_dicts()
