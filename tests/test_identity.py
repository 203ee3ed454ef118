"""One person, many names: nobody merged, nobody split."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.context import Context, Site
from analysis.context.roster import SCHEMA
from analysis.identity import Identity, names, resolve
from analysis.identity.components import Components

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Event = dict[str, Any]
SITE = Site(domain="corp.example", netbios="CORP")
GUID = "2ce85a15-8640-465d-b916-d2eac620a717"


def security(
    name: str, domain: str = "CORP", sid: str | None = None, host: str = "DC1", **more: str
) -> Event:
    return {
        "event.dataset": "system.security", "user.name": name, "user.domain": domain, "user.id": sid,
        "host.name": host, **more,
    }  # fmt: skip


def okta(mail: str, number: str | None = None, **more: str) -> Event:
    return {"event.dataset": "okta.system", "user.name": mail, "user.id": number, **more}


def asa(name: str) -> Event:
    return {"event.dataset": "cisco_asa.log", "user.name": name, "source.user.name": name}


def sshd(name: str, host: str = "web1") -> Event:
    return {"event.dataset": "system.auth", "user.name": name, "host.hostname": host}


def github(login: str, **more: str) -> Event:
    return {"event.dataset": "github.audit", "user.name": login, **more}


def entra(name: str, domain: str = "corp.example", guid: str = GUID) -> Event:
    return {"event.dataset": "azure.signinlogs", "user.name": name, "user.domain": domain, "user.id": guid}


def roster(*people: dict[str, Any]) -> pl.DataFrame:
    rows = [
        {"line": n, **p, "emails": [p["email"]] if "email" in p else None} for n, p in enumerate(people, 2)
    ]
    for row in rows:
        row.setdefault("account", row.get("email") or row.get("username") or row.get("employee_id"))
    return pl.DataFrame([{**dict.fromkeys(SCHEMA), **row} for row in rows], schema=SCHEMA, orient="row")


def frame(events: list[Event]) -> pl.DataFrame:
    return pl.DataFrame(
        events,
        infer_schema_length=None,
        schema_overrides=dict.fromkeys({k for e in events for k in e}, pl.String),
    )


def who(events: list[Event], context: Context | None = None) -> tuple[list[str | None], Identity]:
    half = len(events) // 2
    batches = [frame(part) for part in (events[:half], events[half:]) if part]
    identity = resolve([names(batch) for batch in batches], context or Context())
    return pl.concat([identity.assign(batch).select("account") for batch in batches])[
        "account"
    ].to_list(), identity


def kinds(events: list[Event], context: Context | None = None) -> list[str | None]:
    _, identity = who(events, context)
    return identity.assign(frame(events))["account.kind"].to_list()


JDOE = {
    "employee_id": "E1",
    "name": "John Doe",
    "email": "john.doe@corp.example",
    "username": "jdoe",
    "github_login": "johnny",
}
JROE = {"employee_id": "E2", "name": "Jane Roe", "email": "jane.roe@corp.example", "username": "jroe"}


def test_every_name_of_the_issue_becomes_one_account_with_roster_and_site() -> None:
    events = [
        security("jdoe", "CORP", "S-1-5-21-1-2-3-1001"),
        security("JDoe", "CORP.EXAMPLE", None),
        security("jdoe@CORP.EXAMPLE", "", None),
        entra("jdoe"),
        {"event.dataset": "o365.audit", "user.id": "John.Doe@Corp.Example"},
        okta("john.doe@corp.example", "00uABC"),
        okta("unknown", "00uABC"),
        asa("jdoe"), asa(r"CORP\jdoe"), asa("jdoe@corp.example"), sshd("jdoe"), github("johnny"),
        {"event.dataset": "squid.log", "source.user.name": "jdoe"},
        {"event.dataset": "zeek.kerberos", "user.name": "jdoe", "user.domain": "CORP.EXAMPLE"},
    ]  # fmt: skip
    accounts, identity = who(events, Context(roster(JDOE, JROE), SITE))
    assert set(accounts) == {"john.doe@corp.example"}
    row = identity.accounts.row(by_predicate=pl.col("account") == "john.doe@corp.example", named=True)
    assert row["kind"] == "person"
    assert (row["label"], row["employee_id"], row["events"]) == ("John Doe", "E1", len(events))
    assert {
        r"CORP\jdoe",
        "john.doe@corp.example",
        "00uABC",
        "S-1-5-21-1-2-3-1001",
        GUID,
        "E1",
        "johnny",
    } <= set(row["identifiers"])
    assert identity.conflicts == []


def test_the_sites_domain_alone_ties_its_names() -> None:
    events = [security("jdoe"), asa("jdoe"), okta("jdoe@corp.example", "00uABC"), sshd("jdoe"), entra("jdoe")]
    accounts, _ = who(events, Context(site=SITE))
    assert set(accounts) == {"jdoe@corp.example"}


def test_the_only_domain_of_the_logs_is_the_companys() -> None:
    others = [okta(f"user{n}@corp.example", f"00u{n}") for n in range(20)]
    accounts, _ = who(
        [security("jdoe"), asa("jdoe"), okta("jdoe@corp.example"), okta("guest@partner.example"), *others]
    )
    assert set(accounts[:3]) == {"jdoe@corp.example"}
    assert accounts[3] == "guest@partner.example"


def test_without_a_domain_bare_names_of_two_products_stay_apart() -> None:
    accounts, _ = who([asa("jdoe"), sshd("jdoe"), asa("jdoe"), asa("other")])
    assert accounts == ["cisco_asa:jdoe", "linux:jdoe", "cisco_asa:jdoe", "other"]


def test_with_several_domains_and_nothing_to_tell_the_company_names_stay_apart() -> None:
    events = [security("jdoe", "EMEA"), security("jdoe", "APAC"), asa("jdoe")]
    accounts, _ = who(events)
    assert len(set(accounts)) == 3


def test_foreign_domains_are_other_people() -> None:
    events = [security("jdoe"), security("jdoe", "PARTNER"), asa("jdoe"), okta("jdoe@partner.example")]
    accounts, _ = who(events, Context(roster(JDOE), SITE))
    assert accounts == [
        "john.doe@corp.example",
        r"PARTNER\jdoe",
        "john.doe@corp.example",
        "jdoe@partner.example",
    ]


def test_a_user_name_of_the_roster_under_the_one_domain_that_has_it() -> None:
    events = [
        security("jdoe", "EMEA"),
        security("other", "APAC"),
        security("jroe", "EMEA"),
        security("jroe", "APAC"),
    ]
    accounts, _ = who(events, Context(roster(JDOE, JROE)))
    assert accounts[0] == "john.doe@corp.example"
    assert accounts[2:] == [r"EMEA\jroe", r"APAC\jroe"]


def test_github_logins_are_names_of_their_own() -> None:
    events = [
        github("jdoe"),
        asa("jdoe"),
        github("octo", **{"user.email": "jane.roe@corp.example"}),
        okta("jane.roe@corp.example"),
        github("Octo"),
    ]
    accounts, _ = who(events, Context(site=SITE))
    assert accounts[0] != accounts[1]
    assert accounts[2:] == ["jane.roe@corp.example"] * 3


def test_one_event_ties_and_display_names_do_not() -> None:
    same_name = {"user.full_name": "Kim Lee"}
    events = [
        okta("kim@a.example", "00u1", **same_name),
        okta("kim@b.example", "00u2", **same_name),
        okta("k.lee@a.example", "00u1"),
    ]
    accounts, identity = who(events)
    assert accounts == ["k.lee@a.example", "kim@b.example", "k.lee@a.example"]
    assert identity.accounts["label"].to_list() == ["Kim Lee", "Kim Lee"]


def test_names_that_are_merely_alike() -> None:
    events = [okta(f"{name}@corp.example") for name in ("jdoe", "j.doe", "jdoe1", "jdoe2", "doej", "jdo")]
    accounts, _ = who(events, Context(site=SITE))
    assert len(set(accounts)) == 6


def test_two_rows_of_the_roster_never_merge() -> None:
    jack = {"employee_id": "E3", "name": "Jack Doe", "email": "jdoe@corp.example", "username": "jackd"}
    events = [
        security("jdoe", sid="S-1-5-21-1-2-3-1001"),
        okta("jdoe@corp.example", "00uJ"),
        asa("jdoe"),
        security("jackd"),
        {
            "event.dataset": "okta.system",
            "user.name": "john.doe@corp.example",
            "user.email": "jdoe@corp.example",
        },
    ]
    accounts, identity = who(events, Context(roster(JDOE, jack), SITE))
    assert accounts[:4] == [
        "john.doe@corp.example",
        "jdoe@corp.example",
        "john.doe@corp.example",
        "jdoe@corp.example",
    ]
    assert any("john.doe@corp.example" in text and "jdoe@corp.example" in text for text in identity.conflicts)


def test_a_name_that_the_roster_gives_twice_is_nobodys() -> None:
    people = [
        {"employee_id": "1", "username": "jlee", "email": "jo.lee@corp.example"},
        {"employee_id": "2", "username": "jlee", "email": "jim.lee@corp.example"},
    ]
    accounts, identity = who(
        [asa("jlee"), okta("jo.lee@corp.example"), okta("jim.lee@corp.example")],
        Context(roster(*people), SITE),
    )
    assert accounts == ["jlee", "jo.lee@corp.example", "jim.lee@corp.example"]
    assert any("jlee" in text and "neither" in text for text in identity.conflicts)


def test_two_objects_of_one_directory_are_not_joined_by_a_domain() -> None:
    events = [
        {**security("jdoe", sid="S-1-5-21-1-2-3-1001"), "user.email": "john.doe@corp.example"},
        okta("john.doe@corp.example", "00u1"), okta("jdoe@corp.example", "00u2"),
    ]  # fmt: skip
    accounts, identity = who(events, Context(site=SITE))
    assert accounts == ["john.doe@corp.example", "john.doe@corp.example", "jdoe@corp.example"]
    assert any("alike" in text for text in identity.conflicts)


def test_accounts_of_one_computer() -> None:
    owner = {**JDOE, "device_hostname": "LT-JDOE"}
    events = [
        security("jdoe", "LT-JDOE", host="LT-JDOE.corp.example"),
        security("jdoe", "LT-OTHER", host="LT-OTHER"),
        security("jdoe", ".", host="LT-JDOE"),
        security("kim", "LT-JDOE", host="LT-JDOE"),
        security("jdoe"),
    ]
    accounts, _ = who(events, Context(roster(owner), SITE))
    mine = "john.doe@corp.example"
    assert accounts == [mine, r"LT-OTHER\jdoe", mine, r"LT-JDOE\kim", mine]


def test_entras_sid_is_its_object_id() -> None:
    # the object id's sixteen bytes as four little-endian words
    sid = f"S-1-12-1-{0x2CE85A15}-{0x465D8640}-{0xEAD216B9}-{0x17A720C6}"
    accounts, _ = who([security("JohnDoe", "AzureAD", sid), entra("john.doe")], Context(site=SITE))
    assert set(accounts) == {"john.doe@corp.example"}


def test_a_guest_is_who_they_are_at_home() -> None:
    accounts, _ = who([okta("kim_gmail.com#EXT#@corp.onmicrosoft.com"), okta("kim@gmail.com")])
    assert accounts == ["kim@gmail.com", "kim@gmail.com"]


def test_the_account_that_wrote_the_log_is_not_the_one_it_is_about() -> None:
    sysmon = {
        "event.dataset": "windows.sysmon_operational",
        "user.domain": "CORP",
        "user.id": "S-1-5-18",
        "host.name": "W1",
    }
    accounts, _ = who([{**sysmon, "user.name": "jdoe"}, {**sysmon, "user.name": "kim"}], Context(site=SITE))
    assert accounts == [r"CORP\jdoe", r"CORP\kim"]


def test_a_domain_account_is_not_the_bare_one_of_a_shared_name() -> None:
    accounts, _ = who(
        [sshd("admin"), asa("admin"), okta("admin@corp.example", "00u1"), sshd("root"), asa("root")],
        Context(site=SITE),
    )
    assert len(set(accounts)) == 5


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (security("SYSTEM", "NT AUTHORITY", "S-1-5-18"), "machine"),
        (security("Système", "AUTORITE NT", "S-1-5-18"), "machine"),
        (security("", "", "S-1-5-18"), "machine"),
        (security("DWM-3", "Window Manager", "S-1-5-90-0-3"), "machine"),
        (security("UMFD-0", "Font Driver Host", "S-1-5-96-0-0"), "machine"),
        (security("ANONYMOUS LOGON", "NT AUTHORITY", "S-1-5-7"), "machine"),
        (security("LOCAL SERVICE", "NT AUTHORITY", "S-1-5-19"), "machine"),
        (security("LT1$", "CORP", "S-1-5-18"), "machine"),
        (security("LT1$", "WORKGROUP", "S-1-5-18"), "machine"),
        (security("MSSQLSERVER", "NT SERVICE", "S-1-5-80-1-2-3"), "service"),
        (security("DefaultAppPool", "IIS APPPOOL", None), "service"),
        (security("svc-backup"), "service"),
        (security("sa_deploy"), "service"),
        (security("Administrator", "LT1", "S-1-5-21-1-1-1-500", host="LT1"), "service"),
        (security("robo7"), "service"),
        (github("dependabot[bot]"), "service"),
        (sshd("root"), "service"),
        (sshd("ubuntu"), "service"),
        ({"event.dataset": "o365.audit", "user.id": "DlpAgent"}, "service"),
        ({"event.dataset": "o365.audit", "user.id": "Service Account"}, "service"),
        (okta("system@okta.com"), "service"),
        (security("sandra"), "person"),
        (okta("bot.tom@corp.example"), "person"),
    ],
)  # fmt: skip
def test_kinds_of_accounts(event: Event, kind: str) -> None:
    assert (
        kinds(
            [event, security("jdoe")],
            Context(site=Site(domain="corp.example", netbios="CORP", service_accounts=("robo*",))),
        )[0]
        == kind
    )


def test_a_person_of_the_roster_is_a_person_whatever_their_name() -> None:
    bin_li = {"employee_id": "7", "email": "bin@corp.example", "username": "bin", "name": "Bin Li"}
    assert kinds([sshd("bin"), asa("bin")], Context(roster(bin_li), SITE)) == ["person", "person"]


@pytest.mark.parametrize("nobody", ["", "-", "N/A", "*****", "unknown", "(null)", "  "])
def test_nobody_is_nobody(nobody: str) -> None:
    accounts, identity = who([asa(nobody), asa("jdoe")])
    assert accounts == [None, "jdoe"]
    assert identity.accounts["account"].to_list() == ["jdoe"]


def test_events_without_any_name_and_empty_batches() -> None:
    flows = pl.DataFrame({"event.dataset": ["zeek.connection"], "source.ip": ["10.0.0.1"]})
    identity = resolve([names(flows), names(flows.head(0))], Context())
    assert identity.assign(flows).select("account", "account.kind").row(0) == (None, None)
    assert identity.assign(flows.head(0)).columns[-2:] == ["account", "account.kind"]
    assert identity.accounts.height == 0


def test_people_of_the_roster_alone_and_people_who_only_fail() -> None:
    events = [asa("jdoe"), {**asa("guesser"), "event.outcome": "failure"}]
    _, identity = who(events, Context(roster(JDOE, JROE)))
    seen = {row["account"]: (row["events"], row["worked"]) for row in identity.accounts.iter_rows(named=True)}
    assert seen["jane.roe@corp.example"] == (0, False)
    assert seen["john.doe@corp.example"] == (1, True)
    assert (1, False) in seen.values()


def test_names_that_no_batch_had_still_get_an_account() -> None:
    _, identity = who([security("jdoe")], Context(roster(JDOE), SITE))
    late = identity.assign(frame([asa("jdoe@corp.example"), asa("newcomer"), okta("new@corp.example")]))
    assert late["account"].to_list() == ["john.doe@corp.example", "newcomer", "new@corp.example"]


def test_created_accounts_are_known_by_their_targets() -> None:
    created = security(
        "boss",
        **{"user.target.name": "fresh", "user.target.domain": "CORP", "user.target.id": "S-1-5-21-1-2-3-77"},
    )
    _, identity = who([created, okta("fresh@corp.example", "00u9")], Context(site=SITE))
    assert (
        "S-1-5-21-1-2-3-77"
        in identity.accounts.row(by_predicate=pl.col("account") == "fresh@corp.example", named=True)[
            "identifiers"
        ]
    )


def test_hostile_names_are_names() -> None:
    odd = [
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "\x1b[31mred\x1b[0m",
        "a" * 10_000,
        "\\",
        "@",
        "\\\\",
        "$",
        "x\\",
        "@y",
        "😀",
    ]
    accounts, identity = who([asa(name) for name in odd] + [okta(name) for name in odd])
    assert None not in accounts
    assert identity.accounts["account"].n_unique() == identity.accounts.height


def test_an_identity_can_be_sent_to_another_process() -> None:
    events = [security("jdoe"), asa("jdoe")]
    _, identity = who(events, Context(roster(JDOE), SITE))
    again = pickle.loads(pickle.dumps(identity))  # noqa: S301 - our own object, as a process pool sends it
    assert again.assign(frame(events)).equals(identity.assign(frame(events)))


FORMS: tuple[Callable[[int], Event], ...] = (
    lambda n: security(f"u{n}", "CORP", f"S-1-5-21-1-2-3-{1000 + n}"),
    lambda n: security(f"U{n}", "CORP.EXAMPLE"),
    lambda n: okta(f"first.last{n}@corp.example", f"00u{n}"),
    lambda n: okta(f"First.Last{n}@Corp.Example"),
    lambda n: entra(f"u{n}", guid=f"2ce85a15-8640-465d-b916-{n:012}"),
    lambda n: asa(f"u{n}"),
    lambda n: asa(f"corp\\U{n}"),
    lambda n: sshd(f"u{n}", f"web{n % 3}"),
    lambda n: github(f"u{(n + 1) % 6}"),  # everybody's login is somebody else's user name
    lambda n: {
        "event.dataset": "o365.audit",
        "user.id": f"first.last{n}@corp.example",
        "user.name": f"first.last{n}",
    },
)
PEOPLE = [
    {
        "employee_id": f"E{n}",
        "email": f"first.last{n}@corp.example",
        "username": f"u{n}",
        "github_login": f"u{(n + 1) % 6}",
    }
    for n in range(6)
]
said = st.lists(st.tuples(st.integers(0, 5), st.integers(0, len(FORMS) - 1)), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(said)
def test_with_a_roster_nobody_is_merged_or_split(picks: list[tuple[int, int]]) -> None:
    accounts, identity = who([FORMS[form](n) for n, form in picks], Context(roster(*PEOPLE), SITE))
    assert accounts == [f"first.last{n}@corp.example" for n, _ in picks]
    assert identity.conflicts == []


@settings(max_examples=40, deadline=None)
@given(said, st.randoms(use_true_random=False))
def test_without_a_roster_nobody_is_merged_and_the_order_does_not_matter(
    picks: list[tuple[int, int]], random: Random
) -> None:
    picks = [(n, form) for n, form in picks if form != 8] or [(0, 0)]
    shuffled = random.sample(picks, len(picks))
    (accounts, _), (again, _) = (
        who([FORMS[form](n) for n, form in order], Context(site=SITE)) for order in (picks, shuffled)
    )
    of: dict[str | None, set[int]] = {}
    for account, (n, _) in zip(accounts, picks, strict=True):
        of.setdefault(account, set()).add(n)
    assert all(len(people) == 1 for people in of.values())
    assert sorted(zip(picks, accounts, strict=True)) == sorted(zip(shuffled, again, strict=True))


nodes = st.sampled_from([("n", str(number)) for number in range(8)])


@given(st.lists(st.tuples(nodes, nodes), max_size=30), st.dictionaries(nodes, st.integers(0, 2)))
def test_components_are_connected_as_a_search_finds_them(
    edges: list[tuple[Any, Any]], claims: dict[Any, int]
) -> None:
    components = Components()
    for node, person in claims.items():
        components.claim(node, person)
    joined = [(one, other) for one, other in edges if components.join(one, other, on_evidence=True)]
    reach = {node: {node} for edge in edges for node in edge} | {node: {node} for node in claims}
    for _ in range(len(reach)):
        for one, other in joined:
            reach[one] |= reach[other]
            reach[other] |= reach[one]
    for one in reach:
        for other in reach:
            assert components.same(one, other) == (other in reach[one])
    for person, members in components.groups():
        assert {claims[node] for node in members if node in claims} <= (
            {person} if person is not None else set()
        )
    refused = [edge for edge in edges if edge not in joined]
    assert all(components.person(one) != components.person(other) for one, other in refused)


def test_many_names_do_not_take_long_or_deep() -> None:
    chain = [okta(f"n{one}@c.example", f"00u{other}") for one, other in pairwise(range(3000))]
    chain += [okta(f"n{n}@c.example", f"00u{n}") for n in range(3000)]
    accounts, _ = who(chain)
    assert set(accounts) == {"n0@c.example"}


def test_computers_with_one_sid_stay_two() -> None:
    sid = "S-1-5-21-1-2-3-500"
    accounts, _ = who(
        [security("LT1$", sid=sid), security("LT2$", sid=sid), security("LT1$", "WORKGROUP", sid)]
    )
    assert accounts[:2] == [r"CORP\lt1$", r"CORP\lt2$"]


def test_a_dictionary_attack_makes_no_accounts_but_people_among_it_keep_theirs() -> None:
    number = 20_010
    attack = pl.DataFrame(
        {
            "event.dataset": ["system.auth"] * number,
            "user.name": ["jdoe", "jroe", *(f"guess{n}" for n in range(number - 2))],
            "event.outcome": ["failure"] * number,
        }
    )
    worked = frame([security("jroe"), asa("kim")])
    identity = resolve([names(attack), names(worked)], Context(roster(JDOE), SITE))
    assert identity.accounts["account"].to_list() == [r"CORP\jroe", r"CORP\kim", "john.doe@corp.example"]
    assert identity.guesses == number
    assert identity.assign(attack)["account"].to_list()[:3] == ["john.doe@corp.example", r"CORP\jroe", None]
    few = resolve([names(attack.tail(10)), names(worked)], Context(roster(JDOE), SITE))
    assert (few.guesses, few.accounts.height) == (0, 13)
