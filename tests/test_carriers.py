"""Lines of logs carried in records of containers, shippers and relays are read as the lines they are."""

from __future__ import annotations

import csv
import io
import json
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sniff import LOGS, SAMPLES
from text_sensors import source_of

from analysis import intake
from sensors.reading import framing
from sensors.sensor import Unread

Lines = Sequence[str]
Row = dict[str, Any]
TIME = "2026-10-05T11:11:11.123456789Z"
# Where an event is in its own log, and what names the log.
PLACE = {"log.offset", "log.file.line", "log.file.path", "molehunt.source.sha256", "event.original"}
# Formats whose records are more than their lines: what a line carrier would hold of them is no whole record.
NOT_LINES = re.compile(r"\.(xml|export)$|(?<!nd)json$|^zeek/|^scenario/|^cyberark/audit|catalina")


def _objects(made: Callable[[str], Row]) -> Callable[[Lines], str]:
    return lambda lines: "".join(json.dumps(made(line)) + "\n" for line in lines)


def _csv(lines: Lines) -> str:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["_raw", "_time", "host", "sourcetype"])
    writer.writerows([line, "2026-10-05T11:11:11.000+0000", "relay-01", "syslog"] for line in lines)
    return out.getvalue()


CARRIERS: dict[str, Callable[[Lines], str]] = {
    "docker": _objects(lambda line: {"log": f"{line}\n", "stream": "stdout", "time": TIME}),
    "containerd": lambda lines: "".join(f"{TIME} stdout F {line}\n" for line in lines),
    "filebeat": _objects(
        lambda line: {
            "@timestamp": "2026-10-05T11:11:11.123Z",
            "@metadata": {"beat": "filebeat", "type": "_doc"},
            "log": {"offset": 0, "file": {"path": "/var/log/x"}},
            "message": line,
            "agent": {"type": "filebeat", "version": "8.15.0"},
        }
    ),
    "elastic": _objects(
        lambda line: {
            "_index": "logs",
            "_id": "1",
            "_source": {"@timestamp": "2026-10-05T11:11:11Z", "event": {"original": line}},
        }
    ),
    "splunk": _objects(
        lambda line: {"preview": False, "offset": 0, "result": {"_time": "1", "_raw": line, "host": "x"}}
    ),
    "splunk_csv": _csv,
}


def read(name: str, content: bytes) -> tuple[str, list[Row], list[Unread]]:
    """The sensor, and what it read of the content under the name, as the product does."""
    taken = intake.claimed(source_of(content), ())
    assert not isinstance(taken, Unread), (name, taken.reason)
    source, sensor = taken
    rows = [
        {key: value for key, value in row.items() if value is not None}
        for frame in intake.events(source, sensor)
        for row in frame.iter_rows(named=True)
    ]
    return sensor.name, rows, source.unread


def bare(rows: list[Row], *, timed: bool) -> list[Row]:
    """The events without their place, and without times if the log's own are guessed: a carrier's are not."""
    left_out = PLACE if timed else PLACE | {"@timestamp", "event.start", "event.end", "molehunt.guess"}
    return [{key: value for key, value in row.items() if key not in left_out} for row in rows]


def carried() -> list[tuple[Path, str]]:
    """Each sample of lines with one carrier of those there are, always the same one."""
    pairs = []
    for path in LOGS:
        name = str(path.relative_to(SAMPLES))
        content = path.read_bytes()
        if not NOT_LINES.search(name) and b"\0" not in content and not content.startswith(b"\x1f\x8b"):
            kinds = sorted(CARRIERS)
            pairs.append((path, kinds[zlib.crc32(name.encode()) % len(kinds)]))
    return pairs


@pytest.mark.parametrize(("path", "kind"), carried(), ids=lambda x: x if isinstance(x, str) else x.name)
def test_a_carried_log_has_the_events_of_the_log(path: Path, kind: str) -> None:
    text = path.read_text("utf-8-sig").replace("\r\n", "\n")
    lines = [line for line in text.split("\n") if line]
    sensor, plain, unread = read(path.name, "\n".join(lines).encode())
    same, rows, lost = read(path.name, CARRIERS[kind](lines).encode())
    assert same == sensor
    timed = not any("molehunt.guess" in row for row in plain)
    assert bare(rows, timed=timed) == bare(plain, timed=timed)
    assert len(lost) == len(unread)


def test_every_carrier_gives_the_same() -> None:
    lines = (SAMPLES / "cisco_asa" / "anyconnect.log").read_text().splitlines()
    _, plain, _ = read("x.log", "\n".join(lines).encode())
    for kind, made in CARRIERS.items():
        name, rows, _ = read("x.log", made(lines).encode())
        assert (name, bare(rows, timed=False)) == ("cisco_asa", bare(plain, timed=False)), kind


OKTA = (SAMPLES / "okta" / "system.ndjson").read_text().splitlines()
AUTH = "Oct  5 09:11:02 build-01 sshd[204]: Accepted publickey for mlindqvist from 192.0.2.21 port 50722 ssh2"


def test_json_behind_a_syslog_header() -> None:
    _, plain, _ = read("x", "\n".join(OKTA).encode())
    headers = ("<134>1 2026-10-05T11:11:11.000Z relay-01 okta 12 - - ", "<14>Oct  5 11:11:11 relay-01 okta: ",
               "Oct  5 11:11:11 relay-01 okta[9]: @cee: ", "<14>Oct  5 11:11:11 relay-01 ")  # fmt: skip
    for header in headers:
        name, rows, lost = read("x", "".join(f"{header}{line}\n" for line in OKTA).encode())
        assert (name, bare(rows, timed=True), lost) == ("okta", bare(plain, timed=True), []), header


def test_carriers_in_carriers() -> None:
    relayed = [f"<38>Oct  5 09:11:03 relay-01 {AUTH}"] * 3
    name, rows, lost = read("x", CARRIERS["docker"](relayed).encode())
    assert (name, [row["user.name"] for row in rows], lost) == ("linux_auth", ["mlindqvist"] * 3, [])
    assert [row["log.file.line"] for row in rows] == [1, 2, 3]


def test_an_event_stands_where_the_record_is_that_carried_it() -> None:
    content = CARRIERS["docker"](OKTA).encode() * 2
    _, rows, _ = read("x", content)
    starts = [match.start() for match in re.finditer(rb"(?m)^.", content)]
    assert [row["log.offset"] for row in rows] == starts
    assert [row["log.file.line"] for row in rows] == list(range(1, len(starts) + 1))


def test_what_is_not_read_is_named_where_it_is() -> None:
    bad = '{"log":"{\\"half\\": \\n","stream":"stdout","time":"2026-10-05T11:11:11Z"}\n'
    other = '{"stream":"stdout","time":"2026-10-05T11:11:11Z"}\n'
    content = CARRIERS["docker"](OKTA) + bad + other + CARRIERS["docker"](OKTA[:1])
    _, rows, lost = read("x", content.encode())
    assert len(rows) == len(OKTA) + 1
    assert rows[-1]["log.file.line"] == len(OKTA) + 3
    assert [(each.line, each.offset) for each in sorted(lost, key=lambda each: each.line or 0)] == [
        (len(OKTA) + 1, content.index(bad)),
        (len(OKTA) + 2, content.index(other)),
    ]


def test_lines_that_a_runtime_cut_are_put_together() -> None:
    half = len(OKTA[0]) // 2
    cri = f"{TIME} stdout P {OKTA[0][:half]}\n{TIME} stdout F {OKTA[0][half:]}\n{TIME} stderr F {OKTA[1]}\n"
    docker = _objects(lambda part: {"log": part, "stream": "stdout", "time": TIME})
    for content in (cri, docker([OKTA[0][:half], OKTA[0][half:] + "\n", OKTA[1] + "\n"])):
        name, rows, lost = read("x", content.encode())
        assert (name, len(rows), lost) == ("okta", 2, [])
        assert [row["log.file.line"] for row in rows] == [1, 3]


def test_a_guessed_time_gives_way_to_the_carriers() -> None:
    line = "<134>1 2026-10-05T09:11:03.000Z relay-01 - - - - " + AUTH
    (event,) = read("x", f"2026-10-05T09:11:03+02:00 relay-01 {AUTH}\n".encode())[1]
    assert event["@timestamp"].isoformat() == "2026-10-05T07:11:03+00:00"
    assert "molehunt.guess" not in event
    (shipped,) = read("x", CARRIERS["filebeat"]([AUTH]).encode())[1]
    assert shipped["@timestamp"].isoformat() == "2026-10-05T09:11:02+00:00"
    assert {"year", "zone"} & set(shipped["molehunt.guess"])
    assert read("x", line.encode())[0] == "linux_auth"


def test_an_old_log_that_was_printed_later_keeps_its_time() -> None:
    old = AUTH.replace("Oct  5", "Aug  1")
    (event,) = read("x", CARRIERS["docker"]([old]).encode())[1]
    assert event["@timestamp"].isoformat() == "2026-08-01T09:11:02+00:00"
    assert "year" in event["molehunt.guess"]


def test_events_that_were_normalised_are_not_read_anew() -> None:
    event = {"@timestamp": TIME, "event": {"kind": "event", "module": "x", "dataset": "x", "original": AUTH}}
    assert read("x", (json.dumps(event) + "\n").encode())[0] == "ecs"


def test_many_batches_keep_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "CHUNK_BYTES", 700)
    content = CARRIERS["docker"](OKTA * 40).encode()
    _, rows, lost = read("x", content)
    assert lost == []
    assert [row["log.file.line"] for row in rows] == list(range(1, 40 * len(OKTA) + 1))
    assert all(content[row["log.offset"] :].startswith(b'{"log"') for row in rows)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*OKTA[:3], "", "{", "x", "\x00", "é\u2028", '{"a": "b"}']), max_size=12),
    st.sampled_from(sorted(CARRIERS)),
)
def test_no_record_vanishes(lines: list[str], kind: str) -> None:
    whole = [*OKTA * 6, *lines]  # sensors look at the first fifty records
    name, rows, lost = read("x", CARRIERS[kind](whole).encode())
    assert name == "okta"
    told = {row["log.file.line"] for row in rows} | {each.line for each in lost}
    first = 2 if kind == "splunk_csv" else 1
    assert {at for at, line in enumerate(whole, first) if line.strip("\0")} <= told
