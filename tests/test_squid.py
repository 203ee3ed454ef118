"""Squid's access.log: samples, its formats, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, claimants, events, golden, sample_lines, source_of

from sensors.squid import SENSOR

LINES = sample_lines("squid")


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "squid")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "squid").iterdir():
        assert claimants(path.read_bytes()) == ["squid"], path


def test_a_web_servers_log_is_not_squids() -> None:
    line = b'192.0.2.1 - - [05/Oct/2026:10:20:02 -0400] "GET / HTTP/1.1" 200 512 "-" "curl/8"\n'
    assert claimants(line * 20) == []
    assert claimants(b"") == []


def test_both_formats_say_the_same_of_a_request() -> None:
    native = (
        "1791210002.000    231 10.20.31.7 TCP_MISS/200 18422 GET http://a.example/x ann "
        "HIER_DIRECT/192.0.2.3 text/html"
    )
    common = (
        '10.20.31.7 - ann [05/Oct/2026:10:20:02 -0400] "GET http://a.example/x HTTP/1.1" 200 18422 '
        "TCP_MISS:HIER_DIRECT"
    )
    one, other = events(SENSOR, native)[0], events(SENSOR, common)[0]
    only_native = {"event.start", "event.end", "event.duration", "destination.ip", "squid.content_type",
                   "http.response.mime_type", "destination.address", "related.ip"}  # fmt: skip
    assert {k: v for k, v in one.items() if k not in only_native} == {
        k: v for k, v in other.items() if k not in only_native | {"http.version"}
    }
    assert one["event.duration"] == 231_000_000
    assert one["related.ip"] == ["10.20.31.7", "192.0.2.3"]


def test_a_syslog_header_in_front_and_headers_behind() -> None:
    line = (
        "Oct  5 14:20:02 proxy (squid-1): 1791210002.114    231 10.20.31.7 TCP_MISS/200 18422 GET "
        "http://a.example/x ann HIER_DIRECT/192.0.2.3 text/html; charset=utf-8 "
        "[User-Agent: curl/8\\r\\n] [Server: x]"
    )
    assert claimants(line.encode()) == ["squid"]
    row = events(SENSOR, line)[0]
    assert row["@timestamp"].microsecond == 114_000
    assert row["http.response.mime_type"] == "text/html; charset=utf-8"


def test_a_url_with_blanks_does_not_shift_the_fields() -> None:
    row = events(
        SENSOR, "1791210002.114 1 10.0.0.1 TCP_MISS/200 5 GET http://a.example/my file ann HIER_NONE/- -"
    )[0]
    assert row["url.original"] == "http://a.example/my file"
    assert row["user.name"] == "ann"


def test_a_line_of_another_form_is_named_as_unread() -> None:
    source = source_of(LINES[0] + "\nnonsense\n" + LINES[1])
    assert [row["log.file.line"] for row in events(SENSOR, source)] == [1, 3]
    assert [(entry.line, entry.sample) for entry in source.unread] == [(2, "nonsense")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
