"""`molehunt rules diff`: what an update of rules changes in the hits of a lake."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hunted import Hunted, run
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench_lake import SCENARIO, answer, context, made, rule

from analysis.context import load_context
from analysis.known import Known
from analysis.lake import Lake
from analysis.sigma import bundled_rules
from analysis.workbench import chosen
from analysis.workbench.diff import gains

ANYDESK = {"selection": {"dns.question.name|endswith": ".anydesk.com"}, "condition": "selection"}
GOOGLE = {"selection": {"dns.question.name|endswith": ".google.com"}, "condition": "selection"}
BOTH = {
    "selection": {"dns.question.name|endswith": [".google.com", ".anydesk.com"]},
    "condition": "selection",
}


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> Hunted:
    return made(tmp_path_factory)


@pytest.fixture(autouse=True)
def _no_library(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Molehunt's own rules, which every pack may count, are not needed here and take a while to read."""
    empty = tmp_path_factory.mktemp("library")
    monkeypatch.setattr(chosen, "bundled_rules", lambda: empty)


@pytest.fixture
def packs(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders that have the same rules, to begin with."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    for name, detection in (("lookup", ANYDESK), ("other", GOOGLE), ("third", BOTH)):
        rule(old, name, detection)
    shutil.copytree(old, new)
    return old, new


def edited(path: Path, **changes: object) -> None:
    document = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**document, **changes}))


def compared(
    hunted: Hunted, packs: tuple[Path | str, Path | str], *more: object, status: int = 0
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    told = answer("diff", *packs, "--lake", hunted.out, *context(), *more, status=status)
    return told, {change["name"]: change for change in told["changes"]}


def events(hunted: Hunted, ending: str) -> list[dict[str, Any]]:
    """The lookups of names that end so, row by row."""
    names = ("roster.csv", "geo-city.mmdb", "geo-asn.mmdb", "site.toml")
    lake, around = Lake(hunted.out / "lake"), load_context(*(SCENARIO / name for name in names))
    known = Known.of(lake, around)
    found = []
    for batch in lake.batches():
        if "dns.question.name" in batch.frame.columns:
            found += known.add(batch.frame).to_dicts()
    return [event for event in found if (event["dns.question.name"] or "").endswith(ending)]


def test_nothing_changed(hunted: Hunted, packs: tuple[Path, Path]) -> None:
    told, by_name = compared(hunted, packs)
    assert told["rules"] == {"same": 3}
    assert by_name == {}
    shown = run("rules", "diff", *packs, "--lake", hunted.out)
    assert shown.exit_code == 0
    assert "3 as they were" in shown.stdout


def test_what_a_changed_detection_gains_and_loses(hunted: Hunted, packs: tuple[Path, Path]) -> None:
    edited(packs[1] / "lookup.yml", detection=GOOGLE)
    edited(packs[1] / "third.yml", detection=GOOGLE)
    told, by_name = compared(hunted, packs)
    before, after = events(hunted, ".anydesk.com"), events(hunted, ".google.com")
    assert told["rules"] == {"changed": 2, "same": 1}
    lookup = by_name["lookup"]
    assert lookup["what"] == ["detection"]
    assert (lookup["hits_before"], lookup["hits_after"]) == (len(before), len(after))
    assert (lookup["lost"], lookup["gained"]) == (len(before), len(after))
    had, has = (
        {event["account"] or event.get("host.name") or "" for event in each} for each in (before, after)
    )
    assert set(lookup["new_accounts"]) == has - had
    assert set(lookup["gone_accounts"]) == had - has
    for key, ofthese in (("examples_lost", before), ("examples_gained", after)):
        first = sorted(event["@timestamp"] for event in ofthese)[:5]
        shown = [example["at"] for example in lookup[key]]
        assert shown == [f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00".replace(".000000", "") for at in first]
        places = {f"{event['log.file.path']}:{event['log.file.line']}" for event in ofthese}
        assert {example["place"] for example in lookup[key]} <= places
    third = by_name["third"]
    assert (third["hits_before"], third["hits_after"]) == (len(before) + len(after), len(after))
    assert (third["lost"], third["gained"]) == (len(before), 0)


def test_rules_added_and_removed(hunted: Hunted, packs: tuple[Path, Path]) -> None:
    (packs[1] / "other.yml").unlink()
    rule(packs[1], "fresh", ANYDESK)
    told, by_name = compared(hunted, packs)
    assert told["rules"] == {"added": 1, "removed": 1, "same": 2}
    fresh, other = by_name["fresh"], by_name["other"]
    assert (fresh["change"], fresh["hits_before"], fresh["path_before"]) == ("added", 0, None)
    assert fresh["gained"] == fresh["hits_after"] == len(events(hunted, ".anydesk.com")) > 0
    assert fresh["accounts_after"] == len(fresh["new_accounts"])
    assert (other["change"], other["hits_after"], other["path_after"]) == ("removed", 0, None)
    assert other["lost"] == other["hits_before"] == len(events(hunted, ".google.com")) > 0


def test_words_and_levels(hunted: Hunted, packs: tuple[Path, Path]) -> None:
    edited(packs[1] / "lookup.yml", title="Another title", description="More words")
    edited(packs[1] / "other.yml", level="high")
    _, by_name = compared(hunted, packs)
    assert by_name["lookup"]["what"] == ["title", "description"]
    assert by_name["lookup"]["ran"] is False
    other = by_name["other"]
    assert (other["what"], other["level_before"], other["level_after"]) == (["level"], "low", "high")
    assert other["hits_before"] == other["hits_after"] > 0
    shown = run("rules", "diff", *packs, "--lake", hunted.out).stdout
    assert "level low > high" in shown
    assert "Changed in words alone: Another title (title, description)" in shown


def test_a_rule_that_no_longer_loads_is_not_a_removed_one(hunted: Hunted, packs: tuple[Path, Path]) -> None:
    edited(packs[1] / "lookup.yml", detection={"condition": "nothing"})
    (packs[1] / "other.yml").write_text("title: [")
    told, by_name = compared(hunted, packs, status=1)
    for name in ("lookup", "other"):
        assert by_name[name]["change"] == "broken"
        assert f"{name}.yml:" in by_name[name]["error"]
        assert by_name[name]["lost"] == by_name[name]["hits_before"] > 0
    assert len(told["errors"]) == 2
    shown = run("rules", "diff", *packs, "--lake", hunted.out)
    assert shown.exit_code == 1
    assert "NO LONGER LOADS" in shown.stdout
    assert "lookup.yml:" in shown.stderr


def test_a_filter_that_came_along_is_a_change(hunted: Hunted, packs: tuple[Path, Path]) -> None:
    account = Counter(event["account"] for event in events(hunted, ".anydesk.com")).most_common(1)[0][0]
    (packs[1] / "filter.yml").write_text(
        "title: Known\nlogsource: {category: dns}\n"
        f"filter: {{rules: [lookup], k: {{account: '{account}'}}, condition: not k}}\n"
    )
    _, by_name = compared(hunted, packs)
    assert by_name["lookup"]["what"] == ["filters"]
    assert by_name["lookup"]["gone_accounts"] == [account]
    assert by_name["lookup"]["gained"] == 0
    assert set(by_name) == {"lookup"}


def test_what_counts_a_changed_rule_is_run_too(hunted: Hunted, packs: tuple[Path, Path]) -> None:
    correlation = {"type": "event_count", "rules": ["lookup"], "timespan": "30d", "group-by": ["account"]}
    for pack in packs:
        counted = {**correlation, "condition": {"gte": 1}}
        rule(pack, "many", None, logsource=None, correlation=counted)
    edited(packs[1] / "lookup.yml", detection=GOOGLE)
    _, by_name = compared(hunted, packs)
    many = by_name["many"]
    assert many["what"] == ["what it counts"]
    had, has = (
        {event["account"] for event in events(hunted, ending) if event["account"]}
        for ending in (".anydesk.com", ".google.com")
    )
    assert (many["hits_before"], many["hits_after"]) == (len(had), len(has))
    assert many["new_accounts"] == sorted(has - had)
    assert many["gained"] == len(has)
    assert all(":" in example["place"] for example in many["examples_gained"])


def test_a_new_rule_that_cannot_run_says_why(hunted: Hunted, packs: tuple[Path, Path]) -> None:
    edited(packs[1] / "lookup.yml", detection={"s": {"dns.moon": "x"}, "condition": "s"})
    _, by_name = compared(hunted, packs)
    assert "dns.moon" in by_name["lookup"]["not_run"]
    assert "cannot run: no event of category dns carries dns.moon" in " ".join(
        run("rules", "diff", *packs, "--lake", hunted.out).stdout.split()
    )


def test_an_earlier_state_out_of_git(
    hunted: Hunted, packs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = packs[0]
    monkeypatch.chdir(old.parent)
    name = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "old"), (*name, "commit", "-q", "-m", "one")):
        subprocess.run(["git", *words], check=True)
    edited(old / "lookup.yml", detection=GOOGLE)
    (old / "other.yml").unlink()
    told, by_name = compared(hunted, ("git:HEAD:old", "old"))
    assert told["rules"] == {"changed": 1, "removed": 1, "same": 1}
    assert by_name["lookup"]["path_before"] == "git:HEAD:old/lookup.yml"
    assert by_name["other"]["lost"] > 0
    _, one = compared(hunted, ("git:HEAD:old/lookup.yml", "old/lookup.yml"))
    assert set(one) == {"lookup"}
    for wrong, words in (
        ("git:HEAD", "write git:REVISION:PATH"),
        ("git:--output=x:old", "write git:REVISION:PATH"),
        ("git:nowhere:old", "nowhere"),
        ("git:HEAD:../..", "outside the repository"),
        ("missing", "no such file or folder"),
    ):
        result = run("rules", "diff", wrong, "old", "--lake", hunted.out)
        assert result.exit_code == 1
        assert words in result.stderr


def test_the_page_for_a_person(hunted: Hunted, packs: tuple[Path, Path]) -> None:
    edited(packs[1] / "lookup.yml", detection=GOOGLE)
    result = run("rules", "diff", *packs, "--lake", hunted.out, *context(), "--since", "2026-10-20")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 100
    for words in (
        "1 changed, 2 as they were",
        "gained; had none before:",
        "- ",
        "zeek/dns.log.gz:",
        "2026-10-2",
    ):
        assert words in result.stdout, words
    assert "2026-10-19" not in result.stdout


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=12, unique=True)


@settings(max_examples=60, deadline=None)
@given(batches=st.lists(st.tuples(ROWS, ROWS), max_size=4), minutes=st.permutations(range(6)))
def test_gains_are_the_difference_of_the_hits(
    batches: list[tuple[list[tuple[str, int]], list[tuple[str, int]]]], minutes: list[int]
) -> None:
    start = pl.datetime(2026, 10, 1, time_zone="UTC", time_unit="us")
    people = ["one", "two", None, "one", "two", "three"]
    frame = pl.DataFrame(
        {"m": minutes, "account": people, "log.file.path": ["f"] * 6, "log.file.line": list(range(6))}
    ).select(pl.exclude("m"), (start + pl.duration(minutes=pl.col("m"))).alias("@timestamp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gains, "_MERGE_ROWS", 3)
        counting = gains.GainsOfRules({"a", "b"})
        for old, new in batches:
            matches = (
                pl.DataFrame(rows, schema={"rule": pl.String, "row": pl.UInt32}, orient="row")
                for rows in (old, new)
            )
            counting.add(frame, *matches)
    for name in ("a", "b"):
        was = [(number, row) for number, (old, _) in enumerate(batches) for key, row in old if key == name]
        now = [(number, row) for number, (_, new) in enumerate(batches) for key, row in new if key == name]
        more, less = set(now) - set(was), set(was) - set(now)
        told = counting.of(name)
        assert (told.before, told.after) == (len(was), len(now))
        assert (told.gained, told.lost) == (len(more), len(less))
        had, has = ({people[row] or "" for _, row in hits} for hits in (was, now))
        assert (set(told.new_accounts), set(told.gone_accounts)) == (has - had, had - has)
        assert (told.accounts_before, told.accounts_after) == (len(had), len(has))
        for examples, hits in ((told.more, more), (told.less, less)):
            first = sorted(minutes[row] for _, row in hits)[:5]
            assert [each.at.minute for each in examples if each.at] == first
            assert all(people[int(each.place.removeprefix("f:"))] == (each.whom or None) for each in examples)


def test_a_pack_of_the_same_rules_elsewhere_is_the_same(hunted: Hunted, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    bundled = bundled_rules() / "payment"
    shutil.copytree(bundled, copy)
    told, _ = compared(hunted, (bundled, copy))
    assert set(told["rules"]) == {"same"}
