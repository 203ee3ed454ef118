"""Santa: a line of every kind, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.santa import SENSOR
from sensors.sensor import claims

LINES = sample_lines("santa")


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "santa")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "santa").iterdir():
        assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == ["santa"], path


def test_who_ran_what_and_what_left_by_usb() -> None:
    ran, denied, moved, _, disk, *_ = events(SENSOR, "\n".join(LINES))
    assert (ran["user.name"], ran["event.outcome"]) == ("maya", "success")
    assert ran["process.args"][1:] == ["AnyDesk", "--service"]
    assert (denied["event.outcome"], denied["process.executable"]) == ("failure", "/Users/maya/a|b")
    assert moved["file.target_path"] == "/Volumes/USB/payroll.xlsx"
    assert (disk["device.serial_number"], disk["santa.disk.bus"]) == ("4C5300", "USB")


def test_a_line_of_another_form_is_named_as_unread() -> None:
    source = source_of(LINES[0] + "\nnonsense\n" + LINES[1])
    assert [row["log.file.line"] for row in events(SENSOR, source)] == [1, 3]
    assert [entry.line for entry in source.unread] == [2]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)
