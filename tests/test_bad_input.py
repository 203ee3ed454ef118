"""Bad input, each kind by the real command line beside a good log: nothing stops, executes or vanishes."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import packets
import pytest
import windows_evtx
from hunted import SAMPLES, Hunted, hunt, run

from sensors.reading import unpack

GOOD = (SAMPLES / "okta" / "system.ndjson").read_bytes()
GOOD_EVENTS = GOOD.count(b"\n")
RECORD = GOOD[: GOOD.index(b"\n") + 1]
AUTH = (
    b"Oct  5 09:11:02 build-01 sshd[204]: Accepted publickey for mlindqvist from 10.99.0.21 port 50722 ssh2\n"
)

# One rule that matches the good events makes findings, evidence and stories of whatever they say.
RULE = """\
title: Signed in
id: 3d3a4f56-6d7f-4f3c-9d4e-5a0c1f7e2b11
tags: [molehunt.access, molehunt.decisive]
logsource: {category: authentication}
detection:
  selection: {event.outcome: success}
  condition: selection
level: high
confidence: 0.9
fields: [user.name, source.ip]
falsepositives: [a test]
why: "{user.name} signed in from {source.ip}."
"""

Run = Callable[..., Hunted]


@pytest.fixture
def beside_good(tmp_path: Path) -> Run:
    """Hunts a folder with the good log and one bad file, under one rule."""
    logs, rules = tmp_path / "logs", tmp_path / "rules"
    logs.mkdir()
    rules.mkdir()
    (logs / "good.ndjson").write_bytes(GOOD)
    (rules / "signed_in.yml").write_text(RULE)

    def made(name: str, content: bytes, status: int = 3) -> Hunted:
        (logs / name).write_bytes(content)
        return hunt(tmp_path / "out", logs, "--rules", rules, "--no-bundled-rules", status=status)

    return made


def kept(found: Hunted, name: str) -> int:
    """How many events were read of the file; the good one beside it has all of its own."""
    read = {Path(source["path"]).name: source["events"] for source in found.report["sources"]}
    assert read["good.ndjson"] == GOOD_EVENTS
    assert found.report["events"] == sum(read.values())
    assert found.report["findings"]
    return int(read.get(name, 0))


def named(found: Hunted, name: str) -> list[dict[str, Any]]:
    """What of the file is named as unread, the same in unread.ndjson, the report and the page."""
    entries = [each for each in found.unread if Path(each["path"]).name.startswith(name)]
    assert entries == found.unread == found.report["unread"]
    page = found.page
    for each in entries:
        assert each["path"] in page
        assert f"line {each['line']}" in page or each["line"] is None
        assert f"byte {each['offset']}" in page or each["offset"] is None
    assert "could not be read" in found.result.stdout
    return entries


def test_a_truncated_gz(beside_good: Run) -> None:
    packed = gzip.compress(GOOD * 50, mtime=0)
    cut = packed[: len(packed) * 2 // 3]
    readable = zlib.decompressobj(wbits=31).decompress(cut)
    found = beside_good("cut.ndjson.gz", cut)
    entries = named(found, "cut.ndjson.gz")
    (early,) = (each for each in entries if "ends early" in each["reason"])
    assert early["offset"] == len(readable)
    assert "cut off" in early["reason"]
    assert kept(found, "cut.ndjson.gz") == readable.count(b"\n")


def test_half_a_json_line(beside_good: Run) -> None:
    half = RECORD[: len(RECORD) // 2] + b"\n"
    found = beside_good("half.ndjson", RECORD + half + RECORD * 2)
    (entry,) = named(found, "half.ndjson")
    assert (entry["line"], entry["offset"]) == (2, len(RECORD))
    assert entry["sample"] == half[:200].decode()
    assert kept(found, "half.ndjson") == 3


@pytest.mark.parametrize(("name", "record"), [("long.ndjson", RECORD), ("long.log", AUTH)])
def test_a_line_of_a_hundred_megabytes(beside_good: Run, name: str, record: bytes) -> None:
    long = record.rstrip(b"}\n") + b"x" * 100_000_000 + b"\n"
    found = beside_good(name, record * 2 + long + record)
    (entry,) = named(found, name)
    assert (entry["line"], entry["offset"]) == (3, 2 * len(record))
    assert "too long" in entry["reason"]
    assert kept(found, name) == 3


@pytest.mark.parametrize(("name", "record"), [("latin.ndjson", RECORD), ("latin.log", AUTH)])
def test_invalid_utf_8(beside_good: Run, name: str, record: bytes) -> None:
    odd = record.replace(b"maya.lindqvist", b"maya.lindqv\xefst").replace(b"mlindqvist", b"mlindqv\xefst")
    assert odd != record
    found = beside_good(name, record + odd + record)
    (entry,) = named(found, name)
    assert (entry["line"], entry["offset"]) == (2, len(record))
    assert "UTF-8" in entry["reason"]
    # The line is read, with the unreadable byte replaced: better than no line.
    assert kept(found, name) == 3
    assert any("lindqv\N{REPLACEMENT CHARACTER}st" in account["identifiers"] for account in found.accounts)


@pytest.mark.parametrize("form", [packets.pcap, packets.pcapng])
def test_a_capture_cut_in_mid_packet(beside_good: Run, form: Callable[..., bytes]) -> None:
    conversation = packets.raw(packets.conversation())
    found = beside_good("cut.pcap", form(conversation)[:-10])
    (entry,) = named(found, "cut.pcap")
    assert "middle of a packet" in entry["reason"]
    assert entry["frame"] == len(conversation)
    assert f"frame {entry['frame']}" in found.page
    assert kept(found, "cut.pcap") > 5


def test_an_evtx_with_a_corrupt_chunk(beside_good: Run) -> None:
    start = datetime(2026, 10, 13, 13, 0, tzinfo=UTC)
    logon = [("TargetUserName", "mreyes"), ("TargetDomainName", "CORP"), ("LogonType", "2")]
    events = [
        windows_evtx.Event(
            "Microsoft-Windows-Security-Auditing", 4624, "Security", start + timedelta(minutes=at), logon
        )
        for at in range(60)
    ]
    content = bytearray(windows_evtx.evtx(events, per_chunk=20))
    second = windows_evtx.HEADER + windows_evtx.CHUNK
    content[second : second + windows_evtx.CHUNK] = b"\xa5" * windows_evtx.CHUNK
    found = beside_good("security.evtx", bytes(content))
    entries = named(found, "security.evtx")
    assert {each["offset"] for each in entries} == {second}
    assert kept(found, "security.evtx") == 40


def test_an_empty_file_is_no_fault_and_is_said(beside_good: Run) -> None:
    found = beside_good("empty.log", b"", status=0)
    assert found.unread == []
    assert kept(found, "empty.log") == 0
    (empty,) = (each for each in found.report["sources"] if each["sensor"] == "empty file")
    assert empty["path"].endswith("empty.log")
    assert empty["path"] in found.page


def test_what_no_sensor_knows_is_named(beside_good: Run) -> None:
    found = beside_good("notes.txt", b"Dear diary, \x1b]0;owned\x07today\n")
    (entry,) = named(found, "notes.txt")
    assert "no sensor knows" in entry["reason"]
    assert "Dear diary" in entry["sample"]
    assert "Dear diary" in found.page
    assert "\x1b" not in found.page


def test_a_folder_without_rights(beside_good: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tmp_path / "logs" / "locked"
    locked.mkdir()
    allowed = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):  # root may list anything, so the refusal is the system call's
            raise PermissionError(13, "Permission denied", str(path))
        return allowed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = beside_good("more.ndjson", RECORD)
    (entry,) = named(found, "locked")
    assert "Permission denied" in entry["reason"]
    assert kept(found, "more.ndjson") == 1


def test_a_zip_whose_members_climb_out(beside_good: Run, tmp_path: Path) -> None:
    packed = tmp_path / "evil.zip"
    with zipfile.ZipFile(packed, "w") as made:
        for name in ("../../escaped.ndjson", "/absolute.ndjson", "..\\..\\windows.ndjson"):
            made.writestr(name, RECORD)
        made.writestr("../tool.evtx", windows_evtx.security_sample())  # a reader that needs a file on disk
    content = packed.read_bytes()
    packed.unlink()
    before = {path for folder in (tmp_path, tmp_path.parent, Path("/")) for path in folder.iterdir()}
    found = beside_good("evil.zip", content, status=0)
    after = {path for folder in (tmp_path, tmp_path.parent, Path("/")) for path in folder.iterdir()}
    assert after - before == {tmp_path / "out"}
    members = [each["path"].partition("!")[2] for each in found.report["sources"] if "!" in each["path"]]
    assert members == ["../../escaped.ndjson", "/absolute.ndjson", "..\\..\\windows.ndjson", "../tool.evtx"]
    assert found.report["events"] == GOOD_EVENTS + 3 + 11
    inside = {path.name for path in (tmp_path / "out").rglob("*")}
    assert not [name for name in inside if "escaped" in name or ".." in name]


@pytest.mark.parametrize("ending", ["zip", "ndjson.gz"])
def test_what_unpacks_a_thousandfold(
    beside_good: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(unpack, "_BOMB_BYTES", 4 << 20)
    content = RECORD * 3 + b"\n" * (64 << 20)
    if ending == "zip":
        with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("bomb.ndjson", content)
        packed = (tmp_path / "bomb").read_bytes()
    else:
        packed = gzip.compress(content)
    found = beside_good(f"bomb.{ending}", packed)
    (entry,) = named(found, f"bomb.{ending}")
    assert "400-fold" in entry["reason"]
    assert 0 < entry["offset"] < 32 << 20
    member = "bomb.zip!bomb.ndjson" if ending == "zip" else "bomb.ndjson.gz"
    assert kept(found, member) == 3


def test_a_rule_with_a_syntax_error(beside_good: Run, tmp_path: Path) -> None:
    broken = tmp_path / "rules" / "broken.yml"
    broken.write_text(RULE.replace("  condition: selection", "  condition: [selection"))
    found = beside_good("more.ndjson", RECORD, status=0)
    assert kept(found, "more.ndjson") == 1
    (why,) = (each["reason"] for each in found.report["not_run"] if "broken.yml" in each["detection"])
    line = next(
        number for number, text in enumerate(broken.read_text().splitlines(), 1) if "[selection" in text
    )
    # A parser notices a list that is not closed where it stops, at the latest one line below.
    assert f"{broken}:{line}" in why or f"{broken}:{line + 1}" in why
    assert f"{broken.name}" in found.page
    assert "did not run" in found.result.stdout

    checked = run("rules", "check", tmp_path / "rules")
    assert checked.exit_code == 1
    (said,) = (text for text in checked.stdout.splitlines() if "broken.yml" in text)
    assert said == f"{why} [load]"
    assert len(said.partition(broken.name)[2]) > len(":12: wrong")  # it says what is wrong and what to do


HOSTILE = [
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param("</title><img src=x onerror=alert(1)>", id="markup"),
    pytest.param("\x1b[31mred\x1b]0;owned\x07\x9b2J", id="terminal"),
    pytest.param("=cmd|' /C calc'!A0", id="formula"),
    pytest.param("{{ 7 * 7 }}{% raw %}", id="template"),
    pytest.param("[bold]x[/nothing]", id="console markup"),
    pytest.param("a\N{RIGHT-TO-LEFT OVERRIDE}txt.exe", id="direction"),
    pytest.param("nul\0l\r\nx", id="control"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_user_name(beside_good: Run, name: str) -> None:
    record = json.loads(RECORD)
    record["actor"] |= {"alternateId": f"{name}@corp.example", "displayName": name, "id": "00uHostile"}
    found = beside_good("names.ndjson", json.dumps(record).encode() + b"\n", status=0)
    assert kept(found, "names.ndjson") == 1

    page = found.page
    assert not [tag for tag in ("<script", "<img", "onerror=alert(1)>") if tag in page]
    assert "default-src 'none'" in page
    shown = page + found.result.stdout + found.result.stderr
    assert [letter for letter in shown if not letter.isprintable() and letter != "\n"] == []

    (finding,) = (each for each in found.findings if "names.ndjson" in each["evidence"][0]["path"])
    told = name.replace("\0", "\N{REPLACEMENT CHARACTER}")  # else as it was; NUL would end it elsewhere
    assert finding["evidence"][0]["fields"]["user.name"] == told
    (account,) = (row for row in found.accounts if "00uHostile" in row["identifiers"])
    assert account["account"].lstrip("'") == finding["account"]
    assert told in account["identifiers"]
    for cell in account.values():
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_a_hostile_file_name(beside_good: Run) -> None:
    name = "<script>\x1b[31m[bold]x[nothing]=cmd.ndjson"
    found = beside_good(name, RECORD + b'{"broken\n')
    assert kept(found, name) == 1
    (entry,) = found.unread
    assert entry["path"].endswith(name)
    assert "<script" not in found.page
    assert "\x1b" not in found.page + found.result.output
    printed = run("events", entry["path"])
    assert printed.exit_code == 3
    assert "\x1b" not in printed.stderr
    assert "line 2" in printed.stderr


def test_everything_bad_at_once(beside_good: Run, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "deep").mkdir()
    shutil.copy(SAMPLES / "capture" / "conversation.pcap", logs / "deep" / "whole.pcap")
    (logs / "deep" / "cut.zip").write_bytes(b"PK\x03\x04" + b"\0" * 40)
    (logs / "deep" / "no.evtx").write_bytes(b"ElfFile\0" + b"\0" * 20)
    (logs / "deep" / "no.pcap").write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)[:20])
    (logs / "deep" / "no.parquet").write_bytes(b"PAR1" + b"\0" * 50 + b"PAR1")
    (logs / "dangling").symlink_to(logs / "nowhere")
    os.mkfifo(logs / "pipe")
    found = beside_good("half.ndjson", RECORD + b'{"half": ')
    assert kept(found, "half.ndjson") == 1
    assert {Path(each["path"]).name for each in found.unread} == {
        "cut.zip", "no.evtx", "no.pcap", "no.parquet", "dangling", "pipe", "half.ndjson",
    }  # fmt: skip


def test_a_broken_context_file_among_the_inputs_is_named_and_the_hunt_goes_on(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "okta.ndjson").write_bytes(next((SAMPLES / "okta").glob("*.ndjson")).read_bytes())
    (folder / "site.toml").write_text('domain = 5\nnetbios = "CORP"\nservice_accounts = ["svc-*"]\n')
    done = hunt(tmp_path / "out", folder, status=3)
    (unread,) = done.unread
    assert unread["path"].endswith("site.toml")
    assert "domain" in unread["reason"]
    assert done.report["events"] > 0
