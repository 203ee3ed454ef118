from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from analysis import profile
from analysis.attribution import Attribution
from analysis.context import Context
from analysis.finding import Finding, Level
from analysis.identity import names, resolve
from analysis.intake import Intake
from analysis.lake import Lake
from analysis.report.compose import Material, _present, compose
from analysis.report.document import Report

AT = datetime(2026, 10, 12, 14, 30, tzinfo=UTC)
ACCOUNT = "jdoe@corp.example"


def events(seed: int) -> pl.DataFrame:
    """The same events of one account in another order: one address, whose owner two logs name in two ways."""
    rows = [
        {
            "@timestamp": AT + timedelta(minutes=number),
            "event.dataset": "okta.system",
            "event.category": ["authentication"],
            "event.outcome": "success",
            "user.email": ACCOUNT,
            "account": ACCOUNT,
            "account.kind": "person",
            "source.ip": "203.0.113.7",
            "source.as.organization.name": ("Example Net", "EXAMPLE NET")[number % 2],
        }
        for number in range(40)
    ]
    random.Random(seed).shuffle(rows)  # noqa: S311 - an order, no secret
    return pl.DataFrame(rows, schema_overrides={"@timestamp": pl.Datetime("us", "UTC")})


def finding(**changed: object) -> Finding:
    said = {
        "detection": "6f7a",
        "title": "A sign-in",
        "level": Level.MEDIUM,
        "confidence": 0.5,
        "category": "access",
        "account": ACCOUNT,
        "first_seen": AT,
        "last_seen": AT,
        "why": "Signed in",
        "evidence": (),
        "benign": (),
    }
    return Finding(**{**said, **changed})  # type: ignore[arg-type] # the values above are of its types


def report(tmp_path: Path, seed: int) -> Report:
    frame = events(seed)
    identity = resolve([names(frame)], Context())
    attribution = Attribution.build([], identity, Context())
    for basis in random.Random(seed).sample(["user", "vpn lease", "unattributed"], 3):  # noqa: S311 - an order
        attribution.counts[basis] += 7
    return compose(
        Material(
            created=AT + timedelta(days=1),
            inputs=("logs",),
            intake=Intake(),
            lake=Lake(tmp_path / "lake"),
            context=Context(),
            identity=identity,
            attribution=attribution,
            profiles=profile.partial(frame),
            findings=(finding(),),
            not_run=(),
            detections=1,
        )
    )


def test_a_report_does_not_depend_on_the_order_of_events(tmp_path: Path) -> None:
    first = report(tmp_path, 0)
    assert [place.organization for place in first.accounts[0].places] == ["EXAMPLE NET"]
    assert all(report(tmp_path, seed) == first for seed in range(1, 12))


def test_one_log_whose_clock_runs_ahead_does_not_age_the_evidence() -> None:
    days = pl.DataFrame(
        {
            "account": ["u", "u", "v"],
            "day": [date(2026, 10, 12), date(2026, 10, 13), date(2031, 1, 1)],
            "events": [4000, 5000, 3],
        },
        schema_overrides={"events": pl.Int64},
    )
    assert _present({**profile.empty(), "days": days}) == datetime(2026, 10, 13, 23, 59, 59, tzinfo=UTC)
    assert _present(profile.empty()) is None
