from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import risk
from analysis.finding import CATEGORIES, Finding, Level

if TYPE_CHECKING:
    from random import Random

NOW = datetime(2026, 3, 22, 18, tzinfo=UTC)
WEIGHTS = Path(risk.__file__).with_name("risk.toml")


def finding(
    category: str, level: Level = Level.MEDIUM, confidence: float = 0.6, days_ago: float = 1, **more: object
) -> Finding:
    at = NOW - timedelta(days=days_ago)
    standard = {
        "detection": f"{category}-{level.name}", "title": f"A {category} rule",
        "account": "kim", "why": "because", "evidence": (), "benign": (),
    }  # fmt: skip
    fields: dict[str, Any] = {"first_seen": at, "last_seen": at, **standard, **more}
    return Finding(level=level, confidence=confidence, category=category, **fields)


def accounts(**roster: object) -> pl.DataFrame:
    return pl.DataFrame(
        {"account": ["kim"], **{f"{name.replace('__', '.')}": [v] for name, v in roster.items()}}
    )


def score(findings: list[Finding], **roster: object) -> dict[str, Any]:
    table = risk.assess(findings, accounts(**roster), NOW)
    return table.filter(account="kim").row(0, named=True)


def test_every_account_is_there_and_those_without_findings_have_none() -> None:
    table = risk.assess([finding("access")], pl.DataFrame({"account": ["zoe", "kim", "ann"]}), NOW)
    assert table["account"].to_list() == ["kim", "ann", "zoe"]
    assert table.filter(account="ann").rows() == [("ann", 0.0, "none", [], [])]


def test_without_findings_and_without_accounts() -> None:
    assert risk.assess([], pl.DataFrame({"account": ["ann"]}), NOW)["score"].to_list() == [0.0]
    assert risk.assess([], pl.DataFrame(schema={"account": pl.String}), NOW).is_empty()
    assert (
        risk.assess([finding("access", account="")], pl.DataFrame({"account": ["ann"]}), NOW)["score"].sum()
        == 0
    )


def test_one_finding_by_hand() -> None:
    got = score([finding("access", Level.HIGH, 0.5, days_ago=14)])
    assert got["score"] == pytest.approx(100 * 0.6 * 0.5 * 0.5)
    assert got["band"] == "watch"
    assert got["categories"] == ["access"]
    assert got["reasons"] == ["access 0.15: A access rule (2026-03-08, high, confidence 0.5)"]


def test_categories_combine_by_noisy_or_the_strongest_first() -> None:
    got = score(
        [finding("access", confidence=0.5, days_ago=0), finding("identity", Level.HIGH, 0.5, days_ago=0)]
    )
    assert got["score"] == pytest.approx(100 * (1 - 0.85 * 0.7), abs=0.05)
    assert got["categories"] == ["identity", "access"]


def test_only_the_strongest_of_a_category_and_day_counts() -> None:
    one = score([finding("access", days_ago=1)])
    several = score([finding("access", days_ago=1, detection=f"rule {n}") for n in range(20)])
    assert several["score"] == one["score"]
    assert score([finding("access", days_ago=1), finding("access", days_ago=2)])["score"] > one["score"]


@pytest.mark.parametrize("category", CATEGORIES)
def test_low_findings_never_pile_up(category: str) -> None:
    got = score([finding(category, Level.LOW, 1.0, days_ago=day) for day in range(60)])
    assert got["score"] == 15
    every = [finding(name, Level.LOW, 1.0, days_ago=day) for name in CATEGORIES for day in range(60)]
    assert score(every)["band"] != "high"


def test_high_needs_two_categories_or_a_decisive_finding() -> None:
    one_kind = [finding("access", Level.CRITICAL, 0.9, days_ago=day) for day in range(5)]
    held = score(one_kind)
    assert (held["score"], held["band"]) == (59.9, "elevated")
    assert held["reasons"][-1].startswith("held below high")
    assert score([*one_kind, finding("exfiltration", days_ago=0)])["band"] == "high"
    assert score([finding("remote_control", Level.HIGH, 0.9, days_ago=0, decisive=True)])["band"] == "high"
    assert score([finding("remote_control", Level.HIGH, 0.9, days_ago=0)])["band"] == "elevated"


def test_two_categories_of_medium_findings_are_not_high_however_many() -> None:
    two = [
        finding(c, Level.MEDIUM, 0.9, days_ago=day) for c in ("access", "exfiltration") for day in range(30)
    ]
    assert score(two)["band"] == "elevated"
    assert (
        score([*two, *(finding("identity", Level.MEDIUM, 0.9, days_ago=day) for day in range(30))])["band"]
        == "high"
    )


def test_durable_evidence_decays_slowly() -> None:
    old = finding("identity", Level.HIGH, 1.0, days_ago=60)
    assert score([old])["score"] == pytest.approx(60 * 0.5 ** (60 / 14), abs=0.05)
    durable = finding("identity", Level.HIGH, 1.0, days_ago=60, durable=True)
    assert score([durable])["score"] == pytest.approx(30, abs=0.05)


@pytest.mark.parametrize(("days", "factor"), [(5, 1.5), (35, 1.2), (400, 1.0), (-3, 1.0)])
def test_new_hires_weigh_more_by_the_day_of_the_finding(days: int, factor: float) -> None:
    got = score([finding("access", days_ago=0)], roster__days_since_start=days)
    assert got["score"] == pytest.approx(18 * factor, abs=0.05)
    ten_days_ago = score([finding("access", days_ago=10)], roster__days_since_start=35)
    assert "new hire, times 1.5" in ten_days_ago["reasons"][0]


@pytest.mark.parametrize("kind", ["service", "machine"])
def test_what_is_no_person_is_capped_and_marked(kind: str) -> None:
    loud = [finding(c, Level.CRITICAL, 0.9, days_ago=0, decisive=True) for c in CATEGORIES]
    got = score(loud, account__kind=kind)
    assert (got["score"], got["band"]) == (30, "watch")
    assert got["reasons"][-1] == f"a {kind} account, held at 30 at most"
    assert score(loud)["band"] == "high"


SUPPORT = {"roster__title": "IT Support Specialist", "roster__department": "IT"}
BENIGN: dict[str, tuple[list[Finding], dict[str, Any]]] = {
    "IT support with AnyDesk, unattended, every day": (
        [
            *(finding("remote_control", Level.MEDIUM, 0.6, days_ago=d) for d in range(15)),
            finding("remote_control", Level.HIGH, 0.9, days_ago=3, decisive=True),
            finding("access", Level.LOW, 0.4),
        ],
        SUPPORT,
    ),
    "traveller": (
        [
            *(finding("access", Level.LOW, 0.5, days_ago=d) for d in range(4)),
            *(finding("access", Level.MEDIUM, 0.5, days_ago=d) for d in range(5)),
        ],
        {},
    ),
    "night owl": (
        [finding("access", Level.MEDIUM, 0.4, days_ago=0), finding("exfiltration", Level.LOW, 0.5)],
        {},
    ),
    "spouses on one undeclared address": (
        [finding("identity", Level.MEDIUM, 0.4, days_ago=0, durable=True)],
        {},
    ),
    "new hire who clones a lot and was helped to set up": (
        [
            *(finding("exfiltration", Level.MEDIUM, 0.5, days_ago=d) for d in range(4)),
            finding("remote_control", Level.MEDIUM, 0.5, days_ago=8),
        ],
        {"roster__days_since_start": 12},
    ),
}
EMBEDDED: dict[str, tuple[list[Finding], dict[str, Any]]] = {
    "laptop farm, remote tool, shifted clock, slow exfiltration": (
        [
            finding("identity", Level.HIGH, 0.7, days_ago=1, durable=True),
            finding("remote_control", Level.MEDIUM, 0.6, days_ago=12),
            finding("remote_control", Level.HIGH, 0.6, days_ago=11),
            finding("access", Level.MEDIUM, 0.5, days_ago=0),
            *(finding("exfiltration", Level.MEDIUM, 0.6, days_ago=d) for d in (2, 5)),
        ],
        {"roster__days_since_start": 40},
    ),
    "IP-KVM alone on the desk": (
        [finding("remote_control", Level.CRITICAL, 0.9, days_ago=9, decisive=True, durable=True)],
        {"roster__days_since_start": 200},
    ),
    "an embedded worker in IT": (
        [
            finding("remote_control", Level.HIGH, 0.8, days_ago=6),
            finding("identity", Level.HIGH, 0.8, days_ago=0, durable=True),
            finding("access", Level.MEDIUM, 0.5, days_ago=0),
            finding("exfiltration", Level.MEDIUM, 0.6, days_ago=1),
        ],
        {**SUPPORT, "roster__days_since_start": 25},
    ),
}


@pytest.mark.parametrize("name", BENIGN)
def test_benign_people_stay_below_high(name: str) -> None:
    got = score(BENIGN[name][0], **BENIGN[name][1])
    assert 0 < got["score"] < 50, got


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_workers_reach_high(name: str) -> None:
    got = score(EMBEDDED[name][0], **EMBEDDED[name][1])
    assert got["band"] == "high", got


FINDINGS = st.builds(
    finding,
    st.sampled_from(CATEGORIES),
    st.sampled_from(list(Level)),
    st.floats(0, 1),
    st.floats(0, 90),
    decisive=st.booleans(),
    durable=st.booleans(),
    detection=st.sampled_from(["a", "b"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(FINDINGS, max_size=12), FINDINGS, st.randoms(use_true_random=False))
def test_more_evidence_never_lowers_a_score_and_order_does_not_matter(
    findings: list[Finding], another: Finding, random: Random
) -> None:
    before, after = score(findings)["score"], score([*findings, another])["score"]
    assert 0 <= before <= after <= 100
    shuffled = list(findings)
    random.shuffle(shuffled)
    assert score(shuffled)["score"] == before


@settings(max_examples=60, deadline=None)
@given(st.lists(FINDINGS, min_size=1, max_size=12))
def test_the_score_is_what_adding_up_by_hand_gives(findings: list[Finding]) -> None:
    weights = risk.standard_weights()
    best: dict[tuple[str, Any], float] = {}
    cap: dict[str, float] = {}
    decisive_in: set[str] = set()
    strongest: dict[tuple[str, Any], tuple[float, int, Finding]] = {}
    for one in findings:
        age = (NOW - one.last_seen).total_seconds() / 86_400
        weight = weights.level[one.level.name.lower()] * one.confidence
        if one.decisive:
            weight = max(weight, weights.decisive["weight"] * one.confidence)
        weight *= 0.5 ** (age / weights.half_life_days["durable" if one.durable else "behaviour"])
        key = (one.category, one.last_seen.date())
        if key not in best or weight > best[key]:
            best[key] = weight
            strongest[key] = (weight, int(one.level), one)
    for (category, _), (weight, _, one) in strongest.items():
        if weight > 0:
            level_cap = weights.category_cap[one.level.name.lower()]
            cap[category] = max(cap.get(category, 0), level_cap)
            if one.decisive:
                decisive_in.add(category)
    total = 1.0
    for category, most in cap.items():
        apart = 1.0
        for (name, _), weight in best.items():
            apart *= 1 - weight if name == category else 1
        total *= 1 - min(1 - apart, weights.decisive["category_cap"] if category in decisive_in else most)
    got = score(findings)
    held = got["score"] == 59.9 and not decisive_in
    assert got["score"] == pytest.approx(100 * (1 - total), abs=0.06) or (held and 1 - total >= 0.599)


def test_people_are_joined_from_identity_and_roster() -> None:
    accounts = pl.DataFrame({"account": ["kim", "svc"], "kind": ["person", "service"]})
    assert risk.people(accounts, None, NOW).to_dict(as_series=False) == {
        "account": ["kim", "svc"],
        "account.kind": ["person", "service"],
    }
    roster = pl.DataFrame(
        {
            "account": ["kim"], "start_date": [NOW.date() - timedelta(days=12)],
            "title": ["Help desk"], "department": ["IT"],
        }
    )  # fmt: skip
    known = risk.people(accounts, roster, NOW)
    assert known["roster.days_since_start"].to_list() == [12, None]
    found = [finding("remote_control", Level.HIGH, 0.5, days_ago=0)]
    assert risk.assess(found, known, NOW)["score"].to_list() == pytest.approx([100 * 0.3 * 1.5 * 0.5, 0])


def test_the_weights_that_ship_can_be_loaded_as_a_users_file() -> None:
    assert risk.load_weights(WEIGHTS) == risk.standard_weights()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (("[band]", "[bands]"), "bands"),
        (("critical = 0.9", "fatal = 0.9"), "critical"),
        (("[level]", "[level"), "TOML"),
        ((r"pattern = '\b(", r"pattern = '\b((("), "regular expression"),
    ],
)
def test_a_broken_file_of_weights_says_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], word: str
) -> None:
    path = tmp_path / "risk.toml"
    path.write_text(WEIGHTS.read_text("utf-8").replace(*change), "utf-8")
    with pytest.raises(risk.RiskError, match=word):
        risk.load_weights(path)
