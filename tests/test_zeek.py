"""Zeek's logs: samples against golden events, TSV against JSON, real logs, and input that means harm."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import intake
from sensors import schema, text_values
from sensors.sensor import HEAD_BYTES, Source
from sensors.zeek import SENSOR, kinds, tsv

REPO = Path(__file__).resolve().parents[1]
SAMPLES = REPO / "samples" / "zeek"
GOLDEN = REPO / "tests" / "golden" / "zeek.ndjson"
WHERE = ("log.file.path", "log.offset", "log.file.line", "molehunt.source.sha256")


def in_memory(content: bytes | str, name: str = "x.log", zone: str | None = None) -> Source:
    data = content.encode() if isinstance(content, str) else content
    return Source(
        path=name,
        name=name,
        sha256="0" * 64,
        head=data[:HEAD_BYTES],
        zone=ZoneInfo(zone or "UTC"),
        modified=datetime(2026, 11, 1, tzinfo=UTC),
        opener=lambda: io.BytesIO(data),
        zone_given=zone is not None,
    )


def read(source: Source) -> list[dict[str, Any]]:
    """Events as rows without nulls; a sensor that fails fails the test."""
    rows = [row for frame in intake.events(source, SENSOR) for row in frame.iter_rows(named=True)]
    assert not [each for each in source.unread if "defect" in each.reason], source.unread
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def contents(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in WHERE}


def header(path: str, **fields: str) -> str:
    lines = [
        "#separator \\x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        "#unset_field\t-",
        f"#path\t{path}",
    ]
    lines += ["#fields\t" + "\t".join(fields), "#types\t" + "\t".join(fields.values())]
    return "\n".join(lines) + "\n"


ENDS = {"uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr", "id.resp_p": "port"}
CONN = header("conn", ts="time", **ENDS, proto="enum", conn_state="string")
ROW = "1791885601.25\tC1\t10.0.0.1\t1000\t10.0.0.2\t443\ttcp\tSF\n"


# --- samples ----------------------------------------------------------------------------------------------


def sample_files() -> list[Path]:
    return sorted(path for path in SAMPLES.rglob("*") if path.is_file())


def test_samples_give_the_golden_events(sources_of: Callable[[Path], Iterator[Source]]) -> None:
    got = []
    for path in sample_files():
        for source in sources_of(path):
            rows = read(source)
            assert source.unread == []
            name = path.relative_to(SAMPLES).as_posix()
            got += [
                {"sample": name, **row, "log.file.path": name, "molehunt.source.sha256": ""} for row in rows
            ]
    shown = [json.loads(json.dumps(row, default=datetime.isoformat)) for row in got]
    if os.environ.get("REWRITE_GOLDEN"):
        text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in shown)
        GOLDEN.write_text(text, "utf-8")
        pytest.fail("the golden events were written; look at them and run again without REWRITE_GOLDEN")
    golden = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
    for number, (one, other) in enumerate(zip(shown, golden, strict=True), 1):
        assert one == other, f"event {number} of {GOLDEN.name}"


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.log")))
def test_a_log_in_both_forms_gives_equal_events(
    name: str, sources_of: Callable[[Path], Iterator[Source]]
) -> None:
    (tabbed,), (in_json,) = sources_of(SAMPLES / name), sources_of(SAMPLES / "json" / name)
    one, other = [contents(row) for row in read(tabbed)], [contents(row) for row in read(in_json)]
    assert len(one) > 1
    assert one == other


def test_every_sample_is_recognised_and_offsets_lead_to_the_record(
    sources_of: Callable[[Path], Iterator[Source]],
) -> None:
    for path in sample_files():
        lines = path.read_bytes().splitlines(keepends=True)
        offsets = [sum(map(len, lines[:number])) for number in range(len(lines))]
        for source in sources_of(path):
            assert SENSOR.sniff(source.head, source.name), path
            for row in read(source):
                at = row["log.file.line"] - 1
                assert lines[at].startswith((b"{", b"1")), path
                assert b'"_raw"' in lines[at] or row["log.offset"] == offsets[at]


# --- headers ----------------------------------------------------------------------------------------------


def test_a_header_that_changes_in_mid_file_holds_from_there_on() -> None:
    dns = header("dns", ts="time", **ENDS, query="string", rejected="bool")
    narrow = header("conn", ts="time", uid="string", conn_state="string")
    more = "1791885602\tC2\t10.0.0.1\t1001\t10.0.0.3\t53\tx.example\tF\n"
    rows = read(
        in_memory(CONN + ROW + "#close\t2026\n" + dns + more + narrow + "1791885603\tC3\tS0\n" + CONN + ROW)
    )
    assert [row["event.dataset"] for row in rows] == [
        "zeek.connection",
        "zeek.dns",
        "zeek.connection",
        "zeek.connection",
    ]
    assert rows[1]["dns.question.name"] == "x.example"
    assert rows[2]["event.id"] == "C3"
    assert "source.ip" not in rows[2]
    assert [row["log.file.line"] for row in rows] == [8, 17, 25, 33]


def test_another_separator_and_other_marks_are_obeyed() -> None:
    text = (
        "#separator \\x7c\n#set_separator|;\n#empty_field|EMPTY\n#unset_field|NIL\n#path|http\n"
        "#fields|ts|id.orig_h|id.resp_h|user_agent|resp_mime_types|uri\n"
        "#types|time|addr|addr|string|vector[string]|string\n"
        "1791885600|10.0.0.1|10.0.0.2|-|a/b;c\\x3bd|EMPTY\n1791885601|10.0.0.1|10.0.0.2|NIL|EMPTY|/x\n"
    )
    one, other = read(in_memory(text))
    assert one["user_agent.original"] == "-"
    assert one["zeek.http.resp_mime_types"] == ["a/b", "c;d"]
    assert "url.original" not in one
    assert other["url.path"] == "/x"
    assert not {"user_agent.original", "zeek.http.resp_mime_types"} & other.keys()


def test_a_header_without_path_is_known_by_its_fields_or_the_name() -> None:
    text = CONN.replace("#path\tconn\n", "") + ROW
    assert read(in_memory(text))[0]["event.dataset"] == "zeek.connection"
    bare = "#separator \\x09\n#fields\tts\tuid\tx\n#types\ttime\tstring\tstring\n1791885600\tC1\ty\n"
    assert read(in_memory(bare, "ssh.2026.log"))[0]["event.dataset"] == "zeek.ssh"
    assert read(in_memory(bare, "x.log"))[0]["zeek.log.x"] == "y"


def test_a_log_nobody_knows_keeps_its_fields_under_its_own_name() -> None:
    text = header("../../etc/x", ts="time", uid="string", **{"what ever": "string", "n": "set[count]"})
    (row,) = read(in_memory(text + "1791885600\tC1\tyes\t1,2\n"))
    assert row["event.dataset"] == "zeek.etc_x"
    assert row["zeek.etc_x.what_ever"] == "yes"
    assert row["zeek.etc_x.n"] == "1,2"


# --- lines that cannot be read ----------------------------------------------------------------------------


def test_lines_that_do_not_fit_their_header_are_named_and_the_others_read() -> None:
    source = in_memory(
        "stray\n" + CONN + ROW + "1791885602\tC2\t10.0\nx\n" + ROW[:-1] + "\tsurplus\n" + ROW + ROW[:30]
    )
    rows = read(source)
    assert [row["log.file.line"] for row in rows] == [9, 13]
    assert sum(each.count for each in source.unread) == 5
    assert {each.reason.split(";")[0] for each in source.unread} == {
        "no #fields header stands before this line, so its columns have no names",
        "fewer fields than the 8 of the header",
        "more fields than the 8 of the header",
    }
    short = next(each for each in source.unread if each.reason.startswith("fewer"))
    assert (short.line, short.count, short.sample) == (10, 2, "1791885602\tC2\t10.0")


def test_a_separator_too_many_at_the_end_of_each_line_is_no_field() -> None:
    source = in_memory(CONN + ROW[:-1] + "\t\n" + ROW)
    assert len(read(source)) == 2
    assert source.unread == []


def test_a_record_without_a_time_is_named() -> None:
    source = in_memory(CONN + ROW.replace("1791885601.25", "-") + ROW.replace("1791885601.25", "soon") + ROW)
    assert len(read(source)) == 1
    assert [(each.line, each.count) for each in source.unread] == [(8, 2)]
    assert "no time" in source.unread[0].reason


def test_a_header_of_a_million_fields_is_named_and_costs_nothing() -> None:
    source = in_memory(
        "#separator \\x09\n#path\tconn\n#fields\t" + "\t".join("a" * 5000) + "\n1\t2\n" + CONN + ROW
    )
    assert len(read(source)) == 1
    assert "5,000 fields" in source.unread[0].reason


# --- values -----------------------------------------------------------------------------------------------


def test_escapes_are_undone_once_and_in_their_order() -> None:
    assert tsv.unescaped(r"a\x09b") == "a\tb"
    assert tsv.unescaped(r"\\x41") == r"\x41"
    assert tsv.unescaped(r"\\\x41") == "\\A"
    assert tsv.unescaped(r"M\xc3\xa4rz") == "März"
    assert tsv.unescaped(r"\xff\x41") == r"\xffA"
    assert tsv.unescaped(r"C:\dir") == r"C:\dir"
    assert tsv.unescaped(r"\x2d") == "-"


def test_the_marks_of_unset_and_empty_are_no_values_unless_escaped() -> None:
    text = header("http", ts="time", **ENDS, user_agent="string", tags="set[enum]", referrer="string")
    head = "1791885600\tC1\t10.0.0.1\t1\t10.0.0.2\t80\t"
    one, two = read(in_memory(text + head + "\\x2d\ta,-,b\t-\n" + head + "(empty)\t(empty)\t\\x28empty)\n"))
    assert one["user_agent.original"] == "-"
    assert one["zeek.http.tags"] == ["a", "b"]
    assert "http.request.referrer" not in one
    assert two["http.request.referrer"] == "(empty)"
    assert not {"user_agent.original", "zeek.http.tags"} & two.keys()


def test_times_of_every_form_are_the_same_moment() -> None:
    forms = ["1791885601.25", "1791885601250", "1791885601250000", "2026-10-13T10:00:01.250000Z"]
    forms += ["2026-10-13T10:00:01.25+0000", "2026-10-13T12:00:01.250+02:00"]
    moments = text_values.moment(pl.Series(forms), ZoneInfo("UTC")).to_list()
    assert set(moments) == {datetime(2026, 10, 13, 10, 0, 1, 250_000, UTC)}
    assert (
        text_values.moment(
            pl.Series(["-1", "nan", "inf", "1e30", "soon", None]), ZoneInfo("UTC")
        ).null_count()
        == 6
    )


def test_a_time_without_a_zone_is_of_the_given_one_or_a_guess() -> None:
    row = ROW.replace("1791885601.25", "2026-10-13 06:00:01.25")
    (given_zone,) = read(in_memory(CONN + row, zone="America/New_York"))
    assert given_zone["@timestamp"] == datetime(2026, 10, 13, 10, 0, 1, 250_000, UTC)
    assert "molehunt.guess" not in given_zone
    (guessed,) = read(in_memory(CONN + row))
    assert guessed["molehunt.guess"] == ["zone"]
    assert "molehunt.guess" not in read(in_memory(CONN + ROW))[0]


def test_whole_numbers_that_do_not_fit_are_null() -> None:
    numbers = text_values.whole(pl.Series(["7", "7.0", "-", "18446744073709551615", "1e400", "nan", None]))
    assert numbers.to_list() == [7, 7, None, None, None, None, None]


def test_secrets_in_clear_text_are_left_behind(sources_of: Callable[[Path], Iterator[Source]]) -> None:
    for name in ("others.log", "http.log", "json/others.log", "json/http.log"):
        for source in sources_of(SAMPLES / name):
            assert b"s3cret" in source.head or b"<password-not-seen>" in source.head
            assert "s3cret" not in str(rows := read(source))
            assert "<password-not-seen>" not in str(rows)


# --- what becomes of the logs -----------------------------------------------------------------------------


def by_dataset(folder: str = "") -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((SAMPLES / folder).glob("*.log")):
        for row in read(in_memory(path.read_bytes(), path.name)):
            found.setdefault(row["event.dataset"].removeprefix("zeek."), []).append(row)
    return found


def test_connections_have_direction_amounts_and_kind() -> None:
    rows = by_dataset()["connection"]
    assert [row.get("network.direction") for row in rows] == [
        "outbound", "internal", "inbound", "internal", "outbound", "outbound", None,
    ]  # fmt: skip
    assert [row["event.type"][1:] for row in rows] == [
        ["start", "end"], ["start", "end"], ["start"], ["start", "denied"], ["info"], ["info"], ["start"],
    ]  # fmt: skip
    first = rows[0]
    assert (first["source.bytes"], first["destination.bytes"], first["network.bytes"]) == (
        190364,
        25903,
        216267,
    )
    assert first["event.duration"] == 12_345_678_000
    assert rows[4]["zeek.connection.icmp.type"] == "8"
    assert "source.port" not in rows[4]
    assert rows[6]["source.bytes"] == 10  # no counts of IP bytes: the payload's stand in
    assert rows[6]["related.ip"] == ["127.0.0.1"]


def test_leases_say_who_has_which_address() -> None:
    granted, kvm, refused, released = by_dataset()["dhcp"]
    assert (granted["client.ip"], granted["host.hostname"]) == ("10.20.42.17", "CORP-LT-0117")
    assert granted["zeek.dhcp.lease_time"] == 28800.0
    assert (kvm["client.ip"], kvm["source.ip"], kvm["source.mac"]) == (
        "10.20.42.200",
        "10.20.42.200",
        "48-DA-35-6D-00-09",
    )
    assert (refused["event.action"], refused["event.outcome"]) == ("NAK", "failure")
    assert refused["client.ip"] == "10.20.42.33"
    assert released["event.action"] == "RELEASE"
    assert "client.ip" not in released


def test_a_cookie_that_may_be_cut_off_is_no_user() -> None:
    whole, cut = by_dataset()["rdp"]
    assert (whole["user.name"], whole["user.domain"]) == ("jo", "CORP")
    assert (cut["zeek.rdp.cookie"], cut.get("user.name")) == ("plindqvis", None)


def test_logins_and_their_places() -> None:
    inward, outward, none = by_dataset()["ssh"]
    assert (inward["event.outcome"], inward["source.geo.country_iso_code"]) == ("success", "CZ")
    assert inward["source.geo.location.lat"] == pytest.approx(50.0833)
    assert (outward["event.outcome"], outward["destination.geo.country_iso_code"]) == ("failure", "NL")
    assert "source.geo.country_iso_code" not in outward
    assert "event.outcome" not in none


def test_names_versions_and_addresses_in_tls_http_and_dns() -> None:
    found = by_dataset()
    assert [row.get("tls.version") for row in found["ssl"]] == ["1.2", "1.3", "1.2", None]
    assert found["ssl"][0]["tls.server.x509.subject.common_name"] == "files.partner.example"
    assert found["ssl"][2]["network.transport"] == "udp"
    plain, tunnel, absolute, bare = found["http"]
    assert (plain["url.domain"], plain["url.path"]) == ("mirror.example", "/pool/list.php")
    assert (tunnel["url.domain"], tunnel["url.port"], tunnel["event.outcome"]) == (
        "paste.example",
        443,
        "failure",
    )
    assert (absolute["url.domain"], absolute["url.port"]) == ("upload.example", 8080)
    assert "url.original" not in bare
    assert found["dns"][0]["dns.resolved_ip"] == ["203.0.113.20", "203.0.113.21"]
    assert found["dns"][2]["dns.answers.data"][0].endswith("pct=100\\")
    assert [row["event.outcome"] for row in found["dns"]] == ["success"] * 4 + ["failure"]


def test_files_name_sender_and_receiver_in_old_and_new_logs() -> None:
    old = by_dataset()["files"][0]
    new = by_dataset("json")["files"][0]
    for row in (old, new):
        assert (row["server.ip"], row["client.ip"]) == ("2001:db8:ffff::80", "2001:db8:42::17")


def test_all_columns_of_the_table_are_in_the_schema() -> None:
    for kind in kinds.kinds().values():
        for columns in kind.fields.values():
            for column in columns:
                schema.dtype(column)
        for column, value in kind.constants.items():
            pl.Series([value], dtype=schema.dtype(column))
        assert kind.known_by
        if kind.outcome is not None:
            schema.dtype(kind.outcome.column)


# --- whose file it is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('{"ts":1.5,"id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","proto":"tcp","conn_state":"SF"}', "a"),
        ('{"ts":1.5,"id":{"orig_h":"::1","resp_h":"::2"},"proto":"tcp","conn_state":"SF"}', "a"),
        ('{"_path":"own_log","ts":"2026-10-13T10:00:00Z","x":1}', "a"),
        ('[{"_path":"conn","ts":1}\n,{"_path":"conn","ts":2}]', "a"),
        ('{"_raw":"{\\"ts\\":1,\\"fuid\\":\\"F\\",\\"seen_bytes\\":1}","host":"z"}', "a"),
        ('{"@timestamp":"2026-10-13T10:00:00Z","message":"{\\"ts\\":1,\\"_path\\":\\"dns\\"}"}', "a"),
        ("### made by a test\n#separator \\x09\n#path\tconn\n#fields\tts\tuid\n", "conn.log"),
        ('{"ts":1791885600,"host":"10.0.0.1"}', "known_hosts.log"),
    ],
)  # fmt: skip
def test_zeeks_own_are_claimed(head: str, name: str) -> None:
    assert SENSOR.sniff(head.encode(), name)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "{}",
        "[]",
        '{"ts":1600000000,"level":"info","msg":"listening","caller":"main.go:7"}',
        '{"ts":1600000000,"action":"open","path":"/etc/x"}',
        '{"ts":1600000000,"command":"run","arg":"x","service":"s","client":"c"}',
        '{"timestamp":"2026-10-13T10:00:00+0000","flow_id":1,"event_type":"dns","src_ip":"10.0.0.1"}',
        '{"@timestamp":"2026-10-13T10:00:00Z","event.dataset":"zeek.dns","source.ip":"10.0.0.1"}',
        "#Software: Microsoft Internet Information Services\n#Fields: date time c-ip\n",
        "#fields of barley\nand oats\n",
        "conn.log\n",
        "\x00\x01\x02",
    ],
)
def test_others_are_not(head: str) -> None:
    assert not SENSOR.sniff(head.encode(), "conn.log")


def test_what_the_fields_do_not_fit_is_not_believed_of_the_name() -> None:
    record = '{"ts":1,"id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","trans_id":1,"rejected":false}'
    assert read(in_memory(record, "ssl.log"))[0]["event.dataset"] == "zeek.dns"
    conn = '{"ts":1,"id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","proto":"tcp","conn_state":"S1"}'
    assert read(in_memory(conn, "open_conn.10:00.log"))[0]["event.dataset"] == "zeek.open_connection"


def test_records_of_no_log_in_a_json_file_are_named() -> None:
    good = '{"ts":1791885600,"fuid":"F","seen_bytes":1}\n'
    source = in_memory(good + '{"ts":1791885600,"what":1}\n[1]\n{"ts":1\n' + good)
    assert [row["log.file.line"] for row in read(source)] == [1, 5]
    assert sum(each.count for each in source.unread) == 3


# --- real logs --------------------------------------------------------------------------------------------


def test_logs_that_zeeks_own_tests_expect_are_read_whole(truth: Path) -> None:
    """Their times are blanked out; with a time in its place every line is an event."""
    read_lines = 0
    for path in sorted((truth / "pcap" / "zeek" / "expected").glob("*/*.log")):
        text = path.read_bytes().replace(b"XXXXXXXXXX.XXXXXX", b"1791885600.000000")
        source = in_memory(text, path.name)
        if not SENSOR.sniff(source.head, source.name):
            assert b"#fields" not in text, path
            continue
        rows = read(source)
        assert source.unread == [], path
        assert len(rows) == sum(1 for line in text.splitlines() if line and not line.startswith(b"#")), path
        read_lines += len(rows)
    assert read_lines > 800


def test_truncated_and_odd_real_logs(truth: Path, sources_of: Callable[[Path], Iterator[Source]]) -> None:
    (cut,) = sources_of(truth / "pcap" / "rita" / "truncated__conn_json.log")
    rows = read(cut)
    assert len(rows) >= 3
    assert sum(each.count for each in cut.unread) == 1
    (text,) = sources_of(truth / "pcap" / "rita" / "text_file__conn.log")
    assert not SENSOR.sniff(text.head, text.name)
    archive = truth / "pcap" / "rita" / "missing_host.tar"
    with tarfile.open(archive) as members:
        names = members.getnames()
    logs = [next(name for name in names if word in name) for word in ("/ssl.", "/sip.")]
    datasets = {
        row["event.dataset"]
        for source in sources_of(archive)
        if source.path.split("!")[1] in logs
        for row in read(source)
    }
    assert datasets == {"zeek.ssl", "zeek.sip"}


# --- input that means harm --------------------------------------------------------------------------------

CELL = st.one_of(
    st.sampled_from(
        ["-", "(empty)", "T", "F", "1", "1e999", "nan", "1791885600.5", "10.0.0.1", "::1", "a,b", "\\x09"]
    ),
    st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\n\r\t"), max_size=8),
)
NAMES = st.sampled_from(
    [
        "ts",
        "uid",
        "id.orig_h",
        "id.resp_h",
        "id.orig_p",
        "proto",
        "duration",
        "answers",
        "query",
        "uri",
        "",
        "x y",
        "^x.*$",
        "*",
    ]
)
TYPES = st.sampled_from(
    ["time", "string", "addr", "port", "count", "bool", "set[string]", "vector[interval]", "odd["]
)
PATHS = st.sampled_from([*kinds.kinds(), "", "own", "../x", "\\x00", "\u202e"])


@st.composite
def hostile_tsv(draw: st.DrawFn) -> str:
    lines = ["#separator \\x09"]
    for _ in range(draw(st.integers(1, 4))):
        fields = draw(st.lists(st.tuples(NAMES, TYPES), max_size=6))
        lines.append("#path\t" + draw(PATHS))
        lines.append("\t".join(["#fields", *(name for name, _ in fields)]))
        if draw(st.booleans()):
            lines.append("\t".join(["#types", *(kind for _, kind in fields)]))
        for _ in range(draw(st.integers(0, 4))):
            cells = draw(st.lists(CELL, min_size=max(0, len(fields) - 1), max_size=len(fields) + 1))
            lines.append("\t".join(cells))
        lines.append(
            draw(st.sampled_from(["#close\t1", "#", "#separator \\x2c", "#set_separator\t", "", "#types"]))
        )
    return "\n".join(lines)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hostile_tsv())
def test_whatever_a_tsv_log_holds_every_line_is_an_event_or_named(text: str) -> None:
    source = in_memory("#path\tx\n#fields\tts\n" + text)
    rows = read(source)
    lines = [line.removesuffix("\r") for line in source.open().read().decode().split("\n")]
    assert len(rows) + sum(each.count for each in source.unread) == sum(
        1 for line in lines if line and not line.startswith("#")
    )


VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), CELL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.dictionaries(st.one_of(NAMES, st.just("_path"), CELL), VALUE, max_size=8), max_size=6), PATHS
)
def test_whatever_a_json_log_holds_every_record_is_an_event_or_named(
    records: list[dict[str, Any]], path: str
) -> None:
    first = json.dumps({"_path": path or "conn", "ts": 1791885600})
    source = in_memory(
        "\n".join(
            [first, *(json.dumps(record, allow_nan=False) if _finite(record) else "{" for record in records)]
        )
    )
    assert SENSOR.sniff(source.head, source.name)
    rows = read(source)
    assert rows
    assert len(rows) + sum(each.count for each in source.unread) == 1 + len(records)


def _finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
