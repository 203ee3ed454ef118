"""A backtest for another program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from analysis.workbench.chosen import kind

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.finding import Finding
    from analysis.workbench.backtest.cost import Cost
    from analysis.workbench.backtest.replay import Replay, Replayed
    from analysis.workbench.chosen import Chosen
    from analysis.workbench.judged import Precision


def written(done: Replay, lake: Path, chosen: Chosen) -> str:
    """One JSON object; its keys are added to, never renamed."""
    first, last = done.dates or (None, None)
    whole = {
        "lake": str(lake),
        "since": first,
        "until": last,
        "events": sum(done.rows.values()),
        "datasets": done.rows,
        "days_with_events": done.filled,
        "cpu_seconds": round(done.seconds, 4),
        "cpu_seconds_shared": None if done.shared is None else round(done.shared, 4),
        "cpu_seconds_own": None if done.own is None else round(done.own, 4),
        "errors": [str(error) for error in chosen.errors],
        "verdicts_on_other_rules": list(done.strangers),
        "verdicts_on_other_events": [{"file": file, "line": line} for file, line in done.unseen],
        "verdicts_on_accounts_without_hits": list(done.without_hits),
        "rules": [_rule(one, done) for one in done.replayed],
    }
    return orjson.dumps(whole, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_INDENT_2).decode()


def _rule(one: Replayed, done: Replay) -> dict[str, Any]:
    rule, tally = one.detection, one.tally
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "kind": kind(rule),
        "level": rule.level.name.lower(),
        "path": str(rule.path),
        "hits": tally.hits,
        "hits_by_day": tally.days,
        "hits_without_time": tally.undated,
        "hits_by_account": [
            {
                "account": who.account,
                "host": who.host,
                "hits": who.hits,
                "by_day": who.days,
                "right": who.right,
                "wrong": who.wrong,
            }
            for who in tally.who
        ],
        "alerts_by_day": tally.alerts,
        "alerts_a_day": round(sum(tally.alerts.values()) / done.filled, 4) if done.filled else None,
        "findings": one.findings,
        "examples": [_finding(finding) for finding in one.examples],
        "counted_by": list(one.counters),
        "values": {
            loud.field: {
                "columns": list(loud.columns),
                "distinct": loud.distinct,
                "top": loud.top,
                "counts_too_low_by_at_most": loud.off,
            }
            for loud in one.values
        },
        "precision": _precision(one.precision) if one.precision else None,
        "cost": _cost(one.cost),
        "looked_at": one.datasets,
        "not_run": one.not_run,
        "held_back": [
            {
                "filter": each.filter,
                "path": each.path,
                "owner": each.owner,
                "reason": each.reason,
                "expires": each.expires,
                "events": each.count,
            }
            for each in one.held
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "account": finding.account,
        "host": finding.host,
        "why": finding.why,
        "first_seen": finding.first_seen,
        "last_seen": finding.last_seen,
        "events": finding.count,
        "evidence": [
            {"file": event.path, "line": event.line, "record": event.record, "frame": event.frame}
            for event in finding.evidence
        ],
    }


def _precision(precision: Precision) -> dict[str, Any]:
    return {
        "share": precision.share,
        "interval_95": precision.interval,
        "right": precision.right,
        "wrong": precision.wrong,
        "without_verdict": precision.open,
        "lost": [{"file": file, "line": line} for file, line in precision.lost],
    }


def _cost(cost: Cost) -> dict[str, Any]:
    rate = cost.rate
    return {
        "cpu_seconds": round(cost.seconds, 6),
        "events": cost.events,
        "measured_on": cost.measured,
        "events_a_cpu_second": None if rate is None else round(rate),
        "alone": cost.alone,
    }
