from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import packets as make
import pytest
from click.testing import CliRunner

from analysis.cli import SOME_UNREAD, main

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "capture"


def ran(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main.commands["flows"], list(arguments))
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    code, text = ran("--json", str(SAMPLES / "conversation.pcap"))
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    return found


def test_tools_are_named_with_how_sure_that_is(shown: dict[str, Any]) -> None:
    said = {
        (row["molehunt.tool.name"], row["molehunt.tool.confidence"], row["destination.ip"])
        for row in shown["tools"]
    }
    assert ("AnyDesk", "name seen", "203.0.113.77") in said
    assert ("Remote Desktop", "port only", "203.0.113.50") in said


def test_who_sent_what_where_by_the_name_it_was_asked_for(shown: dict[str, Any]) -> None:
    most = shown["talks"][0]
    assert (most["source.ip"], most["destination.ip"]) == ("10.99.0.17", "203.0.113.77")
    assert most["names"] == ["relay-1a2b3c4d.net.anydesk.com"]
    assert (most["sent"], most["received"], most["flows"]) == (22899, 200, 1)
    assert most["molehunt.frame.number"] == 3
    assert shown["packets"] == len(make.conversation())


def test_people_see_the_same_as_tables() -> None:
    code, text = ran(str(SAMPLES / "conversation.pcap"))
    assert code == 0
    assert "AnyDesk" in text
    assert "22.4 KiB" in text
    assert "relay-1a2b3c4d.net.anydesk.com" in text


def test_a_capture_that_is_cut_says_so_and_its_status_too(tmp_path: Path) -> None:
    whole = (SAMPLES / "conversation.pcap").read_bytes()
    (tmp_path / "cut.pcap").write_bytes(whole[:-10])
    (tmp_path / "notes.txt").write_text("no capture\n")
    code, text = ran(str(tmp_path))
    assert code == SOME_UNREAD
    assert "ends in the middle of a packet" in " ".join(text.split())


def test_without_a_capture_it_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no capture\n")
    code, text = ran(str(tmp_path))
    assert code == 1
    assert "no capture" in text
