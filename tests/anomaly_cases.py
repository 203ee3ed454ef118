"""Events, rules and matches made by hand for the tests of anomaly rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from analysis.anomaly import Anomalies, AnomalyRule, parse
from analysis.context import Context
from sensors.schema import conform

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
METADATA: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-000000000001",
    "title": "A test",
    "name": "a_test",
    "level": "medium",
    "tags": ["molehunt.exfiltration", "molehunt.signal-x07", "attack.t1048"],
}


def rule(**anomaly: object) -> AnomalyRule:
    return parse({**METADATA, "anomaly": {"rules": ["pick"], **anomaly}}, Path("made/by/hand.yml"))


def at(day: float, hour: float = 12) -> datetime:
    return START + timedelta(days=day, hours=hour)


def events(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A frame as the hunt has it: only columns with a value, and `account`, `account.kind`."""
    located = [
        {"log.file.path": "made.log", "log.file.line": number, "event.dataset": "made.log", **row}
        for number, row in enumerate(rows, 1)
    ]
    frame = pl.DataFrame(located, infer_schema_length=None)
    own = [name for name in ("account", "account.kind") if name in frame.columns]
    return pl.concat([conform(frame.drop(own)), frame.select(own)], how="horizontal")


def all_of(frame: pl.DataFrame, index: int = 0) -> pl.DataFrame:
    """Matches: one Sigma rule, every row."""
    return pl.DataFrame(
        {"rule": [index] * frame.height, "row": range(frame.height)},
        schema={"rule": pl.UInt32, "row": pl.UInt32},
    )


def hunted(one: AnomalyRule, frame: pl.DataFrame, context: Context | None = None) -> Anomalies:
    anomalies = Anomalies([one], context)
    anomalies.add(frame, all_of(frame), ["pick"])
    return anomalies
