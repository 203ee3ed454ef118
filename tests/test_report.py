from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from analysis.finding import Evidence, Finding, Level, NotRun
from analysis.report import files, html, text
from analysis.report.document import VERSION, Account, Outbound, Place, Report, SourceRead
from sensors.sensor import Unread

AT = datetime(2026, 10, 12, 14, 30, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\x1b[31m=cmd|' /C calc'!A0\N{RIGHT-TO-LEFT OVERRIDE}"


def a_report(name: str = "jdoe@corp.example", **changed: object) -> Report:
    evidence = Evidence(
        "logs/okta.zip!day1.json",
        "ab" * 32,
        "okta.system",
        AT,
        line=17,
        offset=4711,
        fields={"user.name": name},
    )
    finding = Finding(
        detection="6f7a",
        title="AnyDesk started",
        level=Level.HIGH,
        confidence=0.8,
        category="remote_control",
        account=name,
        first_seen=AT,
        last_seen=AT + timedelta(days=3),
        why=f"{name} started AnyDesk",
        evidence=(evidence,),
        benign=("IT support asked for it",),
        techniques=("T1219.002",),
        signals=("R01",),
        count=7,
    )
    account = Account(
        rank=1,
        account=name,
        label=name,
        kind="person",
        score=83.4,
        band="high",
        identifiers=(name, "CORP\\jdoe"),
        categories=("remote_control",),
        first_seen=AT,
        last_seen=AT + timedelta(days=3),
        why=f"AnyDesk started by {name}",
        events=4242,
        story=(f"On 12 Oct {name} started AnyDesk.",),
        facts=(("Department", name),),
        timezone="America/Chicago",
        hours=tuple(range(24)),
        local_hours=tuple(reversed(range(24))),
        days=tuple((date(2026, 10, day), day * 3) for day in range(5, 20)),
        places=(Place("203.0.113.7", "US", "Texas", name, "Example ISP", 12, AT, AT),),
        outbound=(Outbound(date(2026, 10, 13), 5_000_000_000, ("mega.nz",)),),
        hosts=("NB-1",),
        findings=(0,),
    )
    quiet = Account(2, "quiet@corp.example", "Quiet", "person", 0, "none", (), (), AT, AT, "")
    values: dict[str, object] = {
        "version": VERSION,
        "molehunt": "0.1.0",
        "created": AT,
        "inputs": ("logs",),
        "first": AT,
        "last": AT,
        "events": 4242,
        "datasets": (("okta.system", 4242),),
        "accounts": (account, quiet),
        "findings": (finding,),
        "sources": (SourceRead("logs/okta.zip!day1.json", "ab" * 32, "okta", 4242, AT, AT, 1),),
        "unread": (Unread("logs/x.bin", "no sensor knows this format", sample=name),),
        "not_run": (NotRun("77", "Impossible travel", "no geography was given"),),
        "detections": 9,
        "notes": ("no roster was given",),
        "attribution": (("user", 4000), ("unattributed", 242)),
    }
    return Report(**{**values, **changed})  # type: ignore[arg-type]


def test_a_report_is_the_same_after_json_and_back() -> None:
    report = a_report()
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize("data", [b"[]", b"{}", b"nonsense", b'{"version": 99}'])
def test_what_is_no_report_is_refused_plainly(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Report.from_json(data)


def test_every_file_is_written_and_says_the_same(tmp_path: Path) -> None:
    files.write(a_report(), tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"report.html", "report.json", "findings.ndjson", "accounts.csv", "unread.ndjson"}
    (finding,) = map(json.loads, (tmp_path / "out" / "findings.ndjson").read_text("utf-8").splitlines())
    assert finding["rule.id"] == "6f7a"
    assert finding["account"] == "jdoe@corp.example"
    assert finding["level"] == "high"
    assert finding["evidence"][0]["line"] == 17
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "accounts.csv").read_text("utf-8"))))
    assert list(rows[0])[:8] == [
        "rank", "account", "score", "identifiers", "categories", "first_seen", "last_seen", "why",
    ]  # fmt: skip
    assert [row["account"] for row in rows] == ["jdoe@corp.example", "quiet@corp.example"]
    assert rows[0]["identifiers"] == "jdoe@corp.example;CORP\\jdoe"
    (unread,) = map(json.loads, (tmp_path / "out" / "unread.ndjson").read_text("utf-8").splitlines())
    assert unread["path"] == "logs/x.bin"


def test_the_page_tells_the_story_and_leads_to_the_line() -> None:
    page = files.as_text(a_report(), html.render)
    for said in (
        "1 account to look at first",
        "On 12 Oct jdoe@corp.example started AnyDesk.",
        "logs/okta.zip!day1.json",
        "line 17, byte 4711",
        "ab" * 32,
        "IT support asked for it",
        "T1219.002",
        "no geography was given",
        "no sensor knows this format",
        "quiet@corp.example",
        "4.7 GiB",
        "America/Chicago",
    ):
        assert said in page


def test_the_page_runs_and_fetches_nothing_whatever_a_log_says() -> None:
    page = files.as_text(a_report(HOSTILE), html.render)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=[\"'](?!#)", page)
    assert "\x1b" not in page
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page


def test_the_terminal_is_sent_no_escapes_and_needs_no_colour() -> None:
    shown = files.as_text(a_report(HOSTILE), text.render)
    assert "\x1b" not in shown
    assert "!!! high" in shown
    assert "1 things could not be read" in shown or "1 thing could not be read" in shown


def test_no_cell_is_a_formula() -> None:
    for name in ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1"):
        shown = files.as_text(a_report(name), files.accounts)
        row = next(csv.DictReader(io.StringIO(shown)))
        assert row["account"] == "'" + name
        assert row["identifiers"].startswith("'")


def test_an_empty_hunt_has_a_page_too() -> None:
    page = files.as_text(
        a_report(
            accounts=(), findings=(), sources=(), unread=(), not_run=(), first=None, last=None, events=0
        ),
        html.render,
    )
    assert "No account stands out" in page
