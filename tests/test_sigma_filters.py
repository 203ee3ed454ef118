"""Filters: which rules they are about, what they add, what they hold back, and when they need a look."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hunted import SAMPLES, hunt
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.collection import SigmaCollection
from sigma.rule import SigmaRule
from sigma_cases import pack_of, raw_frame, rule_text

from analysis.report.document import Report
from analysis.sigma import Correlations, RulePack, Suppressed
from analysis.sigma.explain import explain, true_of
from analysis.sigma.filters import rule_hash, unowned
from analysis.sigma.taxonomy import AsWritten

if TYPE_CHECKING:
    from pathlib import Path

ID = "11111111-1111-4111-8111-11111111abcd"
BASE = rule_text("  sel: {A: x}\n  condition: sel", id=ID, name="base")
OTHER = rule_text("  sel: {A: x}\n  condition: sel", id="33333333-3333-4333-8333-333333333333")
EVENTS = [{"A": "x", "User": "adm_bob"}, {"A": "x", "User": "eve"}, {"A": "x"}, {"A": "y", "User": "eve"}]
DAY = date(2026, 3, 1)


def filter_text(
    body: str = "  selection: {User|startswith: adm_}\n  condition: not selection",
    rules: str = f"[{ID}]",
    logsource: str = "{product: test}",
    **keys: str,
) -> str:
    head = {"title": "flt", **keys}
    lines = [f"{key}: {value}" for key, value in head.items()]
    return "\n".join([*lines, f"logsource: {logsource}", "filter:", f"  rules: {rules}", body, ""])


def hits(pack: RulePack, events: list[dict[str, Any]] = EVENTS) -> list[tuple[int, int]]:
    """Rule and row, by the columns and, which must be the same, row by row."""
    found = pack.match(raw_frame(events), "").rows()
    plainly = [
        (number, row)
        for number, rule in enumerate(pack.rules)
        for row, event in enumerate(events)
        if explain(rule, event).matched
    ]
    assert found == plainly
    return found


@pytest.mark.parametrize("rules", [f"[{ID}]", f"[{ID.upper()}]", "[base]", "base", "any", "Any", "[]"])
def test_rules_are_named_by_id_or_name_or_are_all_on_the_logsource(rules: str, tmp_path: Path) -> None:
    pack = pack_of(tmp_path, BASE, filter_text(rules=rules))
    assert (pack.errors, pack.notes) == ([], ())
    assert hits(pack) == [(0, 1), (0, 2)]


def test_any_reaches_every_rule_on_the_logsource_and_no_other(tmp_path: Path) -> None:
    elsewhere = OTHER.replace("product: test", "product: else").replace("33333333-", "44444444-")
    pack = pack_of(tmp_path, BASE, OTHER, elsewhere, filter_text(rules="any"))
    assert hits(pack) == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]


@pytest.mark.parametrize(
    ("of_filter", "of_rule", "applies"),
    [
        ("{product: p}", "{product: p, category: c}", True),
        ("{category: c}", "{product: p, category: c}", True),
        ("{product: p, category: c}", "{product: p, category: c}", True),
        ("{product: p, category: c, service: s}", "{product: p, category: c, service: s}", True),
        ("{product: p, category: c, service: s}", "{product: p, category: c}", False),
        ("{product: p, category: c}", "{product: p}", False),
        ("{product: q}", "{product: p}", False),
        ("{service: s}", "{product: p}", False),
    ],
)
@pytest.mark.parametrize("rules", ["any", "[base]"])
def test_a_filter_covers_its_logsource_and_those_within(
    of_filter: str, of_rule: str, rules: str, tmp_path: Path, *, applies: bool
) -> None:
    rule = BASE.replace("{product: test}", of_rule)
    pack = pack_of(tmp_path, rule, filter_text(rules=rules, logsource=of_filter))
    assert hits(pack) == ([(0, 1), (0, 2)] if applies else [(0, 0), (0, 1), (0, 2)])
    assert len(pack.notes) == (0 if applies else 1)


SELECTIONS = "  a_one: {User: adm_bob}\n  a_two: {User: eve}\n  b: {A: x}\n  _helper: {A: nothing}\n"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a_one", [0]),
        ("not a_one", [1, 2]),
        ("not (a_one or a_two)", [2]),
        ("1 of a_*", [0, 1]),
        ("not 1 of a_*", [2]),
        ("all of a_*", []),
        ("not all of a_*", [0, 1, 2]),
        ("1 of them", [0, 1, 2]),
        ("not 1 of them", []),
        ("not all of them", [0, 1, 2]),
        ("b and not _helper and not a_two", [0, 2]),
        ("any of *_two", [1]),
    ],
)
def test_the_condition_is_added_as_it_is_written(condition: str, expected: list[int], tmp_path: Path) -> None:
    pack = pack_of(tmp_path, BASE, filter_text(f"{SELECTIONS}  condition: {condition}"))
    assert pack.errors == []
    assert [row for _, row in hits(pack)] == expected


def test_names_of_selections_are_the_filters_own(tmp_path: Path) -> None:
    rule = rule_text(
        "  sel: {A: x}\n  filter: {User: nobody}\n  condition: 1 of sel* and not 1 of filter*", id=ID
    )
    same = "  sel: {User: eve}\n  filter: {A: z}\n  condition: not 1 of them"
    pack = pack_of(tmp_path, rule, filter_text(same))
    assert [row for _, row in hits(pack)] == [0, 2]
    stranger = filter_text("  mine: {User: eve}\n  condition: not sel")
    (error,) = pack_of(tmp_path, rule, stranger).errors
    assert "names 'sel'; there is only mine" in error.message


def test_a_rule_of_several_conditions_is_filtered_as_a_whole(tmp_path: Path) -> None:
    rule = rule_text("  a: {A: x}\n  b: {A: y}\n  condition: [a, b]", id=ID)
    pack = pack_of(tmp_path, rule, filter_text("  s: {User: eve}\n  condition: not s"))
    assert [row for _, row in hits(pack)] == [0, 2]


def test_keywords_lists_and_placeholders_are_read_as_in_rules(tmp_path: Path) -> None:
    keywords = filter_text("  words: [EVE, nothing]\n  condition: not words", rules="any")
    maps = filter_text(
        "  s:\n    - User: adm_bob\n    - A|expand: '%quiet%'\n  condition: not s", rules="any"
    )
    pack = pack_of(tmp_path, rule_text("  s: {A: '*'}\n  condition: s", id=ID), keywords, maps)
    assert "%quiet%" in pack.errors[0].message
    pack = pack_of(tmp_path, placeholders={"quiet": ["y"]})
    assert [row for _, row in hits(pack)] == [2]


def test_filters_add_up_wherever_they_lie_and_the_first_that_holds_back_is_named(tmp_path: Path) -> None:
    rules, tuning = tmp_path / "rules", tmp_path / "tuning" / "deep"
    rules.mkdir()
    tuning.mkdir(parents=True)
    (rules / "base.yml").write_text(f"{BASE}---\n{filter_text(title='one')}")
    (tuning / "b.yaml").write_text(
        filter_text("  s: {User: [eve, adm_bob]}\n  condition: not s", title="two")
    )
    pack = RulePack.load([tmp_path / "tuning", rules], taxonomy=AsWritten())
    assert hits(pack) == [(0, 2)]
    sifted = pack.sift(raw_frame(EVENTS), "")
    assert sifted.matches.rows() == [(0, 2)]
    assert [(row, pack.filters[place].title) for _, row, place in sifted.held.rows()] == [
        (0, "two"),
        (1, "two"),
    ]
    steps = "\n".join(explain(pack.rules[0], EVENTS[1]).lines())
    assert "filter 'two', s: User" in steps


def test_what_is_counted_is_the_filtered_rule(tmp_path: Path) -> None:
    counting = (
        "title: c\nname: c\nlevel: high\n"
        "correlation: {type: event_count, rules: [base], timespan: 1h, condition: {gte: 2}}\n"
    )
    times = pl.datetime_range(date(2026, 1, 1), date(2026, 1, 1), eager=True, time_zone="UTC").first()
    frame = raw_frame(EVENTS).with_columns(pl.lit(times).alias("@timestamp"))

    def fires(pack: RulePack) -> bool:
        gathered = Correlations(pack)
        gathered.add(frame, pack.match(frame, ""))
        return any(True for _ in gathered.find())

    assert fires(pack_of(tmp_path, BASE, counting))
    all_but_one = "  s: {User: '*'}\n  condition: not s"
    assert not fires(pack_of(tmp_path, BASE, counting, filter_text(all_but_one)))
    # A correlation has no events: a filter that names it is told, and changes nothing (pySigma 1.5 likewise).
    pack = pack_of(tmp_path, BASE, counting, filter_text(all_but_one, rules="[c]"))
    assert fires(pack)
    (note,) = pack.notes
    assert "'c' is a correlation" in note.message
    assert "rules that it counts" in note.message


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (filter_text(rules="[nobody]"), 4, "no rule that is loaded has the id or name 'nobody'"),
        (filter_text(rules=f"\n    - {ID}\n    - nobody"), 6, "'nobody'"),
        (filter_text(rules="[any]"), 4, "write `rules: any`"),
        (filter_text(logsource="{product: else}"), 4, "looks at product test, not at product else"),
        (filter_text(logsource="{product: else}", rules="any"), 1, "no rule that is loaded looks at"),
        (
            filter_text(expires="2026-02-28", owner="Ann"),
            1,
            "expired on 2026-02-28 and no longer applies; ask Ann",
        ),
        (filter_text(**{"rule-hash": "0123456789abcdef"}), 1, "has changed since this was written"),
        (filter_text(**{"rule-hash": f"{{{ID}: 0123456789abcdef}}"}), 1, "has changed since"),
    ],
)
def test_what_needs_a_look_is_a_note_and_no_error(text: str, line: int, told: str, tmp_path: Path) -> None:
    for name, content in {"rule.yml": BASE, "filter.yml": text}.items():
        (tmp_path / name).write_text(content)
    pack = RulePack.load([tmp_path], taxonomy=AsWritten(), day=DAY)
    assert pack.errors == []
    (note,) = pack.notes
    assert (note.path.name, note.line) == ("filter.yml", line)
    assert told in note.message


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (filter_text("  s: {a: b}\n  condition: [s, not s]"), 6, "one condition"),
        (filter_text("  s: {a: b}"), 3, "`condition:` is missing"),
        (filter_text("  condition: s"), 3, "no selection"),
        (filter_text("  s: {a|begins: b}\n  condition: s", rules="[nobody]"), 5, "unknown modifier"),
        (filter_text(rules="{a: b}"), 3, "`rules:` is missing"),
        (filter_text(rules="[[a]]"), 4, "must list ids or names"),
        (filter_text(expires="soon"), 2, "2026-12-31, the last day"),
        (filter_text(logsource="{}"), 2, "give a category"),
        ("title: f\nlogsource: {product: test}\nfilter: [x]\n", 3, "must be a mapping"),
    ],
)
def test_a_filter_that_cannot_be_read_holds_nothing_back_and_is_an_error(
    text: str, line: int, told: str, tmp_path: Path
) -> None:
    pack = pack_of(tmp_path, BASE, text)
    (error,) = pack.errors
    assert (error.path.name, error.line) == ("rule1.yml", line), error
    assert told in error.message
    assert len(hits(pack)) == 3


@pytest.mark.parametrize("expires", ["2026-03-01", "'2026-03-01'", "2026-03-01T09:00:00"])
def test_the_last_day_is_the_one_that_is_written(expires: str, tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text(BASE + "---\n" + filter_text(expires=expires))
    by_day = [
        len(RulePack.load([tmp_path], taxonomy=AsWritten(), day=day).match(raw_frame(EVENTS), ""))
        for day in (date(2026, 2, 1), DAY, date(2026, 3, 2))
    ]
    assert by_day == [2, 2, 3]


def test_a_pack_that_was_kept_forgets_no_expiry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLEHUNT_CACHE", str(tmp_path / "kept"))
    (tmp_path / "r.yml").write_text(
        BASE + "---\n" + filter_text(expires="2026-03-01", **{"rule-hash": "sha256:00"})
    )
    for day, count, told in ((DAY, 2, "has changed"), (date(2026, 3, 2), 3, "expired")) * 2:
        pack = RulePack.load([tmp_path / "r.yml"], taxonomy=AsWritten(), day=day)
        assert len(pack.match(raw_frame(EVENTS), "")) == count
        assert [told in note.message for note in pack.notes] == [True]
    assert list((tmp_path / "kept").glob("*.pack"))


def test_the_hash_is_of_what_a_rule_looks_for_and_not_of_its_words(tmp_path: Path) -> None:
    def of(text: str) -> str:
        return rule_hash(pack_of(tmp_path, text).rules[0].document)

    assert of(BASE) == of(BASE.replace("title: t", "title: u").replace("level: low", "level: high"))
    assert len({of(BASE), of(BASE.replace("A: x", "A: z")), of(BASE.replace("t: test", "t: q"))}) == 3
    fitting = filter_text(**{"rule-hash": of(BASE)})
    pack = pack_of(tmp_path, BASE, fitting)
    assert pack.notes == ()
    changed = pack_of(tmp_path, BASE.replace("A: x", "A: [x, y]"), fitting)
    assert of(BASE.replace("A: x", "A: [x, y]")) in changed.notes[0].message
    assert len(hits(changed)) == 3  # it applies all the same


def test_check_asks_who_why_and_until_when(tmp_path: Path) -> None:
    whole = filter_text(owner="Ann", reason="backup", expires="2030-01-01")
    pack = pack_of(tmp_path, BASE, whole, filter_text(owner="Ann"))
    assert [(error.path.name, error.message.split(":")[0]) for error in unowned(pack.filters)] == [
        ("rule2.yml", "`reason"),
        ("rule2.yml", "`expires"),
    ]


def test_filters_of_the_same_id_all_apply(tmp_path: Path) -> None:
    two = filter_text("  s: {User: eve}\n  condition: not s", id=ID)
    pack = pack_of(tmp_path, BASE, filter_text(id=ID), two)
    assert pack.errors == []
    assert hits(pack) == [(0, 2)]


def test_pysigma_reads_what_we_call_a_suppression(tmp_path: Path) -> None:
    text = filter_text(owner="Ann", reason="backup", expires="2030-01-01", **{"rule-hash": "'00'"})
    (read,) = SigmaCollection.from_yaml(BASE + "---\n" + text).rules
    assert isinstance(read, SigmaRule)
    assert read.detection.condition[0].startswith("(sel) and (not _filt_")
    assert pack_of(tmp_path, BASE, text).filters[0].owner == "Ann"


values = st.sampled_from(["x", "y", "adm_1", None])
rows = st.fixed_dictionaries({"A": values, "B": values, "event.dataset": st.just("d")})
bodies = st.builds(
    lambda field, how, value, condition: (
        f"  s: {{{field}{how}: {value}}}\n  t: [x]\n  condition: {condition}"
    ),
    st.sampled_from("ABC"),
    st.sampled_from(["", "|startswith", "|contains"]),
    st.sampled_from(["x", "y", "adm_"]),
    st.sampled_from(["s", "not s", "not 1 of them", "s or not t"]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(bodies, min_size=1, max_size=3),
    st.lists(st.sampled_from(["base", "any", "other"]), min_size=3, max_size=3),
    st.lists(rows, min_size=1, max_size=6),
)
def test_what_is_kept_and_what_is_held_back_are_the_matches_of_the_rules_alone(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], about: list[str], events: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("filters")
    other = OTHER.replace("{A: x}", "{B: '*'}").replace("title: t", "title: u\nname: other")
    filters = [filter_text(text, rules=rules) for text, rules in zip(texts, about, strict=False)]
    pack = pack_of(folder, BASE, other, *filters)
    schema = dict.fromkeys(("A", "B", "event.dataset"), pl.String)
    kept, held = pack.sift(pl.DataFrame(events, schema=schema), "d")
    alone = {
        (number, row)
        for number, rule in enumerate(pack.rules)
        for row, event in enumerate(events)
        if true_of(rule.unfiltered, event)
    }
    stopped: dict[tuple[int, int], int] = {}
    for number, row in sorted(alone):
        for place, condition in pack.rules[number].filters:
            if not true_of(condition, events[row]):
                stopped[number, row] = place
                break
    assert {(rule, row): place for rule, row, place in held.rows()} == stopped
    assert kept.rows() == sorted(alone - stopped.keys())


def test_counts_are_of_all_batches(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, BASE, OTHER, filter_text(rules="any", owner="Ann", expires="2030-01-01"))
    counted = Suppressed(pack.rules, pack.filters)
    for _ in range(3):
        counted.add(pack.sift(raw_frame(EVENTS), "").held)
    assert [(one.detection, one.filter, one.owner, one.expires, one.count) for one in counted.told()] == [
        (ID, "flt", "Ann", date(2030, 1, 1), 3),
        ("33333333-3333-4333-8333-333333333333", "flt", "Ann", date(2030, 1, 1), 3),
    ]


OKTA = rule_text("  s: {event.outcome: [success, failure]}\n  condition: s", id=ID).replace(
    "{product: test}", "{product: okta}"
)


def test_the_report_says_what_was_held_back_and_by_whom(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "r.yml").write_text(OKTA)
    tuning = tmp_path / "tuning.yml"
    told = {"owner": "Ann <ann@corp.example>", "reason": "Known good", "logsource": "{product: okta}"}
    holding = filter_text("  s: {event.outcome: failure}\n  condition: not s", expires="2999-12-31", **told)
    over = filter_text("  s: {event.outcome: success}\n  condition: not s", expires="2020-01-01", **told)
    tuning.write_text(f"{holding}---\n{over}")
    rules = ("--no-bundled-rules", "--rules", tmp_path / "rules")
    before = hunt(tmp_path / "before", SAMPLES / "okta", *rules)
    after = hunt(tmp_path / "after", SAMPLES / "okta", *rules, "--rules", tuning)

    def events(findings: list[dict[str, Any]]) -> int:
        return sum(finding["count"] for finding in findings)

    (held,) = after.report["held_back"]
    assert held["count"] == events(before.findings) - events(after.findings) > 0
    assert (held["detection"], held["owner"], held["expires"]) == (ID, "Ann <ann@corp.example>", "2999-12-31")
    assert any("expired on 2020-01-01" in note for note in after.report["notes"])
    assert "Ann &lt;ann@corp.example&gt;" in after.page
    assert f"Filters held back {held['count']} match" in after.page
    assert f"Filters held back {held['count']} match" in after.result.output
    assert "held back" not in before.page + before.result.output
    # A report written before there were counts is still read.
    older = {key: value for key, value in before.report.items() if key != "held_back"}
    assert Report.from_json(json.dumps(older).encode()).held_back == ()
