"""Findings from matches: one for each rule, account and host, the same however events are batched."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma_cases import pack_of, rule_text

from analysis.sigma import Findings, RulePack, findings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from analysis.finding import Finding

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
WHY = "'{act} on {where} by {tool}, {count} times'"


def rules(folder: Path) -> RulePack:
    pack = pack_of(
        folder,
        rule_text(
            "  s: {act: a}\n  condition: s", name="one", why=WHY, fields="[where]", falsepositives="[IT]"
        ),
        rule_text("  s: {act: [a, b]}\n  condition: s", title="Plain"),
    )
    assert pack.errors == []
    return pack


def frame(events: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {"at": pl.Int64, "act": pl.String, "account": pl.String, "host.name": pl.String}
    rows = pl.DataFrame([{name: event.get(name) for name in schema} for event in events], schema=schema)
    return rows.with_columns(
        (pl.lit(START) + pl.duration(seconds=pl.col("at"))).alias("@timestamp"),
        pl.lit("x.log").alias("log.file.path"),
        pl.lit("ab" * 32).alias("molehunt.source.sha256"),
        pl.lit("test.log").alias("event.dataset"),
        pl.int_range(1, pl.len() + 1).alias("log.file.line"),
        pl.concat_list(pl.lit("room"), pl.col("act")).alias("where"),
    )


def found(pack: RulePack, parts: list[pl.DataFrame]) -> list[Finding]:
    gathered = Findings(pack)
    for part in parts:
        gathered.add(part, pack.match(part, "test.log"))
    return list(gathered.find())


def test_what_a_finding_says(tmp_path: Path) -> None:
    events = [
        {"at": 9, "act": "a", "account": "u", "host.name": "h"},
        {"at": 3, "act": "a", "account": "u", "host.name": "h"},
        {"at": 5, "act": "b", "account": "u", "host.name": "h"},
    ]
    one, two = found(rules(tmp_path), [frame(events)])
    assert (one.title, one.account, one.host, one.count) == ("t", "u", "h", 2)
    assert (one.first_seen, one.last_seen) == (START + timedelta(seconds=3), START + timedelta(seconds=9))
    assert one.why == "a on room, a by unknown, 2 times"
    assert one.benign == ("IT",)
    first, second = one.evidence
    assert (first.path, first.sha256, first.dataset, first.line) == ("x.log", "ab" * 32, "test.log", 2)
    assert (first.at, second.line) == (one.first_seen, 1)
    assert first.fields == {"act": "a", "where": "room, a"}
    assert two.why == "Plain"
    assert two.count == 3


def test_accounts_are_kept_apart_and_without_them_hosts(tmp_path: Path) -> None:
    events = [
        {"at": number, "act": "a", "account": account, "host.name": host}
        for number, (account, host) in enumerate(
            [("u", "h"), ("u", "i"), ("v", "h"), (None, None), (None, "h"), (None, "i")]
        )
    ]
    them = [(f.account, f.host, f.count) for f in found(rules(tmp_path), [frame(events)]) if f.title == "t"]
    assert them == [("", "", 1), ("", "h", 1), ("", "i", 1), ("u", "h", 2), ("v", "h", 1)]


def test_an_event_without_account_host_or_time_does_not_vanish(tmp_path: Path) -> None:
    bare = frame([{"at": None, "act": "a"}]).drop("account", "host.name")
    one, _ = found(rules(tmp_path), [bare])
    assert (one.account, one.host, one.count) == ("", "", 1)
    assert one.first_seen.year == 1970


def test_no_matches_no_findings(tmp_path: Path) -> None:
    assert found(rules(tmp_path), []) == []
    assert found(rules(tmp_path), [frame([{"at": 1, "act": "x"}])]) == []


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 50),
            "act": st.sampled_from("abx"),
            "account": st.sampled_from(["u", "v", None]),
            "host.name": st.sampled_from(["h", None]),
        }
    ),
    min_size=1,
    max_size=30,
)


def test_batches_and_merging_on_the_way_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = rules(tmp_path_factory.mktemp("rules"))
    monkeypatch.setattr(findings, "_MERGE_ROWS", 3)
    monkeypatch.setattr(findings, "_MERGE_PARTS", 2)

    @settings(max_examples=40, deadline=None)
    @given(EVENTS, st.integers(1, 7))
    def run(events: list[dict[str, Any]], size: int) -> None:
        whole = frame(events)
        together = found(pack, [whole])
        assert found(pack, list(whole.iter_slices(size))) == together
        counted = {(f.title, f.account, "" if f.account else f.host): f.count for f in together}
        plainly = Counter(
            (title, event["account"] or "", "" if event["account"] else event["host.name"] or "")
            for title, acts in (("t", "a"), ("Plain", "ab"))
            for event in events
            if event["act"] in acts
        )
        assert counted == plainly

    run()
