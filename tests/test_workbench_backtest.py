"""`molehunt rules backtest`, over a lake of the sample scenario."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hunted import Hunted, hunt, run
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench_lake import SCENARIO, answer, context, made, rule

from analysis.context import load_context
from analysis.known import Known
from analysis.lake import Lake
from analysis.sigma import Correlations, RulePack, bundled_rules
from analysis.workbench.backtest import cost, hits, replay
from analysis.workbench.backtest.cost import Costs
from analysis.workbench.backtest.hits import Loudest
from analysis.workbench.backtest.together import Together
from analysis.workbench.chosen import choose
from analysis.workbench.judged import Precision
from analysis.workbench.opened import Days, Opened
from analysis.workbench.reads import columns_read

LOOKED_UP = "remote_access_dns"
ANYDESK = {"selection": {"dns.question.name|endswith": ".anydesk.com"}, "condition": "selection"}


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> Hunted:
    return made(tmp_path_factory)


@pytest.fixture(scope="module")
def bundled(hunted: Hunted) -> dict[str, Any]:
    """A backtest of all of molehunt's own rules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "_MOST_SECONDS", 0.5)
        return answer("backtest", bundled_rules(), "--lake", hunted.out, *context())


@pytest.fixture(scope="module")
def opened(hunted: Hunted) -> Opened:
    names = {
        "roster": "roster.csv",
        "geo_city": "geo-city.mmdb",
        "geo_asn": "geo-asn.mmdb",
        "site": "site.toml",
    }
    files = {kind: SCENARIO / name for kind, name in names.items()}
    return Opened(Lake(hunted.out / "lake"), load_context(**files))


@pytest.fixture(scope="module")
def frames(opened: Opened) -> list[tuple[str, pl.DataFrame]]:
    known = Known.of(opened.lake, opened.context)
    return [(batch.dataset, known.add(batch.frame)) for batch in opened.lake.batches()]


def matched(frames: list[tuple[str, pl.DataFrame]], name: str) -> list[dict[str, Any]]:
    """The events that a bundled rule matches, row by row."""
    pack = RulePack.load([bundled_rules()])
    number = next(number for number, one in enumerate(pack.rules) if name in (one.name, one.path.stem))
    found = []
    for dataset, frame in frames:
        rows = pack.match(frame, dataset).filter(pl.col("rule") == number)["row"]
        found += frame[rows].to_dicts()
    assert found
    return found


def found_by(hunted: Hunted) -> list[dict[str, Any]]:
    return list(hunted.report["findings"])


def only(told: dict[str, Any]) -> dict[str, Any]:
    (one,) = told["rules"]
    return dict(one)


def test_hits_are_counted_by_day_and_account(hunted: Hunted, frames: list[tuple[str, pl.DataFrame]]) -> None:
    one = only(answer("backtest", LOOKED_UP, "--lake", hunted.out, *context()))
    events = matched(frames, LOOKED_UP)
    assert one["hits"] == len(events)
    assert one["hits_by_day"] == Counter(str(event["@timestamp"].date()) for event in events)
    people = Counter(event["account"] or "" for event in events)
    assert Counter(
        {who["account"]: who["hits"] for who in one["hits_by_account"] if who["account"]}
    ) == Counter({account: count for account, count in people.items() if account})
    assert len(people) > 5
    pairs = {(str(event["@timestamp"].date()), event["account"]) for event in events if event["account"]}
    nobody = [who for who in one["hits_by_account"] if not who["account"]]
    assert sum(one["alerts_by_day"].values()) == len(pairs) + sum(len(who["by_day"]) for who in nobody)
    for who in one["hits_by_account"]:
        assert sum(who["by_day"].values()) == who["hits"]


def test_the_loudest_values_are_those_of_the_events(
    hunted: Hunted, frames: list[tuple[str, pl.DataFrame]]
) -> None:
    one = only(answer("backtest", LOOKED_UP, "--lake", hunted.out, *context()))
    values = Counter(event["dns.question.name"] for event in matched(frames, LOOKED_UP))
    told = one["values"]["dns.question.name"]
    assert told["top"] == dict(values.most_common(20))
    assert told["distinct"] == len(values)
    assert told["counts_too_low_by_at_most"] == 0


def test_the_findings_are_those_of_the_hunt(hunted: Hunted, bundled: dict[str, Any]) -> None:
    told = bundled
    in_hunt = Counter(finding["detection"] for finding in found_by(hunted))
    assert {one["id"]: one["findings"] for one in told["rules"] if one["findings"]} == in_hunt
    assert {one["kind"] for one in told["rules"] if one["findings"]} == {"rule", "correlation", "anomaly"}
    counts = {one["id"]: one for one in told["rules"]}
    for finding in found_by(hunted):
        one = counts[finding["detection"]]
        if one["kind"] == "rule" and finding["account"]:
            (who,) = (who for who in one["hits_by_account"] if who["account"] == finding["account"])
            assert who["hits"] == finding["count"]
    not_run = {each["detection"]: each["reason"] for each in hunted.report["not_run"]}
    assert {
        one["id"]: one["not_run"] for one in told["rules"] if one["not_run"] and not one["counted_by"]
    } == not_run


def test_reading_only_the_columns_that_rules_need_changes_nothing(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "_MOST_SECONDS", 0.0)
    chosen = choose([])
    few = columns_read(chosen)
    assert few is not None
    assert any(set(columns) - few for columns in opened.lake.columns().values())
    week = Days(until=date(2026, 10, 18))
    less = replay.replay(chosen, opened, week)
    monkeypatch.setattr(replay, "columns_read", lambda _chosen: None)
    whole = replay.replay(chosen, opened, week)
    assert len(less.replayed) == len(whole.replayed) > 100
    assert sum(one.tally.hits > 0 for one in whole.replayed) > 10
    for one, other in zip(less.replayed, whole.replayed, strict=True):
        assert one.tally == other.tally, one.detection.title
        assert one.values == other.values, one.detection.title
        assert one.examples == other.examples, one.detection.title


def test_days_add_up(hunted: Hunted) -> None:
    whole = only(answer("backtest", LOOKED_UP, "--lake", hunted.out))
    early = only(answer("backtest", LOOKED_UP, "--lake", hunted.out, "--until", "2026-10-19"))
    late = only(answer("backtest", LOOKED_UP, "--lake", hunted.out, "--since", "2026-10-20"))
    assert early["hits_by_day"] | late["hits_by_day"] == whole["hits_by_day"]
    assert early["hits"]
    assert late["hits"]
    assert max(early["hits_by_day"]) <= "2026-10-19" < min(late["hits_by_day"])


def test_windows_of_correlations_reach_back_before_the_days(hunted: Hunted, tmp_path: Path) -> None:
    lookup = rule(tmp_path, "lookup", ANYDESK)
    days = only(answer("backtest", lookup, "--lake", hunted.out))["hits_by_day"]
    assert len(days) > 3
    first, *_, last = days
    many = rule(
        tmp_path,
        "many",
        None,
        logsource=None,
        correlation={
            "type": "event_count",
            "rules": ["lookup"],
            "timespan": "60d",
            "group-by": ["event.dataset"],
            "condition": {"gte": sum(days.values())},
        },
    )
    asked = ("backtest", many, "--rules", tmp_path, "--lake", hunted.out)
    late = only(answer(*asked, "--since", last))
    assert late["hits"] == late["findings"] >= 1
    assert set(late["hits_by_day"]) == {last}
    assert only(answer(*asked, "--until", first))["hits"] == 0


def test_precision_is_by_verdicts_and_says_what_is_lost(hunted: Hunted, tmp_path: Path) -> None:
    found = only(answer("backtest", LOOKED_UP, "--lake", hunted.out, *context()))
    loud, quiet = (who for who in found["hits_by_account"][:2])
    finding = next(
        f for f in found_by(hunted) if f["detection"] == found["id"] and f["account"] == loud["account"]
    )
    at = finding["evidence"][0]
    other = rule(
        tmp_path, "example_lookup", {"s": {"dns.question.name": "nothing.invalid"}, "condition": "s"}
    )
    table = tmp_path / "verdicts.csv"
    table.write_text(
        "rule,account,file,line,verdict,by,note\n"
        f"{LOOKED_UP},{loud['account'].upper()},,,false,me,\n"
        f"{found['id']},,{at['path']},{at['line']},true,me,the event counts for more than the account\n"
        f"{found['id']},{quiet['account']},,,true,me,\n"
        f"example_lookup,,{at['path']},{at['line']},true,me,\n"
        "no_such_rule,,,,true,me,\n"
    )
    told = answer("backtest", LOOKED_UP, other, "--lake", hunted.out, *context(), "--verdicts", table)
    by_name = {one["name"]: one for one in told["rules"]}
    precision = by_name[found["name"]]["precision"]
    right, wrong = 1 + quiet["hits"], loud["hits"] - 1
    assert (precision["right"], precision["wrong"]) == (right, wrong)
    assert precision["without_verdict"] == found["hits"] - right - wrong
    assert precision["share"] == pytest.approx(right / (right + wrong))
    assert precision["lost"] == []
    assert by_name["example_lookup"]["precision"]["lost"] == [{"file": at["path"], "line": at["line"]}]
    assert told["verdicts_on_other_rules"] == ["no_such_rule"]
    shown = run("rules", "backtest", LOOKED_UP, other, "--lake", hunted.out, *context(), "--verdicts", table)
    assert f"{right}/{right + wrong}" in shown.stdout
    assert "NO LONGER HIT" in shown.stdout


def test_a_verdict_names_a_log_by_the_end_of_its_path(hunted: Hunted, tmp_path: Path) -> None:
    at = next(f for f in found_by(hunted) if "dns.log" in f["evidence"][0]["path"])["evidence"][0]
    lookup = rule(tmp_path, "every_lookup", {"s": {"dns.question.name|contains": "."}, "condition": "s"})
    table = tmp_path / "verdicts.csv"
    table.write_text(
        f"rule,account,file,line,verdict\nevery_lookup,,dns.log.gz,{at['line']},false\n"
        "every_lookup,,nowhere.log,7,true\nevery_lookup,nobody@example.com,,,true\n"
    )
    asked = ("backtest", lookup, "--lake", hunted.out, "--verdicts", table)
    told = answer(*asked)
    assert only(told)["precision"]["wrong"] == 1
    assert told["verdicts_on_other_events"] == [{"file": "nowhere.log", "line": 7}]
    assert told["verdicts_on_accounts_without_hits"] == ["nobody@example.com"]
    shown = " ".join(run("rules", *asked).stdout.split())
    assert "Verdicts on events that are not among these: nowhere.log:7" in shown
    assert "Verdicts on accounts without a hit: nobody@example.com" in shown


@pytest.mark.parametrize(
    ("last", "rows", "a_day"),
    [
        ("2016-03-03", ["2016-03-01 Tue", "2016-03-02 Wed", "2016-03-03 Thu"], "1.00"),
        ("2016-05-01", [f"2016-{day}" for day in ("03-01 Tue", "03-08 Tue", "03-15 Tue")], "1.00"),
        ("2017-01-05", ["2016-03", "2016-04", "2016-05"], "1.00"),
        ("2026-01-05", ["2016", "2017", "2018", "2019", "2020"], "1.00"),
    ],
)
def test_days_without_logs_do_not_make_a_rule_look_quiet(
    last: str, rows: list[str], a_day: str, tmp_path: Path
) -> None:
    lookups = [
        {"event.dataset": "zeek.dns", "event.category": ["network"], "network.protocol": "dns",
         "@timestamp": f"{day}T10:00:00Z", "dns.question.name": "a.anydesk.com", "host.name": "pc"}
        for day in ("2016-03-01", last)
    ]  # fmt: skip
    (tmp_path / "log.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lookups))
    hunted = hunt(tmp_path / "out", tmp_path / "log.ndjson")
    lookup = rule(tmp_path, "lookup", ANYDESK, logsource={"category": "any"})
    told = answer("backtest", lookup, "--lake", hunted.out)
    assert told["days_with_events"] == 2
    assert only(told)["alerts_a_day"] == 1
    shown = run("rules", "backtest", lookup, "--lake", hunted.out).stdout
    assert "2 of them with events" in shown
    assert "2, of 0 accounts, on 2 of 2 days" in shown
    assert f"{a_day} alerts a day" in shown
    table = shown[shown.index("alerts    ") :].split("\n\n")[0].splitlines()[1:]
    assert [line.strip()[: len(row)] for line, row in zip(table, rows, strict=False)] == rows
    assert sum("█" in line for line in table) == 2
    assert len(table) <= 36


def test_days_that_the_lake_does_not_have_are_told(hunted: Hunted) -> None:
    result = run("rules", "backtest", LOOKED_UP, "--lake", hunted.out, "--since", "2030-01-01")
    assert "No event of the lake lies on these days; it has 2026-10-" in result.stderr
    assert "none: no event of these days is one that it looks at" in result.stdout


def test_verdicts_hold_for_the_findings_of_correlations_too(
    hunted: Hunted, bundled: dict[str, Any], tmp_path: Path
) -> None:
    table = tmp_path / "verdicts.csv"
    for kind in ("correlation", "anomaly"):
        one = max((one for one in bundled["rules"] if one["kind"] == kind), key=lambda one: one["findings"])
        finding = next(f for f in found_by(hunted) if f["detection"] == one["id"])
        table.write_text(f"rule,account,verdict\n{one['id']},{finding['account']},false\n")
        again = only(answer("backtest", one["id"], "--lake", hunted.out, *context(), "--verdicts", table))
        same = [
            f for f in found_by(hunted) if f["detection"] == one["id"] and f["account"] == finding["account"]
        ]
        assert again["precision"]["wrong"] == len(same) >= 1
        assert again["precision"]["right"] == 0


@pytest.mark.parametrize(
    ("right", "wrong", "low", "high"), [(8, 2, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (1, 0, 0.2065, 1.0)]
)
def test_the_interval_is_wilsons(right: int, wrong: int, low: float, high: float) -> None:
    interval = Precision(right, wrong, 0).interval
    assert interval == pytest.approx((low, high), abs=1e-4)
    assert Precision(0, 0, 5).interval is None


def test_what_filters_hold_back_is_told(hunted: Hunted, tmp_path: Path) -> None:
    path = rule(tmp_path, "lookup", ANYDESK)
    whole = only(answer("backtest", path, "--lake", hunted.out, *context()))
    account = whole["hits_by_account"][0]["account"]
    (tmp_path / "quiet.yml").write_text(
        "title: Known user\nlogsource: {category: dns}\nowner: me\nreason: helpdesk\nexpires: 2999-12-31\n"
        f"filter:\n  rules: [lookup]\n  known: {{account: '{account}'}}\n  condition: not known\n"
    )
    one = only(answer("backtest", path, "--rules", tmp_path, "--lake", hunted.out, *context()))
    (held,) = one["held_back"]
    assert held["events"] == whole["hits_by_account"][0]["hits"] == whole["hits"] - one["hits"]
    assert (held["owner"], held["filter"]) == ("me", "Known user")


def test_a_rule_that_serves_others_says_whom(hunted: Hunted) -> None:
    told = answer("backtest", bundled_rules() / "correlation/selectors", "--lake", hunted.out)
    cloned = next(one for one in told["rules"] if one["path"].endswith("repository_cloned.yml"))
    assert cloned["hits"] > 0
    assert cloned["findings"] == 0
    assert "Many repositories cloned within ten minutes" in cloned["counted_by"]


def test_a_rule_without_its_telemetry_says_why(hunted: Hunted, tmp_path: Path) -> None:
    blind = rule(tmp_path, "blind", {"s": {"dns.resolved_by_moon": 1}, "condition": "s"})
    deaf = rule(tmp_path, "deaf", ANYDESK, logsource={"product": "windows", "category": "process_creation"})
    told = answer("backtest", blind, deaf, "--lake", hunted.out)
    by_name = {one["name"]: one for one in told["rules"]}
    assert "dns.resolved_by_moon" in by_name["blind"]["not_run"]
    assert by_name["blind"]["looked_at"]["zeek.dns"] > 1000
    assert "no events of" in by_name["deaf"]["not_run"]
    assert by_name["deaf"]["looked_at"] == {}
    assert by_name["deaf"]["cost"]["measured_on"] == 0


def test_a_rule_that_had_nothing_to_look_at_is_not_said_to_have_found_nothing(
    hunted: Hunted, tmp_path: Path
) -> None:
    """Some log of the lake might tell of the registry, by its columns; none does."""
    any_action = {"s": {"event.action|exists": True}, "condition": "s"}
    rule(tmp_path, "deaf", any_action, logsource={"category": "registry_set"})
    for name in ("quiet", "calm", "still"):
        rule(tmp_path, name, {"s": {"dns.question.name": f"{name}.nowhere"}, "condition": "s"})
    shown = " ".join(run("rules", "backtest", tmp_path, "--lake", hunted.out).stdout.split())
    assert "3 rules ran without a hit. 1 rule could not run, or not yet:" in shown
    assert "no event of these days is of category registry_set Deaf" in shown


def test_a_broken_rule_is_named_and_the_others_run(hunted: Hunted, tmp_path: Path) -> None:
    rule(tmp_path, "lookup", ANYDESK)
    (tmp_path / "broken.yml").write_text(
        "title: Broken\nlogsource: {category: dns}\ndetection: {a: {b: 1}}\n"
    )
    result = run("rules", "backtest", tmp_path, "--lake", hunted.out, "--json")
    assert result.exit_code == 1
    assert "broken.yml:" in result.stderr
    told = json.loads(result.stdout)
    assert [one["name"] for one in told["rules"]] == ["lookup"]
    assert any("broken.yml:" in error for error in told["errors"])
    alone = run("rules", "backtest", tmp_path / "broken.yml", "--lake", hunted.out)
    assert alone.exit_code == 1
    assert "no rule could be loaded" in alone.stderr


def test_the_page_for_a_person(hunted: Hunted) -> None:
    result = run(
        "rules", "backtest", LOOKED_UP, "one_session_many_addresses", "--lake", hunted.out, *context()
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in result.stdout
    for words in (
        "2 rules, 2 with hits",
        "Remote-access service looked up  [low rule]",
        "zeek.dns 3,832 of 3,832",
        "alerts a day (one for each account and day)",
        "not known: no verdicts given",
        "events a CPU second",
        "dns.question.name",
        "relay-3e8a41c7.net.anydesk.com",
        "zeek/dns.log.gz:",
    ):
        assert words in result.stdout, words
    cells = [line.split() for line in lines if line.strip().startswith("2026-10-") and "█" in line]
    bars = sorted((int(cell[2]), len(cell[4])) for cell in cells if len(cell) == 5)
    assert bars
    assert bars[0] <= bars[-1] == (max(bars)[0], 30)
    assert [length for _, length in bars] == sorted(length for _, length in bars)


def test_of_many_rules_a_summary(hunted: Hunted) -> None:
    result = run("rules", "backtest", bundled_rules() / "anomaly", "--lake", hunted.out)
    assert result.exit_code == 0, result.output
    assert "could not run, or not yet:" in result.stdout
    assert "the roster (--roster)" in result.stdout
    assert "--details" in result.stdout
    assert "[medium anomaly]" not in result.stdout
    assert "CPU ms is what each rule took besides" in " ".join(result.stdout.split())
    assert "The costliest: " in result.stdout


def test_text_of_logs_reaches_the_terminal_as_text(hunted: Hunted, tmp_path: Path) -> None:
    path = rule(tmp_path, "bel", ANYDESK, title="Ring \a [bold]the bell[/bold]")
    shown = run("rules", "backtest", path, "--lake", hunted.out).stdout
    assert "Ring \\u0007 [bold]the bell[/bold]" in shown


def test_a_folder_without_a_lake_and_a_name_without_a_rule(hunted: Hunted, tmp_path: Path) -> None:
    result = run("rules", "backtest", LOOKED_UP, "--lake", tmp_path)
    assert result.exit_code == 1
    assert "there is no lake" in result.stderr
    assert not any(tmp_path.iterdir())
    result = run("rules", "backtest", "remote_acces_dns", "--lake", hunted.out)
    assert result.exit_code == 1
    assert f"did you mean {LOOKED_UP}" in result.stderr
    result = run("rules", "backtest", LOOKED_UP, "--lake", hunted.out, "--since", "yesterday")
    assert result.exit_code == 2
    assert "2026-10-31" in result.stderr
    late = run(
        "rules", "backtest", LOOKED_UP, "--lake", hunted.out, "--since", "2026-10-31", "--until", "2026-10-01"
    )
    assert late.exit_code == 2


def test_days_without_events_are_no_failure(hunted: Hunted) -> None:
    result = run("rules", "backtest", LOOKED_UP, "--lake", hunted.out, "--since", "2030-01-01")
    assert result.exit_code == 0, result.output
    assert "0 events" in result.stdout


@pytest.mark.parametrize("by", [timedelta(0), timedelta(minutes=1), timedelta(days=2), None])
def test_the_days_before(by: timedelta | None) -> None:
    before = Days(date(2026, 10, 20), date(2026, 10, 22)).before(by)
    expected = {
        timedelta(0): None,
        timedelta(minutes=1): Days(date(2026, 10, 19), date(2026, 10, 19)),
        timedelta(days=2): Days(date(2026, 10, 18), date(2026, 10, 19)),
        None: Days(None, date(2026, 10, 19)),
    }
    assert before == expected[by]
    assert Days(None, date(2026, 10, 22)).before(None) is None
    assert not Days(date(2026, 10, 20)).holds("undated")
    assert Days().holds("undated")


def test_a_pack_of_some_rules_matches_as_the_whole_does(frames: list[tuple[str, pl.DataFrame]]) -> None:
    whole = RulePack.load([bundled_rules()])
    for numbers in ([3, 17, 60], list(range(0, len(whole.rules), 4))):
        ids = {whole.rules[number].id for number in numbers}
        some = whole.only(ids)
        assert [rule.id for rule in some.rules] == [whole.rules[number].id for number in numbers]
        for dataset, frame in frames:
            mine = some.match(frame, dataset)
            expected = whole.match(frame, dataset).filter(pl.col("rule").is_in(numbers))
            assert [(numbers[number], row) for number, row in mine.iter_rows()] == list(expected.iter_rows())


def test_cost_is_of_the_events_that_a_rule_looks_at(
    opened: Opened, frames: list[tuple[str, pl.DataFrame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = choose([LOOKED_UP, "many_repositories_cloned"])
    dns = next(place for place, one in enumerate(chosen.detections) if one.path.stem == LOOKED_UP)
    whole = Costs(chosen, opened.context)
    monkeypatch.setattr(cost, "_EVENTS", 1000)
    monkeypatch.setattr(cost, "_LEAST", 100)
    part = Costs(chosen, opened.context)
    for dataset, frame in frames:
        whole.add(frame, dataset)
        part.add(frame, dataset)
    heights = Counter[str]()
    for dataset, frame in frames:
        heights[dataset] += frame.height
    assert whole.of(dns).measured == whole.of(dns).events >= heights["zeek.dns"]
    assert part.of(dns).events == whole.of(dns).events
    assert 0 < part.of(dns).measured <= 500 * len(heights)
    assert whole.of(1 - dns).events == heights["github.audit"]
    assert whole.of(dns).seconds > 0


def test_of_many_rules_the_cost_is_what_each_adds_to_a_run_of_all(
    opened: Opened, frames: list[tuple[str, pl.DataFrame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [LOOKED_UP, "many_repositories_cloned", "one_session_many_addresses"]
    chosen = choose(names)
    alone = Costs(chosen, opened.context)
    monkeypatch.setattr(cost, "_FEW", 0)
    together = Costs(chosen, opened.context)
    for dataset, frame in frames:
        alone.add(frame, dataset)
        together.add(frame, dataset)
    for place in range(len(chosen.detections)):
        one, other = together.of(place), alone.of(place)
        assert (one.events, one.measured) == (other.events, other.measured)
        assert 0 < one.seconds < other.seconds
        assert (one.rate, one.alone) == (None, False)
    assert alone.shared() is None
    assert (together.shared() or 0) > 0


def test_rules_measured_together_match_as_they_do_elsewhere(
    opened: Opened, frames: list[tuple[str, pl.DataFrame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = choose([])
    counted_by: list[pl.DataFrame] = []
    monkeypatch.setattr(
        Correlations, "add", lambda _self, _frame, matches: counted_by.append(matches), raising=True
    )
    running = Together(chosen, opened.context)
    for dataset, frame in frames:
        counted_by.clear()
        running.add(frame, dataset)
        expected = chosen.pack.match(frame, dataset)
        assert all(matches.equals(expected) for matches in counted_by)
        assert counted_by or expected.is_empty()


def test_what_all_rules_share_is_not_borne_by_the_first(
    frames: list[tuple[str, pl.DataFrame]], opened: Opened, tmp_path: Path
) -> None:
    """The search of a column is done once for all rules, so that equal rules cost about the same."""
    for number in range(30):
        text = f"*{number}-no-such-name*"
        rule(tmp_path, f"r{number}", {"s": {"dns.question.name": text}, "condition": "s"})
    chosen = choose([str(tmp_path)])
    running = Together(chosen, opened.context)
    for dataset, frame in frames:
        if dataset == "zeek.dns":
            running.add(pl.concat([frame] * 20), dataset)
    own = [sum(seconds for _, seconds in running.of(place)[0].values()) for place in range(30)]
    shared = sum(seconds for _, seconds in running.shared.values())
    assert sum(own) < shared / 2


PACK = choose([LOOKED_UP]).pack


@settings(max_examples=30, deadline=None)
@given(batches=st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=12), max_size=8))
def test_the_loudest_values_are_told_within_what_is_admitted(batches: list[list[str]]) -> None:
    pack = PACK
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hits, "VALUES", 4)
        patch.setattr(hits, "_MERGE_ROWS", 5)
        loudest = Loudest(pack, [0])
        for values in batches:
            frame = pl.DataFrame({"dns.question.name": values}, schema={"dns.question.name": pl.String})
            rows = pl.DataFrame({"rule": [0] * len(values), "row": list(range(len(values)))})
            loudest.add(frame, rows.cast(pl.UInt32))
        told = [loud for loud in loudest.of(0, 4) if loud.field == "dns.question.name"]
    exact = Counter(value for values in batches for value in values)
    assert bool(told) == bool(exact)
    for loud in told:
        assert all(exact[value] - loud.off <= count <= exact[value] for value, count in loud.top.items())
        assert all(count <= loud.off or value in loud.top for value, count in exact.items() if loud.off)
        if not loud.off:
            assert loud.top == dict(exact)
