"""Syslog headers: priority, time, zone, year, sender, relays, continuation lines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack

import polars as pl
import pytest
from text_sensors import source_of

from sensors.reading import framing, syslog


class Options(TypedDict, total=False):
    zone: str
    given: bool
    modified: datetime


def read(text: str, **options: Unpack[Options]) -> list[dict[str, Any]]:
    frames = [syslog.fields(frame) for frame in syslog.records(source_of(text, **options))]
    return pl.concat(frames).to_dicts()


def moment(text: str, **options: Unpack[Options]) -> str | None:
    at = read(text, **options)[0]["@timestamp"]
    return at and at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


@pytest.mark.parametrize(
    ("line", "host", "app", "pid", "body"),
    [
        ("Oct  5 08:00:00 gate sshd[12]: Accepted x", "gate", "sshd", "12", "Accepted x"),
        ("<38>Oct 05 08:00:00 gate sudo:   ann : TTY=x", "gate", "sudo", None, "  ann : TTY=x"),
        ("Oct  5 08:00:00 2001:db8::1 cron[1]: hi", "2001:db8::1", "cron", "1", "hi"),
        ("Oct  5 08:00:00 sshd[8148]: error: closed", None, "sshd", "8148", "error: closed"),
        ("Oct  5 08:00:00  sshd[1332]: last message", None, "sshd", "1332", "last message"),
        ("2026-10-05T08:00:00.25+02:00 gate su: hi", "gate", "su", None, "hi"),
        ("Mon Oct  5 08:00:00 2026 gate su: hi", "gate", "su", None, "hi"),
        ("Oct 5 2026 08:00:00 gate su(pam_unix)[7]: hi", "gate", "su(pam_unix)", "7", "hi"),
        ("Oct  5 08:00:00 gate no program here", None, None, None, "gate no program here"),
        ("<13>1 2026-10-05T08:00:00Z gate app - ID47 - hi", "gate", "app", None, "hi"),
        (
            '<13>1 2026-10-05T08:00:00Z gate app 7 - [a@1 b="]\\""][c d="e"] \ufeffhi',
            "gate",
            "app",
            "7",
            "hi",
        ),
        ("<13>1 - gate app 7 - - hi", "gate", "app", "7", "hi"),
    ],
)
def test_who_says_what(line: str, host: str | None, app: str | None, pid: str | None, body: str) -> None:
    row = read(line)[0]
    assert (row["host"], row["app"], row["pid"], row["body"]) == (host, app, pid, body)


@pytest.mark.parametrize(
    ("stamp", "utc", "guess"),
    [
        ("Oct  5 2026 08:00:00", "2026-10-05T12:00:00.000", ["zone"]),
        ("Oct 05 2026 08:00:00.125", "2026-10-05T12:00:00.125", ["zone"]),
        ("Oct  5 08:00:00", "2026-10-05T12:00:00.000", ["zone", "year"]),
        ("Mon, Oct  5 08:00:00 2026", "2026-10-05T12:00:00.000", ["zone"]),
        ("Oct  5 2026 08:00:00 EDT:", "2026-10-05T12:00:00.000", None),
        ("Oct  5 2026 08:00:00 UTC:", "2026-10-05T08:00:00.000", None),
        ("Oct  5 08:00:00 CEST:", "2026-10-05T06:00:00.000", ["year"]),
        ("*Oct  5 08:00:00.001:", "2026-10-05T12:00:00.001", ["zone", "year"]),
        ("2026-10-05T08:00:00Z", "2026-10-05T08:00:00.000", None),
        ("2026-10-05T08:00:00.123456+05:30", "2026-10-05T02:30:00.123", None),
        ("2026-10-05 08:00:00,5", "2026-10-05T12:00:00.500", ["zone"]),
        ("2026-10-05T08:00:00-0700", "2026-10-05T15:00:00.000", None),
        ("Oct 35 08:00:00", None, None),
        ("Feb 30 2026 08:00:00", None, None),
        ("Foo  5 2026 08:00:00", None, None),
        ("Oct  5 2026 28:00:00", None, None),
        ("2026-13-05T08:00:00Z", None, None),
    ],
)
def test_times_of_every_form(stamp: str, utc: str | None, guess: list[str] | None) -> None:
    row = read(f"{stamp} gate app: x", zone="America/New_York")[0]
    at = row["@timestamp"]
    assert (at and at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]) == utc
    assert not utc or row["molehunt.guess"] == guess


def test_a_zone_that_the_user_gave_is_no_guess() -> None:
    row = read("Oct  5 2026 08:00:00 gate app: x", zone="Asia/Kolkata", given=True)[0]
    assert row["@timestamp"] == datetime(2026, 10, 5, 2, 30, tzinfo=UTC)
    assert row["molehunt.guess"] is None


def test_capitals_after_the_time_that_are_no_zone_are_the_host() -> None:
    row = read("Oct  5 2026 08:00:00 FWONE: kernel: x")[0]
    assert row["@timestamp"] == datetime(2026, 10, 5, 8, tzinfo=UTC)
    assert row["rest"] == "FWONE: kernel: x"


def test_a_date_without_year_is_in_the_last_year_that_it_can_be() -> None:
    written = datetime(2026, 1, 5, tzinfo=UTC)
    years = {
        stamp: read(f"{stamp} 08:00:00 gate app: x", modified=written)[0]["@timestamp"].year
        for stamp in ("Dec 31", "Jan  1", "Jan  5", "Jan  7", "Feb 29")
    }
    # a day of grace for a zone that is guessed wrong; the last 29 February was in 2024
    assert years == {"Dec 31": 2025, "Jan  1": 2026, "Jan  5": 2026, "Jan  7": 2025, "Feb 29": 2024}


def test_an_hour_that_spring_leaps_over_and_one_that_comes_twice() -> None:
    zone = "America/New_York"
    assert moment("Mar  8 2026 01:59:59 g a: x", zone=zone) == "2026-03-08T06:59:59.000"
    assert moment("Mar  8 2026 02:30:00 g a: x", zone=zone) == "2026-03-08T07:30:00.000"
    assert moment("Mar  8 2026 03:00:00 g a: x", zone=zone) == "2026-03-08T07:00:00.000"
    assert moment("Nov  1 2026 01:30:00 g a: x", zone=zone) == "2026-11-01T05:30:00.000"
    assert moment("Nov  1 2026 02:00:00 g a: x", zone=zone) == "2026-11-01T07:00:00.000"


def test_of_a_relayed_line_the_inner_header_counts_unless_only_the_relay_says_its_zone() -> None:
    plain = read("Oct  5 08:00:09 relay <34>Oct  5 2026 08:00:01 gate su: x")[0]
    assert (plain["host"], plain["relay"], plain["priority"]) == ("gate", "relay", 34)
    assert plain["@timestamp"] == datetime(2026, 10, 5, 8, 0, 1, tzinfo=UTC)
    sure = read("2026-10-05T12:00:09+00:00 relay Oct  5 08:00:01 gate su: x", zone="Asia/Tokyo")[0]
    assert sure["@timestamp"] == datetime(2026, 10, 5, 12, 0, 9, tzinfo=UTC)
    assert sure["molehunt.guess"] is None
    twice = read("Oct  5 08:00:09 a Oct  5 08:00:08 b Oct  5 2026 08:00:01 gate su: x")[0]
    assert (twice["host"], twice["relay"]) == ("gate", "b")


def test_priorities_are_taken_apart() -> None:
    lines = source_of("<165>Oct  5 2026 08:00:00 g a: x\n<999>Oct  5 2026 08:00:00 g a: x")
    frame = pl.concat(syslog.records(lines))
    parts = frame.select(syslog.common(frame)).to_dicts()
    assert parts[0] == {
        "log.syslog.priority": 165,
        "log.syslog.facility.code": 20,
        "log.syslog.severity.code": 5,
    }
    assert set(parts[1].values()) == {None}


def test_lines_that_begin_with_blanks_continue_the_line_before_across_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "\n".join(f"Oct  5 2026 08:00:0{n} g a: one\n two\n\tthree" for n in range(5))
    whole = [row["body"] for row in read(text)]
    assert whole == ["one\n two\n\tthree"] * 5
    for size in (20, 33, 64, 101):
        monkeypatch.setattr(framing, "CHUNK_BYTES", size)
        assert [row["body"] for row in read(text)] == whole


def test_a_record_does_not_grow_without_end() -> None:
    text = "Oct  5 2026 08:00:00 g a: x\n" + " y\n" * 3_000_000
    for frame in syslog.records(source_of(text)):
        assert frame.filter(pl.col("text").str.len_bytes() > 2 * framing.CHUNK_BYTES).is_empty()


def test_events_without_a_time_get_that_of_the_event_before_them() -> None:
    source = source_of("x", modified=datetime(2026, 5, 1, tzinfo=UTC))
    clock = syslog.Clock(source)
    at = datetime(2026, 10, 5, tzinfo=UTC)

    def frame(*times: datetime | None) -> pl.DataFrame:
        return pl.DataFrame(
            {"@timestamp": times, "molehunt.guess": [["zone"]] * len(times)},
            schema={"@timestamp": pl.Datetime("us", "UTC"), "molehunt.guess": pl.List(pl.String)},
        )

    assert clock.fill(frame(None, at)).to_dicts() == [
        {"@timestamp": datetime(2026, 5, 1, tzinfo=UTC), "molehunt.guess": ["time"]},
        {"@timestamp": at, "molehunt.guess": ["zone"]},
    ]
    assert clock.fill(frame(None))["@timestamp"].to_list() == [at]
