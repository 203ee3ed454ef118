"""Who held an address when: VPN sessions, DHCP leases, logons, and what they explain."""

from __future__ import annotations

import ipaddress
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.attribution import Attribution, leases
from analysis.attribution.holders import at, changes, find_addresses
from analysis.context import Context, Site
from analysis.context.roster import SCHEMA as ROSTER
from analysis.identity import names, resolve
from sensors.schema import TIME, dtype

Event = dict[str, Any]
START = datetime(2025, 3, 3, 8, tzinfo=UTC)
SITE = Site(domain="corp.example", netbios="CORP")


def when(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def assigned(minutes: float, user: str, inside: str, outside: str = "203.0.113.5") -> Event:
    return {
        "@timestamp": when(minutes),
        "event.dataset": "cisco_asa.log",
        "event.code": "722051",
        "event.action": "address-assigned",
        "event.category": ["network", "session"],
        "event.type": ["connection", "info"],
        "user.name": user,
        "source.user.name": user,
        "source.ip": outside,
        "source.nat.ip": inside,
    }


def ended(
    minutes: float, user: str, outside: str | None = "203.0.113.5", lasted: float | None = None
) -> Event:
    return {
        "@timestamp": when(minutes),
        "event.dataset": "cisco_asa.log",
        "event.code": "113019",
        "event.action": "client-vpn-disconnected",
        "event.category": ["network", "session"],
        "event.type": ["connection", "end"],
        "user.name": user,
        "source.ip": outside,
        "event.duration": None if lasted is None else int(lasted * 60e9),
    }


def lease(
    minutes: float,
    address: str,
    host: str | None,
    mac: str = "00:11:22:33:44:55",
    action: str = "ACK",
    seconds: float = 3600,
) -> Event:
    return {
        "@timestamp": when(minutes),
        "event.dataset": "zeek.dhcp",
        "event.action": action,
        "host.name": "sensor1",
        "client.ip": address,
        "zeek.dhcp.address.assigned": address,
        "zeek.dhcp.hostname": host,
        "zeek.dhcp.address.mac": mac,
        "zeek.dhcp.lease_time": str(seconds),
    }


def logon(
    minutes: float,
    user: str,
    host: str,
    kind: str = "2",
    code: str = "4624",
    session: str = "0x1",
    domain: str = "CORP",
) -> Event:
    return {
        "@timestamp": when(minutes),
        "event.dataset": "system.security",
        "event.provider": "Microsoft-Windows-Security-Auditing",
        "event.code": code,
        "user.name": user,
        "user.domain": domain,
        "host.name": host,
        "winlog.event_data.LogonType": kind,
        "winlog.event_data.TargetLogonId": session,
    }


def flow(minutes: float, source: str, target: str = "198.51.100.9") -> Event:
    return {
        "@timestamp": when(minutes),
        "event.dataset": "zeek.connection",
        "event.category": ["network"],
        "source.ip": source,
        "destination.ip": target,
        "destination.port": 443,
    }


def on_host(minutes: float, host: str, **more: Any) -> Event:  # noqa: ANN401 - any field of the schema
    return {
        "@timestamp": when(minutes),
        "event.dataset": "windows.sysmon_operational",
        "event.code": "22",
        "host.name": host,
        **more,
    }


def frame(events: list[Event]) -> pl.DataFrame:
    columns = {name: dtype(name) for event in events for name in event}
    return pl.DataFrame(
        [dict.fromkeys(columns) | event for event in events], schema=columns, orient="row"
    ).with_columns(pl.lit("a.log").alias("log.file.path"), pl.int_range(pl.len()).alias("log.offset"))


def attribute(events: list[Event], context: Context | None = None) -> tuple[pl.DataFrame, Attribution]:
    context = context or Context(site=SITE)
    whole = frame(events)
    batches = [part for part in (whole[::2], whole[1::2]) if part.height]
    identity = resolve([names(batch) for batch in batches], context)
    attribution = Attribution.build([leases(batch) for batch in batches], identity, context)
    return attribution.attach(whole), attribution


def told(events: list[Event], context: Context | None = None) -> list[tuple[str | None, str | None]]:
    return attribute(events, context)[0].select("account", "account.basis").rows()


def owner_of(host: str, account: str = "owner@corp.example") -> pl.DataFrame:
    row = {
        **dict.fromkeys(ROSTER),
        "account": account,
        "email": account,
        "emails": [account],
        "device_hostname": host,
    }
    return pl.DataFrame([row], schema=ROSTER, orient="row")


def test_a_reused_vpn_address_is_whose_it_was_at_the_time() -> None:
    events = [
        flow(-1, "10.99.0.7"),
        assigned(0, "ann", "10.99.0.7"),
        flow(0, "10.99.0.7"),
        flow(59, "10.99.0.7"),
        ended(60, "ann", lasted=60),
        flow(60, "10.99.0.7"),
        assigned(70, "bo", "10.99.0.7", "203.0.113.6"),
        flow(71, "10.99.0.7"),
        assigned(75, "cy", "10.99.0.7", "203.0.113.7"),
        flow(80, "10.99.0.7"),
        flow(80, "10.99.0.8"),
    ]
    got = told(events)
    vpn = "vpn lease"
    assert got[0] == got[5] == got[10] == (None, None)
    assert got[2] == got[3] == (r"CORP\ann", vpn)
    assert got[7] == (r"CORP\bo", vpn)
    assert got[9] == (r"CORP\cy", vpn)
    assert got[1] == (r"CORP\ann", "user")


def test_counts_say_what_was_and_what_was_not() -> None:
    _, attribution = attribute([assigned(0, "ann", "10.99.0.7"), flow(1, "10.99.0.7"), flow(1, "10.1.1.1")])
    assert attribution.counts == {"user": 1, "vpn lease": 1, "unattributed": 1}


def test_without_an_end_a_session_counts_a_day_and_signs_prolong_it() -> None:
    events = [
        assigned(0, "ann", "10.99.0.7"), assigned(600, "ann", "10.99.0.7"),
        flow(600 + 1439, "10.99.0.7"), flow(600 + 1440, "10.99.0.7"),
    ]  # fmt: skip
    assert [account for account, _ in told(events)[2:]] == [r"CORP\ann", None]


def test_an_end_that_is_logged_shows_that_the_session_lasted() -> None:
    events = [
        assigned(0, "ann", "10.99.0.7"),
        flow(4000, "10.99.0.7"),
        ended(4320, "ann", lasted=4320),
        flow(4321, "10.99.0.7"),
    ]
    assert [account for account, _ in told(events)[1:]] == [r"CORP\ann", r"CORP\ann", None]


def test_of_two_sessions_of_one_person_the_right_one_ends() -> None:
    events = [
        assigned(0, "ann", "10.99.0.7"), assigned(30, "ann", "10.99.0.8"), ended(60, "ann", lasted=60),
        flow(61, "10.99.0.7"), flow(61, "10.99.0.8"),
    ]  # fmt: skip
    assert [account for account, _ in told(events)[3:]] == [None, r"CORP\ann"]


def test_an_end_elsewhere_or_in_another_product_ends_nothing() -> None:
    okta = {
        "@timestamp": when(5),
        "event.dataset": "okta.system",
        "event.action": "user.session.end",
        "event.category": ["authentication", "session"],
        "event.type": ["end"],
        "user.name": "ann@corp.example",
        "source.ip": "203.0.113.5",
    }
    broken = {**ended(6, "ann"), "event.code": "716058"}
    events = [
        assigned(0, "ann", "10.99.0.7"),
        okta,
        broken,
        ended(7, "ann", "203.0.113.99"),
        ended(8, "bo"),
        flow(9, "10.99.0.7"),
    ]
    assert told(events)[-1] == ("ann@corp.example", "vpn lease")


def test_an_address_released_without_a_name_is_free() -> None:
    released = {
        "@timestamp": when(5),
        "event.dataset": "cisco_asa.log",
        "event.code": "737016",
        "event.action": "address-released",
        "event.category": ["network", "session"],
        "event.type": ["connection", "end"],
        "source.nat.ip": "10.99.0.7",
    }
    assert told([assigned(0, "ann", "10.99.0.7"), released, flow(6, "10.99.0.7")])[-1] == (None, None)


def test_a_session_whose_begin_is_in_no_log() -> None:
    logout = {
        "@timestamp": when(90),
        "event.dataset": "panw.panos",
        "event.action": "gateway-logout",
        "user.name": "ann",
        "event.type": ["end"],
        "source.ip": "203.0.113.5",
        "source.nat.ip": "10.99.0.7",
        "event.duration": int(60 * 60e9),
    }
    events = [flow(29, "10.99.0.7"), flow(31, "10.99.0.7"), logout, flow(91, "10.99.0.7")]
    assert [account for account, _ in told(events)] == [None, r"CORP\ann", r"CORP\ann", None]


def test_flows_with_a_user_and_a_translated_address_are_no_sessions() -> None:
    translated = {**flow(0, "10.1.1.1"), "user.name": "ann", "source.nat.ip": "10.200.0.1"}
    assert told([translated, flow(1, "10.200.0.1"), flow(1, "10.1.1.1")])[1:] == [(None, None)] * 2


def test_where_assigned_and_public_address_are_the_other_way_round() -> None:
    swapped = {
        **assigned(0, "ann", "203.0.113.5", "10.99.0.7"),
        "event.dataset": "panw.panos",
        "event.action": "gateway-connected",
    }
    assert told([swapped, flow(1, "10.99.0.7"), flow(1, "203.0.113.5")])[1:] == [
        (r"CORP\ann", "vpn lease"),
        (None, None),
    ]


def test_public_addresses_attribute_nothing_but_public_pools_do() -> None:
    events = [assigned(0, "ann", "192.0.2.77"), flow(1, "192.0.2.77"), flow(1, "203.0.113.5")]
    assert [account for account, _ in told(events)[1:]] == [None, None]
    pool = Site(
        domain="corp.example", netbios="CORP", vpn_pools={"asa": (ipaddress.ip_network("192.0.2.0/24"),)}
    )
    assert [account for account, _ in told(events, Context(site=pool))[1:]] == [r"CORP\ann", None]


def test_addresses_are_compared_in_one_spelling() -> None:
    events = [
        assigned(0, "ann", "FD00:0:0::7"),
        flow(1, "fd00::7"),
        assigned(0, "bo", "10.99.0.9"),
        flow(1, "::ffff:10.99.0.9"),
    ]
    assert [account for account, _ in told(events)] == [r"CORP\ann"] * 2 + [r"CORP\bo"] * 2


def test_the_order_in_the_file_decides_within_a_second() -> None:
    events = [
        assigned(0, "ann", "10.99.0.7"),
        ended(30, "ann", lasted=30),
        assigned(30, "bo", "10.99.0.7"),
        flow(30, "10.99.0.7"),
    ]
    assert told(events)[-1][0] == r"CORP\bo"
    again = [
        assigned(0, "ann", "10.99.0.7"),
        ended(30, "ann"),
        assigned(30, "ann", "10.99.0.7"),
        flow(31, "10.99.0.7"),
    ]
    assert told(again)[-1][0] == r"CORP\ann"


def test_dhcp_and_logon() -> None:
    events = [
        lease(0, "10.20.0.5", "LT1"),
        logon(5, "ann", "LT1.corp.example"),
        flow(4, "10.20.0.5"),
        flow(6, "10.20.0.5"),
        lease(50, "10.20.0.5", "LT1"),
        flow(100, "10.20.0.5"),
        flow(139, "10.20.0.5"),
        flow(141, "10.20.0.5"),
        lease(150, "10.20.0.5", "LT2", "00:11:22:33:44:66"),
        flow(151, "10.20.0.5"),
        logon(155, "bo", "LT2"),
        flow(156, "10.20.0.5"),
    ]
    got = told(events)
    both = "dhcp and logon"
    ann = (r"CORP\ann", both)
    assert [got[n] for n in (2, 3, 5, 6)] == [(None, None), ann, ann, ann]
    assert [got[n] for n in (7, 9, 11)] == [(None, None), (None, None), (r"CORP\bo", both)]


def test_what_a_computer_says_of_itself_outweighs_a_lease_of_the_same_address_elsewhere() -> None:
    events = [
        lease(0, "192.168.1.20", "LT2"),
        logon(1, "bo", "LT2"),
        logon(1, "ann", "LT1"),
        on_host(5, "LT1", **{"source.ip": "192.168.1.20"}),  # at home, where numbers are the same
        flow(6, "192.168.1.20"),
    ]
    assert [told(events)[n][0] for n in (3, 4)] == [r"CORP\ann", r"CORP\bo"]


def test_a_computer_that_does_not_say_its_name_in_a_lease_is_known_by_its_card() -> None:
    events = [
        lease(0, "10.20.0.5", "LT1"), logon(0, "ann", "LT1"), lease(10, "10.20.0.6", None),
        flow(11, "10.20.0.6"), lease(12, "10.20.0.6", None, "00:00:00:00:00:09"), flow(13, "10.20.0.6"),
    ]  # fmt: skip
    assert [told(events)[n][0] for n in (3, 5)] == [r"CORP\ann", None]


def test_a_released_lease_is_over() -> None:
    events = [
        lease(0, "10.20.0.5", "LT1"),
        logon(0, "ann", "LT1"),
        lease(10, "10.20.0.5", None, action="RELEASE"),
        flow(11, "10.20.0.5"),
    ]
    assert told(events)[-1] == (None, None)


def test_logons_end_with_their_own_session_or_the_next_persons() -> None:
    events = [
        logon(0, "ann", "LT1", session="0x1"),
        logon(10, "ann", "LT1", kind="7", session="0x2"),
        logon(10, "ann", "LT1", kind="7", code="4634", session="0x2"),
        on_host(11, "LT1"),
        logon(20, "ann", "LT1", code="4634", session="0x9"),
        on_host(21, "LT1"),
        logon(30, "ann", "LT1", code="4634", session="0x1"),
        on_host(31, "LT1"),
        logon(40, "bo", "LT1", kind="10", session="0x3"),
        logon(45, "ann", "LT1", kind="3"),
        on_host(46, "LT1"),
        logon(50, "bo", "LT1", code="4647", kind="", session="0x3"),
        on_host(51, "LT1"),
    ]
    got = told(events)
    here = "logon on the host"
    assert [got[n] for n in (3, 5, 7, 10, 12)] == [
        (r"CORP\ann", here), (r"CORP\ann", here), (None, None), (r"CORP\bo", here), (None, None),
    ]  # fmt: skip


def test_system_logons_are_nobodys() -> None:
    events = [logon(0, "DWM-1", "LT1", domain="Window Manager"), logon(0, "LT1$", "LT1"), on_host(1, "LT1")]
    assert told(events)[-1] == (None, None)


def test_sessions_of_terminal_services_are_logons() -> None:
    local = {
        "event.dataset": "windows.forwarded",
        "event.provider": "Microsoft-Windows-TerminalServices-LocalSessionManager",
        "user.name": "ann",
        "user.domain": "CORP",
        "host.name": "SRV",
    }
    events = [
        {**local, "@timestamp": when(0), "event.code": "21"},
        on_host(1, "SRV"),
        {**local, "@timestamp": when(2), "event.code": "23"},
        on_host(3, "SRV"),
    ]
    assert [account for account, _ in told(events)] == [r"CORP\ann"] * 3 + [None]


def test_the_rosters_owner_where_nobody_is_logged_on() -> None:
    context = Context(owner_of("LT1.corp.example; TABLET1"), SITE)
    events = [
        lease(0, "10.20.0.5", "LT1"),
        flow(1, "10.20.0.5"),
        on_host(1, "lt1"),
        on_host(1, "TABLET1"),
        logon(2, "bo", "LT1"),
        on_host(3, "LT1"),
    ]
    assert [told(events, context)[n] for n in (1, 2, 3, 5)] == [
        ("owner@corp.example", "dhcp and device of the roster"),
        ("owner@corp.example", "device of the roster"),
        ("owner@corp.example", "device of the roster"),
        (r"CORP\bo", "logon on the host"),
    ]
    shared = pl.concat([owner_of("LT1"), owner_of("LT1", "other@corp.example")])
    assert told(events, Context(shared, SITE))[1] == (None, None)


def test_what_the_system_does_on_a_personal_computer_is_its_users() -> None:
    system = {"user.name": "SYSTEM", "user.domain": "NT AUTHORITY", "user.id": "S-1-5-18"}
    events = [
        logon(0, "ann", "LT1"),
        on_host(1, "LT1", **system),
        *(logon(n, f"p{n}", "SRV") for n in range(3)),
        on_host(5, "SRV", **system),
    ]
    got, _ = attribute(events)
    assert got.select("account", "account.kind", "account.basis").row(1) == (
        r"CORP\ann",
        "person",
        "logon on the host, system process",
    )
    assert got.select("account", "account.kind", "account.basis").row(5) == ("system", "machine", "user")


def test_who_reaches_a_computer_is_not_who_sits_at_it() -> None:
    reached = {
        "@timestamp": when(1),
        "event.dataset": "system.auth",
        "event.category": ["authentication"],
        "host.name": "LT1",
        "source.ip": "198.51.100.3",
    }
    assert told([logon(0, "ann", "LT1"), reached])[1] == (None, None)


def test_what_comes_in_from_outside_is_the_receivers() -> None:
    events = [
        assigned(0, "ann", "10.99.0.7"),
        flow(1, "198.51.100.3", "10.99.0.7"),
        flow(1, "10.1.1.1", "10.99.0.7"),
    ]
    assert told(events)[1:] == [(r"CORP\ann", "vpn lease, destination"), (None, None)]


def test_ip_user_mappings() -> None:
    mapped = {
        "@timestamp": when(0),
        "event.dataset": "cisco_asa.log",
        "event.code": "746012",
        "event.action": "ip-user-mapping-added",
        "user.name": "ann",
        "user.domain": "CORP",
        "source.ip": "10.20.0.5",
    }
    gone = {**mapped, "@timestamp": when(5), "event.action": "ip-user-mapping-removed"}
    assert [told([mapped, flow(1, "10.20.0.5"), gone, flow(6, "10.20.0.5")])[n] for n in (1, 3)] == [
        (r"CORP\ann", "ip-user mapping"),
        (None, None),
    ]


def test_names_in_leases_are_accounts_of_the_roster() -> None:
    person = owner_of("").with_columns(username=pl.lit("ann"))
    assert (
        told([assigned(0, r"CORP\Ann", "10.99.0.7"), flow(1, "10.99.0.7")], Context(person, SITE))[1][0]
        == "owner@corp.example"
    )


def test_frames_without_what_attribution_reads() -> None:
    _, attribution = attribute([assigned(0, "ann", "10.99.0.7")])
    bare = pl.DataFrame(
        {"@timestamp": [START, START], "event.dataset": ["x", "x"]},
        schema={"@timestamp": TIME, "event.dataset": pl.String},
    )
    assert (
        attribution.attach(bare).select("account", "account.kind", "account.basis").rows()
        == [(None, None, None)] * 2
    )
    assert attribution.attach(bare.head(0)).height == 0
    assert leases(bare).height == leases(bare.head(0)).height == 0
    again = pickle.loads(pickle.dumps(attribution))  # noqa: S301 - our own object, as a process pool sends it
    assert again.attach(frame([flow(1, "10.99.0.7")]))["account"].to_list() == [r"CORP\ann"]


def test_order_and_all_other_columns_stay() -> None:
    events = [
        flow(9, "10.99.0.7"),
        assigned(0, "ann", "10.99.0.7"),
        flow(3, "10.99.0.7"),
        flow(1, "10.2.2.2"),
    ]
    got, _ = attribute(events)
    assert got.drop("account", "account.kind", "account.basis").equals(frame(events))


# ---- against a slow reading of the same rules

TIMES = st.integers(0, 12)
KEYS = st.sampled_from(["a", "b"])
HOLDERS = st.sampled_from(["ann", "bo"])
records = st.lists(
    st.tuples(
        KEYS,
        TIMES,
        st.booleans(),
        st.one_of(st.none(), HOLDERS),
        st.integers(1, 6),
        st.sampled_from(["f", "g"]),
    ),
    max_size=14,
)
asked = st.lists(st.tuples(KEYS, TIMES), min_size=1, max_size=20)


def slow(rows: list[dict[str, Any]], key: str, time: datetime) -> str | None:
    """The rules of `changes`, read one record after the other."""
    mine = sorted(
        (row for row in rows if row["key"] == key), key=lambda row: (row["at"], row["file"], row["order"])
    )
    taken: list[dict[str, Any]] = []
    holder = None
    for row in mine:
        if not row["ends"]:
            holder = row["holder"]
            taken.append(dict(row))
        elif holder is not None and row["holder"] in {None, holder}:
            if not taken[-1]["ends"]:
                taken[-1]["until"] = max(taken[-1]["until"], row["at"])
            taken.append(dict(row))
    past = [row for row in taken if row["at"] <= time]
    if not past:
        return None
    last = [row for row in past if row["at"] == past[-1]["at"]]
    named = {row["holder"] for row in last if not row["ends"]}
    if len(named) > 1 and len({row["file"] for row in last}) > 1:
        return None
    return None if last[-1]["ends"] or time >= last[-1]["until"] else str(last[-1]["holder"])


@settings(max_examples=300, deadline=None)
@given(records, asked)
def test_holders_are_those_of_a_slow_reading(
    drawn: list[tuple[Any, ...]], queries: list[tuple[str, int]]
) -> None:
    rows = [
        {
            "key": key, "at": when(time), "file": file, "order": number, "ends": ends,
            "holder": holder if ends else holder or "cy", "basis": "x", "until": when(time + lasts),
        }
        for number, (key, time, ends, holder, lasts, file) in enumerate(drawn)
    ]  # fmt: skip
    schema = {
        "key": pl.String,
        "at": TIME,
        "file": pl.String,
        "order": pl.Int64,
        "ends": pl.Boolean,
        "holder": pl.String,
        "basis": pl.String,
        "until": TIME,
    }
    table = pl.DataFrame(rows, schema=schema, orient="row")
    points = changes(table.sample(fraction=1, shuffle=True, seed=1) if rows else table)
    wanted = pl.DataFrame(
        [{"key": key, "at": when(time)} for key, time in queries], schema={"key": pl.String, "at": TIME}
    ).sort("at", maintain_order=True)
    got = at(points, wanted)["holder"].to_list()
    assert got == [slow(rows, key, time) for key, time in wanted.iter_rows()]


sessions = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(1, 30), st.integers(0, 20), st.booleans()),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(sessions, st.booleans())
def test_a_simulated_gateway(drawn: list[tuple[int, int, int, int, bool]], says_length: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    """Sessions in turn on a few addresses; what is attributed must be the truth, minute by minute."""
    free_from = [0, 0, 0]
    events: list[Event] = []
    truth: dict[tuple[str, int], str] = {}
    busy: dict[tuple[int, int], bool] = {}
    for person, slot, lasts, pause, logs_end in drawn:
        begin = free_from[slot] + pause
        span = range(begin, begin + lasts)
        if any(busy.get((person, minute)) for minute in (*span, begin + lasts)):
            continue  # one session a person at a time: without a length, the log does not tell two apart
        busy |= {(person, minute): True for minute in (*span, begin + lasts)}
        address = f"10.99.0.{slot}"
        events.append(assigned(begin, f"p{person}", address, f"203.0.113.{person}"))
        if logs_end:
            events.append(
                ended(begin + lasts, f"p{person}", f"203.0.113.{person}", lasts if says_length else None)
            )
        truth |= {(address, minute): rf"CORP\p{person}" for minute in span}
        if not logs_end:  # nothing else comes: the address stays theirs, until the next assignment
            free_from[slot] = begin + lasts
            truth |= {(address, minute): rf"CORP\p{person}" for minute in range(begin, begin + 1440)}
        else:
            truth = {
                spot: who for spot, who in truth.items() if spot[0] != address or spot[1] < begin + lasts
            }
        free_from[slot] = begin + lasts
    # A session without an end is followed, on its address, by the next one or by nobody.
    last = max(free_from)
    flows = [flow(minute + 0.5, f"10.99.0.{slot}") for slot in range(3) for minute in range(last + 3)]
    ordered = sorted(events, key=lambda event: (event["@timestamp"], event["event.code"]))
    got = [account for account, _ in told([*ordered, *flows])[len(ordered) :]]
    assert got == [truth.get((f"10.99.0.{slot}", minute)) for slot in range(3) for minute in range(last + 3)]


@pytest.mark.parametrize("outside", ["203.0.113.5", None])
def test_ends_without_address_find_their_session(outside: str | None) -> None:
    schema = {
        "product": pl.String,
        "holder": pl.String,
        "public": pl.String,
        "at": TIME,
        "length": pl.Duration("us"),
        "key": pl.String,
    }
    begins = pl.DataFrame(
        [
            ("asa", "ann", "203.0.113.5", when(0), None, "a"),
            ("asa", "ann", "203.0.113.5", when(20), None, "b"),
        ],
        schema=schema,
        orient="row",
    )
    ends = pl.DataFrame(
        [
            ("asa", "ann", outside, when(60), timedelta(minutes=61), None),
            ("asa", "ann", outside, when(60), None, None),
            ("x", "ann", outside, when(60), None, None),
        ],
        schema=schema,
        orient="row",
    )
    assert find_addresses(ends, begins)["key"].to_list() == ["a", "b"]
