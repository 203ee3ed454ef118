"""Windows event logs: samples against golden events, every container, damaged input, real logs."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from windows_evtx import CHUNK, HEADER, Event, evtx, record_offsets, security_sample

from analysis import intake
from sensors import sensor
from sensors.sensor import HEAD_BYTES, Source
from sensors.windows import SENSOR

REPO = Path(__file__).resolve().parents[1]
SAMPLES = REPO / "samples" / "windows"
GOLDEN = REPO / "tests" / "golden" / "windows.ndjson"
AUDIT = "Microsoft-Windows-Security-Auditing"
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"


def in_memory(content: bytes | str, name: str = "x") -> Source:
    data = content.encode() if isinstance(content, str) else content
    return Source(
        path=name,
        name=name,
        sha256="0" * 64,
        head=data[:HEAD_BYTES],
        zone=ZoneInfo("UTC"),
        modified=datetime(2026, 11, 1, tzinfo=UTC),
        opener=lambda: io.BytesIO(data),
    )


def read(source: Source) -> list[dict[str, Any]]:
    """Events as rows without nulls; a sensor that fails fails the test."""
    rows = [row for frame in intake.events(source, SENSOR) for row in frame.iter_rows(named=True)]
    assert not [each for each in source.unread if "defect" in each.reason], source.unread
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def logons(count: int) -> list[Event]:
    """Logons, one a second, with their number as the port."""
    return [
        Event(
            AUDIT,
            4624,
            "Security",
            datetime(2026, 10, 13, 8, at // 60, at % 60, tzinfo=UTC),
            [("TargetUserName", f"user{at}"), ("IpAddress", "203.0.113.7"), ("IpPort", str(at + 1))],
        )
        for at in range(count)
    ]


def xml(
    code: int, data: str, record: int = 1, provider: str = AUDIT, when: str = "2026-10-13T08:00:00.0000000Z"
) -> str:
    return (
        f"<Event xmlns='{NAMESPACE}'><System><Provider Name='{provider}'/><EventID>{code}</EventID>"
        f"<TimeCreated SystemTime='{when}'/><EventRecordID>{record}</EventRecordID>"
        f"<Channel>Security</Channel><Computer>WS-1</Computer></System>{data}</Event>"
    )


def dumped(code: int, **data: object) -> dict[str, Any]:
    system = {
        "Provider": {"#attributes": {"Name": AUDIT}},
        "EventID": code,
        "TimeCreated": {"#attributes": {"SystemTime": "2026-10-13T08:00:00.000001Z"}},
        "EventRecordID": 7,
        "Channel": "Security",
        "Computer": "WS-1",
    }
    return {"Event": {"System": system, "EventData": data}}


# ---- samples


def test_samples_give_the_golden_events(sources_of: Callable[[Path], Iterator[Source]]) -> None:
    shown = []
    for path in sorted(SAMPLES.iterdir()):
        (source,) = sources_of(path)
        rows = read(source)
        assert source.unread == [], path
        for row in rows:
            told = {name: value for name, value in row.items() if name != "molehunt.source.sha256"}
            shown.append(json.loads(json.dumps({**told, "log.file.path": path.name}, default=str)))
    if os.environ.get("REWRITE_GOLDEN"):
        text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in shown)
        GOLDEN.write_text(text, "utf-8")
        pytest.fail("the golden events were written; look at them and run again without REWRITE_GOLDEN")
    golden = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
    for number, (one, other) in enumerate(zip(shown, golden, strict=True), 1):
        assert one == other, f"event {number} of {GOLDEN.name}"


def test_the_evtx_sample_is_what_its_writer_writes() -> None:
    assert (SAMPLES / "security.evtx").read_bytes() == security_sample()


def test_samples_are_claimed_by_this_sensor_alone(sources_of: Callable[[Path], Iterator[Source]]) -> None:
    for path in sorted(SAMPLES.iterdir()):
        (source,) = sources_of(path)
        assert [each.name for each in sensor.claims(source.head, source.name)] == ["windows"], path


def test_a_place_leads_back_to_the_record(sources_of: Callable[[Path], Iterator[Source]]) -> None:
    for path, begins in (("sysmon.xml", b"<Event "), ("remote_desktop.jsonl", b'{"Event"')):
        content = (SAMPLES / path).read_bytes()
        (source,) = sources_of(SAMPLES / path)
        for row in read(source):
            at = row["log.offset"]
            assert content[at : at + len(begins)] == begins
            assert content.count(b"\n", 0, at) + 1 == row["log.file.line"]


# ---- containers


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ElfChnk\0",
        b"<html><Event></Event></html>",
        b'{"Event": "started"}',
        b'{"Event": {"System": "x"}}',
        b'{"eventVersion": "1.08", "eventSource": "signin.amazonaws.com"}',
        b'{"winlog": {}}',
        b"<Event xmlns='urn:other'><Head/></Event>",
        b"4624 logged in\n",
    ],
)
def test_what_is_no_windows_log_is_left_to_others(content: bytes) -> None:
    assert not SENSOR.sniff(content, "Security.evtx")


def test_an_evtx_file_of_many_chunks_keeps_its_order_and_its_record_numbers() -> None:
    source = in_memory(evtx(logons(130), per_chunk=40, first_id=9000))
    rows = read(source)
    assert [row["source.port"] for row in rows] == list(range(1, 131))
    assert [row["winlog.record_id"] for row in rows] == [str(9000 + at) for at in range(130)]
    assert "log.offset" not in rows[0]
    assert source.unread == []


def test_evtx_xml_and_json_of_one_event_agree() -> None:
    data = [("TargetUserName", "ana"), ("IpAddress", "203.0.113.7"), ("Text", 'a <b> & "c"')]
    when = datetime(2026, 10, 13, 8, tzinfo=UTC)
    (binary,) = read(in_memory(evtx([Event(AUDIT, 4624, "Security", when, data, computer="WS-1")])))
    body = "".join(
        f"<Data Name='{name}'>{value.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</Data>"
        for name, value in data
    )
    (marked,) = read(in_memory(xml(4624, f"<EventData>{body}</EventData>")))
    (in_json,) = read(in_memory(json.dumps(dumped(4624, **dict(data)))))
    for name in (
        "user.name", "source.ip", "winlog.event_data.Text", "event.action", "event.category", "host.name",
        "event.dataset", "winlog.channel", "related.ip",
    ):  # fmt: skip
        assert binary[name] == marked[name] == in_json[name], name
    assert binary["winlog.event_data.Text"] == 'a <b> & "c"'


@pytest.mark.parametrize(
    "wrap", ["{}\n{}\n", "<Events>{}{}</Events>", "<?xml version='1.0'?>\r\n<Events>\r\n{}\r\n{}</Events>"]
)
def test_event_xml_is_found_whatever_stands_around_it(wrap: str) -> None:
    one, two = xml(4624, "<EventData/>", 1), xml(4634, "<EventData></EventData>", 2)
    for content in (wrap.format(one, two).encode(), wrap.format(one, two).encode("utf-16")):
        source = in_memory(content)
        assert SENSOR.sniff(source.head, source.name)
        assert [row["winlog.record_id"] for row in read(source)] == ["1", "2"]
        assert source.unread == []


def test_event_xml_across_blocks_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensors.reading.framing.CHUNK_BYTES", 100)
    text = "\n".join(
        xml(4624, f"<EventData><Data Name='IpPort'>{at + 1}</Data></EventData>", at) for at in range(20)
    )
    source = in_memory(text)
    assert [row["source.port"] for row in read(source)] == list(range(1, 21))
    assert source.unread == []


def test_data_without_names_are_numbered_and_joined() -> None:
    body = "<EventData><Data>alpha</Data><Data/><Data Name='Kind'>x</Data><Data>beta</Data></EventData>"
    (row,) = read(in_memory(xml(1, body, provider="Elsewhere")))
    found = {name: value for name, value in row.items() if name.startswith("winlog.event_data.")}
    assert found == {
        "winlog.event_data.param1": "alpha",
        "winlog.event_data.param3": "beta",
        "winlog.event_data.Kind": "x",
        "winlog.event_data.Data": "alpha, beta",
    }


def test_a_name_that_occurs_twice_keeps_both_values() -> None:
    body = "<EventData><Data Name='Param'>one</Data><Data Name='Param'>two</Data></EventData>"
    (row,) = read(in_memory(xml(1, body, provider="Elsewhere")))
    assert row["winlog.event_data.Param"] == "one\ntwo"


def test_json_of_evtx_dump_in_its_other_shapes() -> None:
    event = dumped(4624, TargetUserName="ana", IpPort="5")
    apart = {
        "Event": {
            "System": {
                **event["Event"]["System"],
                "Provider": None,
                "Provider_attributes": {"Name": AUDIT},
                "TimeCreated": None,
                "TimeCreated_attributes": {"SystemTime": "2026-10-13T08:00:00.000001Z"},
                "EventID": 4624,
            },
            "EventData": event["Event"]["EventData"],
        }
    }
    pretty = f"Record 1\n{json.dumps(event, indent=2)}\nRecord 2\n{json.dumps(event, indent=2)}\n"
    for content in (json.dumps(apart), json.dumps([event, event], indent=1), pretty):
        source = in_memory(content)
        assert SENSOR.sniff(source.head, source.name)
        rows = read(source)
        assert {(row["user.name"], row["event.code"], row["source.port"]) for row in rows} == {
            ("ana", "4624", 5)
        }
        assert source.unread == []
    assert [row["log.file.line"] for row in read(in_memory(pretty))] == [
        2,
        3 + len(json.dumps(event, indent=2).splitlines()),
    ]


def test_fields_that_came_with_an_event_are_kept() -> None:
    event = {
        "@timestamp": "2026-10-13T08:00:00Z",
        "event": {"code": "4625", "category": ["authentication"], "action": "mine", "outcome": "failure"},
        "user": {"name": "kept"},
        "host": {"name": "collector", "ip": ["192.0.2.4", "fe80::1"]},
        "tags": ["forwarded"],
        "winlog": {
            "event_id": 4625,
            "channel": "Security",
            "provider_name": AUDIT,
            "computer_name": "WS-1",
            "keywords": ["Audit Failure"],
            "event_data": {"TargetUserName": "other", "LogonType": "3"},
        },
    }
    (row,) = read(in_memory(json.dumps(event)))
    assert row["user.name"] == "kept"
    assert row["event.action"] == "mine"
    assert row["host.name"] == "collector"
    assert row["host.ip"] == ["192.0.2.4", "fe80::1"]
    assert row["tags"] == ["forwarded"]
    assert row["winlog.event_data.TargetUserName"] == "other"
    assert row["winlog.logon.type"] == "Network"


# ---- damage


def test_a_corrupt_record_costs_itself_alone() -> None:
    content = bytearray(evtx(logons(30), per_chunk=10))
    third = record_offsets(content, chunk=1)[2]
    content[third : third + 4] = b"\0\0\0\0"
    source = in_memory(bytes(content))
    assert [row["source.port"] for row in read(source)] == [at for at in range(1, 31) if at != 13]
    assert sum(each.count for each in source.unread) == 1
    assert all(each.offset == HEADER + CHUNK for each in source.unread)


def test_corrupt_binary_xml_names_the_record() -> None:
    content = bytearray(evtx(logons(30), per_chunk=10))
    third = record_offsets(content, chunk=0)[2]
    content[third + 60 : third + 90] = b"\xff" * 30
    source = in_memory(bytes(content))
    assert [row["source.port"] for row in read(source)] == [at for at in range(1, 31) if at != 3]
    assert sum(each.count for each in source.unread) == 1
    assert any("record number 3" in each.reason for each in source.unread), source.unread


def test_a_changed_byte_that_still_parses_is_told_by_the_checksum() -> None:
    content = evtx(logons(10))
    changed = content.replace("user4".encode("utf-16-le"), "userX".encode("utf-16-le"))
    assert changed != content
    source = in_memory(changed)
    assert read(source)[4]["user.name"] == "userX"
    (told,) = source.unread
    assert (told.count, told.offset) == (0, HEADER)
    assert "checksum" in told.reason
    live = in_memory(
        evtx(logons(10), dirty=True).replace("user4".encode("utf-16-le"), "userX".encode("utf-16-le"))
    )
    assert len(read(live)) == 10
    assert live.unread == []  # a log that is being written has no checksums yet


def test_a_chunk_that_is_gone_does_not_stop_the_others() -> None:
    content = bytearray(evtx(logons(30), per_chunk=10))
    content[HEADER + CHUNK : HEADER + 2 * CHUNK] = bytes(CHUNK)
    wiped = in_memory(bytes(content))
    assert [row["source.port"] for row in read(wiped)] == [*range(1, 11), *range(21, 31)]
    assert [(each.offset, each.reason) for each in wiped.unread] == [
        (HEADER + CHUNK, "blank chunks stand between written ones")
    ]
    content = bytearray(evtx(logons(30), per_chunk=10))
    content[HEADER + CHUNK : HEADER + CHUNK + 8] = b"12345678"
    unsigned = in_memory(bytes(content))
    assert len(read(unsigned)) == 30
    assert [each.offset for each in unsigned.unread] == [HEADER + CHUNK]


def test_a_truncated_evtx_file_gives_what_it_holds() -> None:
    content = evtx(logons(30), per_chunk=10)
    cut = record_offsets(content, chunk=1)[4] + 17
    source = in_memory(content[:cut])
    assert [row["source.port"] for row in read(source)] == list(range(1, 15))
    (told,) = source.unread
    assert (told.offset, told.count, told.reason) == (cut, 6, "the file ends within a chunk")
    short = in_memory(content[:1000])
    assert read(short) == []
    assert [each.reason for each in short.unread] == ["the file ends within its header"]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.integers(HEADER, HEADER + CHUNK + 9000), st.binary(min_size=1, max_size=40)), max_size=6
    )
)
def test_noise_in_an_evtx_file_never_stops_the_reading(noise: list[tuple[int, bytes]]) -> None:
    content = bytearray(evtx(logons(30), per_chunk=10))
    for at, piece in noise:
        content[at : at + len(piece)] = piece
    source = in_memory(bytes(content))
    rows = read(source)
    assert [row["source.port"] for row in rows if row.get("source.port", 0) > 20][-10:] == list(range(21, 31))
    assert len(rows) == 30 or source.unread


def test_malformed_lines_are_named_and_the_others_read() -> None:
    good = json.dumps(dumped(4624, TargetUserName="ana"))
    source = in_memory(
        f'{good}\n{{"Event": \n{good}\n{{"Event": {{"System": {{"EventID": 1}}}}}}\nnot json\n{good}\n'
    )
    assert [row["log.file.line"] for row in read(source)] == [1, 3, 6]
    assert sorted(each.line or 0 for each in source.unread) == [2, 4, 5]


def test_damaged_event_xml_is_named_and_the_rest_read() -> None:
    whole = xml(4624, "<EventData/>", 1)
    text = f"{whole[300:]}\n{whole}\n{whole[:200]}\n{whole}\n<Event><System></System></Event>\n{whole[:250]}"
    source = in_memory(text)
    assert [row["log.file.line"] for row in read(source)] == [2, 4]
    assert {(each.line, each.reason) for each in source.unread} == {
        (1, "an event without its beginning"),
        (3, "an event without its end"),
        (5, "event XML without an event id or a time"),
        (6, "the file ends within an event"),
    }


def test_an_event_whose_time_is_no_time_is_named() -> None:
    source = in_memory(xml(1, "", 1) + xml(1, "", 2, when="yesterday"))
    assert [row["winlog.record_id"] for row in read(source)] == ["1"]
    assert [each.sample for each in source.unread] == ["yesterday"]


def test_bytes_that_are_no_utf8_do_not_cost_the_event() -> None:
    text = xml(4624, "<EventData><Data Name='TargetUserName'>andr\xe9</Data></EventData>").encode("latin-1")
    source = in_memory(text)
    (row,) = read(source)
    assert row["user.name"] == "andr?"
    assert [(each.count, each.offset) for each in source.unread] == [(0, text.index(b"\xe9"))]


# ---- real logs


def test_real_attacks_are_read_without_a_loss(
    truth: Path, sources_of: Callable[[Path], Iterator[Source]]
) -> None:
    (source,) = sources_of(truth / "sigma" / "events" / "windows_attacks.ndjson.gz")
    frames = list(intake.events(source, SENSOR))
    assert sum(frame.height for frame in frames) == 32_916
    assert source.unread == []


def test_real_evtx_files_are_read_without_a_loss(
    truth: Path, sources_of: Callable[[Path], Iterator[Source]]
) -> None:
    paths = sorted((truth / "sigma" / "regression").glob("*.evtx"))[::4]
    assert paths
    for path in paths:
        (source,) = sources_of(path)
        assert read(source), path
        assert source.unread == [], path


# ---- remote access and remote-control tools


def remote(provider: str, code: int, *params: str) -> dict[str, Any]:
    """An event of parameters without names."""
    body = "".join(f"<Data>{param}</Data>" for param in params)
    (row,) = read(in_memory(xml(code, f"<EventData>{body}</EventData>", provider=provider)))
    return row


@pytest.mark.parametrize("ids", [("{6A4E3F6C-2B0C-4E58-8B66-0A1B2C3D4E5F}",), ("NA",)])
@pytest.mark.parametrize("domain", [("{00000000-0000-0000-0000-000000000000}",), ()])
def test_a_vpn_session_of_windows_says_who_how_long_and_how_much(
    ids: tuple[str, ...], domain: tuple[str, ...]
) -> None:
    told = ("CORP\\ana", "VPN2-1", "a", "b", "c", "d", "2", "5", "300", "70", "user request", "IKEv2", ".")
    row = remote("RemoteAccess", 20272, *domain, *ids, *told)
    wanted = {
        "user.name": "ana",
        "source.user.domain": "CORP",
        "event.duration": 125_000_000_000,
        "source.bytes": 70,
        "destination.bytes": 300,
        "event.reason": "user request",
        "event.action": "vpn-disconnected",
    }
    assert {name: row.get(name) for name in wanted} == wanted
    lent = remote("RemoteAccess", 20274, *domain, *ids, "CORP\\ana", "VPN2-1", "10.60.8.21")
    assert (lent["source.nat.ip"], lent["user.name"]) == ("10.60.8.21", "ana")
    assert row.get("session.id") == lent.get("session.id") == (None if ids == ("NA",) else ids[0].lower())


def test_a_remote_access_event_of_too_few_parameters_is_an_event() -> None:
    row = remote("RemoteAccess", 20272, "x")
    assert row["event.action"] == "vpn-disconnected"
    assert "event.duration" not in row


@pytest.mark.parametrize("provider", ["ScreenConnect", "ScreenConnect Client (5c2f0e9a7b1d3344)"])
@pytest.mark.parametrize(("code", "word", "kind"), [(100, "Connected", "start"), (0, "Disconnected", "end")])
def test_who_screenconnect_let_in(provider: str, code: int, word: str, kind: str) -> None:
    row = remote(provider, code, f"Oleg Remote {word}\n\nVersion: 23.8.6.8735\n")
    assert (row["user.name"], row["event.type"][0]) == ("Oleg Remote", kind)


def test_a_screenconnect_event_of_other_words_is_not_a_session() -> None:
    row = remote("ScreenConnect Client (5c2f0e9a7b1d3344)", 0, "Service started successfully.")
    assert "event.category" not in row


def test_chrome_remote_desktop_says_where_a_client_is() -> None:
    who = "oleg@mail.example/chromoting_ftl_1"
    for params in (
        (who, "198.51.100.77:60111", "10.20.0.15:22205", "", "direct"),
        (f"Channel IP for client: {who} ip='198.51.100.77:60111' host_ip='10.20.0.15:22205' channel='' x.",),
    ):
        row = remote("chromoting", 4, *params)
        assert (row["source.ip"], row["source.port"]) == ("198.51.100.77", 60111)
        assert (row["destination.ip"], row["user.email"]) == ("10.20.0.15", "oleg@mail.example")
        assert row["session.id"] == "chromoting_ftl_1"
