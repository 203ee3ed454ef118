from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from anomaly_cases import METADATA, all_of, at, events, hunted, rule

from analysis.anomaly import Anomalies, AnomalyError, parse
from analysis.anomaly.wording import sentence, size
from analysis.finding import Level

GOOD = """\
title: Far more uploaded
id: 6f2c1a52-6c0b-4f0e-8f59-0c2f6f1f2a11
name: more_uploaded
level: medium
confidence: 0.5
tags:
  - attack.t1048
  - attack.t1567.002
  - molehunt.remote-control
  - molehunt.signal-x07
  - molehunt.decisive
falsepositives:
  - a release
why: Sent {value}.
anomaly:
  rules: [outbound_transfer]
  measure: sum
  field: source.bytes
  group-by: [account]
  timespan: 1d
  scale: log
  baseline: {of: [self, peer], span: 28d, peer-by: [roster.department], minimum: 10}
  condition:
    robust_z: {gt: 4}
    value: {gte: 1073741824}
    roster.days_since_start: {lte: 60}
"""


def test_a_whole_rule() -> None:
    got = parse(yaml.safe_load(GOOD), Path("x.yml"))
    assert (got.name, got.level, got.confidence, got.category) == (
        "more_uploaded",
        Level.MEDIUM,
        0.5,
        "remote_control",
    )
    assert got.techniques == ("T1048", "T1567.002")
    assert (got.signals, got.decisive, got.durable) == (("X07",), True, False)
    assert (got.rules, got.fields, got.group_by) == (("outbound_transfer",), ("source.bytes",), ("account",))
    assert got.baseline
    assert (got.baseline.of, got.baseline.span, got.baseline.minimum) == (
        ("self", "peer"),
        timedelta(days=28),
        10,
    )
    assert [(b.quantity, b.operator, b.number) for b in got.condition] == [
        ("robust_z", "gt", 4),
        ("value", "gte", 1073741824),
        ("roster.days_since_start", "lte", 60),
    ]
    assert got.options["scale"] == "log"
    assert got.benign == ("a release",)


MISTAKES = [
    ("measure: sum", "measure: summ", 17, "take one of sum, count"),
    ("  measure: sum\n", "", 15, "may not be left out"),
    ("robust_z: {gt: 4}", "robust_zz: {gt: 4}", 24, "did you mean 'robust_z'?"),
    ("robust_z: {gt: 4}", "robust_z: {more: 4}", 24, "take one of gt, gte"),
    ("robust_z: {gt: 4}", "robust_z: {gt: four}", 24, "'four' is not a number"),
    ("robust_z: {gt: 4}", "robust_z: 4", 24, "must be a mapping"),
    ("  scale: log", "  scales: log", 21, "did you mean 'scale'?"),
    ("  scale: log", "  scale: cubic", 21, "'cubic' is not known here"),
    ("  scale: log", "  warm-up: 7d", 21, "unknown key 'warm-up'"),
    ("timespan: 1d", "timespan: one day", 20, "length of time such as 15m"),
    ("of: [self, peer]", "of: [selves]", 22, "'selves' is no baseline"),
    ("minimum: 10", "minimum: many", 22, "must be a number"),
    ("group-by: [account]", "group-by: [host.name]", 19, "must hold `account`"),
    ("level: medium", "level: awful", 4, "'awful' is no level"),
    ("confidence: 0.5", "confidence: 7", 5, "must be a number from 0 to 1"),
    ("  - molehunt.remote-control\n", "", 6, "molehunt.payment"),
    ("falsepositives:", "falsepositive:", 12, "did you mean 'falsepositives'?"),
    ("  field: source.bytes\n", "", 15, "needs `field:`"),
    ("  rules: [outbound_transfer]\n", "", 15, "`rules:` must be a text or a list"),
    ("field: source.bytes", "field: source.byte", 18, "did you mean 'source.bytes'?"),
    ("field: source.bytes", "field: related.ip", 18, "several values in one event"),
    ("group-by: [account]", "group-by: [account, kiosk]", 19, "no column 'kiosk'"),
    ("  scale: log", "  show: [nothing.known]", 21, "no column 'nothing.known'"),
    ("peer-by: [roster.department]", "peer-by: [roster.manager]", 22, "take one of account.kind, roster."),
    (
        "  baseline: {of: [self, peer], span: 28d, peer-by: [roster.department], minimum: 10}\n",
        "",
        23,
        "baseline: {of",
    ),
]


@pytest.mark.parametrize(("good", "bad", "line", "word"), MISTAKES)
def test_a_mistake_has_its_file_its_line_and_a_remedy(
    tmp_path: Path, good: str, bad: str, line: int, word: str
) -> None:
    assert good in GOOD
    path = tmp_path / "rule.yml"
    path.write_text("title: another document\n---\n" + GOOD.replace(good, bad, 1), "utf-8")
    document = list(yaml.safe_load_all(path.read_text("utf-8")))[1]
    with pytest.raises(AnomalyError) as caught:
        parse(document, path)
    assert word in caught.value.message
    assert caught.value.path == path
    assert caught.value.line == line + 2
    assert str(caught.value).startswith(f"{path}:{line + 2}: ")


def test_a_mistake_in_a_document_that_is_in_no_file_is_told_all_the_same() -> None:
    with pytest.raises(AnomalyError, match=r"nowhere\.yml: "):
        parse({**METADATA, "anomaly": "sum"}, Path("nowhere.yml"))


@pytest.mark.parametrize(
    "body",
    [
        {"measure": "shared_by", "field": "source.ip", "condition": {"accounts": {"gte": 2}}},
        {"measure": "clock_shift", "group-by": ["account", "host.name"], "condition": {"days": {"gte": 2}}},
        {"measure": "count", "condition": {}},
    ],
)
def test_groups_and_conditions_that_mean_nothing_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(AnomalyError):
        rule(**body)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"measure": "sum", "field": "user.name"}, 0),
        ({"measure": "count", "group-by": ["account", "event.dataset", "@timestamp"]}, 27),
        ({"measure": "count", "show": ["account", "account.basis", "related.ip", "roster.manager"]}, 27),
        ({"measure": "first_seen", "field": "user.name", "amount": "user.name", "warm-up": "1s"}, 0),
        ({"measure": "shared_by", "field": "account", "group-by": ["source.port"], "show": ["account"]}, 3),
        ({"measure": "count", "hours": "off"}, 0),
    ],
    ids=lambda body: str(body["measure"]) if isinstance(body, dict) else "",
)
def test_odd_rules_that_are_allowed_do_not_end_a_hunt(body: dict[str, Any], count: int) -> None:
    row = {"user.name": "x", "related.ip": ["10.0.0.1"], "source.port": 7, "roster.timezone": "localtime"}
    frame = events(
        [{"@timestamp": at(day), "account": who, **row} for day in range(9) for who in ("a", "b", "c")]
    )
    quantity = "accounts" if body["measure"] == "shared_by" else "value"
    found = list(hunted(rule(**body, condition={quantity: {"gte": 1}}), frame).find())
    assert len(found) == count
    assert all(finding.evidence for finding in found)


def test_rules_that_pick_nothing_say_why() -> None:
    counted = rule(measure="count", condition={"value": {"gte": 1}})
    frame = events([{"account": "a", "@timestamp": at(0)}])
    anomalies = Anomalies([counted])
    anomalies.add(frame, all_of(frame), ["another"])
    assert "no Sigma rule named pick" in anomalies.not_run()[0].reason
    anomalies.add(frame, all_of(frame).clear(), ["pick"])
    assert anomalies.not_run()[0].reason == "no event matched pick"
    anomalies.add(frame, all_of(frame), ["pick"])
    assert anomalies.not_run() == []
    assert len(list(anomalies.find())) == 1


@pytest.mark.parametrize(
    ("body", "rows", "word"),
    [
        ({"measure": "clock_shift", "condition": {"days": {"gte": 1}}}, {}, "--roster"),
        (
            {"measure": "travel_speed", "condition": {"days": {"gte": 1}}},
            {"source.ip": "203.0.113.1"},
            "--geo-city",
        ),
        ({"measure": "count", "condition": {"value": {"gte": 1}}}, {"account": None}, "attributed"),
    ],
)
def test_a_missing_context_is_named(body: dict[str, Any], rows: dict[str, Any], word: str) -> None:
    frame = events([{"account": "a", "@timestamp": at(0), **rows}])
    anomalies = Anomalies([rule(**body)])
    anomalies.add(frame, all_of(frame), ["pick"])
    assert list(anomalies.find()) == []
    assert word in anomalies.not_run()[0].reason


def test_no_events_at_all() -> None:
    anomalies = Anomalies([rule(measure="count", condition={"value": {"gte": 1}})])
    assert list(anomalies.find()) == []
    assert len(anomalies.not_run()) == 1


def test_a_row_that_two_sigma_rules_picked_counts_once_unless_the_rule_is_the_value() -> None:
    frame = events([{"account": "a", "@timestamp": at(0)}])
    both = pl.concat([all_of(frame, 0), all_of(frame, 1)])
    once = rule(rules=["p", "q"], measure="count", condition={"value": {"gte": 2}})
    anomalies = Anomalies([once])
    anomalies.add(frame, both, ["p", "q"])
    assert list(anomalies.find()) == []
    by_rule = rule(rules=["p", "q"], measure="distinct", field="rule", condition={"value": {"gte": 2}})
    anomalies = Anomalies([by_rule])
    anomalies.add(frame, both, ["p", "q"])
    assert len(list(anomalies.find())) == 1


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("{value} sent", {"value": 1_500_000_000.0}, "1.5 GB sent"),
        ("{self_median}", {"self_median": None}, "not known yet"),
        ("{robust_z}", {"robust_z": 41.3}, "more than 20"),
        ("{robust_z}", {"robust_z": 5.25}, "5.2"),
        ("{stability}", {"stability": 0.914}, "91 %"),
        ("{day}", {"day": date(2026, 3, 2)}, "2026-03-02"),
        ("{arrived}", {"arrived": at(0, 9)}, "2026-03-02 09:00 UTC"),
        ("{source.ip} and {nothing}", {"source.ip": "203.0.113.1"}, "203.0.113.1 and unknown"),
        ("{ratio}", {"ratio": float("inf")}, "beyond measure"),
        ("{a.__class__} {0}", {"a": 1}, "unknown {0}"),
    ],
)
def test_sentences(template: str, values: dict[str, Any], text: str) -> None:
    assert sentence(template, values, is_bytes=True) == text


@pytest.mark.parametrize(
    ("bytes_", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (2.5e15, "2.5 PB")]
)
def test_sizes(bytes_: float, text: str) -> None:
    assert size(bytes_) == text
