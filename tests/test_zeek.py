"""Zeek's logs: samples against golden events, TSV against JSON, what they mean, real logs."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from zeek_reading import SAMPLES, contents, in_memory, read

from sensors import schema
from sensors.sensor import Source
from sensors.zeek import SENSOR, kinds

GOLDEN = Path(__file__).resolve().parent / "golden" / "zeek.ndjson"


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
