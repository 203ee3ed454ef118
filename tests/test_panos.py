"""PAN-OS: samples, GlobalProtect sessions, rows and quotes, exports, times, hostile rows."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from text_sensors import SAMPLES, accounted, broken_lines, claimants, events, golden, sample_lines, source_of

from sensors.panos import SENSOR, layout
from sensors.schema import dtype

LINES = sample_lines("globalprotect")
EXPORT = (SAMPLES / "globalprotect" / "export.csv").read_text("utf-8")


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "globalprotect")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "globalprotect").iterdir():
        assert claimants(path.read_bytes()) == ["panos"], path


def test_other_comma_separated_files_are_not_its_own() -> None:
    assert claimants(b"time,type,value\n2026/10/05 08:00:00,TRAFFIC,3\n" * 5) == []
    assert claimants(b"") == []


def test_a_session_from_its_beginning_to_its_end() -> None:
    rows = [row for row in events(SENSOR, "\n".join(LINES[-13:])) if row.get("user.name") == "rossi"]
    by_event = {row["event.code"]: row for row in rows if "event.code" in row}
    auth, connected, logout = (by_event[f"gateway-{step}"] for step in ("auth", "connected", "logout"))
    assert {row["source.ip"] for row in (auth, connected, logout)} == {"198.51.100.57"}
    assert "source.nat.ip" not in auth
    assert connected["source.nat.ip"] == logout["source.nat.ip"] == "10.98.0.11"
    assert connected["host.name"] == "CORP-LT-0123"
    assert connected["source.geo.country_iso_code"] == "US"
    assert (auth["event.category"], connected["event.type"]) == (
        ["authentication", "network"],
        ["connection", "start"],
    )
    assert logout["event.duration"] == 30_683_000_000_000
    assert logout["event.end"] == logout["@timestamp"] == datetime(2026, 10, 5, 22, 31, 40, tzinfo=UTC)


def test_tunnels_that_were_inspected() -> None:
    names = ("rule.name", "network.transport", "source.bytes", "destination.packets", "event.duration")
    assert [tuple(row.get(name) for name in names) for row in events(SENSOR, "\n".join(LINES[-16:-13]))] == [
        ("inspect-gre", "gre", 300, 2, 60_000_000_000),
        ("inspect-gtp", "udp", None, None, 60_000_000_000),
        ("r1", "sctp", None, 3, None),
    ]


def test_traffic_and_threats() -> None:
    rows = {row.get("event.action"): row for row in events(SENSOR, "\n".join(LINES[-13:]))}
    flow, url = rows["flow_terminated"], rows["url_filtering"]
    assert (flow["source.bytes"], flow["destination.bytes"], flow["network.application"]) == (
        6_901_224,
        311_110,
        "anydesk",
    )
    # nobody said the clock's zone, but the row's exact time has one, and the session began by the same clock
    assert flow["event.start"] == datetime(2026, 10, 5, 14, 1, 12, tzinfo=UTC)
    assert url["url.original"] == "files.example.net/tools/setup.exe?v=2,3"
    assert (url["url.domain"], url["url.extension"], url["event.outcome"]) == (
        "files.example.net",
        "exe",
        "failure",
    )
    assert url["user_agent.original"].endswith('like "Gecko"')
    assert url["http.request.referrer"] == "http://intranet.corp.example/"


def test_the_zone_that_the_user_gave_counts() -> None:
    line = LINES[-13:][5].replace("2026-10-05T09:02:00.730-05:00", "")
    (row,) = events(SENSOR, source_of(line, zone="America/Chicago", given=True))
    assert row["@timestamp"] == datetime(2026, 10, 5, 14, 2, tzinfo=UTC)
    assert row["event.start"] == datetime(2026, 10, 5, 14, 1, 12, tzinfo=UTC)
    assert "molehunt.guess" not in row
    (guessed,) = events(SENSOR, source_of(line))
    assert guessed["molehunt.guess"] == ["zone"]


def test_an_export_says_the_same_as_syslog_whatever_the_order_of_its_columns() -> None:
    table = list(csv.reader(io.StringIO(EXPORT)))
    turned = io.StringIO()
    csv.writer(turned, quoting=csv.QUOTE_ALL).writerows([row[1], *row[::-1]] for row in table)
    assert claimants(turned.getvalue().encode()) == ["panos"]
    plain = "\n".join(EXPORT.splitlines()[1:])
    where = {"log.offset", "log.file.line"}
    one, other, bare = (
        [{k: v for k, v in row.items() if k not in where} for row in events(SENSOR, text)]
        for text in (EXPORT, turned.getvalue(), plain)
    )
    assert one == other == bare
    assert len(one) == 3


def test_an_export_without_types_or_with_bad_rows() -> None:
    source = source_of(
        "Receive Time,Event,Source User,Public IP,type_of_x,Type\n"
        "2026/10/05 08:00:00,gateway-connected,corp\\ann,198.51.100.1,,\n"
        "yesterday,gateway-connected,corp\\ann,198.51.100.1,,\n"
    )
    (row,) = events(SENSOR, source)
    assert (row["user.name"], row["source.ip"], row["event.action"]) == (
        "ann",
        "198.51.100.1",
        "gateway-connected",
    )
    assert [(entry.line, entry.reason) for entry in source.unread] == [
        (3, "a row without a time that can be read")
    ]


def test_administrators_and_sessions_that_older_versions_tell_in_words() -> None:
    rows = {row.get("event.code"): row for row in events(SENSOR, "\n".join(LINES[-13:]))}
    failed = rows["auth-fail"]
    assert (failed["user.name"], failed["source.ip"], failed["event.outcome"]) == (
        "admin",
        "203.0.113.200",
        "failure",
    )
    old, lease = rows["globalprotectgateway-auth-succ"], rows["globalprotectgateway-config-succ"]
    assert (old["user.name"], old["source.ip"], old["event.category"]) == (
        "alice",
        "203.0.113.5",
        ["authentication", "network"],
    )
    assert (lease["source.nat.ip"], lease["host.name"]) == ("10.97.0.4", "OLD-LT-9")
    assert lease["host.os.full"] == "Microsoft Windows 10 Pro , 64-bit"
    web = "1,2026/10/05 09:00:00,1,SYSTEM,general,0,2026/10/05 09:00:00,,general,,0,0,general,informational,"
    (row,) = events(SENSOR, web + "User admin logged in via Web from 10.0.0.9 using https,1,0x0")
    assert (row["user.name"], row["source.ip"], row["event.outcome"]) == ("admin", "10.0.0.9", "success")


def test_what_is_no_row_or_of_no_known_type_is_kept() -> None:
    source = source_of(
        "Oct  5 2026 09:00:00 fw a word\n"
        "1,2026/10/05 09:00:01,1,NEWTYPE,x,0,2026/10/05 09:00:01,field\n"
        "no header, no row\n"
        '011,2026/10/05 09:00:02,audit,2561,gui-op,ann,"<show><a,b/></show>",success\n'
    )
    rows = events(SENSOR, source)
    assert [(row["log.file.line"], row.get("message")) for row in rows] == [
        (1, "fw a word"),
        (2, "1,2026/10/05 09:00:01,1,NEWTYPE,x,0,2026/10/05 09:00:01,field"),
        (4, None),
    ]
    assert rows[1]["@timestamp"] == datetime(2026, 10, 5, 9, 0, 1, tzinfo=UTC) or rows[1][
        "molehunt.guess"
    ] == ["time"]
    assert (rows[2]["user.name"], rows[2]["panw.panos.cmd"]) == ("ann", "<show><a,b/></show>")
    assert [(entry.line, entry.sample) for entry in source.unread] == [(3, "no header, no row")]


def test_a_proxys_client_is_no_user() -> None:
    line = LINES[-13:][5].replace("corp\\rossi", "x-fwd-for: 192.0.2.77")
    (row,) = events(SENSOR, line)
    assert "user.name" not in row
    assert row["network.forwarded_ip"] == "192.0.2.77"


cell = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x1f"), max_size=6)


@given(st.lists(st.lists(cell, min_size=1, max_size=6), min_size=1, max_size=6))
@example([["", 'a"b', "", '""', '",'], ["x"], ['"', '"']])
def test_quoted_rows_are_split_as_the_standard_library_splits_them(rows: list[list[str]]) -> None:
    written = []
    for row in rows:
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow(row)
        written.append(out.getvalue())
    names = layout.head()
    got = layout.columns(layout.values(pl.Series(written, dtype=pl.String)), names).to_dicts()
    read = {"receive_time": 1, "serial": 2, "type": 3, "subtype": 4}
    for row, found in zip(rows, got, strict=True):
        for name, at in read.items():
            value = row[at].strip(" ") if at < len(row) else ""
            assert found[name] == (value or None), name


def test_a_quote_that_is_never_closed_touches_no_other_row() -> None:
    rows = pl.Series(['a,"b,c,d', "1,2,3", 'x,"y,z",w'])
    assert layout.values(rows).list.len().to_list() == [2, 3, 3]


def test_every_field_is_read_by_the_name_of_its_place() -> None:
    data = layout.data()
    fields = set(layout.head()).union(*(layout.layout(kind) for kind in data["types"]))
    assert set(layout.columns_of_ecs()) | set(data["vendor"]["also"].split()) <= fields | {"evidence"}
    for column in layout.columns_of_ecs().values():
        assert dtype(column) == pl.String
    for kind in data["types"]:
        named = [name for name in layout.layout(kind) if name != "_"]
        assert len(named) == len(set(named)), kind
    assert set(data["export"].values()) <= fields


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES[-13:]))
def test_broken_rows_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(EXPORT.splitlines()[1:]))
def test_broken_exports_raise_nothing_and_do_not_vanish(rows: str) -> None:
    source = source_of(EXPORT.splitlines()[0] + "\n" + rows)
    told = [row["log.file.line"] for row in events(SENSOR, source)]
    lines = {number for number, line in enumerate(rows.split("\n"), 2) if line.removesuffix("\r")}
    assert lines == set(told) | {entry.line for entry in source.unread}


def test_real_rows_are_understood(truth: Path) -> None:
    files = sorted((truth / "ecs" / "A" / "panw.panos").glob("*.raw.log"))
    rows = [row for path in files for row in events(SENSOR, source_of(path.read_bytes()))]
    assert len(rows) > 300
    assert all("event.category" in row for row in rows)
    assert sum("source.ip" in row for row in rows) / len(rows) > 0.9


@pytest.mark.parametrize("kind", sorted(layout.data()["types"]))
def test_a_row_with_nothing_but_its_head_is_an_event(kind: str) -> None:
    (row,) = events(SENSOR, f"1,2026/10/05 09:00:00,77,{kind},x,0,2026/10/05 09:00:00")
    assert row["observer.serial_number"] == "77"
