"""What a correlation may say, and what is said of one that cannot run."""

from __future__ import annotations

from pathlib import Path

import pytest
from sigma_cases import pack_of, rule_text
from test_sigma_correlate import RULES, correlation, event, found_by, named

from analysis.sigma.correlations.expression import (
    Absent,
    Alternative,
    Either,
    Every,
    Seen,
    alternatives,
    parse,
)

A, B, C = Seen(0), Seen(1), Seen(2)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a or b and not c", Either((A, Every((B, Absent(C)))))),
        ("(a or b) and c", Every((Either((A, B)), C))),
        ("not (a and not b) or c", Either((Absent(Every((A, Absent(B)))), C))),
        ("a AND b Or NOT c", Either((Every((A, B)), Absent(C)))),
        ("a and(b)and c", Every((A, B, C))),
    ],
)
def test_not_binds_tightest_then_and_then_or(text: str, meant: object) -> None:
    assert parse(text, ("a", "b", "c")) == (meant, ("a", "b", "c"))


def test_rules_are_those_of_the_condition_if_none_are_listed(tmp_path: Path) -> None:
    assert parse("b and (not a or b)", ())[1] == ("b", "a")
    text = correlation("temporal", "ra and rb").replace("  rules: [ra]\n", "")
    pack = pack_of(tmp_path, *RULES, text)
    assert pack.errors == []
    assert len(found_by(pack, [event(0), event(1, "b")])) == 1
    assert found_by(pack, [event(0)]) == []


def test_the_ways_in_which_a_condition_can_hold() -> None:
    ways = alternatives(Every((Either((A, B)), C)))
    assert ways == (Alternative((0, 2), ()), Alternative((1, 2), ()))
    assert alternatives(Absent(Either((A, Absent(B))))) == (Alternative((1,), (0,)),)
    assert alternatives(Every((A, Absent(A)))) == ()


def test_each_way_has_its_order(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, *RULES, correlation("temporal_ordered", "(ra or rb) and rc", "ra, rb, rc"))
    assert pack.errors == []
    assert len(found_by(pack, [event(0, "b"), event(1, "c")])) == 1
    assert found_by(pack, [event(1, "b"), event(0, "c")]) == []


def test_a_rule_may_be_called_by_its_id_or_by_its_name(tmp_path: Path) -> None:
    ids = [f"11111111-0000-4000-8000-00000000000{n}" for n in range(2)]
    rules = [
        rule_text(f"  s: {{act: {act}}}\n  condition: s", name=f"r{act}", id=one)
        for act, one in zip("ab", ids, strict=True)
    ]
    text = correlation("temporal", "", f"{ids[0]}, rb", aliases=f"{{who: {{ra: user, {ids[1]}: host}}}}")
    pack = pack_of(tmp_path, *rules, text.replace("[user]", "[who]"))
    assert pack.errors == []
    assert len(found_by(pack, [event(0), event(1, "b", user="x", host="u")])) == 2
    pack = pack_of(tmp_path, *rules, correlation("temporal", f"{ids[0]} and not {ids[1]}", ", ".join(ids)))
    assert pack.errors == []
    assert len(found_by(pack, [event(0)])) == 1


@pytest.mark.parametrize("where", ["correlation", "rule"])
def test_generate_lets_the_counted_rules_speak(where: str, tmp_path: Path) -> None:
    text = correlation("event_count", "{gte: 2}", **({"generate": "true"} if where == "correlation" else {}))
    pack = pack_of(tmp_path, *RULES, text + ("" if where == "correlation" else "generate: true\n"))
    assert pack.errors == []
    assert [rule.name for rule in pack.rules if not rule.silent] == ["ra", "rb", "rc"]
    quiet = pack_of(tmp_path, *RULES, correlation("event_count", "{gte: 2}"))
    assert [rule.name for rule in quiet.rules if not rule.silent] == ["rb", "rc"]


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1w", 604800),
        ("1M", 2629746),
        ("1y", 31556952),
    ],
)
def test_spans_of_time(span: str, seconds: int, tmp_path: Path) -> None:
    pack = pack_of(tmp_path, *RULES, correlation("event_count", "{gte: 2}", timespan=span))
    assert pack.correlations[0].timespan.total_seconds() == seconds
    assert len(found_by(pack, [event(0), event(seconds)])) == 1
    assert found_by(pack, [event(0), event(seconds + 1)]) == []


def test_a_span_longer_than_any_log(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, *RULES, correlation("event_count", "{gte: 2}", timespan="2000000y"))
    assert len(found_by(pack, [event(0), event(10**9)])) == 1


WRONG = {
    "event_count, ra and rb": "a event_count needs a number",
    "temporal, ra and": "its end where a rule is expected",
    "temporal, (ra": "opens a parenthesis",
    "temporal, ra)": "cannot be parsed from ')' on",
    "temporal, ra rb": "cannot be parsed from 'rb' on",
    "temporal, ra and rz": "names 'rz', which `rules:` does not list",
    "temporal, ra and ra": "lists 'rb', which the condition does not use",
    "temporal, not " + "(" * 60 + "ra": "nested more than 50 deep",
    "temporal, " + "ra or " * 6000 + "rb": "more than 10000 words",
    "event_count, {gte: many}": "`gte:` must be a number",
    "event_count, {gte: .inf}": "`gte:` must be a number",
    "event_count, {gte: true}": "`gte:` must be a number",
    "event_count, {field: host}": "no number to compare with",
    "event_count, {gte: 1, above: 2}": "unknown key 'above'",
    "value_count, {gte: 1}": "a value_count needs `field:`",
    "value_sum, {gte: 1, field: [host, user]}": "a value_sum measures one field",
    "value_percentile, {gte: 1, field: host, percentile: 101}": "percentile must be from 0 to 100",
    "value_min, {gte: 1, field: host}": "type 'value_min' is unknown",
}


@pytest.mark.parametrize("asked", WRONG, ids=WRONG.get)
def test_what_is_said_of_a_condition_that_cannot_run(asked: str, tmp_path: Path) -> None:
    kind, condition = asked.split(", ", 1)
    pack = pack_of(tmp_path, *RULES, correlation(kind, condition, "ra, rb"))
    assert pack.correlations == ()
    (error,) = pack.errors
    assert WRONG[asked] in error.message
    assert error.path.name == "rule3.yml"


def test_too_many_ways_to_hold_in_order(tmp_path: Path) -> None:
    rules = [rule_text(f"  s: {{act: x{n}}}\n  condition: s", name=f"x{n}") for n in range(20)]
    condition = " and ".join(f"(x{n} or x{n + 1})" for n in range(0, 20, 2))
    listed = ", ".join(f"x{n}" for n in range(20))
    (error,) = pack_of(tmp_path, *rules, correlation("temporal_ordered", condition, listed)).errors
    assert "more than 256 ways" in error.message
    assert pack_of(tmp_path, *rules, correlation("temporal", condition, listed)).errors == []


def test_a_rule_stands_once_in_an_order(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, *RULES, correlation("temporal_ordered", "", "ra, rb, ra"))
    (error,) = pack.errors
    assert "one place in an order" in str(error)
    (tmp_path / "again").mkdir()
    again = pack_of(tmp_path / "again", *RULES, correlation("temporal", "", "ra, rb, ra"))
    assert again.errors == []
    assert again.correlations[0].rules == ("ra", "rb")


def test_numbers_may_be_written_as_text(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, *RULES, correlation("event_count", "{gte: '2'}"))
    assert pack.errors == []
    assert len(found_by(pack, [event(0), event(1)])) == 1


def test_an_alias_of_a_rule_that_is_not_counted(tmp_path: Path) -> None:
    text = correlation("temporal", "", "ra, rb", aliases="{who: {ra: user, rc: host}}")
    outer = named("outer", correlation("event_count", "{gte: 1}", "counted"))
    pack = pack_of(tmp_path, *RULES, named("counted", text), outer)
    assert pack.correlations == ()
    assert ["alias of rule 'rc'" in str(error) for error in pack.errors] == [True, False]
    assert "no rule has the name or id 'counted'" in str(pack.errors[1])


def test_a_chain_that_doubles_itself_is_bounded(tmp_path: Path) -> None:
    """Two correlations a step, each of which counts both of the step before: millions of ways after a few."""
    texts = [named(f"n0{side}", correlation("event_count", "{gte: 1}")) for side in "ab"]
    for step in range(1, 30):
        below = f"n{step - 1}a, n{step - 1}b"
        texts += [named(f"n{step}{side}", correlation("event_count", "{gte: 1}", below)) for side in "ab"]
    pack = pack_of(tmp_path, *RULES, *texts)
    assert any("counts more than 10000 rules" in error.message for error in pack.errors)
    assert found_by(pack, [event(0)])
