"""What cannot run is said, with the reason; what can run is not held back by a column that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from sigma_cases import pack_of

from analysis.sigma import RulePack
from analysis.sigma.explain import explain
from analysis.sigma.taxonomy import Logsource, Taxonomy

if TYPE_CHECKING:
    from pathlib import Path


def rule(detection: str, logsource: str = "category: dns", name: str = "r") -> str:
    return f"title: {name}\nname: {name}\nlogsource: {{{logsource}}}\ndetection:\n{detection}\n"


def reasons(folder: Path, text: str, columns: dict[str, list[str]]) -> list[str]:
    pack = pack_of(folder, text, taxonomy=Taxonomy())
    assert pack.errors == []
    return [not_run.reason for not_run in pack.plan(columns)]


DNS = {"zeek.dns": ["event.dataset", "dns.question.name"]}


@pytest.mark.parametrize(
    ("detection", "logsource", "reason"),
    [
        ("  s: {dns.question.name: x}\n  condition: s", "category: dns", None),
        ("  s: {query: x}\n  condition: s", "category: dns", None),
        ("  s: {dns.question.name: x, account: y}\n  condition: s", "category: dns", "carries account"),
        ("  s: {account: y}\n  condition: s", "category: dns", "carries account"),
        ("  s: {account: y}\n  condition: not s", "category: dns", None),
        ("  s: {account: null}\n  condition: s", "category: dns", None),
        ("  s: {account|exists: false}\n  condition: s", "category: dns", None),
        ("  s: {account|neq: y}\n  condition: s", "category: dns", None),
        ("  s: {account: y}\n  t: {dns.question.name: x}\n  condition: s or t", "category: dns", None),
        ("  s: [x]\n  condition: s", "category: dns", None),
        ("  s: {event.dataset|exists: true}\n  condition: s", "category: dns", None),
        ("  s: {event.dataset|fieldref: dns.question.name}\n  condition: s", "category: dns", None),
        ("  s: {event.dataset: squid.log}\n  condition: s", "category: dns", "can be"),
        ("  s: {a: x}\n  condition: s", "product: okta, service: okta", "no events of product okta"),
        ("  s: {a: x}\n  condition: s", "category: tls", "no events of category tls"),
        ("  s: {a: x}\n  condition: s", "product: aws, service: cloudtrail", "reads no logs of product aws"),
    ],
)
def test_reasons(detection: str, logsource: str, reason: str | None, tmp_path: Path) -> None:
    told = reasons(tmp_path, rule(detection, logsource), DNS)
    assert len(told) == (reason is not None)
    assert all(reason is not None and reason in one for one in told)


def test_a_dataset_whose_events_have_the_columns_is_enough(tmp_path: Path) -> None:
    text = rule("  s: {account: y}\n  condition: s")
    assert reasons(tmp_path, text, {**DNS, "squid.log": ["dns.question.name", "account"]}) == []


def test_correlations_say_which_rule_they_lack(tmp_path: Path) -> None:
    counting = "title: {0}\ncorrelation: {{type: {0}, rules: [can, cannot], timespan: 1m{1}}}\n"
    pack = pack_of(
        tmp_path,
        rule("  s: {query: x}\n  condition: s", name="can"),
        rule("  s: {account: x}\n  condition: s", name="cannot"),
        counting.format("temporal", ""),
        counting.format("event_count", ", condition: {gte: 2}"),
        taxonomy=Taxonomy(),
    )
    (not_run,) = pack.plan(DNS)
    assert not_run.title == "temporal"
    assert "cannot cannot run: no event" in not_run.reason
    assert pack.blocked(DNS)[0] is None
    assert "account" in str(pack.blocked(DNS)[1])


def test_the_event_s_own_field_comes_before_ecs_and_ecs_where_it_is_missing(tmp_path: Path) -> None:
    source = "category: process_creation, product: windows"
    pack = pack_of(
        tmp_path, rule("  s: {Image|endswith: evil.exe}\n  condition: s", source), taxonomy=Taxonomy()
    )
    frame = pl.DataFrame(
        {
            "event.dataset": ["windows.sysmon_operational"] * 3 + ["zeek.conn"],
            "event.code": ["1"] * 4,
            "winlog.event_data.Image": [r"C:\evil.exe", r"C:\good.exe", None, r"C:\evil.exe"],
            "process.executable": [None, r"C:\evil.exe", r"C:\EVIL.exe", None],
        }
    )
    assert pack.match(frame, "").rows() == [(0, 0), (0, 2)]


def test_domain_and_name_together_are_sigmas_user(tmp_path: Path) -> None:
    text = rule(r"  s: {User: 'CORP\jdoe'}" + "\n  condition: s", "category: any")
    pack = pack_of(tmp_path, text, taxonomy=Taxonomy())
    frame = pl.DataFrame({"user.domain": ["corp", None], "user.name": ["jdoe", "jdoe"]})
    assert pack.match(frame, "").rows() == [(0, 0)]


def test_the_dataset_is_known_even_where_the_frame_does_not_say_it(tmp_path: Path) -> None:
    pack = pack_of(
        tmp_path, rule("  s: {eventType: x}\n  condition: s", "product: okta"), taxonomy=Taxonomy()
    )
    frame = pl.DataFrame({"event.action": ["x", "y"]})
    assert pack.match(frame, "okta.system").rows() == [(0, 0)]
    assert pack.match(frame, "azure.signinlogs").is_empty()


OKTA = Logsource(product="okta", service="okta")
ENTRA = Logsource(product="azure", service="signinlogs")


@pytest.mark.parametrize(
    ("source", "field", "column"),
    [
        (OKTA, "actor.alternateId", "okta.actor.alternate_id"),
        (
            OKTA,
            "debugContext.debugData.x",
            "okta.debug_context.debug_data.x",
        ),
        (
            ENTRA,
            "properties.appId",
            "azure.signinlogs.properties.app_id",
        ),
        (
            ENTRA,
            "RiskState",
            "azure.signinlogs.properties.risk_state",
        ),
        (Logsource(product="zeek", service="conn"), "id.resp_p", "destination.port"),
        (Logsource(category="proxy"), "c-useragent", "user_agent.original"),
        (Logsource(category="any"), "roster.status", "roster.status"),
        (Logsource(product="windows", service="windefend"), "ThreatName", "winlog.event_data.Threat Name"),
    ],
)
def test_names_find_their_columns(source: Logsource, field: str, column: str) -> None:
    assert column in Taxonomy().field(field, source).columns
    assert Taxonomy().knows(field, source)


def test_a_name_that_nothing_knows_is_said_to_be_unknown() -> None:
    assert not Taxonomy().knows("Imgae", Logsource(category="process"))


def test_explaining_a_rule_says_which_item_failed(tmp_path: Path) -> None:
    text = rule(
        "  s:\n    query|endswith: .example\n    account: eve\n  f: [noise]\n  condition: s and not f"
    )
    (one,) = pack_of(tmp_path, text, taxonomy=Taxonomy()).rules
    told = explain(one, {"dns.question.name": "a.example", "account": "bob"})
    assert not told.matched
    lines = list(told.lines())
    assert any(
        line.strip().startswith("yes  s: query '*.example' (the event has a.example)") for line in lines
    )
    assert any(line.strip().startswith("no   s: account 'eve' (the event has bob)") for line in lines)
    assert explain(one, {"dns.question.name": "a.example", "account": "Eve"}).matched
    assert not explain(one, {"dns.question.name": "a.example", "account": "Eve", "message": "NOISE!"}).matched


def test_an_empty_pack_runs(tmp_path: Path) -> None:
    pack = RulePack.load([tmp_path])
    assert pack.plan(DNS) == []
    assert pack.match(pl.DataFrame({"event.dataset": ["x"]}), "x").is_empty()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("type: temporal, rules: [can, cannot, too], condition: {gte: 2}", None),
        ("type: temporal, rules: [can, cannot, too], condition: {gt: 2}", "cannot cannot run"),
        ("type: temporal, rules: [can, cannot], condition: can and not cannot", None),
        ("type: temporal, rules: [can, cannot], condition: can or cannot", None),
        ("type: temporal_ordered, rules: [can, cannot], condition: can and cannot", "cannot cannot run"),
        ("type: event_count, rules: can, group-by: host.name, condition: {gte: 2}", "can carries host.name"),
        ("type: event_count, rules: can, group-by: w, aliases: {w: {can: query}}, condition: {gte: 2}", None),
        ("type: value_sum, rules: can, condition: {field: source.bytes, gte: 2}", "can carries source.bytes"),
        ("type: value_count, rules: [can], condition: {field: source.bytes, lt: 2}", None),
    ],
)
def test_what_a_correlation_cannot_do_without(body: str, reason: str | None, tmp_path: Path) -> None:
    pack = pack_of(
        tmp_path,
        rule("  s: {query: x}\n  condition: s", name="can"),
        rule("  s: {query: y}\n  condition: s", name="too"),
        rule("  s: {account: x}\n  condition: s", name="cannot"),
        f"title: c\ncorrelation: {{{body}, timespan: 1m}}\n",
        taxonomy=Taxonomy(),
    )
    assert pack.errors == []
    told = [not_run.reason for not_run in pack.plan(DNS) if not_run.title == "c"]
    assert len(told) == (reason is not None)
    assert all(reason is not None and reason in one for one in told)
