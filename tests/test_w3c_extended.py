"""W3C extended logs: samples, orders of fields, hostile lines."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, broken_lines, events, golden, sample_lines, source_of

from sensors.w3c_extended import SENSOR

LINES = sample_lines("w3c_extended")


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "w3c_extended")


def test_the_usual_order_is_known_without_a_line_of_names() -> None:
    path = SAMPLES / "w3c_extended" / "u_ex261005.log"
    lines = path.read_text("utf-8").splitlines()
    bare, named = events(SENSOR, lines[4])[0], events(SENSOR, "\n".join(lines[:5]))[0]
    places = {"log.offset", "log.file.line"}
    assert {k: v for k, v in bare.items() if k not in places} == {
        k: v for k, v in named.items() if k not in places
    }
    assert (bare["user.name"], bare["source.ip"]) == ("maya", "203.0.113.8")


@pytest.mark.parametrize("text", ["", "#Fields: a b", "#Version: 1.0", "2026-10-05 14:20:01 a b c"])
def test_other_logs_are_not_claimed(text: str) -> None:
    assert not SENSOR.sniff(text.encode(), "u_ex.log")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    source = source_of(content)
    rows = events(SENSOR, source)
    records = [line for line in content.split("\n") if line.removesuffix("\r") and not line.startswith("#")]
    assert len(rows) + sum(entry.count for entry in source.unread) == len(records)


def test_blue_coats_longer_formats_are_known_without_a_line_of_names() -> None:
    text = (SAMPLES / "w3c_extended" / "reported.log").read_text("utf-8")
    web, refused, secured = events(SENSOR, text)
    assert (web["client.user.name"], web["server.ip"], web["url.path"]) == ("bo", "192.0.2.4", "/a/b.html")
    assert (refused["event.outcome"], refused["url.port"]) == ("failure", 443)
    assert (secured["tls.version"], secured["url.domain"]) == ("1.3", "www.example.com")
    for line in text.splitlines():
        assert SENSOR.sniff(line.encode(), "x.log")
