"""A regular expression that runs out of time is told, and ends."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from sigma_cases import pack_of, rule_text

from analysis.sigma.regex import pattern

# Look-ahead keeps it from Rust's engine; there are more ways to read sixty letters than time.
ENDLESS = "^(?=a)(a|aa)+$"


def test_what_ran_out_of_time_is_listed_under_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pattern, "TIME_LIMIT", 0.02)
    slow = rule_text(
        f"  s:\n    f|re: '{ENDLESS}'\n  condition: s",
        title="slow",
        id="11111111-1111-4111-8111-111111111111",
    )
    plain = rule_text(
        "  s:\n    f|contains: aaa\n  condition: s", title="plain", id="11111111-1111-4111-8111-111111111112"
    )
    pack = pack_of(tmp_path, slow, plain)
    frame = pl.DataFrame({"f": ["a" * 60 + "b", "x", None]})
    assert pack.plan({"test": {"f"}}) == []
    found = pack.match(frame, "test")
    assert [pack.rules[number].title for number in found["rule"]] == ["plain"]
    (told,) = pack.plan({"test": {"f"}})
    assert told.title == "slow"
    assert "not run on every event" in told.reason
    assert "ran out of time" in told.reason
    assert "1 values" in told.reason
