"""The log of Windows' DHCP server: samples, zones, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, broken_lines, events, golden, source_of

from sensors.windows_dhcp import SENSOR

LINES = [
    line
    for path in sorted((SAMPLES / "windows_dhcp").iterdir())
    for line in path.read_text("utf-8").splitlines()
    if line[:2].isdigit() and "," in line
]


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "windows_dhcp")


def test_codes_say_what_was_done_and_whether_it_went_well() -> None:
    folder = SAMPLES / "windows_dhcp"
    four, six = (
        {row["event.code"]: row for row in events(SENSOR, (folder / name).read_text("utf-8"))}
        for name in ("DhcpSrvLog-Mon.log", "DhcpV6SrvLog-Mon.log")
    )
    assert four["12"]["event.type"] == ["allowed", "connection"]
    assert (four["54"]["event.action"], four["54"]["event.outcome"]) == ("rogue-server-detection", "failure")
    assert four["62"]["event.category"] == ["authentication", "network"]
    assert (six["11006"]["event.outcome"], six["11023"]["event.outcome"]) == ("failure", "failure")


def test_times_are_of_the_servers_zone_and_the_guess_is_said() -> None:
    guessed = events(SENSOR, LINES[1])[0]
    given_zone = events(SENSOR, source_of(LINES[1], zone="America/Chicago", given=True))[0]
    assert (given_zone["@timestamp"] - guessed["@timestamp"]).total_seconds() == 5 * 3600
    assert guessed["molehunt.guess"] == ["zone"]
    assert "molehunt.guess" not in given_zone


def test_other_lines_are_named_and_other_files_not_claimed() -> None:
    source = source_of("\n".join([LINES[0], "nonsense, this", "10,99/99/26,09:00:00,Assign,,,", LINES[1]]))
    assert len(events(SENSOR, source)) == 2
    assert [entry.line for entry in source.unread] == [2, 3]
    for text in ("", "10,a,b", "1,2026/10/05 09:00:00,x", "ID,Date,Time"):
        assert not SENSOR.sniff(text.encode(), "DhcpSrvLog-Mon.log")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing(content: str) -> None:
    source = source_of(content)
    rows = events(SENSOR, source)
    records = sum(line[:2].isdigit() and "," in line for line in content.split("\n"))
    assert len(rows) <= records
    assert len({row["log.file.line"] for row in rows}) == len(rows)


def test_a_log_cut_in_its_preamble_is_named_and_one_of_a_quiet_day_is_not() -> None:
    preamble = "\t\tMicrosoft DHCP Service Activity Log\n\nEvent ID  Meaning\n00\tThe log was started.\n"
    for text, reasons in (
        (preamble, ["the log ends in its preamble, before any record"]),
        (preamble + "\nID,Date,Time,Description,IP Address,Host Name,MAC Address\n", []),
    ):
        made = source_of(text)
        assert list(SENSOR.read(made)) == []
        assert [one.reason for one in made.unread] == reasons
