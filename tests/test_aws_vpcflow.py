"""Flow logs of Amazon VPC: samples, orders of fields, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, source_of

from sensors import schema
from sensors.aws_vpcflow import SENSOR

FOLDER = SAMPLES / "aws_vpcflow"
LINES = (FOLDER / "default.log").read_text("utf-8").splitlines()
NAMED = (FOLDER / "named.log").read_text("utf-8").splitlines()


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "aws_vpcflow")


def test_a_line_of_names_holds_until_the_next() -> None:
    again = "srcaddr dstaddr srcport dstport protocol start end action"
    rows = events(
        SENSOR, "\n".join([*NAMED, again, "192.0.2.1 192.0.2.2 1 2 17 1791190800 1791190801 ACCEPT"])
    )
    assert [row["network.transport"] for row in rows] == ["tcp", "tcp", "udp"]
    assert rows[-1]["log.file.line"] == 5


def test_other_lines_are_not_claimed_and_named() -> None:
    assert SENSOR.sniff("\n".join(LINES).encode(), "x")
    for text in ("", "2 3 4", "a b c d", "srcaddr", '{"srcaddr":"1"}'):
        assert not SENSOR.sniff(text.encode(), "flow.log")
    source = source_of("\n".join([LINES[0], "nonsense", LINES[1]]))
    assert len(events(SENSOR, source)) == 2
    assert [entry.line for entry in source.unread] == [2]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(NAMED))
def test_broken_lines_under_names_raise_nothing(content: str) -> None:
    source = source_of("\n".join([NAMED[0], content]))
    for frame in SENSOR.read(source):
        schema.conform(frame)
